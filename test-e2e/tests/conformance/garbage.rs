//! Random families of objects: what is left after deletions must be the same on both sides.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use axum::http::Request;
use kube::Client;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use sim::kube::Server;
use test_e2e::wait::until;

use super::kinds::{KINDS, Subject};
use super::side::{Answer, send};

/// The collector looks for new kinds only now and then.
const PATIENCE: Duration = Duration::from_secs(90);
/// Objects of a family.
const MEMBERS: usize = 7;
/// The uid of an owner that does not exist.
const DEAD: &str = "00000000-0000-4000-8000-000000000000";
/// Finalizer of somebody who does not let go by himself.
const HELD: &str = "x.io/held";

/// What is left: owners by name, finalizers, and whether deletion was requested.
type Left = BTreeMap<(usize, String), Value>;

/// One namespace on one side.
struct Place {
    client: Client,
    namespace: String,
}

impl Place {
    async fn ask(&self, method: &str, kind: &Subject, name: &str, body: &Value) -> Result<Answer> {
        let path = format!("{}{}{name}", kind.path(&self.namespace), if name.is_empty() { "" } else { "/" });
        let format = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
        let bytes = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let request = Request::builder().method(method).uri(path).header("content-type", format).body(bytes)?;
        send(&self.client, request).await
    }

    async fn left(&self) -> Result<Left> {
        let mut left = Left::new();
        for (n, kind) in KINDS.iter().enumerate().take(3) {
            let list = self.ask("GET", kind, "", &Value::Null).await?.body;
            for object in list["items"].as_array().into_iter().flatten() {
                let metadata = &object["metadata"];
                let owners = metadata["ownerReferences"].as_array().into_iter().flatten().map(|o| &o["name"]);
                let deleting = metadata.get("deletionTimestamp").is_some();
                // Of two owners that go at once, which one a dependent lost first depends on the moment.
                let owners = (!deleting).then(|| owners.collect::<Vec<_>>());
                let told = json!({ "owners": owners, "finalizers": metadata["finalizers"], "deleting": deleting });
                left.insert((n, metadata["name"].as_str().unwrap_or_default().to_owned()), told);
            }
        }
        Ok(left)
    }
}

/// An object: its kind, the members that own it (none is a dead one), whether each is waited for, and its finalizer.
#[derive(Debug, Clone)]
struct Member {
    kind: usize,
    owners: Vec<(Option<usize>, bool)>,
    held: bool,
}

