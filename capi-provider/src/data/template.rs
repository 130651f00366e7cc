//! Metal3DataTemplate: gives indexes to claims and takes them back. Pure but for [`Controller::gather`].
//!
//! One pass serves all claims of a template. It also runs for a template that is gone, so that claims and indexes
//! that outlived it can still be deleted.

use api::infra::v1beta2::{Metal3Data, Metal3DataClaim, Metal3DataSpec, ObjectRef};
use api::infra::validate::data::data_name;
use api::names::finalizer;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kit::pass::{Controller, Done, Fault, Found, Key, Next, NoCall, Plan, Record, Why, Write};
use kit::{diff, owners};
use kube::core::ObjectMeta;

use super::gather::Sources;
use super::indexes::{self, Indexes};
use super::secrets;
use super::view::{ClaimView, TemplateView};

/// A pass ends after so many writes and goes on at once in the next one: a wrong assumption then costs little.
const MAX_WRITES: usize = 600;

/// The controller of Metal3DataTemplates.
#[derive(Debug, Clone)]
pub struct Templates {
    /// Where views come from.
    pub sources: Sources,
}

/// Writes for all claims, and the cause of the first wait.
#[derive(Debug, Default)]
struct Work {
    writes: Vec<Write>,
    why: Option<Why>,
    unfinished: bool,
}

impl Work {
    fn wait(&mut self, reason: &'static str, text: String) {
        self.why.get_or_insert_with(|| Why::new(reason, text));
    }
}

/// What is done for a template.
pub fn decide(view: &TemplateView) -> Plan<NoCall> {
    if let Some(template) = &view.template {
        if owners::paused(&template.metadata) {
            return Plan::wait(Next::Changed(Why::new("Paused", "the template is paused")));
        }
        let deleting = owners::deleting(&template.metadata);
        let held = owners::has_finalizer(&**template, finalizer::METAL3_DATA_TEMPLATE);
        if !deleting && !held {
            return Plan::write(owners::add_finalizer(&**template, finalizer::METAL3_DATA_TEMPLATE), Next::Now);
        }
        if deleting && held && view.claims.is_empty() && !used(view) {
            return Plan::write(owners::remove_finalizer(&**template, finalizer::METAL3_DATA_TEMPLATE), Next::Gone);
        }
    }
    let work = serve(view);
    let next = match (work.why, work.writes.is_empty()) {
        _ if work.unfinished => Next::Now,
        (Some(why), _) => Next::Changed(why),
        (None, false) => Next::Now,
        (None, true) => Next::Rest,
    };
    Plan { writes: work.writes, ..Plan::wait(next) }
}

/// Whether an index of the template is in use.
fn used(view: &TemplateView) -> bool {
    view.datas.iter().any(|data| indexes::belongs(data, &view.key.name))
}

fn serve(view: &TemplateView) -> Work {
    let mut work = Work::default();
    let mut free = Indexes::of(&view.key.name, view.datas.iter().map(|data| &**data));
    for seen in &view.claims {
        if work.writes.len() >= MAX_WRITES {
            work.unfinished = true;
            break;
        }
        let name = seen.claim.metadata.name.as_deref().unwrap_or_default();
        if seen.cluster.as_ref().is_some_and(|cluster| cluster.is_paused()) {
            work.wait("Paused", format!("the Cluster of Metal3DataClaim {name} is paused"));
        } else if owners::deleting(&seen.claim.metadata) {
            take_back(view, seen, &mut work);
        } else if let Some(text) = seen.awaited_cluster() {
            // In the middle of a move it comes paused, and the claim's index comes after it.
            work.wait("ClusterMissing", format!("Metal3DataClaim {name}: {text}"));
        } else {
            answer(view, &seen.claim, &mut free, &mut work);
        }
    }
    work
}

/// Gives a claim its index.
fn answer(view: &TemplateView, claim: &Metal3DataClaim, free: &mut Indexes, work: &mut Work) {
    let name = claim.metadata.name.as_deref().unwrap_or_default();
    let known = view.datas.iter().find(|data| indexes::answers(data, claim) && indexes::belongs(data, &view.key.name));
    if let Some(known) = known {
        if owners::deleting(&known.metadata) {
            let data = known.metadata.name.as_deref().unwrap_or_default();
            work.wait("DataDeleting", format!("Metal3Data {data} is being deleted while claim {name} holds it"));
        }
        hold(claim, work);
        work.writes.extend(rendered(claim, known.metadata.name.clone().unwrap_or_default(), None));
        return;
    }
    if view.template.is_none() {
        let text = format!(
            "Metal3DataTemplate {} does not exist; create it, or correct dataTemplate of the Metal3MachineTemplate",
            view.key.name
        );
        work.wait("TemplateMissing", text.clone());
        work.writes.extend(rendered(claim, remembered_name(claim), Some(text)));
        return;
    }
    let Some(machine) = owners::owner_of_kind(&claim.metadata, api::infra::GROUP, "Metal3Machine") else {
        let text = "the claim has no owner of kind Metal3Machine; only machines get data".to_owned();
        work.wait("NoMachine", format!("Metal3DataClaim {name}: {text}"));
        work.writes.extend(rendered(claim, String::new(), Some(text)));
        return;
    };
    let index = free.take(remembered(view, claim));
    let data = data_name(&view.key.name, index);
    let mut of_machine = machine.clone();
    (of_machine.controller, of_machine.block_owner_deletion) = (None, None);
    hold(claim, work);
    work.writes.push(diff::create(&new_data(view, claim, of_machine, index)));
    work.writes.extend(rendered(claim, data, None));
}

