//! The status of a Metal3Machine: what a pass found out, and how both generations of conditions tell it. Pure.
//!
//! Nothing here is terminal: `failureReason` and `failureMessage` are never set, and removed where an earlier
//! release left them.

use std::collections::BTreeSet;

use api::infra::v1beta2::{AddressType, Initialization, MachineAddress, Metal3Machine, Metal3MachineStatus, ObjectRef};
use api::meta::SecretReference;
use api::metal3::BareMetalHost;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kit::conditions::{self, Condition, Severity, Truth};
use kit::diff;
use kit::pass::{Class, Done, Fault, Why, Write};

use super::data::Secrets;
use super::view::View;

/// The machine has a host.
pub const ASSOCIATED: &str = "AssociateBareMetalHost";
/// The host has the machine's data; while the machine goes away, whether that is being undone.
pub const META_DATA: &str = "AssociateMetal3MachineMetaData";
/// Meta data and network data exist.
pub const DATA_READY: &str = "Metal3DataReady";
/// The host runs the machine's image.
pub const HOST_PROVISIONED: &str = "HostProvisioned";
/// The Node of the workload cluster carries the machine's provider ID.
pub const NODE_LINKED: &str = "NodeLinked";

/// Most addresses a status may have.
const MOST_ADDRESSES: usize = 32;

/// What a pass found out. `None` leaves a condition as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// [`ASSOCIATED`].
    pub associated: Option<Condition>,
    /// [`META_DATA`].
    pub meta_data: Option<Condition>,
    /// [`DATA_READY`].
    pub data: Option<Condition>,
    /// [`HOST_PROVISIONED`].
    pub host: Option<Condition>,
    /// [`NODE_LINKED`].
    pub node: Option<Condition>,
    /// The data in use.
    pub secrets: Option<Secrets>,
    /// Addresses of the host.
    pub addresses: Option<Vec<MachineAddress>>,
    /// Whether Cluster API may be told that the machine is there.
    pub provisioned: bool,
    /// The condition that tells of a write that failed, and its reason.
    pub blame: Option<(&'static str, &'static str)>,
}

impl Report {
    /// The condition of a wait.
    pub fn waiting(kind: &'static str, reason: &'static str, why: &Why) -> Option<Condition> {
        Some(Condition::no(kind, reason, why.told()))
    }
}

/// The status write of a pass; `None` when nothing changed.
pub fn write<A>(view: &View, report: &Report, waits: Option<&Why>, done: &Done<A>) -> Option<Write> {
    let before = &*view.machine;
    let mut status = before.status.clone().unwrap_or_default();
    let failed = done.failed.as_ref().or(match &done.answer {
        Some(Err(fault)) => Some(fault),
        Some(Ok(_)) | None => None,
    });
    // What a failed write was to bring about has not come about.
    let report = if failed.is_some() { &Report { blame: report.blame, ..Report::default() } } else { report };
    facts(view, report, &mut status);
    for condition in conditions_of(view, report, failed) {
        set(&mut status, before, &condition, view);
    }
    let ready = ready(view, &status, waits);
    set(&mut status, before, &ready, view);
    if let Some(old) = status.deprecated.as_mut().and_then(|deprecated| deprecated.v1beta1.as_mut()) {
        (old.failure_reason, old.failure_message) = (None, None);
    }
    if before.status.as_ref() != Some(&status) {
        status.last_updated = Some(Time(view.now));
    }
    let after = Metal3Machine { status: Some(status), ..before.clone() };
    diff::status(before, &after)
}

fn facts(view: &View, report: &Report, status: &mut Metal3MachineStatus) {
    if let Some(addresses) = &report.addresses {
        status.addresses.clone_from(addresses);
    }
    if report.provisioned {
        status.initialization = Some(Initialization { provisioned: Some(true) });
    }
    if let Some(secrets) = &report.secrets {
        let reference = |name: &Option<String>| {
            name.clone().map(|name| SecretReference { name: Some(name), namespace: Some(view.namespace().to_owned()) })
        };
        status.user_data = reference(&secrets.user);
        status.meta_data = reference(&secrets.meta);
        status.network_data = reference(&secrets.network);
        status.rendered_data = secrets.rendered.as_ref().map(|name| ObjectRef::new(view.namespace(), name.as_str()));
    }
}

