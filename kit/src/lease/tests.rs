//! The decision as a table, the loop under virtual time.

use super::*;
use crate::testing::Fake;

const EPOCH: &str = "2026-01-01T00:00:00Z";
const PATH: &str = "/apis/coordination.k8s.io/v1/namespaces/ns/leases/l";

fn held_by(holder: &str, seconds: i32, version: &str) -> Lease {
    Lease {
        metadata: ObjectMeta { resource_version: Some(version.to_owned()), ..ObjectMeta::default() },
        spec: Some(LeaseSpec {
            holder_identity: Some(holder.to_owned()),
            lease_duration_seconds: Some(seconds),
            renew_time: Some(MicroTime(Timestamp::UNIX_EPOCH)),
            lease_transitions: Some(3),
            ..LeaseSpec::default()
        }),
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_expires_by_our_own_clock_only() {
    let now = Instant::now();
    let mut seen = Seen::default();
    assert_eq!(decide(&seen, "me", now), Step::Create);
    // The renewal time written in it is 1970: it must not matter.
    seen.observe(Some(&held_by("other", 15, "1")), now);
    assert_eq!(decide(&seen, "me", now + Duration::from_secs(14)), Step::Wait("other".to_owned()));
    assert_eq!(decide(&seen, "me", now + Duration::from_secs(15)), Step::Take);
    let mut renewed = held_by("other", 15, "2");
    renewed.spec.as_mut().unwrap().renew_time = Some(MicroTime(Timestamp::now()));
    seen.observe(Some(&renewed), now + Duration::from_secs(14));
    assert_eq!(decide(&seen, "me", now + Duration::from_secs(20)), Step::Wait("other".to_owned()));
    seen.observe(Some(&held_by("", 1, "3")), now);
    assert_eq!(decide(&seen, "me", now), Step::Take, "given back");
    seen.observe(Some(&held_by("me", 15, "4")), now);
    assert_eq!(decide(&seen, "me", now + Duration::from_hours(1)), Step::Renew);
}

#[test]
fn taking_counts_a_transition_and_renewing_does_not() {
    let now = Timestamp::now();
    let spec =
        |step| next(Some(&held_by("other", 15, "1")), &step, "me", Timing::default(), now).unwrap().spec.unwrap();
    let taken = spec(Step::Take);
    assert_eq!((taken.lease_transitions, taken.holder_identity.as_deref()), (Some(4), Some("me")));
    assert_eq!(taken.acquire_time, Some(MicroTime(now)));
    let renewed = spec(Step::Renew);
    assert_eq!((renewed.lease_transitions, renewed.acquire_time), (Some(3), None));
    assert!(next(None, &Step::Wait("x".to_owned()), "me", Timing::default(), now).is_none());
}

fn candidate(fake: &Fake, me: &str) -> (Leadership, JoinHandle<bool>, CancellationToken) {
    let stop = CancellationToken::new();
    let clock = Clock::following_tokio(EPOCH.parse().unwrap(), 1);
    let (leadership, task) = Election::new(fake.io(), clock, Key::new("ns", "l"), me).start(stop.clone());
    (leadership, task, stop)
}

#[tokio::test(start_paused = true)]
async fn the_times_in_a_lease_are_those_of_the_clock() {
    let fake = Fake::default();
    let (mut leadership, task, stop) = candidate(&fake, "me");
    leadership.held().await;
    let time = |name: &str| {
        let text = fake.get(PATH).unwrap()["spec"][name].as_str().unwrap().to_owned();
        text.parse::<Timestamp>().unwrap().to_string()
    };
    assert_eq!([time("acquireTime"), time("renewTime")], [EPOCH, EPOCH]);
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert_eq!([time("acquireTime"), time("renewTime")], [EPOCH, "2026-01-01T00:01:00Z"], "renewed every two seconds");
    stop.cancel();
    task.await.unwrap();
    assert_eq!(time("renewTime"), "2026-01-01T00:01:01Z", "and when it is given back");
}

#[tokio::test(start_paused = true)]
async fn one_leads_and_hands_over_at_once_on_exit() {
    let fake = Fake::default();
    let (mut first, first_task, stop) = candidate(&fake, "first");
    first.held().await;
    let (mut second, second_task, second_stop) = candidate(&fake, "second");
    tokio::time::sleep(Duration::from_mins(5)).await;
    assert!(first.is_held() && !second.is_held());
    stop.cancel();
    assert!(!first_task.await.unwrap(), "a planned end is no loss");
    let left = Instant::now();
    second.held().await;
    assert!(left.elapsed() <= Duration::from_secs(3), "{:?}", left.elapsed());
    assert_eq!(fake.get(PATH).unwrap()["spec"]["leaseTransitions"], 1);
    second_stop.cancel();
    second_task.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_cannot_renew_stops_before_another_may_start() {
    let fake = Fake::default();
    let (mut first, first_task, _stop) = candidate(&fake, "first");
    first.held().await;
    fake.0.lock().unwrap().silent = true;
    let cut = Instant::now();
    first.lost().await;
    assert!(cut.elapsed() < Duration::from_secs(15), "{:?}", cut.elapsed());
    assert!(first_task.await.unwrap(), "lost");
}
