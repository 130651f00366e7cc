//! DataImage: an ISO in the virtual drive of a running host.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::absent_spec_is_default;
use crate::meta::{Time, is_default, or_default};

/// An ISO that is put into the virtual drive of the host of the same name at its next reboot.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "metal3.io",
    version = "v1alpha1",
    kind = "DataImage",
    plural = "dataimages",
    namespaced,
    status = "DataImageStatus",
    derive = "PartialEq",
    derive = "Default",
    doc = "An ISO that is put into the virtual drive of the host of the same name at its next reboot."
)]
#[serde(rename_all = "camelCase", remote = "Self")]
pub struct DataImageSpec {
    /// Where the ISO is.
    #[serde(default)]
    #[schemars(extend("x-required" = true))]
    pub url: String,
}

absent_spec_is_default!(DataImageSpec);

/// What is in the drive.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DataImageStatus {
    /// When the drive was last looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::time")]
    pub last_reconciled: Option<Time>,
    /// The ISO in the drive; the URL is empty when there is none.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub attached_image: AttachedImage,
    /// What went wrong last; the count is 0 when all is well.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub error: DataImageError,
}

/// The ISO in the drive.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AttachedImage {
    /// Where it came from.
    #[serde(default)]
    #[schemars(extend("x-required" = true))]
    pub url: String,
}

/// What went wrong with the drive.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DataImageError {
    /// Failures in a row.
    #[serde(default)]
    #[schemars(extend("x-required" = true))]
    pub count: i64,
    /// The last failure, for people.
    #[serde(default)]
    #[schemars(extend("x-required" = true))]
    pub message: String,
}
