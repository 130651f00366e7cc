//! IPClaim: asks a pool for an address.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::absent_spec_is_default;
use crate::meta::{or_default, text};

/// Asks a pool for an address. The annotation `ipAddress` asks for a certain one.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "ipam.metal3.io",
    version = "v1alpha1",
    kind = "IPClaim",
    plural = "ipclaims",
    namespaced,
    shortname = "ipc",
    shortname = "ipclaim",
    shortname = "m3ipc",
    shortname = "m3ipclaim",
    shortname = "m3ipclaims",
    shortname = "metal3ipc",
    shortname = "metal3ipclaim",
    shortname = "metal3ipclaims",
    category = "cluster-api",
    status = "IPClaimStatus",
    derive = "PartialEq",
    derive = "Default",
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    doc = "Asks a pool for an address. The annotation `ipAddress` asks for a certain one."
)]
#[serde(rename_all = "camelCase", remote = "Self")]
pub struct IPClaimSpec {
    /// The pool; only its name counts, its namespace is the claim's. It cannot be changed.
    #[serde(default, deserialize_with = "or_default")]
    #[schemars(schema_with = "crate::schema::object_reference", extend("x-required" = true))]
    pub pool: ObjectReference,
}

absent_spec_is_default!(IPClaimSpec);

/// The address that the claim got.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IPClaimStatus {
    /// The IPAddress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::object_reference")]
    pub address: Option<ObjectReference>,
    /// Why the claim got no address, for people.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
}
