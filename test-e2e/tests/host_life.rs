//! The life of two hosts on a real API server and a real Ironic with emulated machines: one goes all the way, by the
//! agent and its disk, and is forgotten by Ironic in between; the other meets everything that people get wrong.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use api::metal3::{BareMetalHost, HardwareData, ProvisioningState as S};
use api::names::finalizer;
use k8s_openapi::api::core::v1::{Event, Secret};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use test_e2e::bench::source_tree;
use test_e2e::bmc::spec::Firmware;
use test_e2e::cache::Cache;
use test_e2e::host::run_in;
use test_e2e::level_m::{self, Description, MachineEntry};
use test_e2e::net::{ADDRESS, Network};
use test_e2e::wait::{Phases, until};
use test_e2e::{Bench, boot, ironic, level_a, manifests};
use tokio_util::sync::CancellationToken;

const BENCH: &str = env!("CARGO_BIN_EXE_bench");
/// A machine boots its agent in under a minute on a quiet host; ours may be busy.
const SLOW: Duration = Duration::from_mins(15);
/// What needs no boot.
const QUICK: Duration = Duration::from_mins(3);

struct Stage {
    client: Client,
    site: Description,
    requests: PathBuf,
}

#[test]
fn two_hosts_live() {
    let options =
        level_m::Options { machines: vec![Firmware::Bios; 2], images: Vec::new(), ..level_m::Options::default() };
    let (bench, network) = run_in(None, async || {
        let cache = Cache::open()?;
        level_m::prepare(&cache, &options).await?;
        level_a::prepare(&cache).await?;
        let mut bench = Bench::fresh("test-host-life").await?;
        bench.guard(Path::new(BENCH))?;
        let network = Network::of(bench.run_dir());
        network.up().await?;
        Ok((bench, network))
    })
    .unwrap();
    run_in(Some(&network.path()), async || {
        let (site, mut ironic) = level_m::start(&bench, &options).await?;
        let plane = level_a::Options { netns: Some(network.name().to_owned()), address: ADDRESS, ..Default::default() };
        let plane = level_a::start(&bench, plane).await?;
        let client = plane.client().await?;
        manifests::apply(&client, "default", &manifests::read_dir(&source_tree()?.join("clusterctl/crds"))?).await?;
        images(&bench)?;
        let stop = CancellationToken::new();
        let operator = operator(&plane.kubeconfig(), &site, &stop).await?;
        let requests = site.machines[0].folder.with_file_name("requests.log");
        let stage = Stage { client, site, requests };
        wrong_input(&stage).await?;
        Box::pin(whole_life(&stage, &bench, &mut ironic)).await?;
        stop.cancel();
        operator.await?.context("the operator")?;
        level_m::down(&bench).await
    })
    .unwrap();
}

/// The operator in this process, set up by the variables of a deployment.
async fn operator(
    kubeconfig: &Path,
    site: &Description,
    stop: &CancellationToken,
) -> Result<tokio::task::JoinHandle<Result<(), kit::pass::Fault>>> {
    let mut config = bmo::Config::new(&site.ironic.url);
    config.ironic.auth = ::ironic::Auth::Basic {
        username: ::ironic::Source::Inline(site.ironic.username.clone()),
        password: ::ironic::Source::Inline(site.ironic.password.clone()),
    };
    config.ramdisk.kernel = Some(site.agent_kernel.clone());
    config.ramdisk.ramdisk = Some(site.agent_ramdisk.clone());
    let io = kit::client::Io::connect(Some(&kubeconfig.display().to_string())).await?;
    let context = kit::runtime::Context::new(io, stop.clone());
    Ok(tokio::spawn(bmo::run(context, bmo::Options::new(config))))
}

