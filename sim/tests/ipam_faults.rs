//! The IP address manager under every plan of every scenario: killed at each write, each request failing in each way,
//! each cache standing still or losing events from each event on, a second manager at each write.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use sim::explore::{explore, run};
use sim::faults::FaultPlan;
use sim::{scenario, world};

/// All plans of one scenario.
fn every_plan_of(name: &str) {
    let report = explore(scenario::find(name).unwrap(), world::shipped, 1, |_| true).unwrap();
    println!("{report}");
    assert!(report.failed.is_empty(), "{report}");
    assert!(report.idle.is_empty(), "plans that never struck: {:?}", report.idle);
    for family in ["kill", "fail", "burst", "stale", "gap", "twin", "late", "blind"] {
        assert!(report.ran[family] > 5, "{family}: {}", report.ran[family]);
    }
}

macro_rules! scenarios {
    ($($name:ident),* $(,)?) => {
        $(#[test]
        fn $name() {
            every_plan_of(stringify!($name));
        })*

        #[test]
        fn every_scenario_is_explored() {
            let all: Vec<_> = scenario::ALL.iter().map(|scenario| scenario.name).collect();
            assert_eq!([$(stringify!($name)),*].as_slice(), all.as_slice());
        }
    };
}

scenarios! {
    create,
    release,
    pool_edit,
    pool_delete,
    exhausted_release,
    exhausted_growth,
    fixed,
    flash,
    again,
    mixed,
    paused,
    early,
    by_hand,
    restore,
    spelling,
    taken_name,
    next_door,
}

#[test]
fn a_plan_replays_to_the_same_story() {
    for plan in
        ["none", "kill-after:9", "fail:20:reset-after", "fail:3:503x10", "late:8", "gap:IPClaim.ipam.metal3.io:3"]
    {
        let plan: FaultPlan = plan.parse().unwrap();
        let story = || run(scenario::find("release").unwrap(), &plan, world::shipped, true).unwrap().story;
        let (one, two) = (story(), story());
        assert!(one.len() > 50, "{plan}: {} lines", one.len());
        assert_eq!(one, two, "{plan}");
    }
}
