//! What to deploy: `instance_info`, the deploy interface and the deploy steps.

use api::metal3::{BootMode, ChecksumType, Image, RootDeviceHints};
use ironic::{Node, Patch, Step, redact};
use serde_json::{Map, Value};

use super::capabilities;
use super::hints::root_device;
use super::register::Deployment;

/// Priority of a custom deploy step: after the preparation steps of Ironic, before its last ones.
const CUSTOM_PRIORITY: u32 = 80;

/// The instance that a node shall get.
#[derive(Clone, PartialEq)]
pub struct Instance<'a> {
    /// The host's uid.
    pub uid: &'a str,
    /// The image; may be absent with a custom deployment only.
    pub image: Option<&'a Image>,
    /// The step of a custom deployment.
    pub custom_step: Option<&'a str>,
    /// Credentials of the image's registry, `user:password`.
    pub pull_secret: Option<&'a str>,
    /// Which disk.
    pub hints: Option<&'a RootDeviceHints>,
    /// Boot mode.
    pub boot_mode: &'a BootMode,
    /// `force_persistent_boot_device` for images on disk: `Default`, `Always` or `Never`.
    pub persistent_disk: &'a str,
    /// The same for live ISOs.
    pub persistent_iso: &'a str,
}

impl std::fmt::Debug for Instance<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Instance")
            .field("uid", &self.uid)
            .field("image", &self.image)
            .field("custom_step", &self.custom_step)
            .finish_non_exhaustive()
    }
}

/// Why an image cannot be deployed as it is described.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// No checksum.
    #[error("Validation failed: image {url} has no checksum: set spec.image.checksum")]
    NoChecksum {
        /// The image.
        url: String,
    },
    /// A checksum where the registry has one.
    #[error("Validation failed: OCI image {url} must not have a checksum: its registry has one; remove it")]
    OciChecksum {
        /// The image.
        url: String,
    },
    /// An algorithm nobody knows.
    #[error("Validation failed: unknown checksum type {name}: use md5, sha256, sha512 or auto")]
    ChecksumType {
        /// What was written.
        name: String,
    },
}

/// How Ironic shall check an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checksum {
    /// Not at all: a live ISO, or an OCI image that its registry vouches for.
    None,
    /// Ironic finds the algorithm: `image_checksum`.
    Found(String),
    /// `image_os_hash_algo` and `image_os_hash_value`.
    Given {
        /// `md5`, `sha256` or `sha512`.
        algorithm: String,
        /// The sum, or the URL of a file with it.
        value: String,
    },
}

/// The checksum of an image.
pub fn checksum(image: &Image) -> Result<Checksum, ImageError> {
    let url = || redact::url(&image.url);
    match (&image.checksum, image.is_live_iso(), image.is_oci()) {
        (_, true, _) | (None, _, true) => Ok(Checksum::None),
        (Some(_), false, true) => Err(ImageError::OciChecksum { url: url() }),
        (None, false, false) => Err(ImageError::NoChecksum { url: url() }),
        (Some(sum), false, false) => match &image.checksum_type {
            None | Some(ChecksumType::Auto) => Ok(Checksum::Found(sum.clone())),
            Some(ChecksumType::Other(name)) => Err(ImageError::ChecksumType { name: name.clone() }),
            Some(algorithm @ (ChecksumType::Md5 | ChecksumType::Sha256 | ChecksumType::Sha512)) => {
                Ok(Checksum::Given { algorithm: algorithm.as_str().to_owned(), value: sum.clone() })
            }
        },
    }
}

