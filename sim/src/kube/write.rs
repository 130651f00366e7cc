//! Create, update and patch, in the order of checks that the API server has.

use std::sync::Arc;

use kit::key::Key;
use serde_json::{Map, Value, json};

use super::failure::Failure;
use super::kinds::KindName;
use super::meta::{self, Unreadable};
use super::route::Route;
use super::schema::{Problem, ProblemKind};
use super::state::{Origin, State};
use super::{body, builtin, patch};

/// A new object; answers it as it is kept.
pub(crate) fn create(state: &mut State, route: &Route, origin: &Origin, bytes: &[u8]) -> Result<Arc<Value>, Failure> {
    make(state, route, origin, body::object(route, bytes)?)
}

fn make(state: &mut State, route: &Route, origin: &Origin, mut object: Value) -> Result<Arc<Value>, Failure> {
    let kind = &route.kind;
    for member in ["creationTimestamp", "uid", "deletionTimestamp", "deletionGracePeriodSeconds"] {
        meta::unset(&mut object, member);
    }
    fit_namespace(route, &mut object)?;
    admit(state, route, meta::text(&object, "name"))?;

    let prefix = meta::text(&object, "generateName").to_owned();
    if meta::text(&object, "name").is_empty() && !prefix.is_empty() {
        let name = state.new_name(&prefix);
        meta::set(&mut object, "name", name);
    }
    meta::set(&mut object, "creationTimestamp", meta::stamp(state.now()));
    let uid = state.new_uid();
    meta::set(&mut object, "uid", uid);
    if kind.custom {
        meta::set(&mut object, "generation", 1);
        if route.served().status {
            remove(&mut object, "status");
        }
    } else {
        builtin::prepare(kind, &mut object);
    }
    let mut problems = type_problems(route, &object);
    if problems.is_empty() {
        problems = meta::judge_names(&object, builtin::is_namespace(kind));
        problems.extend(meta::judge(&object));
        problems.extend(builtin::judge(kind, &object));
        problems.extend(schema_problems(route, &object));
    }
    refuse(&object, &problems)?;

    let key = Key::of_value(&object);
    let asked = meta::text(&object, "resourceVersion");
    if asked.parse::<u64>().is_ok_and(|version| version != 0) {
        return Err(Failure::new(500, "", "resourceVersion should not be set on objects to be created"));
    }
    if let Some(existing) = state.get(&kind.name, &key) {
        let mut failure = Failure::already_exists(kind, &key.name);
        if meta::is_deleting(existing) {
            failure.message = format!("object is being deleted: {}", failure.message);
        }
        return Err(failure);
    }
    Ok(state.commit(origin, kind, &key, Some(object)))
}

/// Replaces a whole object, or its status. A Lease that is not there is made.
pub(crate) fn update(
    state: &mut State,
    route: &Route,
    origin: &Origin,
    bytes: &[u8],
) -> Result<(u16, Arc<Value>), Failure> {
    let mut object = body::object(route, bytes)?;
    fit_namespace(route, &mut object)?;
    check_name(route, &object)?;
    let uid = meta::text(&object, "uid");
    let other = || Failure::conflict(&route.kind, &route.key.name, "the uid in the precondition is another one");
    let existing = match existing(state, route) {
        Err(_) if builtin::is_made_by_update(&route.kind) && !uid.is_empty() => return Err(other()),
        Err(_) if builtin::is_made_by_update(&route.kind) => {
            meta::unset(&mut object, "resourceVersion");
            return make(state, route, origin, object).map(|made| (201, made));
        }
        existing => existing?,
    };
    if !uid.is_empty() && uid != meta::text(&existing, "uid") {
        return Err(other());
    }
    replace(state, route, origin, &existing, object).map(|kept| (200, kept))
}

/// Applies a merge patch to an object, or to its status.
pub(crate) fn apply(state: &mut State, route: &Route, origin: &Origin, bytes: &[u8]) -> Result<Arc<Value>, Failure> {
    let parsed: Result<Map<String, Value>, _> = serde_json::from_slice(bytes);
    let existing = existing(state, route)?;
    let wanted = parsed.map_err(|error| Failure::bad_request(format!("error decoding patch: {error}")))?;
    let mut object = shown(route, &existing);
    if let Value::Object(members) = &mut object {
        patch::merge(members, wanted);
    }
    body::shape(route, &mut object)
        .map_err(|Unreadable(why)| Failure::invalid("", "", "", &[Problem::new(ProblemKind::Invalid, "patch", why)]))?;
    if object["kind"].as_str().unwrap_or_default().is_empty() {
        return Err(Failure::invalid("", "", "", &[Problem::new(ProblemKind::Invalid, "patch", "kind is missing")]));
    }
    fit_namespace(route, &mut object)?;
    check_name(route, &object)?;
    replace(state, route, origin, &existing, object)
}

