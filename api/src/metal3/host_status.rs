//! What is: the status of a BareMetalHost.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bare_metal_host::{BootMode, CustomDeploy, Image};
use super::hardware::HardwareDetails;
use super::storage_config::{Firmware, Raid, RootDeviceHints};
use crate::meta::{Condition, SecretReference, Time, is_default, or_default, text};
use crate::open_enum;

open_enum! {
    /// Whether the host's controller gets on with its work.
    #[derive(Default)]
    pub enum OperationalStatus {
        /// Not looked at yet.
        #[default]
        Unset = "",
        /// All well.
        Ok = "OK",
        /// Listed, without a management controller.
        Discovered = "discovered",
        /// The last step failed; `errorType` and `errorMessage` tell more.
        Error = "error",
        /// Waiting for capacity: too many hosts are being provisioned.
        Delayed = "delayed",
        /// Released from Ironic on the user's wish.
        Detached = "detached",
        /// Firmware is being changed on a provisioned host.
        Servicing = "servicing",
    }
}

open_enum! {
    /// The step that failed.
    pub enum ErrorType {
        /// A provisioned host could not be registered again.
        ProvisionedRegistration = "provisioned registration error",
        /// The host could not be registered: address, credentials or Ironic.
        Registration = "registration error",
        /// The hardware could not be found out.
        Inspection = "inspection error",
        /// RAID, firmware or cleaning failed.
        Preparation = "preparation error",
        /// The image could not be put on the machine, or not be taken off.
        Provisioning = "provisioning error",
        /// The power state could not be changed.
        PowerManagement = "power management error",
        /// Firmware of a provisioned host could not be changed.
        Servicing = "servicing error",
        /// The host could not be released from Ironic.
        Detach = "detach error",
    }
}

open_enum! {
    /// Where in its life a host is.
    #[derive(Default)]
    pub enum ProvisioningState {
        /// Not looked at yet.
        #[default]
        None = "",
        /// No management controller is given.
        Unmanaged = "unmanaged",
        /// Access is checked and the node made in Ironic.
        Registering = "registering",
        /// A step of older versions between inspection and preparation.
        MatchProfile = "match profile",
        /// RAID, firmware and cleaning.
        Preparing = "preparing",
        /// The name that older versions gave to `available`.
        Ready = "ready",
        /// Free to be provisioned.
        Available = "available",
        /// The image is being put on the machine.
        Provisioning = "provisioning",
        /// The image runs.
        Provisioned = "provisioned",
        /// Somebody else's image runs.
        ExternallyProvisioned = "externally provisioned",
        /// The image is being removed and the disks are cleaned.
        Deprovisioning = "deprovisioning",
        /// The hardware is found out.
        Inspecting = "inspecting",
        /// The machine is switched off before its host goes away.
        PoweringOffBeforeDelete = "powering off before delete",
        /// The node is removed from Ironic.
        Deleting = "deleting",
    }
}

/// What is known about a host. Written by its controller only.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BareMetalHostStatus {
    /// Whether the controller gets on with its work.
    #[serde(default)]
    #[schemars(extend("x-required" = true))]
    pub operational_status: OperationalStatus,
    /// The step that failed.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub error_type: Option<ErrorType>,
    /// What went wrong, for people; empty when all is well.
    #[serde(default)]
    #[schemars(extend("x-required" = true))]
    pub error_message: String,
    /// Failures of the present step in a row; retries slow down with it.
    #[serde(default)]
    #[schemars(extend("x-required" = true, "x-default" = 0))]
    pub error_count: i64,
    /// Failed attempts in a row to provision `lastAttemptedImage`.
    #[serde(default)]
    #[schemars(extend("x-required" = true, "x-default" = 0))]
    pub provisioning_fail_count: i64,
    /// The image that `provisioningFailCount` counts for.
    #[serde(default, deserialize_with = "Image::or_none", skip_serializing_if = "Option::is_none")]
    pub last_attempted_image: Option<Image>,
    /// When this status was last written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::time")]
    pub last_updated: Option<Time>,
    /// The hardware profile in force; see `spec.hardwareProfile`.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub hardware_profile: Option<String>,
    /// What inspection found; the HardwareData of the host's name has the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hardware: Option<HardwareDetails>,
    /// Where in its life the host is, and what was applied to it.
    #[serde(default)]
    #[schemars(extend("x-required" = true))]
    pub provisioning: ProvisionStatus,
    /// The credentials that last worked.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub good_credentials: CredentialsStatus,
    /// The credentials that were last tried.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub tried_credentials: CredentialsStatus,
    /// Whether the machine was on when last seen.
    #[serde(default)]
    #[schemars(extend("x-required" = true))]
    pub powered_on: bool,
    /// When the steps last started and ended.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub operation_history: OperationHistory,
    /// What holds, for programs; see [`condition`].
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::conditions")]
    pub conditions: Vec<Condition>,
}

