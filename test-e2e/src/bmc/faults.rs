//! Faults a test can put on one BMC: the file `faults.json` in the machine's folder, read at each request.
//!
//! An unreachable BMC needs no entry here: stop the emulator process. A wrong password neither: use one.

use std::{path::Path, time::Duration};

use serde::{Deserialize, Serialize};

/// The faults in force; all absent means a healthy BMC.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Faults {
    /// Answer every request for this machine with this HTTP status.
    pub status: Option<u16>,
    /// Wait this many milliseconds before each answer.
    pub delay_ms: u64,
    /// Accept resets (204) but do nothing, as a hung BMC does.
    pub ignore_reset: bool,
    /// Refuse resets that ask the operating system, as a BMC does that reaches none.
    pub refuse_soft: bool,
    /// Refuse to insert virtual media, as a BMC that cannot reach the image does.
    pub refuse_media: bool,
}

impl Faults {
    /// Faults of the machine whose folder this is. A missing file means none; an unreadable one is reported and means
    /// none, for a test must not hang on its own typing error.
    pub fn of(folder: &Path) -> Self {
        let file = folder.join("faults.json");
        let Ok(text) = std::fs::read(&file) else { return Self::default() };
        serde_json::from_slice(&text).unwrap_or_else(|error| {
            tracing::warn!(file = %file.display(), %error, "not a faults file, ignored");
            Self::default()
        })
    }

    /// The delay as a duration.
    pub fn delay(&self) -> Duration {
        Duration::from_millis(self.delay_ms)
    }
}
