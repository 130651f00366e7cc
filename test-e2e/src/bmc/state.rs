//! What a machine remembers between two starts of the emulator.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::spec::Firmware;

/// Boot device asked for by Redfish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// No override: the firmware's own order, disk first.
    None,
    /// Network boot.
    Pxe,
    /// Network boot by HTTP; the emulated firmware does both the same way.
    UefiHttp,
    /// Virtual CD.
    Cd,
    /// First disk.
    Hdd,
}

/// How long an override holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Enabled {
    /// No override.
    Disabled,
    /// The next power-on only.
    Once,
    /// Until changed.
    Continuous,
}

/// Boot settings of a system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Boot {
    /// Device.
    pub target: Target,
    /// Duration of the override.
    pub enabled: Enabled,
    /// Firmware used at the next power-on.
    pub mode: Firmware,
    /// URI for HTTP boot, kept and shown only.
    pub http_boot_uri: Option<String>,
}

impl Boot {
    /// The device of the next power-on; a `Once` override is spent by it.
    pub fn take(&mut self) -> Target {
        match self.enabled {
            Enabled::Disabled => Target::None,
            Enabled::Continuous => self.target,
            Enabled::Once => {
                self.enabled = Enabled::Disabled;
                std::mem::replace(&mut self.target, Target::None)
            }
        }
    }
}

/// A running QEMU: the start time guards against a reused process number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Process number.
    pub pid: u32,
    /// Field 22 of `/proc/<pid>/stat`: clock ticks from the boot of the host to the start of the process.
    pub started: u64,
}

/// Everything a machine remembers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct State {
    /// Boot settings.
    pub boot: Boot,
    /// URL of the inserted virtual CD.
    pub media: Option<String>,
    /// Whether Redfish has switched secure boot on (shown only; the firmware files are those without keys).
    pub secure_boot: bool,
    /// BIOS attributes in force.
    pub bios: BTreeMap<String, String>,
    /// BIOS attributes that take effect at the next power-on.
    pub bios_pending: BTreeMap<String, String>,
    /// How often the machine was powered on; also the number of serial logs.
    pub starts: u32,
    /// Whether the machine is meant to run: a guest's own power-off clears it, a guest's reset does not.
    pub wanted_on: bool,
    /// The running QEMU, if any.
    pub process: Option<Process>,
}

impl State {
    /// A machine out of the box: off, nothing inserted.
    pub fn new(firmware: Firmware) -> Self {
        let bios = [("BootRetry", "Enabled"), ("ProcVirtualization", "Enabled"), ("QuietBoot", "Disabled")];
        Self {
            boot: Boot { target: Target::None, enabled: Enabled::Disabled, mode: firmware, http_boot_uri: None },
            media: None,
            secure_boot: false,
            bios: bios.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
            bios_pending: BTreeMap::new(),
            starts: 0,
            wanted_on: false,
            process: None,
        }
    }

    /// Reads the state file; `None` when there is none yet.
    pub fn read(file: &Path) -> Result<Option<Self>> {
        match std::fs::read(file) {
            Ok(text) => serde_json::from_slice(&text)
                .map(Some)
                .with_context(|| format!("{} is damaged; remove it to reset the machine", file.display())),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e).with_context(|| format!("cannot read {}", file.display())),
        }
    }

    /// Writes the state file so that a crash leaves the old or the new one.
    pub fn write(&self, file: &Path) -> Result<()> {
        let part = file.with_extension("part");
        std::fs::write(&part, serde_json::to_vec_pretty(self)?)
            .and_then(|()| std::fs::rename(&part, file))
            .with_context(|| format!("cannot write {}", file.display()))
    }
}
