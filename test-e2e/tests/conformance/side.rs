//! One of the two servers: sends requests, remembers what it saw, and makes its answers comparable.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::http::Request;
use futures::io::{AsyncBufReadExt as _, Lines};
use futures::{AsyncBufRead, StreamExt as _};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

use super::kinds::KINDS;
use super::mask::Known;
use super::ops::{Name, Op, Query, Seen, Since};

/// How long events of a watch may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// What a server answered.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    /// HTTP status.
    pub(crate) code: u16,
    /// Body; text that is no JSON is left out.
    pub(crate) body: Value,
}

/// What is remembered of one object.
#[derive(Debug, Default)]
struct Object {
    last: Option<Value>,
    versions: Vec<String>,
    uids: Vec<String>,
}

type Stream = Lines<Pin<Box<dyn AsyncBufRead + Send>>>;

/// A watch that is open.
struct Watch {
    kind: usize,
    since: Since,
    stream: Stream,
}

/// One server, and what was seen of it.
pub(crate) struct Side {
    client: Client,
    namespace: String,
    objects: BTreeMap<(usize, Name), Object>,
    /// Names that the server made up.
    generated: Vec<String>,
    /// Version of the last list of each kind.
    lists: BTreeMap<usize, String>,
    /// The last continuation of each kind.
    tokens: BTreeMap<usize, (Query, String)>,
    watches: Vec<Watch>,
    marks: usize,
    /// What is masked so far.
    pub(crate) known: Known,
}

/// The name of the object that ends the reading of a watch.
pub(crate) const SENTINEL: Name = Name::Fixed("sentinel");

impl Side {
    pub(crate) fn new(client: Client, namespace: &str) -> Self {
        Self {
            client,
            namespace: namespace.to_owned(),
            objects: BTreeMap::new(),
            generated: Vec::new(),
            lists: BTreeMap::new(),
            tokens: BTreeMap::new(),
            watches: Vec::new(),
            marks: 0,
            known: Known::default(),
        }
    }

    /// Makes the request of a step; `None` for steps about watches.
    pub(crate) fn request(&self, op: &Op) -> Option<Request<Vec<u8>>> {
        let kind = op.kind()?;
        let root = KINDS[kind].path(&self.namespace);
        let path =
            |name: &Name, status: bool| format!("{root}/{}{}", self.text(name), if status { "/status" } else { "" });
        Some(match op {
            Op::Create { name, changes, .. } => {
                let mut body = KINDS[kind].body();
                body["metadata"] = match name {
                    Some(name) => json!({ "name": self.text(name) }),
                    // Numbered, so that lists have the same order on both sides.
                    None => json!({ "generateName": format!("gen-{:04}-", self.generated.len()) }),
                };
                for change in changes {
                    change.apply(&mut body);
                }
                build("POST", &root, &body)
            }
            Op::Get { name, status, .. } => build("GET", &path(name, *status), &Value::Null),
            Op::List { query, .. } => build("GET", &format!("{root}?{}", self.query(kind, query)), &Value::Null),
            Op::Patch { name, status, body, version, uid, .. } => {
                let mut body = body.clone();
                if body.is_object() {
                    self.guard(kind, name, *version, *uid, &mut body["metadata"]);
                }
                build("PATCH", &path(name, *status), &body)
            }
            Op::Put { name, status, changes, version, .. } => {
                let seen = self.objects.get(&(kind, name.clone())).and_then(|object| object.last.clone());
                let mut body = seen.unwrap_or_else(|| {
                    let mut body = KINDS[kind].body();
                    body["metadata"] = json!({ "name": self.text(name) });
                    body
                });
                if let Some(metadata) = body["metadata"].as_object_mut() {
                    metadata.remove("resourceVersion");
                    metadata.remove("managedFields");
                }
                for change in changes {
                    change.apply(&mut body);
                }
                self.guard(kind, name, *version, Seen::No, &mut body["metadata"]);
                build("PUT", &path(name, *status), &body)
            }
            Op::Delete { name, version, uid, policy, .. } => {
                let mut body = json!({ "apiVersion": "v1", "kind": "DeleteOptions" });
                self.guard(kind, name, *version, *uid, &mut body["preconditions"]);
                if let Some(policy) = policy {
                    body["propagationPolicy"] = json!(policy);
                }
                build("DELETE", &path(name, false), &body)
            }
            Op::DeleteAll { labels, .. } => {
                // The sentinel stays.
                let query = encode(&[("labelSelector", labels), ("fieldSelector", "metadata.name!=sentinel")]);
                build("DELETE", &format!("{root}?{query}"), &Value::Null)
            }
            Op::Watch { .. } | Op::Compare => return None,
        })
    }

