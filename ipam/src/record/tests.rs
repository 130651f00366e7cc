//! Status and events after a round.

use api::build::ip_pool;
use serde_json::Value;

use super::*;
use crate::decide::decide;
use crate::decide::tests::{metal3, view};

fn done(plan: &Plan<Round>, broken: &[usize], at: Timestamp) -> Done<RoundDone> {
    let count = plan.call.as_ref().map_or(0, |round| round.chains.len());
    let fault = |class| Some(Fault::new(class, "Injected", "injected"));
    let faults = (0..count).map(|n| if broken.contains(&n) { fault(Class::Backoff) } else { None }).collect();
    let answer = plan.call.as_ref().map(|_| Ok(RoundDone { faults }));
    Done { written: Vec::new(), failed: None, answer, late: None, at }
}

fn recorded(view: &PoolView, broken: &[usize]) -> (Record, Value) {
    let plan = decide(view);
    let done = done(&plan, broken, view.now);
    let record = record(view, &plan, &done);
    let body = match &record.status {
        Some(Write::Status { body, .. }) => body["status"].clone(),
        _ => Value::Null,
    };
    (record, body)
}

#[test]
fn the_map_shows_what_was_given_and_not_what_failed() {
    let view = view(Some(ip_pool("ns", "p").range("10.0.0.1", "10.0.0.9"))).address("old", "10.0.0.3");
    let view = view.claim(metal3("a")).claim(metal3("b"));
    let (record, status) = recorded(&view, &[1]);
    assert_eq!(status["indexes"], serde_json::json!({ "a": "10.0.0.1", "old": "10.0.0.3" }));
    assert_eq!(status["lastUpdated"], "1970-01-12T13:46:40Z");
    assert_eq!(record.fault.map(|fault| fault.reason), Some("Injected"), "b is tried again with back-off");
    let ready = &status["conditions"][0];
    assert_eq!(
        (&ready["status"], &ready["message"]),
        (&"True".into(), &"2 of 9 addresses are in use, 7 are free".into())
    );
}

#[test]
fn an_unchanged_status_is_not_written() {
    let base = || view(Some(ip_pool("ns", "p").range("10.0.0.1", "10.0.0.9"))).address("a", "10.0.0.1");
    let (record, _) = recorded(&base(), &[]);
    let mut pool = (*base().pool.unwrap()).clone();
    let Some(Write::Status { body, .. }) = record.status else { panic!("no status") };
    pool.status = serde_json::from_value(body["status"].clone()).unwrap();
    let settled = PoolView { pool: Some(std::sync::Arc::new(pool)), ..base() };
    assert!(recorded(&settled, &[]).0.status.is_none());
}

#[test]
fn running_dry_and_recovering_are_told_once() {
    let dry = view(Some(ip_pool("ns", "p").range("10.0.0.1", "10.0.0.1"))).claim(metal3("a")).claim(metal3("b"));
    let (record, status) = recorded(&dry, &[]);
    assert_eq!(status["conditions"][0]["reason"], "Exhausted");
    let reasons: Vec<_> = record.notes.iter().map(|note| (note.reason, note.warning)).collect();
    assert_eq!(reasons, [("AllocationFailed", true), ("PoolExhausted", true)]);
    let mut pool = ip_pool("ns", "p").range("10.0.0.1", "10.0.0.2");
    pool.status = serde_json::from_value(status).unwrap();
    let mut free = view(Some(pool)).address("a", "10.0.0.1");
    let (record, _) = recorded(&free, &[]);
    let Next::After(pause, _) = record.next else { panic!("{:?}", record.next) };
    assert!(record.status.is_none() && pause == STATUS_PAUSE, "it turned just now, and turns back a moment later");
    free.now = later(free.now, 1_000);
    let (record, status) = recorded(&free, &[]);
    assert_eq!(status["conditions"][0]["reason"], "AddressesAvailable");
    assert_eq!(record.notes.iter().map(|note| note.reason).collect::<Vec<_>>(), ["AddressesAvailable"]);
}

fn later(now: Timestamp, milliseconds: u64) -> Timestamp {
    now.checked_add(Duration::from_millis(milliseconds)).unwrap()
}

