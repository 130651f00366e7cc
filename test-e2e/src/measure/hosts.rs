//! A thousand hosts through the operator's whole happy life of enrolment, with an Ironic that answers at once.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::stream::{StreamExt, TryStreamExt};
use kube::Client;
use serde_json::{Value, json};

use super::{AT_ONCE, Table, processor};
use crate::level_a::ControlPlane;
use crate::manager::Manager;
use crate::manifests;
use crate::story::watch::{HOSTS, all};
use crate::wait::until;

/// A row of racks.
const COUNT: usize = 1_000;
/// How long the manager is watched doing nothing.
const REST: Duration = Duration::from_secs(30);
/// The hosts may need this long on a busy machine.
const LIMIT: Duration = Duration::from_mins(15);

/// Enrols the hosts, watches the manager at rest, and starts it anew among them.
pub(super) async fn hosts(plane: &ControlPlane, ours: &mut Manager, table: &mut Table) -> Result<()> {
    let client = plane.client().await?;
    let namespace = plane.namespace("hosts").await?;
    let (start, before) = (Instant::now(), passes(ours).await?);
    futures::stream::iter(0..COUNT)
        .map(|number| {
            let (client, namespace) = (client.clone(), namespace.clone());
            async move { manifests::apply(&client, &namespace, &host(number)).await }
        })
        .buffer_unordered(AT_ONCE)
        .try_collect::<Vec<_>>()
        .await?;
    available(&client, &namespace).await?;
    let took = start.elapsed().as_secs_f64();
    table.seconds(&format!("{COUNT} hosts from manifest to available, Ironic played"), start);
    let done = passes(ours).await? - before;
    table.row("passes meanwhile", format!("{done:.0} ({:.0} per second)", done / took));
    at_rest(ours, table).await?;
    let start = Instant::now();
    ours.crash().await?;
    table.seconds(&format!("start until ready, {COUNT} hosts"), start);
    until("a first pass", LIMIT, async || Ok((passes(ours).await? > 0.0).then_some(()))).await?;
    table.seconds(&format!("start until the first pass, {COUNT} hosts"), start);
    Ok(())
}

async fn at_rest(ours: &Manager, table: &mut Table) -> Result<()> {
    let (used, asked) = (processor(ours.process.pid)?, requests(ours).await?);
    tokio::time::sleep(REST).await;
    let (used, asked) = (processor(ours.process.pid)? - used, requests(ours).await? - asked);
    table.memory(&format!("memory with {COUNT} idle hosts"), ours.process.pid)?;
    let share = used / REST.as_secs_f64() * 100.0;
    table.row(&format!("processor with {COUNT} idle hosts"), format!("{share:.2} % of one core"));
    table.row(
        &format!("requests to the API server with {COUNT} idle hosts"),
        format!("{asked:.0} in {} s", REST.as_secs()),
    );
    Ok(())
}

async fn available(client: &Client, namespace: &str) -> Result<()> {
    until("all hosts being available", LIMIT, async || {
        let seen = all(client, namespace, HOSTS).await?;
        let ready = seen.iter().filter(|host| host["status"]["provisioning"]["state"] == "available").count();
        ensure!(ready == COUNT, "{ready} of {COUNT}");
        Ok(Some(()))
    })
    .await
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

async fn passes(ours: &Manager) -> Result<f64> {
    total(ours, "controller_runtime_reconcile_total").await
}

async fn requests(ours: &Manager) -> Result<f64> {
    total(ours, "rest_client_requests_total").await
}

/// The sum of a counter over all its labels.
async fn total(ours: &Manager, name: &str) -> Result<f64> {
    let answer = reqwest::get(format!("http://{}/metrics", ours.diagnostics)).await.context("asking for metrics")?;
    let text = answer.text().await?;
    let lines = text.lines().filter(|line| line.starts_with(name));
    Ok(lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum())
}
