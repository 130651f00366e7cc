//! `powering off before delete`: the machine is switched off, which is tried but never insisted on.

use ironic::{Node, PowerState, PowerTarget, ProvisionState as N, ProvisionTarget};
use kit::pass::Why;

use crate::host::errors::{ErrorKind, budget};
use crate::host::facts::Fact;
use crate::host::state::State as S;
use crate::host::step::{Ask, Step};
use crate::host::view::HostView;
use crate::host::{ask, deletion, power};

const KIND: ErrorKind = ErrorKind::PowerManagement;

pub(crate) fn step(view: &HostView) -> Step {
    let Some(node) = view.node() else { return gone() };
    if view.spec().disable_power_off || deletion::give_up(view, KIND) {
        return gone();
    }
    if node.power_state == PowerState::Off {
        return Step::Go(S::Deleting, vec![Fact::Powered(false), Fact::ClearError, Fact::ResetCount]);
    }
    settle(view, node).unwrap_or_else(|| switch_off(view, node))
}

fn gone() -> Step {
    Step::Go(S::Deleting, vec![Fact::ClearError, Fact::ResetCount])
}

fn why() -> Why {
    Why::new("PoweringOff", "the machine is being switched off before it is removed").normal(budget::POWER)
}

/// Ironic refuses power changes while it works on the node: what waits is aborted, what failed is left.
fn settle(view: &HostView, node: &Node) -> Option<Step> {
    let manual = node.target_provision_state == Some(N::Manageable);
    match &node.provision_state {
        N::InspectWait => Some(ask::go(view, node, ProvisionTarget::Abort, KIND, why())),
        N::CleanWait if manual || view.cleaning_disabled() => {
            Some(ask::go(view, node, ProvisionTarget::Abort, KIND, why()))
        }
        N::Inspecting | N::Cleaning | N::CleanWait | N::Verifying | N::Deleting | N::Deploying | N::WaitCallBack => {
            Some(Step::wait(why().seen(ask::seen(node))))
        }
        // A failure keeps its target, and with it Ironic's refusal to switch; back in `manageable` it is gone.
        N::InspectFailed | N::CleanFailed | N::AdoptFailed if node.target_provision_state.is_some() => {
            Some(ask::go(view, node, ProvisionTarget::Manage, KIND, why()))
        }
        _ => None,
    }
}

fn switch_off(view: &HostView, node: &Node) -> Step {
    if node.target_power_state.is_some() {
        return Step::wait(why().seen(ask::seen_power(node)));
    }
    if let Some(error) = power::failure(node)
        && let Err(step) = view.retry(KIND, format!("PowerOff operation failed: {error}"))
    {
        return *step;
    }
    if let Some(step) = ask::blocked(view, node, KIND) {
        return step;
    }
    Ask::new(ask::power(node, PowerTarget::Off), KIND, why()).then([Fact::ClearError]).step()
}
