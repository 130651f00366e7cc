//! The poller: one picture, in the right order, with its age.

use std::time::Duration;

use ironic::{Change, Poll, PollOptions, Poller, ProvisionState};
use serde_json::{Value, json};

use crate::server::Server;

fn node(uuid: &str, name: &str, state: &str) -> Value {
    json!({"uuid": uuid, "name": name, "provision_state": state})
}
fn list(nodes: &[Value]) -> Value {
    json!({"nodes": nodes})
}
fn poller(server: &Server) -> (Poller, Poll) {
    Poller::new(server.client(), PollOptions::default())
}
fn state(poll: &Poll, ident: &str) -> Option<ProvisionState> {
    poll.node(ident).map(|node| node.provision_state.clone())
}
/// The changes published so far: "a" appeared, changed or went, or the health changed.
fn changes(receiver: &mut tokio::sync::broadcast::Receiver<Change>) -> Vec<String> {
    let mut all = Vec::new();
    while let Ok(change) = receiver.try_recv() {
        let names = change.names().collect::<Vec<_>>().join(",");
        all.push(match change {
            Change::Node { old: None, .. } => format!("+{names}"),
            Change::Node { new: None, .. } => format!("-{names}"),
            Change::Node { .. } => format!("~{names}"),
            Change::Health => "health".to_owned(),
        });
    }
    all
}

#[tokio::test]
async fn each_change_is_told_once() {
    let server = Server::start().await;
    let (poller, poll) = poller(&server);
    let mut told = poll.subscribe();
    assert!(poll.health().usable().unwrap_err().contains("first list"));
    server.on("GET /v1/nodes", 200, &list(&[node("1", "a", "enroll"), node("2", "b", "active")]));
    poller.once().await;
    assert_eq!(changes(&mut told), ["+a", "+b", "health"]);
    assert_eq!(poll.health().usable(), Ok(()));
    assert!(poll.health().last_good.is_some());
    poller.once().await;
    assert_eq!(changes(&mut told), Vec::<String>::new());
    server.now("GET /v1/nodes", 200, &list(&[node("1", "c", "enroll"), node("3", "d", "active")]));
    poller.once().await;
    assert_eq!(changes(&mut told), ["-b", "~c,a", "+d"]);
    assert_eq!(poll.node("a"), None);
    assert_eq!(poll.node("c").unwrap().uuid, "1");
    assert_eq!(poll.nodes().len(), 2);
}

#[tokio::test]
async fn an_outage_is_visible_and_keeps_the_picture() {
    let server = Server::start().await;
    let (poller, poll) = poller(&server);
    server.on("GET /v1/nodes", 200, &list(&[node("1", "a", "active")]));
    poller.once().await;
    let mut told = poll.subscribe();
    let good = poll.health().last_good;
    server.now("GET /v1/nodes", 500, &json!({"error_message": {"faultstring": "database is locked"}}));
    poller.once().await;
    poller.once().await;
    assert_eq!(changes(&mut told), ["health"]);
    let health = poll.health();
    let failing = health.failing.clone().unwrap();
    assert_eq!((failing.times, failing.error.text.as_str()), (2, "database is locked"));
    assert!(failing.since >= good.unwrap());
    assert_eq!(health.last_good, good);
    assert!(health.usable().unwrap_err().contains("database is locked"));
    assert_eq!(state(&poll, "a"), Some(ProvisionState::Active));
    server.now("GET /v1/nodes", 200, &list(&[]));
    poller.once().await;
    assert_eq!(changes(&mut told), ["-a", "health"]);
    assert_eq!(poll.health().failing, None);
}

#[tokio::test]
async fn without_a_conductor_nothing_can_be_done() {
    let server = Server::start().await;
    server.now("GET /v1/drivers", 200, &json!({"drivers": []}));
    server.on("GET /v1/nodes", 200, &list(&[]));
    let (poller, poll) = poller(&server);
    poller.once().await;
    assert!(poll.health().usable().unwrap_err().contains("conductor"));
}

/// A list that was asked for before our own request shows the node as it was: it must not win.
#[tokio::test]
async fn an_older_list_does_not_overwrite_a_newer_read() {
    let server = Server::start().await;
    let (poller, poll) = poller(&server);
    server.on("GET /v1/nodes", 200, &list(&[node("1", "a", "manageable"), node("2", "b", "active")]));
    poller.once().await;
    let held = server.hold("GET /v1/nodes");
    let listing = tokio::spawn(async move {
        poller.once().await;
        poller
    });
    held.reached().await;
    server.on("GET /v1/nodes/1", 200, &node("1", "a", "inspecting"));
    server.on("GET /v1/nodes/3", 200, &node("3", "new", "enroll"));
    poll.refresh("1").await.unwrap();
    poll.refresh("3").await.unwrap();
    // The script has no answer for it: 404.
    assert_eq!(poll.refresh("2").await.unwrap(), None);
    held.release();
    let poller = listing.await.unwrap();
    assert_eq!(state(&poll, "a"), Some(ProvisionState::Inspecting));
    assert_eq!(state(&poll, "new"), Some(ProvisionState::Enroll));
    assert_eq!(state(&poll, "b"), None);
    // The next list is newer and counts.
    server.now("GET /v1/nodes", 200, &list(&[node("1", "a", "manageable"), node("2", "b", "active")]));
    poller.once().await;
    assert_eq!(state(&poll, "a"), Some(ProvisionState::Manageable));
    assert_eq!(state(&poll, "b"), Some(ProvisionState::Active));
    assert_eq!(state(&poll, "new"), None);
}

/// At rest the next list is an hour away; a call of ours, or a moving node, brings it forward.
#[tokio::test]
async fn the_pace_follows_the_nodes() {
    let server = Server::start().await;
    let options = PollOptions {
        moving: Duration::from_millis(1),
        rest: Duration::from_hours(1),
        attentive: Duration::ZERO,
        failing: Duration::from_millis(1),
    };
    let (poller, poll) = Poller::new(server.client(), options);
    let mut told = poll.subscribe();
    let mut next = async || tokio::time::timeout(Duration::from_secs(20), told.recv()).await.expect("a list").unwrap();
    server.on("GET /v1/nodes", 200, &list(&[node("1", "a", "cleaning")]));
    server.on("GET /v1/nodes", 500, &json!({}));
    server.on("GET /v1/nodes", 200, &list(&[node("1", "a", "available")]));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(poller.run(async { drop(stopped.await) }));
    // Appeared, healthy, failing, changed, healthy again: without a word from us.
    for _ in 0..5 {
        next().await;
    }
    assert_eq!(state(&poll, "a"), Some(ProvisionState::Available));
    // At rest now, and no longer attentive: a single read is what shows a change.
    server.on("GET /v1/nodes/1", 200, &node("1", "a", "deploying"));
    server.now("GET /v1/nodes", 200, &list(&[node("1", "a", "active")]));
    poll.refresh("1").await.unwrap();
    next().await;
    // It moves, so that the lists are quick again and see the end.
    next().await;
    assert_eq!(state(&poll, "a"), Some(ProvisionState::Active));
    drop(stop);
    running.await.unwrap();
}
