//! `driver_info`: the parameters that Ironic needs to reach a management controller. Which hardware type and interfaces
//! an address stands for is [`api::metal3::bmc_address::AccessType`]'s to say.

use api::metal3::bmc_address::{AccessType, BmcAddress};
use ironic::Info;

/// How a management controller is reached. Debug output shows no password.
#[derive(Clone, Copy)]
pub struct Access<'a> {
    /// Its address.
    pub address: &'a BmcAddress,
    /// User name and password; `None` when they are not at hand, then their keys are left out.
    pub login: Option<(&'a str, &'a str)>,
    /// Accept any certificate.
    pub insecure: bool,
    /// Where the controller fetches images, if not where all do: one with an IPv6 address needs an URL of its own.
    pub external_http_url: Option<&'a str>,
}

impl std::fmt::Debug for Access<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access").field("address", self.address).finish_non_exhaustive()
    }
}

/// The key of the URL below which a controller fetches images.
pub const EXTERNAL_URL: &str = "external_http_url";

/// `driver_info` of a management controller.
pub fn driver_info(access: &Access<'_>) -> Info {
    let (username, password) = access.login.unwrap_or_default();
    let keys = access.address.driver_info(username, password, !access.insecure);
    let mut info: Info =
        keys.into_iter().map(|(key, value)| (key, serde_json::to_value(value).unwrap_or_default())).collect();
    if access.login.is_none() {
        info.0.retain(|key, _| !is_login(key));
    }
    if access.address.access == AccessType::RedfishUefiHttp && info.get("redfish_system_id").is_none() {
        // This type has always said it, even when there is nothing to say.
        info.set("redfish_system_id", "");
    }
    if let Some(url) = access.external_http_url {
        info.set(EXTERNAL_URL, url);
    }
    info
}

/// Whether a key of `driver_info` is about the management controller.
fn is_access(key: &str) -> bool {
    key.starts_with("redfish_") || key.starts_with("ipmi_")
}

/// Whether a key of `driver_info` is one that [`driver_info`] may set. Others of the same protocol are an administrator's.
fn is_ours(key: &str) -> bool {
    let known = ["_address", "_port", "_username", "_password", "_priv_level", "_system_id", "_verify_ca"];
    key == EXTERNAL_URL || (is_access(key) && known.iter().any(|end| key.ends_with(end)))
}

/// Whether a registration with these parameters takes a key away that it does not have itself: what an earlier address
/// left, and all of a protocol that is not spoken any more.
pub fn is_left_over(key: &str, info: &Info) -> bool {
    let stays = same_family(key, info) && (is_login(key) || !is_ours(key));
    info.get(key).is_none() && (is_ours(key) || is_access(key)) && !stays
}

/// Whether a key holds the user name or the password.
pub fn is_login(key: &str) -> bool {
    is_access(key) && (key.ends_with("_username") || key.ends_with("_password"))
}

/// Whether two keys are of the same protocol.
pub fn same_family(key: &str, info: &Info) -> bool {
    let prefix = |key: &str| key.split_once('_').map(|(prefix, _)| prefix.to_owned());
    info.0.keys().filter(|other| is_access(other)).any(|other| prefix(other) == prefix(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn info(address: &str, change: impl FnOnce(&mut Access<'_>)) -> Value {
        let address: BmcAddress = address.parse().unwrap();
        let mut access =
            Access { address: &address, login: Some(("admin", "pw")), insecure: false, external_http_url: None };
        change(&mut access);
        assert!(!format!("{access:?}").contains("pw"));
        serde_json::to_value(driver_info(&access)).unwrap()
    }

    #[test]
    fn ipmi_parameters() {
        let nothing = |_: &mut Access<'_>| ();
        assert_eq!(
            info("192.0.2.1", nothing),
            json!({
                "ipmi_address": "192.0.2.1", "ipmi_port": "623", "ipmi_username": "admin", "ipmi_password": "pw",
                "ipmi_priv_level": "ADMINISTRATOR",
            })
        );
        assert_eq!(
            info("libvirt://[2001:db8::1]:6230?privilegelevel=OPERATOR", |access| access.insecure = true),
            json!({
                "ipmi_address": "2001:db8::1", "ipmi_port": "6230", "ipmi_username": "admin", "ipmi_password": "pw",
                "ipmi_priv_level": "OPERATOR", "ipmi_verify_ca": false,
            })
        );
    }

    #[test]
    fn redfish_parameters() {
        let table = [
            (
                "redfish://192.0.2.1/redfish/v1/Systems/1",
                json!({"redfish_address": "https://192.0.2.1", "redfish_system_id": "/redfish/v1/Systems/1"}),
            ),
            ("redfish+http://192.0.2.1:8000", json!({"redfish_address": "http://192.0.2.1:8000"})),
            ("redfish+https://192.0.2.1/", json!({"redfish_address": "https://192.0.2.1"})),
            ("redfish-virtualmedia://192.0.2.1/redfish/v1/", json!({"redfish_address": "https://192.0.2.1"})),
            ("idrac-redfish://bmc.example/redfish/v1", json!({"redfish_address": "https://bmc.example"})),
            ("redfish://[2001:db8::1]:443", json!({"redfish_address": "https://[2001:db8::1]:443"})),
            ("redfish-uefihttp://192.0.2.1", json!({"redfish_address": "https://192.0.2.1", "redfish_system_id": ""})),
            (
                "redfish-uefihttp+http://192.0.2.1/a",
                json!({"redfish_address": "http://192.0.2.1", "redfish_system_id": "/a"}),
            ),
        ];
        for (address, wanted) in table {
            let bare = |access: &mut Access<'_>| access.login = None;
            assert_eq!(info(address, bare), wanted, "{address}");
            let mut full = wanted;
            full["redfish_username"] = "admin".into();
            full["redfish_password"] = "pw".into();
            full["redfish_verify_ca"] = false.into();
            assert_eq!(info(address, |access| access.insecure = true), full, "{address}");
        }
    }

    #[test]
    fn an_url_for_images_is_handed_on() {
        let with = |access: &mut Access<'_>| access.external_http_url = Some("http://[::1]/");
        assert_eq!(info("redfish://bmc.example", with)["external_http_url"], "http://[::1]/");
    }

    #[test]
    fn what_a_registration_takes_away() {
        let redfish: Info = [("redfish_address", "x"), ("redfish_password", "p")].into_iter().collect();
        for (key, gone) in [
            ("redfish_address", false),
            ("redfish_system_id", true),
            ("redfish_verify_ca", true),
            ("redfish_username", false),
            ("redfish_auth_type", false),
            ("ipmi_address", true),
            ("ipmi_password", true),
            ("ipmi_cipher_suite", true),
            ("external_http_url", true),
            ("deploy_kernel", false),
        ] {
            assert_eq!(is_left_over(key, &redfish), gone, "{key}");
        }
    }

    #[test]
    fn families() {
        let redfish: Info = [("redfish_address", "x")].into_iter().collect();
        assert!(same_family("redfish_password", &redfish) && !same_family("ipmi_password", &redfish));
        assert!(is_login("ipmi_username") && !is_login("snmp_password") && !is_login("redfish_address"));
    }
}
