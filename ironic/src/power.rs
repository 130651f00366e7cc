//! Power states and power requests.

use serde::{Deserialize, Deserializer, Serialize};

/// What Ironic knows about a node's power.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PowerState {
    /// On.
    On,
    /// Off.
    Off,
    /// The BMC reported an error, the state was never read (null), or the text is unknown here. Not "off".
    #[default]
    Unknown,
}

impl From<Option<&str>> for PowerState {
    fn from(text: Option<&str>) -> Self {
        match text {
            Some("power on") => Self::On,
            Some("power off") => Self::Off,
            Some(_) | None => Self::Unknown,
        }
    }
}

impl<'de> Deserialize<'de> for PowerState {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::from(Option::<String>::deserialize(deserializer)?.as_deref()))
    }
}

/// What a node's power can be asked to become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum PowerTarget {
    /// Switch on.
    #[serde(rename = "power on")]
    On,
    /// Switch off at once.
    #[serde(rename = "power off")]
    Off,
    /// Ask the operating system to shut down.
    #[serde(rename = "soft power off")]
    SoftOff,
    /// Off and on at once.
    #[serde(rename = "rebooting")]
    Reboot,
    /// Ask the operating system to shut down, then switch on.
    #[serde(rename = "soft rebooting")]
    SoftReboot,
}

impl PowerTarget {
    /// The target's text on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::On => "power on",
            Self::Off => "power off",
            Self::SoftOff => "soft power off",
            Self::Reboot => "rebooting",
            Self::SoftReboot => "soft rebooting",
        }
    }
    /// The request to make when a node cannot do the soft one.
    pub fn hard(self) -> Option<Self> {
        match self {
            Self::SoftOff => Some(Self::Off),
            Self::SoftReboot => Some(Self::Reboot),
            Self::On | Self::Off | Self::Reboot => None,
        }
    }
}
