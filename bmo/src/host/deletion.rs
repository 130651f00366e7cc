//! What a deletion timestamp does in each state. Deletion always ends: no step of it waits without a bound.

use std::time::Duration;

use kit::pass::Why;

use crate::host::detach;
use crate::host::errors::{ErrorKind, GIVE_UP_DELETION_AFTER};
use crate::host::facts::Fact;
use crate::host::state::State as S;
use crate::host::step::Step;
use crate::host::view::{Detached, HostView};

/// Deletion of a host that Ironic does not know (any more): nothing is switched off or cleaned.
pub fn detached(view: &HostView) -> Option<Step> {
    if !view.deleting() || view.state == S::Deleting {
        return None;
    }
    match view.detach_request()? {
        // The host is released all the same; only its object stays.
        Detached { delay: true, force } if !view.is_detached() && detach::possible(view, force) => None,
        Detached { delay: true, .. } => Some(wait("the detached annotation asks to delay the deletion")),
        Detached { .. } => Some(Step::Go(S::Deleting, afresh())),
    }
}

/// Each step of a deletion has failures of its own: those of the host's earlier life say nothing about it.
fn afresh() -> Vec<Fact> {
    vec![Fact::ClearError, Fact::ResetCount]
}

/// Whether the failures on record are older than the wish to delete. A record's time is that of its last failure.
fn failed_before(view: &HostView) -> bool {
    let asked = view.host.metadata.deletion_timestamp.as_ref().map(|asked| asked.0);
    let failed = view.seen().filter(|status| status.error_count > 0).and_then(|status| status.last_updated.as_ref());
    failed.zip(asked).is_some_and(|(failed, asked)| failed.0 < asked)
}

fn wait(text: &str) -> Step {
    let remedy = "remove the annotation baremetalhost.metal3.io/detached, or its deleteAction, to go on";
    Step::wait_for(Duration::from_mins(1), Why::new("DeletionDelayed", format!("{text}; {remedy}")))
}

/// The way out from each state.
pub fn guard(view: &HostView) -> Option<Step> {
    if !view.deleting() || view.detach_request().is_some_and(|request| request.delay) {
        return None;
    }
    match &view.state {
        S::None | S::Unmanaged | S::Registering => Some(Step::Go(S::Deleting, afresh())),
        S::Provisioning | S::Provisioned => Some(Step::Go(S::Deprovisioning, afresh())),
        S::Deprovisioning if failed_before(view) => view.note(afresh()),
        S::Deprovisioning | S::PoweringOffBeforeDelete => unreachable_controller(view),
        S::Deleting | S::Other(_) => None,
        S::Inspecting | S::MatchProfile | S::Preparing | S::Ready | S::Available | S::ExternallyProvisioned => {
            Some(Step::Go(S::PoweringOffBeforeDelete, afresh()))
        }
    }
}

/// A management controller that stays dead, or whose Secret is gone while Ironic has lost the node, cannot clean or
/// switch off anything: after a few tries the node is removed without it.
fn unreachable_controller(view: &HostView) -> Option<Step> {
    let dead = view.error() == Some(ErrorKind::Registration) && view.error_count() > GIVE_UP_DELETION_AFTER;
    let lost = view.node().is_none() && view.ironic_answers() && !view.has_credentials();
    (dead || lost).then(|| Step::Go(S::Deleting, afresh()))
}

/// Whether a step of a deletion, whose failures are of this kind, has failed often enough to be skipped.
pub fn give_up(view: &HostView, kind: ErrorKind) -> bool {
    view.deleting() && view.has_error(kind) && view.error_count() > GIVE_UP_DELETION_AFTER
}
