//! What inspection found, as the host's hardware details.

use api::metal3::{
    Bios, Cpu, DiskType, HardwareDetails, HardwareFirmware, HardwareSystemVendor, Lldp, Nic, Storage, Vlan,
};
use ironic::Inventory;
use ironic::inventory::{Disk, Interface, InterfaceFacts};
use serde_json::Value;

/// The hardware details of an inventory. What an inspection did not find stays empty: one through the BMC knows neither
/// a host name nor IP addresses.
pub fn details(found: &Inventory) -> HardwareDetails {
    let machine = &found.inventory;
    let vendor = &machine.system_vendor;
    HardwareDetails {
        system_vendor: HardwareSystemVendor {
            manufacturer: text(vendor.manufacturer.as_ref()),
            product_name: text(vendor.product_name.as_ref()),
            serial_number: text(vendor.serial_number.as_ref()),
        },
        firmware: HardwareFirmware {
            bios: Bios {
                date: text(vendor.firmware.build_date.as_ref()),
                vendor: text(vendor.firmware.vendor.as_ref()),
                version: text(vendor.firmware.version.as_ref()),
            },
        },
        ram_mebibytes: machine.memory.physical_mb.unwrap_or_default(),
        nics: machine.interfaces.iter().flat_map(|interface| nics(found, interface)).collect(),
        storage: machine.disks.iter().map(storage).collect(),
        cpu: cpu(&machine.cpu),
        hostname: text(machine.hostname.as_ref()),
    }
}

fn text(value: Option<&String>) -> Option<String> {
    value.filter(|value| !value.is_empty()).cloned()
}

/// One entry per IP address, and one for an interface without any.
fn nics(found: &Inventory, interface: &Interface) -> Vec<Nic> {
    let facts = found.interface(interface.name.as_deref().unwrap_or_default());
    let v4 = text(interface.ipv4_address.as_ref());
    let v6 = text(interface.ipv6_address.as_ref());
    let mut addresses = Vec::new();
    if v4.is_some() || v6.is_none() {
        addresses.push(v4);
    }
    if v6.is_some() {
        addresses.push(v6);
    }
    addresses.into_iter().map(|ip| nic(interface, &facts, ip)).collect()
}

fn nic(interface: &Interface, facts: &InterfaceFacts, ip: Option<String>) -> Nic {
    let part = |value: &Option<String>| value.clone().unwrap_or_default();
    let model = format!("{} {}", part(&interface.vendor), part(&interface.product));
    Nic {
        name: text(interface.name.as_ref()),
        model: text(Some(&model.trim().to_owned())),
        mac: text(interface.mac_address.as_ref()),
        ip,
        speed_gbps: interface.speed_mbps.unwrap_or_default() / 1000,
        vlans: facts
            .lldp
            .vlans
            .iter()
            .filter_map(|(id, name)| Some(Vlan { id: vlan(*id)?, name: name.clone() }))
            .collect(),
        vlan_id: facts.lldp.untagged_vlan.and_then(vlan).unwrap_or_default(),
        pxe: facts.pxe_enabled,
        lldp: lldp(facts),
        pci_address: text(interface.pci_address.as_ref()),
    }
}

/// A VLAN number that the schema of the host accepts.
fn vlan(id: i64) -> Option<i32> {
    i32::try_from(id).ok().filter(|id| (0..=4094).contains(id))
}

fn lldp(facts: &InterfaceFacts) -> Option<Lldp> {
    let lldp = Lldp {
        switch_id: facts.lldp.switch_chassis_id.clone(),
        port_id: facts.lldp.switch_port_id.clone(),
        switch_system_name: facts.lldp.switch_system_name.clone(),
    };
    (lldp != Lldp::default()).then_some(lldp)
}

fn storage(disk: &Disk) -> Storage {
    let name = text(disk.name.as_ref());
    let by_path = text(disk.by_path.as_ref());
    let on_pcie = name.as_deref().is_some_and(|name| name.starts_with("/dev/nvme"));
    let kind = match disk.rotational {
        Some(true) => DiskType::Hdd,
        Some(false) | None if on_pcie => DiskType::Nvme,
        Some(false) | None => DiskType::Ssd,
    };
    Storage {
        name: by_path.clone().or_else(|| name.clone()),
        alternate_names: name.into_iter().chain(by_path).collect(),
        rotational: disk.rotational.filter(|rotational| *rotational),
        type_: Some(kind),
        size_bytes: disk.size.unwrap_or_default(),
        vendor: text(disk.vendor.as_ref()),
        model: text(disk.model.as_ref()),
        serial_number: text(disk.serial.as_ref()),
        wwn: text(disk.wwn.as_ref()),
        wwn_vendor_extension: text(disk.wwn_vendor_extension.as_ref()),
        wwn_with_extension: text(disk.wwn_with_extension.as_ref()),
        hctl: text(disk.hctl.as_ref()),
    }
}

