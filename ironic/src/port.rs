//! Ports: the network interfaces of nodes, known by MAC address.

use serde::{Deserialize, Serialize};

/// A port.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Port {
    /// Its id.
    pub uuid: String,
    /// The node it belongs to.
    pub node_uuid: String,
    /// MAC address; Ironic stores lower case.
    pub address: String,
    /// Whether the machine may boot from it.
    pub pxe_enabled: Option<bool>,
}

/// The body of a port creation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewPort {
    /// The node it belongs to.
    pub node_uuid: String,
    /// MAC address.
    pub address: String,
    /// Whether the machine may boot from it.
    pub pxe_enabled: bool,
}

/// Which ports to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortFilter {
    /// All ports of one node (uuid).
    Node(String),
    /// The port with this MAC address, of any node.
    Address(String),
}

/// A port group: ports that act as one interface.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct PortGroup {
    /// Its id.
    pub uuid: String,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// The node it belongs to.
    pub node_uuid: String,
    /// MAC address, if it has one.
    pub address: Option<String>,
    /// Bonding mode, e.g. `active-backup`.
    pub mode: Option<String>,
}
