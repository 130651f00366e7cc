//! The snapshot that one decision about a host is made on, and the questions that guards and states ask it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use api::metal3::{
    BareMetalHost, BareMetalHostSpec, BareMetalHostStatus, CredentialsStatus, HardwareData, HardwareDetails,
    HostFirmwareComponents, HostFirmwareSettings, HostUpdatePolicy, InspectionMode, OperationalStatus,
};
use api::names::annotation;
use ironic::{ConfigDrive, FirmwareComponent, Inventory, Node, Port, Versions};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kit::clock::left;
use kit::pass::{Fault, Why, rounded};
use kit::runtime::SecretMeta;

use crate::config::Config;
use crate::host::errors::{self, ErrorKind};
use crate::host::facts::{self, Fact};
use crate::host::state::State;
use crate::host::step::{Pause, RECHECK, Step};
use crate::node::fingerprint;

/// Everything a decision about one host may know.
#[derive(Debug)]
pub struct HostView {
    /// The host.
    pub host: Arc<BareMetalHost>,
    /// Its state, parsed.
    pub state: State,
    /// The time of this pass.
    pub now: Timestamp,
    /// How this operator was started.
    pub config: Arc<Config>,
    /// What is known about the hardware, in its own object.
    pub hardware_data: Option<Arc<HardwareData>>,
    /// The credentials of the management controller.
    pub credentials: Credentials,
    /// Network data for the agent's ramdisk.
    pub ramdisk_network: Material<String>,
    /// The Secret that holds it, for the finalizer on it.
    pub ramdisk_secret: Option<Box<Secret>>,
    /// What Ironic says.
    pub node: NodeSeen,
    /// The ports of the node, and those of other nodes that have one of our addresses.
    pub ports: Option<Vec<Port>>,
    /// What an inspection found; `None` also when it was not asked for in this pass.
    pub inventory: Option<Inventory>,
    /// Settings and updates of firmware.
    pub firmware: Firmware,
    /// What goes on the config drive; only read for a deployment.
    pub drive: Material<ConfigDrive>,
    /// The credentials of the image's registry; only read for a deployment of an OCI image.
    pub pull_secret: Material<String>,
    /// How busy Ironic is.
    pub capacity: Capacity,
    /// What the decision needs and could not be read: it waits then.
    pub unread: Option<Fault>,
    /// What the content of the Secret that was read is known by, see [`crate::node::fingerprint`]; only where Ironic may
    /// not have it.
    pub fingerprint: Option<String>,
    /// Secrets that this host holds and does not name any more.
    pub stale: Vec<Stale>,
    /// Whether the management controller has an IPv6 address; `None` where only a look-up tells, and none was made.
    pub controller_v6: Option<bool>,
    /// What the Ironic server can do; `None` before it answered once.
    pub versions: Option<Versions>,
}

/// The credentials of a management controller.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Credentials {
    /// Not read: the state needs none.
    #[default]
    Unneeded,
    /// The Secret is the one that worked last; its content was not read.
    Unchanged(CredentialsStatus),
    /// The Secret was read.
    Read(Box<Secret>),
    /// There is no such Secret.
    Missing(String),
}

/// A Secret that a host once named.
#[derive(Debug, Clone)]
pub struct Stale {
    /// Its metadata.
    pub secret: Arc<SecretMeta>,
    /// Whether another host of the namespace names it.
    pub shared: bool,
}

/// Something that is read from a Secret or built from several.
#[derive(Clone, PartialEq, Default)]
pub enum Material<T> {
    /// Not asked for in this pass.
    #[default]
    Unread,
    /// Nothing is referred to.
    None,
    /// Here it is.
    Some(T),
    /// It cannot be had: which field is wrong, and what to do.
    Broken(String),
}

impl<T> fmt::Debug for Material<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unread => "Unread",
            Self::None => "None",
            Self::Some(_) => "Some(..)",
            Self::Broken(text) => return write!(f, "Broken({text:?})"),
        })
    }
}

/// What Ironic says about the host.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum NodeSeen {
    /// Not asked: the state has nothing to do with Ironic.
    #[default]
    NotAsked,
    /// Ironic cannot be used now.
    Unreachable(Fault),
    /// Ironic does not know it.
    Absent,
    /// Its node.
    Found(Box<Node>),
}

/// Settings and updates of firmware, as far as they exist.
#[derive(Debug, Default)]
pub struct Firmware {
    /// Wished and seen settings.
    pub settings: Option<Arc<HostFirmwareSettings>>,
    /// Wished and seen component versions.
    pub components: Option<Arc<HostFirmwareComponents>>,
    /// When changes of a running host are allowed.
    pub policy: Option<Arc<HostUpdatePolicy>>,
    /// Components that Ironic reports; only asked for while there is no object for them.
    pub reported: Option<Vec<FirmwareComponent>>,
}

/// How many nodes Ironic works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Capacity {
    /// Busy nodes that share the provisioning network, without this host's own.
    pub busy: usize,
    /// How many may be.
    pub limit: usize,
    /// Whether this host takes no room: it is busy already, or boots without the provisioning network.
    pub exempt: bool,
}

