//! What can become true about a host in one pass, and what each fact does to the status.

use api::meta::SecretReference;
use api::metal3::{
    BareMetalHost, BareMetalHostStatus, CredentialsStatus, CustomDeploy, HardwareDetails, Image, OperationalStatus,
    ProvisionStatus,
};
use kube::ResourceExt as _;

use crate::host::settings::Settings;

/// Something that became true.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    /// These credentials were handed to Ironic.
    Tried(CredentialsStatus),
    /// The credentials that were handed to Ironic are those of this version of the Secret, too.
    Same(CredentialsStatus),
    /// These credentials work.
    Good(CredentialsStatus),
    /// Ironic knows the host under this id.
    NodeId(String),
    /// The hardware is this.
    Hardware(Box<HardwareDetails>),
    /// The hardware profile is this.
    Profile(String),
    /// Firmware, RAID and root disk settings that were applied, or are being applied.
    Applied(Settings),
    /// What was applied is not trusted any more: everything is applied again, except hardware RAID.
    ForgetSettings,
    /// The wished image was given to Ironic.
    Attempted,
    /// The wished image counts as new: its failures start at zero.
    FreshImage,
    /// Writing the image failed once more.
    ImageFailed,
    /// The image that was given to Ironic last is on the machine; or what the custom deployment put there.
    Deployed {
        /// Whether it was a custom deployment.
        custom: bool,
    },
    /// Somebody else put the wished image (or custom deployment) on the machine.
    ImageDone,
    /// No image is on the machine.
    ImageGone,
    /// The machine is on, or off.
    Powered(bool),
    /// The host waits for room in Ironic.
    Delayed,
    /// The host is not managed because nothing is known about its management controller.
    Discovered,
    /// Ironic released the host without touching the machine.
    Detached,
    /// Ironic may know the host again, or work on it again.
    Attached,
    /// Firmware of a running host is being changed.
    Servicing,
    /// Whatever was wrong is over.
    ClearError,
    /// A phase was passed: failures are counted from zero again.
    ResetCount,
    /// The status is taken over from the annotation that a move of the object left.
    Restored(Box<BareMetalHostStatus>),
    /// The current registration starts anew (other credentials, or Ironic forgot the host).
    RegisterAgain,
    /// Something for the list of events: reason and message.
    Event(&'static str, String),
}

impl Fact {
    /// Whether this is an event.
    pub fn is_event(&self) -> bool {
        matches!(self, Self::Event(..))
    }
}

/// Changes the status by one fact. Events leave no trace in it.
pub fn apply(host: &BareMetalHost, status: &mut BareMetalHostStatus, fact: &Fact) {
    match fact {
        Fact::Tried(seen) => tried(status, seen),
        Fact::Same(seen) => same(status, seen),
        Fact::Good(seen) => status.good_credentials = seen.clone(),
        Fact::NodeId(id) => status.provisioning.id.clone_from(id),
        Fact::Hardware(details) => status.hardware = Some((**details).clone()),
        Fact::Profile(name) => status.hardware_profile = Some(name.clone()),
        Fact::Applied(settings) => settings.record(&mut status.provisioning),
        Fact::ForgetSettings => Settings::forget(&mut status.provisioning),
        Fact::Attempted => status.last_attempted_image.clone_from(&host.spec.image),
        Fact::FreshImage => {
            status.provisioning_fail_count = 0;
            status.last_attempted_image = None;
        }
        Fact::ImageFailed => status.provisioning_fail_count = status.provisioning_fail_count.saturating_add(1),
        Fact::Deployed { custom } => {
            let image = status.last_attempted_image.clone().or(host.spec.image.clone());
            runs(status, image, host.spec.custom_deploy.clone().filter(|_| *custom));
        }
        Fact::ImageDone => runs(status, host.spec.image.clone(), host.spec.custom_deploy.clone()),
        Fact::ImageGone => image_gone(&mut status.provisioning),
        Fact::Powered(on) => status.powered_on = *on,
        Fact::Delayed => status.operational_status = OperationalStatus::Delayed,
        Fact::Discovered => status.operational_status = OperationalStatus::Discovered,
        Fact::Detached => status.operational_status = OperationalStatus::Detached,
        Fact::Attached => attached(status),
        Fact::Servicing => status.operational_status = OperationalStatus::Servicing,
        Fact::ClearError => clear_error(status),
        Fact::ResetCount => status.error_count = 0,
        Fact::Restored(saved) => *status = (**saved).clone(),
        Fact::RegisterAgain => {
            status.operation_history.register.start = None;
            status.operation_history.register.end = None;
        }
        Fact::Event(..) => {}
    }
}

/// Other credentials get a first try at once: the failures of the old ones do not count against them.
fn tried(status: &mut BareMetalHostStatus, seen: &CredentialsStatus) {
    if status.tried_credentials != *seen {
        status.tried_credentials = seen.clone();
        status.error_count = 0;
    }
}

/// What was proven of one version is proven of the other.
fn same(status: &mut BareMetalHostStatus, seen: &CredentialsStatus) {
    if status.good_credentials == status.tried_credentials {
        status.good_credentials = seen.clone();
    }
    status.tried_credentials = seen.clone();
}

fn runs(status: &mut BareMetalHostStatus, image: Option<Image>, custom: Option<CustomDeploy>) {
    status.provisioning.image = image;
    status.provisioning.custom_deploy = custom;
    status.provisioning_fail_count = 0;
}

fn image_gone(provisioning: &mut ProvisionStatus) {
    provisioning.image = None;
    provisioning.custom_deploy = None;
}

fn attached(status: &mut BareMetalHostStatus) {
    status.operational_status =
        if status.error_type.is_some() { OperationalStatus::Error } else { OperationalStatus::Ok };
}

fn clear_error(status: &mut BareMetalHostStatus) {
    status.error_type = None;
    status.error_message = String::new();
    status.operational_status = OperationalStatus::Ok;
}

/// A reference to a Secret, as the status holds it.
pub fn reference(key: &kit::key::Key) -> SecretReference {
    SecretReference { name: Some(key.name.clone()), namespace: Some(key.namespace.clone()) }
}

/// The credentials that a Secret holds, as the status names them.
pub fn credentials_of(secret: &k8s_openapi::api::core::v1::Secret) -> CredentialsStatus {
    CredentialsStatus {
        credentials: Some(SecretReference { name: Some(secret.name_any()), namespace: secret.namespace() }),
        credentials_version: secret.resource_version(),
    }
}
