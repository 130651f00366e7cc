//! Addresses, routes and services on interfaces.

use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::FromAnnotation;

/// A dotted quad.
pub(in crate::infra) const IPV4: &str =
    r"^((([0-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5])\.){3}([0-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5]))$";
/// The compression forms of an IPv6 address, without embedded IPv4 or zone.
pub(in crate::infra) const IPV6: &str = r"^(([0-9a-fA-F]{1,4}:){7,7}[0-9a-fA-F]{1,4}|([0-9a-fA-F]{1,4}:){1,7}:|([0-9a-fA-F]{1,4}:){1,6}:[0-9a-fA-F]{1,4}|([0-9a-fA-F]{1,4}:){1,5}(:[0-9a-fA-F]{1,4}){1,2}|([0-9a-fA-F]{1,4}:){1,4}(:[0-9a-fA-F]{1,4}){1,3}|([0-9a-fA-F]{1,4}:){1,3}(:[0-9a-fA-F]{1,4}){1,4}|([0-9a-fA-F]{1,4}:){1,2}(:[0-9a-fA-F]{1,4}){1,5}|[0-9a-fA-F]{1,4}:((:[0-9a-fA-F]{1,4}){1,6})|:((:[0-9a-fA-F]{1,4}){1,7}|:))$";
/// Either of the two.
pub(in crate::infra) const IP: &str = r"((^((([0-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5])\.){3}([0-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5]))$)|(^(([0-9a-fA-F]{1,4}:){7,7}[0-9a-fA-F]{1,4}|([0-9a-fA-F]{1,4}:){1,7}:|([0-9a-fA-F]{1,4}:){1,6}:[0-9a-fA-F]{1,4}|([0-9a-fA-F]{1,4}:){1,5}(:[0-9a-fA-F]{1,4}){1,2}|([0-9a-fA-F]{1,4}:){1,4}(:[0-9a-fA-F]{1,4}){1,3}|([0-9a-fA-F]{1,4}:){1,3}(:[0-9a-fA-F]{1,4}){1,4}|([0-9a-fA-F]{1,4}:){1,2}(:[0-9a-fA-F]{1,4}){1,5}|[0-9a-fA-F]{1,4}:((:[0-9a-fA-F]{1,4}){1,6})|:((:[0-9a-fA-F]{1,4}){1,7}|:))$))";
const SUBDOMAIN: &str = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";

/// Addresses and routes, by how the address is found.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks {
    /// IPv4 addresses from pools.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = ipv4)]
    pub ipv4: Vec<Network>,
    /// IPv6 addresses from pools.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = ipv6)]
    pub ipv6: Vec<Network>,
    /// IPv4 by DHCP.
    #[serde(rename = "ipv4DHCP", default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = ipv4)]
    pub ipv4_dhcp: Vec<DynamicNetwork>,
    /// IPv6 by DHCP.
    #[serde(rename = "ipv6DHCP", default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = ipv6)]
    pub ipv6_dhcp: Vec<DynamicNetwork>,
    /// IPv6 by router advertisement.
    #[serde(rename = "ipv6SLAAC", default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = ipv6)]
    pub ipv6_slaac: Vec<DynamicNetwork>,
}

/// An address from a pool. The pool is named by the annotation, else by `fromPoolRef`, else by name.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Network {
    /// Its name.
    #[schemars(length(min = 1, max = 512))]
    pub id: String,
    /// Id of the link.
    #[schemars(length(min = 1, max = 512))]
    pub link: String,
    /// Name of a Metal3 IPPool.
    #[serde(rename = "ipAddressFromIPPool", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub ip_address_from_ip_pool: Option<String>,
    /// A pool of any kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_pool_ref: Option<PoolRef>,
    /// An annotation that holds the name of a Metal3 IPPool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_pool_annotation: Option<FromAnnotation>,
    /// Routes through this network.
    // The published list is keyed by `network`, which forbids two routes to one network.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 512), extend("x-kubernetes-list-type" = "atomic"))]
    pub routes: Vec<Route>,
}

/// A network whose address the link finds by itself.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq, Eq)]
pub struct DynamicNetwork {
    /// Its name.
    #[schemars(length(min = 1, max = 512))]
    pub id: String,
    /// Id of the link.
    #[schemars(length(min = 1, max = 512))]
    pub link: String,
    /// Routes through this network.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 512), extend("x-kubernetes-list-type" = "atomic"))]
    pub routes: Vec<Route>,
}

/// A pool of addresses of any kind that follows Cluster API's address contract.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct PoolRef {
    /// Name of the pool.
    #[schemars(length(min = 1, max = 253), regex(pattern = SUBDOMAIN))]
    pub name: String,
    /// Kind of the pool; `IPPool` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$"), extend("default" = "IPPool"))]
    pub kind: Option<String>,
    /// API group of the pool; `ipam.metal3.io` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = SUBDOMAIN), extend("default" = "ipam.metal3.io"))]
    pub api_group: Option<String>,
}

/// A route and the services behind it.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq, Eq)]
pub struct Route {
    /// Destination network.
    pub network: String,
    /// Its prefix length; absent means 0, the default route.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 128))]
    pub prefix: Option<i32>,
    /// Where packets go; may be empty.
    pub gateway: Gateway,
    /// Services behind this route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub services: Option<Services>,
}

/// Where a route's gateway comes from: the address, else the annotation, else the reference, else the pool.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Gateway {
    /// The address itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub string: Option<String>,
    /// Name of a Metal3 IPPool.
    #[serde(rename = "fromIPPool", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub from_ip_pool: Option<String>,
    /// A pool of any kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_pool_ref: Option<PoolRef>,
    /// An annotation that holds the name of a Metal3 IPPool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_pool_annotation: Option<FromAnnotation>,
}

/// Network services.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq, Eq)]
pub struct Services {
    /// Addresses of DNS servers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 512), extend("x-kubernetes-list-type" = "set"))]
    pub dns: Vec<String>,
    /// Name of a Metal3 IPPool whose DNS servers are added.
    #[serde(rename = "dnsFromIPPool", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub dns_from_ip_pool: Option<String>,
}

fn ipv4(schema: &mut Schema) {
    listed(schema);
    family(schema.as_object_mut().map(|map| map.values_mut()).into_iter().flatten(), IPV4, 32);
}

fn ipv6(schema: &mut Schema) {
    listed(schema);
    family(schema.as_object_mut().map(|map| map.values_mut()).into_iter().flatten(), IPV6, 128);
}

pub(in crate::infra) fn any_family(schema: &mut Schema) {
    family(schema.as_object_mut().map(|map| map.values_mut()).into_iter().flatten(), IP, 128);
}

fn listed(schema: &mut Schema) {
    schema.insert("minItems".into(), 1.into());
    schema.insert("maxItems".into(), 512.into());
    schema.insert("x-kubernetes-list-type".into(), "map".into());
    schema.insert("x-kubernetes-list-map-keys".into(), vec!["id"].into());
}

/// Gives every address below the pattern of one family, and every route's prefix its bound.
fn family<'a>(below: impl Iterator<Item = &'a mut Value>, pattern: &str, bits: i32) {
    for value in below {
        let Some(map) = value.as_object_mut() else { continue };
        for (name, property) in map.iter_mut() {
            match name.as_str() {
                "network" | "string" => property["pattern"] = json!(pattern),
                "dns" => property["items"]["pattern"] = json!(pattern),
                "prefix" => property["maximum"] = json!(bits),
                _ => {}
            }
        }
        family(map.values_mut(), pattern, bits);
    }
}
