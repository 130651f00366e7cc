//! `sim`: plays, explores and replays stories of users with faults, in virtual time.

use std::io::Write;
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};
use sim::explore::{self, Report};
use sim::faults::FaultPlan;
use sim::scenario::{self, Scenario};
use sim::world::{self, Start};
use sim::wrong;

/// The controllers as they ship, on a simulated API server, in virtual time.
#[derive(Debug, Parser)]
struct Args {
    #[command(subcommand)]
    command: Command,
    /// A manager with a known mistake instead of the shipped one; see `list`.
    #[arg(long, global = true)]
    wrong: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Shows scenarios, families of faults and wrong managers.
    List,
    /// Plays a scenario undisturbed and shows its story.
    Run {
        /// Which scenario.
        scenario: String,
    },
    /// Runs all plans of the given scenarios, or of all; exits with 1 when one fails.
    Explore {
        /// Which scenarios.
        scenarios: Vec<String>,
        /// Only plans whose text begins so, e.g. `kill`.
        #[arg(long, default_value = "")]
        only: String,
        /// Threads; by default one for each processor.
        #[arg(long)]
        threads: Option<usize>,
    },
    /// Runs one plan and shows what happened and what was wrong with it.
    Replay {
        /// Which scenario.
        scenario: String,
        /// Which plan, e.g. `kill-after:7`.
        plan: FaultPlan,
        /// Also reads that nothing disturbed.
        #[arg(long)]
        all: bool,
    },
}

fn main() -> Result<ExitCode> {
    let args = Args::parse();
    let start: Start = match &args.wrong {
        None => world::shipped,
        Some(name) => wrong::find(name).with_context(|| format!("there is no wrong manager {name}"))?.start,
    };
    let mut out = std::io::stdout().lock();
    match args.command {
        Command::List => list(&mut out)?,
        Command::Run { scenario } => return replay(&mut out, find(&scenario)?, &FaultPlan::None, start, false),
        Command::Replay { scenario, plan, all } => return replay(&mut out, find(&scenario)?, &plan, start, all),
        Command::Explore { scenarios, only, threads } => {
            let processors = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
            return explore(&mut out, &scenarios, &only, threads.unwrap_or_else(processors), start);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn find(name: &str) -> Result<&'static Scenario> {
    scenario::find(name).with_context(|| format!("there is no scenario {name}; see `list`"))
}

fn list(out: &mut impl Write) -> Result<()> {
    writeln!(out, "scenarios")?;
    for scenario in scenario::ALL {
        writeln!(out, "  {:<18} {}", scenario.name, scenario.about)?;
    }
    writeln!(out, "fault plans, with positions that count from 1")?;
    for line in [
        "none                                   nothing",
        "kill-before:W  kill-after:W            the manager dies before or after its write W is committed",
        "fail:R:E  fail:R:ExN                   request R (and the next N-1) fails with E:",
        "                                       409 429 500 503 timeout reset-before reset-after",
        "stale:Kind.group:E                     the cache of a kind stands still from event E on until all is quiet",
        "gap:Kind.group:E                       events from E on are lost; a late list makes up for them",
        "blind-claims:W  blind-addresses:W      as twin, and the second manager learns of none after its start",
        "twin:W  late:W                         a second manager starts at write W; late: the write arrives after it",
    ] {
        writeln!(out, "  {line}")?;
    }
    writeln!(out, "wrong managers (--wrong)")?;
    for wrong in wrong::ALL {
        writeln!(out, "  {}", wrong.name)?;
    }
    Ok(())
}

fn explore(out: &mut impl Write, names: &[String], only: &str, threads: usize, start: Start) -> Result<ExitCode> {
    let scenarios: Vec<&'static Scenario> = if names.is_empty() {
        scenario::ALL.iter().collect()
    } else {
        names.iter().map(|name| find(name)).collect::<Result<_>>()?
    };
    let begun = Instant::now();
    let mut reports: Vec<Report> = Vec::new();
    for scenario in scenarios {
        let report = explore::explore(scenario, start, threads, |plan| plan.to_string().starts_with(only))?;
        writeln!(out, "{report}")?;
        reports.push(report);
    }
    let plans: usize = reports.iter().flat_map(|report| report.ran.values()).sum();
    let failed: usize = reports.iter().map(|report| report.failed.len()).sum();
    let took = begun.elapsed().as_secs_f64();
    writeln!(out, "{} scenarios, {plans} plans, {failed} failed, {took:.1} s", reports.len())?;
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn replay(
    out: &mut impl Write,
    scenario: &'static Scenario,
    plan: &FaultPlan,
    start: Start,
    all: bool,
) -> Result<ExitCode> {
    let reference = explore::run(scenario, &FaultPlan::None, world::shipped, false)?;
    let run = explore::run(scenario, plan, start, true)?;
    for line in run.story.iter().filter(|line| all || !is_plain_read(&line.what)) {
        writeln!(out, "{line}")?;
    }
    if !run.struck && *plan != FaultPlan::None {
        writeln!(out, "the plan never came into effect: there is no such position")?;
    }
    let problems = run.judge(&reference.picture);
    for problem in &problems {
        writeln!(out, "{problem}")?;
    }
    writeln!(out, "{} problems", problems.len())?;
    Ok(if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn is_plain_read(what: &str) -> bool {
    let asked = what.split_once(": ").map_or("", |(_, asked)| asked);
    ["get ", "list ", "watch "].iter().any(|verb| asked.starts_with(verb)) && !what.contains("<==")
}
