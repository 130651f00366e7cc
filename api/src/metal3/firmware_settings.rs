//! HostFirmwareSettings: the BIOS settings of a host, wanted and found.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::absent_spec_is_default;
use crate::meta::{Condition, Time, or_default};

/// The BIOS settings of the host of the same name. Changed while the host is prepared or, where a HostUpdatePolicy
/// says so, at its next reboot.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "metal3.io",
    version = "v1alpha1",
    kind = "HostFirmwareSettings",
    plural = "hostfirmwaresettings",
    namespaced,
    shortname = "hfs",
    status = "HostFirmwareSettingsStatus",
    derive = "PartialEq",
    derive = "Default",
    doc = "The BIOS settings of the host of the same name, wanted and found."
)]
#[serde(rename_all = "camelCase", remote = "Self")]
pub struct HostFirmwareSettingsSpec {
    /// Wanted values by name; settings that are left out keep their value.
    #[serde(default, deserialize_with = "or_default")]
    #[schemars(schema_with = "crate::schema::int_or_string_map", extend("x-required" = true))]
    pub settings: BTreeMap<String, IntOrString>,
}

absent_spec_is_default!(HostFirmwareSettingsSpec);

/// The BIOS settings that were found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HostFirmwareSettingsStatus {
    /// The FirmwareSchema with the limits of the settings.
    #[serde(rename = "schema", default, skip_serializing_if = "Option::is_none")]
    pub firmware_schema: Option<SchemaReference>,
    /// Values by name, without passwords.
    #[serde(default, deserialize_with = "or_default")]
    #[schemars(extend("x-required" = true))]
    pub settings: BTreeMap<String, String>,
    /// When this status was last written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::time")]
    pub last_updated: Option<Time>,
    /// `ChangeDetected`: the spec differs from what is. `Valid`: the spec can be applied.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::conditions")]
    pub conditions: Vec<Condition>,
}

/// A reference to a FirmwareSchema.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SchemaReference {
    /// Its namespace: the own one.
    #[serde(default)]
    #[schemars(extend("x-required" = true))]
    pub namespace: String,
    /// Its name.
    #[serde(default)]
    #[schemars(extend("x-required" = true))]
    pub name: String,
}

/// Types and reasons of the conditions of HostFirmwareSettings and HostFirmwareComponents.
pub mod firmware_condition {
    /// The spec differs from what is.
    pub const CHANGE_DETECTED: &str = "ChangeDetected";
    /// The spec can be applied.
    pub const VALID: &str = "Valid";
    /// Settings: no fault.
    pub const REASON_SUCCESS: &str = "Success";
    /// Settings: a value is not allowed.
    pub const REASON_CONFIGURATION: &str = "ConfigurationError";
    /// Components: no fault.
    pub const REASON_OK: &str = "OK";
    /// Components: a name is not allowed.
    pub const REASON_INVALID_COMPONENT: &str = "InvalidComponent";
}
