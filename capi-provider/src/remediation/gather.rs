//! Reads the [`View`], and knows whom a change wakes.

use std::collections::BTreeSet;
use std::sync::Arc;

use api::capi::{Cluster, Machine};
use api::infra::v1beta2::{Metal3Machine, Metal3Remediation};
use api::metal3::BareMetalHost;
use api::names::{annotation, finalizer};
use kit::clock::Clock;
use kit::owners;
use kit::pass::{Fault, Found, Key};
use kit::runtime::Context;
use kit::store::Store;
use kit::wakes::Registration;

use super::view::{NodeState, View};
use crate::machine::consumer::{self, Consumer};
use crate::machine::life::Call;
use crate::machine::view::named_host;
use crate::remote::{Remotes, forbidden};

/// Index of remediations by their Machine (`namespace/name`).
const BY_MACHINE: &str = "remediation-machine";
/// Index of hosts by the uid of the remediation that keeps them off.
const BY_REMEDIATION: &str = "kept-off-by";

/// The controller of Metal3Remediations.
#[derive(Debug, Clone)]
pub struct Remediations {
    own: Store<Metal3Remediation>,
    owners: Store<Machine>,
    machines: Store<Metal3Machine>,
    hosts: Store<BareMetalHost>,
    clusters: Store<Cluster>,
    remotes: Remotes,
    clock: Clock,
    watch_filter: String,
}

impl Remediations {
    /// Over a context's caches.
    pub fn new(context: &Context, remotes: Remotes) -> Self {
        Self {
            own: context.store::<Metal3Remediation>().index(BY_MACHINE, machine_of),
            owners: context.store(),
            machines: context.store(),
            hosts: context.store::<BareMetalHost>().index(BY_REMEDIATION, kept_off_by),
            clusters: context.store(),
            remotes,
            clock: context.clock.clone(),
            watch_filter: context.watch_filter.clone(),
        }
    }

    /// What wakes the controller: its own kind, Machines with Nodes, the power of hosts, a Cluster that goes on.
    pub fn wakes(&self) -> Registration {
        let (of_machine, of_cluster) = (self.own.clone(), self.own.clone());
        let of_host = self.clone();
        Registration::new()
            .own(&self.own)
            .needs(&self.machines)
            .watch(&self.owners, move |old: Option<&Machine>, new: Option<&Machine>| {
                let machine = new.or(old).map(|machine| Key::of(machine).to_string()).unwrap_or_default();
                keys(&of_machine.by(BY_MACHINE, &machine))
            })
            .watch(&self.hosts, move |old, new| new.or(old).map(|host| of_host.of_host(host)).unwrap_or_default())
            .watch(&self.clusters, move |old: Option<&Cluster>, new: Option<&Cluster>| {
                let paused = |cluster: Option<&Cluster>| cluster.is_some_and(Cluster::is_paused);
                let changed = new.filter(|_| paused(old) != paused(new));
                changed.map(|cluster| keys(&of_cluster.list(Some(&Key::of(cluster).namespace)))).unwrap_or_default()
            })
    }

    /// The remediations of the machine that uses a host.
    fn of_host(&self, host: &BareMetalHost) -> Vec<Key> {
        let Consumer::Machine(key) = Consumer::of(host) else { return Vec::new() };
        let machine = self.machines.get(&key);
        let owner = machine.as_ref().and_then(|it| owners::owner_of_kind(&it.metadata, api::capi::GROUP, "Machine"));
        owner
            .map(|owner| keys(&self.own.by(BY_MACHINE, &format!("{}/{}", key.namespace, owner.name))))
            .unwrap_or_default()
    }

    /// The view of one remediation.
    pub(super) async fn view(&self, key: &Key) -> Found<View> {
        let Some(remediation) = self.own.get(key) else { return Found::Missing };
        let beside = |name: &str| Key::new(key.namespace.as_str(), name);
        let owner = owners::owner_of_kind(&remediation.metadata, api::capi::GROUP, "Machine")
            .and_then(|owner| self.owners.get(&beside(&owner.name)));
        let machine = owner.as_ref().and_then(|owner| self.machine(&key.namespace, owner));
        if !watched(&remediation, machine.as_deref(), &self.watch_filter) {
            return Found::Missing;
        }
        let cluster = owner.as_ref().and_then(|owner| self.clusters.get(&beside(&owner.spec.cluster_name)));
        let uid = remediation.metadata.uid.clone().unwrap_or_default();
        let mut view = View {
            now: self.clock.now(),
            cluster_paused: cluster.is_some_and(|cluster| cluster.is_paused()),
            host: owner.as_ref().and_then(|owner| self.host(&key.namespace, owner)),
            kept_off: self.hosts.by(BY_REMEDIATION, &uid),
            others: self.others(&remediation),
            node: NodeState::NotAsked,
            owner,
            remediation,
        };
        if view.asks_for_node() {
            view.node = self.node(&view).await;
        }
        Found::View(view)
    }

