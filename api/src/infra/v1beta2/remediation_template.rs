//! Metal3RemediationTemplate: what a MachineHealthCheck clones Metal3Remediations from.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Metal3RemediationSpec, Metal3RemediationStatus};

/// A template of repairs.
#[derive(CustomResource, Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq)]
#[kube(
    group = "infrastructure.cluster.x-k8s.io",
    version = "v1beta2",
    kind = "Metal3RemediationTemplate",
    doc = "Template from which a MachineHealthCheck makes Metal3Remediations.",
    plural = "metal3remediationtemplates",
    singular = "metal3remediationtemplate",
    shortname = "m3rt",
    shortname = "m3remediationtemplate",
    shortname = "m3remediationtemplates",
    shortname = "metal3rt",
    shortname = "metal3remediationtemplate",
    category = "cluster-api",
    namespaced,
    status = "Metal3RemediationTemplateStatus",
    derive = "Default",
    derive = "PartialEq"
)]
pub struct Metal3RemediationTemplateSpec {
    /// What the clones look like.
    pub template: Metal3RemediationTemplateResource,
}

/// The cloned object.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq)]
pub struct Metal3RemediationTemplateResource {
    /// Spec of the clones.
    pub spec: Metal3RemediationSpec,
}

/// Unused; kept because it is published.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq, Eq)]
pub struct Metal3RemediationTemplateStatus {
    /// Unused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Metal3RemediationStatus>,
}
