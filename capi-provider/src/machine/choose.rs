//! Which host a machine gets. Pure; the same hosts and machine always give the same answer.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::metal3::{BareMetalHost, OperationalStatus, ProvisioningState};
use api::names::{annotation, label};

use super::consumer::Consumer;
use super::selector::{Selector, SelectorError};

/// What a machine asks of a host.
#[derive(Debug, Clone)]
pub struct Wish<'a> {
    /// Namespace of the machine: hosts of others are never looked at.
    pub namespace: &'a str,
    /// Uid of the Metal3Machine; spreads machines that choose at the same time over different hosts.
    pub uid: &'a str,
    /// Requirements on labels.
    pub selector: Result<Selector, SelectorError>,
    /// Value of the reuse label of hosts kept for this machine's owner.
    pub reuse: Option<&'a str>,
    /// The cluster that such hosts are kept for.
    pub cluster: &'a str,
    /// The failure domain Cluster API chose.
    pub failure_domain: Option<&'a str>,
    /// Whether a host of another failure domain is refused; otherwise it is only the second choice.
    pub strict_failure_domain: bool,
}

/// Why a host is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rejected {
    /// Another object uses it.
    InUse,
    /// It is kept for another owner's next machine.
    Reserved,
    /// It is being deleted.
    Deleting,
    /// Its last step failed.
    Error,
    /// Its controller is paused.
    Paused,
    /// It was released from Ironic.
    Detached,
    /// Somebody marked it as unhealthy.
    Unhealthy,
    /// It runs something that Ironic did not put there.
    ExternallyProvisioned,
    /// It has an image of its own.
    HasImage,
    /// It is not in a state in which it can be provisioned.
    NotAvailable,
    /// Its labels do not match the selector.
    LabelsDiffer,
    /// It stands in another failure domain.
    OtherFailureDomain,
}

impl Rejected {
    fn text(self) -> &'static str {
        match self {
            Self::InUse => "in use",
            Self::Reserved => "reserved for others",
            Self::Deleting => "being deleted",
            Self::Error => "in error",
            Self::Paused => "paused",
            Self::Detached => "detached",
            Self::Unhealthy => "marked unhealthy",
            Self::ExternallyProvisioned => "externally provisioned",
            Self::HasImage => "with an image of their own",
            Self::NotAvailable => "not available",
            Self::LabelsDiffer => "with labels that spec.hostSelector does not match",
            Self::OtherFailureDomain => "in another failure domain",
        }
    }
}

/// How many hosts were rejected, by reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally(pub BTreeMap<Rejected, usize>);

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let total: usize = self.0.values().sum();
        if total == 0 {
            return f.write_str("there are no hosts in this namespace");
        }
        let parts: Vec<String> = self.0.iter().map(|(why, count)| format!("{count} {}", why.text())).collect();
        write!(f, "{total} {}: {}", if total == 1 { "host" } else { "hosts" }, parts.join(", "))
    }
}

impl Tally {
    /// What a person can do so that there is a host.
    pub fn remedy(&self) -> &'static str {
        if self.0.contains_key(&Rejected::LabelsDiffer) {
            "label a host, or correct spec.hostSelector"
        } else {
            "add a BareMetalHost, or wait until one becomes available"
        }
    }
}

/// The outcome.
#[derive(Debug, Clone, PartialEq)]
pub enum Choice {
    /// Take this host.
    Take {
        /// The host.
        host: Arc<BareMetalHost>,
        /// Whether it was kept for this machine's owner.
        reused: bool,
    },
    /// Hosts are kept for this machine's owner, but none can be provisioned yet.
    WaitForReserved {
        /// The first of them.
        host: String,
        /// Why not yet.
        why: Rejected,
    },
    /// No host qualifies.
    None(Tally),
    /// The selector cannot be understood.
    Invalid(SelectorError),
}

