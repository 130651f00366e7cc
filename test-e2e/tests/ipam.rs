//! The IP address manager on a real API server: both kinds of claims, exhaustion, deletion in any order, crashes at
//! every write, a thousand claims at once. The controller runs inside the test, so that the test can break it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use api::ipam::capi::{IPAddress as CapiAddress, IPAddressClaim, PoolRef};
use api::ipam::{IPAddress, IPClaim, IPPool};
use kit::client::Io;
use kit::hook::{Hook, Moment, Step, Verdict};
use kit::informer::Scope;
use kit::key::Key;
use kit::runtime::Context;
use kube::api::{DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use test_e2e::level_a::ControlPlane;
use test_e2e::wait::until;
use test_e2e::{fixture, gobuild, level_b, manager, manifests};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

const LIMIT: Duration = Duration::from_mins(1);

static INSTALLED: OnceCell<()> = OnceCell::const_new();

/// A level A with our definitions and Cluster API's.
async fn plane() -> &'static ControlPlane {
    let plane = fixture::shared("test-ipam", Path::new(env!("CARGO_BIN_EXE_bench"))).await.unwrap();
    let install = async || {
        let cache = test_e2e::cache::Cache::open().unwrap();
        gobuild::kubernetes(&cache).await.unwrap();
        let folder = level_b::manifests_of_release(&cache).await.unwrap();
        let mut definitions = manifests::read(&folder.join("capi-manager.yaml")).unwrap();
        definitions.extend(manager::component("ipam-metal3").unwrap());
        definitions.retain(|object| object["kind"] == "CustomResourceDefinition");
        for definition in &mut definitions {
            definition["spec"].as_object_mut().unwrap().remove("conversion");
        }
        manifests::apply(&plane.client().await.unwrap(), "default", &definitions).await.unwrap();
    };
    INSTALLED.get_or_init(install).await;
    plane
}

/// A namespace of its own, with its controller.
struct Stage {
    client: Client,
    namespace: String,
    stop: CancellationToken,
}

impl Stage {
    async fn new(prefix: &str) -> Self {
        let client = plane().await.client().await.unwrap();
        let namespace = plane().await.namespace(prefix).await.unwrap();
        Self { client, namespace, stop: CancellationToken::new() }
    }

    /// Starts the controller for this namespace alone.
    async fn run(&mut self, hook: Option<Arc<dyn Hook>>) -> Context {
        self.stop = CancellationToken::new();
        let mut config = plane().await.config().await.unwrap();
        config.default_retry = false;
        let io = Io::new(Client::try_from(config).unwrap());
        let mut context = Context::new(io, self.stop.clone()).with_scope(Scope::parse(&self.namespace));
        if let Some(hook) = hook {
            context = context.with_hook(hook);
        }
        tokio::spawn(ipam::run(context.clone(), ipam::Options::default()));
        context
    }

    fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    async fn pool(&self, spec: Value) -> IPPool {
        let pool = json!({
            "apiVersion": "ipam.metal3.io/v1alpha1", "kind": "IPPool", "metadata": { "name": "p" }, "spec": spec,
        });
        let pool = serde_json::from_value(pool).unwrap();
        self.api().create(&PostParams::default(), &pool).await.unwrap()
    }

    async fn claim(&self, name: &str) {
        let mut claim = IPClaim::default();
        claim.metadata.name = Some(name.to_owned());
        claim.spec.pool.name = Some("p".to_owned());
        self.api().create(&PostParams::default(), &claim).await.unwrap();
    }

    async fn capi_claim(&self, name: &str, pool: PoolRef) {
        let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
        let claim = IPAddressClaim { metadata, ..IPAddressClaim::default() };
        let claim = IPAddressClaim {
            spec: api::ipam::capi::IPAddressClaimSpec { cluster_name: None, pool_ref: pool },
            ..claim
        };
        self.api().create(&PostParams::default(), &claim).await.unwrap();
    }

    async fn unclaim(&self, name: &str) {
        self.api::<IPClaim>().delete(name, &DeleteParams::default()).await.unwrap();
    }

    /// The address of an IPClaim once it has one, by its status.
    async fn address_of(&self, claim: &str) -> Result<Option<String>> {
        let claim = self.api::<IPClaim>().get(claim).await?;
        let status = claim.status.unwrap_or_default();
        ensure!(status.error_message.is_none(), "error: {:?}", status.error_message);
        let Some(name) = status.address.and_then(|address| address.name) else { return Ok(None) };
        Ok(Some(self.api::<IPAddress>().get(&name).await?.spec.address))
    }

    async fn served(&self, claim: &str) -> String {
        until(&format!("an address for {claim}"), LIMIT, async || self.address_of(claim).await).await.unwrap()
    }