/// An object in the version of a request.
pub(crate) fn shown(route: &Route, object: &Value) -> Value {
    let mut object = object.clone();
    object["apiVersion"] = json!(route.api_version());
    object
}

fn existing(state: &State, route: &Route) -> Result<Arc<Value>, Failure> {
    let found = state.get(&route.kind.name, &route.key).cloned();
    found.ok_or_else(|| Failure::not_found(&route.kind, &route.key.name))
}

/// What update and patch have in common once the new object is known.
fn replace(
    state: &mut State,
    route: &Route,
    origin: &Origin,
    existing: &Arc<Value>,
    mut object: Value,
) -> Result<Arc<Value>, Failure> {
    let kind = &route.kind;
    check_version(route, existing, &mut object)?;
    let before = shown(route, existing);
    meta::copy(&before, &mut object, "generation");
    prepare_update(route, &before, &mut object);
    if meta::text(&object, "uid").is_empty() {
        meta::copy(&before, &mut object, "uid");
    }
    meta::copy(&before, &mut object, "creationTimestamp");
    if meta::is_deleting(&before) {
        meta::copy(&before, &mut object, "deletionTimestamp");
    }
    if object["metadata"].get("deletionGracePeriodSeconds").is_none() {
        meta::copy(&before, &mut object, "deletionGracePeriodSeconds");
    }
    let mut problems = meta::judge(&object);
    problems.extend(builtin::judge(kind, &object));
    problems.extend(meta::judge_change(&object, &before));
    let of_type = type_problems(route, &object);
    if of_type.is_empty() {
        // The API server looks twice, and reports twice.
        problems.extend(meta::judge_change(&object, &before));
        problems.extend(schema_problems(route, &object));
    } else {
        problems.extend(of_type);
    }
    refuse(&object, &problems)?;
    if meta::is_deleting(&before) && meta::finalizers(&object).is_empty() && !has_own_finalizers(&object) {
        state.commit(origin, kind, &route.key, None);
        return Ok(Arc::new(object));
    }
    if object == before {
        return Ok(existing.clone());
    }
    Ok(state.commit(origin, kind, &route.key, Some(object)))
}

/// The version that the writer has seen, if it says so, must be the current one.
fn check_version(route: &Route, existing: &Value, object: &mut Value) -> Result<(), Failure> {
    let kind = &route.kind;
    let asked = meta::text(object, "resourceVersion");
    if asked.is_empty() || asked == "0" {
        if !kind.custom && !builtin::is_made_by_update(kind) {
            meta::copy(existing, object, "resourceVersion");
            return Ok(());
        }
        let problem = Problem::new(ProblemKind::Invalid, "metadata.resourceVersion", "must be specified for an update");
        return Err(Failure::invalid(&kind.name.group, &kind.plural, &route.key.name, &[problem]));
    }
    if asked.parse::<u64>().is_err() {
        return Err(Failure::new(500, "", format!("resourceVersion {asked} is no number")));
    }
    if asked != meta::text(existing, "resourceVersion") {
        let why = "the object has been modified; please apply your changes to the latest version and try again";
        return Err(Failure::conflict(kind, &route.key.name, why));
    }
    Ok(())
}

/// Status changes through status alone, everything else only otherwise. All of the metadata of a status write, also a
/// uid meant as a precondition, is passed over.
fn prepare_update(route: &Route, before: &Value, object: &mut Value) {
    if route.subresource.is_some() {
        let status = object.get("status").cloned();
        *object = before.clone();
        put(object, "status", status);
        return;
    }
    if !route.kind.custom {
        builtin::plain_text(object);
        return;
    }
    if route.served().status {
        put(object, "status", before.get("status").cloned());
    }
    let without_metadata = |object: &Value| {
        let mut object = object.clone();
        remove(&mut object, "metadata");
        object
    };
    if without_metadata(object) != without_metadata(before) {
        let generation = before["metadata"]["generation"].as_i64().unwrap_or_default();
        meta::set(object, "generation", generation + 1);
    }
}

