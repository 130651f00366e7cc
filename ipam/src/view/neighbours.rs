//! Address objects of others that keep addresses of a pool back: how they are found, and whom their end wakes.

use std::collections::BTreeSet;
use std::sync::Arc;

use api::ipam::{IPPool, address_of_name};
use kit::key::Key;
use kit::owners;

use super::{ClusterSeen, POOL, PREFIX, Stores, is_paused, pools, prefix_of, text};
use crate::kinds::{Address, Claim, Flavor, OfPool};
use crate::names::{self, NAME, Named, Neighbour};

impl Stores {
    /// The pools of an address object; when it comes or goes, or is about another address from now on, also those that
    /// cannot give that address, or make an object of that name, as long as it is there.
    pub(super) fn of_address<K: Named>(&self, old: Option<&K>, new: Option<&K>) -> Vec<Key> {
        let mut keys = pools(old, new);
        let about = |object: &K| (object.pool(), object.text().to_owned());
        if old.map(about) == new.map(about) {
            return keys;
        }
        let mut wanted = BTreeSet::new();
        for object in old.into_iter().chain(new) {
            wanted.extend(names::wanted_by(object));
            wanted.extend(object.pool().and_then(|pool| self.pools.get(&pool)).map(|pool| prefix_of(&pool)));
        }
        let others = wanted.iter().flat_map(|prefix| self.pools.by(PREFIX, prefix)).map(|pool| Key::of(&*pool));
        let others: BTreeSet<Key> = others.filter(|other| !keys.contains(other)).collect();
        keys.extend(others);
        keys
    }

    pub(super) fn neighbours_of(&self, pool: &IPPool, filter: &str) -> Vec<Neighbour> {
        let own = Key::of(pool);
        let others = self.pools.by(PREFIX, &prefix_of(pool)).into_iter().filter(|other| Key::of(&**other) != own);
        let others: Vec<Arc<IPPool>> = others.collect();
        let seen = |other: &Arc<IPPool>| {
            let acts = self.acts(other, filter);
            let of = move |address| (acts && self.takes_back(&address, filter), address);
            self.addresses_by(POOL, &text(&Key::of(&**other))).map(of)
        };
        let seen = others.iter().flat_map(seen).map(|(yields, address)| Neighbour { address, named: None, yields });
        let known: BTreeSet<String> = others.iter().map(|other| Key::of(&**other).name).chain([own.name]).collect();
        seen.chain(self.names_taken(pool, &known)).collect()
    }

    /// Objects with names that objects of this pool would have; without those of the known pools that are named after
    /// their own address.
    fn names_taken(&self, pool: &IPPool, known: &BTreeSet<String>) -> Vec<Neighbour> {
        let begins = format!("{}/", prefix_of(pool));
        let mut values: BTreeSet<String> = self.addresses.values(NAME, &begins).into_iter().collect();
        values.extend(self.capi_addresses.values(NAME, &begins));
        let values = values.iter().filter(|value| !known.contains(&value[begins.len()..]));
        let named = |address: Address| Neighbour {
            named: address_of_name(&pool.spec.name_prefix, address.name()),
            yields: false,
            address,
        };
        values.flat_map(|value| self.addresses_by(NAME, value)).map(named).collect()
    }

    /// Whether anything is done for a pool now, as far as this manager can tell.
    fn acts(&self, pool: &IPPool, filter: &str) -> bool {
        let stops = owners::deleting(&pool.metadata) || owners::paused(&pool.metadata);
        let cluster = match self.cluster_of(pool) {
            ClusterSeen::Unnamed => true,
            ClusterSeen::Missing(_) => false,
            ClusterSeen::Found(cluster) => !is_paused(&cluster),
        };
        !stops && cluster && owners::watched(&pool.metadata, filter)
    }

    /// Whether an address object may still be taken back: its claim was not told, and is served.
    fn takes_back(&self, address: &Address, filter: &str) -> bool {
        let (flavor, name) = address.claim();
        let key = Key::new(address.meta().namespace.clone().unwrap_or_default(), name);
        let claim = match flavor {
            Flavor::Metal3 => self.claims.get(&key).map(Claim::Metal3),
            Flavor::Capi => self.capi_claims.get(&key).map(Claim::Capi),
        };
        // While it ends it has no finalizer any more.
        (address.is_ours() || address.has_owner())
            && claim.is_some_and(|claim| {
                claim.pool() == address.pool()
                    && claim.told() != Some(address.name())
                    && !claim.is_deleting()
                    && owners::watched(claim.meta(), filter)
                    && self.hold_off(&claim).is_none()
            })
    }
}
