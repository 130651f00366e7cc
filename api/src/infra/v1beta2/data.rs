//! Metal3Data: one index of a template, and the Secrets and addresses that belong to it.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::common::ObjectRef;
use crate::meta::SecretReference;

/// One index of a template, held by one claim.
#[derive(CustomResource, Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq)]
#[kube(
    group = "infrastructure.cluster.x-k8s.io",
    version = "v1beta2",
    kind = "Metal3Data",
    doc = "One index of a Metal3DataTemplate with its rendered Secrets.",
    plural = "metal3datas",
    singular = "metal3data",
    shortname = "m3d",
    shortname = "m3data",
    shortname = "m3datas",
    shortname = "metal3d",
    shortname = "metal3data",
    category = "cluster-api",
    namespaced,
    status = "Metal3DataStatus",
    derive = "Default",
    derive = "PartialEq",
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct Metal3DataSpec {
    /// The index; absent means 0. Never changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub index: Option<i32>,
    /// The template. Never changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<ObjectRef>,
    /// The claim that holds the index. Never changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claim: Option<ObjectRef>,
    /// The rendered meta data Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta_data: Option<SecretReference>,
    /// The rendered network data Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_data: Option<SecretReference>,
}

/// Observed state of the data.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Metal3DataStatus {
    /// True when all Secrets exist.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready: Option<bool>,
    /// Why rendering does not go on, when a user must act.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub error_message: Option<String>,
}
