//! Objects in the shapes that users and the Go controllers write are read, and nothing of them is lost.
#![allow(clippy::expect_used)] // a panic is how a test fails

use api::ipam::{IPAddress, IPClaim, IPPool, capi};
use api::metal3::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Reads and writes an object: what comes out is what went in.
#[track_caller]
fn unchanged<K: DeserializeOwned + Serialize>(object: &Value) {
    let read: K = serde_json::from_value(object.clone()).expect("the object can be read");
    assert_eq!(serde_json::to_value(&read).expect("and written"), *object);
}

fn meta(kind: &str, name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "metal3.io/v1alpha1", "kind": kind,
        "metadata": { "name": name, "namespace": "metal3" }, "spec": spec,
    })
}

#[test]
fn a_host_as_a_user_writes_it() {
    unchanged::<BareMetalHost>(&meta(
        "BareMetalHost",
        "rack7-u12",
        &json!({
            "online": true,
            "bootMACAddress": "52:54:00:12:34:56",
            "bootMode": "UEFI",
            "architecture": "x86_64",
            "automatedCleaningMode": "metadata",
            "bmc": {
                "address": "redfish-virtualmedia+http://192.0.2.7:8000/redfish/v1/Systems/7",
                "credentialsName": "rack7-u12-bmc",
                "disableCertificateVerification": true,
            },
            "rootDeviceHints": { "deviceName": "/dev/vda", "minSizeGigabytes": 20, "rotational": false },
            "image": {
                "url": "https://images.example.com/node.qcow2",
                "checksum": "https://images.example.com/node.qcow2.sha256sum",
                "checksumType": "sha256", "format": "qcow2",
            },
            "userData": { "name": "worker-user-data", "namespace": "metal3" },
            "networkData": { "name": "worker-network-data" },
            "consumerRef": {
                "apiVersion": "infrastructure.cluster.x-k8s.io/v1beta2", "kind": "Metal3Machine",
                "name": "worker-0", "namespace": "metal3",
            },
            "raid": {
                "hardwareRAIDVolumes": [
                    { "level": "1+0", "name": "root", "sizeGibibytes": 100, "rotational": true,
                      "controller": "RAID.Slot.1", "physicalDisks": ["d0", "d1", "d2", "d3"], "numberOfPhysicalDisks": 4 },
                ],
                "softwareRAIDVolumes": [],
            },
            "networkInterfaces": [{
                "macAddress": "52:54:00:12:34:56",
                "hostNetworkAttachment": { "name": "provisioning" },
                "switchPort": { "switchID": "00:00:5e:00:53:01", "portID": "Ethernet1/7" },
            }],
        }),
    ));
}

#[test]
fn a_status_as_the_go_operator_writes_it() {
    let host = json!({
        "apiVersion": "metal3.io/v1alpha1", "kind": "BareMetalHost",
        "metadata": { "name": "a", "namespace": "metal3" },
        "spec": {
            "online": true, "bmc": { "address": "", "credentialsName": "" },
            "networkInterfaces": [{ "name": "eno1", "hostNetworkAttachment": {} }],
            "raid": { "hardwareRAIDVolumes": null, "softwareRAIDVolumes": [] },
        },
        "status": {
            "operationalStatus": "OK", "errorMessage": "", "errorCount": 0, "provisioningFailCount": 0,
            "poweredOn": true, "goodCredentials": {}, "triedCredentials": {},
            "lastUpdated": "2026-02-03T04:05:06Z",
            "provisioning": {
                "state": "a state of tomorrow", "ID": "", "image": { "url": "" },
                "raid": { "hardwareRAIDVolumes": null, "softwareRAIDVolumes": null },
            },
            "operationHistory": {
                "register": { "start": "2026-02-03T04:05:06Z", "end": null }, "inspect": { "start": null, "end": null },
                "provision": { "start": null, "end": null }, "deprovision": { "start": null, "end": null },
            },
            "hardware": { "nics": null, "cpu": { "arch": "x86_64", "flags": null } },
        },
    });
    let read: BareMetalHost = serde_json::from_value(host).expect("the object can be read");
    assert!(read.spec.bmc.is_unset());
    let raid = read.spec.raid.expect("it is there");
    assert_eq!(raid.hardware_raid_volumes, None, "null keeps the volumes");
    assert_eq!(raid.software_raid_volumes, Some(vec![]), "empty removes them");
    let status = read.status.expect("it is there");
    assert_eq!(status.provisioning.image, None, "an image without URL is none");
    assert_eq!(status.provisioning.state, ProvisioningState::Other("a state of tomorrow".into()));
    assert_eq!(status.good_credentials, CredentialsStatus::default());
    assert!(status.operation_history.register.start.is_some() && status.operation_history.register.end.is_none());
    assert_eq!(
        serde_json::to_value(&status).expect("it can be written"),
        json!({
            "operationalStatus": "OK", "errorMessage": "", "errorCount": 0, "provisioningFailCount": 0,
            "poweredOn": true, "lastUpdated": "2026-02-03T04:05:06Z",
            "provisioning": { "state": "a state of tomorrow", "ID": "", "raid": {} },
            "operationHistory": { "register": { "start": "2026-02-03T04:05:06Z" } },
            "hardware": { "cpu": { "arch": "x86_64" } },
        }),
        "required members are written, unset ones are not"
    );
}

