//! Links, networks and services of a Metal3DataTemplate. The names follow OpenStack's `network_data.json`.

mod links;
mod networks;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::links::*;
pub use self::networks::*;

/// What becomes `network_data.json` on the machine.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq)]
pub struct NetworkData {
    /// Interfaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub links: Option<Links>,
    /// Addresses and routes on them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub networks: Option<Networks>,
    /// Services for all networks.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = any_family)]
    pub services: Option<Services>,
}
