//! Clients of workload clusters, made from the `<cluster>-kubeconfig` Secrets, and what their Nodes say.
//!
//! One cluster that does not answer must not hold up the others: every request has a time limit, a failed cluster
//! is left alone for a growing time, and until then its last fault is answered at once. One Node list per cluster
//! serves all of its machines for a few seconds.

mod kubeconfig;
mod repair;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::{Node, Taint};
use kit::client::{Io, Limits};
use kit::pass::{Class, Fault, Key, Target, Write};
use kit::wakes::Bell;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::json;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::kubeconfig::kubeconfig;
pub use self::kubeconfig::{KUBECONFIG_KEY, KubeconfigError};
pub use self::repair::{GIVE_UP, NodeInRepair, OUT_OF_SERVICE, forbidden};

/// Suffix of the Secret that holds a workload cluster's kubeconfig; Cluster API makes it.
pub const KUBECONFIG_SUFFIX: &str = "-kubeconfig";

/// How long a Node list may serve passes.
const FRESH: Duration = Duration::from_secs(5);
/// First and longest time a failing cluster is left alone.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(2), Duration::from_mins(1));
/// Time limits of requests to a workload cluster: short, because several clusters share the workers.
const LIMITS: Limits =
    Limits { read: Duration::from_secs(5), write: Duration::from_secs(10), list: Duration::from_secs(10) };
/// Time limit of reaching a workload cluster.
const CONNECT: Duration = Duration::from_secs(3);

/// What matters of a Node of a workload cluster.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NodeSeen {
    /// Name.
    pub name: String,
    /// Uid, the precondition of writes.
    pub uid: String,
    /// `spec.providerID`; `None` when empty.
    pub provider_id: Option<String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

impl NodeSeen {
    fn of(node: Node) -> Self {
        Self {
            name: node.metadata.name.unwrap_or_default(),
            uid: node.metadata.uid.unwrap_or_default(),
            provider_id: node.spec.and_then(|spec| spec.provider_id).filter(|id| !id.is_empty()),
            labels: node.metadata.labels.unwrap_or_default(),
        }
    }
}

/// A write to one Node of a workload cluster.
#[derive(Debug, Clone, PartialEq)]
pub enum NodeWrite {
    /// Sets `spec.providerID` of a Node that has none.
    ProviderId {
        /// The Node.
        node: String,
        /// Its uid: a Node of the same name made later is not touched.
        uid: String,
        /// The value.
        id: String,
    },
    /// Sets (`Some`) and removes (`None`) labels.
    Labels {
        /// The Node.
        node: String,
        /// Its uid.
        uid: String,
        /// Label changes.
        labels: BTreeMap<String, Option<String>>,
    },
    /// Replaces the taints.
    Taints {
        /// The Node.
        node: String,
        /// Its uid.
        uid: String,
        /// The resourceVersion that the list was made from: others taint Nodes, too.
        version: String,
        /// All taints.
        taints: Vec<Taint>,
    },
    /// Adds labels and annotations.
    Restore {
        /// The Node.
        node: String,
        /// Its uid.
        uid: String,
        /// Labels that it has not.
        labels: BTreeMap<String, String>,
        /// Annotations that it has not.
        annotations: BTreeMap<String, String>,
    },
    /// Deletes the Node.
    Delete {
        /// The Node.
        node: String,
        /// Its uid: a Node that came back meanwhile stays.
        uid: String,
    },
}

impl NodeWrite {
    fn as_write(&self) -> Write {
        let target = |node: &String, uid: &String, version: Option<&String>| Target {
            uid: Some(uid.clone()),
            resource_version: version.cloned(),
            ..Target::new::<Node>(Key::new("", node.as_str()))
        };
        let patch = |target, body| Write::Patch { target, body };
        match self {
            Self::ProviderId { node, uid, id } => patch(target(node, uid, None), json!({"spec": {"providerID": id}})),
            Self::Labels { node, uid, labels } => {
                patch(target(node, uid, None), json!({"metadata": {"labels": labels}}))
            }
            Self::Taints { node, uid, version, taints } => {
                patch(target(node, uid, Some(version)), json!({"spec": {"taints": taints}}))
            }
            Self::Restore { node, uid, labels, annotations } => {
                patch(target(node, uid, None), json!({"metadata": {"labels": labels, "annotations": annotations}}))
            }
            Self::Delete { node, uid } => Write::Delete { target: target(node, uid, None) },
        }
    }
}

