//! From the bytes of a request to an object in the form that is kept: pruned, with defaults.

use serde_json::{Value, json};

use super::failure::Failure;
use super::meta::{self, Unreadable};
use super::route::Route;

/// Reads the object of a create or update.
pub(crate) fn object(route: &Route, bytes: &[u8]) -> Result<Value, Failure> {
    let kind = &route.kind.name.kind;
    let unreadable = |why: &str| {
        Failure::bad_request(format!("the object provided is unrecognized (must be of type {kind}): {why}"))
    };
    let mut object: Value = serde_json::from_slice(bytes).map_err(|error| unreadable(&error.to_string()))?;
    if !object.is_object() {
        return Err(unreadable("no object"));
    }
    match &object["kind"] {
        Value::String(name) if !name.is_empty() => {}
        // Built-in types are known by their path.
        Value::Null | Value::String(_) if !route.kind.custom => object["kind"] = json!(kind),
        Value::Null | Value::String(_) => return Err(unreadable("kind is missing")),
        _ => return Err(unreadable("kind is no text")),
    }
    let expected = route.api_version();
    let api_version = object["apiVersion"].as_str().unwrap_or_default();
    if api_version.is_empty() && !route.kind.custom {
        object["apiVersion"] = json!(expected);
    } else if api_version != expected {
        let message =
            format!("the API version in the data ({api_version}) does not match the expected API version ({expected})");
        return Err(Failure::bad_request(message));
    }
    shape(route, &mut object).map_err(|Unreadable(why)| unreadable(&why))?;
    if !route.kind.custom && object["kind"] != json!(kind) {
        return Err(unreadable("another kind"));
    }
    Ok(object)
}

/// Brings an object into the form that is kept. One of another kind is not judged by this kind's schema.
pub(crate) fn shape(route: &Route, object: &mut Value) -> Result<(), Unreadable> {
    whole_numbers(object);
    meta::tidy(object)?;
    let own = object["kind"] == json!(route.kind.name.kind) && object["apiVersion"] == json!(route.api_version());
    if let Some(schema) = route.served().schema.as_ref().filter(|_| own) {
        schema.prune(object);
        schema.fill(object);
    }
    Ok(())
}

/// 1.0 is kept as 1.
fn whole_numbers(value: &mut Value) {
    match value {
        Value::Object(members) => members.values_mut().for_each(whole_numbers),
        Value::Array(items) => items.iter_mut().for_each(whole_numbers),
        Value::Number(number) => {
            let whole = number.as_f64().filter(|n| number.is_f64() && n.fract() == 0.0 && n.abs() < 9e15);
            if let Some(whole) = whole {
                *value = json!(whole as i64);
            }
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}
