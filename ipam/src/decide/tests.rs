//! Decisions as tables: a view in, the deeds and writes out.

use std::sync::Arc;

use api::build::{ip_claim, ip_pool};
use api::capi::Cluster;
use api::ipam::capi::{self, IPAddressClaim, PoolRef};
use api::ipam::{IPAddress, IPClaim, address_name};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kit::key::Key;
use kube::core::ObjectMeta;

use super::*;
use crate::kinds::Claim;
use crate::space::Refusal;

const NOW: i64 = 1_000_000;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

pub(crate) mod contested;
mod neighbours;

/// A view of a pool that has our finalizer already.
pub(crate) fn view(pool: Option<IPPool>) -> PoolView {
    let pool = pool.map(|mut pool| {
        pool.metadata.finalizers = Some(vec![finalizer::IP_POOL.to_owned()]);
        Arc::new(pool)
    });
    PoolView {
        key: Key::new("ns", "p"),
        pool,
        cluster: ClusterSeen::Unnamed,
        claims: Vec::new(),
        addresses: Vec::new(),
        neighbours: Vec::new(),
        busy: None,
        unasked: 0,
        seed: 1,
        now: at(NOW),
    }
}

pub(crate) fn metal3(name: &str) -> IPClaim {
    ip_claim("ns", name, "p")
}

fn capi_claim(name: &str) -> IPAddressClaim {
    let metadata = ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some("ns".to_owned()),
        uid: Some(format!("uid-capi-{name}")),
        generation: Some(3),
        ..ObjectMeta::default()
    };
    let mut claim = IPAddressClaim { metadata, ..IPAddressClaim::default() };
    claim.spec.pool_ref = PoolRef::ip_pool("p");
    claim
}

fn address_meta(ip: &str, held: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(address_name("p", ip.parse().unwrap())),
        namespace: Some("ns".to_owned()),
        uid: Some(format!("uid-{ip}")),
        finalizers: Some(vec![held.to_owned()]),
        creation_timestamp: Some(Time(at(NOW - 60))),
        ..ObjectMeta::default()
    }
}

impl PoolView {
    pub(crate) fn claim(mut self, claim: IPClaim) -> Self {
        self.claims.push(ClaimSeen { claim: Claim::Metal3(Arc::new(claim)), hold_off: None });
        self
    }
    fn capi(mut self, claim: IPAddressClaim) -> Self {
        self.claims.push(ClaimSeen { claim: Claim::Capi(Arc::new(claim)), hold_off: None });
        self
    }
    /// An address object of ours for an IPClaim.
    pub(crate) fn address(mut self, claim: &str, ip: &str) -> Self {
        let metadata = address_meta(ip, finalizer::IP_ADDRESS);
        let mut address = IPAddress { metadata, ..IPAddress::default() };
        address.spec.claim.name = Some(claim.to_owned());
        address.spec.pool.name = Some("p".to_owned());
        address.spec.address = ip.to_owned();
        self.addresses.push(AddressSeen { address: Address::Metal3(Arc::new(address)), claim_is_gone: false });
        self
    }
}

fn deleting(meta: &mut ObjectMeta, finalizers: &[&str]) {
    meta.deletion_timestamp = Some(Time(at(NOW)));
    meta.finalizers = Some(finalizers.iter().map(|name| (*name).to_owned()).collect());
}

fn held(mut claim: IPClaim) -> IPClaim {
    claim.metadata.finalizers = Some(vec![finalizer::IP_CLAIM.to_owned()]);
    claim
}

fn served(claim: IPClaim, object: &str) -> IPClaim {
    let mut claim = held(claim);
    let status = claim.status.get_or_insert_default();
    status.address = Some(api::meta::ObjectReference {
        name: Some(object.to_owned()),
        namespace: Some("ns".to_owned()),
        ..api::meta::ObjectReference::default()
    });
    claim
}

