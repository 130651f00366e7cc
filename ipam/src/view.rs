//! [`PoolView`]: everything one decision about a pool may know, and how it is gathered.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use api::capi::Cluster;
use api::ipam::capi::{self, IPAddressClaim};
use api::ipam::validate::InUse;
use api::ipam::{IPAddress, IPClaim, IPPool};
use jiff::Timestamp;
use kit::Kind;
use kit::key::Key;
use kit::owners;
use kit::pass::{Class, Fault, Found};
use kit::runtime::Context;
use kit::store::Store;
use kit::wakes::Registration;

use crate::kinds::{Address, Claim, Flavor, OfPool};
use crate::live;
use crate::names::{self, NAME, Named, Neighbour};

mod neighbours;

/// Index of claims and addresses by the key of their pool.
const POOL: &str = "ipam-pool";
/// Index of pools and claims by the key of their Cluster.
const CLUSTER: &str = "ipam-cluster";
/// Index of pools by namespace and name prefix.
const PREFIX: &str = "ipam-prefix";
/// An address object under another of its names, seen right before a claim was to be told.
pub const CONTESTED: &str = "AddressContested";

/// The Cluster that a pool names.
#[derive(Debug, Clone)]
pub enum ClusterSeen {
    /// The pool names none.
    Unnamed,
    /// It does not exist (yet).
    Missing(String),
    /// It exists.
    Found(Arc<Cluster>),
}

/// Why a claim is left alone, though it is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldOff {
    /// The claim or its Cluster is paused.
    Paused,
    /// Its Cluster does not exist (yet).
    ClusterMissing,
    /// Only the API server knows whether the address object that it was told still exists, and it was not asked yet.
    Unconfirmed,
}

/// A claim on the pool.
#[derive(Debug, Clone)]
pub struct ClaimSeen {
    /// The object.
    pub claim: Claim,
    /// Set when it must be left alone now.
    pub hold_off: Option<HoldOff>,
}

/// An address object of the pool.
#[derive(Debug, Clone)]
pub struct AddressSeen {
    /// The object.
    pub address: Address,
    /// Its claim does not exist, by a live read.
    pub claim_is_gone: bool,
}

/// A pool for which nothing was done for this long has come to rest.
pub const QUIET: Duration = Duration::from_secs(2);

/// Since when one round after the other does something for a pool. A hint that paces the pool's status: who has just
/// started knows nothing of it, and shows the pool a little earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Busy {
    since: Timestamp,
    last: Timestamp,
}

impl Busy {
    /// After a round that did something between these times. A round may take long, and is no rest.
    pub fn after(before: Option<Self>, began: Timestamp, ended: Timestamp) -> Self {
        let since = before.filter(|busy| busy.lasts(began).is_some()).map_or(began, |busy| busy.since);
        Self { since, last: ended }
    }

    /// How long it has lasted; `None` when the pool has come to rest, or the clock was set back.
    pub fn lasts(&self, now: Timestamp) -> Option<Duration> {
        let age = |then: Timestamp| Duration::try_from(now.duration_since(then)).ok();
        age(self.last).filter(|quiet| *quiet < QUIET).and_then(|_| age(self.since))
    }
}

/// The snapshot a pool is decided on.
#[derive(Debug, Clone)]
pub struct PoolView {
    /// Namespace and name of the pool.
    pub key: Key,
    /// The pool; `None` while claims name a pool that does not exist.
    pub pool: Option<Arc<IPPool>>,
    /// Its Cluster.
    pub cluster: ClusterSeen,
    /// Claims on it, oldest first.
    pub claims: Vec<ClaimSeen>,
    /// Addresses from it.
    pub addresses: Vec<AddressSeen>,
    /// Address objects of others, and of no pool, that keep addresses of this pool back: those of pools with the same name
    /// prefix, and those with a name that one of ours would have.
    pub neighbours: Vec<Neighbour>,
    /// Set once this process has done something for the pool.
    pub busy: Option<Busy>,
    /// Questions to the API server that are left for the next pass.
    pub unasked: usize,
    /// For the random strategy.
    pub seed: u64,
    /// The time.
    pub now: Timestamp,
}

/// The caches of the controller.
#[derive(Debug, Clone)]
pub struct Stores {
    pools: Store<IPPool>,
    clusters: Store<Cluster>,
    claims: Store<IPClaim>,
    addresses: Store<IPAddress>,
    capi_claims: Store<IPAddressClaim>,
    capi_addresses: Store<capi::IPAddress>,
}

fn text(key: &Key) -> String {
    key.to_string()
}

fn by_pool<K: Kind + OfPool>(store: Store<K>) -> Store<K> {
    store.index(POOL, |object| object.pool().iter().map(text).collect())
}

fn by_name<K: Named>(store: Store<K>) -> Store<K> {
    store.index(NAME, names::values)
}

fn pools<K: OfPool>(old: Option<&K>, new: Option<&K>) -> Vec<Key> {
    let keys: BTreeSet<Key> = old.into_iter().chain(new).filter_map(K::pool).collect();
    keys.into_iter().collect()
}

