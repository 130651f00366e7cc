//! Registration: the node to create, and what an existing one lacks.

use api::metal3::BootMode;
use api::metal3::bmc_address::AccessType;
use ironic::redact::{MASK, is_secret};
use ironic::{Feature, Info, NewNode, Node, Patch, ProvisionState, Versions};
use serde_json::{Map, Value};

use super::capabilities;
use super::driver::is_left_over;
use super::fingerprint;

/// How a host's node shall be registered.
#[derive(Debug, Clone, PartialEq)]
pub struct Registration<'a> {
    /// Node name.
    pub name: &'a str,
    /// Access type of the BMC address.
    pub access: AccessType,
    /// `driver_info` of the BMC with the password in clear; see [`super::driver::driver_info`].
    pub bmc: Info,
    /// What the credentials in `bmc` are known by, see [`super::fingerprint`]; `None` when nothing new is sent.
    pub fingerprint: Option<&'a str>,
    /// Boot mode.
    pub boot_mode: &'a BootMode,
    /// Processor architecture, e.g. `x86_64`.
    pub architecture: &'a str,
    /// Inspect through the BMC.
    pub fast_inspection: bool,
    /// Inspection is switched off.
    pub inspection_disabled: bool,
    /// Whether the boot MAC address is given.
    pub has_boot_mac: bool,
    /// What is or will be deployed.
    pub deployment: Deployment,
    /// Never switch the machine off.
    pub disable_power_off: bool,
    /// What the server can do.
    pub versions: Versions,
}

/// The way an image reaches a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Deployment {
    /// Written to a disk.
    #[default]
    Direct,
    /// Booted as an ISO.
    LiveIso,
    /// By a step of the ramdisk.
    Custom,
}

impl Deployment {
    /// The deploy interface it needs; `None`: Ironic's default.
    pub fn interface(self) -> Option<&'static str> {
        match self {
            Self::Direct => None,
            Self::LiveIso => Some("ramdisk"),
            Self::Custom => Some("custom-agent"),
        }
    }
}

/// Why a host cannot be registered as it is; found before anything is sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Fast inspection needs Redfish.
    #[error("BMC driver {driver} does not support fast (out-of-band) inspection: use inspectionMode agent")]
    FastInspection {
        /// Hardware type.
        driver: &'static str,
    },
    /// Secure boot needs Redfish.
    #[error("BMC driver {driver} does not support secure boot: use bootMode UEFI or another BMC address")]
    SecureBoot {
        /// Hardware type.
        driver: &'static str,
    },
    /// There is no DHCP.
    #[error("BMC driver {driver} requires a provisioning network: use a virtual media address")]
    Network {
        /// Hardware type.
        driver: &'static str,
    },
    /// The machine cannot be told from others.
    #[error("BMC driver {driver} requires a BootMACAddress value: set spec.bootMACAddress")]
    BootMac {
        /// Hardware type.
        driver: &'static str,
    },
    /// Ironic is too old.
    #[error(
        "current ironic version does not support DisablePowerOff, refusing to manage node: use an Ironic with API 1.95 \
         or set disablePowerOff to false"
    )]
    DisablePowerOff,
}