/// Deeds in words, with the writes of each.
fn deeds(plan: &Plan<Round>) -> Vec<String> {
    let chains = plan.call.iter().flat_map(|round| &round.chains);
    let line = |chain: &Chain| {
        let deed = match &chain.deed {
            Deed::Grant { ip, .. } => format!("grant {ip}"),
            Deed::Refuse(refusal) => format!("refuse {refusal}"),
            Deed::Release(ips) => {
                let ips: Vec<String> = ips.iter().map(ToString::to_string).collect();
                format!("release {}", ips.join(" and "))
            }
        };
        let writes: Vec<&str> = chain.writes.iter().map(verb).collect();
        format!("{}: {deed} by {}", chain.claim.name, writes.join(", "))
    };
    chains.map(line).collect()
}

fn verb(write: &Write) -> &'static str {
    match write {
        Write::Create { .. } => "create",
        Write::Patch { .. } => "patch",
        Write::Status { .. } => "status",
        Write::Delete { .. } => "delete",
    }
}

fn reason(plan: &Plan<Round>) -> Option<&'static str> {
    plan.next.why().map(|why| why.reason)
}

#[test]
fn a_claim_is_held_before_its_address_is_made_and_told_last() {
    let plan = decide(&view(Some(ip_pool("ns", "p").range("10.0.0.1", "10.0.0.9"))).claim(metal3("a")));
    assert_eq!(deeds(&plan), ["a: grant 10.0.0.1 by patch, create, status"]);
    let Write::Create { target, body } = &plan.call.unwrap().chains[0].writes[1] else { panic!("no create") };
    assert_eq!((target.key.name.as_str(), &body["spec"]["address"]), ("p-10-0-0-1", &"10.0.0.1".into()));
    assert_eq!(body["metadata"]["finalizers"], serde_json::json!([finalizer::IP_ADDRESS]));
    let owners: Vec<_> =
        body["metadata"]["ownerReferences"].as_array().unwrap().iter().map(|o| o["kind"].clone()).collect();
    assert_eq!(owners, ["IPPool", "IPClaim"]);
}

#[test]
fn both_kinds_of_one_name_get_different_addresses() {
    let pool = ip_pool("ns", "p").range("10.0.0.1", "10.0.0.9");
    let plan = decide(&view(Some(pool)).claim(metal3("a")).capi(capi_claim("a")));
    assert_eq!(
        deeds(&plan),
        ["a: grant 10.0.0.1 by patch, create, status", "a: grant 10.0.0.2 by patch, create, status",]
    );
    let Write::Status { body, .. } = &plan.call.unwrap().chains[1].writes[2] else { panic!("no status") };
    assert_eq!(body["status"]["addressRef"]["name"], "p-10-0-0-2");
    let ready = &body["status"]["conditions"][0];
    assert_eq!(
        (&ready["type"], &ready["status"], &ready["reason"]),
        (&"Ready".into(), &"True".into(), &"Allocated".into())
    );
    assert_eq!(ready["observedGeneration"], 3);
}

#[test]
fn a_settled_pool_needs_nothing() {
    let pool = ip_pool("ns", "p").range("10.0.0.1", "10.0.0.9");
    let settled = view(Some(pool)).claim(served(metal3("a"), "p-10-0-0-1")).address("a", "10.0.0.1");
    let plan = decide(&owned(settled));
    assert_eq!((plan.writes.len(), plan.call.is_none(), plan.next), (0, true, Next::Rest));
}

#[test]
fn what_a_crash_left_half_done_is_finished() {
    let pool = || ip_pool("ns", "p").range("10.0.0.1", "10.0.0.9");
    let table = [
        (view(Some(pool())).claim(held(metal3("a"))), "a: grant 10.0.0.1 by patch, create, status"),
        (view(Some(pool())).claim(held(metal3("a"))).address("a", "10.0.0.4"), "a: grant 10.0.0.4 by status"),
        (view(Some(pool())).claim(metal3("a")).address("a", "10.0.0.4"), "a: grant 10.0.0.4 by patch, status"),
        (
            view(Some(pool().allocated("a", "10.0.0.7"))).claim(served(metal3("a"), "p-10-0-0-7")),
            "a: grant 10.0.0.7 by patch, create",
        ),
    ];
    for (view, expected) in table {
        assert_eq!(deeds(&decide(&owned(view))), [expected]);
    }
}

