//! The ClusterClass with the real topology controller: its server-side dry runs pass our webhooks, its patches reach
//! our templates, and a changed variable rolls machines out. Hosts and Nodes are played.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use api::capi::Cluster;
use api::infra::v1beta2::Metal3Machine;
use kube::api::DynamicObject;
use serde_json::json;
use test_e2e::bench::source_tree;
use test_e2e::clusterctl::Clusterctl;
use test_e2e::manifests;
use test_e2e::played::{Cast, LIMIT, Stage};
use test_e2e::wait::{Phases, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_of_the_class_comes_up_changes_its_image_and_goes() {
    let guard = Path::new(env!("CARGO_BIN_EXE_bench"));
    let stage = Stage::set("test-class", guard, Cast::Managers).await.unwrap();
    let player = stage.hosts(4).await.unwrap();
    stage.tell(&player, Box::pin(story(&stage))).await.unwrap();
    stage.strike().await.unwrap();
}

async fn story(stage: &Stage) -> Result<()> {
    let mut phases = Phases::start("class story");
    let clusterctl = Clusterctl::create(&stage.bench).await?;
    stage.apply(&manifests::read(&source_tree()?.join("templates/clusterclass-metal3.yaml"))?).await?;
    let (request, port) = stage.request(Some("templates/cluster-template-topology.yaml"), 1)?;
    stage.apply(&clusterctl.objects(&request).await?).await?;
    let workload = stage.workload("c1", port).await?;
    phases.done("class and cluster accepted, endpoint up");
    running(stage, "http://192.0.2.1/node.qcow2").await?;
    phases.done("two machines run");

    // Only the worker: with one control plane machine its replacement would be a story of etcd.
    let mut cluster = serde_json::to_value(raw(stage).await?)?;
    let image = json!({"url": "http://192.0.2.1/next.qcow2", "checksum": "http://192.0.2.1/next.qcow2.sha256"});
    cluster["spec"]["topology"]["workers"]["machineDeployments"][0]["variables"] =
        json!({"overrides": [{"name": "image", "value": image}]});
    let workers = &cluster["spec"]["topology"]["workers"];
    stage.patch::<Cluster>("c1", json!({"spec": {"topology": {"workers": workers}}})).await?;
    until("the worker with the next image", LIMIT, async || {
        let machines = stage.list::<Metal3Machine>().await?;
        let next = machines.iter().filter(|machine| image_of(machine) == "http://192.0.2.1/next.qcow2");
        Ok((machines.len() == 2 && next.count() == 1).then_some(()))
    })
    .await?;
    running(stage, "").await?;
    phases.done("the worker was rolled out");
    stage.delete_cluster("c1").await?;
    ensure!(stage.list::<Metal3Machine>().await?.is_empty());
    phases.done("gone");
    workload.stop().await
}

/// The Cluster with all of its fields.
async fn raw(stage: &Stage) -> Result<DynamicObject> {
    Ok(stage.untyped("cluster.x-k8s.io/v1beta2", "Cluster").await?.get("c1").await?)
}

/// Two machines, both running; both with this image unless that is empty.
async fn running(stage: &Stage, image: &str) -> Result<()> {
    if let Err(error) = stage.running(2).await {
        let conditions = raw(stage).await?.data["status"]["conditions"].take();
        let told = conditions.as_array().into_iter().flatten().filter(|told| told["type"] == "TopologyReconciled");
        let told: Vec<_> = told.map(|condition| condition["message"].to_string()).collect();
        return Err(error.context(format!("topology: {told:?}")));
    }
    for machine in stage.list::<Metal3Machine>().await? {
        ensure!(image.is_empty() || image_of(&machine) == image, "{:?}", machine.spec.image);
        let template = machine.spec.data_template.context("no data template")?;
        ensure!(template.name().is_some_and(|name| name.starts_with("c1-")));
    }
    Ok(())
}

fn image_of(machine: &Metal3Machine) -> &str {
    machine.spec.image.as_ref().map(|image| image.url.as_str()).unwrap_or_default()
}
