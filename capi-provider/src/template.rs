//! Metal3MachineTemplate: a change of `automatedCleaningMode` reaches the machines that were cloned from it, because
//! it takes effect when they go.

use std::sync::Arc;

use api::capi::Cluster;
use api::infra::v1beta2::{Metal3Machine, Metal3MachineTemplate};
use api::names::annotation;
use kit::pass::{Controller, Done, Fault, Found, Key, Next, NoCall, Plan, Record, Why};
use kit::runtime::Context;
use kit::store::Store;
use kit::wakes::Registration;
use kit::{diff, owners};

use crate::data::gather::cluster_key;

/// Index of Metal3Machines by their Cluster (`namespace/name`).
const BY_CLUSTER: &str = "clones-cluster";
/// Index of Metal3Machines by the template that they were cloned from (`namespace/name`).
const BY_TEMPLATE: &str = "cloned-from";
/// What the clones' annotation says of a template of this kind.
const GROUP_KIND: &str = "Metal3MachineTemplate.infrastructure.cluster.x-k8s.io";

/// The controller of Metal3MachineTemplates.
#[derive(Debug, Clone)]
pub struct Templates {
    own: Store<Metal3MachineTemplate>,
    machines: Store<Metal3Machine>,
    clusters: Store<Cluster>,
    watch_filter: String,
}

/// What a pass knows.
#[derive(Debug, Clone)]
pub struct View {
    /// The template.
    pub template: Arc<Metal3MachineTemplate>,
    /// Its clones.
    pub clones: Vec<Cloned>,
}

/// A machine that was made from the template.
#[derive(Debug, Clone)]
pub struct Cloned {
    /// The machine.
    pub machine: Arc<Metal3Machine>,
    /// Its Cluster, when its label names one that exists.
    pub cluster: Option<Arc<Cluster>>,
}

impl Templates {
    /// Over a context's caches.
    pub fn new(context: &Context) -> Self {
        let text = |key: Option<Key>| key.into_iter().map(|key| key.to_string()).collect();
        Self {
            own: context.store(),
            machines: (context.store::<Metal3Machine>())
                .index(BY_TEMPLATE, move |machine: &Metal3Machine| text(template_of(machine)))
                .index(BY_CLUSTER, move |machine: &Metal3Machine| text(cluster_key(&machine.metadata))),
            clusters: context.store(),
            watch_filter: context.watch_filter.clone(),
        }
    }

    /// What wakes the controller: its own kind, and clones that came or may be written again (the template may have
    /// changed meanwhile).
    pub fn wakes(&self) -> Registration {
        let machines = self.machines.clone();
        Registration::new()
            .own(&self.own)
            .watch(&self.machines, |old, new| {
                let paused = |old: &Metal3Machine| owners::paused(&old.metadata);
                new.filter(|_| old.is_none_or(paused)).and_then(template_of).into_iter().collect()
            })
            .watch(&self.clusters, move |old, new| {
                let resumed = new.filter(|new| old.is_some_and(Cluster::is_paused) && !new.is_paused());
                let clones = resumed.map(|cluster| machines.by(BY_CLUSTER, &Key::of(cluster).to_string()));
                clones.into_iter().flatten().filter_map(|machine| template_of(&machine)).collect()
            })
    }

    fn cloned(&self, machine: Arc<Metal3Machine>) -> Cloned {
        let cluster = cluster_key(&machine.metadata).and_then(|key| self.clusters.get(&key));
        Cloned { machine, cluster }
    }
}

impl Controller for Templates {
    type View = View;
    type Call = NoCall;
    type Answer = ();

    fn name(&self) -> &'static str {
        "metal3machinetemplate"
    }

    async fn gather(&self, key: &Key) -> Found<View> {
        match self.own.get(key).filter(|template| owners::watched(&template.metadata, &self.watch_filter)) {
            Some(template) => {
                let clones = self.machines.by(BY_TEMPLATE, &key.to_string());
                Found::View(View { template, clones: clones.into_iter().map(|clone| self.cloned(clone)).collect() })
            }
            None => Found::Missing,
        }
    }

    fn decide(&self, view: &View) -> Plan<NoCall> {
        decide(view)
    }

    async fn call(&self, _: &View, call: &NoCall) -> Result<(), Fault> {
        match *call {}
    }

    fn record(&self, _: &View, plan: Plan<NoCall>, done: &Done<()>) -> Record {
        Record::of(plan, done)
    }
}

