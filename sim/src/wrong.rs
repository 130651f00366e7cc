//! Managers with known mistakes: the shipped controller with its plans bent. The oracles must catch each of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use api::ipam::{IPAddress, IPPool};
use api::names::finalizer;
use ipam::controller::Pools;
use ipam::decide::{Chain, Deed, Round};
use ipam::kinds::{Address, Claim, ClaimId};
use ipam::record::RoundDone;
use ipam::view::{AddressSeen, PoolView, Stores};
use jiff::{SignedDuration, Timestamp};
use kit::act;
use kit::fault;
use kit::key::{Key, Target};
use kit::pass::{Controller, Done, Fault, Found, Plan, Record, Write};
use kit::runtime::Context;
use kit::{owners, tasks, worker};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::world::Start;

/// A mistake that somebody could make, or has made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// The claim's finalizer goes before its address.
    FinalizerFirst,
    /// The pool's finalizer goes while addresses are in use.
    PoolFirst,
    /// Addresses are compared as texts.
    Texts,
    /// Claims are served from a map that is never corrected.
    OldMap,
    /// Address objects are made without finalizer.
    Unguarded,
    /// Claims get no finalizer.
    Unheld,
    /// The claim is told its address before the object exists.
    ToldFirst,
    /// The pool's status gets the time whenever it is looked at.
    Restless,
    /// A failed pass is not repeated.
    GivesUp,
    /// A name that is taken counts as made.
    TakenIsFine,
    /// A claim that found the pool exhausted is never looked at again.
    Exhausted,
    /// A claim is told its address without a look at the other names of it.
    NoLook,
    /// The pool's status is written once and never again.
    FirstCount,
    /// The process cannot cope with three claims.
    Panics,
    /// A claim with our finalizer is left to who put it there, as far as the process remembers that it was itself.
    Begun,
    /// A failed pass is repeated five times at most.
    FiveTimes,
    /// An address that had its finalizer when it was last seen cannot have vanished.
    Immortal,
    /// Addresses whose claims are gone never end.
    Orphans,
    /// A claim that the cache does not show is gone.
    CacheOnly,
}

/// Failures in a row after which [`Mistake::FiveTimes`] has enough.
const ENOUGH: u32 = 5;

/// A wrong manager.
#[derive(Debug, Clone, Copy)]
pub struct Wrong {
    /// Its name on the command line.
    pub name: &'static str,
    /// How it is started.
    pub start: Start,
}

macro_rules! wrong {
    ($($name:literal $mistake:ident),* $(,)?) => {
        /// All wrong managers.
        pub const ALL: &[Wrong] =
            &[$(Wrong { name: $name, start: |context| start(context, Mistake::$mistake) }),*];
    };
}

wrong! {
    "finalizer-first" FinalizerFirst,
    "pool-first" PoolFirst,
    "texts" Texts,
    "old-map" OldMap,
    "unguarded" Unguarded,
    "unheld" Unheld,
    "told-first" ToldFirst,
    "restless" Restless,
    "gives-up" GivesUp,
    "taken-is-fine" TakenIsFine,
    "exhausted" Exhausted,
    "no-look" NoLook,
    "first-count" FirstCount,
    "panics" Panics,
    "begun" Begun,
    "five-times" FiveTimes,
    "immortal" Immortal,
    "orphans" Orphans,
    "cache-only" CacheOnly,
}

/// The wrong manager of this name.
pub fn find(name: &str) -> Option<&'static Wrong> {
    ALL.iter().find(|wrong| wrong.name == name)
}

fn start(context: Context, mistake: Mistake) -> JoinHandle<()> {
    let stores = Stores::start(&context);
    let wakes = stores.wakes();
    let pools = Pools::new(context.clone(), stores);
    let ghosts = Ghosts::default();
    if mistake == Mistake::Immortal {
        ghosts.haunt(&context);
    }
    let memory = Mutex::default();
    let bent = Bent { pools, context: context.clone(), mistake, memory, ghosts };
    let task = worker::spawn(&context, bent, wakes, context.workers);
    tokio::spawn(async move {
        if let Err(error) = tasks::until_first(&context, [task]).await {
            tracing::error!(%error, "the manager ended");
        }
    })
}