#[test]
fn a_claim_that_cannot_be_served_delays_nobody_and_is_told_once() {
    let pool = ip_pool("ns", "p").range("10.0.0.1", "10.0.0.2");
    let mut broken = metal3("broken");
    broken.metadata.annotations = Some([("ipAddress".to_owned(), "ten".to_owned())].into());
    let mut view = view(Some(pool)).claim(broken.clone());
    for name in ["a", "b", "c"] {
        view = view.claim(metal3(name));
    }
    let plan = decide(&view);
    assert_eq!(
        deeds(&plan),
        [
            "broken: refuse Invalid ipAddress annotation \"ten\": not a valid IP address; \
             correct the annotation of the claim by status",
            "a: grant 10.0.0.1 by patch, create, status",
            "b: grant 10.0.0.2 by patch, create, status",
            "c: refuse Exhausted IP Pools: spec.pools of IPPool p has no free address; add a range there, or delete claims \
             by status",
        ]
    );
    assert_eq!(reason(&plan), Some("PoolExhausted"));
    for seen in &mut view.claims {
        if let (Claim::Metal3(claim), "broken") = (&seen.claim, seen.claim.id().name.as_str()) {
            let mut told = (**claim).clone();
            let message = Refusal::BadRequest("ten".to_owned()).to_string();
            told.status.get_or_insert_default().error_message = Some(message);
            seen.claim = Claim::Metal3(Arc::new(told));
        }
    }
    assert_eq!(deeds(&decide(&view)).len(), 3, "the broken one knows already");
}

#[test]
fn an_exhausted_claim_is_served_when_an_address_is_free_again() {
    let mut claim = held(metal3("late"));
    claim.status.get_or_insert_default().error_message = Some("Exhausted IP Pools".to_owned());
    let plan = decide(&view(Some(ip_pool("ns", "p").range("10.0.0.1", "10.0.0.1"))).claim(claim));
    assert_eq!(deeds(&plan), ["late: grant 10.0.0.1 by patch, create, status"]);
    let Write::Status { body, .. } = &plan.call.unwrap().chains[0].writes[2] else { panic!("no status") };
    assert_eq!(body["status"]["errorMessage"], serde_json::Value::Null, "the old error is cleared");
}

#[test]
fn a_claim_is_released_when_nobody_else_holds_it() {
    let pool = || ip_pool("ns", "p").range("10.0.0.1", "10.0.0.9");
    let released = |finalizers: &[&str]| {
        let mut claim = served(metal3("a"), "p-10-0-0-1");
        deleting(&mut claim.metadata, finalizers);
        deeds(&decide(&view(Some(pool())).claim(claim).address("a", "10.0.0.1")))
    };
    let release = "a: release 10.0.0.1 by patch, delete, patch";
    assert_eq!(released(&[finalizer::IP_CLAIM]), [release]);
    assert_eq!(released(&[finalizer::IP_CLAIM, "metal3data.infrastructure.cluster.x-k8s.io"]), Vec::<String>::new());
    assert_eq!(released(&[finalizer::IP_CLAIM, "foregroundDeletion"]), [release], "the garbage collector waits for us");
    assert_eq!(released(&[]), ["a: release 10.0.0.1 by patch, delete"]);
}

#[test]
fn claims_of_a_missing_pool_end_and_wait() {
    let mut leaving = served(metal3("leaving"), "p-10-0-0-1");
    deleting(&mut leaving.metadata, &[finalizer::IP_CLAIM]);
    let plan =
        decide(&view(None).claim(leaving).claim(metal3("early")).capi(capi_claim("c")).address("leaving", "10.0.0.1"));
    assert_eq!(
        deeds(&plan),
        ["leaving: release 10.0.0.1 by patch, delete, patch", &format!("c: refuse {} by status", Refusal::PoolMissing),]
    );
    assert_eq!(reason(&plan), Some("PoolNotFound"));
}

