//! Types that several kinds of this version share.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A reference to an object of a known kind: always in the referrer's own namespace.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct ObjectRef {
    /// Name of the object.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub name: Option<String>,
    /// Namespace of the object; empty means the referrer's own, and no other is accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub namespace: Option<String>,
}

impl ObjectRef {
    /// A reference with both parts.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), namespace: Some(namespace.into()) }
    }
    /// The name, when it is there and not empty.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref().filter(|name| !name.is_empty())
    }
    /// Whether the reference stays in this namespace.
    pub fn within(&self, namespace: &str) -> bool {
        self.namespace.as_deref().is_none_or(|own| own.is_empty() || own == namespace)
    }
}

crate::open_enum! {
    /// An object that meta data or network data may read names, labels and annotations from.
    pub enum ObjectKind {
        /// The Cluster API Machine.
        Machine = "machine",
        /// The Metal3Machine.
        Metal3Machine = "metal3machine",
        /// The BareMetalHost.
        BareMetalHost = "baremetalhost",
    }
}

/// Labels and annotations that a template gives to the objects cloned from it.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq, Eq)]
#[schemars(extend("minProperties" = 1))]
pub struct TemplateMeta {
    /// Labels of the clone.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Annotations of the clone.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// What Cluster API reads to know that an infrastructure object is usable.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Copy, Default, PartialEq, Eq)]
#[schemars(extend("minProperties" = 1))]
pub struct Initialization {
    /// True once the infrastructure is there; it stays true afterwards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provisioned: Option<bool>,
}

/// A condition of Cluster API's first generation, kept for tools that still read it.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct V1Beta1Condition {
    /// What the condition is about, CamelCase.
    #[serde(rename = "type")]
    #[schemars(length(min = 1, max = 256))]
    pub type_: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// `Error`, `Warning` or `Info` when the status is `False`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub severity: Option<String>,
    /// When the status last changed.
    #[schemars(schema_with = "crate::schema::time")]
    pub last_transition_time: Time,
    /// Why, CamelCase.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub reason: Option<String>,
    /// One sentence for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 10240))]
    pub message: Option<String>,
}
