//! The life of a host: which states follow which and why, the guards in front of every state, and the dispatch.
//!
//! Read this file first, then `states/` in the order of [`dispatch`].

use crate::host::state::State as S;
use crate::host::step::Step;
use crate::host::view::HostView;
use crate::host::{capacity, credentials, deletion, detach, housekeeping, registration, states};

/// Every way from one state to another, with its reason. A step that is not listed is a bug: the tests hold
/// every situation that they can make to this list.
pub const EDGES: &[(S, S, &str)] = &[
    (S::None, S::Unmanaged, "there is no management controller in the spec"),
    (S::None, S::Registering, "there is a management controller in the spec"),
    (S::Unmanaged, S::Registering, "a management controller was added to the spec"),
    (S::Registering, S::ExternallyProvisioned, "registered; the machine already runs something"),
    (S::Registering, S::Inspecting, "registered; its hardware is unknown"),
    (S::Registering, S::Preparing, "registered; inspection is disabled"),
    (S::Inspecting, S::Preparing, "the hardware is known, or inspection was disabled"),
    (S::MatchProfile, S::Preparing, "a state of old releases without work"),
    (S::Preparing, S::Available, "firmware and RAID are as wished"),
    (S::Ready, S::Available, "the old name of the same state"),
    (S::Available, S::ExternallyProvisioned, "somebody else installed the machine"),
    (S::Available, S::Inspecting, "a new inspection was requested"),
    (S::Available, S::Preparing, "firmware, RAID or root disk settings changed"),
    (S::Available, S::Provisioning, "there is an image to write and the host shall be online"),
    (S::Provisioning, S::Provisioned, "the image runs"),
    (S::Provisioning, S::Deprovisioning, "writing failed, or another image or none is wished"),
    (S::Provisioned, S::Deprovisioning, "another image or none is wished"),
    (S::ExternallyProvisioned, S::Provisioned, "the host is ours now"),
    (S::Deprovisioning, S::Available, "the image is gone and the disks are clean"),
    // Deletion.
    (S::None, S::Deleting, "deleted before it was managed"),
    (S::Unmanaged, S::Deleting, "deleted while unmanaged"),
    (S::Registering, S::Deleting, "deleted before it was registered"),
    (S::Inspecting, S::PoweringOffBeforeDelete, "deleted during inspection"),
    (S::MatchProfile, S::PoweringOffBeforeDelete, "deleted between inspection and preparation"),
    (S::Preparing, S::PoweringOffBeforeDelete, "deleted during preparation"),
    (S::Available, S::PoweringOffBeforeDelete, "deleted while free"),
    (S::Ready, S::PoweringOffBeforeDelete, "deleted while free"),
    (S::ExternallyProvisioned, S::PoweringOffBeforeDelete, "deleted; the installed system is not ours to remove"),
    (S::Provisioning, S::Deprovisioning, "deleted while its image was written"),
    (S::Provisioned, S::Deprovisioning, "deleted while in use"),
    (S::Deprovisioning, S::PoweringOffBeforeDelete, "deleted and clean, or cleaning was given up"),
    (S::Deprovisioning, S::Deleting, "the management controller does not answer any more"),
    (S::PoweringOffBeforeDelete, S::Deleting, "the machine is off, or switching it off was given up"),
    // Deletion of a detached host: Ironic does not know it any more.
    (S::Inspecting, S::Deleting, "deleted while detached"),
    (S::MatchProfile, S::Deleting, "deleted while detached"),
    (S::Preparing, S::Deleting, "deleted while detached"),
    (S::Ready, S::Deleting, "deleted while detached"),
    (S::Available, S::Deleting, "deleted while detached"),
    (S::Provisioning, S::Deleting, "deleted while detached"),
    (S::Provisioned, S::Deleting, "deleted while detached"),
    (S::ExternallyProvisioned, S::Deleting, "deleted while detached"),
];

/// Whether one state may follow another.
pub fn listed(from: &S, to: &S) -> bool {
    EDGES.iter().any(|(a, b, _)| a == from && b == to)
}

/// What a guard says: a step that ends the pass, or nothing.
pub type Guard = fn(&HostView) -> Option<Step>;

/// The guards, in the order in which they are asked; the first answer wins.
pub const GUARDS: &[(&str, Guard)] = &[
    ("paused", housekeeping::paused),
    ("restored", housekeeping::restored),
    ("tidy", housekeeping::tidy),
    ("known state", known),
    ("detached deletion", deletion::detached),
    ("unread", housekeeping::unread),
    ("credentials", credentials::guard),
    ("Ironic", registration::reachable),
    ("capacity", capacity::guard),
    ("deletion", deletion::guard),
    ("detached", detach::guard),
    ("registration", registration::guard),
];

/// The step of one pass.
pub fn step(view: &HostView) -> Step {
    let found = GUARDS.iter().find_map(|(_, guard)| guard(view)).unwrap_or_else(|| dispatch(view));
    capacity::gate(view, patient(view, found))
}

/// What Ironic refused is not asked again before its back-off is over. Ending what runs is never refused for long.
fn patient(view: &HostView, step: Step) -> Step {
    match &step {
        Step::Ask(ask) if !ask.call.ends_work() => view.refused(ask.kind).unwrap_or(step),
        _ => step,
    }
}

/// The work of the state that the host is in.
fn dispatch(view: &HostView) -> Step {
    match &view.state {
        S::None | S::Unmanaged => states::unmanaged::step(view),
        S::Registering => states::registering::step(view),
        S::Inspecting => states::inspecting::step(view),
        S::MatchProfile => Step::Go(S::Preparing, Vec::new()),
        S::Preparing => states::preparing::step(view),
        S::Ready => Step::Go(S::Available, Vec::new()),
        S::Available => states::available::step(view),
        S::Provisioning => states::provisioning::step(view),
        S::Provisioned => states::provisioned::step(view),
        S::ExternallyProvisioned => states::externally_provisioned::step(view),
        S::Deprovisioning => states::deprovisioning::step(view),
        S::PoweringOffBeforeDelete => states::powering_off_before_delete::step(view),
        S::Deleting => states::deleting::step(view),
        S::Other(word) => unknown(word),
    }
}

/// A state that this release does not know is shown and left alone: a newer release may have written it.
fn known(view: &HostView) -> Option<Step> {
    if let S::Other(word) = &view.state { Some(unknown(word)) } else { None }
}

fn unknown(word: &str) -> Step {
    states::unknown(word)
}
