//! [`World`]: one API server, managers as they ship, and virtual time.
//!
//! Everything runs in one thread on tokio's paused clock: when nobody can go on, time jumps to the next timer. A
//! manager dies by being cut off: none of its requests is served any more, and nothing that it knew is kept.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use kit::client::Io;
use kit::clock::Clock;
use kit::hook::{self, Hook, Moment, Step};
use kit::key::Key;
use kit::plans;
use kit::runtime::Context;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::faults::FaultPlan;
use crate::kube::{Kind, Server, kinds};
use crate::oracle::kinds_of_interest;
use crate::referee::{MANAGER, Order, Referee};

/// The time at which every world begins.
const BEGIN: &str = "2026-01-01T00:00:00Z";
/// Nobody asks for anything for this long: all is quiet. Longer than any request may be under way and than the pauses
/// of failing watches, shorter than the time limit of a watch.
pub const QUIET: Duration = Duration::from_secs(65);
/// So many times it is waited for quiet before what a plan holds back is delivered all the same: a manager that never
/// learns of anything again would quarrel with another one for ever.
const HELD: usize = 3;
/// So many times something may still happen before the world is said never to come to rest.
const PATIENCE: usize = 60;

/// So many requests, in stories of some dozens, are no work but a quarrel without a pause: the world does not come to rest.
const TOO_MANY: u64 = 3_000;

/// The kinds that these worlds serve; reading all definitions takes longer than a run.
static KINDS: LazyLock<Vec<Kind>> = LazyLock::new(|| {
    let wanted = kinds_of_interest();
    kinds::all().into_iter().filter(|kind| !kind.custom || wanted.contains(&kind.name)).collect()
});

/// How a manager is started; the task ends when the context's shutdown fires.
pub type Start = fn(Context) -> JoinHandle<()>;

/// The manager as it ships.
pub fn shipped(context: Context) -> JoinHandle<()> {
    tokio::spawn(async move {
        if let Err(error) = ipam::run(context, ipam::Options::default()).await {
            tracing::error!(%error, "the manager ended");
        }
    })
}

struct Manager {
    name: Arc<str>,
    context: Context,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// What managers must not do, beyond what the API server can see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mishap {
    /// A pass panicked.
    Panic(String),
    /// A manager ended without being asked to.
    Ended(String),
}

/// The world of one run. Cheap to clone.
#[derive(Clone)]
pub struct World {
    /// The API server.
    pub server: Server,
    /// The time.
    pub clock: Clock,
    /// Who disturbs and counts.
    pub referee: Arc<Referee>,
    start: Start,
    managers: Arc<Mutex<Vec<Manager>>>,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("referee", &self.referee).finish_non_exhaustive()
    }
}

/// Runs a future in virtual time, alone in its runtime; everything it has started ends with it.
pub fn in_virtual_time<T>(future: impl Future<Output = T>) -> std::io::Result<T> {
    // Pauses between attempts of a watch are random by this thread's generator.
    fastrand::seed(0);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    Ok(runtime.block_on(future))
}

impl World {
    /// A world without managers; inside [`in_virtual_time`].
    pub fn new(plan: FaultPlan, start: Start, story: bool) -> Self {
        let clock = Clock::following_tokio(BEGIN.parse().unwrap_or(Timestamp::UNIX_EPOCH), 1);
        let referee = Arc::new(Referee::new(plan, clock.clone(), story));
        let time = clock.clone();
        let server = Server::new(KINDS.clone(), move || time.now());
        server.intercept(Some(referee.clone()));
        let world = Self { server, clock, referee, start, managers: Arc::default() };
        tokio::spawn(world.clone().follow_orders());
        world
    }

    fn managers(&self) -> MutexGuard<'_, Vec<Manager>> {
        self.managers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn follow_orders(self) {
        loop {
            self.referee.bell.notified().await;
            for order in self.referee.orders() {
                match order {
                    Order::Replace(name) => {
                        self.kill(&name);
                        self.start_manager();
                    }
                    Order::Add => self.start_manager(),
                }
            }
        }
    }

    /// Starts a manager with empty memory that believes to lead.
    pub fn start_manager(&self) {
        let mut managers = self.managers();
        let name: Arc<str> = format!("{MANAGER}{}", managers.len() + 1).into();
        self.referee.tell("world", || format!("{name} starts"));
        let stop = CancellationToken::new();
        let diary = Diary { manager: name.clone(), referee: self.referee.clone() };
        let io = Io::new(self.server.client(&name));
        let context = Context::at(self.clock.clone(), io, stop.clone()).with_hook(Arc::new(diary));
        let task = (self.start)(context.clone());
        managers.push(Manager { name, context, stop, task });
    }

    /// Everything of a manager ends at once.
    fn kill(&self, name: &str) {
        self.referee.tell("world", || format!("{name} is dead"));
        self.server.disconnect(name);
        if let Some(manager) = self.managers().iter().find(|manager| &*manager.name == name) {
            manager.stop.cancel();
        }
    }

    /// Waits until nobody asks for anything any more; then ends what a plan holds back and collects garbage, until
    /// that changes nothing either. Answers whether the world came to rest.
    pub async fn quiet(&self) -> bool {
        for time in 1..=PATIENCE {
            let before = (self.referee.requests(), self.server.version());
            if !self.passes(QUIET).await {
                self.referee.tell("world", || "too many requests".to_owned());
                return false;
            }
            let restless = before != (self.referee.requests(), self.server.version());
            if restless && time < HELD {
                continue;
            }
            if self.referee.let_go() {
                self.referee.tell("world", || "held events are delivered".to_owned());
                self.server.release_all();
                continue;
            }
            if restless {
                continue;
            }
            let collected = self.server.collect_garbage();
            if collected == 0 {
                self.referee.tell("world", || "quiet".to_owned());
                return true;
            }
            self.referee.tell("world", || format!("the garbage collector makes {collected} writes"));
        }
        false
    }

    /// Lets time pass, unless the managers ask too much meanwhile; answers whether it did.
    async fn passes(&self, time: Duration) -> bool {
        let end = tokio::time::Instant::now() + time;
        while self.referee.requests() <= TOO_MANY {
            if tokio::time::Instant::now() >= end {
                return true;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        false
    }

    /// Panics and unasked ends of all managers so far.
    pub fn mishaps(&self) -> Vec<Mishap> {
        let mut mishaps = Vec::new();
        for manager in self.managers().iter() {
            let metrics = manager.context.metrics.render(&manager.context.plans);
            let panics = metrics.lines().filter(|line| line.starts_with("controller_runtime_reconcile_panics_total"));
            let panicked = panics.filter(|line| !line.ends_with(" 0"));
            mishaps.extend(panicked.map(|line| Mishap::Panic(format!("{}: {line}", manager.name))));
            if manager.task.is_finished() && !manager.stop.is_cancelled() {
                mishaps.push(Mishap::Ended(manager.name.to_string()));
            }
        }
        mishaps
    }
}

/// Writes down what passes decide.
#[derive(Debug)]
struct Diary {
    manager: Arc<str>,
    referee: Arc<Referee>,
}

impl Hook for Diary {
    fn at<'a>(&'a self, controller: &'a str, key: &'a Key, moment: Moment, step: Step<'a>) -> hook::Verdict<'a> {
        if moment == Moment::Before {
            self.referee.tell(&self.manager, || match step {
                Step::Write(write) => format!("{controller} {key}: {}", plans::describe(write)),
                Step::Call(text) => format!("{controller} {key} decides: {text}"),
            });
        }
        Box::pin(std::future::ready(Ok(())))
    }
}
