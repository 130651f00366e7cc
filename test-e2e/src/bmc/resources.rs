//! The JSON of each Redfish resource, as pure functions of a machine's hardware and state.
//!
//! Schemas: DMTF DSP2046 (Redfish resource and schema guide). Only the properties that clients of this bench read.

use serde_json::{Value, json};

use super::{
    spec::MachineSpec,
    state::{Enabled, State, Target},
};

/// Where the service's resources begin.
pub const ROOT: &str = "/redfish/v1";

/// A reference to a resource below [`ROOT`].
fn link(path: &str) -> Value {
    json!({ "@odata.id": format!("{ROOT}/{path}") })
}

/// A collection of resources with the given paths.
pub fn collection(path: &str, kind: &str, members: &[String]) -> Value {
    json!({
        "@odata.id": format!("{ROOT}/{path}"),
        "@odata.type": format!("#{kind}Collection.{kind}Collection"),
        "Name": format!("{kind} Collection"),
        "Members": members.iter().map(|m| link(m)).collect::<Vec<_>>(),
        "Members@odata.count": members.len(),
    })
}

/// The service root.
pub fn root() -> Value {
    json!({
        "@odata.id": format!("{ROOT}/"),
        "@odata.type": "#ServiceRoot.v1_5_0.ServiceRoot",
        "Id": "RootService",
        "Name": "Bench management controllers",
        "RedfishVersion": "1.6.0",
        "UUID": "00000000-0000-8000-8000-000000000001",
        "Systems": link("Systems"),
        "Managers": link("Managers"),
        "Chassis": link("Chassis"),
        "Registries": link("Registries"),
        "SessionService": link("SessionService"),
        "Links": { "Sessions": link("SessionService/Sessions") },
    })
}

/// The session service.
pub fn session_service() -> Value {
    json!({
        "@odata.id": format!("{ROOT}/SessionService"),
        "@odata.type": "#SessionService.v1_1_8.SessionService",
        "Id": "SessionService",
        "Name": "Session Service",
        "ServiceEnabled": true,
        "Sessions": link("SessionService/Sessions"),
    })
}

/// One session.
pub fn session(number: u64, username: &str) -> Value {
    json!({
        "@odata.id": format!("{ROOT}/SessionService/Sessions/{number}"),
        "@odata.type": "#Session.v1_1_0.Session",
        "Id": number.to_string(),
        "Name": "Session",
        "UserName": username,
    })
}

/// The computer system of a machine.
pub fn system(spec: &MachineSpec, state: &State, on: bool) -> Value {
    let name = &spec.name;
    let base = format!("Systems/{name}");
    let boot = &state.boot;
    json!({
        "@odata.id": format!("{ROOT}/{base}"),
        "@odata.type": "#ComputerSystem.v1_10_0.ComputerSystem",
        "Id": name, "Name": name, "UUID": spec.uuid(), "SystemType": "Physical",
        "Manufacturer": "Bench", "Model": "Emulated", "SKU": "bench-1", "SerialNumber": spec.serial_number(),
        "BiosVersion": "1.0.0", "IndicatorLED": "Off",
        "PowerState": if on { "On" } else { "Off" },
        "Status": { "State": if on { "Enabled" } else { "Disabled" }, "Health": "OK" },
        "Boot": {
            "BootSourceOverrideEnabled": format!("{:?}", boot.enabled),
            "BootSourceOverrideTarget": format!("{:?}", boot.target),
            "BootSourceOverrideMode": boot.mode.redfish(),
            "HttpBootUri": boot.http_boot_uri,
            "BootSourceOverrideTarget@Redfish.AllowableValues": ["None", "Pxe", "Cd", "Hdd", "UefiHttp"],
            "BootSourceOverrideMode@Redfish.AllowableValues": ["Legacy", "UEFI"],
        },
        "ProcessorSummary": { "Count": 1, "Model": "Emulated", "LogicalProcessorCount": spec.cpus,
                              "Status": { "State": "Enabled", "Health": "OK" } },
        "MemorySummary": { "TotalSystemMemoryGiB": f64::from(spec.memory_mib) / 1024.0 },
        "Bios": link(&format!("{base}/Bios")),
        "EthernetInterfaces": link(&format!("{base}/EthernetInterfaces")),
        "SecureBoot": link(&format!("{base}/SecureBoot")),
        "Processors": link(&format!("{base}/Processors")),
        "SimpleStorage": link(&format!("{base}/SimpleStorage")),
        "Storage": link(&format!("{base}/Storage")),
        "VirtualMedia": link(&format!("Managers/{name}/VirtualMedia")),
        "Links": { "Chassis": [link(&format!("Chassis/{name}"))], "ManagedBy": [link(&format!("Managers/{name}"))] },
        "Actions": { "#ComputerSystem.Reset": {
            "target": format!("{ROOT}/{base}/Actions/ComputerSystem.Reset"),
            "ResetType@Redfish.AllowableValues":
                ["On", "ForceOff", "GracefulShutdown", "GracefulRestart", "ForceRestart", "ForceOn", "PushPowerButton"],
        } },
    })
}

