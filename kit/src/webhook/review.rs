//! One admission or conversion request: parse, ask, answer.

use std::collections::BTreeMap;

use api::validation::{Kind as Rule, Violation, Violations};
use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use k8s_openapi::ByteString;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{Check, Convert, Verdict};
use crate::Kind;

/// What the API server asks about.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// `CREATE`, `UPDATE`, `DELETE` or `CONNECT`.
    pub operation: String,
    /// The object's name; may be empty for generated names.
    pub name: String,
    /// Kind with group, e.g. `IPPool.ipam.metal3.io`.
    pub kind: String,
    /// The object after the operation; null for deletions.
    pub object: Value,
    /// The object before the operation; null for creations.
    pub old: Value,
}

/// What is answered: a verdict, and the JSON patch of a defaulter.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// Allowed or not.
    pub verdict: Verdict,
    /// JSON patch operations (RFC 6902).
    pub patch: Vec<Value>,
}

/// Reads an object; the error names the field.
pub fn parse<T: DeserializeOwned>(value: &Value) -> Result<T, Verdict> {
    serde_json::from_value(value.clone()).map_err(|error| Verdict::denied(path_of::<T>(value), error.to_string()))
}

/// The deepest path at which the object cannot be read: members are taken away one by one until it parses.
fn path_of<T: DeserializeOwned>(value: &Value) -> String {
    let mut path: Vec<String> = Vec::new();
    'deeper: while let Some(Value::Object(members)) = value.pointer(&pointer(&path)) {
        for name in members.keys() {
            let mut without = value.clone();
            if let Some(Value::Object(members)) = without.pointer_mut(&pointer(&path)) {
                members.remove(name);
            }
            if serde_json::from_value::<T>(without).is_ok() {
                path.push(name.clone());
                continue 'deeper;
            }
        }
        break;
    }
    path.join(".")
}

fn pointer(path: &[String]) -> String {
    path.iter().fold(String::new(), |pointer, name| pointer + "/" + &escape(name))
}

fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// Asks a check. What is being deleted is not held up by its own state: an update of an object in deletion is
/// checked only when its spec changes, so that finalizers can always be removed.
pub fn validate<T: Kind>(request: &Request, check: &impl Check<T>) -> Answer {
    let verdict = verdict(request, check).unwrap_or_else(|unreadable| unreadable);
    Answer { verdict, patch: Vec::new() }
}

fn verdict<T: Kind>(request: &Request, check: &impl Check<T>) -> Result<Verdict, Verdict> {
    match request.operation.as_str() {
        "CREATE" => Ok(check.create(&parse(&request.object)?)),
        "UPDATE" => {
            let deleting = request.object.pointer("/metadata/deletionTimestamp").is_some();
            if deleting && request.object.get("spec") == request.old.get("spec") {
                return Ok(Verdict::allowed());
            }
            let new = parse(&request.object)?;
            // An old object that cannot be read (a stricter schema came later) must still be mendable.
            match parse(&request.old) {
                Ok(old) => Ok(check.update(&old, &new)),
                Err(_) => Ok(check.create(&new)),
            }
        }
        // What cannot be read must still be deletable.
        "DELETE" => Ok(parse(&request.old).map_or_else(|_| Verdict::allowed(), |old| check.delete(&old))),
        _ => Ok(Verdict::allowed()),
    }
}

/// Asks a defaulter, which answers with a merge patch.
pub fn default(request: &Request, fill: impl Fn(&Value) -> Result<Option<Value>, Verdict>) -> Answer {
    if request.object.is_null() {
        return Answer::default();
    }
    match fill(&request.object) {
        Ok(patch) => {
            let mut after = request.object.clone();
            if let Some(patch) = patch {
                merge(&mut after, patch);
            }
            let mut operations = Vec::new();
            json_patch(&request.object, &after, "", &mut operations);
            Answer { verdict: Verdict::allowed(), patch: operations }
        }
        Err(verdict) => Answer { verdict, patch: Vec::new() },
    }
}

/// Applies a merge patch (RFC 7386).
pub fn merge(target: &mut Value, patch: Value) {
    let Value::Object(changes) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    if let Value::Object(members) = target {
        for (name, change) in changes {
            if change.is_null() {
                members.remove(&name);
            } else {
                merge(members.entry(name).or_insert(Value::Null), change);
            }
        }
    }
}

fn json_patch(before: &Value, after: &Value, path: &str, operations: &mut Vec<Value>) {
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => {
            for name in old.keys().filter(|name| !new.contains_key(*name)) {
                operations.push(json!({ "op": "remove", "path": format!("{path}/{}", escape(name)) }));
            }
            for (name, value) in new {
                let path = format!("{path}/{}", escape(name));
                match old.get(name) {
                    Some(known) => json_patch(known, value, &path, operations),
                    None => operations.push(json!({ "op": "add", "path": path, "value": value })),
                }
            }
        }
        _ if before == after => {}
        _ => operations.push(json!({ "op": "replace", "path": path, "value": after })),
    }
}

