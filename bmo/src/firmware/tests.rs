use std::sync::Arc;

use api::build::{Build as _, host};
use api::metal3::firmware_condition::{CHANGE_DETECTED, VALID};
use api::metal3::*;
use api::names::annotation;
use ironic::BiosSetting;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kit::pass::{Next, NoCall, Plan, Write};

use super::{components, host_wakes, own_wakes, schema, settings, started_wakes};

fn bios() -> Vec<BiosSetting> {
    let of = |name: &str, kind: &str, value: &str| BiosSetting {
        name: name.into(),
        value: Some(value.into()),
        attribute_type: Some(kind.into()),
        ..BiosSetting::default()
    };
    vec![
        BiosSetting {
            allowable_values: Some(vec!["Uefi".into(), "Bios".into()]),
            read_only: Some(false),
            ..of("BootMode", "Enumeration", "Uefi")
        },
        BiosSetting { lower_bound: Some(0), upper_bound: Some(20), ..of("Retries", "Integer", "3") },
        of("AdminPassword", "Password", "hash"),
        BiosSetting { attribute_type: None, ..of("Free", "", "text") },
    ]
}

fn now() -> Timestamp {
    "2026-02-03T04:05:06Z".parse().unwrap()
}

fn settings_of(wished: &[(&str, IntOrString)]) -> HostFirmwareSettings {
    let mut object = HostFirmwareSettings::default();
    object.metadata.namespace = Some("ns".into());
    object.metadata.name = Some("a".into());
    object.metadata.uid = Some("uid-hfs".into());
    object.metadata.generation = Some(7);
    object.spec.settings = wished.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    object
}

fn view(object: HostFirmwareSettings) -> settings::View {
    settings::View {
        now: now(),
        object: Arc::new(object),
        host: Some(Arc::new(host("ns", "a").bmc("redfish://192.0.2.7").available())),
        bios: bios(),
        schema: None,
        others: Vec::new(),
    }
}

fn text(value: &str) -> IntOrString {
    IntOrString::String(value.into())
}

/// The status that a plan writes, if it writes one.
fn status(plan: &Plan<NoCall>) -> Option<&serde_json::Value> {
    plan.writes.iter().find_map(|write| match write {
        Write::Status { body, .. } => Some(&body["status"]),
        Write::Create { .. } | Write::Patch { .. } | Write::Delete { .. } => None,
    })
}

