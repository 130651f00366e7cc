//! ipam.cluster.x-k8s.io/v1beta2: Cluster API's own claim and address. Their CRDs come with Cluster API.

use kube::CustomResource;
use serde::{Deserialize, Serialize};

use crate::absent_spec_is_default;
use crate::meta::{Condition, or_default, text};

/// Group of these kinds.
pub const GROUP: &str = "ipam.cluster.x-k8s.io";

/// Asks a pool of any provider for an address.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[kube(
    group = "ipam.cluster.x-k8s.io",
    version = "v1beta2",
    kind = "IPAddressClaim",
    plural = "ipaddressclaims",
    namespaced,
    schema = "disabled",
    status = "IPAddressClaimStatus",
    derive = "PartialEq",
    derive = "Default"
)]
#[serde(rename_all = "camelCase", remote = "Self")]
pub struct IPAddressClaimSpec {
    /// The Cluster that the claim belongs to, 1 to 63 characters.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub cluster_name: Option<String>,
    /// The pool. Ours only when group and kind are those of an IPPool.
    #[serde(default)]
    pub pool_ref: PoolRef,
}

absent_spec_is_default!(IPAddressClaimSpec);

/// A pool of some provider, in the own namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PoolRef {
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Its kind.
    #[serde(default)]
    pub kind: String,
    /// Its group.
    #[serde(default)]
    pub api_group: String,
}

impl PoolRef {
    /// The reference to one of our pools.
    pub fn ip_pool(name: impl Into<String>) -> Self {
        Self { name: name.into(), kind: "IPPool".to_owned(), api_group: super::GROUP.to_owned() }
    }

    /// Whether it refers to one of our pools.
    pub fn is_ip_pool(&self) -> bool {
        self.kind == "IPPool" && self.api_group == super::GROUP
    }
}

/// The address that a claim got.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IPAddressClaimStatus {
    /// `Ready`: the address is there; see [`ready_reason`].
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// The IPAddress.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "crate::meta::is_default")]
    pub address_ref: NameRef,
}

/// The name of an object of a known kind in the own namespace; empty while there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NameRef {
    /// Its name.
    #[serde(default)]
    pub name: String,
}

/// Reasons of a claim's `Ready` condition that Cluster API defines, and ours for success.
pub mod ready_reason {
    /// No address could be given.
    pub const ALLOCATION_FAILED: &str = "AllocationFailed";
    /// The pool does not exist, or is being deleted.
    pub const POOL_NOT_READY: &str = "PoolNotReady";
    /// The pool has no free address.
    pub const POOL_EXHAUSTED: &str = "PoolExhausted";
    /// The address is there.
    pub const ALLOCATED: &str = "Allocated";
}

/// One address that is in use.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[kube(
    group = "ipam.cluster.x-k8s.io",
    version = "v1beta2",
    kind = "IPAddress",
    plural = "ipaddresses",
    namespaced,
    schema = "disabled",
    derive = "PartialEq",
    derive = "Default"
)]
#[serde(rename_all = "camelCase", remote = "Self")]
pub struct IPAddressSpec {
    /// The claim that has it.
    #[serde(default)]
    pub claim_ref: NameRef,
    /// The pool that it is from.
    #[serde(default)]
    pub pool_ref: PoolRef,
    /// The address, 1 to 39 characters.
    #[serde(default)]
    pub address: String,
    /// Prefix length of its subnet, 0 to 128. Always written.
    #[serde(default)]
    pub prefix: i32,
    /// Gateway of its subnet.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
}

absent_spec_is_default!(IPAddressSpec);
