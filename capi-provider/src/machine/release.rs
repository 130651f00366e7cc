//! Giving a host back. Pure.
//!
//! In this order, one write per pass: what the machine put on the host is taken off; the host is deprovisioned; the
//! BMC Secret loses the cluster's label; the machine's data (and with it the addresses) is let go; only then the
//! host loses its consumer, and in the end the machine its finalizer. Addresses go after the host is off, so that
//! no other machine gets one while it is still used.

use api::meta::SecretReference;
use api::metal3::{AutomatedCleaningMode, BareMetalHost, ProvisioningState};
use api::names::{annotation, label, secret};
use kit::diff;
use kit::key::Target;
use kit::pass::{Fault, Why, Write};
use serde_json::json;

use super::view::View;
use super::{claim, consumer, data, provision};

/// How far the release of one host is.
#[derive(Debug, Clone, PartialEq)]
pub enum Release {
    /// The next write.
    Write(Write),
    /// The host takes its time.
    Wait(Why),
    /// Whether the host is to be kept cannot be told.
    Unknown(Why),
    /// The write that sets the host free; after it, the host is not the machine's any more.
    Free(Write),
}

/// The next step towards setting a host of this machine free.
pub fn step(view: &View, host: &BareMetalHost) -> Release {
    if let Some(write) = diff::object_exact(host, &cleared(view, host)) {
        return Release::Write(write);
    }
    if let Some(why) = unfinished(host) {
        return Release::Wait(why);
    }
    if let Some(write) = unlabel_bmc_secret(view, host).or_else(|| data::release(view)) {
        return Release::Write(write);
    }
    let keep = match &view.reuse.keep {
        Ok(keep) => *keep,
        Err(fault) => return Release::Unknown(unread(fault)),
    };
    match diff::object_exact(host, &freed(view, host, keep)) {
        Some(write) => Release::Free(write),
        // Cannot be: a host of the machine has its consumer reference, which is taken off.
        None => Release::Wait(Why::new("HostReleased", "the host is free already")),
    }
}

/// The host without what the machine put on it.
fn cleared(view: &View, host: &BareMetalHost) -> BareMetalHost {
    let mut after = host.clone();
    provision::unpause(view, &mut after);
    claim::disown(&mut after);
    after.spec.image = None;
    after.spec.custom_deploy = None;
    let status = view.machine.status.clone().unwrap_or_default();
    let spec = &view.machine.spec;
    let bootstrap = view.owner.as_ref().and_then(|owner| owner.spec.bootstrap.data_secret_name.clone());
    let name_of = |reference: &Option<SecretReference>| reference.as_ref().and_then(|r| r.name.clone());
    take_off(&mut after.spec.user_data, &[name_of(&status.user_data), bootstrap, name_of(&spec.user_data)]);
    take_off(
        &mut after.spec.meta_data,
        &[name_of(&status.meta_data), name_of(&spec.meta_data), Some(secret::meta_data_name(view.name()))],
    );
    take_off(
        &mut after.spec.network_data,
        &[name_of(&status.network_data), name_of(&spec.network_data), Some(secret::network_data_name(view.name()))],
    );
    after.spec.online = stays_on(view.settings.fast_track, host);
    after
}

/// Removes a reference that names one of the machine's Secrets; what the host had of its own stays.
fn take_off<const N: usize>(reference: &mut Option<SecretReference>, ours: &[Option<String>; N]) {
    let name = reference.as_ref().and_then(|reference| reference.name.clone());
    if name.is_some() && ours.contains(&name) {
        *reference = None;
    }
}

/// Whether a released host is left on.
fn stays_on(fast_track: bool, host: &BareMetalHost) -> bool {
    let cleaned = host.spec.automated_cleaning_mode != Some(AutomatedCleaningMode::Disabled);
    host.spec.disable_power_off || (fast_track && cleaned)
}

