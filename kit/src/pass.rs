//! One pass of a controller: gather -> decide -> act -> record.
//!
//! Every controller of this project implements [`Controller`] and nothing else; `kit::worker` runs the four
//! steps. Reading order for a newcomer: [`Controller`], [`Plan`], [`Next`], [`Why`].

use std::fmt::Debug;
use std::future::Future;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

pub use crate::key::{Key, Target};

/// A controller: what it reads, what it decides, what it does outside Kubernetes and what it records.
///
/// `decide` and `record` are pure: no I/O, no clock (time is a field of the view), no randomness, never async.
pub trait Controller: Send + Sync + 'static {
    /// The snapshot a decision is made on. It carries `now`.
    type View: Send + Sync;
    /// One effect outside Kubernetes, as data (an Ironic request, say). [`NoCall`] where there is none.
    type Call: Debug + Send + Sync;
    /// What a successful call brought back.
    type Answer: Send + Sync;

    /// The controller's name in logs, metrics and events, e.g. `metal3machine`.
    fn name(&self) -> &'static str;

    /// Reads everything the decision may know. Never writes.
    fn gather(&self, key: &Key) -> impl Future<Output = Found<Self::View>> + Send;

    /// What to do, from the snapshot alone.
    fn decide(&self, view: &Self::View) -> Plan<Self::Call>;

    /// Performs the plan's external call. Idempotent: the process may die right after it.
    fn call(&self, view: &Self::View, call: &Self::Call) -> impl Future<Output = Result<Self::Answer, Fault>> + Send;

    /// What the outcome means for status, events and the next wake-up.
    fn record(&self, view: &Self::View, plan: Plan<Self::Call>, done: &Done<Self::Answer>) -> Record;
}

/// The call type of a controller that touches nothing outside Kubernetes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoCall {}

/// The outcome of gathering.
#[derive(Debug)]
pub enum Found<V> {
    /// Everything needed was read.
    View(V),
    /// The object does not exist: forget the key.
    Missing,
    /// Something could not be read now; no decision is possible. Retried by the fault's class.
    Later(Fault),
}

/// What to do, as data.
#[derive(Debug)]
pub struct Plan<C> {
    /// Kubernetes writes, executed in order; the first failure stops the rest and the call.
    pub writes: Vec<Write>,
    /// At most one external effect; it comes after all of `writes` and before all of `last`.
    pub call: Option<C>,
    /// Kubernetes writes that only make sense once the call was accepted, in order.
    pub last: Vec<Write>,
    /// Events to publish when the pass succeeded in its writes.
    pub notes: Vec<Note>,
    /// When to look again, and what is being waited for.
    pub next: Next,
}

impl<C> Plan<C> {
    /// A plan without effects.
    pub fn wait(next: Next) -> Self {
        Self { writes: Vec::new(), call: None, last: Vec::new(), notes: Vec::new(), next }
    }
    /// A plan with one write, looking again as soon as it is seen.
    pub fn write(write: Write, next: Next) -> Self {
        Self { writes: vec![write], ..Self::wait(next) }
    }
    /// A plan with one external call.
    pub fn ask(call: C, next: Next) -> Self {
        Self { call: Some(call), ..Self::wait(next) }
    }
    /// Adds an event.
    #[must_use]
    pub fn and_note(mut self, note: Note) -> Self {
        self.notes.push(note);
        self
    }
}

/// When a key is looked at again. A watch event always wakes it earlier.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// Everything is as it should be; only a change wakes the key.
    Rest,
    /// Again at once (our own write or call changed the world; no watch event may follow).
    Now,
    /// Only a change can help; `why` tells which.
    Changed(Why),
    /// Again after this time, or on a change.
    After(Duration, Why),
    /// The object is finished: forget the key.
    Gone,
}

impl Next {
    /// The reason of a wait, if this is one.
    pub fn why(&self) -> Option<&Why> {
        match self {
            Self::Changed(why) | Self::After(_, why) => Some(why),
            Self::Rest | Self::Now | Self::Gone => None,
        }
    }
}

/// Why something waits, for people. Shown in conditions, events, `/why` and metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Why {
    /// CamelCase, bounded vocabulary: it becomes a condition's reason and a metric label.
    pub reason: &'static str,
    /// One sentence: what is waited for, and the remedy where the user has one.
    pub message: String,
    /// Since when this wait lasts.
    pub since: Option<Timestamp>,
    /// How long it normally takes.
    pub normal: Option<Duration>,
    /// The last thing seen that supports it (e.g. `node is in "clean wait"`).
    pub seen: Option<String>,
}

impl Why {
    /// A reason with its message.
    pub fn new(reason: &'static str, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), since: None, normal: None, seen: None }
    }
    /// Adds the start of the wait.
    #[must_use]
    pub fn since(mut self, since: Timestamp) -> Self {
        self.since = Some(since);
        self
    }
    /// Adds the normal duration.
    #[must_use]
    pub fn normal(mut self, normal: Duration) -> Self {
        self.normal = Some(normal);
        self
    }
    /// Adds the last evidence.
    #[must_use]
    pub fn seen(mut self, seen: impl Into<String>) -> Self {
        self.seen = Some(seen.into());
        self
    }
    /// All that stays the same while the wait lasts, as a sentence for a condition: what is waited for, how long that
    /// normally takes, what was last seen.
    pub fn told(&self) -> String {
        let normal = self.normal.map(|normal| format!(" (usually {})", rounded(normal))).unwrap_or_default();
        let seen = self.seen.as_ref().map(|seen| format!("; last seen: {seen}")).unwrap_or_default();
        format!("{}{normal}{seen}", self.message)
    }
}