fn cpu(cpu: &ironic::inventory::Cpu) -> Cpu {
    let mut flags = cpu.flags.clone();
    flags.sort();
    let clock = match &cpu.frequency {
        Value::String(text) => text.trim().parse::<f64>().ok(),
        Value::Number(number) => number.as_f64(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    Cpu {
        arch: text(cpu.architecture.as_ref()),
        model: text(cpu.model_name.as_ref()),
        clock_megahertz: clock.filter(|clock| clock.is_finite()).unwrap_or_default().round(),
        flags,
        count: cpu.count.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: Value) -> HardwareDetails {
        details(&serde_json::from_value(value).unwrap())
    }

    #[test]
    fn a_whole_machine() {
        let hardware = read(json!({
            "inventory": {
                "interfaces": [
                    {"name": "eno1", "mac_address": "00:00:00:00:00:01", "ipv4_address": "192.0.2.5",
                     "ipv6_address": "2001:db8::5", "vendor": "0x8086", "product": "0x1521", "has_carrier": true,
                     "speed_mbps": 25900, "pci_address": "0000:01:00.0", "lldp": null, "client_id": null},
                    {"name": "eno2", "mac_address": "00:00:00:00:00:02", "ipv4_address": null, "ipv6_address": null,
                     "vendor": null, "product": "0x1", "speed_mbps": null},
                ],
                "disks": [
                    {"name": "/dev/sda", "by_path": "/dev/disk/by-path/pci-1", "model": "M", "size": 500_107_862_016_i64,
                     "rotational": true, "wwn": "0x1", "serial": "S", "vendor": "ATA", "wwn_with_extension": "0x1a",
                     "wwn_vendor_extension": "0xa", "hctl": "0:0:0:0", "logical_sectors": null},
                    {"name": "/dev/nvme0n1", "size": 10, "rotational": false},
                    {"name": "/dev/vda", "size": 20, "rotational": false},
                ],
                "cpu": {"model_name": "X", "frequency": "2599.994", "count": 8, "architecture": "x86_64",
                        "flags": ["vmx", "aes"]},
                "memory": {"total": 1, "physical_mb": 2048},
                "system_vendor": {"product_name": "P", "serial_number": "N", "manufacturer": "F",
                                  "firmware": {"vendor": "EDK", "version": "1.0", "build_date": "02/06/2015"}},
                "hostname": "ramdisk", "boot": {"current_boot_mode": "uefi"}, "bmc_address": "192.0.2.9",
            },
            "plugin_data": {
                "all_interfaces": {"eno1": {"pxe_enabled": true}, "eno2": {"pxe_enabled": false}},
                "parsed_lldp": {"eno1": {"switch_chassis_id": "aa:bb", "switch_port_id": "p7", "switch_system_name": "sw",
                    "switch_port_vlans": [{"id": 101, "name": "v101"}, {"id": 5000, "name": "no"}],
                    "switch_port_untagged_vlan_id": 102}},
            },
        }));
        let nic = |ip: &str| Nic {
            name: Some("eno1".into()),
            model: Some("0x8086 0x1521".into()),
            mac: Some("00:00:00:00:00:01".into()),
            ip: Some(ip.into()),
            speed_gbps: 25,
            vlans: vec![Vlan { id: 101, name: Some("v101".into()) }],
            vlan_id: 102,
            pxe: true,
            lldp: Some(Lldp {
                switch_id: Some("aa:bb".into()),
                port_id: Some("p7".into()),
                switch_system_name: Some("sw".into()),
            }),
            pci_address: Some("0000:01:00.0".into()),
        };
        let second = Nic {
            name: Some("eno2".into()),
            model: Some("0x1".into()),
            mac: Some("00:00:00:00:00:02".into()),
            ..Nic::default()
        };
        assert_eq!(hardware.nics, [nic("192.0.2.5"), nic("2001:db8::5"), second]);
        assert_eq!(
            hardware.storage[0],
            Storage {
                name: Some("/dev/disk/by-path/pci-1".into()),
                alternate_names: vec!["/dev/sda".into(), "/dev/disk/by-path/pci-1".into()],
                rotational: Some(true),
                type_: Some(DiskType::Hdd),
                size_bytes: 500_107_862_016,
                vendor: Some("ATA".into()),
                model: Some("M".into()),
                serial_number: Some("S".into()),
                wwn: Some("0x1".into()),
                wwn_vendor_extension: Some("0xa".into()),
                wwn_with_extension: Some("0x1a".into()),
                hctl: Some("0:0:0:0".into()),
            }
        );
        assert_eq!(hardware.storage[1].type_, Some(DiskType::Nvme));
        assert_eq!(hardware.storage[2].type_, Some(DiskType::Ssd));
        assert_eq!(hardware.cpu.clock_megahertz.to_string(), "2600");
        assert_eq!(hardware.cpu.flags, ["aes", "vmx"]);
        assert_eq!((hardware.cpu.count, hardware.ram_mebibytes), (8, 2048));
        assert_eq!(hardware.firmware.bios.date.as_deref(), Some("02/06/2015"));
        assert_eq!(hardware.system_vendor.manufacturer.as_deref(), Some("F"));
        assert_eq!(hardware.hostname.as_deref(), Some("ramdisk"));
    }

    #[test]
    fn missing_and_odd_parts_are_empty() {
        assert_eq!(read(json!({})), HardwareDetails::default());
        let odd = read(json!({
            "inventory": {"cpu": null, "disks": null, "interfaces": [{"name": "a"}], "memory": {"physical_mb": null},
                          "system_vendor": {"firmware": null}},
            "plugin_data": {"all_interfaces": ["a"], "parsed_lldp": {"a": {"switch_port_vlans": "x"}}},
        }));
        assert_eq!(odd.nics, [Nic { name: Some("a".into()), ..Nic::default() }]);
        let text = |frequency: Value| read(json!({"inventory": {"cpu": {"frequency": frequency}}})).cpu.clock_megahertz;
        let clocks = [text(json!("")), text(json!("fast")), text(json!("inf")), text(json!(2400)), text(json!("1.5"))];
        assert_eq!(clocks.map(|clock| clock.to_string()), ["0", "0", "0", "2400", "2"]);
    }
}
