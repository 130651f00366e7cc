//! IPAddress: one address that is in use.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::pattern;
use crate::absent_spec_is_default;
use crate::meta::{is_default, or_default, text};

/// One address that is in use, with what its user must know about the network. It cannot be changed.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "ipam.metal3.io",
    version = "v1alpha1",
    kind = "IPAddress",
    plural = "ipaddresses",
    namespaced,
    shortname = "ipa",
    shortname = "ipaddress",
    shortname = "m3ipa",
    shortname = "m3ipaddress",
    shortname = "m3ipaddresses",
    shortname = "metal3ipa",
    shortname = "metal3ipaddress",
    shortname = "metal3ipaddresses",
    category = "metal3",
    derive = "PartialEq",
    derive = "Default",
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    doc = "One address that is in use, with what its user must know about the network. It cannot be changed."
)]
#[serde(rename_all = "camelCase", remote = "Self")]
pub struct IPAddressSpec {
    /// The claim that has it.
    #[serde(default, deserialize_with = "or_default")]
    #[schemars(schema_with = "crate::schema::object_reference", extend("x-required" = true))]
    pub claim: ObjectReference,
    /// The pool that it is from.
    #[serde(default, deserialize_with = "or_default")]
    #[schemars(schema_with = "crate::schema::object_reference", extend("x-required" = true))]
    pub pool: ObjectReference,
    /// Prefix length of its subnet; 0 when the pool has none.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(range(max = 128))]
    pub prefix: i64,
    /// Gateway of its subnet.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "pattern::address_schema")]
    pub gateway: Option<String>,
    /// The address.
    #[serde(default)]
    #[schemars(schema_with = "pattern::address_schema", extend("x-required" = true))]
    pub address: String,
    /// DNS servers.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "pattern::address_list_schema")]
    pub dns_servers: Vec<String>,
}

absent_spec_is_default!(IPAddressSpec);
