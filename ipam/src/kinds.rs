//! The two kinds of claims and of addresses behind one face: `ipam.metal3.io` and `ipam.cluster.x-k8s.io`.
//!
//! Everything that differs between the two APIs is in this file.

use std::net::IpAddr;
use std::sync::Arc;

use api::capi::Cluster;
use api::ipam::capi::{self, IPAddressClaim, NameRef, PoolRef, ready_reason};
use api::ipam::{IPAddress, IPClaim, IPPool, address_name, interval};
use api::names::{annotation, finalizer, label};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kit::conditions::{self, Condition};
use kit::key::{Key, Target};
use kit::pass::Write;
use kit::{diff, owners};
use kube::core::Resource as _;

use crate::space::{Chosen, Refusal};

/// The API of a claim or address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flavor {
    /// `ipam.metal3.io`
    Metal3,
    /// `ipam.cluster.x-k8s.io`
    Capi,
}

/// A claim inside its namespace. Claims of both kinds may have the same name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClaimId {
    /// Which API.
    pub flavor: Flavor,
    /// Name.
    pub name: String,
}

/// A claim of either kind.
#[derive(Debug, Clone)]
pub enum Claim {
    /// `IPClaim`
    Metal3(Arc<IPClaim>),
    /// `IPAddressClaim`
    Capi(Arc<IPAddressClaim>),
}

/// Finalizers that Kubernetes itself sets for cascading deletion. The garbage collector waits for our address to
/// go, so waiting for these would never end.
const CASCADE: [&str; 2] = ["foregroundDeletion", "orphan"];

impl Claim {
    /// Metadata.
    pub fn meta(&self) -> &ObjectMeta {
        match self {
            Self::Metal3(claim) => &claim.metadata,
            Self::Capi(claim) => &claim.metadata,
        }
    }

    /// Kind and name.
    pub fn id(&self) -> ClaimId {
        let flavor = match self {
            Self::Metal3(_) => Flavor::Metal3,
            Self::Capi(_) => Flavor::Capi,
        };
        ClaimId { flavor, name: self.meta().name.clone().unwrap_or_default() }
    }

    /// For events.
    pub fn target(&self) -> Target {
        match self {
            Self::Metal3(claim) => Target::of(&**claim),
            Self::Capi(claim) => Target::of(&**claim),
        }
    }

    /// The Cluster that the claim belongs to.
    pub fn cluster(&self) -> Option<&str> {
        let labelled = || self.meta().labels.as_ref()?.get(label::CLUSTER_NAME).map(String::as_str);
        match self {
            Self::Metal3(_) => labelled(),
            Self::Capi(claim) => claim.spec.cluster_name.as_deref().or_else(labelled),
        }
    }

    /// The address that its annotation asks for, as written.
    pub fn requested(&self) -> Option<&str> {
        self.meta().annotations.as_ref()?.get(annotation::IP_ADDRESS).map(String::as_str)
    }

    /// Whether deletion was requested.
    pub fn is_deleting(&self) -> bool {
        owners::deleting(self.meta())
    }

    /// Whether somebody else still holds the claim by a finalizer: its address is in use.
    pub fn is_held_by_others(&self) -> bool {
        let mut names = self.meta().finalizers.iter().flatten();
        names.any(|name| name != self.finalizer() && !CASCADE.contains(&name.as_str()))
    }

    /// Whether it carries our finalizer.
    pub fn is_held(&self) -> bool {
        self.meta().finalizers.iter().flatten().any(|name| name == self.finalizer())
    }

    /// Whether it was told an address before.
    pub fn was_served(&self) -> bool {
        match self {
            Self::Metal3(claim) => claim.status.as_ref().is_some_and(|status| status.address.is_some()),
            Self::Capi(claim) => claim.status.as_ref().is_some_and(|status| !status.address_ref.name.is_empty()),
        }
    }

