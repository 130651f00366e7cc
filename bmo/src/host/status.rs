//! From what a pass did to the status of the host: facts, the move to another state, errors, conditions, events.

use api::metal3::{BareMetalHost, BareMetalHostStatus, BootMode, ErrorType, OperationMetric, OperationalStatus};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kit::clock::left;
use kit::diff;
use kit::pass::{Class, Fault, Next, Note, Record, Target, Why, rounded};

use crate::calls::{Answer, reason};
use crate::host::ask;
use crate::host::conditions::{self, POWER_FAILURE, Signs, Told, UNREACHABLE};
use crate::host::errors::{ErrorKind, back_off};
use crate::host::facts::{self, Fact};
use crate::host::state::State as S;
use crate::host::step::{Ask, RECHECK, SLOW, SOON, Step};
use crate::host::view::{HostView, NodeSeen};

/// The condition that tells whether Ironic can manage the machine.
const MANAGEABLE: &str = "Manageable";

/// What happened to the effects of a step.
#[derive(Debug, Clone, Copy)]
pub enum Outcome<'a> {
    /// All Kubernetes writes went through, and there was no request or it was accepted.
    Done(Option<&'a Answer>),
    /// A Kubernetes write failed.
    NotWritten(&'a Fault),
    /// Ironic was asked and did not accept.
    Refused(&'a Fault),
}

/// The record of a pass.
pub fn record(view: &HostView, step: &Step, outcome: Outcome<'_>, at: Timestamp) -> Record {
    let mut page = Page::new(view);
    match outcome {
        Outcome::NotWritten(fault) => page.fault = Some(fault.clone()),
        Outcome::Done(answer) => page.done(step, answer),
        Outcome::Refused(fault) => page.refused(step, fault),
    }
    page.finish(at)
}

/// A status being written.
struct Page<'a> {
    view: &'a HostView,
    status: BareMetalHostStatus,
    notes: Vec<Note>,
    told: Told,
    /// Whether an event of this pass says already what is waited for.
    said: bool,
    next: Next,
    fault: Option<Fault>,
    /// Nothing may be shown: the host is paused or gone.
    silent: bool,
    /// Something failed in this pass.
    failure: bool,
    /// Ironic refused for a reason that is an outage.
    outage: Option<String>,
}

impl<'a> Page<'a> {
    fn new(view: &'a HostView) -> Self {
        let unread = view.unread.as_ref().filter(|fault| fault.reason == reason::UNREACHABLE);
        let outage = match &view.node {
            NodeSeen::Unreachable(fault) => Some(fault.message.clone()),
            NodeSeen::NotAsked | NodeSeen::Absent | NodeSeen::Found(_) => unread.map(|fault| fault.message.clone()),
        };
        let mut status = view.status();
        if view.edited() && status.error_type.is_some() && !view.deleting() {
            // The edit may be the remedy: what follows it is tried at once.
            status.error_count = 0;
        }
        Self {
            view,
            status,
            notes: Vec::new(),
            told: Told::Same,
            said: false,
            next: Next::Rest,
            fault: None,
            silent: false,
            failure: false,
            outage,
        }
    }

    fn done(&mut self, step: &Step, answer: Option<&Answer>) {
        match step {
            Step::Paused(why) => {
                self.silent = true;
                self.next = Next::Changed(why.clone());
            }
            Step::Rest(facts) => {
                self.facts(facts);
                self.told = Told::Nothing;
            }
            Step::Stay(pause) => {
                self.facts(&pause.facts);
                self.wait(pause.after.unwrap_or(SLOW), pause.why.clone());
                // What could not be read is tried again at the pace of its fault.
                self.fault.clone_from(&self.view.unread);
            }
            Step::Note(facts) | Step::Write(_, facts) => {
                self.facts(facts);
                self.next = Next::Now;
            }
            Step::Go(next, facts) => {
                self.facts(facts);
                self.enter(next);
                self.told = Told::Nothing;
                self.next = Next::Now;
            }
            Step::Ask(ask) => self.accepted(ask, answer),
            Step::Fail(kind, message) => self.failed(*kind, message),
            Step::Gone(_) => {
                self.silent = true;
                self.next = Next::Gone;
            }
        }
    }

    fn facts(&mut self, facts: &[Fact]) {
        for fact in facts {
            facts::apply(&self.view.host, &mut self.status, fact);
            if let Fact::Event(reason, message) = fact {
                self.event(false, reason, message.clone());
            }
        }
    }

    fn event(&mut self, warning: bool, reason: &'static str, message: String) {
        let about = Target::of(self.view.host.as_ref());
        self.notes.push(Note { about, warning, reason, message });
    }

    fn wait(&mut self, after: std::time::Duration, why: Why) {
        self.told = Told::Wait(why.clone());
        self.next = Next::After(after, why);
    }

    fn accepted(&mut self, ask: &Ask, answer: Option<&Answer>) {
        self.facts(&ask.done);
        match answer {
            // Taken note of and nothing more, as the abort of a step that cannot be aborted: the poller tells when it moves.
            Some(Answer::Node(Some(node))) if ask.call.moves_from() == Some(&node.provision_state) => {
                self.next = Next::After(SOON, ask.why.clone());
            }
            Some(Answer::Node(Some(node))) if matches!(self.view.node, NodeSeen::Absent) => {
                self.facts(&[Fact::NodeId(node.uuid.clone())]);
                self.next = Next::Now;
            }
            // The picture holds the node as the request left it: go on from there at once.
            Some(_) | None => self.next = Next::Now,
        }
        // A request without a usual time is done when it is answered: there is nothing to wait for.
        self.said = ask.why.normal.is_none() || ask.done.iter().any(Fact::is_event);
        self.told = Told::Wait(ask.why.clone());
    }

    /// Ironic refused. Locks, outages and races are waited for; a refusal of the request itself is the host's error.
    fn refused(&mut self, step: &Step, fault: &Fault) {
        let Step::Ask(ask) = step else {
            self.fault = Some(fault.clone());
            return;
        };
        match fault.class {
            Class::Again => self.fault = Some(fault.clone()),
            Class::Backoff if fault.reason == reason::UNREACHABLE => self.lost(fault),
            Class::Backoff | Class::Bug => {
                self.told = Told::Wait(ask.why.clone().seen(fault.message.clone()));
                self.fault = Some(fault.clone());
            }
            Class::Peer if matches!(fault.reason, reason::UNAUTHORIZED | reason::VERSION) => self.lost(fault),
            Class::User if fault.reason == reason::SETUP => self.lost(fault),
            Class::Peer | Class::User => self.failed(ask.kind, &fault.message),
        }
    }

    fn lost(&mut self, fault: &Fault) {
        self.outage = Some(fault.message.clone());
        self.wait(SOON, Why::new(UNREACHABLE, fault.message.clone()));
    }

    fn failed(&mut self, kind: ErrorKind, message: &str) {
        self.failure = true;
        let status = &mut self.status;
        let other = status.error_type.as_ref().is_some_and(|known| known.as_str() != kind.as_str());
        if self.view.deleting() && other {
            // Each step of a deletion has its own tries.
            status.error_count = 0;
        }
        status.error_type = Some(ErrorType::from(kind.as_str()));
        message.clone_into(&mut status.error_message);
        status.operational_status = OperationalStatus::Error;
        status.error_count = status.error_count.saturating_add(1);
        let after = back_off(status.error_count, self.view.uid());
        self.event(true, kind.event(), message.to_owned());
        // The back-off is read from the status: an early look costs little and sees what people mended meanwhile.
        self.wait(after.min(RECHECK), Why::new(kind.event(), message));
    }

    /// The bookkeeping of a change of state.
    fn enter(&mut self, next: &S) {
        let now = Time(conditions::seconds(self.view.now));
        if let Some(ended) = history(&mut self.status, &self.view.state) {
            ended.end.get_or_insert(now.clone());
        }
        if let Some(begun) = history(&mut self.status, next) {
            *begun = OperationMetric { start: Some(now), end: None };
        }
        if matches!(next, S::Registering | S::Inspecting | S::Provisioning) {
            let wished = self.view.spec().boot_mode.clone().unwrap_or(BootMode::Uefi);
            self.status.provisioning.boot_mode = Some(wished);
        }
        self.status.provisioning.state = next.clone();
    }

    fn finish(mut self, at: Timestamp) -> Record {
        let record = |status, page: Self| Record { status, notes: page.notes, next: page.next, fault: page.fault };
        if self.silent {
            return record(None, self);
        }
        let host = self.view.host.as_ref();
        let signs = self.signs();
        self.status.conditions =
            conditions::compute(&self.status, &signs, host.metadata.generation, conditions::seconds(at));
        let before = self.view.status();
        self.announce(&before.conditions);
        let stands = !self.failure && same_failure(&before, &self.status) && before.last_updated.is_some();
        if self.status != before && !stands {
            self.status.last_updated = Some(Time(conditions::seconds(at)));
        }
        let after = BareMetalHost { status: Some(self.status.clone()), ..host.clone() };
        let changed = diff::status(host, &after);
        record(changed, self)
    }

    /// An event for every wait, loss and recovery that conditions did not show before. They are compared with the
    /// conditions on record, so neither another look nor a restart repeats one.
    fn announce(&mut self, before: &[Condition]) {
        let (was, is) =
            (conditions::reason_of(before, MANAGEABLE), conditions::reason_of(&self.status.conditions, MANAGEABLE));
        let lost = [UNREACHABLE, POWER_FAILURE].into_iter().find(|reason| is == Some(reason));
        let message = self.status.conditions.iter().find(|c| c.type_ == MANAGEABLE).map(|c| c.message.clone());
        let back = match was {
            _ if was == is => None,
            Some(UNREACHABLE) => Some(("IronicReachable", "Ironic answers again")),
            Some(POWER_FAILURE) if lost.is_none() => {
                Some(("PowerRestored", "Ironic can read and switch the machine's power again"))
            }
            Some(_) | None => None,
        };
        let wait = match &self.told {
            Told::Wait(why) if !self.said && conditions::shown(before) != Some(why.reason) => Some(why.clone()),
            Told::Wait(_) | Told::Same | Told::Nothing => None,
        };
        if let Some(reason) = lost.filter(|_| was != is) {
            self.event(true, reason, message.unwrap_or_default());
        }
        if let Some((reason, text)) = back {
            self.event(false, reason, text.to_owned());
        }
        if let Some(why) = wait.filter(|why| lost != Some(why.reason) && !conditions::is_error(why.reason)) {
            let warning = matches!(why.reason, UNREACHABLE | POWER_FAILURE) || self.view.unread.is_some();
            self.event(warning, why.reason, why.told());
        }
    }

    fn signs(&self) -> Signs {
        let node = self.view.node();
        Signs {
            power_failure: node.and_then(|node| ask::power_failure(self.view, node)).map(|why| why.told()),
            unreachable: self.outage.clone(),
            health: node.and_then(|node| node.health.clone()),
            told: match &self.told {
                Told::Wait(why) => Told::Wait(self.overdue(why.clone())),
                told @ (Told::Same | Told::Nothing) => told.clone(),
            },
        }
    }

    /// Says so when something takes longer than it normally does. The words change once, not with every look.
    fn overdue(&self, mut why: Why) -> Why {
        if let (Some(normal), Some(begun)) = (why.normal, self.begun(why.reason))
            && left(begun, normal, self.view.now).is_none()
        {
            why.message = format!("{} (longer than the usual {})", why.message, rounded(normal));
            why.normal = None;
        }
        why
    }

    /// When a wait began, where the status tells: the outage of Ironic, or a state's own work.
    fn begun(&self, reason: &str) -> Option<Timestamp> {
        if reason == UNREACHABLE {
            let outage = |c: &&Condition| c.type_ == MANAGEABLE && c.reason == UNREACHABLE;
            return self.status.conditions.iter().find(outage).map(|c| c.last_transition_time.0);
        }
        let (state, history) = (&self.status.provisioning.state, &self.status.operation_history);
        let phase = match (state, reason) {
            (S::Registering, "CreatingNode" | "VerifyingAccess") => &history.register,
            (S::Inspecting, "Inspecting") => &history.inspect,
            (S::Provisioning, "CleaningBeforeDeployment" | "Deploying") => &history.provision,
            (S::Deprovisioning, "Deprovisioning") => &history.deprovision,
            _ => return None,
        };
        phase.start.as_ref().map(|start| start.0)
    }
}

/// Whether an error stands as it did. Its time must stay, too, whatever else changes: the back-off counts from it.
fn same_failure(before: &BareMetalHostStatus, after: &BareMetalHostStatus) -> bool {
    let failure = |status: &BareMetalHostStatus| (status.error_type.clone(), status.error_count);
    after.error_type.is_some() && failure(before) == failure(after)
}

/// The record of the operation that a state is.
fn history<'s>(status: &'s mut BareMetalHostStatus, state: &S) -> Option<&'s mut OperationMetric> {
    let history = &mut status.operation_history;
    match state {
        S::Registering => Some(&mut history.register),
        S::Inspecting => Some(&mut history.inspect),
        S::Provisioning => Some(&mut history.provision),
        S::Deprovisioning => Some(&mut history.deprovision),
        S::None
        | S::Unmanaged
        | S::MatchProfile
        | S::Preparing
        | S::Ready
        | S::Available
        | S::Provisioned
        | S::ExternallyProvisioned
        | S::PoweringOffBeforeDelete
        | S::Deleting
        | S::Other(_) => None,
    }
}