#[derive(Debug, Clone)]
enum Deed {
    Delete(usize, Option<&'static str>),
    LetGo(usize),
}

fn family(rng: &mut StdRng) -> (Vec<Member>, Vec<Deed>) {
    // At most one in the foreground, and then a dependent has one owner and keeps it from ending (`ACCEPTED`).
    let waits = rng.random_bool(0.6);
    let member = |n: usize, rng: &mut StdRng| {
        let most = if waits { 1 } else { 2 };
        let count = if n == 0 { 0 } else { rng.random_range(0..=most) };
        let mut owners: Vec<(Option<usize>, bool)> = Vec::new();
        for _ in 0..count {
            let owner = rng.random_bool(0.9).then(|| rng.random_range(0..n));
            if owners.iter().all(|(known, _)| *known != owner) {
                owners.push((owner, waits || rng.random_bool(0.6)));
            }
        }
        Member { kind: rng.random_range(0..3), owners, held: rng.random_bool(0.25) }
    };
    let members = (0..MEMBERS).map(|n| member(n, rng)).collect();
    let mut policies = [None, Some("Background"), Some("Orphan"), if waits { Some("Foreground") } else { None }];
    policies.shuffle(rng);
    let mut deeds: Vec<Deed> =
        policies.iter().map(|policy| Deed::Delete(rng.random_range(0..MEMBERS), *policy)).collect();
    deeds.extend((0..MEMBERS).filter(|_| rng.random_bool(0.7)).map(Deed::LetGo));
    (members, deeds)
}

async fn make(place: &Place, members: &[Member]) -> Result<()> {
    let mut made: Vec<Value> = Vec::new();
    for (n, member) in members.iter().enumerate() {
        let owner = |(owner, blocks): &(Option<usize>, bool)| {
            let of = owner.map_or(
                json!({ "apiVersion": KINDS[0].version, "kind": KINDS[0].name,
                    "metadata": { "name": "dead", "uid": DEAD } }),
                |owner| made[owner].clone(),
            );
            json!({ "apiVersion": of["apiVersion"], "kind": of["kind"], "name": of["metadata"]["name"],
                "uid": of["metadata"]["uid"], "blockOwnerDeletion": blocks })
        };
        let mut body = KINDS[member.kind].body();
        body["metadata"] = json!({ "name": format!("m{n}"), "finalizers": if member.held { vec![HELD] } else { vec![] },
            "ownerReferences": member.owners.iter().map(owner).collect::<Vec<_>>() });
        let answer = place.ask("POST", &KINDS[member.kind], "", &body).await?;
        anyhow::ensure!(answer.code == 201, "{answer:?}");
        made.push(answer.body);
    }
    Ok(())
}

async fn act(place: &Place, members: &[Member], deed: &Deed) -> Result<()> {
    let (n, method, body) = match deed {
        Deed::Delete(n, None) => (n, "DELETE", Value::Null),
        Deed::Delete(n, Some(policy)) => (n, "DELETE", json!({ "propagationPolicy": policy })),
        // Only ours: finalizers of the collector stay.
        Deed::LetGo(n) => (n, "PATCH", json!({ "metadata": { "finalizers": null } })),
    };
    let kind = &KINDS[members[*n].kind];
    let name = format!("m{n}");
    if method == "PATCH" {
        let object = place.ask("GET", kind, &name, &Value::Null).await?.body;
        let others = object["metadata"]["finalizers"].as_array().into_iter().flatten().filter(|held| **held != HELD);
        let body = json!({ "metadata": { "finalizers": others.collect::<Vec<_>>() } });
        place.ask("PATCH", kind, &name, &body).await?;
        return Ok(());
    }
    place.ask(method, kind, &name, &body).await?;
    Ok(())
}

/// Waits until the collector has seen everything that was written before: orphans of a kind are deleted once their kind's
/// watch has told of them, which it does in the order of writes.
async fn has_seen(place: &Place) -> Result<()> {
    for kind in &KINDS[..3] {
        let mut body = kind.body();
        body["metadata"] = json!({ "generateName": "orphan-", "ownerReferences": [
            { "apiVersion": kind.version, "kind": kind.name, "name": "dead", "uid": DEAD }] });
        let answer = place.ask("POST", kind, "", &body).await?;
        anyhow::ensure!(answer.code == 201, "{answer:?}");
    }
    until("the collector having seen three orphans", PATIENCE, async || {
        let left = place.left().await?;
        Ok(left.keys().all(|(_, name)| !name.starts_with("orphan-")).then_some(()))
    })
    .await
}

/// Plays one family; an error tells what differs.
pub(crate) async fn play(client: Client, namespace: &str, kinds: Vec<sim::kube::Kind>, seed: u64) -> Result<usize> {
    let (members, deeds) = family(&mut StdRng::seed_from_u64(seed));
    let server = Server::new(kinds, jiff::Timestamp::now);
    server.add_namespace(namespace);
    let real = Place { client, namespace: namespace.to_owned() };
    let simulated = Place { client: server.client("test"), namespace: namespace.to_owned() };
    make(&real, &members).await?;
    make(&simulated, &members).await?;
    has_seen(&real).await?;
    for n in 0..=deeds.len() {
        while server.collect_garbage() > 0 {}
        let expected = simulated.left().await?;
        let what = format!("family {seed} {members:#?}\nafter {:#?}\nbeing {expected:#?}", &deeds[..n]);
        until(&what, PATIENCE, async || {
            let left = real.left().await?;
            anyhow::ensure!(left == expected, "real: {left:#?}");
            Ok(Some(()))
        })
        .await?;
        if let Some(deed) = deeds.get(n) {
            act(&real, &members, deed).await?;
            act(&simulated, &members, deed).await?;
        }
    }
    has_seen(&real).await?;
    let (left, expected) = (real.left().await?, simulated.left().await?);
    anyhow::ensure!(left == expected, "family {seed} later: real {left:#?}\nsimulated {expected:#?}");
    Ok(deeds.len() + 1)
}
