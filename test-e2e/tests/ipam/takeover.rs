//! Objects from elsewhere: a copy without status and with other uids, and `clusterctl move`.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::ensure;
use api::capi::Cluster;
use api::ipam::capi::{IPAddress as CapiAddress, IPAddressClaim, PoolRef};
use api::ipam::{IPAddress, IPClaim, IPPool};
use kit::client::Io;
use kit::informer::Scope;
use kit::key::Key;
use kit::runtime::Context;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use test_e2e::clusterctl::Clusterctl;
use test_e2e::level_a::{self, ControlPlane};
use test_e2e::wait::until;
use test_e2e::{Bench, manifests};
use tokio_util::sync::CancellationToken;

use crate::stage::{LIMIT, Stage, cluster, install, put};

/// What a claim of either kind has, by kind and name.
async fn given(client: &Client, namespace: &str) -> BTreeMap<(bool, String), String> {
    let own: Api<IPAddress> = Api::namespaced(client.clone(), namespace);
    let capi: Api<CapiAddress> = Api::namespaced(client.clone(), namespace);
    let list = ListParams::default();
    let own = own.list(&list).await.unwrap().items.into_iter();
    let own = own.map(|object| ((false, object.spec.claim.name.unwrap()), object.spec.address));
    let capi = capi.list(&list).await.unwrap().items.into_iter();
    own.chain(capi.map(|object| ((true, object.spec.claim_ref.name), object.spec.address))).collect()
}

/// Whether every claim was told an address.
async fn all_told(client: &Client, namespace: &str, count: usize) -> anyhow::Result<Option<()>> {
    let own: Api<IPClaim> = Api::namespaced(client.clone(), namespace);
    let capi: Api<IPAddressClaim> = Api::namespaced(client.clone(), namespace);
    let own = own.list(&ListParams::default()).await?.items;
    let own = own.into_iter().filter(|claim| claim.status.as_ref().is_some_and(|s| s.address.is_some())).count();
    let capi = capi.list(&ListParams::default()).await?.items;
    let told = |claim: &IPAddressClaim| claim.status.as_ref().is_some_and(|s| !s.address_ref.name.is_empty());
    let capi = capi.iter().filter(|claim| told(claim)).count();
    ensure!(own + capi == count, "{own} and {capi} are told");
    Ok(Some(()))
}

/// A backup restored elsewhere: no status, and owners that nobody there knows, so that the garbage collector takes the
/// addresses for left over.
#[tokio::test(flavor = "multi_thread")]
async fn copies_without_status_and_with_foreign_owners_keep_every_address() {
    let mut from = Stage::new("ipam-from").await;
    from.run(None).await;
    from.pool(json!({ "namePrefix": "m", "pools": [{ "subnet": "10.0.0.0/24" }] })).await;
    for name in ["a", "b", "c", "gone"] {
        from.claim(name).await;
        from.served(name).await;
    }
    from.capi_claim("a", PoolRef::ip_pool("p")).await;
    from.capi_served("a").await;
    from.unclaim("gone").await;
    from.gone::<IPClaim>("gone").await;
    from.stop.cancel();
    let before = given(&from.client, &from.namespace).await;
    assert_eq!(before.len(), 4);

    let mut to = Stage::new("ipam-to").await;
    for kind in ["IPPool", "IPClaim", "IPAddress", "IPAddressClaim", "capi IPAddress"] {
        for object in copies(&from, kind).await {
            to.put(&object).await;
        }
    }
    to.run(None).await;
    until("all claims being told again", LIMIT, async || all_told(&to.client, &to.namespace, 4).await).await.unwrap();
    let owned = async || {
        let pool = to.api::<IPPool>().get("p").await?.metadata.uid.unwrap_or_default();
        let objects = to.api::<IPAddress>().list(&ListParams::default()).await?.items;
        let metas = objects.into_iter().map(|object| object.metadata);
        let metas: Vec<_> = metas
            .chain(to.api::<CapiAddress>().list(&ListParams::default()).await?.items.into_iter().map(|o| o.metadata))
            .collect();
        ensure!(metas.len() == 4, "{} addresses", metas.len());
        let fine =
            |meta: &kube::api::ObjectMeta| meta.deletion_timestamp.is_none() && kit::owners::owned_by(meta, &pool);
        ensure!(metas.iter().all(fine), "{metas:?}");
        Ok(Some(()))
    };
    until("all addresses belonging to the new pool", LIMIT, owned).await.unwrap();
    assert_eq!(given(&to.client, &to.namespace).await, before);
}

/// The objects of a kind as a backup has them.
async fn copies(from: &Stage, kind: &str) -> Vec<Value> {
    let (version, kind) = match kind.strip_prefix("capi ") {
        Some(kind) => ("ipam.cluster.x-k8s.io/v1beta2", kind),
        None if kind == "IPAddressClaim" => ("ipam.cluster.x-k8s.io/v1beta2", kind),
        None => ("ipam.metal3.io/v1alpha1", kind),
    };
    let kind = json!({ "apiVersion": version, "kind": kind });
    let resource = manifests::resource(&from.client, &kind).await.unwrap();
    let api = manifests::api_of(&from.client, &from.namespace, &kind, &resource);
    let list = api.list(&ListParams::default()).await.unwrap().items;
    let copy = |object| {
        let mut object: Value = serde_json::to_value(object).unwrap();
        object["apiVersion"] = kind["apiVersion"].clone();
        object["kind"] = kind["kind"].clone();
        object.as_object_mut().unwrap().remove("status");
        let metadata = object["metadata"].as_object_mut().unwrap();
        for name in ["uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "namespace"] {
            metadata.remove(name);
        }
        object
    };
    list.into_iter().map(copy).collect()
}

