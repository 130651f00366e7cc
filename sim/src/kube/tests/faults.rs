use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use kit::key::Key;
use serde_json::{Value, json};

use super::{CLAIMS, ask, claim, must, send, server};
use crate::kube::{Failure, Intercept, KindName, Outcome, RequestInfo, Server, Verb, Verdict};

/// Place among writes, verb and object.
type Seen = (Option<u64>, Verb, String);

/// Does one thing to every write, and remembers what it saw.
struct Plan {
    verdict: Verdict,
    seen: Mutex<Vec<Seen>>,
}

impl Intercept for Plan {
    fn before(&self, request: &RequestInfo) -> Verdict {
        if request.is_write() { self.verdict.clone() } else { Verdict::Pass }
    }
    fn after(&self, request: &RequestInfo, _: &Outcome) {
        self.seen.lock().unwrap().push((request.write_index, request.verb, request.key.to_string()));
    }
}

fn planned(verdict: Verdict) -> (Server, Arc<Plan>) {
    let (server, plan) = (server(), Arc::new(Plan { verdict, seen: Mutex::default() }));
    server.intercept(Some(plan.clone()));
    (server, plan)
}

#[tokio::test(start_paused = true)]
async fn every_verdict_does_what_it_says() {
    let unavailable = Failure::injected(503, "ServiceUnavailable");
    // What the client gets within a minute, and whether the object is there afterwards.
    let table = [
        (Verdict::Pass, Some(Ok(201)), true),
        (Verdict::Answer(unavailable.clone()), Some(Ok(503)), false),
        (Verdict::Reset, Some(Err(())), false),
        (Verdict::Never, None, false),
        (Verdict::CommitThenReset, Some(Err(())), true),
        (Verdict::CommitThenNever, None, true),
        (Verdict::CommitThenAnswer(unavailable), Some(Ok(503)), true),
        (Verdict::Late(Duration::from_secs(30)), Some(Ok(201)), true),
        (Verdict::Late(Duration::from_secs(90)), None, false),
        (Verdict::CommitThenLate(Duration::from_secs(90)), None, true),
    ];
    for (verdict, expected, exists) in table {
        let (server, _) = planned(verdict.clone());
        let body = claim("a");
        let answer = tokio::time::timeout(Duration::from_mins(1), send(&server, "POST", CLAIMS, &body)).await;
        let answer = answer.ok().map(|answer| answer.map(|(code, _)| code).map_err(|_| ()));
        assert_eq!(answer, expected, "{verdict:?}");
        let kept = server.object(&KindName::new("ipam.metal3.io", "IPClaim"), &Key::new("default", "a"));
        assert_eq!(kept.is_some(), exists, "{verdict:?}");
    }
}

#[tokio::test]
async fn hooks_and_logs_see_every_request_and_every_commit() {
    let (server, plan) = planned(Verdict::Pass);
    must(&server, "POST", CLAIMS, claim("a")).await;
    must(&server, "GET", CLAIMS, Value::Null).await;
    assert_eq!(ask(&server, "POST", CLAIMS, claim("a")).await.0, 409);
    must(&server, "PATCH", &format!("{CLAIMS}/a/status"), json!({ "status": { "errorMessage": "x" } })).await;
    must(&server, "DELETE", &format!("{CLAIMS}/a"), Value::Null).await;
    let expected = [
        (Some(0), Verb::Create, "default/a"),
        (None, Verb::List, "default/"),
        (Some(1), Verb::Create, "default/a"),
        (Some(2), Verb::Patch, "default/a"),
        (Some(3), Verb::Delete, "default/a"),
    ];
    assert_eq!(*plan.seen.lock().unwrap(), expected.map(|(n, verb, key)| (n, verb, key.to_owned())));
    let requests = server.requests(0);
    assert_eq!(requests.iter().map(|request| request.code.unwrap()).collect::<Vec<_>>(), [201, 200, 409, 200, 200]);
    assert_eq!(requests[2].reason.as_deref(), Some("AlreadyExists"));
    let commits = server.commits(1);
    let told: Vec<String> = commits.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "2 user Create IPClaim.ipam.metal3.io default/a: made",
            "3 user Patch/status IPClaim.ipam.metal3.io default/a: changed",
            "4 user Delete IPClaim.ipam.metal3.io default/a: gone",
        ]
    );
    assert_eq!(commits[1].before, commits[0].after);
    assert_eq!(commits[1].request, Some(3));
}