    fn others(&self, remediation: &Metal3Remediation) -> BTreeSet<String> {
        let of_machine = machine_of(remediation).into_iter().flat_map(|machine| self.own.by(BY_MACHINE, &machine));
        let uids = of_machine.filter_map(|other| other.metadata.uid.clone());
        uids.filter(|uid| Some(uid) != remediation.metadata.uid.as_ref()).collect()
    }

    /// The host of a Machine: named by its Metal3Machine, and in use by it.
    fn host(&self, namespace: &str, owner: &Machine) -> Option<Arc<BareMetalHost>> {
        let machine = self.machine(namespace, owner)?;
        let host = self.hosts.get(&Key::new(namespace, named_host(&machine)?))?;
        consumer::uses(&machine, &host).then_some(host)
    }

    fn machine(&self, namespace: &str, owner: &Machine) -> Option<Arc<Metal3Machine>> {
        let reference = &owner.spec.infrastructure_ref;
        let ours = reference.is("Metal3Machine", api::infra::GROUP).then_some(reference.name.as_str())?;
        self.machines.get(&Key::new(namespace, ours))
    }

    async fn node(&self, view: &View) -> NodeState {
        let Some((cluster, name)) = view.node_name() else { return NodeState::Absent };
        match self.remotes.in_repair(&cluster, name).await {
            Ok(Some(node)) => NodeState::Seen(Box::new(node)),
            Ok(None) => NodeState::Absent,
            Err(fault) if forbidden(&fault) => NodeState::Forbidden,
            Err(fault) => NodeState::Unknown(fault),
        }
    }

    pub(super) async fn write(&self, call: &Call) -> Result<(), Fault> {
        self.remotes.write(&call.cluster, &call.write).await
    }
}

/// Whether a remediation is of this manager. A MachineHealthCheck gives its remediations no label: that of the machine
/// counts, too. What our finalizer holds is ours in any case, or nobody would let it go once the machine is gone.
fn watched(remediation: &Metal3Remediation, machine: Option<&Metal3Machine>, filter: &str) -> bool {
    owners::watched(&remediation.metadata, filter)
        || match machine {
            Some(machine) => owners::watched(&machine.metadata, filter),
            None => owners::has_finalizer(remediation, finalizer::METAL3_REMEDIATION),
        }
}

fn keys(found: &[Arc<Metal3Remediation>]) -> Vec<Key> {
    found.iter().map(|remediation| Key::of(&**remediation)).collect()
}

/// Values of [`BY_MACHINE`].
fn machine_of(remediation: &Metal3Remediation) -> Vec<String> {
    let owner = owners::owner_of_kind(&remediation.metadata, api::capi::GROUP, "Machine");
    let namespace = remediation.metadata.namespace.as_deref().unwrap_or_default();
    owner.map(|owner| format!("{namespace}/{}", owner.name)).into_iter().collect()
}

/// Values of [`BY_REMEDIATION`].
fn kept_off_by(host: &BareMetalHost) -> Vec<String> {
    let annotations = host.metadata.annotations.iter().flatten();
    annotations
        .filter_map(|(key, _)| key.strip_prefix(annotation::REMEDIATION_POWER_OFF_PREFIX))
        .map(Into::into)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::fixture::{labelled, machine, meta};

    #[test]
    fn a_watch_filter_counts_on_the_machine_and_never_abandons_what_is_held() {
        let filter = "group-a";
        let plain = || Metal3Remediation { metadata: meta("r"), ..Metal3Remediation::default() };
        let ours = |machine| labelled(machine, api::names::label::WATCH_FILTER, filter);
        let mut held = plain();
        held.metadata.finalizers = Some(vec![finalizer::METAL3_REMEDIATION.to_owned()]);
        let table = [
            ("no label anywhere", plain(), Some(machine()), false),
            ("the machine's label", plain(), Some(ours(machine())), true),
            ("its own", labelled(plain(), api::names::label::WATCH_FILTER, filter), None, true),
            ("the machine is gone", plain(), None, false),
            ("the machine is gone before it was let go", held.clone(), None, true),
            ("another manager's machine", held, Some(machine()), false),
        ];
        for (case, remediation, machine, expected) in table {
            assert_eq!(watched(&remediation, machine.as_ref(), filter), expected, "{case}");
        }
    }
}
