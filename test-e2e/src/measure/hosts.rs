//! A thousand hosts through the operator's whole happy life of enrolment, with an Ironic that answers at once; then at
//! rest, and through a restart of the operator.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use futures::stream::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::PostParams;
use serde_json::{Value, json};

use super::meter::{Metrics, processor};
use super::quick_ironic::QuickIronic;
use super::table::Table;
use super::{AT_ONCE, Scene};
use crate::manager::Manager;
use crate::story::watch::{HOSTS, all, api};
use crate::wait::until;

/// A row of racks.
const COUNT: usize = 1_000;
/// How long the manager is watched doing nothing.
const REST: Duration = Duration::from_mins(1);
/// All hosts are available within this time, or the measurement says what they wait for.
const LIMIT: Duration = Duration::from_mins(5);
/// Hosts that are quoted when they are late.
const QUOTED: usize = 3;

/// The counters of a moment.
#[derive(Debug, Clone, Copy)]
struct Reading {
    at: Instant,
    passes: f64,
    to_server: f64,
    to_ironic: f64,
    processor: f64,
}

impl Reading {
    async fn take(ours: &Manager, ironic: &QuickIronic) -> Result<Self> {
        let metrics = Metrics::of(ours).await?;
        Ok(Self {
            at: Instant::now(),
            passes: passes(&metrics),
            to_server: metrics.sum("rest_client_requests_total", &[]),
            to_ironic: ironic.requests() as f64,
            processor: processor(ours.process.pid)?,
        })
    }
}

fn passes(metrics: &Metrics) -> f64 {
    metrics.sum("controller_runtime_reconcile_total", &[])
}

/// Enrols the hosts, watches the manager at rest, and starts it anew among them.
pub(super) async fn hosts(scene: &mut Scene, table: &mut Table) -> Result<()> {
    let namespace = scene.plane.namespace("hosts").await?;
    let before = Reading::take(&scene.ours, &scene.ironic).await?;
    enrol(scene, &namespace).await?;
    available(scene, &namespace, before.at).await?;
    let after = Reading::take(&scene.ours, &scene.ironic).await?;
    busy(table, &before, &after);
    at_rest(scene, table).await?;
    again(&mut scene.ours, table).await
}

fn busy(table: &mut Table, before: &Reading, after: &Reading) {
    let took = (after.at - before.at).as_secs_f64();
    table.row(&format!("{COUNT} hosts from manifest to available, Ironic played"), format!("{took:.1} s"));
    let mut each = |what: &str, count: f64| {
        let text = format!("{:.0} per second, {:.1} per host", count / took, count / COUNT as f64);
        table.row(&format!("{what} meanwhile"), text);
    };
    each("passes", after.passes - before.passes);
    each("requests to the API server", after.to_server - before.to_server);
    each("requests to Ironic", after.to_ironic - before.to_ironic);
    let used = after.processor - before.processor;
    table.row(
        "processor of our manager meanwhile",
        format!("{used:.1} s, {:.1} ms per host", used * 1e3 / COUNT as f64),
    );
}

async fn at_rest(scene: &Scene, table: &mut Table) -> Result<()> {
    let before = Reading::take(&scene.ours, &scene.ironic).await?;
    tokio::time::sleep(REST).await;
    let after = Reading::take(&scene.ours, &scene.ironic).await?;
    table.memory(&format!("memory with {COUNT} idle hosts"), scene.ours.process.pid)?;
    let seconds = (after.at - before.at).as_secs_f64();
    let mut rate = |what: &str, count: f64| {
        table.row(&format!("{what}, {COUNT} idle hosts"), format!("{:.2} per second", count / seconds));
    };
    rate("passes", after.passes - before.passes);
    rate("requests to the API server", after.to_server - before.to_server);
    rate("requests to Ironic", after.to_ironic - before.to_ironic);
    let share = (after.processor - before.processor) / seconds * 100.0;
    table.row(&format!("processor with {COUNT} idle hosts"), format!("{share:.2} % of one core"));
    Ok(())
}

