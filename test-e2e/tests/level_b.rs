//! Cluster API itself with our definitions: it finds them by contract, clones our templates, writes bootstrap data,
//! and takes what an infrastructure provider reports. The test plays the provider, so a failure here is a fault of
//! the definitions or of the bench, never of our controllers.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;

use anyhow::{Context as _, Result};
use kube::Client;
use kube::api::{DynamicObject, ListParams, Patch, PatchParams};
use serde_json::{Value, json};
use test_e2e::played::{Cast, LIMIT, Stage};
use test_e2e::wait::{Phases, until};
use test_e2e::workload;

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_of_our_kinds_goes_from_nothing_to_running_machines() {
    let guard = Path::new(env!("CARGO_BIN_EXE_bench"));
    let story = Story { stage: Stage::set("test-level-b", guard, Cast::Definitions).await.unwrap() };
    let mut phases = Phases::start("cluster story");
    let (objects, port) = story.stage.small_cluster().unwrap();
    story.stage.apply(&objects).await.unwrap();
    story.status("infrastructure.cluster.x-k8s.io/v1beta2", "Metal3Cluster", "one").await.unwrap();
    story.reaches("Cluster", "one", "/status/initialization/infrastructureProvisioned", &json!(true)).await.unwrap();
    phases.done("infrastructure accepted");

    let workload = story.stage.workload("one", port).await.unwrap();
    phases.done("workload API server from Cluster API's own authorities");

    story.machine(&workload.client().await.unwrap(), true).await.unwrap();
    let initialized = "/status/initialization/controlPlaneInitialized";
    story.reaches("Cluster", "one", initialized, &json!(true)).await.unwrap();
    phases.done("control plane machine; Cluster initialized");
    story.machine(&workload.client().await.unwrap(), false).await.unwrap();
    phases.done("worker machine running");

    // The older version of Cluster API's own objects goes through its conversion webhook.
    let old = story.get("cluster.x-k8s.io/v1beta1", "Cluster", "one").await.unwrap().unwrap();
    assert_eq!(old.data["spec"]["infrastructureRef"]["kind"], "Metal3Cluster");
    workload.stop().await.unwrap();
    story.stage.strike().await.unwrap();
    phases.done("stopped");
}

/// The provider's part.
struct Story {
    stage: Stage,
}

impl Story {
    async fn get(&self, version: &str, kind: &str, name: &str) -> Result<Option<DynamicObject>> {
        Ok(self.stage.untyped(version, kind).await?.get_opt(name).await?)
    }

    /// Reports the infrastructure of an object as there.
    async fn status(&self, version: &str, kind: &str, name: &str) -> Result<()> {
        let status = Patch::Merge(json!({"status": {"initialization": {"provisioned": true}}}));
        self.stage.untyped(version, kind).await?.patch_status(name, &PatchParams::default(), &status).await?;
        Ok(())
    }

    /// Waits for a value in one of Cluster API's own objects.
    async fn reaches(&self, kind: &str, name: &str, pointer: &str, value: &Value) -> Result<()> {
        until(&format!("{kind} {name} having {pointer} = {value}"), LIMIT, async || {
            let object = self.get("cluster.x-k8s.io/v1beta2", kind, name).await?.context("not there")?;
            anyhow::ensure!(object.data.pointer(pointer) == Some(value), "status: {}", object.data["status"]);
            Ok(Some(()))
        })
        .await
    }

    /// Plays one machine: takes the one Cluster API made from our template, gives it a provider ID, lets its Node
    /// appear, and waits until Cluster API calls it running.
    async fn machine(&self, workload: &Client, control_plane: bool) -> Result<()> {
        let version = "infrastructure.cluster.x-k8s.io/v1beta2";
        let machines = self.stage.untyped(version, "Metal3Machine").await?;
        let selector = "cluster.x-k8s.io/control-plane";
        let selector = if control_plane { selector.to_owned() } else { format!("!{selector}") };
        let list = ListParams::default().labels(&selector);
        let made = until("Cluster API making our machine from our template", LIMIT, async || {
            Ok(machines.list(&list).await?.items.into_iter().next())
        })
        .await?;
        let name = made.metadata.name.context("a machine without a name")?;
        assert_eq!(made.data["spec"]["image"]["diskFormat"], "qcow2");
        let owners = made.metadata.owner_references.unwrap_or_default();
        let owner = owners.iter().find(|owner| owner.kind == "Machine").context("not owned by a Machine")?.name.clone();
        until("bootstrap data", LIMIT, async || {
            let machine = self.get("cluster.x-k8s.io/v1beta2", "Machine", &owner).await?.context("no Machine")?;
            Ok(machine.data["spec"]["bootstrap"]["dataSecretName"].as_str().map(str::to_owned))
        })
        .await?;
        let id = format!("metal3://{}/host/{name}", self.stage.namespace);
        let spec = Patch::Merge(json!({"spec": {"providerID": id}}));
        machines.patch(&name, &PatchParams::default(), &spec).await?;
        self.status(version, "Metal3Machine", &name).await?;
        let labels = if control_plane { &[workload::CONTROL_PLANE][..] } else { &[] };
        workload::post_node(workload, &name, Some(&id), labels).await?;
        self.reaches("Machine", &owner, "/status/phase", &json!("Running")).await
    }
}
