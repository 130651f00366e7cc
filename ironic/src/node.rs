//! A node as Ironic returns it. Fields unknown here are ignored; JSON null is absence.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::power::PowerState;
use crate::provision::{ProvisionState, Step};
use crate::redact::{Hidden, Info};

/// The fields a controller decides on; a list or a single read asks for exactly these.
///
/// `health` is added where the server knows it, see [`crate::version::Feature::NodeHealth`].
pub const FIELDS: &[&str] = &[
    "uuid",
    "name",
    "driver",
    "provision_state",
    "target_provision_state",
    "provision_updated_at",
    "inspection_finished_at",
    "power_state",
    "target_power_state",
    "last_error",
    "maintenance",
    "maintenance_reason",
    "fault",
    "instance_uuid",
    "automated_clean",
    "driver_info",
    "extra",
    "instance_info",
    "properties",
    "raid_config",
    "target_raid_config",
    "network_data",
    "clean_step",
    "deploy_step",
    "service_step",
    "boot_interface",
    "deploy_interface",
    "inspect_interface",
    "raid_interface",
    "bios_interface",
    "firmware_interface",
    "management_interface",
    "power_interface",
    "vendor_interface",
];

/// A node.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Node {
    /// Its id.
    pub uuid: String,
    /// Its name, unique; absent when it has none.
    pub name: Option<String>,
    /// Hardware type, e.g. `redfish`.
    pub driver: String,
    /// Where it is in its life.
    pub provision_state: ProvisionState,
    /// Where a move shall end. It survives failures: Ironic keeps it in `clean failed`, `deploy failed` and the like.
    pub target_provision_state: Option<ProvisionState>,
    /// When the state last changed; ISO 8601 with offset.
    pub provision_updated_at: Option<String>,
    /// When the last inspection ended well; ISO 8601 with offset.
    pub inspection_finished_at: Option<String>,
    /// Power as last seen.
    pub power_state: PowerState,
    /// Power that a running request aims at, e.g. `power off`, `soft power off`.
    pub target_power_state: Option<String>,
    /// Text of the last failure. May be stale, and may be absent after a failure.
    #[serde(deserialize_with = "empty_is_none")]
    pub last_error: Option<String>,
    /// In maintenance nothing happens to the node, and heartbeats are ignored.
    #[serde(deserialize_with = "null_is_default")]
    pub maintenance: bool,
    /// Why it is in maintenance.
    #[serde(deserialize_with = "empty_is_none")]
    pub maintenance_reason: Option<String>,
    /// Set by Ironic itself: `power failure`, `clean failure`, `rescue abort failure`, `service failure`.
    #[serde(deserialize_with = "empty_is_none")]
    pub fault: Option<String>,
    /// Id of the instance; blocks deletion in stable states.
    pub instance_uuid: Option<String>,
    /// Whether cleaning runs by itself; absent means Ironic's default.
    pub automated_clean: Option<bool>,
    /// Whether Ironic may never switch the machine off; absent below microversion 1.95.
    pub disable_power_off: Option<bool>,
    /// BMC and boot parameters; passwords are masked by Ironic.
    #[serde(deserialize_with = "null_is_default")]
    pub driver_info: Info,
    /// What clients keep with the node; Ironic shows it as it is.
    #[serde(deserialize_with = "null_is_default")]
    pub extra: Info,
    /// What to deploy.
    #[serde(deserialize_with = "null_is_default")]
    pub instance_info: Info,
    /// Hardware facts and capabilities.
    #[serde(deserialize_with = "null_is_default")]
    pub properties: Info,
    /// RAID as last read from or built on the machine.
    #[serde(deserialize_with = "null_is_default")]
    pub raid_config: Info,
    /// RAID that `create_configuration` shall build.
    #[serde(deserialize_with = "null_is_default")]
    pub target_raid_config: Info,
    /// Network data for the ramdisk.
    #[serde(deserialize_with = "null_is_default")]
    pub network_data: Hidden,
    /// The clean step in progress, if any.
    #[serde(deserialize_with = "step")]
    pub clean_step: Option<Step>,
    /// The deploy step in progress, if any.
    #[serde(deserialize_with = "step")]
    pub deploy_step: Option<Step>,
    /// The service step in progress, if any.
    #[serde(deserialize_with = "step")]
    pub service_step: Option<Step>,
    /// How it boots the ramdisk.
    pub boot_interface: Option<String>,
    /// How it is deployed.
    pub deploy_interface: Option<String>,
    /// How it is inspected.
    pub inspect_interface: Option<String>,
    /// How RAID is built.
    pub raid_interface: Option<String>,
    /// How BIOS settings are applied.
    pub bios_interface: Option<String>,
    /// How firmware is updated.
    pub firmware_interface: Option<String>,
    /// How boot devices are set.
    pub management_interface: Option<String>,
    /// How power is switched.
    pub power_interface: Option<String>,
    /// Vendor extensions.
    pub vendor_interface: Option<String>,
    /// `OK`, `Warning`, `Critical`; absent below microversion 1.109 or when unknown.
    #[serde(deserialize_with = "empty_is_none")]
    pub health: Option<String>,
}

impl Node {
    /// The name to call it in messages: its name, else its id.
    pub fn label(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.uuid)
    }
    /// Whether something happens to it without a further request, so that it is worth looking at often.
    pub fn is_moving(&self) -> bool {
        use crate::provision::Phase;
        match self.provision_state.phase() {
            Phase::Busy | Phase::WaitCallback => true,
            Phase::Stable | Phase::Failed => self.target_power_state.is_some(),
        }
    }
}

/// The answer to a validation request: one entry per interface (`boot`, `deploy`, `power`, ...).
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(transparent)]
pub struct Validation(pub BTreeMap<String, Verdict>);

impl Validation {
    /// The reasons of these interfaces that are not valid; an interface that Ironic does not report passes.
    pub fn failures(&self, interfaces: &[&str]) -> Vec<String> {
        let bad = |name: &&str| self.0.get(*name).filter(|verdict| verdict.result == Some(false));
        interfaces
            .iter()
            .filter_map(bad)
            .map(|v| v.reason.clone().unwrap_or_else(|| "no reason given".into()))
            .collect()
    }
}

/// Whether an interface is ready for use.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Verdict {
    /// Absent when the driver does not support the interface.
    pub result: Option<bool>,
    /// Why not.
    pub reason: Option<String>,
}

fn null_is_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}

fn empty_is_none<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(from)?.filter(|text| !text.is_empty()))
}

/// Ironic writes `{}` when no step runs.
fn step<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Step>, D::Error> {
    let value = Option::<Value>::deserialize(from)?.unwrap_or_default();
    Ok(serde_json::from_value(value).ok())
}
