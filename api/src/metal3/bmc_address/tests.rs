use super::*;

fn parsed(text: &str) -> BmcAddress {
    text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
}

#[test]
fn every_documented_form_is_read() {
    let table = [
        // text, access type, tls, host, port, path
        ("192.0.2.7", AccessType::Ipmi, true, "192.0.2.7", None, ""),
        ("192.0.2.7:6230", AccessType::Ipmi, true, "192.0.2.7", Some(6230), ""),
        ("bmc-1.example.com", AccessType::Ipmi, true, "bmc-1.example.com", None, ""),
        ("[2001:db8::7]:6230", AccessType::Ipmi, true, "[2001:db8::7]", Some(6230), ""),
        ("[2001:db8::7]", AccessType::Ipmi, true, "[2001:db8::7]", None, ""),
        ("ipmi://192.0.2.7:6230", AccessType::Ipmi, true, "192.0.2.7", Some(6230), ""),
        ("ipmi://[::1]", AccessType::Ipmi, true, "[::1]", None, ""),
        ("ipmi:192.0.2.7:6230", AccessType::Ipmi, true, "192.0.2.7", Some(6230), ""),
        ("libvirt://192.0.2.7:6230/", AccessType::Libvirt, true, "192.0.2.7", Some(6230), "/"),
        ("libvirt:192.0.2.7:6230", AccessType::Libvirt, true, "192.0.2.7", Some(6230), ""),
        ("redfish://bmc/redfish/v1/Systems/1", AccessType::Redfish, true, "bmc", None, "/redfish/v1/Systems/1"),
        ("redfish+http://bmc:8000/x", AccessType::Redfish, false, "bmc", Some(8000), "/x"),
        ("REDFISH+HTTPS://BMC/x", AccessType::Redfish, true, "BMC", None, "/x"),
        (
            "redfish-virtualmedia+http://192.0.2.7:8000/x",
            AccessType::RedfishVirtualMedia,
            false,
            "192.0.2.7",
            Some(8000),
            "/x",
        ),
        ("idrac-virtualmedia://192.0.2.7/x", AccessType::IdracVirtualMedia, true, "192.0.2.7", None, "/x"),
        ("redfish-uefihttp://192.0.2.7/x", AccessType::RedfishUefiHttp, true, "192.0.2.7", None, "/x"),
        ("redfish://user:secret@192.0.2.7/x", AccessType::Redfish, true, "192.0.2.7", None, "/x"),
        ("redfish://192.0.2.7/a%20b#part", AccessType::Redfish, true, "192.0.2.7", None, "/a b"),
        ("ipmi://192.0.2.7:", AccessType::Ipmi, true, "192.0.2.7", None, ""),
    ];
    for (text, access, tls, host, port, path) in table {
        let address = parsed(text);
        let seen = (address.access, address.tls, address.host.to_string(), address.port, address.path.as_str());
        assert_eq!(seen, (access, tls, host.to_owned(), port, path), "{text}");
    }
}

#[test]
fn what_is_not_an_address_is_refused_with_its_cause() {
    use BmcAddressError as E;
    let table = [
        ("", E::Missing),
        ("foo://192.0.2.7", E::UnknownScheme("foo".into())),
        ("ilo4://192.0.2.7", E::UnknownScheme("ilo4".into())),
        ("ipmi+http://192.0.2.7", E::NoSuchTransport("ipmi+http".into())),
        ("redfish+ftp://192.0.2.7", E::NoSuchTransport("redfish+ftp".into())),
        ("ipmi://my_host", E::InvalidHost("my_host".into())),
        ("ipmi://", E::InvalidHost(String::new())),
        ("redfish:///redfish/v1", E::InvalidHost(String::new())),
        ("ipmi://-a.example.com", E::InvalidHost("-a.example.com".into())),
        ("ipmi://[192.0.2.7]", E::InvalidHost("192.0.2.7".into())),
        ("ipmi://[::1", E::InvalidHost("[::1".into())),
        ("ipmi://192.0.2.7:0", E::InvalidPort("0".into())),
        ("ipmi://192.0.2.7:+7", E::InvalidPort("+7".into())),
        ("ipmi://192.0.2.7:70000", E::InvalidPort("70000".into())),
        ("192.0.2.7 ", E::InvalidCharacter(' ')),
        ("redfish://192.0.2.7/a\nb", E::InvalidCharacter('\n')),
        ("redfish://192.0.2.7/a%0ab", E::InvalidCharacter('\n')),
        ("redfish://192.0.2.7/%zz", E::InvalidCharacter('%')),
    ];
    for (text, error) in table {
        assert_eq!(text.parse::<BmcAddress>(), Err(error), "{text:?}");
    }
}

