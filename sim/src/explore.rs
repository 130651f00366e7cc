//! One run with its judgement, and all runs of a scenario.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jiff::SignedDuration;

use crate::errors::Errors;
use crate::faults::{BURST, Blind, Error, FaultPlan, Side};
use crate::kube::log::Commit;
use crate::mask::{self, Picture};
use crate::oracle::{self, Oracle, Problem};
use crate::referee::{Line, MANAGER, Positions};
use crate::scenario::Scenario;
use crate::user::User;
use crate::world::{self, Mishap, Start, World};

/// Nothing may be written for this long at the end.
const REST: Duration = Duration::from_hours(1);
/// The same after a mere failure of a request, of which there are most plans: long enough for one look at everything.
const SHORT_REST: Duration = Duration::from_mins(11);
/// The last write comes at most this long after the last thing that users or faults did.
const DEADLINE: SignedDuration = SignedDuration::from_mins(2);

/// What one run left behind.
#[derive(Debug, Clone)]
pub struct Run {
    /// What was wrong by itself, without a comparison.
    pub problems: Vec<Problem>,
    /// Where a plan could strike.
    pub positions: Positions,
    /// Whether this run's plan did.
    pub struck: bool,
    /// The end.
    pub picture: Picture,
    /// The story, if it was asked for.
    pub story: Vec<Line>,
    /// All writes.
    pub commits: Vec<Commit>,
}

/// Runs a scenario with one disturbance.
pub fn run(scenario: &Scenario, plan: &FaultPlan, start: Start, story: bool) -> std::io::Result<Run> {
    let errors = Errors::default();
    let _listening = errors.listen();
    let mut run = world::in_virtual_time(play(scenario, plan.clone(), start, story))?;
    run.problems.extend(errors.seen().into_iter().map(|what| Problem { oracle: Oracle::ErrorLog, what }));
    Ok(run)
}

async fn play(scenario: &Scenario, plan: FaultPlan, start: Start, story: bool) -> Run {
    let rest = if matches!(plan, FaultPlan::Fail { .. }) { SHORT_REST } else { REST };
    let world = World::new(plan, start, story);
    world.start_manager();
    world.quiet().await;
    let mut problems = Vec::new();
    if let Err(fault) = (scenario.play)(User::new(&world)).await {
        let what = format!("the scenario's own step failed: {fault}");
        problems.push(Problem { oracle: Oracle::EndState, what });
    }
    let asked = world.clock.now();
    let rests = world.quiet().await;
    if !rests {
        let what = "the world does not come to rest".to_owned();
        problems.push(Problem { oracle: Oracle::Deadline, what });
    }
    let picture = mask::picture(&world.server, !scenario.any_address.is_empty());
    let end = world.server.version();
    let positions = world.referee.positions();
    if rests {
        tokio::time::sleep(rest).await;
        problems.extend(late(&world, asked.max(world.referee.disturbed().unwrap_or(asked)), end));
        problems.extend(unrest(&world.server.commits(end)));
    }
    problems.extend(world.mishaps().into_iter().map(|mishap| {
        let what = match mishap {
            Mishap::Panic(what) => what,
            Mishap::Ended(who) => format!("{who} ended by itself"),
        };
        Problem { oracle: Oracle::Panic, what }
    }));
    let commits = world.server.commits(0);
    problems.extend(oracle::check(&commits));
    let referee = &world.referee;
    Run { problems, positions, struck: referee.has_struck(), picture, story: referee.story(), commits }
}

fn by_manager(commit: &Commit) -> bool {
    commit.client.starts_with(MANAGER) && commit.kind.kind != "Event"
}

fn late(world: &World, asked: jiff::Timestamp, end: u64) -> Option<Problem> {
    let commits = world.server.commits(0);
    let last = commits.iter().rfind(|commit| by_manager(commit) && commit.version <= end)?;
    let took = last.at.duration_since(asked);
    let what = format!("the last write came {took:#} after the last change: {last}");
    (took > DEADLINE).then_some(Problem { oracle: Oracle::Deadline, what })
}

fn unrest(commits: &[Commit]) -> Option<Problem> {
    let first = commits.iter().find(|commit| commit.client.starts_with(MANAGER))?;
    let what = format!("{} writes in an hour of rest, the first is {first}", commits.len());
    Some(Problem { oracle: Oracle::Rest, what })
}

