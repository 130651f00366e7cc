//! Firmware settings and updates: the objects they are wished in, and what is left to apply.

use std::collections::BTreeMap;
use std::time::Duration;

use api::metal3::{
    BareMetalHost, FirmwareUpdate, HostFirmwareComponents, HostFirmwareSettings, UpdatePolicy, firmware_condition,
};
use ironic::{Node, Step as NodeStep};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kit::clock::left;
use kit::pass::{Why, Write};
use kit::{Kind, diff, owners};

use crate::host::step::Step;
use crate::host::view::HostView;

/// Changes that are wished, allowed and not applied.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Pending {
    /// Settings whose value differs.
    pub settings: BTreeMap<String, IntOrString>,
    /// Updates that were not started.
    pub updates: Vec<FirmwareUpdate>,
}

impl Pending {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.settings.is_empty() && self.updates.is_empty()
    }
}

/// All that waits to be applied.
pub fn pending(view: &HostView) -> Pending {
    Pending { settings: settings(view), updates: updates(view) }
}

/// What may be applied to a running host, by its update policy.
pub fn pending_live(view: &HostView) -> Pending {
    let policy = view.firmware.policy.as_ref().map(|policy| &policy.spec);
    let mut pending = pending(view);
    if !allowed(policy.and_then(|spec| spec.firmware_settings.as_ref())) {
        pending.settings.clear();
    }
    if !allowed(policy.and_then(|spec| spec.firmware_updates.as_ref())) {
        pending.updates.clear();
    }
    pending
}

