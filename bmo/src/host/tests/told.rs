//! What people are told of waits, losses and recoveries: in conditions all the time, in events once.

use api::metal3::ProvisioningState as S;
use ironic::ProvisionState as N;
use kit::pass::{Class, Fault};

use super::record::{condition, events, pass};
use super::*;
use crate::calls::reason;
use crate::host::status::Outcome;
use crate::host::view::HostView;

fn message<'a>(status: &'a api::metal3::BareMetalHostStatus, kind: &str) -> &'a str {
    &status.conditions.iter().find(|c| c.type_ == kind).unwrap().message
}

/// What the next look finds, after an earlier one was recorded.
fn recorded(mut v: HostView, status: api::metal3::BareMetalHostStatus) -> HostView {
    change(&mut v, |host| host.status = Some(status));
    v
}

#[test]
fn a_wait_is_told_once() {
    let waiting = |node_state: N| with_node(view(host(S::Provisioning)), node_state);
    let (first, status) = pass(&waiting(N::Deploying), Outcome::Done(None));
    assert_eq!(events(&first), ["Deploying"]);
    assert!(!first.notes[0].warning);
    let text =
        "Deploying: the image is being written to the machine (usually 20 min); last seen: node is in \"deploying\"";
    assert_eq!(message(&status, "Progressing"), text);
    // Another look, or one after a restart, writes and tells nothing.
    let (second, _) = pass(&recorded(waiting(N::Deploying), status.clone()), Outcome::Done(None));
    assert_eq!((second.status, second.notes), (None, Vec::new()));
    // Another state of the node is shown; the wait is the same.
    let (third, _) = pass(&recorded(waiting(N::WaitCallBack), status), Outcome::Done(None));
    assert!(third.status.is_some() && third.notes.is_empty(), "{:?}", third.notes);
}

#[test]
fn a_request_that_starts_a_wait_is_told_by_its_own_event() {
    let (record, status) = pass(&with_node(view(host(S::Inspecting)), N::Manageable), Outcome::Done(None));
    assert_eq!(events(&record), ["InspectionStarted"]);
    let v = recorded(with_node(view(host(S::Inspecting)), N::Inspecting), status);
    assert_eq!(events(&pass(&v, Outcome::Done(None)).0), Vec::<&str>::new());
}

#[test]
fn a_lost_ironic_and_its_return_are_told_once() {
    let lost = |mut v: HostView| {
        v.node = NodeSeen::Unreachable(Fault::new(Class::Backoff, "IronicUnreachable", "connection refused"));
        v
    };
    let settled = || with_node(view(host(S::Provisioned)), N::Active);
    let (record, status) = pass(&lost(settled()), Outcome::Done(None));
    assert_eq!(events(&record), ["IronicUnreachable"]);
    assert!(record.notes[0].warning && record.notes[0].message.contains("connection refused"));
    let (record, _) = pass(&recorded(lost(settled()), status.clone()), Outcome::Done(None));
    assert_eq!((record.status, record.notes), (None, Vec::new()));
    let mut later = recorded(lost(settled()), status.clone());
    later.now = now() + jiff::SignedDuration::from_mins(11);
    let (record, overdue) = pass(&later, Outcome::Done(None));
    assert!(message(&overdue, "Progressing").ends_with("(longer than the usual 10 min)"));
    assert!(record.notes.is_empty());
    let (record, status) = pass(&recorded(settled(), status), Outcome::Done(None));
    assert_eq!(events(&record), ["IronicReachable"]);
    assert!(!record.notes[0].warning);
    assert_eq!((condition(&status, "Manageable").0, message(&status, "Progressing")), ("True", ""));
}

#[test]
fn a_power_failure_says_what_happened_and_what_to_do() {
    let failing = |error: Option<&str>| {
        node(with_node(view(host(S::Provisioned)), N::Active), |node| {
            node.fault = Some("power failure".into());
            node.maintenance = true;
            node.power_state = PowerState::Unknown;
            node.last_error = error.map(ToOwned::to_owned);
        })
    };
    let (record, status) = pass(&failing(Some("401 Unauthorized")), Outcome::Done(None));
    assert_eq!(condition(&status, "Manageable"), ("False", "PowerFailure"));
    let text = message(&status, "Manageable");
    for part in ["cannot read", "401 Unauthorized", "spec.bmc.address", "the Secret a-bmc"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!((events(&record)[0], record.notes[0].warning), ("PowerFailure", true));
    let (_, silent) = pass(&failing(None), Outcome::Done(None));
    assert!(!message(&silent, "Manageable").contains("last seen"));
    let (record, _) = pass(&recorded(failing(Some("401 Unauthorized")), status.clone()), Outcome::Done(None));
    assert_eq!((record.status, record.notes), (None, Vec::new()));
    let v = recorded(with_node(view(host(S::Provisioned)), N::Active), status);
    assert_eq!(events(&pass(&v, Outcome::Done(None)).0), ["PowerRestored"]);
}

#[test]
fn what_could_not_be_read_is_told_and_forgotten_when_it_can() {
    let fault = || Fault::new(Class::Backoff, reason::FAILED, "cannot read the inspection result: oops");
    let mut v = with_node(view(host(S::Inspecting)), N::InspectWait);
    v.unread = Some(fault());
    assert_eq!(does(&v), "wait IronicFailed");
    let (record, status) = pass(&v, Outcome::Done(None));
    assert_eq!((record.fault.clone(), events(&record)), (Some(fault()), vec!["IronicFailed"]));
    assert_eq!((status.error_type.clone(), condition(&status, "Manageable").0), (None, "True"));
    assert_eq!(message(&status, "Progressing"), "IronicFailed: cannot read the inspection result: oops");
    let mut v = recorded(v, status.clone());
    let (record, _) = pass(&v, Outcome::Done(None));
    assert_eq!((record.status, record.notes), (None, Vec::new()));
    v.unread = Some(Fault { reason: reason::UNREACHABLE, ..fault() });
    let (_, lost) = pass(&v, Outcome::Done(None));
    assert_eq!(condition(&lost, "Manageable"), ("False", "IronicUnreachable"));
    v.unread = None;
    let (record, status) = pass(&recorded(v, status), Outcome::Done(None));
    assert!(record.fault.is_none() && message(&status, "Progressing").starts_with("Inspecting: "));
}

#[test]
fn a_pass_on_the_way_keeps_what_is_shown() {
    let (_, status) = pass(&with_node(view(host(S::Inspecting)), N::InspectWait), Outcome::Done(None));
    let mut v = recorded(with_node(view(host(S::Inspecting)), N::InspectWait), status);
    change(&mut v, |host| *host = host.clone().annotation("inspect.metal3.io", ""));
    assert_eq!(does(&v), "write 1");
    assert_eq!(pass(&v, Outcome::Done(None)).0.status, None);
}
