//! A manager that is killed at random moments while a story goes on.

use std::time::{Duration, Instant};

use anyhow::Result;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use crate::manager::Manager;

/// Shortest and longest time between two crashes, in seconds: ten of them spread over the phases of the main job, and all
/// fall inside of it.
const PAUSE: std::ops::Range<u64> = 15..60;

/// Kills and restarts the manager as often as asked, at moments that follow from the seed. Answers when it was ready again
/// after the last one.
pub async fn crashes(mut manager: Manager, times: u32, seed: u64) -> Result<Instant> {
    println!("-- the manager will be killed {times} times, seed {seed}");
    let mut chance = StdRng::seed_from_u64(seed);
    for crash in 1..=times {
        // Not a wait for something: the moment itself is what is tried.
        tokio::time::sleep(Duration::from_secs(chance.random_range(PAUSE))).await;
        println!("-- kill -9, the {crash}. of {times}");
        manager.crash().await?;
    }
    Ok(Instant::now())
}
