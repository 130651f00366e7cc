//! One address of one pool: the claim, its answer, its release. Pure.
//!
//! Metal3's own pools are asked with an IPClaim, all others with Cluster API's IPAddressClaim.

use api::ipam::{IPClaim, IPClaimSpec, capi};
use api::meta::ObjectReference;
use api::names::{finalizer, label};
use kit::pass::{Why, Write};
use kit::{Kind, diff, owners};
use kube::core::ObjectMeta;

use super::pools::{Lease, Pool};
use super::view::DataView;

/// How far a pool's address is.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// It is there.
    Lease(Lease),
    /// Nobody asked yet.
    Ask(Write),
    /// An old claim of the same name must go first; this lets go of it.
    LetGo(Write),
    /// It will come, or the old claim will vanish.
    Wait(Why),
    /// The pool cannot give one.
    Refused(String),
}

/// What happens next for a pool.
pub fn ask(pool: &Pool, view: &DataView) -> Answer {
    if pool.is_metal3() { ask_metal3(pool, view) } else { ask_capi(pool, view) }
}

/// Names a pool's claim may have: by index, and by host where that keeps addresses over re-provisioning.
pub fn names(pool: &Pool, data: &str, host: &str) -> [String; 2] {
    [format!("{data}-{}", pool.name), format!("{host}-{}", pool.name)]
}

fn ask_metal3(pool: &Pool, view: &DataView) -> Answer {
    let host = view.host.as_ref().and_then(|host| host.metadata.name.as_deref()).unwrap_or_default();
    let [by_index, by_host] = names(pool, view.name(), host);
    let Some(claim) = view.ip_claims.get(&by_index).or_else(|| view.ip_claims.get(&by_host)) else {
        let name = if view.claims_named_after_host { by_host } else { by_index };
        return Answer::Ask(diff::create(&new_ip_claim(name, pool, view)));
    };
    if let Some(answer) = not_ours(&**claim, view) {
        return answer;
    }
    let status = claim.status.clone().unwrap_or_default();
    if let Some(error) = status.error_message {
        return Answer::Refused(format!("IP Allocation for {} failed: {error}", pool.name));
    }
    let address = status.address.and_then(|address| view.ip_addresses.get(&address.name?).cloned());
    match address {
        Some(address) => Answer::Lease(Lease {
            address: address.spec.address.clone(),
            prefix: Some(address.spec.prefix).filter(|prefix| *prefix != 0),
            gateway: address.spec.gateway.clone(),
            dns: address.spec.dns_servers.clone(),
        }),
        None => Answer::Wait(waiting(pool)),
    }
}

fn ask_capi(pool: &Pool, view: &DataView) -> Answer {
    let name = format!("{}-{}", view.name(), pool.name);
    let Some(claim) = view.capi_claims.get(&name) else {
        return Answer::Ask(diff::create(&new_capi_claim(name, pool, view)));
    };
    if let Some(answer) = not_ours(&**claim, view) {
        return answer;
    }
    let status = claim.status.clone().unwrap_or_default();
    if let Some(address) = view.capi_addresses.get(&status.address_ref.name) {
        return Answer::Lease(Lease {
            address: address.spec.address.clone(),
            prefix: Some(i64::from(address.spec.prefix)),
            gateway: address.spec.gateway.clone(),
            dns: Vec::new(),
        });
    }
    let refusal = status.conditions.iter().find(|condition| condition.type_ == "Ready" && condition.status == "False");
    let why = waiting(pool);
    Answer::Wait(match refusal {
        Some(condition) => why.seen(format!("{}: {}", condition.reason, condition.message)),
        None => why,
    })
}

fn waiting(pool: &Pool) -> Why {
    Why::new("WaitingForAddress", format!("waiting for an address from {} {}", pool.kind, pool.name))
}

/// A claim of our name that belongs to an earlier index or another object cannot be used.
fn not_ours<K: Kind>(claim: &K, view: &DataView) -> Option<Answer> {
    if owners::owned_by(claim.meta(), view.uid()) {
        return None;
    }
    let name = claim.meta().name.as_deref().unwrap_or_default();
    if owners::deleting(claim.meta()) && owners::has_finalizer(claim, finalizer::METAL3_DATA) {
        return Some(Answer::LetGo(owners::remove_finalizer(claim, finalizer::METAL3_DATA)));
    }
    let text = format!("{} {name} belongs to another object; waiting until it is gone", K::kind(&()));
    Some(Answer::Wait(Why::new("AddressClaimInUse", text)))
}

fn new_ip_claim(name: String, pool: &Pool, view: &DataView) -> IPClaim {
    let mut metadata = claim_meta(name, view);
    if view.claims_named_after_host {
        let labels = metadata.labels.get_or_insert_default();
        labels.insert(label::DATA_NAME.to_owned(), view.name().to_owned());
        labels.insert(label::POOL_NAME.to_owned(), pool.name.clone());
    }
    let pool = ObjectReference {
        name: Some(pool.name.clone()),
        namespace: Some(view.namespace().to_owned()),
        ..ObjectReference::default()
    };
    IPClaim { metadata, spec: IPClaimSpec { pool }, status: None }
}

fn new_capi_claim(name: String, pool: &Pool, view: &DataView) -> capi::IPAddressClaim {
    let cluster_name = view.data.metadata.labels.as_ref().and_then(|labels| labels.get(label::CLUSTER_NAME)).cloned();
    let pool_ref = capi::PoolRef { name: pool.name.clone(), kind: pool.kind.clone(), api_group: pool.group.clone() };
    let spec = capi::IPAddressClaimSpec { cluster_name, pool_ref };
    capi::IPAddressClaim { metadata: claim_meta(name, view), spec, status: None }
}

fn claim_meta(name: String, view: &DataView) -> ObjectMeta {
    let mut owner = owners::owner_reference(&*view.data, true);
    owner.block_owner_deletion = None;
    ObjectMeta {
        name: Some(name),
        namespace: Some(view.namespace().to_owned()),
        labels: view.data.metadata.labels.clone(),
        finalizers: Some(vec![finalizer::METAL3_DATA.to_owned()]),
        owner_references: Some(vec![owner]),
        ..ObjectMeta::default()
    }
}

/// Writes that let go of every claim the index made, whatever its template says now. Empty when nothing holds it.
pub fn release(view: &DataView) -> Vec<Write> {
    let own = view.ip_claims.values().filter(|claim| made_by(&***claim, view)).flat_map(|claim| let_go(&**claim));
    let other = view.capi_claims.values().filter(|claim| made_by(&***claim, view)).flat_map(|claim| let_go(&**claim));
    own.chain(other).collect()
}

/// Uids change when objects are restored from a backup, so the owner's name counts here.
fn made_by<K: Kind>(claim: &K, view: &DataView) -> bool {
    let owner = owners::owner_of_kind(claim.meta(), api::infra::GROUP, "Metal3Data");
    owner.is_some_and(|owner| owner.name == view.name())
}

/// Our finalizer first, then the deletion: it is then never held back by us.
fn let_go<K: Kind>(claim: &K) -> Vec<Write> {
    let mut writes = Vec::new();
    if owners::has_finalizer(claim, finalizer::METAL3_DATA) {
        writes.push(owners::remove_finalizer(claim, finalizer::METAL3_DATA));
    }
    if !owners::deleting(claim.meta()) {
        writes.push(diff::delete(claim));
    }
    writes
}
