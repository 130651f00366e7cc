//! Machine: what Cluster API wants of one machine, and what it knows of its Node.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use serde::{Deserialize, Serialize};

use super::common::{self, ContractRef, Deprecated};
use crate::infra::v1beta2::MachineAddress;
use crate::meta::text;

/// Desired state of a machine.
#[derive(CustomResource, Serialize, Deserialize, Debug, Clone, Default, PartialEq)]
#[kube(
    group = "cluster.x-k8s.io",
    version = "v1beta2",
    kind = "Machine",
    doc = "A machine of Cluster API.",
    schema = "disabled",
    namespaced,
    status = "MachineStatus",
    derive = "Default",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct MachineSpec {
    /// Name of the Cluster.
    #[serde(default)]
    pub cluster_name: String,
    /// Where the bootstrap data comes from.
    #[serde(default)]
    pub bootstrap: Bootstrap,
    /// The Metal3Machine.
    #[serde(default)]
    pub infrastructure_ref: ContractRef,
    /// Kubernetes version wanted.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The Node's provider ID.
    #[serde(rename = "providerID", default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub provider_id: Option<String>,
    /// The failure domain chosen.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub failure_domain: Option<String>,
}

/// Where the bootstrap data comes from.
#[derive(Serialize, Deserialize, Debug, Clone, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Bootstrap {
    /// The bootstrap provider's object; absent when the user supplies the data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_ref: Option<ContractRef>,
    /// Name of the Secret with the data (key `value`), once it is there.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub data_secret_name: Option<String>,
}

/// Observed state of a machine.
#[derive(Serialize, Deserialize, Debug, Clone, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct MachineStatus {
    /// Second-generation conditions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Milestones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initialization: Option<MachineInitialization>,
    /// The Node, once it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_ref: Option<MachineNodeRef>,
    /// Addresses, copied from the infrastructure machine.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<MachineAddress>,
    /// Phase for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// First-generation status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deprecated: Option<Deprecated>,
}

/// Milestones of a machine; true for ever once true.
#[derive(Serialize, Deserialize, Debug, Clone, Copy, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct MachineInitialization {
    /// The infrastructure machine is provisioned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub infrastructure_provisioned: Option<bool>,
    /// The bootstrap data is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bootstrap_data_secret_created: Option<bool>,
}

/// The Node of a machine.
#[derive(Serialize, Deserialize, Debug, Clone, Default, PartialEq, Eq)]
pub struct MachineNodeRef {
    /// Its name.
    #[serde(default)]
    pub name: String,
}

impl Machine {
    /// Name of the Secret with the bootstrap data, as soon as the data is complete.
    pub fn bootstrap_secret(&self) -> Option<&str> {
        let name = self.spec.bootstrap.data_secret_name.as_deref()?;
        let complete = self.spec.bootstrap.config_ref.is_none()
            || self.status.as_ref().is_some_and(|status| {
                status.initialization.and_then(|i| i.bootstrap_data_secret_created) == Some(true)
                    || common::is_true(status.deprecated.as_ref(), super::condition::BOOTSTRAP_READY)
            });
        complete.then_some(name)
    }

    /// Name of the machine's Node, once Cluster API found it.
    pub fn node_name(&self) -> Option<&str> {
        self.status.as_ref()?.node_ref.as_ref().map(|node| node.name.as_str()).filter(|name| !name.is_empty())
    }
}
