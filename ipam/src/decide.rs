//! What to do about a pool, from its view alone. Read from the top: [`decide`] takes one of the paths below it.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use api::ipam::IPPool;
use api::names::{finalizer, label};
use kit::diff;
use kit::owners;
use kit::pass::{Next, Plan, Why, Write};

use crate::kinds::{Address, ClaimId, ClaimName, Flavor, OfPool as _, cluster_owner, pool_kind};
use crate::space::{Holder, Refusal, Space};
use crate::view::{AddressSeen, ClaimSeen, ClusterSeen, HoldOff, PoolView, is_paused};

mod serve;

use serve::{Served, is_served, refuse, serve};

/// Claims served in one pass at least; more follow in the next one, so that the pool's status is never far behind.
pub const ROUND: usize = 256;
/// A pass looks at all claims of the pool, so it also serves at least this part of them: then the looks of all passes
/// together cost each claim the same, however many there are.
const SHARE: usize = 8;
/// An address with our finalizer, but without an owner and a claim, is kept this long: somebody restores a backup,
/// and claims may follow. With a dead owner the garbage collector would not keep it either, and it ends at once; the
/// API server makes such addresses when a claim is deleted in the very moment in which our finalizer is added.
pub const ORPHAN_AGE: Duration = Duration::from_mins(10);

/// Questions that a pass had no room for follow after this pause.
const ASK_PAUSE: Duration = Duration::from_secs(1);
/// Several claims were told one address.
pub const GIVEN_TWICE: &str = "AddressGivenTwice";

/// What is done for one claim or address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// The claim gets the address, or is told what it has.
    Grant {
        /// The address.
        ip: IpAddr,
        /// Other names that an object of the address could have, each with its kind. Before the claim is told, the API
        /// server is asked that there is none. Empty for one that knows its address already.
        twins: Vec<(Flavor, String)>,
    },
    /// The claim is told why it gets none now.
    Refuse(Refusal),
    /// The addresses, if there are any, and our hold on a claim in deletion end.
    Release(Vec<IpAddr>),
}

/// The writes of one deed, in order. They depend on nothing outside the chain.
#[derive(Debug, Clone, PartialEq)]
pub struct Chain {
    /// For whom.
    pub claim: ClaimId,
    /// The claim's place in the view; `None` for an address without one.
    pub at: Option<usize>,
    /// What it does.
    pub deed: Deed,
    /// How.
    pub writes: Vec<Write>,
}

impl Chain {
    fn new(claim: ClaimId, at: Option<usize>, deed: Deed, writes: Vec<Write>) -> Self {
        Self { claim, at, deed, writes }
    }
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
        let grants = count(|deed| matches!(deed, Deed::Grant { .. }));
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
        return plan(view, Vec::new(), releases(view), Next::Changed(why));
    }
    let by_claim = addresses_by_claim(view);
    let mut chains = releases(view);
    let served = serve(view, pool, &by_claim, &mut chains);
    if deleting && view.addresses.is_empty() && chains.iter().all(|chain| matches!(chain.deed, Deed::Refuse(_))) {
        return plan(view, unhold(pool), chains, Next::Gone);
    }
    let writes = if deleting { Vec::new() } else { adopt(view, pool) };
    let next = next(view, deleting, served);
    plan(view, writes, chains, next)
}

/// How many chains one pass takes on.
fn round(view: &PoolView) -> usize {
    ROUND.max(view.claims.len().max(view.addresses.len()) / SHARE)
}