fn conditions_of(view: &View, report: &Report, failed: Option<&Fault>) -> Vec<Condition> {
    let mut all: Vec<Condition> = [&report.associated, &report.meta_data, &report.data, &report.host, &report.node]
        .into_iter()
        .flatten()
        .cloned()
        .collect();
    all.push(if view.paused() {
        Condition { truth: Truth::True, ..Condition::no("Paused", "Paused", "the Cluster or the machine is paused") }
    } else {
        Condition::no("Paused", "NotPaused", "")
    });
    // A conflict is repeated at once with a fresh view: nothing to tell.
    if let (Some(fault), Some((kind, reason))) = (failed, report.blame)
        && fault.class != Class::Again
    {
        all.push(Condition::no(kind, reason, fault.message.clone()).severity(Severity::Warning));
    }
    all
}

/// Ready: the summary. It follows what Cluster API waits for, not whether the Node has joined.
fn ready(view: &View, status: &Metal3MachineStatus, waits: Option<&Why>) -> Condition {
    if view.deleting() {
        let text = waits.map_or_else(|| "the machine is being deleted".to_owned(), Why::told);
        return Condition::no("Ready", "Deleting", text);
    }
    let provisioned = status.initialization.and_then(|i| i.provisioned) == Some(true);
    let wrong: Vec<String> = [ASSOCIATED, META_DATA, DATA_READY, HOST_PROVISIONED]
        .into_iter()
        .filter_map(|kind| conditions::get(&status.conditions, kind))
        .filter(|condition| condition.status != Truth::True.as_str())
        .map(|condition| {
            let text = if condition.message.is_empty() { &condition.reason } else { &condition.message };
            text.clone()
        })
        .collect();
    match (provisioned, wrong.is_empty(), waits) {
        (true, true, _) => Condition::yes("Ready", "Ready"),
        (_, false, _) => Condition::no("Ready", "NotReady", wrong.join("; ")),
        (false, true, Some(why)) => Condition::no("Ready", "NotReady", why.told()),
        (false, true, None) => Condition::no("Ready", "NotReady", "the machine is being set up"),
    }
}

/// Sets a condition in both generations.
fn set(status: &mut Metal3MachineStatus, before: &Metal3Machine, condition: &Condition, view: &View) {
    conditions::set(&mut status.conditions, condition, before.metadata.generation, view.now);
    let Some(kind) = old_type(condition.kind) else { return };
    let old = status.deprecated.get_or_insert_default().v1beta1.get_or_insert_default();
    let condition = Condition { kind, reason: old_reason(&condition.reason).to_owned(), ..condition.clone() };
    conditions::set_v1beta1(&mut old.conditions, &condition, view.now);
}

/// The name of a condition in the first generation, where it has one.
fn old_type(kind: &str) -> Option<&'static str> {
    match kind {
        "Ready" => Some("Ready"),
        ASSOCIATED => Some("AssociateBMH"),
        META_DATA => Some("KubernetesNodeReady"),
        DATA_READY => Some("Metal3DataReady"),
        _ => None,
    }
}

/// The name of a reason in the first generation.
fn old_reason(reason: &str) -> &str {
    match reason {
        "WaitingForMetal3MachineOwnerRef" => "WaitingForM3MachineOwnerRef",
        "WaitingForClusterInfrastructureReady" => "WaitingForClusterInfrastructure",
        "WaitingForBootstrapData" => "WaitingForBootstrapReady",
        "AssociateBareMetalHostFailed" => "AssociateBMHFailed",
        "AssociateMetal3MachineMetaDataFailed" => "AssociateM3MetaDataFailed",
        "DisassociateM3MetaDataFailed" => "DisassociateM3MetaDataFailed",
        "Paused" => "Metal3MachinePaused",
        other => other,
    }
}

/// Addresses of a host as inspection found them: each once, no more than a status may have.
pub fn addresses(host: &BareMetalHost) -> Vec<MachineAddress> {
    let Some(hardware) = host.status.as_ref().and_then(|status| status.hardware.as_ref()) else { return Vec::new() };
    let address = |type_: AddressType, address: &String| MachineAddress { type_, address: address.clone() };
    let mut all: Vec<MachineAddress> = Vec::new();
    if let Some(name) = hardware.hostname.as_ref().filter(|name| !name.is_empty()) {
        all.push(address(AddressType::Hostname, name));
        all.push(address(AddressType::InternalDNS, name));
    }
    let mut known = BTreeSet::new();
    let ips = hardware
        .nics
        .iter()
        .filter_map(|nic| nic.ip.as_ref())
        .filter(|ip| !ip.is_empty() && known.insert((*ip).clone()));
    let room = MOST_ADDRESSES - all.len();
    let mut list: Vec<MachineAddress> = ips.take(room).map(|ip| address(AddressType::InternalIP, ip)).collect();
    list.append(&mut all);
    list
}
