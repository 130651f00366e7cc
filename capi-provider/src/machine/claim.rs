//! Binding a machine to one host. Pure.
//!
//! Two writes in two passes: first the machine names the host in its annotation, then the host gets the machine as
//! consumer. Both are refused when their object has changed since it was read. A machine only ever claims the host
//! that it names, and names another one only after the API server showed that the first is not its own; so neither
//! a lost answer nor a killed process nor a second controller makes it use two hosts.

use std::sync::Arc;

use api::metal3::BareMetalHost;
use api::names::{annotation, label};
use kit::diff;
use kit::pass::{Why, Write};

use super::choose::{self, Choice, Wish};
use super::consumer::{self, Consumer};
use super::data;
use super::provision;
use super::selector::Selector;
use super::view::View;

/// How far a machine is on its way to a host.
#[derive(Debug, Clone, PartialEq)]
pub enum Claim {
    /// The host is the machine's.
    Held(Arc<BareMetalHost>),
    /// The machine names this host; next it claims it.
    Name {
        /// The host.
        host: String,
        /// Whether it was kept for the machine's owner.
        reused: bool,
        /// The annotation.
        write: Write,
    },
    /// The named host gets the machine as consumer.
    Take {
        /// The host.
        host: String,
        /// Whether it was kept for the machine's owner.
        reused: bool,
        /// The consumer reference.
        write: Write,
    },
    /// Data that was rendered for an earlier host is let go before another one is named.
    LetGo(Write),
    /// Not now.
    Wait(Why),
}

/// The next step of a live machine towards its host.
pub fn step(view: &View) -> Claim {
    if let Some(host) = view.host() {
        let name = host.metadata.name.clone().unwrap_or_default();
        return match name_host(view, &name) {
            Some(write) => Claim::Name { host: name, reused: false, write },
            None => Claim::Held(host.clone()),
        };
    }
    match &view.hosts.named {
        Some(host) if view.committed() || left_behind(view, host) => back(view, host),
        Some(host) => match choose::choose(&wish(view), std::slice::from_ref(host)) {
            Choice::Take { host, reused } => take(view, &host, reused),
            Choice::WaitForReserved { .. } | Choice::None(_) | Choice::Invalid(_) => pick(view),
        },
        None if view.committed() && view.named_host().is_some() => {
            let text = format!(
                "host {} of this machine does not exist any more; restore it, or delete the Machine to get another",
                view.named_host().unwrap_or_default()
            );
            Claim::Wait(Why::new("AssociateBareMetalHostFailed", text))
        }
        None => pick(view),
    }
}

/// Chooses a host and names it.
fn pick(view: &View) -> Claim {
    match choose::choose(&wish(view), &view.hosts.candidates) {
        Choice::Take { host, reused } => {
            let name = host.metadata.name.clone().unwrap_or_default();
            if view.named_host().is_some_and(|named| named != name)
                && let Some(step) = without_data(view)
            {
                return step;
            }
            match name_host(view, &name) {
                Some(write) => Claim::Name { host: name, reused, write },
                // Named already, and free again since it was read past the cache.
                None => take(view, &host, reused),
            }
        }
        Choice::WaitForReserved { host, .. } => {
            let text = format!("waiting for host {host}, which is kept for this machine's owner, to become available");
            Claim::Wait(Why::new("WaitingForReservedHost", text))
        }
        Choice::None(tally) => {
            let text = format!("no host can be taken: {tally}; {}", tally.remedy());
            Claim::Wait(Why::new("NoAvailableHost", text))
        }
        Choice::Invalid(error) => Claim::Wait(Why::new("InvalidHostSelector", error.to_string())),
    }
}

/// The claim for data that was made while the machine had another host: names, addresses and IDs in it are that host's.
fn without_data(view: &View) -> Option<Claim> {
    data::held(view)?;
    if let Some(write) = data::release(view) {
        return Some(Claim::LetGo(write));
    }
    let text = "data that was rendered for an earlier host of this machine is going; another host is taken then";
    Some(Claim::Wait(Why::new("WaitingForMetal3Data", text)))
}

