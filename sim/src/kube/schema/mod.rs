//! Structural schemas as a CRD has them: parsed once, then used to prune, to fill in defaults and to judge objects.
//!
//! `x-kubernetes-validations` (CEL) is not evaluated: no CRD of this project has such rules, and [`Schema::rules`]
//! counts them so that a test notices when one gets some.

mod defaults;
mod lists;
mod prune;
mod validate;

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::{Map, Value};

pub use validate::{Problem, ProblemKind};

/// How the items of a list are told apart.
#[derive(Debug, Clone, PartialEq, Eq)]
enum ListType {
    /// As a whole.
    Atomic,
    /// Equal items are the same.
    Set,
    /// By the values of these keys.
    Map(Vec<String>),
}

/// What members a schema says nothing about may be.
#[derive(Debug, Clone)]
enum Additional {
    /// They do not exist.
    None,
    /// Anything.
    Any,
    /// Each has this schema.
    Schema(Box<Schema>),
}

/// A pattern; one that this machine cannot compile matches nothing.
#[derive(Debug, Clone)]
struct Pattern {
    text: String,
    regex: Option<Regex>,
}

/// Limits of numbers, texts, lists and objects.
#[derive(Debug, Clone, Default)]
struct Limits {
    minimum: Option<f64>,
    maximum: Option<f64>,
    exclusive_minimum: bool,
    exclusive_maximum: bool,
    min_length: Option<u64>,
    max_length: Option<u64>,
    min_items: Option<u64>,
    max_items: Option<u64>,
    min_properties: Option<u64>,
    max_properties: Option<u64>,
}

/// A structural schema.
#[derive(Debug, Clone)]
pub struct Schema {
    types: Vec<String>,
    format: Option<String>,
    nullable: bool,
    properties: BTreeMap<String, Schema>,
    additional: Additional,
    items: Option<Box<Schema>>,
    required: Vec<String>,
    values: Option<Vec<Value>>,
    limits: Limits,
    pattern: Option<Pattern>,
    default: Option<Value>,
    preserve: bool,
    list: ListType,
    rules: usize,
}

impl Schema {
    /// From `openAPIV3Schema` of a CRD. Members that mean nothing here (descriptions, titles) are passed over; so are
    /// `anyOf` and its like, which in our CRDs only repeat `x-kubernetes-int-or-string`.
    pub fn parse(schema: &Value) -> Self {
        Self::parse_with(schema, &mut BTreeMap::new())
    }

    /// Equal patterns are compiled once: the long ones of addresses occur in many places.
    fn parse_with(schema: &Value, patterns: &mut BTreeMap<String, Pattern>) -> Self {
        let flag = |name: &str| schema[name].as_bool().unwrap_or_default();
        let members = |value: &Value| value.as_object().cloned().unwrap_or_default();
        let mut types: Vec<String> = schema["type"].as_str().map(ToOwned::to_owned).into_iter().collect();
        if flag("x-kubernetes-int-or-string") {
            types = vec!["integer".to_owned(), "string".to_owned()];
        }
        let properties: Map<String, Value> = members(&schema["properties"]);
        let additional = match &schema["additionalProperties"] {
            Value::Bool(true) => Additional::Any,
            object @ Value::Object(_) => Additional::Schema(Box::new(Self::parse_with(object, patterns))),
            _ => Additional::None,
        };
        let pattern = schema["pattern"].as_str().map(|text| {
            let compile = || Pattern { text: text.to_owned(), regex: Regex::new(text).ok() };
            patterns.entry(text.to_owned()).or_insert_with(compile).clone()
        });
        Self {
            types,
            format: schema["format"].as_str().map(ToOwned::to_owned),
            nullable: flag("nullable"),
            properties: properties.iter().map(|(name, p)| (name.clone(), Self::parse_with(p, patterns))).collect(),
            additional,
            items: schema["items"].is_object().then(|| Box::new(Self::parse_with(&schema["items"], patterns))),
            required: texts(&schema["required"]),
            values: schema["enum"].as_array().cloned(),
            limits: Limits::parse(schema),
            pattern,
            default: schema.get("default").cloned(),
            preserve: flag("x-kubernetes-preserve-unknown-fields"),
            list: ListType::parse(schema),
            rules: schema["x-kubernetes-validations"].as_array().map_or(0, Vec::len),
        }
    }

    /// The schema of a member, when it has one.
    pub(crate) fn member(&self, name: &str) -> Option<&Schema> {
        match (self.properties.get(name), &self.additional) {
            (Some(property), _) => Some(property),
            (None, Additional::Schema(schema)) => Some(schema),
            (None, Additional::None | Additional::Any) => None,
        }
    }

    /// The schema of `status`, when there is one.
    pub(crate) fn status(&self) -> Option<&Schema> {
        self.properties.get("status")
    }

    /// How many CEL rules there are, which this server does not evaluate.
    pub fn rules(&self) -> usize {
        let inner = match &self.additional {
            Additional::Schema(schema) => schema.rules(),
            Additional::None | Additional::Any => 0,
        };
        let items = self.items.as_ref().map_or(0, |items| items.rules());
        self.rules + inner + items + self.properties.values().map(Schema::rules).sum::<usize>()
    }
}

impl Limits {
    fn parse(schema: &Value) -> Self {
        let count = |name: &str| schema[name].as_u64();
        Self {
            minimum: schema["minimum"].as_f64(),
            maximum: schema["maximum"].as_f64(),
            exclusive_minimum: schema["exclusiveMinimum"].as_bool().unwrap_or_default(),
            exclusive_maximum: schema["exclusiveMaximum"].as_bool().unwrap_or_default(),
            min_length: count("minLength"),
            max_length: count("maxLength"),
            min_items: count("minItems"),
            max_items: count("maxItems"),
            min_properties: count("minProperties"),
            max_properties: count("maxProperties"),
        }
    }
}

impl ListType {
    fn parse(schema: &Value) -> Self {
        match schema["x-kubernetes-list-type"].as_str() {
            Some("set") => Self::Set,
            Some("map") => Self::Map(texts(&schema["x-kubernetes-list-map-keys"])),
            _ => Self::Atomic,
        }
    }
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(ToOwned::to_owned).collect()
}

#[cfg(test)]
mod tests;
