//! The Secret of the management controller: it must be there, complete, labelled and held.

use api::names::{finalizer, label, secret as keys};
use k8s_openapi::api::core::v1::Secret;
use kit::pass::Write;
use kit::{diff, owners};

use crate::host::errors::ErrorKind;
use crate::host::release;
use crate::host::state::{State as S, Traits as _};
use crate::host::step::Step;
use crate::host::view::{Credentials, HostView};
use crate::host::wish;

/// How the message of an empty reference begins.
pub const NO_REFERENCE: &str = "No BMC CredentialsName defined";
/// How the message of a missing Secret begins.
pub const NO_SECRET: &str = "BMC CredentialsName secret doesn't exist";
/// How the message of a Secret without user name or password begins.
pub const BAD_CREDENTIALS: &str = "Validation error with BMC credentials:";

const KIND: ErrorKind = ErrorKind::Registration;

/// User name and password.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// User name.
    pub username: String,
    /// Password.
    pub password: String,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Login(..)")
    }
}

/// What is wrong with the credentials, with the field to correct. A host that shall go is not held back by it.
pub fn guard(view: &HostView) -> Option<Step> {
    if !view.state.managed() {
        return None;
    }
    if let Some(step) = hold(view) {
        return Some(step);
    }
    if view.deleting() {
        return None;
    }
    // A changed Secret or host wakes the host; until then looking again is cheap and slow.
    problem(view).map(|text| view.fail(KIND, text))
}

fn problem(view: &HostView) -> Option<String> {
    let bmc = &view.spec().bmc;
    if bmc.credentials_name.is_empty() {
        return Some(format!("{NO_REFERENCE} The BMC secret reference is empty; set spec.bmc.credentialsName"));
    }
    if let Credentials::Missing(name) = &view.credentials {
        let namespace = view.namespace();
        return Some(format!(
            "{NO_SECRET} The BMC secret {namespace}/{name} does not exist; create it with \
             the keys username and password, or correct spec.bmc.credentialsName"
        ));
    }
    if bmc.address.is_empty() {
        return Some("Empty BMC address Missing BMC connection detail 'Address'; set spec.bmc.address".into());
    }
    if let Credentials::Read(secret) = &view.credentials
        && let Err(text) = login(secret)
    {
        return Some(text);
    }
    wish::address_problem(view)
}

/// The content of the Secret, trimmed: files and editors add line ends.
pub fn login(secret: &Secret) -> Result<Login, String> {
    let value = |key: &str| {
        let bytes = secret.data.as_ref().and_then(|data| data.get(key));
        bytes.and_then(|bytes| std::str::from_utf8(&bytes.0).ok()).map(str::trim).filter(|text| !text.is_empty())
    };
    let name = secret.metadata.name.as_deref().unwrap_or_default();
    let missing = |what: &str, key: &str| {
        format!("{BAD_CREDENTIALS} Missing BMC connection {what} '{key}' in credentials; add it to the Secret {name}")
    };
    let username = value(keys::USERNAME).ok_or_else(|| missing("detail", keys::USERNAME))?;
    let password = value(keys::PASSWORD).ok_or_else(|| missing("details", keys::PASSWORD))?;
    Ok(Login { username: username.to_owned(), password: password.to_owned() })
}

/// Marks the Secrets as ours: the label makes them watched, the owner tells whose they are, the finalizer keeps them until
/// the host is gone. Those that the host does not name any more are given back.
fn hold(view: &HostView) -> Option<Step> {
    if view.state == S::Deleting {
        return None;
    }
    let login = match &view.credentials {
        Credentials::Read(secret) => Some(secret),
        Credentials::Unneeded | Credentials::Unchanged(_) | Credentials::Missing(_) => None,
    };
    let held = login.into_iter().chain(&view.ramdisk_secret).filter_map(|secret| held(view, secret));
    let stale = view.stale.iter().filter_map(|secret| release::stale(&view.host, secret));
    let writes: Vec<Write> = held.chain(stale).collect();
    (!writes.is_empty()).then(|| Step::Write(writes, Vec::new()))
}

/// The write that holds a Secret, unless it is held.
pub fn held(view: &HostView, secret: &Secret) -> Option<Write> {
    let mut wanted = secret.clone();
    let labels = wanted.metadata.labels.get_or_insert_default();
    labels.insert(label::ENVIRONMENT.to_owned(), label::ENVIRONMENT_BAREMETAL.to_owned());
    if !owners::owned_by(&secret.metadata, view.uid()) {
        owners::set_owner(&mut wanted.metadata, owners::owner_reference(view.host.as_ref(), false));
    }
    let finalizers = wanted.metadata.finalizers.get_or_insert_default();
    if !view.deleting() && !finalizers.iter().any(|name| name == finalizer::HOST_SECRET) {
        finalizers.push(finalizer::HOST_SECRET.to_owned());
    }
    diff::object_exact(secret, &wanted)
}
