//! Firmware of a running host and of one that is prepared: what is begun, what is remembered, what is taken back.

use std::sync::Arc;

use api::metal3::{
    ErrorType, FirmwareUpdate, HostFirmwareComponents, HostFirmwareSettings, HostUpdatePolicy, OperationalStatus,
    ProvisioningState as S,
};
use ironic::{ProvisionState as N, Step as NodeStep};
use serde_json::{Value, json};

use super::*;
use crate::host::Outcome;

const URL: &str = "http://firmware.example/bmc.bin";

fn valid() -> Value {
    json!([
        {"type": "Valid", "status": "True", "reason": "Success", "message": "", "observedGeneration": 1,
         "lastTransitionTime": NOW},
        // About something else than what was begun or forgotten since: never what a decision is made on.
        {"type": "ChangeDetected", "status": "False", "reason": "Success", "message": "", "observedGeneration": 1,
         "lastTransitionTime": NOW},
    ])
}

/// The wish `Turbo: on`, and what the machine has, read some seconds ago.
fn settings(mut v: HostView, has: &str, read: i64) -> HostView {
    let mut object: HostFirmwareSettings = v.firmware.settings.as_deref().unwrap().clone();
    object.metadata.generation = Some(1);
    object.spec = serde_json::from_value(json!({"settings": {"Turbo": "on"}})).unwrap();
    let time = now() - jiff::SignedDuration::from_secs(read);
    object.status = serde_json::from_value(
        json!({"settings": {"Turbo": has}, "conditions": valid(), "lastUpdated": time.to_string()}),
    )
    .unwrap();
    v.firmware.settings = Some(Arc::new(object));
    v
}

/// The wish for an update of the BMC, and the updates that were started.
fn update(mut v: HostView, started: &[&str]) -> HostView {
    let list = |urls: &[&str]| urls.iter().map(|url| json!({"component": "bmc", "url": url})).collect::<Value>();
    let mut object: HostFirmwareComponents = serde_json::from_value(json!({
        "metadata": {"name": "a", "namespace": "ns", "generation": 1},
        "spec": {"updates": list(&[URL])},
        "status": {"updates": list(started), "components": [], "conditions": valid()},
    }))
    .unwrap();
    owners::set_owner(&mut object.metadata, owners::owner_reference(v.host.as_ref(), true));
    v.firmware.components = Some(Arc::new(object));
    v
}

fn policy(mut v: HostView, spec: &Value) -> HostView {
    let mut object: HostUpdatePolicy =
        serde_json::from_value(json!({"metadata": {"name": "a", "namespace": "ns"}, "spec": spec})).unwrap();
    owners::set_owner(&mut object.metadata, owners::owner_reference(v.host.as_ref(), true));
    v.firmware.policy = Some(Arc::new(object));
    v
}

fn settings_on_reboot(v: HostView) -> HostView {
    policy(v, &json!({"firmwareSettings": "onReboot"}))
}

fn all_on_reboot(v: HostView) -> HostView {
    policy(v, &json!({"firmwareSettings": "onReboot", "firmwareUpdates": "onReboot"}))
}

fn servicing(mut v: HostView) -> HostView {
    change(&mut v, |host| host.status_mut().operational_status = OperationalStatus::Servicing);
    v
}

fn ended(v: HostView, seconds_ago: i64) -> HostView {
    let time = now() - jiff::SignedDuration::from_secs(seconds_ago);
    node(v, |node| node.provision_updated_at = Some(time.to_string()))
}

/// The updates that a step writes as started.
fn remembered(v: &HostView) -> Vec<FirmwareUpdate> {
    let writes = match life::step(v) {
        Step::Ask(ask) => ask.last,
        Step::Write(writes, _) => writes,
        other => panic!("{}", brief(&other)),
    };
    let [kit::pass::Write::Status { body, .. }] = &writes[..] else { panic!("{writes:?}") };
    serde_json::from_value(body["status"]["updates"].clone()).unwrap()
}

fn bmc(url: &str) -> FirmwareUpdate {
    FirmwareUpdate { component: "bmc".into(), url: url.into() }
}

#[test]
fn a_failed_servicing_always_has_a_way_on() {
    let service_failed = || at(S::Provisioned, N::ServiceFailed);
    let past = |v: HostView| failed(v, ErrorType::Servicing, "Servicing failed; Ironic gives no reason", 3);
    let table = [
        (settings(service_failed(), "off", 0), "ask abort", "not allowed any more"),
        (settings_on_reboot(settings(service_failed(), "on", 0)), "ask abort", "nothing left to apply"),
        (settings(at(S::Provisioned, N::ServiceWait), "off", 0), "ask abort", "not allowed any more, and waiting"),
        (settings_on_reboot(settings(service_failed(), "off", 0)), "servicing error", "shown first"),
        (past(settings_on_reboot(settings(service_failed(), "off", 0))), "ask service", "tried again"),
    ];
    for (v, wanted, why) in table {
        assert_eq!(does(&v), wanted, "{why}");
    }
}

