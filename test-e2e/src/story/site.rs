//! What the machines' level offers to a story: machines behind BMCs, and images to put on them.

use serde::{Deserialize, Serialize};

/// Machines and images of one bench.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Site {
    /// Powered-off machines, each with its BMC.
    pub machines: Vec<Machine>,
    /// The disk image of control plane machines.
    pub control_plane_image: Image,
    /// The disk image of workers.
    pub worker_image: Image,
    /// Address of the bench on the machines' network: their gateway.
    pub gateway: String,
    /// Name of the first network interface inside a deployed machine.
    pub interface: String,
}

/// One machine.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Machine {
    /// Name of the machine and of its host.
    pub name: String,
    /// BMC address as a BareMetalHost takes it.
    pub bmc: String,
    /// BMC user.
    pub username: String,
    /// BMC password.
    pub password: String,
    /// MAC address of the interface it boots from.
    pub mac: String,
    /// `legacy` or `UEFI`, as a BareMetalHost says it.
    pub boot_mode: String,
}

/// One disk image.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Image {
    /// Where machines and Ironic download it.
    pub url: String,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// Format of the file, e.g. `qcow2`.
    pub format: String,
}
