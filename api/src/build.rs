//! Builders of objects for tests and tools: only what the case is about is written.
//!
//! ```
//! use api::build::host;
//! use api::metal3::ProvisioningState;
//!
//! let host = host("ns", "a").bmc("redfish://192.0.2.7").available();
//! assert_eq!(host.status.unwrap().provisioning.state, ProvisioningState::Available);
//! ```

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Resource;

use crate::ipam::{AllocationStrategy, IPClaim, IPPool, Range};
use crate::meta::SecretReference;
use crate::metal3::{
    BareMetalHost, BareMetalHostStatus, ErrorType, HardwareData, HardwareDetails, Image, InspectionMode,
    OperationalStatus, ProvisioningState,
};
use crate::names::finalizer;

/// What every object can be given.
pub trait Build: Resource + Sized {
    /// Adds a label.
    #[must_use]
    fn label(mut self, key: &str, value: &str) -> Self {
        self.meta_mut().labels.get_or_insert_default().insert(key.to_owned(), value.to_owned());
        self
    }
    /// Adds an annotation.
    #[must_use]
    fn annotation(mut self, key: &str, value: &str) -> Self {
        self.meta_mut().annotations.get_or_insert_default().insert(key.to_owned(), value.to_owned());
        self
    }
    /// Adds a finalizer.
    #[must_use]
    fn finalizer(mut self, name: &str) -> Self {
        self.meta_mut().finalizers.get_or_insert_default().push(name.to_owned());
        self
    }
    /// Marks it as being deleted since the start of 2026.
    #[must_use]
    fn deleting(mut self) -> Self {
        // The first instant of 2026 is in range of the type.
        let at = jiff::Timestamp::from_second(1_767_225_600).unwrap_or_default();
        self.meta_mut().deletion_timestamp = Some(at.into());
        self
    }
    /// Sets the resourceVersion.
    #[must_use]
    fn version(mut self, version: &str) -> Self {
        self.meta_mut().resource_version = Some(version.to_owned());
        self
    }
}

impl<K: Resource> Build for K {}

fn identified<K: Resource>(mut object: K, namespace: &str, name: &str) -> K {
    let meta = object.meta_mut();
    meta.namespace = Some(namespace.to_owned());
    meta.name = Some(name.to_owned());
    meta.uid = Some(format!("uid-{namespace}-{name}"));
    meta.resource_version = Some("1".to_owned());
    meta.generation = Some(1);
    object
}

/// A host without anything; its uid is `uid-NAMESPACE-NAME`.
pub fn host(namespace: &str, name: &str) -> BareMetalHost {
    identified(BareMetalHost::default(), namespace, name)
}

