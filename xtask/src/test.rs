//! `make test`: from the quick to the slow, so that a mistake is told early.

use std::time::Instant;

use anyhow::Result;

use crate::check;
use crate::run::cargo;

/// Everything: format and lints, unit and property tests, interface tests, the main job.
pub(crate) fn test() -> Result<()> {
    let mut phases = Phases::default();
    phases.run("check", check::check)?;
    phases.run("unit and property tests", || cargo(&["test", "--workspace", "--exclude", "test-e2e", "--quiet"]))?;
    phases.run("build of the binary and the bench", || {
        cargo(&["build", "--package", "manager", "--package", "test-e2e", "--quiet"])
    })?;
    // One at a time: the tests share two cores with emulated machines.
    phases.run("interface tests and the main job", || {
        cargo(&["test", "--package", "test-e2e", "--", "--test-threads=1", "--nocapture"])
    })?;
    phases.print();
    Ok(())
}

/// Builds the binary and the bench, and runs the bench.
pub(crate) fn bench(args: &[&str]) -> Result<()> {
    cargo(&["build", "--package", "manager", "--package", "test-e2e", "--quiet"])?;
    cargo(&[&["run", "--quiet", "--package", "test-e2e", "--"], args].concat())
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
