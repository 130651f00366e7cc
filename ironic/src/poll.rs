//! One picture of all nodes, read in bulk and kept fresh.
//!
//! [`Poller::run`] lists all nodes: often while anything moves, seldom at rest. Everybody else holds a [`Poll`]: the last
//! picture, its age, and a stream of what changed. After a request of our own, [`Poll::refresh`] reads that one node.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Notify, broadcast};
use tokio::time::{Instant, sleep_until};

use crate::client::Client;
use crate::error::{Error, ErrorKind};
use crate::node::Node;
use crate::picture::Picture;
use crate::version::Versions;

/// How often to look.
#[derive(Debug, Clone, Copy)]
pub struct PollOptions {
    /// Pause between lists while any node moves. Default 2 s.
    pub moving: Duration,
    /// Pause between lists when all nodes are at rest. Default 15 s.
    pub rest: Duration,
    /// How long to stay at the quick pace after a request of our own. Default 20 s.
    pub attentive: Duration,
    /// The longest pause after repeated failures. Default 30 s.
    pub failing: Duration,
}

impl Default for PollOptions {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { moving: seconds(2), rest: seconds(15), attentive: seconds(20), failing: seconds(30) }
    }
}

/// Something changed.
#[derive(Debug, Clone)]
pub enum Change {
    /// A node appeared, changed or went.
    Node {
        /// As it was; `None` when it appeared.
        old: Option<Arc<Node>>,
        /// As it is; `None` when it went.
        new: Option<Arc<Node>>,
    },
    /// Ironic became reachable or stopped being so; every host is concerned.
    Health,
}

impl Change {
    /// The names under which the node was or is known.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let (old, new) = match self {
            Self::Node { old, new } => (old.as_ref(), new.as_ref()),
            Self::Health => (None, None),
        };
        let new_name = new.and_then(|node| node.name.as_deref());
        let old_name = old.and_then(|node| node.name.as_deref()).filter(|name| Some(*name) != new_name);
        new_name.into_iter().chain(old_name)
    }
}

/// How the polling goes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Health {
    /// When the last complete list arrived; `None` before the first.
    pub last_good: Option<Timestamp>,
    /// Since when lists fail, and why the last one did.
    pub failing: Option<Failing>,
    /// What the server speaks; kept through an outage.
    pub versions: Option<Versions>,
    /// Hardware types offered by conductors; empty means that no conductor runs.
    pub drivers: Vec<String>,
}

impl Health {
    /// Whether the picture can be acted on; otherwise what is wrong, for people.
    pub fn usable(&self) -> Result<(), String> {
        match (&self.failing, self.last_good) {
            (Some(failing), _) => Err(format!("Ironic cannot be used since {}: {}", failing.since, failing.error)),
            (None, None) => Err("the first list of Ironic's nodes has not arrived yet".to_owned()),
            (None, Some(_)) if self.drivers.is_empty() => {
                Err("Ironic answers, but no conductor offers a driver: is the conductor running?".to_owned())
            }
            (None, Some(_)) => Ok(()),
        }
    }
}

/// An outage.
#[derive(Debug, Clone, PartialEq)]
pub struct Failing {
    /// When the first list of this outage failed.
    pub since: Timestamp,
    /// How many lists failed in a row.
    pub times: u32,
    /// The last failure.
    pub error: Error,
}

#[derive(Debug)]
struct Shared {
    client: Client,
    options: PollOptions,
    state: Mutex<State>,
    changes: broadcast::Sender<Change>,
    hurry: Notify,
}

#[derive(Debug)]
struct State {
    picture: Picture,
    health: Health,
    attentive_until: Instant,
}

/// The picture. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Poll {
    shared: Arc<Shared>,
}

impl Poll {
    /// The client that the picture is read with.
    pub fn client(&self) -> &Client {
        &self.shared.client
    }
    /// A node by id or name, as last seen.
    pub fn node(&self, ident: &str) -> Option<Arc<Node>> {
        self.state().picture.get(ident)
    }
    /// All nodes as last seen, by id.
    pub fn nodes(&self) -> Vec<Arc<Node>> {
        self.state().picture.all()
    }
    /// How the polling goes.
    pub fn health(&self) -> Health {
        self.state().health.clone()
    }
    /// Changes from now on. A receiver that lags must treat every node as changed.
    pub fn subscribe(&self) -> broadcast::Receiver<Change> {
        self.shared.changes.subscribe()
    }
    /// Reads one node now, puts it into the picture and returns it. To be called after a request of our own.
    pub async fn refresh(&self, ident: &str) -> Result<Option<Arc<Node>>, Error> {
        let asked = Instant::now();
        let found = self.shared.client.node(ident).await?;
        let changes = self.state().picture.absorb_one(ident, found, asked);
        self.publish(changes);
        self.hurry();
        Ok(self.node(ident))
    }
    /// Puts a node into the picture that a request brought back; `asked` is when a read was sent, or when a write
    /// was answered: until then a list may still show the node as it was before the write.
    pub fn absorb(&self, node: Node, asked: Instant) {
        let ident = node.uuid.clone();
        let changes = self.state().picture.absorb_one(&ident, Some(node), asked);
        self.publish(changes);
        self.hurry();
    }
    /// Keeps the pace quick for a while: something is about to move.
    pub fn hurry(&self) {
        self.state().attentive_until = Instant::now() + self.shared.options.attentive;
        self.shared.hurry.notify_one();
    }

