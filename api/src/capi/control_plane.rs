//! Control planes: which machine template they use, for any provider of the control plane group.

use serde_json::Value;

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
