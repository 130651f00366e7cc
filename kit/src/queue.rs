//! [`Queue`]: when each key is looked at next. Pure: time is a [`Duration`] since any fixed start.
//!
//! Rules: a key is in the queue once; the earliest time wins; a key that is being worked on is never handed out a
//! second time, a wake meanwhile makes it due right after; failures back off per key; the slow lane (start-up,
//! periodic re-checks) gives way to the fast one but is never starved.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::key::Key;

/// First pause after a failure, as controller-runtime has it.
pub const BACKOFF_FIRST: Duration = Duration::from_millis(5);
/// Longest pause after failures.
pub const BACKOFF_MAX: Duration = Duration::from_secs(1000);
/// So many immediate repeats are believed; further ones back off, so that a mistake cannot spin.
const SPINS: u32 = 32;
/// Of so many hand-outs one comes from the slow lane when it has something due.
const SLOW_SHARE: u64 = 8;

/// How urgent a wake is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// Something changed now.
    Fast,
    /// Start-up and periodic re-checks.
    Slow,
}

/// What follows a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Only a wake runs the key again.
    Rest,
    /// Nothing is left to do for the key; a wake may bring it back.
    Gone,
    /// Again after this time, zero for at once.
    After(Duration),
    /// It failed: again after the key's back-off, which grows.
    Failed,
    /// It failed in a way that only a user can mend: again after this time, without forgetting earlier failures.
    FailedFor(Duration),
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    at: Duration,
    lane: Lane,
    order: u64,
}

#[derive(Debug, Default)]
struct Item {
    /// Where the key waits.
    slot: Option<Slot>,
    running: bool,
    /// A wake that came while running.
    again: Option<(Duration, Lane)>,
    failures: u32,
    spins: u32,
}

/// The queue of one controller.
#[derive(Debug, Default)]
pub struct Queue {
    items: BTreeMap<Key, Item>,
    fast: BTreeSet<(Duration, u64, Key)>,
    slow: BTreeSet<(Duration, u64, Key)>,
    orders: u64,
    handed: u64,
}

/// A key that is due, with how long it has been.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The key.
    pub key: Key,
    /// How long it was due already.
    pub waited: Duration,
    /// How many passes in a row have failed.
    pub failures: u32,
}

impl Queue {
    /// An empty queue.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a key due at a time; answers whether this brought anything new.
    pub fn add(&mut self, key: &Key, at: Duration, lane: Lane) -> bool {
        let item = self.items.entry(key.clone()).or_default();
        if item.running {
            let again = item.again.map_or((at, lane), |(known, l)| (known.min(at), l.min(lane)));
            let new = item.again != Some(again);
            item.again = Some(again);
            return new;
        }
        let wanted = match item.slot {
            Some(slot) if slot.at <= at && slot.lane <= lane => return false,
            Some(slot) => (slot.at.min(at), slot.lane.min(lane)),
            None => (at, lane),
        };
        self.place(key, wanted.0, wanted.1);
        true
    }

    /// Hands out the next due key and marks it as running.
    pub fn pop(&mut self, now: Duration) -> Option<Due> {
        let due = |set: &BTreeSet<(Duration, u64, Key)>| set.first().is_some_and(|(at, ..)| *at <= now);
        let slow_turn = self.handed % SLOW_SHARE == SLOW_SHARE - 1;
        let lane = match (due(&self.fast), due(&self.slow)) {
            (true, true) if slow_turn => &mut self.slow,
            (true, _) => &mut self.fast,
            (false, true) => &mut self.slow,
            (false, false) => return None,
        };
        let (at, _, key) = lane.pop_first()?;
        self.handed += 1;
        let item = self.items.entry(key.clone()).or_default();
        item.slot = None;
        item.running = true;
        Some(Due { key, waited: now.saturating_sub(at), failures: item.failures })
    }

    /// Ends the pass of a key; answers when it is due again.
    pub fn done(&mut self, key: &Key, outcome: Outcome, now: Duration) -> Option<Duration> {
        let item = self.items.get_mut(key)?;
        item.running = false;
        let own = match outcome {
            Outcome::Rest | Outcome::Gone => {
                (item.failures, item.spins) = (0, 0);
                None
            }
            Outcome::After(delay) if delay.is_zero() => {
                item.failures = 0;
                item.spins = item.spins.saturating_add(1);
                let pause = item.spins.checked_sub(SPINS).map_or(Duration::ZERO, |over| backoff(key, over));
                Some((now + pause, Lane::Fast))
            }
            Outcome::After(delay) => {
                (item.failures, item.spins) = (0, 0);
                Some((now + delay, Lane::Fast))
            }
            Outcome::Failed => {
                let pause = backoff(key, item.failures);
                item.failures = item.failures.saturating_add(1);
                Some((now + pause, Lane::Fast))
            }
            Outcome::FailedFor(delay) => {
                item.failures = item.failures.saturating_add(1);
                Some((now + jitter(key, item.failures, delay), Lane::Fast))
            }
        };
        let next = match (own, item.again.take()) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.min(b.1))),
            (a, b) => a.or(b),
        };
        match next {
            Some((at, lane)) => self.place(key, at, lane),
            None => {
                self.items.remove(key);
            }
        }
        next.map(|(at, _)| at)
    }

    /// When the next key becomes due.
    pub fn next_wake(&self) -> Option<Duration> {
        let first = |set: &BTreeSet<(Duration, u64, Key)>| set.first().map(|(at, ..)| *at);
        match (first(&self.fast), first(&self.slow)) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// How many keys are due and not handed out.
    pub fn depth(&self, now: Duration) -> usize {
        let due = |set: &BTreeSet<(Duration, u64, Key)>| set.iter().take_while(|(at, ..)| *at <= now).count();
        due(&self.fast) + due(&self.slow)
    }

    fn place(&mut self, key: &Key, at: Duration, lane: Lane) {
        let Some(item) = self.items.get_mut(key) else { return };
        if let Some(old) = item.slot.take() {
            let set = if old.lane == Lane::Fast { &mut self.fast } else { &mut self.slow };
            set.remove(&(old.at, old.order, key.clone()));
        }
        self.orders += 1;
        item.slot = Some(Slot { at, lane, order: self.orders });
        let set = if lane == Lane::Fast { &mut self.fast } else { &mut self.slow };
        set.insert((at, self.orders, key.clone()));
    }
}

/// The pause after the given number of earlier failures: 5 ms doubling to 1000 s, give or take a tenth.
pub fn backoff(key: &Key, failures: u32) -> Duration {
    let doubled = BACKOFF_FIRST.saturating_mul(1_u32.checked_shl(failures.min(24)).unwrap_or(u32::MAX));
    jitter(key, failures, doubled.min(BACKOFF_MAX))
}

/// Spreads pauses of many keys by up to a tenth. Derived from the key, so a run can be repeated exactly.
pub fn jitter(key: &Key, salt: u32, pause: Duration) -> Duration {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325 ^ u64::from(salt);
    for byte in key.namespace.bytes().chain([b'/']).chain(key.name.bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    let share = (hash >> 32) as f64 / f64::from(u32::MAX);
    pause.mul_f64(0.9 + 0.2 * share)
}

#[cfg(test)]
mod tests;
