//! Cluster API's MachineHealthCheck with our remediation: a sick Node's machine is switched off, its Pods are given
//! up, it comes back healthy and nothing is left; the next time it stays sick, and the owner replaces the Machine on
//! another host. Hosts and Nodes are played; the manager has the rights that we ship.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use api::capi::Machine;
use api::infra::v1beta2::{Metal3Machine, Metal3Remediation, RemediationPhase};
use api::metal3::BareMetalHost;
use api::names::{annotation, label};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::json;
use test_e2e::played::{Cast, LIMIT, Stage};
use test_e2e::wait::{Phases, until};

const TAINT: &str = "node.kubernetes.io/out-of-service";

#[tokio::test(flavor = "multi_thread")]
async fn a_sick_machine_is_restarted_and_replaced_when_that_does_not_help() {
    let guard = Path::new(env!("CARGO_BIN_EXE_bench"));
    let stage = Stage::set("test-remediation", guard, Cast::Managers).await.unwrap();
    let player = stage.hosts(3).await.unwrap();
    stage.tell(&player, Box::pin(story(&stage))).await.unwrap();
    stage.strike().await.unwrap();
}

async fn story(stage: &Stage) -> Result<()> {
    let mut phases = Phases::start("remediation story");
    let (objects, port) = stage.small_cluster_with_data()?;
    stage.apply(&objects).await?;
    let plane = stage.workload("one", port).await?;
    let nodes = plane.client().await?;
    stage.running(2).await?;
    phases.done("two machines run");

    let (machine, host) = worker(stage).await?;
    pod(&nodes, &host).await?;
    health_check(stage).await?;
    sick(&nodes, &host, true).await?;
    let name = remediation(stage).await?;
    let off = until("the host being kept off", LIMIT, async || {
        let annotations = host_of(stage, &host).await?.metadata.annotations.unwrap_or_default();
        Ok(annotations.into_iter().find(|(key, _)| key.starts_with(annotation::REMEDIATION_POWER_OFF_PREFIX)))
    })
    .await?;
    ensure!(off.1 == r#"{"mode":"hard"}"#, "{off:?}");
    phases.done("the host of a sick Node is kept off");
    until("the Pod being given up", LIMIT, async || {
        let pods: Api<Pod> = Api::default_namespaced(nodes.clone());
        Ok(pods.get_opt("left-behind").await?.is_none().then_some(()))
    })
    .await?;
    phases.done("what ran there is free to run elsewhere");
    until("the machine being back, without a fence", LIMIT, async || {
        let found = host_of(stage, &host).await?;
        let on = found.status.is_some_and(|status| status.powered_on);
        let phase = stage.api::<Metal3Remediation>().get(&name).await?.status.unwrap_or_default().phase;
        let free = !found.metadata.annotations.unwrap_or_default().contains_key(&off.0);
        ensure!(phase == Some(RemediationPhase::Waiting), "{phase:?}");
        Ok((on && free && !tainted(&nodes, &host).await?).then_some(()))
    })
    .await?;
    sick(&nodes, &host, false).await?;
    until("the remediation being over", LIMIT, async || {
        Ok(stage.api::<Metal3Remediation>().get_opt(&name).await?.is_none().then_some(()))
    })
    .await?;
    ensure!(worker(stage).await? == (machine.clone(), host.clone()), "another machine or another host");
    phases.done("healthy again, nothing is left of it");

    sick(&nodes, &host, true).await?;
    let name = remediation(stage).await?;
    let (next, other) = until("the Machine being replaced", LIMIT, async || {
        too_late(stage, &name).await?;
        let now = worker(stage).await?;
        Ok((now.0 != machine && now.1 != host).then_some(now))
    })
    .await?;
    phases.done("still sick after two tries: the owner replaces the Machine");
    stage.running(2).await?;
    ensure!(worker(stage).await? == (next, other), "replaced twice");
    stage.free_hosts(1).await?;
    let annotations = host_of(stage, &host).await?.metadata.annotations.unwrap_or_default();
    let unhealthy = annotations.get(annotation::HOST_UNHEALTHY).context("the host is not marked")?;
    ensure!(unhealthy == annotation::HOST_UNHEALTHY_BY_REMEDIATION && !annotations.contains_key(&off.0));
    ensure!(!annotations.keys().any(|key| key.starts_with(annotation::REMEDIATION_POWER_OFF_PREFIX)), "still kept off");
    until("the second remediation being gone with its Machine", LIMIT, async || {
        Ok(stage.list::<Metal3Remediation>().await?.is_empty().then_some(()))
    })
    .await?;
    phases.done("it runs on another host; the sick one waits for somebody");
    stage.delete_cluster("one").await?;
    plane.stop().await
}

/// Names of the worker's Metal3Machine and of its host.
async fn worker(stage: &Stage) -> Result<(String, String)> {
    until("the worker with its host", LIMIT, async || {
        let list = ListParams::default().labels(&format!("!{}", label::CONTROL_PLANE));
        let machines = stage.api::<Metal3Machine>().list(&list).await?.items;
        let machine = machines.into_iter().find(|machine| machine.metadata.deletion_timestamp.is_none());
        let Some(machine) = machine else { return Ok(None) };
        let host = machine.metadata.annotations.and_then(|mut all| all.remove(annotation::MACHINE_HOST));
        let host = host.context("no host yet")?.rsplit('/').next().unwrap_or_default().to_owned();
        Ok(Some((machine.metadata.name.context("no name")?, host)))
    })
    .await
}

async fn host_of(stage: &Stage, name: &str) -> Result<BareMetalHost> {
    Ok(stage.api().get(name).await?)
}

/// A Pod on the Node; no kubelet will ever let go of it.
async fn pod(nodes: &Client, node: &str) -> Result<()> {
    let container = json!({"name": "c", "image": "none"});
    let pod = json!({
        "metadata": {"name": "left-behind"},
        "spec": {"nodeName": node, "containers": [container], "automountServiceAccountToken": false},
    });
    let pod: Pod = serde_json::from_value(pod)?;
    let pods: Api<Pod> = Api::default_namespaced(nodes.clone());
    until("a Pod on the Node", LIMIT, async || Ok(Some(pods.create(&PostParams::default(), &pod).await?))).await?;
    Ok(())
}

/// The template in the older version; both are the same object.
async fn health_check(stage: &Stage) -> Result<()> {
    let strategy = json!({"type": "Reboot", "retryLimit": 1, "timeout": "10m0s"});
    let template = json!({
        "apiVersion": "infrastructure.cluster.x-k8s.io/v1beta1", "kind": "Metal3RemediationTemplate",
        "metadata": {"name": "restart"}, "spec": {"template": {"spec": {"strategy": strategy}}},
    });
    let reference = json!({
        "apiVersion": "infrastructure.cluster.x-k8s.io/v1beta2", "kind": "Metal3RemediationTemplate", "name": "restart",
    });
    let check = json!({
        "apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "MachineHealthCheck", "metadata": {"name": "workers"},
        "spec": {
            "clusterName": "one",
            "selector": {"matchLabels": {label::CAPI_DEPLOYMENT_NAME: "one"}},
            "checks": {"unhealthyNodeConditions": [{"type": "Ready", "status": "False", "timeoutSeconds": 1}]},
            "remediation": {"templateRef": reference},
        },
    });
    stage.apply(&[template, check]).await
}

/// What the kubelet would say.
async fn sick(nodes: &Client, node: &str, sick: bool) -> Result<()> {
    let status = if sick { "False" } else { "True" };
    let condition = json!({
        "type": "Ready", "status": status, "reason": "Posted", "message": "", "lastTransitionTime": jiff::Timestamp::now(),
    });
    let patch = Patch::Strategic(json!({"status": {"conditions": [condition]}}));
    Api::<Node>::all(nodes.clone()).patch_status(node, &PatchParams::default(), &patch).await?;
    Ok(())
}

async fn tainted(nodes: &Client, node: &str) -> Result<bool> {
    let node = Api::<Node>::all(nodes.clone()).get(node).await?;
    Ok(node.spec.and_then(|spec| spec.taints).unwrap_or_default().iter().any(|taint| taint.key == TAINT))
}

/// The name of the remediation that Cluster API made, once it is under way.
async fn remediation(stage: &Stage) -> Result<String> {
    until("a remediation under way", LIMIT, async || {
        let Some(found) = stage.list::<Metal3Remediation>().await?.pop() else {
            let machines = stage.list::<Machine>().await?;
            let told: Vec<_> = machines.into_iter().map(|it| it.status.unwrap_or_default().conditions).collect();
            anyhow::bail!("Machines say {told:?}")
        };
        let strategy = found.spec.strategy.context("no strategy")?;
        ensure!((strategy.retry_limit, strategy.timeout_seconds) == (Some(1), Some(600)), "{strategy:?}");
        Ok(found.status.and_then(|status| status.phase).and(found.metadata.name))
    })
    .await
}

/// Lets the time of a try be over as soon as the machine is back.
async fn too_late(stage: &Stage, name: &str) -> Result<()> {
    let Some(found) = stage.api::<Metal3Remediation>().get_opt(name).await? else { return Ok(()) };
    let waits = found.status.is_some_and(|status| status.phase == Some(RemediationPhase::Waiting));
    if waits && found.metadata.finalizers.unwrap_or_default().is_empty() {
        let hour_ago = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(1);
        let patch = Patch::Merge(json!({"status": {"lastRemediated": hour_ago}}));
        stage.api::<Metal3Remediation>().patch_status(name, &PatchParams::default(), &patch).await?;
    }
    Ok(())
}