/// Why a host cannot be set free yet; `None` when it can. Unknown states wait.
fn unfinished(host: &BareMetalHost) -> Option<Why> {
    let since = |why: Why| {
        let start = host.status.as_ref().and_then(|status| status.operation_history.deprovision.start.as_ref());
        match start {
            Some(start) => why.since(start.0),
            None => why,
        }
    };
    match provision::state(host) {
        ProvisioningState::None
        | ProvisioningState::Unmanaged
        | ProvisioningState::Registering
        | ProvisioningState::MatchProfile
        | ProvisioningState::Inspecting
        | ProvisioningState::Ready
        | ProvisioningState::Available => None,
        ProvisioningState::ExternallyProvisioned => {
            let on = host.status.as_ref().is_some_and(|status| status.powered_on);
            let stays = host.spec.disable_power_off;
            (on && !stays).then(|| {
                Why::new("HostPoweringOff", format!("{}; waiting until it is off", provision::in_its_words(host)))
            })
        }
        ProvisioningState::Preparing
        | ProvisioningState::Provisioning
        | ProvisioningState::Provisioned
        | ProvisioningState::Deprovisioning
        | ProvisioningState::PoweringOffBeforeDelete
        | ProvisioningState::Deleting
        | ProvisioningState::Other(_) => Some(since(Why::new("HostDeprovisioning", provision::in_its_words(host)))),
    }
}

/// The write that takes the cluster's label off the BMC Secret; `None` when there is nothing to do.
fn unlabel_bmc_secret(view: &View, host: &BareMetalHost) -> Option<Write> {
    let cluster = view.cluster_name()?;
    let known = view.bmc_secret.as_ref()?;
    let named = known.metadata.name.as_deref() == Some(host.spec.bmc.credentials_name.as_str());
    let labelled = known.metadata.labels.as_ref()?.get(label::CLUSTER_NAME).map(String::as_str) == Some(cluster);
    (named && labelled).then(|| bmc_secret_label(known, None))
}

/// The write that puts the cluster's label on the BMC Secret, so that `clusterctl move` takes it along.
pub fn label_bmc_secret(view: &View, host: &BareMetalHost) -> Option<Write> {
    let cluster = view.cluster_name()?;
    let known = view.bmc_secret.as_ref()?;
    let named = known.metadata.name.as_deref() == Some(host.spec.bmc.credentials_name.as_str());
    let label = known.metadata.labels.as_ref().and_then(|labels| labels.get(label::CLUSTER_NAME)).map(String::as_str);
    (named && label != Some(cluster)).then(|| bmc_secret_label(known, Some(cluster)))
}

fn bmc_secret_label(known: &kit::runtime::SecretMeta, value: Option<&str>) -> Write {
    let key = kit::pass::Key::of(known);
    let target = Target { uid: known.metadata.uid.clone(), ..Target::new::<k8s_openapi::api::core::v1::Secret>(key) };
    Write::Patch { target, body: json!({ "metadata": { "labels": { label::CLUSTER_NAME: value } } }) }
}

fn unread(fault: &Fault) -> Why {
    let text = format!(
        "whether the host is kept for its owner (nodeReuse) cannot be read: {fault}; let the provider's role get that kind"
    );
    Why::new("OwnerUnreadable", text)
}

/// The host without its consumer; kept for the machine's owner where the template asks for it.
fn freed(view: &View, host: &BareMetalHost, keep: bool) -> BareMetalHost {
    let mut after = host.clone();
    let labels = after.metadata.labels.get_or_insert_default();
    if labels.get(label::CLUSTER_NAME).map(String::as_str) == view.cluster_name() {
        labels.remove(label::CLUSTER_NAME);
    }
    if let Some(annotations) = &mut after.metadata.annotations {
        annotations.remove(annotation::CLUSTERCTL_BLOCK_MOVE);
        // A remediation that is gone, or has another uid since a move, would keep the next machine off.
        annotations.retain(|key, _| !key.starts_with(annotation::REMEDIATION_POWER_OFF_PREFIX));
    }
    after.spec.consumer_ref = None;
    let cluster_stays = view.cluster.as_ref().is_some_and(|cluster| cluster.metadata.deletion_timestamp.is_none());
    if let (true, true, Some(owner), Some(cluster)) = (keep, cluster_stays, &view.reuse.owner, view.cluster_key()) {
        after.metadata.labels.get_or_insert_default().insert(label::NODE_REUSE.to_owned(), owner.clone());
        after.spec.consumer_ref = Some(consumer::reference_of_cluster(&cluster));
    }
    after
}

/// Whether a host has nothing of its machine on it any more, so that the owner's wish for reuse must be known next.
pub fn nearly_free(host: &BareMetalHost) -> bool {
    !provision::deployed(host) && unfinished(host).is_none()
}

#[cfg(test)]
#[path = "release_tests.rs"]
mod tests;
