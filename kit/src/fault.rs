//! From an API server's answer to a [`Fault`]: who can help, and how it is retried.

use kube::core::Status;

use crate::pass::{Class, Fault};

/// The API server did not answer within the time limit. The write may or may not have happened.
pub const TIMEOUT: &str = "ApiTimeout";
/// The API server could not be reached, or the connection broke.
pub const UNREACHABLE: &str = "ApiUnreachable";
/// An optimistic lock failed: somebody else wrote first.
pub const CONFLICT: &str = "Conflict";
/// A creation found its name taken.
pub const EXISTS: &str = "AlreadyExists";
/// A write found its object gone.
pub const NOT_FOUND: &str = "NotFound";
/// The API server asked us to slow down, or failed itself.
pub const SERVER: &str = "ApiServerError";
/// Permissions are missing.
pub const FORBIDDEN: &str = "Forbidden";
/// The object was refused by its schema or by an admission webhook.
pub const REFUSED: &str = "ApiRefused";
/// An answer did not have the shape of its kind.
pub const UNREADABLE: &str = "Unreadable";

/// The fault of a failed request about `what` (e.g. `patch IPClaim default/a`).
pub fn of_error(what: &str, error: &kube::Error) -> Fault {
    match error {
        kube::Error::Api(status) => of_status(what, status),
        kube::Error::SerdeError(error) => {
            Fault::new(Class::Bug, UNREADABLE, format!("{what}: the answer could not be read: {error}"))
        }
        other => Fault::new(Class::Backoff, UNREACHABLE, format!("{what}: {other}")),
    }
}

/// The fault of a request that the API server answered with a failure status.
pub fn of_status(what: &str, status: &Status) -> Fault {
    let (class, reason) = classify(status);
    Fault::new(class, reason, format!("{what}: {}", status.message))
}

fn classify(status: &Status) -> (Class, &'static str) {
    if status.is_already_exists() {
        return (Class::Again, EXISTS);
    }
    match status.code {
        404 => (Class::Again, NOT_FOUND),
        409 => (Class::Again, CONFLICT),
        // A namespace in deletion answers 403 with a cause; there, too, only time helps.
        401 | 403 => (Class::Backoff, FORBIDDEN),
        // A patch that names another uid: the object was made anew under its name since we looked.
        422 if names_uid(status) => (Class::Again, CONFLICT),
        400 | 405 | 413 | 415 | 422 => (Class::Bug, REFUSED),
        _ => (Class::Backoff, SERVER),
    }
}

/// Some kinds answer a wrong `metadata.uid` with 409, others take it for a change of a fixed field.
fn names_uid(status: &Status) -> bool {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    causes.into_iter().any(|cause| cause.field == "metadata.uid")
}

/// The fault of a request without an answer in time.
pub fn timed_out(what: &str, limit: std::time::Duration) -> Fault {
    Fault::new(Class::Backoff, TIMEOUT, format!("{what}: no answer from the API server within {} s", limit.as_secs()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_answer_has_a_class_and_none_is_terminal() {
        let table = [
            (404, "NotFound", Class::Again, NOT_FOUND),
            (409, "Conflict", Class::Again, CONFLICT),
            (409, "AlreadyExists", Class::Again, EXISTS),
            (403, "Forbidden", Class::Backoff, FORBIDDEN),
            (422, "Invalid", Class::Bug, REFUSED),
            (429, "TooManyRequests", Class::Backoff, SERVER),
            (500, "InternalError", Class::Backoff, SERVER),
            (503, "ServiceUnavailable", Class::Backoff, SERVER),
            (504, "Timeout", Class::Backoff, SERVER),
            (410, "Expired", Class::Backoff, SERVER),
        ];
        for (code, text, class, reason) in table {
            let fault = of_status("get x", &Status::failure("m", text).with_code(code));
            assert_eq!((fault.class, fault.reason), (class, reason), "{code} {text}");
            assert_eq!(fault.message, "get x: m");
        }
    }

    #[test]
    fn an_object_made_anew_under_its_name_is_a_conflict_and_no_bug() {
        let other_field = json!({"code": 422, "status": "Failure", "message": "m", "reason": "Invalid",
            "details": {"causes": [{"field": "spec.address", "message": "is fixed"}]}});
        let mut other_uid = other_field.clone();
        other_uid["details"]["causes"][0]["field"] = "metadata.uid".into();
        let class = |answer: serde_json::Value| of_status("patch x", &serde_json::from_value(answer).unwrap()).class;
        assert_eq!((class(other_field), class(other_uid)), (Class::Bug, Class::Again));
    }
}
