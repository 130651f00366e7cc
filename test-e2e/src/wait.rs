//! Waiting: poll a probe until it says yes, with a deadline and a sentence that names what is waited for.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

/// Time between two questions of the same probe.
pub const POLL: Duration = Duration::from_millis(100);

/// Asks `probe` every [`POLL`] until it answers `Ok(Some(_))`.
///
/// `Ok(None)` and `Err(_)` both mean "not yet"; the last error is part of the message when `limit` has passed.
pub async fn until<T>(what: &str, limit: Duration, mut probe: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    let start = Instant::now();
    loop {
        // A probe that hangs (a server that accepts and never answers) counts as "not yet" too.
        let left = limit.saturating_sub(start.elapsed());
        let last = match tokio::time::timeout(left.max(POLL), probe()).await {
            Ok(Ok(Some(value))) => return Ok(value),
            Ok(Ok(None)) => None,
            Ok(Err(error)) if error.is::<Gone>() => return Err(error.context(format!("waiting for {what}"))),
            Ok(Err(error)) => Some(format!("{error:#}")),
            Err(_) => Some("the last question got no answer".to_owned()),
        };
        if start.elapsed() >= limit {
            let mut text = format!("{what}: not within {} s", limit.as_secs());
            if let Some(last) = last {
                let _ = write!(text, "; last: {last}");
            }
            return Err(anyhow!(text));
        }
        tokio::time::sleep(POLL).await;
    }
}

/// An error which no further waiting can heal (the process asked for has ended): [`until`] gives up at once.
#[derive(Debug)]
pub struct Gone(pub String);

impl std::fmt::Display for Gone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Gone {}

/// Prints how long each phase took, so that a slow step is seen without a profiler.
#[derive(Debug)]
pub struct Phases {
    title: String,
    start: Instant,
    last: Instant,
}

impl Phases {
    /// Starts the clock.
    pub fn start(title: &str) -> Self {
        let now = Instant::now();
        Self { title: title.to_owned(), start: now, last: now }
    }

    /// One line on standard error: phase, its seconds, seconds since the start.
    pub fn done(&mut self, phase: &str) {
        let now = Instant::now();
        eprintln!(
            "{}: {phase}: {:.1} s (at {:.1} s)",
            self.title,
            (now - self.last).as_secs_f64(),
            (now - self.start).as_secs_f64()
        );
        self.last = now;
    }
}
