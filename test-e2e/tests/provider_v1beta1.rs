//! A cluster whose objects were written as v1beta1: machines with data from two kinds of pools, each of which is
//! exhausted for a while, which the machine says; and an end in another order than that of Cluster API, with the
//! objects that others depend on deleted first. Hosts, Nodes and the foreign pool's provider are played.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use api::capi::Machine;
use api::infra::v1beta2::{Metal3Data, Metal3DataClaim, Metal3DataTemplate, Metal3Machine, Metal3MachineTemplate};
use api::ipam::capi::{IPAddress, IPAddressClaim};
use api::ipam::{IPClaim, IPPool};
use api::metal3::BareMetalHost;
use api::names::{annotation, label};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::core::NamespaceResourceScope;
use serde_json::{Value, json};
use test_e2e::played::{Cast, LIMIT, Stage};
use test_e2e::wait::{Phases, until};

const OLD: &str = "infrastructure.cluster.x-k8s.io/v1beta1";
/// An answer to a change: shorter than the time after which things are looked at without one.
const SOON: Duration = Duration::from_secs(90);

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_written_as_v1beta1_says_what_it_waits_for_and_ends_in_any_order() {
    let guard = Path::new(env!("CARGO_BIN_EXE_bench"));
    let stage = Stage::set("test-provider-v1beta1", guard, Cast::Managers).await.unwrap();
    let player = stage.hosts(2).await.unwrap();
    stage.tell(&player, Box::pin(story(&stage))).await.unwrap();
    stage.strike().await.unwrap();
}

async fn story(stage: &Stage) -> Result<()> {
    let mut phases = Phases::start("v1beta1 story");
    let (objects, port) = objects(stage)?;
    stage.apply(&objects).await?;
    let workload = stage.workload("one", port).await?;
    phases.done("written as v1beta1, endpoint up");

    let claim = foreign_claim(stage).await?;
    foreign_pool_is_exhausted(stage, &claim).await?;
    let first =
        says(stage, &["InClusterIPPool other has no free address", &claim, "add addresses to its spec"]).await?;
    old_error(stage, &claim).await?;
    phases.done("the foreign pool is exhausted: the machine says so");
    foreign_answer(stage, &claim, 1).await?;
    rendered(stage, &first, &["ip: 192.0.2.50", "prefix: '20'", "providerid: "]).await?;
    phases.done("its provider gave an address: data rendered");

    let claim = foreign_claim(stage).await?;
    foreign_answer(stage, &claim, 2).await?;
    let second = says(stage, &["IPPool one has no free address", "spec.pools", "add a range"]).await?;
    ensure!(first != second, "the same machine twice");
    phases.done("the own pool is exhausted: the next machine says so");
    let range = |address: &str| json!({"start": address, "end": address});
    stage.patch::<IPPool>("one", json!({"spec": {"pools": [range("192.0.2.50"), range("192.0.2.60")]}})).await?;
    rendered(stage, &second, &["ip: 192.0.2.60", "prefix: '20'"]).await?;
    phases.done("a range was added: data rendered");
    stage.running(2).await?;
    phases.done("two machines run");
    read_back(stage, &first, "192.0.2.50").await?;
    read_back(stage, &second, "192.0.2.60").await?;
    phases.done("read back as v1beta1");

    ends(stage, &first, &second, &mut phases).await?;
    workload.stop().await
}

