//! The server as its clients see it. What a real API server answers to the same is compared in `test-e2e`.

mod faults;
mod owners;
mod watches;
mod writes;

use std::sync::LazyLock;

use axum::body::to_bytes;
use http::Request;
use kube::client::Body;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::{ConnectionReset, Kind, Server, kinds};

static KINDS: LazyLock<Vec<Kind>> = LazyLock::new(kinds::ipam);

const CLAIMS: &str = "/apis/ipam.metal3.io/v1alpha1/namespaces/default/ipclaims";
const POOLS: &str = "/apis/ipam.metal3.io/v1alpha1/namespaces/default/ippools";

fn server() -> Server {
    Server::new(KINDS.clone(), || "2026-01-01T00:00:00Z".parse().unwrap())
}

fn claim(name: &str) -> Value {
    json!({ "apiVersion": "ipam.metal3.io/v1alpha1", "kind": "IPClaim", "metadata": { "name": name },
        "spec": { "pool": { "name": "p" } } })
}

fn pool(name: &str) -> Value {
    json!({ "apiVersion": "ipam.metal3.io/v1alpha1", "kind": "IPPool", "metadata": { "name": name },
        "spec": { "namePrefix": "x", "pools": [{ "start": "10.0.0.1" }] } })
}

async fn send(server: &Server, method: &str, path: &str, body: &Value) -> Result<(u16, Value), ConnectionReset> {
    let bytes = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    let mut request = Request::builder().method(method).uri(path).body(Body::from(bytes)).unwrap();
    if method == "PATCH" {
        request.headers_mut().insert("content-type", "application/merge-patch+json".parse().unwrap());
    }
    let answer = server.service("user").oneshot(request).await?;
    let code = answer.status().as_u16();
    let bytes = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
    Ok((code, serde_json::from_slice(&bytes).unwrap_or_default()))
}

async fn ask(server: &Server, method: &str, path: &str, body: Value) -> (u16, Value) {
    send(server, method, path, &body).await.unwrap()
}

/// As [`ask`], for a request that must succeed.
async fn must(server: &Server, method: &str, path: &str, body: Value) -> Value {
    let (code, answer) = ask(server, method, path, body).await;
    assert!(code < 300, "{method} {path}: {code} {answer}");
    answer
}
