//! The roles that we ship, on a real API server that asks for rights: the bare metal operator and the address manager
//! run as their ServiceAccounts through a small story each and are refused nothing. Ironic is played. (The provider's
//! stories with Cluster API run with the shipped rights, too.)
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use api::ipam::capi::IPAddressClaim;
use api::ipam::{IPAddress, IPClaim};
use api::metal3::{BareMetalHost, HardwareData, HostFirmwareSettings, ProvisioningState};
use axum::http::Request;
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec};
use k8s_openapi::api::authorization::v1::{SubjectAccessReview, SubjectAccessReviewSpec};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Event, Secret};
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use test_e2e::cache::Cache;
use test_e2e::level_a::ControlPlane;
use test_e2e::manager::{self, Manager};
use test_e2e::measure::quick_ironic;
use test_e2e::wait::until;
use test_e2e::{Bench, level_a, level_b, manifests};
use tokio::sync::OnceCell;

const LIMIT: Duration = Duration::from_mins(2);

static STARTED: OnceCell<(Bench, ControlPlane)> = OnceCell::const_new();

async fn plane() -> &'static ControlPlane {
    let start = async || {
        let mut bench = Bench::fresh("test-rbac").await.unwrap();
        bench.guard(Path::new(env!("CARGO_BIN_EXE_bench"))).unwrap();
        let options = level_a::Options { owner_rights: true, ..level_a::Options::default() };
        let plane = level_a::start(&bench, options).await.unwrap();
        (bench, plane)
    };
    &STARTED.get_or_init(start).await.1
}

/// Waits until the API server knows kinds well enough to judge who may make them owners. The administrator may
/// everything, so that it does not look; the manager itself asks, with an object that is not kept.
async fn known_as_owners(manager: &Manager, collection: &str, sample: &Value, kinds: &[(&str, &str)]) {
    let client = as_manager(manager).await;
    for (version, kind) in kinds {
        let owner =
            json!({"apiVersion": version, "kind": kind, "name": "any", "uid": "any", "blockOwnerDeletion": true});
        let mut object = sample.clone();
        object["metadata"] = json!({"name": "probe", "ownerReferences": [owner]});
        let body = serde_json::to_vec(&object).unwrap();
        until(&format!("{kind} known as an owner"), LIMIT, async || {
            let request = Request::post(format!("{collection}?dryRun=All")).header("content-type", "application/json");
            let told = client.request::<Value>(request.body(body.clone())?).await.map_err(|error| error.to_string());
            ensure!(!told.as_ref().is_err_and(|told| told.contains("RESTMapping")), "{told:?}");
            Ok(Some(()))
        })
        .await
        .unwrap();
    }
}

async fn start(subcommand: &str, folder: &str, env: Vec<(String, String)>) -> Manager {
    let options = manager::Options {
        name: subcommand.to_owned(),
        args: vec![subcommand.to_owned()],
        env,
        shipped_rights: true,
        ..manager::Options::default()
    };
    manager::start(plane().await, manager::component(folder).unwrap(), options).await.unwrap()
}

/// A client with the rights of a manager.
async fn as_manager(manager: &Manager) -> Client {
    let file = kube::config::Kubeconfig::read_from(&manager.kubeconfig).unwrap();
    let config = kube::Config::from_custom_kubeconfig(file, &kube::config::KubeConfigOptions::default()).await.unwrap();
    Client::try_from(config).unwrap()
}

/// What protects the diagnostics, and what no manager of ours may do. The second shows that the first means something.
async fn reviews_and_no_more(manager: &Manager) {
    let client = as_manager(manager).await;
    let token = TokenReview { spec: TokenReviewSpec { token: "x".into(), audiences: None }, ..Default::default() };
    Api::<TokenReview>::all(client.clone()).create(&PostParams::default(), &token).await.unwrap();
    let spec = SubjectAccessReviewSpec { user: Some("somebody".into()), ..Default::default() };
    let spec = SubjectAccessReviewSpec {
        non_resource_attributes: Some(serde_json::from_value(json!({"path": "/metrics", "verb": "get"})).unwrap()),
        ..spec
    };
    let access = SubjectAccessReview { spec, ..Default::default() };
    Api::<SubjectAccessReview>::all(client.clone()).create(&PostParams::default(), &access).await.unwrap();
    let pods = Api::<k8s_openapi::api::core::v1::Pod>::all(client).list(&ListParams::default()).await;
    assert!(matches!(pods, Err(kube::Error::Api(status)) if status.code == 403), "a manager may list Pods");
}

