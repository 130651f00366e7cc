//! One address of one pool: the claim, its answer, its release. Pure.
//!
//! Metal3's own pools are asked with an IPClaim, all others with Cluster API's IPAddressClaim.

use std::time::Duration;

use api::ipam::capi::ready_reason;
use api::ipam::{IPClaim, IPClaimSpec, capi};
use api::meta::ObjectReference;
use api::names::{finalizer, label};
use kit::pass::{Why, Write};
use kit::{Kind, diff, owners};
use kube::core::ObjectMeta;

use super::pools::{Lease, Pool};
use super::view::DataView;

/// What a provider of addresses normally takes to answer.
pub const ANSWER: Duration = Duration::from_secs(15);

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
    /// The pool cannot give one before a user acts; the text says where.
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
    if let Some(answer) = unusable(&**claim, view) {
        return answer;
    }
    let status = claim.status.clone().unwrap_or_default();
    if let Some(error) = status.error_message {
        return Answer::Refused(refused(pool, &**claim, &error));
    }
    let address = status.address.and_then(|address| view.ip_addresses.get(&address.name?).cloned());
    match address {
        Some(address) => Answer::Lease(Lease {
            address: address.spec.address.clone(),
            prefix: Some(address.spec.prefix).filter(|prefix| *prefix != 0),
            gateway: address.spec.gateway.clone(),
            dns: address.spec.dns_servers.clone(),
        }),
        None => Answer::Wait(waiting(pool, &**claim)),
    }
}

fn ask_capi(pool: &Pool, view: &DataView) -> Answer {
    let name = format!("{}-{}", view.name(), pool.name);
    let Some(claim) = view.capi_claims.get(&name) else {
        return Answer::Ask(diff::create(&new_capi_claim(name, pool, view)));
    };
    if let Some(answer) = unusable(&**claim, view) {
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
    let unready = status.conditions.iter().find(|condition| condition.type_ == "Ready" && condition.status == "False");
    let Some(condition) = unready else { return Answer::Wait(waiting(pool, &**claim)) };
    let told = format!("{}: {}", condition.reason, condition.message);
    match condition.reason.as_str() {
        ready_reason::ALLOCATION_FAILED | ready_reason::POOL_NOT_READY | ready_reason::POOL_EXHAUSTED => {
            Answer::Refused(refused(pool, &**claim, &told))
        }
        // Other providers have more reasons, among them that of a claim they are at work on.
        _ => Answer::Wait(waiting(pool, &**claim).seen(told)),
    }
}

fn waiting<K: Kind>(pool: &Pool, claim: &K) -> Why {
    let name = claim.meta().name.as_deref().unwrap_or_default();
    let text = format!(
        "waiting for {} {} to answer {} {name}; does the pool's provider of addresses run?",
        pool.kind,
        pool.name,
        K::kind(&())
    );
    let why = Why::new("WaitingForAddress", text).normal(ANSWER);
    match &claim.meta().creation_timestamp {
        Some(made) => why.since(made.0),
        None => why,
    }
}

/// A refusal: what the pool says, and where a user mends it. The beginning is the Go provider's.
fn refused<K: Kind>(pool: &Pool, claim: &K, error: &str) -> String {
    let claim = format!("{} {}", K::kind(&()), claim.meta().name.as_deref().unwrap_or_default());
    let text = format!("IP Allocation for {} failed: {error}", pool.name);
    let exhausted = error.to_ascii_lowercase().contains("exhausted");
    match (pool.is_metal3(), exhausted) {
        (true, true) if error.contains("spec.pools") => text,
        (true, true) => format!(
            "{text}; IPPool {} has no free address for {claim}: add a range to its spec.pools, or delete claims that \
             nobody needs",
            pool.name
        ),
        (true, false) => format!("{text}; see {claim} and the spec of IPPool {}", pool.name),
        (false, true) => format!(
            "{text}; {} {} has no free address for {claim}: add addresses to its spec, or delete claims that nobody \
             needs",
            pool.kind, pool.name
        ),
        (false, false) => format!("{text}; see the status of {} {} and {claim}", pool.kind, pool.name),
    }
}

/// A claim of our name that belongs to an earlier index or another object cannot be used; nor can ours, when somebody
/// deleted it before anything was made of its address.
fn unusable<K: Kind>(claim: &K, view: &DataView) -> Option<Answer> {
    let ours = owners::owned_by(claim.meta(), view.uid());
    if ours && !(owners::deleting(claim.meta()) && view.secrets.is_empty()) {
        return None;
    }
    let name = claim.meta().name.as_deref().unwrap_or_default();
    if owners::deleting(claim.meta()) && owners::has_finalizer(claim, finalizer::METAL3_DATA) {
        return Some(Answer::LetGo(owners::remove_finalizer(claim, finalizer::METAL3_DATA)));
    }
    let why = if ours { "is being deleted" } else { "belongs to another object" };
    let text = format!("{} {name} {why}; waiting until it is gone", K::kind(&()));
    Some(Answer::Wait(match &claim.meta().deletion_timestamp {
        Some(asked) => Why::new("AddressClaimInUse", text).normal(ANSWER).since(asked.0),
        None => Why::new("AddressClaimInUse", format!("{text}: delete it, if nobody needs it")),
    }))
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
    ObjectMeta {
        name: Some(name),
        namespace: Some(view.namespace().to_owned()),
        labels: view.data.metadata.labels.clone(),
        finalizers: Some(vec![finalizer::METAL3_DATA.to_owned()]),
        // Cluster API's contract: the claim's maker controls it, and is not deleted before it.
        owner_references: Some(vec![owners::owner_reference(&*view.data, true)]),
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
