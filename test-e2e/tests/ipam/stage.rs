//! A namespace of its own with its controller, and what the tests ask of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Result, ensure};
use api::ipam::capi::{IPAddress as CapiAddress, IPAddressClaim, PoolRef};
use api::ipam::{IPAddress, IPClaim, IPPool};
use kit::client::Io;
use kit::hook::{Hook, Moment, Step, Verdict};
use kit::informer::Scope;
use kit::key::Key;
use kit::pass::Write;
use kit::runtime::Context;
use kube::api::{DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use test_e2e::level_a::ControlPlane;
use test_e2e::wait::until;
use test_e2e::{fixture, gobuild, level_b, manager, manifests};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

pub(crate) const LIMIT: Duration = Duration::from_mins(1);
/// What a claim is told when all addresses are taken.
pub(crate) const EXHAUSTED: &str =
    "Exhausted IP Pools: spec.pools of IPPool p has no free address; add a range there, or delete claims";

static INSTALLED: OnceCell<()> = OnceCell::const_new();

/// A level A with our definitions and Cluster API's.
pub(crate) async fn plane() -> &'static ControlPlane {
    let plane = fixture::shared("test-ipam", Path::new(env!("CARGO_BIN_EXE_bench"))).await.unwrap();
    INSTALLED.get_or_init(|| install(plane)).await;
    plane
}

/// Our definitions and those of Cluster API's core, without conversion: nobody serves it.
pub(crate) async fn install(plane: &ControlPlane) {
    let cache = test_e2e::cache::Cache::open().unwrap();
    gobuild::kubernetes(&cache).await.unwrap();
    let folder = level_b::manifests_of_release(&cache).await.unwrap();
    let mut definitions = manifests::read(&folder.join("capi-manager.yaml")).unwrap();
    definitions.extend(manager::component("ipam-metal3").unwrap());
    definitions.retain(|object| object["kind"] == "CustomResourceDefinition");
    for definition in &mut definitions {
        definition["spec"].as_object_mut().unwrap().remove("conversion");
        // As `clusterctl init` labels what it installs.
        definition["metadata"]["labels"]["clusterctl.cluster.x-k8s.io"] = json!("");
    }
    manifests::apply(&plane.client().await.unwrap(), "default", &definitions).await.unwrap();
}

/// Creates an object of any kind.
pub(crate) async fn put(client: &Client, namespace: &str, object: &Value) -> Result<Value, kube::Error> {
    let resource = manifests::resource(client, object).await.unwrap();
    let api = manifests::api_of(client, namespace, object, &resource);
    let made = api.create(&PostParams::default(), &serde_json::from_value(object.clone()).unwrap()).await?;
    Ok(serde_json::to_value(made).unwrap())
}

/// A Cluster without machines.
pub(crate) fn cluster(name: &str, paused: bool) -> Value {
    let network = json!({ "services": { "cidrBlocks": ["10.96.0.0/16"] } });
    json!({
        "apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "Cluster", "metadata": { "name": name },
        "spec": { "paused": paused, "clusterNetwork": network },
    })
}

/// Counts a controller's writes: the kind, and whether it was the status.
#[derive(Debug, Default)]
pub(crate) struct Writes(Mutex<BTreeMap<(String, bool), usize>>);

impl Writes {
    /// All of them so far.
    pub(crate) fn all(&self) -> BTreeMap<(String, bool), usize> {
        self.0.lock().unwrap().clone()
    }
}

impl Hook for Writes {
    fn at<'a>(&'a self, _: &'a str, _: &'a Key, moment: Moment, step: Step<'a>) -> Verdict<'a> {
        if let (Moment::Before, Step::Write(write)) = (moment, step) {
            let what = (write.target().resource.kind.clone(), matches!(write, Write::Status { .. }));
            *self.0.lock().unwrap().entry(what).or_default() += 1;
        }
        Box::pin(std::future::ready(Ok(())))
    }
}

