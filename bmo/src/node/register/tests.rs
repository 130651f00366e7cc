use ironic::Versions;
use serde_json::json;

use super::*;

fn versions(max: u16) -> Versions {
    Versions::choose(1, max).unwrap()
}

fn bmc(password: &str) -> Info {
    let pairs = [
        ("redfish_address", "https://192.0.2.1"),
        ("redfish_username", "admin"),
        ("redfish_password", password),
        ("redfish_system_id", "/redfish/v1/Systems/1"),
    ];
    pairs.into_iter().collect()
}

fn registration(scheme: &str) -> Registration<'static> {
    Registration {
        name: "ns~host",
        access: AccessType::from_name(scheme).unwrap(),
        bmc: bmc("pw"),
        fingerprint: None,
        boot_mode: &BootMode::Uefi,
        architecture: "x86_64",
        fast_inspection: false,
        inspection_disabled: false,
        has_boot_mac: true,
        deployment: Deployment::Direct,
        disable_power_off: false,
        versions: versions(110),
    }
}

/// The node that Ironic has after the creation: passwords are masked.
fn registered(wanted: &Registration<'_>) -> Node {
    let mut value = serde_json::to_value(wanted.new_node()).unwrap();
    value["driver_info"]["redfish_password"] = MASK.into();
    value["uuid"] = "u".into();
    value["provision_state"] = "manageable".into();
    serde_json::from_value(value).unwrap()
}

#[test]
fn creation_bodies() {
    let body = |wanted: &Registration<'_>| serde_json::to_value(wanted.new_node()).unwrap();
    let info = serde_json::to_value(bmc("pw")).unwrap();
    assert_eq!(
        body(&registration("redfish-virtualmedia")),
        json!({
            "name": "ns~host", "driver": "redfish", "driver_info": info, "boot_interface": "redfish-virtual-media",
            "firmware_interface": "redfish", "inspect_interface": "agent", "raid_interface": "redfish",
            "properties": {"capabilities": "boot_mode:uefi", "cpu_arch": "x86_64"}, "disable_power_off": false,
        })
    );
    let all = Registration {
        fast_inspection: true,
        deployment: Deployment::LiveIso,
        disable_power_off: true,
        boot_mode: &BootMode::UefiSecureBoot,
        ..registration("idrac-virtualmedia")
    };
    assert_eq!(
        body(&all),
        json!({
            "name": "ns~host", "driver": "idrac", "driver_info": info,
            "bios_interface": "idrac-redfish", "boot_interface": "idrac-redfish-virtual-media",
            "deploy_interface": "ramdisk", "firmware_interface": "redfish", "inspect_interface": "redfish",
            "management_interface": "idrac-redfish", "power_interface": "idrac-redfish",
            "raid_interface": "idrac-redfish", "vendor_interface": "idrac-redfish",
            "properties": {"capabilities": "boot_mode:uefi,secure_boot:true", "cpu_arch": "x86_64"},
            "disable_power_off": true,
        })
    );
    let old = Registration { versions: versions(94), deployment: Deployment::Custom, ..registration("ipmi") };
    assert_eq!(
        body(&old),
        json!({
            "name": "ns~host", "driver": "ipmi", "driver_info": info, "boot_interface": "ipxe",
            "deploy_interface": "custom-agent", "inspect_interface": "agent", "raid_interface": "no-raid",
            "properties": {"capabilities": "boot_mode:uefi", "cpu_arch": "x86_64"},
        })
    );
}

#[test]
fn refusals() {
    let base = || registration("ipmi");
    let driver = "ipmi";
    let table = [
        (base(), true, None),
        (base(), false, Some(Refusal::Network { driver })),
        (registration("redfish"), false, Some(Refusal::Network { driver: "redfish" })),
        (registration("redfish-virtualmedia"), false, None),
        (registration("redfish-uefihttp"), false, None),
        (Registration { fast_inspection: true, ..base() }, true, Some(Refusal::FastInspection { driver })),
        (Registration { fast_inspection: true, ..registration("redfish") }, true, None),
        (Registration { boot_mode: &BootMode::UefiSecureBoot, ..base() }, true, Some(Refusal::SecureBoot { driver })),
        (Registration { boot_mode: &BootMode::UefiSecureBoot, ..registration("redfish") }, true, None),
        (Registration { has_boot_mac: false, ..base() }, true, None),
        (
            Registration { has_boot_mac: false, inspection_disabled: true, ..base() },
            true,
            Some(Refusal::BootMac { driver }),
        ),
        (Registration { has_boot_mac: false, ..registration("libvirt") }, true, Some(Refusal::BootMac { driver })),
        (
            Registration { versions: versions(94), disable_power_off: true, ..base() },
            true,
            Some(Refusal::DisablePowerOff),
        ),
        (Registration { versions: versions(95), disable_power_off: true, ..base() }, true, None),
    ];
    for (row, (wanted, network, refusal)) in table.into_iter().enumerate() {
        assert_eq!(wanted.refusal(network), refusal, "row {row}");
    }
}

#[test]
fn a_registered_node_needs_nothing() {
    for scheme in ["ipmi", "redfish", "redfish-virtualmedia", "idrac-virtualmedia", "redfish-uefihttp"] {
        for deployment in [Deployment::Direct, Deployment::LiveIso, Deployment::Custom] {
            let wanted = Registration { deployment, ..registration(scheme) };
            let mut node = registered(&wanted);
            // Others put their own keys there.
            node.driver_info.set("deploy_iso", "http://iso");
            node.driver_info.set("force_persistent_boot_device", "Default");
            assert_eq!(wanted.update(&node, false), Patch::new(), "{scheme} {deployment:?}");
        }
    }
}