/// A disk with a partition table and nothing else, and an ISO that nothing boots: what counts is that they arrive.
fn images(bench: &Bench) -> Result<()> {
    let folder = boot::files_root(bench)?.join("images");
    let mut disk = vec![0_u8; 40 << 20];
    // One partition of type Linux from sector 2048.
    disk[446..462].copy_from_slice(&[0x80, 0, 2, 0, 0x83, 255, 255, 255, 0, 8, 0, 0, 0, 0xa0, 0, 0]);
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    std::fs::write(folder.join("disk.raw"), &disk)?;
    std::fs::write(folder.join("live.iso"), vec![0_u8; 1 << 20])?;
    Ok(())
}

fn image_url(name: &str) -> String {
    format!("{}/images/{name}", boot::files_url())
}

impl Stage {
    fn hosts(&self) -> Api<BareMetalHost> {
        Api::namespaced(self.client.clone(), "default")
    }

    async fn apply(&self, object: Value) -> Result<()> {
        manifests::apply(&self.client, "default", &[object]).await.map(drop)
    }

    async fn secret(&self, name: &str, machine: &MachineEntry, password: &str) -> Result<()> {
        self.apply(json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name},
            "stringData": {"username": machine.username, "password": password},
        }))
        .await
    }

    async fn patch(&self, name: &str, spec: Value) -> Result<()> {
        let patch = Patch::Merge(json!({ "spec": spec }));
        self.hosts().patch(name, &PatchParams::default(), &patch).await?;
        Ok(())
    }

    async fn annotate(&self, name: &str, annotations: Value) -> Result<()> {
        let patch = Patch::Merge(json!({ "metadata": { "annotations": annotations } }));
        self.hosts().patch(name, &PatchParams::default(), &patch).await?;
        Ok(())
    }

    async fn host(&self, name: &str) -> Result<BareMetalHost> {
        Ok(self.hosts().get(name).await?)
    }

    async fn state(&self, name: &str, state: &S, limit: Duration) -> Result<BareMetalHost> {
        until(&format!("{name} being {state}"), limit, async || {
            let host = self.host(name).await?;
            let status = host.status.clone().unwrap_or_default();
            let there = status.provisioning.state == *state && status.error_type.is_none();
            ensure!(there, "{} {}", status.provisioning.state, status.error_message);
            Ok(Some(host))
        })
        .await
    }

    /// Waits for an error that names what is wrong, and the field that mends it. Ironic asks a controller that does not
    /// answer for minutes.
    async fn complaint(&self, name: &str, words: &[&str]) -> Result<()> {
        until(&format!("{name} complaining about {words:?}"), SLOW, async || {
            let status = self.host(name).await?.status.unwrap_or_default();
            let told = |text: &str| words.iter().all(|word| text.contains(word));
            ensure!(told(&status.error_message), "{} {:?}", status.provisioning.state, status.error_message);
            let ready = status.conditions.iter().find(|c| c.type_ == "Ready").context("no condition")?;
            ensure!(ready.status == "False" && told(&ready.message), "{}", ready.message);
            Ok(Some(()))
        })
        .await
    }

    async fn node(&self, name: &str) -> Result<Value> {
        self.of_node(name, reqwest::Client::new().get(self.node_url(name))).await
    }

    async fn patch_node(&self, name: &str, changes: &Value) -> Result<()> {
        self.of_node(name, reqwest::Client::new().patch(self.node_url(name)).json(changes)).await.map(drop)
    }

    fn node_url(&self, name: &str) -> String {
        format!("{}/nodes/default~{name}", self.site.ironic.url)
    }

    async fn of_node(&self, name: &str, request: reqwest::RequestBuilder) -> Result<Value> {
        let request = request.header("X-OpenStack-Ironic-API-Version", "1.95");
        let request = request.basic_auth(&self.site.ironic.username, Some(&self.site.ironic.password));
        let answer = request.send().await?.error_for_status().with_context(|| format!("the node of {name}"))?;
        Ok(answer.json().await?)
    }

    /// Power and boot commands that the management controllers were given so far.
    fn commands(&self) -> Result<usize> {
        Ok(std::fs::read_to_string(&self.requests)?
            .lines()
            .filter(|line| line.contains("ComputerSystem.Reset"))
            .count())
    }

    async fn events(&self, host: &str) -> Result<Vec<String>> {
        let events: Api<Event> = Api::namespaced(self.client.clone(), "default");
        let about = ListParams::default().fields(&format!("involvedObject.name={host}"));
        Ok(events.list(&about).await?.items.into_iter().filter_map(|event| event.reason).collect())
    }
}

