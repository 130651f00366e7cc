//! Pages for machines and people: [`health_router`] has `/healthz` and `/readyz`, [`diagnostics_router`] `/metrics` and
//! `/why`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::key::Key;
use crate::listen::listen;
use crate::metrics::Metrics;
use crate::plans::{Book, Entry};

/// What readiness waits for. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Health {
    open: Arc<Mutex<BTreeMap<u64, String>>>,
}

/// Something that readiness waits for, until it is dropped.
#[derive(Debug)]
pub struct Waiting {
    health: Health,
    id: u64,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.health.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

impl Health {
    /// The process is not ready while the answer lives; the text tells people what for.
    #[must_use]
    pub fn waiting(&self, what: String) -> Waiting {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let id = open.last_key_value().map_or(0, |(id, _)| id + 1);
        open.insert(id, what);
        drop(open);
        Waiting { health: self.clone(), id }
    }

    /// What is still waited for; empty means ready.
    pub fn open(&self) -> Vec<String> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

/// What the pages show.
#[derive(Debug, Clone)]
pub struct Pages {
    /// Metrics of the process.
    pub metrics: Metrics,
    /// The last passes.
    pub plans: Book,
    /// Readiness.
    pub health: Health,
}

/// Liveness and readiness.
pub fn health_router(health: Health) -> Router {
    Router::new().route("/healthz", get(|| async { "ok" })).route("/readyz", get(readyz)).with_state(health)
}

/// Metrics and explanations: `/metrics`, `/why`, `/why/<controller>/<namespace>/<name>` (without a namespace for
/// cluster-scoped kinds).
pub fn diagnostics_router(pages: Pages) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/why", get(why_all))
        .route("/why/{controller}", get(why_controller))
        .route("/why/{controller}/{name}", get(why_cluster_scoped))
        .route("/why/{controller}/{namespace}/{name}", get(why))
        .with_state(pages)
}

/// Serves a router without TLS until `stop` fires.
pub async fn serve(address: SocketAddr, router: Router, stop: CancellationToken) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listen(address)?)?;
    axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await
}

async fn readyz(State(health): State<Health>) -> impl IntoResponse {
    let open = health.open();
    if open.is_empty() {
        (StatusCode::OK, "ok".to_owned())
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, format!("waiting for:\n{}\n", open.join("\n")))
    }
}

async fn metrics(State(pages): State<Pages>) -> impl IntoResponse {
    let kind = [(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")];
    (kind, pages.metrics.render(&pages.plans))
}

async fn why_all(State(pages): State<Pages>) -> impl IntoResponse {
    Json(waiting(&pages.plans, None))
}

async fn why_controller(State(pages): State<Pages>, Path(controller): Path<String>) -> impl IntoResponse {
    Json(waiting(&pages.plans, Some(&controller)))
}

async fn why_cluster_scoped(
    State(pages): State<Pages>,
    Path((controller, name)): Path<(String, String)>,
) -> impl IntoResponse {
    passes(&pages.plans.of(&controller, &Key::new("", name)))
}

async fn why(
    State(pages): State<Pages>,
    Path((controller, namespace, name)): Path<(String, String, String)>,
) -> impl IntoResponse {
    passes(&pages.plans.of(&controller, &Key::new(namespace, name)))
}

fn passes(entries: &[Entry]) -> (StatusCode, Json<serde_json::Value>) {
    let code = if entries.is_empty() { StatusCode::NOT_FOUND } else { StatusCode::OK };
    (code, Json(json!({ "passes": entries })))
}

fn waiting(book: &Book, controller: Option<&str>) -> serde_json::Value {
    let keys = book.waiting(controller).into_iter();
    let items: Vec<_> = keys
        .map(|(controller, key, entry)| {
            json!({ "controller": controller, "namespace": key.namespace, "name": key.name, "last": entry })
        })
        .collect();
    json!({ "waiting": items })
}