/// The lease of a manager is held, and nothing was refused.
async fn content(manager: &Manager, namespace: &str, lease: &str) {
    let leases: Api<Lease> = Api::namespaced(plane().await.client().await.unwrap(), namespace);
    let holder = leases.get(lease).await.unwrap().spec.unwrap().holder_identity;
    assert!(holder.is_some_and(|holder| !holder.is_empty()), "nobody leads");
    reviews_and_no_more(manager).await;
    let refused = manager.refused().await.unwrap();
    assert!(refused.is_empty(), "{refused:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_lives_with_the_operators_shipped_role() {
    let ironic = quick_ironic::start().await.unwrap();
    let file = |name: &str| format!("{}/{name}", ironic.endpoint());
    let env =
        [("IRONIC_ENDPOINT", ironic.endpoint()), ("DEPLOY_KERNEL_URL", file("k")), ("DEPLOY_RAMDISK_URL", file("r"))];
    let env = env.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let manager = start("bmo", "bmo", env).await;
    let client = plane().await.client().await.unwrap();
    let namespace = plane().await.namespace("rbac-host").await.unwrap();
    let sample = json!({"apiVersion": "metal3.io/v1alpha1", "kind": "HardwareData", "spec": {}});
    let collection = format!("/apis/metal3.io/v1alpha1/namespaces/{namespace}/hardwaredata");
    known_as_owners(&manager, &collection, &sample, &[("metal3.io/v1alpha1", "BareMetalHost")]).await;
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "bmc"},
        "stringData": {"username": "u", "password": "p"},
    });
    let host = json!({
        "apiVersion": "metal3.io/v1alpha1", "kind": "BareMetalHost", "metadata": {"name": "h"},
        "spec": {
            "online": true, "bootMACAddress": "52:54:00:00:00:01",
            "bmc": {"address": "redfish://192.0.2.1/redfish/v1/Systems/1", "credentialsName": "bmc"},
        },
    });
    manifests::apply(&client, &namespace, &[secret, host]).await.unwrap();
    let hosts: Api<BareMetalHost> = Api::namespaced(client.clone(), &namespace);
    until("the host being available", LIMIT, async || {
        let status = hosts.get("h").await?.status.unwrap_or_default();
        ensure!(status.error_message.is_empty(), "{}", status.error_message);
        Ok((status.provisioning.state == ProvisioningState::Available).then_some(()))
    })
    .await
    .unwrap();
    // What it owns was made, and keeps it from going first.
    let data = Api::<HardwareData>::namespaced(client.clone(), &namespace).get("h").await.unwrap();
    assert_eq!(data.metadata.owner_references.unwrap()[0].block_owner_deletion, Some(true));
    Api::<HostFirmwareSettings>::namespaced(client.clone(), &namespace).get("h").await.unwrap();
    let events: Api<Event> = Api::namespaced(client.clone(), &namespace);
    until("an event of the host", LIMIT, async || Ok(events.list(&ListParams::default()).await?.items.pop()))
        .await
        .unwrap();
    gone(&hosts, "h").await.unwrap();
    let secrets: Api<Secret> = Api::namespaced(client, &namespace);
    gone(&secrets, "bmc").await.unwrap();
    content(&manager, "baremetal-operator-system", "baremetal-operator").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_are_given_with_the_managers_shipped_role() {
    let client = plane().await.client().await.unwrap();
    let definitions = level_b::definitions(&Cache::open().unwrap()).await.unwrap();
    manifests::apply(&client, "default", &definitions).await.unwrap();
    let manager = start("ipam", "ipam-metal3", Vec::new()).await;
    let namespace = plane().await.namespace("rbac-ipam").await.unwrap();
    let kinds = [
        ("ipam.metal3.io/v1alpha1", "IPPool"),
        ("ipam.metal3.io/v1alpha1", "IPClaim"),
        ("ipam.cluster.x-k8s.io/v1beta2", "IPAddressClaim"),
    ];
    let sample = json!({
        "apiVersion": "ipam.metal3.io/v1alpha1", "kind": "IPAddress",
        "spec": {"address": "192.0.2.99", "claim": {"name": "any"}, "pool": {"name": "any"}},
    });
    let collection = format!("/apis/ipam.metal3.io/v1alpha1/namespaces/{namespace}/ipaddresses");
    known_as_owners(&manager, &collection, &sample, &kinds).await;
    let objects = [
        json!({
            "apiVersion": "ipam.metal3.io/v1alpha1", "kind": "IPPool", "metadata": {"name": "p"},
            "spec": {"namePrefix": "p", "pools": [{"start": "192.0.2.10", "end": "192.0.2.20"}]},
        }),
        json!({
            "apiVersion": "ipam.metal3.io/v1alpha1", "kind": "IPClaim", "metadata": {"name": "ours"},
            "spec": {"pool": {"name": "p"}},
        }),
        json!({
            "apiVersion": "ipam.cluster.x-k8s.io/v1beta2", "kind": "IPAddressClaim", "metadata": {"name": "theirs"},
            "spec": {"poolRef": {"apiGroup": "ipam.metal3.io", "kind": "IPPool", "name": "p"}},
        }),
    ];
    manifests::apply(&client, &namespace, &objects).await.unwrap();
    let claims: Api<IPClaim> = Api::namespaced(client.clone(), &namespace);
    let others: Api<IPAddressClaim> = Api::namespaced(client.clone(), &namespace);
    let address = until("both claims being served", LIMIT, async || {
        let ours = claims.get("ours").await?.status.and_then(|status| status.address?.name);
        let theirs = serde_json::to_value(others.get("theirs").await?)?;
        Ok(ours.filter(|_| theirs.pointer("/status/addressRef/name").is_some()))
    })
    .await
    .unwrap();
    let addresses: Api<IPAddress> = Api::namespaced(client.clone(), &namespace);
    let owners = addresses.get(&address).await.unwrap().metadata.owner_references.unwrap();
    assert!(owners.iter().any(|owner| owner.block_owner_deletion == Some(true)), "{owners:?}");
    gone(&claims, "ours").await.unwrap();
    gone(&others, "theirs").await.unwrap();
    content(&manager, "metal3-ipam-system", "controller-leader-election-ipam-capm3").await;
}

/// Deletes an object and waits until its finalizers have let it go.
async fn gone<K>(api: &Api<K>, name: &str) -> Result<()>
where
    K: kube::Resource<DynamicType = ()> + Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    api.delete(name, &DeleteParams::default()).await?;
    until(&format!("{name} being gone"), LIMIT, async || Ok(api.get_opt(name).await?.is_none().then_some(()))).await
}
