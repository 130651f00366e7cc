//! Metal3Cluster: the endpoint and the failure domains of a workload cluster. Nothing is built for it; what it does
//! is to tell Cluster API that machines may come, and to stay until the last one is gone.

mod life;
mod view;

use api::capi::{Cluster, Machine};
use api::infra::v1beta2::Metal3Cluster;
use api::metal3::BareMetalHost;
use api::names::annotation;
use jiff::Timestamp;
use kit::owners;
use kit::pass::{Controller, Done, Fault, Found, Key, Next, NoCall, Plan, Record};
use kit::runtime::Context;
use kit::store::Store;
use kit::wakes::Registration;

pub use self::view::View;
use crate::machine::consumer::Consumer;
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
        let view = View {
            now: Timestamp::now(),
            cluster: cluster_key.as_ref().and_then(|key| self.owners.get(key)),
            machines: self.machines.by(BY_CLUSTER, &index).len(),
            kept: self.hosts.by(KEPT, &index),
            infra,
        };
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
