//! The provisioning network: one network namespace per bench with one bridge in it.
//!
//! Everything that talks to machines runs inside: Ironic, DHCP, file server, management controllers, QEMU, and for
//! whole stories the management cluster too. No route leads out, so addresses are the same in every bench.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::command::Cmd;
use crate::host::netns_path;

/// The bridge's own address, and so that of every service of the bench.
pub const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(172, 22, 0, 1));
/// Prefix length of the provisioning network.
pub const PREFIX: u8 = 24;
/// First address that DHCP gives away.
pub const DHCP_FIRST: Ipv4Addr = Ipv4Addr::new(172, 22, 0, 100);
/// Last address that DHCP gives away; below and above are free for static addresses.
pub const DHCP_LAST: Ipv4Addr = Ipv4Addr::new(172, 22, 0, 199);
/// Name of the bridge inside the namespace.
pub const BRIDGE: &str = "provisioning";

/// The namespace of one bench.
#[derive(Debug, Clone)]
pub struct Network {
    name: String,
}

impl Network {
    /// The network of the bench with this run folder: the name comes from the path, so benches do not meet.
    pub fn of(run: &Path) -> Self {
        let hash = Sha256::digest(run.as_os_str().as_encoded_bytes());
        Self { name: format!("metal3-{:.8}", format!("{hash:x}")) }
    }

    /// Name for `ip netns exec`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The namespace as a file, for [`crate::process::Spec::netns`].
    pub fn path(&self) -> PathBuf {
        netns_path(&self.name)
    }

    /// Makes namespace and bridge; what exists stays.
    pub async fn up(&self) -> Result<()> {
        let ns = self.name.as_str();
        if !self.path().exists() {
            ip(&["netns", "add", ns]).await.context("network namespaces need root")?;
        }
        ip(&["-n", ns, "link", "set", "lo", "up"]).await?;
        if ip(&["-n", ns, "link", "show", BRIDGE]).await.is_err() {
            // No spanning tree and no forward delay: a machine's first DHCP request must not be lost.
            ip(&["-n", ns, "link", "add", BRIDGE, "type", "bridge", "stp_state", "0", "forward_delay", "0"]).await?;
        }
        ip(&["-n", ns, "address", "replace", &format!("{ADDRESS}/{PREFIX}"), "dev", BRIDGE]).await?;
        ip(&["-n", ns, "link", "set", BRIDGE, "up"]).await
    }

    /// Removes the namespace; no such namespace is no error. Stop what runs in it first.
    pub async fn down(&self) -> Result<()> {
        if !self.path().exists() {
            return Ok(());
        }
        ip(&["netns", "delete", &self.name]).await
    }
}

async fn ip(arguments: &[&str]) -> Result<()> {
    Cmd::new("ip").args(arguments).run().await
}
