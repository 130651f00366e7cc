//! Metal3Remediation: the repair of one unhealthy machine by power cycle.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the machine is repaired.
#[derive(CustomResource, Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq)]
#[kube(
    group = "infrastructure.cluster.x-k8s.io",
    version = "v1beta2",
    kind = "Metal3Remediation",
    doc = "The repair of one unhealthy machine.",
    plural = "metal3remediations",
    singular = "metal3remediation",
    shortname = "m3r",
    shortname = "m3remediation",
    category = "cluster-api",
    namespaced,
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
    /// The strategy; absent means the defaults below.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<RemediationStrategy>,
}

/// What is tried, how often and for how long.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RemediationStrategy {
    /// What is tried.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_: Option<RemediationType>,
    /// How often.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1), extend("default" = 1))]
    pub retry_limit: Option<i32>,
    /// How long to wait for the Node after each try, seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 100), extend("default" = 600))]
    pub timeout_seconds: Option<i32>,
}

crate::open_enum! {
    /// Ways of repair.
    pub enum RemediationType {
        /// Power off, fence, power on.
        Reboot = "Reboot",
    }
}

/// How far the repair is.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Metal3RemediationStatus {
    /// The phase.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<RemediationPhase>,
    /// Tries made; absent means none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub retry_count: Option<i32>,
    /// When the last try began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::time")]
    pub last_remediated: Option<Time>,
}

crate::open_enum! {
    /// Phases of a repair.
    pub enum RemediationPhase {
        /// A try is under way.
        Running = "Running",
        /// The Node is awaited.
        Waiting = "Waiting",
        /// Tries are exhausted: the Machine's owner replaces it.
        DeletingMachine = "Deleting machine",
        /// Nothing could be tried.
        Failed = "Failed",
    }
}
