//! Get and list.

use std::sync::Arc;

use kit::key::Key;
use serde_json::{Value, json};

use super::failure::Failure;
use super::route::Route;
use super::schema::{Problem, ProblemKind};
use super::selector::Selector;
use super::state::State;
use super::write::shown;

/// One object.
pub(crate) fn get(state: &State, route: &Route) -> Result<Value, Failure> {
    if let Some(version) = route.resource_version()?.filter(|version| *version > state.version) {
        return Err(Failure::too_large(version, state.version));
    }
    let found = state.get(&route.kind.name, &route.key);
    found.map(|object| shown(route, object)).ok_or_else(|| Failure::not_found(&route.kind, &route.key.name))
}

/// Where a list goes on: the version it shows and the last key it had.
#[derive(Debug, PartialEq, Eq)]
struct Continue {
    version: u64,
    after: String,
}

impl Continue {
    fn parse(token: &str) -> Result<Self, Failure> {
        let wrong = || Failure::bad_request("invalid continue token");
        let (version, after) = token.split_once('.').ok_or_else(wrong)?;
        Ok(Self { version: version.parse().map_err(|_| wrong())?, after: after.to_owned() })
    }
}

/// A list, whole or by pages.
pub(crate) fn list(state: &State, route: &Route) -> Result<Value, Failure> {
    let selector = Selector::parse(route.parameter("labelSelector"), route.parameter("fieldSelector"))?;
    let limit = match route.parameter("limit") {
        "" => 0,
        text => text.parse::<usize>().map_err(|_| Failure::bad_request("limit is no number"))?,
    };
    let from = Some(route.parameter("continue")).filter(|token| !token.is_empty()).map(Continue::parse).transpose()?;
    // From its cache the API server gives the whole list, whatever the limit.
    let limit = if from.is_none() && route.parameter("resourceVersion") == "0" { 0 } else { limit };
    let exact = is_exact(route, limit, from.is_some())?;
    let selector = selector.checked()?;
    let version = version(state, route, exact, from.as_ref())?;
    let mut all = state.at(&route.kind.name, version);
    all.retain(|(key, _)| in_scope(route, key) && from.as_ref().is_none_or(|from| key.to_string() > from.after));
    // Of one object there are no pages.
    all.retain(|(key, _)| selector.single().is_none_or(|name| key.name == name));
    let mut items = Vec::new();
    let mut next = None;
    for (i, (key, object)) in all.iter().enumerate() {
        if selector.matches(object) {
            items.push(&**object);
        }
        if limit > 0 && items.len() >= limit {
            next = (i + 1 < all.len()).then_some(key);
            break;
        }
    }
    let count = items.len();
    let mut list = list_of(route, version, items.into_iter());
    if let Some(key) = next {
        list["metadata"]["continue"] = json!(format!("{version}.{key}"));
        if selector.is_all() {
            list["metadata"]["remainingItemCount"] = json!(all.len() - count);
        }
    }
    Ok(list)
}

/// Whether a list shows exactly the version that it asks for, by `resourceVersionMatch`.
fn is_exact(route: &Route, limit: usize, goes_on: bool) -> Result<bool, Failure> {
    let asked = route.parameter("resourceVersion");
    let why = match route.parameter("resourceVersionMatch") {
        "" => return Ok(limit > 0),
        _ if asked.is_empty() => "only together with resourceVersion",
        _ if goes_on => "not together with continue",
        "Exact" if asked == "0" => "0 is no exact version",
        "Exact" => return Ok(true),
        "NotOlderThan" => return Ok(false),
        other => return Err(Failure::not_simulated(&format!("resourceVersionMatch {other}"))),
    };
    let problem = Problem::new(ProblemKind::Forbidden, "resourceVersionMatch", why);
    Err(Failure::invalid("meta.k8s.io", "ListOptions", "", &[problem]))
}

/// The version that a list shows.
fn version(state: &State, route: &Route, exact: bool, from: Option<&Continue>) -> Result<u64, Failure> {
    let asked = route.resource_version()?;
    if let Some(from) = from {
        if asked.is_some_and(|version| version != 0) {
            return Err(Failure::bad_request("specifying resource version is not allowed when using continue"));
        }
        if from.version < state.compacted {
            return Err(Failure::expired(
                "the list that this token goes on with is not kept any more; start a new one",
            ));
        }
        return Ok(from.version);
    }
    match asked {
        None | Some(0) => Ok(state.version),
        Some(version) if version > state.version => Err(Failure::too_large(version, state.version)),
        Some(version) if exact && version < state.compacted => {
            Err(Failure::expired("The resourceVersion for the provided list is too old."))
        }
        Some(version) if exact => Ok(version),
        Some(_) => Ok(state.version),
    }
}

/// The current objects of a scope that a selector chooses.
pub(crate) fn select(state: &State, route: &Route, selector: &Selector) -> Vec<(Key, Arc<Value>)> {
    let mut all = state.at(&route.kind.name, state.version);
    all.retain(|(key, object)| in_scope(route, key) && selector.matches(object));
    all
}

/// Whether an object is in the namespace of a list or watch.
pub(crate) fn in_scope(route: &Route, key: &Key) -> bool {
    route.key.namespace.is_empty() || key.namespace == route.key.namespace
}

/// The body of a list.
pub(crate) fn list_of<'a>(route: &Route, version: u64, items: impl Iterator<Item = &'a Value>) -> Value {
    // Items of built-in kinds do not say what they are.
    let item = |object: &Value| {
        let mut object = shown(route, object);
        if let Some(members) = object.as_object_mut().filter(|_| !route.kind.custom) {
            members.remove("apiVersion");
            members.remove("kind");
        }
        object
    };
    json!({
        "apiVersion": route.api_version(),
        "kind": format!("{}List", route.kind.name.kind),
        "metadata": { "resourceVersion": version.to_string() },
        "items": items.map(item).collect::<Vec<_>>(),
    })
}
