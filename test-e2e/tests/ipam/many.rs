//! Many claims at once, and two managers that both believe they lead.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use api::ipam::{IPAddress, IPClaim, IPPool};
use kube::api::{DeleteParams, ListParams};
use serde_json::json;
use test_e2e::wait::until;

use crate::stage::{Stage, Writes};

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_claims_are_served_in_a_few_status_writes() {
    let mut stage = Stage::new("ipam-many").await;
    let writes = Arc::new(Writes::default());
    let context = stage.run(Some(writes.clone())).await;
    stage.pool(json!({ "namePrefix": "m", "pools": [{ "subnet": "10.0.0.0/16" }] })).await;
    let count = 1000;
    let begun = Instant::now();
    let all: Vec<_> = (0..count).map(|n| format!("c{n}")).collect();
    for names in all.chunks(20) {
        futures::future::join_all(names.iter().map(|name| stage.claim(name))).await;
    }
    let created = begun.elapsed();
    let pools = stage.api::<IPPool>();
    let served = async || {
        let status = pools.get("p").await?.status.unwrap_or_default();
        Ok((status.allocations.len() == count).then_some(status.allocations))
    };
    let allocations = until("all claims being served", Duration::from_mins(3), served).await.unwrap();
    let took = begun.elapsed();
    let distinct: BTreeSet<_> = allocations.values().collect();
    assert_eq!(distinct.len(), count);
    // While claims keep coming the pause between two grows by half of the time that it lasts: a minute has some ten.
    let statuses = writes.all()[&("IPPool".to_owned(), true)];
    let most = 5 + took.as_secs().div_ceil(5) as usize;
    assert!((2..=most).contains(&statuses), "{statuses} writes of the pool's status in {took:?}");
    let metrics = context.metrics.render(&context.plans);
    let patches = metrics.lines().find(|line| line.starts_with("rest_client_requests_total") && line.contains("PATCH"));
    println!(
        "{count} claims created in {created:?}, served after {took:?}, {statuses} writes of the pool's status; {patches:?}"
    );
    let generation = pools.get("p").await.unwrap().metadata.generation;
    assert_eq!(generation, Some(1), "only the status was written");
    let begun = Instant::now();
    stage.api::<IPClaim>().delete_collection(&DeleteParams::default(), &ListParams::default()).await.unwrap();
    let empty = async || Ok(stage.addresses().await.is_empty().then_some(()));
    until("all addresses being released", Duration::from_mins(3), empty).await.unwrap();
    println!("released after {:?}", begun.elapsed());
}

/// What the API server keeps unique holds even where two managers both act: no address twice, and in the end none too
/// many.
#[tokio::test(flavor = "multi_thread")]
async fn two_managers_at_once_give_five_hundred_claims_five_hundred_addresses() {
    let mut stage = Stage::new("ipam-race").await;
    stage.run(None).await;
    stage.another(|context| context).await;
    stage.pool(json!({ "namePrefix": "r", "pools": [{ "subnet": "10.0.0.0/22" }] })).await;
    let count = 500;
    let all: Vec<_> = (0..count).map(|n| format!("c{n}")).collect();
    futures::future::join_all(all.iter().map(|name| stage.claim(name))).await;
    let told = async || {
        let claims = stage.api::<IPClaim>().list(&ListParams::default()).await?.items;
        let names = claims.into_iter().filter_map(|claim| claim.status?.address?.name);
        let names: Vec<String> = names.collect();
        anyhow::ensure!(names.len() == count, "{} are told", names.len());
        Ok(Some(names))
    };
    let told = until("all claims being told", Duration::from_mins(3), told).await.unwrap();
    assert_eq!(told.iter().collect::<BTreeSet<_>>().len(), count, "none has the same as another");
    let exact = async || {
        let addresses = stage.addresses().await;
        anyhow::ensure!(addresses.len() == count, "{} addresses", addresses.len());
        Ok(Some(addresses))
    };
    let addresses = until("one address for each", Duration::from_mins(3), exact).await.unwrap();
    assert_eq!(addresses.iter().collect::<BTreeSet<_>>().len(), count);
    let objects = stage.api::<IPAddress>().list(&ListParams::default()).await.unwrap().items;
    let objects: BTreeSet<String> = objects.into_iter().filter_map(|object| object.metadata.name).collect();
    assert_eq!(objects, told.into_iter().collect(), "nobody was told an address that is gone");
}
