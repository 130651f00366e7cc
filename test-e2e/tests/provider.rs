//! The infrastructure provider and IPAM with the real Cluster API: the shipped template becomes a running cluster,
//! grows, shrinks, and leaves nothing behind. Hosts and Nodes are played, so this takes a minute and no root.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use kube::Client;
use kube::api::{DynamicObject, ListParams, Patch, PatchParams};
use serde_json::{Value, json};
use test_e2e::clusterctl::{Clusterctl, Request};
use test_e2e::host::free_ports;
use test_e2e::level_a::{ControlPlane, Options};
use test_e2e::played::Player;
use test_e2e::wait::{Phases, until};
use test_e2e::{Bench, level_a, level_b, manager, manifests, workload};
use tokio::sync::OnceCell;

const LIMIT: Duration = Duration::from_mins(3);
const INFRA: &str = "infrastructure.cluster.x-k8s.io/v1beta2";
const CAPI: &str = "cluster.x-k8s.io/v1beta2";
const HOSTS: (&str, &str) = ("metal3.io/v1alpha1", "BareMetalHost");
const ADDRESSES: (&str, &str) = ("ipam.metal3.io/v1alpha1", "IPAddress");

#[tokio::test(flavor = "multi_thread")]
async fn the_shipped_template_becomes_a_cluster_that_grows_shrinks_and_goes() {
    let mut bench = Bench::fresh("test-provider").await.unwrap();
    bench.guard(Path::new(env!("CARGO_BIN_EXE_bench"))).unwrap();
    let plane = level_a::start(&bench, Options::default()).await.unwrap();
    level_b::start(&bench, &plane).await.unwrap();
    start_ours(&plane).await.unwrap();
    let client = plane.client().await.unwrap();
    let namespace = plane.namespace("provider").await.unwrap();
    let player = Player::new(client.clone(), &namespace);
    for number in 1..=4 {
        player.add_host(&format!("host-{number}"), number, json!({})).await.unwrap();
    }
    let story = Story { client, namespace, workload: OnceCell::new() };
    tokio::select! {
        told = story.tell(&bench, &plane) => told.unwrap(),
        stopped = player.run(async || story.workload.get().cloned()) => stopped.unwrap(),
    }
    bench.wipe().await.unwrap();
}

/// The two controllers, and the definitions of hosts without anybody who serves them.
async fn start_ours(plane: &ControlPlane) -> Result<()> {
    let kept = |object: &Value| object["kind"] == "CustomResourceDefinition";
    let hosts: Vec<Value> = manager::component("bmo")?.into_iter().filter(kept).collect();
    manifests::apply(&plane.client().await?, "default", &hosts).await?;
    for (subcommand, folder) in [("ipam", "ipam-metal3"), ("capi-provider", "infrastructure-metal3")] {
        let options = manager::Options { name: subcommand.into(), args: vec![subcommand.into()], ..Default::default() };
        manager::start(plane, manager::component(folder)?, options).await?;
    }
    Ok(())
}

struct Story {
    client: Client,
    namespace: String,
    workload: OnceCell<Client>,
}

impl Story {
    async fn tell(&self, bench: &Bench, plane: &ControlPlane) -> Result<()> {
        let mut phases = Phases::start("provider story");
        let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let port = free_ports(None, local, 1)?[0];
        let clusterctl = Clusterctl::create(bench).await?;
        manifests::apply(&self.client, &self.namespace, &clusterctl.objects(&self.request(port)).await?).await?;
        let options = Options { name: "c1".into(), port: Some(port), heartbeats: false, ..Options::default() };
        let workload = workload::start(bench, plane, &self.namespace, "c1", options).await?;
        ensure!(self.workload.set(workload.client().await?).is_ok(), "told twice");
        phases.done("template applied, endpoint up");
        self.machines(1).await?;
        phases.done("control plane machine");

        self.scale(2).await?;
        self.machines(3).await?;
        self.addresses(3).await?;
        phases.done("two workers");
        self.scale(1).await?;
        self.machines(2).await?;
        self.addresses(2).await?;
        self.free_hosts(2).await?;
        phases.done("one worker");

        let clusters = self.api(CAPI, "Cluster").await?;
        clusters.delete("c1", &kube::api::DeleteParams::default()).await?;
        until("the cluster being gone", LIMIT, async || Ok(clusters.get_opt("c1").await?.is_none().then_some(())))
            .await?;
        self.addresses(0).await?;
        self.free_hosts(4).await?;
        ensure!(self.list(INFRA, "Metal3Machine").await?.is_empty());
        ensure!(self.list(INFRA, "Metal3Data").await?.is_empty());
        phases.done("deleted, nothing left");
        workload.stop().await
    }

