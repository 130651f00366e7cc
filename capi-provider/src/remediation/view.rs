//! What a pass over a Metal3Remediation knows.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use api::capi::Machine;
use api::infra::v1beta2::{Metal3Remediation, RemediationPhase, RemediationStrategy};
use api::infra::validate::remediation::DEFAULT_TIMEOUT_SECONDS;
use api::metal3::BareMetalHost;
use api::names::{annotation, finalizer};
use jiff::Timestamp;
use kit::owners;
use kit::pass::{Fault, Key};

use crate::remote::NodeInRepair;

/// What is known of the machine's Node.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum NodeState {
    /// Nobody needs to know now.
    #[default]
    NotAsked,
    /// There is no Node: it never came, or it is deleted.
    Absent,
    /// There it is.
    Seen(Box<NodeInRepair>),
    /// The kubeconfig gives no right to it.
    Forbidden,
    /// The workload cluster could not be asked.
    Unknown(Fault),
}

/// The snapshot.
#[derive(Debug, Clone)]
pub struct View {
    /// When it was taken.
    pub now: Timestamp,
    /// The object of this pass.
    pub remediation: Arc<Metal3Remediation>,
    /// The Machine that owns it.
    pub owner: Option<Arc<Machine>>,
    /// Whether the Cluster is paused.
    pub cluster_paused: bool,
    /// The host that the Machine's Metal3Machine uses.
    pub host: Option<Arc<BareMetalHost>>,
    /// Hosts that this remediation keeps off; after a fault or a move not only the machine's own.
    pub kept_off: Vec<Arc<BareMetalHost>>,
    /// Uids of the other remediations of the Machine.
    pub others: BTreeSet<String>,
    /// The Node.
    pub node: NodeState,
}

impl View {
    /// Whether nothing may be done.
    pub fn paused(&self) -> bool {
        self.cluster_paused || owners::paused(&self.remediation.metadata)
    }
    /// Whether the repair is over from outside: the machine is healthy again, or about to go.
    pub fn over(&self) -> bool {
        self.deleting() || self.owner.as_ref().is_none_or(|owner| owner.metadata.deletion_timestamp.is_some())
    }
    /// Whether deletion was asked for.
    pub fn deleting(&self) -> bool {
        self.remediation.metadata.deletion_timestamp.is_some()
    }
    /// The phase; `None` before the first.
    pub fn phase(&self) -> Option<&RemediationPhase> {
        self.remediation.status.as_ref()?.phase.as_ref()
    }
    /// Whether something of it must be undone before it may go.
    pub fn holds(&self) -> bool {
        owners::has_finalizer(&*self.remediation, finalizer::METAL3_REMEDIATION)
    }
    /// The annotation that keeps a host off while it is there.
    pub fn off_annotation(&self) -> String {
        let uid = self.remediation.metadata.uid.as_deref().unwrap_or_default();
        format!("{}{uid}", annotation::REMEDIATION_POWER_OFF_PREFIX)
    }
    /// Whether this remediation keeps the machine's host off.
    pub fn keeps_off(&self) -> bool {
        let key = self.off_annotation();
        let annotations = self.host.as_ref().and_then(|host| host.metadata.annotations.as_ref());
        annotations.is_some_and(|all| all.contains_key(&key))
    }
    /// Whether the machine is on, as far as is known.
    pub fn on(&self) -> bool {
        self.host.as_ref().and_then(|host| host.status.as_ref()).is_some_and(|status| status.powered_on)
    }
    /// When the present try began.
    pub fn began(&self) -> Timestamp {
        let since = self.remediation.status.as_ref().and_then(|status| status.last_remediated.as_ref());
        since.map_or(self.now, |since| since.0)
    }
    /// How long the present try lasts.
    pub fn lasts(&self) -> Duration {
        Duration::try_from(self.now.duration_since(self.began())).unwrap_or_default()
    }
    /// How long a try may last.
    pub fn limit(&self) -> Duration {
        let seconds = self.strategy().and_then(|strategy| strategy.timeout_seconds).filter(|seconds| *seconds > 0);
        Duration::from_secs(u64::from(seconds.unwrap_or(DEFAULT_TIMEOUT_SECONDS).unsigned_abs()))
    }
    /// Whether another try may follow this one.
    pub fn may_retry(&self) -> bool {
        let made = self.remediation.status.as_ref().and_then(|status| status.retry_count).unwrap_or(0);
        self.strategy().and_then(|strategy| strategy.retry_limit).unwrap_or(1) > made
    }
    fn strategy(&self) -> Option<&RemediationStrategy> {
        self.remediation.spec.strategy.as_ref()
    }
    /// The workload cluster and the name of the machine's Node in it.
    pub fn node_name(&self) -> Option<(Key, &str)> {
        let owner = self.owner.as_ref()?;
        let namespace = owner.metadata.namespace.clone().unwrap_or_default();
        Some((Key::new(namespace, owner.spec.cluster_name.as_str()), owner.node_name()?))
    }
    /// Whether the Node must be looked at now.
    pub fn asks_for_node(&self) -> bool {
        if self.paused() || !self.holds() {
            return false;
        }
        if self.over() {
            return self.deleting() && self.owner.as_ref().is_some_and(|it| it.metadata.deletion_timestamp.is_none());
        }
        match self.phase() {
            Some(RemediationPhase::Running) => self.keeps_off() && !self.on(),
            Some(RemediationPhase::Waiting) => !self.keeps_off() && self.on(),
            Some(RemediationPhase::Failed) => true,
            Some(RemediationPhase::DeletingMachine | RemediationPhase::Other(_)) | None => false,
        }
    }
}
