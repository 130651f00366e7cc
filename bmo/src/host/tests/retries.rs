//! Failures: each is counted once and waited for once, and what a request makes true is true of that request only.

use api::metal3::{BareMetalHostStatus, ErrorType, ProvisioningState as S};
use ironic::ProvisionState as N;
use jiff::SignedDuration;
use kit::pass::{Class, Fault};

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
