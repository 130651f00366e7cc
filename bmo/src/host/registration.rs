//! Registration: Ironic knows the host, can reach its management controller, and has what every later step needs.
//!
//! It runs before the work of nearly every state, because Ironic may have lost its memory meanwhile. A host that is
//! in use is never powered or rebooted by it: the node is created, its controller verified, and the machine adopted.

use std::time::Duration;

use api::metal3::CredentialsStatus;
use ironic::{Node, Phase, ProvisionState as N, ProvisionTarget};
use kit::pass::{Class, Why};

use crate::calls::{HostCall, WantedPort};
use crate::host::errors::{ErrorKind, budget};
use crate::host::facts::Fact;
use crate::host::settings::{self, Settings};
use crate::host::state::{State as S, Traits as _};
use crate::host::step::{Ask, Step};
use crate::host::view::{HostView, Material, NodeSeen};
use crate::host::{ask, firmware, wish};

/// The look-again time while Ironic is lost. The poller wakes every host when Ironic is back, so this is only a net under
/// it: a fleet that looks every few seconds would ask the API server for its Secrets all the time.
const OUTAGE: Duration = Duration::from_mins(2);

/// A lost Ironic: shown as a condition and waited for. It is never the host's error.
pub fn reachable(view: &HostView) -> Option<Step> {
    match &view.node {
        NodeSeen::Unreachable(_) if view.state == S::Deleting && view.never_in_ironic() => None,
        NodeSeen::Unreachable(fault) => {
            let why = Why::new("IronicUnreachable", fault.message.clone()).normal(budget::IRONIC);
            let after = if fault.class == Class::Again { Duration::from_secs(2) } else { OUTAGE };
            Some(Step::wait_for(after, why))
        }
        NodeSeen::NotAsked | NodeSeen::Absent | NodeSeen::Found(_) => None,
    }
}

/// Registers the host unless it is; `None` when Ironic knows all it needs.
pub fn guard(view: &HostView) -> Option<Step> {
    match &view.state {
        S::None | S::Unmanaged | S::MatchProfile | S::Ready | S::Deleting | S::Other(_) => return None,
        S::Registering
        | S::Inspecting
        | S::Preparing
        | S::Available
        | S::Provisioning
        | S::Provisioned
        | S::ExternallyProvisioned
        | S::Deprovisioning
        | S::PoweringOffBeforeDelete => {}
    }
    if let Some(text) = refusal(view) {
        return Some(view.fail(ErrorKind::Registration, text));
    }
    match &view.node {
        NodeSeen::Absent => Some(create(view)),
        NodeSeen::Found(node) => existing(view, node),
        NodeSeen::NotAsked | NodeSeen::Unreachable(_) => None,
    }
}

/// What is wrong with the wish itself, whatever Ironic says.
fn refusal(view: &HostView) -> Option<String> {
    // A host that shall go is not held back by what only matters for its future.
    if view.deleting() {
        return None;
    }
    let profile = settings::profile(view);
    if !settings::known_profile(&profile) {
        return Some(format!(
            "no hardware profile named \"{profile}\"; remove spec.hardwareProfile and use spec.rootDeviceHints"
        ));
    }
    if let Material::Broken(text) = &view.ramdisk_network {
        return Some(format!("failed to read preprovisioningNetworkData: {text}"));
    }
    if let Some(text) = wish::network_data_problem(view) {
        return Some(format!("failed to read preprovisioningNetworkData: {text}"));
    }
    wish::refusal(view)
}

fn create(view: &HostView) -> Step {
    let node = match wish::new_node(view) {
        Ok(node) => node,
        Err(text) => return view.fail(ErrorKind::Registration, text),
    };
    let why = Why::new("CreatingNode", "the host is being made known to Ironic").normal(budget::REGISTRATION);
    let mut facts = tried(view);
    if view.state != S::Registering {
        facts.push(Fact::RegisterAgain);
    }
    if view.state == S::Preparing {
        facts.push(Fact::ForgetSettings);
    }
    facts.push(Fact::Event("Registered", "Registered new host".into()));
    Ask::new(ask::create(node, wish::boot_mac(view)), ErrorKind::Registration, why).then(facts).step()
}

