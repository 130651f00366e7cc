//! The stage of a story about the infrastructure provider: a level B, our kinds, a namespace, and played hosts.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, ensure};
use api::capi::{Cluster, Machine};
use api::infra::v1beta2::{Metal3Data, Metal3DataClaim, Metal3Machine};
use api::ipam::{IPAddress, IPClaim};
use api::metal3::{BareMetalHost, ProvisioningState};
use kube::api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::{NamespaceResourceScope, Resource};
use kube::{Api, Client};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::Player;
use crate::bench::{Bench, source_tree};
use crate::clusterctl::Request;
use crate::host::free_ports;
use crate::level_a::{self, ControlPlane, Options};
use crate::manager::Manager;
use crate::wait::until;
use crate::{level_b, manager, manifests, workload};

/// How long Cluster API and our controllers may take for one step of a story on a busy machine.
pub const LIMIT: Duration = Duration::from_mins(5);

/// Who acts for our kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cast {
    /// Only the definitions, without webhooks and conversion: the test itself brings or plays the controllers.
    Definitions,
    /// Our binary, once as `ipam` and once as `capi-provider`, with its webhooks and no more rights than we ship;
    /// definitions of hosts, unserved.
    Managers,
}

/// Everything a story needs around it.
pub struct Stage {
    /// The bench.
    pub bench: Bench,
    /// The management cluster.
    pub plane: ControlPlane,
    /// Its administrator.
    pub client: Client,
    /// The story's own namespace.
    pub namespace: String,
    managers: Vec<Manager>,
    workload: OnceCell<Client>,
}

impl Debug for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stage").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

impl Stage {
    /// Sets it. `name` is the bench's and unique among test programs; `guard` is the program `bench`.
    pub async fn set(name: &str, guard: &Path, cast: Cast) -> Result<Self> {
        let mut bench = Bench::fresh(name).await?;
        bench.guard(guard)?;
        let plane = level_a::start(&bench, Options::default()).await?;
        level_b::start(&bench, &plane).await?;
        let client = plane.client().await?;
        let managers = match cast {
            Cast::Definitions => {
                manifests::apply(&client, "default", &manifests::ours()?).await?;
                Vec::new()
            }
            Cast::Managers => managers(&plane, &client).await?,
        };
        let namespace = plane.namespace("story").await?;
        Ok(Self { bench, plane, client, namespace, managers, workload: OnceCell::new() })
    }

    /// Adds hosts `host-1` to `host-<count>`, inspected and free, and who plays them.
    pub async fn hosts(&self, count: u8) -> Result<Player> {
        let player = Player::new(self.client.clone(), &self.namespace);
        for number in 1..=count {
            player.add_host(&format!("host-{number}"), number, json!({})).await?;
        }
        Ok(player)
    }

    /// Tells a story while the hosts are played.
    pub async fn tell(&self, player: &Player, story: impl Future<Output = Result<()>>) -> Result<()> {
        tokio::select! {
            told = story => told,
            stopped = player.run(async || self.workload.get().cloned()) => stopped,
        }
    }

    /// Starts the API server behind a cluster's endpoint, once per stage; played hosts join it.
    pub async fn workload(&self, cluster: &str, port: u16) -> Result<ControlPlane> {
        let options = Options { name: cluster.to_owned(), port: Some(port), heartbeats: false, ..Options::default() };
        let plane = workload::start(&self.bench, &self.plane, &self.namespace, cluster, options).await?;
        ensure!(self.workload.set(plane.client().await?).is_ok(), "the stage has a workload cluster already");
        Ok(plane)
    }

    /// Stops everything. A story in which one of our managers was refused something for want of rights has failed.
    pub async fn strike(self) -> Result<()> {
        for manager in &self.managers {
            let refused = manager.refused().await?;
            ensure!(refused.is_empty(), "{} was refused: {refused:#?}", manager.process.name);
        }
        self.bench.wipe().await
    }

    /// Objects of a kind in the story's namespace.
    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// The same for a kind by name.
    pub async fn untyped(&self, version: &str, kind: &str) -> Result<Api<DynamicObject>> {
        let object = json!({"apiVersion": version, "kind": kind});
        let resource = manifests::resource(&self.client, &object).await?;
        Ok(manifests::api_of(&self.client, &self.namespace, &object, &resource))
    }

    /// All of them.
    pub async fn list<K>(&self) -> Result<Vec<K>>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
    {
        Ok(self.api::<K>().list(&ListParams::default()).await?.items)
    }

    /// A merge patch.
    pub async fn patch<K>(&self, name: &str, patch: Value) -> Result<()>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
    {
        self.api::<K>().patch(name, &PatchParams::default(), &Patch::Merge(patch)).await?;
        Ok(())
    }