/// What the `detached` annotation asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Detached {
    /// A deletion waits until the annotation is gone.
    pub delay: bool,
    /// Detach also in the middle of an operation.
    pub force: bool,
}

impl HostView {
    /// The wish.
    pub fn spec(&self) -> &BareMetalHostSpec {
        &self.host.spec
    }

    /// The status as last recorded.
    pub fn status(&self) -> BareMetalHostStatus {
        self.host.status.clone().unwrap_or_default()
    }

    /// The status by reference, if there is one.
    pub fn seen(&self) -> Option<&BareMetalHostStatus> {
        self.host.status.as_ref()
    }

    /// The host's uid.
    pub fn uid(&self) -> &str {
        self.host.metadata.uid.as_deref().unwrap_or_default()
    }

    /// The host's namespace.
    pub fn namespace(&self) -> &str {
        self.host.metadata.namespace.as_deref().unwrap_or_default()
    }

    /// The host's name.
    pub fn name(&self) -> &str {
        self.host.metadata.name.as_deref().unwrap_or_default()
    }

    /// Its annotations.
    pub fn annotations(&self) -> impl Iterator<Item = (&str, &str)> {
        self.host.metadata.annotations.iter().flatten().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// One annotation.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.host.metadata.annotations.as_ref().and_then(|all: &BTreeMap<_, _>| all.get(key)).map(String::as_str)
    }

    /// Whether the host shall go.
    pub fn deleting(&self) -> bool {
        self.host.metadata.deletion_timestamp.is_some()
    }

    /// The error on record.
    pub fn error(&self) -> Option<ErrorKind> {
        self.seen().and_then(|status| status.error_type.as_ref()).and_then(|kind| ErrorKind::parse(kind.as_str()))
    }

    /// Whether this kind of error is on record.
    pub fn has_error(&self, kind: ErrorKind) -> bool {
        self.error() == Some(kind)
    }

    /// Failures in a row.
    pub fn error_count(&self) -> i64 {
        self.seen().map_or(0, |status| status.error_count)
    }

    fn operational(&self, wanted: &OperationalStatus) -> bool {
        self.seen().is_some_and(|status| status.operational_status == *wanted)
    }

    /// Whether the host waits for room in Ironic.
    pub fn is_delayed(&self) -> bool {
        self.operational(&OperationalStatus::Delayed)
    }

    /// Whether Ironic has released the host.
    pub fn is_detached(&self) -> bool {
        self.operational(&OperationalStatus::Detached)
    }

    /// Whether firmware of the running host is being changed.
    pub fn is_servicing(&self) -> bool {
        self.operational(&OperationalStatus::Servicing)
    }

    /// What the `detached` annotation asks for, if it is there. A value that is not JSON counts as no options.
    pub fn detach_request(&self) -> Option<Detached> {
        let text = self.annotation(annotation::HOST_DETACHED)?;
        let value: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
        Some(Detached { delay: value["deleteAction"] == "delay", force: value["force"] == true })
    }

    /// The node, if Ironic knows it.
    pub fn node(&self) -> Option<&Node> {
        match &self.node {
            NodeSeen::Found(node) => Some(node),
            NodeSeen::NotAsked | NodeSeen::Unreachable(_) | NodeSeen::Absent => None,
        }
    }

    /// Whether Ironic cannot have a node of this host: there was never a way to reach its management controller.
    pub fn never_in_ironic(&self) -> bool {
        let known = self.seen().is_some_and(|status| !status.provisioning.id.is_empty());
        !known && self.spec().bmc.address.is_empty()
    }

    /// Whether Ironic was asked and answered.
    pub fn ironic_answers(&self) -> bool {
        matches!(self.node, NodeSeen::Absent | NodeSeen::Found(_))
    }

    /// Whether there is room in Ironic for this host.
    pub fn has_capacity(&self) -> bool {
        self.capacity.exempt || self.capacity.busy < self.capacity.limit
    }

    /// Whether there are credentials to work with.
    pub fn has_credentials(&self) -> bool {
        matches!(self.credentials, Credentials::Unchanged(_) | Credentials::Read(_))
    }

    /// The credentials as the status names them.
    pub fn credentials_seen(&self) -> Option<CredentialsStatus> {
        match &self.credentials {
            Credentials::Unchanged(seen) => Some(seen.clone()),
            Credentials::Read(secret) => Some(facts::credentials_of(secret)),
            Credentials::Unneeded | Credentials::Missing(_) => None,
        }
    }

    /// Whether the Secret is another one, or has another version, than the one that was last handed to Ironic.
    pub fn credentials_moved(&self) -> bool {
        self.credentials_seen().is_some_and(|seen| self.status().tried_credentials != seen)
    }

    /// Whether Ironic was not given these credentials yet. Another version of a Secret with the content that the node has
    /// is no change: labels, owners and finalizers come and go.
    pub fn credentials_changed(&self) -> bool {
        let has = |node: &Node| node.extra.text(fingerprint::KEY).map(ToOwned::to_owned);
        let same = self.fingerprint.is_some() && self.node().and_then(has) == self.fingerprint;
        self.credentials_moved() && !same
    }

