//! Metal3Machine: one Cluster API Machine on one BareMetalHost.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::common::{Initialization, ObjectRef, V1Beta1Condition};
use crate::meta::SecretReference;

/// What runs on the machine and which hosts qualify.
#[derive(CustomResource, Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq)]
#[kube(
    group = "infrastructure.cluster.x-k8s.io",
    version = "v1beta2",
    kind = "Metal3Machine",
    doc = "A Cluster API Machine that runs on a BareMetalHost.",
    plural = "metal3machines",
    singular = "metal3machine",
    shortname = "m3m",
    shortname = "m3machine",
    shortname = "m3machines",
    shortname = "metal3m",
    shortname = "metal3machine",
    category = "cluster-api",
    namespaced,
    status = "Metal3MachineStatus",
    derive = "Default",
    derive = "PartialEq",
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "ProviderID", type_ = "string", json_path = ".spec.providerID"),
    printcolumn(name = "Provisioned", type_ = "string", json_path = ".status.initialization.provisioned"),
    printcolumn(name = "Cluster", type_ = "string", json_path = r".metadata.labels.cluster\.x-k8s\.io/cluster-name")
)]
#[serde(rename_all = "camelCase")]
pub struct Metal3MachineSpec {
    /// `metal3://<namespace>/<host>/<machine>`, written by the controller; the Node carries the same.
    #[serde(rename = "providerID", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub provider_id: Option<String>,
    /// The operating system image. This or `customDeploy` is needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<Image>,
    /// A deploy method of the ramdisk, instead of or together with an image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_deploy: Option<CustomDeploy>,
    /// User data used when the Machine brings no bootstrap data of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_data: Option<SecretReference>,
    /// Which hosts qualify; absent means every host of the namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_selector: Option<HostSelector>,
    /// The Metal3DataTemplate that renders meta data and network data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_template: Option<ObjectRef>,
    /// The user's own meta data; wins over the rendered one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta_data: Option<SecretReference>,
    /// The user's own network data; wins over the rendered one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_data: Option<SecretReference>,
    /// What is wiped when the host is released; copied to the host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub automated_cleaning_mode: Option<AutomatedCleaningMode>,
    /// The failure domain Cluster API chose; copied from the Machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub failure_domain: Option<String>,
}

/// An operating system image.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Image {
    /// Where it is: `http(s)://`, `file://` or `oci://`.
    #[schemars(length(min = 1, max = 512), extend("format" = "uri"))]
    pub url: String,
    /// The checksum, or the URL of a file that holds it. Not for `oci://`; optional for `live-iso`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 0, max = 512))]
    pub checksum: Option<String>,
    /// The checksum's algorithm. Not for `oci://`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checksum_type: Option<ChecksumType>,
    /// The image's format.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk_format: Option<DiskFormat>,
}

crate::open_enum! {
    /// Algorithm of an image checksum.
    pub enum ChecksumType {
        /// MD5.
        Md5 = "md5",
        /// SHA-256.
        Sha256 = "sha256",
        /// SHA-512.
        Sha512 = "sha512",
    }
}

crate::open_enum! {
    /// Format of an image file.
    pub enum DiskFormat {
        /// A plain disk image.
        Raw = "raw",
        /// QEMU copy-on-write.
        Qcow2 = "qcow2",
        /// VirtualBox.
        Vdi = "vdi",
        /// VMware.
        Vmdk = "vmdk",
        /// A bootable ISO that is run, not written.
        LiveIso = "live-iso",
    }
}

/// A deploy method of the ramdisk.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq, Eq)]
pub struct CustomDeploy {
    /// Its name.
    #[schemars(length(min = 1, max = 512))]
    pub method: String,
}

crate::open_enum! {
    /// What is wiped from the disks when a host is released.
    pub enum AutomatedCleaningMode {
        /// Partition tables and file system headers.
        Metadata = "metadata",
        /// Nothing.
        Disabled = "disabled",
    }
}

/// Which hosts qualify, by label. All parts must hold.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct HostSelector {
    /// Labels the host must have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<String, String>,
    /// Requirements the host's labels must meet.
    // The published list is keyed by `key`; that refuses two requirements on one label, which v1beta1 allows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 512), extend("x-kubernetes-list-type" = "atomic"))]
    pub match_expressions: Vec<HostSelectorRequirement>,
}

/// One requirement on a label.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq, Eq)]
pub struct HostSelectorRequirement {
    /// The label's key.
    #[schemars(length(min = 1, max = 512))]
    pub key: String,
    /// `in`, `notin`, `exists`, `!`, `=`, `==`, `!=`, `gt` or `lt`, in any letter case.
    pub operator: String,
    /// Operands: none for `exists` and `!`, one for comparisons.
    #[schemars(length(max = 512), inner(length(min = 1, max = 512)), extend("x-kubernetes-list-type" = "set"))]
    pub values: Vec<String>,
}

/// Observed state of a machine.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Metal3MachineStatus {
    /// Conditions: Ready, AssociateBareMetalHost, AssociateMetal3MachineMetaData, Metal3DataReady, Paused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::conditions")]
    pub conditions: Vec<Condition>,
    /// When this status last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::time")]
    pub last_updated: Option<Time>,
    /// Addresses found at inspection.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 32), extend("x-kubernetes-list-type" = "atomic"))]
    pub addresses: Vec<MachineAddress>,
    /// Contract field of Cluster API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initialization: Option<Initialization>,
    /// The user data Secret the host was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_data: Option<SecretReference>,
    /// The Metal3Data in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rendered_data: Option<ObjectRef>,
    /// The meta data Secret in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta_data: Option<SecretReference>,
    /// The network data Secret in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_data: Option<SecretReference>,
    /// What older readers expect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deprecated: Option<Metal3MachineDeprecated>,
}

/// An address or name of a machine.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MachineAddress {
    /// What kind of address.
    #[serde(rename = "type")]
    pub type_: AddressType,
    /// The address.
    #[schemars(length(min = 1, max = 256))]
    pub address: String,
}

crate::open_enum! {
    /// Kinds of machine addresses, as Cluster API defines them.
    pub enum AddressType {
        /// A host name.
        Hostname = "Hostname",
        /// An address reachable from outside.
        ExternalIP = "ExternalIP",
        /// An address inside the network.
        InternalIP = "InternalIP",
        /// A name that resolves to external addresses.
        ExternalDNS = "ExternalDNS",
        /// A name that resolves to internal addresses.
        InternalDNS = "InternalDNS",
    }
}

/// Deprecated status, by the API version that defined it.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq)]
pub struct Metal3MachineDeprecated {
    /// Status as v1beta1 had it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub v1beta1: Option<Metal3MachineV1Beta1Deprecated>,
}

/// Status as v1beta1 had it.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Metal3MachineV1Beta1Deprecated {
    /// Conditions of the first generation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<V1Beta1Condition>,
    /// Reason of an error that only a user can repair.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// Text of that error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_message: Option<String>,
}
