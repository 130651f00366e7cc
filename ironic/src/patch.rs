//! JSON patches of nodes and ports. Only `add` (which replaces an existing value) and `remove` are used.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::redact::{MASK, is_secret, masked};

/// One operation.
#[derive(Clone, PartialEq, Serialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub enum Operation {
    /// Sets the value at a path, whether or not there is one.
    Add {
        /// JSON pointer.
        path: String,
        /// The value.
        value: Value,
    },
    /// Removes the value at a path; Ironic refuses it when there is none.
    Remove {
        /// JSON pointer.
        path: String,
    },
}

impl Operation {
    /// The JSON pointer.
    pub fn path(&self) -> &str {
        match self {
            Self::Add { path, .. } | Self::Remove { path } => path,
        }
    }
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Add { path, .. } if is_secret(path) => write!(f, "add {path} = {MASK}"),
            Self::Add { path, value } => write!(f, "add {path} = {}", masked(value)),
            Self::Remove { path } => write!(f, "remove {path}"),
        }
    }
}

/// A list of operations. Debug output masks secrets.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Patch(Vec<Operation>);

impl Patch {
    /// An empty patch.
    pub fn new() -> Self {
        Self::default()
    }
    /// Whether there is nothing to change.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// The operations in order.
    pub fn operations(&self) -> &[Operation] {
        &self.0
    }
    /// Sets `/a/b`; the segments are escaped.
    #[must_use]
    pub fn set(mut self, segments: &[&str], value: impl Into<Value>) -> Self {
        self.0.push(Operation::Add { path: pointer(segments), value: value.into() });
        self
    }
    /// Removes `/a/b`.
    #[must_use]
    pub fn remove(mut self, segments: &[&str]) -> Self {
        self.0.push(Operation::Remove { path: pointer(segments) });
        self
    }
    /// Makes the value at the path equal to `wanted`, given what is there now: sets, removes or does nothing.
    #[must_use]
    pub fn ensure(self, segments: &[&str], actual: Option<&Value>, wanted: Option<Value>) -> Self {
        match (actual.filter(|value| !value.is_null()), wanted.filter(|value| !value.is_null())) {
            (Some(actual), Some(wanted)) if *actual == wanted => self,
            (_, Some(wanted)) => self.set(segments, wanted),
            (Some(_), None) => self.remove(segments),
            (None, None) => self,
        }
    }
    /// Appends another patch.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }
}

/// A JSON pointer from its segments (RFC 6901).
fn pointer(segments: &[&str]) -> String {
    segments.iter().fold(String::new(), |path, segment| path + "/" + &segment.replace('~', "~0").replace('/', "~1"))
}
