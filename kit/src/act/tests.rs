//! One pass against a small API server: preconditions, order, hook, time limits.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::diff;
use crate::hook::{self, Hook};
use crate::pass::{Record, Why};
use crate::testing::{Fake, config_map};

const PATH: &str = "/api/v1/namespaces/ns/configmaps/a";

/// Decides what it is told, and remembers what it saw of the outcome.
struct Toy {
    writes: Vec<Write>,
    call: Option<&'static str>,
    last: Vec<Write>,
    outcome: Mutex<Option<String>>,
}

impl Toy {
    fn new(writes: Vec<Write>) -> Self {
        Self { writes, call: Some("power on"), last: Vec::new(), outcome: Mutex::new(None) }
    }
}

impl Controller for Toy {
    type View = ();
    type Call = &'static str;
    type Answer = u32;

    fn name(&self) -> &'static str {
        "toy"
    }
    async fn gather(&self, _: &Key) -> Found<()> {
        Found::View(())
    }
    fn decide(&self, (): &()) -> Plan<&'static str> {
        let why = Why::new("Waiting", "for the world");
        Plan { writes: self.writes.clone(), call: self.call, last: self.last.clone(), ..Plan::wait(Next::Changed(why)) }
    }
    async fn call(&self, (): &(), call: &&'static str) -> Result<u32, Fault> {
        if *call == "refused" { Err(Fault::new(Class::Peer, "Refused", "not now")) } else { Ok(7) }
    }
    fn record(&self, (): &(), plan: Plan<&'static str>, done: &Done<u32>) -> Record {
        let failed = done.failed.as_ref().map(|fault| fault.reason);
        *self.outcome.lock().unwrap() = Some(format!("{} {failed:?} {:?}", done.written.len(), done.answer));
        let before = config_map("a", "u", 5, &[]);
        let status = json!({ "status": { "seen": true } });
        Record::of(plan, done)
            .with_status(Some(Write::Status { target: crate::key::Target::exact(&before), body: status }))
    }
}

fn context(fake: &Fake) -> Context {
    Context::new(fake.io(), CancellationToken::new())
}

fn patch(from: &ConfigMap, value: &str) -> Write {
    let mut after = from.clone();
    after.data = Some([("x".to_owned(), value.to_owned())].into());
    diff::object_exact(from, &after).unwrap()
}

async fn run(fake: &Fake, toy: &Toy) -> Ended {
    pass(&context(fake), toy, &Key::new("ns", "a")).await
}

#[tokio::test]
async fn writes_come_first_then_the_call_then_status_and_the_pass_follows_its_own_versions() {
    let fake = Fake::default();
    let object = config_map("a", "u", 5, &[("x", "0")]);
    fake.put(PATH, &object);
    let toy = Toy::new(vec![patch(&object, "1"), patch(&object, "2")]);
    let ended = run(&fake, &toy).await;
    assert_eq!(ended, Ended::Fine(Next::Changed(Why::new("Waiting", "for the world"))));
    assert_eq!(toy.outcome.lock().unwrap().as_deref(), Some("2 None Some(Ok(7))"));
    let stored = fake.get(PATH).unwrap();
    assert_eq!((stored["data"]["x"].as_str(), stored["status"]["seen"].as_bool()), (Some("2"), Some(true)));
    let sent: Vec<_> = fake.requests().into_iter().map(|(_, path, body)| (path, body["metadata"].clone())).collect();
    assert_eq!(sent[0], (PATH.to_owned(), json!({ "uid": "u", "resourceVersion": "5" })));
    assert_eq!(sent[1], (PATH.to_owned(), json!({ "uid": "u", "resourceVersion": "1001" })));
    assert_eq!(sent[2], (format!("{PATH}/status"), json!({ "uid": "u", "resourceVersion": "1002" })));
}

