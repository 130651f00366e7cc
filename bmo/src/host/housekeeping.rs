//! What is done before a host is looked at: pause, restoring a moved status, finalizers and facts that stand in the
//! wrong place.

use api::metal3::{BareMetalHostStatus, HardwareDetails};
use api::names::{annotation, finalizer};
use kit::pass::{Target, Why, Write};
use kit::{diff, owners};
use serde_json::json;

use crate::host::facts::Fact;
use crate::host::step::Step;
use crate::host::view::HostView;

/// A paused host is left alone completely, also when it is being deleted or moved.
pub fn paused(view: &HostView) -> Option<Step> {
    view.annotation(annotation::HOST_PAUSED)?;
    let text = "the host is paused; remove the annotation baremetalhost.metal3.io/paused to go on";
    Some(Step::Paused(Why::new("Paused", text)))
}

/// What the decision needs and could not be read is waited for, with its own words. It is never the host's error.
pub fn unread(view: &HostView) -> Option<Step> {
    let fault = view.unread.as_ref()?;
    Some(Step::wait(Why::new(fault.reason, fault.message.clone())))
}

/// A moved host brings its status in an annotation. It counts only while the real status was never written; the
/// annotation goes in any case.
pub fn restored(view: &HostView) -> Option<Step> {
    let text = view.annotation(annotation::HOST_STATUS)?;
    let written = view.seen().is_some_and(|status| status.last_updated.is_some());
    if !written && let Ok(mut saved) = serde_json::from_str::<BareMetalHostStatus>(text) {
        if let Some(details) = view.hardware_data.as_ref().and_then(|data| data.spec.hardware_details.clone()) {
            saved.hardware = Some(details);
        }
        return Some(Step::Note(vec![Fact::Restored(Box::new(saved))]));
    }
    Some(Step::Write(vec![drop_annotation(view, annotation::HOST_STATUS)], Vec::new()))
}

fn drop_annotation(view: &HostView, key: &str) -> Write {
    let body = json!({ "metadata": { "annotations": { key: null } } });
    Write::Patch { target: Target::exact(view.host.as_ref()), body }
}

/// Finalizers, the architecture, and hardware details that others found.
pub fn tidy(view: &HostView) -> Option<Step> {
    if view.deleting() {
        return release_hardware(view);
    }
    if !owners::has_finalizer(view.host.as_ref(), finalizer::HOST) {
        let write = owners::add_finalizer(view.host.as_ref(), finalizer::HOST);
        return Some(Step::Write(vec![write], Vec::new()));
    }
    architecture(view).or_else(|| details(view))
}

/// HardwareData goes with its host.
fn release_hardware(view: &HostView) -> Option<Step> {
    let data = view.hardware_data.as_deref()?;
    if !owners::has_finalizer(data, finalizer::HOST_HARDWARE_DATA) {
        return None;
    }
    Some(Step::Write(vec![owners::remove_finalizer(data, finalizer::HOST_HARDWARE_DATA)], Vec::new()))
}

/// The architecture that an inspection found becomes part of the wish, so that a ramdisk for it can be chosen.
fn architecture(view: &HostView) -> Option<Step> {
    let found = view.hardware_data.as_ref()?.spec.hardware_details.as_ref()?.cpu.arch.clone()?;
    if view.spec().architecture.is_some() {
        return None;
    }
    let mut wanted = view.host.as_ref().clone();
    wanted.spec.architecture = Some(found);
    diff::object_exact(view.host.as_ref(), &wanted).map(|write| Step::Write(vec![write], Vec::new()))
}

/// Details found by others, in an annotation or in an object made beforehand, count where nobody inspected.
fn details(view: &HostView) -> Option<Step> {
    let text = view.annotation(annotation::HARDWARE_DETAILS);
    let recorded = view.seen().and_then(|status| status.hardware.as_ref());
    let wanted = recorded.is_none() || view.inspection_disabled();
    let object = view.hardware_data.as_ref().and_then(|data| data.spec.hardware_details.clone());
    let given = object.or_else(|| text.and_then(|text| serde_json::from_str::<HardwareDetails>(text).ok()));
    let drop = text.map(|_| drop_annotation(view, annotation::HARDWARE_DETAILS));
    match given.filter(|given| wanted && recorded != Some(given)) {
        Some(given) => {
            let event =
                Fact::Event("UpdateHardwareDetails", "Set hardware details from annotation or HardwareData".into());
            let facts = vec![Fact::Hardware(Box::new(given)), event];
            Some(match drop {
                Some(write) => Step::Write(vec![write], facts),
                None => Step::Note(facts),
            })
        }
        None => drop.map(|write| {
            let event = Fact::Event("RemoveAnnotation", "HardwareDetails annotation ignored, already set".into());
            Step::Write(vec![write], vec![event])
        }),
    }
}
