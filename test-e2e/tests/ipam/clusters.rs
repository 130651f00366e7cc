//! Clusters that come late or are paused, several managers, and claims of other providers.

use std::time::{Duration, Instant};

use api::capi::Cluster;
use api::ipam::capi::{IPAddressClaim, PoolRef};
use api::ipam::{IPClaim, IPPool};
use serde_json::{Value, json};
use test_e2e::wait::until;

use crate::stage::{LIMIT, Stage, cluster};

/// What a change wakes is done within this time.
const AT_ONCE: Duration = Duration::from_secs(5);

fn pool_of(name: &str) -> Value {
    json!({ "namePrefix": "k", "clusterName": name, "pools": [{ "subnet": "10.0.0.0/24" }] })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_waits_for_its_cluster_and_starts_as_soon_as_it_is_there() {
    let mut stage = Stage::new("ipam-late").await;
    let context = stage.run(None).await;
    stage.pool(pool_of("late")).await;
    stage.claim("a").await;
    stage.waits(&context, "ClusterNotFound").await;
    assert_eq!(stage.address_of("a").await.unwrap(), None);
    let made = stage.put(&cluster("late", false)).await;
    let begun = Instant::now();
    assert_eq!(stage.served("a").await, "10.0.0.1");
    assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
    let pool = stage.api::<IPPool>().get("p").await.unwrap().metadata;
    let labels = pool.labels.unwrap();
    assert_eq!(labels["cluster.x-k8s.io/cluster-name"], "late");
    assert_eq!(labels["cluster.x-k8s.io/provider"], "ipam-metal3");
    let owner = &pool.owner_references.unwrap()[0];
    assert_eq!((owner.kind.as_str(), owner.uid.as_str()), ("Cluster", made["metadata"]["uid"].as_str().unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_while_paused_and_it_goes_on_at_once() {
    let mut stage = Stage::new("ipam-paused").await;
    // There before the controller: who does not know the Cluster says so in the pool's status.
    stage.put(&cluster("one", true)).await;
    let context = stage.run(None).await;
    stage.pool(pool_of("one")).await;
    stage.claim("a").await;
    stage.waits(&context, "Paused").await;
    assert_eq!(stage.api::<IPClaim>().get("a").await.unwrap().metadata.finalizers, None);
    let pool = stage.api::<IPPool>().get("p").await.unwrap();
    assert_eq!((pool.metadata.finalizers, pool.metadata.labels, pool.status), (None, None, None));
    stage.patch::<Cluster>("one", json!({ "spec": { "paused": false } })).await;
    let begun = Instant::now();
    stage.served("a").await;
    assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());

    let paused = |value: Value| json!({ "metadata": { "annotations": { "cluster.x-k8s.io/paused": value } } });
    stage.patch::<IPPool>("p", paused(json!(""))).await;
    stage.waits(&context, "Paused").await;
    stage.claim("b").await;
    stage.unclaim("a").await;
    stage.waits(&context, "Paused").await;
    assert_eq!(stage.addresses().await, ["10.0.0.1"], "neither released nor given");
    stage.patch::<IPPool>("p", paused(Value::Null)).await;
    let begun = Instant::now();
    stage.gone::<IPClaim>("a").await;
    stage.served("b").await;
    assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
}

/// Cluster API's contract: the claim's own Cluster counts, also where the pool belongs to none.
#[tokio::test(flavor = "multi_thread")]
async fn claims_wait_for_their_own_cluster() {
    let mut stage = Stage::new("ipam-own").await;
    stage.run(None).await;
    stage.put(&cluster("paused", true)).await;
    stage.put(&cluster("runs", false)).await;
    stage.pool(json!({ "namePrefix": "o", "pools": [{ "subnet": "10.0.0.0/24" }] })).await;
    let label = |name: &str| json!({ "labels": { "cluster.x-k8s.io/cluster-name": name } });
    let none = || json!({});
    stage.capi_claim_with("of-paused", none(), json!({ "clusterName": "paused" })).await;
    stage.capi_claim_with("labelled-paused", label("paused"), none()).await;
    stage.capi_claim_with("of-missing", none(), json!({ "clusterName": "missing" })).await;
    stage.capi_claim_with("labelled-missing", label("missing"), none()).await;
    stage.claim_with("m-paused", label("paused")).await;
    let annotation = json!({ "annotations": { "cluster.x-k8s.io/paused": "true" } });
    stage.capi_claim_with("itself", annotation, none()).await;
    stage.capi_claim_with("runs", none(), json!({ "clusterName": "runs" })).await;
    // Served after all others were seen: claims are looked at in order of age.
    stage.capi_served("runs").await;
    let waiting = ["of-paused", "labelled-paused", "of-missing", "labelled-missing", "itself"];
    for name in waiting {
        let claim = stage.api::<IPAddressClaim>().get(name).await.unwrap();
        assert_eq!((claim.status, claim.metadata.finalizers), (None, None), "{name}");
    }
    assert_eq!(stage.api::<IPClaim>().get("m-paused").await.unwrap().status, None);
    stage.patch::<Cluster>("paused", json!({ "spec": { "paused": false } })).await;
    stage.put(&cluster("missing", false)).await;
    let resume = json!({ "metadata": { "annotations": { "cluster.x-k8s.io/paused": null } } });
    stage.patch::<IPAddressClaim>("itself", resume).await;
    for name in waiting {
        stage.capi_served(name).await;
    }
    stage.served("m-paused").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_manager_serves_its_filter_and_its_namespace_only() {
    let mut stage = Stage::new("ipam-filter").await;
    let mut other = Stage::new("ipam-filter").await;
    stage.stop = tokio_util::sync::CancellationToken::new();
    let filter = |value: &'static str| {
        move |mut context: kit::runtime::Context| {
            value.clone_into(&mut context.watch_filter);
            context
        }
    };
    stage.another(filter("left")).await;
    stage.another(filter("right")).await;
    let ranges = json!([{ "subnet": "10.0.0.0/24" }]);
    let pool = stage.pool(json!({ "namePrefix": "n", "pools": ranges })).await;
    other.pool(json!({ "namePrefix": "n", "pools": ranges })).await;
    let label = |value: &str| json!({ "labels": { "cluster.x-k8s.io/watch-filter": value } });
    stage.claim_with("mine", label("left")).await;
    other.claim("elsewhere").await;
    // Both managers have seen the pool; neither may touch it without the label.
    assert_eq!(pool.metadata.finalizers, None);
    stage.patch::<IPPool>("p", json!({ "metadata": label("left") })).await;
    stage.served("mine").await;
    stage.claim_with("not-mine", label("right")).await;
    stage.claim_with("mine-too", label("left")).await;
    stage.served("mine-too").await;
    assert_eq!(stage.api::<IPClaim>().get("not-mine").await.unwrap().status, None);
    assert_eq!(other.api::<IPClaim>().get("elsewhere").await.unwrap().status, None);
    assert_eq!(other.api::<IPPool>().get("p").await.unwrap().metadata.finalizers, None);
    other.run(None).await;
    assert_eq!(other.served("elsewhere").await, "10.0.0.1");
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_of_other_providers_are_never_touched() {
    let mut stage = Stage::new("ipam-foreign").await;
    stage.run(None).await;
    stage.pool(json!({ "namePrefix": "o", "pools": [{ "subnet": "10.0.0.0/24" }] })).await;
    let foreign = [
        ("kind", PoolRef { kind: "InClusterIPPool".to_owned(), ..PoolRef::ip_pool("p") }),
        ("group", PoolRef { api_group: "ipam.example.org".to_owned(), ..PoolRef::ip_pool("p") }),
    ];
    for (name, pool) in foreign.clone() {
        stage.capi_claim(name, pool).await;
    }
    stage.capi_claim("ours", PoolRef::ip_pool("p")).await;
    stage.capi_served("ours").await;
    for (name, _) in foreign {
        let claim = stage.api::<IPAddressClaim>().get(name).await.unwrap();
        assert_eq!((claim.status, claim.metadata.finalizers), (None, None));
    }
    let served = async || Ok((stage.addresses().await.len() == 1).then_some(()));
    until("one address", LIMIT, served).await.unwrap();
}
