//! What the outcome of a round means for the pool's status, for events and for the next look.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use api::ipam::{Counts, IPPool, IPPoolStatus, RangeCounts, interval};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition as MetaCondition, Time};
use kit::clock::left;
use kit::conditions::{self, Condition};
use kit::diff;
use kit::key::Target;
use kit::owners;
use kit::pass::{Class, Done, Fault, Next, Note, Plan, Record, Why, Write};

use crate::contest::Contest;
use crate::decide::{Chain, Deed, GIVEN_TWICE, Round, paused, space_with};
use crate::kinds::ClaimName;
use crate::space::{Space, Usage};
use crate::view::{Busy, ClusterSeen, PoolView, QUIET};

/// The least time between two writes of a pool's status; it is a copy of what the address objects say, so nothing
/// depends on it.
pub const STATUS_PAUSE: Duration = Duration::from_secs(1);
/// The pause grows with each so many addresses in the map, because the API server checks every entry at each write.
const PAUSE_GROWS: usize = 1000;
/// The longest pause, in the first of these.
const PAUSES: u32 = 10;
/// While claims keep coming, the pause is this part of the time since they began to.
const BUSY_PART: u32 = 2;

/// Condition that is there, and false, while several claims were told one address.
pub const UNIQUE: &str = "AddressesUnique";

/// What became of each chain of a round, in its order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RoundDone {
    /// The fault of each chain, `None` when it went through.
    pub faults: Vec<Option<Fault>>,
}

/// What to record.
pub fn record(view: &PoolView, plan: &Plan<Round>, done: &Done<RoundDone>) -> Record {
    let next = plan.next.clone();
    let outcome = Outcome::of(plan, done);
    let notes = outcome.notes(view);
    let fault = done.failed.clone().or_else(|| outcome.fault(done));
    let mut record = Record { status: None, notes, next, fault };
    let Some(pool) = view.pool.as_deref() else { return record };
    if record.next == Next::Gone || paused(view, pool).is_some() {
        return record;
    }
    let allocations = outcome.allocations(view);
    let space = space_with(view, pool, allocations.iter().map(|(_, ip)| *ip));
    let ready = ready(view, pool, space.usage());
    // Asked before the map is made, which costs more than all the rest of a pass.
    if let Some(left) = too_soon(view, pool, &ready, &outcome, done.at) {
        record.next = sooner(record.next, left);
        return record;
    }
    let mut after = status_after(pool, &allocations, &space, &outcome, &ready, done.at);
    show_shared(&mut after, view, &space, done.at);
    let Some(write) = diff::status(pool, &after) else { return record };
    record.notes.extend(turned(pool, &after));
    record.with_status(Some(write))
}

/// Only one wake is kept: the earlier one, with what is waited for otherwise.
fn sooner(next: Next, left: Duration) -> Next {
    match next {
        Next::Now | Next::Gone => next,
        Next::After(delay, why) => Next::After(delay.min(left), why),
        Next::Changed(why) => Next::After(left, why),
        Next::Rest => Next::After(left, Why::new("StatusPending", "the pool's status follows in a moment")),
    }
}

/// Addresses in use with their claims.
type Allocations<'a> = BTreeSet<(ClaimName<'a>, IpAddr)>;

/// The chains of a round with their faults.
struct Outcome<'a> {
    chains: Vec<(&'a Chain, Option<&'a Fault>)>,
}

impl<'a> Outcome<'a> {
    fn of(plan: &'a Plan<Round>, done: &'a Done<RoundDone>) -> Self {
        let faults = match &done.answer {
            Some(Ok(answer)) => answer.faults.as_slice(),
            Some(Err(_)) | None => &[],
        };
        let chains = plan.call.iter().flat_map(|round| &round.chains);
        Self { chains: chains.zip(faults).map(|(chain, fault)| (chain, fault.as_ref())).collect() }
    }

