//! The process dies between any two writes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use api::ipam::IPClaim;
use kit::hook::{Hook, Moment, Step, Verdict};
use kit::key::Key;
use serde_json::json;
use test_e2e::wait::until;
use tokio_util::sync::CancellationToken;

use crate::stage::{LIMIT, Stage};

/// Lets the process die at a certain moment: the effect there never answers.
#[derive(Debug)]
struct Killer {
    at: usize,
    passed: AtomicUsize,
    dead: CancellationToken,
}

impl Hook for Killer {
    fn at<'a>(&'a self, _: &'a str, _: &'a Key, _: Moment, _: Step<'a>) -> Verdict<'a> {
        Box::pin(async move {
            if self.passed.fetch_add(1, Ordering::SeqCst) >= self.at {
                self.dead.cancel();
                std::future::pending::<()>().await;
            }
            Ok(())
        })
    }
}

/// Wherever the process dies, its successor ends in the same state: two claims served with two addresses, one
/// released, none given twice, none leaked.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_any_moment_is_made_good_by_the_successor() {
    let mut at = 0;
    loop {
        let mut stage = Stage::new("ipam-crash").await;
        stage.pool(json!({ "namePrefix": "c", "pools": [{ "start": "10.0.0.1", "end": "10.0.0.3" }] })).await;
        stage.claim("kept").await;
        stage.claim("leaving").await;
        let killer = Arc::new(Killer { at, passed: AtomicUsize::new(0), dead: CancellationToken::new() });
        stage.run(Some(killer.clone())).await;
        let story = async {
            stage.served("leaving").await;
            stage.unclaim("leaving").await;
            stage.claim("new").await;
            stage.gone::<IPClaim>("leaving").await;
            stage.served("new").await;
        };
        let survived = killer.dead.run_until_cancelled(story).await.is_some();
        stage.stop.cancel();
        if stage.api::<IPClaim>().get_opt("new").await.unwrap().is_none() {
            stage.unclaim("leaving").await;
            stage.claim("new").await;
        } else if let Some(claim) = stage.api::<IPClaim>().get_opt("leaving").await.unwrap() {
            assert!(claim.metadata.deletion_timestamp.is_some());
        }
        stage.run(None).await;
        stage.gone::<IPClaim>("leaving").await;
        let distinct = BTreeSet::from([stage.served("kept").await, stage.served("new").await]);
        assert_eq!(distinct.len(), 2, "crash at {at}");
        let only = async || Ok((stage.addresses().await == distinct.iter().cloned().collect::<Vec<_>>()).then_some(()));
        until(&format!("exactly two addresses after a crash at {at}"), LIMIT, only).await.unwrap();
        if survived {
            println!("{at} moments to crash at");
            assert!(at > 20, "there were fewer effects than the story has: {at}");
            return;
        }
        at += 1;
    }
}
