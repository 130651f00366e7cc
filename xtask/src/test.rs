//! `make test`: from the quick to the slow, so that a mistake is told early.
//!
//! Every command of cargo names the whole workspace: features are united over what a command names, and each other
//! choice of packages would build most dependencies once more.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, anyhow};

use crate::check;
use crate::run::{cargo, cargo_beside, root, run};

/// Boots emulated machines, one at a time: it keeps one of two cores busy and waits for the machine.
const EMULATED: &[&str] = &["host_life", "machines"];
/// Stories with Cluster API, whose controllers look again only now and then: they mostly wait. As many as make their
/// lane no longer than the others.
const STORIES: &[&str] = &["pivot", "provider", "provider_crashes", "provider_v1beta1", "remediation"];
/// Explores states one by one, on one core.
const MODEL: &str = "model";
/// Boots several emulated machines and wants both cores.
const MAIN_JOB: &str = "main_job";

/// Everything: format and lints, unit and property tests, interface tests, the main job.
pub(crate) fn test() -> Result<()> {
    let mut phases = Phases::default();
    phases.run("check", check::check)?;
    // Nothing is compiled or downloaded while a test measures its patience.
    phases.run("build", || {
        build()?;
        cargo(&["test", "--workspace", "--no-run", "--quiet"])
    })?;
    phases.run("unit and property tests", || {
        // One at a time: those of the bench start programs, which hold the locks of others for a moment.
        cargo(&["test", "--workspace", "--quiet", "--lib", "--bins", "--", "--test-threads=1"])?;
        let others: Vec<String> = unit_tests()?.into_iter().filter(|name| name != MODEL).collect();
        beside([(MODEL, unit_programs(&[MODEL.to_owned()])), ("explore", unit_programs(&others))])?;
        cargo(&["test", "--workspace", "--quiet", "--doc"])
    })?;
    phases.run("tools, Ironic and images (from the cache, where they are there)", || {
        run(&bench_program()?, &["tools", "--machines"])
    })?;
    phases.run("interface tests, and beside them the lives of single machines", lanes)?;
    phases.run("the main job", || cargo_beside(MAIN_JOB, &serial(&["--test", MAIN_JOB])))?;
    phases.print();
    Ok(())
}

/// Beside each other: what boots a machine and keeps a core busy, what mostly waits, and what mostly talks to an API
/// server. All end before a fault of one of them is told.
fn lanes() -> Result<()> {
    beside([("machines", programs(EMULATED)), ("stories", programs(STORIES)), ("interface", interface_tests()?)])
}

/// Runs cargo several times at once, with a label before what each says.
fn beside<const N: usize>(lanes: [(&str, Vec<String>); N]) -> Result<()> {
    std::thread::scope(|scope| {
        let lanes = lanes.map(|(label, args)| scope.spawn(move || cargo_beside(label, &args)));
        let ends = lanes.map(|lane| lane.join().map_err(|_| anyhow!("the thread of a lane panicked"))?);
        ends.into_iter().collect()
    })
}

/// Every test of the bench that no other lane has, so that a new one is never forgotten.
fn interface_tests() -> Result<Vec<String>> {
    let mut names = tests_in(&root()?.join("test-e2e/tests"))?;
    names.retain(|name| name != MAIN_JOB && ![EMULATED, STORIES].concat().contains(&&**name));
    Ok(programs(&names.iter().map(String::as_str).collect::<Vec<_>>()))
}

/// Cargo's arguments for test programs that start nothing.
fn unit_programs(names: &[String]) -> Vec<String> {
    let chosen = names.iter().flat_map(|name| ["--test", name.as_str()]);
    ["test", "--workspace", "--quiet"].into_iter().chain(chosen).map(str::to_owned).collect()
}

