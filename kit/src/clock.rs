//! [`Clock`]: where passes take the time and their random numbers from.
//!
//! Deadlines and pauses inside a process use tokio's clock, which tests can pause. What is written into objects is
//! wall time, and comes from here, so that a simulated world has one time for both and every run of it is the same.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// What is left at `now` of a wait of `length` that began at `since`; `None` when it is over. Never more than `length`: a
/// clock that was set back must not make a wait longer.
pub fn left(since: Timestamp, length: Duration, now: Timestamp) -> Option<Duration> {
    let left = SignedDuration::try_from(length).ok()?.checked_sub(now.duration_since(since))?;
    Some(Duration::try_from(left).ok().filter(|left| !left.is_zero())?.min(length))
}

/// A source of wall time and of random numbers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System,
    Virtual { epoch: Timestamp, started: Instant, draws: Arc<AtomicU64> },
}

impl Clock {
    /// The computer's time and good random numbers.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// Shows `epoch` now and goes on with tokio's clock, paused or not; `seed` determines all random numbers.
    pub fn following_tokio(epoch: Timestamp, seed: u64) -> Self {
        Self(Source::Virtual { epoch, started: Instant::now(), draws: Arc::new(AtomicU64::new(seed)) })
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => Timestamp::now(),
            Source::Virtual { epoch, started, .. } => {
                let passed = SignedDuration::try_from(started.elapsed()).unwrap_or(SignedDuration::MAX);
                epoch.saturating_add(passed).unwrap_or(Timestamp::MAX)
            }
        }
    }

    /// A random number to start a sequence from.
    pub fn seed(&self) -> u64 {
        match &self.0 {
            // The standard library seeds its hash maps with good random numbers; one is enough here.
            Source::System => RandomState::new().build_hasher().finish(),
            Source::Virtual { draws, .. } => draws.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_virtual_clock_moves_with_tokio_and_draws_the_same_numbers_again() {
        let epoch: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let (clock, again) = (Clock::following_tokio(epoch, 7), Clock::following_tokio(epoch, 7));
        assert_eq!(clock.now(), epoch);
        tokio::time::advance(Duration::from_mins(90)).await;
        assert_eq!(clock.now().to_string(), "2026-01-01T01:30:00Z");
        let shared = clock.clone();
        let draws = [clock.seed(), shared.seed(), clock.seed()];
        assert_eq!(draws, [again.seed(), again.seed(), again.seed()]);
        assert!(draws[0] != draws[1] && draws[1] != draws[2]);
    }

    #[test]
    fn a_wait_ends_after_its_length_and_is_not_longer_with_a_clock_that_was_set_back() {
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let [minute, hour] = [Duration::from_mins(1), Duration::from_hours(1)];
        for (since, length, now, rest) in [
            (start, hour, start, Some(hour)),
            (start, hour, start + minute, Some(minute * 59)),
            (start, hour, start + hour, None),
            (start, minute, start + hour, None),
            (start + hour, minute, start, Some(minute)),
            (start + minute, hour, start, Some(hour)),
        ] {
            assert_eq!(left(since, length, now), rest, "{since} + {length:?} seen at {now}");
        }
    }

    #[test]
    fn the_system_clock_shows_the_computers_time_and_never_repeats_a_seed() {
        let clock = Clock::system();
        assert!(clock.now().duration_since(Timestamp::now()).abs() < SignedDuration::from_secs(60));
        assert_ne!(clock.seed(), clock.seed());
    }
}
