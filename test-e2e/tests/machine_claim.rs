//! Cluster API with our provider: from a free host to a running Machine and back. The test plays the bare metal
//! operator (states of hosts) and the kubelet (a Node with the host's label); everything else is real.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use api::capi::{Cluster, Machine, MachineDeployment};
use api::infra::v1beta2::{Metal3Cluster, Metal3Machine, Metal3MachineTemplate};
use api::metal3::{BareMetalHost, ProvisioningState};
use api::names::{annotation, label};
use k8s_openapi::api::core::v1::{Node, Secret};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use test_e2e::played::{Cast, LIMIT, Stage};
use test_e2e::wait::{Phases, until};
use test_e2e::workload;
use tokio_util::sync::CancellationToken;

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_takes_a_host_joins_as_a_node_and_gives_the_host_back() {
    let guard = Path::new(env!("CARGO_BIN_EXE_bench"));
    let stage = Stage::set("test-machine-claim", guard, Cast::Definitions).await.unwrap();
    let stop = CancellationToken::new();
    let provider = tokio::spawn(provider(stage.client.clone(), stop.clone()));
    let mut phases = Phases::start("machine story");
    let story = Story { stage };
    story.host("host-0").await.unwrap();
    story.host("host-1").await.unwrap();
    let (objects, port) = story.stage.small_cluster().unwrap();
    story.stage.apply(&objects).await.unwrap();
    let workload = story.stage.workload("one", port).await.unwrap();
    let nodes = workload.client().await.unwrap();
    let prefixes = json!({"metadata": {"annotations": {annotation::LABEL_SYNC_PREFIXES: "rack.example.com"}}});
    story.stage.patch::<Metal3Cluster>("one", prefixes).await.unwrap();
    for host in ["host-0", "host-1"] {
        let slot = json!({"metadata": {"labels": {"rack.example.com/slot": host}}});
        story.stage.patch::<BareMetalHost>(host, slot).await.unwrap();
    }
    phases.done("infrastructure accepted, workload API server up");

    let (first, host) = story.claimed(true).await.unwrap();
    phases.done("control plane machine has a host");
    story.runs(&host).await.unwrap();
    phases.done("host provisioned");
    story.joins(&nodes, &host, true).await.unwrap();
    phases.done("its Node has the provider ID");
    story.running(&first).await.unwrap();
    let id = format!("metal3://{}/{host}/{first}", story.stage.namespace);
    assert_eq!(story.machine(&first).await.unwrap().spec.provider_id.as_ref(), Some(&id));
    let node: Node = Api::all(nodes.clone()).get(&host).await.unwrap();
    assert_eq!(node.spec.unwrap().provider_id, Some(id));
    phases.done("control plane machine runs");

    story.cluster("/status/initialization/controlPlaneInitialized").await.unwrap();
    let (second, other) = story.claimed(false).await.unwrap();
    assert_ne!(host, other);
    story.runs(&other).await.unwrap();
    story.joins(&nodes, &other, false).await.unwrap();
    story.running(&second).await.unwrap();
    phases.done("worker machine runs");
    story.labelled_from_the_start(&nodes, &other).await.unwrap();
    phases.done("its Node got the host's label without anybody touching either");

    story.cleaning_mode(&second, &other).await.unwrap();
    phases.done("the template's cleaning mode reached machines and hosts");
    story.label_sync(&nodes, &other).await.unwrap();
    phases.done("a host's label reached its Node and went again");
    story.pause(&second, &other).await.unwrap();
    phases.done("paused and resumed");

    story.no_host_left().await.unwrap();
    phases.done("a machine without a host says why, and takes the one that is labelled for it");

    let third = story.reuse(&second, &other).await.unwrap();
    phases.done("a roll-out gave the host to the next machine of the deployment");
    story.runs(&other).await.unwrap();
    story.joins(&nodes, &other, false).await.unwrap();
    story.running(&third).await.unwrap();
    phases.done("the next machine runs");

    story.release(&third, &other).await.unwrap();
    phases.done("worker machine gave its host back, and nobody keeps it");
    // Nobody touched the other host meanwhile.
    let kept = story.hosts().get(&host).await.unwrap();
    assert_eq!(kept.spec.consumer_ref.unwrap().name.as_deref(), Some(first.as_str()));
    assert!(kept.spec.image.is_some());

    stop.cancel();
    provider.await.unwrap().unwrap();
    workload.stop().await.unwrap();
    story.stage.strike().await.unwrap();
    phases.done("stopped");
}

