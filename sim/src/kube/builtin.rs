//! What built-in kinds do that others do not: a few defaults. Their types are not checked.

use serde_json::{Map, Value, json};

use super::kinds::Kind;
use super::meta;
use super::schema::{Problem, ProblemKind};

/// The label by which a Namespace is selected by name.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// Whether this is the kind of namespaces.
pub(crate) fn is_namespace(kind: &Kind) -> bool {
    kind.name.group.is_empty() && kind.name.kind == "Namespace"
}

/// Whether an update of an object that is not there makes it.
pub(crate) fn is_made_by_update(kind: &Kind) -> bool {
    kind.name.group == "coordination.k8s.io" && kind.name.kind == "Lease"
}

/// Fills in what a new object of a built-in kind gets.
pub(crate) fn prepare(kind: &Kind, object: &mut Value) {
    if is_namespace(kind) {
        object["spec"] = json!({ "finalizers": ["kubernetes"] });
        object["status"] = json!({ "phase": "Active" });
        let name = object["metadata"]["name"].clone();
        object["metadata"]["labels"][NAME_LABEL] = name;
    }
    if kind.name.group.is_empty() && kind.name.kind == "Secret" {
        if object["type"].as_str().unwrap_or_default().is_empty() {
            object["type"] = json!("Opaque");
        }
        plain_text(object);
    }
}

/// Built-in kinds without group are stricter about finalizers: each has a domain or is one of the API server's own.
pub(crate) fn judge(kind: &Kind, object: &Value) -> Vec<Problem> {
    let mut found = Vec::new();
    let strict = !kind.custom && kind.name.group.is_empty();
    for (i, name) in meta::finalizers(object).into_iter().enumerate().filter(|_| strict) {
        let field = format!("metadata.finalizers[{i}]");
        if !name.contains('/') && !matches!(name, "kubernetes" | meta::ORPHAN | meta::FOREGROUND) {
            found.push(Problem::new(ProblemKind::Invalid, field, "neither a known finalizer nor one with a domain"));
        }
    }
    found
}

/// `stringData` is kept as `data`.
pub(crate) fn plain_text(object: &mut Value) {
    let Some(Value::Object(texts)) = object.get_mut("stringData").map(Value::take) else { return };
    if let Some(members) = object.as_object_mut() {
        members.remove("stringData");
        let data = members.entry("data").or_insert_with(|| Value::Object(Map::new()));
        for (name, text) in texts {
            let bytes = k8s_openapi::ByteString(text.as_str().unwrap_or_default().as_bytes().to_vec());
            data[name] = serde_json::to_value(bytes).unwrap_or_default();
        }
    }
}
