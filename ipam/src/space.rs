//! [`Space`]: the addresses of one pool, who has which, and the choice of the next one.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use api::ipam::interval::{self, Family, Interval, address, number};
use api::ipam::{AllocationStrategy, IPPool, IPPoolSpec};

use crate::kinds::{ClaimId, Flavor};
use crate::range::Taken;

/// What a claim is told about the network of its address.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Network {
    /// Prefix length; 0 when the pool has none.
    pub prefix: i64,
    /// Gateway.
    pub gateway: Option<String>,
    /// DNS servers.
    pub dns_servers: Vec<String>,
}

/// Who keeps an address from being given out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// A claim has it.
    Claim,
    /// It is pre-allocated to claims of this name.
    Reserved(String),
    /// An object of others has this address and a name prefix of ours, or the name that ours would have.
    Neighbour,
    /// It is a gateway or DNS server of the pool. Not given out by itself, but to those who ask for it.
    Network,
}

/// An address for a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// The address.
    pub ip: IpAddr,
    /// Its network.
    pub network: Arc<Network>,
}

/// Why a claim gets no address now. The texts of the older cases are those that users know from the Go manager.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// All addresses of the pool of this name are taken; served as soon as one becomes free or a range is added.
    #[error("Exhausted IP Pools: spec.pools of IPPool {0} has no free address; add a range there, or delete claims")]
    Exhausted(String),
    /// The annotation is no address.
    #[error("Invalid ipAddress annotation \"{0}\": not a valid IP address; correct the annotation of the claim")]
    BadRequest(String),
    /// Annotation and pre-allocation name different addresses.
    #[error(
        "PreAllocation and requested ip address are conflicting; correct the pool's spec.preAllocations or the claim's \
         annotation ipAddress"
    )]
    Conflict,
    /// Somebody else has the requested address.
    #[error(
        "Requested IP not available: another claim has it, or spec.preAllocations keeps it for one; ask for another one"
    )]
    NotAvailable,
    /// No range has the requested address.
    #[error("Requested IP {0} is out of bounds of the pools given; add a range there, or ask for another address")]
    RequestedOutside(IpAddr),
    /// No range has the pre-allocated address.
    #[error("Pre-allocated IP out of bounds; add a range to spec.pools, or correct spec.preAllocations")]
    PreAllocatedOutside,
    /// Somebody else has the pre-allocated address, e.g. since before the pre-allocation.
    #[error("Pre-allocated IP {0} is in use by another claim; it is given as soon as that claim is deleted")]
    PreAllocatedTaken(IpAddr),
    /// An object of others has the address that the claim must have, or its name.
    #[error("{wish}: {object} is in the way; delete that object if nobody uses it, or {remedy}")]
    InTheWay {
        /// What cannot be fulfilled.
        wish: String,
        /// The object.
        object: String,
        /// What else helps.
        remedy: &'static str,
    },
    /// Its address object, made by somebody else, names an address that another claim has.
    #[error("IPAddress {object} names an address that {keeper} has; delete that object, or write a free address there")]
    Collides {
        /// The claim's object.
        object: String,
        /// Who has the address.
        keeper: String,
    },
    /// Cluster API takes no such prefix.
    #[error(
        "Invalid prefix value, it must be between 0 and {0}; correct spec.prefix or spec.pools[].prefix of the pool"
    )]
    BadPrefix(u8),
    /// The pool is being deleted.
    #[error("the pool is being deleted; name another pool")]
    PoolDeleting,
    /// There is no such pool.
    #[error("there is no IPPool of this name in the namespace; create it, or name another pool")]
    PoolMissing,
}

#[derive(Debug, Clone)]
struct Slot {
    interval: Interval,
    network: Arc<Network>,
}

/// How many addresses there are, and how many of them are in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// All addresses; an address in several ranges counts once.
    pub total: u128,
    /// Addresses that claims have.
    pub used: u128,
    /// Addresses that can still be given out to any claim.
    pub free: u128,
}

/// The addresses of a pool.
#[derive(Debug, Clone, Default)]
pub struct Space {
    /// The ranges that have addresses, in their order.
    slots: Vec<Slot>,
    /// All ranges as written.
    ranges: Vec<Option<Interval>>,
    /// What the ranges cover together, in pieces that do not overlap.
    covered: Vec<Interval>,
    /// All that are held.
    taken: BTreeMap<Family, Taken>,
    /// Those among them that no claim has. Claims are not listed: there may be a million.
    kept: BTreeMap<IpAddr, Holder>,
    /// Addresses that more than one claim was said to have, or a claim and a neighbour.
    doubles: BTreeSet<IpAddr>,
    reserved: BTreeMap<String, IpAddr>,
    /// Slots before this one are full: nothing is ever given back to a space.
    full: usize,
    random: bool,
    seed: u64,
    /// Name of the pool, for messages.
    pool: String,
}

