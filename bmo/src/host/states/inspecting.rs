//! `inspecting`: Ironic looks at the hardware, by its agent on the machine or through the management controller.

use ironic::{Node, ProvisionState as N, ProvisionTarget};
use kit::pass::Why;

use crate::host::errors::{ErrorKind, budget};
use crate::host::facts::Fact;
use crate::host::state::State as S;
use crate::host::step::{Ask, Step};
use crate::host::view::HostView;
use crate::host::{annotations, ask, hardware, power, wish};

const KIND: ErrorKind = ErrorKind::Inspection;

pub(crate) fn step(view: &HostView) -> Step {
    if view.inspection_disabled() {
        let event = Fact::Event("InspectionSkipped", "disabled by user".into());
        return Step::Go(S::Preparing, vec![Fact::ClearError, Fact::ResetCount, event]);
    }
    let Some(node) = view.node() else { return wish::no_node() };
    match &node.provision_state {
        N::Available => ask::go(view, node, ProvisionTarget::Manage, KIND, why(view)),
        N::InspectWait if power::force_reboot(view) => ask::go(
            view,
            node,
            ProvisionTarget::Abort,
            KIND,
            Why::new("InspectionAborted", "a forced reboot was asked for"),
        ),
        N::Inspecting | N::InspectWait => running(view, node),
        N::InspectFailed => failed(view, node),
        N::Manageable => manageable(view, node),
        _ => view.fail(KIND, ask::unexpected(node)),
    }
}

fn why(view: &HostView) -> Why {
    if view.fast_inspection() {
        Why::new("Inspecting", "the hardware is being read through the management controller")
            .normal(budget::FAST_INSPECTION)
    } else {
        Why::new("Inspecting", "the agent is booted on the machine and reads its hardware").normal(budget::INSPECTION)
    }
}

/// The request is taken up: its annotation and that of a reboot, which the boot of the agent has fulfilled, go.
fn running(view: &HostView, node: &Node) -> Step {
    let done = annotations::without(view, &[annotations::INSPECT_REQUEST, annotations::REBOOT_ONCE]);
    match done {
        Some(write) => Step::Write(vec![write], Vec::new()),
        None => Step::wait(why(view).seen(ask::seen(node))),
    }
}

/// An inspection that was aborted (by a reboot or a new ramdisk) is repeated at once, any other failure is shown
/// first.
fn failed(view: &HostView, node: &Node) -> Step {
    let error = node.last_error.as_deref().unwrap_or("Inspection failed");
    if !error.contains("aborted")
        && let Err(step) = view.retry(KIND, error)
    {
        return *step;
    }
    start(view, node)
}

fn manageable(view: &HostView, node: &Node) -> Step {
    let requested = view.inspection_requested();
    match &view.inventory {
        Some(inventory) if !requested || inspected_since_request(view, node) => finish(view, node, inventory),
        Some(_) | None => start(view, node),
    }
}

/// Whether an inspection ended after this state began, so that a request for a new one is fulfilled although nobody
/// saw it run.
fn inspected_since_request(view: &HostView, node: &Node) -> bool {
    let begun = view.seen().and_then(|status| status.operation_history.inspect.start.clone());
    let ended = node.inspection_finished_at.as_deref().and_then(wish::time);
    matches!((begun, ended), (Some(begun), Some(ended)) if ended.as_second() > begun.0.as_second())
}

fn start(view: &HostView, node: &Node) -> Step {
    let patch = wish::inspection_patch(view, node);
    if !patch.is_empty() {
        let why = Why::new("UpdatingNode", "boot mode, architecture or way of inspection are being updated in Ironic");
        return Ask::new(ask::patch(node, patch), KIND, why).step();
    }
    let event = Fact::Event("InspectionStarted", "Hardware inspection started".into());
    let ask = ask::to(node, ProvisionTarget::Inspect, KIND, why(view)).then([Fact::ClearError, event]);
    ask::moving(view, node, ask)
}

fn finish(view: &HostView, _: &Node, inventory: &ironic::Inventory) -> Step {
    let details = wish::details(inventory);
    let mut writes = Vec::new();
    if !view.deleting() {
        writes.extend(hardware::write(view, &details));
    }
    writes.extend(annotations::without(view, &[annotations::INSPECT_REQUEST]));
    if !writes.is_empty() {
        return Step::Write(writes, vec![Fact::Hardware(Box::new(details))]);
    }
    let done = Fact::Event("InspectionComplete", "Hardware inspection completed".into());
    Step::Go(S::Preparing, vec![Fact::Hardware(Box::new(details)), Fact::ClearError, Fact::ResetCount, done])
}
