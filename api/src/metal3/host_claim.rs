//! HostClaim and HostDeployPolicy: hosts for users who may not see them.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bare_metal_host::{CustomDeploy, Image};
use crate::absent_spec_is_default;
use crate::meta::{Condition, SecretReference, Time, is_default, or_default, text};

/// Asks for a host, possibly in another namespace, and says what it shall run.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "metal3.io",
    version = "v1alpha1",
    kind = "HostClaim",
    plural = "hostclaims",
    namespaced,
    status = "HostClaimStatus",
    derive = "PartialEq",
    derive = "Default",
    doc = "Asks for a host, possibly in another namespace, and says what it shall run."
)]
#[serde(rename_all = "camelCase", remote = "Self")]
pub struct HostClaimSpec {
    /// Whether the machine shall be on.
    #[serde(default)]
    #[schemars(extend("x-required" = true))]
    pub powered_on: bool,
    /// The image to run.
    #[serde(default, deserialize_with = "Image::or_none", skip_serializing_if = "Option::is_none")]
    pub image: Option<Image>,
    /// Secret with the user data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_data: Option<SecretReference>,
    /// Secret with the network data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_data: Option<SecretReference>,
    /// Secret with the meta data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meta_data: Option<SecretReference>,
    /// Deploy by a custom step of the ramdisk instead of writing an image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_deploy: Option<CustomDeploy>,
    /// Which hosts will do; any when absent.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub host_selector: HostSelector,
    /// The object that uses this claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::object_reference")]
    pub consumer_ref: Option<ObjectReference>,
    /// Take a host of this failure domain if there is one.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub failure_domain: Option<String>,
}

absent_spec_is_default!(HostClaimSpec);

/// Which hosts will do: all requirements must be met.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HostSelector {
    /// Labels that the host must have.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<String, String>,
    /// Further requirements on the host's labels.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub match_expressions: Vec<HostSelectorRequirement>,
    /// Only hosts in this namespace.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub in_namespace: Option<String>,
}

/// One requirement on a host's labels.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HostSelectorRequirement {
    /// Key of the label.
    #[serde(default)]
    #[schemars(extend("x-required" = true))]
    pub key: String,
    /// `=`, `==` or `!=` with one value, `in` or `notin` with several, `exists` or `!` with none.
    #[serde(default)]
    #[schemars(extend("x-required" = true))]
    pub operator: String,
    /// Values that the operator compares with.
    #[serde(default, deserialize_with = "or_default")]
    #[schemars(extend("x-required" = true))]
    pub values: Vec<String>,
}

/// The host that was found, and how far it is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HostClaimStatus {
    /// When this status was last written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::time")]
    pub last_updated: Option<Time>,
    /// `Ready` sums up `Associated`, `Synchronized` and `Provisioned`.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::conditions")]
    pub conditions: Vec<Condition>,
    /// The host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bare_metal_host: Option<NamespacedReference>,
    /// The host's hardware.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hardware_data: Option<NamespacedReference>,
    /// Whether the machine was on when last seen.
    #[serde(default, skip_serializing_if = "crate::meta::is_false")]
    pub powered_on: bool,
}

/// Namespace and name of an object of a known kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NamespacedReference {
    /// Its namespace.
    #[serde(default)]
    #[schemars(extend("x-required" = true))]
    pub namespace: String,
    /// Its name.
    #[serde(default)]
    #[schemars(extend("x-required" = true))]
    pub name: String,
}

/// Lets claims of other namespaces take hosts of this one.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "metal3.io",
    version = "v1alpha1",
    kind = "HostDeployPolicy",
    plural = "hostdeploypolicies",
    namespaced,
    status = "HostDeployPolicyStatus",
    derive = "PartialEq",
    derive = "Default",
    doc = "Lets HostClaims of other namespaces take hosts of this one."
)]
#[serde(rename_all = "camelCase", remote = "Self")]
pub struct HostDeployPolicySpec {
    /// The namespaces whose claims are served: those that meet all that is given. Absent lets none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_claim_namespaces: Option<HostClaimNamespaces>,
}

absent_spec_is_default!(HostDeployPolicySpec);

/// Which namespaces are meant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HostClaimNamespaces {
    /// Their names.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// A regular expression that some part of the name matches; anchor it with `^` and `$` to mean all of it.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub name_matches: Option<String>,
    /// Labels that the namespace has.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub has_labels: Vec<NameValue>,
}

/// A label of a namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NameValue {
    /// Its key.
    #[serde(default)]
    #[schemars(extend("x-required" = true))]
    pub name: String,
    /// Its value; any when absent.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// Nothing is reported.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HostDeployPolicyStatus {}
