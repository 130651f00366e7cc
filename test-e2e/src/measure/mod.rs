//! `make bench`: speed and memory of our controllers on the real API server, as a table.
//!
//! Figures depend on the machine and on what else runs; compare runs on the same one. Writes are counted by the API
//! server itself, so they also show what a change costs in a cluster of any speed.

mod hosts;
mod quick_ironic;

use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::stream::{StreamExt, TryStreamExt};
use kube::api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, PostParams};
use kube::{Api, Client};
use serde_json::json;

use crate::cache::Cache;
use crate::host::run_in;
use crate::level_a::{self, ControlPlane, Options};
use crate::manager::{self, Manager};
use crate::wait::until;
use crate::{Bench, level_b, manifests};

/// Claims for addresses at a time; a rack full of racks.
const CLAIMS: usize = 500;
/// No step takes longer, or the figure is worth nothing.
const LIMIT: Duration = Duration::from_mins(5);
/// Requests at a time when the test data is made.
const AT_ONCE: usize = 16;

/// Measures and prints.
pub fn measure() -> Result<()> {
    run_in(None, async || {
        let cache = Cache::open()?;
        level_a::prepare(&cache).await?;
        level_b::prepare(&cache).await?;
        let bench = Bench::fresh("measure").await?;
        let mut table = Table::default();
        let told = all(&bench, &mut table).await;
        bench.wipe().await?;
        table.print();
        told
    })
}

async fn all(bench: &Bench, table: &mut Table) -> Result<()> {
    let start = Instant::now();
    let plane = level_a::start(bench, Options::default()).await?;
    table.seconds("API server usable", start);
    let client = plane.client().await?;
    manifests::apply(&client, "default", &level_b::definitions(&Cache::open()?).await?).await?;
    let start = Instant::now();
    // Played, and at once: what is measured is this project, not a machine.
    let ironic = format!("http://{}", quick_ironic::start().await?);
    let files = |name: &str| format!("{ironic}/{name}");
    let env =
        [("IRONIC_ENDPOINT", ironic.clone()), ("DEPLOY_KERNEL_URL", files("k")), ("DEPLOY_RAMDISK_URL", files("r"))];
    let env = env.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let mut ours =
        manager::start(&plane, manager::components()?, manager::Options { env, ..Default::default() }).await?;
    table.seconds("our manager ready, definitions and webhooks included", start);
    let size = std::fs::metadata(manager::binary()?)?.len() as f64 / f64::from(1 << 20);
    table.row("size of the binary", format!("{size:.1} MiB"));
    table.memory("memory of our manager, no objects", ours.process.pid)?;
    addresses(&plane, &ours, table).await?;
    hosts::hosts(&plane, &mut ours, table).await
}

async fn addresses(plane: &ControlPlane, ours: &Manager, table: &mut Table) -> Result<()> {
    let client = plane.client().await?;
    let namespace = plane.namespace("addresses").await?;
    let pools = api(&client, &namespace, "IPPool", "ippools");
    let claims = api(&client, &namespace, "IPClaim", "ipclaims");
    let addresses = api(&client, &namespace, "IPAddress", "ipaddresses");
    let pool = json!({
        "apiVersion": "ipam.metal3.io/v1alpha1", "kind": "IPPool", "metadata": {"name": "pool"},
        "spec": {"namePrefix": "bench", "pools": [{"subnet": "10.0.0.0/16"}], "prefix": 16, "gateway": IpAddr::from([10, 0, 0, 1])},
    });
    pools.create(&PostParams::default(), &serde_json::from_value(pool)?).await?;
    let writes = written(&client).await?;
    let start = Instant::now();
    make(&claims, CLAIMS, |name| {
        json!({
            "apiVersion": "ipam.metal3.io/v1alpha1", "kind": "IPClaim", "metadata": {"name": name},
            "spec": {"pool": {"name": "pool", "namespace": namespace}},
        })
    })
    .await?;
    until("all claims having addresses", LIMIT, async || {
        let ready = claims.list(&ListParams::default()).await?.items;
        let ready = ready.iter().filter(|claim| claim.data["status"]["address"].is_object()).count();
        ensure!(ready == CLAIMS, "{ready} of {CLAIMS}");
        Ok(Some(()))
    })
    .await?;
    table.seconds(&format!("{CLAIMS} address claims created and served"), start);
    let theirs = written(&client).await? - writes - CLAIMS as f64;
    table.row("writes of our manager per address", format!("{:.2}", theirs / CLAIMS as f64));
    table.memory("memory of our manager after that", ours.process.pid)?;
    let start = Instant::now();
    claims.delete_collection(&DeleteParams::default(), &ListParams::default()).await?;
    until("all addresses being gone", LIMIT, async || {
        let left = addresses.list(&ListParams::default()).await?.items.len();
        let waiting = claims.list(&ListParams::default()).await?.items.len();
        ensure!(left + waiting == 0, "{left} addresses, {waiting} claims");
        Ok(Some(()))
    })
    .await?;
    table.seconds(&format!("{CLAIMS} address claims deleted and released"), start);
    Ok(())
}