impl Run {
    /// What is wrong with this run, compared with the undisturbed one of the shipped manager.
    pub fn judge(&self, reference: &Picture) -> Vec<Problem> {
        let mut problems = self.problems.clone();
        let differences = mask::differences(reference, &self.picture);
        problems.extend(differences.into_iter().map(|what| Problem { oracle: Oracle::EndState, what }));
        problems
    }
}

/// Every plan for a scenario whose undisturbed run has these positions.
pub fn plans(positions: &Positions) -> Vec<FaultPlan> {
    let mut plans = vec![FaultPlan::None];
    for write in 1..=positions.writes {
        plans.push(FaultPlan::Kill { side: Side::Before, write });
        plans.push(FaultPlan::Kill { side: Side::After, write });
        plans.push(FaultPlan::Twin { write });
        plans.push(FaultPlan::Late { write });
        plans.push(FaultPlan::Blind { what: Blind::Claims, write });
        plans.push(FaultPlan::Blind { what: Blind::Addresses, write });
    }
    for request in 1..=positions.requests {
        for error in Error::ALL {
            plans.push(FaultPlan::Fail { request, error, times: 1 });
        }
        plans.push(FaultPlan::Fail { request, error: Error::Unavailable, times: BURST });
    }
    for (kind, count) in &positions.events {
        for event in 1..=*count {
            plans.push(FaultPlan::Stale { kind: kind.clone(), event });
            plans.push(FaultPlan::Gap { kind: kind.clone(), event });
        }
    }
    plans
}

/// What became of one scenario's plans.
#[derive(Debug, Clone)]
pub struct Report {
    /// The scenario.
    pub scenario: &'static str,
    /// Positions of the undisturbed run.
    pub positions: Positions,
    /// Plans run, by family.
    pub ran: BTreeMap<&'static str, usize>,
    /// Plans that never came into effect.
    pub idle: Vec<FaultPlan>,
    /// Plans with what was wrong.
    pub failed: Vec<(FaultPlan, Vec<Problem>)>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Positions { requests, writes, events } = &self.positions;
        let events: u64 = events.values().sum();
        let total: usize = self.ran.values().sum();
        write!(
            f,
            "{:<18} {requests:>3} requests {writes:>3} writes {events:>3} events: {total:>5} plans",
            self.scenario
        )?;
        write!(f, ", {} failed", self.failed.len())?;
        for (plan, problems) in &self.failed {
            write!(f, "\n  cargo run -p sim -- replay {} {plan}", self.scenario)?;
            for problem in problems.iter().take(2) {
                write!(f, "\n      {problem}")?;
            }
        }
        Ok(())
    }
}

/// Runs all plans of a scenario that `wanted` lets through, on several threads.
pub fn explore(
    scenario: &'static Scenario,
    start: Start,
    threads: usize,
    wanted: impl Fn(&FaultPlan) -> bool,
) -> std::io::Result<Report> {
    let reference = run(scenario, &FaultPlan::None, world::shipped, false)?;
    let undisturbed = run(scenario, &FaultPlan::None, start, false)?;
    let all: Vec<FaultPlan> = plans(&undisturbed.positions).into_iter().filter(wanted).collect();
    let (next, ended) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                while let Some(plan) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = run(scenario, plan, start, false);
                    ended.lock().unwrap_or_else(PoisonError::into_inner).push((plan.clone(), outcome));
                }
            });
        }
    });
    let mut ended = ended.into_inner().unwrap_or_else(PoisonError::into_inner);
    ended.sort_by(|a, b| a.0.cmp(&b.0));
    let positions = undisturbed.positions;
    let mut report =
        Report { scenario: scenario.name, positions, ran: BTreeMap::new(), idle: Vec::new(), failed: Vec::new() };
    for (plan, outcome) in ended {
        let outcome = outcome?;
        *report.ran.entry(plan.family()).or_default() += 1;
        if !outcome.struck && plan != FaultPlan::None {
            report.idle.push(plan.clone());
        }
        let problems = outcome.judge(&reference.picture);
        if !problems.is_empty() {
            report.failed.push((plan, problems));
        }
    }
    Ok(report)
}
