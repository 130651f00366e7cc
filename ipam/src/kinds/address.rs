//! [`Address`]: what is asked of an address object of either kind, and how it ends.

use std::net::IpAddr;
use std::sync::Arc;

use api::ipam::capi;
use api::ipam::{IPAddress, IPPool, interval};
use api::names::finalizer;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kit::pass::Write;
use kit::{diff, owners};

use super::{Claim, ClaimName, Flavor};

/// An address object of either kind.
#[derive(Debug, Clone)]
pub enum Address {
    /// `IPAddress` of `ipam.metal3.io`
    Metal3(Arc<IPAddress>),
    /// `IPAddress` of `ipam.cluster.x-k8s.io`
    Capi(Arc<capi::IPAddress>),
}

impl Address {
    /// Metadata.
    pub fn meta(&self) -> &ObjectMeta {
        match self {
            Self::Metal3(address) => &address.metadata,
            Self::Capi(address) => &address.metadata,
        }
    }

    /// Which API.
    pub fn flavor(&self) -> Flavor {
        self.claim().0
    }

    /// Object name.
    pub fn name(&self) -> &str {
        self.meta().name.as_deref().unwrap_or_default()
    }

    /// The address, unless the text is none (made by hand).
    pub fn ip(&self) -> Option<IpAddr> {
        let text = match self {
            Self::Metal3(address) => &address.spec.address,
            Self::Capi(address) => &address.spec.address,
        };
        interval::parse(text).ok()
    }

    /// The claim that has it.
    pub fn claim(&self) -> ClaimName<'_> {
        match self {
            Self::Metal3(address) => (Flavor::Metal3, address.spec.claim.name.as_deref().unwrap_or_default()),
            Self::Capi(address) => (Flavor::Capi, address.spec.claim_ref.name.as_str()),
        }
    }

    /// Whether we made it: it carries our finalizer.
    pub fn is_ours(&self) -> bool {
        match self {
            Self::Metal3(address) => owners::has_finalizer(&**address, finalizer::IP_ADDRESS),
            Self::Capi(address) => owners::has_finalizer(&**address, finalizer::CAPI_IP_ADDRESS),
        }
    }

    /// Whether it names a claim as its owner, as all that we make do.
    pub fn has_owner(&self) -> bool {
        let (group, kind) = match self {
            Self::Metal3(_) => (api::ipam::GROUP, "IPClaim"),
            Self::Capi(_) => (capi::GROUP, "IPAddressClaim"),
        };
        owners::owner_of_kind(self.meta(), group, kind).is_some()
    }

    /// Whether deletion was requested and only our finalizer keeps it.
    pub fn is_leaving(&self) -> bool {
        self.is_ours() && owners::deleting(self.meta()) && self.meta().finalizers.as_ref().is_some_and(|f| f.len() == 1)
    }

    /// Makes pool and claim its owners again: a restored backup has other uids, and the garbage collector would take
    /// the address for left over. `None` when they are, or when it is not ours.
    pub fn adopt(&self, claim: &Claim, pool: &IPPool) -> Option<Write> {
        let uids = [&pool.metadata.uid, &claim.meta().uid];
        let known = uids.into_iter().flatten().all(|uid| owners::owned_by(self.meta(), uid));
        if known || !self.is_ours() {
            return None;
        }
        let owned = |meta: &mut ObjectMeta| claim.owners(pool).into_iter().for_each(|o| owners::set_owner(meta, o));
        match self {
            Self::Metal3(address) => {
                let mut after = (**address).clone();
                owned(&mut after.metadata);
                diff::object_exact(&**address, &after)
            }
            Self::Capi(address) => {
                let mut after = (**address).clone();
                owned(&mut after.metadata);
                diff::object_exact(&**address, &after)
            }
        }
    }

    /// The writes that end it. The finalizer goes first: between the two a crash leaves an object without finalizer,
    /// which the next pass deletes.
    pub fn end(&self) -> Vec<Write> {
        let (unhold, delete) = match self {
            Self::Metal3(address) => {
                (owners::remove_finalizer(&**address, finalizer::IP_ADDRESS), diff::delete(&**address))
            }
            Self::Capi(address) => {
                (owners::remove_finalizer(&**address, finalizer::CAPI_IP_ADDRESS), diff::delete(&**address))
            }
        };
        match (self.is_ours(), owners::deleting(self.meta())) {
            (true, true) => vec![unhold],
            (true, false) => vec![unhold, delete],
            (false, true) => Vec::new(),
            (false, false) => vec![delete],
        }
    }
}
