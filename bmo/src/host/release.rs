//! Letting go: the finalizers that the host holds on other objects, and at last its own.

use api::metal3::BareMetalHost;
use api::names::{finalizer, label};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kit::Kind;
use kit::key::Key;
use kit::pass::Write;
use kit::runtime::SecretMeta;
use kit::{diff, owners};

use crate::host::view::{Credentials, HostView, Stale};

/// The index of Secrets by the hosts that own them, whether or not they control them.
pub const OWNER: &str = "owning host";

/// The values of [`OWNER`].
pub fn owning_hosts(secret: &SecretMeta) -> Vec<Key> {
    let namespace = secret.metadata.namespace.as_deref().unwrap_or_default();
    let owners = secret.metadata.owner_references.iter().flatten();
    owners.filter(|owner| owner.kind == "BareMetalHost").map(|owner| Key::new(namespace, owner.name.clone())).collect()
}

/// Whether a host names this Secret as one that it holds.
pub fn names(host: &BareMetalHost, secret: &SecretMeta) -> bool {
    let spec = &host.spec;
    let name = secret.metadata.name.as_deref().unwrap_or_default();
    spec.bmc.credentials_name == name || spec.preprovisioning_network_data_name.as_deref() == Some(name)
}

/// Whether a Secret that the host owns is held for a name that the host does not say any more.
pub fn is_stale(host: &BareMetalHost, secret: &SecretMeta) -> bool {
    owners::has_finalizer(secret, finalizer::HOST_SECRET) && !names(host, secret)
}

/// Gives such a Secret back as it was: no owner, and without other hosts neither finalizer nor label.
pub fn stale(host: &BareMetalHost, stale: &Stale) -> Option<Write> {
    let mut wanted = stale.secret.as_ref().clone();
    let name = host.metadata.name.as_deref().unwrap_or_default();
    let ours = |owner: &OwnerReference| owner.kind == "BareMetalHost" && owner.name == name;
    let meta = &mut wanted.metadata;
    meta.owner_references.get_or_insert_default().retain(|owner| !ours(owner));
    if !stale.shared {
        meta.finalizers.get_or_insert_default().retain(|name| name != finalizer::HOST_SECRET);
        meta.labels.get_or_insert_default().remove(label::ENVIRONMENT);
    }
    diff::object_exact(stale.secret.as_ref(), &wanted)
}

/// The writes that end a host, in order: its own finalizer goes last, so that a crash in between loses nothing.
pub fn writes(view: &HostView) -> Vec<Write> {
    let host = view.host.as_ref();
    let mut writes: Vec<Write> = view.stale.iter().filter_map(|secret| stale(host, secret)).collect();
    if let Credentials::Read(secret) = &view.credentials {
        writes.extend(lift(secret.as_ref(), finalizer::HOST_SECRET));
    }
    if let Some(secret) = &view.ramdisk_secret {
        writes.extend(lift(secret.as_ref(), finalizer::HOST_SECRET));
    }
    writes.extend(lift(host, finalizer::HOST));
    writes
}

fn lift<K: Kind>(object: &K, finalizer: &str) -> Option<Write> {
    owners::has_finalizer(object, finalizer).then(|| owners::remove_finalizer(object, finalizer))
}
