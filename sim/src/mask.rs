//! [`Picture`]: all objects of a world with everything left out that two equal ends may differ in.
//!
//! Left out: uids, resource versions, times. Owners are shown as living or dead instead of by uid. Where a scenario
//! says that any address will do, each address is shown as that of its claim.

use std::collections::{BTreeMap, BTreeSet};

use kit::key::Key;
use serde_json::{Map, Value, json};

use crate::kube::{KindName, Server};
use crate::oracle::{Object, kinds_of_interest};

/// What is compared: objects by kind and name.
pub type Picture = BTreeMap<String, Value>;

/// Fields of `metadata` that are new in every world.
const NEW: [&str; 4] = ["uid", "resourceVersion", "creationTimestamp", "managedFields"];
/// Times in a status.
const TIMES: [&str; 2] = ["lastTransitionTime", "lastUpdated"];

/// The picture of a server.
pub fn picture(server: &Server, any_address: bool) -> Picture {
    let kinds = kinds_of_interest();
    let objects: Vec<(KindName, Key, Value)> = kinds
        .iter()
        .flat_map(|kind| server.objects(kind).into_iter().map(|(key, object)| (kind.clone(), key, (*object).clone())))
        .collect();
    let alive: BTreeSet<String> =
        objects.iter().filter_map(|(_, _, object)| text(&object["metadata"]["uid"])).collect();
    let names = if any_address { names(&objects) } else { BTreeMap::new() };
    let mut picture = Picture::new();
    for (kind, key, mut object) in objects {
        mask(&mut object, &alive);
        // Of a pool only its map names addresses of claims.
        let parts = if kind.kind == "IPPool" { &["/status/indexes"][..] } else { &["/metadata", "/spec", "/status"] };
        for part in parts {
            if let Some(part) = object.pointer_mut(part) {
                rename(part, &names);
            }
        }
        let name = names.get(&key.name).unwrap_or(&key.name);
        picture.insert(format!("{kind} {}/{name}", key.namespace), object);
    }
    picture
}

/// Texts that stand for an address, and what they are shown as.
fn names(objects: &[(KindName, Key, Value)]) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    for (kind, key, object) in objects {
        if let Some(address) = Object::new(kind, key, object).address() {
            names.insert(key.name.clone(), format!("<object of {} {}>", address.claim_kind, address.claim));
            names.insert(address.text.to_owned(), format!("<address of {} {}>", address.claim_kind, address.claim));
        }
    }
    names
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(ToOwned::to_owned)
}

fn mask(object: &mut Value, alive: &BTreeSet<String>) {
    if let Some(metadata) = object["metadata"].as_object_mut() {
        for field in NEW {
            metadata.remove(field);
        }
        if let Some(deleted) = metadata.get_mut("deletionTimestamp") {
            *deleted = json!("set");
        }
        let owners = metadata.get_mut("ownerReferences").and_then(Value::as_array_mut);
        for owner in owners.into_iter().flatten() {
            let lives = owner["uid"].as_str().is_some_and(|uid| alive.contains(uid));
            owner["uid"] = json!(if lives { "alive" } else { "dead" });
        }
    }
    if let Some(status) = object.get_mut("status") {
        without_times(status);
    }
}

fn without_times(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|key, _| !TIMES.contains(&key.as_str()));
            map.values_mut().for_each(without_times);
        }
        Value::Array(list) => list.iter_mut().for_each(without_times),
        _ => {}
    }
}

fn rename(value: &mut Value, names: &BTreeMap<String, String>) {
    match value {
        Value::String(text) => {
            if let Some(name) = names.get(text) {
                text.clone_from(name);
            }
        }
        Value::Object(map) => {
            let renamed: Map<String, Value> = std::mem::take(map)
                .into_iter()
                .map(|(key, mut value)| {
                    rename(&mut value, names);
                    (renamed_key(key, names), value)
                })
                .collect();
            *map = renamed;
        }
        Value::Array(list) => list.iter_mut().for_each(|value| rename(value, names)),
        _ => {}
    }
}

/// A pool's map has keys with an address where two claims have the same name.
fn renamed_key(key: String, names: &BTreeMap<String, String>) -> String {
    match key.rsplit_once('/').and_then(|(kind, address)| Some((kind, names.get(address)?))) {
        Some((kind, name)) => format!("{kind}/{name}"),
        None => key,
    }
}

/// What differs between two pictures, in words.
pub fn differences(wanted: &Picture, found: &Picture) -> Vec<String> {
    let names: BTreeSet<&String> = wanted.keys().chain(found.keys()).collect();
    let mut all = Vec::new();
    for name in names {
        match (wanted.get(name), found.get(name)) {
            (Some(_), None) => all.push(format!("{name} is missing")),
            (None, Some(object)) => all.push(format!("{name} should not exist: {object}")),
            (Some(wanted), Some(found)) => {
                if let Some(patch) = kit::diff::between(wanted, found) {
                    all.push(format!("{name} differs: {patch}"));
                }
            }
            (None, None) => {}
        }
    }
    all
}
