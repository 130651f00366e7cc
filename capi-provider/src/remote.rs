//! Clients of workload clusters, made from the `<cluster>-kubeconfig` Secrets, and what their Nodes say.
//!
//! One cluster that does not answer must not hold up the others: every request has a time limit, a failed cluster
//! is left alone for a growing time, and until then its last fault is answered at once. One Node list per cluster
//! serves all of its machines for a few seconds.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::{Node, Secret};
use kit::client::{Io, Limits};
use kit::pass::{Class, Fault, Key, Target, Write};
use kube::config::{AuthInfo, Cluster as KubeconfigCluster, KubeConfigOptions, Kubeconfig};
use serde_json::json;
use tokio::time::Instant;

/// Suffix of the Secret that holds a workload cluster's kubeconfig; Cluster API makes it.
pub const KUBECONFIG_SUFFIX: &str = "-kubeconfig";
/// Data key of the kubeconfig in that Secret.
pub const KUBECONFIG_KEY: &str = "value";

/// How long a Node list may serve passes.
const FRESH: Duration = Duration::from_secs(5);
/// First and longest time a failing cluster is left alone.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(2), Duration::from_mins(1));
/// Time limits of requests to a workload cluster: short, because several clusters share the workers.
const LIMITS: Limits = Limits { read: Duration::from_secs(5), write: Duration::from_secs(10) };
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
#[derive(Debug, Clone, PartialEq, Eq)]
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
}

impl NodeWrite {
    fn as_write(&self) -> Write {
        let (node, uid, body) = match self {
            Self::ProviderId { node, uid, id } => (node, uid, json!({ "spec": { "providerID": id } })),
            Self::Labels { node, uid, labels } => (node, uid, json!({ "metadata": { "labels": labels } })),
        };
        let mut target = Target::new::<Node>(Key::new("", node.as_str()));
        target.uid = Some(uid.clone());
        Write::Patch { target, body }
    }
}

/// Why a kubeconfig cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KubeconfigError {
    /// There is no Secret yet.
    #[error("secret {0} does not exist yet; Cluster API makes it with the control plane")]
    NoSecret(String),
    /// The Secret has no kubeconfig.
    #[error("secret {0} has no data key \"value\" with a kubeconfig")]
    NoValue(String),
    /// It is not a kubeconfig.
    #[error("secret {0} does not hold a kubeconfig that can be read")]
    NotAKubeconfig(String),
    /// It would run a program or read a file of the controller's own container.
    #[error(
        "secret {secret} uses {field}, which would run a program or read a file here; put certificates, keys and tokens into the kubeconfig itself"
    )]
    ReachesOut {
        /// The Secret.
        secret: String,
        /// The field.
        field: &'static str,
    },
}

impl KubeconfigError {
    fn fault(&self) -> Fault {
        let (class, reason) = match self {
            Self::NoSecret(_) => (Class::Backoff, "KubeconfigMissing"),
            Self::NoValue(_) | Self::NotAKubeconfig(_) => (Class::User, "KubeconfigInvalid"),
            Self::ReachesOut { .. } => (Class::User, "KubeconfigRefused"),
        };
        Fault::new(class, reason, self.to_string())
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

/// The workload clusters. Cheap to clone; all clones share the connections.
#[derive(Clone)]
pub struct Remotes {
    management: Io,
    slots: Arc<Mutex<BTreeMap<Key, Arc<tokio::sync::Mutex<Slot>>>>>,
}

impl std::fmt::Debug for Remotes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remotes").finish_non_exhaustive()
    }
}

impl Remotes {
    /// Workload clusters whose Secrets are in the management cluster.
    pub fn new(management: Io) -> Self {
        Self { management, slots: Arc::default() }
    }

    /// The Nodes of a cluster, at most a few seconds old.
    pub async fn nodes(&self, cluster: &Key) -> Result<Arc<[NodeSeen]>, Fault> {
        let slot = self.slot(cluster);
        let mut slot = slot.lock().await;
        let now = Instant::now();
        if let Some((seen, nodes)) = &slot.nodes
            && now.duration_since(*seen) < FRESH
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

    /// Writes to a Node. The next [`Remotes::nodes`] reads again.
    pub async fn write(&self, cluster: &Key, write: &NodeWrite) -> Result<(), Fault> {
        let slot = self.slot(cluster);
        let mut slot = slot.lock().await;
        let io = self.connected(cluster, &mut slot, Instant::now()).await?;
        slot.nodes = None;
        io.apply(&write.as_write()).await.map(drop).map_err(|fault| named(cluster, &fault))
    }

    /// Drops the connection of a cluster that is gone.
    pub fn forget(&self, cluster: &Key) {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).remove(cluster);
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
    Fault::new(class, fault.reason, format!("workload cluster {cluster}: {}", fault.message))
}

async fn connect(kubeconfig: Kubeconfig) -> Result<Io, kit::client::ConnectError> {
    let mut config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .map_err(|source| kit::client::ConnectError::Kubeconfig { path: String::new(), source })?;
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT);
    Ok(Io::new(kube::Client::try_from(config)?).with_limits(LIMITS))
}

/// The kubeconfig of a Secret, if it keeps to itself. Tenants may write such Secrets: a kubeconfig that runs a
/// program or names a file would act with this controller's rights.
fn kubeconfig(name: &str, secret: &Secret) -> Result<Kubeconfig, KubeconfigError> {
    let bytes = secret.data.as_ref().and_then(|data| data.get(KUBECONFIG_KEY));
    let bytes = bytes.ok_or_else(|| KubeconfigError::NoValue(name.to_owned()))?;
    let unreadable = || KubeconfigError::NotAKubeconfig(name.to_owned());
    let text = std::str::from_utf8(&bytes.0).map_err(|_| unreadable())?;
    let parsed = Kubeconfig::from_yaml(text).map_err(|_| unreadable())?;
    let users = parsed.auth_infos.iter().filter_map(|user| user.auth_info.as_ref()).find_map(user_reaches_out);
    let clusters = parsed.clusters.iter().filter_map(|cluster| cluster.cluster.as_ref()).find_map(cluster_reaches_out);
    match users.or(clusters) {
        Some(field) => Err(KubeconfigError::ReachesOut { secret: name.to_owned(), field }),
        None => Ok(parsed),
    }
}

fn user_reaches_out(user: &AuthInfo) -> Option<&'static str> {
    let fields = [
        (user.exec.is_some(), "exec"),
        (user.auth_provider.is_some(), "auth-provider"),
        (user.token_file.is_some(), "tokenFile"),
        (user.client_certificate.is_some(), "client-certificate"),
        (user.client_key.is_some(), "client-key"),
    ];
    fields.into_iter().find_map(|(used, field)| used.then_some(field))
}

fn cluster_reaches_out(cluster: &KubeconfigCluster) -> Option<&'static str> {
    let fields = [
        (cluster.certificate_authority.is_some(), "certificate-authority"),
        (cluster.proxy_url.is_some(), "proxy-url"),
    ];
    fields.into_iter().find_map(|(used, field)| used.then_some(field))
}

#[cfg(test)]
mod tests;
