//! FirmwareSchema: which values the firmware settings of one sort of machine may have.

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::meta::{or_default, text};
use crate::{absent_spec_is_default, open_enum};

open_enum! {
    /// Type of a firmware setting.
    pub enum AttributeType {
        /// One of a list of words.
        Enumeration = "Enumeration",
        /// Text.
        String = "String",
        /// A number.
        Integer = "Integer",
        /// `true` or `false`.
        Boolean = "Boolean",
        /// A password; cannot be set this way.
        Password = "Password",
    }
}

/// Limits of the firmware settings of one sort of machine. Shared by all hosts whose settings have the same limits.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "metal3.io",
    version = "v1alpha1",
    kind = "FirmwareSchema",
    plural = "firmwareschemas",
    namespaced,
    derive = "PartialEq",
    derive = "Default",
    doc = "Limits of the firmware settings of one sort of machine. Shared by all hosts whose settings have the same limits."
)]
#[serde(rename_all = "camelCase", remote = "Self")]
pub struct FirmwareSchemaSpec {
    /// Maker of the machines.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub hardware_vendor: Option<String>,
    /// Model of the machines.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub hardware_model: Option<String>,
    /// Limits by the name of the setting.
    #[serde(default, deserialize_with = "or_default")]
    #[schemars(extend("x-required" = true))]
    pub schema: BTreeMap<String, SettingSchema>,
}

absent_spec_is_default!(FirmwareSchemaSpec);

/// Limits of one setting. The names on the wire are in snake case, unlike everywhere else.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SettingSchema {
    /// Type of the value; any value goes when it is absent.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub attribute_type: Option<AttributeType>,
    /// The words of an enumeration.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub allowable_values: Vec<String>,
    /// Smallest number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lower_bound: Option<i64>,
    /// Largest number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upper_bound: Option<i64>,
    /// Shortest text, in characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_length: Option<i64>,
    /// Longest text, in characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_length: Option<i64>,
    /// Whether the setting can only be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_only: Option<bool>,
    /// Whether the value differs from machine to machine, e.g. a serial number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique: Option<bool>,
}

/// A part of a name that marks settings which are never shown nor set.
pub const PASSWORD: &str = "Password";

impl SettingSchema {
    /// Whether the setting may be given this value; the error is a sentence for people.
    pub fn check(&self, name: &str, value: &str) -> Result<(), String> {
        let refuse = |cause: String| Err(format!("{name} cannot be set so: {cause}"));
        if self.read_only == Some(true) {
            return refuse("it is read-only".to_owned());
        }
        if name.contains(PASSWORD) {
            return refuse("passwords cannot be set this way".to_owned());
        }
        match &self.attribute_type {
            None => Ok(()),
            Some(AttributeType::Enumeration) if self.allowable_values.iter().any(|v| v == value) => Ok(()),
            Some(AttributeType::Enumeration) => {
                refuse(format!("{value:?} is not one of {}", self.allowable_values.join(", ")))
            }
            Some(AttributeType::Integer) => match value.parse::<i64>() {
                Err(_) => refuse(format!("{value:?} is not a whole number")),
                Ok(number) => within(number, self.lower_bound, self.upper_bound, "value")
                    .or_else(|cause| refuse(format!("{cause}, {value} was given"))),
            },
            Some(AttributeType::String) => {
                // The lengths are those of the management controller, which counts bytes.
                let length = i64::try_from(value.len()).unwrap_or(i64::MAX);
                within(length, self.min_length, self.max_length, "length")
                    .or_else(|cause| refuse(format!("{cause}, {value:?} has {length}")))
            }
            Some(AttributeType::Boolean) if matches!(value, "true" | "false") => Ok(()),
            Some(AttributeType::Boolean) => refuse(format!("{value:?} is neither true nor false")),
            Some(AttributeType::Password) => refuse("passwords cannot be set this way".to_owned()),
            Some(AttributeType::Other(other)) => refuse(format!("its type {other:?} is not known")),
        }
    }
}

fn within(number: i64, low: Option<i64>, high: Option<i64>, what: &str) -> Result<(), String> {
    match (low, high) {
        (Some(low), _) if number < low => Err(format!("the smallest {what} is {low}")),
        (_, Some(high)) if number > high => Err(format!("the largest {what} is {high}")),
        (_, _) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_checked_by_type() {
        let of = |attribute_type: &str| SettingSchema {
            attribute_type: Some(attribute_type.into()),
            allowable_values: vec!["Uefi".into(), "Bios".into()],
            lower_bound: Some(1),
            upper_bound: Some(20),
            min_length: Some(2),
            max_length: Some(4),
            ..SettingSchema::default()
        };
        let table = [
            (of("Enumeration"), "N", "Uefi", None),
            (of("Enumeration"), "N", "uefi", Some("\"uefi\" is not one of Uefi, Bios")),
            (of("Integer"), "N", "20", None),
            (of("Integer"), "N", "21", Some("the largest value is 20, 21 was given")),
            (of("Integer"), "N", "0", Some("the smallest value is 1, 0 was given")),
            (of("Integer"), "N", "x", Some("\"x\" is not a whole number")),
            (of("String"), "N", "ab", None),
            (of("String"), "N", "a", Some("the smallest length is 2, \"a\" has 1")),
            (of("String"), "N", "abcde", Some("the largest length is 4, \"abcde\" has 5")),
            (of("Boolean"), "N", "true", None),
            (of("Boolean"), "N", "True", Some("\"True\" is neither true nor false")),
            (of("Password"), "N", "x", Some("passwords cannot be set this way")),
            (of("Colour"), "N", "x", Some("its type \"Colour\" is not known")),
            (SettingSchema::default(), "N", "anything", None),
            (SettingSchema::default(), "AdminPassword", "x", Some("passwords cannot be set this way")),
            (SettingSchema { read_only: Some(true), ..of("String") }, "N", "ab", Some("it is read-only")),
        ];
        for (schema, name, value, wanted) in table {
            let wanted = wanted.map(|cause| format!("{name} cannot be set so: {cause}"));
            assert_eq!(schema.check(name, value).err(), wanted, "{schema:?} {value}");
        }
    }
}
