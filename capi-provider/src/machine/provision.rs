//! What a machine wants its host to be, and what the host is doing about it. Pure.

use api::meta::SecretReference;
use api::metal3::{self, BareMetalHost, OperationalStatus, ProvisioningState};
use api::names::{annotation, label};
use kit::diff;
use kit::pass::{Why, Write};

use super::claim;
use super::data::Secrets;
use super::view::View;

/// The write that brings the host to what the machine wants; `None` when it is there.
///
/// Image and data go onto the host once, all in one patch with `online`, so that it never boots half described. A
/// host that has an image or custom deploy step keeps it: nothing is deployed a second time.
pub fn host_write(view: &View, host: &BareMetalHost, secrets: &Secrets) -> Option<Write> {
    let mut after = claim::claimed(view, host);
    unpause(view, &mut after);
    if !deployed(host) {
        deploy(view, &mut after, secrets);
    }
    if deployed(&after) {
        after.spec.online = true;
    }
    if let Some(mode) = &view.machine.spec.automated_cleaning_mode {
        after.spec.automated_cleaning_mode = Some(metal3::AutomatedCleaningMode::from(mode.as_str()));
    }
    diff::object_exact(host, &after)
}

/// Removes the pause that the move of a cluster put there; a user's own stays.
pub fn unpause(view: &View, host: &mut BareMetalHost) {
    let ours = host.metadata.labels.as_ref().and_then(|labels| labels.get(label::CLUSTER_NAME)).map(String::as_str);
    if ours != view.cluster_name() {
        return;
    }
    if let Some(annotations) = &mut host.metadata.annotations
        && annotations.get(annotation::HOST_PAUSED).is_some_and(|by| by == annotation::HOST_PAUSED_BY_CAPM3)
    {
        annotations.remove(annotation::HOST_PAUSED);
    }
}

/// Whether something was put on the host.
pub fn deployed(host: &BareMetalHost) -> bool {
    host.spec.image.is_some() || host.spec.custom_deploy.is_some()
}

fn deploy(view: &View, host: &mut BareMetalHost, secrets: &Secrets) {
    let spec = &view.machine.spec;
    let Some(user) = &secrets.user else { return };
    host.spec.image = spec.image.as_ref().map(|image| metal3::Image {
        url: image.url.clone(),
        checksum: image.checksum.clone().filter(|checksum| !checksum.is_empty()),
        checksum_type: image.checksum_type.as_ref().map(|kind| metal3::ChecksumType::from(kind.as_str())),
        format: image.disk_format.as_ref().map(|format| metal3::ImageFormat::from(format.as_str())),
        oci_auth_secret_name: None,
    });
    host.spec.custom_deploy =
        spec.custom_deploy.as_ref().map(|deploy| metal3::CustomDeploy { method: deploy.method.clone() });
    let within =
        |name: &String| SecretReference { name: Some(name.clone()), namespace: Some(view.namespace().to_owned()) };
    host.spec.user_data = Some(within(user));
    if let Some(name) = &secrets.meta {
        host.spec.meta_data = Some(within(name));
    }
    if let Some(name) = &secrets.network {
        host.spec.network_data = Some(within(name));
    }
}

/// Why nothing can be put on the host although everything is there; `None` when it can.
pub fn undeployable(view: &View, secrets: &Secrets) -> Option<Why> {
    if view.machine.spec.image.is_none() && view.machine.spec.custom_deploy.is_none() {
        let text = "the machine has neither image nor customDeploy; correct its Metal3MachineTemplate";
        return Some(Why::new("NothingToDeploy", text));
    }
    secrets.user.is_none().then(|| {
        Why::new("WaitingForBootstrapData", "the bootstrap provider has not written user data for the machine yet")
    })
}

/// Where the host is in its life.
pub fn state(host: &BareMetalHost) -> ProvisioningState {
    host.status.as_ref().map_or(ProvisioningState::None, |status| status.provisioning.state.clone())
}

/// What a host says about itself, for people: its state, its last error and what it waits for.
pub fn in_its_words(host: &BareMetalHost) -> String {
    let name = host.metadata.name.as_deref().unwrap_or_default();
    let Some(status) = &host.status else {
        return format!("host {name} was not looked at yet; is the bare metal operator running?");
    };
    let state = match state(host) {
        ProvisioningState::None => "new".to_owned(),
        state => state.to_string(),
    };
    let mut text = format!("host {name} is {state}");
    if host.metadata.annotations.as_ref().is_some_and(|all| all.contains_key(annotation::HOST_PAUSED)) {
        text.push_str(" and paused");
    }
    if !matches!(status.operational_status, OperationalStatus::Ok | OperationalStatus::Unset | OperationalStatus::Error)
    {
        text = format!("{text} ({})", status.operational_status);
    }
    if status.error_message.is_empty() {
        // Its controller tells in these conditions what it waits for.
        let telling = ["Progressing", "Ready"].iter().find_map(|kind| {
            let condition = kit::conditions::get(&status.conditions, kind)?;
            (!condition.message.is_empty()).then(|| condition.message.clone())
        });
        if let Some(message) = telling {
            text = format!("{text}: {message}");
        }
    } else {
        let kind = status.error_type.as_ref().map_or("error", |kind| kind.as_str());
        text = format!("{text}; {kind}: {}", status.error_message);
    }
    text
}

/// Why the host is not provisioned yet; `None` when it is.
pub fn unfinished(host: &BareMetalHost) -> Option<Why> {
    let reason = match state(host) {
        ProvisioningState::Provisioned => return None,
        ProvisioningState::ExternallyProvisioned => "HostExternallyProvisioned",
        ProvisioningState::Deprovisioning
        | ProvisioningState::Deleting
        | ProvisioningState::PoweringOffBeforeDelete => "HostGoesAway",
        _ if host.status.as_ref().is_some_and(|status| !status.error_message.is_empty()) => "HostInError",
        _ => "HostProvisioning",
    };
    let why = Why::new(reason, in_its_words(host));
    let since =
        host.status.as_ref().and_then(|status| status.operation_history.provision.start.as_ref()).map(|start| start.0);
    Some(match since {
        Some(since) => why.since(since),
        None => why,
    })
}
