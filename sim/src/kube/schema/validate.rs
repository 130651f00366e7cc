//! Judges a value by a schema: everything wrong is found at once, each with the API server's kind of error and path.

use serde_json::Value;

use super::{Additional, Schema};

/// The API server's classes of field errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProblemKind {
    /// Missing.
    Required,
    /// Of the wrong type or format.
    TypeInvalid,
    /// Not a possible value.
    Invalid,
    /// Not in the list of possible values.
    NotSupported,
    /// Not allowed here.
    Forbidden,
    /// Twice.
    Duplicate,
    /// Text too long.
    TooLong,
    /// Too many items or members.
    TooMany,
}

impl ProblemKind {
    /// The `reason` of a cause.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Required => "FieldValueRequired",
            Self::TypeInvalid => "FieldValueTypeInvalid",
            Self::Invalid => "FieldValueInvalid",
            Self::NotSupported => "FieldValueNotSupported",
            Self::Forbidden => "FieldValueForbidden",
            Self::Duplicate => "FieldValueDuplicate",
            Self::TooLong => "FieldValueTooLong",
            Self::TooMany => "FieldValueTooMany",
        }
    }
}

/// One thing that is wrong with an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Class.
    pub kind: ProblemKind,
    /// Path of the field.
    pub field: String,
    /// For people.
    pub message: String,
}

impl Problem {
    /// From its parts.
    pub fn new(kind: ProblemKind, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind, field: field.into(), message: message.into() }
    }
}

/// What collects problems. `root` stands for problems that the API server reports without a path of their own.
struct Judge<'a> {
    prefix: &'a str,
    found: Vec<Problem>,
}

impl Schema {
    /// What is wrong with a value; `prefix` is the path of the value within its object.
    pub(crate) fn judge(&self, value: &Value, prefix: &str) -> Vec<Problem> {
        let mut judge = Judge { prefix, found: Vec::new() };
        judge.value(self, value, "");
        judge.found
    }
}

impl Judge<'_> {
    fn add(&mut self, kind: ProblemKind, path: &str, message: impl Into<String>) {
        let field = match (self.prefix, path) {
            ("", "") => "<nil>".to_owned(),
            (prefix, "") => prefix.to_owned(),
            ("", path) => path.to_owned(),
            (prefix, path) => format!("{prefix}.{path}"),
        };
        self.found.push(Problem::new(kind, field, message));
    }

    fn value(&mut self, schema: &Schema, value: &Value, path: &str) {
        self.of_type(schema, value, path);
        match value {
            Value::String(text) => self.text(schema, text, path),
            Value::Number(_) => self.number(schema, value, path),
            Value::Array(items) => self.items(schema, items, path),
            Value::Object(_) | Value::Null | Value::Bool(_) => {}
        }
        if let Some(values) = &schema.values
            && !values.contains(value)
        {
            let known: Vec<String> = values.iter().map(ToString::to_string).collect();
            self.add(ProblemKind::NotSupported, path, format!("known: {}", known.join(", ")));
        }
        if value.is_object() {
            self.members(schema, value, path);
        }
    }

    fn of_type(&mut self, schema: &Schema, value: &Value, path: &str) {
        let wanted = |name: &str| schema.types.iter().any(|wanted| wanted == name);
        let numeric = wanted("integer") || wanted("number");
        let fits = match value {
            Value::Null => schema.types.is_empty() || schema.nullable,
            _ if schema.types.is_empty() => true,
            Value::Bool(_) => wanted("boolean"),
            // Text with a format is left to the format.
            Value::String(_) => wanted("string") || (schema.format.is_some() && !numeric),
            Value::Array(_) => wanted("array") || (schema.format.is_some() && !numeric),
            Value::Object(_) => wanted("object"),
            Value::Number(number) => wanted("number") || (wanted("integer") && (number.is_i64() || number.is_u64())),
        };
        if !fits {
            self.add(ProblemKind::TypeInvalid, path, format!("must be of type {}", schema.types.join(",")));
        }
    }

    fn text(&mut self, schema: &Schema, text: &str, path: &str) {
        let length = text.chars().count() as u64;
        let limits = &schema.limits;
        if limits.max_length.is_some_and(|most| length > most) {
            self.add(ProblemKind::TooLong, path, "too long");
        } else if limits.min_length.is_some_and(|least| length < least) {
            self.add(ProblemKind::Invalid, path, "too short");
        } else if let Some(pattern) = &schema.pattern
            && !pattern.regex.as_ref().is_some_and(|regex| regex.is_match(text))
        {
            self.add(ProblemKind::Invalid, path, format!("does not match {}", pattern.text));
        }
        if schema.format.as_deref() == Some("date-time") && !is_date_time(text) {
            self.add(ProblemKind::TypeInvalid, path, "must be a time like 2026-01-31T12:00:00Z");
        }
    }

    fn number(&mut self, schema: &Schema, value: &Value, path: &str) {
        let (limits, number) = (&schema.limits, value.as_f64().unwrap_or_default());
        if schema.types == ["integer"] && !in_range(schema.format.as_deref(), value) {
            // Reported without a path.
            self.add(ProblemKind::Invalid, "", format!("{path} must be a whole number in range"));
        }
        if let Some(least) = limits.minimum
            && (number < least || (limits.exclusive_minimum && number <= least))
        {
            self.add(ProblemKind::Invalid, path, format!("less than {least}"));
        }
        if let Some(most) = limits.maximum
            && (number > most || (limits.exclusive_maximum && number >= most))
        {
            self.add(ProblemKind::Invalid, path, format!("more than {most}"));
        }
    }

    fn items(&mut self, schema: &Schema, items: &[Value], path: &str) {
        if let Some(inner) = &schema.items {
            for (i, item) in items.iter().enumerate() {
                self.value(inner, item, &format!("{path}[{i}]"));
            }
        }
        let count = items.len() as u64;
        if schema.limits.min_items.is_some_and(|least| count < least) {
            self.add(ProblemKind::Invalid, path, "too few items");
        }
        if schema.limits.max_items.is_some_and(|most| count > most) {
            self.add(ProblemKind::TooMany, path, "too many items");
        }
    }

    fn members(&mut self, schema: &Schema, object: &Value, path: &str) {
        let Value::Object(members) = object else { return };
        let count = members.len() as u64;
        if schema.limits.min_properties.is_some_and(|least| count < least) {
            self.add(ProblemKind::Invalid, path, "too few members");
        }
        if schema.limits.max_properties.is_some_and(|most| count > most) {
            self.add(ProblemKind::TooMany, path, "too many members");
        }
        for (name, member) in members {
            let inner = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            match (schema.properties.get(name), &schema.additional) {
                (Some(property), _) => self.value(property, member, &inner),
                (None, Additional::Schema(additional)) => self.value(additional, member, &inner),
                (None, Additional::None | Additional::Any) => {}
            }
        }
        for name in schema.required.iter().filter(|name| !members.contains_key(*name)) {
            let inner = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            self.add(ProblemKind::Required, &inner, "");
        }
    }
}

fn in_range(format: Option<&str>, value: &Value) -> bool {
    match format {
        Some("int32") => value.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
        _ => value.is_i64(),
    }
}

/// As RFC 3339 has it, with any number of digits behind the second.
fn is_date_time(text: &str) -> bool {
    text.len() >= 20 && text.parse::<jiff::Timestamp>().is_ok()
}
