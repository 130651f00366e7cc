//! Metal3Remediation and Metal3RemediationTemplate as v1beta1 had them.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::meta::Time;

/// How the machine is repaired.
#[derive(CustomResource, Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq)]
#[kube(
    group = "infrastructure.cluster.x-k8s.io",
    version = "v1beta1",
    kind = "Metal3Remediation",
    doc = "The repair of one unhealthy machine.",
    plural = "metal3remediations",
    singular = "metal3remediation",
    namespaced,
    deprecated,
    status = "Metal3RemediationStatus",
    derive = "Default",
    derive = "PartialEq",
    printcolumn(name = "Retry limit", type_ = "string", json_path = ".spec.strategy.retryLimit"),
    printcolumn(name = "Retry count", type_ = "string", json_path = ".status.retryCount"),
    printcolumn(name = "Last Remediated", type_ = "string", json_path = ".status.lastRemediated"),
    printcolumn(name = "Strategy", type_ = "string", json_path = ".spec.strategy.type"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase")
)]
pub struct Metal3RemediationSpec {
    /// The strategy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<RemediationStrategy>,
}

/// What is tried, how often and for how long.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RemediationStrategy {
    /// What is tried: `Reboot`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_: Option<String>,
    /// How often.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_limit: Option<i32>,
    /// How long to wait for the Node after each try, as a Go duration, e.g. `10m0s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
}

/// How far the repair is.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Metal3RemediationStatus {
    /// The phase.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// Tries made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_count: Option<i32>,
    /// When the last try began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::time")]
    pub last_remediated: Option<Time>,
}

/// A template of repairs.
#[derive(CustomResource, Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq)]
#[kube(
    group = "infrastructure.cluster.x-k8s.io",
    version = "v1beta1",
    kind = "Metal3RemediationTemplate",
    doc = "Template from which a MachineHealthCheck makes Metal3Remediations.",
    plural = "metal3remediationtemplates",
    singular = "metal3remediationtemplate",
    namespaced,
    deprecated,
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
    pub status: Metal3RemediationStatus,
}
