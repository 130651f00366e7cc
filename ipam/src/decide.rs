//! What to do about a pool, from its view alone. Read from the top: [`decide`] takes one of the paths below it.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use api::ipam::{IPPool, address_name, interval};
use api::names::{finalizer, label};
use kit::diff;
use kit::owners;
use kit::pass::{Next, Plan, Why, Write};

use crate::kinds::{Address, Claim, ClaimId, Flavor, cluster_owner, pool_kind};
use crate::space::{Chosen, Holder, Refusal, Space};
use crate::view::{AddressSeen, ClaimSeen, ClusterSeen, HoldOff, PoolView, is_paused};

/// Claims served in one pass; more follow in the next one, so that the pool's status is never far behind.
pub const ROUND: usize = 256;
/// An address with our finalizer, but without an owner and a claim, is kept this long: somebody restores a backup,
/// and claims may follow. With a dead owner the garbage collector would not keep it either, and it ends at once; the
/// API server makes such addresses when a claim is deleted in the very moment in which our finalizer is added.
pub const ORPHAN_AGE: Duration = Duration::from_mins(10);

/// What is done for one claim or address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// The claim gets the address, or is told what it has.
    Grant(IpAddr),
    /// The claim is told why it gets none now.
    Refuse(Refusal),
    /// The address, if there is one, and our hold on the claim end.
    Release(Option<IpAddr>),
}

/// The writes of one deed, in order. They depend on nothing outside the chain.
#[derive(Debug, Clone, PartialEq)]
pub struct Chain {
    /// For whom.
    pub claim: ClaimId,
    /// What it does.
    pub deed: Deed,
    /// How.
    pub writes: Vec<Write>,
}

/// All that one pass does for the claims of a pool.
#[derive(Clone, Default, PartialEq)]
pub struct Round {
    /// Independent of each other: one that breaks does not delay the others.
    pub chains: Vec<Chain>,
}

impl fmt::Debug for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |of: fn(&Deed) -> bool| self.chains.iter().filter(|chain| of(&chain.deed)).count();
        let grants = count(|deed| matches!(deed, Deed::Grant(_)));
        let refusals = count(|deed| matches!(deed, Deed::Refuse(_)));
        let releases = count(|deed| matches!(deed, Deed::Release(_)));
        write!(f, "grant {grants}, refuse {refusals}, release {releases}")
    }
}

/// What to do about a pool.
pub fn decide(view: &PoolView) -> Plan<Round> {
    let Some(pool) = view.pool.as_deref() else { return without_pool(view) };
    if let Some(why) = paused(view, pool) {
        return Plan::wait(Next::Changed(why));
    }
    let deleting = owners::deleting(&pool.metadata);
    if let (ClusterSeen::Missing(name), false) = (&view.cluster, deleting) {
        let why = Why::new("ClusterNotFound", format!("waiting for Cluster {name}, which the pool belongs to"));
        return plan(Vec::new(), releases(view), Next::Changed(why));
    }
    let mut chains = releases(view);
    let waiting = serve(view, pool, &mut chains);
    if deleting && view.addresses.is_empty() && chains.iter().all(|chain| matches!(chain.deed, Deed::Refuse(_))) {
        return plan(unhold(pool), chains, Next::Gone);
    }
    let writes = if deleting { Vec::new() } else { adopt(view, pool) };
    let next = next(view, deleting, waiting);
    plan(writes, chains, next)
}

fn plan(writes: Vec<Write>, mut chains: Vec<Chain>, next: Next) -> Plan<Round> {
    let more = chains.len() > ROUND;
    chains.truncate(ROUND);
    let next = if more { Next::Now } else { next };
    let call = (!chains.is_empty()).then_some(Round { chains });
    Plan { writes, call, ..Plan::wait(next) }
}

/// Why nothing at all may be done for the pool now, if that is so.
pub fn paused(view: &PoolView, pool: &IPPool) -> Option<Why> {
    let by_cluster = match &view.cluster {
        ClusterSeen::Found(cluster) => is_paused(cluster),
        ClusterSeen::Unnamed | ClusterSeen::Missing(_) => false,
    };
    if by_cluster {
        Some(Why::new("Paused", "the Cluster of the pool is paused"))
    } else if owners::paused(&pool.metadata) {
        Some(Why::new("Paused", format!("the pool has the annotation {}; remove it to go on", owners::PAUSED)))
    } else {
        None
    }
}

