//! The ports that a node shall have: every interface that inspection found, and the one that boots.

use std::collections::BTreeMap;

use api::metal3::HardwareDetails;
use ironic::ProvisionState;

use crate::calls::WantedPort;

/// All ports wanted, by address. An interface is listed once per IP address it had: such entries are merged.
pub fn wanted(boot_mac: Option<&str>, hardware: Option<&HardwareDetails>) -> Vec<WantedPort> {
    let mut ports: BTreeMap<String, bool> = BTreeMap::new();
    for nic in hardware.into_iter().flat_map(|hardware| &hardware.nics) {
        if let Some(mac) = &nic.mac {
            *ports.entry(mac.to_ascii_lowercase()).or_default() |= nic.pxe;
        }
    }
    if let Some(mac) = boot_mac {
        ports.insert(mac.to_ascii_lowercase(), true);
    }
    ports.into_iter().map(|(address, pxe_enabled)| WantedPort { address, pxe_enabled }).collect()
}

/// The wanted ports that do not exist, given the addresses that do.
pub fn missing(wanted: Vec<WantedPort>, existing: &[&str]) -> Vec<WantedPort> {
    let exists = |port: &WantedPort| existing.iter().any(|mac| mac.eq_ignore_ascii_case(&port.address));
    wanted.into_iter().filter(|port| !exists(port)).collect()
}

/// Whether ports can be created in this state. In others a conductor works on the node and answers 409.
pub fn can_be_created(state: &ProvisionState) -> bool {
    use ProvisionState as S;
    matches!(
        state,
        S::Enroll
            | S::Manageable
            | S::Available
            | S::Active
            | S::Error
            | S::AdoptFailed
            | S::InspectFailed
            | S::CleanFailed
            | S::DeployFailed
            | S::ServiceFailed
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::metal3::Nic;

    fn nic(mac: &str, pxe: bool) -> Nic {
        Nic { mac: Some(mac.into()), pxe, ..Nic::default() }
    }
    fn port(address: &str, pxe_enabled: bool) -> WantedPort {
        WantedPort { address: address.into(), pxe_enabled }
    }

    #[test]
    fn every_interface_once_and_the_boot_interface_boots() {
        let hardware = HardwareDetails {
            nics: vec![
                nic("00:00:00:00:00:02", false),
                nic("00:00:00:00:00:AA", false),
                nic("00:00:00:00:00:02", true),
            ],
            ..HardwareDetails::default()
        };
        assert_eq!(wanted(None, None), []);
        assert_eq!(wanted(Some("00:00:00:00:00:AA"), None), [port("00:00:00:00:00:aa", true)]);
        assert_eq!(
            wanted(Some("00:00:00:00:00:aA"), Some(&hardware)),
            [port("00:00:00:00:00:02", true), port("00:00:00:00:00:aa", true)]
        );
        assert_eq!(wanted(None, Some(&hardware)), [port("00:00:00:00:00:02", true), port("00:00:00:00:00:aa", false)]);
        let left = missing(wanted(None, Some(&hardware)), &["00:00:00:00:00:AA"]);
        assert_eq!(left, [port("00:00:00:00:00:02", true)]);
    }

    #[test]
    fn not_while_a_conductor_works() {
        for state in ProvisionState::KNOWN {
            use ironic::Phase;
            if can_be_created(state) {
                assert!(matches!(state.phase(), Phase::Stable | Phase::Failed), "{state}");
            }
        }
        assert!(!can_be_created(&ProvisionState::Deploying));
        assert!(!can_be_created(&ProvisionState::Other("new".into())));
    }
}