#[test]
fn a_pool_in_deletion_takes_no_claims_and_ends_with_the_last_address() {
    let mut pool = ip_pool("ns", "p").range("10.0.0.1", "10.0.0.9");
    pool.metadata.deletion_timestamp = Some(Time(at(NOW)));
    let busy = view(Some(pool.clone())).claim(served(metal3("a"), "p-10-0-0-1")).address("a", "10.0.0.1");
    let plan = decide(&owned(busy).claim(metal3("new")));
    assert_eq!(deeds(&plan), ["new: refuse the pool is being deleted; name another pool by status"]);
    assert_eq!((reason(&plan), plan.writes.len()), (Some("AddressesInUse"), 0));
    let plan = decide(&view(Some(pool)).claim(metal3("new")));
    assert_eq!((plan.writes.iter().map(verb).collect::<Vec<_>>(), plan.next), (vec!["patch"], Next::Gone));
}

#[test]
fn nothing_is_written_while_paused() {
    let mut claim = served(metal3("a"), "p-10-0-0-1");
    deleting(&mut claim.metadata, &[finalizer::IP_CLAIM]);
    let mut pool = ip_pool("ns", "p").range("10.0.0.1", "10.0.0.9");
    let busy = |pool: IPPool| view(Some(pool)).claim(claim.clone()).claim(metal3("b")).address("a", "10.0.0.1");
    let mut cluster = Cluster::default();
    cluster.spec.paused = Some(true);
    let by_cluster = PoolView { cluster: ClusterSeen::Found(Arc::new(cluster)), ..busy(pool.clone()) };
    pool.metadata.annotations = Some([(owners::PAUSED.to_owned(), String::new())].into());
    for view in [by_cluster, busy(pool.clone())] {
        let plan = decide(&view);
        assert_eq!((plan.writes.len(), plan.call.is_none(), reason(&plan)), (0, true, Some("Paused")));
    }
    pool.metadata.annotations = None;
    let mut view = busy(pool);
    for seen in &mut view.claims {
        seen.hold_off = Some(HoldOff::Paused);
    }
    assert_eq!(deeds(&decide(&view)), Vec::<String>::new(), "claims of a paused Cluster alone");
}

#[test]
fn a_pool_waits_for_its_cluster_and_then_belongs_to_it() {
    let mut pool = ip_pool("ns", "p").range("10.0.0.1", "10.0.0.9");
    pool.spec.cluster_name = Some("c".to_owned());
    let base = || view(Some(pool.clone())).claim(metal3("a"));
    let plan = decide(&PoolView { cluster: ClusterSeen::Missing("c".to_owned()), ..base() });
    assert_eq!((deeds(&plan).len(), plan.writes.len(), reason(&plan)), (0, 0, Some("ClusterNotFound")));
    let metadata = ObjectMeta { name: Some("c".to_owned()), uid: Some("u".to_owned()), ..ObjectMeta::default() };
    let cluster = Cluster { metadata, ..Cluster::default() };
    let plan = decide(&PoolView { cluster: ClusterSeen::Found(Arc::new(cluster)), ..base() });
    let Write::Patch { body, target } = &plan.writes[0] else { panic!("no patch") };
    assert_eq!(body["metadata"]["labels"]["cluster.x-k8s.io/cluster-name"], "c");
    assert_eq!(body["metadata"]["ownerReferences"][0]["uid"], "u");
    assert_eq!(target.resource_version, pool.metadata.resource_version, "lists are replaced: guarded");
    assert_eq!(deeds(&plan).len(), 1);
}