impl BareMetalHost {
    /// The status, made when there is none.
    pub fn status_mut(&mut self) -> &mut BareMetalHostStatus {
        self.status.get_or_insert_default()
    }
    /// Sets the address, with credentials in the Secret `NAME-bmc`.
    #[must_use]
    pub fn bmc(mut self, address: &str) -> Self {
        address.clone_into(&mut self.spec.bmc.address);
        self.spec.bmc.credentials_name = format!("{}-bmc", self.metadata.name.as_deref().unwrap_or_default());
        self
    }
    /// Sets `bootMACAddress`.
    #[must_use]
    pub fn mac(mut self, mac: &str) -> Self {
        self.spec.boot_mac_address = Some(mac.to_owned());
        self
    }
    /// Wants it on.
    #[must_use]
    pub fn online(mut self) -> Self {
        self.spec.online = true;
        self
    }
    /// Wants an image, with a checksum.
    #[must_use]
    pub fn image(mut self, url: &str) -> Self {
        self.spec.image = Some(Image { url: url.to_owned(), checksum: Some("0".repeat(64)), ..Image::default() });
        self
    }
    /// Sets `userData`.
    #[must_use]
    pub fn user_data(mut self, secret: &str) -> Self {
        self.spec.user_data = Some(SecretReference::named(secret));
        self
    }
    /// Turns inspection off.
    #[must_use]
    pub fn no_inspection(mut self) -> Self {
        self.spec.inspection_mode = Some(InspectionMode::Disabled);
        self
    }
    /// Is used by an object of this kind in the same namespace.
    #[must_use]
    pub fn consumer(mut self, api_version: &str, kind: &str, name: &str) -> Self {
        self.spec.consumer_ref = Some(ObjectReference {
            api_version: Some(api_version.to_owned()),
            kind: Some(kind.to_owned()),
            name: Some(name.to_owned()),
            namespace: self.metadata.namespace.clone(),
            ..ObjectReference::default()
        });
        self
    }
    /// Is in this state, without fault and with its finalizer.
    #[must_use]
    pub fn state(mut self, state: ProvisioningState) -> Self {
        let status = self.status_mut();
        status.provisioning.state = state;
        status.operational_status = OperationalStatus::Ok;
        if self.metadata.finalizers.is_none() {
            self.metadata.finalizers = Some(vec![finalizer::HOST.to_owned()]);
        }
        self
    }
    /// Is available, with a node in Ironic.
    #[must_use]
    pub fn available(self) -> Self {
        self.state(ProvisioningState::Available).node("11111111-1111-4111-8111-111111111111")
    }
    /// Runs the image that it wants, and is on.
    #[must_use]
    pub fn provisioned(self) -> Self {
        let mut host = self.state(ProvisioningState::Provisioned).node("11111111-1111-4111-8111-111111111111").online();
        let image = host.spec.image.clone();
        let status = host.status_mut();
        status.provisioning.image = image;
        status.powered_on = true;
        host
    }
    /// Has this node in Ironic.
    #[must_use]
    pub fn node(mut self, id: &str) -> Self {
        id.clone_into(&mut self.status_mut().provisioning.id);
        self
    }
    /// Has this fault, seen so often in a row.
    #[must_use]
    pub fn error(mut self, error: ErrorType, message: &str, count: i64) -> Self {
        let status = self.status_mut();
        status.operational_status = OperationalStatus::Error;
        status.error_type = Some(error);
        message.clone_into(&mut status.error_message);
        status.error_count = count;
        self
    }
    /// Was inspected.
    #[must_use]
    pub fn hardware(mut self, hardware: HardwareDetails) -> Self {
        self.status_mut().hardware = Some(hardware);
        self
    }
}

/// What was found in the host of this name.
pub fn hardware_data(namespace: &str, name: &str, hardware: HardwareDetails) -> HardwareData {
    let mut object = identified(HardwareData::default(), namespace, name);
    object.spec.hardware_details = Some(hardware);
    object
}

/// A pool without ranges, whose addresses are named after it.
pub fn ip_pool(namespace: &str, name: &str) -> IPPool {
    let mut pool = identified(IPPool::default(), namespace, name);
    name.clone_into(&mut pool.spec.name_prefix);
    pool
}

impl IPPool {
    /// Adds a range from one address to another.
    #[must_use]
    pub fn range(mut self, start: &str, end: &str) -> Self {
        let range = Range { start: Some(start.to_owned()), end: Some(end.to_owned()), ..Range::default() };
        self.spec.pools.push(range);
        self
    }
    /// Adds a whole subnet.
    #[must_use]
    pub fn subnet(mut self, subnet: &str) -> Self {
        self.spec.pools.push(Range { subnet: Some(subnet.to_owned()), ..Range::default() });
        self
    }
    /// Reserves an address for a claim of this name.
    #[must_use]
    pub fn pre_allocated(mut self, claim: &str, address: &str) -> Self {
        self.spec.pre_allocations.insert(claim.to_owned(), address.to_owned());
        self
    }
    /// Takes addresses in random order.
    #[must_use]
    pub fn random(mut self) -> Self {
        self.spec.allocation_strategy = Some(AllocationStrategy::Random);
        self
    }
    /// Has given an address to the claim of this name.
    #[must_use]
    pub fn allocated(mut self, claim: &str, address: &str) -> Self {
        self.status.get_or_insert_default().allocations.insert(claim.to_owned(), address.to_owned());
        self
    }
}

/// A claim on a pool of the same namespace.
pub fn ip_claim(namespace: &str, name: &str, pool: &str) -> IPClaim {
    let mut claim = identified(IPClaim::default(), namespace, name);
    claim.spec.pool = ObjectReference { name: Some(pool.to_owned()), ..ObjectReference::default() };
    claim
}
