//! The guard in front of a page, with an API server that knows one token and one path.

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use axum::routing::get;
use http::Response as HttpResponse;
use kube::Client;
use kube::client::Body as ClientBody;
use serde_json::{Value, json};
use tower::{ServiceExt as _, service_fn};

use super::*;

/// Answers both reviews: the token `good` belongs to `scraper`, who may read `/metrics` only.
fn guard(reviews: Arc<AtomicUsize>) -> Guard {
    let service = service_fn(move |request: http::Request<ClientBody>| {
        let reviews = reviews.clone();
        async move {
            reviews.fetch_add(1, Ordering::SeqCst);
            let body: Value = serde_json::from_slice(&request.into_body().collect_bytes().await?)?;
            let status = if body["spec"]["token"].is_string() {
                json!({"authenticated": body["spec"]["token"] == "good", "user": {"username": "scraper"}})
            } else {
                json!({"allowed": body["spec"]["nonResourceAttributes"]["path"] == "/metrics"})
            };
            let answer = json!({"metadata": {}, "spec": {}, "status": status});
            let answer = HttpResponse::builder().status(201).body(ClientBody::from(serde_json::to_vec(&answer)?))?;
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(answer)
        }
    });
    Guard::new(Io::new(Client::new(service, "default")))
}

async fn asked(router: &Router, path: &str, token: Option<&str>) -> StatusCode {
    let mut request = http::Request::builder().uri(path);
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap().status()
}

#[tokio::test]
async fn only_who_may_get_the_path_reads_it() {
    let reviews = Arc::new(AtomicUsize::new(0));
    let router = Router::new().route("/metrics", get(|| async { "1" })).route("/why", get(|| async { "2" }));
    let router = guard(reviews.clone()).protect(router);
    assert_eq!(asked(&router, "/metrics", None).await, StatusCode::UNAUTHORIZED);
    assert_eq!(reviews.load(Ordering::SeqCst), 0, "nobody is asked about no token");
    assert_eq!(asked(&router, "/metrics", Some("bad")).await, StatusCode::UNAUTHORIZED);
    assert_eq!(asked(&router, "/why", Some("good")).await, StatusCode::FORBIDDEN);
    assert_eq!(asked(&router, "/metrics", Some("good")).await, StatusCode::OK);
    let before = reviews.load(Ordering::SeqCst);
    assert_eq!(asked(&router, "/metrics", Some("good")).await, StatusCode::OK);
    assert_eq!(reviews.load(Ordering::SeqCst), before, "the answer is kept");
}