/// A namespace of its own, with its controller.
pub(crate) struct Stage {
    pub(crate) client: Client,
    pub(crate) namespace: String,
    pub(crate) stop: CancellationToken,
}

impl Stage {
    pub(crate) async fn new(prefix: &str) -> Self {
        let client = plane().await.client().await.unwrap();
        let namespace = plane().await.namespace(prefix).await.unwrap();
        Self { client, namespace, stop: CancellationToken::new() }
    }

    /// Starts the controller for this namespace alone.
    pub(crate) async fn run(&mut self, hook: Option<Arc<dyn Hook>>) -> Context {
        self.stop = CancellationToken::new();
        self.another(|context| match hook {
            Some(hook) => context.with_hook(hook),
            None => context,
        })
        .await
    }

    /// Starts one more controller, with other settings.
    pub(crate) async fn another(&self, with: impl FnOnce(Context) -> Context) -> Context {
        let mut config = plane().await.config().await.unwrap();
        config.default_retry = false;
        let io = Io::new(Client::try_from(config).unwrap());
        let context = with(Context::new(io, self.stop.clone()).with_scope(Scope::parse(&self.namespace)));
        tokio::spawn(ipam::run(context.clone(), ipam::Options::default()));
        context
    }

    /// Creates an object of any kind here.
    pub(crate) async fn put(&self, object: &Value) -> Value {
        put(&self.client, &self.namespace, object).await.unwrap()
    }

    /// A claim with metadata of its own (annotations, labels, owners).
    pub(crate) async fn claim_with(&self, name: &str, metadata: Value) {
        let mut claim = json!({
            "apiVersion": "ipam.metal3.io/v1alpha1", "kind": "IPClaim", "metadata": metadata,
            "spec": { "pool": { "name": "p" } },
        });
        claim["metadata"]["name"] = json!(name);
        self.put(&claim).await;
    }

    /// The same of Cluster API's kind, with more in its spec.
    pub(crate) async fn capi_claim_with(&self, name: &str, metadata: Value, spec: Value) {
        let mut claim = json!({
            "apiVersion": "ipam.cluster.x-k8s.io/v1beta2", "kind": "IPAddressClaim", "metadata": metadata, "spec": spec,
        });
        claim["metadata"]["name"] = json!(name);
        claim["spec"]["poolRef"] = json!({ "name": "p", "kind": "IPPool", "apiGroup": "ipam.metal3.io" });
        self.put(&claim).await;
    }

    /// Status, reason and message of the `Ready` condition of a claim of Cluster API's kind, and its address.
    pub(crate) async fn ready(&self, claim: &str) -> Result<Option<(String, String, String, String)>> {
        let status = self.api::<IPAddressClaim>().get(claim).await?.status.unwrap_or_default();
        let Some(ready) = status.conditions.into_iter().find(|c| c.type_ == "Ready") else { return Ok(None) };
        let name = status.address_ref.name;
        let address = if name.is_empty() { name } else { self.api::<CapiAddress>().get(&name).await?.spec.address };
        Ok(Some((ready.status, ready.reason, ready.message, address)))
    }

    /// The address of a claim of Cluster API's kind, once it is ready.
    pub(crate) async fn capi_served(&self, claim: &str) -> String {
        let read = async || Ok(self.ready(claim).await?.filter(|ready| ready.0 == "True").map(|ready| ready.3));
        until(&format!("an address for {claim}"), LIMIT, read).await.unwrap()
    }

    /// Reason and message for which a claim of Cluster API's kind gets none.
    pub(crate) async fn capi_refused(&self, claim: &str) -> (String, String) {
        let read = async || {
            let refused = self.ready(claim).await?.filter(|ready| ready.0 == "False" && !is_unseen(&ready.2));
            Ok(refused.map(|ready| (ready.1, ready.2)))
        };
        until(&format!("{claim} being refused"), LIMIT, read).await.unwrap()
    }

