//! Failures: each is counted once and waited for once, and what a request makes true is true of that request only.

use api::metal3::{BareMetalHostStatus, CredentialsStatus, ErrorType, ProvisioningState as S};
use ironic::ProvisionState as N;
use jiff::SignedDuration;
use kit::pass::{Class, Fault, Next};

use super::record::{events, pass};
use super::*;
use crate::calls::{Answer, reason};
use crate::host::status::{Outcome, record};

/// The host some minutes later, with the status that a pass left.
fn later(mut v: HostView, status: BareMetalHostStatus, minutes: i64) -> HostView {
    change(&mut v, |host| host.status = Some(status));
    v.now += SignedDuration::from_mins(minutes);
    v
}

/// A pass that Ironic accepts, at the view's own time.
fn accepted(v: &HostView) -> BareMetalHostStatus {
    let record = record(v, &life::step(v), Outcome::Done(Some(&Answer::Done)), v.now);
    super::record::after(v, &record)
}

fn in_maintenance(v: HostView) -> HostView {
    node(v, |node| {
        node.maintenance = true;
        node.fault = Some("clean failure".into());
    })
}

#[test]
fn a_failed_cleaning_counts_once_although_the_node_leaves_maintenance_first() {
    for (state, kind, last) in [
        (S::Deprovisioning, ErrorType::Provisioning, "ask manage"),
        (S::Provisioning, ErrorType::Preparation, "ask manage"),
        (S::Preparing, ErrorType::Preparation, "ask manage"),
    ] {
        let v = in_maintenance(failed(last_error(at(state.clone(), N::CleanFailed), "no"), kind.clone(), "no", 3));
        let mut v = if state == S::Preparing { later(v.clone_view(), accepted(&v), 0) } else { v };
        assert_eq!(does(&v), "ask end maintenance", "{state}");
        let status = accepted(&v);
        assert_eq!((status.error_type.as_ref(), status.error_count), (Some(&kind), 1), "{state}");
        v = node(later(v, status, 0), |node| {
            node.maintenance = false;
            node.fault = None;
        });
        assert_eq!(does(&v), last, "{state}: the back-off was over and is not begun anew");
    }
}

#[test]
fn nothing_is_said_to_begin_while_the_power_control_is_lost() {
    for (state, node_state) in
        [(S::Inspecting, N::Manageable), (S::Provisioning, N::Available), (S::Deprovisioning, N::Active)]
    {
        let v = node(at(state.clone(), node_state), |node| node.fault = Some("power failure".into()));
        assert_eq!(does(&v), "wait PowerFailure", "{state}");
        let (record, _) = pass(&v, Outcome::Done(None));
        let begun: Vec<_> = events(&record).into_iter().filter(|reason| reason.ends_with("Started")).collect();
        assert!(begun.is_empty(), "{state}: {begun:?}");
    }
}

#[test]
fn what_ironic_refuses_again_is_waited_for() {
    let refusal = Fault::new(Class::User, reason::REFUSED, "a port with this MAC address exists");
    let without_ports = |mut v: HostView| {
        v.ports = Some(Vec::new());
        v
    };
    for (mut v, asks, waits) in [
        (without_ports(at(S::Registering, N::Manageable)), "ask ports", "wait RegistrationError"),
        (at(S::Inspecting, N::Manageable), "ask inspect", "wait InspectionError"),
        (at(S::Provisioned, N::Manageable), "ask adopt", "wait ProvisionedRegistrationError"),
    ] {
        for refused in 1..=2 {
            assert_eq!(does(&v), asks, "try {refused}");
            let record = record(&v, &life::step(&v), Outcome::Refused(&refusal), v.now);
            let status = super::record::after(&v, &record);
            assert_eq!(status.error_count, refused);
            v = later(v, status, 0);
        }
        assert_eq!(does(&v), waits, "after two refusals");
        let status = accepted(&v);
        assert_eq!(status.error_count, 2, "waiting is no failure");
        let much_later = later(v.clone_view(), status.clone(), 4);
        assert_eq!(does(&much_later), asks, "after the back-off");
        let mut often = later(v.clone_view(), status.clone(), 10);
        change(&mut often, |host| host.status_mut().error_count = 9);
        assert_eq!(does(&often), asks, "what stood in the way may be gone: never longer than ten minutes");
        let mut edited = later(v, status, 0);
        change(&mut edited, |host| host.metadata.generation = Some(7));
        assert_eq!(does(&edited), asks, "a corrected spec is tried at once");
        let edited = later(edited.clone_view(), accepted(&edited), 0);
        assert_eq!(edited.error_count(), 0, "and so is all that follows");
    }
}

