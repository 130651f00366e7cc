//! Managers with known mistakes: each must be caught, by the rule that is meant for it. Without this, oracles that see
//! nothing would look like a manager without mistakes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;

use sim::explore::{explore, plans, run};
use sim::faults::FaultPlan;
use sim::oracle::Oracle;
use sim::{scenario, world, wrong};

/// Runs the wrong manager's plans of a family (its name, or how their text begins) until a rule is broken; answers the
/// first such plan and all rules that it broke.
fn caught(name: &str, scenario: &str, family: &str) -> (FaultPlan, BTreeSet<Oracle>) {
    let (scenario, start) = (scenario::find(scenario).unwrap(), wrong::find(name).unwrap().start);
    let reference = run(scenario, &FaultPlan::None, world::shipped, false).unwrap();
    let sound = reference.judge(&reference.picture);
    assert!(sound.is_empty(), "the shipped manager breaks a rule: {sound:?}");
    let undisturbed = run(scenario, &FaultPlan::None, start, false).unwrap();
    let all = plans(&undisturbed.positions);
    for plan in all.into_iter().filter(|plan| plan.family() == family || plan.to_string().starts_with(family)) {
        let problems = run(scenario, &plan, start, false).unwrap().judge(&reference.picture);
        if !problems.is_empty() {
            println!("{name}: cargo run -p sim -- --wrong {name} replay {} {plan}: {}", scenario.name, problems[0]);
            return (plan, problems.into_iter().map(|problem| problem.oracle).collect());
        }
    }
    panic!("{name} was not caught by {family} in {}", scenario.name);
}

/// What already shows undisturbed says nothing about a family of faults.
fn clean_undisturbed(name: &str, scenario: &str, family: &str) {
    if family == "none" {
        return;
    }
    let scenario = scenario::find(scenario).unwrap();
    let reference = run(scenario, &FaultPlan::None, world::shipped, false).unwrap();
    let undisturbed = run(scenario, &FaultPlan::None, wrong::find(name).unwrap().start, false).unwrap();
    let problems = undisturbed.judge(&reference.picture);
    assert!(problems.is_empty(), "{name} breaks a rule undisturbed: {problems:?}");
}

macro_rules! caught {
    ($($test:ident: $name:literal in $scenario:literal by $family:literal, $oracle:ident;)*) => {
        $(#[test]
        fn $test() {
            clean_undisturbed($name, $scenario, $family);
            let (plan, oracles) = caught($name, $scenario, $family);
            assert!(oracles.contains(&Oracle::$oracle), "{plan} is caught by {oracles:?}");
        })*

        #[test]
        fn every_wrong_manager_has_a_test() {
            let tested = BTreeSet::from([$($name),*]);
            assert_eq!(tested, wrong::ALL.iter().map(|wrong| wrong.name).collect());
        }
    };
}

caught! {
    a_claim_that_ends_before_its_address: "finalizer-first" in "release" by "none", Leak;
    a_pool_that_ends_before_its_addresses: "pool-first" in "pool_delete" by "none", Leak;
    addresses_compared_as_texts: "texts" in "spelling" by "none", GivenTwice;
    answers_from_a_map_that_is_never_corrected: "old-map" in "again" by "none", WrongAnswer;
    addresses_without_finalizer: "unguarded" in "create" by "none", Unguarded;
    claims_without_finalizer: "unheld" in "release" by "none", EndState;
    an_answer_before_the_object_exists: "told-first" in "create" by "none", WrongAnswer;
    a_write_whenever_the_pool_is_looked_at: "restless" in "create" by "none", Rest;
    a_failure_that_is_not_repeated: "gives-up" in "create" by "fail", EndState;
    a_taken_name_that_counts_as_made: "taken-is-fine" in "restore" by "stale:IPAddress.ipam", WrongAnswer;
    an_exhausted_claim_that_is_forgotten: "exhausted" in "exhausted_growth" by "none", EndState;
    an_address_that_is_told_without_a_look: "no-look" in "mixed" by "twin", GivenTwice;
    a_status_that_is_never_corrected: "first-count" in "release" by "none", Counts;
    a_pass_that_panics: "panics" in "create" by "none", Panic;
    a_claim_begun_in_another_life_that_is_not_finished: "begun" in "create" by "kill", EndState;
    a_pass_that_is_repeated_five_times_only: "five-times" in "again" by "burst", EndState;
    an_address_that_vanished_behind_a_broken_watch: "immortal" in "by_hand" by "gap", EndState;
    an_address_made_late_that_nobody_ends: "orphans" in "mixed" by "late", EndState;
    a_claim_that_the_cache_does_not_show: "cache-only" in "create" by "blind", InUse;
}

/// Families are needed beside each other: what one shows, the others may not.
#[test]
fn each_of_these_mistakes_is_seen_by_one_family_only() {
    let story = scenario::find("by_hand").unwrap();
    for (name, family) in [("begun", "kill"), ("five-times", "burst"), ("immortal", "gap")] {
        let report = explore(story, wrong::find(name).unwrap().start, 1, |_| true).unwrap();
        let seen: BTreeSet<_> = report.failed.iter().map(|(plan, _)| plan.family()).collect();
        assert_eq!(seen, BTreeSet::from([family]), "{name}: {report}");
    }
}

#[test]
fn an_early_answer_leaves_a_claim_with_nothing_when_the_manager_dies_in_between() {
    let (_, oracles) = caught("told-first", "create", "kill-after");
    assert!(oracles.contains(&Oracle::WrongAnswer), "{oracles:?}");
}
