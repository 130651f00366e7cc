//! What a host's wish means for its node: the view's side of the mapping in [`crate::node`].

use std::collections::BTreeMap;
use std::sync::Arc;

use ironic::{ConfigDrive, Inventory, Node, Patch, Phase, ProvisionState as N, Step as NodeStep, redact};
use jiff::Timestamp;
use kit::pass::Why;

use api::metal3::{AutomatedCleaningMode, HardwareDetails, InspectionMode};

use crate::calls::WantedPort;
use crate::host::drive::Parts;
use crate::host::errors::budget;
use crate::host::firmware::{self, Pending};
pub use crate::host::node_wish::*;
use crate::host::settings::Settings;
use crate::host::state::State as S;
use crate::host::step::Step;
use crate::host::view::{Capacity, HostView};
use crate::node::{configdrive, hardware, names, ports as node_ports, raid};

/// The step of a state that needs a node and has none: registration makes one in the next pass.
pub fn no_node() -> Step {
    Step::wait(Why::new("NodeMissing", "Ironic does not know the host yet").normal(budget::REGISTRATION))
}

/// Under what the node may be found, best first.
pub fn node_names(view: &HostView) -> Vec<String> {
    let id = view.seen().map(|status| status.provisioning.id.clone()).filter(|id| !id.is_empty());
    let mut names = names::candidates(view.namespace(), view.name());
    if view.state == S::Deleting {
        // Another namespace, or a person, may have a node of the bare name: it is not removed with this host.
        names.truncate(1);
    }
    id.into_iter().chain(names).collect()
}

/// How busy Ironic is. A host that is busy already keeps its place; nodes with virtual media take none.
pub fn capacity(view: &HostView, own: Option<&Node>, nodes: &[Arc<Node>]) -> Capacity {
    let media = |node: &Node| node.boot_interface.as_deref().is_some_and(|boot| boot.contains("virtual-media"));
    let busy = |node: &Node| {
        let state = &node.provision_state;
        let works = matches!(
            state,
            N::Cleaning | N::CleanWait | N::Inspecting | N::InspectWait | N::Deploying | N::WaitCallBack | N::Deleting
        );
        works && !media(node)
    };
    let is_own = |node: &Node| own.is_some_and(|own| own.uuid == node.uuid);
    Capacity {
        busy: nodes.iter().filter(|node| busy(node) && !is_own(node)).count(),
        limit: view.config.provisioning_limit,
        exempt: own.is_some_and(|own| busy(own) || media(own)) || takes_iso(view),
    }
}

/// The address of the boot interface.
pub fn boot_mac(view: &HostView) -> Option<String> {
    view.spec().boot_mac_address.as_ref().map(|mac| mac.to_ascii_lowercase())
}

/// The ports that the node shall have.
pub fn ports(view: &HostView) -> Vec<WantedPort> {
    node_ports::wanted(view.spec().boot_mac_address.as_deref(), view.hardware())
}

/// Whether ports can be made now.
pub fn ports_can_be_made(node: &Node) -> bool {
    node_ports::can_be_created(&node.provision_state) && node.provision_state.phase() != Phase::Busy
}

/// What an inspection found.
pub fn details(inventory: &Inventory) -> HardwareDetails {
    hardware::details(inventory)
}

