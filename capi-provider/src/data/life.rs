//! Metal3Data: from an index to Secrets, and back. Pure but for [`Controller::gather`].
//!
//! [`step`] is the whole life from top to bottom.

use std::collections::BTreeMap;
use std::time::Duration;

use api::infra::v1beta2::Metal3DataTemplate;
use api::names::{annotation, finalizer, label};
use kit::pass::{Controller, Done, Fault, Found, Key, Next, NoCall, Note, Plan, Record, Target, Why, Write};
use kit::{diff, owners};

use super::claims::{self, Answer};
use super::gather::Sources;
use super::indexes;
use super::pools::{self, Leases};
use super::secrets::{self, Part};
use super::subject::Subject;
use super::view::{DataView, awaited_cluster};

/// Longest error message that the API takes, characters.
const MAX_ERROR: usize = 512;
/// A cause that only a user or another controller changes is looked at again after this, should no event come.
const RECHECK: Duration = Duration::from_mins(2);
/// What the caches normally take to see the objects of a machine.
const USUAL: Duration = Duration::from_secs(15);

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

fn paused(view: &DataView) -> bool {
    owners::paused(&view.data.metadata) || view.cluster.as_ref().is_some_and(|cluster| cluster.is_paused())
}

/// The next step.
pub fn step(view: &DataView) -> Step {
    if paused(view) {
        return Step::Wait(Why::new("Paused", "the object or its Cluster is paused"));
    }
    if owners::deleting(&view.data.metadata) {
        return deletion(view);
    }
    if !owners::has_finalizer(&*view.data, finalizer::METAL3_DATA) {
        return Step::Do(vec![owners::add_finalizer(&*view.data, finalizer::METAL3_DATA)], None);
    }
    if view.cluster.is_none() {
        return Step::Wait(cluster_missing(view));
    }
    let name = view.data.spec.template.as_ref().and_then(|template| template.name());
    let Some(name) = name else {
        return Step::Failed("spec.template.name is empty; name a Metal3DataTemplate".to_owned());
    };
    let Some(template) = &view.template else {
        let text = format!("Metal3DataTemplate {name} does not exist; create it again, it is what data is made from");
        return Step::Wait(Why::new("TemplateMissing", text));
    };
    let Some(machine) = &view.metal3_machine else {
        return Step::Wait(Why::new("MachineMissing", "waiting for the Metal3Machine that made the claim"));
    };
    if !secrets::uses(machine, name) {
        let machine = machine.metadata.name.as_deref().unwrap_or_default();
        return Step::Failed(format!(
            "Metal3Machine {machine} does not refer to template {name}; correct its spec.dataTemplate, or delete the claim"
        ));
    }
    let wanted = secrets::wanted(template, &view.data, machine.metadata.name.as_deref().unwrap_or_default());
    if let Some((_, name)) = wanted.iter().find(|(_, name)| view.secrets.get(*name).is_some_and(|seen| seen.deleting)) {
        let text = format!("waiting until the old Secret {name} is gone; if it stays, look at its metadata.finalizers");
        return Step::Wait(Why::new("SecretDeleting", text));
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

fn cluster_missing(view: &DataView) -> Why {
    let unnamed = || format!("label {} is missing: it names the Cluster", label::CLUSTER_NAME);
    Why::new("ClusterMissing", awaited_cluster(&view.data.metadata).unwrap_or_else(unnamed))
}

/// Addresses of all pools, then the missing Secrets.
fn make(view: &DataView, template: &Metal3DataTemplate, missing: &BTreeMap<Part, &str>) -> Step {
    let Some(subject) = view.subject() else {
        let text = match &view.machine {
            None => "waiting for the Machine that the Metal3Machine's ownerReferences name".to_owned(),
            Some(_) => {
                format!("waiting for the BareMetalHost of the Metal3Machine's annotation {}", annotation::MACHINE_HOST)
            }
        };
        let why = Why::new("MachineIncomplete", text);
        let made = view.data.metadata.creation_timestamp.as_ref().map_or(view.now, |made| made.0);
        return Step::Wait(why.normal(USUAL).since(made));
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
    let (mut leases, mut writes, mut why, mut refused) = (Leases::new(), Vec::new(), None, None);
    for pool in pools {
        match claims::ask(&pool, view) {
            Answer::Lease(lease) => {
                leases.insert(pool, lease);
            }
            Answer::Ask(write) | Answer::LetGo(write) => writes.push(write),
            Answer::Wait(reason) => why = why.or(Some(reason)),
            Answer::Refused(text) => refused = refused.or(Some(text)),
        }
    }
    let step = match (writes.is_empty(), refused, why) {
        (true, None, None) => return Ok(leases),
        (true, Some(text), _) => Step::Failed(text),
        (true, None, Some(why)) => Step::Wait(why),
        (false, Some(text), _) => Step::Do(writes, Some(Why::new("AddressRefused", text))),
        (false, None, Some(why)) => Step::Do(writes, Some(why)),
        (false, None, None) => {
            let why = Why::new("WaitingForAddress", "waiting for the addresses that were asked for");
            Step::Do(writes, Some(why.normal(claims::ANSWER).since(view.now)))
        }
    };
    Err(Box::new(step))
}

/// The claim goes first: while it is there, a machine may depend on the data. Then addresses, then the object.
fn deletion(view: &DataView) -> Step {
    if let Some(claim) = view.claim.as_ref().filter(|claim| indexes::answers(&view.data, claim)) {
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

/// How long a wait is nobody's business yet: what it normally takes. Zero for what only a user or a fault brings about.
fn quiet(view: &DataView, why: &Why) -> Duration {
    let Some(normal) = why.normal else { return Duration::ZERO };
    let lasted = view.now.duration_since(why.since.unwrap_or(view.now));
    normal.saturating_sub(Duration::try_from(lasted).unwrap_or_default())
}

/// A wait that is still quiet is looked at again when it is not.
fn waiting(view: &DataView, why: Why) -> Next {
    match quiet(view, &why) {
        // Objects of others: their end wakes their own owner.
        Duration::ZERO if matches!(why.reason, "SecretDeleting" | "AddressClaimInUse") => Next::After(USUAL, why),
        Duration::ZERO => Next::Changed(why),
        left => Next::After(left, why),
    }
}

/// The plan of a step.
pub fn plan(view: &DataView, step: Step) -> Plan<NoCall> {
    match step {
        Step::Wait(why) => Plan::wait(waiting(view, why)),
        Step::Failed(text) => Plan::wait(Next::After(RECHECK, Why::new("RenderingFailed", text))),
        Step::Do(writes, None) => Plan { writes, ..Plan::wait(Next::Now) },
        Step::Do(writes, Some(why)) => Plan { writes, ..Plan::wait(waiting(view, why)) },
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

/// The status that goes with a step; `None` leaves it as it is. Its error message is all that the published type has
/// for a cause, and what the machine's condition quotes: it tells refusals and waits that last too long, and goes
/// with them.
fn status(view: &DataView, step: &Step) -> Option<Write> {
    if paused(view) || owners::deleting(&view.data.metadata) {
        return None;
    }
    let mut after = (*view.data).clone();
    let status = after.status.get_or_insert_default();
    let was_ready = status.ready.unwrap_or(false);
    let told = |why: &Why| quiet(view, why).is_zero().then(|| why.told());
    let (ready, error) = match step {
        Step::Ready => (true, None),
        Step::Failed(text) => (false, Some(text.clone())),
        // A wait says nothing about Secrets that were already there.
        Step::Wait(_) if was_ready => (true, None),
        Step::Wait(why) | Step::Do(_, Some(why)) => (false, told(why)),
        Step::Do(_, None) | Step::Render(_) => (false, None),
        Step::Done(_) => return None,
    };
    status.ready = Some(ready);
    status.error_message = error.map(|text| text.chars().take(MAX_ERROR).collect());
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