/// Plays a claim each `step` milliseconds for so many of them, each in a round that takes `round` milliseconds, with a
/// look at rest after each, and answers when the status was written.
fn written(step: u64, round: u64, claims: usize) -> Vec<u64> {
    let mut now = view(Some(ip_pool("ns", "p").subnet("10.0.0.0/16")));
    let (start, mut times) = (now.now, Vec::new());
    let mut time = 0;
    let mut look = |now: &mut PoolView, time: u64| {
        now.now = later(start, time);
        let plan = decide(now);
        let took = if plan.call.is_some() { round } else { 0 };
        let end = later(now.now, took);
        let record = record(now, &plan, &done(&plan, &[], end));
        if plan.call.is_some() {
            now.busy = Some(Busy::after(now.busy, now.now, end));
        }
        if let Some(Write::Status { body, .. }) = &record.status {
            times.push(time + took);
            let mut pool = (**now.pool.as_ref().unwrap()).clone();
            let mut known = serde_json::to_value(&pool.status).unwrap();
            kit::webhook::review::merge(&mut known, body["status"].clone());
            pool.status = serde_json::from_value(known).unwrap();
            now.pool = Some(std::sync::Arc::new(pool));
        }
        record.next
    };
    for n in 0..claims {
        time = step * n as u64;
        now = now.claim(metal3(&format!("c{n:04}")));
        look(&mut now, time);
        now.claims.clear();
        now = now.address(&format!("c{n:04}"), &format!("10.0.{}.{}", n / 250, n % 250 + 1));
        time += round.max(step / 2);
        look(&mut now, time);
    }
    while let Next::After(pause, _) = look(&mut now, time) {
        time += pause.as_millis() as u64;
    }
    assert_eq!(now.pool.unwrap().status.as_ref().unwrap().allocations.len(), claims, "at rest the map is whole");
    times
}

#[test]
fn while_claims_stream_in_the_status_follows_ever_less_often() {
    assert_eq!(written(100, 0, 1), [0], "what comes alone is shown at once");
    assert_eq!(written(60_000, 0, 3), [0, 60_000, 120_000]);
    assert_eq!(written(500, 0, 2), [0, 1_000]);
    let times = written(100, 0, 1_000);
    assert_eq!(times[..5], [0, 1_000, 2_000, 4_000, 8_000], "{times:?}");
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] <= 10_100), "{times:?}");
    assert!(times.len() <= 16, "{times:?}");
}

#[test]
fn a_round_that_takes_long_is_no_rest() {
    let times = written(3_000, 3_000, 40);
    assert!(times.len() <= 17, "two minutes of rounds of three seconds: {times:?}");
}

#[test]
fn a_pending_status_is_not_forgotten_over_a_longer_wait() {
    let why = || Why::new("ClaimMissing", "addresses without a claim are kept");
    let pause = Duration::from_secs(2);
    assert_eq!(sooner(Next::After(Duration::from_mins(10), why()), pause), Next::After(pause, why()));
    assert_eq!(sooner(Next::After(STATUS_PAUSE, why()), pause), Next::After(STATUS_PAUSE, why()));
    assert_eq!(sooner(Next::Changed(why()), pause), Next::After(pause, why()));
    assert_eq!(sooner(Next::Now, pause), Next::Now);
}

#[test]
fn a_large_map_is_written_less_often() {
    let mut pool = ip_pool("ns", "p").subnet("10.0.0.0/16");
    for n in 0..3_500 {
        pool = pool.allocated(&format!("c{n}"), &format!("10.0.{}.{}", n / 256, n % 256));
    }
    let (_, status) = recorded(&view(Some(pool.clone())), &[]);
    pool.status = serde_json::from_value(status).unwrap();
    pool.status.as_mut().unwrap().allocations = (0..3_500).map(|n| (format!("c{n}"), String::new())).collect();
    let mut later = view(Some(pool));
    let waits = |view: &PoolView| match recorded(view, &[]).0.next {
        Next::After(pause, _) => Some(pause.as_secs()),
        Next::Rest | Next::Now | Next::Changed(_) | Next::Gone => None,
    };
    assert_eq!(waits(&later), Some(3));
    later.now = later.now.checked_add(Duration::from_secs(3)).unwrap();
    assert_eq!(waits(&later), None, "written");
}

#[test]
fn a_refused_address_object_is_shown_on_its_claim() {
    let view = view(Some(ip_pool("ns", "p").range("10.0.0.1", "10.0.0.9"))).claim(metal3("a")).claim(metal3("b"));
    let round = decide(&view).call.unwrap();
    let fault = |class| Some(Fault::new(class, "ApiRefused", "name too long"));
    let writes = failures(&view, &round, &[fault(Class::Bug), fault(Class::Again)]);
    assert_eq!(writes.len(), 1, "a lost race is nobody's fault");
    let Write::Status { body, target } = &writes[0][0] else { panic!("no status") };
    assert_eq!(target.key.name, "a");
    assert_eq!(body["status"]["errorMessage"], "Failed to create associated IPAddress object: name too long");
}