#[tokio::test]
async fn what_only_an_accepted_call_makes_true_is_written_after_it() {
    let object = config_map("a", "u", 5, &[("x", "0")]);
    for (call, answer, x) in [("reboot", "Some(Ok(7))", "2"), ("refused", "Some(Err(", "1")] {
        let fake = Fake::default();
        fake.put(PATH, &object);
        let toy = Toy { call: Some(call), last: vec![patch(&object, "2")], ..Toy::new(vec![patch(&object, "1")]) };
        let ended = run(&fake, &toy).await;
        assert_eq!(matches!(ended, Ended::Failed(..)), call == "refused", "{ended:?}");
        let outcome = toy.outcome.lock().unwrap().clone().unwrap();
        assert!(outcome.starts_with(&format!("1 None {answer}")), "{outcome}");
        assert_eq!(fake.get(PATH).unwrap()["data"]["x"], x, "{call}");
    }
    let fake = Fake::default();
    fake.put(PATH, &object);
    let stale = config_map("a", "u", 4, &[("x", "0")]);
    let toy = Toy { last: vec![patch(&stale, "2")], ..Toy::new(Vec::new()) };
    let Ended::Failed(fault, _) = run(&fake, &toy).await else { panic!("not failed") };
    assert_eq!(fault.reason, fault::CONFLICT);
    assert_eq!(toy.outcome.lock().unwrap().as_deref(), Some("0 None Some(Ok(7))"), "the call stays accepted");
}

#[tokio::test]
async fn a_failed_write_stops_the_rest_and_the_call_but_not_the_record() {
    let fake = Fake::default();
    let stale = config_map("a", "u", 4, &[("x", "0")]);
    fake.put(PATH, &config_map("a", "u", 5, &[("x", "0")]));
    let toy = Toy::new(vec![patch(&stale, "1"), patch(&stale, "2")]);
    let Ended::Failed(fault, _) = run(&fake, &toy).await else { panic!("not failed") };
    assert_eq!((fault.class, fault.reason), (Class::Again, fault::CONFLICT));
    assert_eq!(toy.outcome.lock().unwrap().as_deref(), Some("0 Some(\"Conflict\") None"));
    assert_eq!(fake.requests().len(), 2, "one write and the status");
}

#[tokio::test]
async fn another_object_of_the_same_name_is_not_written() {
    let fake = Fake::default();
    fake.put(PATH, &config_map("a", "successor", 5, &[]));
    let old = config_map("a", "u", 5, &[]);
    for write in [diff::delete(&old), patch(&old, "1")] {
        let Ended::Failed(fault, _) = run(&fake, &Toy::new(vec![write])).await else { panic!("not failed") };
        assert_eq!(fault.reason, fault::CONFLICT);
    }
    assert_eq!(fake.get(PATH).unwrap()["metadata"]["resourceVersion"], "5");
}

#[tokio::test]
async fn deleting_what_is_gone_is_success_and_creating_what_exists_is_again() {
    let fake = Fake::default();
    let io = fake.io();
    let object = config_map("a", "u", 5, &[]);
    assert_eq!(io.apply(&diff::delete(&object)).await, Ok(Value::Null));
    io.apply(&diff::create(&object)).await.unwrap();
    let fault = io.apply(&diff::create(&object)).await.unwrap_err();
    assert_eq!((fault.class, fault.reason), (Class::Again, fault::EXISTS));
}

#[tokio::test(start_paused = true)]
async fn a_silent_api_server_costs_10_s_for_a_read_and_30_s_for_a_write() {
    let fake = Fake::default();
    fake.0.lock().unwrap().silent = true;
    let io = fake.io();
    let begun = tokio::time::Instant::now();
    let fault = io.get::<ConfigMap>(&Key::new("ns", "a")).await.unwrap_err();
    assert_eq!((fault.class, fault.reason), (Class::Backoff, fault::TIMEOUT));
    assert_eq!(begun.elapsed(), Duration::from_secs(10));
    let fault = io.apply(&diff::create(&config_map("a", "u", 1, &[]))).await.unwrap_err();
    assert_eq!(fault.reason, fault::TIMEOUT);
    assert_eq!(begun.elapsed(), Duration::from_secs(40));
}

#[tokio::test]
async fn an_overloaded_api_server_is_not_asked_again_by_the_client() {
    let fake = Fake::default();
    fake.0.lock().unwrap().failures = vec![429, 503];
    let fault = fake.io().get::<ConfigMap>(&Key::new("ns", "a")).await.unwrap_err();
    assert_eq!((fault.class, fault.reason), (Class::Backoff, fault::SERVER));
    assert_eq!(fake.requests().len(), 1);
}

