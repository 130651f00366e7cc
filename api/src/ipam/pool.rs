//! IPPool: ranges of addresses, and who has which.

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::pattern;
use crate::meta::{Condition, Time, is_default, or_default, text};
use crate::{absent_spec_is_default, open_enum};

open_enum! {
    /// Which free address of a range is taken.
    #[derive(Default)]
    pub enum AllocationStrategy {
        /// The first.
        #[default]
        Sequential = "sequential",
        /// The next after a random one.
        Random = "random",
    }
}

/// Ranges of addresses that claims of the same namespace are served from.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "ipam.metal3.io",
    version = "v1alpha1",
    kind = "IPPool",
    plural = "ippools",
    namespaced,
    shortname = "ipp",
    shortname = "ippool",
    shortname = "m3ipp",
    shortname = "m3ippool",
    shortname = "m3ippools",
    shortname = "metal3ipp",
    shortname = "metal3ippool",
    shortname = "metal3ippools",
    category = "cluster-api",
    status = "IPPoolStatus",
    derive = "PartialEq",
    derive = "Default",
    printcolumn(name = "Cluster", type_ = "string", json_path = r".metadata.labels.cluster\.x-k8s\.io/cluster-name"),
    printcolumn(name = "Used", type_ = "integer", json_path = ".status.ipAddresses.used"),
    printcolumn(name = "Free", type_ = "integer", json_path = ".status.ipAddresses.free"),
    printcolumn(name = "Total", type_ = "integer", json_path = ".status.ipAddresses.total"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    doc = "Ranges of addresses that claims of the same namespace are served from."
)]
#[serde(rename_all = "camelCase", remote = "Self")]
pub struct IPPoolSpec {
    /// The Cluster that the pool belongs to; it is paused and moved with it.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub cluster_name: Option<String>,
    /// The ranges, used up in this order.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub pools: Vec<Range>,
    /// Which free address of a range is taken. It cannot be changed.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-default" = "sequential"))]
    pub allocation_strategy: Option<AllocationStrategy>,
    /// Fixed addresses by the name of the claim; each stays reserved as long as its entry is here.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "pattern::address_map_schema")]
    pub pre_allocations: BTreeMap<String, String>,
    /// Prefix length of ranges that have none, at most 128; 0 is none.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(range(max = 128))]
    pub prefix: i64,
    /// Gateway of ranges that have none.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "pattern::address_schema")]
    pub gateway: Option<String>,
    /// DNS servers of ranges that have none.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "pattern::address_list_schema")]
    pub dns_servers: Vec<String>,
    /// Start of the names of the address objects. It cannot be changed.
    #[serde(default)]
    #[schemars(length(min = 1), extend("x-required" = true))]
    pub name_prefix: String,
}

absent_spec_is_default!(IPPoolSpec);

/// One range: `start` to `end`, `start` to the end of `subnet`, or all of `subnet` behind its written address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Range {
    /// First address.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "pattern::address_schema")]
    pub start: Option<String>,
    /// Last address.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "pattern::address_schema")]
    pub end: Option<String>,
    /// Subnet that the addresses are in, e.g. `192.0.2.0/24`.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "pattern::subnet_schema")]
    pub subnet: Option<String>,
    /// Prefix length that claims are told, at most 128; the pool's when absent or 0.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(range(max = 128))]
    pub prefix: i64,
    /// Gateway that claims are told; the pool's when absent.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "pattern::address_schema")]
    pub gateway: Option<String>,
    /// DNS servers that claims are told; the pool's when empty.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "pattern::address_list_schema")]
    pub dns_servers: Vec<String>,
}

/// Who has which address. The address objects are the truth; this is computed from them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IPPoolStatus {
    /// When `indexes` last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::time")]
    pub last_updated: Option<Time>,
    /// Addresses by the name of the claim. An address whose claim has no name, or a name that is here already (claims of
    /// both kinds may share one), is under `ipaddress/` and the address.
    #[serde(rename = "indexes", default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "pattern::address_map_schema")]
    pub allocations: BTreeMap<String, String>,
    /// How many addresses the pool has; an address in several ranges counts once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_addresses: Option<Counts>,
    /// The same by range, in the order of `spec.pools`.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub ranges: Vec<RangeCounts>,
    /// `Ready`: addresses are left and nothing hinders their allocation.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::conditions")]
    pub conditions: Vec<Condition>,
}

/// Numbers of addresses. More than 2^63 - 1, as IPv6 subnets have, are shown as 2^63 - 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// All.
    #[serde(default)]
    pub total: i64,
    /// Those that claims have.
    #[serde(default)]
    pub used: i64,
    /// Those that any claim can still get: neither used nor reserved, nor a gateway or DNS server.
    #[serde(default)]
    pub free: i64,
}

/// One range of a pool, with its numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RangeCounts {
    /// First address that can be given out; absent when there is none.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
    /// Last address that can be given out.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
    /// All.
    #[serde(default)]
    pub total: i64,
    /// Those that claims have.
    #[serde(default)]
    pub used: i64,
    /// Those that any claim can still get.
    #[serde(default)]
    pub free: i64,
}
