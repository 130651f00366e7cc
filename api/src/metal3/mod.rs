//! metal3.io/v1alpha1: hosts and everything a host owns.
//!
//! A [`BareMetalHost`] is one machine. Inspection fills its [`HardwareDetails`] and a [`HardwareData`] of the same
//! name; a [`PreprovisioningImage`] is the ramdisk it boots for that. [`HostFirmwareSettings`] (limited by a
//! [`FirmwareSchema`]) and [`HostFirmwareComponents`] change its firmware, when a [`HostUpdatePolicy`] lets them. A
//! [`DataImage`] is an ISO in its virtual drive, a [`BMCEventSubscription`] forwards its controller's events. A
//! [`HostClaim`] takes a host for somebody who may not see it; a [`HardwareClassification`] labels hosts.

pub mod annotations;
pub mod bare_metal_host;
pub mod bmc_address;
pub mod bmc_event_subscription;
pub mod data_image;
pub mod firmware_components;
pub mod firmware_schema;
pub mod firmware_settings;
pub mod hardware;
pub mod hardware_classification;
pub mod hardware_data;
pub mod host_claim;
pub mod host_status;
pub mod host_update_policy;
pub mod network;
pub mod preprovisioning_image;
pub mod storage_config;
pub mod validate;

pub use bare_metal_host::*;
pub use bmc_event_subscription::*;
pub use data_image::*;
pub use firmware_components::*;
pub use firmware_schema::*;
pub use firmware_settings::*;
pub use hardware::*;
pub use hardware_classification::*;
pub use hardware_data::*;
pub use host_claim::*;
pub use host_status::*;
pub use host_update_policy::*;
pub use network::*;
pub use preprovisioning_image::*;
pub use storage_config::*;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

use crate::schema::{Install as _, crd};

/// The CRDs of the group. Hosts move with everything they own, so that `clusterctl move` needs no labelling by hand.
pub fn crds() -> Vec<CustomResourceDefinition> {
    vec![
        crd::<BareMetalHost>().moved_with_owned(),
        crd::<HardwareData>().moved(),
        crd::<PreprovisioningImage>().seen_by_move(),
        crd::<FirmwareSchema>().seen_by_move(),
        crd::<HostFirmwareSettings>().seen_by_move(),
        crd::<HostFirmwareComponents>().seen_by_move(),
        crd::<HostUpdatePolicy>().without_status_subresource().seen_by_move(),
        crd::<DataImage>().seen_by_move(),
        crd::<BMCEventSubscription>().seen_by_move(),
        crd::<HostClaim>().seen_by_move(),
        crd::<HostDeployPolicy>().seen_by_move(),
        crd::<HostNetworkAttachment>().seen_by_move(),
        crd::<BareMetalSwitch>().seen_by_move(),
        crd::<HardwareClassification>().seen_by_move(),
    ]
}