/// The credentials that a request carries, or that the node has already, as facts.
fn tried(view: &HostView) -> Vec<Fact> {
    let same = view.credentials_moved() && !view.credentials_changed();
    view.credentials_seen().map(if same { Fact::Same } else { Fact::Tried }).into_iter().collect()
}

/// The credentials that nobody has proven yet. Ironic itself proves those that a host is registered with, unless they
/// changed after that.
fn unproven(view: &HostView) -> Option<CredentialsStatus> {
    let seen = view.credentials_seen()?;
    let status = view.status();
    let by_ironic = view.state == S::Registering && status.operation_history.register.start.is_some();
    (status.good_credentials != seen && !by_ironic).then_some(seen)
}

fn existing(view: &HostView, node: &Node) -> Option<Step> {
    let known = view.seen().is_some_and(|status| status.provisioning.id == node.uuid);
    if !known {
        let mut facts = vec![Fact::NodeId(node.uuid.clone())];
        if view.state == S::Preparing {
            facts.push(Fact::ForgetSettings);
        }
        return Some(Step::Note(facts));
    }
    identity(view, node)
        .or_else(|| ports(view, node))
        .or_else(|| by_state(view, node))
        .or_else(|| verify(view, node))
        .or_else(|| finish(view))
}

/// Name, address and credentials of the node.
fn identity(view: &HostView, node: &Node) -> Option<Step> {
    let patch = match wish::identity_patch(view, node) {
        Ok(patch) => patch,
        Err(text) => return Some(view.fail(ErrorKind::Registration, text)),
    };
    if patch.is_empty() {
        // Credentials that equal the old ones in all that Ironic sees.
        return view.credentials_moved().then(|| Step::Note(tried(view)));
    }
    let past = view.state != S::Registering || node.provision_state != N::Enroll;
    let again = (view.credentials_changed() && past).then_some(Fact::RegisterAgain);
    let why = Why::new("UpdatingNode", "name, address or credentials are being updated in Ironic");
    // A corrected address deserves its first try at once.
    let facts = tried(view).into_iter().chain(again).chain([Fact::ResetCount]);
    Some(Ask::new(ask::patch(node, patch), ErrorKind::Registration, why).then(facts).step())
}

/// The network interfaces that the machine may boot from. Ironic takes none while a conductor works on the node.
fn ports(view: &HostView, node: &Node) -> Option<Step> {
    let known = view.ports.as_ref()?;
    let has = |port: &WantedPort| known.iter().any(|known| known.address.eq_ignore_ascii_case(&port.address));
    let missing: Vec<WantedPort> = wish::ports(view).into_iter().filter(|port| !has(port)).collect();
    if missing.is_empty() {
        return None;
    }
    let why = Why::new("CreatingPorts", "the machine's network interfaces are being made known to Ironic");
    Some(Ask::new(ask::ports(node, missing), ErrorKind::Registration, why).step())
}

fn by_state(view: &HostView, node: &Node) -> Option<Step> {
    match &node.provision_state {
        N::Enroll => Some(enroll(view, node)),
        N::Verifying => Some(Step::wait(
            Why::new("VerifyingAccess", "Ironic checks address and credentials of the management controller")
                .normal(budget::REGISTRATION)
                .seen(ask::seen(node)),
        )),
        // A conductor works on the node and refuses changes; what is left to configure comes later.
        N::Cleaning
        | N::CleanWait
        | N::CleanHold
        | N::WaitCallBack
        | N::Deploying
        | N::DeployHold
        | N::Inspecting
        | N::Deleting
        | N::Adopting
        | N::Servicing
        | N::ServiceWait
        | N::ServiceHold
        | N::Rebuild
        | N::Rescuing
        | N::RescueWait
        | N::Unrescuing
        | N::Other(_) => None,
        N::Manageable
        | N::InspectWait
        | N::InspectFailed
        | N::CleanFailed
        | N::Available
        | N::DeployFailed
        | N::Active
        | N::AdoptFailed
        | N::Error
        | N::ServiceFailed
        | N::RescueFailed
        | N::Rescue
        | N::UnrescueFailed => configure(view, node),
    }
}

