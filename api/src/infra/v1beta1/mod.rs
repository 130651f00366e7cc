//! v1beta1: served for manifests of earlier years, never stored. Controllers do not use it.
//!
//! These types define the schema of the version. Conversion works on JSON (`convert`), so that a value this build
//! does not know survives. Parts whose shape did not change are borrowed from v1beta2 without its limits
//! ([`unlimited`]).

mod cluster;
mod data;
mod data_template;
mod machine;
mod remediation;

use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::meta::Condition;

pub use cluster::{
    ApiEndpoint, FailureDomain, Metal3Cluster, Metal3ClusterSpec, Metal3ClusterStatus, Metal3ClusterTemplate,
    Metal3ClusterTemplateResource, Metal3ClusterTemplateSpec,
};
pub use data::{
    Metal3Data, Metal3DataClaim, Metal3DataClaimSpec, Metal3DataClaimStatus, Metal3DataSpec, Metal3DataStatus,
};
pub use data_template::{
    Bond, FromPool, Links, MetaData, Metal3DataTemplate, Metal3DataTemplateSpec, Metal3DataTemplateStatus, NetworkData,
};
pub use machine::{
    Image, Metal3Machine, Metal3MachineSpec, Metal3MachineStatus, Metal3MachineTemplate, Metal3MachineTemplateResource,
    Metal3MachineTemplateSpec,
};
pub use remediation::{
    Metal3Remediation, Metal3RemediationSpec, Metal3RemediationStatus, Metal3RemediationTemplate,
    Metal3RemediationTemplateResource, Metal3RemediationTemplateSpec, Metal3RemediationTemplateStatus,
    RemediationStrategy,
};

/// Conditions of the second generation, where v1beta1 objects carry them.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq)]
pub struct NewConditions {
    /// The conditions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::conditions")]
    pub conditions: Vec<Condition>,
}

/// Removes the limits that v1beta2 added to a borrowed type; those of link names, packets and addresses are older.
fn unlimited(schema: &mut Schema) {
    if let Some(map) = schema.as_object_mut() {
        relax(map);
    }
}

fn relax(map: &mut serde_json::Map<String, Value>) {
    const ADDED: [&str; 8] = [
        "minLength",
        "minItems",
        "maxItems",
        "minProperties",
        "minimum",
        "format",
        "x-kubernetes-list-type",
        "x-kubernetes-list-map-keys",
    ];
    for limit in ADDED {
        map.remove(limit);
    }
    if map.get("maxLength").and_then(Value::as_u64).is_some_and(|max| max != 15) {
        map.remove("maxLength");
    }
    if map.get("default").is_some_and(Value::is_string) {
        map.remove("default");
        map.remove("pattern");
    }
    if let Some(Value::Object(properties)) = map.get_mut("properties") {
        properties.values_mut().filter_map(Value::as_object_mut).for_each(relax);
    }
    for below in ["items", "additionalProperties"] {
        if let Some(Value::Object(inner)) = map.get_mut(below) {
            relax(inner);
        }
    }
}
