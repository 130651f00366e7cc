//! Requests to Ironic, as the guards and states make them.

use ironic::{NewNode, Node, Patch, PowerState, PowerTarget, ProvisionChange, ProvisionTarget};
use kit::pass::Why;

use crate::calls::{HostCall, WantedPort};
use crate::host::conditions;
use crate::host::errors::ErrorKind;
use crate::host::step::{Ask, Step};
use crate::host::view::HostView;

/// The fault of a node whose power control Ironic has lost; Ironic lifts it alone when the controller is back.
pub const POWER_FAILURE: &str = "power failure";

/// Creates a node.
pub fn create(node: NewNode, boot_mac: Option<String>) -> HostCall {
    HostCall::CreateNode { node: Box::new(node), boot_mac }
}

/// Changes a node.
pub fn patch(node: &Node, patch: Patch) -> HostCall {
    HostCall::UpdateNode { node: node.uuid.clone(), patch }
}

/// Creates ports.
pub fn ports(node: &Node, ports: Vec<WantedPort>) -> HostCall {
    HostCall::EnsurePorts { node: node.uuid.clone(), ports }
}

/// Deletes a node.
pub fn delete(node: &Node) -> HostCall {
    HostCall::DeleteNode { node: node.uuid.clone() }
}

/// Puts a node into maintenance, which is what allows its deletion in any state.
pub fn maintenance(node: &Node) -> HostCall {
    HostCall::SetMaintenance { node: node.uuid.clone(), reason: "forcing deletion in baremetal-operator".into() }
}

/// Changes the power.
pub fn power(node: &Node, target: PowerTarget) -> HostCall {
    HostCall::SetPower { node: node.uuid.clone(), target }
}

/// What was last seen of a node, for people.
pub fn seen(node: &Node) -> String {
    format!("node is in \"{}\"", node.provision_state)
}

/// A node in a state that no step of the host leads to: somebody else works with Ironic, too.
pub fn unexpected(node: &Node) -> String {
    format!(
        "the node is in \"{}\", where the host has no use for it; bring it to manageable in Ironic (baremetal node manage \
         {}), or end what was begun there by hand",
        node.provision_state, node.uuid
    )
}

/// What was last seen of a node's power, for people.
pub fn seen_power(node: &Node) -> String {
    let aim = node.target_power_state.as_ref().map(|aim| format!(", on its way to \"{aim}\"")).unwrap_or_default();
    let now = match node.power_state {
        PowerState::On => "on",
        PowerState::Off => "off",
        PowerState::Unknown => "not known",
    };
    format!("the power is {now}{aim}")
}

/// The request to move a node, with nothing to hand over.
pub fn to(node: &Node, target: ProvisionTarget, kind: ErrorKind, why: Why) -> Ask {
    change(node, ProvisionChange::to(target), kind, why)
}

/// The request to move a node.
pub fn change(node: &Node, change: ProvisionChange, kind: ErrorKind, why: Why) -> Ask {
    let call = HostCall::Provision { node: node.uuid.clone(), seen: node.provision_state.clone(), change };
    Ask::new(call, kind, why.seen(seen(node)))
}

/// Moves a node, with nothing to hand over and nothing to record.
pub fn go(view: &HostView, node: &Node, target: ProvisionTarget, kind: ErrorKind, why: Why) -> Step {
    moving(view, node, to(node, target, kind, why))
}

/// A request that moves a node. One in maintenance accepts nothing useful, so that is lifted first; one whose power
/// control is lost is waited for. What the request makes true is true of none of the two.
pub fn moving(view: &HostView, node: &Node, ask: Ask) -> Step {
    blocked(view, node, ask.kind).unwrap_or_else(|| ask.step())
}

/// What stands in the way of moving a node.
pub fn blocked(view: &HostView, node: &Node, kind: ErrorKind) -> Option<Step> {
    if let Some(why) = power_failure(view, node).filter(|_| !view.deleting()) {
        return Some(Step::wait(why));
    }
    node.maintenance.then(|| {
        let why = Why::new("LeavingMaintenance", "the node is in maintenance, which is being lifted");
        Ask::new(HostCall::ClearMaintenance { node: node.uuid.clone() }, kind, why).step()
    })
}

/// Why Ironic has lost the power control of the machine, if it has.
pub fn power_failure(view: &HostView, node: &Node) -> Option<Why> {
    (node.fault.as_deref() == Some(POWER_FAILURE)).then(|| {
        let secret = &view.spec().bmc.credentials_name;
        let text = format!(
            "Ironic cannot read the machine's power state; check that its management controller answers at \
             spec.bmc.address and accepts the Secret {secret}; Ironic goes on by itself then"
        );
        with_error(Why::new(conditions::POWER_FAILURE, text), node)
    })
}

/// A wait with the last error of the node as its evidence.
pub fn with_error(why: Why, node: &Node) -> Why {
    match &node.last_error {
        Some(error) => why.seen(error.clone()),
        None => why,
    }
}