/// The small cluster with its infrastructure in the old version, and a pool of one address.
fn objects(stage: &Stage) -> Result<(Vec<Value>, u16)> {
    let (mut objects, port) = stage.small_cluster()?;
    objects.retain(|object| object["kind"] != "Metal3Cluster" && object["kind"] != "Metal3MachineTemplate");
    let old =
        |kind: &str, spec: Value| json!({"apiVersion": OLD, "kind": kind, "metadata": {"name": "one"}, "spec": spec});
    let file = "http://127.0.0.1/node.qcow2";
    let image = json!({"url": file, "checksum": format!("{file}.sha256"), "checksumType": "sha256", "format": "qcow2"});
    let foreign =
        json!({"key": "prefix", "name": "other", "apiGroup": "ipam.cluster.x-k8s.io", "kind": "InClusterIPPool"});
    let own = json!({"key": "ip", "name": "one", "apiGroup": "ipam.metal3.io", "kind": "IPPool"});
    let route = json!({"network": "0.0.0.0", "prefix": 0, "gateway": {"string": "192.0.2.1"}});
    let network = json!({"id": "net0", "link": "nic0", "ipAddressFromIPPool": "one", "routes": [route]});
    let nic = json!({"type": "phy", "id": "nic0", "macAddress": {"fromHostInterface": "eth0"}});
    let endpoint = json!({"host": "127.0.0.1", "port": port});
    objects.extend([
        old("Metal3Cluster", json!({"controlPlaneEndpoint": endpoint, "noCloudProvider": true})),
        old("Metal3MachineTemplate", json!({"template": {"spec": {"image": image, "dataTemplate": {"name": "one"}}}})),
        old(
            "Metal3DataTemplate",
            json!({
                "clusterName": "one",
                "metaData": {
                    "objectNames": [{"key": "machine", "object": "machine"}],
                    "ipAddressesFromIPPool": [own], "prefixesFromIPPool": [foreign],
                },
                "networkData": {"links": {"ethernets": [nic]}, "networks": {"ipv4": [network]}},
            }),
        ),
        json!({
            "apiVersion": "ipam.metal3.io/v1alpha1", "kind": "IPPool", "metadata": {"name": "one"},
            "spec": {
                "clusterName": "one", "namePrefix": "one", "prefix": 24, "gateway": "192.0.2.1",
                "pools": [{"start": "192.0.2.50", "end": "192.0.2.50"}],
            },
        }),
    ]);
    Ok((objects, port))
}

/// The name of the claim that the foreign pool has not answered; it is owned as Cluster API's contract asks.
async fn foreign_claim(stage: &Stage) -> Result<String> {
    until("a claim on the foreign pool", LIMIT, async || {
        let claims = stage.list::<IPAddressClaim>().await?;
        let open = claims.into_iter().find(|it| it.status.clone().unwrap_or_default().address_ref.name.is_empty());
        let Some(claim) = open else { return Ok(None) };
        let owners = claim.metadata.owner_references.unwrap_or_default();
        let [owner] = &owners[..] else { anyhow::bail!("owners {owners:?}") };
        ensure!(owner.kind == "Metal3Data" && owner.controller == Some(true), "{owner:?}");
        ensure!(owner.block_owner_deletion == Some(true), "{owner:?}");
        Ok(claim.metadata.name)
    })
    .await
}

async fn foreign_status(stage: &Stage, claim: &str, status: Value) -> Result<()> {
    let claims = stage.api::<IPAddressClaim>();
    claims.patch_status(claim, &PatchParams::default(), &Patch::Merge(json!({"status": status}))).await?;
    Ok(())
}

async fn foreign_pool_is_exhausted(stage: &Stage, claim: &str) -> Result<()> {
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let condition = json!({
        "type": "Ready", "status": "False", "reason": "PoolExhausted", "message": "no address left",
        "lastTransitionTime": now,
    });
    foreign_status(stage, claim, json!({"conditions": [condition]})).await
}

async fn foreign_answer(stage: &Stage, claim: &str, number: u8) -> Result<()> {
    let pool = json!({"name": "other", "apiGroup": "ipam.cluster.x-k8s.io", "kind": "InClusterIPPool"});
    let address = json!({
        "apiVersion": "ipam.cluster.x-k8s.io/v1beta2", "kind": "IPAddress", "metadata": {"name": claim},
        "spec": {"claimRef": {"name": claim}, "poolRef": pool, "address": format!("198.51.100.{number}"), "prefix": 20},
    });
    stage.api::<IPAddress>().create(&PostParams::default(), &serde_json::from_value(address)?).await?;
    foreign_status(stage, claim, json!({"addressRef": {"name": claim}, "conditions": null})).await
}