/// Fails at the n-th moment and writes down all moments.
#[derive(Debug, Default)]
struct Breaker {
    at: Option<usize>,
    seen: Mutex<Vec<String>>,
}

impl Hook for Breaker {
    fn at<'a>(&'a self, controller: &'a str, key: &'a Key, moment: Moment, step: Step<'a>) -> hook::Verdict<'a> {
        let what = match step {
            Step::Write(write) => describe(write),
            Step::Call(call) => call.to_owned(),
        };
        let mut seen = self.seen.lock().unwrap();
        let broken = self.at == Some(seen.len());
        seen.push(format!("{controller} {key} {moment:?} {what}"));
        let verdict = if broken { Err(Fault::new(Class::Backoff, "Injected", "injected")) } else { Ok(()) };
        Box::pin(std::future::ready(verdict))
    }
}

#[tokio::test]
async fn the_hook_sees_every_effect_twice_and_can_fail_each_of_them() {
    let object = config_map("a", "u", 5, &[("x", "0")]);
    let run_with = async |at: Option<usize>| {
        let fake = Fake::default();
        fake.put(PATH, &object);
        let breaker = Arc::new(Breaker { at, ..Breaker::default() });
        let context = context(&fake).with_hook(breaker.clone());
        let toy = Toy::new(vec![patch(&object, "1")]);
        let ended = pass(&context, &toy, &Key::new("ns", "a")).await;
        let seen = breaker.seen.lock().unwrap().clone();
        (ended, seen, fake.get(PATH).unwrap()["data"]["x"].as_str() == Some("1"))
    };
    let (_, moments, _) = run_with(None).await;
    assert_eq!(
        moments,
        [
            "toy ns/a Before patch ConfigMap ns/a",
            "toy ns/a After patch ConfigMap ns/a",
            "toy ns/a Before \"power on\"",
            "toy ns/a After \"power on\"",
            "toy ns/a Before patch status of ConfigMap ns/a",
            "toy ns/a After patch status of ConfigMap ns/a",
        ]
    );
    for (at, moment) in moments.iter().enumerate() {
        let (ended, _, written) = run_with(Some(at)).await;
        assert!(matches!(ended, Ended::Failed(Fault { reason: "Injected", .. }, _)), "{moment}");
        assert_eq!(written, at > 0, "before means prevented, after means done: {moment}");
    }
}

#[tokio::test]
async fn the_book_tells_what_was_done_and_what_is_waited_for() {
    let fake = Fake::default();
    fake.put(PATH, &config_map("a", "u", 5, &[]));
    let (context, toy) = (context(&fake), Toy::new(Vec::new()));
    let key = Key::new("ns", "a");
    for _ in 0..3 {
        fake.put(PATH, &config_map("a", "u", 5, &[]));
        pass(&context, &toy, &key).await;
    }
    let page = serde_json::to_value(context.plans.of("toy", &key)).unwrap();
    assert_eq!(page.as_array().map(Vec::len), Some(1), "equal passes are one entry");
    assert_eq!((page[0]["times"].as_u64(), page[0]["next"].as_str()), (Some(3), Some("onChange")));
    assert_eq!(page[0]["wait"], json!({ "reason": "Waiting", "message": "for the world" }));
    assert_eq!(page[0]["call"], "\"power on\"");
}

#[tokio::test]
async fn a_broken_chain_stops_itself_and_no_other() {
    let fake = Fake::default();
    let object = |name: &str| config_map(name, "u", 5, &[("x", "0")]);
    let path = |name: &str| format!("/api/v1/namespaces/ns/configmaps/{name}");
    for name in ["a", "c"] {
        fake.put(&path(name), &object(name));
    }
    let chain = |name: &str| vec![patch(&object(name), "1"), patch(&object(name), "2")];
    let context = context(&fake);
    let done = chains(&context, "toy", &Key::new("ns", "k"), vec![chain("a"), chain("b"), chain("c")], 2).await;
    let seen: Vec<_> = done.iter().map(|d| (d.written.len(), d.failed.as_ref().map(|f| f.reason))).collect();
    assert_eq!(seen, [(2, None), (0, Some(fault::NOT_FOUND)), (2, None)]);
    assert_eq!(fake.get(&path("c")).unwrap()["data"]["x"], "2");
}