/// Our finalizer comes before the index, so that no claim can vanish with an index.
fn hold(claim: &Metal3DataClaim, work: &mut Work) {
    if !owners::has_finalizer(claim, finalizer::METAL3_DATA_CLAIM) {
        work.writes.push(owners::add_finalizer(claim, finalizer::METAL3_DATA_CLAIM));
    }
}

/// The index the claim had before its Metal3Data got lost, from the claim's or the template's status.
fn remembered(view: &TemplateView, claim: &Metal3DataClaim) -> Option<i32> {
    let rendered = claim.status.as_ref().and_then(|status| status.rendered_data.as_ref());
    let by_claim = rendered.and_then(|data| indexes::index_in(data.name()?, &view.key.name));
    let status = view.template.as_ref().and_then(|template| template.status.as_ref());
    let by_template = || {
        let entry = status?.indexes.iter().find(|entry| Some(entry.name.as_str()) == claim.metadata.name.as_deref());
        entry.map(|entry| entry.index)
    };
    by_claim.or_else(by_template)
}

/// The name in the claim's status: what is lost may come back under it.
fn remembered_name(claim: &Metal3DataClaim) -> String {
    let data = claim.status.as_ref().and_then(|status| status.rendered_data.as_ref());
    data.and_then(|data| data.name()).unwrap_or_default().to_owned()
}

fn new_data(
    view: &TemplateView,
    claim: &Metal3DataClaim,
    machine: k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference,
    index: i32,
) -> Metal3Data {
    let mut owner = owners::owner_reference(claim, true);
    owner.block_owner_deletion = None;
    let namespace = &view.key.namespace;
    Metal3Data {
        metadata: ObjectMeta {
            name: Some(data_name(&view.key.name, index)),
            namespace: Some(namespace.clone()),
            labels: claim.metadata.labels.clone(),
            finalizers: Some(vec![finalizer::METAL3_DATA_CLAIM.to_owned()]),
            owner_references: Some(vec![owner, machine]),
            ..ObjectMeta::default()
        },
        spec: Metal3DataSpec {
            index: Some(index),
            template: Some(ObjectRef::new(namespace, &view.key.name)),
            claim: Some(ObjectRef::new(namespace, claim.metadata.name.clone().unwrap_or_default())),
            ..Metal3DataSpec::default()
        },
        status: None,
    }
}

/// The claim's status: its index, or why there is none.
fn rendered(claim: &Metal3DataClaim, data: String, error: Option<String>) -> Option<Write> {
    let mut after = claim.clone();
    let status = after.status.get_or_insert_default();
    let namespace = claim.metadata.namespace.clone().unwrap_or_default();
    status.rendered_data = (!data.is_empty()).then(|| ObjectRef::new(namespace, data));
    status.error_message = error;
    diff::status(claim, &after)
}

/// Takes the index of a claim back that is being deleted. The machine lets go first; when it is gone, we do it for it.
fn take_back(view: &TemplateView, seen: &ClaimView, work: &mut Work) {
    let claim = &*seen.claim;
    if owners::has_finalizer(claim, finalizer::METAL3_MACHINE) && seen.machine_exists {
        let machine = secrets::machine_of(&claim.metadata).unwrap_or_default();
        return work.wait("InUse", format!("Metal3Machine {machine} still uses its data"));
    }
    for data in view.datas.iter().filter(|data| indexes::answers(data, claim)) {
        if owners::has_finalizer(&**data, finalizer::METAL3_DATA_CLAIM) {
            work.writes.push(owners::remove_finalizer(&**data, finalizer::METAL3_DATA_CLAIM));
        }
        if !owners::deleting(&data.metadata) {
            work.writes.push(diff::delete(&**data));
        }
    }
    let mut after = claim.clone();
    if let Some(finalizers) = &mut after.metadata.finalizers {
        finalizers.retain(|name| name != finalizer::METAL3_DATA_CLAIM && name != finalizer::METAL3_MACHINE);
    }
    work.writes.extend(diff::object_exact(claim, &after));
}

/// The template's status: its indexes, rebuilt from the objects.
fn status(view: &TemplateView) -> Option<Write> {
    let template = view.template.as_ref()?;
    let mut after = (**template).clone();
    let status = after.status.get_or_insert_default();
    status.indexes = indexes::summary(&view.key.name, &view.datas);
    if template.status.as_ref().is_some_and(|before| before.indexes == status.indexes)
        || (template.status.is_none() && status.indexes.is_empty())
    {
        return None;
    }
    status.last_updated = Some(Time(view.now));
    diff::status(&**template, &after)
}

impl Controller for Templates {
    type View = TemplateView;
    type Call = NoCall;
    type Answer = ();

    fn name(&self) -> &'static str {
        "metal3datatemplate"
    }

    async fn gather(&self, key: &Key) -> Found<TemplateView> {
        self.sources.template(key)
    }

    fn decide(&self, view: &TemplateView) -> Plan<NoCall> {
        decide(view)
    }

    async fn call(&self, _: &TemplateView, call: &NoCall) -> Result<(), Fault> {
        match *call {}
    }

    fn record(&self, view: &TemplateView, plan: Plan<NoCall>, done: &Done<()>) -> Record {
        let status = match plan.next {
            // The finalizer is gone and with it, perhaps, the object.
            Next::Gone => None,
            Next::Rest | Next::Now | Next::Changed(_) | Next::After(..) => status(view),
        };
        Record::of(plan, done).with_status(status)
    }
}

#[cfg(test)]
mod tests;