#[test]
fn an_address_without_a_claim_is_kept_for_a_while_and_then_ended() {
    let orphan = |age: i64, confirmed: bool, ours: bool| {
        let mut view = view(Some(ip_pool("ns", "p").range("10.0.0.1", "10.0.0.1"))).address("lost", "10.0.0.1");
        let Address::Metal3(address) = &view.addresses[0].address else { panic!("kind") };
        let mut address = (**address).clone();
        address.metadata.creation_timestamp = Some(Time(at(NOW - age)));
        if !ours {
            address.metadata.finalizers = None;
        }
        view.addresses[0] =
            AddressSeen { address: Address::Metal3(Arc::new(address)), claim_is_gone: confirmed && ours };
        decide(&view.claim(metal3("new")))
    };
    assert_eq!(deeds(&orphan(601, true, true))[0], "lost: release 10.0.0.1 by patch, delete");
    let young = orphan(5, true, true);
    assert_eq!(deeds(&young), [format!("new: refuse {} by status", Refusal::Exhausted("p".to_owned()))]);
    assert!(matches!(&young.next, Next::After(pause, why) if *pause == ORPHAN_AGE && why.reason == "ClaimMissing"));
    assert_eq!(deeds(&orphan(601, false, true)).len(), 1, "not confirmed by a live read");
    let mut owned = view(Some(ip_pool("ns", "p").range("10.0.0.1", "10.0.0.1"))).address("lost", "10.0.0.1");
    if let Address::Metal3(address) = &mut owned.addresses[0].address {
        let reference = owners::owner_reference(&metal3("lost"), true);
        Arc::make_mut(address).metadata.owner_references = Some(vec![reference]);
    }
    owned.addresses[0].claim_is_gone = true;
    assert_eq!(deeds(&decide(&owned)), ["lost: release 10.0.0.1 by patch, delete"], "its owner is dead");
    let pool = owned.pool.clone().unwrap();
    if let Address::Metal3(address) = &mut owned.addresses[0].address {
        let reference = owners::owner_reference(&*pool, false);
        Arc::make_mut(address).metadata.owner_references = Some(vec![reference]);
    }
    assert_eq!(deeds(&decide(&owned)), ["lost: release 10.0.0.1 by patch, delete"], "the dead owner was collected");
    assert_eq!(deeds(&orphan(601, true, false)).len(), 1, "made by hand: honoured");
}

#[test]
fn claims_of_other_providers_belong_to_no_pool() {
    use crate::kinds::OfPool;
    let mut claim = capi_claim("a");
    assert_eq!(claim.pool(), Some(Key::new("ns", "p")));
    claim.spec.pool_ref.kind = "InClusterIPPool".to_owned();
    assert_eq!(claim.pool(), None);
    claim.spec.pool_ref = PoolRef { api_group: "ipam.example.org".to_owned(), ..PoolRef::ip_pool("p") };
    assert_eq!(claim.pool(), None);
    let mut address = capi::IPAddress::default();
    address.spec.pool_ref = PoolRef { kind: "Other".to_owned(), ..PoolRef::ip_pool("p") };
    assert_eq!(address.pool(), None);
}

#[test]
fn cluster_api_is_not_offered_a_prefix_that_it_refuses() {
    let mut pool = ip_pool("ns", "p").range("10.0.0.1", "10.0.0.9");
    pool.spec.prefix = 64;
    let plan = decide(&view(Some(pool)).capi(capi_claim("c")).claim(metal3("m")));
    assert_eq!(
        deeds(&plan),
        [
            "c: refuse Invalid prefix value, it must be between 0 and 32; \
             correct spec.prefix or spec.pools[].prefix of the pool by status",
            "m: grant 10.0.0.1 by patch, create, status",
        ]
    );
}

#[test]
fn a_long_line_of_claims_is_served_in_rounds() {
    let mut view = view(Some(ip_pool("ns", "p").subnet("10.0.0.0/16")));
    for n in 0..=ROUND {
        view = view.claim(metal3(&format!("c{n:05}")));
    }
    let plan = decide(&view);
    assert_eq!((deeds(&plan).len(), plan.next), (ROUND, Next::Now));
}

