//! Metal3DataClaim: a machine asks a template for an index.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ObjectRef;

/// Which template an index is wanted of.
#[derive(CustomResource, Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq)]
#[kube(
    group = "infrastructure.cluster.x-k8s.io",
    version = "v1beta2",
    kind = "Metal3DataClaim",
    doc = "A machine's request for an index of a Metal3DataTemplate.",
    plural = "metal3dataclaims",
    singular = "metal3dataclaim",
    shortname = "m3dc",
    shortname = "m3dataclaim",
    shortname = "m3dataclaims",
    shortname = "metal3dc",
    shortname = "metal3dataclaim",
    category = "cluster-api",
    namespaced,
    status = "Metal3DataClaimStatus",
    derive = "Default",
    derive = "PartialEq",
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
pub struct Metal3DataClaimSpec {
    /// The template. Never changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<ObjectRef>,
}

/// Observed state of a claim.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Metal3DataClaimStatus {
    /// The Metal3Data that answers the claim.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rendered_data: Option<ObjectRef>,
    /// Why there is none, when a user must act.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub error_message: Option<String>,
}