    /// The objects of `assets/cluster.yaml`, a cluster `one` of one control plane machine and one worker, and the free
    /// port that is its endpoint. Apply them with [`Stage::apply`].
    pub fn small_cluster(&self) -> Result<(Vec<Value>, u16)> {
        let port = free_port()?;
        let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/cluster.yaml"))?;
        Ok((manifests::parse(&text.replace("6443", &port.to_string()))?, port))
    }

    /// The same with meta data for the machines, which played hosts need to join as Nodes.
    pub fn small_cluster_with_data(&self) -> Result<(Vec<Value>, u16)> {
        let (mut objects, port) = self.small_cluster()?;
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
        Ok((objects, port))
    }

    /// Applies objects in the story's namespace.
    pub async fn apply(&self, objects: &[Value]) -> Result<()> {
        manifests::apply(&self.client, &self.namespace, objects).await?;
        Ok(())
    }

    /// What `clusterctl generate cluster` is asked for a cluster `c1` with one control plane machine on this stage, and
    /// the free port that is its endpoint.
    pub fn request(&self, from: Option<&str>, workers: u32) -> Result<(Request, u16)> {
        let port = free_port()?;
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
        let from: Option<PathBuf> = from.map(|file| Ok::<_, anyhow::Error>(source_tree()?.join(file))).transpose()?;
        let request = Request {
            name: "c1".to_owned(),
            namespace: self.namespace.clone(),
            from,
            flavor: None,
            control_plane: 1,
            workers,
            variables: values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<BTreeMap<_, _>>(),
        };
        Ok((request, port))
    }

    /// Waits until there are exactly this many Machines, and Cluster API calls them all running.
    pub async fn running(&self, count: usize) -> Result<()> {
        until(&format!("{count} running machines"), LIMIT, async || {
            let machines = self.list::<Machine>().await?;
            let phases: Vec<_> =
                machines.iter().map(|machine| machine.status.as_ref().and_then(|s| s.phase.clone())).collect();
            let ours = self.list::<Metal3Machine>().await?;
            let told: Vec<_> = ours.into_iter().map(|machine| machine.status.unwrap_or_default().conditions).collect();
            ensure!(phases == vec![Some("Running".to_owned()); count], "machines are {phases:?}, ours say {told:?}");
            Ok(Some(()))
        })
        .await
    }

    /// Waits until so many hosts are available, nobody's and without image.
    pub async fn free_hosts(&self, count: usize) -> Result<()> {
        until(&format!("{count} free hosts"), LIMIT, async || {
            let hosts = self.list::<BareMetalHost>().await?;
            let free = hosts.iter().filter(|host| {
                let state = host.status.as_ref().map(|status| &status.provisioning.state);
                let available = state == Some(&ProvisioningState::Available);
                host.spec.consumer_ref.is_none() && host.spec.image.is_none() && available
            });
            Ok((free.count() == count).then_some(()))
        })
        .await
    }

    /// Waits until no machine has left anything behind. A Cluster can be gone before: the garbage collector and the
    /// controllers end what its machines owned afterwards.
    pub async fn nothing_left_of_machines(&self) -> Result<()> {
        until("nothing being left of the machines", LIMIT, async || {
            let left = [
                ("machines", self.list::<Metal3Machine>().await?.len()),
                ("data claims", self.list::<Metal3DataClaim>().await?.len()),
                ("data", self.list::<Metal3Data>().await?.len()),
                ("address claims", self.list::<IPClaim>().await?.len()),
                ("addresses", self.list::<IPAddress>().await?.len()),
            ];
            ensure!(left.iter().all(|(_, count)| *count == 0), "{left:?}");
            Ok(Some(()))
        })
        .await
    }

    /// Deletes a Cluster and waits until it is gone.
    pub async fn delete_cluster(&self, name: &str) -> Result<()> {
        let clusters = self.api::<Cluster>();
        clusters.delete(name, &DeleteParams::default()).await?;
        until("the cluster being gone", LIMIT, async || Ok(clusters.get_opt(name).await?.is_none().then_some(()))).await
    }
}

fn free_port() -> Result<u16> {
    let ports = free_ports(None, IpAddr::V4(Ipv4Addr::LOCALHOST), 1)?;
    ports.first().copied().ok_or_else(|| anyhow::anyhow!("no free port"))
}

async fn managers(plane: &ControlPlane, client: &Client) -> Result<Vec<Manager>> {
    let mut hosts = manager::component("bmo")?;
    hosts.retain(|object| object["kind"] == "CustomResourceDefinition");
    manifests::apply(client, "default", &hosts).await?;
    let mut all = Vec::new();
    for (subcommand, folder) in [("ipam", "ipam-metal3"), ("capi-provider", "infrastructure-metal3")] {
        let options = manager::Options {
            name: subcommand.into(),
            args: vec![subcommand.into()],
            shipped_rights: true,
            ..manager::Options::default()
        };
        all.push(manager::start(plane, manager::component(folder)?, options).await?);
    }
    Ok(all)
}
