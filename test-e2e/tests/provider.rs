//! The infrastructure provider and IPAM with the real Cluster API: the shipped template becomes a running cluster,
//! grows, shrinks, and leaves nothing behind. Hosts and Nodes are played, so this takes a minute and no root.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use api::capi::MachineDeployment;
use api::infra::v1beta2::Metal3Machine;
use api::ipam::IPAddress;
use api::metal3::BareMetalHost;
use serde_json::json;
use test_e2e::clusterctl::Clusterctl;
use test_e2e::played::{Cast, LIMIT, Stage};
use test_e2e::wait::{Phases, until};

#[tokio::test(flavor = "multi_thread")]
async fn the_shipped_template_becomes_a_cluster_that_grows_shrinks_and_goes() {
    let guard = Path::new(env!("CARGO_BIN_EXE_bench"));
    let stage = Stage::set("test-provider", guard, Cast::Managers).await.unwrap();
    let player = stage.hosts(4).await.unwrap();
    stage.tell(&player, Box::pin(story(&stage))).await.unwrap();
    stage.strike().await.unwrap();
}

async fn story(stage: &Stage) -> Result<()> {
    let mut phases = Phases::start("provider story");
    let clusterctl = Clusterctl::create(&stage.bench).await?;
    let (request, port) = stage.request(None, 0)?;
    stage.apply(&clusterctl.objects(&request).await?).await?;
    let workload = stage.workload("c1", port).await?;
    phases.done("template applied, endpoint up");
    machines(stage, 1).await?;
    phases.done("control plane machine");

    let scale =
        async |workers: u32| stage.patch::<MachineDeployment>("c1", json!({"spec": {"replicas": workers}})).await;
    scale(2).await?;
    machines(stage, 3).await?;
    addresses(stage, 3).await?;
    phases.done("two workers");
    scale(1).await?;
    machines(stage, 2).await?;
    addresses(stage, 2).await?;
    stage.free_hosts(2).await?;
    phases.done("one worker");

    stage.delete_cluster("c1").await?;
    stage.free_hosts(4).await?;
    stage.nothing_left_of_machines().await?;
    phases.done("deleted, nothing left");
    workload.stop().await
}

/// Exactly this many machines, all running, each behind its own host and with the provider ID of that host.
async fn machines(stage: &Stage, count: usize) -> Result<()> {
    stage.running(count).await?;
    let hosts = stage.list::<BareMetalHost>().await?;
    let mut used: BTreeMap<String, usize> = BTreeMap::new();
    for machine in stage.list::<Metal3Machine>().await? {
        let name = machine.metadata.name.unwrap_or_default();
        let mine = |host: &&BareMetalHost| {
            host.spec.consumer_ref.as_ref().is_some_and(|user| user.name.as_deref() == Some(name.as_str()))
        };
        let [host] = hosts.iter().filter(mine).collect::<Vec<_>>()[..] else {
            anyhow::bail!("{name} has not exactly one host")
        };
        let host = host.metadata.name.clone().context("a host without a name")?;
        ensure!(machine.spec.provider_id == Some(format!("metal3://{}/{host}/{name}", stage.namespace)));
        *used.entry(host).or_default() += 1;
    }
    ensure!(used.len() == count && used.values().all(|times| *times == 1), "hosts in use: {used:?}");
    Ok(())
}

async fn addresses(stage: &Stage, count: usize) -> Result<()> {
    until(&format!("{count} addresses"), LIMIT, async || {
        let addresses = stage.list::<IPAddress>().await?;
        let values: Vec<_> = addresses.into_iter().map(|one| one.spec.address).collect();
        ensure!(values.len() == count, "{values:?}");
        Ok(Some(()))
    })
    .await
}
