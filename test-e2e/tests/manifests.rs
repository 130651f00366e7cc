//! Manifests in the shapes people have in their repositories: the real API server takes them as they are, loses
//! nothing of them, and refuses wrong values with the name of the field.
//!
//! Only the schemas judge here; no webhook runs.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;

use serde_json::{Value, json};
use test_e2e::level_a::ControlPlane;
use test_e2e::{fixture, manifests};
use tokio::sync::OnceCell;

mod shapes;

use shapes::{accepted, assets, create, reach, set};

static INSTALLED: OnceCell<()> = OnceCell::const_new();

async fn plane() -> &'static ControlPlane {
    let plane = fixture::shared("test-manifests", Path::new(env!("CARGO_BIN_EXE_bench"))).await.unwrap();
    let install = async || {
        let client = plane.client().await.unwrap();
        manifests::apply(&client, "default", &manifests::ours().unwrap()).await.unwrap();
    };
    INSTALLED.get_or_init(install).await;
    plane
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_are_accepted_unchanged() {
    accepted(plane().await, "hosts.yaml", true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_are_accepted_unchanged() {
    accepted(plane().await, "addresses.yaml", true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_are_accepted_unchanged() {
    accepted(plane().await, "machines-v1beta2.yaml", true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn older_machines_are_accepted() {
    // What differs between the versions is kept by the conversion of our manager, which does not run here.
    accepted(plane().await, "machines-v1beta1.yaml", false).await;
}

/// File, name of a good object, what is changed in it (JSON pointer and value), and the field the answer must name.
type Row = (&'static str, &'static str, &'static str, Value, &'static str);

fn wrong_values() -> Vec<Row> {
    let host = |pointer, value, field| ("hosts.yaml", "rack1-node2", pointer, value, field);
    let image = |pointer, value, field| ("hosts.yaml", "rack2-node1", pointer, value, field);
    let data = |pointer, value, field| ("machines-v1beta2.yaml", "edge-workers", pointer, value, field);
    let machine = |pointer, value, field| ("machines-v1beta2.yaml", "edge-controlplane-abc12", pointer, value, field);
    let pool = |pointer, value, field| ("addresses.yaml", "provisioning", pointer, value, field);
    vec![
        host("/spec/bootMode", json!("uefi"), "spec.bootMode"),
        host("/spec/online", json!("yes"), "spec.online"),
        host("/spec/bootMACAddress", json!("52-54-00-aa-00-02"), "spec.bootMACAddress"),
        host("/spec/automatedCleaningMode", json!("full"), "spec.automatedCleaningMode"),
        host("/spec/inspectionMode", json!("never"), "spec.inspectionMode"),
        host("/spec/rootDeviceHints/minSizeGigabytes", json!(-1), "spec.rootDeviceHints.minSizeGigabytes"),
        host("/spec/rootDeviceHints/rotational", json!("no"), "spec.rootDeviceHints.rotational"),
        host("/spec/raid/hardwareRAIDVolumes/0/level", json!("10"), "spec.raid.hardwareRAIDVolumes[0].level"),
        host("/spec/bmc/adress", json!("typo"), "spec.bmc.adress"),
        image("/spec/image/format", json!("tar"), "spec.image.format"),
        image("/spec/image/checksumType", json!("crc32"), "spec.image.checksumType"),
        pool("/spec/allocationStrategy", json!("best"), "spec.allocationStrategy"),
        pool("/spec/namePrefix", json!(""), "spec.namePrefix"),
        pool("/spec/pools/0/start", json!("192.0.2.300"), "spec.pools[0].start"),
        pool("/spec/pools/1/subnet", json!("198.51.100.0/33"), "spec.pools[1].subnet"),
        pool("/spec/prefix", json!(129), "spec.prefix"),
        pool("/spec/preAllocations/edge-controlplane-0", json!("none"), "spec.preAllocations"),
        data("/spec/networkData/links/ethernets/0/mtu", json!(9001), "spec.networkData.links.ethernets[0].mtu"),
        data("/spec/networkData/links/ethernets/0/type", json!("wifi"), "spec.networkData.links.ethernets[0].type"),
        data("/spec/networkData/links/vlans/0/vlanID", json!(4097), "spec.networkData.links.vlans[0].vlanID"),
        data("/spec/networkData/links/bonds/0/bondMode", json!("lacp"), "spec.networkData.links.bonds[0].bondMode"),
        data("/spec/networkData/services/dns/0", json!("dns.example"), "spec.networkData.services.dns[0]"),
        data("/spec/metaData/objectNames/0/object", json!("host"), "spec.metaData.objectNames[0].object"),
        machine("/spec/image/diskFormat", json!("iso"), "spec.image.diskFormat"),
        machine("/spec/automatedCleaningMode", json!("off"), "spec.automatedCleaningMode"),
        machine("/spec/hostSelector/matchExpressions/0/key", json!(""), "spec.hostSelector.matchExpressions[0].key"),
        ("machines-v1beta2.yaml", "edge", "/spec/controlPlaneEndpoint/port", json!(65536), "spec.controlPlaneEndpoint"),
        ("machines-v1beta2.yaml", "edge-reboot", "/spec/template/spec/strategy/timeoutSeconds", json!(99), "timeout"),
        ("machines-v1beta2.yaml", "edge-workers-0", "/spec/index", json!(-1), "spec.index"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_values_are_refused_by_the_name_of_the_field() {
    let plane = plane().await;
    let client = plane.client().await.unwrap();
    let mut wrong = Vec::new();
    for (file, name, pointer, value, field) in wrong_values() {
        let found = assets(file).into_iter().filter(|object| object["metadata"]["name"] == name);
        let mut object = found.into_iter().find(|object| reach(object, pointer)).unwrap();
        set(&mut object, pointer, value.clone());
        match create(&client, "default", &object).await {
            Ok(_) => wrong.push(format!("{pointer} = {value} is accepted")),
            Err(error) if error.to_string().contains(field) => {}
            Err(error) => wrong.push(format!("{pointer} = {value} is refused without naming {field}: {error}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