fn bmh(name: &str, machine: &MachineEntry, address: &str, more: Value) -> Value {
    let mut host = json!({
        "apiVersion": "metal3.io/v1alpha1", "kind": "BareMetalHost", "metadata": {"name": name},
        "spec": {
            "online": true, "bootMACAddress": machine.mac, "bootMode": machine.boot_mode,
            "bmc": {"address": address, "credentialsName": format!("{name}-bmc")},
        },
    });
    if let (Some(spec), Value::Object(more)) = (host["spec"].as_object_mut(), more) {
        spec.extend(more);
    }
    host
}

/// Every mistake is named, and its correction is enough: no host is thrown away or touched by hand.
async fn wrong_input(stage: &Stage) -> Result<()> {
    let mut phases = Phases::start("wrong input");
    let machine = &stage.site.machines[1];
    let address = &machine.bmc_address_virtual_media;
    // No agent is ever booted here: no inspection, no cleaning, and an ISO instead of a disk.
    let quick = json!({"inspectionMode": "disabled", "automatedCleaningMode": "disabled"});
    stage.apply(bmh("wrong", machine, "carrier-pigeon://192.0.2.9", quick)).await?;
    stage.complaint("wrong", &["default/wrong-bmc does not exist", "spec.bmc.credentialsName"]).await?;
    let uid = stage.host("wrong").await?.metadata.uid;
    phases.done("missing Secret");
    stage.secret("wrong-bmc", machine, "not the password").await?;
    stage.complaint("wrong", &["carrier-pigeon", "spec.bmc.address"]).await?;
    phases.done("unknown kind of controller");
    stage.patch("wrong", json!({"bmc": {"address": format!("ipmi://{ADDRESS}:9")}})).await?;
    until("a node with the driver for IPMI", QUICK, async || {
        let node = stage.node("wrong").await?;
        ensure!(node["driver"] == "ipmi", "{}", node["driver"]);
        let info = &node["driver_info"];
        ensure!(info["ipmi_address"] == ADDRESS.to_string() && info["ipmi_username"] == machine.username, "{info}");
        Ok(Some(()))
    })
    .await?;
    stage.complaint("wrong", &["check spec.bmc.address"]).await?;
    phases.done("unreachable controller that speaks IPMI");
    let nowhere = SocketAddr::new(ADDRESS, 9);
    let unreachable = format!("redfish-virtualmedia+http://{nowhere}/redfish/v1/Systems/{}", machine.name);
    stage.patch("wrong", json!({"bmc": {"address": unreachable}})).await?;
    stage.complaint("wrong", &["check spec.bmc.address"]).await?;
    phases.done("unreachable controller");
    stage.patch("wrong", json!({"bmc": {"address": address}})).await?;
    stage.complaint("wrong", &["check", "the Secret wrong-bmc"]).await?;
    phases.done("wrong password");
    stage.secret("wrong-bmc", machine, &machine.password).await?;
    let registered = stage.state("wrong", &S::Available, QUICK).await?;
    phases.done("corrected: available");
    other_credentials(stage, machine).await?;
    phases.done("wrong password of an available host, and another Secret");

    let image = |name: &str| json!({"image": {"url": image_url(name), "format": "live-iso"}});
    let disk = json!({"url": image_url("disk.raw"), "checksum": "0".repeat(64), "checksumType": "sha256"});
    stage.patch("wrong", json!({"image": disk, "userData": {"name": "missing"}})).await?;
    stage.complaint("wrong", &["default/missing of spec.userData"]).await?;
    phases.done("missing user data");
    let mut wish = image("absent.iso");
    wish["image"]["checksum"] = Value::Null;
    wish["image"]["checksumType"] = Value::Null;
    stage.patch("wrong", wish).await?;
    stage.complaint("wrong", &["absent.iso", "spec.image"]).await?;
    phases.done("image not found");
    stage.patch("wrong", image("live.iso")).await?;
    let host = stage.state("wrong", &S::Provisioned, SLOW).await?;
    phases.done("corrected: provisioned");
    let node = |host: &BareMetalHost| host.status.as_ref().map(|status| status.provisioning.id.clone());
    ensure!(host.metadata.uid == uid && node(&host) == node(&registered), "another host or node than before");
    ensure!(stage.node("wrong").await?["instance_info"]["boot_iso"] == image_url("live.iso"));

    stage.hosts().delete("wrong", &DeleteParams::default()).await?;
    gone(stage, "wrong", QUICK).await?;
    phases.done("deleted while provisioned");
    Ok(())
}