struct Bent {
    pools: Pools,
    context: Context,
    mistake: Mistake,
    memory: Mutex<Memory>,
    ghosts: Ghosts,
}

/// What wrong managers keep in mind from pass to pass.
#[derive(Default)]
struct Memory {
    told: BTreeMap<ClaimId, Value>,
    begun: BTreeSet<ClaimId>,
    failures: u32,
}

/// Addresses that vanished without having been seen without finalizer.
#[derive(Clone, Default)]
struct Ghosts(Arc<Mutex<BTreeMap<Key, IPAddress>>>);

impl Ghosts {
    fn all(&self) -> MutexGuard<'_, BTreeMap<Key, IPAddress>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seen(&self) -> Vec<AddressSeen> {
        let address = |ghost: &IPAddress| Address::Metal3(Arc::new(ghost.clone()));
        self.all().values().map(|ghost| AddressSeen { address: address(ghost), claim_is_gone: false }).collect()
    }

    fn haunt(&self, context: &Context) {
        let ghosts = self.clone();
        context.store::<IPAddress>().subscribe(move |old, new| match (old, new) {
            (Some(old), None) if owners::has_finalizer(old, finalizer::IP_ADDRESS) => {
                ghosts.all().insert(Key::of(old), old.clone());
            }
            (_, Some(new)) => drop(ghosts.all().remove(&Key::of(new))),
            (_, None) => {}
        });
    }
}

impl Controller for Bent {
    type View = PoolView;
    type Call = Round;
    type Answer = RoundDone;

    fn name(&self) -> &'static str {
        "ippool"
    }

    async fn gather(&self, key: &Key) -> Found<PoolView> {
        let mut view = match self.pools.gather(key).await {
            Found::View(view) => view,
            other => return other,
        };
        match self.mistake {
            Mistake::Texts => view.addresses.retain(|seen| text(&seen.address) == canonical(&seen.address)),
            Mistake::CacheOnly => {
                let known: BTreeSet<ClaimId> = view.claims.iter().map(|seen| seen.claim.id()).collect();
                for seen in &mut view.addresses {
                    seen.claim_is_gone = !known.contains(&seen.address.claim().into());
                }
            }
            Mistake::Immortal => view.addresses.extend(self.ghosts.seen()),
            _ => {}
        }
        Found::View(view)
    }

    fn decide(&self, view: &PoolView) -> Plan<Round> {
        assert!(self.mistake != Mistake::Panics || view.claims.len() < 3, "three claims are too many");
        let mut plan = self.pools.decide(view);
        if let Some(round) = &mut plan.call {
            match self.mistake {
                Mistake::Exhausted => round.chains.retain(|chain| !was_refused(view, chain)),
                Mistake::Orphans => round.chains.retain(|chain| chain.at.is_some()),
                Mistake::Begun => round.chains.retain(|chain| self.is_ours(view, chain)),
                _ => {}
            }
            for chain in &mut round.chains {
                self.bend(chain);
            }
        }
        let deleting = view.pool.as_deref().filter(|pool| owners::deleting(&pool.metadata));
        if let (Mistake::PoolFirst, Some(pool)) = (self.mistake, deleting) {
            plan.writes = vec![owners::remove_finalizer(pool, finalizer::IP_POOL)];
        }
        plan
    }

    async fn call(&self, view: &PoolView, round: &Round) -> Result<RoundDone, Fault> {
        if self.mistake != Mistake::TakenIsFine {
            return self.pools.call(view, round).await;
        }
        let mut faults = Vec::new();
        for chain in &round.chains {
            let mut failed = None;
            for write in &chain.writes {
                let one = vec![vec![write.clone()]];
                let done = act::chains(&self.context, self.name(), &view.key, one, 1).await;
                failed = done.into_iter().find_map(|done| done.failed).filter(|fault| fault.reason != fault::EXISTS);
                if failed.is_some() {
                    break;
                }
            }
            faults.push(failed);
        }
        Ok(RoundDone { faults })
    }

    fn record(&self, view: &PoolView, plan: Plan<Round>, done: &Done<RoundDone>) -> Record {
        let mut record = self.pools.record(view, plan, done);
        match (self.mistake, view.pool.as_deref()) {
            (Mistake::Restless, Some(pool)) if is_old(pool, view.now) => {
                let body = json!({ "status": { "lastUpdated": view.now.to_string() } });
                record.status = Some(Write::Status { target: Target::of(pool), body });
            }
            (Mistake::GivesUp, _) => record.fault = None,
            (Mistake::FiveTimes, _) => {
                let mut memory = self.memory();
                memory.failures = if record.fault.is_some() { memory.failures + 1 } else { 0 };
                record.fault = record.fault.filter(|_| memory.failures < ENOUGH);
            }
            (Mistake::FirstCount, Some(pool)) if pool.status.is_some() => record.status = None,
            _ => {}
        }
        record
    }
}

