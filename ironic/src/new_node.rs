//! The body of a node creation.

use serde::Serialize;

use crate::redact::Info;

/// A node to create. Absent fields are left to Ironic's defaults.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct NewNode {
    /// Unique name; makes the creation repeatable.
    pub name: String,
    /// Hardware type.
    pub driver: String,
    /// BMC and boot parameters, with the password in clear.
    pub driver_info: Info,
    /// What this client keeps with the node; never a secret.
    #[serde(skip_serializing_if = "Info::is_empty")]
    pub extra: Info,
    /// Capabilities and architecture.
    pub properties: Info,
    /// How BIOS settings are applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bios_interface: Option<String>,
    /// How it boots the ramdisk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boot_interface: Option<String>,
    /// How it is deployed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deploy_interface: Option<String>,
    /// How firmware is updated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub firmware_interface: Option<String>,
    /// How it is inspected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inspect_interface: Option<String>,
    /// How boot devices are set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub management_interface: Option<String>,
    /// How power is switched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub power_interface: Option<String>,
    /// How RAID is built.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raid_interface: Option<String>,
    /// Vendor extensions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor_interface: Option<String>,
    /// Sent only where the server knows it ([`crate::version::Feature::DisablePowerOff`]).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disable_power_off: Option<bool>,
}
