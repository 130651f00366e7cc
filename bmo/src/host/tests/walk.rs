//! All situations at once: no decision leaves the listed ways, none waits without words, none harms a host in use.

use std::collections::BTreeSet;

use api::metal3::{ErrorType, ProvisioningState as S};
use ironic::{Inventory, PowerState, ProvisionState as N, ProvisionTarget};
use jiff::ToSpan as _;
use kit::pass::{Class, Fault};

use super::guards::all_states;
use super::*;
use crate::host::status::{Outcome, record};

/// How many two-way questions one situation answers.
const BITS: u32 = 11;
/// How many situations are tried per state and node state; the same ones in every run.
const SAMPLES: u32 = 96;

/// The situation of this state, node state and answers; `None` where it makes no sense.
fn situation(state: &S, node_state: Option<&N>, answers: u32) -> HostView {
    let yes = |bit: u32| answers & (1 << bit) != 0;
    let mut host = host(state.clone());
    if yes(0) {
        host = host.deleting();
    }
    if yes(1) {
        host.spec.online = false;
    }
    if yes(2) {
        host.spec.image = if host.spec.image.is_some() { None } else { host.clone().image(IMAGE).spec.image };
    }
    if yes(3) {
        host = host.annotation("reboot.metal3.io", r#"{"force":true}"#).annotation("inspect.metal3.io", "");
    }
    if yes(4) {
        host = host.no_inspection();
    }
    if yes(9) {
        host.spec.externally_provisioned = true;
    }
    if yes(10) {
        host.spec.raid = serde_json::from_value(serde_json::json!({"hardwareRAIDVolumes": [{"level": "1"}]})).unwrap();
    }
    if yes(5) {
        let kinds =
            [ErrorType::Registration, ErrorType::Provisioning, ErrorType::PowerManagement, ErrorType::Inspection];
        let kind = kinds[answers as usize % kinds.len()].clone();
        host = host.error(kind, "it failed", if yes(0) { 5 } else { 1 });
        if yes(6) {
            host.status_mut().last_updated = Some(Time(now() - 10.seconds()));
        }
    }
    if yes(7) {
        host = host.annotation("baremetalhost.metal3.io/detached", if yes(6) { r#"{"force":true}"# } else { "" });
    }
    let mut v = view(host);
    if !v.state.managed() {
        return v;
    }
    match node_state {
        None if yes(8) => {
            v.node = NodeSeen::Unreachable(Fault::new(Class::Backoff, "IronicUnreachable", "connection refused"));
        }
        None => v.node = NodeSeen::Absent,
        Some(node_state) => {
            v = with_node(v, node_state.clone());
            v = node(v, |node| {
                node.last_error = yes(5).then(|| "Failed to change power state".to_owned());
                node.power_state = if yes(6) { PowerState::Off } else { PowerState::On };
            });
            if yes(8) {
                v.inventory = Some(Inventory::default());
                v.drive = Material::Some(ironic::ConfigDrive::default());
                v.hardware_data = None;
            }
        }
    }
    v
}

fn situations(mut each: impl FnMut(&HostView)) {
    let mut number: u32 = 1;
    for (state, managed) in all_states() {
        let nodes: Vec<Option<&N>> =
            if managed { N::KNOWN.iter().map(Some).chain([None]).collect() } else { vec![None] };
        for node_state in nodes {
            for _ in 0..SAMPLES {
                number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                each(&situation(&state, node_state, number >> (32 - BITS)));
            }
        }
    }
}

fn label(v: &HostView) -> String {
    let annotations: Vec<_> = v.annotations().map(|(key, _)| key).collect();
    format!(
        "{} with node {:?}, error {:?}, {annotations:?}, deleting {}",
        v.state,
        v.node().map(|n| &n.provision_state),
        v.error(),
        v.deleting()
    )
}

#[test]
fn only_listed_ways_are_taken_and_every_one_is() {
    let mut taken = BTreeSet::new();
    situations(|v| {
        if let Step::Go(next, _) = life::step(v) {
            assert!(life::listed(&v.state, &next), "{} -> {next}: {}", v.state, label(v));
            taken.insert((v.state.clone(), next));
        }
    });
    // Not in the walk: a host without an address, and those whose hardware is on record.
    let elsewhere = [(S::None, S::Unmanaged), (S::Inspecting, S::Preparing)];
    for (from, to, why) in life::EDGES {
        let seen = taken.contains(&(from.clone(), to.clone())) || elsewhere.contains(&(from.clone(), to.clone()));
        assert!(seen, "nothing leads from {from} to {to} ({why})");
    }
}

#[test]
fn every_wait_has_words_and_every_note_changes_something() {
    situations(|v| match life::step(v) {
        Step::Stay(pause) => assert!(!pause.why.message.is_empty() && !pause.why.reason.is_empty(), "{}", label(v)),
        Step::Note(facts) => assert!(v.would_change(&facts), "{}: {facts:?}", label(v)),
        Step::Write(writes, _) => assert!(!writes.is_empty(), "{}", label(v)),
        Step::Fail(_, text) => assert!(!text.is_empty(), "{}", label(v)),
        Step::Paused(_) | Step::Rest(_) | Step::Go(..) | Step::Ask(_) | Step::Gone(_) => {}
    });
}

#[test]
fn a_host_in_use_is_never_wiped_unasked_and_never_switched_while_ironic_does_not_run_it() {
    situations(|v| {
        let wanted =
            !v.deleting() && (v.state == S::ExternallyProvisioned || v.state == S::Provisioned && !v.cancelled());
        let Step::Ask(ask) = life::step(v) else { return };
        if !wanted {
            return;
        }
        match &ask.call {
            HostCall::Provision { change, .. } => {
                let harmless =
                    matches!(change.target, ProvisionTarget::Manage | ProvisionTarget::Adopt | ProvisionTarget::Abort);
                let forced = v.detach_request().is_some_and(|request| request.force);
                assert!(harmless || forced, "{}: {}", label(v), change.target);
            }
            HostCall::Clean { .. } | HostCall::Deploy { .. } => panic!("{}: {:?}", label(v), ask.call),
            HostCall::SetPower { .. } => {
                let state = v.node().map(|node| node.provision_state.clone());
                let lost = [N::Enroll, N::Verifying, N::Manageable, N::Adopting, N::AdoptFailed, N::Available];
                assert!(!lost.contains(&state.unwrap()), "{}: {:?}", label(v), ask.call);
            }
            _ => {}
        }
    });
}

#[test]
fn a_deletion_is_never_left_without_a_next_look() {
    situations(|v| {
        if v.deleting() {
            let step = life::step(v);
            assert!(!matches!(step, Step::Rest(_)), "{}", label(v));
        }
    });
}

#[test]
fn deciding_twice_is_deciding_once() {
    situations(|v| {
        let (once, twice) = (life::step(v), life::step(v));
        assert_eq!(once, twice);
        let record = record(v, &once, Outcome::Done(None), now());
        assert!(record.fault.is_none(), "{}", label(v));
    });
}
