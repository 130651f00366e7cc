//! The provider dies at every write: each of its lives ends right after one write whose answer it never sees, or
//! right before the second. Cluster API is real, hosts and Nodes are played. The cluster comes up, shrinks and goes as
//! if nothing had happened, and at no time does a machine use two hosts.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use api::capi::{Cluster, Machine, MachineDeployment};
use api::infra::v1beta2::{Metal3Data, Metal3Machine};
use api::metal3::BareMetalHost;
use futures::{StreamExt, pin_mut};
use kit::hook::{Hook, Moment, Step, Verdict};
use kit::pass::Key;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client};
use serde_json::{Value, json};
use test_e2e::host::free_ports;
use test_e2e::played::Player;
use test_e2e::wait::{Phases, until};
use test_e2e::{Bench, level_a, level_b, manifests, workload};
use tokio::sync::{Notify, OnceCell};
use tokio_util::sync::CancellationToken;

const LIMIT: Duration = Duration::from_mins(5);

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_dies_at_every_write_does_its_work_all_the_same() {
    let mut bench = Bench::fresh("test-crashes").await.unwrap();
    bench.guard(Path::new(env!("CARGO_BIN_EXE_bench"))).unwrap();
    let plane = level_a::start(&bench, level_a::Options::default()).await.unwrap();
    level_b::start(&bench, &plane).await.unwrap();
    let client = plane.client().await.unwrap();
    manifests::apply(&client, "default", &definitions()).await.unwrap();
    let namespace = plane.namespace("crashes").await.unwrap();
    let player = Player::new(client.clone(), &namespace);
    for number in 1..=3 {
        player.add_host(&format!("host-{number}"), number, json!({})).await.unwrap();
    }
    let story = Story { client, namespace, workload: OnceCell::new() };
    let lives = AtomicUsize::new(0);
    let config = plane.config().await.unwrap();
    tokio::select! {
        told = story.tell(&bench, &plane, &lives) => told.unwrap(),
        stopped = player.run(async || story.workload.get().cloned()) => stopped.unwrap(),
        () = live_and_die(config, &lives) => unreachable!("lives are endless"),
        broken = story.one_host_each() => panic!("{broken}"),
    }
    bench.wipe().await.unwrap();
}

/// One life after the other, each in a runtime of its own that is dropped without a word.
async fn live_and_die(config: kube::Config, lives: &AtomicUsize) {
    loop {
        let life = lives.fetch_add(1, Ordering::Relaxed);
        let death = Arc::new(Death { writes: AtomicUsize::new(0), after: life.is_multiple_of(2), now: Notify::new() });
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let life = Life(Some(runtime));
        let (hook, config) = (death.clone(), config.clone());
        life.spawn(async move {
            let client = Client::try_from(config).unwrap();
            let context = kit::runtime::Context::new(kit::client::Io::new(client), CancellationToken::new());
            capi_provider::run(context.with_hook(hook), capi_provider::Options::default()).await.unwrap();
        });
        death.now.notified().await;
        drop(life);
    }
}

/// A runtime whose end waits for nothing.
struct Life(Option<tokio::runtime::Runtime>);