/// The manager (the BMC itself) of a machine.
pub fn manager(spec: &MachineSpec) -> Value {
    let name = &spec.name;
    json!({
        "@odata.id": format!("{ROOT}/Managers/{name}"),
        "@odata.type": "#Manager.v1_3_1.Manager",
        "Id": name, "Name": "BMC", "ManagerType": "BMC", "FirmwareVersion": "1.0.0", "UUID": spec.uuid(),
        "Status": { "State": "Enabled", "Health": "OK" },
        "VirtualMedia": link(&format!("Managers/{name}/VirtualMedia")),
        "Links": { "ManagerForServers": [link(&format!("Systems/{name}"))] },
    })
}

/// The chassis of a machine.
pub fn chassis(spec: &MachineSpec) -> Value {
    let name = &spec.name;
    json!({
        "@odata.id": format!("{ROOT}/Chassis/{name}"),
        "@odata.type": "#Chassis.v1_5_0.Chassis",
        "Id": name, "Name": name, "ChassisType": "RackMount", "Manufacturer": "Bench", "Model": "Emulated",
        "Status": { "State": "Enabled", "Health": "OK" },
        "Links": { "ComputerSystems": [link(&format!("Systems/{name}"))],
                   "ManagedBy": [link(&format!("Managers/{name}"))] },
    })
}

/// The virtual CD drive of a machine.
pub fn virtual_cd(spec: &MachineSpec, state: &State) -> Value {
    let path = format!("{ROOT}/Managers/{}/VirtualMedia/Cd", spec.name);
    json!({
        "@odata.id": path,
        "@odata.type": "#VirtualMedia.v1_3_0.VirtualMedia",
        "Id": "Cd", "Name": "Virtual CD", "MediaTypes": ["CD", "DVD"],
        "Image": state.media,
        "ImageName": state.media.as_ref().and_then(|url| url.rsplit('/').next()),
        "Inserted": state.media.is_some(),
        "ConnectedVia": if state.media.is_some() { "URI" } else { "NotConnected" },
        "WriteProtected": true,
        "Actions": {
            "#VirtualMedia.InsertMedia": { "target": format!("{path}/Actions/VirtualMedia.InsertMedia") },
            "#VirtualMedia.EjectMedia": { "target": format!("{path}/Actions/VirtualMedia.EjectMedia") },
        },
    })
}

/// The network card of a machine.
pub fn ethernet_interface(spec: &MachineSpec) -> Value {
    json!({
        "@odata.id": format!("{ROOT}/Systems/{}/EthernetInterfaces/{}", spec.name, spec.mac),
        "@odata.type": "#EthernetInterface.v1_4_0.EthernetInterface",
        "Id": spec.mac, "Name": "Network card", "SpeedMbps": 1000,
        "PermanentMACAddress": spec.mac, "MACAddress": spec.mac,
        "Status": { "State": "Enabled", "Health": "OK" },
    })
}

/// The processor of a machine.
pub fn processor(spec: &MachineSpec) -> Value {
    json!({
        "@odata.id": format!("{ROOT}/Systems/{}/Processors/CPU0", spec.name),
        "@odata.type": "#Processor.v1_0_0.Processor",
        "Id": "CPU0", "Name": "CPU0", "ProcessorType": "CPU", "ProcessorArchitecture": "x86",
        "InstructionSet": "x86-64", "Model": "Emulated", "TotalCores": spec.cpus, "TotalThreads": spec.cpus,
        "Status": { "State": "Enabled", "Health": "OK" },
    })
}