/// The provider inside the test program.
async fn provider(client: Client, stop: CancellationToken) -> Result<()> {
    let context = kit::runtime::Context::new(kit::client::Io::new(client), stop);
    Ok(capi_provider::run(context, capi_provider::Options::default()).await?)
}

struct Story {
    stage: Stage,
}

impl Story {
    fn hosts(&self) -> Api<BareMetalHost> {
        self.stage.api()
    }

    async fn machine(&self, name: &str) -> Result<Metal3Machine> {
        Ok(self.stage.api().get(name).await?)
    }

    /// A host that was inspected and is free, with a BMC Secret.
    async fn host(&self, name: &str) -> Result<()> {
        let secrets: Api<Secret> = self.stage.api();
        let secret =
            json!({"metadata": {"name": format!("{name}-bmc")}, "stringData": {"username": "u", "password": "p"}});
        secrets.create(&PostParams::default(), &serde_json::from_value(secret)?).await?;
        let bmc =
            json!({"address": "redfish://192.0.2.1/redfish/v1/Systems/1", "credentialsName": format!("{name}-bmc")});
        let host = json!({
            "apiVersion": "metal3.io/v1alpha1", "kind": "BareMetalHost",
            "metadata": {"name": name}, "spec": {"online": false, "bmc": bmc},
        });
        self.hosts().create(&PostParams::default(), &serde_json::from_value(host)?).await?;
        self.state(name, ProvisioningState::Available).await
    }

    /// The bare metal operator's part: a host goes into a state.
    async fn state(&self, name: &str, state: ProvisioningState) -> Result<()> {
        let status = json!({"status": {
            "operationalStatus": "OK", "errorMessage": "", "errorCount": 0, "poweredOn": true,
            "provisioning": {"state": state, "ID": ""},
            "hardware": {"hostname": name, "nics": [{"name": "eth0", "ip": "192.0.2.7"}]},
        }});
        self.hosts().patch_status(name, &PatchParams::default(), &Patch::Merge(status)).await?;
        Ok(())
    }

    /// Waits for the newest machine of a role to have put its image on a host: names of machine and host.
    async fn claimed(&self, control_plane: bool) -> Result<(String, String)> {
        let machines: Api<Metal3Machine> = self.stage.api();
        let role = if control_plane { label::CONTROL_PLANE.to_owned() } else { format!("!{}", label::CONTROL_PLANE) };
        let list = ListParams::default().labels(&role);
        until("a machine with a host", LIMIT, async || {
            let Some(machine) = machines.list(&list).await?.items.into_iter().next() else { return Ok(None) };
            let name = machine.metadata.name.clone().context("no name")?;
            let named = machine.metadata.annotations.as_ref().and_then(|all| all.get(annotation::MACHINE_HOST));
            let named = named.with_context(|| format!("not bound; status {:?}", machine.status))?;
            let host = named.rsplit('/').next().unwrap_or_default().to_owned();
            let found = self.hosts().get(&host).await?;
            ensure!(found.spec.image.is_some(), "no image on {host}");
            ensure!(
                found.spec.online && found.spec.user_data.is_some(),
                "not online or without user data: {:?}",
                found.spec
            );
            let user = found.spec.consumer_ref.context("no consumer")?;
            ensure!(user.name.as_deref() == Some(name.as_str()) && user.kind.as_deref() == Some("Metal3Machine"));
            let labels = found.metadata.labels.unwrap_or_default();
            ensure!(labels.get(label::CLUSTER_NAME).is_some_and(|cluster| cluster == "one"));
            let secrets: Api<Secret> = self.stage.api();
            let secret = secrets.get(&found.spec.bmc.credentials_name).await?;
            ensure!(
                secret.metadata.labels.unwrap_or_default().contains_key(label::CLUSTER_NAME),
                "BMC Secret not labelled"
            );
            Ok(Some((name, host)))
        })
        .await
    }

