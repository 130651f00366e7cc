//! Metal3DataTemplate as v1beta1 had it.

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::unlimited;
use crate::infra::v1beta2::{
    BondMode, BondXmitHashPolicy, Ethernet, MacAddress, MetaDataFromAnnotation, MetaDataFromLabel,
    MetaDataHostInterface, MetaDataIndex, MetaDataNamespace, MetaDataObjectName, MetaDataString, Networks, Services,
    Vlan,
};
use crate::meta::Time;

/// How the data is made.
#[derive(CustomResource, Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq)]
#[kube(
    group = "infrastructure.cluster.x-k8s.io",
    version = "v1beta1",
    kind = "Metal3DataTemplate",
    doc = "How meta data and network data of machines are rendered.",
    plural = "metal3datatemplates",
    singular = "metal3datatemplate",
    namespaced,
    deprecated,
    status = "Metal3DataTemplateStatus",
    derive = "Default",
    derive = "PartialEq",
    printcolumn(name = "Cluster", type_ = "string", json_path = r".metadata.labels.cluster\.x-k8s\.io/cluster-name"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct Metal3DataTemplateSpec {
    /// The cluster the template was for; ignored.
    #[schemars(length(min = 1))]
    pub cluster_name: String,
    /// Name of an older template whose indexes are continued; no longer used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template_reference: Option<String>,
    /// Sources of the meta data map.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta_data: Option<MetaData>,
    /// Links, networks and services.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_data: Option<NetworkData>,
}

/// Observed state of a template.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Metal3DataTemplateStatus {
    /// Index of each claim, by the claim's name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(transform = unlimited)]
    pub indexes: BTreeMap<String, i32>,
    /// When this status last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::time")]
    pub last_updated: Option<Time>,
}

/// Sources of the meta data map.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct MetaData {
    /// Literal values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = unlimited)]
    pub strings: Vec<MetaDataString>,
    /// Names of the machine's objects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = unlimited)]
    pub object_names: Vec<MetaDataObjectName>,
    /// Numbers made from the machine's index.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = unlimited)]
    pub indexes: Vec<MetaDataIndex>,
    /// Addresses from pools.
    #[serde(rename = "ipAddressesFromIPPool", default, skip_serializing_if = "Vec::is_empty")]
    pub ip_addresses_from_ip_pool: Vec<FromPool>,
    /// Prefix lengths of pool addresses.
    #[serde(rename = "prefixesFromIPPool", default, skip_serializing_if = "Vec::is_empty")]
    pub prefixes_from_ip_pool: Vec<FromPool>,
    /// Gateways of pools.
    #[serde(rename = "gatewaysFromIPPool", default, skip_serializing_if = "Vec::is_empty")]
    pub gateways_from_ip_pool: Vec<FromPool>,
    /// DNS servers of pools.
    #[serde(rename = "dnsServersFromIPPool", default, skip_serializing_if = "Vec::is_empty")]
    pub dns_servers_from_ip_pool: Vec<FromPool>,
    /// MAC addresses of the host.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = unlimited)]
    pub from_host_interfaces: Vec<MetaDataHostInterface>,
    /// Labels of the machine's objects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = unlimited)]
    pub from_labels: Vec<MetaDataFromLabel>,
    /// Annotations of the machine's objects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = unlimited)]
    pub from_annotations: Vec<MetaDataFromAnnotation>,
    /// The namespace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = unlimited)]
    pub namespaces: Vec<MetaDataNamespace>,
}

/// Something of the address that a pool gives to the machine.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct FromPool {
    /// Key in the map.
    pub key: String,
    /// Name of the pool.
    pub name: String,
    /// API group of the pool.
    pub api_group: String,
    /// Kind of the pool.
    pub kind: String,
}

/// What becomes `network_data.json` on the machine.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq)]
pub struct NetworkData {
    /// Interfaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub links: Option<Links>,
    /// Addresses and routes on them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = networks)]
    pub networks: Option<Networks>,
    /// Services for all networks.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = services)]
    pub services: Option<Services>,
}

/// Interfaces by kind.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq)]
pub struct Links {
    /// Physical and virtual ports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = unlimited)]
    pub ethernets: Vec<Ethernet>,
    /// Bonds of ports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = unlimited)]
    pub bonds: Vec<Bond>,
    /// Tagged networks on ports or bonds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = unlimited)]
    pub vlans: Vec<Vlan>,
}

/// A bond.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Bond {
    /// How the ports share the load.
    pub bond_mode: BondMode,
    /// What the transmit port is chosen by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bond_xmit_hash_policy: Option<BondXmitHashPolicy>,
    /// Name by which networks and VLANs refer to it.
    pub id: String,
    /// Name inside the operating system.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 15), regex(pattern = crate::infra::v1beta2::LINK_NAME))]
    pub name: Option<String>,
    /// Largest packet, bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 9000), extend("default" = 1500))]
    pub mtu: Option<i32>,
    /// Where the MAC address comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac_address: Option<MacAddress>,
    /// Ids of the bonded links.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bond_links: Vec<String>,
    /// Further bond options by name; each becomes `bond_<name>`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "parameters")]
    pub parameters: BTreeMap<String, Value>,
}

fn parameters(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "additionalProperties": {"x-kubernetes-preserve-unknown-fields": true}
    })
}

fn networks(schema: &mut schemars::Schema) {
    unlimited(schema);
    if let Some(map) = schema.as_object_mut() {
        map.values_mut().for_each(pool_references);
    }
}

/// References to pools had their own, unlimited type here, with a required kind.
fn pool_references(schema: &mut Value) {
    let Some(map) = schema.as_object_mut() else { return };
    if let Some(reference) = map.get_mut("fromPoolRef") {
        reference["x-kubernetes-map-type"] = "atomic".into();
        reference["required"] = vec!["kind", "name"].into();
        if let Some(name) = reference.pointer_mut("/properties/name").and_then(Value::as_object_mut) {
            name.remove("pattern");
        }
    }
    map.values_mut().for_each(pool_references);
}

fn services(schema: &mut schemars::Schema) {
    crate::infra::v1beta2::any_family(schema);
    unlimited(schema);
}
