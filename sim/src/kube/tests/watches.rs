use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::{Stream, StreamExt};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DynamicObject, WatchEvent, WatchParams};
use kube::core::{ApiResource, PartialObjectMeta};
use kube::runtime::watcher;
use serde_json::{Value, json};

use super::{CLAIMS, claim, must, server};
use crate::kube::{Delivery, EventInfo, Intercept, KindName, Server, WatchEnd};

fn claims() -> KindName {
    KindName::new("ipam.metal3.io", "IPClaim")
}

fn api(server: &Server) -> Api<DynamicObject> {
    let resource = ApiResource {
        group: "ipam.metal3.io".to_owned(),
        version: "v1alpha1".to_owned(),
        api_version: "ipam.metal3.io/v1alpha1".to_owned(),
        kind: "IPClaim".to_owned(),
        plural: "ipclaims".to_owned(),
    };
    Api::namespaced_with(server.client("watcher"), "default", &resource)
}

async fn label(server: &Server, name: &str, value: Value) {
    must(server, "PATCH", &format!("{CLAIMS}/{name}"), json!({ "metadata": { "labels": { "l": value } } })).await;
}

fn told(event: kube::Result<WatchEvent<DynamicObject>>) -> String {
    match event.unwrap() {
        WatchEvent::Added(object) => format!("+{}", object.metadata.name.unwrap()),
        WatchEvent::Modified(object) => format!("~{}", object.metadata.name.unwrap()),
        WatchEvent::Deleted(object) => format!("-{}", object.metadata.name.unwrap()),
        WatchEvent::Bookmark(bookmark) => format!("@{}", bookmark.metadata.resource_version),
        WatchEvent::Error(status) => format!("!{}", status.code),
    }
}

async fn rest(stream: impl Stream<Item = kube::Result<WatchEvent<DynamicObject>>>) -> Vec<String> {
    stream.map(told).collect().await
}

fn short() -> WatchParams {
    WatchParams { bookmarks: false, ..WatchParams::default().timeout(5) }
}

#[tokio::test(start_paused = true)]
async fn a_watch_tells_all_changes_after_its_version_in_order() {
    let server = server();
    must(&server, "POST", CLAIMS, claim("before")).await;
    let version = server.version().to_string();
    must(&server, "POST", CLAIMS, claim("a")).await;
    let from = api(&server).watch(&short(), &version).await.unwrap();
    label(&server, "a", json!("1")).await;
    label(&server, "a", json!("1")).await;
    must(&server, "DELETE", &format!("{CLAIMS}/a"), Value::Null).await;
    assert_eq!(rest(from).await, ["+a", "~a", "-a"]);
    let all = api(&server).watch(&short(), "0").await.unwrap();
    must(&server, "POST", CLAIMS, claim("late")).await;
    assert_eq!(rest(all).await, ["+before", "+late"]);
    assert_eq!(server.watched_by("watcher"), [], "both ended at their time limit");
}

#[tokio::test(start_paused = true)]
async fn what_begins_or_ceases_to_match_comes_and_goes() {
    let server = server();
    let version = server.version().to_string();
    let watch = api(&server).watch(&short().labels("l=yes"), &version).await.unwrap();
    must(&server, "POST", CLAIMS, claim("a")).await;
    for value in ["yes", "no", "yes"] {
        label(&server, "a", json!(value)).await;
    }
    must(&server, "PATCH", &format!("{CLAIMS}/a"), json!({ "spec": { "pool": { "name": "q" } } })).await;
    must(&server, "DELETE", &format!("{CLAIMS}/a"), Value::Null).await;
    assert_eq!(rest(watch).await, ["+a", "-a", "+a", "~a", "-a"]);
}

