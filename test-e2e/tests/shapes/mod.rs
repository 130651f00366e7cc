//! Manifests of public shapes and what is asked of each.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]
#![allow(dead_code, unreachable_pub, reason = "each test program uses its part")]

use std::path::Path;

use axum::http::Request;
use kube::Client;
use kube::discovery::Scope;
use serde_json::Value;
use test_e2e::level_a::ControlPlane;
use test_e2e::manifests;

/// Creates without storing: the answer is what would be stored. Unknown fields are refused.
pub async fn create(client: &Client, namespace: &str, object: &Value) -> Result<Value, kube::Error> {
    let (resource, scope) = manifests::resource(client, object).await.unwrap();
    let path = match (&scope, resource.group.as_str()) {
        (Scope::Namespaced, "") => format!("/api/v1/namespaces/{namespace}/{}", resource.plural),
        (Scope::Namespaced, _) => {
            format!("/apis/{}/namespaces/{namespace}/{}", resource.api_version, resource.plural)
        }
        (Scope::Cluster, _) => panic!("a kind without namespace: {}", resource.kind),
    };
    let body = serde_json::to_vec(object).unwrap();
    let request = Request::post(format!("{path}?dryRun=All&fieldValidation=Strict"));
    client.request(request.header("content-type", "application/json").body(body).unwrap()).await
}

/// The first place where `sent` says something that `stored` does not.
fn lost(sent: &Value, stored: &Value, at: &str) -> Option<String> {
    match (sent, stored) {
        (Value::Object(sent), Value::Object(stored)) => sent.iter().find_map(|(name, value)| {
            let at = format!("{at}.{name}");
            stored.get(name).map_or_else(|| Some(at.clone()), |stored| lost(value, stored, &at))
        }),
        (Value::Array(sent), Value::Array(stored)) if sent.len() == stored.len() => {
            let mut pairs = sent.iter().zip(stored).enumerate();
            pairs.find_map(|(index, (sent, stored))| lost(sent, stored, &format!("{at}[{index}]")))
        }
        _ => (sent != stored).then(|| at.to_owned()),
    }
}

/// Sends every object of a file; `keeps` says whether nothing may be lost on the way to storage.
pub async fn accepted(plane: &ControlPlane, file: &str, keeps: bool) {
    let client = plane.client().await.unwrap();
    let objects = assets(file);
    assert!(objects.len() > 3);
    let mut wrong = Vec::new();
    for object in &objects {
        let what = format!("{} {}", object["kind"], object["metadata"]["name"]);
        match create(&client, "default", object).await {
            Ok(_) if !keeps => {}
            Ok(stored) => wrong.extend(lost(object, &stored, "").map(|at| format!("{what} loses {at}"))),
            Err(error) => wrong.push(format!("{what}: {error}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The objects of a file below `assets/manifests`.
pub fn assets(file: &str) -> Vec<Value> {
    manifests::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/manifests").join(file)).unwrap()
}

/// Whether the parent of the place exists: several kinds share a name.
pub fn reach(object: &Value, pointer: &str) -> bool {
    pointer.rsplit_once('/').is_some_and(|(parent, _)| object.pointer(parent).is_some())
}

/// Sets the value at a JSON pointer whose parent exists.
pub fn set(object: &mut Value, pointer: &str, value: Value) {
    let (parent, last) = pointer.rsplit_once('/').unwrap();
    match object.pointer_mut(parent).unwrap() {
        Value::Array(items) => items[last.parse::<usize>().unwrap()] = value,
        parent => parent[last.replace("~1", "/").replace("~0", "~")] = value,
    }
}
