//! An Ironic in which every step takes no time: for measuring the operator, never for showing that it is right.
//!
//! It answers every request that the crate `ironic` can send. What it is asked beyond that it answers with 404 and
//! remembers, so that a measurement which does not end can tell what was missing.

mod world;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use axum::extract::{Path, Query, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use serde_json::{Value, json};

use world::World;

/// Nodes of one page of a list, as Ironic's default is.
const PAGE: usize = 1_000;

type Wish = BTreeMap<String, String>;

#[derive(Debug, Default)]
struct Shared {
    world: Mutex<World>,
    requests: AtomicU64,
    unknown: Mutex<BTreeMap<String, u64>>,
}

type Played = Arc<Shared>;

impl Shared {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The played Ironic, serving until the process ends.
#[derive(Debug, Clone)]
pub struct QuickIronic {
    address: SocketAddr,
    played: Played,
}

impl QuickIronic {
    /// `IRONIC_ENDPOINT`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Requests answered so far.
    pub fn requests(&self) -> u64 {
        self.played.requests.load(Ordering::Relaxed)
    }

    /// Requests that it had no answer for, with how often they came; for people.
    pub fn unknown(&self) -> Option<String> {
        let unknown = self.played.unknown.lock().unwrap_or_else(PoisonError::into_inner);
        let told: Vec<String> = unknown.iter().map(|(request, times)| format!("{request} ({times} times)")).collect();
        (!told.is_empty()).then(|| told.join(", "))
    }
}

/// Starts it on a free port of the loopback address.
pub async fn start() -> Result<QuickIronic> {
    let played = Played::default();
    let router = service().merge(nodes()).merge(ports()).fallback(nothing);
    let router = router.layer(from_fn_with_state(Arc::clone(&played), count)).with_state(Arc::clone(&played));
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(QuickIronic { address, played })
}

fn service() -> Router<Played> {
    let root = || async { Json(json!({"version": {"id": "v1", "min_version": "1.1", "version": "1.110"}})) };
    let conductor = json!({"conductors": [{"hostname": "c", "conductor_group": "", "alive": true}]});
    let drivers = ["fake-hardware", "ipmi", "redfish"].map(|name| json!({"name": name, "hosts": ["c"]}));
    Router::new()
        .route("/", get(root))
        .route("/v1", get(root))
        .route("/v1/", get(root))
        .route("/v1/drivers", get(|| async move { Json(json!({ "drivers": drivers })) }))
        .route("/v1/conductors", get(|| async move { Json(conductor) }))
}

fn nodes() -> Router<Played> {
    let accepted = || async { StatusCode::ACCEPTED };
    Router::new()
        .route("/v1/nodes", get(list).post(create))
        .route("/v1/nodes/{node}", get(read).patch(patch).delete(forget))
        .route("/v1/nodes/{node}/states/provision", put(provision))
        .route("/v1/nodes/{node}/states/power", put(power))
        .route("/v1/nodes/{node}/states/raid", put(raid))
        .route("/v1/nodes/{node}/states/boot_mode", put(accepted))
        .route("/v1/nodes/{node}/management/boot_device", put(accepted))
        .route("/v1/nodes/{node}/maintenance", put(maintenance).delete(no_maintenance))
        .route("/v1/nodes/{node}/inventory", get(inventory))
        .route("/v1/nodes/{node}/validate", get(|| async { Json(valid()) }))
        .route("/v1/nodes/{node}/bios", get(|| async { Json(bios()) }))
        .route("/v1/nodes/{node}/firmware", get(|| async { Json(firmware()) }))
        .route("/v1/nodes/{node}/traits", get(|| async { Json(json!({"traits": []})) }).put(accepted))
        .route("/v1/nodes/{node}/vmedia", get(|| async { Json(json!({"vmedia": []})) }).post(accepted).delete(accepted))
        .route("/v1/nodes/{node}/vendor_passthru", post(|| async { Json(json!({"Id": "1"})) }).delete(accepted))
        .route("/v1/allocations", get(|| async { Json(json!({"allocations": []})) }))
}

fn ports() -> Router<Played> {
    Router::new()
        .route("/v1/ports", get(list_ports).post(create_port))
        .route("/v1/ports/{port}", delete(forget_port).patch(patch_port))
        .route("/v1/portgroups", get(|| async { Json(json!({"portgroups": []})) }))
}

async fn count(State(played): State<Played>, request: Request, next: Next) -> Response {
    played.requests.fetch_add(1, Ordering::Relaxed);
    next.run(request).await
}

/// What nobody taught it.
async fn nothing(State(played): State<Played>, request: Request) -> Response {
    let text = format!("{} {}", request.method(), request.uri().path());
    *played.unknown.lock().unwrap_or_else(PoisonError::into_inner).entry(text).or_default() += 1;
    fault(StatusCode::NOT_FOUND, "Not Found")
}

fn fault(status: StatusCode, text: &str) -> Response {
    (status, Json(json!({"error_message": {"faultcode": "Client", "faultstring": text}}))).into_response()
}

/// The answer of what concerns a node that may not exist.
fn of_node<T: IntoResponse>(node: &str, found: Option<T>) -> Response {
    let missing = || fault(StatusCode::NOT_FOUND, &format!("Node {node} could not be found."));
    found.map_or_else(missing, IntoResponse::into_response)
}

fn done(node: &str, found: Option<()>, status: StatusCode) -> Response {
    of_node(node, found.map(|()| status))
}

async fn list(State(played): State<Played>, Query(wish): Query<Wish>) -> Json<Value> {
    let limit = wish.get("limit").and_then(|limit| limit.parse().ok()).map_or(PAGE, |limit: usize| limit.min(PAGE));
    let after = wish.get("marker").map_or("", String::as_str);
    let page = played.world().page(after, limit, wish.get("fields").map(String::as_str));
    let mut answer = json!({});
    if let (true, Some(last)) = (page.len() == limit, page.last()) {
        let marker = last["uuid"].as_str().unwrap_or_default();
        answer["next"] = json!(format!("http://localhost/v1/nodes?marker={marker}"));
    }
    answer["nodes"] = page.into();
    Json(answer)
}

async fn create(State(played): State<Played>, Json(node): Json<Value>) -> Response {
    match played.world().create(node) {
        Ok(node) => (StatusCode::CREATED, Json(node)).into_response(),
        Err(world::Taken) => fault(StatusCode::CONFLICT, "A node with this name already exists."),
    }
}

async fn read(State(played): State<Played>, Path(node): Path<String>, Query(wish): Query<Wish>) -> Response {
    of_node(&node, played.world().show(&node, wish.get("fields").map(String::as_str)).map(Json))
}

async fn forget(State(played): State<Played>, Path(node): Path<String>) -> Response {
    done(&node, played.world().delete(&node), StatusCode::NO_CONTENT)
}

async fn patch(State(played): State<Played>, Path(node): Path<String>, Json(changes): Json<Vec<Value>>) -> Response {
    of_node(&node, played.world().patch(&node, &changes).map(Json))
}

async fn provision(State(played): State<Played>, Path(node): Path<String>, Json(wish): Json<Value>) -> Response {
    let target = wish["target"].as_str().unwrap_or_default();
    done(&node, played.world().provision(&node, target), StatusCode::ACCEPTED)
}

async fn power(State(played): State<Played>, Path(node): Path<String>, Json(wish): Json<Value>) -> Response {
    let on = wish["target"].as_str().is_some_and(|target| target.contains("on") || target.contains("reboot"));
    let state = json!(if on { "power on" } else { "power off" });
    done(&node, played.world().set(&node, "power_state", state), StatusCode::ACCEPTED)
}

async fn raid(State(played): State<Played>, Path(node): Path<String>, Json(wish): Json<Value>) -> Response {
    done(&node, played.world().set(&node, "target_raid_config", wish), StatusCode::NO_CONTENT)
}

async fn maintenance(State(played): State<Played>, Path(node): Path<String>) -> Response {
    done(&node, played.world().set(&node, "maintenance", json!(true)), StatusCode::ACCEPTED)
}

async fn no_maintenance(State(played): State<Played>, Path(node): Path<String>) -> Response {
    done(&node, played.world().set(&node, "maintenance", json!(false)), StatusCode::ACCEPTED)
}

async fn inventory(State(played): State<Played>, Path(node): Path<String>) -> Response {
    of_node(&node, played.world().inventory(&node).map(Json))
}

fn valid() -> Value {
    let interfaces = ["bios", "boot", "deploy", "firmware", "inspect", "management", "network", "power", "raid"];
    interfaces.iter().map(|name| ((*name).to_owned(), json!({"result": true, "reason": null}))).collect()
}

/// A few settings of every type. Machines of one model have the same ones, as a rack of servers does.
fn bios() -> Value {
    let kinds = ["Enumeration", "String", "Integer", "Boolean"];
    let setting = |number: usize| {
        json!({
            "name": format!("Setting{number}"), "value": "1", "attribute_type": kinds[number % kinds.len()],
            "allowable_values": ["1", "2"], "lower_bound": null, "upper_bound": null, "min_length": null,
            "max_length": null, "read_only": false, "unique": false, "reset_required": true,
        })
    };
    json!({"bios": (0..20).map(setting).collect::<Vec<_>>()})
}

fn firmware() -> Value {
    let part = |name: &str| {
        json!({
            "component": name, "initial_version": "1.0", "current_version": "1.0", "last_version_flashed": null,
            "created_at": "2026-01-01T00:00:00+00:00", "updated_at": null,
        })
    };
    let parts = ["bios", "bmc"].map(part);
    json!({ "firmware": parts })
}

async fn list_ports(State(played): State<Played>, Query(wish): Query<Wish>) -> Json<Value> {
    let node = wish.get("node").or(wish.get("node_uuid")).map(String::as_str);
    let world = played.world();
    Json(json!({"ports": world.ports(node, wish.get("address").map(String::as_str))}))
}

async fn create_port(State(played): State<Played>, Json(port): Json<Value>) -> Response {
    match played.world().create_port(port) {
        Ok(port) => (StatusCode::CREATED, Json(port)).into_response(),
        Err(world::Taken) => fault(StatusCode::CONFLICT, "A port with this MAC address already exists."),
    }
}

async fn patch_port(
    State(played): State<Played>,
    Path(port): Path<String>,
    Json(changes): Json<Vec<Value>>,
) -> Response {
    of_port(&port, played.world().patch_port(&port, &changes).map(Json))
}

async fn forget_port(State(played): State<Played>, Path(port): Path<String>) -> Response {
    of_port(&port, played.world().remove_port(&port).map(|()| StatusCode::NO_CONTENT))
}

fn of_port<T: IntoResponse>(port: &str, found: Option<T>) -> Response {
    let missing = || fault(StatusCode::NOT_FOUND, &format!("Port {port} could not be found."));
    found.map_or_else(missing, IntoResponse::into_response)
}
