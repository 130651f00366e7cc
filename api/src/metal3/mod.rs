//! metal3.io/v1alpha1: hosts and everything a host owns.
//!
//! A [`BareMetalHost`] is one machine. Inspection fills its [`HardwareDetails`]; images, power and firmware follow
//! its spec.

pub mod bare_metal_host;
pub mod hardware;
pub mod host_status;
pub mod storage_config;

pub use bare_metal_host::*;
pub use hardware::*;
pub use host_status::*;
pub use storage_config::*;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

use crate::schema::{Install as _, crd};

/// The CRDs of the group. Hosts move with everything they own, so that `clusterctl move` needs no labelling by hand.
pub fn crds() -> Vec<CustomResourceDefinition> {
    vec![crd::<BareMetalHost>().moved_with_owned()]
}
