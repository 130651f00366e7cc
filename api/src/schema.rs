//! From Rust types to the CRDs that are installed.
//!
//! [`crd`] takes the names and columns of a kind from its `#[kube(..)]` attributes and generates the schema itself,
//! because the derive's one differs from the published schemas (null everywhere, Rust's defaults, titles).
//! Conventions for fields:
//!
//! - a field that may be missing when we read but not when it is written has both `#[serde(default)]` and
//!   `#[schemars(extend("x-required" = true))]`; its default is how *we* read and does not reach the CRD.
//! - a default that the *server* fills in is `#[schemars(extend("default" = ..))]`, or `"x-default"` on a field of
//!   the first sort. Empty text, lists and maps and null are never defaults in a CRD.
//! - null is accepted only with `#[schemars(extend("nullable" = true))]`.
//! - CEL rules: `#[schemars(extend("x-kubernetes-validations" = [{"rule": "..", "message": ".."}]))]`.

mod fields;
mod unknown;

use std::collections::BTreeMap;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceConversion, CustomResourceDefinition, CustomResourceValidation, JSONSchemaProps, ServiceReference,
    WebhookClientConfig, WebhookConversion,
};
use kube::CustomResourceExt;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::names::{annotation, label};

pub use fields::*;
pub use unknown::unknown_fields;

/// The CRD of one version of a kind.
pub fn crd<K: CustomResourceExt + JsonSchema>() -> CustomResourceDefinition {
    let mut crd = K::crd();
    crd.spec.names.list_kind = Some(format!("{}List", crd.spec.names.kind));
    let schema = structural_schema::<K>();
    for version in &mut crd.spec.versions {
        version.schema = Some(CustomResourceValidation { open_api_v3_schema: Some(schema.clone()) });
    }
    crd
}

/// One CRD of several versions; names, labels and annotations come from the one that is stored.
///
/// Versions are listed as given. A `storage` that none of them has leaves none stored, which the API server refuses.
pub fn merged(versions: Vec<CustomResourceDefinition>, storage: &str) -> Option<CustomResourceDefinition> {
    let stored = versions.iter().position(|crd| crd.spec.versions.iter().any(|v| v.name == storage))?;
    let mut all = Vec::new();
    let mut merged = None;
    for (i, mut crd) in versions.into_iter().enumerate() {
        all.append(&mut crd.spec.versions);
        if i == stored {
            merged = Some(crd);
        }
    }
    let mut merged = merged?;
    for version in &mut all {
        version.storage = version.name == storage;
    }
    merged.spec.versions = all;
    Some(merged)
}

/// What a CRD gets on top of its kind: labels, annotations, conversion.
pub trait Install: Sized {
    /// Adds a label.
    #[must_use]
    fn labelled(self, key: &str, value: &str) -> Self;
    /// Adds an annotation.
    #[must_use]
    fn annotated(self, key: &str, value: &str) -> Self;
    /// Makes `spec` required in the named version.
    #[must_use]
    fn spec_required(self, version: &str) -> Self;
    /// Makes status an ordinary field, as a few published kinds have it.
    #[must_use]
    fn without_status_subresource(self) -> Self;
    /// Converts between versions by the webhook of this Service at `/convert`; `certificate` is the
    /// cert-manager Certificate in the Service's namespace whose CA is filled in.
    #[must_use]
    fn converted_by(self, namespace: &str, service: &str, certificate: &str) -> Self;

    /// Marks the kind as part of a Cluster API provider that meets contracts v1beta1 and v1beta2 with these API
    /// versions (several are joined by `_`).
    #[must_use]
    fn provider(self, provider: &str, v1beta1: &str, v1beta2: &str) -> Self {
        self.labelled(label::PROVIDER, provider)
            .labelled(label::CONTRACT_V1BETA1, v1beta1)
            .labelled(label::CONTRACT_V1BETA2, v1beta2)
    }

    /// Lets `clusterctl move` see the kind's objects; they move with their owner.
    #[must_use]
    fn seen_by_move(self) -> Self {
        self.labelled(label::CLUSTERCTL, "")
    }

    /// Lets `clusterctl move` move the kind's objects although no Cluster owns them.
    #[must_use]
    fn moved(self) -> Self {
        self.seen_by_move().labelled(label::CLUSTERCTL_MOVE, "")
    }

    /// As [`Install::moved`], with everything that the objects own.
    #[must_use]
    fn moved_with_owned(self) -> Self {
        self.moved().labelled(label::CLUSTERCTL_MOVE_HIERARCHY, "")
    }
}

impl Install for CustomResourceDefinition {
    fn labelled(mut self, key: &str, value: &str) -> Self {
        self.metadata.labels.get_or_insert_default().insert(key.to_owned(), value.to_owned());
        self
    }

    fn annotated(mut self, key: &str, value: &str) -> Self {
        self.metadata.annotations.get_or_insert_default().insert(key.to_owned(), value.to_owned());
        self
    }

    fn spec_required(mut self, version: &str) -> Self {
        let versions = self.spec.versions.iter_mut().filter(|v| v.name == version);
        for root in versions.filter_map(|v| v.schema.as_mut()?.open_api_v3_schema.as_mut()) {
            root.required = Some(vec!["spec".to_owned()]);
        }
        self
    }

    fn without_status_subresource(mut self) -> Self {
        for version in &mut self.spec.versions {
            version.subresources = None;
        }
        self
    }