/// A claim of either kind that was told an address, with that address object.
fn settled(claim: IPClaim, ip: &str) -> PoolView {
    let name = claim.metadata.name.clone().unwrap();
    let object = address_name("p", ip.parse().unwrap());
    view(Some(ip_pool("ns", "p").range("10.0.0.1", "10.0.0.9"))).claim(served(claim, &object)).address(&name, ip)
}

fn of_metal3(address: &mut Address) -> &mut IPAddress {
    let Address::Metal3(address) = address else { panic!("kind") };
    Arc::make_mut(address)
}

#[test]
fn an_address_in_use_that_somebody_deletes_is_made_anew() {
    let mut view = owned(settled(metal3("a"), "10.0.0.4")).claim(metal3("b"));
    deleting(&mut of_metal3(&mut view.addresses[0].address).metadata, &[finalizer::IP_ADDRESS]);
    let plan = decide(&view);
    assert_eq!(
        deeds(&plan),
        ["a: grant 10.0.0.4 by patch, patch, create", "b: grant 10.0.0.1 by patch, create, status"],
        "the claim keeps it and need not be told"
    );
    deleting(&mut of_metal3(&mut view.addresses[0].address).metadata, &[finalizer::IP_ADDRESS, "example.org/held"]);
    assert_eq!(deeds(&decide(&view)).len(), 1, "somebody else still holds the object: it stays");
    deleting(&mut of_metal3(&mut view.addresses[0].address).metadata, &[finalizer::IP_ADDRESS]);
    let mut pool = (*view.pool.clone().unwrap()).clone();
    deleting(&mut pool.metadata, &[finalizer::IP_POOL]);
    view.pool = Some(Arc::new(pool));
    assert!(deeds(&decide(&view)).iter().all(|deed| !deed.contains("grant")), "not in a pool that is being deleted");
}

#[test]
fn a_claim_whose_address_object_is_missing_gets_the_same_before_others_choose() {
    let pool = ip_pool("ns", "p").range("10.0.0.1", "10.0.0.9");
    let lost = served(metal3("z"), "p-10-0-0-1");
    let plan = decide(&view(Some(pool)).claim(metal3("a")).claim(lost));
    assert_eq!(deeds(&plan), ["z: grant 10.0.0.1 by patch, create", "a: grant 10.0.0.2 by patch, create, status"]);
}

#[test]
fn owners_with_new_uids_are_written_to_an_address_of_ours() {
    let mut view = settled(metal3("a"), "10.0.0.4");
    assert_eq!(deeds(&decide(&view)), ["a: grant 10.0.0.4 by patch"]);
    let Some(Round { chains }) = decide(&view).call else { panic!("no round") };
    let Write::Patch { body, .. } = &chains[0].writes[0] else { panic!("no patch") };
    let uids: Vec<_> =
        body["metadata"]["ownerReferences"].as_array().unwrap().iter().map(|owner| owner["uid"].clone()).collect();
    assert_eq!(uids, ["uid-ns-p", "uid-ns-a"]);
    of_metal3(&mut view.addresses[0].address).metadata.finalizers = None;
    assert_eq!(deeds(&decide(&view)), [""; 0], "made by hand: left as it is");
}

#[test]
fn what_two_managers_gave_one_claim_is_one_address_in_the_end() {
    let told = settled(metal3("a"), "10.0.0.4").address("a", "10.0.0.2");
    let mut told = owned(told);
    assert_eq!(deeds(&decide(&told)), ["a: release 10.0.0.2 by patch, patch, delete"]);
    let Some(Round { chains }) = decide(&told).call else { panic!("no round") };
    assert_eq!(chains[0].writes[0].target().key.name, "a", "first it is proved that the claim was told nothing newer");
    told.claims[0] = ClaimSeen { claim: Claim::Metal3(Arc::new(held(metal3("a")))), hold_off: None };
    let plan = decide(&told);
    assert_eq!(deeds(&plan), ["a: grant 10.0.0.2 by status"], "told first, ended later");
    let Write::Status { target, .. } = &plan.call.unwrap().chains[0].writes[0] else { panic!("no status") };
    assert_eq!(target.resource_version.as_deref(), Some("1"), "of two managers only the first can tell");
}