/// The test programs of all other crates.
fn unit_tests() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(root()?).context("listing the crates")? {
        let folder = entry?.path();
        let tests = folder.join("tests");
        if !folder.ends_with("test-e2e") && folder.join("Cargo.toml").is_file() && tests.is_dir() {
            names.extend(tests_in(&tests)?);
        }
    }
    names.sort();
    Ok(names)
}

fn tests_in(folder: &Path) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("listing {}", folder.display()))?;
    let mut names: Vec<String> = Vec::new();
    for entry in entries {
        names.extend(test_of(&entry?.path()));
    }
    names.sort();
    Ok(names)
}

/// The test that cargo makes of this file or folder in `tests/`, if it makes one.
fn test_of(path: &Path) -> Option<String> {
    let is_test = path.extension().is_some_and(|ext| ext == "rs") || path.join("main.rs").is_file();
    is_test.then(|| path.file_stem().unwrap_or_default().to_string_lossy().into_owned())
}

/// Cargo's arguments for these test programs of the bench, the failed ones not keeping the others from running.
fn programs(names: &[&str]) -> Vec<String> {
    let chosen: Vec<&str> = names.iter().flat_map(|name| ["--test", name]).collect();
    serial(&[&["--no-fail-fast"], &*chosen].concat())
}

/// Cargo's arguments for tests of the bench, one test at a time.
fn serial(chosen: &[&str]) -> Vec<String> {
    let all = [&["test", "--workspace"], chosen, &["--", "--test-threads=1", "--nocapture"]].concat();
    all.into_iter().map(str::to_owned).collect()
}

/// Builds the binary and the bench, and runs the bench.
pub(crate) fn bench(args: &[&str]) -> Result<()> {
    build()?;
    run(&bench_program()?, args)
}

fn build() -> Result<()> {
    cargo(&["build", "--workspace", "--bins", "--quiet"])
}

/// The bench's program, built beside this one.
fn bench_program() -> Result<String> {
    let own = std::env::current_exe().context("finding the own program")?;
    Ok(own.with_file_name("bench").to_string_lossy().into_owned())
}

/// Builds the binary as it is shipped, and measures it.
pub(crate) fn measure(args: &[String]) -> Result<()> {
    cargo(&["build", "--release", "--package", "manager", "--package", "test-e2e", "--quiet"])?;
    let run = ["run", "--release", "--quiet", "--package", "test-e2e", "--bin", "bench", "--", "measure"];
    let args: Vec<&str> = run.into_iter().chain(args.iter().map(String::as_str)).collect();
    cargo(&args)
}

#[derive(Default)]
struct Phases(Vec<(&'static str, f64)>);

impl Phases {
    fn run(&mut self, name: &'static str, step: impl FnOnce() -> Result<()>) -> Result<()> {
        let start = Instant::now();
        step()?;
        self.0.push((name, start.elapsed().as_secs_f64()));
        Ok(())
    }

    fn print(&self) {
        for (name, seconds) in &self.0 {
            eprintln!("{seconds:>8.1} s  {name}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_test_of_the_bench_has_its_lane() {
        let interface = interface_tests().unwrap();
        let ways = |name: &str| interface.iter().any(|other| other == name);
        assert!(ways("admission") && ways("ipam"), "files and folders are tests: {interface:?}");
        assert!(!ways("shapes"), "a folder without main.rs is none: {interface:?}");
        let others: Vec<&str> = [&[MAIN_JOB], EMULATED, STORIES].concat();
        assert!(!others.iter().any(|name| ways(name)), "{interface:?}");
        let tests = root().unwrap().join("test-e2e/tests");
        assert!(others.iter().all(|name| tests.join(name).with_extension("rs").is_file()), "a lane names no test");
        let unit = unit_tests().unwrap();
        assert!(["wire", "model", "ipam_faults"].iter().all(|name| unit.iter().any(|other| other == name)), "{unit:?}");
        // A name stands for all programs that have it.
        assert!(!unit.iter().any(|name| ways(name) || others.contains(&name.as_str())), "{unit:?}");
    }
}
