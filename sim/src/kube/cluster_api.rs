//! Cluster API's kinds that controllers here read or write, with schemas as far as these controllers can see: claims
//! and addresses complete, a Cluster with its rules for what is named and everything else kept as it is.

use serde_json::{Value, json};

use super::kinds::Kind;

/// A lowercase DNS name.
const DNS: &str = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
/// The name of a kind.
const KIND: &str = "^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$";
/// The reason of a condition.
const REASON: &str = "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$";
/// The type of a condition: a word, with or without a domain.
const CONDITION: &str =
    r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$";

/// `Cluster`, `IPAddressClaim` and `IPAddress`, each in version v1beta2.
pub fn kinds() -> Vec<Kind> {
    let ipam = api::ipam::capi::GROUP;
    vec![
        Kind::custom("cluster.x-k8s.io", "v1beta2", "clusters", "Cluster", &cluster()),
        Kind::custom(ipam, "v1beta2", "ipaddressclaims", "IPAddressClaim", &claim()),
        Kind::custom(ipam, "v1beta2", "ipaddresses", "IPAddress", &address()),
    ]
}

fn root(properties: &Value, required: &[&str]) -> Value {
    let mut schema = json!({
        "type": "object",
        "properties": { "apiVersion": text(), "kind": text(), "metadata": { "type": "object" } },
    });
    for (name, property) in properties.as_object().into_iter().flatten() {
        schema["properties"][name] = property.clone();
    }
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn limited(least: u32, most: u32) -> Value {
    json!({ "type": "string", "minLength": least, "maxLength": most })
}

fn matching(most: u32, pattern: &str) -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": most, "pattern": pattern })
}

fn named() -> Value {
    json!({ "type": "object", "required": ["name"], "properties": { "name": matching(253, DNS) } })
}

fn reference() -> Value {
    json!({
        "type": "object",
        "required": ["apiGroup", "kind", "name"],
        "properties": {
            "apiGroup": matching(253, DNS), "kind": matching(63, KIND), "name": matching(253, DNS),
        },
    })
}

fn conditions() -> Value {
    json!({
        "type": "array",
        "maxItems": 32,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "required": ["lastTransitionTime", "message", "reason", "status", "type"],
            "properties": {
                "lastTransitionTime": { "type": "string", "format": "date-time" },
                "message": { "type": "string", "maxLength": 32768 },
                "observedGeneration": { "type": "integer", "format": "int64", "minimum": 0 },
                "reason": matching(1024, REASON),
                "status": { "type": "string", "enum": ["True", "False", "Unknown"] },
                "type": { "type": "string", "maxLength": 316, "pattern": CONDITION },
            },
        },
    })
}

/// Conditions of the first generation, under `deprecated`.
fn old_conditions() -> Value {
    let condition = json!({
        "type": "object",
        "required": ["lastTransitionTime", "status", "type"],
        "properties": {
            "lastTransitionTime": { "type": "string", "format": "date-time" },
            "message": limited(1, 10240), "reason": limited(1, 256), "severity": { "type": "string", "maxLength": 32 },
            "status": text(), "type": limited(1, 256),
        },
    });
    let list = json!({ "type": "array", "items": condition });
    let version = json!({ "type": "object", "properties": { "conditions": list } });
    json!({ "type": "object", "properties": { "v1beta1": version } })
}

fn claim() -> Value {
    root(
        &json!({
            "spec": {
                "type": "object",
                "required": ["poolRef"],
                "properties": { "clusterName": limited(1, 63), "poolRef": reference() },
            },
            "status": {
                "type": "object",
                "minProperties": 1,
                "properties": {
                    "addressRef": named(), "conditions": conditions(), "deprecated": old_conditions(),
                },
            },
        }),
        &["spec"],
    )
}

fn address() -> Value {
    root(
        &json!({
            "spec": {
                "type": "object",
                "required": ["address", "claimRef", "poolRef", "prefix"],
                "properties": {
                    "address": limited(1, 39), "gateway": limited(1, 39), "claimRef": named(), "poolRef": reference(),
                    "prefix": { "type": "integer", "format": "int32", "minimum": 0, "maximum": 128 },
                },
            },
        }),
        &["spec"],
    )
}

fn cluster() -> Value {
    root(
        &json!({
            "spec": {
                "type": "object",
                "minProperties": 1,
                "x-kubernetes-preserve-unknown-fields": true,
                // There are such rules for parts that are not named here.
                "x-kubernetes-validations": [{ "rule": "true" }],
                "properties": {
                    "paused": { "type": "boolean" },
                    "controlPlaneEndpoint": {
                        "type": "object",
                        "minProperties": 1,
                        "properties": {
                            "host": limited(1, 512),
                            "port": { "type": "integer", "format": "int32", "minimum": 1, "maximum": 65535 },
                        },
                    },
                    "infrastructureRef": reference(),
                    "controlPlaneRef": reference(),
                },
            },
            "status": {
                "type": "object",
                "minProperties": 1,
                "x-kubernetes-preserve-unknown-fields": true,
                "properties": {
                    "conditions": conditions(),
                    "initialization": {
                        "type": "object",
                        "minProperties": 1,
                        "properties": {
                            "infrastructureProvisioned": { "type": "boolean" },
                            "controlPlaneInitialized": { "type": "boolean" },
                        },
                    },
                    "phase": { "type": "string", "enum": [
                        "Pending", "Provisioning", "Provisioned", "Deleting", "Failed", "Unknown",
                    ] },
                },
            },
        }),
        &["spec"],
    )
}
