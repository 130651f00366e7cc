//! HardwareClassification: a profile that labels the hosts which match it.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::meta::{is_default, or_default, text};
use crate::{absent_spec_is_default, open_enum};

open_enum! {
    /// Architecture that a profile asks for; hosts report `x86_64` and `aarch64`.
    pub enum ProfileArchitecture {
        /// 32 bit.
        X86 = "x86",
        /// 64 bit.
        X86_64 = "x86_64",
        /// An old name of Intel's.
        Ias = "IAS",
        /// Another name of 64 bit.
        Amd64 = "AMD64",
    }
}

open_enum! {
    /// Whether hosts match.
    pub enum ProfileMatch {
        /// At least one does.
        Matched = "matched",
        /// None does.
        Unmatched = "unmatched",
        /// The namespace has no hosts.
        NoHosts = "No BareMetalHosts Found",
    }
}

/// A profile: hosts of its namespace that match it get the label `hardwareclassification.metal3.io/NAME`.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "metal3.io",
    version = "v1alpha1",
    kind = "HardwareClassification",
    plural = "hardwareclassifications",
    namespaced,
    shortname = "hwc",
    shortname = "hc",
    status = "HardwareClassificationStatus",
    derive = "PartialEq",
    derive = "Default",
    printcolumn(name = "ProfileMatchStatus", type_ = "string", json_path = ".status.profileMatchStatus"),
    printcolumn(name = "MatchedHosts", type_ = "integer", json_path = ".status.matchedCount"),
    printcolumn(name = "UnmatchedHosts", type_ = "integer", json_path = ".status.unmatchedCount"),
    printcolumn(name = "ErrorHosts", type_ = "integer", json_path = ".status.errorHosts"),
    printcolumn(
        name = "RegistrationErrorHosts",
        type_ = "integer",
        json_path = ".status.registrationErrorHosts",
        priority = "1"
    ),
    printcolumn(
        name = "IntrospectionErrorHosts",
        type_ = "integer",
        json_path = ".status.introspectionErrorHosts",
        priority = "1"
    ),
    printcolumn(
        name = "ProvisioningErrorHosts",
        type_ = "integer",
        json_path = ".status.provisioningErrorHosts",
        priority = "1"
    ),
    printcolumn(
        name = "PowerMgmtErrorHosts",
        type_ = "integer",
        json_path = ".status.powerMgmtErrorHosts",
        priority = "1"
    ),
    printcolumn(
        name = "ProvisionedRegistrationErrorHosts",
        type_ = "integer",
        json_path = ".status.provisionedRegistrationErrorHosts",
        priority = "1"
    ),
    printcolumn(
        name = "PreparationErrorHosts",
        type_ = "integer",
        json_path = ".status.preparationErrorHosts",
        priority = "1"
    ),
    printcolumn(name = "DetachErrorHosts", type_ = "integer", json_path = ".status.detachErrorHosts", priority = "1"),
    printcolumn(name = "Error", type_ = "string", json_path = ".status.errorMessage"),
    doc = "A profile: hosts of its namespace that match it get the label hardwareclassification.metal3.io/NAME."
)]
#[serde(rename_all = "camelCase", remote = "Self")]
pub struct HardwareClassificationSpec {
    /// What a host must have; all that is given.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub hardware_characteristics: HardwareCharacteristics,
}

absent_spec_is_default!(HardwareClassificationSpec);

/// What a host must have; an absent part always holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HardwareCharacteristics {
    /// Processors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<ProfileCpu>,
    /// Disks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk: Option<ProfileDisk>,
    /// Network interfaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nic: Option<ProfileNic>,
    /// Memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ram: Option<ProfileRam>,
    /// Maker and model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_vendor: Option<ProfileSystemVendor>,
    /// Firmware.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firmware: Option<ProfileFirmware>,
}

/// Processors.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProfileCpu {
    /// Architecture, equal to the inspected one.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub architecture: Option<ProfileArchitecture>,
    /// Least number of logical processors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub minimum_count: Option<i64>,
    /// Largest number of logical processors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub maximum_count: Option<i64>,
    /// Least clock in MHz.
    #[serde(rename = "minimumSpeedMHz", default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1000))]
    pub minimum_speed_mhz: Option<i32>,
    /// Largest clock in MHz.
    #[serde(rename = "maximumSpeedMHz", default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1000))]
    pub maximum_speed_mhz: Option<i32>,
}

