//! Power of a host at rest: `spec.online`, and the annotations that ask for a reboot or for staying off.

use api::names::annotation;
use ironic::{Node, PowerState, PowerTarget};
use kit::pass::Why;
use serde_json::Value;

use crate::host::errors::{ErrorKind, budget};
use crate::host::facts::Fact;
use crate::host::state::Traits as _;
use crate::host::step::{Ask, Step};
use crate::host::view::HostView;
use crate::host::{annotations, ask, wish};

const KIND: ErrorKind = ErrorKind::PowerManagement;

/// What the reboot annotations ask for together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reboot {
    /// The one-shot annotation is there.
    pub once: bool,
    /// Somebody keeps the machine off until he takes his annotation away.
    pub kept: bool,
    /// Not by way of the operating system.
    pub hard: bool,
    /// Also outside of regular use: during inspection, deployment, or while free.
    pub force: bool,
    /// A value that could not be read; it counts as a soft request.
    pub unreadable: bool,
}

impl Reboot {
    /// Reads the annotations.
    pub fn asked(view: &HostView) -> Self {
        let mut all = Self::default();
        for (key, text) in view.annotations() {
            let kept = key.strip_prefix(annotation::REBOOT_PREFIX).is_some();
            if !kept && key != annotation::REBOOT {
                continue;
            }
            let value: Option<Value> =
                if text.is_empty() { Some(Value::Null) } else { serde_json::from_str(text).ok() };
            all.unreadable |= value.is_none();
            let value = value.unwrap_or_default();
            let force = value["force"] == true;
            if view.state.free() && !force {
                continue;
            }
            all.kept |= kept;
            all.once |= !kept;
            all.hard |= value["mode"] == "hard";
            all.force |= force;
        }
        all
    }

    /// Whether the machine shall be off for it.
    pub fn off(self) -> bool {
        self.once || self.kept
    }
}

/// Whether a reboot is to end even a running operation.
pub fn force_reboot(view: &HostView) -> bool {
    Reboot::asked(view).force
}

/// Brings the power to the wish.
pub fn step(view: &HostView) -> Step {
    let Some(node) = view.node() else { return wish::no_node() };
    let status = view.status();
    let on = match node.power_state {
        PowerState::On => true,
        PowerState::Off => false,
        PowerState::Unknown => return unknown(node),
    };
    if on != status.powered_on {
        let over = view.has_error(KIND).then_some(Fact::ClearError);
        return Step::Note([Fact::Powered(on)].into_iter().chain(over).collect());
    }
    let reboot = Reboot::asked(view);
    if !on
        && reboot.once
        && let Some(write) = annotations::without(view, &[annotations::REBOOT_ONCE])
    {
        return Step::Write(vec![write], Vec::new());
    }
    let wanted = view.spec().online && !reboot.off();
    match (wanted, on) {
        (true, true) | (false, false) => rest(view, node),
        (true, false) => switch_on(view, node),
        (false, true) if view.spec().disable_power_off => reboot_once(view, node, reboot),
        (false, true) => switch_off(view, node, reboot),
    }
}

/// All as wished. A request of Ironic's own may still be under way; the poller tells when it ends.
fn rest(view: &HostView, node: &Node) -> Step {
    // The error of a servicing stays until a servicing succeeds.
    let facts = if view.has_error(ErrorKind::Servicing) || view.is_servicing() {
        Vec::new()
    } else {
        vec![Fact::ClearError, Fact::ResetCount]
    };
    if node.target_power_state.is_some() {
        return Step::wait(why("a power change is under way").seen(ask::seen_power(node))).with(facts);
    }
    Step::Rest(facts)
}

fn why(text: &str) -> Why {
    Why::new("ChangingPower", text).normal(budget::POWER)
}

fn unknown(node: &Node) -> Step {
    let text = "Ironic does not know whether the machine is on; check that its management controller answers";
    Step::wait(ask::with_error(Why::new("PowerUnknown", text).normal(budget::POWER), node))
}

/// Waits while Ironic is at work on the node, and shows the failure of an earlier try before the next.
fn hindrance(view: &HostView, node: &Node, what: &str) -> Option<Step> {
    if node.target_power_state.is_some() || node.target_provision_state.is_some() {
        let seen = format!("{}; {}", ask::seen(node), ask::seen_power(node));
        return Some(Step::wait(why("Ironic is at work on the machine").seen(seen)));
    }
    let error = failure(node)?;
    let soft = what == "PowerOff" && view.error_count() == 0 && !Reboot::asked(view).hard;
    let prefix = if soft { "Continuing with hard poweroff after soft poweroff fails. More details: " } else { "" };
    view.retry(KIND, format!("{prefix}{what} operation failed: {error}")).err().map(|step| *step)
}

/// The failure of the last power request. Ironic keeps the text of other failures in the same place; those say nothing
/// about power.
pub fn failure(node: &Node) -> Option<&str> {
    node.last_error.as_deref().filter(|error| error.to_ascii_lowercase().contains("power state"))
}

fn switch_on(view: &HostView, node: &Node) -> Step {
    if let Some(step) = hindrance(view, node, "PowerOn").or_else(|| ask::blocked(view, node, KIND)) {
        return step;
    }
    Ask::new(ask::power(node, PowerTarget::On), KIND, why("the machine is being switched on"))
        .then([Fact::ClearError, Fact::Event("PowerOn", "Host powered on".into())])
        .step()
}

/// Softly first, hard after a failure or when asked for.
fn switch_off(view: &HostView, node: &Node, reboot: Reboot) -> Step {
    if let Some(step) = hindrance(view, node, "PowerOff").or_else(|| ask::blocked(view, node, KIND)) {
        return step;
    }
    let hard = reboot.hard || view.error_count() > 0 || view.has_error(KIND);
    let (target, text) =
        if hard { (PowerTarget::Off, "Host powered off") } else { (PowerTarget::SoftOff, "Host soft powered off") };
    Ask::new(ask::power(node, target), KIND, why("the machine is being switched off"))
        .then([Fact::ClearError, Fact::Event("PowerOff", text.into())])
        .step()
}

/// A machine that may never be off is rebooted once for a one-shot request. Somebody who wants it kept off cannot
/// have that, so his annotation does nothing.
fn reboot_once(view: &HostView, node: &Node, reboot: Reboot) -> Step {
    if !reboot.once {
        return rest(view, node);
    }
    // Accepted, and not on record as such: the manager was stopped between the two.
    if node.target_power_state.as_deref().is_some_and(|aim| aim.contains("rebooting"))
        && let Some(write) = annotations::without(view, &[annotations::REBOOT_ONCE])
    {
        return Step::Write(vec![write], Vec::new());
    }
    if let Some(step) = hindrance(view, node, "Reboot").or_else(|| ask::blocked(view, node, KIND)) {
        return step;
    }
    let target = if reboot.hard { PowerTarget::Reboot } else { PowerTarget::SoftReboot };
    Ask::new(ask::power(node, target), KIND, why("the machine is being rebooted"))
        .and_write(annotations::without(view, &[annotations::REBOOT_ONCE]))
        .then([Fact::Event("PowerOff", "Host rebooted".into())])
        .step()
}
