//! Tables and a comparison with a naive model.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn key(n: usize) -> Key {
    Key::new("ns", format!("k{n}"))
}

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn popped(queue: &mut Queue, now: Duration) -> Vec<Key> {
    std::iter::from_fn(|| queue.pop(now)).map(|due| due.key).collect()
}

#[test]
fn wakes_of_one_key_merge_and_the_earliest_wins() {
    let mut queue = Queue::new();
    assert!(queue.add(&key(1), s(10), Lane::Fast));
    assert!(queue.add(&key(1), s(5), Lane::Fast));
    assert!(!queue.add(&key(1), s(7), Lane::Fast));
    assert_eq!(queue.next_wake(), Some(s(5)));
    assert_eq!(popped(&mut queue, s(4)), []);
    assert_eq!(popped(&mut queue, s(5)), [key(1)]);
    assert_eq!(queue.done(&key(1), Outcome::Rest, s(5)), None);
    assert_eq!(queue.next_wake(), None);
}

#[test]
fn a_key_runs_once_at_a_time_and_again_when_woken_meanwhile() {
    let mut queue = Queue::new();
    queue.add(&key(1), s(0), Lane::Fast);
    assert_eq!(popped(&mut queue, s(0)), [key(1)]);
    queue.add(&key(1), s(1), Lane::Fast);
    assert_eq!(popped(&mut queue, s(9)), [], "it is running");
    assert_eq!(queue.done(&key(1), Outcome::After(s(60)), s(9)), Some(s(1)), "the wake is earlier than its own plan");
    assert_eq!(popped(&mut queue, s(9)), [key(1)]);
}

#[test]
fn a_change_does_not_lose_the_time_that_the_last_pass_asked_for() {
    let mut queue = Queue::new();
    queue.add(&key(1), s(0), Lane::Fast);
    queue.pop(s(0));
    queue.done(&key(1), Outcome::After(s(60)), s(0));
    queue.add(&key(1), s(10), Lane::Fast);
    assert_eq!(popped(&mut queue, s(10)), [key(1)]);
    assert_eq!(queue.done(&key(1), Outcome::After(s(50)), s(10)), Some(s(60)));
}

#[test]
fn failures_back_off_from_5_ms_to_1000_s_and_success_forgets_them() {
    let mut queue = Queue::new();
    queue.add(&key(1), s(0), Lane::Fast);
    let mut now = s(0);
    for n in 0..30_u32 {
        assert_eq!(queue.pop(now).map(|due| due.failures), Some(n));
        let next = queue.done(&key(1), Outcome::Failed, now).unwrap();
        let ideal = (0.005 * 2_f64.powi(n as i32)).min(1000.0);
        let pause = (next.checked_sub(now).unwrap()).as_secs_f64();
        assert!((0.9 * ideal..=1.1 * ideal).contains(&pause), "failure {n}: {pause} instead of {ideal}");
        now = next;
    }
    queue.pop(now);
    queue.done(&key(1), Outcome::After(s(1)), now);
    queue.pop(now + s(1));
    let next = queue.done(&key(1), Outcome::Failed, now).unwrap();
    assert!(next.checked_sub(now).unwrap() < Duration::from_millis(6));
}

#[test]
fn endless_immediate_repeats_are_slowed_down() {
    let mut queue = Queue::new();
    queue.add(&key(1), s(0), Lane::Fast);
    let mut now = s(0);
    for _ in 0..SPINS {
        queue.pop(now).unwrap();
        now = queue.done(&key(1), Outcome::After(Duration::ZERO), now).unwrap();
    }
    assert!(now < Duration::from_millis(10));
    for _ in 0..10 {
        queue.pop(now).unwrap();
        now = queue.done(&key(1), Outcome::After(Duration::ZERO), now).unwrap();
    }
    assert!(now > s(2), "{now:?}");
}

#[test]
fn the_slow_lane_gives_way_and_is_never_starved() {
    let mut queue = Queue::new();
    for n in 0..8 {
        queue.add(&key(n), s(0), Lane::Slow);
    }
    for n in 100..200 {
        queue.add(&key(n), s(1), Lane::Fast);
    }
    let order = popped(&mut queue, s(1));
    let place = |n: usize| order.iter().position(|k| *k == key(n)).unwrap();
    assert!(place(0) == 7, "one of eight comes from the slow lane: {}", place(0));
    assert!(place(7) == 63);
    assert_eq!(order.len(), 108);
}

#[test]
fn an_urgent_wake_lifts_a_key_out_of_the_slow_lane() {
    let mut queue = Queue::new();
    queue.add(&key(1), s(0), Lane::Slow);
    queue.add(&key(2), s(0), Lane::Slow);
    assert!(queue.add(&key(2), s(3), Lane::Fast));
    assert_eq!(popped(&mut queue, s(3)), [key(2), key(1)]);
}

#[derive(Debug, Clone)]
enum Op {
    Add(usize, u64, bool),
    Pop,
    Done(usize, u64),
    Pass(u64),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        (0..6_usize, 0..5_u64, any::<bool>()).prop_map(|(k, d, f)| Op::Add(k, d, f)),
        Just(Op::Pop),
        (0..6_usize, 0..5_u64).prop_map(|(k, d)| Op::Done(k, d)),
        (0..3_u64).prop_map(Op::Pass),
    ];
    proptest::collection::vec(op, 0..120)
}

proptest! {
    /// Against a model that only knows "due times and who runs": nothing is lost, nothing runs twice at a time,
    /// nothing comes early.
    #[test]
    fn no_wake_is_lost_and_no_key_runs_twice(ops in ops()) {
        let mut queue = Queue::new();
        let mut due: BTreeMap<Key, Duration> = BTreeMap::new();
        let mut running: BTreeSet<Key> = BTreeSet::new();
        let mut now = s(0);
        for op in ops {
            match op {
                Op::Pass(d) => now += s(d),
                Op::Add(k, d, fast) => {
                    let at = now + s(d);
                    queue.add(&key(k), at, if fast { Lane::Fast } else { Lane::Slow });
                    let known = due.entry(key(k)).or_insert(at);
                    *known = at.min(*known);
                }
                Op::Pop => {
                    let expected = due.iter().any(|(k, at)| *at <= now && !running.contains(k));
                    let popped = queue.pop(now);
                    prop_assert_eq!(popped.is_some(), expected);
                    if let Some(Due { key, .. }) = popped {
                        prop_assert!(due.remove(&key).is_some_and(|at| at <= now));
                        prop_assert!(running.insert(key));
                    }
                }
                Op::Done(k, d) if running.remove(&key(k)) => {
                    let at = now + s(d + 1);
                    queue.done(&key(k), Outcome::After(s(d + 1)), now);
                    let known = due.entry(key(k)).or_insert(at);
                    *known = at.min(*known);
                }
                Op::Done(..) => {}
            }
            let waiting = due.iter().filter(|(k, _)| !running.contains(*k));
            prop_assert_eq!(queue.next_wake(), waiting.map(|(_, at)| *at).min());
        }
    }
}
