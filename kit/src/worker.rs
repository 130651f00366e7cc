//! [`spawn`]: runs a controller's passes: waits for caches and leadership, hands out keys, contains panics.

use std::fmt::Debug;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::Instrument;

use crate::act::{self, Ended};
use crate::key::Key;
use crate::metrics::{self, Families};
use crate::pass::{Class, Controller, Fault, Next};
use crate::plans::Entry;
use crate::queue::{self, Due, Lane, Outcome, Queue};
use crate::runtime::Context;
use crate::tasks::Task;
use crate::wakes::{Registration, Sink};

/// The depth of the queue is counted at most this often: counting walks over all due keys.
const MEASURE: Duration = Duration::from_millis(500);
/// Passes that still run at shutdown get this long.
const GRACE: Duration = Duration::from_secs(10);

/// How a controller's passes are run.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Passes at once, of different keys. 10 by default.
    pub concurrency: usize,
    /// A pass that takes longer is given up (and tried again with back-off). 5 minutes by default.
    pub pass_limit: Duration,
    /// Every key is looked at once in this time even when nothing changes. 10 minutes by default, as the peers do.
    pub resync: Option<Duration>,
    /// How long a key waits after a fault that only its user can mend, unless it changes. 2 minutes by default.
    pub user_recheck: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            concurrency: 10,
            pass_limit: Duration::from_mins(5),
            resync: Some(Duration::from_mins(10)),
            user_recheck: Duration::from_mins(2),
        }
    }
}

impl Options {
    /// With this many passes at once.
    #[must_use]
    pub fn concurrency(mut self, passes: usize) -> Self {
        self.concurrency = passes.max(1);
        self
    }
}

/// Starts a controller. The task ends when the context's shutdown fires or leadership is lost.
pub fn spawn<C: Controller>(context: &Context, controller: C, wakes: Registration, options: Options) -> Task {
    let worker = Worker {
        shared: Arc::new(Shared::new(controller.name(), &context.metrics.families)),
        context: context.clone(),
        controller: Arc::new(controller),
        options,
    };
    let span = tracing::info_span!("worker", controller = worker.shared.name);
    Task::spawn(worker.shared.name, worker.run(wakes).instrument(span))
}

struct Shared {
    name: &'static str,
    queue: Mutex<Queue>,
    changed: Notify,
    started: Instant,
    families: Families,
}

