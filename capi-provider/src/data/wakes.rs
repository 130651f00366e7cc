//! Which changes wake which templates and indexes.

use api::capi::{Cluster, Machine};
use api::infra::v1beta2::{Metal3Data, Metal3DataClaim, Metal3Machine};
use api::ipam::{IPAddress, IPClaim, capi};
use api::metal3::BareMetalHost;
use kit::Kind;
use kit::owners;
use kit::pass::Key;
use kit::store::Store;
use kit::wakes::Registration;

use super::gather::{self, BY_CLUSTER, BY_MACHINE, BY_TEMPLATE, Sources};

/// Templates: themselves, their claims, their indexes, the Clusters and machines of their claims.
pub(super) fn templates(sources: &Sources) -> Registration {
    let (of_cluster, of_machine) = (sources.claims.clone(), sources.claims.clone());
    Registration::new()
        .own(&sources.templates)
        .watch(&sources.claims, |old, new| old.into_iter().chain(new).filter_map(gather::template_of_claim).collect())
        .watch(&sources.datas, |old, new| {
            let keys = old.into_iter().chain(new).flat_map(gather::templates_of_data);
            keys.filter_map(|key| key.split_once('/').map(|(namespace, name)| Key::new(namespace, name))).collect()
        })
        .watch(&sources.clusters, move |old, new| {
            let claims = cluster_changed(&of_cluster, old, new);
            claims.iter().filter_map(|claim| gather::template_of_claim(claim)).collect()
        })
        .watch(&sources.metal3_machines, move |old, new| {
            // A claim has its machine's name; only a machine that came or went matters.
            let key = match (old, new) {
                (Some(machine), None) | (None, Some(machine)) => Key::of(machine),
                (Some(_), Some(_)) | (None, None) => return Vec::new(),
            };
            of_machine.get(&key).and_then(|claim| gather::template_of_claim(&claim)).into_iter().collect()
        })
}

/// Indexes: themselves, what they own, and everything their data is made from.
pub(super) fn datas(sources: &Sources) -> Registration {
    let by = |sources: &Sources| sources.datas.clone();
    let (of_template, of_claim, of_machine, of_owner, of_host, of_cluster) =
        (by(sources), by(sources), by(sources), by(sources), by(sources), by(sources));
    let (ip_claims, capi_claims) = (sources.ip_claims.clone(), sources.capi_claims.clone());
    Registration::new()
        .own(&sources.datas)
        .owns::<Metal3Data, IPClaim>(&sources.ip_claims)
        .owns::<Metal3Data, capi::IPAddressClaim>(&sources.capi_claims)
        .owns::<Metal3Data, kit::runtime::SecretMeta>(&sources.secrets)
        .watch(&sources.ip_addresses, move |old, new| {
            let address: Option<&IPAddress> = new.or(old);
            let claim = address.and_then(|address| {
                let name = address.spec.claim.name.clone()?;
                ip_claims.get(&Key::new(address.metadata.namespace.clone().unwrap_or_default(), name))
            });
            claim.and_then(|claim| owner(&*claim)).into_iter().collect()
        })
        .watch(&sources.capi_addresses, move |old, new| {
            let address: Option<&capi::IPAddress> = new.or(old);
            let claim = address.and_then(|address| {
                let namespace = address.metadata.namespace.clone().unwrap_or_default();
                capi_claims.get(&Key::new(namespace, address.spec.claim_ref.name.as_str()))
            });
            claim.and_then(|claim| owner(&*claim)).into_iter().collect()
        })
        .watch(&sources.templates, move |old, new| {
            new.or(old).map(|template| indexed(&of_template, BY_TEMPLATE, &Key::of(template))).unwrap_or_default()
        })
        .watch(&sources.claims, move |old, new| {
            let claim: Option<&Metal3DataClaim> = new.or(old);
            claim.map(|claim| indexed(&of_claim, BY_MACHINE, &claim_machine(claim))).unwrap_or_default()
        })
        .watch(&sources.metal3_machines, move |old, new| machine_changed(&of_machine, old, new))
        .watch(&sources.machines, move |old, new| owner_changed(&of_owner, old, new))
        .watch(&sources.hosts, move |old, new| host_changed(&of_host, old, new))
        .watch(&sources.clusters, move |old, new| {
            cluster_changed(&of_cluster, old, new).iter().map(|data| Key::of(&**data)).collect()
        })
}

