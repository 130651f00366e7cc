//! ipam.metal3.io/v1alpha1 (pools, claims, addresses) and [`capi`], Cluster API's own claim and address.
//!
//! A user writes an [`IPPool`]; the provider (or anybody) writes an [`IPClaim`]; the manager answers with an
//! [`IPAddress`] of the same namespace. Pools serve [`capi::IPAddressClaim`]s alike.

pub mod address;
pub mod capi;
pub mod claim;
pub mod interval;
pub mod pattern;
pub mod pool;
pub mod validate;

#[cfg(test)]
mod tests;

pub use address::*;
pub use claim::*;
pub use pool::*;

use std::net::IpAddr;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

use crate::names::label;
use crate::schema::{Install as _, crd};

/// The API group.
pub const GROUP: &str = "ipam.metal3.io";

/// The name of the object of an address, in both groups: the pool's prefix and the address with dashes.
pub fn address_name(name_prefix: &str, address: IpAddr) -> String {
    let text: String = address.to_string().chars().map(|c| if matches!(c, '.' | ':') { '-' } else { c }).collect();
    format!("{name_prefix}-{text}").trim_end_matches('-').to_owned()
}

/// The address of an object of this name, if it is a name that [`address_name`] gives.
pub fn address_of_name(name_prefix: &str, name: &str) -> Option<IpAddr> {
    let text = name.strip_prefix(name_prefix)?.strip_prefix('-')?;
    let six = text.replace('-', ":");
    // Colons at the end are missing in the name.
    let readings = [text.replace('-', "."), format!("{six}::"), six];
    let mut addresses = readings.iter().filter_map(|text| text.parse::<IpAddr>().ok());
    addresses.find(|address| address_name(name_prefix, *address) == name)
}

/// The CRDs of the group.
pub fn crds() -> Vec<CustomResourceDefinition> {
    // Contract labels name the API versions that meet a contract; this group has only v1alpha1.
    [crd::<IPPool>(), crd::<IPClaim>(), crd::<IPAddress>()]
        .map(|crd| crd.provider(label::PROVIDER_IPAM, "v1alpha1", "v1alpha1").seen_by_move())
        .to_vec()
}
