//! One row per rule: a valid host, one change, the field that is told. The unchanged host must be valid, so no row
//! can pass because of something else.

use super::*;
use crate::build::{Build as _, host as build};
use crate::meta::SecretReference;
use crate::metal3::*;
use crate::validation::Kind;

type Change = fn(BareMetalHost) -> BareMetalHost;
type Edit = fn(&mut BareMetalHostSpec);
type Told = [(Kind, &'static str)];

fn valid() -> BareMetalHost {
    build("ns", "worker-1")
        .bmc("redfish-virtualmedia://192.0.2.7/redfish/v1/Systems/1")
        .mac("00:1a:2b:3c:4d:5e")
        .online()
}

pub(super) fn fields(violations: &Violations) -> Vec<(Kind, &str)> {
    violations.iter().map(|v| (v.kind, v.field.as_str())).collect()
}

fn edit(change: Edit) -> impl Fn(BareMetalHost) -> BareMetalHost {
    move |mut host| {
        change(&mut host.spec);
        host
    }
}

fn assert_told(change: impl Fn(BareMetalHost) -> BareMetalHost, wanted: &[(Kind, &str)], what: &str) {
    assert_eq!(fields(&host(&valid())), [], "the host to change is valid");
    let seen = host(&change(valid()));
    assert_eq!(fields(&seen), wanted, "{what}: {seen}");
}

#[test]
fn rules_of_the_management_controller() {
    let table: &[(Edit, &Told)] = &[
        (|s| s.bmc.address = "foo://192.0.2.7".into(), &[(Kind::Invalid, "spec.bmc.address")]),
        (|s| s.bmc = Bmc::default(), &[]),
        (|s| s.boot_mac_address = Some("zz:00:1a:2b:3c:4d:5e".into()), &[(Kind::Invalid, "spec.bootMACAddress")]),
        (|s| s.boot_mac_address = Some("00:1A:2B:3C:4D:5E:6F:70".into()), &[]),
        (|s| s.boot_mac_address = None, &[]),
        (
            |s| {
                s.boot_mac_address = None;
                s.inspection_mode = Some(InspectionMode::Disabled);
            },
            &[(Kind::Required, "spec.bootMACAddress")],
        ),
        (
            |s| {
                s.boot_mac_address = None;
                s.bmc.address = "libvirt://192.0.2.7".into();
            },
            &[(Kind::Required, "spec.bootMACAddress")],
        ),
        (|s| s.boot_mode = Some(BootMode::UefiSecureBoot), &[]),
        (
            |s| {
                s.bmc.address = "ipmi://192.0.2.7".into();
                s.boot_mode = Some(BootMode::UefiSecureBoot);
                s.inspection_mode = Some(InspectionMode::Fast);
            },
            &[(Kind::Invalid, "spec.bootMode"), (Kind::Invalid, "spec.inspectionMode")],
        ),
        (|s| s.firmware = Some(Firmware::default()), &[(Kind::Forbidden, "spec.firmware")]),
        (|s| s.disable_power_off = true, &[]),
        (
            |s| {
                s.disable_power_off = true;
                s.online = false;
            },
            &[(Kind::Invalid, "spec.online")],
        ),
    ];
    for (i, (change, wanted)) in table.iter().enumerate() {
        assert_told(edit(*change), wanted, &format!("row {i}"));
    }
}

#[test]
fn rules_of_names() {
    let table = [
        ("worker_1", None),
        ("123e4567-e89b-12d3-a456-426614174000", Some("cannot be a UUID")),
        ("123e4567e89b12d3a456426614174000", Some("cannot be a UUID")),
        ("worker/1", Some("cannot contain characters")),
        ("worker~1", Some("cannot contain characters")),
    ];
    for (name, wanted) in table {
        let mut object = valid();
        object.metadata.name = Some(name.to_owned());
        let seen = host(&object).to_string();
        assert!(wanted.map_or(seen.is_empty(), |text| seen.contains(text)), "{name}: {seen:?}");
    }
}

#[test]
fn secrets_stay_in_the_namespace() {
    let other = SecretReference { name: Some("s".into()), namespace: Some("other".into()) };
    let own = SecretReference { name: Some("s".into()), namespace: Some("ns".into()) };
    let set = |reference: &SecretReference| {
        let mut host = valid();
        host.spec.user_data = Some(reference.clone());
        host.spec.network_data = Some(reference.clone());
        host.spec.meta_data = Some(reference.clone());
        host
    };
    assert_eq!(fields(&host(&set(&own))), []);
    assert_eq!(
        fields(&host(&set(&other))),
        [
            (Kind::Forbidden, "spec.userData.namespace"),
            (Kind::Forbidden, "spec.networkData.namespace"),
            (Kind::Forbidden, "spec.metaData.namespace"),
        ]
    );
}

fn hardware(controller: Option<&str>, disks: &[&str], number: Option<i64>) -> HardwareRaidVolume {
    HardwareRaidVolume {
        level: HardwareRaidLevel::Raid1,
        size_gibibytes: None,
        name: None,
        rotational: None,
        number_of_physical_disks: number,
        controller: controller.map(str::to_owned),
        physical_disks: disks.iter().map(|&d| d.to_owned()).collect(),
    }
}

fn software(level: SoftwareRaidLevel, root_volume: bool) -> SoftwareRaidVolume {
    SoftwareRaidVolume { level, size_gibibytes: None, root_volume, physical_disks: Vec::new() }
}

#[test]
fn rules_of_raid() {
    use SoftwareRaidLevel::{Raid0, Raid1};
    let raid = |hard: Vec<HardwareRaidVolume>, soft: Vec<SoftwareRaidVolume>| {
        move |mut host: BareMetalHost| {
            host.spec.raid =
                Some(Raid { hardware_raid_volumes: Some(hard.clone()), software_raid_volumes: Some(soft.clone()) });
            host
        }
    };
    let hints = |host: &mut BareMetalHost| {
        host.spec.root_device_hints =
            Some(RootDeviceHints { device_name: Some("/dev/sda".into()), ..RootDeviceHints::default() });
    };
    assert_told(raid(vec![], vec![]), &[], "both empty");
    assert_told(raid(vec![hardware(Some("c"), &["a", "b"], Some(2))], vec![]), &[], "complete hardware volume");
    assert_told(
        raid(vec![hardware(None, &[], None)], vec![software(Raid1, false)]),
        &[(Kind::Invalid, "spec.raid.softwareRAIDVolumes")],
        "both",
    );
    assert_told(
        raid(vec![hardware(Some("c"), &["a"], None), hardware(None, &["a", "b"], Some(3))], vec![]),
        &[
            (Kind::Required, "spec.raid.hardwareRAIDVolumes[1].controller"),
            (Kind::Invalid, "spec.raid.hardwareRAIDVolumes[1].numberOfPhysicalDisks"),
        ],
        "disks without controller, wrong number",
    );
    assert_told(raid(vec![], vec![software(Raid1, true), software(Raid0, false)]), &[], "one root volume");
    assert_told(
        raid(vec![], vec![software(Raid1, true), software(Raid1, true)]),
        &[(Kind::Invalid, "spec.raid.softwareRAIDVolumes[1].rootVolume")],
        "two root volumes",
    );
    assert_told(
        raid(vec![], vec![software(Raid0, true)]),
        &[(Kind::Invalid, "spec.raid.softwareRAIDVolumes[0].rootVolume")],
        "root volume of level 0",
    );
    assert_told(
        |h| {
            let mut h = raid(vec![], vec![software(Raid1, true)])(h);
            hints(&mut h);
            h
        },
        &[(Kind::Invalid, "spec.raid.softwareRAIDVolumes[0].rootVolume")],
        "root volume and hints",
    );
    assert_told(
        |h| raid(vec![hardware(None, &[], None)], vec![])(h).bmc("ipmi://192.0.2.7"),
        &[(Kind::Invalid, "spec.raid.hardwareRAIDVolumes")],
        "a driver without RAID",
    );
}

#[test]
fn rules_of_root_device_hints() {
    let table = [
        ("/dev/sda", true),
        ("/dev/disk/by-path/pci-0000:00:1f.2-ata-1", true),
        ("sda", false),
        ("/dev/", false),
        ("/dev/disk/by-id/wwn-0x5", false),
        ("/dev/disk/by-path/", false),
        ("/dev/../etc", false),
    ];
    for (name, right) in table {
        let hints = RootDeviceHints { device_name: Some(name.into()), ..RootDeviceHints::default() };
        assert_eq!(root_device_hints(&hints).is_empty(), right, "{name}");
    }
}

#[test]
fn rules_of_images() {
    let of = |url: &str, checksum: Option<&str>, format: Option<ImageFormat>| Image {
        url: url.into(),
        checksum: checksum.map(str::to_owned),
        format,
        ..Image::default()
    };
    let sum = Some("97830b21ed272a3d854615beb54cf004");
    let table: Vec<(Image, Vec<(Kind, &str)>)> = vec![
        (of("https://example.com/i.qcow2", sum, None), vec![]),
        (of("HTTP://192.0.2.1:8080/i", Some("http://192.0.2.1/i.sha256sum"), None), vec![]),
        (of("https://example.com/i.iso", None, Some(ImageFormat::LiveIso)), vec![]),
        (of("oci://registry.example.com/image:1", None, None), vec![]),
        (of("https://example.com/i", None, None), vec![(Kind::Required, "checksum")]),
        (of("oci://registry.example.com/image:1", sum, None), vec![(Kind::Invalid, "checksum")]),
        (of("file:///etc/shadow", sum, None), vec![(Kind::Invalid, "url")]),
        (of("example.com/i", sum, None), vec![(Kind::Invalid, "url")]),
        (of("https:///i", sum, None), vec![(Kind::Invalid, "url")]),
        (of("https://example.com/a b", sum, None), vec![(Kind::Invalid, "url")]),
        (of("https://example.com/i", Some("file:///dev/zero"), None), vec![(Kind::Invalid, "checksum")]),
        (of("https://example.com/i", Some("a\nb"), None), vec![(Kind::Invalid, "checksum")]),
        (
            Image { checksum_type: Some("crc".into()), ..of("https://example.com/i", sum, None) },
            vec![(Kind::Invalid, "checksumType")],
        ),
        (
            Image { oci_auth_secret_name: Some("s".into()), ..of("https://example.com/i", sum, None) },
            vec![(Kind::Invalid, "ociAuthSecretName")],
        ),
    ];
    for (object, wanted) in table {
        assert_eq!(fields(&image(&object)), wanted, "{object:?}");
    }
}

#[test]
fn what_could_leave_a_kernel_command_line_is_refused() {
    assert_eq!(kernel_parameters("console=ttyS0,115200 ip=dhcp nofb"), Ok(()));
    for text in ["a\nboot", "a\r", "a\0", "${net0/mac}", "a;b", "a`b`", "ä", "a && b", "a\\n"] {
        assert!(kernel_parameters(text).is_err(), "{text:?}");
    }
}

#[test]
fn words_that_become_steps_and_properties_are_words() {
    assert_told(
        edit(|s| {
            s.custom_deploy = Some(CustomDeploy { method: "install me; rm".into() });
            s.architecture = Some("x86_64\n".into());
        }),
        &[(Kind::Invalid, "spec.customDeploy.method"), (Kind::Invalid, "spec.architecture")],
        "step and architecture",
    );
}

#[test]
fn rules_of_network_interfaces() {
    let by = |name: Option<&str>, mac: Option<&str>| NetworkInterface {
        name: name.map(str::to_owned),
        mac_address: mac.map(str::to_owned),
        ..NetworkInterface::default()
    };
    let mut object = valid();
    object.spec.network_interfaces = vec![
        by(Some("eno1"), None),
        by(None, Some("00:1A:2b:3c:4d:5e")),
        by(Some("ENO1"), None),
        by(None, Some("00:1a:2b:3c:4d:5e")),
        by(None, None),
        by(Some("a"), Some("00:1a:2b:3c:4d:5f")),
    ];
    assert_eq!(
        fields(&host(&object)),
        [
            (Kind::Duplicate, "spec.networkInterfaces[2]"),
            (Kind::Duplicate, "spec.networkInterfaces[3]"),
            (Kind::Required, "spec.networkInterfaces[4]"),
            (Kind::Invalid, "spec.networkInterfaces[5]"),
        ]
    );
}

#[test]
fn rules_of_annotations() {
    const STATUS: &str = "baremetalhost.metal3.io/status";
    const DETAILS: &str = "inspect.metal3.io/hardwaredetails";
    let table: &[(&str, &str, Change, bool)] = &[
        ("reboot.metal3.io", "", |h| h, true),
        ("reboot.metal3.io/me", r#"{"mode":"hard"}"#, |h| h, true),
        ("reboot.metal3.io/me", r#"{"mode":"warm"}"#, |h| h, false),
        ("reboot.metal3.io", "now", |h| h, false),
        ("inspect.metal3.io", "", |h| h, true),
        ("inspect.metal3.io", "disabled", |h| h, true),
        ("inspect.metal3.io", "yes", |h| h, false),
        ("inspect.metal3.io", "disabled", |h| edit(|s| s.inspection_mode = Some(InspectionMode::Agent))(h), false),
        ("inspect.metal3.io", "disabled", |h| h.no_inspection(), true),
        (STATUS, r#"{"operationalStatus":"servicing","errorType":"servicing error"}"#, |h| h, true),
        (STATUS, r#"{"operationalStatus":"OK","errorType":"detach error"}"#, |h| h, true),
        (STATUS, r#"{"operationalStatus":"OK","newerField":1}"#, |h| h, true),
        (STATUS, r#"{"operationalStatus":"fine"}"#, |h| h, false),
        (STATUS, r#"{"operationalStatus":"OK","errorType":"other"}"#, |h| h, false),
        (STATUS, "{", |h| h, false),
        (DETAILS, r#"{"cpu":{"count":4}}"#, |h| h, false),
        (DETAILS, r#"{"cpu":{"count":4}}"#, |h| h.no_inspection(), true),
        (DETAILS, r#"{"cpu":{"cores":4}}"#, |h| h.no_inspection(), false),
        (DETAILS, r#"{"nics":[{"mac":"00:1a:2b:3c:4d:5e","colour":"red"}]}"#, |h| h.no_inspection(), false),
    ];
    for (key, value, change, right) in table {
        let seen = host(&change(valid().annotation(key, value)));
        assert_eq!(seen.is_empty(), *right, "{key}={value}: {seen}");
    }
}

#[test]
fn what_may_not_change() {
    let address: Change = |h| h.bmc("redfish://192.0.2.8/x");
    let external: Change = |h| edit(|s| s.externally_provisioned = true)(h);
    let table: &[(&str, Change, Change, &[&str])] = &[
        ("address", |h| h.available(), address, &["spec.bmc.address"]),
        ("address while registering", |h| h.state(ProvisioningState::Registering), address, &[]),
        (
            "address while detached",
            |h| {
                let mut h = h.available();
                h.status_mut().operational_status = OperationalStatus::Detached;
                h
            },
            address,
            &[],
        ),
        ("first address", |h| edit(|s| s.bmc = Bmc::default())(h.available()), address, &[]),
        ("MAC, other case", |h| h, |h| h.mac("00:1A:2B:3C:4D:5E"), &[]),
        ("MAC", |h| h, |h| h.mac("00:1a:2b:3c:4d:5f"), &["spec.bootMACAddress"]),
        ("MAC removed", |h| h, |h| edit(|s| s.boot_mac_address = None)(h), &["spec.bootMACAddress"]),
        ("first MAC", |h| edit(|s| s.boot_mac_address = None)(h), |h| h.mac("00:1a:2b:3c:4d:5f"), &[]),
        ("external while available", |h| h.available(), external, &[]),
        ("external while provisioned", |h| h.provisioned(), external, &["spec.externallyProvisioned"]),
        (
            "external off",
            |h| edit(|s| s.externally_provisioned = true)(h.provisioned()),
            |h| edit(|s| s.externally_provisioned = false)(h),
            &[],
        ),
    ];
    for (what, prepare, change, wanted) in table {
        let old = prepare(valid());
        let seen = host_update(&old, &change(old.clone()));
        assert_eq!(seen.iter().map(|v| v.field.as_str()).collect::<Vec<_>>(), *wanted, "{what}: {seen}");
    }
}

#[test]
fn a_stored_fault_does_not_block_other_changes() {
    let old = edit(|s| s.image = Some(Image { url: "file:///x".into(), ..Image::default() }))(valid());
    assert_eq!(host(&old).iter().count(), 2, "wrong URL, no checksum");
    assert_eq!(fields(&host_update(&old, &old.clone().finalizer("x"))), []);
    let worse = edit(|s| s.image = Some(Image { url: "file:///y".into(), ..Image::default() }))(old.clone());
    assert_eq!(fields(&host_update(&old, &worse)), [(Kind::Invalid, "spec.image.url")], "the new URL is told");
}

#[test]
fn probable_mistakes_are_told() {
    let plain = valid().image("https://example.com/i");
    assert!(host_warnings(&plain).iter().any(|w| w.contains("/dev/sda")));
    let hinted = edit(|s| s.root_device_hints = Some(RootDeviceHints::default()))(plain);
    assert_eq!(host_warnings(&hinted), Vec::<String>::new());
}