fn plan(view: &PoolView, writes: Vec<Write>, mut chains: Vec<Chain>, next: Next) -> Plan<Round> {
    let more = chains.len() > round(view);
    chains.truncate(round(view));
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
    for at in 0..view.claims.len() {
        if is_served(view, at) {
            waiting = true;
            chains.extend(refuse(view, at, Refusal::PoolMissing));
        }
    }
    let message = format!("{} {} does not exist; claims wait for it", pool_kind(), view.key);
    let next = if waiting { Next::Changed(Why::new("PoolNotFound", message)) } else { Next::Rest };
    let next = unasked(view).unwrap_or(next);
    plan(view, Vec::new(), chains, next)
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
    for (at, ClaimSeen { claim, hold_off }) in view.claims.iter().enumerate() {
        if !claim.is_deleting() || claim.is_held_by_others() || *hold_off == Some(HoldOff::Paused) {
            continue;
        }
        let addresses = of(&by_claim, claim.name());
        let ends = addresses.iter().flat_map(|address| address.end());
        let writes: Vec<Write> = ends.chain(claim.let_go()).collect();
        if !writes.is_empty() {
            chains.push(Chain::new(claim.id(), Some(at), released(addresses), writes));
        }
        if chains.len() > round(view) {
            return chains;
        }
    }
    for AddressSeen { address, .. } in view.addresses.iter().filter(|seen| is_orphan(view, seen)) {
        let writes = address.end();
        let deed = released(&[address]);
        chains.push(Chain::new(address.claim().into(), None, deed, writes));
    }
    chains
}

fn released(addresses: &[&Address]) -> Deed {
    Deed::Release(addresses.iter().filter_map(|address| address.ip()).collect())
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

type ByClaim<'a> = HashMap<ClaimName<'a>, Vec<&'a Address>>;

fn addresses_by_claim(view: &PoolView) -> ByClaim<'_> {
    let mut by_claim = ByClaim::with_capacity(view.addresses.len());
    for seen in &view.addresses {
        by_claim.entry(seen.address.claim()).or_default().push(&seen.address);
    }
    by_claim
}

fn of<'a, 'b>(by_claim: &'b ByClaim<'a>, claim: ClaimName<'a>) -> &'b [&'a Address] {
    by_claim.get(&claim).map(Vec::as_slice).unwrap_or_default()
}

/// The space of the pool with all that is in use.
pub fn space(view: &PoolView, pool: &IPPool) -> Space {
    space_with(view, pool, view.addresses.iter().filter_map(|seen| seen.address.ip()))
}

/// The space of the pool where claims have these addresses.
pub fn space_with(view: &PoolView, pool: &IPPool, held: impl Iterator<Item = IpAddr>) -> Space {
    let mut space = Space::of(pool, view.seed);
    for neighbour in &view.neighbours {
        // An address of this pool under another's name is held below, as that of its claim.
        let own = neighbour.address.pool().as_ref() == Some(&view.key);
        let ip = if own { None } else { neighbour.address.ip() };
        for ip in neighbour.named.into_iter().chain(ip) {
            space.hold(ip, Holder::Neighbour);
        }
    }
    for ip in held {
        space.hold(ip, Holder::Claim);
    }
    space
}

/// Not everything that only the API server knows has been asked yet.
fn unasked(view: &PoolView) -> Option<Next> {
    let message = format!("{} questions to the API server are left for the next look", view.unasked);
    (view.unasked > 0).then(|| Next::After(ASK_PAUSE, Why::new("Confirming", message).normal(ASK_PAUSE)))
}

fn next(view: &PoolView, deleting: bool, served: Served) -> Next {
    if let Some(next) = unasked(view) {
        return next;
    }
    if deleting {
        let left = view.addresses.len();
        let message = format!("{left} addresses are still in use; the pool is deleted when their claims are");
        return Next::Changed(Why::new("AddressesInUse", message));
    }
    if view.addresses.iter().any(|seen| seen.claim_is_gone && !is_orphan(view, seen)) {
        let message = "addresses without a claim are kept for a while, in case their claims come back";
        return Next::After(ORPHAN_AGE, Why::new("ClaimMissing", message).normal(ORPHAN_AGE));
    }
    if let Some(shared) = served.shared {
        return Next::Changed(Why::new(GIVEN_TWICE, shared));
    }
    if served.exhausted > 0 {
        let message =
            format!("{} claims wait for a free address: add a range to spec.pools, or delete claims", served.exhausted);
        return Next::Changed(Why::new("PoolExhausted", message));
    }
    // Our own writes wake the pool once more, which confirms that nothing is left.
    Next::Rest
}

#[cfg(test)]
pub(crate) mod tests;
