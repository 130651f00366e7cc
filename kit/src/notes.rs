//! [`Recorder`]: publishes Kubernetes events (core/v1) without ever delaying a pass.
//!
//! Best effort: a bounded queue in front of one task; when it is full, events are dropped and counted. An event
//! that repeats (same object, type, reason and message) within [`REPEAT`] raises the count of the first one.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Event, EventSource};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use prometheus_client::metrics::counter::Counter;
use serde_json::json;
use tokio::sync::mpsc;

use crate::client::Io;
use crate::clock::Clock;
use crate::diff;
use crate::key::{Key, Target};
use crate::pass::{Note, Write};

/// Events waiting to be published.
const QUEUE: usize = 1024;
/// Within this time equal events are one.
const REPEAT: Duration = Duration::from_mins(6);
/// Equal events remembered at most.
const REMEMBERED: usize = 4096;
/// Longest message that the API server takes.
const MESSAGE_LIMIT: usize = 1024;

#[derive(Debug)]
struct Order {
    component: &'static str,
    note: Note,
    at: Timestamp,
}

/// Takes notes and publishes them. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Recorder {
    queue: mpsc::Sender<Order>,
    clock: Clock,
    dropped: Counter,
}

impl Recorder {
    /// Starts the publishing task; it ends when all recorders are dropped. `dropped` counts what found the queue full.
    pub fn start(io: Io, clock: Clock, dropped: Counter) -> Self {
        let (queue, orders) = mpsc::channel(QUEUE);
        tokio::spawn(publish(io, orders));
        Self { queue, clock, dropped }
    }

    /// Queues an event of a controller. Never waits.
    pub fn note(&self, component: &'static str, note: Note) {
        if self.queue.try_send(Order { component, note, at: self.clock.now() }).is_err() {
            self.dropped.inc();
        }
    }
}

/// What makes two events one.
type Identity = (String, Key, Option<String>, bool, &'static str, String);

struct Published {
    target: Target,
    count: i32,
    last: Timestamp,
}

async fn publish(io: Io, mut orders: mpsc::Receiver<Order>) {
    let mut known: BTreeMap<Identity, Published> = BTreeMap::new();
    while let Some(order) = orders.recv().await {
        forget_old(&mut known, order.at);
        let about = &order.note.about;
        let identity: Identity = (
            about.resource.kind.clone(),
            about.key.clone(),
            about.uid.clone(),
            order.note.warning,
            order.note.reason,
            order.note.message.clone(),
        );
        let write = match known.get(&identity) {
            Some(earlier) => repeat(earlier, order.at),
            None => diff::create(&event(&order)),
        };
        match io.apply(&write).await {
            Ok(_) => {
                let earlier = known.remove(&identity).map_or(0, |published| published.count);
                let target = write.target().clone();
                known.insert(identity, Published { target, count: earlier + 1, last: order.at });
            }
            Err(fault) => {
                // The next occurrence starts anew; the event may have been deleted by its time limit.
                known.remove(&identity);
                tracing::debug!(%fault, reason = order.note.reason, "event not published");
            }
        }
    }
}

fn forget_old(known: &mut BTreeMap<Identity, Published>, now: Timestamp) {
    known.retain(|_, published| age(now, published.last) < REPEAT);
    while known.len() >= REMEMBERED {
        known.pop_first();
    }
}

fn age(now: Timestamp, then: Timestamp) -> Duration {
    now.duration_since(then).try_into().unwrap_or_default()
}

fn repeat(earlier: &Published, at: Timestamp) -> Write {
    let body = json!({ "count": earlier.count + 1, "lastTimestamp": Time(at) });
    Write::Patch { target: earlier.target.clone(), body }
}

fn event(order: &Order) -> Event {
    let note = &order.note;
    let about = note.about.reference();
    let namespace = about.namespace.clone().unwrap_or_else(|| "default".to_owned());
    let prefix: String = note.about.key.name.chars().take(200).collect();
    let message: String = note.message.chars().take(MESSAGE_LIMIT).collect();
    Event {
        metadata: ObjectMeta {
            // The time in hexadecimal nanoseconds, as client-go names events.
            name: Some(format!("{prefix}.{:x}", order.at.as_nanosecond())),
            namespace: Some(namespace),
            ..ObjectMeta::default()
        },
        involved_object: about,
        type_: Some(if note.warning { "Warning" } else { "Normal" }.to_owned()),
        reason: Some(note.reason.to_owned()),
        message: Some(message),
        count: Some(1),
        first_timestamp: Some(Time(order.at)),
        last_timestamp: Some(Time(order.at)),
        source: Some(EventSource { component: Some(order.component.to_owned()), ..EventSource::default() }),
        reporting_component: Some(order.component.to_owned()),
        ..Event::default()
    }
}

impl Note {
    /// A normal event.
    pub fn normal(about: Target, reason: &'static str, message: impl Into<String>) -> Self {
        Self { about, warning: false, reason, message: message.into() }
    }
    /// An event that asks a user to act.
    pub fn warning(about: Target, reason: &'static str, message: impl Into<String>) -> Self {
        Self { about, warning: true, reason, message: message.into() }
    }
}
