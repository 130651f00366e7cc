//! [`Contest`]: who keeps an address that several address objects name.
//!
//! The name of an address object contains the address, so the API server lets no object of one kind be made twice. It
//! cannot tell that an object of the other kind, or one that somebody wrote under a name of their own, is about the same
//! address. So before a claim is told its address, the other names of it are looked up (`Stores::look`); and where two
//! objects name one address, one keeps it by a rule that every manager applies alike: that of the claim that was told,
//! else the older one, else the first by kind and name. The other is ended and its claim is served anew. When several
//! claims were told, nothing is taken from anybody: people must choose. Objects of other pools take part: one that nobody
//! would take back keeps its address against a claim that was not told.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::net::IpAddr;

use kit::key::Key;
use kit::owners;

use crate::kinds::{Address, ClaimName, Flavor, OfPool as _};
use crate::names::Neighbour;
use crate::view::{AddressSeen, PoolView};

/// An address object inside its namespace.
type ObjectName<'a> = (Flavor, &'a str);

/// An address that several claims were told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shared<'a> {
    /// The address.
    pub ip: IpAddr,
    /// The claims, with the objects that they were told.
    pub holders: Vec<(ClaimName<'a>, &'a str)>,
}

impl fmt::Display for Shared<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let holder = |((flavor, claim), object): &(ClaimName<'_>, &str)| {
            format!("{} {claim} (IPAddress {object})", flavor.claim_kind())
        };
        let holders: Vec<String> = self.holders.iter().map(holder).collect();
        write!(f, "{} is given to {}; delete all of these claims but one", self.ip, holders.join(" and "))
    }
}

/// What becomes of the objects that name the same addresses.
#[derive(Debug, Default)]
pub struct Contest<'a> {
    /// The objects that must give way, with the claims that keep the addresses.
    lost: HashMap<ObjectName<'a>, ClaimName<'a>>,
    /// Those among them that give way to an object of others.
    foreign: HashSet<ObjectName<'a>>,
    /// What only people can settle.
    pub shared: Vec<Shared<'a>>,
}

/// What is known of an object's right to its address; the greater, the better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Right {
    /// No claim has it any more.
    Orphan,
    /// Its claim was not told.
    Untold,
    /// Its claim is not in the cache, and may have been told.
    Unknown,
    /// It is of others, and nobody takes it back.
    Foreign,
    /// Its claim was told.
    Told,
}

impl<'a> Contest<'a> {
    /// The contest for these addresses, which mostly are none.
    pub fn of(view: &'a PoolView, numbers: &BTreeSet<IpAddr>) -> Self {
        let mut contest = Self::default();
        if numbers.is_empty() {
            return contest;
        }
        let told: HashMap<_, _> = view.claims.iter().map(|seen| (seen.claim.name(), seen.claim.told())).collect();
        let mut rivals: HashMap<IpAddr, Vec<(Right, &Address)>> = HashMap::new();
        for seen in &view.addresses {
            if let Some(ip) = seen.address.ip().filter(|ip| numbers.contains(ip)) {
                rivals.entry(ip).or_default().push((right(&told, seen), &seen.address));
            }
        }
        // What another pool takes back is of a claim that was not told; that pool applies the same rule.
        for Neighbour { address, yields, .. } in &view.neighbours {
            let foreign = address.pool().as_ref() != Some(&view.key);
            if let Some(ip) = address.ip().filter(|ip| foreign && numbers.contains(ip)) {
                rivals.entry(ip).or_default().push((if *yields { Right::Untold } else { Right::Foreign }, address));
            }
        }
        for number in numbers {
            contest.settle(&view.key, *number, rivals.remove(number).unwrap_or_default());
        }
        contest
    }

    fn settle(&mut self, pool: &Key, ip: IpAddr, mut rivals: Vec<(Right, &'a Address)>) {
        let age = |address: &Address| address.meta().creation_timestamp.as_ref().map(|time| time.0);
        rivals.sort_by(|(a_right, a), (b_right, b)| {
            let by_age = || age(a).cmp(&age(b));
            b_right.cmp(a_right).then_with(by_age).then_with(|| (a.flavor(), a.name()).cmp(&(b.flavor(), b.name())))
        });
        let Some((right, keeper)) = rivals.first().copied() else { return };
        let tied = rivals.iter().take_while(|(other, _)| *other == Right::Told).map(|(_, address)| *address);
        let tied: Vec<&Address> = tied.collect();
        if right == Right::Told && tied.len() > 1 {
            let holders = tied.iter().map(|address| (address.claim(), address.name())).collect();
            self.shared.push(Shared { ip, holders });
        }
        let id = |address: &'a Address| (address.flavor(), address.name());
        let losers = rivals.into_iter().skip(tied.len().max(1)).map(|(_, address)| id(address));
        let losers: Vec<ObjectName<'a>> = losers.filter(|name| *name != id(keeper)).collect();
        if keeper.pool().as_ref() != Some(pool) {
            self.foreign.extend(&losers);
        }
        self.lost.extend(losers.into_iter().map(|name| (name, keeper.claim())));
    }

    /// Who keeps the address of an object that must give way.
    pub fn keeper(&self, address: &Address) -> Option<ClaimName<'a>> {
        self.lost.get(&(address.flavor(), address.name())).copied()
    }

    /// Whether this object gives way to one of others.
    pub fn gives_way_to_others(&self, address: &Address) -> bool {
        self.foreign.contains(&(address.flavor(), address.name()))
    }

    /// Whether this object must give way.
    pub fn lost(&self, address: &Address) -> bool {
        !self.lost.is_empty() && self.keeper(address).is_some()
    }
}

fn right(told: &HashMap<ClaimName<'_>, Option<&str>>, seen: &AddressSeen) -> Right {
    match told.get(&seen.address.claim()) {
        Some(told) if *told == Some(seen.address.name()) => Right::Told,
        Some(_) => Right::Untold,
        None if seen.claim_is_gone || owners::deleting(seen.address.meta()) => Right::Orphan,
        None => Right::Unknown,
    }
}
