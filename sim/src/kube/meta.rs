//! Metadata: the form that the API server keeps, and what it refuses.

use serde_json::{Map, Value, json};

use super::rules;
use super::schema::{Problem, ProblemKind};

/// A body whose metadata has the wrong types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unreadable(pub(crate) String);

/// The finalizers that the garbage collector serves.
pub(crate) const ORPHAN: &str = "orphan";
/// See [`ORPHAN`].
pub(crate) const FOREGROUND: &str = "foregroundDeletion";

/// A text of the metadata; empty when absent.
pub(crate) fn text<'a>(object: &'a Value, name: &str) -> &'a str {
    object["metadata"][name].as_str().unwrap_or_default()
}

/// Sets a member of the metadata.
pub(crate) fn set(object: &mut Value, name: &str, value: impl Into<Value>) {
    if !object["metadata"].is_object() {
        object["metadata"] = json!({});
    }
    object["metadata"][name] = value.into();
}

/// Removes a member of the metadata.
pub(crate) fn unset(object: &mut Value, name: &str) {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove(name);
    }
}

/// Copies a member of another object's metadata, also its absence.
pub(crate) fn copy(from: &Value, to: &mut Value, name: &str) {
    match from["metadata"].get(name) {
        Some(value) => set(to, name, value.clone()),
        None => unset(to, name),
    }
}

/// The finalizers.
pub(crate) fn finalizers(object: &Value) -> Vec<&str> {
    object["metadata"]["finalizers"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Replaces the finalizers.
pub(crate) fn set_finalizers(object: &mut Value, names: &[String]) {
    if names.is_empty() {
        unset(object, "finalizers");
    } else {
        set(object, "finalizers", json!(names));
    }
}

/// Whether deletion was requested.
pub(crate) fn is_deleting(object: &Value) -> bool {
    object["metadata"].get("deletionTimestamp").is_some()
}

/// Brings metadata into the form that is kept: unknown members are dropped, so are empty ones.
pub(crate) fn tidy(object: &mut Value) -> Result<(), Unreadable> {
    let metadata = match object.get_mut("metadata").map(Value::take) {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(metadata)) => metadata,
        Some(_) => return Err(Unreadable("metadata is no object".to_owned())),
    };
    let mut kept = Map::new();
    for (name, value) in metadata {
        let value = match name.as_str() {
            "name" | "generateName" | "namespace" | "uid" | "resourceVersion" => text_of(&name, value)?,
            "generation" => whole(&name, value)?.filter(|number| *number != json!(0)),
            "deletionGracePeriodSeconds" => whole(&name, value)?,
            "creationTimestamp" | "deletionTimestamp" => time(&name, value)?,
            "labels" | "annotations" => text_map(&name, value)?,
            "finalizers" => text_list(&name, value)?,
            "ownerReferences" => owners(value)?,
            _ => None,
        };
        if let Some(value) = value {
            kept.insert(name, value);
        }
    }
    object["metadata"] = Value::Object(kept);
    Ok(())
}

fn wrong(name: &str) -> Unreadable {
    Unreadable(format!("metadata.{name} has the wrong type"))
}

fn text_of(name: &str, value: Value) -> Result<Option<Value>, Unreadable> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok((!text.is_empty()).then_some(Value::String(text))),
        _ => Err(wrong(name)),
    }
}

fn whole(name: &str, value: Value) -> Result<Option<Value>, Unreadable> {
    match value {
        Value::Null => Ok(None),
        Value::Number(number) if number.is_i64() => Ok(Some(Value::Number(number))),
        _ => Err(wrong(name)),
    }
}

fn time(name: &str, value: Value) -> Result<Option<Value>, Unreadable> {
    let Value::String(text) = value else {
        return if value.is_null() { Ok(None) } else { Err(wrong(name)) };
    };
    let time: jiff::Timestamp = text.parse().map_err(|_| wrong(name))?;
    Ok(Some(json!(stamp(time))))
}

