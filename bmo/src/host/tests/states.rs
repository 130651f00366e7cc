//! Each state: its way out when all goes well, its waits, and each of its failures.

use api::metal3::{CustomDeploy, ErrorType, ProvisioningState as S};
use api::names::annotation;
use ironic::{Inventory, PowerState, ProvisionState as N};

use super::*;
use crate::host::status::Outcome;
use crate::host::view::HostView;

fn annotated(mut v: HostView, key: &str, value: &str) -> HostView {
    change(&mut v, |host| {
        host.metadata.annotations.get_or_insert_default().insert(key.to_owned(), value.to_owned());
    });
    v
}

fn off(mut v: HostView) -> HostView {
    change(&mut v, |host| host.status_mut().powered_on = false);
    node(v, |node| node.power_state = PowerState::Off)
}

fn check(table: Vec<(HostView, &str)>) {
    for (index, (view, wanted)) in table.into_iter().enumerate() {
        assert_eq!(
            does(&view),
            wanted,
            "row {index}: {} with {:?}",
            view.state,
            view.node().map(|n| &n.provision_state)
        );
    }
}

#[test]
fn without_a_controller_a_host_is_only_listed() {
    let bare = || build::host("ns", "a").finalizer(finalizer::HOST);
    let with = || bare().bmc("redfish://192.0.2.7");
    check(vec![
        (view(build::host("ns", "a")), "write 1"),
        (view(bare()), "go unmanaged"),
        (view(with()), "go registering"),
        (view(bare().state(S::Unmanaged)), "wait NoController"),
        (view(with().state(S::Unmanaged)), "go registering"),
    ]);
}

#[test]
fn registering() {
    let fresh = || view(host(S::Registering));
    let absent = |mut v: HostView| {
        v.node = NodeSeen::Absent;
        v
    };
    let enroll = || at(S::Registering, N::Enroll);
    let registration = ErrorType::Registration;
    let bare = "BMC is away; check spec.bmc.address and the Secret a-bmc";
    check(vec![
        (absent(fresh()), "ask create"),
        (enroll(), "ask manage"),
        (last_error(enroll(), "BMC is away"), "registration error"),
        (failed(last_error(enroll(), "BMC is away"), registration.clone(), bare, 0), "wait RegistrationError"),
        (failed(last_error(enroll(), "BMC is away"), registration.clone(), bare, 3), "ask manage"),
        (at(S::Registering, N::Verifying), "wait VerifyingAccess"),
        (at(S::Registering, N::Manageable), "go inspecting"),
        (failed(at(S::Registering, N::Manageable), registration, bare, 3), "note"),
    ]);
    let mut disabled = fresh();
    change(&mut disabled, |host| *host = host.clone().no_inspection());
    check(vec![(with_node(disabled, N::Manageable), "go preparing")]);
    let mut foreign = fresh();
    change(&mut foreign, |host| host.spec.externally_provisioned = true);
    check(vec![(with_node(foreign, N::Manageable), "go externally provisioned")]);
    let mut ports = at(S::Registering, N::Manageable);
    ports.ports = Some(Vec::new());
    check(vec![(ports, "ask ports")]);
}

#[test]
fn bad_input_is_named() {
    type Spoil = fn(&mut HostView);
    let cases: [(&str, Spoil, &str); 8] = [
        ("no Secret", |v| v.credentials = Credentials::Missing("a-bmc".into()), "Secret ns/a-bmc does not exist"),
        ("empty password", |v| no_key(v, "password"), "'password'"),
        ("empty user", |v| no_key(v, "username"), "'username'"),
        ("unknown type", |v| address(v, "carrier-pigeon://192.0.2.7"), "spec.bmc.address"),
        ("bad host", |v| address(v, "redfish://not_a_host"), "spec.bmc.address"),
        ("no address", |v| address(v, ""), "spec.bmc.address"),
        ("no Secret name", |v| change(v, |host| host.spec.bmc.credentials_name.clear()), "spec.bmc.credentialsName"),
        (
            "bad network data",
            |v| v.ramdisk_network = Material::Broken("it is not there".into()),
            "preprovisioningNetworkData",
        ),
    ];
    for (name, spoil, wanted) in cases {
        let mut v = view(host(S::Registering));
        v.node = NodeSeen::Absent;
        spoil(&mut v);
        match life::step(&v) {
            Step::Fail(kind, text) => {
                assert_eq!(kind.as_str(), "registration error", "{name}");
                let text = text.replace("secret ns", "Secret ns");
                assert!(text.contains(wanted), "{name}: {text}");
            }
            other => panic!("{name}: {}", brief(&other)),
        }
    }
}

