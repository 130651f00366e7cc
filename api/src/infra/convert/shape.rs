//! The same object in the other version's shape. Nothing is remembered here: see `restore` for what does not fit.

use serde_json::{Map, Value, json};

use super::{child, duration};

type Object = Map<String, Value>;

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// v1beta1 to v1beta2.
    Up,
    /// v1beta2 to v1beta1.
    Down,
}

impl Direction {
    /// The way from one version to another; `None` when they are the same.
    pub(super) fn between(from: &str, to: &str) -> Option<Self> {
        match (from, to) {
            ("v1beta1", "v1beta2") => Some(Self::Up),
            ("v1beta2", "v1beta1") => Some(Self::Down),
            _ => None,
        }
    }
    /// The opposite way.
    pub(super) fn back(self) -> Self {
        match self {
            Self::Up => Self::Down,
            Self::Down => Self::Up,
        }
    }
}

/// Changes `body` (spec and status) from one shape to the other.
pub(super) fn reshape(kind: &str, way: Direction, body: &mut Value) {
    let mut at = |path: &str, change: &dyn Fn(&mut Object, Direction)| {
        if let Some(Value::Object(object)) = body.pointer_mut(path) {
            change(object, way);
        }
    };
    match kind {
        "Metal3Cluster" => {
            at("/spec", &cluster);
            at("/status", &cluster_status);
        }
        "Metal3ClusterTemplate" => {
            at("/spec/template", &template);
            at("/spec/template/spec", &cluster);
        }
        "Metal3Machine" => {
            at("/spec", &machine);
            at("/status", &machine_status);
        }
        "Metal3MachineTemplate" => {
            at("/spec/template", &template);
            at("/spec/template/spec", &machine);
        }
        "Metal3DataTemplate" => {
            at("/spec", &data_template);
            at("/spec/metaData", &meta_data);
            at("/spec/networkData/links", &links);
            at("/status", &data_template_status);
        }
        "Metal3Data" => at("/spec", &data),
        "Metal3DataClaim" => {
            at("/spec", &|spec, way| reference(spec, "template", way));
            at("/status", &|status, way| reference(status, "renderedData", way));
        }
        "Metal3Remediation" => at("/spec/strategy", &strategy),
        "Metal3RemediationTemplate" => at("/spec/template/spec/strategy", &strategy),
        _ => {}
    }
}

fn cluster(spec: &mut Object, way: Direction) {
    failure_domains(spec, way);
    match way {
        Direction::Up => {
            // The older, inverse field drives the mode where the newer one is missing.
            let old = spec.remove("noCloudProvider").and_then(|value| value.as_bool());
            if let Some(old) = old
                && !spec.contains_key("cloudProviderEnabled")
            {
                spec.insert("cloudProviderEnabled".into(), json!(!old));
            }
        }
        Direction::Down => {
            if let Some(enabled) = spec.get("cloudProviderEnabled").and_then(Value::as_bool) {
                spec.insert("noCloudProvider".into(), json!(!enabled));
            }
        }
    }
}

fn cluster_status(status: &mut Object, way: Direction) {
    failure_domains(status, way);
    readiness(status, way);
}

/// A map by name in v1beta1, a list in v1beta2.
fn failure_domains(parent: &mut Object, way: Direction) {
    by_name(
        parent,
        "failureDomains",
        way,
        |name, domain| {
            let mut domain = domain;
            if let Some(map) = domain.as_object_mut() {
                map.insert("name".into(), name.into());
            }
            domain
        },
        |entry| {
            let name = entry.remove("name")?.as_str()?.to_owned();
            Some((name, Value::Object(entry.clone())))
        },
    );
}

/// Between a map by name (v1beta1) and a list in the order of names (v1beta2).
fn by_name(
    parent: &mut Object,
    field: &str,
    way: Direction,
    entry: impl Fn(&str, Value) -> Value,
    member: impl Fn(&mut Object) -> Option<(String, Value)>,
) {
    let changed = match (way, parent.get_mut(field)) {
        (Direction::Up, Some(Value::Object(map))) => {
            let mut names: Vec<_> = map.keys().cloned().collect();
            names.sort();
            let list = names.iter().filter_map(|name| Some(entry(name, map.remove(name)?)));
            Value::Array(list.collect())
        }
        (Direction::Down, Some(Value::Array(list))) => {
            let members = list.iter_mut().filter_map(Value::as_object_mut).filter_map(member);
            Value::Object(members.collect())
        }
        (Direction::Up | Direction::Down, _) => return,
    };
    parent.insert(field.to_owned(), changed);
}

fn machine(spec: &mut Object, way: Direction) {
    reference(spec, "dataTemplate", way);
    if let Some(Value::Object(image)) = spec.get_mut("image") {
        rename(image, "format", "diskFormat", way);
    }
}

fn machine_status(status: &mut Object, way: Direction) {
    reference(status, "renderedData", way);
    readiness(status, way);
    if way == Direction::Up {
        status.remove("phase");
    }
}

