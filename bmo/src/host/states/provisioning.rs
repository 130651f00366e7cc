//! `provisioning`: the image is written, or the custom deployment runs.

use ironic::{Node, ProvisionState as N, ProvisionTarget, redact};
use kit::pass::Why;

use crate::calls::HostCall;
use crate::host::errors::{ErrorKind, budget};
use crate::host::facts::Fact;
use crate::host::state::State as S;
use crate::host::step::{Ask, RECHECK, Step};
use crate::host::view::HostView;
use crate::host::{annotations, ask, power, wish};
use crate::node::register::Deployment;

const KIND: ErrorKind = ErrorKind::Provisioning;

pub(crate) fn step(view: &HostView) -> Step {
    if view.has_error(KIND) {
        // Another wish ends the wait at once: it may be the remedy.
        return match view.back_off_left() {
            Some(_) if !view.cancelled() => view.fail(KIND, view.status().error_message),
            Some(_) | None => Step::Go(S::Deprovisioning, vec![Fact::ImageFailed]),
        };
    }
    if view.cancelled() {
        return Step::Go(S::Deprovisioning, Vec::new());
    }
    let Some(node) = view.node() else { return wish::no_node() };
    match &node.provision_state {
        N::Manageable => ask::go(view, node, ProvisionTarget::Provide, KIND, cleaning()),
        // Cleaning before a deployment is repeated with the same patience as any other failure.
        N::CleanFailed => clean_failed(view, node),
        N::Available => deploy(view, node),
        N::DeployFailed => deploy_failed(view, node),
        N::WaitCallBack if power::force_reboot(view) => {
            let why = Why::new("DeploymentAborted", "a forced reboot was asked for");
            ask::go(view, node, ProvisionTarget::Deleted, KIND, why)
        }
        N::Active => done(view, node),
        N::Cleaning | N::CleanWait | N::CleanHold => Step::wait(cleaning().seen(ask::seen(node))),
        _ => underway(view, node),
    }
}

fn cleaning() -> Why {
    Why::new("CleaningBeforeDeployment", "the disks are cleaned before the image is written").normal(budget::CLEANING)
}

fn deploying() -> Why {
    Why::new("Deploying", "the image is being written to the machine").normal(budget::DEPLOY)
}

fn underway(view: &HostView, node: &Node) -> Step {
    match annotations::without(view, &[annotations::REBOOT_ONCE]) {
        Some(write) => Step::Write(vec![write], Vec::new()),
        None => Step::wait(deploying().seen(ask::seen(node))),
    }
}

fn clean_failed(view: &HostView, node: &Node) -> Step {
    // The state's own error leads to deprovisioning; a cleaning that failed is reported as one of preparation.
    let error = format!("Cleaning failed: {}", node.last_error.as_deref().unwrap_or("Ironic gives no reason"));
    if let Err(step) = view.retry(ErrorKind::Preparation, error) {
        return *step;
    }
    let ask = ask::to(node, ProvisionTarget::Manage, KIND, cleaning()).then([Fact::ClearError]);
    ask::moving(view, node, ask)
}

/// Hands the image over, has Ironic check it, and starts.
fn deploy(view: &HostView, node: &Node) -> Step {
    let wanted = match wish::deployment(view, node) {
        Ok(wanted) => wanted,
        // A Secret that went away after the start is no failure of the image: it is waited for.
        Err(text) => return Step::wait_for(RECHECK, Why::new("MaterialMissing", text)),
    };
    let call = HostCall::Deploy {
        node: node.uuid.clone(),
        seen: node.provision_state.clone(),
        patch: wanted.patch,
        configdrive: wanted.drive.map(Box::new),
        steps: wanted.steps,
    };
    let event = format!("Image provisioning started for {}", view.image_label());
    let done = [Fact::Attempted, Fact::ClearError, Fact::Event("ProvisioningStarted", event)];
    ask::moving(view, node, Ask::new(call, KIND, deploying().seen(ask::seen(node))).then(done))
}

/// A failure of the image that is wished now is an error; one of an earlier image is forgotten.
fn deploy_failed(view: &HostView, node: &Node) -> Step {
    if !wish::same_image(view, node) {
        return deploy(view, node);
    }
    let image = view.spec().image.clone().unwrap_or_default();
    let error = node.last_error.as_deref().unwrap_or("Ironic gives no reason; see the agent's logs");
    let checksum = image.checksum.unwrap_or_default();
    let remedy = "; where it is the image, correct url, checksum or format in spec.image";
    let url = redact::url(&image.url);
    view.fail(KIND, format!("Image provisioning failed (url: {url}, checksum: {checksum}): {error}{remedy}"))
}

fn done(view: &HostView, node: &Node) -> Step {
    // A wish that changed meanwhile is not what runs now: it is deployed next.
    let written = view.status().last_attempted_image.map(|image| redact::url(&image.url));
    let event = format!("Image provisioning completed for {}", written.unwrap_or_else(|| view.image_label()));
    let done = Fact::Event("ProvisioningComplete", event);
    let deployed = Fact::Deployed { custom: node.deploy_interface.as_deref() == Deployment::Custom.interface() };
    Step::Go(S::Provisioned, vec![deployed, Fact::ClearError, Fact::ResetCount, done])
}
