//! Many claims for addresses on a real API server: how long until all are served and released, and what that costs.

mod reading;
mod stage;

use anyhow::Result;
use kube::api::{DeleteParams, ListParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use super::meter::{forget_peak, peak};
use super::table::{Table, matrix};
use super::{Options, Scene};
use reading::{Cost, Reading};
use stage::Stage;

const GROUP: &str = "ipam.metal3.io";
/// A row of racks; what [`MANY`] is compared with.
const FEW: usize = 1_000;
/// A data centre.
const MANY: usize = 10_000;
/// Claimed once before the first case, so that no case finds a cold API server.
const WARM_UP: Case = Case { name: "warm-up", claims: FEW / 2, pools: 1, spec: sequential };

/// What [`MANY`] claims may take, in seconds on an idle machine of two cores.
const TARGET_SECONDS: f64 = 60.0;
/// Writes of the status of pools meanwhile, and again while all are released.
const TARGET_WRITES: f64 = 200.0;
/// What a claim among [`MANY`] may cost, as a multiple of one among [`FEW`].
const TARGET_RATIO: f64 = 1.2;

/// What is claimed from what.
struct Case {
    name: &'static str,
    claims: usize,
    pools: usize,
    /// The ranges of a pool and more of its spec.
    spec: fn(usize) -> Value,
}

const CASES: &[Case] = &[
    Case { name: "one pool", claims: FEW, pools: 1, spec: sequential },
    Case { name: "one pool", claims: MANY, pools: 1, spec: sequential },
    Case { name: "ten pools", claims: MANY, pools: 10, spec: sequential },
    Case { name: "one IPv6 /64", claims: MANY, pools: 1, spec: ipv6 },
    Case { name: "random strategy", claims: MANY, pools: 1, spec: random },
    Case { name: "5000 pre-allocations", claims: MANY, pools: 1, spec: reserved },
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
    served: Cost,
    released: Cost,
    memory: f64,
}

/// Measures all cases.
pub(super) async fn addresses(scene: &Scene, options: &Options, table: &mut Table) -> Result<()> {
    if !options.webhooks {
        without_webhooks(&scene.client).await?;
    }
    eprintln!("warming up");
    measure(scene, &WARM_UP).await?;
    let mut measured = Vec::new();
    for case in CASES.iter().filter(|case| options.wants(case.name)) {
        eprintln!("measuring {} claims, {}", case.claims, case.name);
        measured.push((case, measure(scene, case).await?));
        eprintln!("{}", matrix(&rows(&measured)));
    }
    let webhooks = if options.webhooks { "on" } else { "off" };
    table.row("admission webhooks of addresses", webhooks);
    table.lines(&matrix(&rows(&measured)));
    table.lines(&matrix(&judged(&measured)));
    Ok(())
}

type Measured = [(&'static Case, Figures)];

fn rows(measured: &Measured) -> Vec<Vec<String>> {
    let heading = [
        "claims for addresses",
        "claims",
        "created s",
        "served s",
        "pool status writes",
        "requests each",
        "POST",
        "PATCH",
        "GET",
        "DELETE",
        "webhook calls each",
        "our CPU s",
        "API server CPU s",
        "GC and bench CPU s",
        "foreign CPU s",
        "peak MiB",
        "released s",
        "requests each",
        "webhook calls each",
        "pool status writes",
    ];
    let heading = heading.map(str::to_owned).to_vec();
    std::iter::once(heading).chain(measured.iter().map(|(case, figures)| row(case, figures))).collect()
}

fn row(case: &Case, figures: &Figures) -> Vec<String> {
    let claims = case.claims as f64;
    let (served, released) = (&figures.served, &figures.released);
    let requests = |cost: &Cost| format!("{:.2}", cost.asked.values().sum::<f64>() / claims);
    let of = |method: &str| format!("{:.0}", served.asked.get(method).copied().unwrap_or_default());
    vec![
        case.name.to_owned(),
        case.claims.to_string(),
        format!("{:.1}", figures.created),
        format!("{:.1}", served.wall),
        format!("{:.0}", served.status_writes),
        requests(served),
        of("POST"),
        of("PATCH"),
        of("GET"),
        of("DELETE"),
        format!("{:.2}", served.called / claims),
        format!("{:.1}", served.ours),
        format!("{:.1}", served.theirs),
        format!("{:.1}", served.beside),
        format!("{:.1}", served.foreign),
        format!("{:.0}", figures.memory),
        format!("{:.1}", released.wall),
        requests(released),
        format!("{:.2}", released.called / claims),
        format!("{:.0}", released.status_writes),
    ]
}

/// Each figure that has a target, beside it.
fn judged(measured: &Measured) -> Vec<Vec<String>> {
    let mut rows = vec![["target", "claims", "at most", "measured", "verdict"].map(str::to_owned).to_vec()];
    let mut add = |what: String, claims: usize, most: f64, is: f64| {
        let verdict = if is <= most { "met" } else { "MISSED" }.to_owned();
        rows.push(vec![what, claims.to_string(), format!("{most}"), format!("{is:.2}"), verdict]);
    };
    for (case, figures) in measured.iter().filter(|(case, _)| case.claims == MANY) {
        let (name, claims, cost) = (case.name, case.claims, &figures.served);
        add(format!("{name}: seconds until all are served"), claims, TARGET_SECONDS, cost.wall);
        // What the clock would show if nobody else had used the machine, and both cores had always had work.
        add(format!("{name}: processor seconds over two cores"), claims, TARGET_SECONDS, cost.processor() / 2.0);
        add(format!("{name}: writes of the status of pools"), claims, TARGET_WRITES, cost.status_writes);
        let released = figures.released.status_writes;
        add(format!("{name}: the same while all are released"), claims, TARGET_WRITES, released);
    }
    if let [(few, cheap), (many, dear), ..] = measured
        && (few.claims, many.claims) == (FEW, MANY)
    {
        let ratio =
            |of: fn(&Cost) -> f64| of(&dear.served) / many.claims as f64 / (of(&cheap.served) / few.claims as f64);
        let text = |what: &str| format!("{what} of a claim, as a multiple of one among {FEW}");
        add(text("seconds"), MANY, TARGET_RATIO, ratio(|cost| cost.wall));
        add(text("processor seconds"), MANY, TARGET_RATIO, ratio(Cost::processor));
        add(text("our processor seconds"), MANY, TARGET_RATIO, ratio(|cost| cost.ours));
    }
    rows
}

async fn measure(scene: &Scene, case: &Case) -> Result<Figures> {
    let stage = Stage::new(scene, case).await?;
    forget_peak(scene.ours.process.pid)?;
    let before = Reading::take(scene).await?;
    let start = std::time::Instant::now();
    stage.claim_all().await?;
    let created = start.elapsed().as_secs_f64();
    stage.told(before.granted).await?;
    let told = Reading::take(scene).await?;
    stage.check().await?;
    let memory = peak(scene.ours.process.pid)?;
    let checked = Reading::take(scene).await?;
    stage.release_all().await?;
    let released = Reading::take(scene).await?;
    stage.end().await?;
    Ok(Figures { created, served: told.since(&before), released: released.since(&checked), memory })
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