    /// Waits until the last pass of the pool `p` waits for this reason.
    pub(crate) async fn waits(&self, context: &Context, reason: &str) {
        let key = Key::new(&self.namespace, "p");
        let last = async || {
            let last = context.plans.of("ippool", &key).pop();
            ensure!(last.is_some(), "no pass yet");
            Ok(last.and_then(|entry| entry.wait).is_some_and(|wait| wait.reason == reason).then_some(()))
        };
        until(&format!("the pool waiting: {reason}"), LIMIT, last).await.unwrap();
    }

    /// A merge patch of an object of any kind known here.
    pub(crate) async fn patch<K>(&self, name: &str, patch: Value) -> K
    where
        K: kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>,
        K: Clone + std::fmt::Debug + serde::de::DeserializeOwned,
    {
        self.api::<K>().patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap()
    }

    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub(crate) async fn pool(&self, spec: Value) -> IPPool {
        let pool = json!({
            "apiVersion": "ipam.metal3.io/v1alpha1", "kind": "IPPool", "metadata": { "name": "p" }, "spec": spec,
        });
        let pool = serde_json::from_value(pool).unwrap();
        self.api().create(&PostParams::default(), &pool).await.unwrap()
    }

    pub(crate) async fn claim(&self, name: &str) {
        let mut claim = IPClaim::default();
        claim.metadata.name = Some(name.to_owned());
        claim.spec.pool.name = Some("p".to_owned());
        self.api().create(&PostParams::default(), &claim).await.unwrap();
    }

    pub(crate) async fn capi_claim(&self, name: &str, pool: PoolRef) {
        let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
        let claim = IPAddressClaim { metadata, ..IPAddressClaim::default() };
        let claim = IPAddressClaim {
            spec: api::ipam::capi::IPAddressClaimSpec { cluster_name: None, pool_ref: pool },
            ..claim
        };
        self.api().create(&PostParams::default(), &claim).await.unwrap();
    }

    pub(crate) async fn unclaim(&self, name: &str) {
        self.api::<IPClaim>().delete(name, &DeleteParams::default()).await.unwrap();
    }

    /// The address of an IPClaim once it has one, by its status.
    pub(crate) async fn address_of(&self, claim: &str) -> Result<Option<String>> {
        let claim = self.api::<IPClaim>().get(claim).await?;
        let status = claim.status.unwrap_or_default();
        ensure!(status.error_message.is_none(), "error: {:?}", status.error_message);
        let Some(name) = status.address.and_then(|address| address.name) else { return Ok(None) };
        Ok(Some(self.api::<IPAddress>().get(&name).await?.spec.address))
    }

    pub(crate) async fn served(&self, claim: &str) -> String {
        until(&format!("an address for {claim}"), LIMIT, async || self.address_of(claim).await).await.unwrap()
    }

    pub(crate) async fn error_of(&self, claim: &str) -> String {
        let what = format!("an error of {claim}");
        let read = async || {
            let told = self.api::<IPClaim>().get(claim).await?.status.and_then(|status| status.error_message);
            Ok(told.filter(|told| !is_unseen(told)))
        };
        until(&what, LIMIT, read).await.unwrap()
    }

    pub(crate) async fn addresses(&self) -> Vec<String> {
        let list = ListParams::default();
        let own = self.api::<IPAddress>().list(&list).await.unwrap().items.into_iter().map(|a| a.spec.address);
        let capi = self.api::<CapiAddress>().list(&list).await.unwrap().items.into_iter().map(|a| a.spec.address);
        let mut all: Vec<String> = own.chain(capi).collect();
        all.sort();
        all
    }

    pub(crate) async fn gone<K>(&self, name: &str)
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

/// Pools and claims come by two watches: a claim that is seen before its pool is told so, until the pool is seen.
fn is_unseen(told: &str) -> bool {
    told.contains("there is no IPPool of this name")
}
