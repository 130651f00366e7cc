//! How many hosts Ironic may work on at a time: hosts above the limit are delayed, not failed.

use kit::pass::Why;

use crate::host::errors::back_off;
use crate::host::facts::Fact;
use crate::host::state::Traits as _;
use crate::host::step::{Pause, Step};
use crate::host::view::HostView;

/// A delayed host looks again after this failure count's back-off: one to two minutes, spread over hosts.
const DELAY: i64 = 1;

/// Holds a host in a busy state back while Ironic has enough to do, and lets a delayed one go when there is room.
pub fn guard(view: &HostView) -> Option<Step> {
    if view.is_delayed() && may_go(view) {
        // An error that was on record stays there, with its back-off.
        return Some(Step::Note(vec![Fact::Attached]));
    }
    ((view.is_delayed() || view.state.busy()) && !may_go(view)).then(|| delayed(view))
}

/// A host that shall go is held back by nobody else's work.
fn may_go(view: &HostView) -> bool {
    view.deleting() || view.has_capacity()
}

/// Refuses to enter a busy state without room.
pub fn gate(view: &HostView, step: Step) -> Step {
    match step {
        Step::Go(next, _) if next.busy() && !may_go(view) => delayed(view),
        other => other,
    }
}

fn delayed(view: &HostView) -> Step {
    Step::Stay(Pause {
        after: Some(back_off(DELAY, view.uid())),
        why: Why::new(
            "WaitingForCapacity",
            format!(
                "Ironic already works on as many hosts as it may ({}, PROVISIONING_LIMIT); this host goes on when one is done",
                view.capacity.limit
            ),
        ),
        facts: vec![Fact::Delayed],
    })
}
