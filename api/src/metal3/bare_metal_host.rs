//! BareMetalHost: what a user wants of one machine. What is: [`super::host_status`].

use k8s_openapi::api::core::v1::ObjectReference;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::host_status::BareMetalHostStatus;
use super::storage_config::{Firmware, Raid, RootDeviceHints};
use crate::meta::{SecretReference, Time, is_default, is_false, or_default, text};
use crate::{absent_spec_is_default, open_enum};

open_enum! {
    /// How the machine boots.
    #[derive(Default)]
    pub enum BootMode {
        /// UEFI without signature checks.
        #[default]
        Uefi = "UEFI",
        /// UEFI with signature checks; not every driver can.
        UefiSecureBoot = "UEFISecureBoot",
        /// BIOS.
        Legacy = "legacy",
    }
}

open_enum! {
    /// What is wiped between two uses of a machine.
    #[derive(Default)]
    pub enum AutomatedCleaningMode {
        /// Partition tables and other metadata of all disks.
        #[default]
        Metadata = "metadata",
        /// Nothing.
        Disabled = "disabled",
    }
}

open_enum! {
    /// How the machine's hardware is found out.
    pub enum InspectionMode {
        /// Not at all.
        Disabled = "disabled",
        /// By the ramdisk.
        Agent = "agent",
        /// By the BMC, without booting; only some drivers can.
        Fast = "fast",
    }
}

open_enum! {
    /// Algorithm of an image's checksum.
    pub enum ChecksumType {
        /// MD5; only where nothing else exists.
        Md5 = "md5",
        /// SHA-256.
        Sha256 = "sha256",
        /// SHA-512.
        Sha512 = "sha512",
        /// Found from the checksum's length.
        Auto = "auto",
    }
}

open_enum! {
    /// Format of an image.
    pub enum ImageFormat {
        /// A disk, byte for byte.
        Raw = "raw",
        /// QEMU's format.
        Qcow2 = "qcow2",
        /// VirtualBox's format.
        Vdi = "vdi",
        /// VMware's format.
        Vmdk = "vmdk",
        /// An ISO that is booted and never written to a disk.
        LiveIso = "live-iso",
    }
}

/// One machine: how to reach its management controller and what to run on it.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "metal3.io",
    version = "v1alpha1",
    kind = "BareMetalHost",
    plural = "baremetalhosts",
    namespaced,
    shortname = "bmh",
    shortname = "bmhost",
    status = "BareMetalHostStatus",
    derive = "PartialEq",
    derive = "Default",
    printcolumn(name = "Status", type_ = "string", json_path = ".status.operationalStatus", priority = "1"),
    printcolumn(name = "State", type_ = "string", json_path = ".status.provisioning.state"),
    printcolumn(name = "Consumer", type_ = "string", json_path = ".spec.consumerRef.name"),
    printcolumn(name = "BMC", type_ = "string", json_path = ".spec.bmc.address", priority = "1"),
    printcolumn(name = "Online", type_ = "string", json_path = ".spec.online"),
    printcolumn(name = "Error", type_ = "string", json_path = ".status.errorType"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    doc = "One machine: how to reach its management controller and what to run on it."
)]
#[serde(rename_all = "camelCase", remote = "Self")]
pub struct BareMetalHostSpec {
    /// Has no effect; it is kept so that objects which carry it stay readable.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub taints: Vec<Taint>,
    /// The management controller. Without it the host is only listed (state `unmanaged`).
    #[serde(default, skip_serializing_if = "Bmc::is_unset")]
    pub bmc: Bmc,
    /// RAID volumes to make before provisioning. Absent leaves hardware RAID as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raid: Option<Raid>,
    /// Refused by admission: use a HostFirmwareSettings of the host's name instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firmware: Option<Firmware>,
    /// Old way to choose the root disk by a profile name; use `rootDeviceHints`.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub hardware_profile: Option<String>,
    /// How to find the disk that the image is written to. Absent means `/dev/sda`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_device_hints: Option<RootDeviceHints>,
    /// How the machine boots; UEFI when absent.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub boot_mode: Option<BootMode>,
    /// Hardware address of the network interface that boots. It cannot be changed once set.
    #[serde(rename = "bootMACAddress", default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}"))]
    pub boot_mac_address: Option<String>,
    /// Whether the machine shall be on. While false, nothing is provisioned.
    #[serde(default)]
    #[schemars(extend("x-required" = true))]
    pub online: bool,
    /// The object that uses this host, e.g. a Metal3Machine. Set it to keep others from taking the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::object_reference")]
    pub consumer_ref: Option<ObjectReference>,
    /// The image to run. Setting it provisions the host; removing it or changing its URL deprovisions the host.
    #[serde(default, deserialize_with = "Image::or_none", skip_serializing_if = "Option::is_none")]
    pub image: Option<Image>,
    /// Secret with the user data (key `userData` or `value`), e.g. cloud-init or Ignition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_data: Option<SecretReference>,
    /// Name of a Secret with the network data of the provisioning ramdisk; also of the image when `networkData` is absent.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub preprovisioning_network_data_name: Option<String>,
    /// Secret with the network data of the image (key `networkData` or `value`), in OpenStack's format.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_data: Option<SecretReference>,
    /// Secret with the meta data of the image (key `metaData` or `value`), a YAML map.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meta_data: Option<SecretReference>,
    /// Free text for people.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Somebody else put the image there: only adopt the machine and manage its power.
    #[serde(default, skip_serializing_if = "is_false")]
    pub externally_provisioned: bool,
    /// What is wiped between two uses.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-default" = "metadata"))]
    pub automated_cleaning_mode: Option<AutomatedCleaningMode>,
    /// Deploy by a custom step of the ramdisk instead of writing an image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_deploy: Option<CustomDeploy>,
    /// Processor architecture, e.g. `x86_64` or `aarch64`. Filled in from the inspection when absent.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    /// Never switch the machine off: power off becomes reboot. Excludes `online: false`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_power_off: bool,
    /// How the hardware is found out; by the ramdisk when absent.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub inspection_mode: Option<InspectionMode>,
    /// Where network interfaces are attached. Checked and stored; not yet applied to switches.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub network_interfaces: Vec<NetworkInterface>,
}

