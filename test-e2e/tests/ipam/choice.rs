//! Which address a claim gets, and what it is told with it.

use std::collections::BTreeSet;

use api::ipam::capi::{IPAddress as CapiAddress, PoolRef};
use api::ipam::{IPAddress, IPClaim, IPPool};
use serde_json::{Value, json};
use test_e2e::wait::until;

use crate::stage::{EXHAUSTED, LIMIT, Stage};

fn asks(ip: &str) -> Value {
    json!({ "annotations": { "ipAddress": ip } })
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_are_used_in_their_order_and_tell_their_own_network() {
    let mut stage = Stage::new("ipam-ranges").await;
    stage.run(None).await;
    stage
        .pool(json!({ "namePrefix": "r", "prefix": 24, "gateway": "10.0.0.1", "dnsServers": ["10.0.0.2"], "pools": [
            { "start": "10.1.0.5", "end": "10.1.0.5", "prefix": 16, "gateway": "10.1.0.1", "dnsServers": ["10.1.0.2"] },
            { "start": "10.0.0.8", "subnet": "10.0.0.8/31" },
            { "subnet": "2001:DB8::0001/127" }, { "subnet": "2001:db8:1::/126", "prefix": 64, "gateway": "2001:db8:1::fe" },
        ] }))
        .await;
    stage.claim("a").await;
    assert_eq!(stage.served("a").await, "10.1.0.5");
    stage.capi_claim("b", PoolRef::ip_pool("p")).await;
    assert_eq!(stage.capi_served("b").await, "10.0.0.8");
    stage.claim("c").await;
    assert_eq!(stage.served("c").await, "10.0.0.9", "the last address of the subnet, too");
    stage.claim("d").await;
    assert_eq!(stage.served("d").await, "2001:db8:1::1", "nothing is left in the third range");
    let own = |name: &'static str| {
        let addresses = stage.api::<IPAddress>();
        async move {
            let spec = addresses.get(name).await.unwrap().spec;
            (spec.prefix, spec.gateway.unwrap(), spec.dns_servers.join(","))
        }
    };
    let network = |prefix, gateway: &str, dns: &str| (prefix, gateway.to_owned(), dns.to_owned());
    assert_eq!(own("r-10-1-0-5").await, network(16, "10.1.0.1", "10.1.0.2"));
    assert_eq!(own("r-10-0-0-9").await, network(24, "10.0.0.1", "10.0.0.2"));
    assert_eq!(own("r-2001-db8-1--1").await, network(64, "2001:db8:1::fe", "10.0.0.2"));
    let capi = stage.api::<CapiAddress>().get("r-10-0-0-8").await.unwrap();
    assert_eq!((capi.spec.prefix, capi.spec.gateway.as_deref()), (24, Some("10.0.0.1")));
    assert_eq!(capi.spec.pool_ref, PoolRef::ip_pool("p"));
    assert_eq!(capi.metadata.finalizers, Some(vec!["ipam.metal3.io/ipaddress".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn pre_allocated_addresses_go_to_their_claims_of_either_kind_only() {
    let mut stage = Stage::new("ipam-fixed").await;
    stage.run(None).await;
    let fixed = json!({ "one": "2001:DB8:0::0002", "two": "2001:db8::3" });
    stage
        .pool(json!({ "namePrefix": "f", "preAllocations": fixed,
            "pools": [{ "start": "2001:db8::1", "end": "2001:db8::4" }] }))
        .await;
    for claim in ["a", "b"] {
        stage.claim(claim).await;
    }
    let free = BTreeSet::from([stage.served("a").await, stage.served("b").await]);
    assert_eq!(free, BTreeSet::from(["2001:db8::1".to_owned(), "2001:db8::4".to_owned()]));
    stage.claim("one").await;
    assert_eq!(stage.served("one").await, "2001:db8::2");
    stage.capi_claim("two", PoolRef::ip_pool("p")).await;
    assert_eq!(stage.capi_served("two").await, "2001:db8::3");
    stage.unclaim("one").await;
    stage.gone::<IPClaim>("one").await;
    stage.claim("late").await;
    assert_eq!(stage.error_of("late").await, EXHAUSTED, "it stays reserved");
    stage.claim("one").await;
    assert_eq!(stage.served("one").await, "2001:db8::2");
}

#[tokio::test(flavor = "multi_thread")]
async fn requested_addresses_are_given_exactly_or_refused_with_the_reason() {
    let mut stage = Stage::new("ipam-asked").await;
    stage.run(None).await;
    let fixed = json!({ "fixed": "2001:db8::10", "both": "2001:db8::11" });
    stage.pool(json!({ "namePrefix": "q", "pools": [{ "subnet": "2001:db8::/64" }], "preAllocations": fixed })).await;
    stage.claim_with("far", asks("2001:db8:0::8000:0:0:7")).await;
    assert_eq!(stage.served("far").await, "2001:db8::8000:0:0:7");
    stage.capi_claim_with("near", asks("2001:db8::7"), json!({})).await;
    assert_eq!(stage.capi_served("near").await, "2001:db8::7");
    let taken = ("Requested IP not available: ", "spec.preAllocations keeps it for one; ask for another one");
    let outside = ("Requested IP 2001:db9::1 is out of bounds of the pools given; ", "add a range");
    let conflict = ("PreAllocation and requested ip address are conflicting; ", "spec.preAllocations");
    let nonsense = ("Invalid ipAddress annotation \"ten\": not a valid IP address; ", "correct the annotation");
    let tells = |told: &str, (known, remedy): (&str, &str)| told.starts_with(known) && told.contains(remedy);
    for (claim, ip, error) in [
        ("m-taken", "2001:db8::7", taken),
        ("m-reserved", "2001:db8::10", taken),
        ("m-outside", "2001:db9::1", outside),
        ("both", "2001:db8::12", conflict),
        ("m-nonsense", "ten", nonsense),
    ] {
        stage.claim_with(claim, asks(ip)).await;
        let told = stage.error_of(claim).await;
        assert!(tells(&told, error), "{claim}: {told}");
    }
    for (claim, ip, error) in [
        ("c-taken", "2001:db8::8000:0:0:7", taken),
        ("c-outside", "2001:db9::1", outside),
        ("c-nonsense", "ten", nonsense),
    ] {
        stage.capi_claim_with(claim, asks(ip), json!({})).await;
        let (reason, told) = stage.capi_refused(claim).await;
        assert!(reason == "AllocationFailed" && tells(&told, error), "{claim}: {reason} {told}");
    }
    stage.claim("good").await;
    assert_eq!(stage.served("good").await, "2001:db8::1", "the broken ones delay nobody");
    stage.unclaim("far").await;
    assert_eq!(stage.capi_served("c-taken").await, "2001:db8::8000:0:0:7", "served as soon as it is free");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_random_pool_is_filled_to_the_last_address() {
    let mut stage = Stage::new("ipam-random").await;
    stage.run(None).await;
    let ranges = json!([{ "start": "10.0.0.1", "end": "10.0.0.8" }]);
    stage.pool(json!({ "namePrefix": "x", "allocationStrategy": "random", "pools": ranges })).await;
    let mut given = BTreeSet::new();
    for n in 0..8 {
        stage.claim(&format!("c{n}")).await;
        given.insert(stage.served(&format!("c{n}")).await);
    }
    assert_eq!(given, (1..=8).map(|n| format!("10.0.0.{n}")).collect());
    stage.claim("ninth").await;
    assert_eq!(stage.error_of("ninth").await, EXHAUSTED);
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_that_found_the_pool_exhausted_are_served_when_it_grows() {
    let mut stage = Stage::new("ipam-grows").await;
    stage.run(None).await;
    stage.pool(json!({ "namePrefix": "g", "pools": [{ "start": "10.0.0.1", "end": "10.0.0.1" }] })).await;
    stage.claim("first").await;
    stage.served("first").await;
    stage.claim("second").await;
    assert_eq!(stage.error_of("second").await, EXHAUSTED);
    stage.capi_claim("third", PoolRef::ip_pool("p")).await;
    assert_eq!(stage.capi_refused("third").await, ("PoolExhausted".to_owned(), EXHAUSTED.to_owned()));
    let ranges = json!([{ "start": "10.0.0.1", "end": "10.0.0.1" }, { "start": "10.0.1.1", "end": "10.0.1.2" }]);
    stage.patch::<IPPool>("p", json!({ "spec": { "pools": ranges } })).await;
    let recovered = async || Ok(stage.address_of("second").await.ok().flatten());
    let second = until("the second claim", LIMIT, recovered).await.unwrap();
    let status = stage.api::<IPClaim>().get("second").await.unwrap().status.unwrap();
    assert_eq!(status.error_message, None);
    assert_eq!(
        BTreeSet::from([second, stage.capi_served("third").await]),
        BTreeSet::from(["10.0.1.1".to_owned(), "10.0.1.2".to_owned()])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prefix_that_cluster_api_refuses_is_told_to_its_claims_only() {
    let mut stage = Stage::new("ipam-prefix").await;
    stage.run(None).await;
    stage.pool(json!({ "namePrefix": "w", "prefix": 64, "pools": [{ "subnet": "10.0.0.0/24" }] })).await;
    stage.capi_claim("c", PoolRef::ip_pool("p")).await;
    let error = "Invalid prefix value, it must be between 0 and 32; correct spec.prefix";
    let (reason, told) = stage.capi_refused("c").await;
    assert!(reason == "AllocationFailed" && told.starts_with(error), "{reason} {told}");
    stage.claim("m").await;
    assert_eq!(stage.served("m").await, "10.0.0.1");
}