    fn text(&self, name: &Name) -> String {
        match name {
            Name::Fixed(name) => (*name).to_owned(),
            Name::Generated(n) => self.generated.get(*n).cloned().unwrap_or_else(|| "none".to_owned()),
        }
    }

    fn guard(&self, kind: usize, name: &Name, version: Seen, uid: Seen, place: &mut Value) {
        let object = self.objects.get(&(kind, name.clone()));
        let pick = |list: Option<&Vec<String>>, which: Seen, wrong: &str| match which {
            Seen::No => None,
            Seen::Last => list?.last().cloned(),
            Seen::Older => list?.iter().rev().nth(1).cloned(),
            Seen::Wrong => Some(wrong.to_owned()),
        };
        let version = pick(object.map(|object| &object.versions), version, "1");
        let uid = pick(object.map(|object| &object.uids), uid, "00000000-0000-4000-8000-000000000000");
        for (member, value) in [("resourceVersion", version), ("uid", uid)] {
            if let (Some(value), true) = (value, place.is_null() || place.is_object()) {
                place[member] = json!(value);
            }
        }
        if place.is_null() {
            *place = json!({});
        }
    }

    fn since(&self, kind: usize, since: Since) -> String {
        let first = || self.objects.iter().find(|((of, name), _)| *of == kind && *name != SENTINEL);
        match since {
            Since::Zero => "0".to_owned(),
            Since::List => self.lists.get(&kind).cloned().unwrap_or_default(),
            Since::Object => first().and_then(|(_, object)| object.versions.first().cloned()).unwrap_or_default(),
        }
    }

    fn query(&self, kind: usize, query: &Query) -> String {
        if query.goes_on
            && let Some((first, token)) = self.tokens.get(&kind)
        {
            let limit = first.limit.to_string();
            return encode(&[
                ("labelSelector", first.labels),
                ("fieldSelector", first.fields),
                ("limit", &limit),
                ("continue", token),
            ]);
        }
        let limit = if query.limit > 0 { query.limit.to_string() } else { String::new() };
        let version = query.version.map(|since| self.since(kind, since)).unwrap_or_default();
        encode(&[
            ("labelSelector", query.labels),
            ("fieldSelector", query.fields),
            ("limit", &limit),
            ("resourceVersion", &version),
            ("resourceVersionMatch", query.rule),
        ])
    }

