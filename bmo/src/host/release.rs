//! Letting go: the finalizers that the host holds on other objects, and at last its own.

use api::names::finalizer;
use kit::owners;
use kit::pass::Write;

use crate::host::view::{Credentials, HostView};

/// The writes that end a host, in order: its own finalizer goes last, so that a crash in between loses nothing.
pub fn writes(view: &HostView) -> Vec<Write> {
    let host = view.host.as_ref();
    let mut writes = Vec::new();
    if let Credentials::Read(secret) = &view.credentials
        && owners::has_finalizer(secret.as_ref(), finalizer::HOST_SECRET)
    {
        writes.push(owners::remove_finalizer(secret.as_ref(), finalizer::HOST_SECRET));
    }
    if let Some(secret) = &view.ramdisk_secret
        && owners::has_finalizer(secret.as_ref(), finalizer::HOST_SECRET)
    {
        writes.push(owners::remove_finalizer(secret.as_ref(), finalizer::HOST_SECRET));
    }
    if owners::has_finalizer(host, finalizer::HOST) {
        writes.push(owners::remove_finalizer(host, finalizer::HOST));
    }
    writes
}
