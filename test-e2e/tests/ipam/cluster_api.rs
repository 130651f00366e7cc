//! Beside the real Cluster API: its webhooks judge our addresses, its conversion serves older claims.

use std::path::Path;
use std::time::Duration;

use api::ipam::IPPool;
use api::ipam::capi::{IPAddress as CapiAddress, IPAddressClaim};
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;
use test_e2e::wait::until;
use test_e2e::{Bench, level_a, level_b, manager};

use crate::stage::put;

const LIMIT: Duration = Duration::from_mins(2);

#[tokio::test(flavor = "multi_thread")]
async fn cluster_api_takes_our_addresses_and_older_claims_are_served() {
    let mut bench = Bench::fresh("test-ipam-cluster-api").await.unwrap();
    bench.guard(Path::new(env!("CARGO_BIN_EXE_bench"))).unwrap();
    let plane = level_a::start(&bench, level_a::Options::default()).await.unwrap();
    level_b::start(&bench, &plane).await.unwrap();
    let options = manager::Options { args: vec!["ipam".to_owned()], ..manager::Options::default() };
    manager::start(&plane, manager::component("ipam-metal3").unwrap(), options).await.unwrap();
    let client = plane.client().await.unwrap();
    let namespace = plane.namespace("ipam").await.unwrap();
    let put = async |object| put(&client, &namespace, &object).await;
    let ranges = json!([{ "start": "10.0.0.10", "end": "10.0.0.12" }, { "subnet": "2001:db8::/120", "prefix": 120 }]);
    let spec = json!({ "namePrefix": "n", "prefix": 24, "gateway": "10.0.0.1", "pools": ranges });
    let pool = json!({ "apiVersion": "ipam.metal3.io/v1alpha1", "kind": "IPPool", "metadata": { "name": "p" } });
    let mut pool = pool;
    pool["spec"] = spec;
    let made = put(pool).await.unwrap();
    assert_eq!(made["spec"]["allocationStrategy"], "sequential", "our defaulting webhook");

    let claim = |version: &str, name: &str| {
        let reference = json!({ "name": "p", "kind": "IPPool", "apiGroup": "ipam.metal3.io" });
        json!({ "apiVersion": format!("ipam.cluster.x-k8s.io/{version}"), "kind": "IPAddressClaim",
            "metadata": { "name": name, "annotations": { "ipAddress": "2001:db8::f" } }, "spec": { "poolRef": reference } })
    };
    let mut four = claim("v1beta2", "four");
    four["metadata"]["annotations"] = json!({});
    put(claim("v1beta1", "older")).await.unwrap();
    put(four).await.unwrap();
    let claims: Api<IPAddressClaim> = Api::namespaced(client.clone(), &namespace);
    let addresses: Api<CapiAddress> = Api::namespaced(client.clone(), &namespace);
    for (name, ip, prefix) in [("older", "2001:db8::f", 120), ("four", "10.0.0.10", 24)] {
        let address = async || {
            let status = claims.get(name).await?.status.unwrap_or_default();
            anyhow::ensure!(status.conditions.iter().any(|c| c.type_ == "Ready" && c.status == "True"), "{status:?}");
            Ok(addresses.get_opt(&status.address_ref.name).await?)
        };
        let address = until(&format!("an address for {name}"), LIMIT, address).await.unwrap();
        assert_eq!((address.spec.address.as_str(), address.spec.prefix), (ip, prefix));
        assert_eq!(address.spec.claim_ref.name, name);
    }
    // Their validators do listen: the spec is fixed, and an address for another pool than the claim's is refused.
    let change = Patch::Merge(json!({ "spec": { "address": "10.0.0.99" } }));
    let refusal = addresses.patch("n-10-0-0-10", &PatchParams::default(), &change).await.unwrap_err();
    assert!(refusal.to_string().contains("immutable"), "{refusal}");
    let reference = json!({ "name": "other", "kind": "IPPool", "apiGroup": "ipam.metal3.io" });
    let spec = json!({ "claimRef": { "name": "four" }, "poolRef": reference, "address": "10.0.0.98", "prefix": 24 });
    let wrong = json!({ "apiVersion": "ipam.cluster.x-k8s.io/v1beta2", "kind": "IPAddress",
        "metadata": { "name": "wrong" }, "spec": spec });
    assert!(put(wrong).await.is_err());

    ours_refuse(&client, &namespace).await;
    for name in ["older", "four"] {
        claims.delete(name, &DeleteParams::default()).await.unwrap();
        let gone = async || Ok(claims.get_opt(name).await?.is_none().then_some(()));
        until(&format!("{name} being gone"), LIMIT, gone).await.unwrap();
    }
    assert_eq!(addresses.list(&kube::api::ListParams::default()).await.unwrap().items.len(), 0);
    bench.wipe().await.unwrap();
}

/// Our own webhooks on the way: an edit that would strand an address in use, and every fault of an object at once.
async fn ours_refuse(client: &kube::Client, namespace: &str) {
    let pools: Api<IPPool> = Api::namespaced(client.clone(), namespace);
    let shown = async || Ok((pools.get("p").await?.status.unwrap_or_default().allocations.len() == 2).then_some(()));
    until("the pool's map", LIMIT, shown).await.unwrap();
    let ranges = json!([{ "start": "10.0.0.11", "end": "10.0.0.12" }, { "subnet": "2001:db8::/120" }]);
    let shrink = Patch::Merge(json!({ "spec": { "pools": ranges } }));
    let refusal = pools.patch("p", &PatchParams::default(), &shrink).await.unwrap_err().to_string();
    assert!(refusal.contains("spec.pools: 10.0.0.10 of claim \"four\" is in use but out of bounds"), "{refusal}");
    let spec = json!({ "namePrefix": "w", "pools": [{}, { "start": "10.0.0.9", "end": "10.0.0.1" }],
        "preAllocations": { "a": "10.9.9.9" } });
    let wrong = json!({ "apiVersion": "ipam.metal3.io/v1alpha1", "kind": "IPPool", "metadata": { "name": "wrong" },
        "spec": spec });
    let kube::Error::Api(status) = put(client, namespace, &wrong).await.unwrap_err() else { unreachable!("an answer") };
    let fields: Vec<String> = status.details.unwrap().causes.into_iter().map(|cause| cause.field).collect();
    assert_eq!((status.code, status.reason.as_str()), (422, "Invalid"));
    assert_eq!(fields, ["spec.pools[0]", "spec.pools[1]", "spec.preAllocations"]);
    let claim = json!({ "apiVersion": "ipam.metal3.io/v1alpha1", "kind": "IPClaim", "spec": { "pool": { "name": "p" } },
        "metadata": { "name": "wrong", "annotations": { "ipAddress": "ten" } } });
    let refusal = put(client, namespace, &claim).await.unwrap_err().to_string();
    assert!(refusal.contains("metadata.annotations[ipAddress]") && refusal.contains("is not a valid IP"), "{refusal}");
}