/// Waits for a machine whose conditions say all of these words; its name.
async fn says(stage: &Stage, words: &[&str]) -> Result<String> {
    until(&format!("a machine that says {words:?}"), LIMIT, async || {
        let mut told = Vec::new();
        for machine in stage.list::<Metal3Machine>().await? {
            let conditions = machine.status.unwrap_or_default().conditions;
            let of = |kind: &str| conditions.iter().find(|it| it.type_ == kind && it.status == "False");
            let (Some(data), Some(ready)) = (of("Metal3DataReady"), of("Ready")) else { continue };
            if words.iter().all(|word| data.message.contains(word) && ready.message.contains(word)) {
                return Ok(machine.metadata.name);
            }
            told.push(data.message.clone());
        }
        anyhow::bail!("they say {told:?}")
    })
    .await
}

/// The Metal3Data that made the claim says it in the old version, too.
async fn old_error(stage: &Stage, claim: &str) -> Result<()> {
    let owners = stage.api::<IPAddressClaim>().get(claim).await?.metadata.owner_references.unwrap_or_default();
    let owner = owners.first().context("no owner")?;
    let data = stage.untyped(OLD, "Metal3Data").await?.get(&owner.name).await?;
    let told = data.data["status"]["errorMessage"].as_str().unwrap_or_default();
    ensure!(told.contains("InClusterIPPool other has no free address"), "{told:?}");
    Ok(())
}

/// Waits for the machine's meta data, and that its condition complains no more.
async fn rendered(stage: &Stage, machine: &str, words: &[&str]) -> Result<()> {
    until(&format!("the data of {machine}"), SOON, async || {
        let status = stage.api::<Metal3Machine>().get(machine).await?.status.unwrap_or_default();
        let ready = status.conditions.iter().any(|it| it.type_ == "Metal3DataReady" && it.status == "True");
        ensure!(ready, "conditions {:?}", status.conditions);
        let secret: Secret = stage.api().get(&format!("{machine}-metadata")).await?;
        let text = secret.data.unwrap_or_default().remove("metaData").context("no metaData")?;
        let text = String::from_utf8(text.0)?.replace('"', "'");
        ensure!(words.iter().all(|word| text.contains(word)), "{words:?} not in {text}");
        Ok(Some(()))
    })
    .await
}

/// What a client of the old version sees of a machine that runs, its data and its cluster.
async fn read_back(stage: &Stage, machine: &str, address: &str) -> Result<()> {
    let get = async |kind: &str, name: &str| anyhow::Ok(stage.untyped(OLD, kind).await?.get(name).await?.data);
    let seen = get("Metal3Machine", machine).await?;
    ensure!(seen["status"]["ready"] == true, "{seen}");
    let id = seen["spec"]["providerID"].as_str().context("no providerID")?;
    ensure!(id.starts_with(&format!("metal3://{}/host-", stage.namespace)) && id.ends_with(machine), "{id}");
    ensure!(seen["spec"]["image"]["format"] == "qcow2", "{seen}");
    ensure!(seen["status"]["metaData"]["name"] == format!("{machine}-metadata"), "{seen}");
    let name = seen["status"]["renderedData"]["name"].as_str().context("no renderedData")?;
    let data = get("Metal3Data", name).await?;
    ensure!(data["status"] == json!({"ready": true}), "{data}");
    ensure!(data["spec"]["networkData"]["name"] == format!("{machine}-networkdata"), "{data}");
    let network: Secret = stage.api().get(&format!("{machine}-networkdata")).await?;
    let text = network.data.unwrap_or_default().remove("networkData").context("no networkData")?;
    ensure!(String::from_utf8(text.0)?.contains(address), "{address} is not in the network data");

    let template = get("Metal3DataTemplate", "one").await?;
    ensure!(template["spec"]["clusterName"] == "one", "{template}");
    ensure!(template["spec"]["metaData"]["prefixesFromIPPool"][0]["name"] == "other", "{template}");
    ensure!(template["status"]["indexes"][machine].is_u64(), "{template}");
    let cluster = get("Metal3Cluster", "one").await?;
    ensure!(cluster["status"]["ready"] == true && cluster["spec"]["noCloudProvider"] == true, "{cluster}");
    let template = get("Metal3MachineTemplate", "one").await?;
    ensure!(template["spec"]["template"]["spec"]["image"]["format"] == "qcow2", "{template}");
    Ok(())
}