impl Shared {
    fn new(name: &'static str, families: &Families) -> Self {
        Self {
            name,
            queue: Mutex::new(Queue::new()),
            changed: Notify::new(),
            started: Instant::now(),
            families: families.clone(),
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn add(&self, key: &Key, lane: Lane) {
        if self.queue().add(key, self.now(), lane) {
            self.families.adds.get_or_create(&metrics::queue(self.name)).inc();
            self.changed.notify_one();
        }
    }
}

struct Worker<C> {
    shared: Arc<Shared>,
    context: Context,
    controller: Arc<C>,
    options: Options,
}

impl<C: Controller> Worker<C> {
    async fn run(self, wakes: Registration) {
        let shutdown = self.context.shutdown.clone();
        let label = metrics::controller(self.shared.name);
        self.shared.families.maximum.get_or_create(&label).set(self.options.concurrency as i64);
        let ready = self.prepare(wakes);
        if shutdown.run_until_cancelled(ready).await.is_none() {
            return;
        }
        let mut running = JoinSet::new();
        let mut leadership = self.context.leadership.clone();
        tokio::select! {
            biased;
            () = shutdown.cancelled() => {}
            () = leadership.lost() => {
                tracing::error!("leadership lost: stopping");
                running.abort_all();
            }
            () = self.dispatch(&mut running) => {}
        }
        let drained = async { while running.join_next().await.is_some() {} };
        if tokio::time::timeout(GRACE, drained).await.is_err() {
            tracing::warn!("passes still ran at shutdown and were cut off");
        }
    }

    /// Connects the sources, then waits until all caches are filled and this process leads.
    async fn prepare(&self, wakes: Registration) {
        let Registration { sources, synced } = wakes;
        for source in sources {
            let shared = self.shared.clone();
            let sink: Sink = Arc::new(move |key, lane| shared.add(&key, lane));
            source(sink);
        }
        for (kind, mut synced) in synced {
            let _guard = self.context.health.waiting(format!("{}: first list of {kind}", self.shared.name));
            // An error means that the informer is gone, which happens only at shutdown.
            if synced.wait_for(|synced| *synced).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
        self.context.leadership.clone().held().await;
        tracing::info!("started");
    }

    async fn dispatch(&self, running: &mut JoinSet<()>) {
        let queue_label = metrics::queue(self.shared.name);
        let mut measured = Duration::ZERO;
        loop {
            while running.try_join_next().is_some() {}
            while running.len() < self.options.concurrency {
                let now = self.shared.now();
                let Some(due) = self.shared.queue().pop(now) else { break };
                self.shared.families.queued.get_or_create(&queue_label).observe(due.waited.as_secs_f64());
                self.start(running, due);
            }
            let now = self.shared.now();
            if now >= measured + MEASURE {
                measured = now;
                let depth = self.shared.queue().depth(now);
                self.shared.families.depth.get_or_create(&queue_label).set(depth as i64);
            }
            let wake = self.shared.queue().next_wake();
            let full = running.len() >= self.options.concurrency;
            let timer = async {
                match wake {
                    Some(at) if !full => tokio::time::sleep_until(self.shared.started + at).await,
                    Some(_) | None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = timer => {}
                () = self.shared.changed.notified() => {}
                Some(_) = running.join_next() => {}
            }
        }
    }

    fn start(&self, running: &mut JoinSet<()>, due: Due) {
        let job = Job {
            shared: self.shared.clone(),
            context: self.context.clone(),
            controller: self.controller.clone(),
            options: self.options,
        };
        let span = tracing::info_span!("pass", key = %due.key);
        running.spawn(async move { job.run(due).await }.instrument(span));
    }
}

struct Job<C> {
    shared: Arc<Shared>,
    context: Context,
    controller: Arc<C>,
    options: Options,
}

impl<C: Controller> Job<C> {
    async fn run(self, due: Due) {
        let families = &self.shared.families;
        let label = metrics::controller(self.shared.name);
        families.active.get_or_create(&label).inc();
        let started = Instant::now();
        let ended = self.contained(&due.key).await;
        let took = started.elapsed().as_secs_f64();
        families.active.get_or_create(&label).dec();
        families.took.get_or_create(&label).observe(took);
        families.worked.get_or_create(&metrics::queue(self.shared.name)).observe(took);
        let outcome = self.judge(&due, ended);
        let now = self.shared.now();
        let mut queue = self.shared.queue();
        queue.done(&due.key, outcome, now);
        if let (Outcome::Rest, Some(resync)) = (outcome, self.options.resync)
            && !self.context.shutdown.is_cancelled()
        {
            queue.add(&due.key, now + queue::jitter(&due.key, 0, resync), Lane::Slow);
        }
    }

    /// A panic or a pass without end is a failed pass of this key, never of others.
    async fn contained(&self, key: &Key) -> Ended {
        let pass = Box::pin(act::pass(&self.context, &*self.controller, key));
        let caught = AssertUnwindSafe(tokio::time::timeout(self.options.pass_limit, pass)).catch_unwind().await;
        let fault = match caught {
            Ok(Ok(ended)) => return ended,
            Ok(Err(_)) => {
                let limit = self.options.pass_limit.as_secs();
                Fault::new(Class::Backoff, "PassTimeout", format!("the pass did not end within {limit} s"))
            }
            Err(payload) => {
                self.shared.families.panics.get_or_create(&metrics::controller(self.shared.name)).inc();
                act::panicked(&*payload)
            }
        };
        let entry = Entry::new(self.context.clock.now(), Duration::ZERO, &Next::Rest).with_fault(Some(&fault));
        self.context.plans.add(self.shared.name, key, entry);
        Ended::Failed(fault, Next::Rest)
    }

    fn judge(&self, due: &Due, ended: Ended) -> Outcome {
        let (result, outcome) = match ended {
            Ended::Gone | Ended::Fine(Next::Gone) => ("success", Outcome::Gone),
            Ended::Fine(Next::Rest | Next::Changed(_)) => ("success", Outcome::Rest),
            Ended::Fine(Next::Now) => ("requeue", Outcome::After(Duration::ZERO)),
            Ended::Fine(Next::After(delay, _)) => ("requeue_after", Outcome::After(delay)),
            Ended::Failed(fault, next) => self.failed(due, &fault, &next),
        };
        let labels = metrics::ResultLabels { controller: self.shared.name.to_owned(), result: result.to_owned() };
        self.shared.families.passes.get_or_create(&labels).inc();
        outcome
    }

    fn failed(&self, due: &Due, fault: &Fault, next: &Next) -> (&'static str, Outcome) {
        let families = &self.shared.families;
        let reason = metrics::ReasonLabels { controller: self.shared.name.to_owned(), reason: fault.reason.to_owned() };
        families.faults.get_or_create(&reason).inc();
        families.retries.get_or_create(&metrics::queue(self.shared.name)).inc();
        let (reason, failures) = (fault.reason, due.failures);
        match fault.class {
            Class::Again => tracing::debug!(reason, %fault, "somebody else was first, looking again"),
            Class::User | Class::Peer => tracing::warn!(reason, %fault, failures, "cannot go on"),
            Class::Backoff => tracing::warn!(reason, %fault, failures, "trying again"),
            Class::Bug => tracing::error!(reason, %fault, failures, "internal error"),
        }
        if fault.class != Class::Again {
            families.errors.get_or_create(&metrics::controller(self.shared.name)).inc();
        }
        match (fault.class, next) {
            (Class::Again, _) => ("requeue", Outcome::Failed),
            (Class::User, Next::After(delay, _)) => {
                ("error", Outcome::FailedFor(self.options.user_recheck.min(*delay)))
            }
            (Class::User, _) => ("error", Outcome::FailedFor(self.options.user_recheck)),
            (Class::Backoff | Class::Peer | Class::Bug, _) => ("error", Outcome::Failed),
        }
    }
}

#[cfg(test)]
mod tests;
