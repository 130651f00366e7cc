//! Failed requests: what was asked, what came back, and who can help.

use std::fmt;

use serde_json::Value;

/// A failed request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{request}: {}{text}", .status.map(|status| format!("HTTP {status}: ")).unwrap_or_default())]
pub struct Error {
    /// The class.
    pub kind: ErrorKind,
    /// Method and path, e.g. `PUT /v1/nodes/x/states/power`. Never a query value or a body.
    pub request: String,
    /// HTTP status, when there was an answer.
    pub status: Option<u16>,
    /// Ironic's fault text, or what went wrong on our side.
    pub text: String,
}

/// Who can help with an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorKind {
    /// A conductor works on the node: repeat soon.
    Locked,
    /// Something of that name, address or id exists, or the object is in use by another.
    Conflict,
    /// No free or no matching conductor right now: repeat later.
    Busy,
    /// The node (port, inventory, ...) does not exist.
    NotFound,
    /// The node is in a state that does not allow the request: look at it again.
    WrongState,
    /// User name or password refused.
    Unauthorized,
    /// The server does not speak the API version needed.
    Version,
    /// No connection: refused, no route, name unknown, certificate not trusted.
    Unreachable,
    /// No answer in time.
    Timeout,
    /// The request itself was refused: a wrong value or an unsupported operation.
    InvalidRequest,
    /// Ironic failed inside.
    Server,
    /// The answer was not what the API promises.
    Malformed,
    /// This side's configuration is wrong: endpoint, certificate or credential files.
    Setup,
}

impl ErrorKind {
    /// Whether repeating the same request later can succeed without anybody's help.
    pub fn is_temporary(self) -> bool {
        match self {
            Self::Locked | Self::Busy | Self::Unreachable | Self::Timeout | Self::Server | Self::WrongState => true,
            Self::Conflict
            | Self::NotFound
            | Self::Unauthorized
            | Self::Version
            | Self::InvalidRequest
            | Self::Malformed
            | Self::Setup => false,
        }
    }
    /// Whether Ironic as a whole cannot be used now, so that no other node will fare better.
    pub fn is_outage(self) -> bool {
        match self {
            Self::Unreachable | Self::Timeout | Self::Unauthorized | Self::Version | Self::Setup | Self::Malformed => {
                true
            }
            Self::Locked
            | Self::Busy
            | Self::WrongState
            | Self::Server
            | Self::Conflict
            | Self::NotFound
            | Self::InvalidRequest => false,
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl Error {
    /// An error without an answer.
    pub fn local(kind: ErrorKind, request: impl Into<String>, text: impl Into<String>) -> Self {
        Self { kind, request: request.into(), status: None, text: text.into() }
    }

    /// The error of an answer that is not a success.
    pub fn answer(request: impl Into<String>, status: u16, body: &[u8]) -> Self {
        let text = fault(status, body);
        Self { kind: classify(status, &text), request: request.into(), status: Some(status), text }
    }
}

/// The class of an answer. The status alone does not decide: Ironic uses 404 for "no conductor" and 400 for "wrong state".
fn classify(status: u16, text: &str) -> ErrorKind {
    let has = |part: &str| text.to_ascii_lowercase().contains(part);
    match status {
        401 | 403 => ErrorKind::Unauthorized,
        // A node without a conductor is not a missing node: deleting must not be taken as done.
        400 | 404 if has("no valid host was found") || has("no conductor") => ErrorKind::Busy,
        404 => ErrorKind::NotFound,
        406 => ErrorKind::Version,
        409 if has("is locked by") => ErrorKind::Locked,
        409 if has("already exists") || has("already associated") || has("is associated with") => ErrorKind::Conflict,
        // Deletion, updates and port changes answer 409 while a node is in transition.
        409 => ErrorKind::WrongState,
        400 if has("can not be performed on node") || has("can't be performed on node") => ErrorKind::WrongState,
        408 | 504 => ErrorKind::Timeout,
        429 | 503 => ErrorKind::Busy,
        502 => ErrorKind::Unreachable,
        400..=499 => ErrorKind::InvalidRequest,
        500..=599 => ErrorKind::Server,
        _ => ErrorKind::Malformed,
    }
}

/// The text of a fault for people, whatever shape the body has.
fn fault(status: u16, body: &[u8]) -> String {
    let raw = String::from_utf8_lossy(body);
    let found = serde_json::from_slice::<Value>(body).ok().and_then(|value| find(&value, 0));
    let text = found.unwrap_or_else(|| plain(&raw));
    match text.trim() {
        "" => format!("no explanation (status {status})"),
        text => text.chars().take(2000).collect(),
    }
}

/// Looks for the message in the JSON shapes in use:
/// `{"error_message": "{\"faultstring\": ..}"}`, the same without the inner quoting, `{"error_message": "text"}`,
/// `{"error": {"message": ..}}`, `{"errors": [{"detail": ..}]}`, `{"faultstring": ..}`, `{"message"|"description"|"title": ..}`.
fn find(value: &Value, depth: u8) -> Option<String> {
    const KEYS: [&str; 9] =
        ["error_message", "faultstring", "error", "errors", "message", "detail", "description", "title", "reason"];
    if depth > 4 {
        return None;
    }
    match value {
        Value::String(text) => match serde_json::from_str::<Value>(text) {
            Ok(inner @ Value::Object(_)) => find(&inner, depth + 1).or_else(|| Some(text.clone())),
            Ok(_) | Err(_) => Some(text.clone()).filter(|text| !text.trim().is_empty()),
        },
        Value::Object(map) => KEYS.iter().filter_map(|key| map.get(*key)).find_map(|value| find(value, depth + 1)),
        Value::Array(items) => items.iter().find_map(|item| find(item, depth + 1)),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// Text of a body that is not JSON: an HTML page of a proxy loses its tags and its empty space.
fn plain(raw: &str) -> String {
    let mut inside = false;
    let text: String = raw
        .chars()
        .map(|c| match c {
            '<' => {
                inside = true;
                ' '
            }
            '>' => {
                inside = false;
                ' '
            }
            c if inside => {
                let _ = c;
                ' '
            }
            c => c,
        })
        .collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
