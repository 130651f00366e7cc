//! Many claims for addresses on a real API server: how long until all are served and released, and what that costs.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use futures::stream::{StreamExt, TryStreamExt};
use kube::api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use super::meter::{Metrics, forget_peak, peak, processor};
use super::table::{Table, matrix};
use super::{AT_ONCE, Scene};
use crate::wait::{POLL, until};

const GROUP: &str = "ipam.metal3.io";
/// A row of racks; what [`MANY`] is compared with.
const FEW: usize = 1_000;
/// A data centre.
const MANY: usize = 10_000;
/// No case takes longer, or its figure is worth nothing.
const LIMIT: Duration = Duration::from_mins(5);
/// Objects of one page of a list.
const PAGE: u32 = 500;

/// What is claimed from what.
struct Case {
    name: &'static str,
    claims: usize,
    pools: usize,
    /// The ranges of a pool and more of its spec.
    spec: fn(usize) -> Value,
    webhooks: bool,
}

const CASES: &[Case] = &[
    Case { name: "one pool", claims: FEW, pools: 1, spec: sequential, webhooks: true },
    Case { name: "one pool", claims: MANY, pools: 1, spec: sequential, webhooks: true },
    Case { name: "ten pools", claims: MANY, pools: 10, spec: sequential, webhooks: true },
    Case { name: "one IPv6 /64", claims: MANY, pools: 1, spec: ipv6, webhooks: true },
    Case { name: "random strategy", claims: MANY, pools: 1, spec: random, webhooks: true },
    Case { name: "5000 pre-allocations", claims: MANY, pools: 1, spec: reserved, webhooks: true },
    Case { name: "one pool", claims: MANY, pools: 1, spec: sequential, webhooks: false },
];

fn sequential(pool: usize) -> Value {
    json!({"pools": [{"subnet": format!("10.{pool}.0.0/16")}], "prefix": 16, "gateway": format!("10.{pool}.0.1")})
}

fn ipv6(_: usize) -> Value {
    json!({"pools": [{"subnet": "2001:db8::/64"}], "prefix": 64, "gateway": "2001:db8::1"})
}

fn random(pool: usize) -> Value {
    let mut spec = sequential(pool);
    spec["allocationStrategy"] = json!("random");
    spec
}

/// Every second claim has an address of its own, far from those that are given in order.
fn reserved(pool: usize) -> Value {
    let mut spec = sequential(pool);
    let fixed =
        |number: usize| (claim_name(number * 2), json!(format!("10.{pool}.{}.{}", 128 + number / 250, number % 250)));
    spec["preAllocations"] = (0..MANY / 2).map(fixed).collect();
    spec
}

fn claim_name(number: usize) -> String {
    format!("bench-{number}")
}

/// What one case cost.
#[derive(Debug)]
struct Figures {
    created: f64,
    served: f64,
    released: f64,
    status_writes: f64,
    /// Requests of our manager: until all were served, and for the release.
    asked: [Counts; 2],
    /// Processor seconds until all were served: ours, the API server's with its storage.
    ours: f64,
    theirs: f64,
    memory: f64,
}

/// Requests by method.
type Counts = std::collections::BTreeMap<String, f64>;

/// Measures all cases.
pub(super) async fn addresses(scene: &Scene, table: &mut Table) -> Result<()> {
    let heading = [
        "claims for addresses",
        "claims",
        "webhooks",
        "created s",
        "served s",
        "ms each",
        "pool status writes",
        "requests each",
        "POST",
        "PATCH",
        "GET",
        "DELETE",
        "our CPU s",
        "API server CPU s",
        "peak MiB",
        "released s",
        "requests each",
    ];
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    let mut each = Vec::new();
    for case in CASES {
        eprintln!("measuring {} claims, {}", case.claims, case.name);
        if !case.webhooks {
            without_webhooks(&scene.client).await?;
        }
        let figures = measure(scene, case).await?;
        each.push([figures.served, figures.ours].map(|seconds| seconds / case.claims as f64));
        rows.push(row(case, &figures));
        eprintln!("{}", matrix(&rows));
    }
    table.lines(&matrix(&rows));
    if let [few, many, ..] = each[..] {
        let ratio = |index: usize| many[index] / few[index];
        let text = format!("{:.2} in time, {:.2} in our processor time", ratio(0), ratio(1));
        table.row(&format!("cost of a claim among {MANY}, as a multiple of one among {FEW}"), text);
    }
    Ok(())
}

