//! The two kinds of claims and of addresses behind one face: `ipam.metal3.io` and `ipam.cluster.x-k8s.io`.
//!
//! Everything that differs between the two APIs is in this folder.

mod address;
mod claim;

pub use address::Address;
pub use claim::Claim;

use api::capi::Cluster;
use api::ipam::capi::{self, IPAddressClaim};
use api::ipam::{IPAddress, IPClaim, IPPool};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kit::key::Key;
use kit::owners;
use kube::core::Resource as _;

/// The API of a claim or address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Flavor {
    /// `ipam.metal3.io`
    Metal3,
    /// `ipam.cluster.x-k8s.io`
    Capi,
}

impl Flavor {
    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Metal3 => Self::Capi,
            Self::Capi => Self::Metal3,
        }
    }

    /// The group of its kinds.
    pub fn group(self) -> &'static str {
        match self {
            Self::Metal3 => api::ipam::GROUP,
            Self::Capi => capi::GROUP,
        }
    }

    /// The kind of its claims, for messages.
    pub fn claim_kind(self) -> &'static str {
        match self {
            Self::Metal3 => "IPClaim",
            Self::Capi => "IPAddressClaim",
        }
    }
}

/// A claim inside its namespace. Claims of both kinds may have the same name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClaimId {
    /// Which API.
    pub flavor: Flavor,
    /// Name.
    pub name: String,
}

/// A [`ClaimId`] borrowed from its object: passes over ten thousand claims make maps of them.
pub type ClaimName<'a> = (Flavor, &'a str);

impl From<ClaimName<'_>> for ClaimId {
    fn from((flavor, name): ClaimName<'_>) -> Self {
        Self { flavor, name: name.to_owned() }
    }
}

/// The pool of a claim or address, as an index value and queue key; `None` when it is of another provider.
pub trait OfPool {
    /// The pool's key.
    fn pool(&self) -> Option<Key>;
}

fn pool_key(meta: &ObjectMeta, name: Option<&str>) -> Option<Key> {
    let name = name.filter(|name| !name.is_empty())?;
    Some(Key::new(meta.namespace.clone().unwrap_or_default(), name))
}

impl OfPool for IPClaim {
    fn pool(&self) -> Option<Key> {
        pool_key(&self.metadata, self.spec.pool.name.as_deref())
    }
}

impl OfPool for IPAddress {
    fn pool(&self) -> Option<Key> {
        pool_key(&self.metadata, self.spec.pool.name.as_deref())
    }
}

impl OfPool for IPAddressClaim {
    fn pool(&self) -> Option<Key> {
        let reference = &self.spec.pool_ref;
        pool_key(&self.metadata, reference.is_ip_pool().then_some(reference.name.as_str()))
    }
}

impl OfPool for capi::IPAddress {
    fn pool(&self) -> Option<Key> {
        let reference = &self.spec.pool_ref;
        pool_key(&self.metadata, reference.is_ip_pool().then_some(reference.name.as_str()))
    }
}

impl OfPool for Claim {
    fn pool(&self) -> Option<Key> {
        match self {
            Self::Metal3(claim) => claim.pool(),
            Self::Capi(claim) => claim.pool(),
        }
    }
}

impl OfPool for Address {
    fn pool(&self) -> Option<Key> {
        match self {
            Self::Metal3(address) => address.pool(),
            Self::Capi(address) => address.pool(),
        }
    }
}

/// The owner reference of a pool to its Cluster, as Cluster API's move follows it.
pub fn cluster_owner(cluster: &Cluster) -> OwnerReference {
    OwnerReference { controller: Some(false), ..owners::owner_reference(cluster, false) }
}

/// The kind of a pool, for messages.
pub fn pool_kind() -> String {
    IPPool::kind(&()).into_owned()
}
