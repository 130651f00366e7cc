//! Annotations of a host, parsed. Read by the webhook (are they right?) and by `bmo` (what do they ask for?).

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use crate::names::annotation;

/// How a machine is switched off for a reboot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum RebootMode {
    /// Ask the operating system first.
    #[default]
    Soft,
    /// Cut the power.
    Hard,
}

/// What a reboot annotation asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RebootRequest {
    /// How the machine is switched off.
    pub mode: RebootMode,
    /// Also while the host is available, when it is otherwise left alone.
    pub force: bool,
}

/// Why an annotation's value is not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnnotationError {
    /// It is neither empty nor the JSON object that it should be.
    NotJson {
        /// What the parser says.
        cause: String,
        /// What to write.
        expected: &'static str,
    },
    /// A word that is not known.
    UnknownWord {
        /// The member of the object.
        member: &'static str,
        /// What it holds.
        found: String,
        /// What it may hold.
        known: &'static str,
    },
}

impl fmt::Display for AnnotationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson { cause, expected } => write!(f, "not understood ({cause}); write {expected}"),
            Self::UnknownWord { member, found, known } => {
                write!(f, "invalid {member} {found:?}; write one of {known}")
            }
        }
    }
}

impl std::error::Error for AnnotationError {}

#[derive(Deserialize)]
struct RebootJson {
    #[serde(default)]
    mode: String,
    #[serde(default)]
    force: bool,
}

impl RebootRequest {
    /// Reads the value of a reboot annotation. Empty asks for a soft reboot.
    pub fn parse(value: &str) -> Result<Self, AnnotationError> {
        if value.is_empty() {
            return Ok(Self::default());
        }
        let json: RebootJson = serde_json::from_str(value).map_err(|e| AnnotationError::NotJson {
            cause: e.to_string(),
            expected: r#"nothing, or {"mode":"hard"} or {"mode":"soft"}"#,
        })?;
        let mode = match json.mode.as_str() {
            "" | "soft" => RebootMode::Soft,
            "hard" => RebootMode::Hard,
            other => {
                return Err(AnnotationError::UnknownWord {
                    member: "mode",
                    found: other.to_owned(),
                    known: "hard, soft",
                });
            }
        };
        Ok(Self { mode, force: json.force })
    }
}

/// Whether a key is a reboot annotation, of either sort.
pub fn is_reboot(key: &str) -> bool {
    key == annotation::REBOOT || key.starts_with(annotation::REBOOT_PREFIX)
}

/// All reboot annotations of an object with what they ask for.
pub fn reboots(
    annotations: Option<&BTreeMap<String, String>>,
) -> impl Iterator<Item = (&str, Result<RebootRequest, AnnotationError>)> {
    annotations
        .into_iter()
        .flatten()
        .filter(|(key, _)| is_reboot(key))
        .map(|(key, value)| (key.as_str(), RebootRequest::parse(value)))
}

/// What happens to a detached host that is deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DetachedDeletion {
    /// It goes away at once; the machine is not touched.
    #[default]
    Delete,
    /// It waits until it is attached again.
    Delay,
}

/// What the detached annotation asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Detachment {
    /// What happens on deletion.
    pub deletion: DetachedDeletion,
    /// Also in the middle of an operation, which is aborted.
    pub force: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DetachJson {
    #[serde(default)]
    delete_action: String,
    #[serde(default)]
    force: bool,
}

impl Detachment {
    /// Reads the value of the detached annotation. Any text detaches, so nothing is an error.
    pub fn parse(value: &str) -> Self {
        let Ok(json) = serde_json::from_str::<DetachJson>(value) else { return Self::default() };
        let deletion = if json.delete_action == "delay" { DetachedDeletion::Delay } else { DetachedDeletion::Delete };
        Self { deletion, force: json.force }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reboot_annotations_are_read() {
        let soft = RebootRequest { mode: RebootMode::Soft, force: false };
        let hard = RebootRequest { mode: RebootMode::Hard, force: false };
        let table = [
            ("", Ok(soft)),
            ("{}", Ok(soft)),
            (r#"{"mode":""}"#, Ok(soft)),
            (r#"{"mode":"soft"}"#, Ok(soft)),
            (r#"{"mode":"hard"}"#, Ok(hard)),
            (r#"{"mode":"hard","force":true}"#, Ok(RebootRequest { force: true, ..hard })),
            (r#"{"mode":"warm"}"#, Err("invalid mode")),
            ("true", Err("not understood")),
            ("hard", Err("not understood")),
        ];
        for (text, wanted) in table {
            match (RebootRequest::parse(text), wanted) {
                (Ok(seen), Ok(wanted)) => assert_eq!(seen, wanted, "{text}"),
                (Err(seen), Err(start)) => assert!(seen.to_string().starts_with(start), "{text}: {seen}"),
                (seen, wanted) => panic!("{text}: {seen:?}, not {wanted:?}"),
            }
        }
    }

    #[test]
    fn only_reboot_annotations_are_taken() {
        let annotations: BTreeMap<String, String> =
            ["reboot.metal3.io", "reboot.metal3.io/me", "reboot.metal3.ioo", "x/reboot.metal3.io"]
                .map(|key| (key.to_owned(), String::new()))
                .into();
        let keys: Vec<&str> = reboots(Some(&annotations)).map(|(key, _)| key).collect();
        assert_eq!(keys, ["reboot.metal3.io", "reboot.metal3.io/me"]);
        assert_eq!(reboots(None).count(), 0);
    }

    #[test]
    fn any_text_detaches() {
        let delay = Detachment { deletion: DetachedDeletion::Delay, force: false };
        assert_eq!(Detachment::parse(r#"{"deleteAction":"delay"}"#), delay);
        assert_eq!(Detachment::parse(r#"{"deleteAction":"delay","force":true}"#), Detachment { force: true, ..delay });
        for text in ["", "true", "{}", r#"{"deleteAction":"delete"}"#] {
            assert_eq!(Detachment::parse(text), Detachment::default(), "{text}");
        }
    }
}
