//! Conversion between v1beta1 and v1beta2, without loss in either direction.
//!
//! | file | what |
//! |---|---|
//! | here | [`convert`]: shape, restore, keep |
//! | [`shape`] | the same object in the other version's shape, kind by kind |
//! | [`restore`] | what the shape could not hold, put back where nothing was changed meanwhile |
//! | [`duration`] | durations as v1beta1 writes them |
//!
//! It works on JSON, so that fields and values of other builds survive. What one version cannot hold is kept in the
//! annotation `cluster.x-k8s.io/conversion-data` as the JSON of the original object, as Cluster API providers do.

mod duration;
mod restore;
mod shape;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

use super::GROUP;
use crate::names::annotation::CAPI_CONVERSION_DATA;
use restore::{covers, restore};
use shape::{Direction, reshape};

/// Why an object cannot be converted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConvertError {
    /// Not one of this group's kinds.
    UnknownKind(String),
    /// A version other than v1beta1 and v1beta2 is in the object or wanted.
    UnknownVersion(String),
}

impl std::fmt::Display for ConvertError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::UnknownKind(kind) => write!(f, "{kind:?} is not a kind of {GROUP}"),
            Self::UnknownVersion(version) => write!(f, "{version:?} is not {GROUP}/v1beta1 or {GROUP}/v1beta2"),
        }
    }
}

impl std::error::Error for ConvertError {}

/// Every kind that [`convert`] knows.
pub const KINDS: [&str; 9] = [
    "Metal3Cluster",
    "Metal3ClusterTemplate",
    "Metal3Machine",
    "Metal3MachineTemplate",
    "Metal3DataTemplate",
    "Metal3Data",
    "Metal3DataClaim",
    "Metal3Remediation",
    "Metal3RemediationTemplate",
];

/// The object in the wanted `group/version`.
pub fn convert(mut object: Value, wanted: &str) -> Result<Value, ConvertError> {
    let kind = object["kind"].as_str().unwrap_or_default().to_owned();
    let from = object["apiVersion"].as_str().unwrap_or_default().to_owned();
    if !KINDS.contains(&kind.as_str()) {
        return Err(ConvertError::UnknownKind(kind));
    }
    let direction = Direction::between(version_of(&from)?, version_of(wanted)?);
    let Some(direction) = direction else { return Ok(object) };

    let kept = take_annotation(&mut object).and_then(|text| kept_object(&text, &kind, wanted, direction));
    let before = body(&object);
    let mut after = before.clone();
    reshape(&kind, direction, &mut after);
    if let Some(kept) = kept {
        let mut seen = kept.clone();
        reshape(&kind, direction.back(), &mut seen);
        reshape(&kind, direction, &mut seen);
        restore(&kept, &seen, &mut after);
    }
    let mut back = after.clone();
    reshape(&kind, direction.back(), &mut back);
    if !covers(&back, &before) {
        set_annotation(&mut object, &kind, &from, before);
    }
    if let Some(map) = object.as_object_mut() {
        map.remove("spec");
        map.remove("status");
        map.insert("apiVersion".into(), wanted.into());
        if let Value::Object(after) = after {
            map.extend(after);
        }
    }
    Ok(object)
}

fn version_of(api_version: &str) -> Result<&str, ConvertError> {
    match api_version.split_once('/') {
        Some((group, version @ ("v1beta1" | "v1beta2"))) if group == GROUP => Ok(version),
        Some(_) | None => Err(ConvertError::UnknownVersion(api_version.to_owned())),
    }
}

/// Spec and status, the parts that have a shape.
fn body(object: &Value) -> Value {
    let parts = ["spec", "status"].into_iter().filter_map(|name| Some((name.to_owned(), object.get(name)?.clone())));
    Value::Object(parts.collect())
}

fn take_annotation(object: &mut Value) -> Option<String> {
    let metadata = object.get_mut("metadata")?.as_object_mut()?;
    let annotations = metadata.get_mut("annotations")?.as_object_mut()?;
    let text = annotations.remove(CAPI_CONVERSION_DATA)?;
    if annotations.is_empty() {
        metadata.remove("annotations");
    }
    text.as_str().map(str::to_owned)
}

fn set_annotation(object: &mut Value, kind: &str, api_version: &str, mut kept: Value) {
    kept["apiVersion"] = api_version.into();
    kept["kind"] = kind.into();
    object["metadata"]["annotations"][CAPI_CONVERSION_DATA] = kept.to_string().into();
}

/// The annotation's object, when it is one of the version wanted. Go peers write no `apiVersion` into the one that
/// goes with a v1beta1 object. Text that does not parse is dropped: it cannot be of use to anyone.
fn kept_object(text: &str, kind: &str, wanted: &str, direction: Direction) -> Option<Value> {
    let kept: Value = serde_json::from_str(text).ok()?;
    let own_kind = kept["kind"].as_str().is_none_or(|own| own.is_empty() || own == kind);
    let own_version = match kept["apiVersion"].as_str() {
        None | Some("") => direction == Direction::Up,
        Some(version) => version == wanted,
    };
    (kept.is_object() && own_kind && own_version).then(|| body(&kept))
}

/// A member object, made when it is missing.
fn child<'a>(map: &'a mut Map<String, Value>, name: &str) -> Option<&'a mut Map<String, Value>> {
    map.entry(name).or_insert_with(|| Value::Object(Map::new())).as_object_mut()
}
