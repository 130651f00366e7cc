//! The worker under virtual time: panics, hangs, leadership, start order.

use std::sync::atomic::{AtomicUsize, Ordering};

use k8s_openapi::api::core::v1::ConfigMap;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::pass::{Done, Found, NoCall, Plan, Record, Why};
use crate::store::Store;
use crate::tasks::until_first;
use crate::testing::{Fake, config_map};
use crate::wakes::Bell;

/// Counts passes per key; some names misbehave.
#[derive(Clone, Default)]
struct Odd {
    passes: Arc<Mutex<Vec<String>>>,
    running: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Odd {
    fn count(&self, name: &str) -> usize {
        self.passes.lock().unwrap().iter().filter(|passed| *passed == name).count()
    }
}

impl Controller for Odd {
    type View = Key;
    type Call = NoCall;
    type Answer = ();

    fn name(&self) -> &'static str {
        "odd"
    }
    async fn gather(&self, key: &Key) -> Found<Key> {
        self.passes.lock().unwrap().push(key.name.clone());
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(running, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(1)).await;
        self.running.fetch_sub(1, Ordering::SeqCst);
        match key.name.as_str() {
            "hangs" => std::future::pending().await,
            "gone" => Found::Missing,
            "user" => Found::Later(Fault::new(Class::User, "Wrong", "mend it")),
            _ => Found::View(key.clone()),
        }
    }
    fn decide(&self, key: &Key) -> Plan<NoCall> {
        assert!(key.name != "panics", "as it was told");
        match key.name.as_str() {
            "again" => Plan::wait(Next::After(Duration::from_mins(1), Why::new("Minute", "a minute"))),
            _ => Plan::wait(Next::Rest),
        }
    }
    async fn call(&self, _: &Key, call: &NoCall) -> Result<(), Fault> {
        match *call {}
    }
    fn record(&self, _: &Key, plan: Plan<NoCall>, done: &Done<()>) -> Record {
        Record::of(plan, done)
    }
}

struct Run {
    odd: Odd,
    bell: Bell,
    context: Context,
    task: Task,
}

fn start(options: Options, change: impl FnOnce(Context) -> Context, wakes: Registration) -> Run {
    let context = change(Context::new(Fake::default().io(), CancellationToken::new()));
    let (odd, bell) = (Odd::default(), Bell::new());
    let task = spawn(&context, odd.clone(), wakes.bell(&bell), options);
    Run { odd, bell, context, task }
}

fn plain() -> Run {
    start(Options::default(), |context| context, Registration::new())
}

impl Run {
    fn ring(&self, name: &str) {
        self.bell.ring(&Key::new("ns", name));
    }
    async fn passes(&self, name: &str, after: Duration) -> usize {
        tokio::time::sleep(after).await;
        self.odd.count(name)
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failed_pass_of_its_key_alone() {
    let run = plain();
    run.ring("panics");
    run.ring("fine");
    assert!(run.passes("panics", Duration::from_secs(3)).await > 5, "tried again with back-off");
    assert_eq!(run.odd.count("fine"), 1);
    let page = run.context.plans.of("odd", &Key::new("ns", "panics"));
    let fault = page.last().unwrap().fault.clone().unwrap();
    assert_eq!((fault.reason.as_str(), fault.class.as_str()), ("Panic", "Bug"));
    assert!(fault.message.contains("as it was told"));
    let metrics = run.context.metrics.render(&run.context.plans);
    assert!(metrics.contains("controller_runtime_reconcile_panics_total{controller=\"odd\"}"), "{metrics}");
    assert!(metrics.contains("workqueue_adds_total{name=\"odd\",controller=\"odd\"} 2"), "{metrics}");
}

#[tokio::test(start_paused = true)]
async fn a_pass_without_end_is_given_up_and_delays_nobody() {
    let run = start(Options::default().concurrency(2), |context| context, Registration::new());
    run.ring("hangs");
    assert_eq!(run.passes("hangs", Duration::from_secs(1)).await, 1);
    run.ring("fine");
    assert_eq!(run.passes("fine", Duration::from_secs(1)).await, 1);
    assert_eq!(run.passes("hangs", Duration::from_mins(6)).await, 2);
    let page = run.context.plans.of("odd", &Key::new("ns", "hangs"));
    assert_eq!(page.last().unwrap().fault.clone().unwrap().reason, "PassTimeout");
}

#[tokio::test(start_paused = true)]
async fn each_outcome_has_its_pace() {
    let run = plain();
    for name in ["again", "user", "gone", "rests"] {
        run.ring(name);
    }
    tokio::time::sleep(Duration::from_secs(599)).await;
    let count = |name: &str| run.odd.count(name);
    assert_eq!(count("again"), 10, "each minute");
    assert!((4..=6).contains(&count("user")), "every two minutes: {}", count("user"));
    assert_eq!(count("gone"), 1);
    tokio::time::sleep(Duration::from_mins(2)).await;
    assert_eq!(count("rests"), 2, "once more by the periodic check");
    assert_eq!(count("gone"), 1, "what is gone is not checked");
}

#[tokio::test(start_paused = true)]
async fn many_keys_are_worked_on_at_once_but_no_more_than_allowed() {
    let run = start(Options::default().concurrency(7), |context| context, Registration::new());
    for n in 0..100 {
        run.ring(&format!("k{n}"));
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(run.odd.passes.lock().unwrap().len(), 100);
    assert_eq!(run.odd.most.load(Ordering::SeqCst), 7);
}

#[tokio::test(start_paused = true)]
async fn nothing_runs_before_the_caches_are_filled_and_what_was_there_is_looked_at() {
    let store: Store<ConfigMap> = Store::default();
    let run = start(Options::default(), |context| context, Registration::new().own(&store));
    store.seen(config_map("there", "1", 1, &[]));
    assert_eq!(run.passes("there", Duration::from_mins(1)).await, 0);
    assert_eq!(run.context.health.open(), ["odd: first list of ConfigMap"]);
    store.set_synced();
    assert_eq!(run.passes("there", Duration::from_secs(1)).await, 1);
    assert!(run.context.health.open().is_empty());
    store.seen(config_map("there", "1", 2, &[]));
    assert_eq!(run.passes("there", Duration::from_secs(1)).await, 2);
}

#[tokio::test(start_paused = true)]
async fn a_standby_waits_and_a_deposed_leader_stops_at_once() {
    let (sender, leadership) = crate::lease::Leadership::test();
    let run = start(Options::default(), |context| context.with_leadership(leadership), Registration::new());
    run.ring("fine");
    assert_eq!(run.passes("fine", Duration::from_mins(1)).await, 0);
    sender.send_replace(true);
    assert_eq!(run.passes("fine", Duration::from_secs(1)).await, 1);
    run.ring("hangs");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let deposed = Instant::now();
    sender.send_replace(false);
    until_first(&run.context, [run.task]).await.unwrap();
    assert!(deposed.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn shutdown_waits_for_running_passes_but_not_for_ever() {
    let run = plain();
    run.ring("hangs");
    tokio::time::sleep(Duration::from_secs(1)).await;
    run.context.shutdown.cancel();
    let asked = Instant::now();
    until_first(&run.context, [run.task]).await.unwrap();
    assert_eq!(asked.elapsed(), GRACE);
}
