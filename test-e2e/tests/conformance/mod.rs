//! Plays random requests to the simulated and to the real API server, and compares what they answer.

pub(crate) mod garbage;
pub(crate) mod generate;
pub(crate) mod kinds;
pub(crate) mod mask;
pub(crate) mod ops;
pub(crate) mod side;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use kube::Client;
use serde_json::{Value, json};
use sim::kube::{Kind, Server};
use test_e2e::level_a::ControlPlane;

use kinds::KINDS;
use mask::Order;
use ops::{Change, Op};
use side::{Answer, SENTINEL, Side, send};

/// Everything that may differ, and why. Nothing of it can be seen by a controller of this project.
pub(crate) const ACCEPTED: &[(&str, &str)] = &[
    (
        "how old a version a watch or a list may begin at",
        "the real cache forgets sooner under load and the storage after minutes, and they say so by code 410",
    ),
    ("texts of failures and of their causes", "written here; code, reason, field and details are compared"),
    ("how often the same cause is told", "the real server looks at some rules two to four times"),
    (
        "whether a write that changes nothing is one",
        "wrong types where it cannot write, another deletionTimestamp, and another kind or apiVersion of a status make \
         the real server forget who manages which field, which is a change in its eyes, and so is 1.0 in the place of \
         1; no client here sends them, nor does the comparison",
    ),
    ("retryAfterSeconds", "advice that no client here reads"),
    ("managedFields, selfLink", "not simulated"),
    (
        "the moment at which a list or watch from version 0 begins",
        "the real cache may be behind; contents are compared",
    ),
    (
        "whom a second deletion in the foreground takes along, or one whose dependents do not block it or have other \
         owners, too; which of two owners that go at once is lost first",
        "with the real collector that depends on the moment: its workers race with each other",
    ),
    ("types of built-in kinds", "Secret and Lease are not checked by the simulation; only valid ones are sent"),
];

/// The server that is right.
#[derive(Clone)]
pub(crate) enum Right {
    /// A real API server.
    Real(&'static ControlPlane, Client),
    /// A simulated one with these kinds, to try the comparison itself.
    Simulated(Vec<Kind>),
}

/// What is compared: the right server, and a simulated one with these kinds.
#[derive(Clone)]
pub(crate) struct Pair {
    pub(crate) right: Right,
    pub(crate) kinds: Vec<Kind>,
}

/// Two empty namespaces of one name, one on each side.
pub(crate) struct World {
    real: Side,
    simulated: Side,
    order: Order,
    /// Requests compared.
    pub(crate) compared: usize,
}

/// Two answers that differ.
#[derive(Debug)]
pub(crate) struct Difference {
    /// The step.
    pub(crate) at: usize,
    /// What differs.
    pub(crate) text: String,
}

impl World {
    /// Makes the namespaces, and in them a sentinel of each kind.
    pub(crate) async fn new(pair: &Pair) -> Result<Self> {
        let simulate = |kinds: &Vec<Kind>, namespace: &str| {
            let server = Server::new(kinds.clone(), jiff::Timestamp::now);
            server.add_namespace(namespace);
            server.client("test")
        };
        let (namespace, right) = match &pair.right {
            Right::Real(plane, client) => (plane.namespace("sim").await?, client.clone()),
            Right::Simulated(kinds) => ("sim".to_owned(), simulate(kinds, "sim")),
        };
        let mut world = Self {
            real: Side::new(right, &namespace),
            simulated: Side::new(simulate(&pair.kinds, &namespace), &namespace),
            order: Order::default(),
            compared: 0,
        };
        for kind in 0..KINDS.len() {
            let label = |name: &str| Change {
                path: ["metadata", "labels", name].map(ToOwned::to_owned).to_vec(),
                value: Some(json!("a")),
            };
            let make = Op::Create { kind, name: Some(SENTINEL), changes: vec![label("l")] };
            world.step(&make).await?.map_or(Ok(()), |text| Err(anyhow::anyhow!("{text}"))).context("a sentinel")?;
        }
        Ok(world)
    }

    /// Plays a sequence until the first difference.
    pub(crate) async fn play(&mut self, ops: &[Op]) -> Result<Option<Difference>> {
        for (at, op) in ops.iter().enumerate() {
            if let Some(text) = self.step(op).await.with_context(|| format!("step {at}: {op:?}"))? {
                return Ok(Some(Difference { at, text }));
            }
        }
        Ok(None)
    }