fn no_key(v: &mut HostView, key: &str) {
    if let Credentials::Read(secret) = &mut v.credentials {
        secret.data.get_or_insert_default().remove(key);
    }
}

fn address(v: &mut HostView, text: &str) {
    change(v, |host| text.clone_into(&mut host.spec.bmc.address));
}

#[test]
fn changed_credentials_reach_ironic() {
    let mut v = at(S::Available, N::Manageable);
    v.credentials = Credentials::Read(Box::new(secret(&v, "8")));
    let step = life::step(&v);
    assert!(brief(&step).starts_with("ask update /driver_info"), "{}", brief(&step));
    assert!(facts_of(&step).iter().any(|fact| matches!(fact, facts::Fact::Tried(seen)
        if seen.credentials_version.as_deref() == Some("8"))));
}

#[test]
fn inspecting() {
    let found = |mut v: HostView| {
        v.inventory = Some(Inventory::default());
        v
    };
    let finished = |v: HostView| node(v, |node| node.inspection_finished_at = Some("2026-03-01T11:59:00+00:00".into()));
    let requested = |v: HostView| annotated(v, annotation::INSPECT, "");
    let begun = |mut v: HostView| {
        change(&mut v, |host| {
            host.status_mut().operation_history.inspect.start = Some(Time("2026-03-01T11:00:00Z".parse().unwrap()));
        });
        v
    };
    let inspection = ErrorType::Inspection;
    check(vec![
        (at(S::Inspecting, N::Manageable), "ask inspect"),
        (at(S::Inspecting, N::Available), "ask manage"),
        (at(S::Inspecting, N::Inspecting), "wait Inspecting"),
        (at(S::Inspecting, N::InspectWait), "wait Inspecting"),
        (requested(at(S::Inspecting, N::InspectWait)), "write 1"),
        (annotated(at(S::Inspecting, N::InspectWait), annotation::REBOOT, r#"{"force":true}"#), "ask abort"),
        (found(at(S::Inspecting, N::Manageable)), "write 1"),
        (requested(found(at(S::Inspecting, N::Manageable))), "ask inspect"),
        (begun(requested(found(at(S::Inspecting, N::Manageable)))), "ask inspect"),
        (finished(begun(requested(found(at(S::Inspecting, N::Manageable))))), "write 2"),
        (last_error(at(S::Inspecting, N::InspectFailed), "no disk"), "inspection error"),
        (last_error(at(S::Inspecting, N::InspectFailed), "was aborted by request"), "ask inspect"),
        (
            failed(last_error(at(S::Inspecting, N::InspectFailed), "no disk"), inspection.clone(), "no disk", 0),
            "wait InspectionError",
        ),
        (failed(last_error(at(S::Inspecting, N::InspectFailed), "no disk"), inspection, "no disk", 3), "ask inspect"),
        (at(S::Inspecting, N::Active), "inspection error"),
    ]);
    let mut v = found(at(S::Inspecting, N::Manageable));
    let data = wish::details(v.inventory.as_ref().unwrap());
    if let Some(kit::pass::Write::Create { body, .. }) = crate::host::hardware::write(&v, &data) {
        v.hardware_data = Some(Arc::new(serde_json::from_value(body).unwrap()));
    }
    change(&mut v, |host| host.status_mut().hardware = Some(data));
    check(vec![(v, "go preparing")]);
}

#[test]
fn preparing() {
    let preparation = ErrorType::Preparation;
    let volumes = |mut v: HostView| {
        change(&mut v, |host| {
            host.spec.raid =
                serde_json::from_value(serde_json::json!({"hardwareRAIDVolumes": [{"level": "1"}]})).unwrap();
        });
        v
    };
    check(vec![
        (at(S::Preparing, N::Manageable), "go available"),
        (at(S::Preparing, N::Available), "go available"),
        (volumes(at(S::Preparing, N::Available)), "ask manage"),
        (volumes(at(S::Preparing, N::Manageable)), "ask clean"),
        (at(S::Preparing, N::Cleaning), "wait Preparing"),
        (at(S::Preparing, N::CleanWait), "wait Preparing"),
        (last_error(at(S::Preparing, N::CleanFailed), "no"), "preparation error"),
        (
            failed(last_error(at(S::Preparing, N::CleanFailed), "no"), preparation.clone(), "no", 0),
            "wait PreparationError",
        ),
        (failed(last_error(at(S::Preparing, N::CleanFailed), "no"), preparation, "no", 3), "note"),
        (at(S::Preparing, N::Active), "preparation error"),
        (at(S::Preparing, N::InspectFailed), "ask manage"),
        (at(S::Preparing, N::InspectWait), "ask abort"),
        (at(S::Preparing, N::Inspecting), "wait Preparing"),
    ]);
}

#[test]
fn available() {
    let plain = || at(S::Available, N::Manageable);
    let wants = |mut v: HostView| {
        change(&mut v, |host| *host = host.clone().image(IMAGE));
        v.drive = Material::Some(ironic::ConfigDrive::default());
        v
    };
    let is_off = |mut v: HostView| {
        change(&mut v, |host| host.spec.online = false);
        v
    };
    check(vec![
        (plain(), "rest"),
        (wants(plain()), "go provisioning"),
        (is_off(plain()), "ask soft power off"),
        (off(is_off(plain())), "rest"),
        (off(plain()), "ask power on"),
        (annotated(plain(), annotation::INSPECT, ""), "go inspecting"),
        (annotated(plain(), annotation::INSPECT, "disabled"), "rest"),
        (annotated(plain(), annotation::REBOOT, ""), "rest"),
        (annotated(plain(), annotation::REBOOT, r#"{"force":true,"mode":"hard"}"#), "ask power off"),
    ]);
    let mut limit = wants(plain());
    change(&mut limit, |host| {
        let image = host.spec.image.clone();
        host.status_mut().last_attempted_image = image;
        host.status_mut().provisioning_fail_count = 5;
    });
    check(vec![(limit, "provisioning error")]);
    let mut other = wants(plain());
    change(&mut other, |host| {
        host.status_mut().last_attempted_image = Some(api::metal3::Image { url: "x".into(), ..Default::default() });
        host.status_mut().provisioning_fail_count = 5;
    });
    check(vec![(other, "note")]);
    let mut broken = wants(plain());
    broken.drive = Material::Broken("the Secret ns/x of spec.userData does not exist; create it".into());
    check(vec![(broken, "provisioning error")]);
    let mut sum = wants(plain());
    change(&mut sum, |host| host.spec.image.as_mut().unwrap().checksum = None);
    check(vec![(sum, "provisioning error")]);
    let mut full = wants(plain());
    full.capacity.busy = 20;
    check(vec![(full, "wait WaitingForCapacity")]);
    let mut foreign = plain();
    change(&mut foreign, |host| host.spec.externally_provisioned = true);
    check(vec![(foreign, "go externally provisioned")]);
}

#[test]
fn provisioning() {
    let recorded = |v: HostView| {
        node(v, |node| {
            node.instance_info.set("image_source", IMAGE);
            node.instance_info.set("image_checksum", "0".repeat(64));
        })
    };
    let unwanted = |mut v: HostView| {
        change(&mut v, |host| host.spec.image = None);
        v
    };
    check(vec![
        (at(S::Provisioning, N::Manageable), "ask provide"),
        (at(S::Provisioning, N::Cleaning), "wait CleaningBeforeDeployment"),
        (at(S::Provisioning, N::Available), "ask deploy"),
        (at(S::Provisioning, N::Deploying), "wait Deploying"),
        (at(S::Provisioning, N::WaitCallBack), "wait Deploying"),
        (at(S::Provisioning, N::DeployFailed), "ask deploy"),
        (recorded(at(S::Provisioning, N::DeployFailed)), "provisioning error"),
        (failed(at(S::Provisioning, N::DeployFailed), ErrorType::Provisioning, "no", 0), "wait ProvisioningError"),
        (failed(at(S::Provisioning, N::DeployFailed), ErrorType::Provisioning, "no", 3), "go deprovisioning"),
        (unwanted(at(S::Provisioning, N::Deploying)), "go deprovisioning"),
        (at(S::Provisioning, N::Active), "go provisioned"),
        (at(S::Provisioning, N::CleanFailed), "preparation error"),
    ]);
    let mut other = at(S::Provisioning, N::Active);
    change(&mut other, |host| {
        host.status_mut().last_attempted_image = host.spec.image.clone();
        host.spec.image.as_mut().unwrap().url = "http://images.example/b.qcow2".into();
    });
    let (_, status) = super::record::pass(&other, Outcome::Done(None));
    assert_eq!(status.provisioning.image.as_ref().map(|image| image.url.as_str()), Some(IMAGE), "what was written");
    change(&mut other, |host| host.status = Some(status));
    check(vec![(other, "go deprovisioning")]);
    // A custom deployment that was wished while the image was written has not run, and nobody says so.
    for (interface, ran) in [(None, None), (Some("custom-agent"), Some("m"))] {
        let mut custom = node(at(S::Provisioning, N::Active), |node| node.deploy_interface = interface.map(Into::into));
        change(&mut custom, |host| {
            host.status_mut().last_attempted_image = host.spec.image.clone();
            host.spec.custom_deploy = Some(CustomDeploy { method: "m".into() });
        });
        let (_, status) = super::record::pass(&custom, Outcome::Done(None));
        assert_eq!(status.provisioning.custom_deploy.as_ref().map(|custom| custom.method.as_str()), ran);
        change(&mut custom, |host| host.status = Some(status));
        assert_eq!(does(&with_node(custom, N::Active)), "rest", "{interface:?}: a running machine is not wiped for it");
    }
    let maintenance = node(at(S::Provisioning, N::Available), |node| node.maintenance = true);
    check(vec![(maintenance, "ask end maintenance")]);
}

#[test]
fn provisioned_power_follows_the_wish() {
    let plain = || at(S::Provisioned, N::Active);
    let hard = r#"{"mode":"hard"}"#;
    let not_online = |mut v: HostView| {
        change(&mut v, |host| host.spec.online = false);
        v
    };
    check(vec![
        (plain(), "rest"),
        (off(plain()), "ask power on"),
        (not_online(plain()), "ask soft power off"),
        (annotated(plain(), annotation::REBOOT, ""), "ask soft power off"),
        (annotated(plain(), annotation::REBOOT, hard), "ask power off"),
        (annotated(plain(), "reboot.metal3.io/me", "not json"), "ask soft power off"),
        (off(annotated(plain(), annotation::REBOOT, "")), "write 1"),
        (off(annotated(plain(), "reboot.metal3.io/me", "")), "rest"),
        (node(plain(), |n| n.power_state = PowerState::Unknown), "wait PowerUnknown"),
        (node(not_online(plain()), |n| n.target_power_state = Some("power off".into())), "wait ChangingPower"),
        (last_error(not_online(plain()), "Failed to change power state to 'soft power off'"), "power management error"),
        (last_error(not_online(plain()), "an old deployment failed"), "ask soft power off"),
        (
            failed(last_error(not_online(plain()), "Failed to change power state"), ErrorType::PowerManagement, "x", 3),
            "ask power off",
        ),
    ]);
    let mut never_off = annotated(plain(), annotation::REBOOT, "");
    change(&mut never_off, |host| host.spec.disable_power_off = true);
    assert!(does(&never_off).starts_with("ask update /disable_power_off"), "{}", does(&never_off));
    let never_off = node(never_off, |n| n.disable_power_off = Some(true));
    let Step::Ask(ask) = life::step(&never_off) else { panic!("{}", does(&never_off)) };
    // The request is taken away when Ironic has accepted it, not before: a refusal would lose it.
    assert_eq!((brief_call(&ask.call).as_str(), ask.last.len()), ("soft rebooting", 1));
    check(vec![(node(never_off, |n| n.target_power_state = Some("soft rebooting".into())), "write 1")]);
    let mut kept_off = annotated(plain(), "reboot.metal3.io/me", "");
    change(&mut kept_off, |host| host.spec.disable_power_off = true);
    check(vec![(node(kept_off, |n| n.disable_power_off = Some(true)), "rest")]);
}

#[test]
fn a_lost_node_is_adopted_without_touching_the_machine() {
    for state in [S::Provisioned, S::ExternallyProvisioned] {
        let mut v = view(host(state.clone()));
        if state == S::ExternallyProvisioned {
            change(&mut v, |host| host.spec.externally_provisioned = true);
        }
        v.node = NodeSeen::Absent;
        assert_eq!(does(&v), "ask create", "{state}");
        for (node_state, wanted) in [
            (N::Enroll, "ask manage"),
            (N::Verifying, "wait VerifyingAccess"),
            (N::Manageable, "ask adopt"),
            (N::Adopting, "wait Adopting"),
            (N::Active, "rest"),
        ] {
            // As Ironic shows a new node: power not known yet, or off by mistake.
            let seen = with_node(view(v.host.as_ref().clone()), node_state.clone());
            let seen = if node_state == N::Active { seen } else { node(seen, |n| n.power_state = PowerState::Off) };
            assert_eq!(does(&seen), wanted, "{state} {node_state}");
        }
        let refused = with_node(view(v.host.as_ref().clone()), N::AdoptFailed);
        assert_eq!(does(&refused), "provisioned registration error");
        // One that Ironic offered before somebody else installed it, and one that it offers although it is ours.
        let offered = with_node(view(v.host.as_ref().clone()), N::Available);
        let wanted = if state == S::ExternallyProvisioned { "ask manage" } else { "provisioned registration error" };
        assert_eq!(does(&offered), wanted, "{state}");
    }
}

#[test]
fn deprovisioning() {
    let provisioning = ErrorType::Provisioning;
    let other_mode = |mut v: HostView| {
        change(&mut v, |host| host.spec.automated_cleaning_mode = Some(api::metal3::AutomatedCleaningMode::Disabled));
        v
    };
    let free = |v: HostView| node(v, |n| n.instance_uuid = None);
    check(vec![
        (at(S::Deprovisioning, N::Active), "ask deleted"),
        (other_mode(at(S::Deprovisioning, N::Active)), "ask update /automated_clean"),
        (at(S::Deprovisioning, N::DeployFailed), "ask deleted"),
        (at(S::Deprovisioning, N::Deleting), "wait Deprovisioning"),
        (at(S::Deprovisioning, N::Cleaning), "wait Deprovisioning"),
        (last_error(at(S::Deprovisioning, N::CleanFailed), "no"), "provisioning error"),
        (
            failed(last_error(at(S::Deprovisioning, N::CleanFailed), "no"), provisioning.clone(), "x", 0),
            "wait ProvisioningError",
        ),
        (failed(last_error(at(S::Deprovisioning, N::CleanFailed), "no"), provisioning.clone(), "x", 3), "ask manage"),
        (failed(at(S::Deprovisioning, N::Error), provisioning, "x", 3), "ask deleted"),
        (free(at(S::Deprovisioning, N::Manageable)), "ask provide"),
        (free(at(S::Deprovisioning, N::Available)), "go available"),
    ]);
}

#[test]
fn a_disk_that_is_not_there_is_not_insisted_on() {
    use crate::host::settings::Settings;
    let disks = |names: &[&str]| {
        let disk = |name: &&str| api::metal3::Storage { name: Some((*name).to_owned()), ..Default::default() };
        HardwareDetails { storage: names.iter().map(disk).collect(), ..HardwareDetails::default() }
    };
    for (found, hint) in [
        (None, Some("/dev/sda")),
        (Some(disks(&["/dev/sda", "/dev/sdb"])), Some("/dev/sda")),
        (Some(disks(&["/dev/vda"])), None),
    ] {
        let mut v = view(host(S::Available));
        change(&mut v, |host| host.status_mut().hardware = found);
        let wished = Settings::wished(&v).hints.and_then(|hints| hints.device_name);
        assert_eq!(wished.as_deref(), hint);
    }
}
