//! Types that several Cluster API kinds share.

use serde::{Deserialize, Serialize};

use crate::infra::v1beta2::V1Beta1Condition;
use crate::meta::text;

/// A reference to an object of a provider, in the referrer's namespace. The version is found through the contract
/// labels of its CRD.
#[derive(Serialize, Deserialize, Debug, Clone, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct ContractRef {
    /// API group.
    pub api_group: String,
    /// Kind.
    pub kind: String,
    /// Name.
    pub name: String,
}

impl ContractRef {
    /// Whether this refers to an object of the kind and group.
    pub fn is(&self, kind: &str, group: &str) -> bool {
        self.kind == kind && self.api_group == group
    }
}

/// Deprecated status, by the API version that defined it.
#[derive(Serialize, Deserialize, Debug, Clone, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Deprecated {
    /// Status as v1beta1 had it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub v1beta1: Option<DeprecatedV1Beta1>,
}

/// Status as v1beta1 had it.
#[derive(Serialize, Deserialize, Debug, Clone, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct DeprecatedV1Beta1 {
    /// Conditions of the first generation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<V1Beta1Condition>,
    /// Reason of a failure.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// Text of a failure.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub failure_message: Option<String>,
}

/// Whether a first-generation condition is there and `True`.
pub(super) fn is_true(deprecated: Option<&Deprecated>, type_: &str) -> bool {
    deprecated
        .and_then(|d| d.v1beta1.as_ref())
        .is_some_and(|old| old.conditions.iter().any(|c| c.type_ == type_ && c.status == "True"))
}