#[test]
fn hardware_as_the_inspection_leaves_it() {
    unchanged::<HardwareData>(&meta(
        "HardwareData",
        "a",
        &json!({ "hardware": {
            "cpu": { "arch": "x86_64", "clockMegahertz": 2100.5, "count": 4, "flags": ["aes", "vmx"], "model": "A CPU" },
            "firmware": { "bios": { "date": "04/01/2014", "vendor": "SeaBIOS", "version": "1.15" } },
            "hostname": "a", "ramMebibytes": 4096,
            "nics": [{
                "name": "eth0", "model": "0x1af4 0x0001", "mac": "52:54:00:12:34:56", "ip": "192.0.2.20",
                "speedGbps": 10, "pxe": true, "vlanId": 7, "vlans": [{ "id": 7, "name": "seven" }],
                "lldp": { "switchID": "00:00:5e:00:53:01", "portID": "7", "switchSystemName": "tor" },
                "pciAddress": "0000:01:00.0",
            }],
            "storage": [{
                "name": "/dev/sda", "alternateNames": ["/dev/sda", "/dev/disk/by-path/x"], "rotational": false,
                "type": "SSD", "sizeBytes": 53_687_091_200_i64, "vendor": "ATA", "model": "M", "serialNumber": "S",
                "wwn": "0x5000", "wwnVendorExtension": "0x1", "wwnWithExtension": "0x50001", "hctl": "0:0:0:0",
            }],
            "systemVendor": { "manufacturer": "QEMU", "productName": "PC", "serialNumber": "1" },
        } }),
    ));
}

#[test]
fn firmware_as_users_and_controllers_write_it() {
    unchanged::<HostFirmwareSettings>(&meta(
        "HostFirmwareSettings",
        "a",
        &json!({ "settings": { "ProcTurboMode": "Disabled", "NetworkBootRetryCount": 20 } }),
    ));
    unchanged::<HostFirmwareComponents>(&meta(
        "HostFirmwareComponents",
        "a",
        &json!({ "updates": [{ "component": "nic:NIC.1", "url": "https://example.com/nic.bin" }] }),
    ));
    unchanged::<FirmwareSchema>(&meta(
        "FirmwareSchema",
        "schema-1234abcd",
        &json!({ "hardwareVendor": "V", "hardwareModel": "M", "schema": {
            "BootMode": { "attribute_type": "Enumeration", "allowable_values": ["Uefi", "Bios"], "read_only": false },
            "Retries": { "attribute_type": "Integer", "lower_bound": 0, "upper_bound": 20 },
            "AssetTag": { "attribute_type": "String", "min_length": 0, "max_length": 64, "unique": true },
        } }),
    ));
    unchanged::<HostUpdatePolicy>(&meta("HostUpdatePolicy", "a", &json!({ "firmwareSettings": "onReboot" })));
}

#[test]
fn the_smaller_kinds() {
    unchanged::<PreprovisioningImage>(&meta(
        "PreprovisioningImage",
        "a",
        &json!({ "networkDataName": "n", "architecture": "aarch64", "acceptFormats": ["iso", "initrd"] }),
    ));
    unchanged::<DataImage>(&meta("DataImage", "a", &json!({ "url": "https://example.com/data.iso" })));
    unchanged::<BMCEventSubscription>(&meta(
        "BMCEventSubscription",
        "a",
        &json!({ "hostName": "a", "destination": "https://example.com/", "context": "c",
                 "httpHeadersRef": { "name": "h", "namespace": "metal3" } }),
    ));
    unchanged::<HostClaim>(&meta(
        "HostClaim",
        "a",
        &json!({ "poweredOn": true, "failureDomain": "fd1", "hostSelector": {
            "inNamespace": "hosts", "matchLabels": { "size": "large" },
            "matchExpressions": [{ "key": "rack", "operator": "in", "values": ["1", "2"] }],
        } }),
    ));
    unchanged::<HostDeployPolicy>(&meta(
        "HostDeployPolicy",
        "a",
        &json!({ "hostClaimNamespaces": { "names": ["x"], "nameMatches": "^team-", "hasLabels": [{ "name": "k", "value": "v" }] } }),
    ));
    unchanged::<HostNetworkAttachment>(&meta(
        "HostNetworkAttachment",
        "a",
        &json!({ "mode": "trunk", "nativeVLAN": 1, "allowedVLANs": ["10", "100-199"], "mtu": 9000 }),
    ));
    unchanged::<BareMetalSwitch>(&meta(
        "BareMetalSwitch",
        "a",
        &json!({ "address": "192.0.2.1", "macAddress": "00:00:5e:00:53:01", "driver": "generic-switch",
                 "deviceType": "netmiko_cumulus", "credentials": { "name": "c" }, "port": 22 }),
    ));
    unchanged::<HardwareClassification>(&meta(
        "HardwareClassification",
        "a",
        &json!({ "hardwareCharacteristics": {
            "cpu": { "minimumCount": 4, "minimumSpeedMHz": 2000, "architecture": "x86_64" },
            "disk": { "minimumIndividualSizeGB": 100, "diskSelector": [{ "hctl": "0:0:N:0", "rotational": true }] },
            "ram": { "minimumSizeGB": 16 },
            "nic": { "minimumCount": 2, "nicSelector": { "vendor": ["0x8086"] } },
            "firmware": { "bios": { "vendor": "V", "minorVersion": "1.0", "majorVersion": "2.0" } },
            "systemVendor": { "manufacturer": "M" },
        } }),
    ));
}