#[test]
fn a_running_host_is_not_serviced_twice_for_one_wish() {
    let inspected = |mut v: HostView| {
        change(&mut v, |host| host.status_mut().operation_history.inspect.end = Some(Time(now())));
        v
    };
    let active = || servicing(settings_on_reboot(at(S::Provisioned, N::Active)));
    let table = [
        (ended(settings(active(), "off", 60), 5), "wait FirmwareNotReread"),
        (ended(settings(active(), "off", 2), 5), "ask service"),
        (ended(settings(active(), "on", 2), 5), "note"),
        (ended(settings(active(), "off", 300), 120), "ask service"),
        (ended(settings(at(S::Preparing, N::Manageable), "off", 60), 5), "wait FirmwareNotReread"),
        (ended(settings(at(S::Preparing, N::Manageable), "off", 2), 5), "ask clean"),
        // What has just ended was the inspection.
        (inspected(ended(settings(at(S::Preparing, N::Manageable), "off", 60), 5)), "ask clean"),
    ];
    for (row, (v, wanted)) in table.into_iter().enumerate() {
        assert_eq!(does(&v), wanted, "row {row}");
    }
}

#[test]
fn only_updates_that_were_sent_count_as_started() {
    let clean = update(at(S::Preparing, N::Manageable), &[]);
    assert_eq!(does(&clean), "ask clean");
    assert_eq!(remembered(&clean), [bmc(URL)]);
    let both = servicing(all_on_reboot(settings(update(at(S::Provisioned, N::Active), &[]), "off", 0)));
    assert_eq!((does(&both).as_str(), remembered(&both)), ("ask service", vec![bmc(URL)]));
    let only_settings = servicing(settings_on_reboot(settings(update(at(S::Provisioned, N::Active), &[]), "off", 0)));
    let Step::Ask(ask) = life::step(&only_settings) else { panic!("{}", does(&only_settings)) };
    assert!(ask.last.is_empty(), "the update waits for the next preparation: {:?}", ask.last);
    // A wish that came while something else runs is not begun by it.
    let running = update(at(S::Preparing, N::CleanWait), &[]);
    assert_eq!(does(&running), "wait Preparing");
    // A start that did not get on record is seen by the step that runs.
    let step = NodeStep::new("firmware", "update").arg("settings", json!([{"component": "bmc", "url": "http://old/"}]));
    let crashed = node(running, |node| node.clean_step = Some(step));
    assert_eq!(remembered(&crashed), [bmc("http://old/")]);
}

#[test]
fn a_forgotten_update_is_begun_again_before_the_host_is_given_away() {
    let v = update(at(S::Preparing, N::Manageable), &[]);
    assert_eq!(does(&v), "ask clean");
    assert_eq!(does(&update(at(S::Preparing, N::Manageable), &[URL])), "go available");
}

#[test]
fn a_host_is_not_given_away_before_its_firmware_wish_was_checked() {
    let newer = |mut v: HostView| {
        let mut object = v.firmware.settings.as_deref().unwrap().clone();
        object.metadata.generation = Some(2);
        v.firmware.settings = Some(Arc::new(object));
        v
    };
    let wants = |mut v: HostView| {
        change(&mut v, |host| *host = host.clone().image(IMAGE));
        v.drive = Material::Some(ironic::ConfigDrive::default());
        v
    };
    let free = || settings(at(S::Available, N::Available), "on", 0);
    assert_eq!(does(&wants(newer(free()))), "wait FirmwareNotChecked");
    assert_eq!(does(&newer(free())), "rest");
    assert_eq!(does(&wants(free())), "go provisioning");
}

#[test]
fn updates_are_not_begun_again_because_something_else_failed() {
    let of = |part: &str| format!("Failed on step {{'interface': '{part}', 'step': 'apply_configuration'}}: no");
    let bios = |v| settings(v, "off", 10);
    let running = || bios(update(at(S::Provisioned, N::ServiceFailed), &[URL]));
    // Firmware that may not be updated while the host runs was not part of it.
    assert_eq!(does(&settings_on_reboot(running())), "servicing error");
    assert_eq!(does(&all_on_reboot(running())), "write 1", "nobody says what failed");
    assert_eq!(does(&all_on_reboot(last_error(running(), &of("bios")))), "servicing error");
    assert_eq!(does(&all_on_reboot(last_error(running(), &of("firmware")))), "write 1");
    for (part, again) in [("raid", false), ("bios", false), ("firmware", true)] {
        let v = last_error(update(at(S::Preparing, N::CleanFailed), &[URL]), &of(part));
        let mut v = failed(v, ErrorType::Preparation, "no", 3);
        if does(&v) == "note" {
            let (_, status) = super::record::pass(&v, Outcome::Done(None));
            change(&mut v, |host| host.status = Some(status));
        }
        assert_eq!(does(&v), if again { "write 1" } else { "ask manage" }, "{part}");
    }
}