/// The same with pool and claim as owners of each address, as the controller makes them.
fn owned(mut view: PoolView) -> PoolView {
    let pool = view.pool.clone().unwrap();
    for seen in &mut view.addresses {
        let claim = metal3(seen.address.claim().1);
        let owners = vec![owners::owner_reference(&*pool, false), owners::owner_reference(&claim, true)];
        of_metal3(&mut seen.address).metadata.owner_references = Some(owners);
    }
    view
}

#[test]
fn a_hundred_good_claims_are_served_in_the_pass_of_a_bad_one() {
    let mut bad = metal3("bad");
    bad.metadata.annotations = Some([("ipAddress".to_owned(), "10.9.9.9".to_owned())].into());
    let mut view = view(Some(ip_pool("ns", "p").subnet("10.0.0.0/24"))).claim(bad);
    for n in 0..100 {
        view = view.claim(metal3(&format!("c{n}")));
    }
    let deeds = deeds(&decide(&view));
    let outside = "bad: refuse Requested IP 10.9.9.9 is out of bounds of the pools given; add a range there, ";
    assert!(deeds[0].starts_with(outside), "{}", deeds[0]);
    assert_eq!(deeds.iter().filter(|deed| deed.contains("grant")).count(), 100);
}

#[test]
fn both_kinds_are_served_pre_allocated_and_requested_addresses() {
    let pool = ip_pool("ns", "p").range("10.0.0.1", "10.0.0.9").pre_allocated("m", "10.0.0.7");
    let pool = pool.pre_allocated("c", "10.0.0.8");
    let wish = |meta: &mut ObjectMeta, ip: &str| {
        meta.annotations = Some([("ipAddress".to_owned(), ip.to_owned())].into());
    };
    let (mut asks, mut capi_asks) = (metal3("asks"), capi_claim("capi-asks"));
    wish(&mut asks.metadata, "10.0.0.5");
    wish(&mut capi_asks.metadata, "10.0.0.6");
    let (mut wrong, mut taken) = (capi_claim("wrong"), capi_claim("taken"));
    wish(&mut wrong.metadata, "ten");
    wish(&mut taken.metadata, "10.0.0.7");
    let view = view(Some(pool)).claim(metal3("m")).capi(capi_claim("c")).claim(asks).capi(capi_asks);
    let plan = decide(&view.capi(wrong).capi(taken));
    assert_eq!(
        deeds(&plan),
        [
            "m: grant 10.0.0.7 by patch, create, status",
            "c: grant 10.0.0.8 by patch, create, status",
            "asks: grant 10.0.0.5 by patch, create, status",
            "capi-asks: grant 10.0.0.6 by patch, create, status",
            "wrong: refuse Invalid ipAddress annotation \"ten\": not a valid IP address; \
             correct the annotation of the claim by status",
            "taken: refuse Requested IP not available: another claim has it, or spec.preAllocations keeps it for one; \
             ask for another one by status",
        ]
    );
    let Write::Status { body, .. } = &plan.call.unwrap().chains[4].writes[0] else { panic!("no status") };
    assert_eq!(body["status"]["conditions"][0]["reason"], "AllocationFailed");
}