/// Truth and message of a written condition.
fn condition(status: &serde_json::Value, kind: &str) -> (String, String) {
    let all = status["conditions"].as_array().unwrap();
    let one = all.iter().find(|c| c["type"] == kind).unwrap();
    assert_eq!(one["observedGeneration"], 7, "the host waits for this generation");
    (one["status"].as_str().unwrap().to_owned(), one["message"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn the_name_of_a_schema_is_the_go_operators() {
    // From a run of the rule by other means over the same words.
    assert_eq!(schema::name(&schema::limits(&bios())), "schema-c7ee5de3");
}

#[test]
fn a_first_look_makes_the_schema_and_shows_no_password() {
    let plan = settings::decide(&view(settings_of(&[])));
    let [Write::Create { body, .. }, Write::Status { .. }] = plan.writes.as_slice() else {
        panic!("{:?}", plan.writes)
    };
    let shown: Vec<&String> = body["spec"]["schema"].as_object().unwrap().keys().collect();
    assert_eq!(shown, ["BootMode", "Free", "Retries"]);
    assert_eq!(body["metadata"]["ownerReferences"][0]["uid"], "uid-hfs");
    let status = status(&plan).unwrap();
    assert_eq!(status["settings"], serde_json::json!({ "BootMode": "Uefi", "Free": "text", "Retries": "3" }));
    assert_eq!(status["schema"]["name"], body["metadata"]["name"]);
    assert_eq!(condition(status, VALID).0, "True");
    assert_eq!(condition(status, CHANGE_DETECTED).0, "False");
}

#[test]
fn nothing_is_written_when_nothing_changed() {
    let mut object = settings_of(&[("Retries", IntOrString::Int(5))]);
    let first = settings::decide(&view(object.clone()));
    object.status = Some(serde_json::from_value(status(&first).unwrap().clone()).unwrap());
    let Write::Create { body, .. } = &first.writes[0] else { panic!("{:?}", first.writes) };
    let schema: FirmwareSchema = serde_json::from_value(body.clone()).unwrap();
    let later = settings::View {
        now: "2026-02-03T05:00:00Z".parse().unwrap(),
        schema: Some(Arc::new(schema)),
        ..view(object.clone())
    };
    assert_eq!(settings::decide(&later).writes, []);

    // A new wish with the same outcome: the generation alone must be told, or the host would wait for ever.
    object.metadata.generation = Some(8);
    let told = settings::decide(&settings::View { object: Arc::new(object), ..later });
    assert_eq!(status(&told).unwrap()["conditions"][0]["observedGeneration"], 8);
}

#[test]
fn wishes_are_checked() {
    type Wishes = Vec<(&'static str, IntOrString)>;
    let table: Vec<(Wishes, &str, &str, &str)> = vec![
        (vec![("Retries", IntOrString::Int(3)), ("BootMode", text("Uefi"))], "False", "True", ""),
        (vec![("Retries", text("4"))], "True", "True", ""),
        (vec![("BootMode", text("Quick"))], "True", "False", "BootMode cannot be set so"),
        (vec![("Retries", IntOrString::Int(21))], "True", "False", "Retries cannot be set so"),
        (vec![("AdminPassword", text("x"))], "True", "False", "AdminPassword is a password"),
        (vec![("Missing", text("x"))], "True", "False", "this machine has no Missing"),
    ];
    for (wished, changing, valid, message) in table {
        let plan = settings::decide(&view(settings_of(&wished)));
        let status = status(&plan).unwrap();
        assert_eq!(condition(status, CHANGE_DETECTED).0, changing, "{wished:?}");
        let seen = condition(status, VALID);
        assert_eq!(seen.0, valid, "{wished:?}");
        assert!(seen.1.contains(message), "{wished:?}: {}", seen.1);
        assert_eq!(plan.notes.len(), usize::from(valid == "False"), "{wished:?}");
    }
}

/// The settings of another host, with the status of the first ones when they have one.
fn sibling(of: &HostFirmwareSettings, name: &str) -> HostFirmwareSettings {
    let mut object = of.clone();
    object.metadata.name = Some(name.into());
    object.metadata.uid = Some(format!("uid-{name}"));
    object
}

#[test]
fn hosts_that_share_a_schema_become_its_owners_in_one_write() {
    let mut first = settings_of(&[]);
    let plan = settings::decide(&view(first.clone()));
    let Write::Create { body, .. } = &plan.writes[0] else { panic!("{:?}", plan.writes) };
    let known: Arc<FirmwareSchema> = Arc::new(serde_json::from_value(body.clone()).unwrap());

    // The next one only says that the schema is its own, and looks again in a moment.
    let second = sibling(&first, "b");
    let plan = settings::decide(&settings::View { schema: Some(known.clone()), ..view(second.clone()) });
    assert!(matches!(plan.writes.as_slice(), [Write::Status { .. }]), "{:?}", plan.writes);
    assert!(matches!(&plan.next, Next::After(_, why) if why.reason == "SchemaShared"), "{:?}", plan.next);

    // By then others have said so, too.
    first.status = Some(serde_json::from_value(status(&plan).unwrap().clone()).unwrap());
    let (second, third) = (sibling(&first, "b"), sibling(&first, "c"));
    let others = vec![Arc::new(second.clone()), Arc::new(third.clone())];
    let plan = settings::decide(&settings::View { schema: Some(known.clone()), others, ..view(second) });
    let [Write::Patch { body, target }] = plan.writes.as_slice() else { panic!("{:?}", plan.writes) };
    assert_eq!(target.key.name, known.metadata.name.clone().unwrap());
    let owners = body["metadata"]["ownerReferences"].as_array().unwrap();
    assert_eq!(owners.iter().map(|o| o["uid"].as_str().unwrap()).collect::<Vec<_>>(), ["uid-hfs", "uid-b", "uid-c"]);

    // The third one finds that it is an owner already.
    let mut owned = known.as_ref().clone();
    owned.metadata.owner_references = Some(serde_json::from_value(owners.clone().into()).unwrap());
    let plan = settings::decide(&settings::View { schema: Some(Arc::new(owned)), ..view(third) });
    assert_eq!(plan.writes, []);
}

#[test]
fn a_host_that_cannot_be_asked_is_left_alone_and_the_reason_told() {
    let available = || host("ns", "a").bmc("redfish://192.0.2.7").available();
    let detached = || {
        let mut host = available();
        host.status_mut().operational_status = OperationalStatus::Detached;
        host
    };
    let table = vec![
        (None, "HostMissing"),
        (Some(host("ns", "a")), "HostNotRegistered"),
        (Some(available().state(ProvisioningState::Unmanaged)), "HostNotRegistered"),
        (Some(available().node("")), "HostNotRegistered"),
        (Some(available().annotation(annotation::HOST_PAUSED, "")), "HostPaused"),
        (Some(available().annotation(annotation::HOST_DETACHED, "")), "HostDetached"),
        (Some(detached()), "HostDetached"),
    ];
    for (host, reason) in table {
        let plan = settings::decide(&settings::View { host: host.map(Arc::new), ..view(settings_of(&[])) });
        assert!(plan.writes.is_empty(), "{reason}");
        assert!(matches!(&plan.next, Next::Changed(why) if why.reason == reason), "{reason}: {:?}", plan.next);
    }
}

fn components_view(wished: &[(&str, &str)], started: &[(&str, &str)]) -> components::View {
    let updates = |all: &[(&str, &str)]| {
        all.iter()
            .map(|(component, url)| FirmwareUpdate { component: (*component).into(), url: (*url).into() })
            .collect::<Vec<_>>()
    };
    let mut object = HostFirmwareComponents::default();
    object.metadata.name = Some("a".into());
    object.metadata.generation = Some(7);
    object.spec.updates = updates(wished);
    object.status = Some(HostFirmwareComponentsStatus { updates: updates(started), ..Default::default() });
    let of = |component: &str| ironic::FirmwareComponent {
        component: component.into(),
        initial_version: Some("1".into()),
        current_version: Some("2".into()),
        updated_at: Some("2026-01-01T00:00:00+00:00".into()),
        ..ironic::FirmwareComponent::default()
    };
    components::View {
        now: now(),
        object: Arc::new(object),
        host: Some(Arc::new(host("ns", "a").bmc("redfish://192.0.2.7").available())),
        reported: vec![of("bmc"), of("nic:NIC.1"), of("disk")],
    }
}

#[test]
fn components_are_shown_and_updates_checked() {
    let table: Vec<(components::View, &str, &str, &str)> = vec![
        (components_view(&[], &[]), "False", "True", ""),
        (components_view(&[("bmc", "u")], &[]), "True", "True", ""),
        (components_view(&[("bmc", "u")], &[("bmc", "u")]), "False", "True", ""),
        // A wish that was taken back leaves nothing to do.
        (components_view(&[], &[("bmc", "u")]), "False", "True", ""),
        (components_view(&[("bmc", "v")], &[("bmc", "u")]), "True", "True", ""),
        (components_view(&[("nic:1", "u"), ("disk", "u")], &[]), "True", "False", "disk is no component"),
    ];
    for (view, changing, valid, message) in table {
        let plan = components::decide(&view);
        let status = status(&plan).unwrap();
        let names: Vec<&str> =
            status["components"].as_array().unwrap().iter().map(|c| c["component"].as_str().unwrap()).collect();
        assert_eq!(names, ["bmc", "nic:NIC.1"]);
        assert_eq!(status["components"][0]["updatedAt"], "2026-01-01T00:00:00Z");
        assert_eq!(status.get("updates"), None, "what was started is the host's to write");
        assert_eq!(condition(status, CHANGE_DETECTED).0, changing);
        assert_eq!(condition(status, VALID).0, valid);
        assert!(condition(status, VALID).1.contains(message));

        let mut object = view.object.as_ref().clone();
        let mut known = serde_json::to_value(&object.status).unwrap();
        known.as_object_mut().unwrap().extend(status.as_object().unwrap().clone());
        object.status = Some(serde_json::from_value(known).unwrap());
        let again = components::View { object: Arc::new(object), ..view };
        assert!(components::decide(&again).writes.is_empty(), "a second look writes nothing");
    }
}

#[test]
fn only_what_matters_wakes() {
    let before = host("ns", "a").available();
    let mut powered = before.clone();
    powered.status_mut().powered_on = true;
    assert!(host_wakes(Some(&before), Some(&powered)).is_empty());
    assert_eq!(host_wakes(Some(&before), Some(&before.clone().provisioned())).len(), 1);
    assert_eq!(host_wakes(None, Some(&before)).len(), 1);

    let object = settings_of(&[]);
    let mut written = object.clone();
    written.status = Some(HostFirmwareSettingsStatus::default());
    assert!(own_wakes(Some(&object), Some(&written)).is_empty());
    written.metadata.generation = Some(8);
    assert_eq!(own_wakes(Some(&object), Some(&written)).len(), 1);

    let started = |updates: &[(&str, &str)]| components_view(&[("bmc", "u")], updates).object.as_ref().clone();
    let (begun, forgotten) = (started(&[("bmc", "u")]), started(&[]));
    assert!(own_wakes(Some(&begun), Some(&forgotten)).is_empty());
    assert_eq!(started_wakes(Some(&begun), Some(&forgotten)).len(), 1, "what is left to do changed");
    assert!(started_wakes(Some(&begun), Some(&begun)).is_empty() && started_wakes(None, Some(&begun)).is_empty());
}