#[test]
fn every_address_in_use_is_in_the_map() {
    let pool = || ip_pool("ns", "p").range("10.0.0.1", "10.0.0.9");
    let mut view = view(Some(pool())).address("a", "10.0.0.1").address("", "10.0.0.7").address("", "10.0.0.8");
    let metadata = kube::core::ObjectMeta { name: Some("a".to_owned()), ..kube::core::ObjectMeta::default() };
    let mut second = api::ipam::capi::IPAddress { metadata, ..api::ipam::capi::IPAddress::default() };
    second.spec.claim_ref.name = "a".to_owned();
    second.spec.address = "10.0.0.2".to_owned();
    let address = crate::kinds::Address::Capi(std::sync::Arc::new(second));
    view.addresses.push(crate::view::AddressSeen { address, claim_is_gone: false });
    let (_, status) = recorded(&view, &[]);
    let map = serde_json::json!({
        "a": "10.0.0.1", "ipaddress/10.0.0.2": "10.0.0.2",
        "ipaddress/10.0.0.7": "10.0.0.7", "ipaddress/10.0.0.8": "10.0.0.8",
    });
    assert_eq!(status["indexes"], map);
    assert_eq!(status["ipAddresses"], serde_json::json!({ "total": 9, "used": 4, "free": 5 }));
    let range = serde_json::json!([{ "first": "10.0.0.1", "last": "10.0.0.9", "total": 9, "used": 4, "free": 5 }]);
    assert_eq!(status["ranges"], range);
}

#[test]
fn an_address_that_two_claims_were_told_is_shown_until_one_is_gone() {
    use crate::decide::tests::contested::shared;
    let (record, status) = recorded(&shared(), &[]);
    let unique = status["conditions"].as_array().unwrap().iter().find(|condition| condition["type"] == UNIQUE).unwrap();
    assert_eq!((&unique["status"], &unique["reason"]), (&"False".into(), &GIVEN_TWICE.into()));
    let message = unique["message"].as_str().unwrap();
    assert!(message.contains("IPClaim m") && message.contains("IPAddressClaim c"), "{message}");
    let reasons: Vec<_> = record.notes.iter().map(|note| note.reason).collect();
    assert!(reasons.contains(&GIVEN_TWICE), "{reasons:?}");
    let mut view = shared();
    let mut pool = (*view.pool.clone().unwrap()).clone();
    pool.status = serde_json::from_value(status).unwrap();
    view.pool = Some(std::sync::Arc::new(pool));
    assert!(recorded(&view, &[]).0.notes.iter().all(|note| note.reason != GIVEN_TWICE), "told once");
    view.claims.pop();
    view.addresses.pop();
    let (_, status) = recorded(&view, &[]);
    assert!(!status.to_string().contains(UNIQUE), "{status}");
}

#[test]
fn what_the_api_server_refuses_is_told_once_per_text() {
    let refused = |view: &PoolView, class: Class, text: &str| {
        let plan = decide(view);
        let faults = vec![Some(Fault::new(class, "ApiRefused", text))];
        let writes = failures(view, plan.call.as_ref().unwrap(), &faults);
        let done = Done { answer: Some(Ok(RoundDone { faults })), ..done(&plan, &[], view.now) };
        let notes = record(view, &plan, &done).notes.into_iter().filter(|note| note.reason == "AllocationFailed");
        (writes, notes.map(|note| note.message).collect::<Vec<_>>())
    };
    let pool = || view(Some(ip_pool("ns", "p").range("10.0.0.1", "10.0.0.9")));
    let (writes, told) =
        refused(&pool().claim(metal3("a")), Class::Bug, "create IPAddress ns/p-10-0-0-1: a label is wrong");
    let text = "Failed to create associated IPAddress object: create IPAddress ns/p-10-0-0-1: a label is wrong";
    assert_eq!((writes.len(), told.as_slice()), (1, [text.to_owned()].as_slice()));
    let mut knows = metal3("a");
    knows.status.get_or_insert_default().error_message = Some(text.to_owned());
    let again = |class, text| {
        let (writes, told) = refused(&pool().claim(knows.clone()), class, text);
        (writes.len(), told.len())
    };
    assert_eq!(again(Class::Bug, "create IPAddress ns/p-10-0-0-1: a label is wrong"), (0, 0), "it knows");
    assert_eq!(again(Class::Bug, "another text"), (1, 1));
    assert_eq!(again(Class::Again, "somebody was first"), (0, 0), "that passes by itself");
}