/// A regular end and a new start.
async fn again(ours: &mut Manager, table: &mut Table) -> Result<()> {
    ours.stop().await?;
    let start = Instant::now();
    ours.start_again().await?;
    table.seconds(&format!("start until ready, {COUNT} hosts"), start);
    for (what, count) in [("the first pass", 1), ("every host was looked at", COUNT)] {
        until(what, LIMIT, async || {
            let seen =
                Metrics::of(ours).await?.sum("controller_runtime_reconcile_total", &[("controller", "baremetalhost")]);
            Ok((seen >= count as f64).then_some(()))
        })
        .await?;
        table.seconds(&format!("start until {what}, {COUNT} hosts"), start);
    }
    table.row("processor of our manager for that start", format!("{:.1} s", processor(ours.process.pid)?));
    table.memory("memory of our manager after that start", ours.process.pid)
}

async fn enrol(scene: &Scene, namespace: &str) -> Result<()> {
    let secrets: Api<Secret> = Api::namespaced(scene.client.clone(), namespace);
    let hosts = api(&scene.client, namespace, HOSTS);
    let (secrets, hosts) = (&secrets, &hosts);
    let work = (0..COUNT).map(|number| async move {
        let [secret, host] = host(number);
        secrets.create(&PostParams::default(), &serde_json::from_value(secret)?).await?;
        hosts.create(&PostParams::default(), &serde_json::from_value(host)?).await?;
        anyhow::Ok(())
    });
    futures::stream::iter(work).buffer_unordered(AT_ONCE).try_collect().await
}

/// Waits for all hosts by the manager's own count, which costs nobody anything, and then looks once.
async fn available(scene: &Scene, namespace: &str, start: Instant) -> Result<()> {
    let waited = until("all hosts being available", LIMIT.saturating_sub(start.elapsed()), async || {
        let ready = Metrics::of(&scene.ours).await?.sum("metal3_hosts", &[("state", "available")]);
        Ok((ready >= COUNT as f64).then_some(()))
    })
    .await;
    let seen = all(&scene.client, namespace, HOSTS).await?;
    let states = states(&seen);
    if waited.is_ok() && states.get("available") == Some(&COUNT) {
        return Ok(());
    }
    let mut text = format!("after {} s of {} hosts are: {states:?}", LIMIT.as_secs(), seen.len());
    let late = seen.iter().filter(|host| host["status"]["provisioning"]["state"] != "available");
    for host in late.take(QUOTED) {
        text = format!("{text}\n{}", explain(&scene.ours, host).await);
    }
    if let Some(unknown) = scene.ironic.unknown() {
        text = format!("{text}\nthe played Ironic has no answer for: {unknown}");
    }
    bail!("{text}")
}

fn states(hosts: &[Value]) -> BTreeMap<String, usize> {
    let mut states = BTreeMap::new();
    for host in hosts {
        let state = host["status"]["provisioning"]["state"].as_str().filter(|state| !state.is_empty());
        *states.entry(state.unwrap_or("(none)").to_owned()).or_default() += 1;
    }
    states
}

/// What a host says itself, and what the manager thought about it last.
async fn explain(ours: &Manager, host: &Value) -> String {
    let of = |pointer: &str| host.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (namespace, name) = (of("/metadata/namespace"), of("/metadata/name"));
    let ready = host["status"]["conditions"].as_array().into_iter().flatten().find(|is| is["type"] == "Ready");
    let last = async {
        let url = format!("http://{}/why/baremetalhost/{namespace}/{name}", ours.diagnostics);
        let passes: Value = reqwest::get(url).await?.json().await?;
        anyhow::Ok(passes["passes"].as_array().and_then(|all| all.last()).cloned().unwrap_or_default())
    };
    let last = last.await.map_or_else(|error| error.to_string(), |pass| pass.to_string());
    format!(
        "{name}: {}; error {:?}; Ready says {:?}; last pass: {last}",
        of("/status/provisioning/state"),
        of("/status/errorMessage"),
        ready.and_then(|ready| ready["message"].as_str()).unwrap_or_default(),
    )
}

/// Secret and host: powered off, and nothing to do once it is available.
fn host(number: usize) -> [Value; 2] {
    let (name, secret) = (format!("host-{number}"), format!("host-{number}-bmc"));
    let mac = format!("52:54:00:00:{:02x}:{:02x}", number / 256, number % 256);
    let address = format!("redfish://192.0.2.1/redfish/v1/Systems/{number}");
    [
        json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": secret},
            "stringData": {"username": "u", "password": "p"},
        }),
        json!({
            "apiVersion": "metal3.io/v1alpha1", "kind": "BareMetalHost", "metadata": {"name": name},
            "spec": {"online": false, "bootMACAddress": mac, "bmc": {"address": address, "credentialsName": secret}},
        }),
    ]
}
