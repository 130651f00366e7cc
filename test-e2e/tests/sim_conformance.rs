//! The simulated API server answers as the real one: tens of thousands of random requests, sent to both.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod conformance;

use std::path::Path;
use std::time::Instant;

use conformance::garbage;
use conformance::generate::Generator;
use conformance::ops::Op;
use conformance::{ACCEPTED, Difference, Pair, Right, World, shrink};
use kube::Client;
use sim::kube::kinds;
use test_e2e::{fixture, gobuild, level_b, manager, manifests};
use tokio::sync::OnceCell;

/// Requests in all, and namespaces that share them.
const REQUESTS: usize = 20_000;
const WORLDS: usize = 16;
/// Always the same, so that who changes something else does not meet a difference found by chance.
const SEED: u64 = 1;
/// Families of objects for the garbage collector.
const FAMILIES: u64 = 12;

static INSTALLED: OnceCell<()> = OnceCell::const_new();

/// A level A with our definitions and Cluster API's.
async fn pair() -> Pair {
    let plane = fixture::shared("test-sim", Path::new(env!("CARGO_BIN_EXE_bench"))).await.unwrap();
    let install = async || {
        let cache = test_e2e::cache::Cache::open().unwrap();
        gobuild::kubernetes(&cache).await.unwrap();
        let mut definitions = level_b::definitions(&cache).await.unwrap();
        definitions.extend(manager::component("ipam-metal3").unwrap());
        definitions.retain(|object| object["kind"] == "CustomResourceDefinition");
        definitions
            .retain(|object| object["spec"]["group"].as_str().is_some_and(|group| !group.starts_with("runtime.")));
        manifests::apply(&plane.client().await.unwrap(), "default", &definitions).await.unwrap();
    };
    INSTALLED.get_or_init(install).await;
    let mut config = plane.config().await.unwrap();
    config.default_retry = false;
    let right = Right::Real(plane, Client::try_from(config).unwrap());
    Pair { right, kinds: kinds::ipam() }
}

fn seed() -> u64 {
    std::env::var("SIM_SEED").map_or(SEED, |text| text.parse().unwrap())
}

/// Plays sequences side by side; answers how many requests were compared, and the first difference of each world,
/// the earliest first.
async fn play(pair: &Pair, seed: u64, requests: usize) -> (usize, Vec<(Vec<Op>, Difference)>) {
    let worlds = (0..WORLDS as u64).map(|n| {
        let pair = pair.clone();
        tokio::spawn(async move {
            let mut generator = Generator::new(seed.wrapping_mul(1000) + n);
            let ops: Vec<Op> = (0..requests.div_ceil(WORLDS)).map(|_| generator.op()).collect();
            let mut world = World::new(&pair).await.unwrap();
            let found = world.play(&ops).await.unwrap();
            (world.compared, found.map(|found| (ops, found)))
        })
    });
    let worlds = futures::future::join_all(worlds.collect::<Vec<_>>()).await;
    let worlds: Vec<_> = worlds.into_iter().map(Result::unwrap).collect();
    let compared = worlds.iter().map(|(count, _)| count).sum();
    let mut different: Vec<_> = worlds.into_iter().filter_map(|(_, found)| found).collect();
    different.sort_by_key(|(_, found)| found.at);
    (compared, different)
}

#[tokio::test(flavor = "multi_thread")]
async fn random_requests_are_answered_alike() {
    let pair = pair().await;
    let seed = seed();
    println!("seed {seed} (SIM_SEED={seed} plays the same requests again)");
    let requests = std::env::var("SIM_REQUESTS").map_or(REQUESTS, |text| text.parse().unwrap());
    let begun = Instant::now();
    let (compared, found) = play(&pair, seed, requests).await;
    println!("{compared} requests compared in {:.1} s; may differ:", begun.elapsed().as_secs_f64());
    for (what, why) in ACCEPTED {
        println!("  {what}: {why}");
    }
    for (ops, found) in &found {
        println!("step {} differs: {:?}\n{}", found.at, ops[found.at], found.text);
    }
    let Some((ops, found)) = found.into_iter().next() else {
        assert!(compared >= requests, "seed {seed}: {compared} of {requests} requests were compared");
        return;
    };
    println!("looking for a shorter sequence than {} steps", found.at + 1);
    let (ops, found) = shrink(&pair, &ops, found).await.unwrap();
    panic!("seed {seed}: {} steps lead to a difference\n{ops:#?}\n{}", ops.len(), found.text);
}

/// After each deletion the collector of the real controller manager leaves what the simulated one leaves.
#[tokio::test(flavor = "multi_thread")]
async fn the_garbage_collector_leaves_the_same() {
    let pair = pair().await;
    let Right::Real(plane, client) = &pair.right else { unreachable!() };
    let seed = seed();
    let families = (0..FAMILIES).map(async |n| {
        let namespace = plane.namespace("sim-gc").await.unwrap();
        garbage::play(client.clone(), &namespace, pair.kinds.clone(), seed.wrapping_mul(1000) + n).await
    });
    let begun = Instant::now();
    let told = futures::future::join_all(families).await;
    let different: Vec<String> = told.iter().filter_map(|told| Some(format!("{:#}", told.as_ref().err()?))).collect();
    assert!(different.is_empty(), "seed {seed}: {} families differ:\n{}", different.len(), different.join("\n\n"));
    let told: Vec<usize> = told.into_iter().flatten().collect();
    println!(
        "{} states of {FAMILIES} families compared in {:.1} s",
        told.iter().sum::<usize>(),
        begun.elapsed().as_secs_f64()
    );
}

/// The comparison itself: equal servers are equal, and one that lacks a rule is found out in a few steps.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_lacks_a_rule_is_found_out() {
    let equal = Pair { right: Right::Simulated(kinds::ipam()), kinds: kinds::ipam() };
    let (compared, found) = play(&equal, 1, 4000).await;
    assert!(compared > 3000 && found.is_empty(), "{compared} {found:?}");
    let mut lacking = kinds::ipam();
    for kind in lacking.iter_mut().filter(|kind| kind.name.kind == "IPClaim") {
        kind.versions[0].schema = None;
    }
    let pair = Pair { kinds: lacking, ..equal };
    let (ops, found) = play(&pair, 1, 4000).await.1.into_iter().next().unwrap();
    let (ops, found) = shrink(&pair, &ops, found).await.unwrap();
    assert!(ops.len() <= 3, "{ops:#?}\n{}", found.text);
}