#[tokio::test(start_paused = true)]
async fn an_old_version_is_told_inside_the_stream_and_a_quiet_watch_gets_a_bookmark() {
    let server = server();
    must(&server, "POST", CLAIMS, claim("a")).await;
    let version = server.version();
    must(&server, "POST", CLAIMS, claim("b")).await;
    server.compact();
    let old = api(&server).watch(&short(), &version.to_string()).await.unwrap();
    assert_eq!(rest(old).await, ["!410"]);
    let now = server.version().to_string();
    let marked = WatchParams { bookmarks: true, ..short() };
    let quiet = api(&server).watch(&marked, &now).await.unwrap();
    must(&server, "POST", "/api/v1/namespaces/default/secrets", json!({ "metadata": { "name": "s" } })).await;
    assert_eq!(rest(quiet).await, [format!("@{}", server.version())]);
}

#[tokio::test(start_paused = true)]
async fn held_events_wait_for_their_release_and_watches_end_as_told() {
    let server = server();
    let now = server.version().to_string();
    let mut watch = Box::pin(api(&server).watch(&WatchParams::default(), &now).await.unwrap());
    server.hold(&claims(), Some("watcher"));
    must(&server, "POST", CLAIMS, claim("a")).await;
    assert!(tokio::time::timeout(Duration::from_secs(9), watch.next()).await.is_err(), "held");
    assert_eq!(server.pending(&claims()), 1);
    server.release(&claims());
    assert_eq!(told(watch.next().await.unwrap()), "+a");
    assert_eq!(server.pending(&claims()), 0);
    assert_eq!(server.end_watches(&claims(), None, WatchEnd::Gone), 1);
    assert_eq!(rest(watch).await, ["!410"]);
    let mut broken = Box::pin(api(&server).watch(&WatchParams::default(), &now).await.unwrap());
    assert_eq!(told(broken.next().await.unwrap()), "+a");
    server.disconnect("watcher");
    assert!(broken.next().await.unwrap().is_err());
}

/// Holds the second event, and remembers every one that it was shown.
#[derive(Default)]
struct Second(Mutex<Vec<(u64, String)>>);

impl Intercept for Second {
    fn deliver(&self, event: &EventInfo) -> Delivery {
        self.0.lock().unwrap().push((event.position, event.key.name.clone()));
        if event.position == 1 { Delivery::Hold } else { Delivery::Pass }
    }
}

#[tokio::test(start_paused = true)]
async fn a_hook_holds_an_event_once() {
    let server = server();
    let hook = Arc::new(Second::default());
    server.intercept(Some(hook.clone()));
    for name in ["a", "b", "c"] {
        must(&server, "POST", CLAIMS, claim(name)).await;
    }
    let mut watch = Box::pin(api(&server).watch(&short().timeout(60), "1").await.unwrap());
    assert_eq!(told(watch.next().await.unwrap()), "+a");
    assert!(tokio::time::timeout(Duration::from_secs(9), watch.next()).await.is_err(), "held");
    server.release_all();
    assert_eq!(rest(watch).await, ["+b", "+c"]);
    let shown: Vec<_> = hook.0.lock().unwrap().iter().map(|(position, name)| format!("{position}{name}")).collect();
    assert_eq!(shown, ["0a", "1b", "2c"]);
}

#[tokio::test(start_paused = true)]
async fn metadata_alone_is_given_to_who_asks_for_it() {
    let server = server();
    let secret = json!({ "metadata": { "name": "s" }, "stringData": { "k": "v" } });
    let made = must(&server, "POST", "/api/v1/namespaces/default/secrets", secret).await;
    assert_eq!((&made["data"], &made["type"]), (&json!({ "k": "dg==" }), &json!("Opaque")));
    let api: Api<PartialObjectMeta<Secret>> = Api::namespaced(server.client("watcher"), "default");
    let stream = watcher::watcher(api, watcher::Config::default()).take(3).map(Result::unwrap);
    let events: Vec<String> = stream.map(|event| format!("{event}")).collect().await;
    assert_eq!(events, ["Init", "InitApply(s)", "InitDone"]);
    let (_, text) = super::send(&server, "GET", "/api/v1/namespaces/default/secrets/s", &Value::Null).await.unwrap();
    assert!(text["data"].is_object());
}
