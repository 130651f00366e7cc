//! [`Failure`]: an answer that is a Status, with the API server's code, reason and details.

use serde_json::{Value, json};

use super::kinds::Kind;

/// One reason why an object was refused.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cause {
    /// CamelCase word, e.g. `FieldValueRequired`.
    pub reason: &'static str,
    /// Path of the field, e.g. `spec.pool`.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

/// A request that failed.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// HTTP status.
    pub code: u16,
    /// CamelCase word, e.g. `Conflict`; empty when the API server gives none.
    pub reason: String,
    /// For people.
    pub message: String,
    /// `details` of the Status; null when there are none.
    pub details: Value,
    /// A body that is no Status at all (unknown paths).
    pub plain: bool,
}

impl Failure {
    /// A failure without details.
    pub fn new(code: u16, reason: &str, message: impl Into<String>) -> Self {
        Self { code, reason: reason.to_owned(), message: message.into(), details: Value::Null, plain: false }
    }

    /// An answer that a fault plan invents; the details say nothing.
    pub fn injected(code: u16, reason: &str) -> Self {
        Self::new(code, reason, format!("injected: {reason}"))
    }

    /// The path does not exist.
    pub fn no_such_path() -> Self {
        Self { plain: true, ..Self::new(404, "", "404 page not found\n") }
    }

    /// The body or a parameter cannot be used.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// There is no object of that name.
    pub fn not_found(kind: &Kind, name: &str) -> Self {
        let message = format!("{} \"{name}\" not found", kind.name.resource(&kind.plural));
        Self { details: details(kind, name), ..Self::new(404, "NotFound", message) }
    }

    /// The name is taken.
    pub fn already_exists(kind: &Kind, name: &str) -> Self {
        let message = format!("{} \"{name}\" already exists", kind.name.resource(&kind.plural));
        Self { details: details(kind, name), ..Self::new(409, "AlreadyExists", message) }
    }

    /// A precondition does not hold.
    pub fn conflict(kind: &Kind, name: &str, why: &str) -> Self {
        let message =
            format!("Operation cannot be fulfilled on {} \"{name}\": {why}", kind.name.resource(&kind.plural));
        Self { details: details(kind, name), ..Self::new(409, "Conflict", message) }
    }

    /// The version asked for is not kept any more.
    pub fn expired(message: impl Into<String>) -> Self {
        Self::new(410, "Expired", message)
    }

    /// The body of the answer.
    pub fn status(&self) -> Value {
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "code": self.code,
        });
        if !self.reason.is_empty() {
            status["reason"] = json!(self.reason);
        }
        if !self.details.is_null() {
            status["details"] = self.details.clone();
        }
        status
    }
}

fn details(kind: &Kind, name: &str) -> Value {
    let mut details = json!({ "name": name, "kind": kind.plural });
    if !kind.name.group.is_empty() {
        details["group"] = json!(kind.name.group);
    }
    details
}