/// A time of Ironic's.
pub fn time(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

/// Work of preparation.
#[derive(Debug, Clone, PartialEq)]
pub struct Work {
    /// The RAID interface, where it must change.
    pub patch: Patch,
    /// The RAID to store.
    pub raid: Option<serde_json::Value>,
    /// What to do; empty when everything is as wished.
    pub steps: Vec<NodeStep>,
}

/// What preparation has to do. After a failure RAID is built anew from nothing.
pub fn preparation(view: &HostView, node: &Node) -> Result<Work, String> {
    let wished = Settings::wished(view);
    let applied = view.seen().and_then(|status| status.provisioning.raid.as_ref());
    let failed = view.has_error(crate::host::errors::ErrorKind::Preparation);
    let actual = applied.filter(|_| !failed);
    let present = node.raid_interface.as_deref().unwrap_or(raid::NO_RAID);
    let interface = raid_interface(view).unwrap_or_else(|| present.to_owned());
    let plan =
        raid::plan(wished.raid.as_ref(), actual, wished.hints.as_ref(), &interface).map_err(|e| e.to_string())?;
    let mut steps = plan.steps;
    let patch = if steps.is_empty() {
        Patch::new()
    } else {
        let actual = node.raid_interface.clone().map(serde_json::Value::from);
        Patch::new().ensure(&["raid_interface"], actual.as_ref(), Some(plan.interface.into()))
    };
    steps.extend(firmware_steps(&firmware::pending(view)));
    Ok(Work { patch, raid: plan.target, steps })
}

/// The steps that apply firmware settings and updates.
pub fn firmware_steps(pending: &Pending) -> Vec<NodeStep> {
    let settings = crate::node::firmware::settings_step(&pending.settings, &BTreeMap::new());
    let updates = crate::node::firmware::update_step(&pending.updates, &[]);
    settings.into_iter().chain(updates).collect()
}

/// Puts a config drive together.
pub fn config_drive(view: &HostView, parts: &Parts) -> Result<ConfigDrive, String> {
    let identity = configdrive::Identity { uid: view.uid(), namespace: view.namespace(), name: view.name() };
    let contents = configdrive::Contents {
        user_data: parts.user_data.as_deref(),
        network_data: parts.network_data.as_deref(),
        meta_data: parts.meta_data.as_deref(),
    };
    configdrive::build(identity, contents).map_err(|error| error.to_string())
}

impl HostView {
    /// Whether nothing is wiped between two uses.
    pub fn cleaning_disabled(&self) -> bool {
        self.spec().automated_cleaning_mode == Some(AutomatedCleaningMode::Disabled)
    }

    /// Whether the management controller is asked for the hardware, without booting the machine.
    pub fn fast_inspection(&self) -> bool {
        self.spec().inspection_mode == Some(InspectionMode::Fast)
    }

    /// Whether an image or a custom deployment is wished.
    pub fn wants_anything(&self) -> bool {
        let custom = self.spec().custom_deploy.as_ref().is_some_and(|custom| !custom.method.is_empty());
        custom || self.spec().image.is_some()
    }

    /// What is being deployed, for people.
    pub fn image_label(&self) -> String {
        let image = self.spec().image.as_ref().map(|image| redact::url(&image.url));
        let custom = || self.spec().custom_deploy.as_ref().map(|custom| custom.method.clone());
        image.or_else(custom).unwrap_or_default()
    }

    /// Whether something wished is not on the machine yet, and the machine may be on.
    pub fn needs_provisioning(&self) -> bool {
        let status = self.seen().map(|status| &status.provisioning);
        let has_image = status.is_some_and(|status| status.image.is_some());
        let method = |custom: &api::metal3::CustomDeploy| custom.method.clone();
        let wished = self.spec().custom_deploy.as_ref().map(method).filter(|method| !method.is_empty());
        let applied = status.and_then(|status| status.custom_deploy.as_ref()).map(method);
        let image = self.spec().image.is_some() && !has_image;
        self.spec().online && (image || (wished.is_some() && wished != applied))
    }

    /// Whether what is (being put) on the machine is not wished any more. Another checksum or format alone is no other
    /// image.
    pub fn cancelled(&self) -> bool {
        let spec = self.spec();
        let status = self.status().provisioning;
        let wished_url = spec.image.as_ref().map(|image| image.url.as_str());
        let applied_url = status.image.as_ref().map(|image| image.url.as_str());
        let applied_method = status.custom_deploy.as_ref().map(|custom| custom.method.as_str());
        let method = spec.custom_deploy.as_ref().map(|custom| custom.method.as_str()).filter(|m| !m.is_empty());
        match (method, applied_method.filter(|method| !method.is_empty())) {
            (Some(wished), Some(applied)) if wished != applied => true,
            // A method that is wished beside the same image, later than it was written, wipes no running machine.
            (Some(_), _) => applied_url.is_some() && wished_url != applied_url,
            (None, Some(_)) => true,
            (None, None) => match (wished_url, applied_url) {
                (None, _) => true,
                (Some(_), None) => false,
                (Some(wished), Some(applied)) => wished != applied,
            },
        }
    }
}