    fn done(&self) -> impl Iterator<Item = &'a Chain> {
        self.chains.iter().filter(|(_, fault)| fault.is_none()).map(|(chain, _)| *chain)
    }

    /// The fault the queue backs off for: a real one before a lost race.
    fn fault(&self, done: &Done<RoundDone>) -> Option<Fault> {
        if let Some(Err(fault)) = &done.answer {
            return Some(fault.clone());
        }
        let faults = || self.chains.iter().filter_map(|(_, fault)| *fault);
        faults().find(|fault| fault.class != Class::Again).or_else(|| faults().next()).cloned()
    }

    fn released(&self) -> bool {
        self.done().any(|chain| matches!(chain.deed, Deed::Release(_)))
    }

    /// Who has what after the round.
    fn allocations(&self, view: &'a PoolView) -> Allocations<'a> {
        let addresses = view.addresses.iter().filter_map(|seen| Some((seen.address.claim(), seen.address.ip()?)));
        let mut allocations: Allocations<'a> = addresses.collect();
        for chain in self.done() {
            let claim = (chain.claim.flavor, chain.claim.name.as_str());
            match &chain.deed {
                Deed::Grant { ip, .. } => {
                    allocations.insert((claim, *ip));
                }
                Deed::Release(ips) => {
                    for ip in ips {
                        allocations.remove(&(claim, *ip));
                    }
                }
                Deed::Refuse(_) => {}
            }
        }
        allocations
    }

    /// An event for each claim that was told why it gets no address, by us or by the API server.
    fn notes(&self, view: &PoolView) -> Vec<Note> {
        let note = |(chain, fault): &(&Chain, Option<&Fault>)| {
            let claim = &view.claims.get(chain.at?)?.claim;
            let text = match (&chain.deed, fault) {
                (Deed::Refuse(refusal), None) => refusal.to_string(),
                (Deed::Grant { .. }, Some(fault)) => claim.fail(refusal(fault)?, view.now).map(|(text, _)| text)?,
                (Deed::Refuse(_), Some(_)) | (Deed::Grant { .. }, None) | (Deed::Release(_), _) => return None,
            };
            Some(Note::warning(claim.target(), "AllocationFailed", text))
        };
        self.chains.iter().filter_map(note).collect()
    }
}

/// What the API server refused for good; other faults pass by themselves.
fn refusal(fault: &Fault) -> Option<&str> {
    match fault.class {
        Class::Bug | Class::User => Some(&fault.message),
        Class::Again | Class::Backoff | Class::Peer => None,
    }
}

fn status_after(
    pool: &IPPool,
    allocations: &Allocations<'_>,
    space: &Space,
    outcome: &Outcome<'_>,
    ready: &Condition,
    now: Timestamp,
) -> IPPool {
    let mut after = pool.clone();
    let status = after.status.get_or_insert_default();
    let indexes = by_name(allocations);
    if status.allocations != indexes || outcome.released() {
        status.allocations = indexes;
        status.last_updated = Some(Time(now));
    } else if status.last_updated.is_none() {
        status.last_updated.clone_from(&pool.metadata.creation_timestamp);
    }
    let usage = space.usage();
    status.ip_addresses = Some(Counts { total: shown(usage.total), used: shown(usage.used), free: shown(usage.free) });
    status.ranges = ranges(space);
    conditions::set(&mut status.conditions, ready, pool.metadata.generation, now);
    after
}

/// An address that several claims were told, which only people can settle.
fn show_shared(pool: &mut IPPool, view: &PoolView, space: &Space, now: Timestamp) {
    let generation = pool.metadata.generation;
    let list = &mut pool.status.get_or_insert_default().conditions;
    match Contest::of(view, space.doubles()).shared.first() {
        Some(shared) => {
            let unique = Condition::no(UNIQUE, GIVEN_TWICE, shared.to_string());
            conditions::set(list, &unique, generation, now);
        }
        None => conditions::remove(list, UNIQUE),
    }
}

/// Kubernetes has no larger integers.
fn shown(number: u128) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn ranges(space: &Space) -> Vec<RangeCounts> {
    let counts = |(interval, usage): (Option<interval::Interval>, Usage)| {
        let text = |number: fn(&interval::Interval) -> u128| {
            interval.as_ref().map(|i| interval::address(i.family, number(i)).to_string())
        };
        let [total, used, free] = [usage.total, usage.used, usage.free].map(shown);
        RangeCounts { first: text(|i| i.first), last: text(|i| i.last), total, used, free }
    };
    space.usage_by_range().into_iter().map(counts).collect()
}

/// The map on the wire knows only names of claims. Every address in use must be in it, because the webhook reads there
/// which ones an edit would strand: what has no name of its own is under its address. IPClaims come first.
fn by_name(allocations: &Allocations<'_>) -> BTreeMap<String, String> {
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for ((_, claim), ip) in allocations {
        let ip = ip.to_string();
        let taken = claim.is_empty() || names.contains_key(*claim);
        let name = if taken { format!("ipaddress/{ip}") } else { (*claim).to_owned() };
        names.insert(name, ip);
    }
    names
}

