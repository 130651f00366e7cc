//! What every validator returns: all violations at once, each with its field and the remedy.
//!
//! Validators are pure functions shared by the webhooks (which refuse the write) and the controllers (which show
//! the same text in a condition when an object got past the webhook).

use std::fmt;

/// Why a value is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The value has a wrong form, or contradicts another field.
    Invalid,
    /// A needed value is missing.
    Required,
    /// The value may not be set here, or not be changed now.
    Forbidden,
    /// The value occurs twice.
    Duplicate,
}

impl Kind {
    /// The word that starts the message.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Required => "required",
            Self::Forbidden => "forbidden",
            Self::Duplicate => "duplicate",
        }
    }
}

/// One broken rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// Path from the object's root, e.g. `spec.raid.hardwareRAIDVolumes[0].level`.
    pub field: String,
    /// The class of the violation.
    pub kind: Kind,
    /// What is wrong and what to do, one sentence. Never the content of a Secret.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.field, self.kind.as_str(), self.message)
    }
}

/// All broken rules of one object, in the order of its fields. Empty means valid.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Violations(Vec<Violation>);

impl Violations {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether no rule is broken.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The violations in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Violation> {
        self.0.iter()
    }

    /// Adds a violation.
    pub fn add(&mut self, kind: Kind, field: impl Into<String>, message: impl Into<String>) {
        self.0.push(Violation { field: field.into(), kind, message: message.into() });
    }

    /// A wrong or contradicting value.
    pub fn invalid(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.add(Kind::Invalid, field, message);
    }

    /// A missing value.
    pub fn required(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.add(Kind::Required, field, message);
    }

    /// A value that may not be set or changed.
    pub fn forbidden(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.add(Kind::Forbidden, field, message);
    }

    /// A value that occurs twice.
    pub fn duplicate(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.add(Kind::Duplicate, field, message);
    }

    /// Adds the violations of a part, putting `prefix` and a dot before its fields.
    pub fn within(&mut self, prefix: &str, part: Violations) {
        self.0.extend(part.0.into_iter().map(|v| Violation { field: join(prefix, &v.field), ..v }));
    }

    /// Adds the violations of another validator of the same object.
    pub fn append(&mut self, other: Violations) {
        self.0.extend(other.0);
    }

    /// `Ok` when no rule is broken.
    pub fn into_result(self) -> Result<(), Violations> {
        if self.is_empty() { Ok(()) } else { Err(self) }
    }
}

fn join(prefix: &str, field: &str) -> String {
    match (prefix, field) {
        ("", _) => field.to_owned(),
        (_, "") => prefix.to_owned(),
        _ if field.starts_with('[') => format!("{prefix}{field}"),
        _ => format!("{prefix}.{field}"),
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, violation) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{violation}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Violations {}

impl IntoIterator for Violations {
    type Item = Violation;
    type IntoIter = std::vec::IntoIter<Violation>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Violations {
    type Item = &'a Violation;
    type IntoIter = std::slice::Iter<'a, Violation>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_get_the_path_of_their_place_and_nothing_is_dropped() {
        let mut item = Violations::new();
        item.invalid("level", "unknown");
        let mut list = Violations::new();
        list.within("[1]", item);
        list.duplicate("[2]", "same name as [0]");
        let mut all = Violations::new();
        all.within("spec.raid.hardwareRAIDVolumes", list);
        assert_eq!(
            all.to_string(),
            "spec.raid.hardwareRAIDVolumes[1].level: invalid: unknown; \
             spec.raid.hardwareRAIDVolumes[2]: duplicate: same name as [0]"
        );
        assert_eq!(all.into_result().map_err(|v| v.iter().count()), Err(2));
        assert_eq!(Violations::new().into_result(), Ok(()));
    }
}
