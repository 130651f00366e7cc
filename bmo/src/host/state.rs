//! Questions about the state of a host, `status.provisioning.state`.

pub use api::metal3::ProvisioningState as State;

/// What a state means for the rules that span several of them.
pub trait Traits {
    /// Whether the host has (or had) a management controller we talk to in this state.
    fn managed(&self) -> bool;
    /// Whether the machine runs somebody's workload: it is never rebooted or cleaned without being asked.
    fn in_use(&self) -> bool;
    /// Whether the host is free to be taken.
    fn free(&self) -> bool;
    /// Whether Ironic works on the host in this state, which counts against the provisioning limit.
    fn busy(&self) -> bool;
}

impl Traits for State {
    fn managed(&self) -> bool {
        !matches!(self, Self::None | Self::Unmanaged)
    }

    fn in_use(&self) -> bool {
        matches!(self, Self::Provisioned | Self::ExternallyProvisioned)
    }

    fn free(&self) -> bool {
        matches!(self, Self::Available | Self::Ready)
    }

    fn busy(&self) -> bool {
        matches!(self, Self::Inspecting | Self::Provisioning | Self::Deprovisioning)
    }
}
