//! Leader election over a `coordination.k8s.io/v1` Lease, compatible with client-go: a Go manager and ours, started
//! with the same lease name, exclude each other.
//!
//! [`decide`] is pure. A lease of somebody else has expired when *we* have not seen it change for its duration, by
//! our own clock; the times written in it are never compared, so clocks may differ.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::client::Io;
use crate::clock::Clock;
use crate::diff;
use crate::key::Key;
use crate::pass::{Fault, Write};

/// The three times of a leader election, with the peers' defaults.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// Others may take over after this long without a renewal. 15 s.
    pub duration: Duration,
    /// A leader that could not renew for this long stops. 10 s.
    pub deadline: Duration,
    /// Pause between looks. 2 s.
    pub retry: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self { duration: Duration::from_secs(15), deadline: Duration::from_secs(10), retry: Duration::from_secs(2) }
    }
}

/// Whether this process may act. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Leadership {
    state: watch::Receiver<bool>,
    /// Keeps the channel open where nobody else does.
    _always: Option<std::sync::Arc<watch::Sender<bool>>>,
}

impl Leadership {
    /// Without leader election.
    pub fn always() -> Self {
        let (sender, state) = watch::channel(true);
        Self { state, _always: Some(std::sync::Arc::new(sender)) }
    }

    #[cfg(test)]
    pub(crate) fn test() -> (watch::Sender<bool>, Self) {
        let (sender, state) = watch::channel(false);
        (sender, Self { state, _always: None })
    }

    /// Whether this process leads now.
    pub fn is_held(&self) -> bool {
        *self.state.borrow()
    }

    /// Returns when this process leads.
    pub async fn held(&mut self) {
        if self.state.wait_for(|held| *held).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Returns when this process does not lead (any more).
    pub async fn lost(&mut self) {
        // A closed channel means that the election ended: not leading.
        let _ = self.state.wait_for(|held| !*held).await;
    }
}

/// What an elector knows: the lease as last seen, and when it saw it change.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    record: Option<(Option<String>, LeaseSpec)>,
    changed: Option<Instant>,
}

impl Seen {
    /// Takes in a fresh look at the lease.
    pub fn observe(&mut self, lease: Option<&Lease>, now: Instant) {
        let record = lease.map(|lease| (lease.metadata.uid.clone(), lease.spec.clone().unwrap_or_default()));
        if record != self.record || self.changed.is_none() {
            self.record = record;
            self.changed = Some(now);
        }
    }
}

/// What to do about the lease.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Nobody has it: create it.
    Create,
    /// It is ours: renew it.
    Renew,
    /// It is free or expired: take it.
    Take,
    /// Somebody else has it.
    Wait(String),
}

/// Decides from what was seen. `me` is this process's identity.
pub fn decide(seen: &Seen, me: &str, now: Instant) -> Step {
    let Some((_, spec)) = &seen.record else { return Step::Create };
    let holder = spec.holder_identity.as_deref().unwrap_or_default();
    if holder == me {
        return Step::Renew;
    }
    // The holder's own duration counts, not ours.
    let duration = Duration::from_secs(spec.lease_duration_seconds.unwrap_or_default().max(0) as u64);
    let expired = seen.changed.is_none_or(|changed| now.duration_since(changed) >= duration);
    if holder.is_empty() || expired { Step::Take } else { Step::Wait(holder.to_owned()) }
}

/// The lease after the step; `None` when somebody else has it.
pub fn next(lease: Option<&Lease>, step: &Step, me: &str, timing: Timing, now: Timestamp) -> Option<Lease> {
    let mut lease = lease.cloned().unwrap_or_default();
    let old = lease.spec.take().unwrap_or_default();
    let spec = match step {
        Step::Wait(_) => return None,
        Step::Renew => LeaseSpec { renew_time: Some(MicroTime(now)), ..old },
        Step::Create | Step::Take => LeaseSpec {
            acquire_time: Some(MicroTime(now)),
            renew_time: Some(MicroTime(now)),
            lease_transitions: Some(match step {
                Step::Create => 0,
                _ => old.lease_transitions.unwrap_or_default() + 1,
            }),
            ..old
        },
    };
    lease.spec = Some(LeaseSpec {
        holder_identity: Some(me.to_owned()),
        lease_duration_seconds: Some(timing.duration.as_secs() as i32),
        ..spec
    });
    Some(lease)
}

