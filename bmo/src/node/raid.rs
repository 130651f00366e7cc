//! RAID: what Ironic shall build, and the steps that build it.
//!
//! Hardware volumes are made by the node's own interface through the BMC, software volumes by the ramdisk (interface
//! `agent`). Both at once are refused by admission; here hardware volumes then win, so that nothing half is built.

use std::collections::BTreeMap;

use api::metal3::{HardwareRaidVolume, Raid, RootDeviceHints, SoftwareRaidVolume};
use ironic::Step;
use serde_json::{Map, Value, json};

use super::hints::root_device;

/// The interface of nodes whose driver cannot do RAID.
pub const NO_RAID: &str = "no-raid";
/// The interface that makes software RAID.
pub const SOFTWARE: &str = "agent";

/// Why a RAID wish cannot be sent to Ironic.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RaidError {
    /// The driver has no RAID.
    #[error(
        "RAID settings are defined, but the node's driver {interface} does not support RAID: remove \
         spec.raid.hardwareRAIDVolumes, or use a BMC address with a driver that can"
    )]
    Unsupported {
        /// The node's RAID interface.
        interface: String,
    },
    /// Two volumes have one name.
    #[error("the names({name}) of volume[{first}] and volume[{second}] are repeated: volume names must be unique")]
    SameName {
        /// The name.
        name: String,
        /// Index of the first volume with it.
        first: usize,
        /// Index of the second.
        second: usize,
    },
    /// Disks are named without their controller.
    #[error("volume[{index}] names physicalDisks but no controller: give both")]
    NoController {
        /// Index of the volume.
        index: usize,
    },
    /// The number of disks is not the number of names.
    #[error("volume[{index}] wants {wanted} disks but names {named}: make numberOfPhysicalDisks equal or leave it out")]
    DiskCount {
        /// Index of the volume.
        index: usize,
        /// `numberOfPhysicalDisks`.
        wanted: i64,
        /// How many `physicalDisks` there are.
        named: usize,
    },
    /// The first software volume must survive a disk.
    #[error("the first software volume must have level 1, not {level}")]
    FirstLevel {
        /// Its level.
        level: String,
    },
}

/// What preparing must do about RAID.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The RAID interface that the node needs.
    pub interface: String,
    /// `{"logical_disks": [..]}` to store before cleaning; `None` when nothing is built.
    pub target: Option<Value>,
    /// Clean steps; empty when everything is as wished.
    pub steps: Vec<Step>,
}

/// Plans the change from `actual` to `wished`. `driver_interface` is the interface of the host's driver; where that is
/// Ironic's default, the node's present one.
pub fn plan(
    wished: Option<&Raid>,
    actual: Option<&Raid>,
    hints: Option<&RootDeviceHints>,
    driver_interface: &str,
) -> Result<Plan, RaidError> {
    let hardware = wished.and_then(|raid| raid.hardware_raid_volumes.as_deref());
    let software = software_of(wished);
    let was_software = !software_of(actual).is_empty();
    let has_hardware = hardware.is_some_and(|volumes| !volumes.is_empty());

    if !has_hardware && (!software.is_empty() || was_software) {
        return software_plan(software, software_of(actual), hints);
    }
    let nothing = Plan { interface: driver_interface.to_owned(), target: None, steps: Vec::new() };
    let Some(hardware) = hardware else { return Ok(nothing) };
    if driver_interface == NO_RAID {
        return if has_hardware {
            Err(RaidError::Unsupported { interface: driver_interface.to_owned() })
        } else {
            Ok(nothing)
        };
    }
    if actual.and_then(|raid| raid.hardware_raid_volumes.as_deref()) == Some(hardware) {
        return Ok(nothing);
    }
    let mut steps = vec![Step::new("raid", "delete_configuration")];
    let mut target = None;
    if has_hardware {
        steps.push(Step::new("raid", "create_configuration"));
        target = Some(logical_disks(hardware_disks(hardware)?, hints));
    }
    Ok(Plan { target, steps, ..nothing })
}

fn software_of(raid: Option<&Raid>) -> &[SoftwareRaidVolume] {
    raid.and_then(|raid| raid.software_raid_volumes.as_deref()).unwrap_or_default()
}

fn software_plan(
    wished: &[SoftwareRaidVolume],
    actual: &[SoftwareRaidVolume],
    hints: Option<&RootDeviceHints>,
) -> Result<Plan, RaidError> {
    let mut plan = Plan { interface: SOFTWARE.to_owned(), target: None, steps: Vec::new() };
    if wished == actual {
        return Ok(plan);
    }
    // Old superblocks would be assembled again at the next boot.
    plan.steps = vec![Step::new("raid", "delete_configuration"), Step::new("deploy", "erase_devices_metadata")];
    if let Some(first) = wished.first() {
        if first.level.as_str() != "1" {
            return Err(RaidError::FirstLevel { level: first.level.as_str().to_owned() });
        }
        plan.steps.push(Step::new("raid", "create_configuration"));
        plan.target = Some(logical_disks(wished.iter().map(software_disk).collect(), hints));
    }
    Ok(plan)
}

