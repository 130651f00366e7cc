//! [`FaultPlan`]: one disturbance of one run, as a value with a text form that replays it.
//!
//! | text | what happens |
//! |---|---|
//! | `none` | nothing |
//! | `kill-before:7`, `kill-after:7` | the manager dies before or after its 7th write is committed; a new one starts |
//! | `fail:12:503`, `fail:12:503x10` | its 12th request is answered so; with `x10` the next 9 as well |
//! | `stale:IPClaim.ipam.metal3.io:3` | its cache of the kind stays as it is from the 3rd event on until all is quiet |
//! | `gap:IPClaim.ipam.metal3.io:3` | the watch breaks at the 3rd event for good; a late list makes up for it |
//! | `twin:7` | at its 7th write a second manager starts that believes to lead, too |
//! | `late:7` | the same, and the 7th write arrives after the second manager has done all it wants |
//! | `blind-claims:7`, `blind-addresses:7` | as `twin`, and the second manager learns of no such object after its start |
//!
//! Positions count from 1, in the undisturbed run of the scenario.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::kube::{Failure, KindName, Verdict};

/// How long a write of the plan `late` is under way: shorter than the writer's patience, so that it is not repeated.
pub const LATE: Duration = Duration::from_secs(25);
/// Length of a burst of failures.
/// With the queue's doubling pauses one key is busy for ten seconds with it.
pub const BURST: u64 = 10;

/// How a request fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Error {
    /// Somebody else was first.
    Conflict,
    /// Throttled.
    TooMany,
    /// The server's own error.
    Internal,
    /// Overloaded or starting.
    Unavailable,
    /// No answer at all.
    Timeout,
    /// The connection breaks, and nothing is done.
    ResetBefore,
    /// It is done, and the connection breaks before the answer.
    ResetAfter,
}

impl Error {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Conflict,
        Self::TooMany,
        Self::Internal,
        Self::Unavailable,
        Self::Timeout,
        Self::ResetBefore,
        Self::ResetAfter,
    ];

    fn text(self) -> &'static str {
        match self {
            Self::Conflict => "409",
            Self::TooMany => "429",
            Self::Internal => "500",
            Self::Unavailable => "503",
            Self::Timeout => "timeout",
            Self::ResetBefore => "reset-before",
            Self::ResetAfter => "reset-after",
        }
    }

    /// What the server does with the request.
    pub fn verdict(self) -> Verdict {
        match self {
            Self::Conflict => Verdict::Answer(Failure::injected(409, "Conflict")),
            Self::TooMany => Verdict::Answer(Failure::injected(429, "TooManyRequests")),
            Self::Internal => Verdict::Answer(Failure::injected(500, "InternalError")),
            Self::Unavailable => Verdict::Answer(Failure::injected(503, "ServiceUnavailable")),
            Self::Timeout => Verdict::Never,
            Self::ResetBefore => Verdict::Reset,
            Self::ResetAfter => Verdict::CommitThenReset,
        }
    }
}

/// Which side of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// Nothing is committed.
    Before,
    /// It is committed, and the answer is lost.
    After,
}

/// What the second manager does not learn of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Blind {
    /// Claims of both kinds.
    Claims,
    /// Addresses of both kinds.
    Addresses,
}

impl Blind {
    /// Whether it concerns a kind.
    pub fn covers(self, kind: &KindName) -> bool {
        match self {
            Self::Claims => kind.kind.ends_with("Claim"),
            Self::Addresses => kind.kind == "IPAddress",
        }
    }
}

/// One disturbance.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultPlan {
    /// Nothing happens.
    None,
    /// The manager dies at a write and is started again with empty memory.
    Kill {
        /// Before or after the commit.
        side: Side,
        /// Which write.
        write: u64,
    },
    /// Requests fail.
    Fail {
        /// The first of them.
        request: u64,
        /// How.
        error: Error,
        /// How many in a row.
        times: u64,
    },
    /// The cache of a kind is not told of anything from an event on, until nothing happens any more.
    Stale {
        /// The kind.
        kind: KindName,
        /// The first event that is held.
        event: u64,
    },
    /// A watch breaks at an event, which is lost with what follows; a list much later shows only what is left.
    Gap {
        /// The kind.
        kind: KindName,
        /// The first event that is lost.
        event: u64,
    },
    /// A second manager starts while the first one goes on.
    Twin {
        /// At which write of the first.
        write: u64,
    },
    /// A second manager starts whose cache of claims or of addresses stays as it was at its start.
    Blind {
        /// Which of them.
        what: Blind,
        /// At which write of the first.
        write: u64,
    },
    /// A second manager does everything while a write of the first is under way.
    Late {
        /// Which write of the first.
        write: u64,
    },
}

