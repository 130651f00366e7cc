//! One round of what the controller manager does: owners, namespaces.

use std::collections::BTreeSet;
use std::sync::Arc;

use kit::key::Key;
use serde_json::{Value, json};

use super::builtin;
use super::delete::{self, Options, Propagation};
use super::intercept::Verb;
use super::kinds::{Kind, KindName};
use super::meta::{self, FOREGROUND, ORPHAN};
use super::state::{Origin, State};

/// Who the log names for these writes.
pub(crate) const CLIENT: &str = "garbage-collector";

/// What an owner reference leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// A living object, or one of a kind that this server does not know.
    Solid,
    /// Nothing, or another object of that name.
    Gone,
    /// An object that is deleted in the foreground and waits for this one.
    Waiting,
}

/// One round over all objects as they are now; answers the number of writes.
pub(crate) fn collect(state: &mut State) -> usize {
    let before = state.version;
    let kinds = state.kinds.clone();
    for kind in &kinds {
        let keys: Vec<Key> = state.all(&kind.name).map(|(key, _)| key.clone()).collect();
        for key in keys {
            if let Some(object) = state.get(&kind.name, &key).cloned() {
                look_at(state, kind, &key, &object);
            }
        }
    }
    end_namespaces(state, &kinds);
    (state.version - before) as usize
}

fn origin(verb: Verb) -> Origin {
    Origin { request: None, client: CLIENT.into(), verb, subresource: None }
}

fn look_at(state: &mut State, kind: &Kind, key: &Key, object: &Arc<Value>) {
    let finalizers = meta::finalizers(object);
    if meta::is_deleting(object) {
        if finalizers.contains(&ORPHAN) {
            release_dependents(state, object);
            drop_finalizer(state, kind, key, object, ORPHAN);
        } else if finalizers.contains(&FOREGROUND) && !is_blocked(state, object) {
            drop_finalizer(state, kind, key, object, FOREGROUND);
        }
        return;
    }
    let owners = owners(object);
    if owners.is_empty() {
        return;
    }
    let found: Vec<Owner> = owners.iter().map(|owner| look_up(state, key, owner)).collect();
    if found.contains(&Owner::Solid) {
        let kept = owners.iter().zip(&found).filter(|(_, found)| **found == Owner::Solid);
        let kept: Vec<Value> = kept.map(|(owner, _)| owner.clone()).collect();
        if kept.len() < owners.len() {
            let mut object = (**object).clone();
            meta::set(&mut object, "ownerReferences", kept);
            state.commit(&origin(Verb::Patch), kind, key, Some(object));
        }
        return;
    }
    let waited_for = found.contains(&Owner::Waiting) && !dependents(state, object).is_empty();
    let propagation = if waited_for || finalizers.contains(&FOREGROUND) {
        Propagation::Foreground
    } else if finalizers.contains(&ORPHAN) {
        Propagation::Orphan
    } else {
        Propagation::Background
    };
    let options = Options { uid: Some(meta::text(object, "uid").to_owned()), version: None, propagation };
    // A conflict cannot be: the object was read under the same lock.
    let _ = delete::end(state, kind, key, &origin(Verb::Delete), &options);
}

fn owners(object: &Value) -> Vec<Value> {
    object["metadata"]["ownerReferences"].as_array().cloned().unwrap_or_default()
}

fn kind_of(owner: &Value) -> KindName {
    let version = owner["apiVersion"].as_str().unwrap_or_default();
    let group = version.split_once('/').map_or("", |(group, _)| group);
    KindName::new(group, owner["kind"].as_str().unwrap_or_default())
}

/// An owner is in the namespace of its dependent, or in none.
fn look_up(state: &State, dependent: &Key, owner: &Value) -> Owner {
    let Some(kind) = state.kind(&kind_of(owner)) else { return Owner::Solid };
    let namespace = if kind.namespaced { dependent.namespace.as_str() } else { "" };
    let key = Key::new(namespace, owner["name"].as_str().unwrap_or_default());
    match state.get(&kind.name, &key) {
        Some(found) if found["metadata"]["uid"] == owner["uid"] => {
            let waits = meta::is_deleting(found) && meta::finalizers(found).contains(&FOREGROUND);
            if waits { Owner::Waiting } else { Owner::Solid }
        }
        _ => Owner::Gone,
    }
}

/// Objects that name this one as an owner.
fn dependents(state: &State, owner: &Value) -> Vec<(Arc<Kind>, Key, Arc<Value>)> {
    let uid = &owner["metadata"]["uid"];
    let mut found = Vec::new();
    for kind in &state.kinds {
        for (key, object) in state.all(&kind.name) {
            if owners(object).iter().any(|reference| reference["uid"] == *uid) {
                found.push((kind.clone(), key.clone(), object.clone()));
            }
        }
    }
    found
}

/// Whether a dependent keeps a foreground deletion from ending.
fn is_blocked(state: &State, owner: &Value) -> bool {
    let uid = &owner["metadata"]["uid"];
    let blocks = |reference: &Value| reference["uid"] == *uid && reference["blockOwnerDeletion"] == true;
    dependents(state, owner).iter().any(|(_, _, object)| owners(object).iter().any(blocks))
}

fn release_dependents(state: &mut State, owner: &Value) {
    let uid = &owner["metadata"]["uid"];
    for (kind, key, object) in dependents(state, owner) {
        let kept: Vec<Value> = owners(&object).into_iter().filter(|reference| reference["uid"] != *uid).collect();
        let mut object = (*object).clone();
        if kept.is_empty() {
            meta::unset(&mut object, "ownerReferences");
        } else {
            meta::set(&mut object, "ownerReferences", kept);
        }
        state.commit(&origin(Verb::Patch), &kind, &key, Some(object));
    }
}

fn drop_finalizer(state: &mut State, kind: &Kind, key: &Key, object: &Value, name: &str) {
    let left: Vec<String> =
        meta::finalizers(object).into_iter().filter(|held| *held != name).map(ToOwned::to_owned).collect();
    let mut object = object.clone();
    meta::set_finalizers(&mut object, &left);
    let after = (!left.is_empty()).then_some(object);
    state.commit(&origin(Verb::Patch), kind, key, after);
}

/// Empties namespaces in deletion, and ends those that are empty.
fn end_namespaces(state: &mut State, kinds: &[Arc<Kind>]) {
    let Some(namespaces) = kinds.iter().find(|kind| builtin::is_namespace(kind)) else { return };
    let going: BTreeSet<String> = state
        .all(&namespaces.name)
        .filter(|(_, object)| meta::is_deleting(object))
        .map(|(key, _)| key.name.clone())
        .collect();
    let options = Options { uid: None, version: None, propagation: Propagation::Background };
    for name in going {
        let mut left = 0;
        for kind in kinds.iter().filter(|kind| kind.namespaced) {
            let inside = state.all(&kind.name).filter(|(key, _)| key.namespace == name);
            let keys: Vec<Key> = inside.map(|(key, _)| key.clone()).collect();
            for key in keys {
                let _ = delete::end(state, kind, &key, &origin(Verb::Delete), &options);
                left += usize::from(state.get(&kind.name, &key).is_some());
            }
        }
        let key = Key::new("", name);
        let object = state.get(&namespaces.name, &key).cloned();
        if let Some(mut object) = object.filter(|_| left == 0).map(|object| (*object).clone()) {
            object["spec"] = json!({});
            let after = (!meta::finalizers(&object).is_empty()).then_some(object);
            state.commit(&origin(Verb::Update), namespaces, &key, after);
        }
    }
}