/// The secure boot resource of a machine.
pub fn secure_boot(spec: &MachineSpec, state: &State) -> Value {
    json!({
        "@odata.id": format!("{ROOT}/Systems/{}/SecureBoot", spec.name),
        "@odata.type": "#SecureBoot.v1_0_0.SecureBoot",
        "Id": "SecureBoot", "Name": "UEFI Secure Boot", "SecureBootMode": "UserMode",
        "SecureBootEnable": state.secure_boot,
        "SecureBootCurrentBoot": if state.secure_boot { "Enabled" } else { "Disabled" },
    })
}

/// The BIOS attributes in force.
pub fn bios(spec: &MachineSpec, state: &State) -> Value {
    let path = format!("{ROOT}/Systems/{}/Bios", spec.name);
    json!({
        "@odata.id": path,
        "@odata.type": "#Bios.v1_1_0.Bios",
        "Id": "Bios", "Name": "BIOS settings", "AttributeRegistry": REGISTRY,
        "Attributes": state.bios,
        "@Redfish.Settings": {
            "@odata.type": "#Settings.v1_3_0.Settings",
            "SettingsObject": { "@odata.id": format!("{path}/Settings") },
            "SupportedApplyTimes": ["OnReset"],
        },
        "Actions": { "#Bios.ResetBios": { "target": format!("{path}/Actions/Bios.ResetBios") } },
    })
}

/// The BIOS attributes of the next power-on.
pub fn bios_settings(spec: &MachineSpec, state: &State) -> Value {
    let mut attributes = state.bios.clone();
    attributes.extend(state.bios_pending.clone());
    json!({
        "@odata.id": format!("{ROOT}/Systems/{}/Bios/Settings", spec.name),
        "@odata.type": "#Bios.v1_1_0.Bios",
        "Id": "Settings", "Name": "BIOS settings of the next start", "Attributes": attributes,
    })
}

/// Name of the attribute registry.
pub const REGISTRY: &str = "BenchBiosAttributeRegistry.v1_0_0";

/// Where the attribute registry lies.
pub fn registry_file() -> Value {
    json!({
        "@odata.id": format!("{ROOT}/Registries/{REGISTRY}"),
        "@odata.type": "#MessageRegistryFile.v1_1_0.MessageRegistryFile",
        "Id": REGISTRY, "Name": "BIOS attributes", "Registry": REGISTRY, "Languages": ["en"],
        "Location": [{ "Language": "en", "Uri": format!("{ROOT}/Registries/{REGISTRY}/en") }],
    })
}

/// The attribute registry: every attribute is a choice of two words.
pub fn registry() -> Value {
    let attributes: Vec<Value> = ["BootRetry", "ProcVirtualization", "QuietBoot"]
        .iter()
        .map(|name| {
            json!({
                "AttributeName": name, "DisplayName": name, "Type": "Enumeration", "ReadOnly": false,
                "ResetRequired": true,
                "Value": [{ "ValueName": "Enabled", "ValueDisplayName": "Enabled" },
                          { "ValueName": "Disabled", "ValueDisplayName": "Disabled" }],
            })
        })
        .collect();
    json!({
        "@odata.id": format!("{ROOT}/Registries/{REGISTRY}/en"),
        "@odata.type": "#AttributeRegistry.v1_3_0.AttributeRegistry",
        "Id": REGISTRY, "Name": "BIOS attributes", "Language": "en", "OwningEntity": "Bench",
        "RegistryVersion": "1.0.0",
        "RegistryEntries": { "Attributes": attributes },
    })
}

/// A Redfish error body.
pub fn error(message: &str) -> Value {
    json!({ "error": {
        "code": "Base.1.0.GeneralError",
        "message": message,
        "@Message.ExtendedInfo": [{ "MessageId": "Base.1.0.GeneralError", "Message": message }],
    } })
}

/// Reads a boot target from Redfish's word; words this machine does not offer give `None`.
pub fn target(word: &str) -> Option<Target> {
    Some(match word {
        "None" => Target::None,
        "Pxe" => Target::Pxe,
        "UefiHttp" => Target::UefiHttp,
        "Cd" => Target::Cd,
        "Hdd" => Target::Hdd,
        _ => return None,
    })
}

/// Reads the duration of an override from Redfish's word.
pub fn enabled(word: &str) -> Option<Enabled> {
    Some(match word {
        "Disabled" => Enabled::Disabled,
        "Once" => Enabled::Once,
        "Continuous" => Enabled::Continuous,
        _ => return None,
    })
}
