//! The controller of pools: one pass per pool serves all its claims and writes the pool's status once.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use kit::act;
use kit::fault;
use kit::key::Key;
use kit::pass::{Controller, Done, Fault, Found, Plan, Record, Write};
use kit::runtime::Context;

use crate::decide::{self, Chain, Deed, Round};
use crate::kinds::Flavor;
use crate::metrics::Families;
use crate::record::{self, RoundDone};
use crate::view::{Busy, ClaimSeen, PoolView, Stores};

/// Claims served at once inside a pass. Each has its own connection to the API server.
const AT_ONCE: usize = 16;

/// Gives addresses to claims.
#[derive(Debug)]
pub struct Pools {
    context: Context,
    stores: Stores,
    metrics: Families,
    busy: Mutex<HashMap<Key, Busy>>,
}

impl Pools {
    /// The controller with its caches.
    pub fn new(context: Context, stores: Stores) -> Self {
        let metrics = Families::register(&context.metrics);
        Self { context, stores, metrics, busy: Mutex::default() }
    }

    fn busy(&self) -> MutexGuard<'_, HashMap<Key, Busy>> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn measure(&self, key: &Key, found: &Found<PoolView>) {
        match found {
            Found::View(view) => {
                if let Some(pool) = &view.pool {
                    let unserved = |seen: &&ClaimSeen| !seen.claim.is_deleting() && seen.claim.told().is_none();
                    let unserved = view.claims.iter().filter(unserved).count();
                    self.metrics.seen(key, decide::space(view, pool).usage(), unserved);
                } else {
                    self.metrics.forget(key);
                }
            }
            Found::Missing => self.metrics.forget(key),
            Found::Later(_) => {}
        }
    }

    fn count(&self, view: &PoolView, round: &Round, faults: &[Option<Fault>]) {
        for (chain, _) in round.chains.iter().zip(faults).filter(|(_, fault)| fault.is_none()) {
            match chain.deed {
                Deed::Grant { .. } => {
                    let claim = chain.at.and_then(|at| view.claims.get(at)).map(|seen| &seen.claim);
                    // A claim that was told before is being repaired; it does not wait since its creation.
                    let new = claim.filter(|claim| claim.told().is_none());
                    if let Some(made) = new.and_then(|claim| claim.meta().creation_timestamp.as_ref()) {
                        self.metrics.granted(self.context.clock.now().duration_since(made.0).as_secs_f64());
                    }
                }
                Deed::Refuse(_) => self.metrics.refused(),
                Deed::Release(_) => {}
            }
        }
    }
}

/// The names of address objects that somebody else has: no cache has shown them.
fn names_taken(round: &Round, faults: &[Option<Fault>]) -> Vec<(Flavor, Key)> {
    let taken = |fault: &Option<Fault>| fault.as_ref().is_some_and(|fault| fault.reason == fault::EXISTS);
    let chains = round.chains.iter().zip(faults).filter(|(_, fault)| taken(fault)).map(|(chain, _)| chain);
    let made = chains.flat_map(|chain| chain.writes.iter().map(|write| (chain.claim.flavor, write)));
    made.filter(|(_, write)| matches!(write, Write::Create { .. }))
        .map(|(flavor, write)| (flavor, write.target().key.clone()))
        .collect()
}

impl Controller for Pools {
    type View = PoolView;
    type Call = Round;
    type Answer = RoundDone;

    fn name(&self) -> &'static str {
        "ippool"
    }

    async fn gather(&self, key: &Key) -> Found<PoolView> {
        let mut found = self.stores.gather(&self.context, key).await;
        match &mut found {
            Found::View(view) => view.busy = self.busy().get(key).copied(),
            Found::Missing => drop(self.busy().remove(key)),
            Found::Later(_) => {}
        }
        self.measure(key, &found);
        found
    }

    fn decide(&self, view: &PoolView) -> Plan<Round> {
        decide::decide(view)
    }

    /// All chains of the round, several at a time. Its only effects are Kubernetes writes with their preconditions,
    /// so doing it again after a crash finds what was done and goes on behind it. Before a claim is told, the other
    /// names of its address are looked up.
    async fn call(&self, view: &PoolView, round: &Round) -> Result<RoundDone, Fault> {
        let chains = round.chains.iter().map(|chain| chain.writes.clone()).collect();
        let look = async |chain: usize, write: usize| {
            let Chain { claim, deed, writes, .. } = &round.chains[chain];
            match (&writes[write], deed) {
                (Write::Status { .. }, Deed::Grant { ip, twins }) => {
                    self.stores.look(&self.context, &view.key, *ip, (claim.flavor, twins)).await
                }
                _ => Ok(()),
            }
        };
        let done = act::chains_asking(&self.context, self.name(), &view.key, chains, AT_ONCE, look).await;
        let faults: Vec<Option<Fault>> = done.into_iter().map(|done| done.failed).collect();
        self.stores.learn_names(&self.context, names_taken(round, &faults)).await;
        let told = record::failures(view, round, &faults);
        act::chains(&self.context, self.name(), &view.key, told, AT_ONCE).await;
        self.count(view, round, &faults);
        self.busy().insert(view.key.clone(), Busy::after(view.busy, view.now, self.context.clock.now()));
        Ok(RoundDone { faults })
    }

    fn record(&self, view: &PoolView, plan: Plan<Round>, done: &Done<RoundDone>) -> Record {
        record::record(view, &plan, done)
    }
}