/// A host that is registered is told of a wrong password, too, before it is needed. A Secret that it names no more is
/// given back.
async fn other_credentials(stage: &Stage, machine: &MachineEntry) -> Result<()> {
    stage.secret("wrong-bmc", machine, "not the password").await?;
    stage.complaint("wrong", &["controller cannot be used", "spec.bmc.credentialsName"]).await?;
    let host = stage.host("wrong").await?.status.unwrap_or_default();
    ensure!(host.provisioning.state == S::Available && host.good_credentials != host.tried_credentials);
    stage.secret("wrong-other", machine, &machine.password).await?;
    stage.patch("wrong", json!({"bmc": {"credentialsName": "wrong-other"}})).await?;
    let host = stage.state("wrong", &S::Available, QUICK).await?.status.unwrap_or_default();
    ensure!(host.good_credentials == host.tried_credentials, "{:?}", host.good_credentials);
    let secrets: Api<Secret> = Api::namespaced(stage.client.clone(), "default");
    let old = secrets.get("wrong-bmc").await?.metadata;
    let held = [old.finalizers.unwrap_or_default().len(), old.owner_references.unwrap_or_default().len()];
    ensure!(held == [0, 0], "the old Secret is held");
    // A label is no other password: nothing is sent, nothing is told.
    let validated = async || {
        Ok::<_, anyhow::Error>(stage.events("wrong").await?.iter().filter(|e| *e == "BMCAccessValidated").count())
    };
    let before = validated().await?;
    let label = Patch::Merge(json!({"metadata": {"labels": {"here": "now"}}}));
    let version = secrets.patch("wrong-other", &PatchParams::default(), &label).await?.metadata.resource_version;
    until("the label being seen", QUICK, async || {
        let status = stage.host("wrong").await?.status.unwrap_or_default();
        ensure!(status.error_type.is_none(), "{}", status.error_message);
        Ok((status.good_credentials.credentials_version == version).then_some(()))
    })
    .await?;
    ensure!(validated().await? == before, "a label was taken for other credentials");
    Ok(())
}

async fn gone(stage: &Stage, name: &str, limit: Duration) -> Result<()> {
    until(&format!("{name} being gone"), limit, async || {
        let Some(host) = stage.hosts().get_opt(name).await? else { return Ok(Some(())) };
        let status = host.status.unwrap_or_default();
        Err(anyhow::anyhow!("{} {}", status.provisioning.state, status.error_message))
    })
    .await?;
    ensure!(stage.node(name).await.is_err(), "the node outlives its host");
    Ok(())
}

/// Ironic loses its database while the agent looks at the machine: the host is registered and inspected anew.
async fn forgotten_while_inspected(stage: &Stage, bench: &Bench, ironic: &mut ironic::Ironic) -> Result<()> {
    let inspected = until("the agent being awaited", SLOW, async || {
        let node = stage.node("life").await?;
        ensure!(node["provision_state"] == "inspect wait", "{}", node["provision_state"]);
        Ok(Some(node["uuid"].clone()))
    })
    .await?;
    ensure!(stage.host("life").await?.status.unwrap_or_default().provisioning.state == S::Inspecting);
    ironic.restart_empty(bench).await?;
    until("another node being registered", QUICK, async || {
        let status = stage.host("life").await?.status.unwrap_or_default();
        let (now, id) = (status.provisioning.state, status.provisioning.id);
        ensure!(matches!(now, S::Registering | S::Inspecting), "{now} {}", status.error_message);
        Ok((!id.is_empty() && inspected != id.as_str() && stage.node("life").await?["uuid"] == id.as_str())
            .then_some(()))
    })
    .await
}

