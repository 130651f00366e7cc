//! Claims, addresses and pools come and go, in any order.

use anyhow::ensure;
use api::ipam::capi::{IPAddress as CapiAddress, IPAddressClaim, PoolRef};
use api::ipam::{IPAddress, IPClaim, IPPool};
use kit::key::Key;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use serde_json::{Value, json};
use test_e2e::wait::until;

use crate::stage::{EXHAUSTED, LIMIT, Stage};

async fn finalizers<K>(stage: &Stage, name: &str) -> Vec<String>
where
    K: kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>,
    K: Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    stage.api::<K>().get(name).await.unwrap().meta().finalizers.clone().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_of_both_kinds_get_addresses_and_give_them_back() {
    let mut stage = Stage::new("ipam-both").await;
    stage.run(None).await;
    stage
        .pool(json!({ "namePrefix": "net", "prefix": 24, "gateway": "192.0.2.1", "dnsServers": ["192.0.2.2"],
            "pools": [{ "start": "192.0.2.10", "end": "192.0.2.12" }], "preAllocations": { "fixed": "192.0.2.12" } }))
        .await;
    stage.claim("a").await;
    assert_eq!(stage.served("a").await, "192.0.2.10");
    let address = stage.api::<IPAddress>().get("net-192-0-2-10").await.unwrap();
    assert_eq!((address.spec.prefix, address.spec.gateway.as_deref()), (24, Some("192.0.2.1")));
    let owners: Vec<_> =
        address.metadata.owner_references.unwrap().into_iter().map(|o| (o.kind, o.controller)).collect();
    assert_eq!(owners, [("IPPool".to_owned(), Some(false)), ("IPClaim".to_owned(), Some(true))]);

    stage.capi_claim("a", PoolRef::ip_pool("p")).await;
    stage.capi_claim("foreign", PoolRef { kind: "InClusterIPPool".to_owned(), ..PoolRef::ip_pool("p") }).await;
    let claims = stage.api::<IPAddressClaim>();
    let ready = async || {
        let status = claims.get("a").await?.status.unwrap_or_default();
        let ready = status.conditions.iter().find(|c| c.type_ == "Ready").map(|c| (c.status.clone(), c.reason.clone()));
        Ok(ready.filter(|(truth, _)| truth == "True").map(|(_, reason)| (status.address_ref.name, reason)))
    };
    let (name, reason) = until("the second claim", LIMIT, ready).await.unwrap();
    assert_eq!((name.as_str(), reason.as_str()), ("net-192-0-2-11", "Allocated"));
    assert_eq!(finalizers::<IPPool>(&stage, "p").await, ["ippool.ipam.metal3.io"]);
    assert_eq!(finalizers::<IPClaim>(&stage, "a").await, ["ipclaim.ipam.metal3.io"]);
    assert_eq!(finalizers::<IPAddress>(&stage, "net-192-0-2-10").await, ["ipaddress.ipam.metal3.io"]);
    assert_eq!(finalizers::<IPAddressClaim>(&stage, "a").await, ["ipam.metal3.io/ipaddressclaim"]);
    assert_eq!(finalizers::<CapiAddress>(&stage, "net-192-0-2-11").await, ["ipam.metal3.io/ipaddress"]);

    stage.claim("late").await;
    assert_eq!(stage.error_of("late").await, EXHAUSTED);
    stage.claim("fixed").await;
    assert_eq!(stage.served("fixed").await, "192.0.2.12");
    stage.unclaim("a").await;
    let recovered = async || Ok(stage.address_of("late").await.ok().flatten());
    assert_eq!(until("the late claim", LIMIT, recovered).await.unwrap(), "192.0.2.10");

    stage.api::<IPPool>().delete("p", &DeleteParams::default()).await.unwrap();
    stage.claim("refused").await;
    assert_eq!(stage.error_of("refused").await, "the pool is being deleted; name another pool");
    for claim in ["late", "fixed"] {
        stage.unclaim(claim).await;
    }
    claims.delete("a", &DeleteParams::default()).await.unwrap();
    stage.gone::<IPPool>("p").await;
    assert_eq!(stage.addresses().await, Vec::<String>::new());
    let foreign = claims.get("foreign").await.unwrap();
    assert_eq!((foreign.status, foreign.metadata.finalizers), (None, None), "another provider's claim is untouched");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_stays_while_others_hold_its_claim_and_nothing_is_written_at_rest() {
    let mut stage = Stage::new("ipam-held").await;
    let context = stage.run(None).await;
    stage.pool(json!({ "namePrefix": "six", "pools": [{ "subnet": "2001:db8::/64" }] })).await;
    stage.claim("a").await;
    assert_eq!(stage.served("a").await, "2001:db8::1");
    let claims = stage.api::<IPClaim>();
    let hold = |names: Value| Patch::Merge(json!({ "metadata": { "finalizers": names } }));
    let ours = api::names::finalizer::IP_CLAIM;
    claims.patch("a", &PatchParams::default(), &hold(json!([ours, "example.org/held"]))).await.unwrap();
    stage.unclaim("a").await;
    stage.claim("b").await;
    assert_eq!(stage.served("b").await, "2001:db8::2", "the held address is still in use");
    let written = async || {
        let status = stage.api::<IPPool>().get("p").await?.status.unwrap_or_default();
        Ok((status.allocations.len() == 2).then_some(()))
    };
    until("the pool's map", LIMIT, written).await.unwrap();
    let pool = stage.api::<IPPool>().get("p").await.unwrap();
    let version = |pool: &IPPool| pool.metadata.resource_version.clone();
    // A label is a change that wakes the pool; the pass it causes must find nothing to write.
    let touch = Patch::Merge(json!({ "metadata": { "labels": { "touched": "yes" } } }));
    let touched = stage.api::<IPPool>().patch("p", &PatchParams::default(), &touch).await.unwrap();
    assert_ne!(version(&pool), version(&touched));
    let key = Key::new(&stage.namespace, "p");
    let rests = async || {
        Ok(context.plans.of("ippool", &key).last().is_some_and(|e| e.times > 1 && e.writes.is_empty()).then_some(()))
    };
    until("a pass without effects", LIMIT, rests).await.unwrap();
    assert_eq!(version(&stage.api::<IPPool>().get("p").await.unwrap()), version(&touched));
    claims.patch("a", &PatchParams::default(), &hold(json!([ours]))).await.unwrap();
    stage.gone::<IPClaim>("a").await;
    assert_eq!(stage.addresses().await, ["2001:db8::2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_deleted_at_once_leave_nothing_behind() {
    let mut stage = Stage::new("ipam-flash").await;
    let context = stage.run(None).await;
    stage.pool(json!({ "namePrefix": "f", "pools": [{ "start": "10.0.0.1", "end": "10.0.0.250" }] })).await;
    for n in 0..200 {
        stage.claim(&format!("c{n}")).await;
        stage.unclaim(&format!("c{n}")).await;
    }
    let none = async || {
        let claims = stage.api::<IPClaim>().list(&ListParams::default()).await?.items;
        let left: Vec<_> = claims.into_iter().map(|claim| claim.metadata).collect();
        let addresses = stage.addresses().await;
        let last: Vec<_> = context.plans.of("ippool", &Key::new(&stage.namespace, "p"));
        ensure!(left.is_empty() && addresses.is_empty(), "{left:?} {addresses:?} after {:?}", last.last());
        Ok(Some(()))
    };
    until("nothing being left", LIMIT, none).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_made_by_hand_is_honoured() {
    let mut stage = Stage::new("ipam-hand").await;
    let by_hand = json!({
        "apiVersion": "ipam.metal3.io/v1alpha1", "kind": "IPAddress", "metadata": { "name": "by-hand" },
        "spec": { "pool": { "name": "p" }, "claim": { "name": "" }, "address": "2001:db8:0::0001" },
    });
    stage.put(&by_hand).await;
    stage.run(None).await;
    stage.pool(json!({ "namePrefix": "h", "pools": [{ "subnet": "2001:db8::/64" }] })).await;
    stage.claim("a").await;
    assert_eq!(stage.served("a").await, "2001:db8::2");
    let shown = async || {
        let status = stage.api::<IPPool>().get("p").await?.status.unwrap_or_default();
        Ok((status.allocations.len() == 2).then_some(status.allocations))
    };
    let map = until("both addresses in the map", LIMIT, shown).await.unwrap();
    assert_eq!(map["ipaddress/2001:db8::1"], "2001:db8::1", "an edit of the pool must not strand it");
    stage.api::<IPAddress>().delete("by-hand", &DeleteParams::default()).await.unwrap();
    stage.claim("b").await;
    assert_eq!(stage.served("b").await, "2001:db8::1", "it is free at once");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_object_that_is_taken_away_comes_back() {
    let mut stage = Stage::new("ipam-lost").await;
    stage.run(None).await;
    stage.pool(json!({ "namePrefix": "l", "pools": [{ "subnet": "10.0.0.0/24" }] })).await;
    for claim in ["a", "b"] {
        stage.claim(claim).await;
        stage.served(claim).await;
    }
    let addresses = stage.api::<IPAddress>();
    let uid = async |name: &str| addresses.get_opt(name).await.unwrap().and_then(|address| address.metadata.uid);
    let old = uid("l-10-0-0-1").await;
    // As people do it: delete, see it hang, take the finalizer off. The controller may do that first.
    addresses.delete("l-10-0-0-1", &DeleteParams::default()).await.unwrap();
    let off = Patch::Merge(json!({ "metadata": { "finalizers": null, "uid": old } }));
    let _ = addresses.patch("l-10-0-0-1", &PatchParams::default(), &off).await;
    let again = async || Ok(uid("l-10-0-0-1").await.filter(|new| Some(new) != old.as_ref()));
    until("the address coming back", LIMIT, again).await.unwrap();
    assert_eq!((stage.served("a").await, stage.served("b").await), ("10.0.0.1".to_owned(), "10.0.0.2".to_owned()));
    stage.unclaim("a").await;
    stage.gone::<IPClaim>("a").await;
    stage.gone::<IPAddress>("l-10-0-0-1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pool_tells_how_full_it_is() {
    let mut stage = Stage::new("ipam-counts").await;
    let context = stage.run(None).await;
    stage
        .pool(json!({ "namePrefix": "c", "gateway": "10.0.0.1",
            "pools": [{ "start": "10.0.0.1", "end": "10.0.0.3" }, { "subnet": "2001:db8::/64" }] }))
        .await;
    for claim in ["a", "b", "c"] {
        stage.claim(claim).await;
        stage.served(claim).await;
    }
    let status = async |used: i64| {
        let status = stage.api::<IPPool>().get("p").await?.status.unwrap_or_default();
        Ok(Some(status).filter(|status| status.ip_addresses.is_some_and(|counts| counts.used == used)))
    };
    let seen = until("three in use", LIMIT, async || status(3).await).await.unwrap();
    let ranges: Vec<_> = seen.ranges.iter().map(|range| (range.total, range.used, range.free)).collect();
    assert_eq!(ranges, [(3, 2, 0), (i64::MAX, 1, i64::MAX)], "an IPv6 subnet is shown as the largest integer");
    let counts = seen.ip_addresses.unwrap();
    assert_eq!((counts.total, counts.free), (i64::MAX, i64::MAX));
    assert_eq!(seen.ranges[0].last.as_deref(), Some("10.0.0.3"));
    let ready = &seen.conditions[0];
    assert_eq!((ready.type_.as_str(), ready.status.as_str()), ("Ready", "True"));

    // The map shows who has what; the time moves with it.
    let objects = stage.api::<IPAddress>().list(&ListParams::default()).await.unwrap().items;
    let held = objects.into_iter().map(|object| (object.spec.claim.name.unwrap(), object.spec.address));
    assert_eq!(seen.allocations, held.collect());
    stage.unclaim("b").await;
    let later = until("two in use", LIMIT, async || status(2).await).await.unwrap();
    assert_eq!(later.allocations.len(), 2);
    let times = [&seen, &later].map(|status| status.last_updated.clone().unwrap().0);
    assert!(times[0] < times[1], "a change of the map moves the time: {times:?}");

    let ranges = json!([{ "start": "10.0.0.1", "end": "10.0.0.2" }, { "start": "2001:db8::1", "end": "2001:db8::1" }]);
    stage.patch::<IPPool>("p", json!({ "spec": { "pools": ranges } })).await;
    stage.claim("d").await;
    assert_eq!(stage.error_of("d").await, EXHAUSTED);
    let exhausted = async || {
        let status = stage.api::<IPPool>().get("p").await?.status.unwrap_or_default();
        let ready = &status.conditions[0];
        let told = ready.reason == "Exhausted";
        let told = told && ready.message.contains("add a range to spec.pools, or delete claims");
        Ok(told.then_some(status))
    };
    let shown = until("the condition", LIMIT, exhausted).await.unwrap();
    assert_eq!(shown.last_updated, later.last_updated, "the time is that of the map, not of the status");
    let labels = format!("{{namespace=\"{}\",pool=\"p\"}}", stage.namespace);
    let measured = async || {
        let metrics = context.metrics.render(&context.plans);
        for (family, value) in [("", 3), ("_used", 2), ("_free", 0)] {
            let line = format!("metal3_ipam_pool_addresses{family}{labels} {value}.0");
            ensure!(metrics.contains(&line), "no {line} in {metrics}");
        }
        ensure!(metrics.contains(&format!("metal3_ipam_pool_exhausted{labels} 1\n")), "{metrics}");
        ensure!(metrics.contains("metal3_ipam_allocation_seconds_count 3"), "{metrics}");
        Ok(Some(()))
    };
    until("the metrics", LIMIT, measured).await.unwrap();
    let events = stage.api::<k8s_openapi::api::core::v1::Event>();
    let told = async || {
        let all = events.list(&ListParams::default()).await?.items;
        let told = |reason: &str, name: &str| {
            all.iter().any(|e| e.reason.as_deref() == Some(reason) && e.involved_object.name.as_deref() == Some(name))
        };
        Ok((told("PoolExhausted", "p") && told("AllocationFailed", "d")).then_some(()))
    };
    until("events about pool and claim", LIMIT, told).await.unwrap();

    let more = json!([{ "start": "10.0.0.1", "end": "10.0.0.2" }, { "start": "2001:db8::1", "end": "2001:db8::2" }]);
    stage.patch::<IPPool>("p", json!({ "spec": { "pools": more } })).await;
    let recovered = async || Ok(stage.address_of("d").await.ok().flatten());
    assert_eq!(until("an address of the larger range", LIMIT, recovered).await.unwrap(), "2001:db8::2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_in_deletion_waits_for_its_claims_and_refuses_new_ones() {
    let mut stage = Stage::new("ipam-ending").await;
    stage.run(None).await;
    stage.pool(json!({ "namePrefix": "e", "pools": [{ "subnet": "10.0.0.0/24" }] })).await;
    stage.claim("old").await;
    stage.served("old").await;
    stage.api::<IPPool>().delete("p", &DeleteParams::default()).await.unwrap();
    stage.capi_claim("new", PoolRef::ip_pool("p")).await;
    let (reason, message) = stage.capi_refused("new").await;
    assert_eq!((reason.as_str(), message.as_str()), ("PoolNotReady", "the pool is being deleted; name another pool"));
    assert_eq!(stage.served("old").await, "10.0.0.1", "what is in use stays");
    stage.unclaim("old").await;
    stage.gone::<IPPool>("p").await;
    assert_eq!(stage.addresses().await, Vec::<String>::new());
    // A pool of the same name serves the claim that waits.
    stage.pool(json!({ "namePrefix": "e", "pools": [{ "subnet": "10.0.1.0/24" }] })).await;
    assert_eq!(stage.capi_served("new").await, "10.0.1.1");
}

/// However things are taken away, in the end nothing is left and nothing hangs.
#[tokio::test(flavor = "multi_thread")]
async fn deletion_ends_in_any_order() {
    let spec = || json!({ "namePrefix": "d", "pools": [{ "subnet": "10.0.0.0/24" }] });
    let full = async |stage: &mut Stage| {
        stage.run(None).await;
        stage.pool(spec()).await;
        for n in 0..3 {
            stage.claim(&format!("m{n}")).await;
            stage.capi_claim(&format!("c{n}"), PoolRef::ip_pool("p")).await;
            stage.served(&format!("m{n}")).await;
            stage.capi_served(&format!("c{n}")).await;
        }
    };
    let empty = async |stage: &Stage| {
        let left = async || {
            let claims = stage.api::<IPClaim>().list(&ListParams::default()).await?.items.len();
            let capi = stage.api::<IPAddressClaim>().list(&ListParams::default()).await?.items.len();
            let pools = stage.api::<IPPool>().list(&ListParams::default()).await?.items.len();
            let addresses = stage.addresses().await;
            ensure!((claims, capi, pools, addresses.len()) == (0, 0, 0, 0), "{claims} {capi} {pools} {addresses:?}");
            Ok(Some(()))
        };
        until("nothing being left", LIMIT, left).await.unwrap();
    };
    let (all, list) = (DeleteParams::default(), ListParams::default());

    // The namespace takes everything at once, in an order of its own.
    let mut stage = Stage::new("ipam-namespace").await;
    full(&mut stage).await;
    let namespaces: kube::Api<k8s_openapi::api::core::v1::Namespace> = kube::Api::all(stage.client.clone());
    namespaces.delete(&stage.namespace, &all).await.unwrap();
    let gone = async || Ok(namespaces.get_opt(&stage.namespace).await?.is_none().then_some(()));
    until("the namespace being gone", LIMIT, gone).await.unwrap();

    // Everything in foreground: the garbage collector deletes the addresses first and waits for them.
    let mut stage = Stage::new("ipam-foreground").await;
    full(&mut stage).await;
    let foreground = DeleteParams::foreground();
    stage.api::<IPPool>().delete("p", &foreground).await.unwrap();
    stage.api::<IPClaim>().delete_collection(&foreground, &list).await.unwrap();
    stage.api::<IPAddressClaim>().delete_collection(&foreground, &list).await.unwrap();
    empty(&stage).await;

    // Addresses first, then the pool, claims last, while the controller is away and comes back in between.
    let mut stage = Stage::new("ipam-backwards").await;
    full(&mut stage).await;
    stage.stop.cancel();
    stage.api::<IPAddress>().delete_collection(&all, &list).await.unwrap();
    stage.api::<CapiAddress>().delete_collection(&all, &list).await.unwrap();
    stage.api::<IPPool>().delete("p", &all).await.unwrap();
    stage.run(None).await;
    stage.api::<IPClaim>().delete_collection(&all, &list).await.unwrap();
    stage.stop.cancel();
    stage.api::<IPAddressClaim>().delete_collection(&all, &list).await.unwrap();
    stage.run(None).await;
    empty(&stage).await;
}