    async fn error_of(&self, claim: &str) -> String {
        let what = format!("an error of {claim}");
        let read = async || Ok(self.api::<IPClaim>().get(claim).await?.status.and_then(|status| status.error_message));
        until(&what, LIMIT, read).await.unwrap()
    }

    async fn addresses(&self) -> Vec<String> {
        let list = ListParams::default();
        let own = self.api::<IPAddress>().list(&list).await.unwrap().items.into_iter().map(|a| a.spec.address);
        let capi = self.api::<CapiAddress>().list(&list).await.unwrap().items.into_iter().map(|a| a.spec.address);
        let mut all: Vec<String> = own.chain(capi).collect();
        all.sort();
        all
    }

    async fn gone<K>(&self, name: &str)
    where
        K: kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>,
        K: Clone + std::fmt::Debug + serde::de::DeserializeOwned,
    {
        let api = self.api::<K>();
        let what = format!("{name} being gone");
        until(&what, LIMIT, async || Ok(api.get_opt(name).await?.is_none().then_some(()))).await.unwrap();
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.stop.cancel();
    }
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

    stage.claim("late").await;
    assert_eq!(stage.error_of("late").await, "Exhausted IP Pools");
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

/// Lets the process die at a certain moment: the effect there never answers.
#[derive(Debug)]
struct Killer {
    at: usize,
    passed: AtomicUsize,
    dead: CancellationToken,
}

impl Hook for Killer {
    fn at<'a>(&'a self, _: &'a str, _: &'a Key, _: Moment, _: Step<'a>) -> Verdict<'a> {
        Box::pin(async move {
            if self.passed.fetch_add(1, Ordering::SeqCst) >= self.at {
                self.dead.cancel();
                std::future::pending::<()>().await;
            }
            Ok(())
        })
    }
}

/// Wherever the process dies, its successor ends in the same state: two claims served with two addresses, one
/// released, none given twice, none leaked.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_any_moment_is_made_good_by_the_successor() {
    let mut at = 0;
    loop {
        let mut stage = Stage::new("ipam-crash").await;
        stage.pool(json!({ "namePrefix": "c", "pools": [{ "start": "10.0.0.1", "end": "10.0.0.3" }] })).await;
        stage.claim("kept").await;
        stage.claim("leaving").await;
        let killer = Arc::new(Killer { at, passed: AtomicUsize::new(0), dead: CancellationToken::new() });
        stage.run(Some(killer.clone())).await;
        let story = async {
            stage.served("leaving").await;
            stage.unclaim("leaving").await;
            stage.claim("new").await;
            stage.gone::<IPClaim>("leaving").await;
            stage.served("new").await;
        };
        let survived = killer.dead.run_until_cancelled(story).await.is_some();
        stage.stop.cancel();
        if stage.api::<IPClaim>().get_opt("new").await.unwrap().is_none() {
            stage.unclaim("leaving").await;
            stage.claim("new").await;
        } else if let Some(claim) = stage.api::<IPClaim>().get_opt("leaving").await.unwrap() {
            assert!(claim.metadata.deletion_timestamp.is_some());
        }
        stage.run(None).await;
        stage.gone::<IPClaim>("leaving").await;
        let distinct = BTreeSet::from([stage.served("kept").await, stage.served("new").await]);
        assert_eq!(distinct.len(), 2, "crash at {at}");
        let only = async || Ok((stage.addresses().await == distinct.iter().cloned().collect::<Vec<_>>()).then_some(()));
        until(&format!("exactly two addresses after a crash at {at}"), LIMIT, only).await.unwrap();
        if survived {
            println!("{at} moments to crash at");
            assert!(at > 20, "there were fewer effects than the story has: {at}");
            return;
        }
        at += 1;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_deleted_at_once_leave_nothing_behind() {
    let mut stage = Stage::new("ipam-flash").await;
    let context = stage.run(None).await;
    stage.pool(json!({ "namePrefix": "f", "pools": [{ "start": "10.0.0.1", "end": "10.0.0.250" }] })).await;
    for n in 0..100 {
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
async fn a_thousand_claims_are_served_in_a_few_status_writes() {
    let mut stage = Stage::new("ipam-many").await;
    let context = stage.run(None).await;
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
    let metrics = context.metrics.render(&context.plans);
    let patches = metrics.lines().find(|line| line.starts_with("rest_client_requests_total") && line.contains("PATCH"));
    println!("{count} claims created in {created:?}, served after {took:?}; {patches:?}");
    let generation = pools.get("p").await.unwrap().metadata.generation;
    assert_eq!(generation, Some(1), "only the status was written");
    let begun = Instant::now();
    stage.api::<IPClaim>().delete_collection(&DeleteParams::default(), &ListParams::default()).await.unwrap();
    let empty = async || Ok(stage.addresses().await.is_empty().then_some(()));
    until("all addresses being released", Duration::from_mins(3), empty).await.unwrap();
    println!("released after {:?}", begun.elapsed());
}
