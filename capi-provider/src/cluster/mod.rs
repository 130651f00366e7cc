//! Metal3Cluster: the endpoint and the failure domains of a workload cluster. Nothing is built for it; what it does
//! is to tell Cluster API that machines may come, and to stay until the last one is gone.

mod life;
mod view;

use std::collections::BTreeMap;
use std::sync::Arc;

use api::capi::{Cluster, Machine, MachineDeployment};
use api::infra::v1beta2::{Metal3Cluster, Metal3Machine};
use api::metal3::BareMetalHost;
use api::names::{annotation, label};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kit::client::Io;
use kit::clock::Clock;
use kit::owners;
use kit::pass::{Controller, Done, Fault, Found, Key, Next, NoCall, Plan, Record};
use kit::runtime::Context;
use kit::store::Store;
use kit::wakes::Registration;

pub use self::view::{Demand, View};
use crate::control_plane;
use crate::machine::consumer::Consumer;
use crate::machine::gather::{reuse_owner, waits_for_host};
use crate::remote::Remotes;

/// Index of Machines by cluster (`namespace/name`).
pub(crate) const BY_CLUSTER: &str = "machine-cluster";
/// Index of hosts that are kept for a cluster (`namespace/name`).
const KEPT: &str = "kept-for-cluster";

/// The controller of Metal3Clusters.
#[derive(Debug, Clone)]
pub struct Clusters {
    infras: Store<Metal3Cluster>,
    owners: Store<Cluster>,
    machines: Store<Machine>,
    hosts: Store<BareMetalHost>,
    ours: Store<Metal3Machine>,
    io: Io,
    clock: Clock,
    remotes: Remotes,
    watch_filter: String,
}

impl Clusters {
    /// Over a context's caches.
    pub fn new(context: &Context, remotes: Remotes) -> Self {
        Self {
            infras: context.store(),
            owners: context.store(),
            machines: context.store::<Machine>().index(BY_CLUSTER, cluster_of),
            hosts: context.store::<BareMetalHost>().index(KEPT, kept_for),
            ours: context.store(),
            io: context.io.clone(),
            clock: context.clock.clone(),
            remotes,
            watch_filter: context.watch_filter.clone(),
        }
    }

    /// What wakes the controller.
    pub fn wakes(&self) -> Registration {
        let clusters = self.owners.clone();
        Registration::new()
            .own(&self.infras)
            .needs(&self.hosts)
            .needs(&self.ours)
            .watch(&self.owners, |old, new| new.or(old).and_then(infra_of).into_iter().collect())
            .watch(&self.machines, move |old, new| {
                // Only the last machine's end matters.
                let gone = new.is_none();
                let cluster =
                    old.filter(|_| gone).map(|it| Key::new(Key::of(it).namespace, it.spec.cluster_name.clone()));
                cluster.and_then(|key| clusters.get(&key)).and_then(|cluster| infra_of(&cluster)).into_iter().collect()
            })
    }
}

impl Clusters {
    /// What the owner named by a reuse label needs.
    async fn demand(&self, view: &View, namespace: &str, owner: &str, cluster: &str) -> Demand {
        let machines = self.machines.by(BY_CLUSTER, cluster);
        let wanted = match owner.split_once('-') {
            Some(("md", name)) => {
                let found = self.io.get::<MachineDeployment>(&Key::new(namespace, name)).await;
                found.map(|found| found.map(|it| i64::from(it.spec.replicas.unwrap_or(1))))
            }
            Some(("cp", name)) => {
                let Some(reference) = control_plane_of(view, &machines, name) else { return Demand::Unknown };
                let found = control_plane::read(&self.io, namespace, &reference).await;
                found.map(|found| found.map(|it| it.replicas.unwrap_or(1)))
            }
            _ => return Demand::Unknown,
        };
        let replicas = match wanted {
            Ok(Some(replicas)) => usize::try_from(replicas).unwrap_or(0),
            Ok(None) => return Demand::Gone,
            Err(_) => return Demand::Unknown,
        };
        let live = machines.iter().filter(|machine| {
            machine.metadata.deletion_timestamp.is_none() && reuse_owner(machine).as_deref() == Some(owner)
        });
        let waits = |machine: &&Arc<Machine>| {
            let ours = self.ours.get(&Key::new(namespace, machine.spec.infrastructure_ref.name.as_str()));
            ours.is_none_or(|ours| waits_for_host(&ours))
        };
        Demand::Wants { replicas, live: live.clone().count(), waiting: live.filter(waits).count() }
    }
}

