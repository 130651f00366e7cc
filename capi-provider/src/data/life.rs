//! Metal3Data: from an index to Secrets, and back. Pure but for [`Controller::gather`].
//!
//! [`step`] is the whole life from top to bottom.

use std::collections::BTreeMap;
use std::time::Duration;

use api::infra::v1beta2::Metal3DataTemplate;
use api::names::finalizer;
use kit::pass::{Controller, Done, Fault, Found, Key, Next, NoCall, Note, Plan, Record, Target, Why, Write};
use kit::{diff, owners};

use super::claims::{self, Answer};
use super::gather::Sources;
use super::pools::{self, Leases};
use super::secrets::{self, Part};
use super::subject::Subject;
use super::view::DataView;

/// Longest error message that the API takes, characters.
const MAX_ERROR: usize = 512;
/// A cause that only a user or another controller changes is looked at again after this, should no event come.
const RECHECK: Duration = Duration::from_mins(2);

/// The controller of Metal3Data.
#[derive(Debug, Clone)]
pub struct Datas {
    /// Where views come from.
    pub sources: Sources,
}

/// What an index needs next.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Nothing can be done before something changes.
    Wait(Why),
    /// A user must change something.
    Failed(String),
    /// These writes, independent of each other; afterwards the cause of a wait, if the writes alone do not go on.
    Do(Vec<Write>, Option<Why>),
    /// The Secrets are made.
    Render(Vec<Write>),
    /// All Secrets exist.
    Ready,
    /// The last finalizers go.
    Done(Write),
}

/// The next step.
pub fn step(view: &DataView) -> Step {
    if owners::paused(&view.data.metadata) || view.cluster.as_ref().is_some_and(|cluster| cluster.is_paused()) {
        return Step::Wait(Why::new("Paused", "the object or its Cluster is paused"));
    }
    if owners::deleting(&view.data.metadata) {
        return deletion(view);
    }
    if !owners::has_finalizer(&*view.data, finalizer::METAL3_DATA) {
        return Step::Do(vec![owners::add_finalizer(&*view.data, finalizer::METAL3_DATA)], None);
    }
    if view.cluster.is_none() {
        return Step::Wait(Why::new("ClusterMissing", "waiting for the Cluster that the object's label names"));
    }
    let name = view.data.spec.template.as_ref().and_then(|template| template.name());
    let Some(name) = name else { return Step::Failed("spec.template.name is empty".to_owned()) };
    let Some(template) = &view.template else {
        return Step::Wait(Why::new("TemplateMissing", format!("waiting for Metal3DataTemplate {name}")));
    };
    let Some(machine) = &view.metal3_machine else {
        return Step::Wait(Why::new("MachineMissing", "waiting for the Metal3Machine that made the claim"));
    };
    if !secrets::uses(machine, name) {
        let machine = machine.metadata.name.as_deref().unwrap_or_default();
        return Step::Failed(format!("Metal3Machine {machine} does not refer to template {name}"));
    }
    let wanted = secrets::wanted(template, &view.data, machine.metadata.name.as_deref().unwrap_or_default());
    if let Some((_, name)) = wanted.iter().find(|(_, name)| view.secrets.get(*name).is_some_and(|seen| seen.deleting)) {
        return Step::Wait(Why::new("SecretDeleting", format!("waiting until the old Secret {name} is gone")));
    }
    let missing: BTreeMap<Part, &str> = (wanted.iter().filter(|(_, name)| !view.secrets.contains_key(*name)))
        .map(|(part, name)| (*part, name.as_str()))
        .collect();
    let referring = diff::object_exact(&*view.data, &secrets::referring(&view.data, &wanted));
    if missing.is_empty() {
        return referring.map_or(Step::Ready, |write| Step::Do(vec![write], None));
    }
    match make(view, template, &missing) {
        Step::Render(mut writes) => {
            writes.extend(referring);
            Step::Render(writes)
        }
        other => other,
    }
}

/// Addresses of all pools, then the missing Secrets.
fn make(view: &DataView, template: &Metal3DataTemplate, missing: &BTreeMap<Part, &str>) -> Step {
    let Some(subject) = view.subject() else {
        let what = if view.machine.is_none() { "Machine" } else { "BareMetalHost" };
        return Step::Wait(Why::new("MachineIncomplete", format!("waiting for the {what} of the Metal3Machine")));
    };
    let leases = match addresses(view, template, &subject) {
        Ok(leases) => leases,
        Err(step) => return *step,
    };
    let writes: Result<Vec<Write>, _> =
        missing.iter().map(|(part, name)| secrets::create(*part, name, template, &subject, &leases)).collect();
    match writes {
        Ok(writes) => Step::Render(writes),
        Err(error) => Step::Failed(error.to_string()),
    }
}