fn prefix_of(pool: &IPPool) -> String {
    format!("{}/{}", pool.metadata.namespace.clone().unwrap_or_default(), pool.spec.name_prefix)
}

fn cluster_of_pool(pool: &IPPool) -> Option<Key> {
    Some(Key::new(pool.metadata.namespace.clone().unwrap_or_default(), pool.spec.cluster_name.clone()?))
}

fn cluster_of_claim(claim: &Claim) -> Option<Key> {
    Some(Key::new(claim.meta().namespace.clone().unwrap_or_default(), claim.cluster()?))
}

impl Stores {
    /// Starts the watches. Cluster API need not be installed.
    pub fn start(context: &Context) -> Self {
        Self::of(
            context.store(),
            context.optional_store(),
            context.store(),
            context.store(),
            context.optional_store(),
            context.optional_store(),
        )
    }

    fn of(
        pools: Store<IPPool>,
        clusters: Store<Cluster>,
        claims: Store<IPClaim>,
        addresses: Store<IPAddress>,
        capi_claims: Store<IPAddressClaim>,
        capi_addresses: Store<capi::IPAddress>,
    ) -> Self {
        let cluster = |claim: &Claim| cluster_of_claim(claim).iter().map(text).collect();
        Self {
            pools: pools
                .index(CLUSTER, |pool| cluster_of_pool(pool).iter().map(text).collect())
                .index(PREFIX, |pool| vec![prefix_of(pool)]),
            clusters,
            claims: by_pool(claims).index(CLUSTER, move |claim| cluster(&Claim::Metal3(Arc::new(claim.clone())))),
            addresses: by_name(by_pool(addresses)),
            capi_claims: by_pool(capi_claims)
                .index(CLUSTER, move |claim| cluster(&Claim::Capi(Arc::new(claim.clone())))),
            capi_addresses: by_name(by_pool(capi_addresses)),
        }
    }

    /// What wakes a pool: itself, its claims and addresses before and after a change, address objects of others that come
    /// or go and keep one of its addresses back meanwhile, and the Clusters of all these.
    pub fn wakes(&self) -> Registration {
        let [metal3, capi, stores] = [(); 3].map(|()| self.clone());
        Registration::new()
            .own(&self.pools)
            .watch(&self.claims, pools)
            .watch(&self.addresses, move |old, new| metal3.of_address(old, new))
            .watch(&self.capi_claims, pools)
            .watch(&self.capi_addresses, move |old, new| capi.of_address(old, new))
            .watch(&self.clusters, move |old: Option<&Cluster>, new: Option<&Cluster>| {
                // Only its coming, going and pause matter here; its status changes all the time.
                let state = |cluster: Option<&Cluster>| cluster.map(is_paused);
                if state(old) == state(new) { Vec::new() } else { stores.of_cluster(old.or(new)) }
            })
    }

    fn of_cluster(&self, cluster: Option<&Cluster>) -> Vec<Key> {
        let Some(name) = cluster.map(|cluster| text(&Key::of(cluster))) else { return Vec::new() };
        let mut keys: BTreeSet<Key> = self.pools.by(CLUSTER, &name).iter().map(|pool| Key::of(&**pool)).collect();
        keys.extend(self.claims.by(CLUSTER, &name).iter().filter_map(|claim| claim.pool()));
        keys.extend(self.capi_claims.by(CLUSTER, &name).iter().filter_map(|claim| claim.pool()));
        keys.into_iter().collect()
    }

    /// Gathers the view of a pool.
    pub async fn gather(&self, context: &Context, key: &Key) -> Found<PoolView> {
        let pool = self.pools.get(key);
        if pool.as_ref().is_some_and(|pool| !owners::watched(&pool.metadata, &context.watch_filter)) {
            return Found::Missing;
        }
        let all = self.claims_of(key);
        let served = |claim: &&Claim| owners::watched(claim.meta(), &context.watch_filter);
        let seen = |claim: &Claim| ClaimSeen { hold_off: self.hold_off(claim), claim: claim.clone() };
        let mut claims: Vec<ClaimSeen> = all.iter().filter(served).map(seen).collect();
        let mut addresses = self.addresses_of(key);
        if pool.is_none() && claims.is_empty() && addresses.is_empty() {
            return Found::Missing;
        }
        let unasked = match live::ask_all(context, &all, &mut claims, &mut addresses).await {
            Ok(unasked) => unasked,
            Err(fault) => return Found::Later(fault),
        };
        Found::View(PoolView {
            key: key.clone(),
            cluster: pool.as_ref().map_or(ClusterSeen::Unnamed, |pool| self.cluster_of(pool)),
            neighbours: pool.as_ref().map(|pool| self.neighbours_of(pool, &context.watch_filter)).unwrap_or_default(),
            pool,
            claims,
            addresses,
            busy: None,
            unasked,
            seed: context.clock.seed(),
            now: context.clock.now(),
        })
    }

