//! Admission and conversion: pure checks in, an HTTPS server out.
//!
//! | file | what |
//! |---|---|
//! | here | [`Check`], [`Verdict`], [`Hooks`]: what a controller crate offers |
//! | [`review`] | one request: parse, ask, answer |
//! | [`server`] | TLS, certificate reload, self-signed certificates |

pub mod review;
pub mod server;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use api::validation::Violations;
use axum::Router;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::routing::post;
use serde_json::Value;

use crate::Kind;
use crate::diff;

/// Largest request body: a conversion of a long list may have many MiB.
const BODY_LIMIT: usize = 32 << 20;

/// The answer of a check: allowed when nothing is violated. All violations are told at once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verdict {
    /// Broken rules.
    pub violations: Violations,
    /// Shown to the user by kubectl; does not refuse.
    pub warnings: Vec<String>,
}

impl Verdict {
    /// Nothing to complain about.
    pub fn allowed() -> Self {
        Self::default()
    }
    /// Refused for one reason.
    pub fn denied(field: impl Into<String>, message: impl Into<String>) -> Self {
        let mut violations = Violations::new();
        violations.invalid(field, message);
        violations.into()
    }
    /// Adds a warning.
    #[must_use]
    pub fn warn(mut self, warning: impl Into<String>) -> Self {
        self.warnings.push(warning.into());
        self
    }
}

impl From<Violations> for Verdict {
    fn from(violations: Violations) -> Self {
        Self { violations, warnings: Vec::new() }
    }
}

/// The rules of a kind. Pure: what is not in the object is not known here.
pub trait Check<T>: Send + Sync + 'static {
    /// A new object.
    fn create(&self, new: &T) -> Verdict;
    /// A change.
    fn update(&self, old: &T, new: &T) -> Verdict;
    /// A deletion; allowed unless a check says otherwise.
    fn delete(&self, old: &T) -> Verdict {
        let _ = old;
        Verdict::allowed()
    }
}

/// The rules of a kind, as plain functions.
#[derive(Debug, Clone, Copy)]
pub struct Rules<T> {
    /// A new object.
    pub create: fn(&T) -> Verdict,
    /// A change: old and new.
    pub update: fn(&T, &T) -> Verdict,
}

impl<T: 'static> Check<T> for Rules<T> {
    fn create(&self, new: &T) -> Verdict {
        (self.create)(new)
    }
    fn update(&self, old: &T, new: &T) -> Verdict {
        (self.update)(old, new)
    }
}

/// Converts an object to the API version wanted (`group/version`); the error is shown to the user.
pub type Convert = fn(Value, &str) -> Result<Value, String>;

type Handler = Arc<dyn Fn(&review::Request) -> review::Answer + Send + Sync>;

/// The webhooks of a controller crate: which path answers what.
#[derive(Default, Clone)]
pub struct Hooks {
    paths: BTreeMap<String, Handler>,
    conversions: BTreeMap<(String, String), Convert>,
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds: Vec<_> = self.conversions.keys().collect();
        f.debug_struct("Hooks").field("paths", &self.paths.keys()).field("conversions", &kinds).finish()
    }
}

impl Hooks {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Validation of a kind at a path.
    #[must_use]
    pub fn validate<T: Kind>(mut self, path: &str, check: impl Check<T>) -> Self {
        let handler = move |request: &review::Request| review::validate(request, &check);
        self.paths.insert(path.to_owned(), Arc::new(handler));
        self
    }

    /// Defaulting of a kind at a path: `fill` changes the object, the difference is the answer. Members that the
    /// type does not know stay.
    #[must_use]
    pub fn default_with<T: Kind>(mut self, path: &str, fill: impl Fn(&mut T) + Send + Sync + 'static) -> Self {
        let handler = move |request: &review::Request| {
            review::default(request, |value| {
                let before: T = review::parse(value)?;
                let mut after = before.clone();
                fill(&mut after);
                Ok(diff::merge_patch(&before, &after))
            })
        };
        self.paths.insert(path.to_owned(), Arc::new(handler));
        self
    }

    /// Conversion of a kind; all kinds share the path `/convert`.
    #[must_use]
    pub fn convert(mut self, group: &str, kind: &str, convert: Convert) -> Self {
        self.conversions.insert((group.to_owned(), kind.to_owned()), convert);
        self
    }

    /// The webhooks of both.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.paths.extend(other.paths);
        self.conversions.extend(other.conversions);
        self
    }

    /// The router that serves them.
    pub fn router(self) -> Router {
        let mut router = Router::new();
        for (path, handler) in self.paths {
            let answer = move |body: Bytes| async move { review::admission(&body, &*handler) };
            router = router.route(&path, post(answer));
        }
        if !self.conversions.is_empty() {
            let conversions = Arc::new(self.conversions);
            let answer = move |body: Bytes| async move { review::conversion(&body, &conversions) };
            router = router.route("/convert", post(answer));
        }
        router.layer(DefaultBodyLimit::max(BODY_LIMIT))
    }
}