    /// The host deploys its image. While it does, the machine says so in the host's words.
    async fn runs(&self, host: &str) -> Result<()> {
        self.state(host, ProvisioningState::Provisioning).await?;
        let user = self.hosts().get(host).await?.spec.consumer_ref.and_then(|user| user.name).context("no consumer")?;
        until("the machine quoting its host", LIMIT, async || {
            let status = self.machine(&user).await?.status.unwrap_or_default();
            let ready = status.conditions.iter().find(|condition| condition.type_ == "Ready").context("no Ready")?;
            Ok(ready.message.contains(&format!("host {host} is provisioning")).then_some(()))
        })
        .await?;
        self.state(host, ProvisioningState::Provisioned).await
    }

    /// The kubelet's part: a Node with the host's label and without provider ID.
    async fn joins(&self, workload: &Client, host: &str, control_plane: bool) -> Result<()> {
        let uid = self.hosts().get(host).await?.metadata.uid.unwrap_or_default();
        let mut labels = vec![(label::NODE_HOST_UID, uid.as_str())];
        if control_plane {
            labels.push(workload::CONTROL_PLANE);
        }
        workload::post_node(workload, host, None, &labels).await?;
        let nodes: Api<Node> = Api::all(workload.clone());
        until("the Node having a provider ID", LIMIT, async || {
            let spec = nodes.get(host).await?.spec.unwrap_or_default();
            Ok(spec.provider_id.filter(|id| id.starts_with("metal3://")))
        })
        .await?;
        Ok(())
    }

    /// Waits for Cluster API to call the Machine of a Metal3Machine running.
    async fn running(&self, name: &str) -> Result<()> {
        let machines: Api<Machine> = self.stage.api();
        until(&format!("Machine of {name} running"), LIMIT, async || {
            let ours = self.machine(name).await?;
            let owner = ours.metadata.owner_references.unwrap_or_default().remove(0).name;
            let status = machines.get(&owner).await?.status.unwrap_or_default();
            ensure!(status.phase.as_deref() == Some("Running"), "{:?}; ours {:?}", status.conditions, ours.status);
            ensure!(!status.addresses.is_empty(), "no addresses");
            Ok(Some(()))
        })
        .await
    }

    async fn cluster(&self, pointer: &str) -> Result<()> {
        let clusters: Api<Cluster> = self.stage.api();
        until(&format!("Cluster having {pointer}"), LIMIT, async || {
            let cluster = serde_json::to_value(clusters.get("one").await?)?;
            Ok((cluster.pointer(pointer) == Some(&json!(true))).then_some(()))
        })
        .await
    }

    async fn scale(&self, replicas: i32) -> Result<()> {
        self.stage.patch::<MachineDeployment>("one", json!({"spec": {"replicas": replicas}})).await
    }

    /// A change of the template's cleaning mode reaches what was cloned from it.
    async fn cleaning_mode(&self, name: &str, host: &str) -> Result<()> {
        let mode = json!({"spec": {"template": {"spec": {"automatedCleaningMode": "disabled"}}}});
        self.stage.patch::<Metal3MachineTemplate>("one", mode).await?;
        until("the host's cleaning mode", LIMIT, async || {
            let machine = self.machine(name).await?.spec.automated_cleaning_mode;
            let found = self.hosts().get(host).await?.spec.automated_cleaning_mode;
            ensure!(machine.is_some_and(|mode| mode.as_str() == "disabled"));
            Ok(found.is_some_and(|mode| mode.as_str() == "disabled").then_some(()))
        })
        .await
    }

    /// A label that the host had before its machine, when there was no Node to carry it.
    async fn labelled_from_the_start(&self, workload: &Client, host: &str) -> Result<()> {
        let nodes: Api<Node> = Api::all(workload.clone());
        until("the Node's first label", LIMIT, async || {
            let labels = nodes.get(host).await?.metadata.labels.unwrap_or_default();
            Ok((labels.get("rack.example.com/slot").map(String::as_str) == Some(host)).then_some(()))
        })
        .await
    }

