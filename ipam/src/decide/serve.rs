//! Claims that are to be served: what they have, what they get, and what they are told instead.

use std::net::IpAddr;

use api::ipam::{IPPool, address_name, interval};
use kit::owners;
use kit::pass::Write;

use super::{ByClaim, Chain, Deed, of, released, round, space};
use crate::contest::Contest;
use crate::kinds::{Address, Claim, Flavor};
use crate::space::{Chosen, Refusal, Space};
use crate::view::PoolView;

/// What came out beside the chains.
#[derive(Debug, Default)]
pub(super) struct Served {
    /// How many claims get no address because the pool is exhausted.
    pub(super) exhausted: usize,
    /// The address that several claims were told.
    pub(super) shared: Option<String>,
}

/// Whether the claim at this place is to be served or told why not.
pub(super) fn is_served(view: &PoolView, at: usize) -> bool {
    !view.claims[at].claim.is_deleting() && view.claims[at].hold_off.is_none()
}

/// Serves claims in order of age. What is beyond this round is left to the next.
pub(super) fn serve<'a>(view: &'a PoolView, pool: &IPPool, by_claim: &ByClaim<'a>, chains: &mut Vec<Chain>) -> Served {
    let mut space = space(view, pool);
    let contest = Contest::of(view, space.doubles());
    let mut served = Served { shared: contest.shared.first().map(ToString::to_string), ..Served::default() };
    let mut waiting = Vec::new();
    for (at, seen) in view.claims.iter().enumerate() {
        let claim = &seen.claim;
        if !is_served(view, at) {
            // What a claim was told stays its own while it is left alone.
            claim.before(pool).into_iter().for_each(|ip| space.keep_back(ip));
            continue;
        }
        let addresses = of(by_claim, claim.name());
        match has(claim, addresses, &contest) {
            Some(kept) => {
                let chain = keep(view, pool, &space, at, kept);
                chains.extend(chain.or_else(|| spare(claim, at, addresses, kept, &contest)));
            }
            None => match addresses.iter().find(|address| contest.lost(address)) {
                Some(lost) => chains.extend(give_way(view, at, lost, &contest)),
                None => waiting.push(at),
            },
        }
    }
    // Those who lost their address object come first: theirs must not go to another.
    waiting.sort_by_key(|at| view.claims[*at].claim.told().is_none());
    for at in waiting {
        if chains.len() > round(view) {
            break;
        }
        match choose(view, pool, &view.claims[at].claim, &mut space) {
            Ok(chosen) => chains.push(give(view, pool, at, &chosen)),
            Err(refusal) => {
                served.exhausted += usize::from(matches!(refusal, Refusal::Exhausted(_)));
                chains.extend(refuse(view, at, refusal));
            }
        }
    }
    served
}

/// The address that a claim has, if it has several: the one it was told, else the oldest.
fn has<'a>(claim: &Claim, addresses: &[&'a Address], contest: &Contest<'_>) -> Option<(&'a Address, IpAddr)> {
    let told = claim.told();
    let rank = |address: &Address| {
        let made = address.meta().creation_timestamp.as_ref().map(|time| time.0);
        (told != Some(address.name()), made, address.name().to_owned())
    };
    let usable = addresses.iter().filter(|address| !contest.lost(address));
    let usable = usable.filter_map(|address| Some((*address, address.ip()?)));
    // Mostly there is one, and nothing to rank.
    usable.min_by(|(a, _), (b, _)| rank(a).cmp(&rank(b)))
}

/// What is left to do for a claim with an address; mostly nothing.
fn keep(view: &PoolView, pool: &IPPool, space: &Space, at: usize, (address, ip): (&Address, IpAddr)) -> Option<Chain> {
    let claim = &view.claims[at].claim;
    let mut writes: Vec<Write> = claim.hold().into_iter().collect();
    if address.is_leaving() && !owners::deleting(&pool.metadata) {
        // Somebody deleted an address that is in use: it is made anew, and the claim keeps it.
        if let Some(chosen) = space.given(ip) {
            writes = vec![claim.confirm()];
            writes.extend(address.end());
            writes.push(claim.make_address(pool, &chosen));
        }
    } else {
        writes.extend(address.adopt(claim, pool));
    }
    writes.extend(claim.grant(address.name(), view.now));
    if writes.is_empty() {
        return None;
    }
    let news = claim.told() != Some(address.name());
    let twins = if news { twins(pool, claim, ip, address.name()) } else { Vec::new() };
    Some(Chain::new(claim.id(), Some(at), Deed::Grant { ip, twins }, writes))
}

/// The other names under which this address could be given to somebody.
fn twins(pool: &IPPool, claim: &Claim, ip: IpAddr, object: &str) -> Vec<(Flavor, String)> {
    let (flavor, name) = (claim.name().0, address_name(&pool.spec.name_prefix, ip));
    let own = (object != name).then(|| (flavor, name.clone()));
    own.into_iter().chain([(flavor.other(), name)]).collect()
}