#[test]
fn conditions_of_others_do_not_end_a_back_off() {
    let mut v = failed(last_error(at(S::Registering, N::Enroll), "401"), ErrorType::Registration, "401", 0);
    let shown = accepted(&v);
    v = later(v, shown, 0);
    change(&mut v, |host| {
        host.metadata.generation = Some(3);
        for condition in &mut host.status_mut().conditions {
            condition.observed_generation = Some(3);
        }
        let mut foreign = host.status_mut().conditions[0].clone();
        foreign.type_ = "FirmwareCompliant".into();
        foreign.observed_generation = None;
        host.status_mut().conditions.push(foreign);
    });
    assert_eq!(does(&v), "wait RegistrationError");
}

#[test]
fn a_creation_that_is_refused_is_waited_for_although_nobody_tried_the_credentials() {
    let refusal = Fault::new(Class::User, reason::REFUSED, "a node with this MAC address exists");
    let mut v = view(host(S::Registering));
    v.node = NodeSeen::Absent;
    change(&mut v, |host| host.status_mut().tried_credentials = CredentialsStatus::default());
    for _ in 1..=2 {
        assert_eq!(does(&v), "ask create");
        let record = record(&v, &life::step(&v), Outcome::Refused(&refusal), v.now);
        let status = super::record::after(&v, &record);
        v = later(v, status, 0);
    }
    assert_eq!(does(&v), "wait RegistrationError");
}

#[test]
fn each_failure_begins_its_own_back_off() {
    // The first one after an edit counts as one, like the one before it.
    let refusal = Fault::new(Class::User, reason::REFUSED, "401");
    let mut v = failed(at(S::Inspecting, N::Manageable), ErrorType::Inspection, "401", 10);
    let shown = accepted(&failed(at(S::Inspecting, N::Inspecting), ErrorType::Inspection, "401", 10));
    change(&mut v, |host| {
        host.status_mut().conditions = shown.conditions;
        host.metadata.generation = Some(7);
    });
    let record = record(&v, &life::step(&v), Outcome::Refused(&refusal), v.now);
    let status = super::record::after(&v, &record);
    assert_eq!((status.error_count, status.last_updated.map(|time| time.0)), (1, Some(v.now)));
}

#[test]
fn a_deletion_gives_each_step_its_own_tries() {
    let mut v = last_error(at(S::Deprovisioning, N::Enroll), "dead");
    change(&mut v, |host| {
        *host = host.clone().error(ErrorType::Provisioning, "no", 3);
        host.status_mut().last_updated = Some(Time(now()));
        host.metadata.deletion_timestamp = Some(Time(now()));
    });
    assert_eq!(does(&v), "registration error");
    assert_eq!(accepted(&v).error_count, 1, "cleaning failed three times, the controller once");
}

#[test]
fn an_abort_that_changes_nothing_is_not_repeated_at_once() {
    let mut v = at(S::PoweringOffBeforeDelete, N::InspectWait);
    change(&mut v, |host| host.metadata.deletion_timestamp = Some(Time(now())));
    assert_eq!(does(&v), "ask abort");
    for (state, waits) in [(N::InspectWait, true), (N::InspectFailed, false)] {
        let node = Arc::new(settled(&v, state.clone()));
        let record = record(&v, &life::step(&v), Outcome::Done(Some(&Answer::Node(Some(node)))), v.now);
        assert_eq!(matches!(record.next, Next::After(..)), waits, "{state}");
    }
}