/// What is known of one workload cluster.
#[derive(Default)]
struct Slot {
    /// The client and the resourceVersion of the Secret that it was made from.
    io: Option<(String, Io)>,
    nodes: Option<(Instant, Arc<[NodeSeen]>)>,
    failures: u32,
    asleep: Option<(Instant, Fault)>,
}

/// Who waits for Nodes of a cluster.
#[derive(Debug, Default)]
struct Waiting {
    keys: BTreeSet<Key>,
    /// When somebody last asked.
    asked: Option<Instant>,
    /// Whether a watch of the cluster's Nodes runs.
    watched: bool,
    /// Whether a Node changed since the last list.
    changed: bool,
}

/// The workload clusters. Cheap to clone; all clones share the connections.
#[derive(Clone)]
pub struct Remotes {
    management: Io,
    slots: Arc<Mutex<BTreeMap<Key, Arc<tokio::sync::Mutex<Slot>>>>>,
    waiting: Arc<Mutex<BTreeMap<Key, Waiting>>>,
    bell: Bell,
    stop: CancellationToken,
}

impl std::fmt::Debug for Remotes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remotes").finish_non_exhaustive()
    }
}

impl Remotes {
    /// Workload clusters whose Secrets are in the management cluster.
    pub fn new(management: Io, stop: CancellationToken) -> Self {
        Self { management, slots: Arc::default(), waiting: Arc::default(), bell: Bell::new(), stop }
    }

    /// Wakes the Metal3Machines that asked for Nodes, when those change.
    pub fn bell(&self) -> &Bell {
        &self.bell
    }

    /// As [`Remotes::nodes`], for a machine that waits for its Node: it is woken by the next change of any Node.
    pub async fn nodes_for(&self, cluster: &Key, machine: &Key) -> Result<Arc<[NodeSeen]>, Fault> {
        // Registered before the list, so that no change falls between the two.
        {
            let mut all = self.waiting();
            let waiting = all.entry(cluster.clone()).or_default();
            waiting.keys.insert(machine.clone());
            waiting.asked = Some(Instant::now());
        }
        let nodes = self.nodes(cluster).await?;
        self.watch(cluster).await;
        Ok(nodes)
    }

    /// The Nodes of a cluster, at most a few seconds old.
    pub async fn nodes(&self, cluster: &Key) -> Result<Arc<[NodeSeen]>, Fault> {
        self.nodes_within(cluster, FRESH).await
    }

    /// The Nodes of a cluster, at most so old: however many ask, a cluster is listed once in that time, and once more
    /// after a change that somebody waits for.
    pub async fn nodes_within(&self, cluster: &Key, age: Duration) -> Result<Arc<[NodeSeen]>, Fault> {
        let slot = self.slot(cluster);
        let mut slot = slot.lock().await;
        let now = Instant::now();
        if self.waiting().get_mut(cluster).is_some_and(|waiting| std::mem::take(&mut waiting.changed)) {
            slot.nodes = None;
        }
        if let Some((seen, nodes)) = &slot.nodes
            && now.duration_since(*seen) < age
        {
            return Ok(nodes.clone());
        }
        let io = self.connected(cluster, &mut slot, now).await?;
        match io.list::<Node>(None, None).await {
            Ok(list) => {
                let nodes: Arc<[NodeSeen]> = list.into_iter().map(NodeSeen::of).collect();
                slot.nodes = Some((Instant::now(), nodes.clone()));
                slot.failures = 0;
                Ok(nodes)
            }
            Err(fault) => Err(sleep(&mut slot, named(cluster, &fault))),
        }
    }