impl Registration<'_> {
    /// Why this cannot be registered, if so. `network`: whether there is a provisioning network.
    pub fn refusal(&self, network: bool) -> Option<Refusal> {
        let driver = self.access.interfaces().driver;
        if self.fast_inspection && !self.access.supports_fast_inspection() {
            return Some(Refusal::FastInspection { driver });
        }
        if *self.boot_mode == BootMode::UefiSecureBoot && !self.access.supports_secure_boot() {
            return Some(Refusal::SecureBoot { driver });
        }
        if self.access.needs_provisioning_network() && !network {
            return Some(Refusal::Network { driver });
        }
        if !self.has_boot_mac && (self.access.always_needs_mac() || self.inspection_disabled) {
            return Some(Refusal::BootMac { driver });
        }
        (self.disable_power_off && !self.versions.has(Feature::DisablePowerOff)).then_some(Refusal::DisablePowerOff)
    }

    /// The inspect interface.
    pub fn inspect_interface(&self) -> &'static str {
        self.access.interfaces().fast_inspection.filter(|_| self.fast_inspection).unwrap_or("agent")
    }

    /// The node to create.
    pub fn new_node(&self) -> NewNode {
        let own = |interface: Option<&'static str>| interface.map(str::to_owned);
        let chosen = self.access.interfaces();
        let mut properties = Info::default();
        properties.set("capabilities", capabilities::properties(None, self.boot_mode));
        if !self.architecture.is_empty() {
            properties.set("cpu_arch", self.architecture);
        }
        NewNode {
            name: self.name.to_owned(),
            driver: chosen.driver.to_owned(),
            driver_info: self.bmc.clone(),
            extra: self.fingerprint.map(|known| (fingerprint::KEY, known)).into_iter().collect(),
            properties,
            bios_interface: own(chosen.bios),
            boot_interface: own(Some(chosen.boot)),
            deploy_interface: own(self.deployment.interface()),
            firmware_interface: own(chosen.firmware),
            inspect_interface: own(Some(self.inspect_interface())),
            management_interface: own(chosen.management),
            power_interface: own(chosen.power),
            raid_interface: own(Some(chosen.raid)),
            vendor_interface: own(chosen.vendor),
            // An older Ironic refuses the key whatever its value.
            disable_power_off: self.versions.has(Feature::DisablePowerOff).then_some(self.disable_power_off),
        }
    }

    /// What the node lacks: its name, driver, BMC parameters and power-off rule. `credentials_changed` sends the password
    /// in any case, because Ironic masks it and nobody can compare it. User name and password may be missing in `bmc`
    /// when the Secret was not read.
    pub fn update(&self, node: &Node, credentials_changed: bool) -> Patch {
        let mut patch = Patch::new();
        if node.name.as_deref() != Some(self.name) {
            patch = patch.set(&["name"], self.name);
        }
        patch = patch.and(self.interfaces(node));
        patch = patch.and(self.access(&node.driver_info, credentials_changed));
        if let Some(known) = self.fingerprint.filter(|_| credentials_changed) {
            patch = patch.ensure(&["extra", fingerprint::KEY], node.extra.get(fingerprint::KEY), Some(known.into()));
        }
        if self.versions.has(Feature::DisablePowerOff)
            && node.disable_power_off.unwrap_or_default() != self.disable_power_off
        {
            patch = patch.set(&["disable_power_off"], self.disable_power_off);
        }
        patch
    }

    /// Interfaces follow the BMC address. They can only be changed while nothing runs on the node.
    fn interfaces(&self, node: &Node) -> Patch {
        use ProvisionState as S;
        let still = matches!(node.provision_state, S::Enroll | S::Manageable | S::Available);
        if !still || node.driver.is_empty() {
            return Patch::new();
        }
        let chosen = self.access.interfaces();
        let other_type = node.driver != chosen.driver;
        let mut patch = Patch::new();
        if other_type {
            patch = patch.set(&["driver"], chosen.driver);
        }
        let all = [
            ("bios_interface", chosen.bios, &node.bios_interface),
            ("boot_interface", Some(chosen.boot), &node.boot_interface),
            ("firmware_interface", chosen.firmware, &node.firmware_interface),
            ("management_interface", chosen.management, &node.management_interface),
            ("power_interface", chosen.power, &node.power_interface),
            ("vendor_interface", chosen.vendor, &node.vendor_interface),
        ];
        for (key, wanted, actual) in all {
            patch = match wanted {
                Some(wanted) if actual.as_deref() != Some(wanted) => patch.set(&[key], wanted),
                // Removing means Ironic's default for the new type.
                None if other_type && actual.is_some() => patch.remove(&[key]),
                Some(_) | None => patch,
            };
        }
        if other_type {
            patch = patch.set(&["raid_interface"], chosen.raid).set(&["inspect_interface"], self.inspect_interface());
            if node.deploy_interface.is_some() && self.deployment.interface().is_none() {
                patch = patch.remove(&["deploy_interface"]);
            }
        }
        patch
    }

    /// BMC parameters, key by key: what others put into `driver_info` stays, and so does a password that is not at hand
    /// here (Ironic returns a mask, which must never be sent back).
    fn access(&self, actual: &Info, credentials_changed: bool) -> Patch {
        let mut patch = Patch::new();
        for (key, wanted) in &self.bmc.0 {
            let segments = ["driver_info", key];
            if !is_secret(key) {
                patch = patch.ensure(&segments, actual.get(key), Some(wanted.clone()));
            } else if *wanted != MASK && (credentials_changed || actual.get(key).is_none()) {
                patch = patch.set(&segments, wanted.clone());
            }
        }
        // User name and password may be left out when they are not at hand.
        let left_over = actual.0.keys().filter(|key| is_left_over(key, &self.bmc));
        left_over.fold(patch, |patch, key| patch.remove(&["driver_info", key]))
    }
}

/// What is kept up to date on a registered node in its quiet states.
#[derive(Debug, Clone, PartialEq)]
pub struct Upkeep<'a> {
    /// Boot mode.
    pub boot_mode: &'a BootMode,
    /// Processor architecture.
    pub architecture: &'a str,
    /// Whether disks are cleaned between two uses.
    pub automated_clean: bool,
    /// Network data for the ramdisk; `None` leaves the node's alone.
    pub network_data: Option<&'a Map<String, Value>>,
}

impl Upkeep<'_> {
    /// What the node lacks.
    pub fn patch(&self, node: &Node) -> Patch {
        let mut patch = Patch::new();
        if node.automated_clean != Some(self.automated_clean) {
            patch = patch.set(&["automated_clean"], self.automated_clean);
        }
        patch = patch.and(boot_properties(node, self.boot_mode, self.architecture));
        if let Some(data) = self.network_data
            && node.network_data.0 != *data
        {
            patch = patch.set(&["network_data"], Value::Object(data.clone()));
        }
        patch
    }
}

/// Capabilities and architecture, as registration and inspection want them.
pub fn boot_properties(node: &Node, mode: &BootMode, architecture: &str) -> Patch {
    let capabilities = capabilities::properties(node.properties.text("capabilities"), mode);
    let actual = |key: &str| node.properties.get(key);
    let patch = Patch::new().ensure(&["properties", "capabilities"], actual("capabilities"), Some(capabilities.into()));
    if architecture.is_empty() {
        return patch;
    }
    patch.ensure(&["properties", "cpu_arch"], actual("cpu_arch"), Some(architecture.into()))
}

#[cfg(test)]
mod tests;
