//! API versions: Ironic numbers its API 1.N and changes behaviour only when a caller asks for a higher N.

use serde::Deserialize;

use crate::error::{Error, ErrorKind};

/// The lowest microversion this program works with (firmware components appeared in 1.86, virtual media in 1.89).
pub const OLDEST: u16 = 89;
/// The highest microversion this program was written for; a newer server is asked for this one.
pub const NEWEST: u16 = 110;

/// Something that only newer servers can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Feature {
    /// Reading virtual media.
    MediaRead,
    /// Never switching a machine off.
    DisablePowerOff,
    /// Health of a node.
    NodeHealth,
    /// Aborting a deployment that waits for its ramdisk.
    AbortDeploy,
}

impl Feature {
    /// The microversion that brought it.
    pub fn since(self) -> u16 {
        match self {
            Self::MediaRead => 93,
            Self::DisablePowerOff => 95,
            Self::NodeHealth => 109,
            Self::AbortDeploy => 110,
        }
    }
}

/// The microversions of a server, and the one in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Versions {
    /// Lowest the server speaks.
    pub min: u16,
    /// Highest the server speaks.
    pub max: u16,
    /// The one sent with requests.
    pub used: u16,
}

impl Versions {
    /// The version to use with a server that speaks `1.min ..= 1.max`.
    pub fn choose(min: u16, max: u16) -> Result<Self, Error> {
        if max < OLDEST || min > NEWEST {
            let text = format!(
                "this Ironic speaks API 1.{min} to 1.{max}, needed is one of 1.{OLDEST} to 1.{NEWEST}: \
                 use a matching Ironic release"
            );
            return Err(Error::local(ErrorKind::Version, "version negotiation", text));
        }
        Ok(Self { min, max, used: max.min(NEWEST) })
    }
    /// Whether the server can do something.
    pub fn has(&self, feature: Feature) -> bool {
        self.used >= feature.since()
    }
    /// An error that names the needed version if the server cannot do something.
    pub fn require(&self, feature: Feature) -> Result<(), Error> {
        if self.has(feature) {
            return Ok(());
        }
        let text = format!("{feature:?} needs API 1.{}, this Ironic speaks up to 1.{}", feature.since(), self.max);
        Err(Error::local(ErrorKind::Version, "version negotiation", text))
    }
}

/// The answer at `/v1/` (one version) and at `/` (a list).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Root {
    version: Option<Entry>,
    versions: Vec<Entry>,
    default_version: Option<Entry>,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
struct Entry {
    min_version: String,
    version: String,
}

impl Root {
    /// The range of the 1.x API, if the document has exactly one.
    pub(crate) fn range(self) -> Option<(u16, u16)> {
        let all: Vec<_> = self.version.into_iter().chain(self.versions).chain(self.default_version).collect();
        let mut ranges: Vec<_> =
            all.iter().filter_map(|entry| Some((minor(&entry.min_version)?, minor(&entry.version)?))).collect();
        ranges.dedup();
        match ranges[..] {
            [range] => Some(range),
            _ => None,
        }
    }
}

fn minor(text: &str) -> Option<u16> {
    text.strip_prefix("1.")?.parse().ok()
}
