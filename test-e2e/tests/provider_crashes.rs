//! The provider dies at every write: each of its lives ends right after one write whose answer it never sees, or
//! right before the second. Cluster API is real, hosts and Nodes are played. The cluster comes up, shrinks and goes as
//! if nothing had happened, and at no time does a machine use two hosts.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use api::capi::MachineDeployment;
use api::infra::v1beta2::Metal3Data;
use api::metal3::BareMetalHost;
use futures::{StreamExt, pin_mut};
use kit::hook::{Hook, Moment, Step, Verdict};
use kit::pass::Key;
use kube::Client;
use kube::runtime::watcher::{self, Event};
use serde_json::json;
use test_e2e::played::{Cast, LIMIT, Stage};
use test_e2e::wait::{Phases, until};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_dies_at_every_write_does_its_work_all_the_same() {
    let guard = Path::new(env!("CARGO_BIN_EXE_bench"));
    let stage = Stage::set("test-crashes", guard, Cast::Definitions).await.unwrap();
    let player = stage.hosts(3).await.unwrap();
    let lives = AtomicUsize::new(0);
    let config = stage.plane.config().await.unwrap();
    tokio::select! {
        told = stage.tell(&player, Box::pin(story(&stage, &lives))) => told.unwrap(),
        () = live_and_die(config, &lives) => unreachable!("lives are endless"),
        broken = one_host_each(&stage) => panic!("{broken}"),
    }
    stage.strike().await.unwrap();
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

async fn story(stage: &Stage, lives: &AtomicUsize) -> Result<()> {
    let mut phases = Phases::start("crashing provider");
    let (objects, port) = stage.small_cluster_with_data()?;
    stage.apply(&objects).await?;
    let workload = stage.workload("one", port).await?;
    phases.done("endpoint up");
    stage.running(2).await?;
    phases.done(&format!("two machines run, after {} lives", lives.load(Ordering::Relaxed)));
    stage.patch::<MachineDeployment>("one", json!({"spec": {"replicas": 0}})).await?;
    stage.running(1).await?;
    stage.free_hosts(2).await?;
    phases.done(&format!("one machine gone, after {} lives", lives.load(Ordering::Relaxed)));
    stage.delete_cluster("one").await?;
    stage.free_hosts(3).await?;
    until("all data being gone", LIMIT, async || Ok(stage.list::<Metal3Data>().await?.is_empty().then_some(())))
        .await?;
    phases.done(&format!("cluster gone, after {} lives", lives.load(Ordering::Relaxed)));
    workload.stop().await
}

/// Follows every change of a host; ends when a machine uses two.
async fn one_host_each(stage: &Stage) -> String {
    let stream = watcher::watcher(stage.api::<BareMetalHost>(), watcher::Config::default());
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
