//! Delete and delete-collection: preconditions, propagation, finalizers.

use std::sync::Arc;

use kit::key::Key;
use serde_json::{Value, json};

use super::builtin;
use super::failure::Failure;
use super::kinds::Kind;
use super::meta::{self, FOREGROUND, ORPHAN};
use super::read;
use super::route::Route;
use super::schema::{Problem, ProblemKind};
use super::selector::Selector;
use super::state::{Origin, State};

/// What becomes of the objects that an object owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Propagation {
    /// Not said: as finalizers of the object say, else as `Background`.
    Unset,
    /// They are deleted afterwards.
    Background,
    /// They are deleted before.
    Foreground,
    /// They stay.
    Orphan,
}

/// The options of a deletion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) uid: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) propagation: Propagation,
}

/// What is left after a deletion.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Left {
    /// The object waits for its finalizers.
    Held(Arc<Value>),
    /// Nothing; the object as it was last.
    Nothing(Arc<Value>),
}

impl Options {
    /// From body or query.
    pub(crate) fn parse(route: &Route, bytes: &[u8]) -> Result<Self, Failure> {
        let wrong = |why: &str| Failure::bad_request(format!("delete options: {why}"));
        let body: Value = if bytes.is_empty() {
            json!({ "propagationPolicy": Some(route.parameter("propagationPolicy")).filter(|policy| !policy.is_empty()) })
        } else {
            serde_json::from_slice(bytes).map_err(|error| wrong(&error.to_string()))?
        };
        for member in ["dryRun", "orphanDependents", "ignoreStoreReadErrorWithClusterBreakingPotential"] {
            if body.get(member).is_some_and(|value| !value.is_null()) {
                return Err(Failure::not_simulated(member));
            }
        }
        let propagation = match body["propagationPolicy"].as_str() {
            None => Propagation::Unset,
            Some("Background") => Propagation::Background,
            Some("Foreground") => Propagation::Foreground,
            Some("Orphan") => Propagation::Orphan,
            Some(other) => {
                let problem = Problem::new(ProblemKind::NotSupported, "propagationPolicy", other);
                return Err(Failure::invalid("meta.k8s.io", "DeleteOptions", "", &[problem]));
            }
        };
        let condition = |name: &str| body["preconditions"][name].as_str().map(ToOwned::to_owned);
        Ok(Self { uid: condition("uid"), version: condition("resourceVersion"), propagation })
    }
}

/// Deletes one object.
pub(crate) fn delete(state: &mut State, route: &Route, origin: &Origin, bytes: &[u8]) -> Result<Value, Failure> {
    let options = Options::parse(route, bytes)?;
    match end(state, &route.kind, &route.key, origin, &options)? {
        Left::Held(object) => Ok(super::write::shown(route, &object)),
        Left::Nothing(object) => {
            let mut details =
                json!({ "name": route.key.name, "kind": route.kind.plural, "uid": object["metadata"]["uid"] });
            if !route.kind.name.group.is_empty() {
                details["group"] = json!(route.kind.name.group);
            }
            Ok(json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details,
            }))
        }
    }
}

/// Deletes every object that a list would have; answers that list.
pub(crate) fn delete_all(state: &mut State, route: &Route, origin: &Origin, bytes: &[u8]) -> Result<Value, Failure> {
    let selector = Selector::parse(route.parameter("labelSelector"), route.parameter("fieldSelector"))?.checked()?;
    let options = Options::parse(route, bytes)?;
    let found = read::select(state, route, &selector);
    let list = read::list_of(route, state.version, found.iter().map(|(_, object)| &**object));
    for (key, _) in &found {
        end(state, &route.kind, key, origin, &options)?;
    }
    Ok(list)
}

/// Marks an object as being deleted when something holds it, else takes it away.
pub(crate) fn end(
    state: &mut State,
    kind: &Kind,
    key: &Key,
    origin: &Origin,
    options: &Options,
) -> Result<Left, Failure> {
    let existing = state.get(&kind.name, key).cloned().ok_or_else(|| Failure::not_found(kind, &key.name))?;
    check(kind, key, &existing, options)?;
    let finalizers = finalizers_after(&existing, options.propagation);
    if finalizers.is_empty() && !holds_itself(kind, &existing) {
        state.commit(origin, kind, key, None);
        return Ok(Left::Nothing(existing));
    }
    let mut object = (*existing).clone();
    meta::set_finalizers(&mut object, &finalizers);
    if !meta::is_deleting(&object) {
        if let Some(generation) = object["metadata"]["generation"].as_i64() {
            meta::set(&mut object, "generation", generation + 1);
        }
        meta::set(&mut object, "deletionTimestamp", meta::stamp(state.now()));
    }
    if builtin::is_namespace(kind) {
        object["status"]["phase"] = json!("Terminating");
    } else {
        meta::set(&mut object, "deletionGracePeriodSeconds", 0);
    }
    if object == *existing {
        return Ok(Left::Held(existing));
    }
    Ok(Left::Held(state.commit(origin, kind, key, Some(object))))
}

/// A conflict of a deletion names the kind where others name the plural.
fn check(kind: &Kind, key: &Key, existing: &Value, options: &Options) -> Result<(), Failure> {
    let differs = |wanted: &Option<String>, name: &str| {
        wanted.as_ref().is_some_and(|wanted| wanted != meta::text(existing, name))
    };
    let why = if differs(&options.uid, "uid") {
        "the object of the precondition's uid is another one"
    } else if differs(&options.version, "resourceVersion") {
        "the object has changed since the version of the precondition"
    } else {
        return Ok(());
    };
    let named = Kind { plural: kind.name.kind.clone(), ..kind.clone() };
    Err(Failure::conflict(&named, &key.name, why))
}

/// The finalizers that a deletion leaves or adds.
fn finalizers_after(existing: &Value, propagation: Propagation) -> Vec<String> {
    let before = meta::finalizers(existing);
    let added = match propagation {
        Propagation::Orphan => Some(ORPHAN),
        Propagation::Foreground => Some(FOREGROUND),
        Propagation::Background => None,
        Propagation::Unset => before.iter().copied().find(|name| matches!(*name, ORPHAN | FOREGROUND)),
    };
    let others = before.iter().copied().filter(|name| !matches!(*name, ORPHAN | FOREGROUND));
    let after: Vec<String> = others.chain(added).map(ToOwned::to_owned).collect();
    let same = after.len() == before.len() && after.iter().all(|name| before.contains(&name.as_str()));
    // Nothing is reordered for its own sake.
    if same { before.into_iter().map(ToOwned::to_owned).collect() } else { after }
}

fn holds_itself(kind: &Kind, existing: &Value) -> bool {
    builtin::is_namespace(kind) && existing["spec"]["finalizers"].as_array().is_some_and(|names| !names.is_empty())
}
