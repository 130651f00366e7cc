//! Our webhooks behind the real API server: good manifests pass in every version and lose nothing, wrong ones are
//! refused with a sentence that names the mistake, and what must not change does not.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;
use std::time::Duration;

use axum::http::Request;
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use test_e2e::by_url::localize;
use test_e2e::cache::Cache;
use test_e2e::level_a::ControlPlane;
use test_e2e::wait::until;
use test_e2e::{fixture, level_b, manager, manifests};
use tokio::sync::OnceCell;

mod shapes;

use shapes::{accepted, assets, create, reach, set};

static STARTED: OnceCell<()> = OnceCell::const_new();

async fn plane() -> &'static ControlPlane {
    let plane = fixture::shared("test-admission", Path::new(env!("CARGO_BIN_EXE_bench"))).await.unwrap();
    let start = async || {
        cluster_api_kinds(plane).await;
        // Nobody listens there: admission must not depend on Ironic.
        let env = vec![("IRONIC_ENDPOINT".to_owned(), "http://127.0.0.1:9".to_owned())];
        let options = manager::Options { env, ..manager::Options::default() };
        manager::start(plane, manager::components().unwrap(), options).await.unwrap();
    };
    STARTED.get_or_init(start).await;
    plane
}

/// Only the definitions: our manager watches these kinds, and nobody needs to serve them here.
async fn cluster_api_kinds(plane: &ControlPlane) {
    let definitions = level_b::definitions(&Cache::open().unwrap()).await.unwrap();
    manifests::apply(&plane.client().await.unwrap(), "default", &definitions).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn good_manifests_pass_and_lose_nothing() {
    let plane = plane().await;
    for file in ["hosts.yaml", "addresses.yaml", "machines-v1beta2.yaml", "machines-v1beta1.yaml"] {
        accepted(plane, file, true).await;
    }
}

/// An older object is stored, and read in the newer version with the newer names.
#[tokio::test(flavor = "multi_thread")]
async fn older_objects_are_served_in_the_newer_version() {
    let client = plane().await.client().await.unwrap();
    let namespace = plane().await.namespace("convert").await.unwrap();
    let old: Vec<Value> = assets("machines-v1beta1.yaml").iter().map(|object| moved(object, &namespace)).collect();
    manifests::apply(&client, &namespace, &old).await.unwrap();
    let newer = async |kind: &str, name: &str| {
        let object = json!({"apiVersion": "infrastructure.cluster.x-k8s.io/v1beta2", "kind": kind});
        let resource = manifests::resource(&client, &object).await.unwrap();
        manifests::api_of(&client, &namespace, &object, &resource).get(name).await.unwrap().data["spec"].clone()
    };
    let machine = newer("Metal3Machine", "old-edge-controlplane-abc12").await;
    assert_eq!(machine["image"]["diskFormat"], "raw");
    let cluster = newer("Metal3Cluster", "old-edge").await;
    assert_eq!(cluster["failureDomains"][0]["name"], "left");
    assert_eq!(cluster["cloudProviderEnabled"], false);
    let data = newer("Metal3DataTemplate", "old-edge-workers").await;
    assert_eq!(data["metaData"]["ipAddressesFromPool"][0]["name"], "provisioning");
    assert_eq!(newer("Metal3Remediation", "old-edge-controlplane-abc12").await["strategy"]["timeoutSeconds"], 300);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_out_gets_its_default() {
    let client = plane().await.client().await.unwrap();
    let cluster = json!({
        "apiVersion": "infrastructure.cluster.x-k8s.io/v1beta2", "kind": "Metal3Cluster",
        "metadata": {"name": "short"}, "spec": {"controlPlaneEndpoint": {"host": "192.0.2.1"}},
    });
    let made = create(&client, "default", &cluster).await.unwrap();
    assert_eq!(made["spec"]["controlPlaneEndpoint"]["port"], 6443);
    assert_eq!(made["spec"]["cloudProviderEnabled"], false);
    for version in ["v1beta1", "v1beta2"] {
        let bare = json!({
            "apiVersion": format!("infrastructure.cluster.x-k8s.io/{version}"), "kind": "Metal3Remediation",
            "metadata": {"name": format!("bare-{version}")},
        });
        assert_eq!(create(&client, "default", &bare).await.unwrap()["spec"], json!({}), "{version}");
    }
    let pool = json!({
        "apiVersion": "ipam.metal3.io/v1alpha1", "kind": "IPPool",
        "metadata": {"name": "short"}, "spec": {"namePrefix": "short", "pools": [{"subnet": "192.0.2.0/24"}]},
    });
    assert_eq!(create(&client, "default", &pool).await.unwrap()["spec"]["allocationStrategy"], "sequential");
}

/// File, name of a good object, changes (JSON pointer and value), and words the refusal must contain.
type Row = (&'static str, &'static str, Vec<(&'static str, Value)>, &'static [&'static str]);

fn wrong_hosts() -> Vec<Row> {
    let host = |name, changes, says| ("hosts.yaml", name, changes, says);
    vec![
        host(
            "rack1-node1",
            vec![("/spec/bmc/address", json!("carrier-pigeon://192.0.2.11"))],
            &["spec.bmc.address: unknown", "must start with one of"][..],
        ),
        host(
            "rack1-node1",
            vec![("/metadata/name", json!("3b8f2a4e-6a53-4a0e-9a53-0a4d9d1c5e11"))],
            &["metadata.name: cannot be a UUID"],
        ),
        host(
            "rack1-node1",
            vec![("/spec/firmware", json!({"sriovEnabled": true}))],
            &["spec.firmware", "use a HostFirmwareSettings"],
        ),
        host(
            "rack1-node1",
            vec![("/spec/userData", json!({"name": "x", "namespace": "other"}))],
            &["spec.userData.namespace", "copy it there"],
        ),
        host(
            "rack1-node1",
            vec![("/spec/rootDeviceHints", json!({"deviceName": "sda"}))],
            &["spec.rootDeviceHints.deviceName", "must be /dev/"],
        ),
        host(
            "rack1-node1",
            vec![("/spec/disablePowerOff", json!(true)), ("/spec/online", json!(false))],
            &["spec.online", "disablePowerOff", "remove one of the two"],
        ),
        host(
            "rack1-node2",
            vec![("/spec/raid/hardwareRAIDVolumes/0/numberOfPhysicalDisks", json!(3))],
            &["spec.raid.hardwareRAIDVolumes[0].numberOfPhysicalDisks", "make them equal"],
        ),
        host(
            "rack1-node3",
            vec![("/spec/raid/hardwareRAIDVolumes", json!([{"level": "1"}]))],
            &["spec.raid.softwareRAIDVolumes", "remove one of the two", "use softwareRAIDVolumes"],
        ),
        host(
            "rack1-node3",
            vec![("/spec/raid/softwareRAIDVolumes/1/rootVolume", json!(true))],
            &["spec.raid.softwareRAIDVolumes[1].rootVolume", "needs RAID level 1"],
        ),
        host(
            "rack2-node1",
            vec![("/spec/image/url", json!("file:///etc/passwd"))],
            &["spec.image.url", "must be one of http"],
        ),
        host("rack2-node1", vec![("/spec/image/checksum", json!(""))], &["spec.image.checksum: is required"]),
        host("rack2-node2", vec![("/spec/image/checksum", json!("abc"))], &["spec.image.checksum: must be empty"]),
        host(
            "rack2-node2",
            vec![("/metadata/annotations/reboot.metal3.io~1maintenance", json!("now"))],
            &["metadata.annotations[reboot.metal3.io/maintenance]", "mode"],
        ),
        host(
            "rack1-node2",
            vec![("/metadata/annotations/inspect.metal3.io", json!("please"))],
            &["metadata.annotations[inspect.metal3.io]", "leave it empty"],
        ),
    ]
}

fn wrong_machines() -> Vec<Row> {
    let new = |name, changes, says| ("machines-v1beta2.yaml", name, changes, says);
    let machine = "edge-controlplane-abc12";
    vec![
        new(
            "edge",
            vec![("/spec/controlPlaneEndpoint", json!({"port": 6443}))],
            &["spec.controlPlaneEndpoint.host", "is needed"][..],
        ),
        new(machine, vec![("/spec/image/checksum", json!(""))], &["spec.image.checksum", "is needed"]),
        new(
            machine,
            vec![("/spec/image", json!({"url": "oci://registry.example/node:1", "checksum": "abc"}))],
            &["spec.image.checksum", "leave this out"],
        ),
        new(
            machine,
            vec![("/spec/metaData", json!({"name": "x", "namespace": "other"}))],
            &["spec.metaData.namespace", "copy it there"],
        ),
        new(
            "edge-workers-0",
            vec![("/metadata/name", json!("edge-workers-7"))],
            &["metadata.name: must be \"edge-workers-0\""],
        ),
        new(
            "edge-workers",
            vec![("/spec/metaData/fromHostInterfaces/0", json!({"key": "mac"}))],
            &["spec.metaData.fromHostInterfaces[0].interface", "or set fromBootMAC"],
        ),
        new(
            "edge-workers",
            vec![("/spec/networkData/networks/ipv4/0/ipAddressFromIPPool", Value::Null)],
            &["spec.networkData.networks.ipv4[0].fromPoolRef.name", "a pool is needed"],
        ),
        (
            "machines-v1beta1.yaml",
            "old-edge-controlplane-abc12",
            vec![("/spec/image/checksum", json!(""))],
            &["spec.image.checksum", "is needed"],
        ),
    ]
}

fn wrong_addresses() -> Vec<Row> {
    let pool = |changes, says| ("addresses.yaml", "provisioning", changes, says);
    vec![
        pool(vec![("/spec/pools/0", json!({"prefix": 24}))], &["subnet"][..]),
        pool(vec![("/spec/pools/0/start", json!("192.0.2.31"))], &["spec.pools[0]"]),
        pool(vec![("/spec/preAllocations/other", json!("203.0.113.1"))], &["preAllocations"]),
        pool(vec![("/spec/preAllocations/other", json!("192.0.2.12"))], &["edge-controlplane-0"]),
        ("addresses.yaml", "edge-controlplane-0", vec![("/spec/pool/name", json!(""))], &["pool"]),
        (
            "addresses.yaml",
            "edge-controlplane-0",
            vec![("/metadata/annotations/ipAddress", json!("last"))],
            &["ipAddress"],
        ),
        (
            "addresses.yaml",
            "edge-controlplane-0",
            vec![("/spec/pool/name", json!("")), ("/metadata/annotations", json!({}))],
            &["spec.pool.name"],
        ),
        ("addresses.yaml", "edge-prov-192-0-2-12", vec![("/spec/claim/name", json!(""))], &["spec.claim.name"]),
        ("addresses.yaml", "edge-prov-192-0-2-12", vec![("/spec/pool/name", json!(""))], &["spec.pool.name"]),
        ("addresses.yaml", "edge-prov-192-0-2-12", vec![("/spec/address", json!("192.0.2.256"))], &["spec.address"]),
        (
            "addresses.yaml",
            "edge-prov-192-0-2-12",
            vec![("/metadata/annotations", json!({"ipAddress": "last"}))],
            &["ipAddress"],
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_hosts_are_refused_with_the_reason() {
    refused(wrong_hosts()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_machines_are_refused_with_the_reason() {
    refused(wrong_machines()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_addresses_are_refused_with_the_reason() {
    refused(wrong_addresses()).await;
}

async fn refused(rows: Vec<Row>) {
    let client = plane().await.client().await.unwrap();
    let mut wrong = Vec::new();
    for (file, name, changes, says) in rows {
        let mended = good(file, name, changes[0].0);
        let mut object = mended.clone();
        for (pointer, value) in &changes {
            set(&mut object, pointer, value.clone());
        }
        let what = format!("{name} with {changes:?}");
        match create(&client, "default", &object).await {
            Ok(_) => wrong.push(format!("{what} is accepted")),
            Err(kube::Error::Api(refusal)) if !(400..500).contains(&refusal.code) => {
                wrong.push(format!("{what} ends with {}: {}", refusal.code, refusal.message));
            }
            Err(error) if says.iter().all(|word| error.to_string().contains(word)) => {}
            Err(error) => wrong.push(format!("{what} is refused without saying {says:?}: {error}")),
        }
        if let Err(error) = create(&client, "default", &mended).await {
            wrong.push(format!("{name} is refused without the mistake, too: {error}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The object with references into another namespace than "default".
fn moved(object: &Value, namespace: &str) -> Value {
    let text = object.to_string().replace("\"namespace\":\"default\"", &format!("\"namespace\":\"{namespace}\""));
    serde_json::from_str(&text).unwrap()
}

/// The first object of that name which has a place for the change.
fn good(file: &str, name: &str, pointer: &str) -> Value {
    let named = assets(file).into_iter().filter(|object| object["metadata"]["name"] == name);
    named.into_iter().find(|object| object["kind"] != "Secret" && reach(object, pointer)).unwrap()
}

/// File, name, change, and words of the refusal of an update.
fn fixed() -> Vec<Row> {
    vec![
        (
            "hosts.yaml",
            "rack1-node1",
            vec![("/spec/bootMACAddress", json!("52:54:00:aa:00:ff"))],
            &["spec.bootMACAddress", "delete the host and make a new one"][..],
        ),
        ("hosts.yaml", "rack1-node1-events", vec![("/spec/context", json!("rack2"))], &["spec: ", "recreate"]),
        (
            "machines-v1beta2.yaml",
            "edge-workers-0",
            vec![("/spec/index", json!(1))],
            &["spec.index: the index never changes"],
        ),
        (
            "machines-v1beta2.yaml",
            "edge-workers",
            vec![("/spec/metaData/strings/0/value", json!("south"))],
            &["spec.metaData", "make a new template"],
        ),
        ("addresses.yaml", "provisioning", vec![("/spec/namePrefix", json!("other"))], &["namePrefix"]),
        (
            "addresses.yaml",
            "provisioning",
            vec![("/spec/allocationStrategy", json!("random"))],
            &["allocationStrategy"],
        ),
        ("addresses.yaml", "edge-controlplane-0", vec![("/spec/pool/name", json!("six"))], &["pool"]),
        (
            "addresses.yaml",
            "edge-controlplane-0",
            vec![("/metadata/annotations/ipAddress", json!("last"))],
            &["ipAddress"],
        ),
        ("addresses.yaml", "edge-prov-192-0-2-12", vec![("/spec/address", json!("192.0.2.13"))], &["spec.address"]),
        ("addresses.yaml", "edge-prov-192-0-2-12", vec![("/spec/claim/name", json!("b"))], &["spec.claim.name"]),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_must_not_change_does_not() {
    let client = plane().await.client().await.unwrap();
    let namespace = plane().await.namespace("fixed").await.unwrap();
    let mut wrong = Vec::new();
    for (file, name, changes, says) in fixed() {
        let (pointer, value) = &changes[0];
        let object = moved(&good(file, name, pointer), &namespace);
        let made = manifests::apply(&client, &namespace, std::slice::from_ref(&object)).await.unwrap();
        let resource = manifests::resource(&client, &object).await.unwrap();
        let api = manifests::api_of(&client, &namespace, &object, &resource);
        let patch = json!([{"op": "add", "path": pointer, "value": value}]);
        let patch: Patch<Value> = Patch::Json(serde_json::from_value(patch).unwrap());
        match api.patch(name, &PatchParams::default(), &patch).await {
            Ok(_) => wrong.push(format!("{name}: {pointer} may change to {value}")),
            Err(error) if says.iter().all(|word| error.to_string().contains(word)) => {}
            Err(error) => wrong.push(format!("{name}: {pointer} is refused without saying {says:?}: {error}")),
        }
        // Labels and finalizers stay free, or controllers could not work.
        let label = Patch::Merge(json!({"metadata": {"labels": {"touched": "yes"}}}));
        if let Err(error) = api.patch(name, &PatchParams::default(), &label).await {
            wrong.push(format!("{name}: a label may not be set: {error}"));
        }
        assert_eq!(made.len(), 1);
        api.delete(name, &DeleteParams::default()).await.unwrap();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Webhooks that nobody answers: what is plainly right passes all the same, what is not does not.
#[tokio::test(flavor = "multi_thread")]
async fn addresses_need_no_answer_for_what_is_plainly_right() {
    let plane = plane().await;
    let (client, namespace) = (plane.client().await.unwrap(), plane.namespace("unanswered").await.unwrap());
    let nobody = "127.0.0.1:9".parse().unwrap();
    let components = manager::component("ipam-metal3").unwrap();
    let local = localize(components, nobody, &plane.pki().ca_bundle().unwrap());
    let mut hooks = local.into_iter().find(|object| object["kind"] == "ValidatingWebhookConfiguration").unwrap();
    hooks["metadata"]["name"] = json!(namespace);
    for hook in hooks["webhooks"].as_array_mut().unwrap() {
        hook["namespaceSelector"] = json!({"matchLabels": {"kubernetes.io/metadata.name": namespace}});
    }
    manifests::apply(&client, "default", std::slice::from_ref(&hooks)).await.unwrap();
    let object = |kind: &str, name: &str| moved(&good("addresses.yaml", name, kind), &namespace);
    let plain = |pointer: &str, name: &str| {
        let mut plain = object(pointer, name);
        plain["metadata"]["annotations"] = json!({});
        plain
    };
    let claim = plain("/spec/pool/name", "edge-controlplane-0");
    let address = plain("/spec/claim/name", "edge-prov-192-0-2-12");
    let changed = |object: &Value, pointer: &str, value: Value| {
        let mut object = object.clone();
        set(&mut object, pointer, value);
        object
    };
    let doubtful = [
        changed(&claim, "/metadata/annotations", json!({"ipAddress": "192.0.2.12"})),
        changed(&claim, "/spec/pool/namespace", json!("elsewhere")),
        changed(&address, "/metadata/annotations", json!({"ipAddress": "192.0.2.12"})),
        object("/spec/namePrefix", "provisioning"),
    ];
    for object in doubtful {
        // A configuration works a moment after it is made.
        let unanswered = async || match create(&client, &namespace, &object).await {
            Ok(_) => Ok(None),
            Err(error) => Ok(error.to_string().contains("failed calling webhook").then_some(())),
        };
        until(&format!("a question about {object}"), Duration::from_secs(20), unanswered).await.unwrap();
    }
    // Ours are asked at the same time and have nothing against any of this.
    let asked = json!({"metadata": {"annotations": {"ipAddress": "192.0.2.12"}}});
    for (object, asked) in [(claim, asked), (address, json!({"spec": {"prefix": 26}}))] {
        manifests::apply(&client, &namespace, std::slice::from_ref(&object)).await.unwrap();
        let resource = manifests::resource(&client, &object).await.unwrap();
        let api = manifests::api_of(&client, &namespace, &object, &resource);
        let name = object["metadata"]["name"].as_str().unwrap();
        let change = async |change: Value| api.patch(name, &PatchParams::default(), &Patch::Merge(change)).await;
        for names in [vec!["example.org/held"], Vec::new()] {
            change(json!({"metadata": {"finalizers": names, "labels": {"a": "b"}}})).await.unwrap();
        }
        let refusal = change(asked).await.unwrap_err();
        assert!(refusal.to_string().contains("failed calling webhook"), "{refusal}");
        api.delete(name, &DeleteParams::default()).await.unwrap();
    }
    let all: Api<ValidatingWebhookConfiguration> = Api::all(client);
    all.delete(&namespace, &DeleteParams::default()).await.unwrap();
}

/// Bytes that are no review at all must be told so, not end the server.
#[tokio::test(flavor = "multi_thread")]
async fn the_server_survives_nonsense() {
    let client: Client = plane().await.client().await.unwrap();
    for nested in [100, 1000] {
        let body = format!(
            "{{\"apiVersion\":\"metal3.io/v1alpha1\",\"kind\":\"BareMetalHost\",\"metadata\":{{\"name\":\"deep\",\
             \"annotations\":{{\"baremetalhost.metal3.io/status\":\"{}\"}}}},\"spec\":{{\"online\":true}}}}",
            "[".repeat(nested)
        );
        let path = "/apis/metal3.io/v1alpha1/namespaces/default/baremetalhosts?dryRun=All";
        let request = Request::post(path).header("content-type", "application/json").body(body.into_bytes()).unwrap();
        let refusal = client.request::<Value>(request).await.unwrap_err();
        let kube::Error::Api(refusal) = refusal else { unreachable!("an answer of the API server") };
        assert!((400..500).contains(&refusal.code), "{} {}", refusal.code, refusal.message);
    }
}
