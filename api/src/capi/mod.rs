//! cluster.x-k8s.io: the parts of Cluster API's own kinds that this project reads and writes.
//!
//! All in v1beta2 of Cluster API 1.14. Fields that nobody here needs are left out: they are ignored on reading
//! and untouched on writing, because writes are patches of differences.

mod cluster;
mod common;
mod control_plane;
mod machine;
mod machine_set;

pub use cluster::{Cluster, ClusterInitialization, ClusterSpec, ClusterStatus, ClusterTopology};
pub use common::{ContractRef, Deprecated, DeprecatedV1Beta1};
pub use control_plane::ControlPlaneView;
pub use machine::{Bootstrap, Machine, MachineInitialization, MachineNodeRef, MachineSpec, MachineStatus};
pub use machine_set::{
    MachineDeployment, MachineDeploymentSpec, MachineDeploymentStatus, MachineSet, MachineSetSpec, MachineSetStatus,
    MachineTemplate,
};

/// The API group of Cluster, Machine, MachineSet and MachineDeployment.
pub const GROUP: &str = "cluster.x-k8s.io";
/// The API group of every control plane provider.
pub const CONTROL_PLANE_GROUP: &str = "controlplane.cluster.x-k8s.io";

/// Types of Cluster API conditions that this project reads or writes, second generation.
pub mod condition {
    /// On a Machine: a MachineHealthCheck finds it healthy or not.
    pub const HEALTH_CHECK_SUCCEEDED: &str = "HealthCheckSucceeded";
    /// On a Machine: `False` asks its owner to replace it.
    pub const OWNER_REMEDIATED: &str = "OwnerRemediated";
    /// Reason of [`OWNER_REMEDIATED`] while the owner has not acted.
    pub const WAITING_FOR_REMEDIATION: &str = "WaitingForRemediation";
    /// On a Cluster, first generation: its infrastructure is there.
    pub const INFRASTRUCTURE_READY: &str = "InfrastructureReady";
    /// On a Machine, first generation: its bootstrap data is there.
    pub const BOOTSTRAP_READY: &str = "BootstrapReady";
}
