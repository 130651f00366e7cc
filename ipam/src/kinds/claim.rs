//! [`Claim`]: what is asked of a claim of either kind, and what is written to it.

use std::net::IpAddr;
use std::sync::Arc;

use api::ipam::capi::{self, IPAddressClaim, NameRef, PoolRef, ready_reason};
use api::ipam::{IPAddress, IPClaim, IPPool, address_name, address_of_name};
use api::names::{annotation, finalizer, label};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kit::conditions::{self, Condition};
use kit::key::Target;
use kit::pass::Write;
use kit::{diff, owners};

use super::{ClaimId, ClaimName, Flavor};
use crate::space::{Chosen, Refusal};

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
    pub fn name(&self) -> ClaimName<'_> {
        let flavor = match self {
            Self::Metal3(_) => Flavor::Metal3,
            Self::Capi(_) => Flavor::Capi,
        };
        (flavor, self.meta().name.as_deref().unwrap_or_default())
    }

    /// The same, for keeping.
    pub fn id(&self) -> ClaimId {
        self.name().into()
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

    /// The name of the address object that it was told.
    pub fn told(&self) -> Option<&str> {
        let name = match self {
            Self::Metal3(claim) => claim.status.as_ref()?.address.as_ref()?.name.as_deref()?,
            Self::Capi(claim) => claim.status.as_ref()?.address_ref.name.as_str(),
        };
        Some(name).filter(|name| !name.is_empty())
    }

    /// The address that it was told before, by the name of the object.
    pub fn before(&self, pool: &IPPool) -> Option<IpAddr> {
        address_of_name(&pool.spec.name_prefix, self.told()?)
    }

    fn finalizer(&self) -> &'static str {
        match self {
            Self::Metal3(_) => finalizer::IP_CLAIM,
            Self::Capi(_) => finalizer::CAPI_IP_ADDRESS_CLAIM,
        }
    }

    /// Adds our finalizer, before an address is made.
    pub fn hold(&self) -> Option<Write> {
        (!self.is_held()).then(|| self.confirm())
    }

    /// Removes our finalizer, after the address is gone.
    pub fn let_go(&self) -> Option<Write> {
        let write = || match self {
            Self::Metal3(claim) => owners::remove_finalizer(&**claim, self.finalizer()),
            Self::Capi(claim) => owners::remove_finalizer(&**claim, self.finalizer()),
        };
        self.is_held().then(write)
    }

    /// Whether its status says that it has this address object, and nothing else. Cheap: most claims of a pool are
    /// like this, and every pass asks each of them.
    fn knows(&self, object: &str) -> bool {
        let fine = match self {
            Self::Metal3(claim) => claim.status.as_ref().is_some_and(|status| status.error_message.is_none()),
            Self::Capi(claim) => {
                let conditions = claim.status.as_ref().map(|status| status.conditions.as_slice());
                conditions::get(conditions.unwrap_or_default(), "Ready").is_some_and(|ready| {
                    ready.status == "True" && ready.observed_generation.is_none_or(|seen| self.is_of(seen))
                })
            }
        };
        fine && self.told() == Some(object)
    }

    fn is_of(&self, generation: i64) -> bool {
        self.meta().generation.is_none_or(|own| own == generation)
    }

    /// The status of a claim that has the address of this object name; `None` when it says so already. Guarded by the
    /// claim's version: of two managers that run at once the first tells.
    pub fn grant(&self, object: &str, now: Timestamp) -> Option<Write> {
        if self.knows(object) {
            return None;
        }
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
                diff::status_exact(&**claim, &after)
            }
            Self::Capi(claim) => {
                let mut after = (**claim).clone();
                let status = after.status.get_or_insert_default();
                status.address_ref = NameRef { name: object.to_owned() };
                let ready = Condition::yes("Ready", ready_reason::ALLOCATED);
                conditions::set(&mut status.conditions, &ready, claim.metadata.generation, now);
                diff::status_exact(&**claim, &after)
            }
        }
    }

    /// Whether its status says this already.
    fn was_refused(&self, refusal: &Refusal) -> bool {
        let text = refusal.to_string();
        let told = match self {
            Self::Metal3(claim) => claim.status.as_ref().is_some_and(|status| status.error_message == Some(text)),
            Self::Capi(claim) => {
                let conditions = claim.status.as_ref().map(|status| status.conditions.as_slice());
                conditions::get(conditions.unwrap_or_default(), "Ready").is_some_and(|ready| {
                    (ready.status.as_str(), ready.reason.as_str()) == ("False", reason(refusal))
                        && ready.message == text
                        && ready.observed_generation.is_some_and(|seen| self.is_of(seen))
                })
            }
        };
        told && self.told().is_none()
    }

    /// The status of a claim that gets no address now; `None` when it says so already. An IPClaim on a missing pool
    /// is left alone: its consumers take an error message for final, and the pool may come any moment.
    pub fn refuse(&self, refusal: &Refusal, now: Timestamp) -> Option<Write> {
        if self.was_refused(refusal) {
            return None;
        }
        match self {
            Self::Metal3(_) if *refusal == Refusal::PoolMissing => None,
            Self::Metal3(claim) => {
                let mut after = (**claim).clone();
                let status = after.status.get_or_insert_default();
                status.address = None;
                status.error_message = Some(refusal.to_string());
                diff::status_exact(&**claim, &after)
            }
            Self::Capi(claim) => {
                let mut after = (**claim).clone();
                let status = after.status.get_or_insert_default();
                status.address_ref = NameRef::default();
                let ready = Condition::no("Ready", reason(refusal), refusal.to_string());
                conditions::set(&mut status.conditions, &ready, claim.metadata.generation, now);
                diff::status_exact(&**claim, &after)
            }
        }
    }

    /// Proves, under the claim's version, that it still is what the cache says; it is held then, which mostly changes
    /// nothing.
    pub fn confirm(&self) -> Write {
        match self {
            Self::Metal3(claim) => owners::add_finalizer(&**claim, self.finalizer()),
            Self::Capi(claim) => owners::add_finalizer(&**claim, self.finalizer()),
        }
    }

    /// As [`Claim::refuse`], when the API server refused the address object; with the text that it is told.
    pub fn fail(&self, message: &str, now: Timestamp) -> Option<(String, Write)> {
        let text = format!("Failed to create associated IPAddress object: {message}");
        let write = match self {
            Self::Metal3(claim) => {
                let mut after = (**claim).clone();
                after.status.get_or_insert_default().error_message = Some(text.clone());
                diff::status(&**claim, &after)
            }
            Self::Capi(claim) => {
                let mut after = (**claim).clone();
                let ready = Condition::no("Ready", ready_reason::ALLOCATION_FAILED, text.clone());
                let list = &mut after.status.get_or_insert_default().conditions;
                conditions::set(list, &ready, claim.metadata.generation, now);
                diff::status(&**claim, &after)
            }
        };
        Some((text, write?))
    }

    /// The creation of the address object that this claim gets.
    pub fn make_address(&self, pool: &IPPool, chosen: &Chosen) -> Write {
        let metadata = ObjectMeta {
            name: Some(address_name(&pool.spec.name_prefix, chosen.ip)),
            namespace: self.meta().namespace.clone(),
            labels: self.meta().labels.clone(),
            owner_references: Some(self.owners(pool).to_vec()),
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
    pub(super) fn owners(&self, pool: &IPPool) -> [OwnerReference; 2] {
        let of_pool = OwnerReference {
            controller: Some(false),
            block_owner_deletion: Some(true),
            ..owners::owner_reference(pool, false)
        };
        let of_claim = match self {
            Self::Metal3(claim) => owners::owner_reference(&**claim, true),
            Self::Capi(claim) => owners::owner_reference(&**claim, true),
        };
        [of_pool, of_claim]
    }
}

fn reason(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Exhausted(_) => ready_reason::POOL_EXHAUSTED,
        Refusal::PoolDeleting | Refusal::PoolMissing => ready_reason::POOL_NOT_READY,
        Refusal::BadRequest(_)
        | Refusal::Conflict
        | Refusal::NotAvailable
        | Refusal::RequestedOutside(_)
        | Refusal::PreAllocatedOutside
        | Refusal::PreAllocatedTaken(_)
        | Refusal::InTheWay { .. }
        | Refusal::Collides { .. }
        | Refusal::BadPrefix(_) => ready_reason::ALLOCATION_FAILED,
    }
}