/// Ends what a claim has beside the address that it was told: two managers served it at once, and the second could not
/// tell. What it was told is proved to be the latest first.
fn spare(
    claim: &Claim,
    at: usize,
    addresses: &[&Address],
    (kept, ip): (&Address, IpAddr),
    contest: &Contest<'_>,
) -> Option<Chain> {
    if addresses.len() == 1 || claim.told() != Some(kept.name()) {
        return None;
    }
    // An object that somebody made by hand goes only when it is about the very same address.
    let spare = |address: &&&Address| {
        address.name() != kept.name() && (address.is_ours() || (contest.lost(address) && address.ip() == Some(ip)))
    };
    let spare: Vec<&Address> = addresses.iter().filter(spare).copied().collect();
    let ends: Vec<Write> = spare.iter().flat_map(|address| address.end()).collect();
    if ends.is_empty() {
        return None;
    }
    let writes = std::iter::once(claim.confirm()).chain(ends).collect();
    let gone = spare.iter().filter_map(|address| address.ip()).filter(|other| *other != ip).collect();
    Some(Chain::new(claim.id(), Some(at), Deed::Release(gone), writes))
}

/// Another claim keeps the address of this object. Proved to be untold, the claim loses it and is served anew; an object
/// that somebody made by hand is theirs to mend.
fn give_way(view: &PoolView, at: usize, lost: &Address, contest: &Contest<'_>) -> Option<Chain> {
    let claim = &view.claims[at].claim;
    // One that a crash left without its finalizer still names its owner.
    if lost.is_ours() || lost.has_owner() {
        // An object of another pool may be gone for who sees more: the claim changes, so that nobody tells it meanwhile.
        let proof = if contest.gives_way_to_others(lost) { claim.let_go() } else { None };
        let writes = std::iter::once(proof.unwrap_or_else(|| claim.confirm())).chain(lost.end()).collect();
        return Some(Chain::new(claim.id(), Some(at), released(&[lost]), writes));
    }
    let (flavor, keeper) = contest.keeper(lost)?;
    let keeper = format!("{} {keeper}", flavor.claim_kind());
    refuse(view, at, Refusal::Collides { object: lost.name().to_owned(), keeper })
}

/// An address for a claim that has none. The claim is proved to be as it was seen before anything is made for it: a
/// manager whose cache stands still would else make it again and again for claims that are gone.
fn give(view: &PoolView, pool: &IPPool, at: usize, chosen: &Chosen) -> Chain {
    let claim = &view.claims[at].claim;
    let object = address_name(&pool.spec.name_prefix, chosen.ip);
    let create = claim.make_address(pool, chosen);
    let told = claim.grant(&object, view.now);
    let twins = if told.is_some() { twins(pool, claim, chosen.ip, &object) } else { Vec::new() };
    let writes = [claim.confirm(), create].into_iter().chain(told).collect();
    Chain::new(claim.id(), Some(at), Deed::Grant { ip: chosen.ip, twins }, writes)
}

fn choose(view: &PoolView, pool: &IPPool, claim: &Claim, space: &mut Space) -> Result<Chosen, Refusal> {
    if owners::deleting(&pool.metadata) {
        return Err(Refusal::PoolDeleting);
    }
    // A claim that lost its address object (deleted by hand) gets the same address again.
    let chosen = space.choose(&claim.id(), claim.requested(), claim.before(pool));
    chosen.map_err(|refusal| in_the_way(view, claim, &refusal).unwrap_or(refusal))
}

/// Who only gets this one address is told which object of others keeps it back, if it is one.
fn in_the_way(view: &PoolView, claim: &Claim, refusal: &Refusal) -> Option<Refusal> {
    let (ip, wish, remedy) = match refusal {
        Refusal::NotAvailable => {
            let wanted = interval::parse(claim.requested()?).ok()?;
            (wanted, "Requested IP not available".to_owned(), "ask for another address")
        }
        Refusal::PreAllocatedTaken(ip) => {
            (*ip, format!("Pre-allocated IP {ip} not available"), "change spec.preAllocations of the pool")
        }
        Refusal::Exhausted(_)
        | Refusal::BadRequest(_)
        | Refusal::Conflict
        | Refusal::RequestedOutside(_)
        | Refusal::PreAllocatedOutside
        | Refusal::InTheWay { .. }
        | Refusal::Collides { .. }
        | Refusal::BadPrefix(_)
        | Refusal::PoolDeleting
        | Refusal::PoolMissing => return None,
    };
    if view.addresses.iter().any(|seen| seen.address.ip() == Some(ip)) {
        return None;
    }
    let neighbour = view.neighbours.iter().find(|neighbour| neighbour.keeps(ip))?;
    Some(Refusal::InTheWay { wish, object: neighbour.to_string(), remedy })
}

pub(super) fn refuse(view: &PoolView, at: usize, refusal: Refusal) -> Option<Chain> {
    let claim = &view.claims[at].claim;
    let write = claim.refuse(&refusal, view.now)?;
    Some(Chain::new(claim.id(), Some(at), Deed::Refuse(refusal), vec![write]))
}
