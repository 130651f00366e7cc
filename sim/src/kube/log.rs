//! What happened: every request and every committed write, for oracles and traces.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use kit::key::Key;
use serde_json::Value;

use super::intercept::{RequestInfo, Verb, Verdict};
use super::kinds::KindName;

/// One request.
#[derive(Debug, Clone)]
pub struct Request {
    /// When it came.
    pub at: Timestamp,
    /// What it was.
    pub info: RequestInfo,
    /// What the hook did with it.
    pub verdict: Verdict,
    /// HTTP status of the server's own answer; `None` while it is under way or when it was prevented.
    pub code: Option<u16>,
    /// The reason of a failure.
    pub reason: Option<String>,
}

/// One committed write.
#[derive(Debug, Clone)]
pub struct Commit {
    /// The resourceVersion it made; grows over all kinds.
    pub version: u64,
    /// When.
    pub at: Timestamp,
    /// The request that did it; `None` for the garbage collector and for the world itself.
    pub request: Option<u64>,
    /// Who: the client's name, or `garbage-collector`.
    pub client: Arc<str>,
    /// What was asked for: a `Delete` with an `after` has set the deletionTimestamp; a `Patch` without one has taken
    /// the last finalizer.
    pub verb: Verb,
    /// The part written, e.g. `status`.
    pub subresource: Option<String>,
    /// The kind.
    pub kind: KindName,
    /// The object.
    pub key: Key,
    /// The object before; `None` when it was created.
    pub before: Option<Arc<Value>>,
    /// The object after; `None` when it is gone.
    pub after: Option<Arc<Value>>,
}

impl fmt::Display for Commit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = self.subresource.as_deref().map(|part| format!("/{part}")).unwrap_or_default();
        let what = match (&self.before, &self.after) {
            (None, _) => "made",
            (_, None) => "gone",
            _ => "changed",
        };
        write!(f, "{} {} {:?}{part} {} {}: {what}", self.version, self.client, self.verb, self.kind, self.key)
    }
}