/// Claims that name a pool which does not exist: those in deletion must end, the others are told.
fn without_pool(view: &PoolView) -> Plan<Round> {
    let mut chains = releases(view);
    let mut waiting = false;
    for seen in &view.claims {
        if !seen.claim.is_deleting() && seen.hold_off.is_none() {
            waiting = true;
            refuse(&seen.claim, Refusal::PoolMissing, view, &mut chains);
        }
    }
    let message = format!("{} {} does not exist; claims wait for it", pool_kind(), view.key);
    let next = if waiting { Next::Changed(Why::new("PoolNotFound", message)) } else { Next::Rest };
    plan(Vec::new(), chains, next)
}

/// Labels, owner and finalizer of the pool itself.
fn adopt(view: &PoolView, pool: &IPPool) -> Vec<Write> {
    let mut after = pool.clone();
    if let ClusterSeen::Found(cluster) = &view.cluster {
        let labels = after.metadata.labels.get_or_insert_default();
        labels.insert(label::CLUSTER_NAME.to_owned(), cluster.metadata.name.clone().unwrap_or_default());
        labels.insert(label::PROVIDER.to_owned(), label::PROVIDER_IPAM.to_owned());
        // An owner with the right uid stays as it was written, even in another API version.
        if !owners::owned_by(&after.metadata, cluster.metadata.uid.as_deref().unwrap_or_default()) {
            owners::set_owner(&mut after.metadata, cluster_owner(cluster));
        }
    }
    if !owners::has_finalizer(&after, finalizer::IP_POOL) {
        after.metadata.finalizers.get_or_insert_default().push(finalizer::IP_POOL.to_owned());
    }
    diff::object_exact(pool, &after).into_iter().collect()
}

fn unhold(pool: &IPPool) -> Vec<Write> {
    let held = owners::has_finalizer(pool, finalizer::IP_POOL);
    held.then(|| owners::remove_finalizer(pool, finalizer::IP_POOL)).into_iter().collect()
}

/// Ends addresses whose claims are in deletion or gone. Deletion of a claim cannot be taken back, and its uid and
/// resourceVersion guard the last write, so the cache is good enough to act on.
fn releases(view: &PoolView) -> Vec<Chain> {
    let by_claim = addresses_by_claim(view);
    let mut chains = Vec::new();
    for ClaimSeen { claim, hold_off } in &view.claims {
        if !claim.is_deleting() || claim.is_held_by_others() || *hold_off == Some(HoldOff::Paused) {
            continue;
        }
        let id = claim.id();
        let addresses = by_claim.get(&id).map(Vec::as_slice).unwrap_or_default();
        let ends = addresses.iter().flat_map(|address| address.end());
        let writes: Vec<Write> = ends.chain(claim.let_go()).collect();
        if !writes.is_empty() {
            let ip = addresses.first().and_then(|address| address.ip());
            chains.push(Chain { claim: id, deed: Deed::Release(ip), writes });
        }
    }
    for AddressSeen { address, .. } in view.addresses.iter().filter(|seen| is_orphan(view, seen)) {
        let deed = Deed::Release(address.ip());
        chains.push(Chain { claim: address.claim(), deed, writes: address.end() });
    }
    chains
}

fn is_orphan(view: &PoolView, seen: &AddressSeen) -> bool {
    let pool_stays = view.pool.as_ref().is_some_and(|pool| !owners::deleting(&pool.metadata));
    let created = seen.address.meta().creation_timestamp.as_ref().map_or(view.now, |time| time.0);
    let old = view.now.duration_since(created) >= jiff::SignedDuration::try_from(ORPHAN_AGE).unwrap_or_default();
    // The garbage collector takes a dead claim off the owners and leaves the pool: such an address is of this life of
    // the pool, whereas one from a restored backup names nobody who lives.
    let uid = view.pool.as_ref().and_then(|pool| pool.metadata.uid.as_deref());
    let made_here = seen.address.has_owner() || uid.is_some_and(|uid| owners::owned_by(seen.address.meta(), uid));
    let ends = old || !pool_stays || made_here || owners::deleting(seen.address.meta());
    seen.claim_is_gone && ends
}

