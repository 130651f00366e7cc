//! Changing firmware of a running host, at a reboot that its user asked for and only where its policy allows it.

use ironic::{Node, PowerState, ProvisionChange, ProvisionState as N, ProvisionTarget};
use kit::pass::Why;

use crate::host::errors::{ErrorKind, budget};
use crate::host::facts::Fact;
use crate::host::step::Step;
use crate::host::view::HostView;
use crate::host::{ask, firmware, power, wish};

const KIND: ErrorKind = ErrorKind::Servicing;

/// Works on the firmware between "off" and "on again"; `None` when there is nothing to do.
pub fn step(view: &HostView) -> Option<Step> {
    let node = view.node()?;
    match &node.provision_state {
        N::ServiceWait if unwanted(view) => Some(ask::go(view, node, ProvisionTarget::Abort, KIND, why())),
        N::Servicing | N::ServiceHold | N::ServiceWait => Some(underway(view, node)),
        N::ServiceFailed => Some(failed(view, node)),
        N::Active => active(view, node),
        _ => None,
    }
}

fn why() -> Why {
    Why::new("Servicing", "firmware of the running host is being changed").normal(budget::CLEANING)
}

/// Whether the user has taken all wishes back, or does not allow them for a running host any more.
fn unwanted(view: &HostView) -> bool {
    !firmware::wished_live(view)
}

fn underway(view: &HostView, node: &Node) -> Step {
    match firmware::taken_up(view, &firmware::started(node.service_step.as_ref())) {
        Some(write) => Step::Write(vec![write], vec![Fact::Servicing]),
        None => Step::wait(why().seen(ask::seen(node))).with([Fact::Servicing]),
    }
}

/// A failure leaves the node in maintenance with a fault, which also keeps an abort out: that is lifted first.
fn failed(view: &HostView, node: &Node) -> Step {
    if let Some(step) = ask::blocked(view, node, KIND) {
        return step;
    }
    if unwanted(view) {
        return ask::go(view, node, ProvisionTarget::Abort, KIND, why());
    }
    let error = node.last_error.as_deref().unwrap_or("Servicing failed; Ironic gives no reason");
    if let Some(write) = firmware::forgotten_live(view, error) {
        return Step::Write(vec![write], Vec::new());
    }
    if firmware::pending_live(view).is_empty() {
        return ask::go(view, node, ProvisionTarget::Abort, KIND, why());
    }
    match view.retry(KIND, error) {
        Err(step) => *step,
        Ok(()) => begin(view, node),
    }
}

fn active(view: &HostView, node: &Node) -> Option<Step> {
    let asked = view.is_servicing() || view.has_error(KIND);
    let waking = node.power_state == PowerState::Off && view.spec().online && !power::Reboot::asked(view).off();
    if !asked && !waking {
        return None;
    }
    if firmware::pending_live(view).is_empty() {
        return asked.then(|| view.note(vec![Fact::ClearError, Fact::ResetCount])).flatten();
    }
    if let Some(step) = firmware::behind(view).or_else(|| firmware::unread(view, node)) {
        return Some(step);
    }
    // The first pass only says so: whatever builds ramdisks must know before one is booted.
    if !view.is_servicing() && !view.has_error(KIND) {
        return Some(Step::Note(vec![Fact::Servicing]));
    }
    Some(begin(view, node))
}

fn begin(view: &HostView, node: &Node) -> Step {
    let pending = firmware::pending_live(view);
    let ask = ask::change(node, ProvisionChange::service(wish::firmware_steps(&pending)), KIND, why());
    let ask = ask.and_write(firmware::taken_up(view, &pending.updates));
    ask::moving(view, node, ask.then([Fact::ClearError, Fact::Servicing]))
}
