//! From a typed before and after to the smallest merge patch. Fields that our types do not know are never touched,
//! except inside lists: a merge patch replaces a list as a whole.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::Kind;
use crate::key::Target;
use crate::pass::Write;

/// Metadata that a client may change; the rest belongs to the API server.
const OWNED_METADATA: [&str; 4] = ["annotations", "finalizers", "labels", "ownerReferences"];

/// The JSON merge patch (RFC 7386) from one value to another; `None` when nothing changed.
pub fn merge_patch(before: &impl Serialize, after: &impl Serialize) -> Option<Value> {
    // Serialization of wire types cannot fail; a value that could not be serialized has no patch.
    let before = serde_json::to_value(before).ok()?;
    let after = serde_json::to_value(after).ok()?;
    between(&before, &after)
}

/// The merge patch between two JSON values.
pub fn between(before: &Value, after: &Value) -> Option<Value> {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => between_maps(before, after).map(Value::Object),
        _ if before == after => None,
        _ => Some(after.clone()),
    }
}

fn between_maps(before: &Map<String, Value>, after: &Map<String, Value>) -> Option<Map<String, Value>> {
    let mut patch = Map::new();
    for key in before.keys().filter(|key| !after.contains_key(*key)) {
        patch.insert(key.clone(), Value::Null);
    }
    for (key, new) in after {
        let change = match before.get(key) {
            Some(old) => between(old, new),
            None => Some(new.clone()),
        };
        if let Some(change) = change {
            patch.insert(key.clone(), change);
        }
    }
    (!patch.is_empty()).then_some(patch)
}

/// The status write from `before` to `after`, for what the next pass would write again anyhow. It is not guarded: the
/// API server does not look at a uid here, so an object made anew under its name gets this status until its own pass.
pub fn status<K: Kind>(before: &K, after: &K) -> Option<Write> {
    status_patch(before, after).map(|body| Write::Status { target: Target::of(before), body })
}

/// As [`status`], guarded by resourceVersion: where others act on what it says.
pub fn status_exact<K: Kind>(before: &K, after: &K) -> Option<Write> {
    status_patch(before, after).map(|body| Write::Status { target: Target::exact(before), body })
}

/// The write of everything but status (spec, data, labels, annotations, finalizers, owners), guarded by uid.
pub fn object<K: Kind>(before: &K, after: &K) -> Option<Write> {
    object_patch(before, after).map(|body| Write::Patch { target: Target::of(before), body })
}

/// As [`object`], guarded by uid and resourceVersion: where two writers can race (claims, finalizers, owner
/// references and other lists, spec of objects of others).
pub fn object_exact<K: Kind>(before: &K, after: &K) -> Option<Write> {
    object_patch(before, after).map(|body| Write::Patch { target: Target::exact(before), body })
}

/// The creation of a complete object under its own name.
pub fn create<K: Kind>(object: &K) -> Write {
    let body = serde_json::to_value(object).unwrap_or_default();
    Write::Create { target: Target::new::<K>(crate::key::Key::of(object)), body }
}

/// The deletion of an object, guarded by uid.
pub fn delete<K: Kind>(object: &K) -> Write {
    Write::Delete { target: Target::of(object) }
}

fn status_patch<K: Kind>(before: &K, after: &K) -> Option<Value> {
    let mut whole = merge_patch(before, after)?;
    let status = whole.get_mut("status")?.take();
    Some(json!({ "status": status }))
}

fn object_patch<K: Kind>(before: &K, after: &K) -> Option<Value> {
    let Value::Object(mut patch) = merge_patch(before, after)? else { return None };
    for name in ["status", "apiVersion", "kind"] {
        patch.remove(name);
    }
    let metadata = match patch.remove("metadata") {
        Some(Value::Object(mut metadata)) => {
            metadata.retain(|key, _| OWNED_METADATA.contains(&key.as_str()));
            metadata
        }
        _ => Map::new(),
    };
    if !metadata.is_empty() {
        patch.insert("metadata".to_owned(), Value::Object(metadata));
    }
    (!patch.is_empty()).then_some(Value::Object(patch))
}

#[cfg(test)]
mod tests;
