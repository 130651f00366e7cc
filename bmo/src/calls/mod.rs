//! What a host's controller asks of Ironic, as data, and the executor of it.
//!
//! `host` decides on a [`HostCall`]; [`execute`] performs it and returns an [`Answer`] or a fault for people. Every call
//! can be repeated: the process may die right after it, and the next pass decides from what Ironic then shows.
//! After each change the picture of [`ironic::Poll`] holds the node as it is now.

mod execute;
mod fault;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use ironic::provision::ConfigDrive;
use ironic::redact::MASK;
use ironic::{
    BiosSetting, FirmwareComponent, Inventory, MediaSlot, NewNode, Node, Patch, PowerTarget, ProvisionChange,
    ProvisionState, Step,
};
use serde_json::Value;

pub use execute::execute;
pub use fault::{fault, reason};

/// One request to Ironic (a few where the first ones only prepare the last). Debug output shows no secrets.
#[derive(Debug, Clone, PartialEq)]
pub enum HostCall {
    /// Creates the node, or finds the one that an earlier try created: names are unique.
    CreateNode {
        /// The node.
        node: Box<NewNode>,
        /// Address of the boot interface. A nameless node that has it is taken over instead; a named one is a
        /// conflict.
        boot_mac: Option<String>,
    },
    /// Changes fields of the node. Nothing is sent when the patch is empty.
    UpdateNode {
        /// Node id.
        node: String,
        /// What to change.
        patch: Patch,
    },
    /// Creates the ports that are missing. Existing ones are left as they are.
    EnsurePorts {
        /// Node id.
        node: String,
        /// All ports wanted.
        ports: Vec<WantedPort>,
    },
    /// Asks for a move in the node's life. Not done when the node is no longer in the state that was seen.
    Provision {
        /// Node id.
        node: String,
        /// The state the decision was made on.
        seen: ProvisionState,
        /// The move.
        change: ProvisionChange,
    },
    /// Manual cleaning, after storing the RAID that its steps shall build. Guarded like [`HostCall::Provision`].
    Clean {
        /// Node id.
        node: String,
        /// The state the decision was made on.
        seen: ProvisionState,
        /// `{"logical_disks": [..]}`; `None` leaves the stored one alone.
        raid: Option<Value>,
        /// The steps, in order.
        steps: Vec<Step>,
    },
    /// Writes what to deploy into the node, validates it and deploys. Guarded like [`HostCall::Provision`].
    Deploy {
        /// Node id.
        node: String,
        /// The state the decision was made on.
        seen: ProvisionState,
        /// What to deploy, see [`crate::node::instance::patch`]. In the same call because Ironic masks secrets in it,
        /// so that nobody can see whether they are the right ones.
        patch: Patch,
        /// What the instance finds on its config drive; `None` for a live ISO.
        configdrive: Option<Box<ConfigDrive>>,
        /// Custom steps; empty for Ironic's own.
        steps: Vec<Step>,
    },
    /// Changes power. A soft request that the machine cannot do is followed by the hard one.
    SetPower {
        /// Node id.
        node: String,
        /// What it shall become.
        target: PowerTarget,
    },
    /// Has Ironic read something harmless from the management controller: the proof that it can be used with the
    /// credentials that the node has.
    VerifyAccess {
        /// Node id.
        node: String,
    },
    /// Puts the node into maintenance, so that it can be deleted in any state.
    SetMaintenance {
        /// Node id.
        node: String,
        /// Shown by Ironic.
        reason: String,
    },
    /// Takes the node out of maintenance, which also clears its fault.
    ClearMaintenance {
        /// Node id.
        node: String,
    },
    /// Deletes the node. Done when there is none.
    DeleteNode {
        /// Node id.
        node: String,
    },
    /// Reads what inspection found.
    ReadInventory {
        /// Node id.
        node: String,
    },
    /// Reads BIOS settings.
    ReadBios {
        /// Node id.
        node: String,
    },
    /// Reads firmware components.
    ReadFirmware {
        /// Node id.
        node: String,
    },
    /// Reads virtual media.
    ReadMedia {
        /// Node id.
        node: String,
    },
    /// Inserts an image as a CD.
    AttachMedia {
        /// Node id.
        node: String,
        /// Where the image is.
        url: String,
    },
    /// Ejects the CD.
    DetachMedia {
        /// Node id.
        node: String,
    },
    /// Subscribes a destination to the BMC's events.
    Subscribe {
        /// Node id.
        node: String,
        /// The subscription.
        subscription: Box<Subscription>,
    },
    /// Removes a subscription. Done when there is none.
    Unsubscribe {
        /// Node id.
        node: String,
        /// Id of the subscription.
        id: String,
    },
}