/// The machine's wishes.
pub fn wish(view: &View) -> Wish<'_> {
    Wish {
        namespace: view.namespace(),
        uid: view.machine.metadata.uid.as_deref().unwrap_or_default(),
        selector: Selector::parse(view.machine.spec.host_selector.as_ref()),
        reuse: view.reuse.owner.as_deref(),
        cluster: view.cluster_name().unwrap_or_default(),
        failure_domain: failure_domain(view),
        strict_failure_domain: view.settings.strict_failure_domains,
    }
}

fn failure_domain(view: &View) -> Option<&str> {
    let owner = view.owner.as_ref().and_then(|owner| owner.spec.failure_domain.as_deref());
    owner.or(view.machine.spec.failure_domain.as_deref()).filter(|domain| !domain.is_empty())
}

/// A host without consumer that still runs what this machine put there: somebody removed the reference by hand.
fn left_behind(view: &View, host: &BareMetalHost) -> bool {
    let bootstrap = view.owner.as_ref().and_then(|owner| owner.bootstrap_secret());
    let given = host.spec.user_data.as_ref().and_then(|reference| reference.name.as_deref());
    provision::deployed(host) && bootstrap.is_some() && given == bootstrap
}

/// Takes a host back that lost its consumer reference; one with another consumer is never touched.
fn back(view: &View, host: &Arc<BareMetalHost>) -> Claim {
    match Consumer::of(host) {
        Consumer::None => take(view, host, false),
        Consumer::Machine(_) | Consumer::Cluster(_) | Consumer::Other => {
            let text = format!(
                "host {} of this machine has another consumer; correct its consumerRef, or delete the Machine",
                host.metadata.name.as_deref().unwrap_or_default()
            );
            Claim::Wait(Why::new("AssociateBareMetalHostFailed", text))
        }
    }
}

fn take(view: &View, host: &Arc<BareMetalHost>, reused: bool) -> Claim {
    let name = host.metadata.name.clone().unwrap_or_default();
    match diff::object_exact(&**host, &claimed(view, host)) {
        Some(write) => Claim::Take { host: name, reused, write },
        None => Claim::Held(host.clone()),
    }
}

/// The host as it is once this machine uses it, before anything is put on it.
pub fn claimed(view: &View, host: &BareMetalHost) -> BareMetalHost {
    let mut after = host.clone();
    disown(&mut after);
    let labels = after.metadata.labels.get_or_insert_default();
    labels.remove(label::NODE_REUSE);
    if let Some(cluster) = view.cluster_name() {
        labels.insert(label::CLUSTER_NAME.to_owned(), cluster.to_owned());
    }
    let annotations = after.metadata.annotations.get_or_insert_default();
    annotations.entry(annotation::CLUSTERCTL_BLOCK_MOVE.to_owned()).or_default();
    if !view.uses(host) {
        after.spec.consumer_ref = Some(consumer::reference_of(&view.machine));
    }
    after
}

/// Removes owner references that releases before 1.14 gave to hosts: with one, the host would be deleted as garbage
/// together with its machine.
pub fn disown(host: &mut BareMetalHost) {
    let Some(owners) = &mut host.metadata.owner_references else { return };
    owners.retain(|owner| owner.kind != "Metal3Machine" || kit::owners::group(&owner.api_version) != api::infra::GROUP);
    if owners.is_empty() {
        host.metadata.owner_references = None;
    }
}

/// The write that names a host in the machine's annotation; `None` when it is named already.
fn name_host(view: &View, host: &str) -> Option<Write> {
    let mut after = (*view.machine).clone();
    let value = format!("{}/{host}", view.namespace());
    after.metadata.annotations.get_or_insert_default().insert(annotation::MACHINE_HOST.to_owned(), value);
    diff::object_exact(&*view.machine, &after)
}
