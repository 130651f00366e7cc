//! ipam.metal3.io/v1alpha1 (pools, claims, addresses) and [`capi`], Cluster API's own claim and address.
//!
//! A user writes an [`IPPool`]; the provider (or anybody) writes an [`IPClaim`]; the manager answers with an
//! [`IPAddress`] of the same namespace. Pools serve [`capi::IPAddressClaim`]s alike.

pub mod address;
pub mod capi;
pub mod claim;
pub mod pattern;
pub mod pool;

pub use address::*;
pub use claim::*;
pub use pool::*;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

use crate::names::label;
use crate::schema::{Install as _, crd};

/// The API group.
pub const GROUP: &str = "ipam.metal3.io";

/// The CRDs of the group.
pub fn crds() -> Vec<CustomResourceDefinition> {
    // Contract labels name the API versions that meet a contract; this group has only v1alpha1.
    [crd::<IPPool>(), crd::<IPClaim>(), crd::<IPAddress>()]
        .map(|crd| crd.provider(label::PROVIDER_IPAM, "v1alpha1", "v1alpha1").seen_by_move())
        .to_vec()
}
