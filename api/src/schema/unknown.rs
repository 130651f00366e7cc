//! Which members of a JSON value a type does not have: what strict parsers refuse.

use schemars::JsonSchema;
use serde_json::Value;

use super::{raw_schema, structural};

/// Paths of the members of `value` that the type does not have.
pub fn unknown_fields<T: JsonSchema>(value: &Value) -> Vec<String> {
    let mut schema = raw_schema::<T>();
    structural(&mut schema);
    let mut found = Vec::new();
    compare(&schema, value, "", &mut found);
    found
}

fn compare(schema: &Value, value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            // A map or free-form object has no members that could be unknown.
            let Some(known) = schema.get("properties") else { return };
            for (name, member) in members {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                match known.get(name) {
                    Some(schema) => compare(schema, member, &path, found),
                    None => found.push(path),
                }
            }
        }
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                compare(schema.get("items").unwrap_or(&Value::Null), item, &format!("{path}[{i}]"), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