async fn make(api: &Api<DynamicObject>, count: usize, object: impl Fn(&str) -> serde_json::Value) -> Result<()> {
    let objects = (0..count).map(|number| serde_json::from_value::<DynamicObject>(object(&format!("bench-{number}"))));
    let objects: Vec<DynamicObject> = objects.collect::<Result<_, _>>()?;
    let work = objects.into_iter().map(|object| async move { api.create(&PostParams::default(), &object).await });
    futures::stream::iter(work).buffer_unordered(AT_ONCE).try_collect::<Vec<_>>().await?;
    Ok(())
}

fn api(client: &Client, namespace: &str, kind: &str, plural: &str) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("ipam.metal3.io", "v1alpha1", kind);
    Api::namespaced_with(client.clone(), namespace, &ApiResource::from_gvk_with_plural(&kind, plural))
}

/// Writes to the IPAM kinds since the API server started, whoever sent them.
async fn written(client: &Client) -> Result<f64> {
    let request = axum::http::Request::get("/metrics").body(Vec::new())?;
    let text = client.request_text(request).await?;
    let ours = |line: &&str| {
        line.starts_with("apiserver_request_total{")
            && line.contains("group=\"ipam.metal3.io\"")
            && ["POST", "PUT", "PATCH", "APPLY", "DELETE"].iter().any(|verb| line.contains(&format!("verb=\"{verb}\"")))
    };
    let values = text.lines().filter(ours).filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok());
    Ok(values.sum())
}

/// Processor time of a process in seconds, its threads included.
fn processor(pid: i32) -> Result<f64> {
    // The kernel counts in hundredths of a second, whatever its own clock is.
    const TICKS: f64 = 100.0;
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, rest) = text.rsplit_once(')').context("an odd /proc entry")?;
    let ticks: Vec<f64> = rest.split_whitespace().skip(11).take(2).filter_map(|field| field.parse().ok()).collect();
    Ok(ticks.iter().sum::<f64>() / TICKS)
}

#[derive(Debug, Default)]
struct Table(Vec<(String, String)>);

impl Table {
    fn row(&mut self, what: &str, value: String) {
        eprintln!("measured: {what}: {value}");
        self.0.push((what.to_owned(), value));
    }

    fn seconds(&mut self, what: &str, start: Instant) {
        self.row(what, format!("{:.1} s", start.elapsed().as_secs_f64()));
    }

    fn memory(&mut self, what: &str, pid: i32) -> Result<()> {
        let status = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        let kib: f64 = line.trim().trim_end_matches(" kB").trim().parse()?;
        self.row(what, format!("{:.1} MiB", kib / 1024.0));
        Ok(())
    }

    fn print(&self) {
        let width = self.0.iter().map(|(what, _)| what.len()).max().unwrap_or(0);
        for (what, value) in &self.0 {
            println!("{what:width$}  {value}");
        }
    }
}