/// Has Ironic verify the management controller; its last answer is shown first.
fn enroll(view: &HostView, node: &Node) -> Step {
    if let Some(error) = &node.last_error {
        let text = format!("{error}; check spec.bmc.address and the Secret {}", view.spec().bmc.credentials_name);
        if let Err(step) = view.retry(ErrorKind::Registration, text) {
            return *step;
        }
    }
    let why =
        Why::new("VerifyingAccess", "Ironic was asked to check the management controller").normal(budget::REGISTRATION);
    // The error is over with the new try: the next failure is a new one, and counts.
    let ask = ask::to(node, ProvisionTarget::Manage, ErrorKind::Registration, why).then([Fact::ClearError]);
    ask::moving(view, node, ask)
}

/// What each later step of Ironic needs: ramdisk, cleaning mode, capabilities.
fn configure(view: &HostView, node: &Node) -> Option<Step> {
    let patch = wish::configure_patch(view, node);
    if patch.is_empty() {
        return None;
    }
    let why = Why::new("UpdatingNode", "ramdisk, boot mode or cleaning mode are being updated in Ironic");
    Some(Ask::new(ask::patch(node, patch), ErrorKind::Registration, why).step())
}

/// Has Ironic use new credentials of a registered node once, before anybody is told that they work: Ironic stores them
/// without a look. While it works on the node it cannot be asked, and nothing is claimed.
fn verify(view: &HostView, node: &Node) -> Option<Step> {
    let seen = unproven(view)?;
    let quiet = matches!(node.provision_state.phase(), Phase::Stable | Phase::Failed);
    if view.deleting() || !quiet {
        return None;
    }
    // A wrong password is not tried twice in a row: management controllers lock accounts.
    if view.has_error(ErrorKind::Registration) && view.back_off_left().is_some() {
        return Some(view.fail(ErrorKind::Registration, view.status().error_message));
    }
    let text = "Ironic is asked to use the management controller with its new credentials";
    let why = Why::new("VerifyingAccess", text).normal(budget::REGISTRATION).seen(ask::seen(node));
    let over = view.has_error(ErrorKind::Registration).then_some(Fact::ClearError);
    let facts = over.into_iter().chain(verified(view, seen));
    Some(Ask::new(HostCall::VerifyAccess { node: node.uuid.clone() }, ErrorKind::Registration, why).then(facts).step())
}

/// Credentials that were proven to work, with the event if that is news.
fn verified(view: &HostView, seen: CredentialsStatus) -> Vec<Fact> {
    let news = view.status().good_credentials != seen;
    let event = news.then(|| Fact::Event("BMCAccessValidated", "Verified access to BMC".into()));
    event.into_iter().chain([Fact::Good(seen)]).collect()
}

/// All is in place: proven credentials are on record and an old registration error is over.
fn finish(view: &HostView) -> Option<Step> {
    let mut facts = vec![Fact::Profile(settings::profile(view))];
    if view.seen().and_then(|status| status.hardware_profile.as_ref()).is_none() {
        facts.push(Fact::Event("ProfileSet", format!("Hardware profile set: {}", settings::profile(view))));
    }
    if Settings::hints_differ(view) && matches!(view.state, S::Registering) {
        facts.push(Fact::Applied(Settings { raid: None, ..Settings::wished(view) }));
    }
    let unproven = unproven(view).is_some();
    if let Some(seen) = view.credentials_seen().filter(|_| !unproven) {
        facts.extend(verified(view, seen));
    }
    if view.has_error(ErrorKind::Registration) && (!unproven || view.deleting()) {
        facts.push(Fact::ClearError);
        facts.extend((!view.state.busy()).then_some(Fact::ResetCount));
    }
    view.note(facts).or_else(|| firmware::objects(view))
}
