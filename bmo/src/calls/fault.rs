//! Ironic's errors as faults for people: what happened and what to do.

use ironic::{Error, ErrorKind};
use kit::pass::{Class, Fault};

/// Reasons of faults of this module.
pub mod reason {
    /// Ironic is working on the node.
    pub const LOCKED: &str = "NodeLocked";
    /// The node is in another state than the one seen.
    pub const MOVED: &str = "NodeMoved";
    /// The node is not in Ironic (any more).
    pub const MISSING: &str = "NodeMissing";
    /// No conductor is free.
    pub const BUSY: &str = "IronicBusy";
    /// Ironic does not answer.
    pub const UNREACHABLE: &str = "IronicUnreachable";
    /// Ironic does not accept our credentials.
    pub const UNAUTHORIZED: &str = "IronicUnauthorized";
    /// Ironic is too old or too new.
    pub const VERSION: &str = "IronicVersion";
    /// Ironic refused the request.
    pub const REFUSED: &str = "IronicRefused";
    /// Name, address or instance is taken.
    pub const CONFLICT: &str = "IronicConflict";
    /// Ironic failed inside.
    pub const FAILED: &str = "IronicFailed";
    /// Our configuration of Ironic is wrong.
    pub const SETUP: &str = "IronicSetup";
    /// The boot MAC address belongs to another node.
    pub const MAC_CONFLICT: &str = "MACAddressConflict";
    /// The management controller refuses the credentials, or does not answer.
    pub const NO_ACCESS: &str = "BMCAccessRefused";
    /// Validation before deployment failed.
    pub const VALIDATION: &str = "ValidationFailed";
}

/// The fault of a failed request; `what` says what it was for, e.g. "deploy the image".
pub fn fault(what: &str, error: &Error) -> Fault {
    let (class, reason, advice) = match error.kind {
        ErrorKind::Locked => (Class::Backoff, reason::LOCKED, "Ironic is busy with this machine; it is tried again"),
        ErrorKind::WrongState => {
            (Class::Backoff, reason::MOVED, "the machine's state changed meanwhile; it is decided again")
        }
        ErrorKind::NotFound => {
            (Class::Backoff, reason::MISSING, "Ironic does not know it any more; it is looked up again")
        }
        ErrorKind::Busy => (
            Class::Backoff,
            reason::BUSY,
            "no Ironic conductor is free for this machine; if this lasts, check that the conductor runs",
        ),
        ErrorKind::Unreachable | ErrorKind::Timeout => {
            (Class::Backoff, reason::UNREACHABLE, "check that Ironic runs and can be reached; it is tried again")
        }
        ErrorKind::Unauthorized => {
            (Class::Peer, reason::UNAUTHORIZED, "check the Ironic user name and password given to this controller")
        }
        ErrorKind::Version => (Class::Peer, reason::VERSION, "use a matching Ironic release"),
        ErrorKind::InvalidRequest => {
            (Class::Peer, reason::REFUSED, "Ironic's text tells which value it does not accept")
        }
        ErrorKind::Conflict => (Class::Peer, reason::CONFLICT, "remove or rename the other node in Ironic"),
        ErrorKind::Server => (Class::Backoff, reason::FAILED, "see the log of Ironic; it is tried again"),
        ErrorKind::Malformed => {
            (Class::Peer, reason::FAILED, "check that the endpoint is an Ironic API and not something before it")
        }
        ErrorKind::Setup => (Class::User, reason::SETUP, "correct this controller's Ironic settings"),
    };
    Fault::new(class, reason, format!("cannot {what}: {} ({advice})", error.text))
}