/// Readiness, conditions of both generations and failures have other places in v1beta2.
fn readiness(status: &mut Object, way: Direction) {
    match way {
        Direction::Up => {
            let old = status.remove("conditions");
            let new = take_from(status, &["v1beta2"], "conditions");
            put(status, &["initialization"], "provisioned", status_value(status, "ready"));
            put(status, &["deprecated", "v1beta1"], "conditions", old);
            for name in ["failureReason", "failureMessage"] {
                put(status, &["deprecated", "v1beta1"], name, status_value(status, name));
                status.remove(name);
            }
            status.remove("ready");
            put(status, &[], "conditions", new);
        }
        Direction::Down => {
            let new = status.remove("conditions");
            let ready = take_from(status, &["initialization"], "provisioned");
            let old = take_from(status, &["deprecated", "v1beta1"], "conditions");
            for name in ["failureReason", "failureMessage"] {
                let value = take_from(status, &["deprecated", "v1beta1"], name);
                put(status, &[], name, value);
            }
            status.remove("initialization");
            status.remove("deprecated");
            put(status, &[], "ready", ready);
            put(status, &["v1beta2"], "conditions", new);
            put(status, &[], "conditions", old);
        }
    }
}

fn status_value(status: &Object, name: &str) -> Option<Value> {
    status.get(name).cloned()
}

/// Takes a member at a path, and removes the members on the way that it leaves empty.
fn take_from(parent: &mut Object, path: &[&str], name: &str) -> Option<Value> {
    let Some((first, rest)) = path.split_first() else { return parent.remove(name) };
    let below = parent.get_mut(*first)?.as_object_mut()?;
    let value = take_from(below, rest, name);
    if below.is_empty() {
        parent.remove(*first);
    }
    value
}

/// Puts a value, if there is one, at a path that is made as needed.
fn put(parent: &mut Object, path: &[&str], name: &str, value: Option<Value>) {
    let Some(value) = value else { return };
    let place = path.iter().try_fold(parent, |map, step| child(map, step));
    if let Some(place) = place {
        place.insert(name.to_owned(), value);
    }
}

/// Templates have labels and annotations for their clones only in v1beta2.
fn template(template: &mut Object, way: Direction) {
    if way == Direction::Down {
        template.remove("metadata");
    }
}

/// References are reduced to name and namespace in v1beta2.
fn reference(parent: &mut Object, field: &str, way: Direction) {
    if way == Direction::Up
        && let Some(Value::Object(reference)) = parent.get_mut(field)
    {
        reference.retain(|name, _| name == "name" || name == "namespace");
    }
}

fn rename(parent: &mut Object, old: &str, new: &str, way: Direction) {
    let (from, to) = match way {
        Direction::Up => (old, new),
        Direction::Down => (new, old),
    };
    if let Some(value) = parent.remove(from) {
        parent.insert(to.to_owned(), value);
    }
}

fn data_template(spec: &mut Object, way: Direction) {
    if way == Direction::Up {
        spec.remove("templateReference");
    }
}

fn meta_data(meta_data: &mut Object, way: Direction) {
    for name in ["ipAddressesFrom", "prefixesFrom", "gatewaysFrom", "dnsServersFrom"] {
        rename(meta_data, &format!("{name}IPPool"), &format!("{name}Pool"), way);
    }
}

fn links(links: &mut Object, way: Direction) {
    let bonds = links.get_mut("bonds").and_then(Value::as_array_mut).into_iter().flatten();
    for bond in bonds.filter_map(Value::as_object_mut) {
        by_name(
            bond,
            "parameters",
            way,
            |name, value| json!({"name": name, "value": value}),
            |entry| {
                let name = entry.get("name")?.as_str()?.to_owned();
                Some((name, entry.remove("value").unwrap_or(Value::Null)))
            },
        );
    }
}

/// Indexes are a map from the claim's name in v1beta1, a list in the order of indexes in v1beta2.
fn data_template_status(status: &mut Object, way: Direction) {
    by_name(
        status,
        "indexes",
        way,
        |name, index| json!({"name": name, "index": index}),
        |entry| Some((entry.get("name")?.as_str()?.to_owned(), entry.remove("index")?)),
    );
    if let (Direction::Up, Some(Value::Array(list))) = (way, status.get_mut("indexes")) {
        list.sort_by_key(|entry| entry["index"].as_i64());
    }
}

fn data(spec: &mut Object, way: Direction) {
    reference(spec, "template", way);
    reference(spec, "claim", way);
    if way == Direction::Up {
        spec.remove("templateReference");
    }
}

fn strategy(strategy: &mut Object, way: Direction) {
    match way {
        Direction::Up => {
            let timeout = strategy.remove("timeout");
            if let Some(seconds) = timeout.as_ref().and_then(Value::as_str).and_then(duration::seconds) {
                strategy.insert("timeoutSeconds".into(), seconds.into());
            }
        }
        Direction::Down => {
            if let Some(seconds) = strategy.remove("timeoutSeconds").as_ref().and_then(Value::as_i64) {
                strategy.insert("timeout".into(), duration::text(seconds).into());
            }
        }
    }
}
