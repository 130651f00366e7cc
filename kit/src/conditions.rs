//! Conditions in both generations (metav1 and Cluster API v1beta1) from one internal value.

use api::infra::v1beta2::V1Beta1Condition;
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

/// The longest message of a condition. The API counts characters; bytes are counted here, which are never fewer.
const LONGEST: usize = 32_768;
/// The same of Cluster API's older conditions.
const LONGEST_V1BETA1: usize = 10_240;

/// A message that the API takes: one that is too long would keep the whole status from being written.
fn fitting(message: &str, longest: usize) -> String {
    const CUT: &str = " (cut)";
    if message.len() <= longest {
        return message.to_owned();
    }
    let mut end = longest - CUT.len();
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{CUT}", &message[..end])
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
        message: fitting(&condition.message, LONGEST),
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

/// Sets a Cluster API v1beta1 condition. As in Cluster API, a true condition carries neither reason nor severity,
/// and the list is kept ordered by type with `Ready` first.
pub fn set_v1beta1(list: &mut Vec<V1Beta1Condition>, condition: &Condition, now: Timestamp) {
    let holds = condition.truth == Truth::True;
    let status = condition.truth.as_str();
    let known = list.iter().position(|known| known.type_ == condition.kind).map(|at| list.remove(at));
    let since = known.filter(|known| known.status == status).map_or(Time(now), |known| known.last_transition_time);
    list.push(V1Beta1Condition {
        type_: condition.kind.to_owned(),
        status: status.to_owned(),
        severity: (condition.truth == Truth::False).then(|| condition.severity.as_str().to_owned()),
        reason: (!holds).then(|| condition.reason.clone()),
        message: Some(fitting(&condition.message, LONGEST_V1BETA1)).filter(|text| !holds && !text.is_empty()),
        last_transition_time: since,
    });
    list.sort_by(|a, b| (a.type_ != "Ready", &a.type_).cmp(&(b.type_ != "Ready", &b.type_)));
}

/// The v1beta1 condition of a type.
pub fn get_v1beta1<'a>(list: &'a [V1Beta1Condition], kind: &str) -> Option<&'a V1Beta1Condition> {
    list.iter().find(|condition| condition.type_ == kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_never_longer_than_the_api_takes() {
        let now = Timestamp::UNIX_EPOCH;
        for text in [String::new(), "x".repeat(LONGEST), "x".repeat(LONGEST + 1), "\u{20ac}".repeat(LONGEST)] {
            let condition = Condition::no("Ready", "Broken", text.clone());
            let (mut new, mut old) = (Vec::new(), Vec::new());
            set(&mut new, &condition, None, now);
            set_v1beta1(&mut old, &condition, now);
            let (new, old) = (&new[0].message, old[0].message.clone().unwrap_or_default());
            assert!(new.len() <= LONGEST && old.len() <= LONGEST_V1BETA1, "{} {}", new.len(), old.len());
            assert_eq!(new.ends_with(" (cut)"), text.len() > LONGEST);
            assert!(text.starts_with(new.trim_end_matches(" (cut)")));
        }
    }

    #[test]
    fn the_transition_time_moves_with_the_truth_only() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut list = Vec::new();
        let mut old = Vec::new();
        let steps = [
            (Condition::no("Ready", "Waiting", "for a"), 1, 1),
            (Condition::no("Ready", "Waiting", "for b"), 2, 1),
            (Condition::yes("Ready", "Done"), 3, 3),
            (Condition::yes("Ready", "StillDone"), 4, 3),
            (Condition::unknown("Ready", "Lost", "no answer"), 5, 5),
        ];
        for (condition, now, since) in steps {
            set(&mut list, &condition, Some(now), at(now));
            set_v1beta1(&mut old, &condition, at(now));
            let ready = get(&list, "Ready").unwrap();
            assert_eq!((&ready.last_transition_time, ready.observed_generation), (&Time(at(since)), Some(now)));
            assert_eq!((ready.reason.as_str(), ready.message.as_str()), (&*condition.reason, &*condition.message));
            assert_eq!(get_v1beta1(&old, "Ready").unwrap().last_transition_time, Time(at(since)));
        }
        assert_eq!((list.len(), old.len()), (1, 1));
    }

    #[test]
    fn the_old_generation_has_severity_only_when_false_and_ready_first() {
        let mut list = Vec::new();
        set_v1beta1(&mut list, &Condition::yes("Zed", "Fine"), Timestamp::UNIX_EPOCH);
        set_v1beta1(&mut list, &Condition::no("Alpha", "Bad", "x").severity(Severity::Error), Timestamp::UNIX_EPOCH);
        set_v1beta1(&mut list, &Condition::no("Ready", "Bad", ""), Timestamp::UNIX_EPOCH);
        let seen: Vec<_> =
            list.iter().map(|c| (c.type_.as_str(), c.severity.as_deref(), c.message.as_deref())).collect();
        assert_eq!(seen, [("Ready", Some("Info"), None), ("Alpha", Some("Error"), Some("x")), ("Zed", None, None)]);
    }
}
