//! Drivers: which hardware type and interfaces a BMC address stands for, and the parameters Ironic needs to reach it.

use ironic::Info;

use crate::node::raid::NO_RAID;

/// What a driver's hosts are made of in Ironic. `None` leaves an interface to Ironic's default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Driver {
    /// Hardware type.
    pub hardware_type: &'static str,
    /// Prefix of the keys in `driver_info`.
    pub prefix: &'static str,
    /// How the ramdisk is booted.
    pub boot: &'static str,
    /// How BIOS settings are applied.
    pub bios: Option<&'static str>,
    /// How firmware is updated.
    pub firmware: Option<&'static str>,
    /// How inspection works without booting; `None`: it does not.
    pub fast_inspect: Option<&'static str>,
    /// How boot devices are set.
    pub management: Option<&'static str>,
    /// How power is switched.
    pub power: Option<&'static str>,
    /// How hardware RAID is built.
    pub raid: &'static str,
    /// Vendor extensions.
    pub vendor: Option<&'static str>,
    /// Whether it boots ISOs.
    pub takes_iso: bool,
    /// Whether it needs a network with DHCP.
    pub needs_network: bool,
    /// Whether it can check signatures at boot.
    pub secure_boot: bool,
    /// Whether the boot MAC address must always be given.
    pub needs_mac: bool,
}

const IPMI: Driver = Driver {
    hardware_type: "ipmi",
    prefix: "ipmi_",
    boot: "ipxe",
    bios: None,
    firmware: None,
    fast_inspect: None,
    management: None,
    power: None,
    raid: NO_RAID,
    vendor: None,
    takes_iso: false,
    needs_network: true,
    secure_boot: false,
    needs_mac: false,
};

const REDFISH: Driver = Driver {
    hardware_type: "redfish",
    prefix: "redfish_",
    firmware: Some("redfish"),
    fast_inspect: Some("redfish"),
    raid: "redfish",
    secure_boot: true,
    ..IPMI
};

const IDRAC: Driver = Driver {
    hardware_type: "idrac",
    bios: Some("idrac-redfish"),
    management: Some("idrac-redfish"),
    power: Some("idrac-redfish"),
    raid: "idrac-redfish",
    vendor: Some("idrac-redfish"),
    ..REDFISH
};

/// A driver that boots an ISO and therefore needs no DHCP.
const fn iso(driver: Driver, boot: &'static str) -> Driver {
    Driver { boot, takes_iso: true, needs_network: false, ..driver }
}

/// Every scheme of a BMC address, without its `+http` or `+https`.
pub const DRIVERS: [(&str, Driver); 10] = [
    ("ipmi", IPMI),
    ("libvirt", Driver { needs_mac: true, ..IPMI }),
    ("redfish", REDFISH),
    ("ilo5-redfish", REDFISH),
    ("idrac-redfish", IDRAC),
    ("redfish-virtualmedia", iso(REDFISH, "redfish-virtual-media")),
    ("ilo5-virtualmedia", iso(REDFISH, "redfish-virtual-media")),
    ("idrac-virtualmedia", iso(IDRAC, "idrac-redfish-virtual-media")),
    ("redfish-uefihttp", iso(REDFISH, "redfish-https")),
    ("", IPMI),
];

impl Driver {
    /// The driver of a scheme, with or without `+http` or `+https`; `None` for an unknown one.
    pub fn of_scheme(scheme: &str) -> Option<Self> {
        let (base, transport) = scheme.split_once('+').unwrap_or((scheme, ""));
        let (_, driver) = DRIVERS.into_iter().find(|(known, _)| *known == base)?;
        let fits = transport.is_empty() || (driver.prefix == "redfish_" && matches!(transport, "http" | "https"));
        fits.then_some(driver)
    }
}

/// A BMC address in its parts, and who we are there. Debug output masks the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Access<'a> {
    /// Scheme as written, e.g. `redfish+http`.
    pub scheme: &'a str,
    /// Host name or IP address; IPv6 with or without brackets.
    pub host: &'a str,
    /// Port.
    pub port: Option<u16>,
    /// Path as written, with its leading slash.
    pub path: &'a str,
    /// IPMI privilege level, from the query; `ADMINISTRATOR` when absent.
    pub privilege_level: Option<&'a str>,
    /// User name.
    pub username: &'a str,
    /// Password.
    pub password: &'a str,
    /// Accept any certificate.
    pub insecure: bool,
    /// Where a BMC with an IPv6 address fetches images; see [`is_ipv6`].
    pub external_http_url: Option<&'a str>,
}

