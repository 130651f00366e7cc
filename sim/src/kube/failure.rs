//! [`Failure`]: an answer that is a Status, with the API server's code, reason and details.

use serde_json::{Value, json};

use super::kinds::Kind;
use super::schema::{Problem, ProblemKind};

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

    /// A built-in kind has no such subresource.
    pub(crate) fn no_such_part() -> Self {
        let message = "the server could not find the requested resource";
        Self { details: json!({}), ..Self::new(404, "NotFound", message) }
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

    /// The object breaks rules. `group` and `kind` are as the object itself names them.
    pub(crate) fn invalid(group: &str, kind: &str, name: &str, problems: &[Problem]) -> Self {
        let cause = |problem: &Problem| {
            let message = format!("{}: {}", title(problem.kind), problem.message);
            json!({ "reason": problem.kind.reason(), "message": message, "field": problem.field })
        };
        let mut details = json!({ "causes": problems.iter().map(cause).collect::<Vec<_>>() });
        for (member, value) in [("group", group), ("kind", kind), ("name", name)] {
            if !value.is_empty() {
                details[member] = json!(value);
            }
        }
        let first = |problem: &Problem| format!("{}: {}: {}", problem.field, title(problem.kind), problem.message);
        let list: Vec<String> = problems.iter().map(first).collect();
        let subject = if group.is_empty() { kind.to_owned() } else { format!("{kind}.{group}") };
        let message = format!("{subject} \"{name}\" is invalid: {}", list.join(", "));
        Self { details, ..Self::new(422, "Invalid", message) }
    }

    /// The namespace of a creation does not exist.
    pub(crate) fn no_namespace(name: &str) -> Self {
        let details = json!({ "name": name, "kind": "namespaces" });
        Self { details, ..Self::new(404, "NotFound", format!("namespaces \"{name}\" not found")) }
    }

    /// Nothing can be created in a namespace that is being deleted.
    pub(crate) fn terminating(kind: &Kind, name: &str, namespace: &str) -> Self {
        let why = format!("unable to create new content in namespace {namespace} because it is being terminated");
        let resource = kind.name.resource(&kind.plural);
        let mut details = details(kind, name);
        details["causes"] = json!([{
            "reason": "NamespaceTerminating", "field": "metadata.namespace",
            "message": format!("namespace {namespace} is being terminated"),
        }]);
        Self { details, ..Self::new(403, "Forbidden", format!("{resource} \"{name}\" is forbidden: {why}")) }
    }

    /// A version that does not exist yet.
    pub(crate) fn too_large(asked: u64, current: u64) -> Self {
        let message = format!("Timeout: Too large resource version: {asked}, current: {current}");
        let cause = json!({ "reason": "ResourceVersionTooLarge", "message": "Too large resource version" });
        Self { details: json!({ "causes": [cause], "retryAfterSeconds": 1 }), ..Self::new(504, "Timeout", message) }
    }

    /// Something that this server does not simulate; better than a wrong answer.
    pub(crate) fn not_simulated(what: &str) -> Self {
        Self::new(501, "NotSimulated", format!("the simulated API server does not know {what}"))
    }

    /// The verb is not served here.
    pub(crate) fn no_such_verb(kind: &Kind, verb: &str) -> Self {
        let message = format!("{verb} is not supported on resources of kind \"{}\"", kind.name.resource(&kind.plural));
        let mut details = details(kind, "");
        if let Some(details) = details.as_object_mut() {
            details.remove("name");
        }
        Self { details, ..Self::new(405, "MethodNotAllowed", message) }
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

fn title(kind: ProblemKind) -> &'static str {
    match kind {
        ProblemKind::Required => "Required value",
        ProblemKind::TypeInvalid | ProblemKind::Invalid => "Invalid value",
        ProblemKind::NotSupported => "Unsupported value",
        ProblemKind::Forbidden => "Forbidden",
        ProblemKind::Duplicate => "Duplicate value",
        ProblemKind::TooLong => "Too long",
        ProblemKind::TooMany => "Too many",
    }
}

fn details(kind: &Kind, name: &str) -> Value {
    let mut details = json!({ "name": name, "kind": kind.plural });
    if !kind.name.group.is_empty() {
        details["group"] = json!(kind.name.group);
    }
    details
}
