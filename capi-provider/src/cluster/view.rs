//! What a pass over a Metal3Cluster knows.

use std::sync::Arc;

use api::capi::Cluster;
use api::infra::v1beta2::{ApiEndpoint, Metal3Cluster};
use api::metal3::BareMetalHost;
use jiff::Timestamp;

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
