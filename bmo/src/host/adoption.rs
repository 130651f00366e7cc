//! Taking over a machine that runs already: after Ironic lost it, or because somebody else installed it.
//!
//! Nothing here switches or boots the machine: Ironic only learns that the node is in use.

use ironic::{Node, ProvisionState as N, ProvisionTarget};
use kit::pass::Why;

use crate::calls::HostCall;
use crate::host::errors::{ErrorKind, budget};
use crate::host::facts::Fact;
use crate::host::state::State as S;
use crate::host::step::{Ask, Step};
use crate::host::view::HostView;
use crate::host::{ask, wish};

const KIND: ErrorKind = ErrorKind::ProvisionedRegistration;

/// Brings the node to `active`; `None` when it is there (or being serviced, which starts and ends there).
pub fn step(view: &HostView) -> Option<Step> {
    let Some(node) = view.node() else { return Some(wish::no_node()) };
    match &node.provision_state {
        N::Manageable => Some(adopt(view, node, None)),
        // A machine that Ironic had offered, and that somebody else has installed since.
        N::Available if view.state == S::ExternallyProvisioned => {
            Some(ask::go(view, node, ProvisionTarget::Manage, KIND, why()))
        }
        N::AdoptFailed => Some(again(view, node)),
        N::Adopting => Some(Step::wait(why().seen(ask::seen(node)))),
        N::Enroll | N::Verifying => Some(view.fail(KIND, ask::unexpected(node))),
        // A maintenance that Ironic did not set itself was set by hand, and would stop power management.
        N::Active if node.maintenance && node.fault.is_none() && !view.deleting() => {
            let why = Why::new("LeavingMaintenance", "the node is in maintenance, which is being lifted");
            Some(Ask::new(HostCall::ClearMaintenance { node: node.uuid.clone() }, KIND, why).step())
        }
        N::Active => finish(view),
        // Offered or cleaned while its image runs: only a person knows which of the two is right.
        N::Available => Some(view.fail(
            KIND,
            "Ironic offers the machine for deployment although it is in use; set the node to manageable in Ironic",
        )),
        _ => None,
    }
}

fn why() -> Why {
    Why::new("Adopting", "the running machine is being taken over by Ironic, without touching it")
        .normal(budget::ADOPTION)
}

/// Ironic checks what it takes over, so it must know the image first.
fn adopt(view: &HostView, node: &Node, done: Option<Fact>) -> Step {
    let patch = wish::adoption_patch(view, node);
    if !patch.is_empty() {
        return Ask::new(ask::patch(node, patch), KIND, why()).step();
    }
    ask::moving(view, node, ask::to(node, ProvisionTarget::Adopt, KIND, why()).then(done))
}

fn again(view: &HostView, node: &Node) -> Step {
    let error = node.last_error.as_deref().unwrap_or("Ironic gives no reason");
    match view.retry(KIND, format!("Host adoption failed: {error}")) {
        Err(step) => *step,
        Ok(()) => adopt(view, node, Some(Fact::ClearError)),
    }
}

fn finish(view: &HostView) -> Option<Step> {
    view.has_error(KIND).then(|| view.note(vec![Fact::ClearError, Fact::ResetCount])).flatten()
}
