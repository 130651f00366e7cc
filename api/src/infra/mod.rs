//! infrastructure.cluster.x-k8s.io: the kinds of the Cluster API provider.
//!
//! [`v1beta2`] is stored and is what controllers use. [`v1beta1`] is served for manifests of earlier years and
//! converted on the way in and out.

pub mod convert;
mod crd;
pub mod v1beta1;
pub mod v1beta2;
pub mod validate;

pub use crd::crds;

/// The API group of every kind in this module.
pub const GROUP: &str = "infrastructure.cluster.x-k8s.io";
