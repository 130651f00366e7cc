//! Putting back what a version could not hold, and finding out whether something was lost at all.

use serde_json::{Map, Value};

/// Members that tell one element from another: where they differ, two values are about different things.
const IDENTITY: [&str; 6] = ["name", "namespace", "key", "id", "network", "type"];

/// Three-way merge: `kept` is the original, `seen` what the original looks like after a round trip, `now` what came
/// back. Where nothing changed since (`now` equals `seen`) the original stands; elsewhere what came back stands.
pub(super) fn restore(kept: &Value, seen: &Value, now: &mut Value) {
    if now == seen {
        fill(kept, now);
        return;
    }
    match (kept, seen, now) {
        (Value::Object(kept), Value::Object(seen), Value::Object(now)) if same_thing(seen, now) => {
            for (name, original) in kept {
                match (seen.get(name), now.get_mut(name)) {
                    (None, None) => {
                        now.insert(name.clone(), original.clone());
                    }
                    (Some(seen), Some(now)) => restore(original, seen, now),
                    (Some(_), None) | (None, Some(_)) => {}
                }
            }
        }
        (Value::Array(kept), Value::Array(seen), Value::Array(now))
            if kept.len() == seen.len() && seen.len() == now.len() =>
        {
            for ((kept, seen), now) in kept.iter().zip(seen).zip(now) {
                restore(kept, seen, now);
            }
        }
        _ => {}
    }
}

/// Takes the original, but keeps members that only the other shape has (both forms of one setting, say).
fn fill(kept: &Value, now: &mut Value) {
    match (kept, now) {
        (Value::Object(kept), Value::Object(now)) => {
            for (name, original) in kept {
                match now.get_mut(name) {
                    Some(now) => fill(original, now),
                    None => {
                        now.insert(name.clone(), original.clone());
                    }
                }
            }
        }
        (kept, now) => now.clone_from(kept),
    }
}

fn same_thing(one: &Map<String, Value>, other: &Map<String, Value>) -> bool {
    IDENTITY.iter().all(|name| one.get(*name) == other.get(*name))
}

/// Whether everything that `original` says is also in `back`. Null and empty containers say nothing.
pub(super) fn covers(back: &Value, original: &Value) -> bool {
    match (back, original) {
        (_, Value::Null) => true,
        (Value::Object(back), Value::Object(original)) => {
            original.iter().all(|(name, value)| covers(back.get(name).unwrap_or(&Value::Null), value))
        }
        (_, Value::Object(original)) => original.values().all(|value| covers(&Value::Null, value)),
        (Value::Array(back), Value::Array(original)) => {
            back.len() == original.len() && back.iter().zip(original).all(|(back, original)| covers(back, original))
        }
        (_, Value::Array(original)) => original.is_empty(),
        (back, original) => back == original,
    }
}