#[test]
fn addresses() {
    let of = |group: &str, kind: &str, rest: Value| {
        let mut object = json!({
            "apiVersion": group, "kind": kind, "metadata": { "name": "a", "namespace": "metal3" },
        });
        object.as_object_mut().expect("an object").extend(rest.as_object().expect("an object").clone());
        object
    };
    let own = "ipam.metal3.io/v1alpha1";
    unchanged::<IPPool>(&of(
        own,
        "IPPool",
        json!({
            "spec": {
                "clusterName": "c", "namePrefix": "pool1", "allocationStrategy": "sequential", "prefix": 24,
                "gateway": "192.0.2.1", "dnsServers": ["192.0.2.53"],
                "pools": [
                    { "start": "192.0.2.10", "end": "192.0.2.20", "prefix": 25, "gateway": "192.0.2.2", "dnsServers": ["192.0.2.54"] },
                    { "subnet": "2001:db8::/64" },
                ],
                "preAllocations": { "claim1": "192.0.2.12" },
            },
            "status": { "lastUpdated": "2026-02-03T04:05:06Z", "indexes": { "claim1": "192.0.2.12" } },
        }),
    ));
    unchanged::<IPClaim>(&of(
        own,
        "IPClaim",
        json!({
            "spec": { "pool": { "name": "pool1", "namespace": "metal3" } },
            "status": { "address": { "name": "pool1-192-0-2-12", "namespace": "metal3" } },
        }),
    ));
    unchanged::<IPAddress>(&of(
        own,
        "IPAddress",
        json!({ "spec": {
            "pool": { "name": "pool1" }, "claim": { "name": "claim1" }, "address": "192.0.2.12", "prefix": 24,
            "gateway": "192.0.2.1", "dnsServers": ["192.0.2.53"],
        } }),
    ));
    let foreign = "ipam.cluster.x-k8s.io/v1beta2";
    let pool = json!({ "name": "pool1", "kind": "IPPool", "apiGroup": "ipam.metal3.io" });
    unchanged::<capi::IPAddressClaim>(&of(
        foreign,
        "IPAddressClaim",
        json!({ "spec": { "clusterName": "c", "poolRef": pool }, "status": { "addressRef": { "name": "x" } } }),
    ));
    unchanged::<capi::IPAddress>(&of(
        foreign,
        "IPAddress",
        json!({ "spec": { "claimRef": { "name": "c" }, "poolRef": pool, "address": "192.0.2.12", "prefix": 0 } }),
    ));
}

#[test]
fn an_object_without_a_spec_is_read() {
    fn read<K: DeserializeOwned + Serialize + Default + PartialEq + std::fmt::Debug>(kind: &str) {
        let meta = json!({ "name": "a", "namespace": "metal3" });
        for object in [json!({ "metadata": meta }), json!({ "metadata": meta, "spec": null })] {
            let mut read: K = serde_json::from_value(object).unwrap_or_else(|e| panic!("{kind}: {e}"));
            let mut value = serde_json::to_value(&mut read).expect("it can be written");
            value["metadata"] = json!({});
            assert_eq!(value, serde_json::to_value(K::default()).expect("it can be written"));
        }
    }
    read::<BareMetalHost>("BareMetalHost");
    read::<HardwareData>("HardwareData");
    read::<PreprovisioningImage>("PreprovisioningImage");
    read::<FirmwareSchema>("FirmwareSchema");
    read::<HostFirmwareSettings>("HostFirmwareSettings");
    read::<HostFirmwareComponents>("HostFirmwareComponents");
    read::<HostUpdatePolicy>("HostUpdatePolicy");
    read::<DataImage>("DataImage");
    read::<BMCEventSubscription>("BMCEventSubscription");
    read::<HostClaim>("HostClaim");
    read::<HostDeployPolicy>("HostDeployPolicy");
    read::<HostNetworkAttachment>("HostNetworkAttachment");
    read::<BareMetalSwitch>("BareMetalSwitch");
    read::<HardwareClassification>("HardwareClassification");
    read::<IPPool>("IPPool");
    read::<IPClaim>("IPClaim");
    read::<IPAddress>("IPAddress");
    read::<capi::IPAddressClaim>("IPAddressClaim");
    read::<capi::IPAddress>("IPAddress of Cluster API");

    // What is there but wrong is still refused.
    let wrong = json!({ "metadata": {}, "spec": { "online": "yes" } });
    assert!(serde_json::from_value::<BareMetalHost>(wrong).is_err());
}