#[test]
fn differences_of_an_existing_node() {
    let wanted = registration("redfish");
    let base = registered(&wanted);
    let with = |change: &dyn Fn(&mut Node)| {
        let mut node = base.clone();
        change(&mut node);
        node
    };
    let set = |key: &str, value: &str| Patch::new().set(&["driver_info", key], value);
    let password = || set("redfish_password", "pw");
    // what the node has, whether the Secret changed => the patch
    let table: [(Node, bool, Patch); 12] = [
        (with(&|n| n.name = Some("host".into())), false, Patch::new().set(&["name"], "ns~host")),
        (with(&|n| n.name = None), false, Patch::new().set(&["name"], "ns~host")),
        (base.clone(), true, password()),
        (
            with(&|n| n.driver_info.set("redfish_address", "https://192.0.2.9")),
            false,
            set("redfish_address", "https://192.0.2.1"),
        ),
        (
            with(&|n| n.driver_info.set("redfish_username", "old")),
            true,
            password().and(set("redfish_username", "admin")),
        ),
        (
            with(&|n| n.driver_info.set("redfish_verify_ca", false)),
            false,
            Patch::new().remove(&["driver_info", "redfish_verify_ca"]),
        ),
        (
            with(&|n| n.driver_info.set("external_http_url", "x")),
            false,
            Patch::new().remove(&["driver_info", "external_http_url"]),
        ),
        (with(&|n| n.driver_info.set("deploy_iso", "i")), true, password()),
        (with(&|n| n.driver_info.set("redfish_auth_type", "basic")), true, password()),
        (with(&|n| drop(n.driver_info.0.remove("redfish_password"))), false, password()),
        (
            with(&|n| n.driver_info.set("ipmi_password", MASK)),
            false,
            Patch::new().remove(&["driver_info", "ipmi_password"]),
        ),
        (with(&|n| n.disable_power_off = Some(true)), false, Patch::new().set(&["disable_power_off"], false)),
    ];
    for (row, (node, changed, patch)) in table.into_iter().enumerate() {
        assert_eq!(wanted.update(&node, changed), patch, "row {row}");
    }
}

#[test]
fn without_the_secret_at_hand_credentials_stay() {
    let node =
        Node { driver_info: registered(&registration("redfish")).driver_info, ..registered(&registration("redfish")) };
    let moved = Info(
        bmc(MASK)
            .0
            .into_iter()
            .map(|(k, v)| if k == "redfish_address" { (k, "https://192.0.2.7".into()) } else { (k, v) })
            .collect(),
    );
    let expected = Patch::new().set(&["driver_info", "redfish_address"], "https://192.0.2.7");
    // A mask that was copied from the node is not sent, whatever the caller says.
    for changed in [false, true] {
        let wanted = Registration { bmc: moved.clone(), ..registration("redfish") };
        assert_eq!(wanted.update(&node, changed), expected);
    }
    // Nor are they removed when they are left out.
    let mut bare = moved;
    bare.0.retain(|key, _| !key.ends_with("_username") && !key.ends_with("_password"));
    assert_eq!(Registration { bmc: bare, ..registration("redfish") }.update(&node, false), expected);
}

#[test]
fn another_driver_changes_type_and_interfaces_while_the_node_is_still() {
    let node = registered(&registration("idrac-redfish"));
    let wanted = registration("redfish-virtualmedia");
    let expected = Patch::new()
        .set(&["driver"], "redfish")
        .remove(&["bios_interface"])
        .set(&["boot_interface"], "redfish-virtual-media")
        .remove(&["management_interface"])
        .remove(&["power_interface"])
        .remove(&["vendor_interface"])
        .set(&["raid_interface"], "redfish")
        .set(&["inspect_interface"], "agent");
    assert_eq!(wanted.update(&node, false), expected);
    let busy = Node { provision_state: ProvisionState::Active, ..node };
    assert_eq!(wanted.update(&busy, false), Patch::new());
}

#[test]
fn software_raid_keeps_its_interface() {
    let wanted = registration("redfish");
    let node = Node { raid_interface: Some("agent".into()), ..registered(&wanted) };
    assert_eq!(wanted.update(&node, false), Patch::new());
}

#[test]
fn upkeep() {
    let data: Map<String, Value> = serde_json::from_value(json!({"links": []})).unwrap();
    let upkeep = |network_data| Upkeep {
        boot_mode: &BootMode::Legacy,
        architecture: "aarch64",
        automated_clean: true,
        network_data,
    };
    let fresh = Node::default();
    let expected = Patch::new()
        .set(&["automated_clean"], true)
        .set(&["properties", "capabilities"], "boot_mode:bios")
        .set(&["properties", "cpu_arch"], "aarch64")
        .set(&["network_data"], json!({"links": []}));
    assert_eq!(upkeep(Some(&data)).patch(&fresh), expected);
    let done = Node {
        automated_clean: Some(true),
        properties: [("capabilities", "boot_mode:bios"), ("cpu_arch", "aarch64")].into_iter().collect(),
        network_data: data.clone().into(),
        ..Node::default()
    };
    assert_eq!(upkeep(Some(&data)).patch(&done), Patch::new());
    assert_eq!(upkeep(None).patch(&done), Patch::new());
    let off = Node { automated_clean: Some(false), ..done };
    assert_eq!(upkeep(None).patch(&off), Patch::new().set(&["automated_clean"], true));
}