    fn request(&self, port: u16) -> Request {
        let values = [
            ("CLUSTER_APIENDPOINT_HOST", "127.0.0.1".to_owned()),
            ("CLUSTER_APIENDPOINT_PORT", port.to_string()),
            ("CONTROL_PLANE_IP_START", "192.0.2.100".to_owned()),
            ("CONTROL_PLANE_IP_END", "192.0.2.109".to_owned()),
            ("WORKER_IP_START", "192.0.2.110".to_owned()),
            ("WORKER_IP_END", "192.0.2.119".to_owned()),
            ("NETWORK_GATEWAY", "192.0.2.1".to_owned()),
            ("HOST_INTERFACE", "eth0".to_owned()),
            ("IMAGE_URL", "http://192.0.2.1/node.qcow2".to_owned()),
            ("IMAGE_CHECKSUM", "http://192.0.2.1/node.qcow2.sha256".to_owned()),
        ];
        Request {
            name: "c1".to_owned(),
            namespace: self.namespace.clone(),
            from: None,
            flavor: None,
            control_plane: 1,
            workers: 0,
            variables: values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<BTreeMap<_, _>>(),
        }
    }

    async fn api(&self, version: &str, kind: &str) -> Result<kube::Api<DynamicObject>> {
        let object = json!({"apiVersion": version, "kind": kind});
        let resource = manifests::resource(&self.client, &object).await?;
        Ok(manifests::api_of(&self.client, &self.namespace, &object, &resource))
    }

    async fn list(&self, version: &str, kind: &str) -> Result<Vec<DynamicObject>> {
        Ok(self.api(version, kind).await?.list(&ListParams::default()).await?.items)
    }

    async fn scale(&self, workers: u32) -> Result<()> {
        let patch = Patch::Merge(json!({"spec": {"replicas": workers}}));
        self.api(CAPI, "MachineDeployment").await?.patch("c1", &PatchParams::default(), &patch).await?;
        Ok(())
    }

    /// Exactly this many machines, all running, each behind its own host and with the provider ID of that host.
    async fn machines(&self, count: usize) -> Result<()> {
        until(&format!("{count} running machines"), LIMIT, async || {
            let machines = self.list(CAPI, "Machine").await?;
            let phases: Vec<_> = machines.iter().map(|machine| machine.data["status"]["phase"].to_string()).collect();
            let ours = self.list(INFRA, "Metal3Machine").await?;
            let why: Vec<_> = ours.iter().map(|machine| machine.data["status"]["conditions"].to_string()).collect();
            ensure!(phases == vec!["\"Running\""; count], "machines are {phases:?}, ours say {why:?}");
            Ok(Some(()))
        })
        .await?;
        let hosts = self.list(HOSTS.0, HOSTS.1).await?;
        let mut used: BTreeMap<String, usize> = BTreeMap::new();
        for machine in self.list(INFRA, "Metal3Machine").await? {
            let name = machine.metadata.name.unwrap_or_default();
            let mine = hosts.iter().filter(|host| host.data["spec"]["consumerRef"]["name"] == name.as_str());
            let [host] = mine.collect::<Vec<_>>()[..] else { anyhow::bail!("{name} has not exactly one host") };
            let host = host.metadata.name.clone().context("a host without a name")?;
            ensure!(machine.data["spec"]["providerID"] == format!("metal3://{}/{host}/{name}", self.namespace));
            *used.entry(host).or_default() += 1;
        }
        ensure!(used.len() == count && used.values().all(|times| *times == 1), "hosts in use: {used:?}");
        Ok(())
    }

    async fn addresses(&self, count: usize) -> Result<()> {
        until(&format!("{count} addresses"), LIMIT, async || {
            let addresses = self.list(ADDRESSES.0, ADDRESSES.1).await?;
            let values: Vec<_> = addresses.iter().map(|one| one.data["spec"]["address"].to_string()).collect();
            ensure!(values.len() == count, "{values:?}");
            Ok(Some(()))
        })
        .await
    }

    async fn free_hosts(&self, count: usize) -> Result<()> {
        until(&format!("{count} free hosts"), LIMIT, async || {
            let hosts = self.list(HOSTS.0, HOSTS.1).await?;
            let free = hosts.iter().filter(|host| {
                let spec = &host.data["spec"];
                let state = &host.data["status"]["provisioning"]["state"];
                spec["consumerRef"].is_null() && spec["image"].is_null() && state == "available"
            });
            Ok((free.count() == count).then_some(()))
        })
        .await
    }
}
