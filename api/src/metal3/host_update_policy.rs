//! HostUpdatePolicy: when firmware of a running host may be changed.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::meta::text;
use crate::{absent_spec_is_default, open_enum};

open_enum! {
    /// When a change is applied.
    pub enum UpdatePolicy {
        /// When the host is prepared for its next use.
        OnPreparing = "onPreparing",
        /// At the next reboot of the running host, too.
        OnReboot = "onReboot",
    }
}

/// When the firmware of the host of the same name may be changed; without one, only while it is prepared.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "metal3.io",
    version = "v1alpha1",
    kind = "HostUpdatePolicy",
    plural = "hostupdatepolicies",
    namespaced,
    status = "HostUpdatePolicyStatus",
    derive = "PartialEq",
    derive = "Default",
    doc = "When the firmware of the host of the same name may be changed; without one, only while it is prepared."
)]
#[serde(rename_all = "camelCase", remote = "Self")]
pub struct HostUpdatePolicySpec {
    /// For BIOS settings.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub firmware_settings: Option<UpdatePolicy>,
    /// For firmware updates.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub firmware_updates: Option<UpdatePolicy>,
}

absent_spec_is_default!(HostUpdatePolicySpec);

/// Nothing is reported; an ordinary field of the published kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HostUpdatePolicyStatus {}