    /// Labels of the host under a prefix of the cluster are on the Node, and only those.
    async fn label_sync(&self, workload: &Client, host: &str) -> Result<()> {
        let labels =
            |value: Value| json!({"metadata": {"labels": {"rack.example.com/row": value, "other/label": "x"}}});
        let nodes: Api<Node> = Api::all(workload.clone());
        for value in [json!("7"), Value::Null] {
            self.stage.patch::<BareMetalHost>(host, labels(value.clone())).await?;
            until(&format!("the Node's label being {value}"), LIMIT, async || {
                let labels = nodes.get(host).await?.metadata.labels.unwrap_or_default();
                ensure!(!labels.contains_key("other/label"), "a label without prefix was copied");
                Ok((labels.get("rack.example.com/row").map(String::as_str) == value.as_str()).then_some(()))
            })
            .await?;
        }
        Ok(())
    }

    /// A paused Cluster: its host can be moved, and nobody cries; resumed, everything is as before.
    async fn pause(&self, name: &str, host: &str) -> Result<()> {
        let paused = |value: bool| json!({"spec": {"paused": value}});
        self.stage.patch::<Cluster>("one", paused(true)).await?;
        until("the host being ready to move", LIMIT, async || {
            let all = self.hosts().get(host).await?.metadata.annotations.unwrap_or_default();
            let by = all.get(annotation::HOST_PAUSED).context("not paused")?;
            ensure!(by == annotation::HOST_PAUSED_BY_CAPM3);
            let saved: Value = serde_json::from_str(all.get(annotation::HOST_STATUS).context("no status saved")?)?;
            ensure!(saved["provisioning"]["state"] == "provisioned" && saved.get("hardware").is_none(), "{saved}");
            Ok((!all.contains_key(annotation::CLUSTERCTL_BLOCK_MOVE)).then_some(()))
        })
        .await?;
        until("the machine being called paused", LIMIT, async || {
            let conditions = self.machine(name).await?.status.unwrap_or_default().conditions;
            let is =
                |kind: &str| conditions.iter().any(|condition| condition.type_ == kind && condition.status == "True");
            Ok((is("Paused") && is("AssociateBareMetalHost") && is("Ready")).then_some(()))
        })
        .await?;
        self.stage.patch::<Cluster>("one", paused(false)).await?;
        until("the host being resumed", LIMIT, async || {
            let all = self.hosts().get(host).await?.metadata.annotations.unwrap_or_default();
            let resumed = !all.contains_key(annotation::HOST_PAUSED);
            Ok((resumed && all.contains_key(annotation::CLUSTERCTL_BLOCK_MOVE)).then_some(()))
        })
        .await
    }

    /// One machine more than hosts: its condition counts the hosts by reason. Then its selector matches nothing: the
    /// condition names the field, and a label on the free host is enough.
    async fn no_host_left(&self) -> Result<()> {
        self.scale(2).await?;
        let waiting = self.machine_that_says("2 hosts: 2 in use; add a BareMetalHost").await?;
        let selector = json!({"spec": {"hostSelector": {"matchLabels": {"rack": "7"}}}});
        self.stage.patch::<Metal3Machine>(&waiting, selector).await?;
        self.host("host-labelled").await?;
        let told = "1 with labels that spec.hostSelector does not match; label a host, or correct spec.hostSelector";
        ensure!(self.machine_that_says(told).await? == waiting);
        ensure!(self.hosts().get("host-labelled").await?.spec.consumer_ref.is_none(), "taken in spite of the selector");
        self.stage.patch::<BareMetalHost>("host-labelled", json!({"metadata": {"labels": {"rack": "7"}}})).await?;
        until("the labelled host being taken", LIMIT, async || {
            let user = self.hosts().get("host-labelled").await?.spec.consumer_ref.context("free")?;
            Ok((user.name.as_deref() == Some(waiting.as_str())).then_some(()))
        })
        .await?;
        self.hand_back(&waiting, "host-labelled").await
    }

    /// The machine whose condition about its host has these words.
    async fn machine_that_says(&self, words: &str) -> Result<String> {
        let machines: Api<Metal3Machine> = self.stage.api();
        until(&format!("a machine that says {words:?}"), LIMIT, async || {
            let mut told = Vec::new();
            for machine in machines.list(&ListParams::default()).await?.items {
                let conditions = machine.status.unwrap_or_default().conditions;
                let waits = conditions.iter().find(|is| is.type_ == "AssociateBareMetalHost" && is.status == "False");
                let Some(waits) = waits else { continue };
                if waits.message.contains(words) {
                    return Ok(machine.metadata.name);
                }
                told.push(waits.message.clone());
            }
            anyhow::bail!("they say {told:?}")
        })
        .await
    }

