//! What must hold before anything is tested: format, lints, licences, generated files.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::run::{cargo, run};
use crate::{conformance, generate};

/// Raise together with `deny.toml`.
const CARGO_DENY: &str = "0.18.9";

/// Format, lints, licences, generated files, and the names of tests in the conformance tables.
pub(crate) fn check() -> Result<()> {
    cargo(&["fmt", "--all", "--check"])?;
    cargo(&["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"])?;
    generate::run(&generate::Options { check: true, to: None })?;
    conformance::check()?;
    let deny = cargo_deny()?;
    run(&deny, &["--log-level", "error", "check", "--hide-inclusion-graph", "licenses", "bans", "sources"])
}

/// The path of the pinned cargo-deny, built once per machine outside the source tree.
fn cargo_deny() -> Result<String> {
    let place = cache()?.join(format!("cargo-deny-{CARGO_DENY}"));
    let binary = place.join("bin/cargo-deny");
    if !binary.is_file() {
        let root = place.to_str().context("the cache folder's name is no text")?;
        let version = format!("cargo-deny@{CARGO_DENY}");
        // Its own target folder goes with the cargo home's temporary files; ours stays as it is.
        crate::run::run_with(
            "cargo",
            &["install", "--quiet", "--locked", "--root", root, &version],
            &[("CARGO_TARGET_DIR", place.join("target").to_str().unwrap_or_default())],
        )?;
        std::fs::remove_dir_all(place.join("target")).context("removing cargo-deny's build folder")?;
    }
    Ok(binary.to_string_lossy().into_owned())
}

/// The bench's cache folder, as `test-e2e` finds it.
fn cache() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("METAL3_BENCH_CACHE") {
        return Ok(PathBuf::from(path));
    }
    let home = std::env::var_os("HOME").context("neither METAL3_BENCH_CACHE nor HOME is set")?;
    Ok(PathBuf::from(home).join(".cache/metal3-bench"))
}
