//! Root disk and RAID settings: which are wished, which were applied, and whether the two differ.

use api::metal3::{ProvisionStatus, Raid, RootDeviceHints, Storage};

use crate::host::view::HostView;

/// Settings that preparation applies.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// How to find the root disk.
    pub hints: Option<RootDeviceHints>,
    /// RAID volumes; `None` leaves them as they are.
    pub raid: Option<Raid>,
}

impl Settings {
    /// The wish, completed by what the profile and the volumes imply.
    pub fn wished(view: &HostView) -> Self {
        let spec = view.spec();
        let applied = view.seen().and_then(|status| status.provisioning.raid.as_ref());
        Self { hints: hints(view), raid: raid(spec.raid.as_ref(), applied) }
    }

    /// Whether RAID volumes must be changed.
    pub fn raid_differs(view: &HostView) -> bool {
        let wished = Self::wished(view);
        let applied = view.seen().and_then(|status| status.provisioning.raid.as_ref());
        wished.raid.is_some() && wished.raid.as_ref() != applied
    }

    /// Whether the wished root disk is not the recorded one.
    pub fn hints_differ(view: &HostView) -> bool {
        Self::wished(view).hints.as_ref() != view.seen().and_then(|s| s.provisioning.root_device_hints.as_ref())
    }

    /// Puts the settings into the status.
    pub fn record(&self, status: &mut ProvisionStatus) {
        status.root_device_hints.clone_from(&self.hints);
        if self.raid.is_some() {
            status.raid.clone_from(&self.raid);
        }
    }

    /// Takes everything out of the status that a cleaning or a new node may have undone. Volumes of a RAID controller
    /// outlive both.
    pub fn forget(status: &mut ProvisionStatus) {
        status.root_device_hints = None;
        status.firmware = None;
        if let Some(raid) = &mut status.raid {
            raid.software_raid_volumes = None;
            if raid.hardware_raid_volumes.is_none() {
                status.raid = None;
            }
        }
    }
}

fn hints(view: &HostView) -> Option<RootDeviceHints> {
    let volumes = view.spec().raid.as_ref().and_then(|raid| raid.software_raid_volumes.as_ref());
    if volumes.is_some_and(|volumes| volumes.iter().any(|volume| volume.root_volume)) {
        return None;
    }
    view.spec().root_device_hints.clone().or_else(|| profile_hints(&profile(view)).filter(|hints| exists(view, hints)))
}

/// Whether the disk that a profile takes for granted can be there. Where inspection found disks and not this one, Ironic
/// chooses: a deployment to a disk that does not exist would fail every time.
fn exists(view: &HostView, hints: &RootDeviceHints) -> bool {
    let Some(device) = hints.device_name.as_ref() else { return true };
    let disks = view.hardware().map(|hardware| hardware.storage.as_slice()).unwrap_or_default();
    let named = |disk: &Storage| disk.name.as_ref() == Some(device) || disk.alternate_names.contains(device);
    disks.is_empty() || disks.iter().any(named)
}

/// The RAID to build. A wish that was taken back removes software volumes that were made for it.
fn raid(wished: Option<&Raid>, applied: Option<&Raid>) -> Option<Raid> {
    match (wished.filter(|raid| **raid != Raid::default()), applied) {
        (Some(wished), _) => Some(wished.clone()),
        (None, None) => None,
        (None, Some(applied)) => Some(Raid {
            hardware_raid_volumes: applied.hardware_raid_volumes.clone().filter(|volumes| !volumes.is_empty()),
            software_raid_volumes: Some(Vec::new()),
        }),
    }
}

/// The name of the hardware profile in force.
pub fn profile(view: &HostView) -> String {
    let recorded = view.seen().and_then(|status| status.hardware_profile.clone());
    recorded.or_else(|| view.spec().hardware_profile.clone()).unwrap_or_else(|| {
        if view.spec().bmc.address.starts_with("libvirt") { "libvirt" } else { "unknown" }.to_owned()
    })
}

/// Whether a profile of this name exists.
pub fn known_profile(name: &str) -> bool {
    name == "empty" || profile_hints(name).is_some()
}

/// The root disk that a profile stands for.
fn profile_hints(name: &str) -> Option<RootDeviceHints> {
    let device = |path: &str| RootDeviceHints { device_name: Some(path.to_owned()), ..RootDeviceHints::default() };
    let address = |hctl: &str| RootDeviceHints { hctl: Some(hctl.to_owned()), ..RootDeviceHints::default() };
    match name {
        "unknown" => Some(device("/dev/sda")),
        "libvirt" => Some(device("/dev/vda")),
        "openstack" => Some(device("/dev/vdb")),
        "dell" => Some(address("0:0:0:0")),
        "dell-raid" => Some(address("0:2:0:0")),
        _ => None,
    }
}
