//! Objects as the Go manager leaves them: owners without flags, no condition on the pool, and claims of Cluster API's
//! kind without `Ready`, because the API server refused the Go manager's.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::ensure;
use api::ipam::capi::{IPAddress as CapiAddress, IPAddressClaim};
use api::ipam::{IPAddress, IPClaim, IPPool};
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::{Value, json};
use test_e2e::manifests;
use test_e2e::wait::until;

use crate::stage::{LIMIT, Stage, Writes};

/// Which kind a claim is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Own,
    ClusterApi,
}

/// What the Go manager made in a namespace.
struct Go<'a> {
    stage: &'a Stage,
    pool_uid: Value,
}

fn own(kind: &str, name: &str, spec: &Value) -> Value {
    let metadata = json!({ "name": name, "finalizers": [format!("{}.ipam.metal3.io", kind.to_lowercase())] });
    json!({ "apiVersion": "ipam.metal3.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec })
}

fn cluster_api(kind: &str, name: &str, spec: &Value) -> Value {
    let metadata = json!({ "name": name, "finalizers": [format!("ipam.metal3.io/{}", kind.to_lowercase())] });
    json!({ "apiVersion": "ipam.cluster.x-k8s.io/v1beta2", "kind": kind, "metadata": metadata, "spec": spec })
}

fn owner(of: &Value, uid: &Value) -> Value {
    json!({ "apiVersion": of["apiVersion"], "kind": of["kind"], "name": of["metadata"]["name"], "uid": uid })
}

async fn set_status(stage: &Stage, object: &Value, status: Value) {
    let resource = manifests::resource(&stage.client, object).await.unwrap();
    let api = manifests::api_of(&stage.client, &stage.namespace, object, &resource);
    let name = object["metadata"]["name"].as_str().unwrap();
    let patch = Patch::Merge(json!({ "status": status }));
    api.patch_status(name, &PatchParams::default(), &patch).await.unwrap();
}

fn name_of(ip: &str) -> String {
    format!("go-{}", ip.replace('.', "-"))
}

impl<'a> Go<'a> {
    /// A pool whose map has these claims.
    async fn pool(stage: &'a Stage, map: Value) -> Self {
        let spec =
            json!({ "namePrefix": "go", "allocationStrategy": "sequential", "pools": [{ "subnet": "10.0.0.0/24" }] });
        let pool = own("IPPool", "p", &spec);
        let pool_uid = stage.put(&pool).await["metadata"]["uid"].clone();
        set_status(stage, &pool, json!({ "indexes": map, "lastUpdated": "2026-01-01T00:00:00Z" })).await;
        Self { stage, pool_uid }
    }

    /// A claim that was told an object of this address.
    async fn claim(&self, kind: Kind, name: &str, ip: &str) -> (Value, Value) {
        let Self { stage, .. } = self;
        let (claim, status) = match kind {
            Kind::Own => {
                let told = json!({ "address": { "name": name_of(ip), "namespace": stage.namespace } });
                (own("IPClaim", name, &json!({ "pool": { "name": "p" } })), told)
            }
            Kind::ClusterApi => {
                let spec = json!({ "poolRef": { "name": "p", "kind": "IPPool", "apiGroup": "ipam.metal3.io" } });
                (cluster_api("IPAddressClaim", name, &spec), json!({ "addressRef": { "name": name_of(ip) } }))
            }
        };
        let uid = stage.put(&claim).await["metadata"]["uid"].clone();
        set_status(stage, &claim, status).await;
        (claim, uid)
    }

    /// A claim with its address.
    async fn served(&self, kind: Kind, name: &str, ip: &str) {
        let Self { stage, pool_uid } = self;
        let (claim, uid) = self.claim(kind, name, ip).await;
        let reference = |name: &str| json!({ "name": name, "namespace": stage.namespace });
        let mut address = match kind {
            Kind::Own => {
                let spec = json!({ "address": ip, "claim": reference(name), "pool": reference("p") });
                own("IPAddress", &name_of(ip), &spec)
            }
            Kind::ClusterApi => {
                let spec = json!({ "address": ip, "claimRef": { "name": name }, "prefix": 0,
                    "poolRef": claim["spec"]["poolRef"] });
                cluster_api("IPAddress", &name_of(ip), &spec)
            }
        };
        let pool = own("IPPool", "p", &Value::Null);
        address["metadata"]["ownerReferences"] = json!([owner(&pool, pool_uid), owner(&claim, &uid)]);
        stage.put(&address).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_of_the_go_manager_are_taken_over_without_touching_claims_and_addresses() {
    let mut stage = Stage::new("ipam-go").await;
    Go::pool(&stage, json!({ "a": "10.0.0.1" })).await.served(Kind::Own, "a", "10.0.0.1").await;
    let claim = stage.api::<IPClaim>().get("a").await.unwrap();
    let address = stage.api::<IPAddress>().get("go-10-0-0-1").await.unwrap();
    stage.run(None).await;
    stage.claim("b").await;
    assert_eq!(stage.served("b").await, "10.0.0.2");
    assert_eq!(stage.api::<IPClaim>().get("a").await.unwrap(), claim, "not even its resourceVersion");
    assert_eq!(stage.api::<IPAddress>().get("go-10-0-0-1").await.unwrap(), address);
    stage.unclaim("a").await;
    stage.gone::<IPClaim>("a").await;
    stage.gone::<IPAddress>("go-10-0-0-1").await;
}

/// The Go manager tells the second of two claims with one name the first one's object, which is of the other kind.
#[tokio::test(flavor = "multi_thread")]
async fn of_claims_with_one_name_the_one_without_an_object_gets_an_address_of_its_own() {
    let mut stage = Stage::new("ipam-go-pair").await;
    let go = Go::pool(&stage, json!({ "a": "10.0.0.1", "x": "10.0.0.2" })).await;
    go.served(Kind::Own, "a", "10.0.0.1").await;
    go.claim(Kind::ClusterApi, "a", "10.0.0.1").await;
    go.served(Kind::ClusterApi, "x", "10.0.0.2").await;
    let claim = stage.api::<IPClaim>().get("a").await.unwrap();
    let address = stage.api::<CapiAddress>().get("go-10-0-0-2").await.unwrap();
    stage.run(None).await;
    assert_eq!(stage.capi_served("x").await, "10.0.0.2", "Ready is told, though the address was");
    let own = async || {
        let ready = stage.ready("a").await.ok().flatten();
        Ok(ready.filter(|ready| ready.0 == "True" && !ready.3.is_empty()).map(|ready| ready.3))
    };
    assert_eq!(until("an address of its own", LIMIT, own).await.unwrap(), "10.0.0.3");
    assert_eq!(stage.api::<IPClaim>().get("a").await.unwrap(), claim);
    assert_eq!(stage.api::<CapiAddress>().get("go-10-0-0-2").await.unwrap(), address);
}

/// Two hundred objects cost the writes that they need: `Ready` for each claim of Cluster API's kind, and the pool's
/// status.
#[tokio::test(flavor = "multi_thread")]
async fn taking_over_writes_to_nothing_that_is_as_it_should_be() {
    const OWN: usize = 60;
    const ALL: usize = 100;
    let mut stage = Stage::new("ipam-go-many").await;
    let claims: Vec<(Kind, String, String)> = (0..ALL)
        .map(|n| (if n < OWN { Kind::Own } else { Kind::ClusterApi }, format!("c{n}"), format!("10.0.0.{}", n + 1)))
        .collect();
    let map: BTreeMap<&String, &String> = claims.iter().map(|(_, name, ip)| (name, ip)).collect();
    let go = Go::pool(&stage, json!(map)).await;
    for some in claims.chunks(20) {
        futures::future::join_all(some.iter().map(|(kind, name, ip)| go.served(*kind, name, ip))).await;
    }
    let list = ListParams::default();
    let own = stage.api::<IPClaim>().list(&list).await.unwrap().items;
    let addresses = stage.api::<IPAddress>().list(&list).await.unwrap().items;
    let capi_addresses = stage.api::<CapiAddress>().list(&list).await.unwrap().items;
    assert_eq!((own.len(), addresses.len(), capi_addresses.len()), (OWN, OWN, ALL - OWN));

    let writes = Arc::new(Writes::default());
    stage.run(Some(writes.clone())).await;
    let ready = async || {
        let claims = stage.api::<IPAddressClaim>().list(&list).await?.items;
        let ready = |claim: &IPAddressClaim| {
            let status = claim.status.clone().unwrap_or_default();
            status.conditions.iter().any(|c| c.type_ == "Ready" && c.status == "True")
        };
        let count = claims.iter().filter(|claim| ready(claim)).count();
        ensure!(count == ALL - OWN, "{count} are ready");
        let counts = stage.api::<IPPool>().get("p").await?.status.and_then(|status| status.ip_addresses);
        Ok(counts.filter(|counts| counts.used == ALL as i64))
    };
    until("all being ready and the pool's numbers", LIMIT, ready).await.unwrap();
    // A claim that comes now is served after everything else was looked at once more.
    stage.claim("late").await;
    stage.served("late").await;
    assert_eq!(stage.api::<IPAddress>().list(&list).await.unwrap().items.len(), OWN + 1);
    let same = stage.api::<CapiAddress>().list(&list).await.unwrap().items;
    assert_eq!(same, capi_addresses);
    for before in own {
        let name = before.metadata.name.clone().unwrap();
        assert_eq!(stage.api::<IPClaim>().get(&name).await.unwrap(), before);
    }
    for before in addresses {
        let name = before.metadata.name.clone().unwrap();
        assert_eq!(stage.api::<IPAddress>().get(&name).await.unwrap(), before);
    }
    let mut counted = writes.all();
    let pool = counted.remove(&("IPPool".to_owned(), true)).unwrap_or_default();
    assert!((1..=4).contains(&pool), "{pool} writes of the pool's status");
    let late = [(("IPClaim", false), 1), (("IPAddress", false), 1), (("IPClaim", true), 1)];
    let wanted = late.into_iter().chain([(("IPAddressClaim", true), ALL - OWN)]);
    assert_eq!(counted, wanted.map(|((kind, status), count)| ((kind.to_owned(), status), count)).collect());
}
