//! Who uses a host: `spec.consumerRef`, understood.

use api::infra;
use api::infra::v1beta2::Metal3Machine;
use api::metal3::BareMetalHost;
use k8s_openapi::api::core::v1::ObjectReference;
use kit::pass::Key;
use kube::Resource as _;

/// API group of Cluster API's own kinds.
pub const CLUSTER_GROUP: &str = "cluster.x-k8s.io";
/// What a host kept for reuse refers to.
const CLUSTER_API_VERSION: &str = "cluster.x-k8s.io/v1beta2";

/// Who uses a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Consumer {
    /// Nobody.
    None,
    /// A Metal3Machine.
    Machine(Key),
    /// A Cluster keeps it for a coming machine.
    Cluster(Key),
    /// Somebody else.
    Other,
}

impl Consumer {
    /// Who uses this host. The API version does not matter: it changes with upgrades.
    pub fn of(host: &BareMetalHost) -> Self {
        let Some(reference) = &host.spec.consumer_ref else { return Self::None };
        let text = |part: &Option<String>| part.clone().unwrap_or_default();
        let namespace = reference.namespace.clone().or_else(|| host.metadata.namespace.clone()).unwrap_or_default();
        let key = Key::new(namespace, text(&reference.name));
        let api_version = text(&reference.api_version);
        match (kit::owners::group(&api_version), text(&reference.kind).as_str()) {
            (infra::GROUP, "Metal3Machine") => Self::Machine(key),
            (CLUSTER_GROUP, "Cluster") => Self::Cluster(key),
            _ => Self::Other,
        }
    }
}

/// Whether a host is used by this machine.
pub fn uses(machine: &Metal3Machine, host: &BareMetalHost) -> bool {
    Consumer::of(host) == Consumer::Machine(Key::of(machine))
}

/// The reference that a machine writes into its host.
pub fn reference_of(machine: &Metal3Machine) -> ObjectReference {
    ObjectReference {
        api_version: Some(Metal3Machine::api_version(&()).into_owned()),
        kind: Some(Metal3Machine::kind(&()).into_owned()),
        name: machine.metadata.name.clone(),
        namespace: machine.metadata.namespace.clone(),
        ..ObjectReference::default()
    }
}

/// The reference that keeps a released host for a coming machine of this cluster.
pub fn reference_of_cluster(cluster: &Key) -> ObjectReference {
    ObjectReference {
        api_version: Some(CLUSTER_API_VERSION.to_owned()),
        kind: Some("Cluster".to_owned()),
        name: Some(cluster.name.clone()),
        namespace: Some(cluster.namespace.clone()),
        ..ObjectReference::default()
    }
}
