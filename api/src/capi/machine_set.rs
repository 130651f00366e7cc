//! MachineSet and MachineDeployment: who owns a worker machine, and how many are wanted.

use kube::CustomResource;
use serde::{Deserialize, Serialize};

use super::MachineSpec;

/// Desired state of a set of equal machines.
#[derive(CustomResource, Serialize, Deserialize, Debug, Clone, Default, PartialEq)]
#[kube(
    group = "cluster.x-k8s.io",
    version = "v1beta2",
    kind = "MachineSet",
    doc = "A set of equal machines of Cluster API.",
    schema = "disabled",
    namespaced,
    status = "MachineSetStatus",
    derive = "Default",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct MachineSetSpec {
    /// Name of the Cluster.
    #[serde(default)]
    pub cluster_name: String,
    /// How many machines are wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,
    /// What they are made from.
    #[serde(default)]
    pub template: MachineTemplate,
}

/// What machines are made from. The infrastructure reference names a template.
#[derive(Serialize, Deserialize, Debug, Clone, Default, PartialEq)]
pub struct MachineTemplate {
    /// The machine's spec.
    #[serde(default)]
    pub spec: MachineSpec,
}

/// Observed state of a machine set.
#[derive(Serialize, Deserialize, Debug, Clone, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct MachineSetStatus {
    /// How many machines there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,
}

/// Desired state of a rolling set of machines.
#[derive(CustomResource, Serialize, Deserialize, Debug, Clone, Default, PartialEq)]
#[kube(
    group = "cluster.x-k8s.io",
    version = "v1beta2",
    kind = "MachineDeployment",
    doc = "A rolling set of machines of Cluster API.",
    schema = "disabled",
    namespaced,
    status = "MachineDeploymentStatus",
    derive = "Default",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct MachineDeploymentSpec {
    /// Name of the Cluster.
    #[serde(default)]
    pub cluster_name: String,
    /// How many machines are wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,
    /// What they are made from.
    #[serde(default)]
    pub template: MachineTemplate,
}

/// Observed state of a machine deployment.
#[derive(Serialize, Deserialize, Debug, Clone, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct MachineDeploymentStatus {
    /// How many machines there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,
    /// How many are of the newest template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up_to_date_replicas: Option<i32>,
}
