//! Which changes wake which Metal3Machines.

use api::capi::{Cluster, Machine};
use api::infra::v1beta2::{Metal3Cluster, Metal3Data, Metal3DataClaim, Metal3Machine};
use api::metal3::{BareMetalHost, ProvisioningState};
use kit::owners;
use kit::pass::Key;
use kit::store::Store;
use kit::wakes::Registration;

use super::consumer::Consumer;
use super::gather::{self, Sources};
use super::provision;
use crate::cluster::{BY_CLUSTER, cluster_of};

/// Index of Metal3Machines that look for a host, by namespace.
const WAITING: &str = "waits-for-host";

/// What wakes the controller.
pub fn wakes(sources: &Sources) -> Registration {
    let machines = sources.machines.clone().index(WAITING, |machine: &Metal3Machine| {
        let namespace = machine.metadata.namespace.clone().unwrap_or_default();
        if gather::waits_for_host(machine) { vec![namespace] } else { Vec::new() }
    });
    let by_cluster = sources.owners.clone().index(BY_CLUSTER, cluster_of);
    let of_infra = by_cluster.clone();
    Registration::new()
        .own(&machines)
        .bell(sources.remotes.bell())
        .owns::<Metal3Machine, Metal3DataClaim>(&sources.claims)
        .owns::<Metal3Machine, Metal3Data>(&sources.datas)
        .needs(&sources.templates)
        .watch(&sources.owners, |old, new| old.into_iter().chain(new).filter_map(machine_of).collect())
        .watch(&sources.clusters, move |old, new| cluster_changed(&by_cluster, old, new))
        .watch(&sources.infras, move |old, new| infra_changed(&of_infra, old, new))
        .watch(&sources.hosts, move |old, new| host_changed(&machines, old, new))
}

/// The Metal3Machine of a Machine.
fn machine_of(machine: &Machine) -> Option<Key> {
    let reference = &machine.spec.infrastructure_ref;
    reference
        .is("Metal3Machine", api::infra::GROUP)
        .then(|| Key::new(machine.metadata.namespace.clone().unwrap_or_default(), reference.name.clone()))
}

fn machines_of(owners: &Store<Machine>, cluster: &Key) -> Vec<Key> {
    owners.by(BY_CLUSTER, &cluster.to_string()).iter().filter_map(|machine| machine_of(machine)).collect()
}

/// Of a Cluster only pause, infrastructure and deletion matter; its status changes much more often.
fn cluster_changed(owners: &Store<Machine>, old: Option<&Cluster>, new: Option<&Cluster>) -> Vec<Key> {
    let matters = |cluster: &Cluster| {
        (cluster.is_paused(), cluster.infrastructure_provisioned(), cluster.metadata.deletion_timestamp.is_some())
    };
    match (old, new) {
        (Some(old), Some(new)) if matters(old) == matters(new) => Vec::new(),
        (old, new) => new.or(old).map(Key::of).map(|key| machines_of(owners, &key)).unwrap_or_default(),
    }
}

fn infra_changed(machines: &Store<Machine>, old: Option<&Metal3Cluster>, new: Option<&Metal3Cluster>) -> Vec<Key> {
    if let (Some(old), Some(new)) = (old, new)
        && old.spec == new.spec
    {
        return Vec::new();
    }
    let Some(infra) = new.or(old) else { return Vec::new() };
    let owner = owners::owner_of_kind(&infra.metadata, api::capi::GROUP, "Cluster");
    let namespace = infra.metadata.namespace.clone().unwrap_or_default();
    owner.map(|owner| machines_of(machines, &Key::new(namespace, owner.name.as_str()))).unwrap_or_default()
}

/// A host wakes the machines that used and use it; one that could be taken wakes those that wait for a host.
fn host_changed(machines: &Store<Metal3Machine>, old: Option<&BareMetalHost>, new: Option<&BareMetalHost>) -> Vec<Key> {
    let mut keys: Vec<Key> = old.into_iter().chain(new).filter_map(machine_using).collect();
    if let Some(host) = new.filter(|host| could_be_taken(host)) {
        let namespace = host.metadata.namespace.as_deref().unwrap_or_default();
        keys.extend(machines.by(WAITING, namespace).iter().map(|machine| Key::of(&**machine)));
    }
    keys.sort();
    keys.dedup();
    keys
}

fn machine_using(host: &BareMetalHost) -> Option<Key> {
    match Consumer::of(host) {
        Consumer::Machine(key) => Some(key),
        Consumer::None | Consumer::Cluster(_) | Consumer::Other => None,
    }
}

fn could_be_taken(host: &BareMetalHost) -> bool {
    matches!(Consumer::of(host), Consumer::None | Consumer::Cluster(_))
        && matches!(provision::state(host), ProvisioningState::Available | ProvisioningState::Ready)
}