/// Namespaces have finalizers of their own in their spec.
fn has_own_finalizers(object: &Value) -> bool {
    object["kind"] == "Namespace" && object["spec"]["finalizers"].as_array().is_some_and(|names| !names.is_empty())
}

/// The namespace of the object is that of the request, or absent.
fn fit_namespace(route: &Route, object: &mut Value) -> Result<(), Failure> {
    let named = meta::text(object, "namespace");
    if named == route.key.namespace {
        return Ok(());
    }
    if named.is_empty() {
        meta::set(object, "namespace", route.key.namespace.clone());
        return Ok(());
    }
    if route.key.namespace.is_empty() {
        meta::unset(object, "namespace");
        return Ok(());
    }
    Err(Failure::bad_request("the namespace of the provided object does not match the namespace sent on the request"))
}

fn check_name(route: &Route, object: &Value) -> Result<(), Failure> {
    let (name, wanted) = (meta::text(object, "name"), &route.key.name);
    if name == wanted {
        return Ok(());
    }
    Err(Failure::bad_request(format!("the name of the object ({name}) does not match the name on the URL ({wanted})")))
}

/// Nothing is created in a namespace that is not there, or going.
fn admit(state: &State, route: &Route, name: &str) -> Result<(), Failure> {
    if !route.kind.namespaced {
        return Ok(());
    }
    let namespace = &route.key.namespace;
    let found = state.get(&KindName::new("", "Namespace"), &Key::new("", namespace.as_str()));
    match found {
        None => Err(Failure::no_namespace(namespace)),
        Some(found) if meta::is_deleting(found) => Err(Failure::terminating(&route.kind, name, namespace)),
        Some(_) => Ok(()),
    }
}

/// An object that says it is of another kind is not looked at any further.
fn type_problems(route: &Route, object: &Value) -> Vec<Problem> {
    let expected = [("kind", route.kind.name.kind.clone()), ("apiVersion", route.api_version())];
    let wrong = expected.into_iter().filter(|(member, wanted)| object[member].as_str() != Some(wanted));
    wrong.map(|(member, wanted)| Problem::new(ProblemKind::Invalid, member, format!("must be {wanted}"))).collect()
}

fn schema_problems(route: &Route, object: &Value) -> Vec<Problem> {
    let Some(schema) = &route.served().schema else { return Vec::new() };
    let mut problems = if route.subresource.is_some() {
        let judged = schema.status().zip(object.get("status"));
        judged.map(|(schema, status)| schema.judge(status, "status")).unwrap_or_default()
    } else {
        schema.judge(object, "")
    };
    problems.extend(schema.duplicates(object, ""));
    if schema.rules() > 0 && problems.iter().any(|problem| blocks(problem.kind)) {
        problems.push(Problem::new(ProblemKind::Invalid, "<nil>", "not everything was checked"));
    }
    problems
}

/// Such problems keep the API server from looking at CEL rules, which it then says.
fn blocks(kind: ProblemKind) -> bool {
    match kind {
        ProblemKind::NotSupported
        | ProblemKind::Required
        | ProblemKind::TooLong
        | ProblemKind::TooMany
        | ProblemKind::TypeInvalid => true,
        ProblemKind::Invalid | ProblemKind::Forbidden | ProblemKind::Duplicate => false,
    }
}

/// The failure names group and kind as the object itself does.
fn refuse(object: &Value, problems: &[Problem]) -> Result<(), Failure> {
    if problems.is_empty() {
        return Ok(());
    }
    let group = object["apiVersion"].as_str().and_then(|version| version.split_once('/')).map(|(group, _)| group);
    let kind = object["kind"].as_str().unwrap_or_default();
    Err(Failure::invalid(group.unwrap_or_default(), kind, meta::text(object, "name"), problems))
}

fn put(object: &mut Value, member: &str, value: Option<Value>) {
    match value {
        Some(value) => object[member] = value,
        None => remove(object, member),
    }
}

fn remove(object: &mut Value, member: &str) {
    if let Some(members) = object.as_object_mut() {
        members.remove(member);
    }
}

/// The key of an object as JSON.
pub(crate) trait KeyOfValue {
    /// Namespace and name.
    fn of_value(object: &Value) -> Self;
}

impl KeyOfValue for Key {
    fn of_value(object: &Value) -> Self {
        Self::new(meta::text(object, "namespace"), meta::text(object, "name"))
    }
}
