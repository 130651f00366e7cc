//! PreprovisioningImage: the ramdisk that a host boots before it has an image of its own.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::meta::{Condition, is_default, or_default, text};
use crate::{absent_spec_is_default, open_enum};

open_enum! {
    /// Form of a ramdisk.
    pub enum RamdiskFormat {
        /// A bootable ISO, for virtual media.
        Iso = "iso",
        /// A kernel and an initial ramdisk, for network boot.
        Initrd = "initrd",
    }
}

/// The ramdisk wanted for the host of the same name. Programs that build ramdisks answer in its status.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "metal3.io",
    version = "v1alpha1",
    kind = "PreprovisioningImage",
    plural = "preprovisioningimages",
    namespaced,
    shortname = "ppimg",
    status = "PreprovisioningImageStatus",
    derive = "PartialEq",
    derive = "Default",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].reason"),
    doc = "The ramdisk wanted for the host of the same name. Programs that build ramdisks answer in its status."
)]
#[serde(rename_all = "camelCase", remote = "Self")]
pub struct PreprovisioningImageSpec {
    /// Name of a Secret in the own namespace with the network data to build in.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub network_data_name: Option<String>,
    /// Processor architecture, e.g. `x86_64` or `aarch64`.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    /// Forms that the host's driver can boot, best first.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub accept_formats: Vec<RamdiskFormat>,
}

absent_spec_is_default!(PreprovisioningImageSpec);

/// The ramdisk that was built.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PreprovisioningImageStatus {
    /// URL of the ISO or of the initial ramdisk.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub image_url: Option<String>,
    /// URL of the kernel, when it is not the one that Ironic is configured with.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub kernel_url: Option<String>,
    /// Kernel parameters that this ramdisk needs on top of Ironic's.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub extra_kernel_params: Option<String>,
    /// Form of the ramdisk.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub format: Option<RamdiskFormat>,
    /// The network data that was built in.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub network_data: SecretVersion,
    /// Processor architecture it was built for.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    /// `Ready`: the ramdisk can be booted. `Error`: it cannot be built.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::conditions")]
    pub conditions: Vec<Condition>,
}

/// One version of a Secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretVersion {
    /// Name of the Secret.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its resourceVersion.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// Types and reasons of a ramdisk's conditions.
pub mod ramdisk_condition {
    /// The ramdisk can be booted.
    pub const READY: &str = "Ready";
    /// The ramdisk cannot be built.
    pub const ERROR: &str = "Error";
    /// Ready is true, Error is false.
    pub const REASON_SUCCESS: &str = "ImageSuccess";
    /// The architecture or the forms cannot be served.
    pub const REASON_CONFIGURATION: &str = "ConfigurationError";
    /// The network data Secret does not exist.
    pub const REASON_MISSING_NETWORK_DATA: &str = "MissingNetworkData";
    /// The builder refuses the network data.
    pub const REASON_BUILD_INVALID: &str = "ImageBuildInvalid";
}
