//! One running level A for all tests of a program; each test works in a namespace of its own.

use std::path::Path;

use anyhow::Result;
use tokio::sync::OnceCell;

use crate::bench::Bench;
use crate::level_a::{self, ControlPlane};

static SHARED: OnceCell<(Bench, ControlPlane)> = OnceCell::const_new();

/// The control plane of this test program, started by the first test that asks.
///
/// `name` is the bench's name and must be unique among test programs; `guard` is the program `bench`, which stops
/// everything when the tests end, however they end.
pub async fn shared(name: &str, guard: &Path) -> Result<&'static ControlPlane> {
    let (_, plane) = SHARED
        .get_or_try_init(async || {
            let mut bench = Bench::fresh(name).await?;
            bench.guard(guard)?;
            let plane = level_a::start(&bench, level_a::Options::default()).await?;
            anyhow::Ok((bench, plane))
        })
        .await?;
    Ok(plane)
}