struct Side {
    plane: ControlPlane,
    client: Client,
    context: Context,
    stop: CancellationToken,
}

async fn side(bench: &Bench, name: &str, namespace: &str) -> Side {
    let options = level_a::Options { name: name.to_owned(), ..level_a::Options::default() };
    let plane = level_a::start(bench, options).await.unwrap();
    install(&plane).await;
    let client = plane.client().await.unwrap();
    let object = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } });
    manifests::apply(&client, "default", &[object]).await.unwrap();
    let mut config = plane.config().await.unwrap();
    config.default_retry = false;
    let stop = CancellationToken::new();
    let io = Io::new(Client::try_from(config).unwrap());
    let context = Context::new(io, stop.clone()).with_scope(Scope::parse(namespace));
    tokio::spawn(ipam::run(context.clone(), ipam::Options::default()));
    Side { plane, client, context, stop }
}

/// The real `clusterctl move` between two API servers, with a manager on each side. Nobody serves the Cluster: the test
/// says for Cluster API that it is provisioned.
#[tokio::test(flavor = "multi_thread")]
async fn clusterctl_move_keeps_every_address() {
    const NAMESPACE: &str = "moved";
    let mut bench = Bench::fresh("test-ipam-move").await.unwrap();
    bench.guard(Path::new(env!("CARGO_BIN_EXE_bench"))).unwrap();
    let clusterctl = Clusterctl::create(&bench).await.unwrap();
    let from = side(&bench, "from", NAMESPACE).await;
    let to = side(&bench, "to", NAMESPACE).await;
    let made = put(&from.client, NAMESPACE, &cluster("one", false)).await.unwrap();
    let clusters: Api<Cluster> = Api::namespaced(from.client.clone(), NAMESPACE);
    let condition = json!({ "type": "ControlPlaneInitialized", "status": "True", "reason": "Initialized", "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z" });
    let ready = json!({ "conditions": [condition],
        "initialization": { "infrastructureProvisioned": true, "controlPlaneInitialized": true } });
    clusters.patch_status("one", &PatchParams::default(), &Patch::Merge(json!({ "status": ready }))).await.unwrap();
    let spec = json!({ "namePrefix": "m", "clusterName": "one", "pools": [{ "subnet": "10.0.0.0/24" }] });
    let pool =
        json!({ "apiVersion": "ipam.metal3.io/v1alpha1", "kind": "IPPool", "metadata": { "name": "p" }, "spec": spec });
    put(&from.client, NAMESPACE, &pool).await.unwrap();
    let owner = json!([{ "apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "Cluster", "name": "one",
        "uid": made["metadata"]["uid"] }]);
    for n in 0..10 {
        let metadata = json!({ "name": format!("c{n}"), "ownerReferences": owner });
        let reference = json!({ "name": "p", "kind": "IPPool", "apiGroup": "ipam.metal3.io" });
        let claim = if n % 2 == 0 {
            json!({ "apiVersion": "ipam.metal3.io/v1alpha1", "kind": "IPClaim", "metadata": metadata,
                "spec": { "pool": { "name": "p" } } })
        } else {
            json!({ "apiVersion": "ipam.cluster.x-k8s.io/v1beta2", "kind": "IPAddressClaim", "metadata": metadata,
                "spec": { "poolRef": reference, "clusterName": "one" } })
        };
        put(&from.client, NAMESPACE, &claim).await.unwrap();
    }
    until("all claims being told", LIMIT, async || all_told(&from.client, NAMESPACE, 10).await).await.unwrap();
    // Others released before, so that a new choice would be another one.
    let first: Api<IPClaim> = Api::namespaced(from.client.clone(), NAMESPACE);
    first.delete("c0", &kube::api::DeleteParams::default()).await.unwrap();
    until("one claim less", LIMIT, async || Ok(first.get_opt("c0").await?.is_none().then_some(()))).await.unwrap();
    let before = given(&from.client, NAMESPACE).await;
    assert_eq!(before.len(), 9);

    let command = clusterctl.command().args(["move", "--namespace", NAMESPACE]);
    let command = command.arg("--kubeconfig").arg(from.plane.kubeconfig());
    let log = command.arg("--to-kubeconfig").arg(to.plane.kubeconfig()).output().await.unwrap();
    println!("{log}");

    let told = async || all_told(&to.client, NAMESPACE, 9).await;
    until("all claims being told on the other side", Duration::from_mins(2), told).await.unwrap();
    assert_eq!(given(&to.client, NAMESPACE).await, before);
    assert_eq!(given(&from.client, NAMESPACE).await.len(), 0);
    let pools: Api<IPPool> = Api::namespaced(to.client.clone(), NAMESPACE);
    let shown = async || {
        let pool = pools.get("p").await?;
        let cluster: Cluster = Api::<Cluster>::namespaced(to.client.clone(), NAMESPACE).get("one").await?;
        let uid = cluster.metadata.uid.unwrap_or_default();
        ensure!(kit::owners::owned_by(&pool.metadata, &uid), "owners: {:?}", pool.metadata.owner_references);
        Ok((pool.status.unwrap_or_default().allocations.len() == 9).then_some(()))
    };
    until("the pool's map and owner", LIMIT, shown).await.unwrap();
    println!("{:?}", to.context.plans.of("ippool", &Key::new(NAMESPACE, "p")).last());
    for side in [from, to] {
        side.stop.cancel();
    }
    bench.wipe().await.unwrap();
}