fn addresses_by_claim(view: &PoolView) -> BTreeMap<ClaimId, Vec<&Address>> {
    let mut by_claim: BTreeMap<ClaimId, Vec<&Address>> = BTreeMap::new();
    for seen in &view.addresses {
        by_claim.entry(seen.address.claim()).or_default().push(&seen.address);
    }
    by_claim
}

/// The space of the pool with all that is in use.
pub fn space(view: &PoolView, pool: &IPPool) -> Space {
    let mut space = Space::new(&pool.spec, view.seed);
    for ip in view.neighbours.iter().filter_map(Address::ip) {
        space.hold(ip, Holder::Neighbour);
    }
    for seen in &view.addresses {
        if let Some(ip) = seen.address.ip() {
            space.hold(ip, Holder::Claim(seen.address.claim()));
        }
    }
    space
}

/// Serves claims in order of age; answers how many get none because the pool is exhausted.
fn serve(view: &PoolView, pool: &IPPool, chains: &mut Vec<Chain>) -> usize {
    let by_claim = addresses_by_claim(view);
    let mut space = space(view, pool);
    let mut exhausted = 0;
    for ClaimSeen { claim, hold_off } in &view.claims {
        if claim.is_deleting() || hold_off.is_some() {
            continue;
        }
        let id = claim.id();
        let existing = by_claim.get(&id).and_then(|addresses| addresses.iter().find(|a| a.ip().is_some()));
        if let Some((address, ip)) = existing.and_then(|address| Some((address, address.ip()?))) {
            let writes: Vec<Write> = claim.hold().into_iter().chain(claim.grant(address.name(), view.now)).collect();
            if !writes.is_empty() {
                chains.push(Chain { claim: id, deed: Deed::Grant(ip), writes });
            }
            continue;
        }
        match choose(pool, claim, &mut space) {
            Ok(chosen) => {
                let object = address_name(&pool.spec.name_prefix, chosen.ip);
                let create = claim.make_address(pool, &chosen);
                let grant = claim.grant(&object, view.now);
                let writes = claim.hold().into_iter().chain([create]).chain(grant).collect();
                chains.push(Chain { claim: id, deed: Deed::Grant(chosen.ip), writes });
            }
            Err(refusal) => {
                exhausted += usize::from(refusal == Refusal::Exhausted);
                refuse(claim, refusal, view, chains);
            }
        }
    }
    exhausted
}

fn choose(pool: &IPPool, claim: &Claim, space: &mut Space) -> Result<Chosen, Refusal> {
    if owners::deleting(&pool.metadata) {
        return Err(Refusal::PoolDeleting);
    }
    let id = claim.id();
    // A claim that lost its address object (deleted by hand) gets the same address again.
    let before = || {
        let text = pool.status.as_ref()?.allocations.get(&id.name)?;
        interval::parse(text).ok()
    };
    let before = if claim.was_served() { before() } else { None };
    let chosen = space.choose(&id, claim.requested(), before)?;
    let limit = if chosen.ip.is_ipv4() { 32 } else { 128 };
    if id.flavor == Flavor::Capi && !(0..=i64::from(limit)).contains(&chosen.network.prefix) {
        return Err(Refusal::BadPrefix(limit));
    }
    Ok(chosen)
}

fn refuse(claim: &Claim, refusal: Refusal, view: &PoolView, chains: &mut Vec<Chain>) {
    if let Some(write) = claim.refuse(&refusal, view.now) {
        chains.push(Chain { claim: claim.id(), deed: Deed::Refuse(refusal), writes: vec![write] });
    }
}

fn next(view: &PoolView, deleting: bool, exhausted: usize) -> Next {
    if deleting {
        let left = view.addresses.len();
        let message = format!("{left} addresses are still in use; the pool is deleted when their claims are");
        return Next::Changed(Why::new("AddressesInUse", message));
    }
    if view.addresses.iter().any(|seen| seen.claim_is_gone && !is_orphan(view, seen)) {
        let message = "addresses without a claim are kept for a while, in case their claims come back";
        return Next::After(ORPHAN_AGE, Why::new("ClaimMissing", message).normal(ORPHAN_AGE));
    }
    if exhausted > 0 {
        let message = format!("{exhausted} claims wait for a free address: add a range, or delete claims");
        return Next::Changed(Why::new("PoolExhausted", message));
    }
    // Our own writes wake the pool once more, which confirms that nothing is left.
    Next::Rest
}

#[cfg(test)]
pub(crate) mod tests;