/// First what the machines depend on, then a Machine, then the Cluster: nothing is left, and nothing runs on the host.
async fn ends(stage: &Stage, control_plane: &str, worker: &str, phases: &mut Phases) -> Result<()> {
    let running: Metal3Machine = stage.api().get(worker).await?;
    let data = running.status.clone().and_then(|status| status.rendered_data?.name).context("no data")?;
    delete::<Metal3DataTemplate>(stage, "one").await?;
    delete::<Metal3MachineTemplate>(stage, "one").await?;
    delete::<IPPool>(stage, "one").await?;
    delete::<Metal3Data>(stage, &data).await?;
    delete::<Metal3DataClaim>(stage, worker).await?;
    for part in ["metadata", "networkdata"] {
        delete::<Secret>(stage, &format!("{worker}-{part}")).await?;
    }
    for claim in stage.list::<IPAddressClaim>().await? {
        delete::<IPAddressClaim>(stage, &claim.metadata.name.unwrap_or_default()).await?;
    }
    let still: Metal3Machine = stage.api().get(worker).await?;
    ensure!(still.metadata.deletion_timestamp.is_none() && still.spec == running.spec, "the machine lost something");
    let owner = still.metadata.owner_references.unwrap_or_default().into_iter().find(|it| it.kind == "Machine");
    delete::<Machine>(stage, &owner.context("no Machine")?.name).await?;
    gone::<Metal3Machine>(stage, worker).await?;
    gone::<Metal3Data>(stage, &data).await?;
    stage.free_hosts(1).await?;
    phases.done("data, claims, Secrets and templates first: the machine ended, its host is free");

    let last: Metal3Machine = stage.api().get(control_plane).await?;
    let host = last.metadata.annotations.and_then(|mut all| all.remove(annotation::MACHINE_HOST)).context("no host")?;
    delete::<BareMetalHost>(stage, host.rsplit('/').next().unwrap_or_default()).await?;
    stage.delete_cluster("one").await?;
    nothing_left(stage).await?;
    stage.free_hosts(1).await?;
    let hosts = stage.list::<BareMetalHost>().await?;
    let labelled =
        hosts.iter().any(|host| host.metadata.labels.iter().flatten().any(|(key, _)| key == label::CLUSTER_NAME));
    ensure!(hosts.len() == 1 && !labelled, "{hosts:?}");
    phases.done("the host first, then the Cluster: nothing left");
    Ok(())
}

async fn nothing_left(stage: &Stage) -> Result<()> {
    until("nothing being left", LIMIT, async || {
        let left = [
            ("machines", stage.list::<Metal3Machine>().await?.len()),
            ("data", stage.list::<Metal3Data>().await?.len()),
            ("data claims", stage.list::<Metal3DataClaim>().await?.len()),
            ("data templates", stage.list::<Metal3DataTemplate>().await?.len()),
            ("pools", stage.list::<IPPool>().await?.len()),
            ("claims", stage.list::<IPClaim>().await?.len()),
            ("addresses", stage.list::<api::ipam::IPAddress>().await?.len()),
            ("claims on the foreign pool", stage.list::<IPAddressClaim>().await?.len()),
        ];
        ensure!(left.iter().all(|(_, count)| *count == 0), "{left:?}");
        Ok(Some(()))
    })
    .await
}

async fn delete<K>(stage: &Stage, name: &str) -> Result<()>
where
    K: kube::Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + std::fmt::Debug
        + serde::de::DeserializeOwned,
{
    stage.api::<K>().delete(name, &DeleteParams::default()).await.with_context(|| format!("delete {name}"))?;
    Ok(())
}

async fn gone<K>(stage: &Stage, name: &str) -> Result<()>
where
    K: kube::Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + std::fmt::Debug
        + serde::de::DeserializeOwned,
{
    let api = stage.api::<K>();
    until(&format!("{name} being gone"), LIMIT, async || Ok(api.get_opt(name).await?.is_none().then_some(()))).await
}
