//! Metal3ClusterTemplate: what a ClusterClass clones a Metal3Cluster from.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Metal3ClusterSpec, TemplateMeta};

/// A template of clusters.
#[derive(CustomResource, Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq)]
#[kube(
    group = "infrastructure.cluster.x-k8s.io",
    version = "v1beta2",
    kind = "Metal3ClusterTemplate",
    doc = "Template from which a ClusterClass makes Metal3Clusters.",
    plural = "metal3clustertemplates",
    singular = "metal3clustertemplate",
    shortname = "m3ct",
    category = "cluster-api",
    namespaced,
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
    /// Labels and annotations of the clones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<TemplateMeta>,
    /// Spec of the clones.
    pub spec: Metal3ClusterSpec,
}
