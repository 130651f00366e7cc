//! The controllers of HostFirmwareSettings and HostFirmwareComponents: what a machine has now, and whether what is
//! wished can be applied. Applying it is the host's own matter, see [`crate::host::firmware`].
//!
//! Settings and versions are read from Ironic object by object, every few minutes: no list of Ironic's has them for many
//! nodes, and a machine's owner changes them without telling anybody.
//!
//! | file | what |
//! |---|---|
//! | [`settings`] | BIOS settings, their limits in a FirmwareSchema |
//! | [`schema`] | the FirmwareSchema of a set of settings, its name, its owners |
//! | [`components`] | firmware versions and updates |
//! | here | when a host can be asked, and what wakes the two |

pub mod components;
pub mod schema;
pub mod settings;
#[cfg(test)]
mod tests;

use std::time::Duration;

use api::metal3::{BareMetalHost, FirmwareSchema, HostFirmwareComponents, OperationalStatus};
use api::names::annotation;
use kit::Kind;
use kit::key::Key;
use kit::pass::Why;
use kit::runtime::Context;
use kit::tasks::Task;
use kit::wakes::Registration;
use kit::worker;

use crate::host::gather::Sources;
use crate::host::state::Traits as _;

/// How often the machine is asked while nothing is wished.
const REREAD: Duration = Duration::from_mins(5);
/// How often it is asked while a wish is not applied yet.
const REREAD_CHANGING: Duration = Duration::from_mins(1);

/// Starts both controllers over the host controller's sources.
pub fn spawn(context: &Context, sources: &Sources, options: worker::Options) -> [Task; 2] {
    let schemas = context.store::<FirmwareSchema>();
    let settings = settings::Settings {
        clock: context.clock.clone(),
        poll: sources.poll.clone(),
        objects: sources.settings.clone(),
        hosts: sources.hosts.clone(),
        schemas: schemas.clone(),
    };
    let components = components::Components {
        clock: context.clock.clone(),
        poll: sources.poll.clone(),
        objects: sources.components.clone(),
        hosts: sources.hosts.clone(),
    };
    let wakes = || Registration::new().watch(&sources.hosts, host_wakes);
    let of_settings = wakes().watch(&sources.settings, own_wakes).needs(&schemas);
    let of_components = wakes().watch(&sources.components, own_wakes).watch(&sources.components, started_wakes);
    [worker::spawn(context, settings, of_settings, options), worker::spawn(context, components, of_components, options)]
}

/// The Ironic node to ask, or why it is not asked.
fn node_of(host: Option<&BareMetalHost>) -> Result<&str, Why> {
    let Some(host) = host else {
        return Err(Why::new("HostMissing", "there is no BareMetalHost of this name; make one or delete this object"));
    };
    let noted = |key: &str| host.metadata.annotations.as_ref().is_some_and(|all| all.contains_key(key));
    if noted(annotation::HOST_PAUSED) {
        return Err(Why::new("HostPaused", format!("the host is paused; remove {}", annotation::HOST_PAUSED)));
    }
    let status = host.status.as_ref();
    let detached = status.is_some_and(|status| status.operational_status == OperationalStatus::Detached);
    if detached || noted(annotation::HOST_DETACHED) {
        return Err(Why::new("HostDetached", format!("the host is detached; remove {}", annotation::HOST_DETACHED)));
    }
    match status {
        Some(status) if status.provisioning.state.managed() && !status.provisioning.id.is_empty() => {
            Ok(&status.provisioning.id)
        }
        Some(_) | None => {
            Err(Why::new("HostNotRegistered", "the host has no node in Ironic yet").normal(Duration::from_mins(1)))
        }
    }
}

/// A host wakes the object of its name when it moved on, was detached, paused or exchanged.
fn host_wakes(old: Option<&BareMetalHost>, new: Option<&BareMetalHost>) -> Vec<Key> {
    let seen = |host: &BareMetalHost| {
        let status = host.status.as_ref();
        (
            host.metadata.uid.clone(),
            host.metadata.annotations.clone(),
            status.map(|s| (s.operational_status.clone(), s.provisioning.state.clone(), s.provisioning.id.clone())),
        )
    };
    let moved = old.map(seen) != new.map(seen);
    new.or(old).filter(|_| moved).map(Key::of).into_iter().collect()
}

/// An object wakes itself when its wish changes. Its status is written here: to look at it again would ask the machine
/// for nothing.
fn own_wakes<K: Kind>(old: Option<&K>, new: Option<&K>) -> Vec<Key> {
    let seen = |object: &K| {
        let meta = object.meta();
        (meta.uid.clone(), meta.generation, meta.deletion_timestamp.is_some())
    };
    let changed = old.map(seen) != new.map(seen);
    new.or(old).filter(|_| changed).map(Key::of).into_iter().collect()
}

/// Which updates were started is written by the host's controller: what is left of the wish changes with it.
fn started_wakes(old: Option<&HostFirmwareComponents>, new: Option<&HostFirmwareComponents>) -> Vec<Key> {
    let started = |object: &HostFirmwareComponents| object.status.as_ref().map(|status| status.updates.clone());
    let changed = old.and_then(started) != new.and_then(started);
    new.filter(|_| changed && old.is_some()).map(Key::of).into_iter().collect()
}

/// When the machine is asked again.
fn again(changing: bool) -> kit::pass::Next {
    let (after, text) = if changing {
        (REREAD_CHANGING, "the wish is applied when the host is prepared, or rebooted if its update policy allows it")
    } else {
        (REREAD, "nothing is wished; what the machine has is read again")
    };
    let reason = if changing { "FirmwareChangePending" } else { "FirmwareSettled" };
    kit::pass::Next::After(after, Why::new(reason, text))
}
