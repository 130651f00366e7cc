//! Detaching: Ironic forgets the host, and nobody touches the machine.

use kit::pass::Why;

use crate::host::errors::{ErrorKind, budget};
use crate::host::facts::Fact;
use crate::host::state::State as S;
use crate::host::states::deleting;
use crate::host::step::{Pause, SLOW, Step};
use crate::host::view::{HostView, NodeSeen};

/// Releases the host while the annotation is there, and takes it back when it is gone.
pub fn guard(view: &HostView) -> Option<Step> {
    let Some(request) = view.detach_request() else {
        let facts = match (view.is_detached(), view.has_error(ErrorKind::Detach)) {
            (true, _) => vec![Fact::Attached],
            (false, true) => vec![Fact::ClearError, Fact::ResetCount],
            (false, false) => return None,
        };
        return view.note(facts);
    };
    possible(view, request.force).then(|| release(view, request.force))
}

/// Whether a host of this state is released, by `force` also in the middle of an operation.
pub fn possible(view: &HostView, force: bool) -> bool {
    let stable = matches!(view.state, S::Provisioned | S::ExternallyProvisioned | S::Ready | S::Available);
    let known = !matches!(view.state, S::None | S::Unmanaged | S::Deleting | S::Other(_));
    known && (stable || force)
}

fn release(view: &HostView, force: bool) -> Step {
    match &view.node {
        NodeSeen::Found(node) => {
            deleting::remove_node(view, node, ErrorKind::Detach, force).unwrap_or_else(|step| *step)
        }
        NodeSeen::Absent => {
            let text =
                "the host is detached; remove the annotation baremetalhost.metal3.io/detached to manage it again";
            let mut facts = vec![Fact::Detached];
            if view.has_error(ErrorKind::Detach) {
                facts.insert(0, Fact::ClearError);
            }
            Step::Stay(Pause { after: Some(SLOW), why: Why::new("Detached", text), facts })
        }
        NodeSeen::NotAsked | NodeSeen::Unreachable(_) => {
            let text = "the node must be removed from Ironic to detach the host";
            Step::wait(Why::new("IronicUnreachable", text).normal(budget::IRONIC))
        }
    }
}