fn row(case: &Case, figures: &Figures) -> Vec<String> {
    let claims = case.claims as f64;
    let each = |counts: &Counts| format!("{:.2}", counts.values().sum::<f64>() / claims);
    let of = |method: &str| format!("{:.0}", figures.asked[0].get(method).copied().unwrap_or_default());
    vec![
        case.name.to_owned(),
        case.claims.to_string(),
        if case.webhooks { "on" } else { "off" }.to_owned(),
        format!("{:.1}", figures.created),
        format!("{:.1}", figures.served),
        format!("{:.2}", figures.served / claims * 1e3),
        format!("{:.0}", figures.status_writes),
        each(&figures.asked[0]),
        of("POST"),
        of("PATCH"),
        of("GET"),
        of("DELETE"),
        format!("{:.1}", figures.ours),
        format!("{:.1}", figures.theirs),
        format!("{:.0}", figures.memory),
        format!("{:.1}", figures.released),
        each(&figures.asked[1]),
    ]
}

/// A moment's counters.
struct Reading {
    at: Instant,
    asked: Counts,
    status_writes: f64,
    granted: f64,
    ours: f64,
    theirs: f64,
}

impl Reading {
    async fn take(scene: &Scene) -> Result<Self> {
        let (at, ours) = (Instant::now(), processor(scene.ours.process.pid)?);
        let mut theirs = 0.0;
        for part in ["apiserver", "etcd"] {
            let record = scene.plane.processes().get(&scene.plane.process(part))?;
            theirs += record.map_or(Ok(0.0), |record| processor(record.pid))?;
        }
        let own = Metrics::of(&scene.ours).await?;
        let writes = [("group", GROUP), ("resource", "ippools"), ("subresource", "status")];
        Ok(Self {
            at,
            asked: own.by("rest_client_requests_total", "method"),
            status_writes: Metrics::of_server(&scene.client).await?.sum("apiserver_request_total", &writes),
            granted: granted(&own),
            ours,
            theirs,
        })
    }

    /// Requests since an earlier reading.
    fn since(&self, before: &Self) -> Counts {
        let earlier = |method: &String| before.asked.get(method).copied().unwrap_or_default();
        self.asked.iter().map(|(method, count)| (method.clone(), count - earlier(method))).collect()
    }
}

fn granted(metrics: &Metrics) -> f64 {
    metrics.sum("metal3_ipam_allocation_seconds_count", &[])
}

async fn measure(scene: &Scene, case: &Case) -> Result<Figures> {
    let stage = Stage::new(scene, case).await?;
    forget_peak(scene.ours.process.pid)?;
    let before = Reading::take(scene).await?;
    let start = Instant::now();
    stage.claim_all().await?;
    let created = start.elapsed().as_secs_f64();
    stage.told(before.granted).await?;
    let served = Reading::take(scene).await?;
    stage.check().await?;
    let memory = peak(scene.ours.process.pid)?;
    let start = Instant::now();
    let checked = Reading::take(scene).await?;
    stage.release_all().await?;
    let released = Reading::take(scene).await?;
    stage.end().await?;
    Ok(Figures {
        created,
        served: served.at.duration_since(before.at).as_secs_f64(),
        released: released.at.duration_since(start).as_secs_f64(),
        status_writes: served.status_writes - before.status_writes,
        asked: [served.since(&before), released.since(&checked)],
        ours: served.ours - before.ours,
        theirs: served.theirs - before.theirs,
        memory,
    })
}

/// The namespace of a case, with its pools.
struct Stage<'a> {
    scene: &'a Scene,
    case: &'a Case,
    namespace: String,
    pools: Api<DynamicObject>,
    claims: Api<DynamicObject>,
    addresses: Api<DynamicObject>,
}

