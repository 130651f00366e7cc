//! `preparing`: RAID and firmware are brought to the wished settings by manual cleaning.

use ironic::{Node, ProvisionState as N, ProvisionTarget};
use kit::pass::Why;

use crate::calls::HostCall;
use crate::host::errors::{ErrorKind, budget};
use crate::host::facts::Fact;
use crate::host::firmware;
use crate::host::settings::Settings;
use crate::host::state::State as S;
use crate::host::step::{Ask, Step};
use crate::host::view::HostView;
use crate::host::{ask, wish};

const KIND: ErrorKind = ErrorKind::Preparation;

pub(crate) fn step(view: &HostView) -> Step {
    let Some(node) = view.node() else { return wish::no_node() };
    match &node.provision_state {
        N::Available | N::Manageable => ready(view, node),
        N::CleanFailed => failed(view, node),
        N::Cleaning | N::CleanWait | N::CleanHold => underway(view, node),
        // Inspection was switched off while it ran, or after it had failed.
        N::InspectFailed => ask::go(view, node, ProvisionTarget::Manage, KIND, why()),
        N::InspectWait => ask::go(view, node, ProvisionTarget::Abort, KIND, why()),
        N::Inspecting => Step::wait(why().seen(ask::seen(node))),
        _ => view.fail(KIND, ask::unexpected(node)),
    }
}

fn why() -> Why {
    Why::new("Preparing", "RAID and firmware settings are being applied").normal(budget::CLEANING)
}

fn underway(view: &HostView, node: &Node) -> Step {
    match firmware::taken_up(view, &firmware::started(node.clean_step.as_ref())) {
        Some(write) => Step::Write(vec![write], Vec::new()),
        None => Step::wait(why().seen(ask::seen(node))),
    }
}

/// What was begun is not trusted any more, so the next try applies everything again.
fn failed(view: &HostView, node: &Node) -> Step {
    let error = node.last_error.as_deref().unwrap_or("Cleaning failed; Ironic gives no reason");
    match view.retry(KIND, error) {
        Err(step) => *step,
        Ok(()) => match (view.note(vec![Fact::ForgetSettings]), firmware::forgotten(view, error)) {
            (Some(step), _) => step,
            (None, Some(write)) => Step::Write(vec![write], Vec::new()),
            (None, None) => ask::go(view, node, ProvisionTarget::Manage, KIND, why()),
        },
    }
}

fn ready(view: &HostView, node: &Node) -> Step {
    let wished = Settings::wished(view);
    let work = match wish::preparation(view, node) {
        Ok(work) => work,
        Err(text) => return view.fail(KIND, text),
    };
    if let Some(step) = firmware::behind(view).or_else(|| firmware::unread(view, node)) {
        return step;
    }
    if work.steps.is_empty() {
        let done = vec![Fact::Applied(wished), Fact::ClearError, Fact::ResetCount];
        return Step::Go(S::Available, done);
    }
    if node.provision_state == N::Available {
        return ask::go(view, node, ProvisionTarget::Manage, KIND, why());
    }
    if !work.patch.is_empty() {
        return Ask::new(ask::patch(node, work.patch), KIND, why()).step();
    }
    let (node_id, seen) = (node.uuid.clone(), node.provision_state.clone());
    let call = HostCall::Clean { node: node_id, seen, raid: work.raid, steps: work.steps };
    let ask = Ask::new(call, KIND, why().seen(ask::seen(node))).then([Fact::Applied(wished), Fact::ClearError]);
    ask::moving(view, node, ask.and_write(firmware::taken_up(view, &firmware::pending(view).updates)))
}