    /// Writes to a Node. The next [`Remotes::nodes`] knows of it, or reads again.
    pub async fn write(&self, cluster: &Key, write: &NodeWrite) -> Result<(), Fault> {
        let slot = self.slot(cluster);
        let mut slot = slot.lock().await;
        let io = self.connected(cluster, &mut slot, Instant::now()).await?;
        let known = slot.nodes.take();
        let written = io.apply(&write.as_write()).await.map_err(|fault| named(cluster, &fault))?;
        slot.nodes = known.and_then(|(seen, nodes)| Some((seen, with(&nodes, written)?)));
        Ok(())
    }

    /// Drops the connection of a cluster that is gone.
    pub fn forget(&self, cluster: &Key) {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).remove(cluster);
        self.waiting().remove(cluster);
    }

    fn waiting(&self) -> MutexGuard<'_, BTreeMap<Key, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slot(&self, cluster: &Key) -> Arc<tokio::sync::Mutex<Slot>> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.entry(cluster.clone()).or_default().clone()
    }

    /// The client of a cluster; made anew when the Secret changed. Answers the last fault while the cluster rests.
    async fn connected(&self, cluster: &Key, slot: &mut Slot, now: Instant) -> Result<Io, Fault> {
        if let Some((until, fault)) = &slot.asleep
            && now < *until
        {
            return Err(fault.clone());
        }
        let name = format!("{}{KUBECONFIG_SUFFIX}", cluster.name);
        let secret = self.management.secret(&Key::new(cluster.namespace.as_str(), name.as_str())).await?;
        let Some(secret) = secret else {
            slot.io = None;
            return Err(sleep(slot, KubeconfigError::NoSecret(name).fault()));
        };
        let version = secret.metadata.resource_version.clone().unwrap_or_default();
        if let Some((known, io)) = &slot.io
            && *known == version
        {
            return Ok(io.clone());
        }
        let parsed = match kubeconfig(&name, &secret) {
            Ok(parsed) => parsed,
            Err(error) => return Err(sleep(slot, error.fault())),
        };
        match connect(parsed).await {
            Ok(io) => {
                slot.io = Some((version, io.clone()));
                Ok(io)
            }
            // The cause is not shown: it may quote parts of the Secret.
            Err(_) => Err(sleep(slot, KubeconfigError::NotAKubeconfig(name).fault())),
        }
    }
}

/// The Nodes after a write to one of them, so that many writes need no list each; `None` where they must be read.
fn with(nodes: &[NodeSeen], written: serde_json::Value) -> Option<Arc<[NodeSeen]>> {
    let written = NodeSeen::of(serde_json::from_value(written).ok()?);
    let place = nodes.iter().position(|node| node.name == written.name && node.uid == written.uid)?;
    let mut nodes = nodes.to_vec();
    nodes[place] = written;
    Some(nodes.into())
}

/// Leaves a cluster alone for a while, longer after each failure in a row.
fn sleep(slot: &mut Slot, fault: Fault) -> Fault {
    let time = rest(slot.failures);
    slot.failures = slot.failures.saturating_add(1);
    slot.asleep = Some((Instant::now() + time, fault.clone()));
    fault
}

fn rest(failures: u32) -> Duration {
    BACKOFF.0.saturating_mul(1 << failures.min(8)).min(BACKOFF.1)
}

fn named(cluster: &Key, fault: &Fault) -> Fault {
    let class = if fault.class == Class::Bug { Class::Peer } else { fault.class };
    let hint = match class {
        Class::Backoff => " (its API server may still be starting, or cannot be reached from here)",
        Class::Again | Class::User | Class::Peer | Class::Bug => "",
    };
    Fault::new(class, fault.reason, format!("workload cluster {cluster}: {}{hint}", fault.message))
}

async fn connect(kubeconfig: Kubeconfig) -> Result<Io, kit::client::ConnectError> {
    let mut config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .map_err(|source| kit::client::ConnectError::Kubeconfig { path: String::new(), source })?;
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT);
    Ok(Io::new(kube::Client::try_from(config)?).with_limits(LIMITS))
}

#[cfg(test)]
mod tests;