impl std::fmt::Debug for Access<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.host, self.path)
    }
}

/// `driver_info` of a BMC.
pub fn driver_info(driver: &Driver, access: &Access<'_>) -> Info {
    let mut info = Info::default();
    let mut set = |key: &str, value: serde_json::Value| info.set(format!("{}{key}", driver.prefix), value);
    set("username", access.username.into());
    set("password", access.password.into());
    if driver.prefix == IPMI.prefix {
        set("address", access.host.trim_matches(['[', ']']).into());
        set("port", access.port.unwrap_or(623).to_string().into());
        set("priv_level", access.privilege_level.unwrap_or("ADMINISTRATOR").into());
    } else {
        set("address", redfish_address(access).into());
        let default_system = matches!(access.path.trim_matches('/'), "" | "redfish/v1");
        if !default_system {
            set("system_id", access.path.into());
        } else if driver.boot == "redfish-https" {
            set("system_id", "".into());
        }
    }
    if access.insecure {
        set("verify_ca", false.into());
    }
    if let Some(url) = access.external_http_url {
        info.set("external_http_url", url);
    }
    info
}

/// `https://host[:port]`.
fn redfish_address(access: &Access<'_>) -> String {
    let transport = access.scheme.split_once('+').map_or("https", |(_, transport)| transport);
    let host = access.host.trim_matches(['[', ']']);
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let port = access.port.map(|port| format!(":{port}")).unwrap_or_default();
    format!("{transport}://{host}{port}")
}

