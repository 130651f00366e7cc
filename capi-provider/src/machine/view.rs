//! What a pass over a Metal3Machine knows: the snapshot that every decision below is made on.

use std::sync::Arc;

use api::capi::{Cluster, Machine};
use api::infra::v1beta2::{Metal3Cluster, Metal3Data, Metal3DataClaim, Metal3Machine};
use api::metal3::BareMetalHost;
use api::names::{annotation, label};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kit::pass::{Fault, Key};
use kube::core::PartialObjectMeta;

use super::consumer;
use crate::remote::NodeSeen;

/// What the operator of the controller decides for all machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Settings {
    /// Leave released hosts on, so that the next deployment skips one boot (`CAPM3_FAST_TRACK`).
    pub fast_track: bool,
    /// Refuse hosts outside the failure domain that Cluster API chose, instead of preferring those inside.
    pub strict_failure_domains: bool,
}

/// The hosts that matter to a machine.
#[derive(Debug, Clone, Default)]
pub struct Hosts {
    /// Hosts whose `consumerRef` is this machine, ordered by name. More than one only after a fault of old releases.
    pub ours: Vec<Arc<BareMetalHost>>,
    /// The host that the machine's annotation names, if it exists and is not in `ours`. Read from the API server,
    /// past the cache: a claim may have succeeded although its answer was lost.
    pub named: Option<Arc<BareMetalHost>>,
    /// All hosts of the namespace, when a host is to be chosen.
    pub candidates: Vec<Arc<BareMetalHost>>,
}

/// What the machine's owner says about reusing hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reuse {
    /// `cp-<control plane>` or `md-<deployment>`: the value of the reuse label.
    pub owner: Option<String>,
    /// Whether the owner's machine template asks to keep released hosts. Only known while a host is released.
    pub keep: Result<bool, Fault>,
}

impl Default for Reuse {
    fn default() -> Self {
        Self { owner: None, keep: Ok(false) }
    }
}

/// What is known of the workload cluster's Nodes.
#[derive(Debug, Clone, Default)]
pub enum Nodes {
    /// Nobody needs to know now.
    #[default]
    NotAsked,
    /// All Nodes.
    Seen(Arc<[NodeSeen]>),
    /// The workload cluster could not be asked.
    Unknown(Fault),
}

/// The snapshot.
#[derive(Debug, Clone)]
pub struct View {
    /// When it was taken.
    pub now: Timestamp,
    /// Settings of the controller.
    pub settings: Settings,
    /// The object of this pass.
    pub machine: Arc<Metal3Machine>,
    /// The Cluster API Machine that owns it.
    pub owner: Option<Arc<Machine>>,
    /// The Cluster.
    pub cluster: Option<Arc<Cluster>>,
    /// The Metal3Cluster.
    pub infra: Option<Arc<Metal3Cluster>>,
    /// Hosts.
    pub hosts: Hosts,
    /// The machine's Metal3DataClaim: it has the machine's name.
    pub claim: Option<Arc<Metal3DataClaim>>,
    /// The Metal3Data that answers the claim.
    pub data: Option<Arc<Metal3Data>>,
    /// Metadata of the host's BMC Secret, while its label matters.
    pub bmc_secret: Option<PartialObjectMeta<Secret>>,
    /// Host reuse.
    pub reuse: Reuse,
    /// The workload cluster.
    pub nodes: Nodes,
}

impl View {
    /// Namespace of the machine and of everything that it may use.
    pub fn namespace(&self) -> &str {
        self.machine.metadata.namespace.as_deref().unwrap_or_default()
    }
    /// Name of the machine.
    pub fn name(&self) -> &str {
        self.machine.metadata.name.as_deref().unwrap_or_default()
    }
    /// Name of the Cluster: of the owner, or of the machine's own label when the owner is gone.
    pub fn cluster_name(&self) -> Option<&str> {
        let owner = self.owner.as_ref().map(|owner| owner.spec.cluster_name.as_str()).filter(|name| !name.is_empty());
        let label = || self.machine.metadata.labels.as_ref()?.get(label::CLUSTER_NAME).map(String::as_str);
        owner.or_else(label)
    }
    /// Key of the Cluster.
    pub fn cluster_key(&self) -> Option<Key> {
        self.cluster_name().map(|name| Key::new(self.namespace(), name))
    }
    /// Whether deletion was asked for.
    pub fn deleting(&self) -> bool {
        self.machine.metadata.deletion_timestamp.is_some()
    }
    /// Whether the Cluster is paused: then hosts are prepared for a move.
    pub fn cluster_paused(&self) -> bool {
        self.cluster.as_ref().is_some_and(|cluster| cluster.is_paused())
    }
    /// Whether nothing may be done.
    pub fn paused(&self) -> bool {
        self.cluster_paused() || kit::owners::paused(&self.machine.metadata)
    }
    /// The name in the machine's host annotation, if it points into the own namespace; others are ignored.
    pub fn named_host(&self) -> Option<&str> {
        named_host(&self.machine)
    }
    /// The machine's host: the one it uses, the named one first.
    pub fn host(&self) -> Option<&Arc<BareMetalHost>> {
        let named = self.named_host();
        let is_named = |host: &&Arc<BareMetalHost>| host.metadata.name.as_deref() == named;
        self.hosts.ours.iter().find(is_named).or_else(|| self.hosts.ours.first())
    }
    /// Whether Cluster API was told that the machine is there.
    pub fn provisioned(&self) -> bool {
        provisioned(&self.machine)
    }
    /// Whether the machine is bound to the named host for good: that ran its image, and Cluster API or a Node may know
    /// its provider ID.
    pub fn committed(&self) -> bool {
        let known = self.machine.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
        let ran = kit::conditions::is_true(known, super::status::HOST_PROVISIONED);
        ran || self.provisioned() || self.machine.spec.provider_id.is_some()
    }
    /// Whether an external cloud provider writes provider IDs.
    pub fn cloud_provider(&self) -> bool {
        self.infra.as_ref().is_some_and(|infra| infra.spec.cloud_provider_enabled == Some(true))
    }
    /// Whether a host is used by this machine.
    pub fn uses(&self, host: &BareMetalHost) -> bool {
        consumer::uses(&self.machine, host)
    }
}

/// Whether a machine is reported as provisioned.
pub fn provisioned(machine: &Metal3Machine) -> bool {
    machine.status.as_ref().and_then(|status| status.initialization).and_then(|i| i.provisioned) == Some(true)
}

/// The host that a machine's annotation names in its own namespace.
pub fn named_host(machine: &Metal3Machine) -> Option<&str> {
    let value = machine.metadata.annotations.as_ref()?.get(annotation::MACHINE_HOST)?;
    let (namespace, name) = value.split_once('/')?;
    (Some(namespace) == machine.metadata.namespace.as_deref() && !name.is_empty()).then_some(name)
}
