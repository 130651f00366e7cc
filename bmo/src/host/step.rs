//! What one pass of a host comes to: a [`Step`], as data. Guards and states return it, and `status` records it.

use std::time::Duration;

use kit::pass::{Why, Write};

use crate::calls::HostCall;
use crate::host::errors::ErrorKind;
use crate::host::facts::Fact;
use crate::host::state::State;

/// The outcome of looking at a host.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// The host is paused: nothing at all is done, not even recorded.
    Paused(Why),
    /// Everything is as wished; only a change brings the host back.
    Rest(Vec<Fact>),
    /// Something is awaited.
    Stay(Pause),
    /// Something became known that must be in the status before anything else happens.
    Note(Vec<Fact>),
    /// Another state begins.
    Go(State, Vec<Fact>),
    /// Ironic is asked for something.
    Ask(Box<Ask>),
    /// Objects in Kubernetes are written first; the facts hold once they are.
    Write(Vec<Write>, Vec<Fact>),
    /// Something failed that people must know about; tried again after the back-off.
    Fail(ErrorKind, String),
    /// The finalizers go, and with them the object.
    Gone(Vec<Write>),
}

/// A wait with its reason.
#[derive(Debug, Clone, PartialEq)]
pub struct Pause {
    /// Look again after this time at the latest; `None`: only a change helps.
    pub after: Option<Duration>,
    /// What is awaited.
    pub why: Why,
    /// What this wait shows in the status, e.g. that the host is delayed.
    pub facts: Vec<Fact>,
}

/// A request to Ironic.
#[derive(Debug, Clone, PartialEq)]
pub struct Ask {
    /// The request.
    pub call: HostCall,
    /// Objects to write once Ironic has accepted.
    pub last: Vec<Write>,
    /// What becomes true when Ironic accepts.
    pub done: Vec<Fact>,
    /// The kind of error it is when Ironic refuses.
    pub kind: ErrorKind,
    /// What is awaited afterwards.
    pub why: Why,
}

impl Ask {
    /// A request of which nothing needs to be recorded.
    pub fn new(call: HostCall, kind: ErrorKind, why: Why) -> Self {
        Self { call, last: Vec::new(), done: Vec::new(), kind, why }
    }

    /// What becomes true when Ironic accepts.
    #[must_use]
    pub fn then(mut self, facts: impl IntoIterator<Item = Fact>) -> Self {
        self.done.extend(facts);
        self
    }

    /// Objects to write once Ironic has accepted.
    #[must_use]
    pub fn and_write(mut self, writes: impl IntoIterator<Item = Write>) -> Self {
        self.last.extend(writes);
        self
    }

    /// As a step.
    pub fn step(self) -> Step {
        Step::Ask(Box::new(self))
    }
}

/// The look-again time of a wait that the poller normally ends: a safety net for changes that came and went between
/// two polls.
pub const SOON: Duration = Duration::from_secs(10);
/// The look-again time of an error that a person must mend somewhere we may not be watching.
pub const RECHECK: Duration = Duration::from_secs(15);
/// The look-again time of a wait for a person.
pub const SLOW: Duration = Duration::from_mins(10);

impl Step {
    /// A wait for Ironic or the machine.
    pub fn wait(why: Why) -> Self {
        Self::Stay(Pause { after: Some(SOON), why, facts: Vec::new() })
    }

    /// A wait of a given length.
    pub fn wait_for(after: Duration, why: Why) -> Self {
        Self::Stay(Pause { after: Some(after), why, facts: Vec::new() })
    }

    /// A wait that only a person can end.
    pub fn wait_for_user(why: Why) -> Self {
        Self::Stay(Pause { after: Some(SLOW), why, facts: Vec::new() })
    }

    /// Adds facts to a step that shows or records some; other steps stay as they are. Those of a request are told to the
    /// request itself, see [`Ask::then`]: another one may have to go first.
    #[must_use]
    pub fn with(mut self, more: impl IntoIterator<Item = Fact>) -> Self {
        match &mut self {
            Self::Rest(facts) | Self::Note(facts) | Self::Go(_, facts) | Self::Write(_, facts) => facts.extend(more),
            Self::Stay(pause) => pause.facts.extend(more),
            Self::Ask(_) | Self::Paused(_) | Self::Fail(..) | Self::Gone(_) => {}
        }
        self
    }
}