/// The Metal3Data that made an address claim.
fn owner<K: Kind>(claim: &K) -> Option<Key> {
    let owner = owners::owner_of_kind(claim.meta(), api::infra::GROUP, "Metal3Data")?;
    Some(Key::new(claim.meta().namespace.clone().unwrap_or_default(), owner.name.as_str()))
}

fn indexed(datas: &Store<Metal3Data>, index: &'static str, key: &Key) -> Vec<Key> {
    datas.by(index, &key.to_string()).iter().map(|data| Key::of(&**data)).collect()
}

fn claim_machine(claim: &Metal3DataClaim) -> Key {
    gather::machine_key(&claim.metadata).unwrap_or_else(|| Key::of(claim))
}

/// What is rendered from an object: names, labels, annotations, owners. Status changes are much more frequent.
fn same_meta<K: Kind>(old: &K, new: &K) -> bool {
    let (old, new) = (old.meta(), new.meta());
    old.labels == new.labels && old.annotations == new.annotations && old.owner_references == new.owner_references
}

fn machine_changed(datas: &Store<Metal3Data>, old: Option<&Metal3Machine>, new: Option<&Metal3Machine>) -> Vec<Key> {
    if let (Some(old), Some(new)) = (old, new)
        && same_meta(old, new)
        && old.spec.data_template == new.spec.data_template
    {
        return Vec::new();
    }
    new.or(old).map(|machine| indexed(datas, BY_MACHINE, &Key::of(machine))).unwrap_or_default()
}

fn owner_changed(datas: &Store<Metal3Data>, old: Option<&Machine>, new: Option<&Machine>) -> Vec<Key> {
    if let (Some(old), Some(new)) = (old, new)
        && same_meta(old, new)
    {
        return Vec::new();
    }
    let Some(machine) = new.or(old) else { return Vec::new() };
    let reference = &machine.spec.infrastructure_ref;
    let namespace = machine.metadata.namespace.clone().unwrap_or_default();
    indexed(datas, BY_MACHINE, &Key::new(namespace, reference.name.as_str()))
}

fn host_changed(datas: &Store<Metal3Data>, old: Option<&BareMetalHost>, new: Option<&BareMetalHost>) -> Vec<Key> {
    let hardware = |host: &BareMetalHost| host.status.as_ref().and_then(|status| status.hardware.clone());
    if let (Some(old), Some(new)) = (old, new)
        && same_meta(old, new)
        && old.spec.boot_mac_address == new.spec.boot_mac_address
        && old.spec.consumer_ref == new.spec.consumer_ref
        && hardware(old) == hardware(new)
    {
        return Vec::new();
    }
    let Some(host) = new.or(old) else { return Vec::new() };
    let consumer = host.spec.consumer_ref.as_ref().filter(|consumer| consumer.kind.as_deref() == Some("Metal3Machine"));
    let Some(name) = consumer.and_then(|consumer| consumer.name.clone()) else { return Vec::new() };
    indexed(datas, BY_MACHINE, &Key::new(host.metadata.namespace.clone().unwrap_or_default(), name))
}

/// The objects of a Cluster that came, went, was paused or unpaused.
fn cluster_changed<K: Kind>(
    objects: &Store<K>,
    old: Option<&Cluster>,
    new: Option<&Cluster>,
) -> Vec<std::sync::Arc<K>> {
    if let (Some(old), Some(new)) = (old, new)
        && old.is_paused() == new.is_paused()
    {
        return Vec::new();
    }
    new.or(old).map(|cluster| objects.by(BY_CLUSTER, &Key::of(cluster).to_string())).unwrap_or_default()
}