/// The target; without another rule for the root disk, the first volume is it.
fn logical_disks(mut disks: Vec<Map<String, Value>>, hints: Option<&RootDeviceHints>) -> Value {
    let chosen = disks.iter().any(|disk| disk.contains_key("is_root_volume"));
    if let (false, None, Some(first)) = (chosen, hints, disks.first_mut()) {
        first.insert("is_root_volume".into(), true.into());
    }
    json!({"logical_disks": disks})
}

fn size(gibibytes: Option<i64>) -> Value {
    gibibytes.filter(|size| *size > 0).map_or_else(|| "MAX".into(), Value::from)
}

fn hardware_disks(volumes: &[HardwareRaidVolume]) -> Result<Vec<Map<String, Value>>, RaidError> {
    let mut names = BTreeMap::new();
    volumes.iter().enumerate().map(|(index, volume)| hardware_disk(index, volume, &mut names)).collect()
}

fn hardware_disk<'a>(
    index: usize,
    volume: &'a HardwareRaidVolume,
    names: &mut BTreeMap<&'a str, usize>,
) -> Result<Map<String, Value>, RaidError> {
    let mut disk = Map::new();
    let mut set = |key: &str, value: Value| disk.insert(key.to_owned(), value);
    set("size_gb", size(volume.size_gibibytes));
    set("raid_level", volume.level.as_str().into());
    if let Some(name) = &volume.name {
        if let Some(first) = names.insert(name, index) {
            return Err(RaidError::SameName { name: name.clone(), first, second: index });
        }
        set("volume_name", name.as_str().into());
    }
    if let Some(rotational) = volume.rotational {
        set("disk_type", if rotational { "hdd" } else { "ssd" }.into());
    }
    if let Some(wanted) = volume.number_of_physical_disks {
        set("number_of_physical_disks", wanted.into());
    }
    if let Some(controller) = &volume.controller {
        set("controller", controller.as_str().into());
    }
    let count = volume.physical_disks.len();
    if count > 0 {
        if volume.controller.is_none() {
            return Err(RaidError::NoController { index });
        }
        match volume.number_of_physical_disks {
            Some(wanted) if wanted != count as i64 => {
                return Err(RaidError::DiskCount { index, wanted, named: count });
            }
            Some(_) | None => set("physical_disks", volume.physical_disks.as_slice().into()),
        };
    }
    Ok(disk)
}

