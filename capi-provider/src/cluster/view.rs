//! What a pass over a Metal3Cluster knows.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::capi::Cluster;
use api::infra::v1beta2::{ApiEndpoint, Metal3Cluster};
use api::metal3::BareMetalHost;
use jiff::Timestamp;

/// What a control plane or deployment needs, as far as hosts kept for it are concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Demand {
    /// It does not exist any more.
    Gone,
    /// It could not be read.
    Unknown,
    /// It exists.
    Wants {
        /// Machines wanted.
        replicas: usize,
        /// Machines that are not being deleted.
        live: usize,
        /// Those of them that have no host yet.
        waiting: usize,
    },
}

impl Demand {
    /// Whether a host kept for it will not be asked for: before the next roll-out, every machine has its host.
    pub fn is_met(&self) -> bool {
        match self {
            Self::Gone => true,
            Self::Unknown => false,
            Self::Wants { replicas, live, waiting } => live >= replicas && *waiting == 0,
        }
    }
}

/// The snapshot.
#[derive(Debug, Clone)]
pub struct View {
    /// When it was taken.
    pub now: Timestamp,
    /// The object of this pass.
    pub infra: Arc<Metal3Cluster>,
    /// The Cluster that owns it.
    pub cluster: Option<Arc<Cluster>>,
    /// How many Machines the Cluster has.
    pub machines: usize,
    /// Hosts that are kept for coming machines of the Cluster.
    pub kept: Vec<Arc<BareMetalHost>>,
    /// What those that hosts are kept for need, by the value of the reuse label.
    pub demand: BTreeMap<String, Demand>,
}

impl View {
    /// Whether deletion was asked for.
    pub fn deleting(&self) -> bool {
        self.infra.metadata.deletion_timestamp.is_some()
    }
    /// Whether nothing may be done.
    pub fn paused(&self) -> bool {
        self.cluster.as_ref().is_some_and(|cluster| cluster.is_paused()) || kit::owners::paused(&self.infra.metadata)
    }
    /// The endpoint: the user's, or the one that a control plane provider gave to the Cluster.
    pub fn endpoint(&self) -> Option<&ApiEndpoint> {
        let complete = |endpoint: &&ApiEndpoint| {
            endpoint.host.as_ref().is_some_and(|host| !host.is_empty()) && endpoint.port.is_some_and(|port| port > 0)
        };
        let own = self.infra.spec.control_plane_endpoint.as_ref().filter(complete);
        let given = || self.cluster.as_ref()?.spec.control_plane_endpoint.as_ref().filter(complete);
        own.or_else(given)
    }
}