#[test]
fn driver_info_has_the_keys_that_ironic_knows() {
    let info = |text: &str, verify| serde_json::to_value(parsed(text).driver_info("u", "p", verify)).unwrap();
    assert_eq!(
        info("ipmi://[2001:db8::7]", true),
        serde_json::json!({
            "ipmi_address": "2001:db8::7", "ipmi_port": "623", "ipmi_username": "u", "ipmi_password": "p",
            "ipmi_priv_level": "ADMINISTRATOR",
        })
    );
    assert_eq!(info("ipmi://192.0.2.7?privilegelevel=OPERATOR", true)["ipmi_priv_level"], "OPERATOR");
    assert_eq!(
        info("redfish-virtualmedia+http://[2001:db8::7]:8000/redfish/v1/Systems/1", false),
        serde_json::json!({
            "redfish_address": "http://[2001:db8::7]:8000", "redfish_system_id": "/redfish/v1/Systems/1",
            "redfish_username": "u", "redfish_password": "p", "redfish_verify_ca": false,
        })
    );
    for without in ["redfish://192.0.2.7", "redfish://192.0.2.7/", "redfish://192.0.2.7/redfish/v1/"] {
        assert_eq!(info(without, true).get("redfish_system_id"), None, "{without}");
    }
}

#[test]
fn passwords_do_not_show_in_debug_output() {
    let info = parsed("redfish://192.0.2.7").driver_info("u", "hunter2", true);
    assert!(!format!("{info:?}").contains("hunter2"));
}

#[test]
fn capabilities_follow_the_published_table() {
    // access type: boots ISO, secure boot, RAID, fast inspection, MAC always
    let table = [
        (AccessType::Ipmi, [false, false, false, false, false]),
        (AccessType::Libvirt, [false, false, false, false, true]),
        (AccessType::Redfish, [false, true, true, true, false]),
        (AccessType::Ilo5Redfish, [false, true, true, true, false]),
        (AccessType::IdracRedfish, [false, true, true, true, false]),
        (AccessType::RedfishVirtualMedia, [true, true, true, true, false]),
        (AccessType::Ilo5VirtualMedia, [true, true, true, true, false]),
        (AccessType::IdracVirtualMedia, [true, true, true, true, false]),
        (AccessType::RedfishUefiHttp, [true, true, true, true, false]),
    ];
    assert_eq!(table.map(|(a, _)| a), AccessType::ALL);
    for (a, wanted) in table {
        let seen = [
            a.boots_iso(),
            a.supports_secure_boot(),
            a.supports_raid(),
            a.supports_fast_inspection(),
            a.always_needs_mac(),
        ];
        assert_eq!(seen, wanted, "{a}");
        assert_eq!(a.needs_provisioning_network(), !a.boots_iso());
        assert_eq!(AccessType::from_name(a.name()), Some(a));
    }
    assert_eq!(AccessType::IdracVirtualMedia.interfaces().boot, "idrac-redfish-virtual-media");
    assert_eq!(AccessType::IdracRedfish.interfaces().fast_inspection, Some("redfish"));
}
