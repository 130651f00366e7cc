//! What a pass leaves in the status, given the step and what came of it.

use api::metal3::{BareMetalHostStatus, ErrorType, OperationalStatus, ProvisioningState as S};
use ironic::ProvisionState as N;
use kit::pass::{Class, Fault, Next, Record, Write};
use serde_json::{Map, Value};

use super::*;
use crate::calls::{Answer, reason};
use crate::host::conditions;
use crate::host::status::{Outcome, record};
use crate::host::view::HostView;

/// The status after a record, as the API server would merge it.
pub(super) fn after(view: &HostView, record: &Record) -> BareMetalHostStatus {
    let mut status = serde_json::to_value(view.status()).unwrap();
    if let Some(Write::Status { body, .. }) = &record.status {
        merge(&mut status, &body["status"]);
    }
    serde_json::from_value(status).unwrap()
}

/// RFC 7386.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let target = target.as_object_mut().unwrap();
    for (key, value) in patch {
        if value.is_null() {
            target.remove(key);
        } else {
            merge(target.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

pub(super) fn pass(view: &HostView, outcome: Outcome<'_>) -> (Record, BareMetalHostStatus) {
    let record = record(view, &life::step(view), outcome, now());
    let status = after(view, &record);
    (record, status)
}

pub(super) fn condition<'a>(status: &'a BareMetalHostStatus, kind: &str) -> (&'a str, &'a str) {
    let found = status.conditions.iter().find(|c| c.type_ == kind).unwrap();
    (&found.status, &found.reason)
}

pub(super) fn events(record: &Record) -> Vec<&str> {
    record.notes.iter().map(|note| note.reason).collect()
}

#[test]
fn an_error_of_any_length_is_told() {
    let status = BareMetalHostStatus {
        operational_status: OperationalStatus::Error,
        error_message: "x".repeat(40_000),
        ..BareMetalHostStatus::default()
    };
    let conditions = conditions::compute(&status, &conditions::Signs::default(), Some(1), now());
    let ready = conditions.iter().find(|c| c.type_ == "Ready").unwrap();
    assert!(ready.message.starts_with("xxx") && ready.message.len() <= 32_768, "the API server refuses more");
}

#[test]
fn a_change_of_state_opens_and_closes_the_history() {
    let v = with_node(view(host(S::Registering)), N::Manageable);
    let (record, status) = pass(&v, Outcome::Done(None));
    assert_eq!(status.provisioning.state, S::Inspecting);
    assert_eq!(status.operation_history.register.end.as_ref().map(|t| t.0), Some(now()));
    assert_eq!(status.operation_history.inspect.start.as_ref().map(|t| t.0), Some(now()));
    assert_eq!(status.operation_history.inspect.end, None);
    assert_eq!(condition(&status, "Progressing"), ("True", "Inspecting"));
    assert_eq!(condition(&status, "Manageable"), ("True", "Manageable"));
    assert_eq!(record.next, Next::Now);
}

#[test]
fn a_pass_that_changes_nothing_writes_nothing() {
    let v = with_node(view(host(S::Provisioned)), N::Active);
    let (_, status) = pass(&v, Outcome::Done(None));
    let mut settled = host(S::Provisioned);
    settled.status = Some(status);
    let mut v = with_node(view(settled), N::Active);
    // What `view` fills in stands in the status already.
    let (_, status) = pass(&v, Outcome::Done(None));
    change(&mut v, |host| host.status = Some(status));
    let (record, _) = pass(&v, Outcome::Done(None));
    assert_eq!(record.status, None);
    assert_eq!(record.next, Next::Rest);
}

#[test]
fn provisioning_ends_with_the_image_on_record() {
    let v = with_node(view(host(S::Provisioning)), N::Active);
    let (record, status) = pass(&v, Outcome::Done(None));
    assert_eq!(status.provisioning.state, S::Provisioned);
    assert_eq!(status.provisioning.image.as_ref().map(|image| image.url.as_str()), Some(IMAGE));
    assert_eq!(events(&record), ["ProvisioningComplete"]);
    for (kind, wanted) in [
        ("Ready", ("True", "Provisioned")),
        ("Provisioned", ("True", "Provisioned")),
        ("AvailableForProvisioning", ("False", "NotAvailable")),
        ("Progressing", ("False", "NotProgressing")),
    ] {
        assert_eq!(condition(&status, kind), wanted);
    }
}

#[test]
fn deprovisioning_ends_without_an_image() {
    let v = node(with_node(view(host(S::Deprovisioning)), N::Available), |node| node.instance_uuid = None);
    let (record, status) = pass(&v, Outcome::Done(None));
    assert_eq!(status.provisioning.state, S::Available);
    assert_eq!(status.provisioning.image, None);
    assert_eq!(events(&record), ["DeprovisioningComplete"]);
    assert_eq!(condition(&status, "AvailableForProvisioning"), ("True", "Available"));
}

#[test]
fn an_error_shows_in_both_ways_and_counts() {
    let v =
        node(with_node(view(host(S::Registering)), N::Enroll), |node| node.last_error = Some("wrong password".into()));
    let (record, status) = pass(&v, Outcome::Done(None));
    assert_eq!(status.error_type, Some(ErrorType::Registration));
    assert!(status.error_message.contains("wrong password") && status.error_message.contains("Secret a-bmc"));
    assert_eq!((status.error_count, &status.operational_status), (1, &OperationalStatus::Error));
    assert_eq!(condition(&status, "Ready"), ("False", "Error"));
    assert_eq!(condition(&status, "Manageable"), ("False", "RegistrationFailed"));
    assert_eq!(events(&record), ["RegistrationError"]);
    let Next::After(wait, _) = record.next else { panic!("{:?}", record.next) };
    assert_eq!(wait, crate::host::step::RECHECK);
    // The next pass sees the error on record and waits for the rest of its back-off.
    let mut v = v;
    change(&mut v, |host| host.status = Some(status));
    assert_eq!(does(&v), "wait RegistrationError");
}

#[test]
fn a_lost_ironic_is_a_condition_and_not_an_error() {
    let mut v = with_node(view(host(S::Provisioned)), N::Active);
    v.node = NodeSeen::Unreachable(Fault::new(Class::Backoff, "IronicUnreachable", "connection refused"));
    let (record, status) = pass(&v, Outcome::Done(None));
    assert_eq!(status.error_type, None);
    assert_eq!(condition(&status, "Manageable"), ("False", "IronicUnreachable"));
    assert_eq!(condition(&status, "Ready"), ("True", "Provisioned"));
    assert!(record.fault.is_none());
    // The same when the request itself finds it lost.
    let v = with_node(view(host(S::Inspecting)), N::Manageable);
    let fault = Fault::new(Class::Backoff, reason::UNREACHABLE, "no route");
    let (_, status) = pass(&v, Outcome::Refused(&fault));
    assert_eq!((status.error_type.clone(), status.error_count), (None, 0));
    assert_eq!(condition(&status, "Manageable"), ("False", "IronicUnreachable"));
}

#[test]
fn refusals_are_told_apart() {
    let v = with_node(view(host(S::Inspecting)), N::Manageable);
    let locked = Fault::new(Class::Backoff, reason::LOCKED, "locked");
    let (record, status) = pass(&v, Outcome::Refused(&locked));
    assert_eq!((record.fault, status.error_count), (Some(locked), 0));
    let refused = Fault::new(Class::Peer, reason::REFUSED, "no such step");
    let (record, status) = pass(&v, Outcome::Refused(&refused));
    assert_eq!(status.error_type, Some(ErrorType::Inspection));
    assert!(record.fault.is_none());
    assert!(!events(&record).contains(&"InspectionStarted"));
    let unwritten = Fault::new(Class::Again, "Conflict", "changed");
    let (record, _) = pass(&v, Outcome::NotWritten(&unwritten));
    assert_eq!(record.fault, Some(unwritten));
}

#[test]
fn a_new_node_is_on_record_at_once() {
    let mut v = view(host(S::Registering));
    v.node = NodeSeen::Absent;
    let made = Arc::new(Node { uuid: "new".into(), ..Node::default() });
    let (record, status) = pass(&v, Outcome::Done(Some(&Answer::Node(Some(made)))));
    assert_eq!(status.provisioning.id, "new");
    assert_eq!(events(&record), ["Registered"]);
}

#[test]
fn other_credentials_forget_the_failures_of_the_old_ones() {
    let mut v = node(with_node(view(host(S::Registering)), N::Enroll), |node| node.last_error = Some("401".into()));
    change(&mut v, |host| *host = host.clone().error(ErrorType::Registration, "x", 6));
    v.credentials = Credentials::Read(Box::new(secret(&v, "8")));
    let (_, status) = pass(&v, Outcome::Done(Some(&Answer::Node(None))));
    assert_eq!(status.error_count, 0);
    change(&mut v, |host| host.status = Some(status));
    assert_eq!(does(&v), "ask manage");
}

#[test]
fn a_delayed_host_says_so() {
    let mut v = with_node(view(host(S::Registering)), N::Manageable);
    v.capacity.busy = 20;
    let (_, status) = pass(&v, Outcome::Done(None));
    assert_eq!(status.operational_status, OperationalStatus::Delayed);
    assert_eq!(status.provisioning.state, S::Registering);
    let message = &status.conditions.iter().find(|c| c.type_ == "Progressing").unwrap().message;
    assert!(message.starts_with("WaitingForCapacity: "), "{message}");
}

#[test]
fn a_phase_that_takes_too_long_says_so() {
    let begun = |minutes: i64| {
        let mut v = with_node(view(host(S::Inspecting)), N::InspectWait);
        change(&mut v, |host| {
            let start = now() - jiff::SignedDuration::from_mins(minutes);
            host.status_mut().operation_history.inspect.start = Some(Time(start));
        });
        let (_, status) = pass(&v, Outcome::Done(None));
        status.conditions.into_iter().find(|c| c.type_ == "Progressing").unwrap().message
    };
    assert!(!begun(14).contains("longer"));
    assert!(begun(14).ends_with("(usually 15 min); last seen: node is in \"inspect wait\""), "{}", begun(14));
    assert!(begun(16).contains("(longer than the usual 15 min); last seen: "), "{}", begun(16));
    assert!(!begun(16).contains("usually"), "{}", begun(16));
    assert_eq!(begun(31), begun(90));
}