impl HostCall {
    /// Whether it only ends what runs on the machine.
    pub fn ends_work(&self) -> bool {
        matches!(self, Self::Provision { change, .. } if change.target == ironic::ProvisionTarget::Abort)
    }

    /// The state that it is to move the node out of, if it moves one.
    pub fn moves_from(&self) -> Option<&ProvisionState> {
        match self {
            Self::Provision { seen, .. } | Self::Clean { seen, .. } | Self::Deploy { seen, .. } => Some(seen),
            _ => None,
        }
    }

    /// Id of the node it is about; its name for a creation.
    pub fn node(&self) -> &str {
        match self {
            Self::CreateNode { node, .. } => &node.name,
            Self::UpdateNode { node, .. }
            | Self::EnsurePorts { node, .. }
            | Self::Provision { node, .. }
            | Self::Clean { node, .. }
            | Self::Deploy { node, .. }
            | Self::SetPower { node, .. }
            | Self::VerifyAccess { node }
            | Self::SetMaintenance { node, .. }
            | Self::ClearMaintenance { node }
            | Self::DeleteNode { node }
            | Self::ReadInventory { node }
            | Self::ReadBios { node }
            | Self::ReadFirmware { node }
            | Self::ReadMedia { node }
            | Self::AttachMedia { node, .. }
            | Self::DetachMedia { node }
            | Self::Subscribe { node, .. }
            | Self::Unsubscribe { node, .. } => node,
        }
    }

    /// What it does, in a few words for messages.
    pub fn what(&self) -> &'static str {
        match self {
            Self::CreateNode { .. } => "register the machine",
            Self::UpdateNode { .. } => "update the machine's settings",
            Self::EnsurePorts { .. } => "register the machine's network interfaces",
            Self::Provision { change, .. } => match change.target {
                ironic::ProvisionTarget::Manage => "verify the management controller",
                ironic::ProvisionTarget::Provide => "make the machine available",
                ironic::ProvisionTarget::Inspect => "inspect the machine",
                ironic::ProvisionTarget::Abort => "abort the running operation",
                ironic::ProvisionTarget::Clean => "clean the machine",
                ironic::ProvisionTarget::Adopt => "adopt the machine",
                ironic::ProvisionTarget::Active | ironic::ProvisionTarget::Rebuild => "deploy the image",
                ironic::ProvisionTarget::Deleted => "remove the image",
                ironic::ProvisionTarget::Service => "service the machine",
                ironic::ProvisionTarget::Rescue
                | ironic::ProvisionTarget::Unrescue
                | ironic::ProvisionTarget::Unhold => "change the machine's state",
            },
            Self::Clean { .. } => "prepare the machine",
            Self::Deploy { .. } => "deploy the image",
            Self::SetPower { .. } => "change the machine's power",
            Self::VerifyAccess { .. } => "verify the management controller",
            Self::SetMaintenance { .. } | Self::ClearMaintenance { .. } => "change the maintenance mode",
            Self::DeleteNode { .. } => "forget the machine",
            Self::ReadInventory { .. } => "read the inspection result",
            Self::ReadBios { .. } => "read the BIOS settings",
            Self::ReadFirmware { .. } => "read the firmware versions",
            Self::ReadMedia { .. } | Self::AttachMedia { .. } | Self::DetachMedia { .. } => "change the virtual media",
            Self::Subscribe { .. } | Self::Unsubscribe { .. } => "change the event subscription",
        }
    }
}

/// A port that a node shall have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct WantedPort {
    /// MAC address in lower case.
    pub address: String,
    /// Whether the machine may boot from it.
    pub pxe_enabled: bool,
}

/// A subscription to a BMC's events. The headers usually hold a token: Debug output masks them.
#[derive(Clone, PartialEq, Eq)]
pub struct Subscription {
    /// URL that the BMC posts events to.
    pub destination: String,
    /// Text that the BMC repeats in each event.
    pub context: String,
    /// HTTP headers that the BMC sends, in order.
    pub headers: Vec<(String, String)>,
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("destination", &self.destination)
            .field("context", &self.context)
            .field("headers", &self.headers.iter().map(|(name, _)| (name, MASK)).collect::<Vec<_>>())
            .finish()
    }
}

/// What a successful call brought back.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// The request was accepted; the node as it is now. `None`: it does not exist (any more).
    Node(Option<Arc<Node>>),
    /// Power: the request that was accepted in the end, and the node as it is now.
    Power(PowerTarget, Option<Arc<Node>>),
    /// What inspection found; `None` before the first inspection.
    Inventory(Option<Box<Inventory>>),
    /// BIOS settings.
    Bios(Vec<BiosSetting>),
    /// Firmware components.
    Firmware(Vec<FirmwareComponent>),
    /// Virtual media.
    Media(Vec<MediaSlot>),
    /// Id of the new subscription.
    Subscribed(String),
    /// Done; nothing to tell.
    Done,
}