/// An image that is not there, and the checksum of another one: refused before anything is written, by the name of the
/// field. The conductor fetches the image here, so that the mistakes are found without booting the machine.
async fn wrong_images(stage: &Stage, before: &BareMetalHost) -> Result<()> {
    let local = json!([{"op": "add", "path": "/driver_info/image_download_source", "value": "local"}]);
    stage.patch_node("life", &local).await?;
    let image =
        |name| json!({"url": image_url(name), "checksum": "0".repeat(64), "checksumType": "sha256", "format": "raw"});
    let data = json!({"name": "user", "namespace": "default"});
    stage.patch("life", json!({"image": image("absent.raw"), "userData": data})).await?;
    stage.complaint("life", &["absent.raw", "404", "correct url, checksum or format in spec.image"]).await?;
    stage.patch("life", json!({"image": image("disk.raw")})).await?;
    stage.complaint("life", &["checksum is invalid or does not match", "checksum or format in spec.image"]).await?;
    let host = stage.host("life").await?;
    let (was, is) = (before.status.clone().unwrap_or_default(), host.status.unwrap_or_default());
    ensure!(was.hardware == is.hardware && was.provisioning.id == is.provisioning.id, "something was lost");
    ensure!(is.provisioning.image.is_none(), "the image counts as written");
    let back = json!([{"op": "remove", "path": "/driver_info/image_download_source"}]);
    stage.patch_node("life", &back).await
}

/// Ironic is away for a while: the host says so where people look, and goes on by itself when Ironic is back.
async fn away(stage: &Stage, bench: &Bench, ironic: &mut ironic::Ironic) -> Result<()> {
    let manageable = async |status: &str, reason: &str| {
        let now = stage.host("life").await?.status.unwrap_or_default();
        ensure!(now.provisioning.state == S::Provisioned && now.error_type.is_none(), "{now:?}");
        let manageable = now.conditions.into_iter().find(|c| c.type_ == "Manageable").context("no condition")?;
        ensure!((&*manageable.status, &*manageable.reason) == (status, reason), "{manageable:?}");
        Ok(Some(manageable.message))
    };
    bench.processes().stop("ironic").await?;
    let told = until("Ironic being missed", QUICK, async || manageable("False", "IronicUnreachable").await).await?;
    ensure!(told.contains(&stage.site.ironic.url.trim_end_matches("/v1")[7..]), "the address is named: {told}");
    ironic.restart(bench).await?;
    until("Ironic being seen again", QUICK, async || manageable("True", "Manageable").await).await?;
    Ok(())
}