    fn converted_by(mut self, namespace: &str, service: &str, certificate: &str) -> Self {
        self.spec.conversion = Some(CustomResourceConversion {
            strategy: "Webhook".to_owned(),
            webhook: Some(WebhookConversion {
                client_config: Some(WebhookClientConfig {
                    service: Some(ServiceReference {
                        name: service.to_owned(),
                        namespace: namespace.to_owned(),
                        path: Some("/convert".to_owned()),
                        port: None,
                    }),
                    ..WebhookClientConfig::default()
                }),
                conversion_review_versions: vec!["v1".to_owned(), "v1beta1".to_owned()],
            }),
        });
        self.annotated(annotation::CERT_MANAGER_INJECT_CA, &format!("{namespace}/{certificate}"))
    }
}

/// The structural schema of a kind's root object.
fn structural_schema<K: JsonSchema>() -> JSONSchemaProps {
    let mut root = raw_schema::<K>();
    structural(&mut root);
    if let Value::Object(root) = &mut root {
        // As published: an object without a spec is legal.
        root.remove("required");
        if let Some(Value::Object(properties)) = root.get_mut("properties") {
            properties.insert("apiVersion".into(), described("Version of the object's form, with its group."));
            properties.insert("kind".into(), described("Kind of the object."));
            properties.insert("metadata".into(), json!({ "type": "object" }));
            if let Some(Value::Object(spec)) = properties.get_mut("spec") {
                // The kind's own words stand at the root already.
                spec.insert("description".into(), "What is wanted.".into());
            }
        }
    }
    serde_json::from_value(root).unwrap_or_default()
}

/// The schema as schemars makes it, without references.
fn raw_schema<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft07().with(|s| {
        s.inline_subschemas = true;
        s.meta_schema = None;
        s.transforms.clear();
    });
    Value::from(settings.into_generator().into_root_schema_for::<T>())
}

fn described(text: &str) -> Value {
    json!({ "type": "string", "description": text })
}

/// Rewrites a JSON schema to what Kubernetes calls structural, by the conventions of this module.
fn structural(schema: &mut Value) {
    if *schema == Value::Bool(true) {
        *schema = json!({ "x-kubernetes-preserve-unknown-fields": true });
    }
    let Value::Object(node) = schema else { return };
    unwrap_option(node);
    unwrap_enum(node);
    for key in ["title", "$schema", "examples", "definitions"] {
        node.remove(key);
    }
    let required = node.remove("x-required").is_some();
    if required || node.get("default").is_some_and(is_empty) {
        node.remove("default");
    }
    if let Some(default) = node.remove("x-default") {
        node.insert("default".into(), default);
    }
    // Sizes of Rust's integers say nothing about the wire, except the two that Kubernetes knows.
    if node.get("format").and_then(Value::as_str).is_some_and(|f| f.starts_with("uint") || f == "int") {
        node.remove("format");
    }
    if node.get("additionalProperties") == Some(&Value::Bool(false)) {
        node.remove("additionalProperties");
    }
    if let Some(Value::Object(properties)) = node.get_mut("properties") {
        let mut required = Vec::new();
        for (name, property) in properties.iter_mut() {
            if property.get("x-required").is_some() {
                required.push(name.clone());
            }
            structural(property);
        }
        require(node, required);
    }
    for key in ["items", "additionalProperties"] {
        if let Some(inner) =
            node.get_mut(key).filter(|inner| inner.is_object() || (key == "items" && inner.is_boolean()))
        {
            structural(inner);
        }
    }
}

/// Adds to the list of required properties; sorted, and absent when empty.
fn require(node: &mut Map<String, Value>, more: Vec<String>) {
    let mut all: Vec<String> =
        node.remove("required").and_then(|list| serde_json::from_value(list).ok()).unwrap_or_default();
    all.extend(more);
    all.sort();
    all.dedup();
    if !all.is_empty() {
        node.insert("required".into(), all.into());
    }
}

/// What schemars makes of an `Option` is made into its inner schema: absence is said by not being required.
fn unwrap_option(node: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = node.get_mut("type") {
        types.retain(|t| t != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            node.insert("type".into(), only);
        }
    }
    if let Some(Value::Array(values)) = node.get_mut("enum") {
        values.retain(|v| !v.is_null());
    }
    for key in ["anyOf", "allOf", "oneOf"] {
        let Some(Value::Array(branches)) = node.get(key) else { continue };
        let real: Vec<&Value> = branches.iter().filter(|b| !is_null_schema(b)).collect();
        let [Value::Object(only)] = real.as_slice() else { continue };
        let only = only.clone();
        node.remove(key);
        for (k, v) in only {
            // What is said at the field stands above what is said at its type.
            node.entry(k).or_insert(v);
        }
        unwrap_option(node);
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn is_null_schema(schema: &Value) -> bool {
    schema.get("type") == Some(&Value::from("null")) || schema.get("enum") == Some(&json!([null]))
}

/// A plain Rust enum with documented variants is a `oneOf` of constants for schemars: make it an `enum`.
fn unwrap_enum(node: &mut Map<String, Value>) {
    if let Some(value) = node.remove("const") {
        node.insert("enum".into(), json!([value]));
    }
    let Some(Value::Array(branches)) = node.get("oneOf") else { return };
    let values: Option<Vec<Vec<Value>>> = branches
        .iter()
        .map(|b| match (b.get("const"), b.get("enum")) {
            (Some(value), _) => Some(vec![value.clone()]),
            (None, Some(Value::Array(values))) => Some(values.clone()),
            (None, _) => None,
        })
        .collect();
    if let Some(values) = values {
        node.remove("oneOf");
        node.insert("type".into(), "string".into());
        node.insert("enum".into(), values.concat().into());
    }
}

/// All CRDs by name; twice the same name would be an error in a group's list.
pub fn by_name(crds: Vec<CustomResourceDefinition>) -> BTreeMap<String, CustomResourceDefinition> {
    crds.into_iter().map(|crd| (crd.metadata.name.clone().unwrap_or_default(), crd)).collect()
}

#[cfg(test)]
mod tests;
