//! Virtual media.

use serde::Deserialize;

/// A virtual media device of a BMC.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct MediaSlot {
    /// The URL of the medium, empty or absent when there is none. Ironic may show its own URL here, not the user's.
    pub image: Option<String>,
    /// Whether a medium is inserted.
    pub inserted: bool,
    /// What it can be, e.g. `CD`, `DVD`, `USBStick`.
    pub media_types: Vec<String>,
}
