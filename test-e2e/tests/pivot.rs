//! `clusterctl move` of a running cluster to another management cluster: objects, addresses and the state of hosts
//! arrive, no host is deployed anew, and the cluster goes on there. Cluster API and our managers run on both sides;
//! hosts and Nodes are played.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use api::capi::{Cluster, MachineDeployment};
use api::infra::v1beta2::{Metal3Data, Metal3Machine};
use api::ipam::IPAddress;
use api::metal3::{BareMetalHost, ProvisioningState};
use api::names::{annotation, label};
use k8s_openapi::api::core::v1::Node;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};
use test_e2e::clusterctl::Clusterctl;
use test_e2e::played::{Cast, LIMIT, Player, Stage};
use test_e2e::wait::{Phases, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_moves_to_another_management_cluster_and_goes_on() {
    let guard = Path::new(env!("CARGO_BIN_EXE_bench"));
    let source = Stage::set("test-pivot", guard, Cast::Managers).await.unwrap();
    let mut target = Stage::set("test-pivot-target", guard, Cast::Managers).await.unwrap();
    target.namespace.clone_from(&source.namespace);
    let player = source.hosts(2).await.unwrap();
    let there = Player::new(target.client.clone(), &target.namespace);
    let told = source.tell(&player, Box::pin(story(&source, &target, &there)));
    told.await.unwrap();
    target.strike().await.unwrap();
    source.strike().await.unwrap();
}

async fn story(source: &Stage, target: &Stage, there: &Player) -> Result<()> {
    let mut phases = Phases::start("pivot story");
    let clusterctl = Clusterctl::create(&source.bench).await?;
    let (request, port) = source.request(None, 1)?;
    source.apply(&clusterctl.objects(&request).await?).await?;
    let workload = source.workload("c1", port).await?;
    let nodes = workload.client().await?;
    source.running(2).await?;
    phases.done("two machines run");

    let before = Picture::of(source, &nodes).await?;
    for client in [&source.client, &target.client] {
        as_clusterctl_would(client).await?;
    }
    let kubeconfigs = [source, target].map(|stage| stage.plane.kubeconfig());
    let command = clusterctl.command().args(["move", "--namespace", &source.namespace]);
    command.arg("--kubeconfig").arg(&kubeconfigs[0]).arg("--to-kubeconfig").arg(&kubeconfigs[1]).run().await?;
    phases.done("moved");
    ensure!(source.list::<BareMetalHost>().await?.is_empty() && source.list::<Metal3Machine>().await?.is_empty());
    ensure!(source.list::<Cluster>().await?.is_empty());

    // From here on the hosts are played in their new home.
    tokio::select! {
        told = Box::pin(arrived(target, &nodes, &before, &mut phases)) => told?,
        stopped = there.run(async || Some(nodes.clone())) => stopped?,
    }
    workload.stop().await
}

async fn arrived(target: &Stage, nodes: &Client, before: &Picture, phases: &mut Phases) -> Result<()> {
    until("hosts that go on as before", LIMIT, async || {
        for host in target.list::<BareMetalHost>().await? {
            let name = host.name_any();
            let annotations = host.metadata.annotations.clone().unwrap_or_default();
            ensure!(!annotations.contains_key(annotation::HOST_PAUSED), "{name} is still paused");
            ensure!(!annotations.contains_key(annotation::HOST_STATUS), "{name} has not its status yet");
            ensure!(annotations.contains_key(annotation::CLUSTERCTL_BLOCK_MOVE), "{name} could be moved right away");
            let state = host.status.map(|status| status.provisioning.state);
            ensure!(state == Some(ProvisioningState::Provisioned), "{name} is {state:?}");
        }
        Ok(Some(()))
    })
    .await?;
    target.running(2).await?;
    let after = Picture::of(target, nodes).await?;
    ensure!(after == *before, "before: {before:#?}\nafter: {after:#?}");
    phases.done("two machines run there, on the same hosts, with the same addresses and Nodes");

    target.patch::<MachineDeployment>("c1", json!({"spec": {"replicas": 0}})).await?;
    target.running(1).await?;
    target.free_hosts(1).await?;
    phases.done("the worker gave its host back");
    target.delete_cluster("c1").await?;
    target.free_hosts(2).await?;
    target.nothing_left_of_machines().await?;
    phases.done("gone");
    Ok(())
}

/// What a move must not change.
#[derive(Debug, PartialEq)]
struct Picture {
    /// Spec and Ironic node by host.
    hosts: BTreeMap<String, (Value, String)>,
    /// Provider ID and data by machine.
    machines: BTreeMap<String, (Option<String>, Option<String>)>,
    /// Index by data object.
    datas: BTreeMap<String, Option<i32>>,
    /// Address by object.
    addresses: BTreeMap<String, String>,
    /// Uid by Node: a machine that was deployed anew would join as another.
    nodes: BTreeMap<String, Option<String>>,
}

impl Picture {
    async fn of(stage: &Stage, nodes: &Client) -> Result<Self> {
        let host = |host: BareMetalHost| {
            let node = host.status.as_ref().map(|status| status.provisioning.id.clone()).unwrap_or_default();
            let mut spec = serde_json::to_value(&host.spec)?;
            // The uid and version of a consumer are of its old home.
            spec["consumerRef"] = json!(host.spec.consumer_ref.as_ref().and_then(|user| user.name.clone()));
            anyhow::Ok((host.name_any(), (spec, node)))
        };
        let machine = |machine: Metal3Machine| {
            let data = machine.status.as_ref().and_then(|status| status.rendered_data.as_ref()?.name.clone());
            (machine.name_any(), (machine.spec.provider_id.clone(), data))
        };
        let all: Vec<Node> = Api::<Node>::all(nodes.clone()).list(&ListParams::default()).await?.items;
        Ok(Self {
            hosts: stage.list::<BareMetalHost>().await?.into_iter().map(host).collect::<Result<_>>()?,
            machines: stage.list::<Metal3Machine>().await?.into_iter().map(machine).collect(),
            datas: stage.list::<Metal3Data>().await?.into_iter().map(|it| (it.name_any(), it.spec.index)).collect(),
            addresses: stage
                .list::<IPAddress>()
                .await?
                .into_iter()
                .map(|it| (it.name_any(), it.spec.address))
                .collect(),
            nodes: all.into_iter().map(|node| (node.name_any(), node.metadata.uid)).collect(),
        })
    }
}

/// `clusterctl init` labels the definitions that it installs; `move` follows this label.
async fn as_clusterctl_would(client: &Client) -> Result<()> {
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    for definition in definitions.list_metadata(&ListParams::default()).await? {
        let name = definition.metadata.name.context("a definition without a name")?;
        if name.ends_with("cluster.x-k8s.io") {
            let patch = Patch::Merge(json!({"metadata": {"labels": {label::CLUSTERCTL: ""}}}));
            definitions.patch_metadata(&name, &PatchParams::default(), &patch).await?;
        }
    }
    Ok(())
}