fn ready(view: &PoolView, pool: &IPPool, usage: Usage) -> Condition {
    let numbers = format!("{} of {} addresses are in use, {} are free", usage.used, usage.total, usage.free);
    if owners::deleting(&pool.metadata) {
        return Condition::no("Ready", "Deleting", format!("{numbers}; the pool ends with the last claim"));
    }
    if let ClusterSeen::Missing(name) = &view.cluster {
        return Condition::no("Ready", "ClusterNotFound", format!("waiting for Cluster {name}; {numbers}"));
    }
    if usage.free == 0 {
        return Condition::no("Ready", "Exhausted", format!("{numbers}; add a range to spec.pools, or delete claims"));
    }
    Condition::yes("Ready", "AddressesAvailable").message(numbers)
}

/// How long the status write waits; `None` to write now. What a user waits for (Ready turning) is written at once, unless
/// it turned a moment ago: two managers that see different things would turn it back and forth as fast as they can.
fn too_soon(
    view: &PoolView,
    pool: &IPPool,
    ready: &Condition,
    outcome: &Outcome<'_>,
    now: Timestamp,
) -> Option<Duration> {
    let known: &IPPoolStatus = pool.status.as_ref()?;
    let shown = conditions::get(&known.conditions, "Ready")?;
    if (shown.status.as_str(), &shown.reason) != (ready.truth.as_str(), &ready.reason) {
        return left(shown.last_transition_time.0, STATUS_PAUSE, now);
    }
    let worked = !outcome.chains.is_empty();
    let busy = if worked { Some(Busy::after(view.busy, view.now, now)) } else { view.busy };
    let busy = busy.and_then(|busy| busy.lasts(now));
    let left = left(known.last_updated.as_ref()?.0, pause(known.allocations.len(), busy), now)?;
    // A pool that comes to rest is shown as it is then.
    Some(if busy.is_some() { left.min(QUIET) } else { left })
}

/// The time between two status writes of a pool with so many addresses in use that has been busy for this long.
fn pause(addresses: usize, busy: Option<Duration>) -> Duration {
    let most = STATUS_PAUSE * PAUSES;
    let by_size = STATUS_PAUSE.saturating_mul(u32::try_from(addresses / PAUSE_GROWS).unwrap_or(PAUSES));
    let by_time = busy.unwrap_or_default() / BUSY_PART;
    by_size.max(by_time).clamp(STATUS_PAUSE, most)
}

/// Events when the pool runs dry, when it recovers, and when an address turns out to be given twice.
fn turned(before: &IPPool, after: &IPPool) -> Vec<Note> {
    let condition = |pool: &IPPool, kind: &str| {
        let conditions = pool.status.as_ref().map(|status| status.conditions.as_slice());
        conditions::get(conditions.unwrap_or_default(), kind).cloned()
    };
    let twice = condition(after, UNIQUE).map(|unique| unique.message);
    let known = condition(before, UNIQUE).map(|unique| unique.message);
    let twice = twice.filter(|twice| known.as_ref() != Some(twice));
    let twice = twice.map(|message| Note::warning(Target::of(before), GIVEN_TWICE, message));
    full_or_free(before, condition(before, "Ready"), condition(after, "Ready")).into_iter().chain(twice).collect()
}

fn full_or_free(pool: &IPPool, old: Option<MetaCondition>, new: Option<MetaCondition>) -> Option<Note> {
    let new = new?;
    let old = old.map(|ready| ready.reason).unwrap_or_default();
    let about = || Target::of(pool);
    match (old.as_str(), new.reason.as_str()) {
        ("Exhausted", "AddressesAvailable") => Some(Note::normal(about(), "AddressesAvailable", new.message)),
        (old, "Exhausted") if old != "Exhausted" => Some(Note::warning(about(), "PoolExhausted", new.message)),
        _ => None,
    }
}

/// The status writes for claims whose address object the API server refused.
pub fn failures(view: &PoolView, round: &Round, faults: &[Option<Fault>]) -> Vec<Vec<Write>> {
    let refused = round.chains.iter().zip(faults).filter_map(|(chain, fault)| {
        let message = fault.as_ref().and_then(refusal)?;
        let seen = view.claims.get(chain.at?)?;
        let (_, write) = matches!(chain.deed, Deed::Grant { .. }).then(|| seen.claim.fail(message, view.now))??;
        Some(vec![write])
    });
    refused.collect()
}

#[cfg(test)]
mod tests;