/// Chooses among all hosts. Hosts kept for the machine's owner come first, then its failure domain, then a fixed
/// but scattered order.
pub fn choose(wish: &Wish<'_>, hosts: &[Arc<BareMetalHost>]) -> Choice {
    let selector = match &wish.selector {
        Ok(selector) => selector,
        Err(error) => return Choice::Invalid(error.clone()),
    };
    let mut tally = Tally::default();
    let mut kept: Option<(String, Rejected)> = None;
    let mut best: Option<(Rank, &Arc<BareMetalHost>)> = None;
    for host in hosts.iter().filter(|host| host.metadata.namespace.as_deref() == Some(wish.namespace)) {
        let ours = kept_for(host, wish);
        match judge(wish, selector, host, ours) {
            Ok(()) => {
                let rank = Rank::of(wish, host, ours);
                if best.as_ref().is_none_or(|(known, _)| rank < *known) {
                    best = Some((rank, host));
                }
            }
            Err(why) => {
                *tally.0.entry(why).or_default() += 1;
                if ours && matches!(why, Rejected::NotAvailable) && kept.is_none() {
                    kept = Some((name(host).to_owned(), why));
                }
            }
        }
    }
    match (best, kept) {
        (Some((rank, host)), _) if !rank.not_kept => Choice::Take { host: host.clone(), reused: true },
        (_, Some((host, why))) => Choice::WaitForReserved { host, why },
        (Some((_, host)), None) => Choice::Take { host: host.clone(), reused: false },
        (None, None) => Choice::None(tally),
    }
}

/// The order among hosts that qualify; the smallest wins.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    not_kept: bool,
    other_domain: bool,
    scatter: u64,
    name: String,
}

impl Rank {
    fn of(wish: &Wish<'_>, host: &BareMetalHost, kept: bool) -> Self {
        Self {
            not_kept: !kept,
            other_domain: wish.failure_domain.is_some() && !in_domain(wish, host),
            scatter: scatter(wish.uid, name(host)),
            name: name(host).to_owned(),
        }
    }
}

fn judge(wish: &Wish<'_>, selector: &Selector, host: &BareMetalHost, kept: bool) -> Result<(), Rejected> {
    let annotated = |key: &str| host.metadata.annotations.as_ref().is_some_and(|all| all.contains_key(key));
    let status = host.status.as_ref();
    let operational = status.map_or(OperationalStatus::Unset, |status| status.operational_status.clone());
    let failed =
        status.is_some_and(|status| !status.error_message.is_empty()) || operational == OperationalStatus::Error;
    let state = status.map_or(ProvisioningState::None, |status| status.provisioning.state.clone());
    let rules = [
        (!kept && host.spec.consumer_ref.is_some() && reserved(host).is_none(), Rejected::InUse),
        (!kept && reserved(host).is_some(), Rejected::Reserved),
        (!selector.takes(host.metadata.labels.as_ref()), Rejected::LabelsDiffer),
        (host.metadata.deletion_timestamp.is_some(), Rejected::Deleting),
        (failed, Rejected::Error),
        (annotated(annotation::HOST_PAUSED), Rejected::Paused),
        (annotated(annotation::HOST_DETACHED) || operational == OperationalStatus::Detached, Rejected::Detached),
        (annotated(annotation::HOST_UNHEALTHY) || annotated(annotation::HOST_UNHEALTHY_OLD), Rejected::Unhealthy),
        (host.spec.externally_provisioned, Rejected::ExternallyProvisioned),
        (host.spec.image.is_some() || host.spec.custom_deploy.is_some(), Rejected::HasImage),
        (
            wish.strict_failure_domain && wish.failure_domain.is_some() && !in_domain(wish, host),
            Rejected::OtherFailureDomain,
        ),
        (!matches!(state, ProvisioningState::Ready | ProvisioningState::Available), Rejected::NotAvailable),
    ];
    rules.into_iter().find_map(|(broken, why)| broken.then_some(Err(why))).unwrap_or(Ok(()))
}

/// Whether a released host waits for the next machine of this machine's owner.
fn kept_for(host: &BareMetalHost, wish: &Wish<'_>) -> bool {
    let by_label = reserved(host).is_some_and(|value| Some(value) == wish.reuse);
    let by_consumer = match Consumer::of(host) {
        Consumer::None => true,
        Consumer::Cluster(cluster) => cluster.name == wish.cluster && cluster.namespace == wish.namespace,
        Consumer::Machine(_) | Consumer::Other => false,
    };
    by_label && by_consumer
}

fn reserved(host: &BareMetalHost) -> Option<&str> {
    host.metadata.labels.as_ref()?.get(label::NODE_REUSE).map(String::as_str)
}

fn in_domain(wish: &Wish<'_>, host: &BareMetalHost) -> bool {
    let domain = host.metadata.labels.as_ref().and_then(|labels| labels.get(label::FAILURE_DOMAIN));
    domain.map(String::as_str) == wish.failure_domain
}

fn name(host: &BareMetalHost) -> &str {
    host.metadata.name.as_deref().unwrap_or_default()
}

/// A number that differs between machines for one host and between hosts for one machine (FNV-1a, 64 bits), so
/// that many machines choosing at once do not all run for the same host.
fn scatter(machine: &str, host: &str) -> u64 {
    let bytes = machine.bytes().chain([0]).chain(host.bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests;
