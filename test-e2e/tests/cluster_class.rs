//! The ClusterClass with the real topology controller: its server-side dry runs pass our webhooks, its patches reach
//! our templates, and a changed variable rolls machines out. Hosts and Nodes are played.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use api::capi::{Cluster, Machine};
use api::infra::v1beta2::Metal3Machine;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use test_e2e::bench::source_tree;
use test_e2e::clusterctl::{Clusterctl, Request};
use test_e2e::host::free_ports;
use test_e2e::level_a::{ControlPlane, Options};
use test_e2e::played::Player;
use test_e2e::wait::{Phases, until};
use test_e2e::{Bench, level_a, level_b, manager, manifests, workload};
use tokio::sync::OnceCell;

const LIMIT: Duration = Duration::from_mins(4);

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_of_the_class_comes_up_changes_its_image_and_goes() {
    let mut bench = Bench::fresh("test-class").await.unwrap();
    bench.guard(Path::new(env!("CARGO_BIN_EXE_bench"))).unwrap();
    let plane = level_a::start(&bench, Options::default()).await.unwrap();
    level_b::start(&bench, &plane).await.unwrap();
    let client = plane.client().await.unwrap();
    let definitions = manager::component("bmo").unwrap();
    let definitions: Vec<Value> =
        definitions.into_iter().filter(|object| object["kind"] == "CustomResourceDefinition").collect();
    manifests::apply(&client, "default", &definitions).await.unwrap();
    for (subcommand, folder) in [("ipam", "ipam-metal3"), ("capi-provider", "infrastructure-metal3")] {
        let options = manager::Options { name: subcommand.into(), args: vec![subcommand.into()], ..Default::default() };
        manager::start(&plane, manager::component(folder).unwrap(), options).await.unwrap();
    }
    let namespace = plane.namespace("class").await.unwrap();
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

struct Story {
    client: Client,
    namespace: String,
    workload: OnceCell<Client>,
}

impl Story {
    async fn tell(&self, bench: &Bench, plane: &ControlPlane) -> Result<()> {
        let mut phases = Phases::start("class story");
        let port = free_ports(None, IpAddr::V4(Ipv4Addr::LOCALHOST), 1)?[0];
        let clusterctl = Clusterctl::create(bench).await?;
        let class = manifests::read(&source_tree()?.join("templates/clusterclass-metal3.yaml"))?;
        manifests::apply(&self.client, &self.namespace, &class).await?;
        manifests::apply(&self.client, &self.namespace, &clusterctl.objects(&self.request(port)?).await?).await?;
        let options = Options { name: "c1".into(), port: Some(port), heartbeats: false, ..Options::default() };
        let workload = workload::start(bench, plane, &self.namespace, "c1", options).await?;
        ensure!(self.workload.set(workload.client().await?).is_ok(), "told twice");
        phases.done("class and cluster accepted, endpoint up");
        self.running(2, "http://192.0.2.1/node.qcow2").await?;
        phases.done("two machines run");

        // Only the worker: with one control plane machine its replacement would be a story of etcd.
        let clusters: Api<Cluster> = Api::namespaced(self.client.clone(), &self.namespace);
        let mut cluster = serde_json::to_value(self.raw().await?)?;
        let image = json!({"url": "http://192.0.2.1/next.qcow2", "checksum": "http://192.0.2.1/next.qcow2.sha256"});
        cluster["spec"]["topology"]["workers"]["machineDeployments"][0]["variables"] =
            json!({"overrides": [{"name": "image", "value": image}]});
        let workers = &cluster["spec"]["topology"]["workers"];
        let patch = Patch::Merge(json!({"spec": {"topology": {"workers": workers}}}));
        clusters.patch("c1", &PatchParams::default(), &patch).await?;
        until("the worker with the next image", LIMIT, async || {
            let machines = self.ours().await?;
            let next = machines.iter().filter(|machine| image_of(machine) == "http://192.0.2.1/next.qcow2");
            Ok((machines.len() == 2 && next.count() == 1).then_some(()))
        })
        .await?;
        self.running(2, "").await?;
        phases.done("the worker was rolled out");
        clusters.delete("c1", &DeleteParams::default()).await?;
        until("the cluster being gone", LIMIT, async || Ok(clusters.get_opt("c1").await?.is_none().then_some(())))
            .await?;
        ensure!(self.ours().await?.is_empty());
        phases.done("gone");
        workload.stop().await
    }

    /// The Cluster with all of its fields.
    async fn raw(&self) -> Result<kube::api::DynamicObject> {
        let object = json!({"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "Cluster"});
        let resource = manifests::resource(&self.client, &object).await?;
        Ok(manifests::api_of(&self.client, &self.namespace, &object, &resource).get("c1").await?)
    }

    async fn ours(&self) -> Result<Vec<Metal3Machine>> {
        let machines: Api<Metal3Machine> = Api::namespaced(self.client.clone(), &self.namespace);
        Ok(machines.list(&ListParams::default()).await?.items)
    }

    /// So many machines, all running; all with this image unless that is empty.
    async fn running(&self, count: usize, image: &str) -> Result<()> {
        let machines: Api<Machine> = Api::namespaced(self.client.clone(), &self.namespace);
        until(&format!("{count} running machines"), LIMIT, async || {
            let told: Vec<_> = self.raw().await?.data["status"]["conditions"]
                .as_array()
                .into_iter()
                .flatten()
                .filter(|condition| condition["type"] == "TopologyReconciled")
                .map(|condition| condition["message"].to_string())
                .collect();
            let all = machines.list(&ListParams::default()).await?.items;
            let phases: Vec<_> =
                all.iter().map(|machine| machine.status.as_ref().and_then(|s| s.phase.clone())).collect();
            ensure!(phases == vec![Some("Running".to_owned()); count], "{phases:?}; topology: {told:?}");
            Ok(Some(()))
        })
        .await?;
        for machine in self.ours().await? {
            ensure!(image.is_empty() || image_of(&machine) == image, "{:?}", machine.spec.image);
            ensure!(
                machine
                    .spec
                    .data_template
                    .context("no data template")?
                    .name()
                    .is_some_and(|name| name.starts_with("c1-"))
            );
        }
        Ok(())
    }

    fn request(&self, port: u16) -> Result<Request> {
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
        Ok(Request {
            name: "c1".to_owned(),
            namespace: self.namespace.clone(),
            from: Some(source_tree()?.join("templates/cluster-template-topology.yaml")),
            flavor: None,
            control_plane: 1,
            workers: 1,
            variables: values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<BTreeMap<_, _>>(),
        })
    }
}

fn image_of(machine: &Metal3Machine) -> &str {
    machine.spec.image.as_ref().map(|image| image.url.as_str()).unwrap_or_default()
}