/// Answers an `AdmissionReview`.
pub(super) fn admission(body: &[u8], handler: &(dyn Fn(&Request) -> Answer + Send + Sync)) -> Response {
    let review: Value = match serde_json::from_slice(body) {
        Ok(review) => review,
        Err(error) => return refuse(&format!("no AdmissionReview: {error}")),
    };
    let Some(uid) = review.pointer("/request/uid").and_then(Value::as_str) else {
        return refuse("no AdmissionReview: request.uid is missing");
    };
    let text = |path: &str| review.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
    let at = |path: &str| review.pointer(path).cloned().unwrap_or_default();
    let request = Request {
        operation: text("/request/operation"),
        name: text("/request/name"),
        kind: format!("{}.{}", text("/request/kind/kind"), text("/request/kind/group")),
        object: at("/request/object"),
        old: at("/request/oldObject"),
    };
    let answer = handler(&request);
    let mut response = json!({ "uid": uid, "allowed": answer.verdict.violations.is_empty() });
    if !answer.verdict.violations.is_empty() {
        tracing::info!(kind = request.kind, name = request.name, violations = ?answer.verdict.violations, "refused");
        response["status"] = refusal(&request, &answer.verdict.violations);
    } else if !answer.patch.is_empty() {
        let patch = serde_json::to_vec(&answer.patch).unwrap_or_default();
        response["patch"] = json!(ByteString(patch));
        response["patchType"] = json!("JSONPatch");
    }
    if !answer.verdict.warnings.is_empty() {
        response["warnings"] = json!(answer.verdict.warnings);
    }
    let version = review.get("apiVersion").cloned().unwrap_or_else(|| json!("admission.k8s.io/v1"));
    Json(json!({ "apiVersion": version, "kind": "AdmissionReview", "response": response })).into_response()
}

/// The failure status of a refusal, as the API server itself words an invalid object.
fn refusal(request: &Request, violations: &Violations) -> Value {
    let line = |violation: &Violation| {
        if violation.field.is_empty() {
            violation.message.clone()
        } else {
            format!("{}: {}", violation.field, violation.message)
        }
    };
    let lines: Vec<String> = violations.iter().map(line).collect();
    let list = if lines.len() == 1 { lines.join("") } else { format!("[{}]", lines.join(", ")) };
    let causes: Vec<Value> = violations
        .iter()
        .map(|violation| json!({ "reason": cause(violation.kind), "field": violation.field, "message": violation.message }))
        .collect();
    json!({
        "status": "Failure",
        "code": 422,
        "reason": "Invalid",
        "message": format!("{} \"{}\" is invalid: {list}", request.kind, request.name),
        "details": { "name": request.name, "causes": causes },
    })
}

fn cause(rule: Rule) -> &'static str {
    match rule {
        Rule::Invalid => "FieldValueInvalid",
        Rule::Required => "FieldValueRequired",
        Rule::Forbidden => "FieldValueForbidden",
        Rule::Duplicate => "FieldValueDuplicate",
    }
}

fn refuse(message: &str) -> Response {
    (StatusCode::BAD_REQUEST, message.to_owned()).into_response()
}

/// Answers a `ConversionReview`: all objects or none.
pub(super) fn conversion(body: &[u8], conversions: &BTreeMap<(String, String), Convert>) -> Response {
    let mut review: Value = match serde_json::from_slice(body) {
        Ok(review) => review,
        Err(error) => return refuse(&format!("no ConversionReview: {error}")),
    };
    let Some(uid) = review.pointer("/request/uid").and_then(Value::as_str).map(ToOwned::to_owned) else {
        return refuse("no ConversionReview: request.uid is missing");
    };
    let desired = review.pointer("/request/desiredAPIVersion").and_then(Value::as_str).unwrap_or_default().to_owned();
    let objects = match review.pointer_mut("/request/objects").map(Value::take) {
        Some(Value::Array(objects)) => objects,
        _ => Vec::new(),
    };
    let converted: Result<Vec<Value>, String> =
        objects.into_iter().map(|object| convert_one(object, &desired, conversions)).collect();
    let response = match converted {
        Ok(objects) => json!({ "uid": uid, "convertedObjects": objects, "result": { "status": "Success" } }),
        Err(message) => {
            json!({ "uid": uid, "convertedObjects": [], "result": { "status": "Failure", "message": message } })
        }
    };
    let version = review.get("apiVersion").cloned().unwrap_or_else(|| json!("apiextensions.k8s.io/v1"));
    Json(json!({ "apiVersion": version, "kind": "ConversionReview", "response": response })).into_response()
}

fn convert_one(
    object: Value,
    desired: &str,
    conversions: &BTreeMap<(String, String), Convert>,
) -> Result<Value, String> {
    let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (version, kind, name) = (text("/apiVersion"), text("/kind"), text("/metadata/name"));
    if version == desired {
        return Ok(object);
    }
    let group = crate::owners::group(&version).to_owned();
    let convert = conversions
        .get(&(group, kind.clone()))
        .ok_or_else(|| format!("{kind} {name}: no conversion from {version} to {desired}"))?;
    let metadata = object.get("metadata").cloned();
    let mut converted = convert(object, desired).map_err(|error| format!("{kind} {name}: {error}"))?;
    converted["apiVersion"] = json!(desired);
    converted["kind"] = json!(kind);
    // The API server refuses a conversion that changes anything of metadata but labels and annotations.
    if let (Some(Value::Object(metadata)), Some(new)) = (metadata, converted.get_mut("metadata")) {
        for (name, value) in metadata {
            if name != "labels" && name != "annotations" {
                new[name] = value;
            }
        }
    }
    Ok(converted)
}