fn settings(view: &HostView) -> BTreeMap<String, IntOrString> {
    let Some(object) = view.firmware.settings.as_deref() else { return BTreeMap::new() };
    let Some(status) = object.status.as_ref().filter(|status| valid(&status.conditions)) else {
        return BTreeMap::new();
    };
    let differs = |(name, value): &(&String, &IntOrString)| status.settings.get(*name) != Some(&text(value));
    object.spec.settings.iter().filter(differs).map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn updates(view: &HostView) -> Vec<FirmwareUpdate> {
    let Some(object) = view.firmware.components.as_deref() else { return Vec::new() };
    let Some(status) = object.status.as_ref().filter(|status| valid(&status.conditions)) else { return Vec::new() };
    object.spec.updates.iter().filter(|update| !status.updates.contains(update)).cloned().collect()
}

/// A value as Ironic reports it.
pub fn text(value: &IntOrString) -> String {
    match value {
        IntOrString::Int(number) => number.to_string(),
        IntOrString::String(text) => text.clone(),
    }
}

/// Whether a wish can be applied. Whether it was applied is seen by the values themselves: the condition about that is
/// older than what was just begun or forgotten.
fn valid(conditions: &[Condition]) -> bool {
    conditions.iter().any(|c| c.type_ == firmware_condition::VALID && c.status == "True")
}

/// Whether anything is wished that the policy allows for a running host, applied or not.
pub fn wished_live(view: &HostView) -> bool {
    let policy = view.firmware.policy.as_ref().map(|policy| &policy.spec);
    let settings = view.firmware.settings.as_ref().is_some_and(|object| !object.spec.settings.is_empty());
    let updates = view.firmware.components.as_ref().is_some_and(|object| !object.spec.updates.is_empty());
    (settings && allowed(policy.and_then(|spec| spec.firmware_settings.as_ref())))
        || (updates && allowed(policy.and_then(|spec| spec.firmware_updates.as_ref())))
}

fn allowed(policy: Option<&UpdatePolicy>) -> bool {
    policy == Some(&UpdatePolicy::OnReboot)
}

/// Waits while a wish was not looked at by its own controller: it could be wrong. An empty wish needs no look.
pub fn behind(view: &HostView) -> Option<Step> {
    let settings = view.firmware.settings.as_deref().filter(|object| !object.spec.settings.is_empty());
    let updates = view.firmware.components.as_deref().filter(|object| !object.spec.updates.is_empty());
    let old = |conditions: &[Condition], generation| {
        !conditions.iter().any(|c| c.type_ == firmware_condition::VALID && c.observed_generation >= generation)
    };
    let settings = settings
        .is_some_and(|object| old(&object.status.clone().unwrap_or_default().conditions, object.metadata.generation));
    let updates = updates
        .is_some_and(|object| old(&object.status.clone().unwrap_or_default().conditions, object.metadata.generation));
    (settings || updates).then(|| {
        let text = "the wished firmware settings or updates have not been checked yet";
        Step::wait_for(Duration::from_mins(1), Why::new("FirmwareNotChecked", text).normal(Duration::from_mins(1)))
    })
}

/// How long after an operation the settings of the machine are read again at the latest.
const REREAD: Duration = Duration::from_secs(90);

/// Waits while the settings that were read are older than the operation that has just ended: they would be applied
/// again, at the price of another boot.
pub fn unread(view: &HostView, node: &Node) -> Option<Step> {
    let ended = node.provision_updated_at.as_deref().and_then(|text| text.parse::<Timestamp>().ok())?;
    let read = view.firmware.settings.as_ref().and_then(|object| object.status.as_ref()?.last_updated.clone());
    // An inspection or a deployment changes no settings.
    let other_work = view.seen().is_some_and(|status| {
        let history = &status.operation_history;
        [&history.inspect, &history.provision].iter().any(|work| work.end.as_ref().is_some_and(|end| end.0 >= ended))
    });
    if other_work || settings(view).is_empty() || read.is_some_and(|read| read.0 >= ended) {
        return None;
    }
    let rest = left(ended, REREAD, view.now)?;
    let text = "the machine's firmware settings are read again before more of them are applied";
    Some(Step::wait_for(rest, Why::new("FirmwareNotReread", text).since(ended).normal(REREAD)))
}

/// Makes the objects in which users read and wish settings and updates. Updates only where Ironic reports parts that
/// can be updated.
pub fn objects(view: &HostView) -> Option<Step> {
    if view.deleting() {
        return None;
    }
    let host = view.host.as_ref();
    let mut writes: Vec<Write> = Vec::new();
    match view.firmware.settings.as_deref() {
        None => writes
            .push(diff::create(&HostFirmwareSettings { metadata: owned(host), ..HostFirmwareSettings::default() })),
        Some(object) => writes.extend(adopt(host, object)),
    }
    match view.firmware.components.as_deref() {
        None if view.firmware.reported.as_ref().is_some_and(|parts| !parts.is_empty()) => {
            let object = HostFirmwareComponents { metadata: owned(host), ..HostFirmwareComponents::default() };
            writes.push(diff::create(&object));
        }
        None => {}
        Some(object) => writes.extend(adopt(host, object)),
    }
    if let Some(object) = view.firmware.policy.as_deref() {
        writes.extend(adopt(host, object));
    }
    (!writes.is_empty()).then(|| Step::Write(writes, Vec::new()))
}

fn owned(host: &BareMetalHost) -> ObjectMeta {
    ObjectMeta {
        name: host.metadata.name.clone(),
        namespace: host.metadata.namespace.clone(),
        owner_references: Some(vec![owners::owner_reference(host, true)]),
        ..ObjectMeta::default()
    }
}

/// An object that a user made beforehand goes with its host, too.
fn adopt<K: Kind>(host: &BareMetalHost, object: &K) -> Option<Write> {
    if owners::owned_by(object.meta(), host.metadata.uid.as_deref().unwrap_or_default()) {
        return None;
    }
    let mut wanted = object.clone();
    owners::set_owner(wanted.meta_mut(), owners::owner_reference(host, true));
    diff::object_exact(object, &wanted)
}

/// Remembers which updates were started, so that they are not started twice.
pub fn taken_up(view: &HostView, started: &[FirmwareUpdate]) -> Option<Write> {
    let object = view.firmware.components.as_deref().filter(|_| !started.is_empty())?;
    let known = object.status.as_ref().map(|status| status.updates.as_slice()).unwrap_or_default();
    let other = |update: &&FirmwareUpdate| !started.iter().any(|new| new.component == update.component);
    remember(object, known.iter().filter(other).chain(started).cloned().collect())
}

/// The updates that a step of Ironic's is about, for a start that did not get on record.
pub fn started(step: Option<&NodeStep>) -> Vec<FirmwareUpdate> {
    let update = step.filter(|step| step.interface == "firmware" && step.step == "update");
    let settings = update.and_then(|step| step.args.get("settings")).cloned().unwrap_or_default();
    serde_json::from_value(settings).unwrap_or_default()
}

/// Forgets which updates were started, so that they are tried again; not after the failure of something else, since a
/// controller that was updated once is not to be updated again for it. Ironic's texts name the step that failed.
pub fn forgotten(view: &HostView, error: &str) -> Option<Write> {
    let error = error.to_ascii_lowercase();
    let other = ["bios", "raid", "deploy", "power", "management"].map(|part| format!("'interface': '{part}'"));
    let of_other = other.iter().any(|part| error.contains(part)) && !error.contains("firmware");
    if of_other {
        return None;
    }
    remember(view.firmware.components.as_deref()?, Vec::new())
}

/// The same for a running host, where updates may not have been part of it.
pub fn forgotten_live(view: &HostView, error: &str) -> Option<Write> {
    let policy = view.firmware.policy.as_ref().and_then(|policy| policy.spec.firmware_updates.as_ref());
    forgotten(view, error).filter(|_| allowed(policy))
}

fn remember(object: &HostFirmwareComponents, updates: Vec<FirmwareUpdate>) -> Option<Write> {
    let mut wanted = object.clone();
    wanted.status.get_or_insert_default().updates = updates;
    diff::status(object, &wanted)
}
