//! Metal3Remediation: the repair of one unhealthy machine by power cycle, asked for by a MachineHealthCheck.
//!
//! ```text
//!          add finalizer, power off     fence the Node             power on, undo the fence      in time healthy
//! (new) -> Running ------------------------------------> Waiting ------------------------------> deleted by the
//!             ^                                            |  too late                           MachineHealthCheck
//!             '------------- retries left -----------------'------- none left ----> Deleting machine: the Machine's
//!                                                                                   owner replaces it, the host rests
//! ```
//!
//! A machine that does not go off, or that has no host, is not fenced: its tries end after the same time.
//!
//! Fencing lets what ran on the machine start elsewhere: a taint where the workload cluster honours it, otherwise the
//! Node is deleted and its labels and annotations are kept for its return. Reading order: [`view`], [`life`] (what is
//! done, from top to bottom), [`fence`] (the Node's part); [`gather`] reads, everything else is pure.

pub mod fence;
pub mod gather;
pub mod life;
pub mod view;

use api::infra::v1beta2::Metal3Remediation;
use kit::diff;
use kit::pass::{Controller, Done, Fault, Found, Key, Next, Plan, Record};

pub use self::gather::Remediations;
use self::view::View;
use crate::machine::life::Call;

impl Controller for Remediations {
    type View = View;
    type Call = Call;
    type Answer = ();

    fn name(&self) -> &'static str {
        "metal3remediation"
    }

    async fn gather(&self, key: &Key) -> Found<View> {
        self.view(key).await
    }

    fn decide(&self, view: &View) -> Plan<Call> {
        life::decide(view).0
    }

    async fn call(&self, _: &View, call: &Call) -> Result<(), Fault> {
        self.write(call).await
    }

    fn record(&self, view: &View, plan: Plan<Call>, done: &Done<()>) -> Record {
        let (_, status) = life::decide(view);
        let gone = plan.next == Next::Gone;
        let record = Record::of(plan, done);
        if gone || record.fault.is_some() {
            return record;
        }
        let after = Metal3Remediation { status: Some(status), ..(*view.remediation).clone() };
        record.with_status(diff::status(&*view.remediation, &after))
    }
}

#[cfg(test)]
mod tests;