#[test]
fn a_pool_that_was_moved_gets_the_new_uid_of_its_cluster() {
    let mut pool = ip_pool("ns", "p").range("10.0.0.1", "10.0.0.9");
    pool.spec.cluster_name = Some("c".to_owned());
    let cluster = |uid: &str| {
        let metadata = ObjectMeta { name: Some("c".to_owned()), uid: Some(uid.to_owned()), ..ObjectMeta::default() };
        Cluster { metadata, ..Cluster::default() }
    };
    let labels = [(label::CLUSTER_NAME, "c"), (label::PROVIDER, label::PROVIDER_IPAM)];
    pool.metadata.labels = Some(labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
    pool.metadata.owner_references = Some(vec![cluster_owner(&cluster("old"))]);
    let seen = |uid: &str| ClusterSeen::Found(Arc::new(cluster(uid)));
    let plan = decide(&PoolView { cluster: seen("new"), ..view(Some(pool.clone())) });
    let Write::Patch { body, .. } = &plan.writes[0] else { panic!("no patch") };
    let owners = body["metadata"]["ownerReferences"].as_array().unwrap();
    assert_eq!((owners.len(), &owners[0]["uid"]), (1, &"new".into()));
    assert_eq!(decide(&PoolView { cluster: seen("old"), ..view(Some(pool)) }).writes, []);
}

#[test]
fn addresses_carry_the_labels_of_their_claims_and_never_a_foreign_finalizer() {
    let mut claim = capi_claim("c");
    claim.metadata.labels = Some([("cluster.x-k8s.io/cluster-name".to_owned(), "one".to_owned())].into());
    claim.metadata.finalizers = Some(vec!["example.org/x".to_owned()]);
    let mut pool = ip_pool("ns", "p").range("10.0.0.1", "10.0.0.9");
    (pool.spec.prefix, pool.spec.gateway) = (24, Some("10.0.0.1".to_owned()));
    let plan = decide(&view(Some(pool)).capi(claim));
    let chain = &plan.call.unwrap().chains[0];
    let Write::Create { body, .. } = &chain.writes[1] else { panic!("no create") };
    assert_eq!(body["metadata"]["labels"]["cluster.x-k8s.io/cluster-name"], "one");
    assert_eq!(body["metadata"]["finalizers"], serde_json::json!([finalizer::CAPI_IP_ADDRESS]));
    let owners = body["metadata"]["ownerReferences"].as_array().unwrap();
    let flags: Vec<_> = owners.iter().map(|o| (o["controller"].clone(), o["blockOwnerDeletion"].clone())).collect();
    assert_eq!(flags, [(false.into(), true.into()), (true.into(), true.into())]);
    let expected = serde_json::json!({
        "claimRef": { "name": "c" }, "address": "10.0.0.2", "prefix": 24, "gateway": "10.0.0.1",
        "poolRef": { "name": "p", "kind": "IPPool", "apiGroup": "ipam.metal3.io" },
    });
    assert_eq!(body["spec"], expected);
}

/// One pass over ten thousand settled claims and one new one: nothing but the new one is written for.
#[test]
fn ten_thousand_claims_cost_a_pass_little() {
    let mut view = view(Some(ip_pool("ns", "p").subnet("10.0.0.0/8")));
    for n in 1..=10_000_u32 {
        let ip = std::net::Ipv4Addr::from(0x0a00_0000 + n).to_string();
        let name = format!("c{n:05}");
        let object = address_name("p", ip.parse().unwrap());
        view = view.claim(served(metal3(&name), &object)).address(&name, &ip);
    }
    let mut view = owned(view).claim(metal3("new"));
    let begun = std::time::Instant::now();
    let plan = decide(&view);
    let took = begun.elapsed();
    assert_eq!(deeds(&plan), ["new: grant 10.0.39.17 by patch, create, status"]);
    // A debug build on a busy machine; work that grows with the square would take minutes.
    assert!(took.as_secs() < 5, "{took:?}");
    view.claims.truncate(1);
    view.addresses.truncate(1);
    for n in 0..9_000 {
        view = view.claim(metal3(&format!("d{n}")));
    }
    let plan = decide(&view);
    assert_eq!((plan.call.unwrap().chains.len(), plan.next), (9_001 / SHARE, Next::Now), "rounds grow with the pool");
}