    /// The way to the server.
    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    /// Remembers what an answer shows.
    pub(crate) fn learn(&mut self, op: &Op, answer: &Answer) {
        let Some(kind) = op.kind().filter(|_| answer.code < 300) else { return };
        let body = &answer.body;
        if let Op::List { query, .. } = op {
            self.lists.insert(kind, body["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned());
            match body["metadata"]["continue"].as_str().filter(|token| !token.is_empty()) {
                Some(token) => {
                    let first = self.tokens.get(&kind).filter(|_| query.goes_on).map(|(first, _)| first.clone());
                    self.tokens.insert(kind, (first.unwrap_or_else(|| query.clone()), token.to_owned()));
                }
                None => {
                    self.tokens.remove(&kind);
                }
            }
            return;
        }
        let name = match op {
            Op::Create { name: None, .. } => {
                self.generated.push(body["metadata"]["name"].as_str().unwrap_or_default().to_owned());
                Name::Generated(self.generated.len() - 1)
            }
            Op::Create { name: Some(name), .. }
            | Op::Get { name, .. }
            | Op::Patch { name, .. }
            | Op::Put { name, .. }
            | Op::Delete { name, .. } => name.clone(),
            Op::List { .. } | Op::DeleteAll { .. } | Op::Watch { .. } | Op::Compare => return,
        };
        // A body may have said another name than the step.
        if body["kind"] == "Status" || body["metadata"]["name"] != json!(self.text(&name)) {
            return;
        }
        let object = self.objects.entry((kind, name)).or_default();
        for (member, list) in [("resourceVersion", &mut object.versions), ("uid", &mut object.uids)] {
            let text = body["metadata"][member].as_str().unwrap_or_default();
            if list.last().is_none_or(|last| last != text) {
                list.push(text.to_owned());
            }
        }
        object.last = Some(body.clone());
    }

    /// Opens a watch.
    pub(crate) async fn watch(&mut self, kind: usize, labels: &str, since: Since) -> Result<()> {
        let version = self.since(kind, since);
        let query = encode(&[
            ("watch", "true"),
            ("labelSelector", labels),
            ("resourceVersion", &version),
            ("timeoutSeconds", "600"),
        ]);
        let request = build("GET", &format!("{}?{query}", KINDS[kind].path(&self.namespace)), &Value::Null);
        let client = self.client.clone();
        let reader: Pin<Box<dyn AsyncBufRead + Send>> = Box::pin(client.request_stream(request).await?);
        // Without a list there was no version, which is any.
        let since = if version.is_empty() { Since::Zero } else { since };
        self.watches.push(Watch { kind, since, stream: reader.lines() });
        Ok(())
    }

    /// Marks the sentinel of the oldest watch's kind; all events before the mark are then told by [`Side::told`].
    pub(crate) fn mark(&mut self) -> Option<Op> {
        let kind = self.watches.first()?.kind;
        self.marks += 1;
        let body = json!({ "metadata": { "annotations": { "mark": self.marks.to_string() } } });
        Some(Op::Patch { kind, name: SENTINEL, status: false, body, version: Seen::No, uid: Seen::No })
    }

    /// The events of the oldest watch up to the mark; closes it.
    pub(crate) async fn told(&mut self) -> Result<Vec<Value>> {
        let mut watch = self.watches.remove(0);
        let mark = json!(self.marks.to_string());
        let mut events = Vec::new();
        loop {
            let line = tokio::time::timeout(PATIENCE, watch.stream.next()).await;
            let Some(line) = line.with_context(|| format!("no further event after {events:#?}"))? else { break };
            let event: Value = serde_json::from_str(&line?)?;
            let marked = event["object"]["metadata"]["annotations"]["mark"] == mark;
            let over = marked || event["type"] == "ERROR";
            events.push(event);
            if over {
                break;
            }
        }
        if watch.since == Since::Zero {
            // Where such a watch begins is open: what it says last about each object counts.
            let mut last = BTreeMap::new();
            for event in events {
                let gone = event["type"] == "DELETED";
                last.insert(event["object"]["metadata"]["name"].to_string(), (gone, event["object"].clone()));
            }
            events = last.into_values().filter(|(gone, _)| !gone).map(|(_, object)| object).collect();
        }
        Ok(events)
    }

    /// Makes a value comparable with that of the other side.
    pub(crate) fn mask(&mut self, value: Value) -> Value {
        self.known.mask(value, &self.generated)
    }
}

/// Sends a request.
pub(crate) async fn send(client: &Client, request: Request<Vec<u8>>) -> Result<Answer> {
    let answer = client.send(request.map(Body::from)).await?;
    let code = answer.status().as_u16();
    let bytes = answer.into_body().collect_bytes().await?;
    Ok(Answer { code, body: serde_json::from_slice(&bytes).unwrap_or_default() })
}

fn build(method: &str, path: &str, body: &Value) -> Request<Vec<u8>> {
    let bytes = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    let format = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
    let request = Request::builder().method(method).uri(path).header("content-type", format);
    request.body(bytes).unwrap()
}

fn encode(parameters: &[(&str, &str)]) -> String {
    let escape = |text: &str| {
        text.bytes()
            .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
            .collect::<String>()
    };
    let given = parameters.iter().filter(|(_, value)| !value.is_empty());
    given.map(|(name, value)| format!("{name}={}", escape(value))).collect::<Vec<_>>().join("&")
}