impl Life {
    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.0 {
            drop(runtime.spawn(future));
        }
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// When a life ends.
#[derive(Debug)]
struct Death {
    writes: AtomicUsize,
    /// After the first write, before its answer; otherwise before the second.
    after: bool,
    now: Notify,
}

impl Hook for Death {
    fn at<'a>(&'a self, _: &'a str, _: &'a Key, moment: Moment, _: Step<'a>) -> Verdict<'a> {
        Box::pin(async move {
            let earlier = match moment {
                Moment::Before => self.writes.fetch_add(1, Ordering::SeqCst),
                Moment::After => self.writes.load(Ordering::SeqCst) - 1,
            };
            // Whatever else was under way hangs as well: this process does nothing any more.
            let dies = earlier > 0 || (self.after && moment == Moment::After);
            if dies {
                self.now.notify_one();
                std::future::pending::<()>().await;
            }
            Ok(())
        })
    }
}

/// Our kinds without conversion: only one version is used here.
fn definitions() -> Vec<Value> {
    let crds = api::crds().into_iter().map(|crd| {
        let mut crd = serde_json::to_value(crd).unwrap();
        crd["spec"].as_object_mut().unwrap().remove("conversion");
        crd.as_object_mut().unwrap().remove("status");
        crd
    });
    crds.collect()
}

struct Story {
    client: Client,
    namespace: String,
    workload: OnceCell<Client>,
}

impl Story {
    async fn tell(&self, bench: &Bench, plane: &level_a::ControlPlane, lives: &AtomicUsize) -> Result<()> {
        let mut phases = Phases::start("crashing provider");
        let port = free_ports(None, IpAddr::V4(Ipv4Addr::LOCALHOST), 1)?[0];
        let manifest = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/cluster.yaml"))?;
        let mut objects = manifests::parse(&manifest.replace("6443", &port.to_string()))?;
        for object in &mut objects {
            if object["kind"] == "Metal3MachineTemplate" {
                object["spec"]["template"]["spec"]["dataTemplate"] = json!({"name": "one"});
            }
        }
        objects.push(json!({
            "apiVersion": "infrastructure.cluster.x-k8s.io/v1beta2", "kind": "Metal3DataTemplate",
            "metadata": {"name": "one"},
            "spec": {"metaData": {"objectNames": [{"key": "machine", "object": "machine"}]}},
        }));
        manifests::apply(&self.client, &self.namespace, &objects).await?;
        let options =
            level_a::Options { name: "one".into(), port: Some(port), heartbeats: false, ..Default::default() };
        let workload = workload::start(bench, plane, &self.namespace, "one", options).await?;
        ensure!(self.workload.set(workload.client().await?).is_ok(), "told twice");
        phases.done("endpoint up");
        self.running(2).await?;
        phases.done(&format!("two machines run, after {} lives", lives.load(Ordering::Relaxed)));
        let deployments: Api<MachineDeployment> = Api::namespaced(self.client.clone(), &self.namespace);
        let patch = Patch::Merge(json!({"spec": {"replicas": 0}}));
        deployments.patch("one", &PatchParams::default(), &patch).await?;
        self.running(1).await?;
        self.free_hosts(2).await?;
        phases.done(&format!("one machine gone, after {} lives", lives.load(Ordering::Relaxed)));
        let clusters: Api<Cluster> = Api::namespaced(self.client.clone(), &self.namespace);
        clusters.delete("one", &DeleteParams::default()).await?;
        until("the cluster being gone", LIMIT, async || Ok(clusters.get_opt("one").await?.is_none().then_some(())))
            .await?;
        self.free_hosts(3).await?;
        let datas: Api<Metal3Data> = Api::namespaced(self.client.clone(), &self.namespace);
        until("all data being gone", LIMIT, async || {
            Ok(datas.list(&ListParams::default()).await?.items.is_empty().then_some(()))
        })
        .await?;
        phases.done(&format!("cluster gone, after {} lives", lives.load(Ordering::Relaxed)));
        workload.stop().await
    }

    async fn running(&self, count: usize) -> Result<()> {
        let machines: Api<Machine> = Api::namespaced(self.client.clone(), &self.namespace);
        let ours: Api<Metal3Machine> = Api::namespaced(self.client.clone(), &self.namespace);
        until(&format!("{count} running machines"), LIMIT, async || {
            let all = machines.list(&ListParams::default()).await?.items;
            let phases: Vec<_> =
                all.iter().map(|machine| machine.status.as_ref().and_then(|s| s.phase.clone())).collect();
            let told = ours.list(&ListParams::default()).await?.items.into_iter().map(|machine| machine.status);
            let told: Vec<_> = told.map(|status| status.unwrap_or_default().conditions).collect();
            ensure!(phases == vec![Some("Running".to_owned()); count], "{phases:?}: {told:?}");
            Ok(Some(()))
        })
        .await
    }

    async fn free_hosts(&self, count: usize) -> Result<()> {
        let hosts: Api<BareMetalHost> = Api::namespaced(self.client.clone(), &self.namespace);
        until(&format!("{count} free hosts"), LIMIT, async || {
            let all = hosts.list(&ListParams::default()).await?.items;
            let free = all.iter().filter(|host| host.spec.consumer_ref.is_none() && host.spec.image.is_none());
            Ok((free.count() == count).then_some(()))
        })
        .await
    }

    /// Follows every change of a host; ends when a machine uses two.
    async fn one_host_each(&self) -> String {
        let hosts: Api<BareMetalHost> = Api::namespaced(self.client.clone(), &self.namespace);
        let stream = watcher::watcher(hosts, watcher::Config::default());
        pin_mut!(stream);
        let mut users: BTreeMap<String, Option<String>> = BTreeMap::new();
        while let Some(event) = stream.next().await {
            let Ok(Event::Apply(host) | Event::InitApply(host)) = event else { continue };
            let user = host.spec.consumer_ref.and_then(|user| user.name);
            users.insert(host.metadata.name.unwrap_or_default(), user.clone());
            let count = users.values().filter(|known| user.is_some() && **known == user).count();
            if count > 1 {
                return format!("machine {user:?} uses {count} hosts: {users:?}");
            }
        }
        "the watch of hosts ended".to_owned()
    }
}
