//! Conditions in both generations (metav1 and Cluster API v1beta1) from one internal value.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition as MetaCondition, Time};

use crate::pass::Why;

/// The truth of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// `True`
    True,
    /// `False`
    False,
    /// `Unknown`
    Unknown,
}

impl Truth {
    /// The text on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// How bad a false Cluster API v1beta1 condition is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Something that must be repaired by a user.
    Error,
    /// Something that may need a user.
    Warning,
    /// Normal progress.
    Info,
}

impl Severity {
    /// The text on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "Error",
            Self::Warning => "Warning",
            Self::Info => "Info",
        }
    }
}

/// One condition, before it takes a wire form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Type, e.g. `Ready`.
    pub kind: &'static str,
    /// Truth.
    pub truth: Truth,
    /// CamelCase reason, never empty: the API server refuses an empty one.
    pub reason: String,
    /// One sentence; may be empty.
    pub message: String,
    /// Only for Cluster API v1beta1, only when false.
    pub severity: Severity,
}

impl Condition {
    /// A true condition.
    pub fn yes(kind: &'static str, reason: impl Into<String>) -> Self {
        Self { kind, truth: Truth::True, reason: reason.into(), message: String::new(), severity: Severity::Info }
    }
    /// A false condition.
    pub fn no(kind: &'static str, reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind, truth: Truth::False, reason: reason.into(), message: message.into(), severity: Severity::Info }
    }
    /// A condition that cannot be told yet.
    pub fn unknown(kind: &'static str, reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self { truth: Truth::Unknown, ..Self::no(kind, reason, message) }
    }
    /// A false condition from what a pass waits for.
    pub fn waiting(kind: &'static str, why: &Why) -> Self {
        Self::no(kind, why.reason, why.message.clone())
    }
    /// With a message.
    #[must_use]
    pub fn message(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }
    /// With a severity.
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }
}

/// Sets a metav1 condition: replaces the one of its type in place, else appends. `lastTransitionTime` changes only
/// when the truth does.
pub fn set(list: &mut Vec<MetaCondition>, condition: &Condition, generation: Option<i64>, now: Timestamp) {
    let known = list.iter_mut().find(|known| known.type_ == condition.kind);
    let since = match &known {
        Some(known) if known.status == condition.truth.as_str() => known.last_transition_time.clone(),
        Some(_) | None => Time(now),
    };
    let wire = MetaCondition {
        type_: condition.kind.to_owned(),
        status: condition.truth.as_str().to_owned(),
        reason: condition.reason.clone(),
        message: condition.message.clone(),
        observed_generation: generation,
        last_transition_time: since,
    };
    match known {
        Some(known) => *known = wire,
        None => list.push(wire),
    }
}

/// The condition of a type.
pub fn get<'a>(list: &'a [MetaCondition], kind: &str) -> Option<&'a MetaCondition> {
    list.iter().find(|condition| condition.type_ == kind)
}

/// Whether the condition of a type is true.
pub fn is_true(list: &[MetaCondition], kind: &str) -> bool {
    get(list, kind).is_some_and(|condition| condition.status == "True")
}

/// Takes a condition out of the list.
pub fn remove(list: &mut Vec<MetaCondition>, kind: &str) {
    list.retain(|condition| condition.type_ != kind);
}

/// The members of a Cluster API v1beta1 condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct V1Beta1Parts {
    /// Type.
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// Only set when false.
    pub severity: Option<String>,
    /// Absent when true without a reason.
    pub reason: Option<String>,
    /// Absent when empty.
    pub message: Option<String>,
    /// When the status changed last.
    pub since: Timestamp,
}

/// The wire type of a Cluster API v1beta1 condition.
pub trait V1Beta1: Sized {
    /// Its members.
    fn parts(&self) -> V1Beta1Parts;
    /// From its members.
    fn from_parts(parts: V1Beta1Parts) -> Self;
}

/// Sets a Cluster API v1beta1 condition. As in Cluster API, a true condition carries neither reason nor severity,
/// and the list is kept ordered by type with `Ready` first.
pub fn set_v1beta1<T: V1Beta1>(list: &mut Vec<T>, condition: &Condition, now: Timestamp) {
    let mut all: Vec<V1Beta1Parts> = list.iter().map(V1Beta1::parts).collect();
    let known = all.iter().position(|known| known.kind == condition.kind).map(|at| all.remove(at));
    let holds = condition.truth == Truth::True;
    let mut new = V1Beta1Parts {
        kind: condition.kind.to_owned(),
        status: condition.truth.as_str().to_owned(),
        severity: (condition.truth == Truth::False).then(|| condition.severity.as_str().to_owned()),
        reason: (!holds).then(|| condition.reason.clone()),
        message: Some(condition.message.clone()).filter(|message| !holds && !message.is_empty()),
        since: now,
    };
    // Cluster API counts a change of any member as a transition.
    if let Some(known) = known {
        let unchanged = V1Beta1Parts { since: known.since, ..new.clone() } == known;
        if unchanged || known.status == new.status {
            new.since = known.since;
        }
    }
    all.push(new);
    all.sort_by(|a, b| (a.kind != "Ready", &a.kind).cmp(&(b.kind != "Ready", &b.kind)));
    *list = all.into_iter().map(T::from_parts).collect();
}

/// The v1beta1 condition of a type.
pub fn get_v1beta1<T: V1Beta1>(list: &[T], kind: &str) -> Option<V1Beta1Parts> {
    list.iter().map(V1Beta1::parts).find(|parts| parts.kind == kind)
}
