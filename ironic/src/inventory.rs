//! The inventory of an inspected node: what the ramdisk (or the BMC) found.

use serde::Deserialize;
use serde_json::Value;

/// The answer to an inventory request.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Inventory {
    /// The hardware.
    pub inventory: Hardware,
    /// What inspection hooks added. Its shape depends on the hooks: read it through the methods.
    pub plugin_data: Value,
}

impl Inventory {
    /// What the hooks know about one interface.
    pub fn interface(&self, name: &str) -> InterfaceFacts {
        let at = |path: &str| self.plugin_data.get(path).and_then(|all| all.get(name)).cloned().unwrap_or_default();
        InterfaceFacts {
            pxe_enabled: at("all_interfaces").get("pxe_enabled").and_then(Value::as_bool).unwrap_or_default(),
            // One odd value must not hide the others, so the parts are read one by one.
            lldp: Lldp::from_value(&at("parsed_lldp")),
        }
    }
}

/// What inspection hooks know about an interface.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InterfaceFacts {
    /// Whether the ramdisk booted through it.
    pub pxe_enabled: bool,
    /// What the switch said.
    pub lldp: Lldp,
}

/// What a switch said over LLDP.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lldp {
    /// Chassis id, usually a MAC address.
    pub switch_chassis_id: Option<String>,
    /// Port id.
    pub switch_port_id: Option<String>,
    /// System name.
    pub switch_system_name: Option<String>,
    /// VLANs of the port: id and name.
    pub vlans: Vec<(i64, Option<String>)>,
    /// Untagged VLAN of the port.
    pub untagged_vlan: Option<i64>,
}

impl Lldp {
    fn from_value(value: &Value) -> Self {
        let text = |key: &str| value.get(key).and_then(Value::as_str).filter(|t| !t.is_empty()).map(str::to_owned);
        let vlans = value.get("switch_port_vlans").and_then(Value::as_array).into_iter().flatten();
        Self {
            switch_chassis_id: text("switch_chassis_id"),
            switch_port_id: text("switch_port_id"),
            switch_system_name: text("switch_system_name"),
            vlans: vlans
                .filter_map(|vlan| {
                    let name = vlan.get("name").and_then(Value::as_str).map(str::to_owned);
                    Some((vlan.get("id")?.as_i64()?, name))
                })
                .collect(),
            untagged_vlan: value.get("switch_port_untagged_vlan_id").and_then(Value::as_i64),
        }
    }
}

/// The hardware of a machine. Absent parts are empty, as after an inspection through the BMC.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Hardware {
    /// Network interfaces.
    #[serde(deserialize_with = "null_is_default")]
    pub interfaces: Vec<Interface>,
    /// Disks.
    #[serde(deserialize_with = "null_is_default")]
    pub disks: Vec<Disk>,
    /// Processors.
    #[serde(deserialize_with = "null_is_default")]
    pub cpu: Cpu,
    /// Memory.
    #[serde(deserialize_with = "null_is_default")]
    pub memory: Memory,
    /// Maker, model and firmware.
    #[serde(deserialize_with = "null_is_default")]
    pub system_vendor: SystemVendor,
    /// How the ramdisk booted.
    #[serde(deserialize_with = "null_is_default")]
    pub boot: Boot,
    /// Host name of the ramdisk.
    pub hostname: Option<String>,
    /// IPv4 address of the BMC.
    pub bmc_address: Option<String>,
    /// IPv6 address of the BMC.
    pub bmc_v6address: Option<String>,
}

/// A network interface.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Interface {
    /// Kernel name.
    pub name: Option<String>,
    /// MAC address.
    pub mac_address: Option<String>,
    /// IPv4 address in the ramdisk.
    pub ipv4_address: Option<String>,
    /// IPv6 address in the ramdisk.
    pub ipv6_address: Option<String>,
    /// PCI vendor id.
    pub vendor: Option<String>,
    /// PCI product id.
    pub product: Option<String>,
    /// Whether the link is up.
    pub has_carrier: Option<bool>,
    /// Link speed in Mbit/s.
    pub speed_mbps: Option<i64>,
    /// PCI address, `dddd:bb:dd.f`.
    pub pci_address: Option<String>,
}

/// A disk.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Disk {
    /// Device file.
    pub name: Option<String>,
    /// Link of `/dev/disk/by-path`.
    pub by_path: Option<String>,
    /// Model.
    pub model: Option<String>,
    /// Size in bytes.
    pub size: Option<i64>,
    /// Whether it spins.
    pub rotational: Option<bool>,
    /// World wide name.
    pub wwn: Option<String>,
    /// Serial number.
    pub serial: Option<String>,
    /// Maker.
    pub vendor: Option<String>,
    /// WWN with the vendor's extension.
    pub wwn_with_extension: Option<String>,
    /// The vendor's extension alone.
    pub wwn_vendor_extension: Option<String>,
    /// SCSI host:channel:target:lun.
    pub hctl: Option<String>,
}

/// Processors.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Cpu {
    /// E.g. `x86_64`.
    pub architecture: Option<String>,
    /// Model.
    pub model_name: Option<String>,
    /// Logical processors.
    pub count: Option<i64>,
    /// Feature flags.
    #[serde(deserialize_with = "null_is_default")]
    pub flags: Vec<String>,
    /// MHz, as text in agent inventories and as a number in others.
    pub frequency: Value,
}

/// Memory.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// Bytes usable by the kernel.
    pub total: Option<i64>,
    /// Installed, in MiB.
    pub physical_mb: Option<i64>,
}

/// Maker, model and firmware.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct SystemVendor {
    /// Maker.
    pub manufacturer: Option<String>,
    /// Model.
    pub product_name: Option<String>,
    /// Serial number.
    pub serial_number: Option<String>,
    /// System firmware.
    #[serde(deserialize_with = "null_is_default")]
    pub firmware: SystemFirmware,
}

/// System firmware.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct SystemFirmware {
    /// Maker.
    pub vendor: Option<String>,
    /// Version.
    pub version: Option<String>,
    /// Build date, in the maker's format.
    pub build_date: Option<String>,
}

/// How the ramdisk booted.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Boot {
    /// `uefi` or `bios`.
    pub current_boot_mode: Option<String>,
    /// MAC address it booted from.
    pub pxe_interface: Option<String>,
}

fn null_is_default<'de, D: serde::Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}
