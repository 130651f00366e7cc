//! HostNetworkAttachment and BareMetalSwitch: what the ports of hosts are attached to.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::meta::{Condition, SecretReference, is_false, or_default};
use crate::{absent_spec_is_default, open_enum};

open_enum! {
    /// How a switch port treats VLANs.
    #[derive(Default)]
    pub enum PortMode {
        /// One VLAN, untagged.
        #[default]
        Access = "access",
        /// Several VLANs, tagged.
        Trunk = "trunk",
        /// One untagged, others tagged.
        Hybrid = "hybrid",
    }
}

/// The VLANs of a switch port that hosts' network interfaces refer to.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "metal3.io",
    version = "v1alpha1",
    kind = "HostNetworkAttachment",
    plural = "hostnetworkattachments",
    namespaced,
    status = "HostNetworkAttachmentStatus",
    derive = "PartialEq",
    derive = "Default",
    printcolumn(name = "Mode", type_ = "string", json_path = ".spec.mode"),
    printcolumn(name = "Native VLAN", type_ = "integer", json_path = ".spec.nativeVLAN"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    doc = "The VLANs of a switch port that hosts' network interfaces refer to. Immutable while one does."
)]
#[serde(rename_all = "camelCase", remote = "Self")]
pub struct HostNetworkAttachmentSpec {
    /// How the port treats VLANs.
    #[serde(default)]
    #[schemars(extend("x-required" = true, "x-default" = "access"))]
    pub mode: PortMode,
    /// The untagged VLAN, 1 to 4094.
    #[serde(rename = "nativeVLAN", default)]
    #[schemars(range(min = 1, max = 4094), extend("x-required" = true))]
    pub native_vlan: i64,
    /// Tagged VLANs: numbers or ranges such as `100-199`. Not in mode `access`.
    #[serde(rename = "allowedVLANs", default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(inner(regex(pattern = r"^\d+(-\d+)?$")))]
    pub allowed_vlans: Vec<String>,
    /// Largest packet in bytes, 68 to 9216; the switch's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 68, max = 9216))]
    pub mtu: Option<i64>,
}

absent_spec_is_default!(HostNetworkAttachmentSpec);

/// Nothing is reported.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HostNetworkAttachmentStatus {}

open_enum! {
    /// How a switch is driven.
    #[derive(Default)]
    pub enum SwitchDriver {
        /// By its command line, over SSH.
        #[default]
        GenericSwitch = "generic-switch",
    }
}

/// A switch that Ironic's networking service may configure.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "metal3.io",
    version = "v1alpha1",
    kind = "BareMetalSwitch",
    plural = "baremetalswitches",
    namespaced,
    shortname = "bms",
    status = "BareMetalSwitchStatus",
    derive = "PartialEq",
    derive = "Default",
    printcolumn(name = "Driver", type_ = "string", json_path = ".spec.driver"),
    printcolumn(name = "Device Type", type_ = "string", json_path = ".spec.deviceType"),
    printcolumn(name = "Address", type_ = "string", json_path = ".spec.address"),
    printcolumn(name = "Valid", type_ = "string", json_path = ".status.conditions[?(@.type==\"Valid\")].status"),
    doc = "A switch that Ironic's networking service may configure."
)]
#[serde(rename_all = "camelCase", remote = "Self")]
pub struct BareMetalSwitchSpec {
    /// Host name or address of its management.
    #[serde(default)]
    #[schemars(extend("x-required" = true))]
    pub address: String,
    /// Hardware address, as it tells by LLDP.
    #[serde(default)]
    #[schemars(regex(pattern = "^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$"), extend("x-required" = true))]
    pub mac_address: String,
    /// How it is driven.
    #[serde(default)]
    #[schemars(extend("x-default" = "generic-switch"))]
    pub driver: SwitchDriver,
    /// Operating system of the switch, as the driver names it, e.g. `netmiko_arista_eos`.
    #[serde(default)]
    #[schemars(extend("x-required" = true))]
    pub device_type: String,
    /// Secret in the own namespace with `username`, and `password` or `ssh-privatekey`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<SecretReference>,
    /// TCP port of its management, 1 to 65535; the driver's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<i32>,
    /// Accept any certificate or host key of the switch.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_certificate_verification: bool,
}

absent_spec_is_default!(BareMetalSwitchSpec);

/// Whether the switch can be configured.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BareMetalSwitchStatus {
    /// `Valid`: the switch is part of the networking service's configuration.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::conditions")]
    pub conditions: Vec<Condition>,
}
