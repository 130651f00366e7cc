//! What a bench asks the emulator for: a file written by `bench up` and read by `bench bmc`.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// All machines behind one Redfish service.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Fleet {
    /// Address and port of the Redfish service (plain HTTP).
    pub listen: SocketAddr,
    /// Folder that holds one folder per machine and the request log.
    pub folder: PathBuf,
    /// Bridge that the machines' network cards join.
    pub bridge: String,
    /// The machines, all powered off at first.
    pub machines: Vec<MachineSpec>,
}

impl Fleet {
    /// Reads a fleet file.
    pub fn read(file: &Path) -> Result<Self> {
        let text = std::fs::read(file).with_context(|| format!("cannot read the fleet file {}", file.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("{} is not a fleet file", file.display()))
    }
}

/// One machine: its hardware and the credentials of its BMC.
#[derive(Clone, Serialize, Deserialize)]
pub struct MachineSpec {
    /// Name, also the Redfish identifier of the system, its manager and its chassis.
    pub name: String,
    /// MAC address of the only network card, lower case with colons.
    pub mac: String,
    /// Name of the tap device, at most 15 characters.
    pub tap: String,
    /// Firmware the machine starts with until Redfish changes the boot mode.
    pub firmware: Firmware,
    /// Memory in MiB.
    pub memory_mib: u32,
    /// Virtual processors.
    pub cpus: u32,
    /// Size of the empty disk in GiB.
    pub disk_gib: u32,
    /// User of the BMC.
    pub username: String,
    /// Password of the BMC.
    pub password: String,
    /// A machine without hardware: power and media are only remembered. For tests that never boot anything, and for
    /// hosts without the right to make network devices.
    #[serde(default)]
    pub power_only: bool,
}

impl std::fmt::Debug for MachineSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MachineSpec").field("name", &self.name).field("mac", &self.mac).finish_non_exhaustive()
    }
}

impl MachineSpec {
    /// The UUID in the machine's SMBIOS table and in Redfish: a version 8 UUID derived from the name, so that a machine
    /// keeps it over restarts of the emulator.
    pub fn uuid(&self) -> String {
        let mut b: [u8; 16] = [0; 16];
        b.copy_from_slice(&Sha256::digest(self.name.as_bytes())[..16]);
        b[6] = (b[6] & 0x0f) | 0x80;
        b[8] = (b[8] & 0x3f) | 0x80;
        let hex = format!("{:032x}", u128::from_be_bytes(b));
        format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }

    /// Serial number in SMBIOS and Redfish.
    pub fn serial_number(&self) -> String {
        format!("SN-{}", self.name)
    }
}

/// Firmware of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Firmware {
    /// SeaBIOS; Redfish calls it `Legacy`.
    Bios,
    /// OVMF with its own variable store; Redfish calls it `UEFI`.
    Uefi,
}

impl Firmware {
    /// The word Redfish has for it (`BootSourceOverrideMode`).
    pub fn redfish(self) -> &'static str {
        match self {
            Self::Bios => "Legacy",
            Self::Uefi => "UEFI",
        }
    }

    /// Reads Redfish's word.
    pub fn from_redfish(word: &str) -> Option<Self> {
        match word {
            "Legacy" => Some(Self::Bios),
            "UEFI" => Some(Self::Uefi),
            _ => None,
        }
    }
}