    fn cluster_of(&self, pool: &IPPool) -> ClusterSeen {
        match cluster_of_pool(pool) {
            None => ClusterSeen::Unnamed,
            Some(key) => match self.clusters.get(&key) {
                Some(cluster) => ClusterSeen::Found(cluster),
                None => ClusterSeen::Missing(key.name),
            },
        }
    }

    /// All claims on the pool, oldest first, those of other managers, too.
    fn claims_of(&self, key: &Key) -> Vec<Claim> {
        let value = text(key);
        let metal3 = self.claims.by(POOL, &value).into_iter().map(Claim::Metal3);
        let capi = self.capi_claims.by(POOL, &value).into_iter().map(Claim::Capi);
        let mut claims: Vec<Claim> = metal3.chain(capi).collect();
        let age = |claim: &Claim| claim.meta().creation_timestamp.as_ref().map(|time| time.0);
        claims.sort_by(|a, b| age(a).cmp(&age(b)).then_with(|| a.name().cmp(&b.name())));
        claims
    }

    fn hold_off(&self, claim: &Claim) -> Option<HoldOff> {
        if owners::paused(claim.meta()) {
            return Some(HoldOff::Paused);
        }
        let cluster = self.clusters.get(&cluster_of_claim(claim)?);
        match (cluster, claim) {
            (Some(cluster), _) => is_paused(&cluster).then_some(HoldOff::Paused),
            // Cluster API's contract: a claim of a Cluster waits for it. The older kind has no such contract.
            (None, Claim::Capi(_)) if !claim.is_deleting() => Some(HoldOff::ClusterMissing),
            (None, _) => None,
        }
    }

    fn addresses_of(&self, key: &Key) -> Vec<AddressSeen> {
        let addresses = self.addresses_by(POOL, &text(key));
        addresses.map(|address| AddressSeen { address, claim_is_gone: false }).collect()
    }

    /// The addresses in use of a pool, as the cache knows them.
    pub fn in_use(&self, key: &Key) -> InUse {
        let addresses = self.addresses_by(POOL, &text(key));
        addresses.filter_map(|address| Some((address.ip()?, address.claim().1.to_owned()))).collect()
    }

    fn addresses_by(&self, index: &'static str, value: &str) -> impl Iterator<Item = Address> + use<> {
        let metal3 = self.addresses.by(index, value).into_iter().map(Address::Metal3);
        metal3.chain(self.capi_addresses.by(index, value).into_iter().map(Address::Capi))
    }

    /// Whether the pool, or one with the same name prefix, serves claims of this kind, or did, as far as the cache knows.
    fn serves(&self, flavor: Flavor, pool: &Key) -> bool {
        let prefix = self.pools.get(pool).map(|pool| prefix_of(&pool));
        let near = prefix.iter().flat_map(|prefix| self.pools.by(PREFIX, prefix)).map(|pool| Key::of(&*pool));
        near.chain([pool.clone()]).map(|pool| text(&pool)).any(|value| match flavor {
            Flavor::Metal3 => self.claims.has(POOL, &value) || self.addresses.has(POOL, &value),
            Flavor::Capi => self.capi_claims.has(POOL, &value) || self.capi_addresses.has(POOL, &value),
        })
    }

    /// Asks for other address objects of an address, right before the claim of `flavor` is told that it has it. Whoever
    /// else gives it away makes an object and looks, too; so of two at least one sees the other. Pools with claims of one
    /// kind need no look, because there the name of the object decides. What is found is in the cache afterwards.
    pub async fn look(
        &self,
        context: &Context,
        pool: &Key,
        ip: IpAddr,
        (flavor, twins): (Flavor, &[(Flavor, String)]),
    ) -> Result<(), Fault> {
        for (other, name) in twins.iter().filter(|(other, _)| *other == flavor || self.serves(*other, pool)) {
            let key = Key::new(&pool.namespace, name);
            let Some(twin) = live::address(context, *other, &key).await? else { continue };
            self.learn(&twin);
            // Under this name, but about another address: names of different kinds do not exclude each other.
            if twin.ip() != Some(ip) {
                continue;
            }
            let (flavor, claim) = twin.claim();
            let kind = flavor.claim_kind();
            let message = format!("{kind} {claim} has an address object {name} of the same address; looking again");
            return Err(Fault::new(Class::Again, CONTESTED, message));
        }
        Ok(())
    }

    /// Puts address objects whose names turned out to be taken into the cache, so that the next pass knows them.
    pub async fn learn_names(&self, context: &Context, taken: Vec<(Flavor, Key)>) {
        for address in live::addresses(context, taken).await {
            self.learn(&address);
        }
    }

    fn learn(&self, address: &Address) {
        match address {
            Address::Metal3(address) => self.addresses.wrote((**address).clone()),
            Address::Capi(address) => self.capi_addresses.wrote((**address).clone()),
        }
    }
}

/// Whether a Cluster stops its objects.
pub fn is_paused(cluster: &Cluster) -> bool {
    cluster.is_paused() || owners::paused(&cluster.metadata)
}

#[cfg(test)]
pub(crate) mod tests;
