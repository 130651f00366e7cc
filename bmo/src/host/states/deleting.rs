//! `deleting`: the node is removed from Ironic, then everything that held the host lets it go.

use std::time::Duration;

use ironic::{Node, Patch, ProvisionState as N};
use kit::pass::Why;

use crate::host::errors::{ErrorKind, budget};
use crate::host::step::{Ask, Step};
use crate::host::view::{HostView, NodeSeen};
use crate::host::{ask, release};

pub(crate) fn step(view: &HostView) -> Step {
    match &view.node {
        NodeSeen::Found(node) => remove(view, node).unwrap_or_else(|step| *step),
        NodeSeen::Absent => Step::Gone(release::writes(view)),
        NodeSeen::Unreachable(_) if view.never_in_ironic() => Step::Gone(release::writes(view)),
        NodeSeen::NotAsked | NodeSeen::Unreachable(_) => Step::wait(
            Why::new("IronicUnreachable", "the node must be removed from Ironic first").normal(budget::IRONIC),
        ),
    }
}

/// The same for a release on the user's wish: the machine is not touched. `force` also ends what runs.
pub(crate) fn remove(view: &HostView, node: &Node) -> Result<Step, Box<Step>> {
    remove_node(view, node, ErrorKind::Registration, view.detach_request().is_some_and(|request| request.force))
}

pub(crate) fn remove_node(view: &HostView, node: &Node, kind: ErrorKind, force: bool) -> Result<Step, Box<Step>> {
    let why = || Why::new("RemovingNode", "the node is being removed from Ironic").normal(budget::REGISTRATION);
    let waiting = |text: &str| Box::new(Step::wait(why().seen(format!("{}; {text}", ask::seen(node)))));
    match &node.provision_state {
        N::Verifying => return Err(waiting("Ironic must give up checking access first")),
        N::Deploying | N::Cleaning | N::Inspecting | N::Servicing | N::Deleting | N::Adopting => {
            return Err(waiting("a conductor works on the node"));
        }
        N::WaitCallBack | N::InspectWait | N::CleanWait | N::ServiceWait => {
            if !force {
                return Err(waiting("an operation runs on the machine"));
            }
            return Ok(abort(view, node, kind, why()));
        }
        N::Available | N::Manageable if node.instance_uuid.is_some() => {
            let patch = Patch::new().remove(&["instance_uuid"]);
            return Ok(Ask::new(ask::patch(node, patch), kind, why()).step());
        }
        N::Enroll | N::Available | N::Manageable => {}
        _ if !node.maintenance => return Ok(Ask::new(ask::maintenance(node), kind, why()).step()),
        _ => {}
    }
    Ok(Ask::new(ask::delete(node), kind, why()).step())
}

fn abort(view: &HostView, node: &Node, kind: ErrorKind, why: Why) -> Step {
    use ironic::{Feature, ProvisionTarget as T};
    let can = view.versions.is_some_and(|versions| versions.has(Feature::AbortDeploy));
    let target = if node.provision_state == N::WaitCallBack && !can { T::Deleted } else { T::Abort };
    match ask::go(view, node, target, kind, why) {
        Step::Stay(pause) => Step::wait_for(Duration::from_secs(3), pause.why),
        step => step,
    }
}