    fn publish(&self, changes: Vec<Change>) {
        for change in changes {
            // Fails only when nobody listens.
            let _ = self.shared.changes.send(change);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// The task that lists nodes.
#[derive(Debug)]
pub struct Poller {
    poll: Poll,
}

impl Poller {
    /// A poller and the picture it keeps.
    pub fn new(client: Client, options: PollOptions) -> (Self, Poll) {
        let state = State { picture: Picture::default(), health: Health::default(), attentive_until: Instant::now() };
        let (changes, _) = broadcast::channel(4096);
        let shared = Shared { client, options, state: Mutex::new(state), changes, hurry: Notify::new() };
        let poll = Poll { shared: Arc::new(shared) };
        (Self { poll: poll.clone() }, poll)
    }

    /// Polls until `shutdown` completes.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) {
        tokio::pin!(shutdown);
        loop {
            let began = Instant::now();
            tokio::select! {
                () = &mut shutdown => return,
                () = self.once() => {}
            }
            let ended = Instant::now();
            // The pace is taken anew after each hurry, so a call of ours shortens a pause that has begun.
            loop {
                let next = ended + self.pause(ended - began, ended);
                tokio::select! {
                    () = &mut shutdown => return,
                    () = sleep_until(next) => break,
                    () = self.poll.shared.hurry.notified() => {}
                }
            }
        }
    }

    /// One list.
    pub async fn once(&self) {
        let asked = Instant::now();
        let answer = self.read().await;
        let changes = {
            let mut state = self.poll.state();
            let before = state.health.usable().is_ok();
            let mut changes = match answer {
                Ok((versions, drivers, nodes)) => {
                    let versions = Some(versions);
                    state.health = Health { last_good: Some(Timestamp::now()), failing: None, versions, drivers };
                    state.picture.absorb_list(nodes, asked)
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot list Ironic's nodes");
                    let (since, times) =
                        state.health.failing.as_ref().map_or((Timestamp::now(), 0), |f| (f.since, f.times));
                    state.health.failing = Some(Failing { since, times: times.saturating_add(1), error });
                    Vec::new()
                }
            };
            if before != state.health.usable().is_ok() {
                changes.push(Change::Health);
            }
            changes
        };
        self.poll.publish(changes);
    }

    async fn read(&self) -> Result<(Versions, Vec<String>, Vec<Node>), Error> {
        let client = self.poll.client();
        let versions = client.versions().await?;
        let drivers = client.drivers().await?.into_iter().map(|driver| driver.name).collect();
        match client.nodes().await {
            // The node at a page's end was deleted meanwhile: the next list is whole again.
            Err(error) if error.kind == ErrorKind::NotFound => Ok((versions, drivers, client.nodes().await?)),
            other => Ok((versions, drivers, other?)),
        }
    }

    /// How long to wait after a list that took `took`.
    fn pause(&self, took: Duration, now: Instant) -> Duration {
        let state = self.poll.state();
        let quick = state.attentive_until > now || state.picture.is_moving();
        pause(&self.poll.shared.options, state.health.failing.as_ref().map(|failing| failing.times), quick, took)
    }
}

/// The pause after a list: doubled with each failure; otherwise by what the nodes do, and never so short that more
/// than a quarter of the time is spent listing a large fleet.
fn pause(options: &PollOptions, failures: Option<u32>, quick: bool, took: Duration) -> Duration {
    match failures {
        Some(times) => options.moving.saturating_mul(1 << times.min(8)).min(options.failing),
        None => (if quick { options.moving } else { options.rest }).max(took.saturating_mul(3)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses() {
        let seconds = Duration::from_secs;
        let options = PollOptions::default();
        let table = [
            (None, true, seconds(0), seconds(2)),
            (None, false, seconds(0), seconds(15)),
            (None, true, seconds(4), seconds(12)),
            (None, false, seconds(4), seconds(15)),
            (None, false, seconds(10), seconds(30)),
            (Some(1), true, seconds(30), seconds(4)),
            (Some(2), false, seconds(0), seconds(8)),
            (Some(4), false, seconds(0), seconds(30)),
            (Some(u32::MAX), false, seconds(0), seconds(30)),
        ];
        for (failures, quick, took, wanted) in table {
            assert_eq!(pause(&options, failures, quick, took), wanted, "{failures:?} {quick} {took:?}");
        }
    }
}