impl Instance<'_> {
    /// The way the image reaches the machine.
    pub fn deployment(&self) -> Deployment {
        match (self.custom_step, self.image) {
            (Some(_), _) => Deployment::Custom,
            (None, Some(image)) if image.is_live_iso() => Deployment::LiveIso,
            (None, _) => Deployment::Direct,
        }
    }

    /// The deploy steps to send; empty for Ironic's own.
    pub fn steps(&self) -> Vec<Step> {
        let step = |name: &str| Step { priority: Some(CUSTOM_PRIORITY), ..Step::new("deploy", name) };
        self.custom_step.into_iter().map(step).collect()
    }

    /// What the node lacks to deploy this. To be sent with the deployment itself: a pull secret is always sent, since
    /// Ironic masks the one it has.
    pub fn patch(&self, node: &Node) -> Result<Patch, ImageError> {
        let wanted = self.info()?;
        let mut patch = Patch::new();
        if node.instance_uuid.as_deref() != Some(self.uid) {
            patch = patch.set(&["instance_uuid"], self.uid);
        }
        for (key, value) in wanted {
            patch = patch.ensure(&["instance_info", key], node.instance_info.get(key), value);
        }
        patch = patch.and(self.interface(node));
        Ok(match self.persistent() {
            Some(persistent) => {
                let key = "force_persistent_boot_device";
                patch.ensure(&["driver_info", key], node.driver_info.get(key), Some(persistent.into()))
            }
            None => patch,
        })
    }

    /// What must be in the node before it is adopted: an adopted live ISO is validated like a new one, everything else
    /// boots from its disk.
    pub fn adoption(&self, node: &Node) -> Result<Patch, ImageError> {
        match self.deployment() {
            Deployment::LiveIso => {
                let info = self.info()?.into_iter().filter(|(key, _)| !matches!(*key, "image_pull_secret"));
                let patch = info.fold(Patch::new(), |patch, (key, value)| {
                    patch.ensure(&["instance_info", key], node.instance_info.get(key), value)
                });
                Ok(patch.and(self.interface(node)))
            }
            Deployment::Direct | Deployment::Custom => Ok(Patch::new()),
        }
    }

    fn persistent(&self) -> Option<&str> {
        match self.deployment() {
            Deployment::Direct => Some(self.persistent_disk),
            Deployment::LiveIso => Some(self.persistent_iso),
            Deployment::Custom => None,
        }
    }

    /// The deploy interface; leaving a special one means Ironic's default.
    fn interface(&self, node: &Node) -> Patch {
        let actual = node.deploy_interface.as_deref();
        match self.deployment().interface() {
            Some(wanted) if actual != Some(wanted) => Patch::new().set(&["deploy_interface"], wanted),
            None if matches!(actual, Some("ramdisk" | "custom-agent")) => Patch::new().remove(&["deploy_interface"]),
            Some(_) | None => Patch::new(),
        }
    }

    /// Every key of `instance_info` that is ours; `None` removes it.
    fn info(&self) -> Result<Vec<(&'static str, Option<Value>)>, ImageError> {
        let live_iso = self.deployment() == Deployment::LiveIso;
        let image = self.image.filter(|image| !image.url.is_empty());
        let on_disk = image.filter(|_| !live_iso);
        let sum = match (on_disk, self.deployment()) {
            (Some(image), Deployment::Custom) if image.checksum.is_none() => Checksum::None,
            (Some(image), _) => checksum(image)?,
            (None, _) => Checksum::None,
        };
        let (found, algorithm, value) = match sum {
            Checksum::None => (None, None, None),
            Checksum::Found(sum) => (Some(sum), None, None),
            Checksum::Given { algorithm, value } => (None, Some(algorithm), Some(value)),
        };
        let text = |value: Option<&str>| value.map(Value::from);
        let url = |image: Option<&Image>| image.map(|image| image.url.clone()).map(Value::from);
        let format = on_disk.and_then(|image| image.format.as_ref()).map(|format| format.as_str().into());
        Ok(vec![
            ("capabilities", Some(capabilities::instance(self.boot_mode))),
            ("root_device", Some(Value::Object(self.root_device()))),
            ("boot_iso", url(image.filter(|_| live_iso))),
            ("image_source", url(on_disk)),
            ("image_disk_format", format),
            ("image_checksum", text(found.as_deref())),
            ("image_os_hash_algo", text(algorithm.as_deref())),
            ("image_os_hash_value", text(value.as_deref())),
            ("image_pull_secret", text(self.pull_secret.filter(|_| on_disk.is_some()))),
        ])
    }

    fn root_device(&self) -> Map<String, Value> {
        root_device(self.hints)
    }
}

/// Whether the node was last told to deploy this image; a failed deployment of another one does not count against it.
pub fn is_recorded(node: &Node, image: &Image) -> bool {
    let recorded = |key: &str, value: Option<&str>| node.instance_info.text(key) == value;
    if image.is_live_iso() {
        return recorded("boot_iso", Some(&image.url));
    }
    let sum = match checksum(image) {
        Ok(Checksum::None) | Err(_) => true,
        Ok(Checksum::Found(sum)) => recorded("image_checksum", Some(&sum)),
        Ok(Checksum::Given { algorithm, value }) => {
            recorded("image_os_hash_algo", Some(&algorithm)) && recorded("image_os_hash_value", Some(&value))
        }
    };
    sum && recorded("image_source", Some(&image.url))
}

/// Removes an instance id that is left from somebody else. Ironic refuses to replace one in a single step, and to
/// delete a node that has one.
pub fn release(node: &Node) -> Patch {
    if node.instance_uuid.is_some() { Patch::new().remove(&["instance_uuid"]) } else { Patch::new() }
}

/// Whether the node still has an instance id of somebody else, which [`release`] must remove first.
pub fn is_foreign(node: &Node, uid: &str) -> bool {
    node.instance_uuid.as_deref().is_some_and(|instance| instance != uid)
}

#[cfg(test)]
mod tests;