absent_spec_is_default!(BareMetalHostSpec);

/// How to reach a management controller.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Bmc {
    /// URL; its scheme chooses the driver, e.g. `redfish-virtualmedia://192.0.2.7/redfish/v1/Systems/1`.
    #[serde(default)]
    #[schemars(extend("x-required" = true))]
    pub address: String,
    /// Name of a Secret in the host's namespace with the keys `username` and `password`.
    #[serde(default)]
    #[schemars(extend("x-required" = true))]
    pub credentials_name: String,
    /// Accept any TLS certificate of the controller. Anybody in between can then read its password.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_certificate_verification: bool,
}

impl Bmc {
    /// Whether nothing was said: Go peers write `{"address":"","credentialsName":""}` for an absent one.
    pub fn is_unset(&self) -> bool {
        *self == Self::default()
    }
}

/// An image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Image {
    /// Where the image is: http, https or an OCI reference (`oci://`).
    #[serde(default)]
    #[schemars(extend("x-required" = true))]
    pub url: String,
    /// The checksum itself, or the URL of a file with it. Needed unless the image is a live ISO or an OCI reference.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
    /// Algorithm of the checksum; found out when absent.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub checksum_type: Option<ChecksumType>,
    /// Format; found out when absent. `live-iso` boots the image and writes nothing to disk.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub format: Option<ImageFormat>,
    /// Name of a docker config Secret in the host's namespace, for an `oci://` image.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub oci_auth_secret_name: Option<String>,
}

impl Image {
    /// Whether the image is booted as an ISO and never written to a disk.
    pub fn is_live_iso(&self) -> bool {
        self.format == Some(ImageFormat::LiveIso)
    }

    /// Whether the image is in an OCI registry.
    pub fn is_oci(&self) -> bool {
        self.url.starts_with("oci://")
    }

    /// Reads an image; one without a URL is none, as Go peers write an unset one.
    pub fn or_none<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Self>, D::Error> {
        Ok(Option::<Self>::deserialize(deserializer)?.filter(|image| !image.url.is_empty()))
    }
}

/// A deployment by a custom step of the ramdisk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CustomDeploy {
    /// Name of the step, as the ramdisk offers it.
    #[serde(default)]
    #[schemars(extend("x-required" = true))]
    pub method: String,
}

/// A taint, in the form that Nodes have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Taint {
    /// Key.
    #[serde(default)]
    #[schemars(extend("x-required" = true))]
    pub key: String,
    /// What happens to pods that do not tolerate it.
    #[serde(default)]
    #[schemars(extend("x-required" = true))]
    pub effect: String,
    /// Value.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// When it was added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::time")]
    pub time_added: Option<Time>,
}

/// Where a network interface of the host is attached; exactly one of `name` and `macAddress` chooses it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NetworkInterface {
    /// Name that the inspection found.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^[a-zA-Z0-9._-]+$"))]
    pub name: Option<String>,
    /// Hardware address.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$"))]
    pub mac_address: Option<String>,
    /// The HostNetworkAttachment that tells the port's VLANs.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub host_network_attachment: HostNetworkAttachmentReference,
    /// The switch port; taken from LLDP when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub switch_port: Option<SwitchPort>,
}

/// A reference to a HostNetworkAttachment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HostNetworkAttachmentReference {
    /// Its name.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub name: Option<String>,
    /// Its namespace; the host's when absent.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub namespace: Option<String>,
}

/// A port of a switch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SwitchPort {
    /// Hardware address of the switch.
    #[serde(rename = "switchID", default)]
    #[schemars(regex(pattern = "^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$"), extend("x-required" = true))]
    pub switch_id: String,
    /// Name of the port.
    #[serde(rename = "portID", default)]
    #[schemars(extend("x-required" = true))]
    pub port_id: String,
}