/// Whether a host is an IPv6 address, with or without brackets. A host name must be resolved first.
pub fn is_ipv6(host: &str) -> bool {
    host.trim_matches(['[', ']']).parse::<std::net::Ipv6Addr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const ACCESS: Access<'_> = Access {
        scheme: "redfish",
        host: "192.0.2.1",
        port: None,
        path: "",
        privilege_level: None,
        username: "admin",
        password: "pw",
        insecure: false,
        external_http_url: None,
    };

    fn info(access: &Access<'_>) -> Value {
        serde_json::to_value(driver_info(&Driver::of_scheme(access.scheme).unwrap(), access)).unwrap()
    }

    /// One row per scheme: hardware type, boot, bios, firmware, fast inspection, management, power, raid, vendor, and
    /// the flags takes_iso, needs_network, secure_boot, needs_mac.
    #[test]
    fn interfaces_of_every_scheme() {
        let d = "-";
        let idrac = "idrac-redfish";
        let vmedia = "redfish-virtual-media";
        let table: [(&str, [&str; 9], [bool; 4]); 10] = [
            ("ipmi", ["ipmi", "ipxe", d, d, d, d, d, "no-raid", d], [false, true, false, false]),
            ("", ["ipmi", "ipxe", d, d, d, d, d, "no-raid", d], [false, true, false, false]),
            ("libvirt", ["ipmi", "ipxe", d, d, d, d, d, "no-raid", d], [false, true, false, true]),
            ("redfish", ["redfish", "ipxe", d, "redfish", "redfish", d, d, "redfish", d], [false, true, true, false]),
            (
                "ilo5-redfish",
                ["redfish", "ipxe", d, "redfish", "redfish", d, d, "redfish", d],
                [false, true, true, false],
            ),
            (
                "idrac-redfish",
                ["idrac", "ipxe", idrac, "redfish", "redfish", idrac, idrac, idrac, idrac],
                [false, true, true, false],
            ),
            (
                "redfish-virtualmedia",
                ["redfish", vmedia, d, "redfish", "redfish", d, d, "redfish", d],
                [true, false, true, false],
            ),
            (
                "ilo5-virtualmedia",
                ["redfish", vmedia, d, "redfish", "redfish", d, d, "redfish", d],
                [true, false, true, false],
            ),
            (
                "idrac-virtualmedia",
                ["idrac", "idrac-redfish-virtual-media", idrac, "redfish", "redfish", idrac, idrac, idrac, idrac],
                [true, false, true, false],
            ),
            (
                "redfish-uefihttp",
                ["redfish", "redfish-https", d, "redfish", "redfish", d, d, "redfish", d],
                [true, false, true, false],
            ),
        ];
        for (scheme, interfaces, flags) in table {
            for suffix in ["", "+http", "+https"] {
                let Some(driver) = Driver::of_scheme(&format!("{scheme}{suffix}")) else {
                    assert!(interfaces[0] == "ipmi" && !suffix.is_empty(), "{scheme}{suffix}");
                    continue;
                };
                let or = |interface: Option<&'static str>| interface.unwrap_or(d);
                let got = [
                    driver.hardware_type,
                    driver.boot,
                    or(driver.bios),
                    or(driver.firmware),
                    or(driver.fast_inspect),
                    or(driver.management),
                    or(driver.power),
                    driver.raid,
                    or(driver.vendor),
                ];
                assert_eq!(got, interfaces, "{scheme}{suffix}");
                let got = [driver.takes_iso, driver.needs_network, driver.secure_boot, driver.needs_mac];
                assert_eq!(got, flags, "{scheme}{suffix}");
            }
        }
        for unknown in ["ilo4", "irmc", "redfish+ftp", "ipmi+http", "libvirt+https", "http"] {
            assert_eq!(Driver::of_scheme(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn ipmi_parameters() {
        let ipmi = Access { scheme: "ipmi", ..ACCESS };
        let defaults = json!({
            "ipmi_address": "192.0.2.1", "ipmi_port": "623", "ipmi_username": "admin", "ipmi_password": "pw",
            "ipmi_priv_level": "ADMINISTRATOR",
        });
        assert_eq!(info(&ipmi), defaults);
        let all = Access {
            host: "[2001:db8::1]",
            port: Some(6230),
            privilege_level: Some("OPERATOR"),
            insecure: true,
            scheme: "libvirt",
            ..ACCESS
        };
        assert_eq!(
            info(&all),
            json!({
                "ipmi_address": "2001:db8::1", "ipmi_port": "6230", "ipmi_username": "admin", "ipmi_password": "pw",
                "ipmi_priv_level": "OPERATOR", "ipmi_verify_ca": false,
            })
        );
    }

    #[test]
    fn redfish_parameters() {
        let expect = |address: &str, extra: Value| {
            let mut all = json!({"redfish_address": address, "redfish_username": "admin", "redfish_password": "pw"});
            let (all_map, extra) = (all.as_object_mut().unwrap(), extra.as_object().unwrap().clone());
            all_map.extend(extra);
            all
        };
        let system = json!({"redfish_system_id": "/redfish/v1/Systems/1"});
        let table = [
            (Access { path: "/redfish/v1/Systems/1", ..ACCESS }, expect("https://192.0.2.1", system.clone())),
            (Access { scheme: "redfish+http", port: Some(8000), ..ACCESS }, expect("http://192.0.2.1:8000", json!({}))),
            (Access { scheme: "redfish+https", path: "/", ..ACCESS }, expect("https://192.0.2.1", json!({}))),
            (Access { path: "/redfish/v1/", ..ACCESS }, expect("https://192.0.2.1", json!({}))),
            (Access { path: "/redfish/v1", ..ACCESS }, expect("https://192.0.2.1", json!({}))),
            (Access { host: "2001:db8::1", port: Some(443), ..ACCESS }, expect("https://[2001:db8::1]:443", json!({}))),
            (Access { host: "[2001:db8::1]", ..ACCESS }, expect("https://[2001:db8::1]", json!({}))),
            (
                Access { insecure: true, scheme: "idrac-virtualmedia", ..ACCESS },
                expect("https://192.0.2.1", json!({"redfish_verify_ca": false})),
            ),
            (
                Access { external_http_url: Some("http://[::1]/"), ..ACCESS },
                expect("https://192.0.2.1", json!({"external_http_url": "http://[::1]/"})),
            ),
            (
                Access { scheme: "redfish-uefihttp", ..ACCESS },
                expect("https://192.0.2.1", json!({"redfish_system_id": ""})),
            ),
            (
                Access { scheme: "redfish-uefihttp+http", path: "/redfish/v1/Systems/1", ..ACCESS },
                expect("http://192.0.2.1", system),
            ),
        ];
        for (access, wanted) in table {
            assert_eq!(info(&access), wanted, "{access:?}");
        }
    }

    #[test]
    fn ipv6_literals() {
        assert!(is_ipv6("[::1]") && is_ipv6("2001:db8::1"));
        assert!(!is_ipv6("192.0.2.1") && !is_ipv6("bmc.example"));
    }
}
