//! [`Subject`]: the objects that data is rendered from, and the lookups that sources need. Pure.

use api::capi::Machine;
use api::infra::v1beta2::{FromAnnotation, Metal3Data, Metal3Machine, ObjectKind};
use api::metal3::BareMetalHost;
use kube::core::ObjectMeta;

/// The objects of one machine.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The index that is rendered.
    pub data: &'a Metal3Data,
    /// Cluster API's machine.
    pub machine: &'a Machine,
    /// Our machine.
    pub metal3_machine: &'a Metal3Machine,
    /// Its host.
    pub host: &'a BareMetalHost,
}

/// Why data cannot be rendered. Every cause is something that a user, an inspection or another controller changes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// The host was not inspected, or inspection found no interfaces.
    #[error("NICs list not populated: host {0} has no inspection data; inspect it")]
    NoNics(String),
    /// The template names an interface that the host does not have.
    #[error("NIC name not found {nic}: host {host} has {known}; name one of them in the template")]
    NoNic {
        /// What the template names.
        nic: String,
        /// The host.
        host: String,
        /// What the host has.
        known: String,
    },
    /// The host's boot address is asked for and not set.
    #[error("host {0} has no bootMACAddress; set it")]
    NoBootMac(String),
    /// A link's address has no form of a MAC address.
    #[error("bad MAC address: {text:?} of link {link}; six pairs of hexadecimal digits are needed")]
    BadMac {
        /// The link.
        link: String,
        /// What it has.
        text: String,
    },
    /// A link that readers of the format cannot find, or whose address they insist on.
    #[error("link {0} has no MAC address; set its macAddress, or the name of a port")]
    NoMac(String),
    /// An annotation that must name something does not.
    #[error("annotation {annotation} not found or empty on {object}; set it")]
    NoAnnotation {
        /// The annotation.
        annotation: String,
        /// The object.
        object: String,
    },
    /// The template names an object that is none of the known ones.
    #[error("unknown object type {0:?}; machine, metal3machine and baremetalhost are known")]
    UnknownObject(String),
    /// One name stands for pools of several kinds.
    #[error("multiple references with the same name but different resource types: {0}; rename one of the pools")]
    PoolClash(String),
    /// An IPv4 or IPv6 network names no pool.
    #[error("network {0} names no pool: set fromPoolRef, ipAddressFromIPPool or fromPoolAnnotation")]
    NoPool(String),
    /// Nobody asked for an address of this pool: our own error.
    #[error("failed to fetch pool from cache: {0}")]
    NoLease(String),
    /// Bond options that the bond's own fields already set.
    #[error("illegal params of bond {bond}: {names} are set by the bond's own fields")]
    BondParameters {
        /// The bond.
        bond: String,
        /// The options.
        names: String,
    },
    /// A prefix length is longer than addresses are.
    #[error("prefix {prefix} of network {network} is out of range")]
    Prefix {
        /// The network.
        network: String,
        /// The prefix length.
        prefix: i64,
    },
}

impl<'a> Subject<'a> {
    /// Metadata of one of the objects.
    pub fn meta(&self, object: &ObjectKind) -> Result<&'a ObjectMeta, RenderError> {
        match known(object) {
            ObjectKind::Machine => Ok(&self.machine.metadata),
            ObjectKind::Metal3Machine => Ok(&self.metal3_machine.metadata),
            ObjectKind::BareMetalHost => Ok(&self.host.metadata),
            ObjectKind::Other(text) => Err(RenderError::UnknownObject(text)),
        }
    }

    /// An annotation that must be there and not empty.
    pub fn annotation(&self, from: &FromAnnotation) -> Result<&'a str, RenderError> {
        let annotations = self.meta(&from.object)?.annotations.as_ref();
        let value = annotations.and_then(|all| all.get(&from.annotation)).map(String::as_str);
        value.filter(|value| !value.is_empty()).ok_or_else(|| RenderError::NoAnnotation {
            annotation: from.annotation.clone(),
            object: from.object.to_string(),
        })
    }

    /// The MAC address of the host's interface of this name, as inspection found it.
    pub fn nic(&self, name: &str) -> Result<&'a str, RenderError> {
        let hardware = self.host.status.as_ref().and_then(|status| status.hardware.as_ref());
        let nics = hardware.map(|hardware| hardware.nics.as_slice()).unwrap_or_default();
        if nics.is_empty() {
            return Err(RenderError::NoNics(self.host_name()));
        }
        let found = nics.iter().find(|nic| nic.name.as_deref() == Some(name)).and_then(|nic| nic.mac.as_deref());
        found.ok_or_else(|| {
            let mut known: Vec<&str> = nics.iter().filter_map(|nic| nic.name.as_deref()).collect();
            known.dedup();
            RenderError::NoNic { nic: name.to_owned(), host: self.host_name(), known: known.join(", ") }
        })
    }

    /// The host's boot MAC address.
    pub fn boot_mac(&self) -> Result<&'a str, RenderError> {
        let address = self.host.spec.boot_mac_address.as_deref().filter(|address| !address.is_empty());
        address.ok_or_else(|| RenderError::NoBootMac(self.host_name()))
    }

    /// Name of the host.
    pub fn host_name(&self) -> String {
        self.host.metadata.name.clone().unwrap_or_default()
    }

    /// The namespace that all of them are in.
    pub fn namespace(&self) -> &'a str {
        self.data.metadata.namespace.as_deref().unwrap_or_default()
    }

    /// `<namespace>/<host>/<machine>`, the part of the provider ID after `metal3://`.
    pub fn provider_id(&self) -> String {
        let machine = self.metal3_machine.metadata.name.as_deref().unwrap_or_default();
        format!("{}/{}/{machine}", self.namespace(), self.host_name())
    }
}

/// Names of objects are understood in any letter case.
fn known(object: &ObjectKind) -> ObjectKind {
    match object {
        ObjectKind::Other(text) => ObjectKind::from(text.to_lowercase()),
        known => known.clone(),
    }
}