impl FaultPlan {
    /// The family, for statistics.
    pub fn family(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Kill { .. } => "kill",
            Self::Fail { times: 1, .. } => "fail",
            Self::Fail { .. } => "burst",
            Self::Stale { .. } => "stale",
            Self::Gap { .. } => "gap",
            Self::Twin { .. } => "twin",
            Self::Late { .. } => "late",
            Self::Blind { .. } => "blind",
        }
    }

    /// Whether two managers act at once.
    pub fn doubles(&self) -> bool {
        matches!(self, Self::Twin { .. } | Self::Late { .. } | Self::Blind { .. })
    }
}

impl fmt::Display for FaultPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Kill { side: Side::Before, write } => write!(f, "kill-before:{write}"),
            Self::Kill { side: Side::After, write } => write!(f, "kill-after:{write}"),
            Self::Fail { request, error, times: 1 } => write!(f, "fail:{request}:{}", error.text()),
            Self::Fail { request, error, times } => write!(f, "fail:{request}:{}x{times}", error.text()),
            Self::Stale { kind, event } => write!(f, "stale:{kind}:{event}"),
            Self::Gap { kind, event } => write!(f, "gap:{kind}:{event}"),
            Self::Twin { write } => write!(f, "twin:{write}"),
            Self::Late { write } => write!(f, "late:{write}"),
            Self::Blind { what: Blind::Claims, write } => write!(f, "blind-claims:{write}"),
            Self::Blind { what: Blind::Addresses, write } => write!(f, "blind-addresses:{write}"),
        }
    }
}

/// A text that is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no fault plan; see `cargo run -p sim -- list`")]
pub struct NoPlan(String);

impl FromStr for FaultPlan {
    type Err = NoPlan;

    fn from_str(text: &str) -> Result<Self, NoPlan> {
        parse(text).ok_or_else(|| NoPlan(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<FaultPlan> {
    if text == "none" {
        return Some(FaultPlan::None);
    }
    let (family, rest) = text.split_once(':')?;
    let plan = match family {
        "kill-before" => FaultPlan::Kill { side: Side::Before, write: rest.parse().ok()? },
        "kill-after" => FaultPlan::Kill { side: Side::After, write: rest.parse().ok()? },
        "fail" => {
            let (request, how) = rest.split_once(':')?;
            let (how, times) = match how.rsplit_once('x') {
                Some((how, times)) => (how, times.parse().ok()?),
                None => (how, 1),
            };
            let error = Error::ALL.into_iter().find(|error| error.text() == how)?;
            FaultPlan::Fail { request: request.parse().ok()?, error, times }
        }
        "stale" | "gap" => {
            let (kind, event) = rest.rsplit_once(':')?;
            let (name, group) = kind.split_once('.')?;
            let (kind, event) = (KindName::new(group, name), event.parse().ok()?);
            if family == "stale" { FaultPlan::Stale { kind, event } } else { FaultPlan::Gap { kind, event } }
        }
        "twin" => FaultPlan::Twin { write: rest.parse().ok()? },
        "late" => FaultPlan::Late { write: rest.parse().ok()? },
        "blind-claims" => FaultPlan::Blind { what: Blind::Claims, write: rest.parse().ok()? },
        "blind-addresses" => FaultPlan::Blind { what: Blind::Addresses, write: rest.parse().ok()? },
        _ => return None,
    };
    Some(plan)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_read_back_from_its_text() {
        let texts = [
            "none",
            "kill-before:1",
            "kill-after:12",
            "fail:3:409",
            "fail:3:reset-after",
            "fail:44:timeoutx20",
            "stale:IPClaim.ipam.metal3.io:3",
            "gap:IPAddress.ipam.cluster.x-k8s.io:1",
            "twin:2",
            "late:5",
            "blind-claims:5",
            "blind-addresses:5",
        ];
        for text in texts {
            assert_eq!(text.parse::<FaultPlan>().unwrap().to_string(), text);
        }
        for text in ["", "kill:1", "fail:3", "fail:3:418", "fail:3:503xx", "stale:IPClaim:1", "twin:"] {
            assert!(text.parse::<FaultPlan>().is_err(), "{text}");
        }
    }
}
