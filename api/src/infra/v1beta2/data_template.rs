//! Metal3DataTemplate: how meta data and network data of machines are made, and which index each has.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{MetaData, NetworkData};

/// How the data is made. Neither part changes after creation.
#[derive(CustomResource, Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq)]
#[kube(
    group = "infrastructure.cluster.x-k8s.io",
    version = "v1beta2",
    kind = "Metal3DataTemplate",
    doc = "How meta data and network data of machines are rendered.",
    plural = "metal3datatemplates",
    singular = "metal3datatemplate",
    shortname = "m3dt",
    shortname = "m3datatemplate",
    shortname = "m3datatemplates",
    shortname = "metal3dt",
    shortname = "metal3datatemplate",
    category = "cluster-api",
    namespaced,
    status = "Metal3DataTemplateStatus",
    derive = "Default",
    derive = "PartialEq",
    printcolumn(name = "Cluster", type_ = "string", json_path = r".metadata.labels.cluster\.x-k8s\.io/cluster-name"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct Metal3DataTemplateSpec {
    /// Deprecated and ignored: a template may serve every cluster of its namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub cluster_name: Option<String>,
    /// Sources of the meta data map; absent means no meta data Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta_data: Option<MetaData>,
    /// Links, networks and services; absent means no network data Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_data: Option<NetworkData>,
}

/// Observed state of a template.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Metal3DataTemplateStatus {
    /// Indexes in use, ascending. The Metal3Data objects are the truth; this is their summary.
    // The published limit of 512 entries would stop the 513th machine of a template.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["index"]))]
    pub indexes: Vec<DataIndex>,
    /// When this status last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::time")]
    pub last_updated: Option<Time>,
}

/// One index in use.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DataIndex {
    /// The index.
    #[schemars(range(min = 0))]
    pub index: i32,
    /// Name of the Metal3DataClaim that holds it.
    #[schemars(length(min = 1, max = 512))]
    pub name: String,
}
