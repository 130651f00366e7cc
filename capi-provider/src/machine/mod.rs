//! Metal3Machine: one Cluster API Machine on one host.
//!
//! Reading order: [`view`] (what is known), [`life`] (what is done, from top to bottom), then the parts of a life in
//! their order: [`claim`] with [`choose`] and [`selector`], [`data`], [`provision`], [`node`], [`release`], [`pause`];
//! [`status`] is what all of it looks like from outside. [`gather`] reads, everything else is pure.

pub mod choose;
pub mod claim;
pub mod consumer;
pub mod data;
pub mod gather;
pub mod life;
pub mod node;
pub mod pause;
pub mod provision;
pub mod release;
pub mod selector;
pub mod status;
pub mod view;
mod wakes;

#[cfg(test)]
pub(crate) mod fixture;

use kit::pass::{Controller, Done, Fault, Found, Key, Next, Plan, Record};

use self::gather::Sources;
use self::life::Call;
use self::view::View;

pub use self::wakes::wakes;

/// The controller of Metal3Machines.
#[derive(Debug, Clone)]
pub struct Machines {
    /// Where views come from.
    pub sources: Sources,
}

impl Controller for Machines {
    type View = View;
    type Call = Call;
    type Answer = ();

    fn name(&self) -> &'static str {
        "metal3machine"
    }

    async fn gather(&self, key: &Key) -> Found<View> {
        self.sources.view(key).await
    }

    fn decide(&self, view: &View) -> Plan<Call> {
        life::decide(view).0
    }

    async fn call(&self, _: &View, call: &Call) -> Result<(), Fault> {
        self.sources.remotes.write(&call.cluster, &call.write).await
    }

    fn record(&self, view: &View, plan: Plan<Call>, done: &Done<()>) -> Record {
        let (_, report) = life::decide(view);
        let status = match plan.next {
            // The finalizer is gone and with it, perhaps, the object.
            Next::Gone => None,
            Next::Rest | Next::Now | Next::Changed(_) | Next::After(..) => {
                status::write(view, &report, plan.next.why(), done)
            }
        };
        let mut record = Record::of(plan, done).with_status(status);
        if report.provisioned && !view.provisioned() && record.fault.is_none() {
            let id = view.machine.spec.provider_id.as_deref().unwrap_or_default();
            record.notes.push(life::note(view, "Provisioned", format!("the host runs; provider ID {id}")));
        }
        record
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod walks;
