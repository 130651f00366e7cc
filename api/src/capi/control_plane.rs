//! Control planes: which machine template they use, for any provider of the control plane group.

use kube::CustomResource;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ContractRef;

/// Desired state of a kubeadm control plane.
#[derive(CustomResource, Serialize, Deserialize, Debug, Clone, Default, PartialEq)]
#[kube(
    group = "controlplane.cluster.x-k8s.io",
    version = "v1beta2",
    kind = "KubeadmControlPlane",
    doc = "A control plane that kubeadm sets up.",
    schema = "disabled",
    namespaced,
    status = "KubeadmControlPlaneStatus",
    derive = "Default",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct KubeadmControlPlaneSpec {
    /// How many machines are wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,
    /// Kubernetes version wanted.
    #[serde(default)]
    pub version: String,
    /// What the machines are made from.
    #[serde(default)]
    pub machine_template: ControlPlaneMachineTemplate,
}

/// What control plane machines are made from.
#[derive(Serialize, Deserialize, Debug, Clone, Default, PartialEq, Eq)]
pub struct ControlPlaneMachineTemplate {
    /// The machine's spec.
    #[serde(default)]
    pub spec: ControlPlaneMachineSpec,
}

/// Spec of control plane machines.
#[derive(Serialize, Deserialize, Debug, Clone, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ControlPlaneMachineSpec {
    /// The Metal3MachineTemplate.
    #[serde(default)]
    pub infrastructure_ref: ContractRef,
}

/// Observed state of a control plane.
#[derive(Serialize, Deserialize, Debug, Clone, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct KubeadmControlPlaneStatus {
    /// How many machines there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,
    /// How many are of the newest template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up_to_date_replicas: Option<i32>,
}

/// What this project reads of a control plane of any kind, from its JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ControlPlaneView {
    /// Name of the machine template it uses.
    pub template: Option<String>,
    /// How many machines are wanted.
    pub replicas: Option<i64>,
}

impl From<&Value> for ControlPlaneView {
    /// The reference is at `spec.machineTemplate.spec.infrastructureRef` in the newer contract and at
    /// `spec.machineTemplate.infrastructureRef` in the older one.
    fn from(object: &Value) -> Self {
        let template =
            ["/spec/machineTemplate/spec/infrastructureRef/name", "/spec/machineTemplate/infrastructureRef/name"]
                .iter()
                .find_map(|path| object.pointer(path).and_then(Value::as_str))
                .map(str::to_owned);
        Self { template, replicas: object.pointer("/spec/replicas").and_then(Value::as_i64) }
    }
}
