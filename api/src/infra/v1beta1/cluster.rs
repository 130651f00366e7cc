//! Metal3Cluster and Metal3ClusterTemplate as v1beta1 had them.

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::NewConditions;
use crate::infra::v1beta2::V1Beta1Condition;
use crate::meta::Time;

/// Desired infrastructure of a cluster.
#[derive(CustomResource, Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq)]
#[kube(
    group = "infrastructure.cluster.x-k8s.io",
    version = "v1beta1",
    kind = "Metal3Cluster",
    doc = "Infrastructure of one workload cluster: its API endpoint and failure domains.",
    plural = "metal3clusters",
    singular = "metal3cluster",
    namespaced,
    deprecated,
    status = "Metal3ClusterStatus",
    derive = "Default",
    derive = "PartialEq",
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.ready"),
    printcolumn(name = "Error", type_ = "string", json_path = ".status.failureReason"),
    printcolumn(name = "Cluster", type_ = "string", json_path = r".metadata.labels.cluster\.x-k8s\.io/cluster-name"),
    printcolumn(name = "Endpoint", type_ = "string", json_path = ".spec.controlPlaneEndpoint")
)]
#[serde(rename_all = "camelCase")]
pub struct Metal3ClusterSpec {
    /// Address of the workload cluster's API server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub control_plane_endpoint: Option<ApiEndpoint>,
    /// True: an external cloud provider sets the Nodes' provider IDs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cloud_provider_enabled: Option<bool>,
    /// The older, inverse form of `cloudProviderEnabled`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_cloud_provider: Option<bool>,
    /// Failure domains by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub failure_domains: BTreeMap<String, FailureDomain>,
}

/// Host and port of an API server.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq, Eq)]
pub struct ApiEndpoint {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: i32,
}

/// A group of hosts that can fail together.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct FailureDomain {
    /// Whether control plane machines may be placed there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub control_plane: Option<bool>,
    /// Free attributes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
}

/// Observed state of a cluster's infrastructure.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Metal3ClusterStatus {
    /// Whether the infrastructure is usable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready: Option<bool>,
    /// Reason of a configuration error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// Text of a configuration error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_message: Option<String>,
    /// When this status last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::time")]
    pub last_updated: Option<Time>,
    /// The spec's failure domains.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub failure_domains: BTreeMap<String, FailureDomain>,
    /// Conditions of the first generation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<V1Beta1Condition>,
    /// Conditions of the second generation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub v1beta2: Option<NewConditions>,
}

/// A template of clusters.
#[derive(CustomResource, Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq)]
#[kube(
    group = "infrastructure.cluster.x-k8s.io",
    version = "v1beta1",
    kind = "Metal3ClusterTemplate",
    doc = "Template from which a ClusterClass makes Metal3Clusters.",
    plural = "metal3clustertemplates",
    singular = "metal3clustertemplate",
    namespaced,
    deprecated,
    derive = "Default",
    derive = "PartialEq"
)]
pub struct Metal3ClusterTemplateSpec {
    /// What the clones look like.
    pub template: Metal3ClusterTemplateResource,
}

/// The cloned object.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq)]
pub struct Metal3ClusterTemplateResource {
    /// Spec of the clones.
    pub spec: Metal3ClusterSpec,
}