impl Bent {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nobody has begun to serve the claim, or this process has.
    fn is_ours(&self, view: &PoolView, chain: &Chain) -> bool {
        let held = chain.at.and_then(|at| view.claims.get(at)).is_some_and(|seen| seen.claim.is_held());
        let grant = matches!(chain.deed, Deed::Grant { .. });
        let mut memory = self.memory();
        if grant && !held {
            memory.begun.insert(chain.claim.clone());
        }
        !grant || memory.begun.contains(&chain.claim)
    }

    fn bend(&self, chain: &mut Chain) {
        let of_claim = |write: &Write| write.target().resource.kind.ends_with("Claim");
        match (self.mistake, &mut chain.deed) {
            (Mistake::FinalizerFirst, Deed::Release(_)) => chain.writes.sort_by_key(|write| !of_claim(write)),
            (Mistake::Unheld, Deed::Grant { .. }) => {
                chain.writes.retain(|write| !(of_claim(write) && matches!(write, Write::Patch { .. })));
            }
            (Mistake::ToldFirst, Deed::Grant { .. }) => {
                chain.writes.sort_by_key(|write| matches!(write, Write::Create { .. }));
            }
            (Mistake::Unguarded, Deed::Grant { .. }) => {
                for write in &mut chain.writes {
                    if let Write::Create { body, .. } = write {
                        body["metadata"]["finalizers"] = Value::Null;
                    }
                }
            }
            (Mistake::NoLook, Deed::Grant { twins, .. }) => twins.clear(),
            (Mistake::OldMap, Deed::Grant { .. }) => self.by_the_map(chain),
            _ => {}
        }
    }

    /// The first answer to a claim of this name is its answer for ever.
    fn by_the_map(&self, chain: &mut Chain) {
        let told = &mut self.memory().told;
        let known = told.get(&chain.claim).cloned();
        for write in &mut chain.writes {
            if let Write::Status { body, .. } = write {
                match &known {
                    Some(old) => body["status"]["address"] = old.clone(),
                    None => drop(told.insert(chain.claim.clone(), body["status"]["address"].clone())),
                }
            }
        }
        if known.is_some() {
            chain.writes.retain(|write| !matches!(write, Write::Create { .. }));
        }
    }
}

/// Not at once again, because its own write wakes the pool.
fn is_old(pool: &IPPool, now: Timestamp) -> bool {
    let last = pool.status.as_ref().and_then(|status| status.last_updated.as_ref());
    last.is_some_and(|last| now.duration_since(last.0) > SignedDuration::from_mins(5))
}

fn text(address: &Address) -> String {
    match address {
        Address::Metal3(address) => address.spec.address.clone(),
        Address::Capi(address) => address.spec.address.clone(),
    }
}

fn canonical(address: &Address) -> String {
    address.ip().map(|ip| ip.to_string()).unwrap_or_default()
}

fn was_refused(view: &PoolView, chain: &Chain) -> bool {
    let claim = view.claims.iter().find(|seen| seen.claim.id() == chain.claim);
    claim.is_some_and(|seen| match &seen.claim {
        Claim::Metal3(claim) => claim.status.as_ref().is_some_and(|status| status.error_message.is_some()),
        Claim::Capi(claim) => claim.status.as_ref().is_some_and(|status| !status.conditions.is_empty()),
    })
}
