//! ipam.metal3.io (pools, claims, addresses) and Cluster API's own address contract.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

/// The CRDs of the group.
pub fn crds() -> Vec<CustomResourceDefinition> {
    Vec::new()
}
