//! Drivers and conductors: what the Ironic service can do right now.

use serde::Deserialize;

/// A hardware type that at least one conductor offers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Driver {
    /// Name, e.g. `redfish`.
    pub name: String,
    /// Conductors that offer it.
    pub hosts: Vec<String>,
}

/// A conductor.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Conductor {
    /// Name.
    pub hostname: String,
    /// Group of nodes it serves; empty is the default group.
    pub conductor_group: String,
    /// Whether it was heard lately.
    pub alive: bool,
}