/// Disks. With selectors only the selected disks count.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProfileDisk {
    /// Least number of disks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub minimum_count: Option<i64>,
    /// Largest number of disks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub maximum_count: Option<i64>,
    /// Least capacity of each disk in GB (10^9 bytes).
    #[serde(rename = "minimumIndividualSizeGB", default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub minimum_individual_size_gb: Option<i64>,
    /// Largest capacity of each disk in GB (10^9 bytes).
    #[serde(rename = "maximumIndividualSizeGB", default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub maximum_individual_size_gb: Option<i64>,
    /// Each must select at least one disk.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub disk_selector: Vec<DiskSelector>,
}

/// A sort of disks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DiskSelector {
    /// SCSI address, with `N` for any number above 0.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub hctl: Option<String>,
    /// Whether the disk rotates.
    #[serde(default, skip_serializing_if = "crate::meta::is_false")]
    pub rotational: bool,
}

/// Network interfaces.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProfileNic {
    /// Least number of interfaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub minimum_count: Option<i64>,
    /// Largest number of interfaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub maximum_count: Option<i64>,
    /// Sorts of interfaces that must be there.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub nic_selector: NicSelector,
}

/// Sorts of interfaces.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NicSelector {
    /// Vendor identities, e.g. `0x8086`: the first word of an interface's model. Each must occur.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub vendor: Vec<String>,
}

/// Memory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProfileRam {
    /// Least size in GiB.
    #[serde(rename = "minimumSizeGB", default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub minimum_size_gb: Option<i64>,
    /// Largest size in GiB.
    #[serde(rename = "maximumSizeGB", default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub maximum_size_gb: Option<i64>,
}

/// Maker and model.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProfileSystemVendor {
    /// Maker, equal to the inspected one.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub manufacturer: Option<String>,
    /// Part of the model.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub product_name: Option<String>,
}

/// Firmware.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProfileFirmware {
    /// BIOS or UEFI.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub bios: ProfileBios,
}

/// BIOS or UEFI.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProfileBios {
    /// Maker, equal to the inspected one.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// Lowest version, in spite of its name.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub minor_version: Option<String>,
    /// Highest version, in spite of its name.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub major_version: Option<String>,
}

/// How many hosts match.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HardwareClassificationStatus {
    /// Whether hosts match.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub profile_match_status: Option<ProfileMatch>,
    /// Hosts that match.
    #[serde(default, skip_serializing_if = "is_default")]
    pub matched_count: i64,
    /// Inspected hosts that do not match.
    #[serde(default, skip_serializing_if = "is_default")]
    pub unmatched_count: i64,
    /// Hosts in error without hardware details.
    #[serde(default, skip_serializing_if = "is_default")]
    pub error_hosts: i64,
    /// Of those, with a registration error.
    #[serde(default, skip_serializing_if = "is_default")]
    pub registration_error_hosts: i64,
    /// Of those, with an inspection error.
    #[serde(default, skip_serializing_if = "is_default")]
    pub introspection_error_hosts: i64,
    /// Of those, with a provisioning error.
    #[serde(default, skip_serializing_if = "is_default")]
    pub provisioning_error_hosts: i64,
    /// Of those, with a power management error.
    #[serde(default, skip_serializing_if = "is_default")]
    pub power_mgmt_error_hosts: i64,
    /// Of those, provisioned, with a registration error.
    #[serde(default, skip_serializing_if = "is_default")]
    pub provisioned_registration_error_hosts: i64,
    /// Of those, with a preparation error.
    #[serde(default, skip_serializing_if = "is_default")]
    pub preparation_error_hosts: i64,
    /// Of those, with a detach error.
    #[serde(default, skip_serializing_if = "is_default")]
    pub detach_error_hosts: i64,
    /// What failed, in one word.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub error_type: Option<String>,
    /// What failed, for people.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
}