impl<'a> Stage<'a> {
    async fn new(scene: &'a Scene, case: &'a Case) -> Result<Self> {
        let namespace = scene.plane.namespace("addresses").await?;
        let of = |kind: &str, plural: &str| {
            let kind = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(GROUP, "v1alpha1", kind), plural);
            Api::namespaced_with(scene.client.clone(), &namespace, &kind)
        };
        let (pools, claims, addresses) =
            (of("IPPool", "ippools"), of("IPClaim", "ipclaims"), of("IPAddress", "ipaddresses"));
        let stage = Self { scene, case, namespace, pools, claims, addresses };
        for number in 0..case.pools {
            let mut spec = (case.spec)(number);
            spec["namePrefix"] = json!(format!("pool-{number}"));
            let pool = json!({
                "apiVersion": "ipam.metal3.io/v1alpha1", "kind": "IPPool",
                "metadata": {"name": format!("pool-{number}")}, "spec": spec,
            });
            stage.pools.create(&PostParams::default(), &serde_json::from_value(pool)?).await?;
        }
        Ok(stage)
    }

    async fn claim_all(&self) -> Result<()> {
        let claim = |number: usize| {
            let pool = json!({"name": format!("pool-{}", number % self.case.pools), "namespace": self.namespace});
            serde_json::from_value::<DynamicObject>(json!({
                "apiVersion": "ipam.metal3.io/v1alpha1", "kind": "IPClaim",
                "metadata": {"name": claim_name(number)}, "spec": {"pool": pool},
            }))
        };
        let work = (0..self.case.claims).map(|number| async move {
            self.claims.create(&PostParams::default(), &claim(number)?).await?;
            anyhow::Ok(())
        });
        futures::stream::iter(work).buffer_unordered(AT_ONCE).try_collect().await
    }

    /// Waits until our manager says that it has told every claim. To list ten thousand claims again and again would
    /// load the API server more than what is measured; [`Stage::check`] looks once, afterwards.
    async fn told(&self, before: f64) -> Result<()> {
        until("every claim having an address", LIMIT, async || {
            let told = granted(&Metrics::of(&self.scene.ours).await?) - before;
            ensure!(told >= self.case.claims as f64, "{told} of {}", self.case.claims);
            Ok(Some(()))
        })
        .await
    }

    /// Every claim has an address, no two the same, and pre-allocated ones their own.
    async fn check(&self) -> Result<()> {
        let mut given = BTreeSet::new();
        let mut params = ListParams::default().limit(PAGE);
        loop {
            let page = self.claims.list(&params).await?;
            for claim in &page.items {
                let address = claim.data["status"]["address"]["name"].as_str();
                ensure!(address.is_some(), "a claim without an address: {:?} {}", claim.metadata.name, claim.data);
                given.extend(address.map(str::to_owned));
            }
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params.continue_token = Some(token),
                None => break,
            }
        }
        // Pools have prefixes of their own, so that equal names are equal addresses.
        ensure!(given.len() == self.case.claims, "{} different addresses", given.len());
        let fixed = (self.case.spec)(0)["preAllocations"].as_object().cloned().unwrap_or_default();
        for ip in fixed.values().filter_map(Value::as_str) {
            ensure!(given.contains(&format!("pool-0-{}", ip.replace('.', "-"))), "{ip} was not given");
        }
        Ok(())
    }

    async fn release_all(&self) -> Result<()> {
        let work = (0..self.case.claims).map(|number| async move {
            self.claims.delete(&claim_name(number), &DeleteParams::default()).await?;
            anyhow::Ok(())
        });
        futures::stream::iter(work).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
        until("every address being released", LIMIT, async || {
            for (what, left) in [("addresses", &self.addresses), ("claims", &self.claims)] {
                let page = left.list(&ListParams::default().limit(1)).await?;
                let more = page.metadata.remaining_item_count.unwrap_or_default();
                ensure!(page.items.is_empty(), "{} {what}", more + 1);
            }
            Ok(Some(()))
        })
        .await
    }

    /// The pools end, so that the next case begins with nothing.
    async fn end(&self) -> Result<()> {
        self.pools.delete_collection(&DeleteParams::default(), &ListParams::default()).await?;
        until("the pools being gone", LIMIT, async || {
            Ok(self.pools.list(&ListParams::default()).await?.items.is_empty().then_some(()))
        })
        .await?;
        tokio::time::sleep(POLL).await;
        Ok(())
    }
}

/// Takes the admission webhooks of the addresses away.
async fn without_webhooks(client: &Client) -> Result<()> {
    use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
    let all: Api<ValidatingWebhookConfiguration> = Api::all(client.clone());
    for configuration in all.list(&ListParams::default()).await?.items {
        let name = configuration.metadata.name.unwrap_or_default();
        let hooks = configuration.webhooks.unwrap_or_default();
        if hooks.iter().any(|hook| hook.name.ends_with(GROUP)) {
            all.delete(&name, &DeleteParams::default()).await?;
        }
    }
    Ok(())
}
