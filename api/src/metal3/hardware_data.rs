//! HardwareData: what inspection found, kept apart from the host's status so that it survives a move.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::hardware::HardwareDetails;
use crate::absent_spec_is_default;

/// The hardware of the host of the same name. One that exists before its host replaces the inspection.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "metal3.io",
    version = "v1alpha1",
    kind = "HardwareData",
    plural = "hardwaredata",
    namespaced,
    shortname = "hd",
    derive = "PartialEq",
    derive = "Default",
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    doc = "The hardware of the host of the same name. One that exists before its host replaces the inspection."
)]
#[serde(rename_all = "camelCase", remote = "Self")]
pub struct HardwareDataSpec {
    /// What inspection found.
    #[serde(default, rename = "hardware", skip_serializing_if = "Option::is_none")]
    pub hardware_details: Option<HardwareDetails>,
}

absent_spec_is_default!(HardwareDataSpec);
