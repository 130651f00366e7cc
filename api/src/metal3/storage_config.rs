//! RAID, root disk hints and the refused firmware settings: wanted in a host's spec, applied in its status.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::meta::{is_false, or_default, text};
use crate::open_enum;

/// RAID volumes. For both lists: absent keeps what is there, empty removes all volumes, a list makes exactly these.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Raid {
    /// Volumes of a RAID controller.
    #[serde(rename = "hardwareRAIDVolumes", default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("nullable" = true))]
    pub hardware_raid_volumes: Option<Vec<HardwareRaidVolume>>,
    /// Volumes made by Linux, at most two; the first must have level 1. Excludes hardware volumes.
    #[serde(rename = "softwareRAIDVolumes", default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("nullable" = true, "maxItems" = 2))]
    pub software_raid_volumes: Option<Vec<SoftwareRaidVolume>>,
}

open_enum! {
    /// Level of a hardware RAID volume.
    pub enum HardwareRaidLevel {
        /// Striping.
        Raid0 = "0",
        /// Mirroring.
        Raid1 = "1",
        /// Striping with Hamming code.
        Raid2 = "2",
        /// Striping with one parity.
        Raid5 = "5",
        /// Striping with two parities.
        Raid6 = "6",
        /// Stripes of mirrors.
        Raid10 = "1+0",
        /// Stripes of level 5.
        Raid50 = "5+0",
        /// Stripes of level 6.
        Raid60 = "6+0",
    }
}

open_enum! {
    /// Level of a software RAID volume.
    pub enum SoftwareRaidLevel {
        /// Striping.
        Raid0 = "0",
        /// Mirroring.
        Raid1 = "1",
        /// Stripes of mirrors.
        Raid10 = "1+0",
    }
}

/// One volume of a RAID controller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HardwareRaidVolume {
    /// RAID level.
    pub level: HardwareRaidLevel,
    /// Size in GiB; absent or 0 means as large as possible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub size_gibibytes: Option<i64>,
    /// Name of the volume, at most 64 characters, unique among the volumes.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub name: Option<String>,
    /// true takes rotating disks, false flash; absent takes any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotational: Option<bool>,
    /// How many disks to use; the level's minimum when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub number_of_physical_disks: Option<i64>,
    /// Name of the RAID controller, as the driver knows it.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub controller: Option<String>,
    /// Names of the disks, as the driver knows them; needs `controller`.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub physical_disks: Vec<String>,
}

/// One volume made by Linux.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SoftwareRaidVolume {
    /// RAID level.
    pub level: SoftwareRaidLevel,
    /// Size in GiB; absent or 0 means as large as possible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub size_gibibytes: Option<i64>,
    /// Write the image to this volume. At most one volume, of level 1; excludes `rootDeviceHints`.
    #[serde(default, skip_serializing_if = "is_false")]
    #[schemars(extend("x-default" = false))]
    pub root_volume: bool,
    /// Which disks to use, at least two; all when absent.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 2))]
    pub physical_disks: Vec<RootDeviceHints>,
}

/// How to find a disk: it must meet all hints given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RootDeviceHints {
    /// Linux device name, `/dev/X` or `/dev/disk/by-path/X`; must be equal.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub device_name: Option<String>,
    /// SCSI address, e.g. `0:0:0:0`; must be equal.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub hctl: Option<String>,
    /// Part of the model.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Part of the vendor's name.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// Serial number; must be equal.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub serial_number: Option<String>,
    /// Smallest capacity in GB (10^9 bytes).
    #[serde(default, skip_serializing_if = "crate::meta::is_default")]
    #[schemars(range(min = 0))]
    pub min_size_gigabytes: i64,
    /// World wide name; must be equal.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub wwn: Option<String>,
    /// World wide name with its vendor part; must be equal.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub wwn_with_extension: Option<String>,
    /// Vendor part of the world wide name; must be equal.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub wwn_vendor_extension: Option<String>,
    /// true takes rotating disks, false flash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotational: Option<bool>,
}

/// Three firmware settings of long ago, refused on admission.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Firmware {
    /// Processor virtualisation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = [true, false]))]
    pub virtualization_enabled: Option<bool>,
    /// Several threads per core.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = [true, false]))]
    pub simultaneous_multithreading_enabled: Option<bool>,
    /// SR-IOV.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = [true, false]))]
    pub sriov_enabled: Option<bool>,
}
