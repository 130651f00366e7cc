//! JSON merge patches (RFC 7386), as the API server applies them.

use serde_json::{Map, Value};

/// Applies a patch. Null removes a member; lists are replaced as a whole, and null members of objects within them are
/// dropped (which the RFC would keep).
pub(crate) fn merge(target: &mut Map<String, Value>, patch: Map<String, Value>) {
    for (name, value) in patch {
        if value.is_null() {
            target.remove(&name);
            continue;
        }
        match (target.get_mut(&name), value) {
            (Some(Value::Object(old)), Value::Object(new)) => merge(old, new),
            (Some(Value::Object(_)), other) => {
                target.insert(name, other);
            }
            (_, mut value) => {
                drop_nulls(&mut value);
                target.insert(name, value);
            }
        }
    }
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::merge;

    #[test]
    fn members_merge_lists_are_replaced_and_null_removes() {
        let table = [
            (json!({ "a": 1 }), json!({ "b": 2 }), json!({ "a": 1, "b": 2 })),
            (
                json!({ "a": { "x": 1, "y": 2 } }),
                json!({ "a": { "x": null, "z": 3 } }),
                json!({ "a": { "y": 2, "z": 3 } }),
            ),
            (json!({ "a": [1, 2] }), json!({ "a": [3] }), json!({ "a": [3] })),
            (json!({}), json!({ "a": { "b": { "c": null, "d": 1 } } }), json!({ "a": { "b": { "d": 1 } } })),
            (json!({ "a": 1 }), json!({ "a": { "b": null } }), json!({ "a": {} })),
            (json!({}), json!({ "a": [null, { "b": null, "c": 1 }] }), json!({ "a": [null, { "c": 1 }] })),
            (json!({ "a": { "b": 1 } }), json!({ "a": "x" }), json!({ "a": "x" })),
            (json!({ "a": 1 }), json!({ "a": null, "b": null }), json!({})),
        ];
        for (target, patch, expected) in table {
            let (Value::Object(mut merged), Value::Object(patch)) = (target.clone(), patch.clone()) else {
                unreachable!()
            };
            merge(&mut merged, patch.clone());
            assert_eq!(Value::Object(merged), expected, "{target} with {patch:?}");
        }
    }
}
