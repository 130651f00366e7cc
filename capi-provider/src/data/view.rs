//! What the data controllers know when they decide.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::capi::{Cluster, Machine};
use api::infra::v1beta2::{Metal3Data, Metal3DataClaim, Metal3DataTemplate, Metal3Machine};
use api::ipam::{IPAddress, IPClaim, capi};
use api::metal3::BareMetalHost;
use api::names::label;
use jiff::Timestamp;
use kit::pass::Key;
use kube::core::ObjectMeta;

use super::subject::Subject;

/// A template and everybody who uses it. The template itself may be gone.
#[derive(Debug, Clone)]
pub struct TemplateView {
    /// The template's name, also when it is gone.
    pub key: Key,
    /// The template.
    pub template: Option<Arc<Metal3DataTemplate>>,
    /// Claims that refer to it, by name.
    pub claims: Vec<ClaimView>,
    /// Metal3Data that refer to it or are named like its own.
    pub datas: Vec<Arc<Metal3Data>>,
    /// The time of the pass.
    pub now: Timestamp,
}

/// A claim and what decides whether it may be served.
#[derive(Debug, Clone)]
pub struct ClaimView {
    /// The claim.
    pub claim: Arc<Metal3DataClaim>,
    /// Its Cluster, when its label names one that exists.
    pub cluster: Option<Arc<Cluster>>,
    /// Whether the machine that made it still exists.
    pub machine_exists: bool,
}

/// An index and everything its data is made from.
#[derive(Debug, Clone)]
pub struct DataView {
    /// The index.
    pub data: Arc<Metal3Data>,
    /// Its Cluster, when its label names one that exists.
    pub cluster: Option<Arc<Cluster>>,
    /// The claim that holds it.
    pub claim: Option<Arc<Metal3DataClaim>>,
    /// Its template.
    pub template: Option<Arc<Metal3DataTemplate>>,
    /// The machine that made the claim.
    pub metal3_machine: Option<Arc<Metal3Machine>>,
    /// Cluster API's machine.
    pub machine: Option<Arc<Machine>>,
    /// The machine's host.
    pub host: Option<Arc<BareMetalHost>>,
    /// Claims of Metal3 pools: those it owns and those of the names it would use.
    pub ip_claims: BTreeMap<String, Arc<IPClaim>>,
    /// Answers of those claims.
    pub ip_addresses: BTreeMap<String, Arc<IPAddress>>,
    /// Claims of other pools, likewise.
    pub capi_claims: BTreeMap<String, Arc<capi::IPAddressClaim>>,
    /// Answers of those claims.
    pub capi_addresses: BTreeMap<String, Arc<capi::IPAddress>>,
    /// The Secrets of the names it would use that exist.
    pub secrets: BTreeMap<String, SecretSeen>,
    /// Name address claims after the host.
    pub claims_named_after_host: bool,
    /// The time of the pass.
    pub now: Timestamp,
}

/// What is known of a Secret. Never its content.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SecretSeen {
    /// Whether it is being deleted, or will be: another index controls it.
    pub deleting: bool,
}

impl ClaimView {
    /// Whether the Cluster that the label names is not there, in words.
    pub fn awaited_cluster(&self) -> Option<String> {
        awaited_cluster(&self.claim.metadata).filter(|_| self.cluster.is_none())
    }
}

/// The wait for the Cluster that an object's label names.
pub fn awaited_cluster(meta: &ObjectMeta) -> Option<String> {
    let name = meta.labels.as_ref()?.get(label::CLUSTER_NAME)?;
    Some(format!("waiting for Cluster {name}, which label {} names: create it", label::CLUSTER_NAME))
}

impl DataView {
    /// Name of the index's object.
    pub fn name(&self) -> &str {
        self.data.metadata.name.as_deref().unwrap_or_default()
    }

    /// Namespace of everything.
    pub fn namespace(&self) -> &str {
        self.data.metadata.namespace.as_deref().unwrap_or_default()
    }

    /// Uid of the index's object.
    pub fn uid(&self) -> &str {
        self.data.metadata.uid.as_deref().unwrap_or_default()
    }

    /// The objects that data is rendered from, when all are there.
    pub fn subject(&self) -> Option<Subject<'_>> {
        Some(Subject {
            data: &self.data,
            machine: self.machine.as_deref()?,
            metal3_machine: self.metal3_machine.as_deref()?,
            host: self.host.as_deref()?,
        })
    }
}