/// A duration for people: `40 s`, `5 min`, `2 h`.
pub fn rounded(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..=119 => format!("{seconds} s"),
        seconds @ 120..=7_199 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3_600),
    }
}

/// A Kubernetes write with its precondition. Bodies are complete objects (create) or JSON merge patches.
#[derive(Debug, Clone, PartialEq)]
pub enum Write {
    /// Creates an object of a deterministic name. "Already exists" is class [`Class::Again`].
    Create {
        /// What is created.
        target: Target,
        /// The whole object.
        body: Value,
    },
    /// Merge patch of metadata and spec.
    Patch {
        /// What is patched. Its uid is a precondition; its `resource_version`, when set, too.
        target: Target,
        /// The merge patch.
        body: Value,
    },
    /// Merge patch of the status subresource; `body` is `{"status": {..}}`.
    Status {
        /// What is patched. Its `resource_version`, when set, is a precondition; its uid is none here.
        target: Target,
        /// The merge patch.
        body: Value,
    },
    /// Deletion with preconditions. "Not found" is success.
    Delete {
        /// What is deleted.
        target: Target,
    },
}

impl Write {
    /// The object that this writes.
    pub fn target(&self) -> &Target {
        match self {
            Self::Create { target, .. }
            | Self::Patch { target, .. }
            | Self::Status { target, .. }
            | Self::Delete { target } => target,
        }
    }
}

/// A Kubernetes event to publish.
#[derive(Debug, Clone, PartialEq)]
pub struct Note {
    /// The object the event is about.
    pub about: Target,
    /// Whether a user must act.
    pub warning: bool,
    /// CamelCase reason, bounded vocabulary.
    pub reason: &'static str,
    /// One sentence for people. Never a secret.
    pub message: String,
}

/// A failed step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// Who can help, and how it is retried.
    pub class: Class,
    /// CamelCase, bounded vocabulary.
    pub reason: &'static str,
    /// One sentence with what the user can do about it.
    pub message: String,
}

impl Fault {
    /// A fault.
    pub fn new(class: Class, reason: &'static str, message: impl Into<String>) -> Self {
        Self { class, reason, message: message.into() }
    }
}

/// Who can help with a fault, which decides how it is retried. None is terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Conflict, already exists, stale: read again at once.
    Again,
    /// Network, 5xx, timeout, throttling: exponential back-off.
    Backoff,
    /// The user's spec or Secret is wrong: shown, waits for a change, re-checked slowly.
    User,
    /// The peer (Ironic, a workload cluster) refused: shown, back-off.
    Peer,
    /// Our own error: logged, counted, back-off.
    Bug,
}

/// What happened in the act step.
#[derive(Debug)]
pub struct Done<A> {
    /// The objects as the API server returned them, in the plan's order; shorter than the plan after a failure.
    pub written: Vec<Value>,
    /// The write that failed, if one did.
    pub failed: Option<Fault>,
    /// The outcome of the call; `None` when there was none or a write failed before it.
    pub answer: Option<Result<A, Fault>>,
    /// The write after the call that failed, if one did.
    pub late: Option<Fault>,
    /// When the act step ended.
    pub at: Timestamp,
}

/// What to record after acting.
#[derive(Debug)]
pub struct Record {
    /// The status write; `None` when the status did not change.
    pub status: Option<Write>,
    /// Events.
    pub notes: Vec<Note>,
    /// When to look again.
    pub next: Next,
    /// The fault the queue should back off for, if any; otherwise the key's back-off is reset.
    pub fault: Option<Fault>,
}

impl Record {
    /// The record of a plan whose outcome needs no interpretation: its notes, its next, and the first fault.
    pub fn of<C, A>(plan: Plan<C>, done: &Done<A>) -> Self {
        let fault = done.failed.clone().or_else(|| match &done.answer {
            Some(Err(fault)) => Some(fault.clone()),
            Some(Ok(_)) | None => done.late.clone(),
        });
        let notes = if fault.is_some() { Vec::new() } else { plan.notes };
        Self { status: None, notes, next: plan.next, fault }
    }
    /// Adds a status write.
    #[must_use]
    pub fn with_status(mut self, status: Option<Write>) -> Self {
        self.status = status;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_tells_what_is_known_of_it() {
        let why = Why::new("Deploying", "the image is being written");
        assert_eq!(why.told(), "the image is being written");
        let why = why.normal(Duration::from_mins(5)).seen("the node is in \"wait call-back\"");
        let text = "the image is being written (usually 5 min); last seen: the node is in \"wait call-back\"";
        assert_eq!(why.told(), text);
        let texts = [40, 119, 120, 7_199, 7_200].map(|seconds| rounded(Duration::from_secs(seconds)));
        assert_eq!(texts, ["40 s", "119 s", "2 min", "119 min", "2 h"]);
    }
}
