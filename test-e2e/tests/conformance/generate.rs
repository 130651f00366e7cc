//! Random sequences over few names, so that collisions, conflicts and finalizers are frequent.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use super::kinds::{KINDS, Subject};
use super::ops::{Change, Name, Op, Query, Seen, Since};

const NAMES: [&str; 3] = ["a", "b", "c"];
/// All but the last two match the sentinel, whose label `l` is `a`: those can be watched.
const LABELS: [&str; 8] = ["", "l=a", "l", "!m", "l!=b", "l in (a, c),m notin (x)", "l=b", "l in (b"];
const FIELDS: [&str; 5] =
    ["", "metadata.name=a", "metadata.name!=a", "metadata.name=a,metadata.namespace=none", "spec.x=1"];
const OPEN: usize = 3;

/// Makes steps.
pub(crate) struct Generator {
    rng: StdRng,
    open: usize,
}

impl Generator {
    /// The same number makes the same steps.
    pub(crate) fn new(seed: u64) -> Self {
        Self { rng: StdRng::seed_from_u64(seed), open: 0 }
    }

    /// The next step.
    pub(crate) fn op(&mut self) -> Op {
        let kind = self.kind();
        match self.rng.random_range(0..100) {
            0..20 => self.create(kind),
            20..28 => Op::Get { kind, name: self.name(), status: self.status(kind) },
            28..38 => Op::List { kind, query: self.query() },
            38..62 => self.patch(kind),
            62..76 => self.put(kind),
            76..94 => self.delete(kind),
            94..95 => Op::DeleteAll { kind, labels: LABELS[..4].choose(&mut self.rng).copied().unwrap_or_default() },
            95..98 if self.open < OPEN => {
                self.open += 1;
                let since = *[Since::Zero, Since::List, Since::List, Since::Object].choose(&mut self.rng).unwrap();
                Op::Watch { kind, labels: LABELS[..6].choose(&mut self.rng).copied().unwrap_or_default(), since }
            }
            _ if self.open > 0 => {
                self.open -= 1;
                Op::Compare
            }
            _ => Op::Get { kind, name: self.name(), status: false },
        }
    }

    fn chance(&mut self, of_hundred: u32) -> bool {
        self.rng.random_range(0..100) < of_hundred
    }

    fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of.choose(&mut self.rng).cloned().unwrap()
    }

    fn kind(&mut self) -> usize {
        // The first ones are what the controller of this project lives on.
        if self.chance(60) { self.rng.random_range(0..4) } else { self.rng.random_range(0..KINDS.len()) }
    }

    fn name(&mut self) -> Name {
        if self.chance(8) { Name::Generated(self.rng.random_range(0..8)) } else { Name::Fixed(self.pick(&NAMES)) }
    }

    /// Mostly where there is one; else that is an error, too.
    fn status(&mut self, kind: usize) -> bool {
        let chance = if KINDS[kind].status { 45 } else { 4 };
        self.chance(chance)
    }

    fn seen(&mut self) -> Seen {
        self.pick(&[Seen::No, Seen::No, Seen::No, Seen::Last, Seen::Last, Seen::Older, Seen::Wrong])
    }

    fn create(&mut self, kind: usize) -> Op {
        let mut changes = self.metadata();
        let name = (!self.chance(8)).then(|| self.name());
        if name.is_some() {
            changes.extend(self.odd_identity());
        }
        changes.extend(self.mistakes(&KINDS[kind], &["spec", "status"]));
        if self.chance(70) {
            changes.push(set(&["metadata", "labels", "l"], json!(self.pick(&["a", "b", "c"]))));
        }
        Op::Create { kind, name, changes }
    }

    fn put(&mut self, kind: usize) -> Op {
        let status = self.status(kind);
        let mut changes = if self.chance(40) { self.metadata() } else { Vec::new() };
        if KINDS[kind].custom && self.chance(30) {
            changes.extend(self.odd_identity().filter(|change| !change.is_forgotten(status)));
        }
        if self.chance(70) {
            changes.extend(self.valid_change(&KINDS[kind]));
        }
        if self.chance(40) {
            changes.extend(self.wrong_changes(&KINDS[kind], status));
        }
        let version = self.pick(&[Seen::Last, Seen::Last, Seen::Last, Seen::Last, Seen::Older, Seen::No, Seen::Wrong]);
        Op::Put { kind, name: self.name(), status, changes, version }
    }

    fn patch(&mut self, kind: usize) -> Op {
        let mut body = json!({});
        let status = self.status(kind);
        if self.chance(2) {
            body = self.pick(&[json!([]), json!("x"), json!(null)]);
        } else {
            let mut changes = if self.chance(50) { self.metadata() } else { Vec::new() };
            if KINDS[kind].custom && self.chance(30) {
                changes.extend(self.odd_identity().filter(|change| !change.is_forgotten(status)));
            }
            if self.chance(60) {
                changes.extend(self.valid_change(&KINDS[kind]));
            }
            if self.chance(35) {
                changes.extend(self.wrong_changes(&KINDS[kind], status));
            }
            for change in changes {
                // In a merge patch null removes.
                let value = Some(change.value.unwrap_or(Value::Null));
                let path = change.path;
                // A merge patch has no positions: the list as a whole, with one item.
                match path.iter().position(|step| step.parse::<usize>().is_ok()) {
                    Some(0) => {}
                    Some(at) => Change { path: path[..at].to_vec(), value: Some(json!([value])) }.apply(&mut body),
                    None => Change { path, value }.apply(&mut body),
                }
            }
        }
        let uid = self.seen();
        Op::Patch { kind, name: self.name(), status, body, version: self.seen(), uid }
    }

    fn delete(&mut self, kind: usize) -> Op {
        let policy = self.pick(&[None, None, Some("Background"), Some("Nonsense")]);
        Op::Delete { kind, name: self.name(), version: self.seen(), uid: self.seen(), policy }
    }

    fn query(&mut self) -> Query {
        let mut query = Query { labels: self.pick(&LABELS), ..Query::default() };
        if self.chance(30) {
            query.fields = self.pick(&FIELDS);
        }
        if self.chance(50) {
            query.limit = self.rng.random_range(1..3);
        }
        if self.chance(40) {
            query.version = Some(self.pick(&[Since::Zero, Since::List, Since::Object]));
            query.rule = self.pick(&["", "", "Exact", "NotOlderThan"]);
        } else if self.chance(5) {
            query.rule = "Exact";
        }
        if query.fields.contains("name=") && query.version.is_some() {
            // Pages of a single object are decided differently from release to release.
            query.limit = 0;
        }
        query.goes_on = self.chance(40);
        query
    }

    /// Labels, annotations and finalizers, mostly valid.
    fn metadata(&mut self) -> Vec<Change> {
        let mut changes = Vec::new();
        if self.chance(40) {
            let value = self.pick(&[json!("a"), json!("b"), json!(""), json!(null)]);
            changes.push(set(&["metadata", "labels", "l"], value));
        }
        if self.chance(20) {
            changes.push(set(&["metadata", "labels", "m"], self.pick(&[json!("x"), json!("y"), json!(null)])));
        }
        if self.chance(20) {
            changes.push(set(
                &["metadata", "annotations", "x.io/note"],
                self.pick(&[json!("1"), json!("2"), json!(null)]),
            ));
        }
        if self.chance(35) {
            let lists =
                [json!([]), json!(null), json!(["x.io/one"]), json!(["x.io/one", "x.io/two"]), json!(["x.io/two"])];
            changes.push(set(&["metadata", "finalizers"], self.pick(&lists)));
        }
        if self.chance(6) {
            changes.push(self.bad_metadata());
        }
        changes
    }

    fn bad_metadata(&mut self) -> Change {
        let table: [(&[&str], Value); 17] = [
            (&["metadata", "labels", "-bad"], json!("x")),
            (&["metadata", "labels", "l"], json!("not a value")),
            (&["metadata", "labels", "l"], json!("x".repeat(64))),
            (&["metadata", "labels", "l"], json!(5)),
            (&["metadata", "labels"], json!([])),
            (&["metadata", "labels"], json!({})),
            (&["metadata", "annotations", "Not/Valid/Key"], json!("x")),
            (&["metadata", "annotations", "X.io/UPPER"], json!("x")),
            (&["metadata", "finalizers"], json!(["no slash"])),
            (&["metadata", "finalizers"], json!(["x.io/one", "x.io/one"])),
            (&["metadata", "finalizers"], json!("x.io/one")),
            (&["metadata", "ownerReferences"], json!([{ "name": "a" }])),
            (&["metadata", "ownerReferences"], json!([])),
            (
                &["metadata", "ownerReferences"],
                json!([{ "apiVersion": "v1", "kind": "Event", "name": "a", "uid": "u" }]),
            ),
            (&["metadata", "generation"], json!(77)),
            (&["metadata", "unknown"], json!(1)),
            (&["metadata", "creationTimestamp"], json!("2020-01-01T00:00:00Z")),
        ];
        let (path, value) = self.pick(&table);
        set(path, value)
    }

    /// A body that says it is something else.
    fn odd_identity(&mut self) -> Option<Change> {
        let table: [(&[&str], Value); 10] = [
            (&["kind"], json!("Other")),
            (&["kind"], json!(null)),
            (&["kind"], json!("")),
            (&["apiVersion"], json!("other.io/v1")),
            (&["metadata", "namespace"], json!("elsewhere")),
            (&["metadata", "name"], json!("other")),
            (&["metadata", "name"], json!("Not-Valid")),
            (&["metadata", "generateName"], json!("gen-")),
            (&["metadata", "generateName"], json!("Gen_")),
            (&["metadata", "deletionTimestamp"], json!("2020-01-01T00:00:00Z")),
        ];
        self.chance(7).then(|| {
            let (path, value) = self.pick(&table);
            set(path, value)
        })
    }

    /// Puts a part of the kind's full body there, or takes it away where it may be absent.
    fn valid_change(&mut self, kind: &Subject) -> Vec<Change> {
        let body = kind.body();
        let mut changes = Vec::new();
        for part in ["spec", "status", "data"] {
            let Some(members) = body[part].as_object() else { continue };
            for (name, value) in members {
                if self.chance(30) {
                    changes.push(set(&[part, name], value.clone()));
                } else if kind.custom && self.chance(8) {
                    changes.push(Change { path: vec![part.to_owned(), name.clone()], value: None });
                }
            }
        }
        if kind.custom && self.chance(10) {
            changes.push(set(&["status"], self.pick(&[json!({}), json!(null), body["status"].clone()])));
        }
        changes
    }

    /// Mistakes in what a write of an object, or of its status, changes.
    fn wrong_changes(&mut self, kind: &Subject, status: bool) -> Vec<Change> {
        let mut changes = self.mistakes(kind, writable(kind, status));
        // What stands there may be 24, and then only the real server sees a change (`ACCEPTED`).
        changes.retain(|change| change.value != Some(json!(24.0)));
        changes
    }

    /// Values of wrong types and out of range, missing members, unknown members; none for built-in kinds.
    fn mistakes(&mut self, kind: &Subject, parts: &[&str]) -> Vec<Change> {
        if !kind.custom || self.chance(55) {
            return Vec::new();
        }
        let body = kind.body();
        let mut places = Vec::new();
        for part in parts {
            collect(&body[*part], &mut vec![(*part).to_owned()], &mut places);
        }
        if places.is_empty() {
            return Vec::new();
        }
        let count = self.rng.random_range(1..4);
        (0..count).map(|_| self.mistake(kind, &places)).collect()
    }

    fn mistake(&mut self, kind: &Subject, places: &[Vec<String>]) -> Change {
        let mut path = self.pick(places);
        if kind.whole && self.chance(15) {
            path.pop();
            path.push("unknown".to_owned());
        }
        let scalars = [
            json!(null),
            json!(""),
            json!("x"),
            json!("UPPER case"),
            json!("x".repeat(400)),
            json!("10.0.0.1"),
            json!(0),
            json!(-1),
            json!(129),
            json!(1.5),
            json!(24.0),
            json!(70_000),
            json!(5_000_000_000_i64),
            json!(true),
        ];
        let compounds =
            [json!([]), json!({}), json!({ "a": "b" }), json!([null]), json!(["x", "x"]), json!([{ "type": "T" }])];
        let value = if self.chance(20) {
            None
        } else if kind.whole && self.chance(30) {
            Some(self.pick(&compounds))
        } else {
            Some(self.pick(&scalars))
        };
        Change { path, value }
    }
}

/// The parts that a write changes. Wrong types in the others make the real server forget who manages which field, which
/// is a change in its eyes.
fn writable(kind: &Subject, status: bool) -> &'static [&'static str] {
    match (kind.status, status) {
        (true, true) => &["status"],
        (true, false) => &["spec"],
        (false, _) => &["spec", "status"],
    }
}

fn set(path: &[&str], value: Value) -> Change {
    Change { path: path.iter().map(|step| (*step).to_owned()).collect(), value: Some(value) }
}

/// Every path below a value.
fn collect(value: &Value, path: &mut Vec<String>, places: &mut Vec<Vec<String>>) {
    if value.is_null() {
        return;
    }
    places.push(path.clone());
    let inner: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(name, member)| (name.clone(), member)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(i, item)| (i.to_string(), item)).collect(),
        _ => Vec::new(),
    };
    for (step, value) in inner {
        path.push(step);
        collect(value, path, places);
        path.pop();
    }
}