impl Controller for Clusters {
    type View = View;
    type Call = NoCall;
    type Answer = ();

    fn name(&self) -> &'static str {
        "metal3cluster"
    }

    async fn gather(&self, key: &Key) -> Found<View> {
        let Some(infra) = self.infras.get(key) else { return Found::Missing };
        let managed =
            infra.metadata.annotations.as_ref().is_some_and(|all| all.contains_key(annotation::CAPI_MANAGED_BY));
        if managed || !owners::watched(&infra.metadata, &self.watch_filter) {
            return Found::Missing;
        }
        let owner = owners::owner_of_kind(&infra.metadata, api::capi::GROUP, "Cluster");
        let cluster_key = owner.map(|owner| Key::new(key.namespace.as_str(), owner.name.as_str()));
        let index = cluster_key.as_ref().map(ToString::to_string).unwrap_or_default();
        let mut view = View {
            now: self.clock.now(),
            cluster: cluster_key.as_ref().and_then(|key| self.owners.get(key)),
            machines: self.machines.by(BY_CLUSTER, &index).len(),
            kept: self.hosts.by(KEPT, &index),
            demand: BTreeMap::new(),
            infra,
        };
        if !view.deleting() && !view.paused() {
            for host in &view.kept {
                let owner = host.metadata.labels.as_ref().and_then(|labels| labels.get(label::NODE_REUSE));
                if let Some(owner) = owner.filter(|owner| !view.demand.contains_key(*owner)).cloned() {
                    let demand = self.demand(&view, &key.namespace, &owner, &index).await;
                    view.demand.insert(owner, demand);
                }
            }
        }
        if let Some(cluster) = cluster_key.filter(|_| view.deleting() && view.machines == 0) {
            self.remotes.forget(&cluster);
        }
        Found::View(view)
    }

    fn decide(&self, view: &View) -> Plan<NoCall> {
        life::decide(view)
    }

    async fn call(&self, _: &View, call: &NoCall) -> Result<(), Fault> {
        match *call {}
    }

    fn record(&self, view: &View, plan: Plan<NoCall>, done: &Done<()>) -> Record {
        let status = match plan.next {
            Next::Gone => None,
            Next::Rest | Next::Now | Next::Changed(_) | Next::After(..) => life::status(view, &plan.next, done),
        };
        Record::of(plan, done).with_status(status)
    }
}

/// Values of [`BY_CLUSTER`].
pub(crate) fn cluster_of(machine: &Machine) -> Vec<String> {
    let namespace = machine.metadata.namespace.as_deref().unwrap_or_default();
    vec![format!("{namespace}/{}", machine.spec.cluster_name)]
}

/// Where the control plane of this name is: its machines know the version of its kind, of which a Cluster tells none.
fn control_plane_of(view: &View, machines: &[Arc<Machine>], name: &str) -> Option<OwnerReference> {
    let known = machines.iter().filter_map(|machine| control_plane::owner(machine)).find(|owner| owner.name == name);
    let kubeadm = || {
        let reference = view.cluster.as_ref()?.spec.control_plane_ref.as_ref()?;
        let ours = reference.is("KubeadmControlPlane", api::capi::CONTROL_PLANE_GROUP).then_some(reference)?;
        Some(OwnerReference { kind: ours.kind.clone(), name: name.to_owned(), ..OwnerReference::default() })
    };
    known.cloned().or_else(kubeadm)
}

/// Values of [`KEPT`].
fn kept_for(host: &BareMetalHost) -> Vec<String> {
    match Consumer::of(host) {
        Consumer::Cluster(key) if Some(&key.namespace) == host.metadata.namespace.as_ref() => vec![key.to_string()],
        Consumer::Cluster(_) | Consumer::Machine(_) | Consumer::None | Consumer::Other => Vec::new(),
    }
}

/// The Metal3Cluster of a Cluster.
fn infra_of(cluster: &Cluster) -> Option<Key> {
    let reference = cluster.spec.infrastructure_ref.as_ref()?;
    reference
        .is("Metal3Cluster", api::infra::GROUP)
        .then(|| Key::new(cluster.metadata.namespace.clone().unwrap_or_default(), reference.name.clone()))
}

#[cfg(test)]
mod tests;