    fn finalizer(&self) -> &'static str {
        match self {
            Self::Metal3(_) => finalizer::IP_CLAIM,
            Self::Capi(_) => finalizer::CAPI_IP_ADDRESS_CLAIM,
        }
    }

    /// Adds our finalizer, before an address is made.
    pub fn hold(&self) -> Option<Write> {
        let write = || match self {
            Self::Metal3(claim) => owners::add_finalizer(&**claim, self.finalizer()),
            Self::Capi(claim) => owners::add_finalizer(&**claim, self.finalizer()),
        };
        (!self.is_held()).then(write)
    }

    /// Removes our finalizer, after the address is gone.
    pub fn let_go(&self) -> Option<Write> {
        let write = || match self {
            Self::Metal3(claim) => owners::remove_finalizer(&**claim, self.finalizer()),
            Self::Capi(claim) => owners::remove_finalizer(&**claim, self.finalizer()),
        };
        self.is_held().then(write)
    }

    /// The status of a claim that has the address of this object name; `None` when it says so already.
    pub fn grant(&self, object: &str, now: Timestamp) -> Option<Write> {
        match self {
            Self::Metal3(claim) => {
                let mut after = (**claim).clone();
                let status = after.status.get_or_insert_default();
                status.address = Some(ObjectReference {
                    name: Some(object.to_owned()),
                    namespace: claim.metadata.namespace.clone(),
                    ..ObjectReference::default()
                });
                status.error_message = None;
                diff::status(&**claim, &after)
            }
            Self::Capi(claim) => {
                let mut after = (**claim).clone();
                let status = after.status.get_or_insert_default();
                status.address_ref = NameRef { name: object.to_owned() };
                let ready = Condition::yes("Ready", ready_reason::ALLOCATED);
                conditions::set(&mut status.conditions, &ready, claim.metadata.generation, now);
                diff::status(&**claim, &after)
            }
        }
    }

    /// The status of a claim that gets no address now; `None` when it says so already. An IPClaim on a missing pool
    /// is left alone: its consumers take an error message for final, and the pool may come any moment.
    pub fn refuse(&self, refusal: &Refusal, now: Timestamp) -> Option<Write> {
        match self {
            Self::Metal3(_) if *refusal == Refusal::PoolMissing => None,
            Self::Metal3(claim) => {
                let mut after = (**claim).clone();
                let status = after.status.get_or_insert_default();
                status.address = None;
                status.error_message = Some(refusal.to_string());
                diff::status(&**claim, &after)
            }
            Self::Capi(claim) => {
                let mut after = (**claim).clone();
                let status = after.status.get_or_insert_default();
                status.address_ref = NameRef::default();
                let ready = Condition::no("Ready", reason(refusal), refusal.to_string());
                conditions::set(&mut status.conditions, &ready, claim.metadata.generation, now);
                diff::status(&**claim, &after)
            }
        }
    }

    /// As [`Claim::refuse`], when the API server refused the address object.
    pub fn fail(&self, message: &str, now: Timestamp) -> Option<Write> {
        let text = format!("Failed to create associated IPAddress object: {message}");
        match self {
            Self::Metal3(claim) => {
                let mut after = (**claim).clone();
                after.status.get_or_insert_default().error_message = Some(text);
                diff::status(&**claim, &after)
            }
            Self::Capi(claim) => {
                let mut after = (**claim).clone();
                let ready = Condition::no("Ready", ready_reason::ALLOCATION_FAILED, text);
                let list = &mut after.status.get_or_insert_default().conditions;
                conditions::set(list, &ready, claim.metadata.generation, now);
                diff::status(&**claim, &after)
            }
        }
    }

    /// The creation of the address object that this claim gets.
    pub fn make_address(&self, pool: &IPPool, chosen: &Chosen) -> Write {
        let metadata = ObjectMeta {
            name: Some(address_name(&pool.spec.name_prefix, chosen.ip)),
            namespace: self.meta().namespace.clone(),
            labels: self.meta().labels.clone(),
            owner_references: Some(self.owners(pool)),
            ..ObjectMeta::default()
        };
        let pool_name = pool.metadata.name.clone().unwrap_or_default();
        let reference = |name: Option<String>| ObjectReference {
            name,
            namespace: self.meta().namespace.clone(),
            ..ObjectReference::default()
        };
        match self {
            Self::Metal3(claim) => diff::create(&IPAddress {
                metadata: ObjectMeta { finalizers: Some(vec![finalizer::IP_ADDRESS.to_owned()]), ..metadata },
                spec: api::ipam::IPAddressSpec {
                    claim: reference(claim.metadata.name.clone()),
                    pool: reference(Some(pool_name)),
                    prefix: chosen.network.prefix,
                    gateway: chosen.network.gateway.clone(),
                    address: chosen.ip.to_string(),
                    dns_servers: chosen.network.dns_servers.clone(),
                },
            }),
            Self::Capi(claim) => diff::create(&capi::IPAddress {
                metadata: ObjectMeta { finalizers: Some(vec![finalizer::CAPI_IP_ADDRESS.to_owned()]), ..metadata },
                spec: capi::IPAddressSpec {
                    claim_ref: NameRef { name: claim.metadata.name.clone().unwrap_or_default() },
                    pool_ref: PoolRef::ip_pool(pool_name),
                    address: chosen.ip.to_string(),
                    prefix: chosen.network.prefix as i32,
                    gateway: chosen.network.gateway.clone(),
                },
            }),
        }
    }

    /// Owners of the address: the pool, and the claim as the managing one, as Cluster API's contract wants it.
    fn owners(&self, pool: &IPPool) -> Vec<OwnerReference> {
        let of_pool = OwnerReference {
            controller: Some(false),
            block_owner_deletion: Some(true),
            ..owners::owner_reference(pool, false)
        };
        let of_claim = match self {
            Self::Metal3(claim) => owners::owner_reference(&**claim, true),
            Self::Capi(claim) => owners::owner_reference(&**claim, true),
        };
        vec![of_pool, of_claim]
    }
}

fn reason(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Exhausted => ready_reason::POOL_EXHAUSTED,
        Refusal::PoolDeleting | Refusal::PoolMissing => ready_reason::POOL_NOT_READY,
        Refusal::BadRequest(_)
        | Refusal::Conflict
        | Refusal::NotAvailable
        | Refusal::RequestedOutside(_)
        | Refusal::PreAllocatedOutside
        | Refusal::PreAllocatedTaken(_)
        | Refusal::BadPrefix(_) => ready_reason::ALLOCATION_FAILED,
    }
}

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
    pub fn claim(&self) -> ClaimId {
        match self {
            Self::Metal3(address) => {
                ClaimId { flavor: Flavor::Metal3, name: address.spec.claim.name.clone().unwrap_or_default() }
            }
            Self::Capi(address) => ClaimId { flavor: Flavor::Capi, name: address.spec.claim_ref.name.clone() },
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

/// The owner reference of a pool to its Cluster, as Cluster API's move follows it.
pub fn cluster_owner(cluster: &Cluster) -> OwnerReference {
    OwnerReference { controller: Some(false), ..owners::owner_reference(cluster, false) }
}

/// The kind of a pool, for messages.
pub fn pool_kind() -> String {
    IPPool::kind(&()).into_owned()
}
