//! BIOS settings and firmware components as Ironic last read them.

use serde::Deserialize;

/// One BIOS setting with its registry entry.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct BiosSetting {
    /// Name.
    pub name: String,
    /// Current value as text; null when the BMC reports none.
    pub value: Option<String>,
    /// `Enumeration`, `String`, `Integer`, `Boolean`, `Password`.
    pub attribute_type: Option<String>,
    /// Values of an enumeration.
    pub allowable_values: Option<Vec<String>>,
    /// Smallest integer.
    pub lower_bound: Option<i64>,
    /// Largest integer.
    pub upper_bound: Option<i64>,
    /// Shortest text.
    pub min_length: Option<i64>,
    /// Longest text.
    pub max_length: Option<i64>,
    /// Whether it cannot be changed.
    pub read_only: Option<bool>,
    /// Whether the value is specific to one machine.
    pub unique: Option<bool>,
    /// Whether a change needs a reboot.
    pub reset_required: Option<bool>,
}

/// One firmware component.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct FirmwareComponent {
    /// `bios`, `bmc`, or `nic:<id>`.
    pub component: String,
    /// The version seen first.
    pub initial_version: Option<String>,
    /// The version seen last.
    pub current_version: Option<String>,
    /// The version written last by Ironic.
    pub last_version_flashed: Option<String>,
    /// When the entry was last written; ISO 8601 with offset.
    pub updated_at: Option<String>,
    /// When the entry was made.
    pub created_at: Option<String>,
}
