//! Interfaces: ports, bonds of ports, tagged networks on both.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::ObjectKind;

/// Name of a link inside the operating system.
pub(in crate::infra) const LINK_NAME: &str = "^[a-zA-Z][a-zA-Z0-9._-]*$";

/// Interfaces by kind.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq)]
pub struct Links {
    /// Physical and virtual ports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["id"]))]
    pub ethernets: Vec<Ethernet>,
    /// Bonds of ports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 512), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["id"]))]
    pub bonds: Vec<Bond>,
    /// Tagged networks on ports or bonds.
    // The published list is keyed by `vlanID`, which forbids one VLAN on two parents. It never changes after
    // creation, so nothing is lost by replacing it as a whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 512), extend("x-kubernetes-list-type" = "atomic"))]
    pub vlans: Vec<Vlan>,
}

/// A port.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Ethernet {
    /// What kind of port.
    #[serde(rename = "type")]
    pub type_: EthernetType,
    /// Name by which networks, bonds and VLANs refer to it.
    #[schemars(length(min = 1, max = 512))]
    pub id: String,
    /// Name inside the operating system.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 15), regex(pattern = LINK_NAME))]
    pub name: Option<String>,
    /// Largest packet, bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1280, max = 9000), extend("default" = 1500))]
    pub mtu: Option<i32>,
    /// Where the MAC address comes from.
    // Required in the published schema although a port with a name is found without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac_address: Option<MacAddress>,
}

crate::open_enum! {
    /// Kind of a port in `network_data.json`.
    pub enum EthernetType {
        /// Linux bridge.
        Bridge = "bridge",
        /// Distributed virtual switch.
        Dvs = "dvs",
        /// Hardware virtual Ethernet bridge.
        HwVeb = "hw_veb",
        /// Hyper-V switch.
        Hyperv = "hyperv",
        /// Open vSwitch.
        Ovs = "ovs",
        /// Tap device.
        Tap = "tap",
        /// User-space virtio.
        Vhostuser = "vhostuser",
        /// Virtual interface.
        Vif = "vif",
        /// Physical port.
        Phy = "phy",
    }
}

impl MacAddress {
    /// Whether no source is set.
    pub fn is_unset(&self) -> bool {
        *self == Self::default()
    }
}

/// Where a MAC address comes from; the first that is set is used.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct MacAddress {
    /// The address itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub string: Option<String>,
    /// Name of the host's interface at inspection.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub from_host_interface: Option<String>,
    /// An annotation that holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_annotation: Option<FromAnnotation>,
}

/// An annotation of one of the machine's objects.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, PartialEq, Eq)]
pub struct FromAnnotation {
    /// Which object.
    pub object: ObjectKind,
    /// Which annotation.
    #[schemars(length(min = 1, max = 512))]
    pub annotation: String,
}

/// A bond.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Bond {
    /// How the ports share the load.
    pub bond_mode: BondMode,
    /// What the transmit port is chosen by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bond_xmit_hash_policy: Option<BondXmitHashPolicy>,
    /// Name by which networks and VLANs refer to it.
    #[schemars(length(min = 1, max = 512))]
    pub id: String,
    /// Name inside the operating system.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 15), regex(pattern = LINK_NAME))]
    pub name: Option<String>,
    /// Largest packet, bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1280, max = 9000), extend("default" = 1500))]
    pub mtu: Option<i32>,
    /// Where the MAC address comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac_address: Option<MacAddress>,
    /// Ids of the bonded links.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 512), inner(length(min = 1, max = 512)), extend("x-kubernetes-list-type" = "set"))]
    pub bond_links: Vec<String>,
    /// Further bond options; each becomes `bond_<name>`.
    // Required in the published schema, which leaves no way to write a bond without one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 512), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub parameters: Vec<BondParameter>,
}

crate::open_enum! {
    /// Linux bonding modes.
    pub enum BondMode {
        /// Round robin.
        BalanceRr = "balance-rr",
        /// One active port.
        ActiveBackup = "active-backup",
        /// By hash.
        BalanceXor = "balance-xor",
        /// On every port.
        Broadcast = "broadcast",
        /// Adaptive transmit.
        BalanceTlb = "balance-tlb",
        /// Adaptive both ways.
        BalanceAlb = "balance-alb",
        /// LACP.
        Lacp = "802.3ad",
    }
}

crate::open_enum! {
    /// What a bond chooses the transmit port by.
    pub enum BondXmitHashPolicy {
        /// MAC addresses.
        Layer2 = "layer2",
        /// Addresses and ports.
        Layer34 = "layer3+4",
        /// MAC addresses and addresses.
        Layer23 = "layer2+3",
    }
}

/// A bond option.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq)]
pub struct BondParameter {
    /// Its name without the `bond_` prefix.
    #[schemars(length(min = 1, max = 512))]
    pub name: String,
    /// Its value: a number, a text, a list or a map.
    // The published schema says `object`, which refuses the scalars that real options have.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    #[schemars(schema_with = "anything")]
    pub value: Value,
}

pub(in crate::infra) fn anything(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"x-kubernetes-preserve-unknown-fields": true})
}

/// A tagged network on another link.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Vlan {
    /// The tag.
    #[serde(rename = "vlanID")]
    #[schemars(range(min = 0, max = 4096))]
    pub vlan_id: i32,
    /// Id of the link that carries it.
    #[schemars(length(min = 1, max = 512))]
    pub vlan_link: String,
    /// Name by which networks refer to it.
    #[schemars(length(min = 1, max = 512))]
    pub id: String,
    /// Name inside the operating system.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 15), regex(pattern = LINK_NAME))]
    pub name: Option<String>,
    /// Largest packet, bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1280, max = 9000), extend("default" = 1500))]
    pub mtu: Option<i32>,
    /// Where the MAC address comes from.
    // Readers of the format insist on one.
    #[serde(default)]
    #[schemars(extend("x-required" = true))]
    pub mac_address: MacAddress,
}