impl Space {
    /// The space of a pool, as [`Space::new`].
    pub fn of(pool: &IPPool, seed: u64) -> Self {
        Self { pool: pool.metadata.name.clone().unwrap_or_default(), ..Self::new(&pool.spec, seed) }
    }

    /// The space of a pool where only pre-allocations, gateways and DNS servers are held. `seed` drives the random
    /// strategy.
    pub fn new(spec: &IPPoolSpec, seed: u64) -> Self {
        let random = spec.allocation_strategy == Some(AllocationStrategy::Random);
        let mut space = Self { random, seed, ..Self::default() };
        for range in &spec.pools {
            // A range that makes no sense is refused by the webhook; here it has no addresses.
            let interval = range.interval().ok().flatten();
            space.ranges.push(interval);
            if let Some(interval) = interval {
                let network = Network {
                    prefix: if range.prefix == 0 { spec.prefix } else { range.prefix },
                    gateway: range.gateway.clone().or_else(|| spec.gateway.clone()),
                    dns_servers: if range.dns_servers.is_empty() { &spec.dns_servers } else { &range.dns_servers }
                        .clone(),
                };
                space.slots.push(Slot { interval, network: Arc::new(network) });
            }
        }
        space.covered = union(space.slots.iter().map(|slot| slot.interval).collect());
        for (claim, text) in &spec.pre_allocations {
            if let Ok(ip) = interval::parse(text) {
                space.reserved.insert(claim.clone(), ip);
                space.hold(ip, Holder::Reserved(claim.clone()));
            }
        }
        let servers: Vec<IpAddr> = space.slots.iter().flat_map(|slot| slot.network.servers()).collect();
        for ip in servers {
            if !space.is_taken(ip) {
                space.hold(ip, Holder::Network);
            }
        }
        space
    }

    /// Marks an address as held.
    pub fn hold(&mut self, ip: IpAddr, holder: Holder) {
        let (family, number) = number(ip);
        let free = self.taken.entry(family).or_default().insert(number);
        if holder != Holder::Claim {
            self.kept.insert(ip, holder);
        } else if !free && matches!(self.kept.remove(&ip), None | Some(Holder::Claim | Holder::Neighbour)) {
            self.doubles.insert(ip);
        }
    }

    /// Keeps an address from being given out, whoever has it.
    pub fn keep_back(&mut self, ip: IpAddr) {
        if !self.is_taken(ip) {
            self.hold(ip, Holder::Claim);
        }
    }

    /// Addresses that more than one address object names.
    pub fn doubles(&self) -> &BTreeSet<IpAddr> {
        &self.doubles
    }

    fn is_taken(&self, ip: IpAddr) -> bool {
        let (family, number) = number(ip);
        self.taken.get(&family).is_some_and(|taken| taken.contains(number))
    }

    /// Chooses and holds an address for a claim. `requested` is the text of its annotation, `before` the address
    /// that it had and that it gets again when that is possible.
    pub fn choose(
        &mut self,
        claim: &ClaimId,
        requested: Option<&str>,
        before: Option<IpAddr>,
    ) -> Result<Chosen, Refusal> {
        let requested = match requested {
            Some(text) => Some(interval::parse(text).map_err(|_| Refusal::BadRequest(text.to_owned()))?),
            None => None,
        };
        let (ip, slot) = match (self.reserved.get(&claim.name).copied(), requested) {
            (Some(fixed), Some(wanted)) if fixed != wanted => return Err(Refusal::Conflict),
            (Some(fixed), _) => {
                let slot = self.slot_of(fixed).ok_or(Refusal::PreAllocatedOutside)?;
                (self.available(claim, fixed).ok_or(Refusal::PreAllocatedTaken(fixed))?, slot)
            }
            (None, Some(wanted)) => {
                let slot = self.slot_of(wanted).ok_or(Refusal::RequestedOutside(wanted))?;
                (self.available(claim, wanted).ok_or(Refusal::NotAvailable)?, slot)
            }
            (None, None) => match self.again(before) {
                Some(again) => again,
                None => return self.first(claim.flavor),
            },
        };
        self.fits(claim.flavor, slot)?;
        self.hold(ip, Holder::Claim);
        Ok(self.chosen(ip, slot))
    }

    fn chosen(&self, ip: IpAddr, slot: usize) -> Chosen {
        Chosen { ip, network: self.slots[slot].network.clone() }
    }

