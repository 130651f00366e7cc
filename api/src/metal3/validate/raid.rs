//! RAID volumes and root disk hints.

use crate::metal3::bmc_address::AccessType;
use crate::metal3::{HardwareRaidVolume, Raid, RootDeviceHints, SoftwareRaidLevel, SoftwareRaidVolume};
use crate::validation::Violations;

/// Rules of the volumes; fields are relative to `spec.raid`. `hints`: whether root disk hints are set as well.
pub(super) fn volumes(raid: &Raid, hints: bool, access: Option<AccessType>) -> Violations {
    let mut all = Violations::new();
    let hardware = raid.hardware_raid_volumes.as_deref().unwrap_or_default();
    let software = raid.software_raid_volumes.as_deref().unwrap_or_default();
    if !hardware.is_empty() && !software.is_empty() {
        all.invalid(
            "softwareRAIDVolumes",
            "hardwareRAIDVolumes and softwareRAIDVolumes can not be set at the same time; remove one of the two",
        );
    }
    if let Some(access) = access.filter(|a| !hardware.is_empty() && !a.supports_raid()) {
        all.invalid(
            "hardwareRAIDVolumes",
            format!("BMC driver {access} does not support configuring RAID; use softwareRAIDVolumes"),
        );
    }
    for (i, volume) in hardware.iter().enumerate() {
        all.within(&format!("hardwareRAIDVolumes[{i}]"), hardware_volume(volume));
    }
    software_volumes(software, hints, &mut all);
    all
}

fn hardware_volume(volume: &HardwareRaidVolume) -> Violations {
    let mut all = Violations::new();
    if volume.physical_disks.is_empty() {
        return all;
    }
    if volume.controller.is_none() {
        all.required("controller", "must be set together with physicalDisks");
    }
    let disks = volume.physical_disks.len();
    if let Some(number) = volume.number_of_physical_disks.filter(|&n| usize::try_from(n) != Ok(disks)) {
        all.invalid(
            "numberOfPhysicalDisks",
            format!("is {number}, but physicalDisks lists {disks}; remove it or make them equal"),
        );
    }
    all
}

fn software_volumes(volumes: &[SoftwareRaidVolume], hints: bool, all: &mut Violations) {
    let mut root = None;
    for (i, volume) in volumes.iter().enumerate() {
        for (j, disk) in volume.physical_disks.iter().enumerate() {
            all.within(&format!("softwareRAIDVolumes[{i}].physicalDisks[{j}]"), root_device_hints(disk));
        }
        if !volume.root_volume {
            continue;
        }
        let field = format!("softwareRAIDVolumes[{i}].rootVolume");
        if let Some(first) = root {
            all.invalid(field, format!("can only be set once, and is set for volume {first}"));
            continue;
        }
        root = Some(i);
        if hints {
            all.invalid(field.clone(), "can not be set together with rootDeviceHints: remove one of the two");
        }
        if volume.level != SoftwareRaidLevel::Raid1 {
            all.invalid(field, "needs RAID level 1, the only one that a boot loader can read");
        }
    }
}

/// Rules of hints; fields are relative to them.
pub fn root_device_hints(hints: &RootDeviceHints) -> Violations {
    let mut all = Violations::new();
    if let Some(name) = &hints.device_name {
        let behind = name.strip_prefix("/dev/disk/by-path/").or_else(|| name.strip_prefix("/dev/"));
        if behind.is_none_or(|rest| rest.is_empty() || rest.contains('/')) {
            all.invalid("deviceName", format!("{name:?} must be /dev/NAME or /dev/disk/by-path/NAME"));
        }
    }
    all
}
