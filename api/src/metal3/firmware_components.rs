//! HostFirmwareComponents: the firmware versions of a host, and the updates wanted.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::absent_spec_is_default;
use crate::meta::{Condition, Time, or_default, text};

/// The firmware of the host of the same name. Updated while the host is prepared or, where a HostUpdatePolicy says
/// so, at its next reboot.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "metal3.io",
    version = "v1alpha1",
    kind = "HostFirmwareComponents",
    plural = "hostfirmwarecomponents",
    namespaced,
    status = "HostFirmwareComponentsStatus",
    derive = "PartialEq",
    derive = "Default",
    doc = "The firmware versions of the host of the same name, and the updates wanted."
)]
#[serde(rename_all = "camelCase", remote = "Self")]
pub struct HostFirmwareComponentsSpec {
    /// Updates to make, in this order.
    #[serde(default, deserialize_with = "or_default")]
    #[schemars(extend("x-required" = true))]
    pub updates: Vec<FirmwareUpdate>,
}

absent_spec_is_default!(HostFirmwareComponentsSpec);

/// One firmware update.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FirmwareUpdate {
    /// `bmc`, `bios`, or `nic:` with the name that the management controller gives the card.
    #[serde(default)]
    #[schemars(extend("x-required" = true))]
    pub component: String,
    /// Where the management controller, or Ironic, fetches the firmware file.
    #[serde(default)]
    #[schemars(extend("x-required" = true))]
    pub url: String,
}

/// The firmware that was found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HostFirmwareComponentsStatus {
    /// The updates that were last started.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub updates: Vec<FirmwareUpdate>,
    /// Versions of the components.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<FirmwareComponent>,
    /// When this status was last written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::time")]
    pub last_updated: Option<Time>,
    /// `ChangeDetected`: the spec differs from what was started. `Valid`: the spec can be applied.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::conditions")]
    pub conditions: Vec<Condition>,
}

/// The versions of one component.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FirmwareComponent {
    /// Its name, e.g. `bmc`.
    #[serde(default)]
    #[schemars(extend("x-required" = true))]
    pub component: String,
    /// The version when it was first seen.
    #[serde(default)]
    #[schemars(extend("x-required" = true))]
    pub initial_version: String,
    /// The version now.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub current_version: Option<String>,
    /// The version that an update last wrote.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub last_version_flashed: Option<String>,
    /// When it last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::time")]
    pub updated_at: Option<Time>,
}
