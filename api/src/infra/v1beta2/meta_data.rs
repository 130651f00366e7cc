//! Sources of the meta data map of a Metal3DataTemplate.

use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use super::ObjectKind;

/// Every source adds one key to a flat map of strings. Later groups win over earlier ones with the same key;
/// the order is the one in which the groups are rendered.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct MetaData {
    /// MAC addresses of the host.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = keyed)]
    pub from_host_interfaces: Vec<MetaDataHostInterface>,
    /// Addresses from pools.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = keyed)]
    pub ip_addresses_from_pool: Vec<FromPool>,
    /// Prefix lengths of pool addresses, decimal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = keyed)]
    pub prefixes_from_pool: Vec<FromPool>,
    /// Gateways of pools.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = keyed)]
    pub gateways_from_pool: Vec<FromPool>,
    /// DNS servers of pools, comma separated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = keyed)]
    pub dns_servers_from_pool: Vec<FromPool>,
    /// Numbers made from the machine's index.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = keyed)]
    pub indexes: Vec<MetaDataIndex>,
    /// The namespace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = keyed)]
    pub namespaces: Vec<MetaDataNamespace>,
    /// Names of the machine's objects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = keyed)]
    pub object_names: Vec<MetaDataObjectName>,
    /// Labels of the machine's objects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = keyed)]
    pub from_labels: Vec<MetaDataFromLabel>,
    /// Annotations of the machine's objects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = keyed)]
    pub from_annotations: Vec<MetaDataFromAnnotation>,
    /// Literal values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = keyed)]
    pub strings: Vec<MetaDataString>,
}

/// Limits that every list of sources has: 1 to 512 entries with distinct keys.
fn keyed(schema: &mut Schema) {
    schema.insert("minItems".into(), 1.into());
    schema.insert("maxItems".into(), 512.into());
    schema.insert("x-kubernetes-list-type".into(), "map".into());
    schema.insert("x-kubernetes-list-map-keys".into(), vec!["key"].into());
}

/// A literal value.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq, Eq)]
pub struct MetaDataString {
    /// Key in the map.
    #[schemars(length(min = 1, max = 512))]
    pub key: String,
    /// The value.
    #[schemars(length(min = 1, max = 512))]
    pub value: String,
}

/// The name of one of the machine's objects.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, PartialEq, Eq)]
pub struct MetaDataObjectName {
    /// Key in the map.
    #[schemars(length(min = 1, max = 512))]
    pub key: String,
    /// Which object.
    pub object: ObjectKind,
}

/// A number made from the machine's index: `prefix`, then `offset + index × step`, then `suffix`.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq, Eq)]
pub struct MetaDataIndex {
    /// Key in the map.
    #[schemars(length(min = 1, max = 512))]
    pub key: String,
    /// The number of index 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub offset: Option<i32>,
    /// Distance between neighbouring indexes; 1 when absent or 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1), extend("default" = 1))]
    pub step: Option<i32>,
    /// Text before the number.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub prefix: Option<String>,
    /// Text after the number.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub suffix: Option<String>,
}

/// The namespace of the machine's objects.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq, Eq)]
pub struct MetaDataNamespace {
    /// Key in the map.
    #[schemars(length(min = 1, max = 512))]
    pub key: String,
}

/// Something of the address that a pool gives to the machine.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct FromPool {
    /// Key in the map.
    #[schemars(length(min = 1, max = 512))]
    pub key: String,
    /// Name of the pool.
    #[schemars(length(min = 1, max = 512))]
    pub name: String,
    /// API group of the pool; `ipam.metal3.io` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512), extend("default" = "ipam.metal3.io"))]
    pub api_group: Option<String>,
    /// Kind of the pool; `IPPool` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512), extend("default" = "IPPool"))]
    pub kind: Option<String>,
}

/// A MAC address of the host.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq, Eq)]
pub struct MetaDataHostInterface {
    /// Key in the map.
    #[schemars(length(min = 1, max = 512))]
    pub key: String,
    /// Name of the network interface at inspection. Not together with `fromBootMAC`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub interface: Option<String>,
    /// Take the host's boot MAC address.
    #[serde(rename = "fromBootMAC", skip_serializing_if = "Option::is_none")]
    pub from_boot_mac: Option<bool>,
}

/// A label of one of the machine's objects; empty when the object lacks it.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, PartialEq, Eq)]
pub struct MetaDataFromLabel {
    /// Key in the map.
    #[schemars(length(min = 1, max = 512))]
    pub key: String,
    /// Which object.
    pub object: ObjectKind,
    /// Which label.
    #[schemars(length(min = 1, max = 512))]
    pub label: String,
}

/// An annotation of one of the machine's objects; empty when the object lacks it.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, PartialEq, Eq)]
pub struct MetaDataFromAnnotation {
    /// Key in the map.
    #[schemars(length(min = 1, max = 512))]
    pub key: String,
    /// Which object.
    pub object: ObjectKind,
    /// Which annotation.
    #[schemars(length(min = 1, max = 512))]
    pub annotation: String,
}
