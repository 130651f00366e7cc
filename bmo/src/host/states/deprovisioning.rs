//! `deprovisioning`: the image is removed and the disks are cleaned.

use ironic::{Node, ProvisionState as N, ProvisionTarget};
use kit::pass::Why;

use crate::host::errors::{ErrorKind, budget};
use crate::host::facts::Fact;
use crate::host::state::State as S;
use crate::host::step::{Ask, Step};
use crate::host::view::HostView;
use crate::host::{ask, deletion, wish};

const KIND: ErrorKind = ErrorKind::Provisioning;

pub(crate) fn step(view: &HostView) -> Step {
    if deletion::give_up(view, KIND) {
        return Step::Go(S::PoweringOffBeforeDelete, vec![Fact::ResetCount]);
    }
    let Some(node) = view.node() else { return wish::no_node() };
    match &node.provision_state {
        N::Active | N::DeployFailed | N::WaitCallBack | N::ServiceFailed => undeploy(view, node, "started"),
        N::Error => {
            let error = node.last_error.as_deref().unwrap_or("Deprovisioning failed");
            retried(view, error, || undeploy(view, node, "restarted"))
        }
        N::CleanFailed => {
            let error = format!("Cleaning failed: {}", node.last_error.as_deref().unwrap_or("Ironic gives no reason"));
            let ask = ask::to(node, ProvisionTarget::Manage, KIND, why()).then([Fact::ClearError]);
            retried(view, &error, || ask::moving(view, node, ask))
        }
        N::AdoptFailed | N::InspectFailed => move_on(view, node, ProvisionTarget::Manage),
        // Ironic lost the node, or a cleaning was begun by hand: offering it cleans it.
        N::Manageable => move_on(view, node, ProvisionTarget::Provide),
        N::Available => done(view),
        N::Deleting
        | N::Cleaning
        | N::CleanWait
        | N::CleanHold
        | N::Deploying
        | N::DeployHold
        | N::Adopting
        | N::Servicing
        | N::ServiceWait
        | N::ServiceHold => Step::wait(why().seen(ask::seen(node))),
        _ => view.fail(KIND, ask::unexpected(node)),
    }
}

fn why() -> Why {
    Why::new("Deprovisioning", "the image is being removed and the disks are cleaned").normal(budget::DEPROVISION)
}

fn retried(view: &HostView, error: &str, again: impl FnOnce() -> Step) -> Step {
    match view.retry(KIND, error) {
        Err(step) => *step,
        Ok(()) => again(),
    }
}

fn move_on(view: &HostView, node: &Node, target: ProvisionTarget) -> Step {
    ask::go(view, node, target, KIND, why())
}

/// Removes the instance, after the cleaning mode was brought in line: it decides what the removal wipes.
fn undeploy(view: &HostView, node: &Node, word: &str) -> Step {
    let patch = wish::cleaning_patch(view, node);
    if !patch.is_empty() {
        return Ask::new(ask::patch(node, patch), KIND, why()).step();
    }
    let event = Fact::Event("DeprovisioningStarted", format!("Image deprovisioning {word}"));
    let ask = ask::to(node, ProvisionTarget::Deleted, KIND, why()).then([Fact::ClearError, event]);
    ask::moving(view, node, ask)
}

fn done(view: &HostView) -> Step {
    let facts = vec![
        Fact::ImageGone,
        Fact::ForgetSettings,
        Fact::ClearError,
        Fact::ResetCount,
        Fact::Event("DeprovisioningComplete", "Image deprovisioning completed".into()),
    ];
    Step::Go(if view.deleting() { S::PoweringOffBeforeDelete } else { S::Available }, facts)
}
