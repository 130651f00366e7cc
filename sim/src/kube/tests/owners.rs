use kit::key::Key;
use serde_json::{Value, json};

use super::{CLAIMS, POOLS, ask, claim, must, pool, server};
use crate::kube::{KindName, Server};

fn owner(object: &Value, blocks: bool) -> Value {
    json!({ "apiVersion": object["apiVersion"], "kind": object["kind"], "name": object["metadata"]["name"],
        "uid": object["metadata"]["uid"], "blockOwnerDeletion": blocks })
}

async fn owned(server: &Server, name: &str, owners: &[Value]) {
    let mut body = claim(name);
    body["metadata"]["ownerReferences"] = json!(owners);
    must(server, "POST", CLAIMS, body).await;
}

fn names(server: &Server, kind: &str) -> Vec<String> {
    let objects = server.objects(&KindName::new("ipam.metal3.io", kind));
    objects.into_iter().map(|(key, _)| key.name).collect()
}

fn collect(server: &Server) {
    while server.collect_garbage() > 0 {}
}

#[tokio::test]
async fn an_object_goes_with_its_last_owner_and_forgets_dead_ones() {
    let server = server();
    let a = must(&server, "POST", POOLS, pool("a")).await;
    let b = must(&server, "POST", POOLS, pool("b")).await;
    owned(&server, "of-both", &[owner(&a, true), owner(&b, true)]).await;
    owned(&server, "of-a", &[owner(&a, true)]).await;
    let mut unknown = owner(&a, false);
    unknown["apiVersion"] = json!("other.io/v1");
    owned(&server, "of-unknown", &[unknown]).await;
    assert_eq!(server.collect_garbage(), 0);
    must(&server, "DELETE", &format!("{POOLS}/a"), Value::Null).await;
    // An object of the same name is not the same object.
    must(&server, "POST", POOLS, pool("a")).await;
    collect(&server);
    assert_eq!(names(&server, "IPClaim"), ["of-both", "of-unknown"]);
    let left = must(&server, "GET", &format!("{CLAIMS}/of-both"), Value::Null).await;
    assert_eq!(left["metadata"]["ownerReferences"], json!([owner(&b, true)]));
    let last = server.commits(0).pop().unwrap();
    assert_eq!((&*last.client, last.request), ("garbage-collector", None));
}

#[tokio::test]
async fn a_foreground_deletion_waits_for_what_blocks_it() {
    let server = server();
    let a = must(&server, "POST", POOLS, pool("a")).await;
    let mut body = claim("child");
    body["metadata"]["ownerReferences"] = json!([owner(&a, true)]);
    body["metadata"]["finalizers"] = json!(["x.io/held"]);
    must(&server, "POST", CLAIMS, body).await;
    let path = format!("{POOLS}/a");
    let waiting = must(&server, "DELETE", &path, json!({ "propagationPolicy": "Foreground" })).await;
    assert_eq!(waiting["metadata"]["finalizers"], json!(["foregroundDeletion"]));
    collect(&server);
    assert_eq!((names(&server, "IPPool").len(), names(&server, "IPClaim").len()), (1, 1));
    must(&server, "PATCH", &format!("{CLAIMS}/child"), json!({ "metadata": { "finalizers": null } })).await;
    collect(&server);
    assert_eq!((names(&server, "IPPool").len(), names(&server, "IPClaim").len()), (0, 0));
}

#[tokio::test]
async fn orphans_stay() {
    let server = server();
    let a = must(&server, "POST", POOLS, pool("a")).await;
    owned(&server, "child", &[owner(&a, true)]).await;
    must(&server, "DELETE", &format!("{POOLS}/a"), json!({ "propagationPolicy": "Orphan" })).await;
    collect(&server);
    assert_eq!((names(&server, "IPPool"), names(&server, "IPClaim")), (vec![], vec!["child".to_owned()]));
    let left = must(&server, "GET", &format!("{CLAIMS}/child"), Value::Null).await;
    assert_eq!(left["metadata"].get("ownerReferences"), None);
}

#[tokio::test]
async fn a_namespace_goes_when_it_is_empty() {
    let server = server();
    must(&server, "POST", CLAIMS, claim("free")).await;
    let mut body = claim("held");
    body["metadata"]["finalizers"] = json!(["x.io/held"]);
    must(&server, "POST", CLAIMS, body).await;
    let going = must(&server, "DELETE", "/api/v1/namespaces/default", Value::Null).await;
    assert_eq!(going["status"]["phase"], "Terminating");
    let (code, answer) = ask(&server, "POST", CLAIMS, claim("late")).await;
    assert_eq!((code, &answer["details"]["causes"][0]["reason"]), (403, &json!("NamespaceTerminating")));
    collect(&server);
    assert_eq!(names(&server, "IPClaim"), ["held"]);
    must(&server, "PATCH", &format!("{CLAIMS}/held"), json!({ "metadata": { "finalizers": [] } })).await;
    collect(&server);
    assert_eq!(server.object(&KindName::new("", "Namespace"), &Key::new("", "default")), None);
}