    async fn step(&mut self, op: &Op) -> Result<Option<String>> {
        match op {
            Op::Watch { kind, labels, since } => {
                self.real.watch(*kind, labels, *since).await?;
                self.simulated.watch(*kind, labels, *since).await?;
                self.compared += 1;
                Ok(None)
            }
            Op::Compare => {
                let (Some(mark), Some(_)) = (self.real.mark(), self.simulated.mark()) else { return Ok(None) };
                if let Some(text) = self.exchange(&mark).await? {
                    return Ok(Some(text));
                }
                let (real, simulated) = (self.real.told().await?, self.simulated.told().await?);
                // Nothing of it is remembered then on either side.
                if real.first().is_some_and(|event| event["object"]["code"] == 410) {
                    return Ok(None);
                }
                let real = self.real.mask(Value::Array(real));
                let simulated = self.simulated.mask(Value::Array(simulated));
                Ok(self.compare(|| json!("events of a watch"), &real, &simulated))
            }
            _ => self.exchange(op).await,
        }
    }

    /// Asks both sides. A list that may be old is asked for again while it differs.
    async fn exchange(&mut self, op: &Op) -> Result<Option<String>> {
        let (Some(to_real), Some(to_simulated)) = (self.real.request(op), self.simulated.request(op)) else {
            return Ok(None);
        };
        let (to_real_server, to_simulated_one) = (self.real.client(), self.simulated.client());
        let simulated = send(&to_simulated_one, to_simulated).await?;
        let mut real = send(&to_real_server, to_real.clone()).await?;
        let patience = Instant::now() + Duration::from_secs(10);
        let may_be_old = may_be_old(op) && !to_real.uri().query().unwrap_or_default().contains("continue=");
        while may_be_old && names(&real) != names(&simulated) && Instant::now() < patience {
            tokio::time::sleep(Duration::from_millis(20)).await;
            real = send(&to_real_server, to_real.clone()).await?;
        }
        // Nothing of it is remembered then on either side.
        if real.code == 410 && matches!(op, Op::List { .. }) {
            return Ok(None);
        }
        self.compared += 1;
        self.real.learn(op, &real);
        self.simulated.learn(op, &simulated);
        let request = || {
            json!({ "method": to_real.method().as_str(), "uri": to_real.uri().to_string(),
                "body": serde_json::from_slice::<Value>(to_real.body()).unwrap_or_default() })
        };
        let one = json!({ "code": real.code, "body": self.real.mask(real.body) });
        let other = json!({ "code": simulated.code, "body": self.simulated.mask(simulated.body) });
        Ok(self.compare(request, &one, &other))
    }

    fn compare(&mut self, request: impl Fn() -> Value, real: &Value, simulated: &Value) -> Option<String> {
        if real != simulated {
            return Some(format!("request {:#}\nreal {real:#}\nsimulated {simulated:#}", request()));
        }
        let order = self.order.check(&self.real.known, &self.simulated.known);
        order.err().map(|error| format!("request {:#}\n{error}", request()))
    }
}

fn may_be_old(op: &Op) -> bool {
    matches!(op, Op::List { query, .. } if query.version.is_some() && query.rule != "Exact")
}

/// What a list has, without what each side makes up for itself.
fn names(answer: &Answer) -> (u16, String) {
    let items = answer.body["items"].as_array().cloned().unwrap_or_default();
    let told = items.into_iter().map(|mut item| {
        let metadata = item["metadata"].take();
        let name = metadata["name"].as_str().unwrap_or_default();
        // Without the five letters behind a number.
        let name = if name.starts_with("gen-") { &name[..name.len().min("gen-0000-".len())] } else { name };
        let kept = ["labels", "annotations", "finalizers", "generation"];
        json!([name, kept.map(|name| metadata[name].clone()), item])
    });
    (answer.code, told.map(|item| item.to_string()).collect())
}

/// The shortest sequence found that still shows a difference: first what concerns the same kind, then ever smaller
/// parts left out.
pub(crate) async fn shrink(pair: &Pair, ops: &[Op], found: Difference) -> Result<(Vec<Op>, Difference)> {
    let until = Instant::now() + Duration::from_mins(2);
    let mut best = (ops[..=found.at].to_vec(), found);
    let kind = best.0.last().and_then(Op::kind);
    let same: Vec<Op> = best.0.iter().filter(|op| kind.is_none() || op.kind() == kind).cloned().collect();
    if let Some(shorter) = still(pair, &same).await? {
        best = shorter;
    }
    let mut part = best.0.len() / 2;
    while part > 0 && Instant::now() < until {
        let mut at = 0;
        while at < best.0.len() && Instant::now() < until {
            let end = (at + part).min(best.0.len());
            let less = [&best.0[..at], &best.0[end..]].concat();
            match still(pair, &less).await? {
                Some(shorter) => best = shorter,
                None => at = end,
            }
        }
        part /= 2;
    }
    Ok(best)
}

async fn still(pair: &Pair, ops: &[Op]) -> Result<Option<(Vec<Op>, Difference)>> {
    let found = World::new(pair).await?.play(ops).await?;
    Ok(found.map(|found| (ops[..=found.at].to_vec(), found)))
}
