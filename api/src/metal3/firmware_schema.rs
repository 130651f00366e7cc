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