/// What all pools gave, or what is done about those that have not yet. All are asked at once.
fn addresses(view: &DataView, template: &Metal3DataTemplate, subject: &Subject<'_>) -> Result<Leases, Box<Step>> {
    let pools = pools::of(template, subject).map_err(|error| Box::new(Step::Failed(error.to_string())))?;
    let (mut leases, mut writes, mut why) = (Leases::new(), Vec::new(), None);
    for pool in pools {
        match claims::ask(&pool, view) {
            Answer::Lease(lease) => {
                leases.insert(pool, lease);
            }
            Answer::Ask(write) | Answer::LetGo(write) => writes.push(write),
            Answer::Wait(reason) => why = why.or(Some(reason)),
            Answer::Refused(text) => return Err(Box::new(Step::Failed(text))),
        }
    }
    match (writes.is_empty(), why) {
        (true, None) => Ok(leases),
        (true, Some(why)) => Err(Box::new(Step::Wait(why))),
        (false, why) => {
            let asked = || Why::new("WaitingForAddress", "waiting for the addresses that were asked for");
            Err(Box::new(Step::Do(writes, Some(why.unwrap_or_else(asked)))))
        }
    }
}

/// The claim goes first: while it is there, a machine may depend on the data. Then addresses, then the object.
fn deletion(view: &DataView) -> Step {
    if let Some(claim) = &view.claim {
        let name = claim.metadata.name.as_deref().unwrap_or_default();
        return Step::Wait(Why::new("InUse", format!("Metal3DataClaim {name} still holds this index")));
    }
    let writes = claims::release(view);
    if !writes.is_empty() {
        return Step::Do(writes, None);
    }
    // Nobody is left who would remove the claim's finalizer.
    let mut after = (*view.data).clone();
    if let Some(finalizers) = &mut after.metadata.finalizers {
        finalizers.retain(|name| name != finalizer::METAL3_DATA && name != finalizer::METAL3_DATA_CLAIM);
    }
    match diff::object_exact(&*view.data, &after) {
        Some(write) => Step::Done(write),
        None => Step::Wait(Why::new("Deleting", "other controllers' finalizers are still there")),
    }
}

/// The plan of a step.
pub fn plan(view: &DataView, step: Step) -> Plan<NoCall> {
    match step {
        Step::Wait(why) => Plan::wait(Next::Changed(why)),
        Step::Failed(text) => Plan::wait(Next::After(RECHECK, Why::new("RenderingFailed", text))),
        Step::Do(writes, None) => Plan { writes, ..Plan::wait(Next::Now) },
        Step::Do(writes, Some(why)) => Plan { writes, ..Plan::wait(Next::Changed(why)) },
        Step::Render(writes) => Plan { writes, ..Plan::wait(Next::Now) }.and_note(Note {
            about: Target::of(&*view.data),
            warning: false,
            reason: "DataRendered",
            message: "meta data and network data are rendered".to_owned(),
        }),
        Step::Ready => Plan::wait(Next::Rest),
        Step::Done(write) => Plan::write(write, Next::Gone),
    }
}

/// The status that goes with a step; `None` leaves it as it is.
fn status(view: &DataView, step: &Step) -> Option<Write> {
    let mut after = (*view.data).clone();
    let status = after.status.get_or_insert_default();
    let was_ready = status.ready.unwrap_or(false);
    let (ready, error) = match step {
        Step::Ready => (true, None),
        Step::Failed(text) => (false, Some(text.chars().take(MAX_ERROR).collect())),
        // A wait says nothing about Secrets that were already there.
        Step::Wait(_) => (was_ready, None),
        Step::Do(..) | Step::Render(_) => (false, None),
        Step::Done(_) => return None,
    };
    if owners::deleting(&view.data.metadata) {
        return None;
    }
    status.ready = Some(ready);
    status.error_message = error;
    diff::status(&*view.data, &after)
}

impl Controller for Datas {
    type View = DataView;
    type Call = NoCall;
    type Answer = ();

    fn name(&self) -> &'static str {
        "metal3data"
    }

    async fn gather(&self, key: &Key) -> Found<DataView> {
        self.sources.data(key).await
    }

    fn decide(&self, view: &DataView) -> Plan<NoCall> {
        plan(view, step(view))
    }

    async fn call(&self, _: &DataView, call: &NoCall) -> Result<(), Fault> {
        match *call {}
    }

    fn record(&self, view: &DataView, plan: Plan<NoCall>, done: &Done<()>) -> Record {
        // A failed write is repeated; it says nothing about the object.
        let status = if done.failed.is_some() { None } else { status(view, &step(view)) };
        Record::of(plan, done).with_status(status)
    }
}

#[cfg(test)]
mod tests;
