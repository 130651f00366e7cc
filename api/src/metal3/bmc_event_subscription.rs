//! BMCEventSubscription: events of a management controller, sent to a web address.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::absent_spec_is_default;
use crate::meta::{SecretReference, text};

/// Asks a host's management controller to send its events to a web address. Immutable: make a new one instead.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "metal3.io",
    version = "v1alpha1",
    kind = "BMCEventSubscription",
    plural = "bmceventsubscriptions",
    namespaced,
    shortname = "bes",
    shortname = "bmcevent",
    status = "BMCEventSubscriptionStatus",
    derive = "PartialEq",
    derive = "Default",
    printcolumn(name = "Error", type_ = "string", json_path = ".status.error"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    doc = "Asks a host's management controller to send its events to a web address. Immutable: make a new one instead."
)]
#[serde(rename_all = "camelCase", remote = "Self")]
pub struct BMCEventSubscriptionSpec {
    /// Name of the host, in the own namespace.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub host_name: Option<String>,
    /// URL that the events are sent to; with a path, if only `/`.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    /// Text that is sent along with every event.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// Secret in the own namespace whose keys and values become HTTP headers of every event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_headers_ref: Option<SecretReference>,
}

absent_spec_is_default!(BMCEventSubscriptionSpec);

/// The subscription that was made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BMCEventSubscriptionStatus {
    /// Identity that the management controller gave it.
    #[serde(rename = "subscriptionID", default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub subscription_id: Option<String>,
    /// What went wrong, for people.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}
