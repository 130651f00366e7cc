//! What goes on the config drive of a deployed machine, and the credentials of its image's registry: read from
//! Secrets of the host's own namespace, live.

use api::meta::SecretReference;
use api::names::secret as keys;
use k8s_openapi::api::core::v1::Secret;
use kit::client::Io;
use kit::key::Key;
use kit::pass::Fault;

use crate::host::view::{HostView, Material};
use crate::host::{registry, wish};

/// The text parts of a config drive, as the Secrets hold them.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Parts {
    /// User data, verbatim.
    pub user_data: Option<String>,
    /// Meta data, YAML or JSON.
    pub meta_data: Option<String>,
    /// Network data, YAML or JSON.
    pub network_data: Option<String>,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Parts(..)")
    }
}

/// A part that cannot be had, with the field to correct.
type Part = Result<Option<String>, String>;

/// Reads the parts and puts them together.
pub async fn read(io: &Io, view: &HostView) -> Result<Material<ironic::ConfigDrive>, Fault> {
    let spec = view.spec();
    // Nothing of it reaches a live ISO, so nothing of it can be missing.
    if spec.custom_deploy.is_none() && spec.image.as_ref().is_some_and(api::metal3::Image::is_live_iso) {
        return Ok(Material::None);
    }
    let ramdisk = spec.preprovisioning_network_data_name.as_ref().map(SecretReference::named);
    let network = spec.network_data.clone().or(ramdisk);
    let user_data = part(io, view, "spec.userData", spec.user_data.as_ref(), "userData", true).await?;
    let meta_data = part(io, view, "spec.metaData", spec.meta_data.as_ref(), keys::META_DATA, true).await?;
    let network_data = part(io, view, "spec.networkData", network.as_ref(), keys::NETWORK_DATA, false).await?;
    let parts = || Ok(Parts { user_data: user_data?, meta_data: meta_data?, network_data: network_data? });
    Ok(match parts().and_then(|parts| wish::config_drive(view, &parts)) {
        Ok(drive) => Material::Some(drive),
        Err(text) => Material::Broken(text),
    })
}

/// One part. A Secret without the key is an error where `must` says so, and nothing elsewhere, as in the peer.
async fn part(
    io: &Io,
    view: &HostView,
    field: &str,
    reference: Option<&SecretReference>,
    key: &str,
    must: bool,
) -> Result<Part, Fault> {
    let Some(reference) = reference else { return Ok(Ok(None)) };
    let name = match reference.name_in(view.namespace()) {
        Ok(Some(name)) => name,
        Ok(None) => return Ok(Ok(None)),
        Err(other) => return Ok(Err(format!("{field} {other}"))),
    };
    let address = Key::new(view.namespace(), name);
    Ok(match io.secret(&address).await? {
        None => Err(format!("the Secret {address} of {field} does not exist; create it")),
        Some(secret) => match value(&secret, key) {
            Some(text) => Ok(Some(text)),
            None if must => {
                Err(format!("the Secret {address} of {field} has neither key {key} nor value, or no text in it"))
            }
            None => Ok(None),
        },
    })
}

/// The text under a key, or under the key that Cluster API's bootstrap Secrets have.
pub fn value(secret: &Secret, key: &str) -> Option<String> {
    let data = secret.data.as_ref()?;
    let bytes = data.get(key).or_else(|| data.get(keys::VALUE))?;
    String::from_utf8(bytes.0.clone()).ok()
}

/// `user:password` for the registry of an OCI image.
pub async fn pull_secret(io: &Io, view: &HostView) -> Result<Material<String>, Fault> {
    let Some(image) = view.spec().image.as_ref().filter(|image| image.is_oci()) else { return Ok(Material::None) };
    let Some(name) = image.oci_auth_secret_name.as_deref() else { return Ok(Material::None) };
    let key = Key::new(view.namespace(), name);
    Ok(match io.secret(&key).await? {
        None => Material::Broken(format!("the Secret {key} of spec.image.ociAuthSecretName does not exist; create it")),
        Some(secret) => match registry::login(&secret, &image.url) {
            Ok(login) => login.map_or(Material::None, Material::Some),
            Err(text) => Material::Broken(text),
        },
    })
}
