//! An Ironic in which every step takes no time: for measuring the operator, never for showing that it is right.
//!
//! It knows nodes, ports and the transitions of the happy life, and keeps whatever is written to a node.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use axum::{Json, Router};
use serde_json::{Value, json};

/// Nodes of one page of a list.
const PAGE: usize = 1_000;

#[derive(Debug, Default)]
struct World {
    /// By id.
    nodes: BTreeMap<String, Value>,
    /// Id by name.
    names: BTreeMap<String, String>,
    ports: Vec<Value>,
}

impl World {
    fn node(&mut self, ident: &str) -> Option<&mut Value> {
        let id = self.names.get(ident).cloned().unwrap_or_else(|| ident.to_owned());
        self.nodes.get_mut(&id)
    }
}

type Shared = Arc<Mutex<World>>;

fn lock(world: &Shared) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves until the process ends.
pub(super) async fn start() -> Result<SocketAddr> {
    let router = Router::new()
        .route("/", get(root))
        .route("/v1", get(root))
        .route("/v1/", get(root))
        .route("/v1/drivers", get(|| async { Json(json!({"drivers": [{"name": "redfish", "hosts": ["c"]}]})) }))
        .route("/v1/conductors", get(|| async { Json(json!({"conductors": []})) }))
        .route("/v1/nodes", get(list).post(create))
        .route("/v1/nodes/{node}", get(read).patch(patch).delete(delete))
        .route("/v1/nodes/{node}/states/provision", put(provision))
        .route("/v1/nodes/{node}/states/power", put(power))
        .route("/v1/nodes/{node}/inventory", get(inventory))
        .route("/v1/nodes/{node}/validate", get(|| async { Json(json!({})) }))
        .route("/v1/nodes/{node}/bios", get(|| async { Json(json!({"bios": []})) }))
        .route("/v1/nodes/{node}/firmware", get(|| async { Json(json!({"firmware": []})) }))
        .route("/v1/nodes/{node}/{*rest}", put(|| async { StatusCode::ACCEPTED }))
        .route("/v1/ports", get(ports).post(create_port))
        .with_state(Shared::default());
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

async fn root() -> Json<Value> {
    Json(json!({"version": {"id": "v1", "min_version": "1.1", "version": "1.110"}}))
}

fn missing(node: &str) -> Response {
    let text = format!("Node {node} could not be found.");
    (StatusCode::NOT_FOUND, Json(json!({"error_message": {"faultstring": text}}))).into_response()
}

async fn list(State(world): State<Shared>, Query(query): Query<BTreeMap<String, String>>) -> Json<Value> {
    let world = lock(&world);
    let after = query.get("marker").cloned().unwrap_or_default();
    let page: Vec<&Value> =
        world.nodes.range(after.clone()..).filter(|(id, _)| **id != after).map(|(_, n)| n).take(PAGE).collect();
    let mut answer = json!({"nodes": page});
    if let (PAGE, Some(last)) = (page.len(), page.last()) {
        let marker = last["uuid"].as_str().unwrap_or_default();
        answer["next"] = json!(format!("http://localhost/v1/nodes?marker={marker}"));
    }
    Json(answer)
}

async fn create(State(world): State<Shared>, Json(mut node): Json<Value>) -> Response {
    let mut world = lock(&world);
    let id = format!("00000000-0000-4000-8000-{:012}", world.nodes.len() + 1);
    if let Some(name) = node["name"].as_str() {
        if world.names.contains_key(name) {
            return (StatusCode::CONFLICT, Json(json!({"error_message": {"faultstring": "name in use"}})))
                .into_response();
        }
        world.names.insert(name.to_owned(), id.clone());
    }
    node["uuid"] = json!(id);
    node["provision_state"] = json!("enroll");
    node["power_state"] = Value::Null;
    world.nodes.insert(id, node.clone());
    (StatusCode::CREATED, Json(node)).into_response()
}

async fn read(State(world): State<Shared>, Path(node): Path<String>) -> Response {
    lock(&world).node(&node).map_or_else(|| missing(&node), |found| Json(found.clone()).into_response())
}

async fn delete(State(world): State<Shared>, Path(node): Path<String>) -> Response {
    let mut world = lock(&world);
    let Some(found) = world.node(&node).cloned() else { return missing(&node) };
    world.nodes.remove(found["uuid"].as_str().unwrap_or_default());
    world.names.remove(found["name"].as_str().unwrap_or_default());
    StatusCode::NO_CONTENT.into_response()
}

/// JSON patch (RFC 6902) as far as a client of Ironic uses it: members are set and removed.
async fn patch(State(world): State<Shared>, Path(node): Path<String>, Json(changes): Json<Vec<Value>>) -> Response {
    let mut world = lock(&world);
    let Some(found) = world.node(&node) else { return missing(&node) };
    for change in &changes {
        let path: Vec<String> = change["path"].as_str().unwrap_or_default().split('/').skip(1).map(unescape).collect();
        let Some((last, above)) = path.split_last() else { continue };
        let mut place = &mut *found;
        for name in above {
            place = &mut place[name.as_str()];
        }
        if change["op"] == "remove" {
            if let Some(members) = place.as_object_mut() {
                members.remove(last);
            }
        } else {
            place[last.as_str()] = change["value"].clone();
        }
    }
    Json(found.clone()).into_response()
}

fn unescape(part: &str) -> String {
    part.replace("~1", "/").replace("~0", "~")
}

async fn provision(State(world): State<Shared>, Path(node): Path<String>, Json(wish): Json<Value>) -> Response {
    let mut world = lock(&world);
    let Some(found) = world.node(&node) else { return missing(&node) };
    let state = match wish["target"].as_str().unwrap_or_default() {
        "active" | "rebuild" | "adopt" => "active",
        "provide" | "deleted" | "undeploy" => "available",
        "inspect" => {
            found["inspection_finished_at"] = json!("2026-01-01T00:00:00+00:00");
            "manageable"
        }
        _ => "manageable",
    };
    found["provision_state"] = json!(state);
    found["power_state"] = json!(if state == "active" { "power on" } else { "power off" });
    StatusCode::ACCEPTED.into_response()
}

async fn power(State(world): State<Shared>, Path(node): Path<String>, Json(wish): Json<Value>) -> Response {
    let mut world = lock(&world);
    let Some(found) = world.node(&node) else { return missing(&node) };
    let on = wish["target"].as_str().is_some_and(|target| target.contains("on") || target.contains("reboot"));
    found["power_state"] = json!(if on { "power on" } else { "power off" });
    StatusCode::ACCEPTED.into_response()
}

async fn inventory() -> Json<Value> {
    Json(json!({"plugin_data": {}, "inventory": {
        "interfaces": [{"name": "eno1", "mac_address": "52:54:00:00:00:01", "has_carrier": true}],
        "disks": [{"name": "/dev/sda", "size": 500_000_000_000_u64, "rotational": false}],
        "cpu": {"count": 32, "architecture": "x86_64", "model_name": "any", "frequency": "2000"},
        "memory": {"physical_mb": 131_072},
        "system_vendor": {"manufacturer": "any", "product_name": "any", "serial_number": "1"},
        "boot": {"current_boot_mode": "uefi"}, "hostname": "any",
    }}))
}

async fn ports(State(world): State<Shared>, Query(query): Query<BTreeMap<String, String>>) -> Json<Value> {
    let world = lock(&world);
    let matches = |port: &&Value| {
        ["address", "node_uuid"].iter().all(|key| query.get(*key).is_none_or(|wanted| port[*key] == wanted.as_str()))
            && query.get("node").is_none_or(|wanted| port["node_uuid"] == wanted.as_str())
    };
    let found: Vec<&Value> = world.ports.iter().filter(matches).collect();
    Json(json!({"ports": found}))
}

async fn create_port(State(world): State<Shared>, Json(mut port): Json<Value>) -> Response {
    let mut world = lock(&world);
    port["uuid"] = json!(format!("10000000-0000-4000-8000-{:012}", world.ports.len() + 1));
    world.ports.push(port.clone());
    (StatusCode::CREATED, Json(port)).into_response()
}