/// One candidate of an election.
#[derive(Debug)]
pub struct Election {
    io: Io,
    key: Key,
    me: String,
    timing: Timing,
    clock: Clock,
}

impl Election {
    /// A candidate for the lease of this name; `me` must be unique per process. The clock's time is written into it.
    pub fn new(io: Io, clock: Clock, key: Key, me: impl Into<String>) -> Self {
        Self { io, key, me: me.into(), timing: Timing::default(), clock }
    }

    /// With other times.
    #[must_use]
    pub fn with_timing(mut self, timing: Timing) -> Self {
        self.timing = timing;
        self
    }

    /// Runs until `stop` fires, then gives the lease back, or until leadership is lost: then the process must end,
    /// because passes may still run. The task answers whether leadership was lost.
    pub fn start(self, stop: CancellationToken) -> (Leadership, JoinHandle<bool>) {
        let (sender, state) = watch::channel(false);
        let task = tokio::spawn(async move {
            let lost = stop.run_until_cancelled(self.lead(&sender)).await.is_some();
            let led = *sender.borrow();
            sender.send_replace(false);
            if led && !lost {
                self.release().await;
            }
            lost
        });
        (Leadership { state, _always: None }, task)
    }

    /// Returns when a held lease could not be renewed in time.
    async fn lead(&self, state: &watch::Sender<bool>) {
        let mut seen = Seen::default();
        let mut renewed = Instant::now();
        loop {
            let asked = Instant::now();
            let holds = *state.borrow();
            match tokio::time::timeout(self.timing.deadline, self.round(&mut seen)).await {
                Ok(Ok(Step::Wait(holder))) if holds => {
                    tracing::error!(lease = %self.key, %holder, "somebody else took the lease");
                    return;
                }
                Ok(Ok(Step::Wait(holder))) => tracing::debug!(lease = %self.key, %holder, "standing by"),
                Ok(Ok(_)) => {
                    renewed = asked;
                    if !holds {
                        tracing::info!(lease = %self.key, me = %self.me, "leading");
                        state.send_replace(true);
                    }
                }
                Ok(Err(fault)) => tracing::warn!(lease = %self.key, %fault, "lease not renewed"),
                Err(_) => tracing::warn!(lease = %self.key, "lease not renewed: no answer"),
            }
            if *state.borrow() && renewed.elapsed() >= self.timing.deadline {
                tracing::error!(lease = %self.key, "lease could not be renewed in time");
                return;
            }
            tokio::time::sleep(self.timing.retry).await;
        }
    }

    async fn round(&self, seen: &mut Seen) -> Result<Step, Fault> {
        let lease = self.io.get::<Lease>(&self.key).await?;
        let now = Instant::now();
        seen.observe(lease.as_ref(), now);
        let step = decide(seen, &self.me, now);
        if let Some(write) = self.write(lease.as_ref(), &step) {
            let written = self.io.apply(&write).await?;
            seen.observe(serde_json::from_value(written).ok().as_ref(), now);
        }
        Ok(step)
    }

    fn write(&self, lease: Option<&Lease>, step: &Step) -> Option<Write> {
        let next = next(lease, step, &self.me, self.timing, self.clock.now())?;
        if let Some(lease) = lease {
            // The resourceVersion decides between two candidates that both saw the lease expire.
            return diff::object_exact(lease, &next);
        }
        let metadata = ObjectMeta {
            name: Some(self.key.name.clone()),
            namespace: Some(self.key.namespace.clone()),
            ..ObjectMeta::default()
        };
        Some(diff::create(&Lease { metadata, ..next }))
    }

    /// Gives the lease back, so that a successor need not wait. As client-go: no holder, one second.
    async fn release(&self) {
        let freed = async {
            let lease = self.io.get::<Lease>(&self.key).await.ok().flatten()?;
            let spec = lease.spec.clone().filter(|spec| spec.holder_identity.as_deref() == Some(self.me.as_str()))?;
            let mut free = lease.clone();
            free.spec = Some(LeaseSpec {
                holder_identity: Some(String::new()),
                lease_duration_seconds: Some(1),
                renew_time: Some(MicroTime(self.clock.now())),
                ..spec
            });
            self.io.apply(&diff::object_exact(&lease, &free)?).await.ok()
        };
        if tokio::time::timeout(self.timing.retry, freed).await.is_err() {
            tracing::warn!(lease = %self.key, "lease not given back in time; it expires by itself");
        }
    }
}

#[cfg(test)]
mod tests;