/// Brings the clones in line. The writes do not depend on each other.
fn decide(view: &View) -> Plan<NoCall> {
    if owners::paused(&view.template.metadata) {
        return Plan::wait(Next::Changed(Why::new("Paused", "the Metal3MachineTemplate is paused")));
    }
    let Some(mode) = &view.template.spec.template.spec.automated_cleaning_mode else { return Plan::wait(Next::Rest) };
    let mut plan = Plan::wait(Next::Rest);
    for Cloned { machine, cluster } in &view.clones {
        if owners::paused(&machine.metadata) || cluster.as_ref().is_some_and(|cluster| cluster.is_paused()) {
            continue;
        }
        let mut after = (**machine).clone();
        after.spec.automated_cleaning_mode = Some(mode.clone());
        plan.writes.extend(diff::object(&**machine, &after));
    }
    plan
}

/// The template of this kind that a machine was cloned from.
fn template_of(machine: &Metal3Machine) -> Option<Key> {
    let annotations = machine.metadata.annotations.as_ref()?;
    let ours = annotations.get(annotation::CAPI_CLONED_FROM_GROUP_KIND).is_some_and(|kind| kind == GROUP_KIND);
    let name = annotations.get(annotation::CAPI_CLONED_FROM_NAME).filter(|_| ours)?;
    Some(Key::new(machine.metadata.namespace.clone().unwrap_or_default(), name.as_str()))
}

#[cfg(test)]
mod tests {
    use api::infra::v1beta2::AutomatedCleaningMode::{self, Disabled, Metadata};

    use super::*;
    use crate::machine::fixture::{annotated, machine, meta};

    fn template(mode: Option<AutomatedCleaningMode>) -> Metal3MachineTemplate {
        let mut template = Metal3MachineTemplate { metadata: meta("t"), ..Metal3MachineTemplate::default() };
        template.spec.template.spec.automated_cleaning_mode = mode;
        template
    }

    fn clone_with(mode: Option<AutomatedCleaningMode>) -> Cloned {
        let mut machine = machine();
        machine.spec.automated_cleaning_mode = mode;
        Cloned { machine: Arc::new(machine), cluster: Some(Arc::new(Cluster::default())) }
    }

    #[test]
    fn only_what_differs_is_written() {
        let clones = || vec![clone_with(None), clone_with(Some(Metadata)), clone_with(Some(Disabled))];
        let table = [(None, 0), (Some(Metadata), 2), (Some(Disabled), 2)];
        for (mode, writes) in table {
            let view = View { template: Arc::new(template(mode.clone())), clones: clones() };
            assert_eq!(decide(&view).writes.len(), writes, "{mode:?}");
            let paused = View { template: Arc::new(annotated(template(mode), owners::PAUSED, "")), ..view };
            assert_eq!(decide(&paused).writes.len(), 0);
        }
    }

    #[test]
    fn what_is_paused_is_left_alone() {
        let mut stopped = Cluster::default();
        stopped.spec.paused = Some(true);
        let of_paused = Cloned { cluster: Some(Arc::new(stopped)), ..clone_with(None) };
        let by_hand = annotated((*clone_with(None).machine).clone(), owners::PAUSED, "");
        let paused = Cloned { machine: Arc::new(by_hand), ..clone_with(None) };
        for (clone, writes) in [(of_paused, 0), (paused, 0), (Cloned { cluster: None, ..clone_with(None) }, 1)] {
            let view = View { template: Arc::new(template(Some(Disabled))), clones: vec![clone] };
            assert_eq!(decide(&view).writes.len(), writes, "{view:?}");
        }
    }

    #[test]
    fn clones_of_other_kinds_do_not_count() {
        let cloned = |kind| {
            let machine = annotated(machine(), annotation::CAPI_CLONED_FROM_NAME, "t");
            template_of(&annotated(machine, annotation::CAPI_CLONED_FROM_GROUP_KIND, kind))
        };
        assert_eq!(cloned(GROUP_KIND), Some(Key::new("ns", "t")));
        assert_eq!(cloned("OtherTemplate.infrastructure.cluster.x-k8s.io"), None);
        assert_eq!(template_of(&machine()), None);
    }
}
