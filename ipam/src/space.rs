//! [`Space`]: the addresses of one pool, who has which, and the choice of the next one.

use std::collections::BTreeMap;
use std::net::IpAddr;

use api::ipam::interval::{self, Family, Interval, address, number};
use api::ipam::{AllocationStrategy, IPPoolSpec};

use crate::kinds::ClaimId;
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
    Claim(ClaimId),
    /// It is pre-allocated to claims of this name.
    Reserved(String),
    /// A pool with the same name prefix gave it out: its object has the name that ours would have.
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
    pub network: Network,
}

/// Why a claim gets no address now. The texts of the older cases are those that users know from the Go manager.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// All addresses are taken; served as soon as one becomes free or a range is added.
    #[error("Exhausted IP Pools")]
    Exhausted,
    /// The annotation is no address.
    #[error("Invalid ipAddress annotation \"{0}\": not a valid IP address")]
    BadRequest(String),
    /// Annotation and pre-allocation name different addresses.
    #[error("PreAllocation and requested ip address are conflicting")]
    Conflict,
    /// Somebody else has the requested address.
    #[error("Requested IP not available")]
    NotAvailable,
    /// No range has the requested address.
    #[error("Requested IP {0} is out of bounds of the pools given")]
    RequestedOutside(IpAddr),
    /// No range has the pre-allocated address.
    #[error("Pre-allocated IP out of bounds")]
    PreAllocatedOutside,
    /// Somebody else has the pre-allocated address, e.g. since before the pre-allocation.
    #[error("Pre-allocated IP {0} is in use by another claim; it is given as soon as that claim is deleted")]
    PreAllocatedTaken(IpAddr),
    /// Cluster API takes no such prefix.
    #[error("Invalid prefix value, it must be between 0 and {0}")]
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
    network: Network,
}

/// How many addresses a pool has, and how many of them are in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// All addresses of all ranges; overlapping ranges are counted as written.
    pub total: u128,
    /// Addresses that claims have.
    pub used: u128,
    /// Addresses that can still be given out to any claim.
    pub free: u128,
}

/// The addresses of a pool.
#[derive(Debug, Clone, Default)]
pub struct Space {
    slots: Vec<Slot>,
    taken: BTreeMap<Family, Taken>,
    holders: BTreeMap<IpAddr, Holder>,
    reserved: BTreeMap<String, IpAddr>,
    random: bool,
    seed: u64,
}

impl Space {
    /// The space of a pool where only pre-allocations, gateways and DNS servers are held. `seed` drives the random
    /// strategy.
    pub fn new(spec: &IPPoolSpec, seed: u64) -> Self {
        let random = spec.allocation_strategy == Some(AllocationStrategy::Random);
        let mut space = Self { random, seed, ..Self::default() };
        for range in &spec.pools {
            // A range that makes no sense is refused by the webhook; here it has no addresses.
            if let Ok(Some(interval)) = range.interval() {
                let network = Network {
                    prefix: if range.prefix == 0 { spec.prefix } else { range.prefix },
                    gateway: range.gateway.clone().or_else(|| spec.gateway.clone()),
                    dns_servers: if range.dns_servers.is_empty() { &spec.dns_servers } else { &range.dns_servers }
                        .clone(),
                };
                space.slots.push(Slot { interval, network });
            }
        }
        for (claim, text) in &spec.pre_allocations {
            if let Ok(ip) = interval::parse(text) {
                space.reserved.insert(claim.clone(), ip);
                space.hold(ip, Holder::Reserved(claim.clone()));
            }
        }
        let servers: Vec<IpAddr> = space.slots.iter().flat_map(|slot| slot.network.servers()).collect();
        for ip in servers {
            if !space.holders.contains_key(&ip) {
                space.hold(ip, Holder::Network);
            }
        }
        space
    }

    /// Marks an address as held.
    pub fn hold(&mut self, ip: IpAddr, holder: Holder) {
        let (family, number) = number(ip);
        self.taken.entry(family).or_default().insert(number);
        self.holders.insert(ip, holder);
    }

    /// Who holds an address.
    pub fn holder(&self, ip: IpAddr) -> Option<&Holder> {
        self.holders.get(&ip)
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
            (None, None) => self.again(before).or_else(|| self.first()).ok_or(Refusal::Exhausted)?,
        };
        let network = self.slots[slot].network.clone();
        self.hold(ip, Holder::Claim(claim.clone()));
        Ok(Chosen { ip, network })
    }

    /// How full the pool is.
    pub fn usage(&self) -> Usage {
        let total = self.slots.iter().fold(0_u128, |sum, slot| sum.saturating_add(slot.interval.size()));
        let mut usage = Usage { total, used: 0, free: total };
        for (ip, holder) in self.holders.iter().filter(|(ip, _)| self.slot_of(**ip).is_some()) {
            let covering = self.slots.iter().filter(|slot| slot.interval.contains(*ip)).count();
            usage.free = usage.free.saturating_sub(covering as u128);
            usage.used += u128::from(matches!(holder, Holder::Claim(_)));
        }
        usage
    }

    fn slot_of(&self, ip: IpAddr) -> Option<usize> {
        self.slots.iter().position(|slot| slot.interval.contains(ip))
    }

    /// An address that was named: whether this claim may have it.
    fn available(&self, claim: &ClaimId, ip: IpAddr) -> Option<IpAddr> {
        let may = match self.holders.get(&ip) {
            None | Some(Holder::Network) => true,
            Some(Holder::Reserved(name)) => *name == claim.name,
            Some(Holder::Claim(_) | Holder::Neighbour) => false,
        };
        may.then_some(ip)
    }

    fn again(&self, before: Option<IpAddr>) -> Option<(IpAddr, usize)> {
        let ip = before.filter(|ip| !self.holders.contains_key(ip))?;
        Some((ip, self.slot_of(ip)?))
    }

    /// The next free address: ranges in order; inside a range the first one, or the next behind a random one.
    fn first(&mut self) -> Option<(IpAddr, usize)> {
        for (index, slot) in self.slots.iter().enumerate() {
            let Interval { family, first, last } = slot.interval;
            let start = if self.random { first + below(&mut self.seed, slot.interval.size()) } else { first };
            let free = match self.taken.get(&family) {
                Some(taken) => taken.next_free(start, first, last),
                None => Some(start),
            };
            if let Some(free) = free {
                return Some((address(family, free), index));
            }
        }
        None
    }
}

impl Network {
    fn servers(&self) -> impl Iterator<Item = IpAddr> {
        self.gateway.iter().chain(&self.dns_servers).filter_map(|text| interval::parse(text).ok())
    }
}

/// A number below `size` (not zero) from the SplitMix64 sequence. The remainder's bias is below 2^-64 for every
/// range that admission lets in.
fn below(seed: &mut u64, size: u128) -> u128 {
    let mut next = || {
        *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (*seed ^ (*seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u128::from(mixed ^ (mixed >> 31))
    };
    ((next() << 64) | next()) % size
}

#[cfg(test)]
mod tests;