    /// Scales down by just this machine, whose host nobody has deployed yet, and takes the host away.
    async fn hand_back(&self, name: &str, host: &str) -> Result<()> {
        let owner = self.machine(name).await?.metadata.owner_references.unwrap_or_default().remove(0).name;
        let first = json!({"metadata": {"annotations": {"cluster.x-k8s.io/delete-machine": ""}}});
        self.stage.patch::<Machine>(&owner, first).await?;
        self.scale(1).await?;
        until("the labelled host being free", LIMIT, async || {
            Ok(self.hosts().get(host).await?.spec.consumer_ref.is_none().then_some(()))
        })
        .await?;
        self.hosts().delete(host, &DeleteParams::default()).await?;
        Ok(())
    }

    /// A roll-out without surge, with host reuse: the new machine gets the host of the old one, although another is
    /// free. The name of the new machine.
    async fn reuse(&self, old: &str, host: &str) -> Result<String> {
        self.stage.patch::<Metal3MachineTemplate>("one", json!({"spec": {"nodeReuse": true}})).await?;
        self.host("host-2").await?;
        let update = json!({"maxSurge": 0, "maxUnavailable": 1});
        let strategy = json!({"type": "RollingUpdate", "rollingUpdate": update});
        let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        self.stage
            .patch::<MachineDeployment>("one", json!({"spec": {"rollout": {"after": now, "strategy": strategy}}}))
            .await?;
        until("the old machine's image being taken off", LIMIT, async || {
            Ok(self.hosts().get(host).await?.spec.image.is_none().then_some(()))
        })
        .await?;
        self.state(host, ProvisioningState::Available).await?;
        let next = until("the next machine having the same host", LIMIT, async || {
            let found = self.hosts().get(host).await?;
            let user = found.spec.consumer_ref.context("the host is free for anybody")?;
            let name = user.name.unwrap_or_default();
            let labels = found.metadata.labels.unwrap_or_default();
            let kept = labels.get(label::NODE_REUSE).map(String::as_str);
            ensure!(name != old, "still of the old machine");
            ensure!(user.kind.as_deref() == Some("Metal3Machine"), "kept for {kept:?} by {:?}", user.kind);
            ensure!(kept.is_none(), "taken, but still labelled {kept:?}");
            Ok(found.spec.image.is_some().then_some(name))
        })
        .await?;
        ensure!(self.hosts().get("host-2").await?.spec.consumer_ref.is_none(), "the other host was taken");
        Ok(next)
    }

    /// Deletes the Machine of a Metal3Machine and follows its host until it is free.
    async fn release(&self, name: &str, host: &str) -> Result<()> {
        self.scale(0).await?;
        until("the image being taken off", LIMIT, async || {
            let found = self.hosts().get(host).await?;
            ensure!(found.spec.consumer_ref.is_some(), "freed before it was clean");
            Ok((found.spec.image.is_none() && found.spec.user_data.is_none() && !found.spec.online).then_some(()))
        })
        .await?;
        self.state(host, ProvisioningState::Deprovisioning).await?;
        until("the machine waiting for its host", LIMIT, async || {
            let status = self.machine(name).await?.status.unwrap_or_default();
            let ready = status.conditions.iter().find(|condition| condition.type_ == "Ready").context("no Ready")?;
            Ok(ready.message.contains("deprovisioning").then_some(()))
        })
        .await?;
        self.state(host, ProvisioningState::Available).await?;
        until("the host being free and the machine gone", LIMIT, async || {
            let found = self.hosts().get(host).await?;
            ensure!(found.spec.consumer_ref.is_none(), "consumer {:?}", found.spec.consumer_ref);
            let labels = found.metadata.labels.unwrap_or_default();
            ensure!(!labels.contains_key(label::CLUSTER_NAME), "labels {labels:?}");
            let machines: Api<Metal3Machine> = self.stage.api();
            Ok(machines.get_opt(name).await?.is_none().then_some(()))
        })
        .await
    }
}