fn software_disk(volume: &SoftwareRaidVolume) -> Map<String, Value> {
    let mut disk = Map::new();
    let mut set = |key: &str, value: Value| disk.insert(key.to_owned(), value);
    set("size_gb", size(volume.size_gibibytes));
    set("raid_level", volume.level.as_str().into());
    set("controller", "software".into());
    if volume.root_volume {
        set("is_root_volume", true.into());
    }
    if !volume.physical_disks.is_empty() {
        let disks: Vec<Value> = volume.physical_disks.iter().map(|d| Value::Object(root_device(Some(d)))).collect();
        set("physical_disks", disks.into());
    }
    disk
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::metal3::{HardwareRaidLevel, SoftwareRaidLevel};

    fn hw(level: HardwareRaidLevel) -> HardwareRaidVolume {
        HardwareRaidVolume {
            level,
            size_gibibytes: None,
            name: None,
            rotational: None,
            number_of_physical_disks: None,
            controller: None,
            physical_disks: Vec::new(),
        }
    }
    fn sw(level: SoftwareRaidLevel) -> SoftwareRaidVolume {
        SoftwareRaidVolume { level, size_gibibytes: None, root_volume: false, physical_disks: Vec::new() }
    }
    fn hardware(volumes: Vec<HardwareRaidVolume>) -> Raid {
        Raid { hardware_raid_volumes: Some(volumes), software_raid_volumes: None }
    }
    fn software(volumes: Vec<SoftwareRaidVolume>) -> Raid {
        Raid { hardware_raid_volumes: None, software_raid_volumes: Some(volumes) }
    }
    fn sda() -> RootDeviceHints {
        RootDeviceHints { device_name: Some("/dev/sda".into()), ..RootDeviceHints::default() }
    }
    fn names(plan: &Plan) -> Vec<String> {
        plan.steps.iter().map(|step| format!("{}.{}", step.interface, step.step)).collect()
    }

    #[test]
    fn steps_by_wish_and_state() {
        let one = hardware(vec![hw(HardwareRaidLevel::Raid1)]);
        let five = hardware(vec![hw(HardwareRaidLevel::Raid5)]);
        let no_volumes = hardware(vec![]);
        let soft = software(vec![sw(SoftwareRaidLevel::Raid1)]);
        let no_soft = software(vec![]);
        let none: &[&str] = &[];
        let make = &["raid.delete_configuration", "raid.create_configuration"][..];
        let drop = &["raid.delete_configuration"][..];
        let make_soft =
            &["raid.delete_configuration", "deploy.erase_devices_metadata", "raid.create_configuration"][..];
        let drop_soft = &["raid.delete_configuration", "deploy.erase_devices_metadata"][..];
        // wished, actual, driver's interface => interface, steps, whether a target is stored
        let table = [
            (None, None, "redfish", "redfish", none, false),
            (None, Some(&one), "redfish", "redfish", none, false),
            (Some(&one), None, "redfish", "redfish", make, true),
            (Some(&one), Some(&one), "redfish", "redfish", none, false),
            (Some(&five), Some(&one), "redfish", "redfish", make, true),
            (Some(&no_volumes), Some(&one), "redfish", "redfish", drop, false),
            (Some(&no_volumes), None, "redfish", "redfish", drop, false),
            (Some(&no_volumes), None, NO_RAID, NO_RAID, none, false),
            (Some(&soft), None, "redfish", SOFTWARE, make_soft, true),
            (Some(&soft), None, NO_RAID, SOFTWARE, make_soft, true),
            (Some(&soft), Some(&soft), "redfish", SOFTWARE, none, false),
            (Some(&no_soft), Some(&soft), "redfish", SOFTWARE, drop_soft, false),
            (None, Some(&soft), "redfish", SOFTWARE, drop_soft, false),
            (Some(&no_soft), None, "redfish", "redfish", none, false),
        ];
        for (row, (wished, actual, driver, interface, steps, target)) in table.into_iter().enumerate() {
            let plan = plan(wished, actual, None, driver).unwrap();
            assert_eq!(plan.interface, interface, "row {row}");
            assert_eq!(names(&plan), steps, "row {row}");
            assert_eq!(plan.target.is_some(), target, "row {row}");
        }
    }

    #[test]
    fn hardware_volume_on_the_wire() {
        let volume = HardwareRaidVolume {
            size_gibibytes: Some(100),
            name: Some("root".into()),
            rotational: Some(false),
            number_of_physical_disks: Some(2),
            controller: Some("RAID.1".into()),
            physical_disks: vec!["Disk.0".into(), "Disk.1".into()],
            ..hw(HardwareRaidLevel::Raid10)
        };
        let target = plan(Some(&hardware(vec![volume])), None, None, "redfish").unwrap().target;
        assert_eq!(
            target,
            Some(json!({"logical_disks": [{
                "size_gb": 100, "raid_level": "1+0", "volume_name": "root", "disk_type": "ssd",
                "number_of_physical_disks": 2, "controller": "RAID.1", "physical_disks": ["Disk.0", "Disk.1"],
                "is_root_volume": true,
            }]}))
        );
    }

    #[test]
    fn size_and_root_volume() {
        let mut zero = hw(HardwareRaidLevel::Raid0);
        zero.size_gibibytes = Some(0);
        let raid = hardware(vec![zero, hw(HardwareRaidLevel::Raid1)]);
        let with_hints = plan(Some(&raid), None, Some(&sda()), "redfish").unwrap().target;
        let disks = json!([{"size_gb": "MAX", "raid_level": "0"}, {"size_gb": "MAX", "raid_level": "1"}]);
        assert_eq!(with_hints, Some(json!({"logical_disks": disks})));

        let mut second = sw(SoftwareRaidLevel::Raid1);
        second.root_volume = true;
        second.physical_disks = vec![sda(), RootDeviceHints { hctl: Some("1:0:0:0".into()), ..Default::default() }];
        let raid = software(vec![sw(SoftwareRaidLevel::Raid1), second]);
        let target = plan(Some(&raid), None, None, "redfish").unwrap().target;
        assert_eq!(
            target,
            Some(json!({"logical_disks": [
                {"size_gb": "MAX", "raid_level": "1", "controller": "software"},
                {"size_gb": "MAX", "raid_level": "1", "controller": "software", "is_root_volume": true,
                 "physical_disks": [{"name": "s== /dev/sda"}, {"hctl": "s== 1:0:0:0"}]},
            ]}))
        );
    }

    #[test]
    fn refusals() {
        let named = |name: &str| HardwareRaidVolume { name: Some(name.into()), ..hw(HardwareRaidLevel::Raid1) };
        let disks = HardwareRaidVolume { physical_disks: vec!["a".into()], ..hw(HardwareRaidLevel::Raid0) };
        let count =
            HardwareRaidVolume { controller: Some("c".into()), number_of_physical_disks: Some(2), ..disks.clone() };
        let table = [
            (hardware(vec![named("a")]), NO_RAID, RaidError::Unsupported { interface: NO_RAID.into() }),
            (
                hardware(vec![named("a"), named("b"), named("a")]),
                "redfish",
                RaidError::SameName { name: "a".into(), first: 0, second: 2 },
            ),
            (hardware(vec![disks]), "redfish", RaidError::NoController { index: 0 }),
            (hardware(vec![count]), "redfish", RaidError::DiskCount { index: 0, wanted: 2, named: 1 }),
            (software(vec![sw(SoftwareRaidLevel::Raid0)]), "redfish", RaidError::FirstLevel { level: "0".into() }),
        ];
        for (raid, interface, error) in table {
            assert_eq!(plan(Some(&raid), None, None, interface), Err(error));
        }
    }
}
