//! A scripted API server behind kube's watcher: bad objects, relists, kinds that are not installed.

use std::sync::Mutex;
use std::time::Duration;

use http::{Request, Response};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::client::Body;
use serde_json::{Value, json};

use super::*;

/// Answers of the API server in order: a status code and the body. Code 0 and what comes after the last one never end.
fn scripted(script: Vec<(u16, String)>) -> (Io, Arc<Mutex<Vec<String>>>) {
    let script = Arc::new(Mutex::new(script.into_iter().rev().collect::<Vec<_>>()));
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = asked.clone();
    let service = tower::service_fn(move |request: Request<Body>| {
        seen.lock().unwrap().push(request.uri().to_string());
        let next = script.lock().unwrap().pop();
        async move {
            let Some((code, body)) = next.filter(|(code, _)| *code != 0) else { return std::future::pending().await };
            let response = Response::builder().status(code).body(Body::from(body.into_bytes())).unwrap();
            Ok::<_, std::convert::Infallible>(response)
        }
    });
    (Io::new(Client::new(service, "default")), asked)
}

fn object(name: &str, version: u64, data: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap", "data": data,
        "metadata": { "namespace": "ns", "name": name, "uid": name, "resourceVersion": version.to_string() },
    })
}

fn list(version: u64, items: &[Value]) -> (u16, String) {
    let list = json!({
        "apiVersion": "v1", "kind": "ConfigMapList", "items": items,
        "metadata": { "resourceVersion": version.to_string() },
    });
    (200, list.to_string())
}

fn watch(events: &[(&str, Value)]) -> (u16, String) {
    let line = |(kind, object): &(&str, Value)| json!({ "type": kind, "object": object }).to_string() + "\n";
    (200, events.iter().map(line).collect())
}

fn names(store: &Store<ConfigMap>) -> Vec<String> {
    store.list(None).iter().map(|object| object.metadata.name.clone().unwrap()).collect()
}

async fn settle() {
    tokio::time::sleep(Duration::from_secs(1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_bad_object_is_reported_and_stops_nobody() {
    let good = json!({ "a": "b" });
    let (io, _) = scripted(vec![
        list(5, &[object("bad", 2, &json!(["no map"])), object("good", 3, &good)]),
        watch(&[
            ("MODIFIED", object("good", 6, &json!(7))),
            ("ADDED", object("other", 7, &good)),
            ("MODIFIED", object("bad", 8, &good)),
        ]),
    ]);
    let store = Informer::<ConfigMap>::new(&io, Scope::All).start(&CancellationToken::new());
    settle().await;
    assert!(*store.synced().borrow());
    assert_eq!(names(&store), ["bad", "good", "other"]);
    let version = |name: &str| store.get(&Key::new("ns", name)).unwrap().metadata.resource_version.clone();
    assert_eq!(version("good").as_deref(), Some("3"), "kept as it was last readable");
    assert_eq!(version("bad").as_deref(), Some("8"), "seen when it was mended");
}

#[tokio::test(start_paused = true)]
async fn what_vanished_while_the_watch_was_away_is_reported_as_deleted() {
    let data = json!({});
    let gone = json!({ "kind": "Status", "status": "Failure", "code": 410, "reason": "Expired", "message": "old" });
    let (io, asked) = scripted(vec![
        list(5, &[object("a", 2, &data), object("b", 3, &data)]),
        watch(&[("ERROR", gone)]),
        list(9, &[object("b", 3, &data), object("c", 8, &data)]),
    ]);
    let store = Informer::<ConfigMap>::new(&io, Scope::All).start(&CancellationToken::new());
    let deleted = Arc::new(Mutex::new(Vec::new()));
    let seen = deleted.clone();
    store.subscribe(move |old, new| {
        if let (Some(old), None) = (old, new) {
            seen.lock().unwrap().push(old.metadata.name.clone().unwrap());
        }
    });
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(names(&store), ["b", "c"]);
    assert_eq!(*deleted.lock().unwrap(), ["a"]);
    let asked = asked.lock().unwrap();
    assert!(asked[3].contains("resourceVersion=9"), "the watch goes on from the new list");
    let lists = asked.iter().filter(|uri| !uri.contains("watch=true"));
    // A version would let an API server answer from a cache that lags behind what an earlier process knew.
    assert!(lists.clone().all(|uri| !uri.contains("resourceVersion")) && lists.count() == 2, "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn namespaces_have_a_watch_each_and_are_filled_when_all_are() {
    let (io, asked) = scripted(vec![list(5, &[])]);
    let store = Informer::<ConfigMap>::new(&io, Scope::parse("x, y")).labels("a=b").start(&CancellationToken::new());
    settle().await;
    assert!(!*store.synced().borrow(), "the second list is still open");
    let asked = asked.lock().unwrap();
    for namespace in ["x", "y"] {
        let path = format!("/api/v1/namespaces/{namespace}/configmaps?");
        assert!(asked.iter().any(|uri| uri.contains(&path) && uri.contains("labelSelector=a%3Db")), "{asked:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_is_not_installed_blocks_only_where_it_is_needed() {
    let missing = || (404, "404 page not found".to_owned());
    for optional in [true, false] {
        let (io, _) = scripted(vec![missing(), list(5, &[object("late", 2, &json!({}))])]);
        let informer = Informer::<ConfigMap>::new(&io, Scope::All);
        let informer = if optional { informer.optional() } else { informer };
        let store = informer.start(&CancellationToken::new());
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!((*store.synced().borrow(), names(&store).len()), (optional, 0));
        tokio::time::sleep(Duration::from_mins(1)).await;
        assert_eq!(names(&store), ["late"], "it is seen when it appears");
    }
}

#[tokio::test(start_paused = true)]
async fn of_secrets_only_metadata_is_asked_for() {
    let (io, asked) =
        scripted(vec![(200, json!({
        "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList", "metadata": { "resourceVersion": "5" },
        "items": [{ "metadata": { "namespace": "ns", "name": "s", "uid": "u", "resourceVersion": "4" } }],
    }).to_string())]);
    let store = Informer::<crate::runtime::SecretMeta>::new(&io, Scope::All).start(&CancellationToken::new());
    settle().await;
    assert!(store.get(&Key::new("ns", "s")).is_some());
    assert!(asked.lock().unwrap()[0].starts_with("/api/v1/secrets"));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_never_comes_is_asked_for_again() {
    let never = || (0, String::new());
    let good = object("a", 2, &json!({}));
    let later = object("b", 6, &json!({}));
    let (io, asked) = scripted(vec![never(), list(5, &[good]), never(), watch(&[("ADDED", later)])]);
    let store = Informer::<ConfigMap>::new(&io, Scope::All).start(&CancellationToken::new());
    tokio::time::sleep(Duration::from_secs(59)).await;
    assert!(!*store.synced().borrow());
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(names(&store), ["a"], "the second list");
    tokio::time::sleep(Duration::from_secs(62)).await;
    assert_eq!(names(&store), ["a", "b"], "the second watch: {:?}", asked.lock().unwrap());
}