    /// Whether inspection is switched off, by the field or by the older annotation.
    pub fn inspection_disabled(&self) -> bool {
        self.spec().inspection_mode == Some(InspectionMode::Disabled)
            || (self.spec().inspection_mode.is_none()
                && self.annotation(annotation::INSPECT) == Some(annotation::INSPECT_DISABLED))
    }

    /// Whether a new inspection was asked for.
    pub fn inspection_requested(&self) -> bool {
        self.annotation(annotation::INSPECT).is_some_and(|value| value != annotation::INSPECT_DISABLED)
    }

    /// The hardware as far as it is known: the object of its own, else the status.
    pub fn hardware(&self) -> Option<&HardwareDetails> {
        let object = self.hardware_data.as_ref().and_then(|data| data.spec.hardware_details.as_ref());
        object.or_else(|| self.seen().and_then(|status| status.hardware.as_ref()))
    }

    /// The processor architecture: wished, found, or the operator's own.
    pub fn architecture(&self) -> String {
        let wished = self.spec().architecture.clone();
        let found = || self.hardware().and_then(|hardware| hardware.cpu.arch.clone());
        wished.or_else(found).unwrap_or_else(|| std::env::consts::ARCH.to_owned())
    }

    /// Whether the user changed the spec since the last record.
    pub fn edited(&self) -> bool {
        let ready = self.seen().and_then(|status| status.conditions.iter().find(|c| c.type_ == "Ready"));
        ready.is_some_and(|ready| ready.observed_generation < self.host.metadata.generation)
    }

    /// What is left of the back-off of the error on record, which counts from its last failure. Nothing when the user
    /// changed the spec since: it was perhaps the remedy.
    pub fn back_off_left(&self) -> Option<Duration> {
        let status = self.seen()?;
        let since = status.last_updated.as_ref()?.0;
        let length = errors::back_off(status.error_count, self.uid());
        (!self.edited()).then(|| left(since, length, self.now)).flatten()
    }

    /// The wait before something is asked again that Ironic refused, if the error on record is of this kind. A first
    /// refusal may have been mended by what woke the host: only what was refused again is waited for, and never for
    /// long, since the remedy may lie in Ironic. Other credentials may be the remedy, where Ironic had any.
    pub fn refused(&self, kind: ErrorKind) -> Option<Step> {
        let again = self.has_error(kind) && self.error_count() > 1;
        if !again || (self.node().is_some() && self.credentials_changed()) || self.edited() {
            return None;
        }
        let status = self.seen()?;
        let length = errors::back_off(status.error_count, self.uid()).min(errors::LONGEST_REFUSAL);
        let left = left(status.last_updated.as_ref()?.0, length, self.now)?;
        let within = rounded(errors::LONGEST_REFUSAL);
        let text = format!("{}; asked again within {within}, at once after a change of spec", status.error_message);
        Some(self.held(kind, &text, Some(left)))
    }

    /// Reports an error, or keeps waiting when it is on record already. On a host that shall go it is counted again
    /// after each back-off, so that the deletion comes to an end.
    pub fn fail(&self, kind: ErrorKind, message: impl Into<String>) -> Step {
        let message = message.into();
        let known = self.has_error(kind) && self.seen().is_some_and(|status| status.error_message == message);
        match (known, self.back_off_left()) {
            (false, _) => Step::Fail(kind, message),
            (true, None) if self.deleting() => Step::Fail(kind, message),
            (true, left) => self.held(kind, &message, if self.deleting() { left } else { None }),
        }
    }

    /// Something in Ironic failed and may be tried again: reports it first, then waits for the back-off. `Ok` when it
    /// is time to try.
    pub fn retry(&self, kind: ErrorKind, message: impl Into<String>) -> Result<(), Box<Step>> {
        let message = message.into();
        if !self.has_error(kind) {
            return Err(Box::new(Step::Fail(kind, message)));
        }
        match self.back_off_left() {
            Some(left) => Err(Box::new(self.held(kind, &message, Some(left)))),
            None => Ok(()),
        }
    }

    fn held(&self, kind: ErrorKind, message: &str, left: Option<Duration>) -> Step {
        let mut why = Why::new(kind.event(), message);
        if let Some(since) = self.seen().and_then(|status| status.last_updated.as_ref()) {
            why = why.since(since.0);
        }
        Step::Stay(Pause { after: Some(left.unwrap_or(RECHECK)), why, facts: Vec::new() })
    }

    /// A step that records facts, if they change the status.
    pub fn note(&self, facts: Vec<Fact>) -> Option<Step> {
        self.would_change(&facts).then_some(Step::Note(facts))
    }

    /// Whether facts change the status.
    pub fn would_change(&self, facts: &[Fact]) -> bool {
        let before = self.status();
        let mut after = before.clone();
        for fact in facts {
            facts::apply(&self.host, &mut after, fact);
        }
        before != after
    }
}
