//! The controller of BareMetalHosts.
//!
//! One pass: [`gather`] makes a [`view::HostView`]; [`life::step`] decides on a [`step::Step`], asking the guards and
//! then the state's own file in `states/`; the worker performs its writes and its request to Ironic; [`status`] records
//! what came of it. Reading order: [`life`], `states/`, [`view`], [`status`].

pub mod adoption;
pub mod annotations;
pub mod ask;
pub mod capacity;
pub mod conditions;
pub mod credentials;
pub mod deletion;
pub mod detach;
pub mod drive;
pub mod errors;
pub mod facts;
pub mod firmware;
pub mod gather;
pub mod hardware;
pub mod housekeeping;
pub mod life;
pub mod node_wish;
pub mod power;
pub mod registration;
pub mod registry;
pub mod release;
pub mod servicing;
pub mod settings;
pub mod state;
mod states;
pub mod status;
pub mod step;
#[cfg(test)]
mod tests;
pub mod view;
pub mod wish;

use api::metal3::BareMetalHost;
use kit::key::Key;
use kit::pass::{Class, Controller, Done, Fault, Found, Next, Plan, Record};

use crate::calls::{self, Answer, HostCall};
use crate::host::gather::Sources;
use crate::host::status::Outcome;
use crate::host::step::Step;
use crate::host::view::HostView;

/// The controller.
#[derive(Debug)]
pub struct Hosts {
    sources: Sources,
}

impl Hosts {
    /// The controller over its sources.
    pub fn new(sources: Sources) -> Self {
        Self { sources }
    }
}

impl Controller for Hosts {
    type View = HostView;
    type Call = HostCall;
    type Answer = Answer;

    fn name(&self) -> &'static str {
        "baremetalhost"
    }

    async fn gather(&self, key: &Key) -> Found<HostView> {
        self.sources.gather(key).await
    }

    fn decide(&self, view: &HostView) -> Plan<HostCall> {
        plan(life::step(view))
    }

    /// A request that a host in use could suffer from is only made when the host is still as it was seen.
    async fn call(&self, view: &HostView, call: &HostCall) -> Result<Answer, Fault> {
        if ends_use(call) {
            let key = Key::of(view.host.as_ref());
            let now = self.sources.io.get::<BareMetalHost>(&key).await?;
            if !now.as_ref().is_some_and(|now| same_wish(&view.host, now)) {
                return Err(Fault::new(
                    Class::Again,
                    "HostChanged",
                    "the host changed meanwhile; it is looked at again",
                ));
            }
        }
        calls::execute(&self.sources.poll, call).await
    }

    fn record(&self, view: &HostView, plan: Plan<HostCall>, done: &Done<Answer>) -> Record {
        // The step is a pure function of the view, so it need not travel inside the plan.
        let step = life::step(view);
        drop(plan);
        let outcome = match (&done.failed, &done.answer) {
            (Some(fault), _) => Outcome::NotWritten(fault),
            (None, Some(Err(fault))) => Outcome::Refused(fault),
            (None, Some(Ok(answer))) => Outcome::Done(Some(answer)),
            (None, None) => Outcome::Done(None),
        };
        let mut record = status::record(view, &step, outcome, done.at);
        record.fault = record.fault.or_else(|| done.late.clone());
        record
    }
}

/// Whether two readings of a host wish the same. What tools note for themselves, and what the cache leaves out, says
/// nothing.
fn same_wish(seen: &BareMetalHost, now: &BareMetalHost) -> bool {
    let requests = |host: &BareMetalHost| {
        let all = host.metadata.annotations.iter().flatten();
        all.filter(|(key, _)| key.contains("metal3.io")).map(|(k, v)| (k.clone(), v.clone())).collect::<Vec<_>>()
    };
    seen.metadata.uid == now.metadata.uid
        && seen.metadata.generation == now.metadata.generation
        && seen.metadata.deletion_timestamp == now.metadata.deletion_timestamp
        && requests(seen) == requests(now)
}

/// Whether a request wipes, stops or forgets a machine.
fn ends_use(call: &HostCall) -> bool {
    use ironic::{PowerTarget, ProvisionTarget};
    match call {
        HostCall::Provision { change, .. } => {
            matches!(change.target, ProvisionTarget::Deleted | ProvisionTarget::Provide | ProvisionTarget::Service)
        }
        HostCall::SetPower { target, .. } => *target != PowerTarget::On,
        HostCall::Clean { .. } | HostCall::Deploy { .. } | HostCall::DeleteNode { .. } => true,
        HostCall::CreateNode { .. }
        | HostCall::UpdateNode { .. }
        | HostCall::EnsurePorts { .. }
        | HostCall::VerifyAccess { .. }
        | HostCall::SetMaintenance { .. }
        | HostCall::ClearMaintenance { .. }
        | HostCall::ReadInventory { .. }
        | HostCall::ReadBios { .. }
        | HostCall::ReadFirmware { .. }
        | HostCall::ReadMedia { .. }
        | HostCall::AttachMedia { .. }
        | HostCall::DetachMedia { .. }
        | HostCall::Subscribe { .. }
        | HostCall::Unsubscribe { .. } => false,
    }
}

/// A step as the worker performs it. What it means for the status is decided in the record.
fn plan(step: Step) -> Plan<HostCall> {
    let nothing = Plan::wait(Next::Now);
    match step {
        Step::Write(writes, _) | Step::Gone(writes) => Plan { writes, ..nothing },
        Step::Ask(ask) => Plan { call: Some(ask.call), last: ask.last, ..nothing },
        Step::Paused(_) | Step::Rest(_) | Step::Stay(_) | Step::Note(_) | Step::Go(..) | Step::Fail(..) => nothing,
    }
}
