//! Metal3Cluster and Metal3ClusterTemplate.

use crate::infra::v1beta2::{Metal3Cluster, Metal3ClusterSpec, Metal3ClusterTemplate};
use crate::validation::Violations;

/// Port of an API server when none is given.
pub const DEFAULT_PORT: i32 = 6443;

/// Fills in the endpoint's port and the mode of provider IDs.
pub fn default(cluster: &mut Metal3Cluster) {
    if let Some(endpoint) = &mut cluster.spec.control_plane_endpoint
        && endpoint.port.is_none_or(|port| port == 0)
    {
        endpoint.port = Some(DEFAULT_PORT);
    }
    cluster.spec.cloud_provider_enabled.get_or_insert(false);
}

/// Rules for creation and every change.
pub fn check(cluster: &Metal3Cluster) -> Violations {
    let mut violations = Violations::new();
    if host(&cluster.spec).is_none() {
        violations.required(
            "spec.controlPlaneEndpoint.host",
            "the address of the workload cluster's API server is needed: this provider builds no load balancer",
        );
    }
    violations
}

/// Rules for creation and every change. Only the new object counts, so that a wrong one can be repaired.
pub fn check_template(template: &Metal3ClusterTemplate) -> Violations {
    let mut violations = Violations::new();
    let spec = &template.spec.template.spec;
    if host(spec).is_none() {
        violations.required(
            "spec.template.spec.controlPlaneEndpoint.host",
            "a host is needed; where patches of the ClusterClass set it, any placeholder will do",
        );
    }
    let port = spec.control_plane_endpoint.as_ref().and_then(|endpoint| endpoint.port).unwrap_or_default();
    if port == 0 {
        violations.required(
            "spec.template.spec.controlPlaneEndpoint.port",
            "a port is needed; where patches of the ClusterClass set it, any placeholder will do",
        );
    }
    violations
}

fn host(spec: &Metal3ClusterSpec) -> Option<&str> {
    spec.control_plane_endpoint.as_ref()?.host.as_deref().filter(|host| !host.is_empty())
}
