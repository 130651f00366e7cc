//! A manager that is killed at random moments while a story goes on.

use std::time::Duration;

use anyhow::Result;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use crate::manager::Manager;

/// Shortest and longest time between two crashes, in seconds: all phases of the main job are hit within one run.
const PAUSE: std::ops::Range<u64> = 15..90;

/// Kills and restarts the manager as often as asked, at moments that follow from the seed.
pub async fn crashes(mut manager: Manager, times: u32, seed: u64) -> Result<()> {
    println!("-- the manager will be killed {times} times, seed {seed}");
    let mut chance = StdRng::seed_from_u64(seed);
    for crash in 1..=times {
        // Not a wait for something: the moment itself is what is tried.
        tokio::time::sleep(Duration::from_secs(chance.random_range(PAUSE))).await;
        println!("-- kill -9, the {crash}. of {times}");
        manager.crash().await?;
    }
    Ok(())
}