/// A time as metadata has it, in whole seconds.
pub(crate) fn stamp(time: jiff::Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn text_map(name: &str, value: Value) -> Result<Option<Value>, Unreadable> {
    let members = match value {
        Value::Null => return Ok(None),
        Value::Object(members) => members,
        _ => return Err(wrong(name)),
    };
    let mut kept = Map::new();
    for (key, value) in members {
        let text = match value {
            Value::Null => json!(""),
            Value::String(text) => json!(text),
            _ => return Err(wrong(name)),
        };
        kept.insert(key, text);
    }
    Ok((!kept.is_empty()).then_some(Value::Object(kept)))
}

fn text_list(name: &str, value: Value) -> Result<Option<Value>, Unreadable> {
    let items = match value {
        Value::Null => return Ok(None),
        Value::Array(items) => items,
        _ => return Err(wrong(name)),
    };
    let text = |item: Value| match item {
        Value::Null => Ok(json!("")),
        Value::String(text) => Ok(json!(text)),
        _ => Err(wrong(name)),
    };
    let kept: Vec<Value> = items.into_iter().map(text).collect::<Result<_, _>>()?;
    Ok((!kept.is_empty()).then_some(Value::Array(kept)))
}

/// Owner references without repetitions.
fn owners(value: Value) -> Result<Option<Value>, Unreadable> {
    let items = match value {
        Value::Null => return Ok(None),
        Value::Array(items) => items,
        _ => return Err(wrong("ownerReferences")),
    };
    let mut kept: Vec<Value> = Vec::new();
    for item in items {
        let item = owner(item)?;
        if !kept.contains(&item) {
            kept.push(item);
        }
    }
    Ok((!kept.is_empty()).then_some(Value::Array(kept)))
}

fn owner(item: Value) -> Result<Value, Unreadable> {
    let members = match item {
        Value::Null => Map::new(),
        Value::Object(members) => members,
        _ => return Err(wrong("ownerReferences")),
    };
    let mut owner = json!({ "apiVersion": "", "kind": "", "name": "", "uid": "" });
    for (name, value) in members {
        let known = matches!(
            (name.as_str(), &value),
            ("apiVersion" | "kind" | "name" | "uid", Value::String(_))
                | ("controller" | "blockOwnerDeletion", Value::Bool(_))
        );
        let named =
            matches!(name.as_str(), "apiVersion" | "kind" | "name" | "uid" | "controller" | "blockOwnerDeletion");
        if known {
            owner[&name] = value;
        } else if named && !value.is_null() {
            return Err(wrong("ownerReferences"));
        }
    }
    Ok(owner)
}

/// What is wrong with the names of a new object; `label` demands a name without dots.
pub(crate) fn judge_names(object: &Value, label: bool) -> Vec<Problem> {
    let mut found = Vec::new();
    let generate = text(object, "generateName");
    if !generate.is_empty() {
        found.extend(rules::name_prefix(generate, label, "metadata.generateName"));
    }
    match text(object, "name") {
        "" => found.push(Problem::new(ProblemKind::Required, "metadata.name", "name or generateName is required")),
        name => found.extend(rules::name(name, label, "metadata.name")),
    }
    found
}

/// What is wrong with the metadata of any object.
pub(crate) fn judge(object: &Value) -> Vec<Problem> {
    let mut found = Vec::new();
    if object["metadata"]["generation"].as_i64().is_some_and(|generation| generation < 0) {
        found.push(Problem::new(ProblemKind::Invalid, "metadata.generation", "negative"));
    }
    found.extend(judge_common(object));
    let names = finalizers(object);
    for name in &names {
        found.extend(rules::qualified(name, "metadata.finalizers"));
    }
    if names.contains(&ORPHAN) && names.contains(&FOREGROUND) {
        found.push(Problem::new(ProblemKind::Invalid, "metadata.finalizers", "both orphan and foregroundDeletion"));
    }
    found
}

/// What is wrong with a change of metadata.
pub(crate) fn judge_change(new: &Value, old: &Value) -> Vec<Problem> {
    let mut found = Vec::new();
    let before = finalizers(old);
    if is_deleting(old) && finalizers(new).iter().any(|name| !before.contains(name)) {
        let why = "no new finalizer while the object is being deleted";
        found.push(Problem::new(ProblemKind::Forbidden, "metadata.finalizers", why));
    }
    if text(new, "resourceVersion").is_empty() {
        found.push(Problem::new(ProblemKind::Invalid, "metadata.resourceVersion", "needed for an update"));
    }
    let generation = |object: &Value| object["metadata"]["generation"].as_i64().unwrap_or_default();
    if generation(new) < generation(old) {
        found.push(Problem::new(ProblemKind::Invalid, "metadata.generation", "lower than before"));
    }
    let fixed = ["name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"];
    for name in fixed {
        if new["metadata"].get(name) != old["metadata"].get(name) {
            found.push(Problem::new(ProblemKind::Invalid, format!("metadata.{name}"), "cannot be changed"));
        }
    }
    found.extend(judge_common(new));
    found
}

fn judge_common(object: &Value) -> Vec<Problem> {
    let metadata = &object["metadata"];
    let mut found = Vec::new();
    for (key, value) in metadata["labels"].as_object().into_iter().flatten() {
        found.extend(rules::qualified(key, "metadata.labels"));
        found.extend(rules::label_value(value.as_str().unwrap_or_default(), "metadata.labels"));
    }
    for (key, _) in metadata["annotations"].as_object().into_iter().flatten() {
        found.extend(rules::qualified(&key.to_lowercase(), "metadata.annotations"));
    }
    let owners = metadata["ownerReferences"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut controllers = 0;
    for owner in owners {
        found.extend(judge_owner(owner));
        if owner["controller"] == true {
            controllers += 1;
            if controllers > 1 {
                let why = "only one owner can be the controller";
                found.push(Problem::new(ProblemKind::Invalid, "metadata.ownerReferences", why));
            }
        }
    }
    found
}

fn judge_owner(owner: &Value) -> Vec<Problem> {
    let field = |name: &str| Problem::new(ProblemKind::Invalid, format!("metadata.ownerReferences.{name}"), "empty");
    let empty = |name: &str| owner[name].as_str().unwrap_or_default().is_empty();
    let mut found: Vec<Problem> = ["kind", "name", "uid"].into_iter().filter(|name| empty(name)).map(field).collect();
    let version = owner["apiVersion"].as_str().unwrap_or_default();
    if version.rsplit('/').next().unwrap_or_default().is_empty() {
        found.push(field("apiVersion"));
    }
    if version == "v1" && owner["kind"] == "Event" {
        found.push(Problem::new(ProblemKind::Invalid, "metadata.ownerReferences", "an Event owns nothing"));
    }
    found
}
