//! Metal3Data and Metal3DataClaim as v1beta1 had them.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::unlimited;
use crate::meta::{ObjectReference, SecretReference};

/// One index of a template, held by one claim.
#[derive(CustomResource, Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq)]
#[kube(
    group = "infrastructure.cluster.x-k8s.io",
    version = "v1beta1",
    kind = "Metal3Data",
    doc = "One index of a Metal3DataTemplate with its rendered Secrets.",
    plural = "metal3datas",
    singular = "metal3data",
    namespaced,
    deprecated,
    status = "Metal3DataStatus",
    derive = "Default",
    derive = "PartialEq",
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct Metal3DataSpec {
    /// The index; absent means 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = unlimited)]
    pub index: Option<i32>,
    /// Name of an older template whose indexes are continued; no longer used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template_reference: Option<String>,
    /// The template; only name and namespace count.
    #[schemars(schema_with = "crate::schema::object_reference")]
    pub template: ObjectReference,
    /// The claim that holds the index; only name and namespace count.
    #[schemars(schema_with = "crate::schema::object_reference")]
    pub claim: ObjectReference,
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
    /// Why rendering does not go on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
}

/// Which template an index is wanted of.
#[derive(CustomResource, Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq)]
#[kube(
    group = "infrastructure.cluster.x-k8s.io",
    version = "v1beta1",
    kind = "Metal3DataClaim",
    doc = "A machine's request for an index of a Metal3DataTemplate.",
    plural = "metal3dataclaims",
    singular = "metal3dataclaim",
    namespaced,
    deprecated,
    status = "Metal3DataClaimStatus",
    derive = "Default",
    derive = "PartialEq",
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
pub struct Metal3DataClaimSpec {
    /// The template; only name and namespace count.
    #[schemars(schema_with = "crate::schema::object_reference")]
    pub template: ObjectReference,
}

/// Observed state of a claim.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Metal3DataClaimStatus {
    /// The Metal3Data that answers the claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::object_reference")]
    pub rendered_data: Option<ObjectReference>,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
}