/// A machine that does not shut down is told so, and switched off all the same.
async fn switched_off_hard(stage: &Stage, machine: &MachineEntry) -> Result<()> {
    let refusing = machine.folder.join("faults.json");
    std::fs::write(&refusing, r#"{"refuse_soft": true}"#)?;
    stage.annotate("life", json!({"reboot.metal3.io/test": ""})).await?;
    stage.complaint("life", &["Continuing with hard poweroff after soft poweroff fails"]).await?;
    // A change of the host ends the pause before the next try: it may be the remedy.
    stage.patch("life", json!({"description": "does not shut down"})).await?;
    until("the machine being off", QUICK, async || {
        let status = stage.host("life").await?.status.unwrap_or_default();
        ensure!(status.error_type.is_none(), "{}", status.error_message);
        Ok((!status.powered_on).then_some(()))
    })
    .await?;
    Ok(std::fs::remove_file(&refusing)?)
}

/// Registered, inspected, provisioned, forgotten by Ironic (twice), deprovisioned, deleted.
async fn whole_life(stage: &Stage, bench: &Bench, ironic: &mut ironic::Ironic) -> Result<()> {
    let mut phases = Phases::start("whole life");
    let machine = &stage.site.machines[0];
    stage.secret("life-bmc", machine, &machine.password).await?;
    // One cleaning is enough for this story: the one at its end.
    let uncleaned = json!({"automatedCleaningMode": "disabled"});
    stage.apply(bmh("life", machine, &machine.bmc_address, uncleaned)).await?;
    forgotten_while_inspected(stage, bench, ironic).await?;
    phases.done("registered, forgotten by Ironic while it is inspected");
    let host = stage.state("life", &S::Available, SLOW).await?;
    phases.done("registered again, inspected, available");
    let status = host.status.clone().unwrap_or_default();
    let nics = status.hardware.context("no hardware in the status")?.nics;
    ensure!(nics.iter().any(|nic| nic.mac.as_deref() == Some(&machine.mac)), "{nics:?}");
    let data: Api<HardwareData> = Api::namespaced(stage.client.clone(), "default");
    ensure!(data.get("life").await?.spec.hardware_details.is_some());
    let secrets: Api<Secret> = Api::namespaced(stage.client.clone(), "default");
    let secret = secrets.get("life-bmc").await?;
    ensure!(kit::owners::has_finalizer(&secret, finalizer::HOST_SECRET));
    ensure!(secret.metadata.labels.unwrap_or_default().get("environment.metal3.io").is_some_and(|l| l == "baremetal"));

    let disk = std::fs::read(boot::files_root(bench)?.join("images/disk.raw"))?;
    let sum = format!("{:x}", Sha256::digest(&disk));
    stage
        .apply(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "user"},
        "stringData": {"value": "#cloud-config\n"}}))
        .await?;
    wrong_images(stage, &host).await?;
    phases.done("image not found, then a wrong checksum");
    stage.patch("life", json!({"image": {"checksum": sum}})).await?;
    let host = stage.state("life", &S::Provisioned, SLOW).await?;
    ensure!(host.status.unwrap_or_default().provisioning.image.is_some_and(|image| image.url == image_url("disk.raw")));
    ensure!(stage.node("life").await?["provision_state"] == "active");
    phases.done("provisioned");

    let before = stage.commands()?;
    away(stage, bench, ironic).await?;
    phases.done("Ironic away and back");
    ironic.restart_empty(bench).await?;
    until("the running machine being taken over", QUICK, async || {
        let node = stage.node("life").await?;
        ensure!(node["provision_state"] == "active", "{}", node["provision_state"]);
        Ok(Some(()))
    })
    .await?;
    let host = stage.state("life", &S::Provisioned, QUICK).await?;
    ensure!(host.status.unwrap_or_default().powered_on);
    ensure!(stage.commands()? == before, "a running machine was switched");
    phases.done("forgotten and taken over untouched");

    switched_off_hard(stage, machine).await?;
    phases.done("switched off hard, as it could not be softly");
    stage.annotate("life", json!({"reboot.metal3.io/test": null})).await?;
    stage.patch("life", json!({"image": null, "automatedCleaningMode": "metadata"})).await?;
    let host = stage.state("life", &S::Available, SLOW).await?;
    ensure!(host.status.unwrap_or_default().provisioning.image.is_none());
    phases.done("deprovisioned and cleaned");
    let events = stage.events("life").await?;
    for reason in [
        "Registered",
        "BMCAccessValidated",
        "InspectionStarted",
        "InspectionComplete",
        "ProvisioningStarted",
        "ProvisioningComplete",
        "DeprovisioningStarted",
        "DeprovisioningComplete",
    ] {
        ensure!(events.iter().any(|event| event == reason), "no event {reason} among {events:?}");
    }

    stage.hosts().delete("life", &DeleteParams::default()).await?;
    gone(stage, "life", QUICK).await?;
    ensure!(data.get_opt("life").await?.is_none_or(|data| data.metadata.deletion_timestamp.is_some()));
    phases.done("deleted");
    Ok(())
}
