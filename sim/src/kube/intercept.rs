//! [`Intercept`]: where a fault plan looks in and breaks things. Hooks run without any lock held, so they may read the
//! server.

use std::sync::Arc;
use std::time::Duration;

use kit::key::Key;
use serde_json::Value;

use super::failure::Failure;
use super::kinds::KindName;

/// What a request asks for, in RBAC's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// One object.
    Get,
    /// Many objects.
    List,
    /// Changes from a version on.
    Watch,
    /// A new object.
    Create,
    /// A whole object replaced.
    Update,
    /// A part of an object changed.
    Patch,
    /// An object deleted.
    Delete,
    /// All objects that match deleted.
    DeleteCollection,
}

impl Verb {
    /// Whether the verb can change something.
    pub fn is_write(self) -> bool {
        !matches!(self, Self::Get | Self::List | Self::Watch)
    }
}

/// A request as a hook sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestInfo {
    /// Position among all requests of this server, from 0.
    pub index: u64,
    /// Position among all writes of this server, from 0; `None` for reads.
    pub write_index: Option<u64>,
    /// Who asks, as given to [`super::Server::client`].
    pub client: Arc<str>,
    /// What it asks for.
    pub verb: Verb,
    /// The kind.
    pub kind: KindName,
    /// The object, or the scope of a list: the name is empty for lists, watches and creations with generated name.
    pub key: Key,
    /// E.g. `status`.
    pub subresource: Option<String>,
    /// The body, when it is JSON.
    pub body: Option<Arc<Value>>,
}

impl RequestInfo {
    /// Whether it can change something.
    pub fn is_write(&self) -> bool {
        self.verb.is_write()
    }
}

/// What happens to a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It is served.
    Pass,
    /// Nothing is done, and this is answered.
    Answer(Failure),
    /// Nothing is done, and the connection breaks.
    Reset,
    /// Nothing is done, and no answer comes.
    Never,
    /// It is done, and the connection breaks before the answer.
    CommitThenReset,
    /// It is done, and no answer comes.
    CommitThenNever,
    /// It is done, and this is answered instead.
    CommitThenAnswer(Failure),
    /// It is done after this (virtual) time.
    Late(Duration),
    /// It is done at once, and answered after this time.
    CommitThenLate(Duration),
}

/// How a request ended, also when its answer got lost on the way.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// HTTP status of the server's own answer, and its body (none for watches).
    Answered(u16, Option<Arc<Value>>),
    /// A hook prevented it.
    Prevented,
}

/// An event of a watch that is about to be delivered.
#[derive(Debug, Clone, PartialEq)]
pub struct EventInfo {
    /// The watch, counted over the whole server from 0.
    pub watch: u64,
    /// Who watches.
    pub client: Arc<str>,
    /// The kind.
    pub kind: KindName,
    /// Position of the event among those delivered to watches of this client and kind, from 0.
    pub position: u64,
    /// The object.
    pub key: Key,
    /// `ADDED`, `MODIFIED` or `DELETED`; bookmarks are not shown.
    pub event: &'static str,
    /// The event's object.
    pub object: Arc<Value>,
}

/// What happens to an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// It is delivered.
    Pass,
    /// It and all behind it in watches of this client and kind wait until [`super::Server::release`].
    Hold,
    /// The watch ends before the event, as at its time limit; a watcher goes on from the last version it saw.
    Close,
    /// The watch ends before the event with an ERROR event of code 410; a watcher lists anew.
    Gone,
    /// The connection breaks before the event.
    Reset,
}

/// An observer of all requests and watch events that can break them. Every method has a default that does nothing.
pub trait Intercept: Send + Sync {
    /// Called for each request before anything is done.
    fn before(&self, request: &RequestInfo) -> Verdict {
        let _ = request;
        Verdict::Pass
    }
    /// Called when the request was served or prevented, before the answer leaves.
    fn after(&self, request: &RequestInfo, outcome: &Outcome) {
        let _ = (request, outcome);
    }
    /// Called for each event of each watch; again after a release or a new watch.
    fn deliver(&self, event: &EventInfo) -> Delivery {
        let _ = event;
        Delivery::Pass
    }
}