    /// Cluster API's own webhook refuses an address with a prefix that its family does not have; the published
    /// IPAddress takes any.
    fn fits(&self, flavor: Flavor, slot: usize) -> Result<(), Refusal> {
        let Slot { interval, network } = &self.slots[slot];
        let bits = interval.family.bits();
        let fits = flavor == Flavor::Metal3 || (0..=i64::from(bits)).contains(&network.prefix);
        if fits { Ok(()) } else { Err(Refusal::BadPrefix(bits)) }
    }

    /// An address that is given out already, as a claim that gets it now would be told; `None` outside the ranges.
    pub fn given(&self, ip: IpAddr) -> Option<Chosen> {
        Some(self.chosen(ip, self.slot_of(ip)?))
    }

    /// How full the pool is.
    pub fn usage(&self) -> Usage {
        let parts = self.covered.iter().map(|interval| self.usage_of(interval));
        parts.fold(Usage::default(), |sum, part| Usage {
            total: sum.total.saturating_add(part.total),
            used: sum.used + part.used,
            free: sum.free.saturating_add(part.free),
        })
    }

    /// How full each range is, in the order of the pool; ranges that overlap count the same address each.
    pub fn usage_by_range(&self) -> Vec<(Option<Interval>, Usage)> {
        let usage = |interval: &Option<Interval>| interval.as_ref().map(|i| self.usage_of(i)).unwrap_or_default();
        self.ranges.iter().map(|interval| (*interval, usage(interval))).collect()
    }

    fn usage_of(&self, interval: &Interval) -> Usage {
        let [first, last] = [interval.first, interval.last].map(|number| address(interval.family, number));
        let (total, taken) = (interval.size(), self.taken.get(&interval.family));
        let held = taken.map_or(0, |taken| taken.count(interval.first, interval.last));
        let kept = self.kept.range(first..=last).count() as u128;
        Usage { total, used: held.saturating_sub(kept), free: total.saturating_sub(held) }
    }

    fn slot_of(&self, ip: IpAddr) -> Option<usize> {
        self.slots.iter().position(|slot| slot.interval.contains(ip))
    }

    /// An address that was named: whether this claim may have it.
    fn available(&self, claim: &ClaimId, ip: IpAddr) -> Option<IpAddr> {
        let may = match self.kept.get(&ip) {
            None => !self.is_taken(ip),
            Some(Holder::Network) => true,
            Some(Holder::Reserved(name)) => *name == claim.name,
            Some(Holder::Claim | Holder::Neighbour) => false,
        };
        may.then_some(ip)
    }

    fn again(&self, before: Option<IpAddr>) -> Option<(IpAddr, usize)> {
        let ip = before.filter(|ip| !self.is_taken(*ip))?;
        Some((ip, self.slot_of(ip)?))
    }

    /// Takes the next free address: ranges in order; inside a range the first one, or the next behind a random one.
    fn first(&mut self, flavor: Flavor) -> Result<Chosen, Refusal> {
        for index in self.full..self.slots.len() {
            let Interval { family, first, last } = self.slots[index].interval;
            let size = self.slots[index].interval.size();
            let start = if self.random { first + below(&mut self.seed, size) } else { first };
            let fits = self.fits(flavor, index);
            let taken = self.taken.entry(family).or_default();
            if fits.is_err() && taken.next_free(start, first, last).is_some() {
                fits?;
            }
            if let Some(number) = taken.take(start, first, last) {
                return Ok(self.chosen(address(family, number), index));
            }
            self.full = index + 1;
        }
        Err(Refusal::Exhausted(self.pool.clone()))
    }
}

/// The same numbers in pieces that do not overlap.
fn union(mut intervals: Vec<Interval>) -> Vec<Interval> {
    intervals.sort_by_key(|interval| (interval.family, interval.first));
    let mut pieces: Vec<Interval> = Vec::new();
    for next in intervals {
        match pieces.last_mut() {
            Some(last) if last.family == next.family && next.first <= last.last => last.last = last.last.max(next.last),
            Some(_) | None => pieces.push(next),
        }
    }
    pieces
}

impl Network {
    fn servers(&self) -> impl Iterator<Item = IpAddr> {
        self.gateway.iter().chain(&self.dns_servers).filter_map(|text| interval::parse(text).ok())
    }
}

/// A number below `size` (not zero) from the SplitMix64 sequence; the bias is below 2^-64 times the size.
fn below(seed: &mut u64, size: u128) -> u128 {
    let mut next = || {
        *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (*seed ^ (*seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u128::from(mixed ^ (mixed >> 31))
    };
    // A product instead of a remainder where it fits: division of such numbers is slow.
    if size <= 1 << 64 { (next() * size) >> 64 } else { ((next() << 64) | next()) % size }
}

#[cfg(test)]
mod tests;