/// Where in its life a host is, and what was applied to it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProvisionStatus {
    /// Where in its life the host is.
    #[serde(default)]
    #[schemars(with = "String", extend("x-required" = true))]
    pub state: ProvisioningState,
    /// UUID of its node in Ironic; empty before registration and after detaching.
    #[serde(rename = "ID", default)]
    #[schemars(extend("x-required" = true))]
    pub id: String,
    /// The image that was put on the machine.
    #[serde(default, deserialize_with = "Image::or_none", skip_serializing_if = "Option::is_none")]
    pub image: Option<Image>,
    /// The root disk hints that were applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_device_hints: Option<RootDeviceHints>,
    /// The boot mode that was applied.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub boot_mode: Option<BootMode>,
    /// The RAID volumes that were made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raid: Option<Raid>,
    /// Always empty; kept for objects that have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firmware: Option<Firmware>,
    /// The custom deploy step that was applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_deploy: Option<CustomDeploy>,
}

/// One version of a Secret with credentials.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CredentialsStatus {
    /// The Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<SecretReference>,
    /// Its resourceVersion.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub credentials_version: Option<String>,
}

/// Start and end of the last run of each step.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OperationHistory {
    /// Registration.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub register: OperationMetric,
    /// Inspection.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub inspect: OperationMetric,
    /// Provisioning.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub provision: OperationMetric,
    /// Deprovisioning.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub deprovision: OperationMetric,
}

/// Start and end of a step; the end is absent while it runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OperationMetric {
    /// When it started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::nullable_time")]
    pub start: Option<Time>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::nullable_time")]
    pub end: Option<Time>,
}

/// Types and reasons of a host's conditions.
pub mod condition {
    /// The management controller answers and Ironic knows the host.
    pub const MANAGEABLE: &str = "Manageable";
    /// The host can be taken for provisioning.
    pub const AVAILABLE: &str = "AvailableForProvisioning";
    /// An image runs on the host.
    pub const PROVISIONED: &str = "Provisioned";
    /// The host is of use: an image runs and nothing is wrong.
    pub const READY: &str = "Ready";
    /// A step is running.
    pub const PROGRESSING: &str = "Progressing";
    /// The hardware reports no fault.
    pub const HEALTHY: &str = "Healthy";

    /// Reasons, by the condition they belong to.
    pub mod reason {
        /// Manageable is true.
        pub const MANAGEABLE: &str = "Manageable";
        /// Manageable is false: no management controller is given.
        pub const NOT_MANAGED: &str = "NotManaged";
        /// Manageable is false, or Progressing is true: registration runs.
        pub const REGISTERING: &str = "Registering";
        /// Manageable is false: registration failed.
        pub const REGISTRATION_FAILED: &str = "RegistrationFailed";
        /// Manageable is false: the power state cannot be read.
        pub const POWER_FAILURE: &str = "PowerFailure";
        /// AvailableForProvisioning is true.
        pub const AVAILABLE: &str = "Available";
        /// AvailableForProvisioning is false.
        pub const NOT_AVAILABLE: &str = "NotAvailable";
        /// Provisioned or Ready is true.
        pub const PROVISIONED: &str = "Provisioned";
        /// Provisioned or Ready is false.
        pub const NOT_PROVISIONED: &str = "NotProvisioned";
        /// Ready is false: the last step failed.
        pub const ERROR: &str = "Error";
        /// Ready is false: firmware is being changed.
        pub const SERVICING: &str = "Servicing";
        /// Ready and Progressing are false: released from Ironic.
        pub const DETACHED: &str = "Detached";
        /// Progressing: inspection.
        pub const INSPECTING: &str = "Inspecting";
        /// Progressing: RAID, firmware, cleaning.
        pub const PREPARING: &str = "Preparing";
        /// Progressing: the image is being put on the machine.
        pub const PROVISIONING: &str = "Provisioning";
        /// Progressing: the image is being removed.
        pub const DEPROVISIONING: &str = "Deprovisioning";
        /// Progressing: off before deletion.
        pub const POWERING_OFF_BEFORE_DELETE: &str = "PoweringOffBeforeDelete";
        /// Progressing: removal from Ironic.
        pub const DELETING: &str = "Deleting";
        /// Progressing is false.
        pub const NOT_PROGRESSING: &str = "NotProgressing";
        /// Healthy is true.
        pub const HEALTHY: &str = "Healthy";
        /// Healthy is false: something needs attention.
        pub const WARNING: &str = "Warning";
        /// Healthy is false: something is broken.
        pub const CRITICAL_ERROR: &str = "CriticalError";
        /// Healthy is unknown.
        pub const UNKNOWN: &str = "Unknown";
    }
}
