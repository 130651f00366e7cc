//! What inspection finds: shared by `BareMetalHost.status.hardware` and HardwareData.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::meta::{is_default, or_default, text};
use crate::open_enum;

/// Everything that inspection found in a machine.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HardwareDetails {
    /// Who made the machine.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub system_vendor: HardwareSystemVendor,
    /// Firmware versions.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub firmware: HardwareFirmware,
    /// Memory in MiB.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ram_mebibytes: i64,
    /// Network interfaces, in the order of the inspection.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub nics: Vec<Nic>,
    /// Disks, in the order of the inspection.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub storage: Vec<Storage>,
    /// Processors.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub cpu: Cpu,
    /// Host name that the inspection ramdisk got.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
}

/// Who made the machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HardwareSystemVendor {
    /// Name of the maker.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub manufacturer: Option<String>,
    /// Model of the machine.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub product_name: Option<String>,
    /// Serial number of the machine.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub serial_number: Option<String>,
}

/// Firmware versions of the machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HardwareFirmware {
    /// BIOS or UEFI.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub bios: Bios,
}

/// The BIOS or UEFI of a machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Bios {
    /// Release date as the firmware tells it.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// Maker of the firmware.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// Version of the firmware.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// The processors of a machine.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Cpu {
    /// Architecture, e.g. `x86_64` or `aarch64`.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub arch: Option<String>,
    /// Model name.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Clock in MHz.
    #[serde(default, skip_serializing_if = "is_default")]
    pub clock_megahertz: f64,
    /// Features, e.g. `vmx`.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
    /// Number of logical processors.
    #[serde(default, skip_serializing_if = "is_default")]
    pub count: i64,
}

open_enum! {
    /// Kind of a disk.
    pub enum DiskType {
        /// Rotating.
        Hdd = "HDD",
        /// Flash on a disk bus.
        Ssd = "SSD",
        /// Flash on PCIe.
        Nvme = "NVME",
    }
}

/// One disk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Storage {
    /// Device name in Linux, stable where one exists, e.g. `/dev/disk/by-path/pci-0000:00:1f.2-ata-1`.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Other names of the same device.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub alternate_names: Vec<String>,
    /// Whether it rotates; `type` is more exact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotational: Option<bool>,
    /// Kind of disk.
    #[serde(rename = "type", default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub type_: Option<DiskType>,
    /// Capacity in bytes.
    #[serde(default, skip_serializing_if = "is_default")]
    pub size_bytes: i64,
    /// Maker.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// Model.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Serial number.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub serial_number: Option<String>,
    /// World wide name.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub wwn: Option<String>,
    /// Vendor part of the world wide name.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub wwn_vendor_extension: Option<String>,
    /// World wide name with its vendor part.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub wwn_with_extension: Option<String>,
    /// SCSI address, host:channel:target:lun.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub hctl: Option<String>,
}

/// A VLAN seen on a port.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Vlan {
    /// VLAN number, 0 to 4094.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(range(min = 0, max = 4094))]
    pub id: i32,
    /// Name that the switch gives it.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// What the switch at the other end of a cable says about itself by LLDP.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Lldp {
    /// Chassis identity of the switch, usually a MAC address.
    #[serde(rename = "switchID", default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub switch_id: Option<String>,
    /// Port of the switch.
    #[serde(rename = "portID", default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub port_id: Option<String>,
    /// System name of the switch.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub switch_system_name: Option<String>,
}

/// One network interface; one entry per address it had.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Nic {
    /// Interface name in the inspection ramdisk, e.g. `eno1`.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// PCI vendor and device, or a model name.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Hardware address.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}"))]
    pub mac: Option<String>,
    /// IP address during the inspection, IPv4 or IPv6.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// Link speed in Gbit/s.
    #[serde(default, skip_serializing_if = "is_default")]
    pub speed_gbps: i64,
    /// VLANs seen on the port.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub vlans: Vec<Vlan>,
    /// The untagged VLAN, 0 to 4094.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(range(min = 0, max = 4094))]
    pub vlan_id: i32,
    /// Whether the machine booted the ramdisk from this interface.
    #[serde(default, skip_serializing_if = "crate::meta::is_false")]
    pub pxe: bool,
    /// The switch at the other end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lldp: Option<Lldp>,
    /// PCI address, e.g. `0000:01:00.0`.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub pci_address: Option<String>,
}
