//! Metal3Machine and Metal3MachineTemplate as v1beta1 had them.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{NewConditions, unlimited};
use crate::infra::v1beta2::{
    AutomatedCleaningMode, ChecksumType, CustomDeploy, DiskFormat, HostSelector, MachineAddress, V1Beta1Condition,
};
use crate::meta::{ObjectReference, SecretReference, Time};

/// What runs on the machine and which hosts qualify.
#[derive(CustomResource, Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq)]
#[kube(
    group = "infrastructure.cluster.x-k8s.io",
    version = "v1beta1",
    kind = "Metal3Machine",
    doc = "A Cluster API Machine that runs on a BareMetalHost.",
    plural = "metal3machines",
    singular = "metal3machine",
    namespaced,
    deprecated,
    status = "Metal3MachineStatus",
    derive = "Default",
    derive = "PartialEq",
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "ProviderID", type_ = "string", json_path = ".spec.providerID"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.ready"),
    printcolumn(name = "Cluster", type_ = "string", json_path = r".metadata.labels.cluster\.x-k8s\.io/cluster-name"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase")
)]
#[serde(rename_all = "camelCase")]
pub struct Metal3MachineSpec {
    /// `metal3://<namespace>/<host>/<machine>`, written by the controller.
    #[serde(rename = "providerID", skip_serializing_if = "Option::is_none")]
    pub provider_id: Option<String>,
    /// The operating system image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<Image>,
    /// A deploy method of the ramdisk.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = unlimited)]
    pub custom_deploy: Option<CustomDeploy>,
    /// User data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_data: Option<SecretReference>,
    /// Which hosts qualify.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = unlimited)]
    pub host_selector: Option<HostSelector>,
    /// The Metal3DataTemplate; only name and namespace count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::object_reference")]
    pub data_template: Option<ObjectReference>,
    /// The user's own meta data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta_data: Option<SecretReference>,
    /// The user's own network data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_data: Option<SecretReference>,
    /// What is wiped when the host is released.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub automated_cleaning_mode: Option<AutomatedCleaningMode>,
    /// The failure domain Cluster API chose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_domain: Option<String>,
}

/// An operating system image.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Image {
    /// Where it is.
    pub url: String,
    /// The checksum, or the URL of a file that holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
    /// The checksum's algorithm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checksum_type: Option<ChecksumType>,
    /// The image's format.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<DiskFormat>,
}

/// Observed state of a machine.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Metal3MachineStatus {
    /// When this status last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::time")]
    pub last_updated: Option<Time>,
    /// Reason of an error that only a user can repair.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// Text of that error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_message: Option<String>,
    /// Addresses found at inspection.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<MachineAddress>,
    /// Never had a meaning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// Whether the machine is usable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready: Option<bool>,
    /// The user data Secret the host was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_data: Option<SecretReference>,
    /// The Metal3Data in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::object_reference")]
    pub rendered_data: Option<ObjectReference>,
    /// The meta data Secret in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta_data: Option<SecretReference>,
    /// The network data Secret in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_data: Option<SecretReference>,
    /// Conditions of the first generation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<V1Beta1Condition>,
    /// Conditions of the second generation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub v1beta2: Option<NewConditions>,
}

/// A template of machines.
#[derive(CustomResource, Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq)]
#[kube(
    group = "infrastructure.cluster.x-k8s.io",
    version = "v1beta1",
    kind = "Metal3MachineTemplate",
    doc = "Template from which Cluster API makes Metal3Machines.",
    plural = "metal3machinetemplates",
    singular = "metal3machinetemplate",
    namespaced,
    deprecated,
    derive = "Default",
    derive = "PartialEq",
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct Metal3MachineTemplateSpec {
    /// What the clones look like.
    pub template: Metal3MachineTemplateResource,
    /// Whether released hosts are kept for the same owner's next machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = false))]
    pub node_reuse: Option<bool>,
}

/// The cloned object.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq)]
pub struct Metal3MachineTemplateResource {
    /// Spec of the clones.
    pub spec: Metal3MachineSpec,
}
