//! [`Server`]: the handle of a simulated API server, and what a world does with it besides sending requests.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use kit::key::Key;
use kube::Client;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::intercept::{Intercept, Verb};
use super::kinds::{Kind, KindName};
use super::log::{Commit, Request};
use super::serve::Service;
use super::state::{Origin, State};
use super::{builtin, gc, meta};

/// How a watch is ended from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WatchEnd {
    /// As at its time limit; a watcher goes on from the last version it saw.
    Quiet,
    /// With an ERROR event of code 410; a watcher lists anew.
    Gone,
    /// The connection breaks.
    Reset,
}

/// A simulated API server. Cheap to clone; all clones are one server.
#[derive(Clone)]
pub struct Server {
    state: Arc<Mutex<State>>,
    /// Rings whenever a watch may have something to do, in the order in which they wait: a channel's order is random.
    ticks: Arc<Notify>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("version", &self.version()).finish_non_exhaustive()
    }
}

impl Server {
    /// An empty server with the namespace `default`. `clock` gives creation and deletion times; it must not call the
    /// server.
    pub fn new(kinds: Vec<Kind>, clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        let state = State::new(kinds, Arc::new(clock));
        let server = Self { state: Arc::new(Mutex::new(state)), ticks: Arc::new(Notify::new()) };
        server.add_namespace("default");
        server
    }

    /// The same with other uids and generated names.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        self.lock().set_seed(seed);
        self
    }

    /// Makes a Namespace, unless there is one of this name.
    pub fn add_namespace(&self, name: &str) {
        let mut state = self.lock();
        let (kind, key) = (KindName::new("", "Namespace"), Key::new("", name));
        let Some(kind) = state.kind(&kind).filter(|kind| state.get(&kind.name, &key).is_none()) else { return };
        let (uid, now) = (state.new_uid(), meta::stamp(state.now()));
        let metadata = json!({ "name": name, "uid": uid, "creationTimestamp": now });
        let mut object = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": metadata });
        builtin::prepare(&kind, &mut object);
        let origin = Origin { request: None, client: "world".into(), verb: Verb::Create, subresource: None };
        state.commit(&origin, &kind, &key, Some(object));
        drop(state);
        self.tick();
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn ticks(&self) -> Arc<Notify> {
        self.ticks.clone()
    }

    /// Lets every watch look again.
    pub(crate) fn tick(&self) {
        self.ticks.notify_waiters();
    }

    /// The way in for kube's client, under a name that hooks and logs show.
    pub fn service(&self, client: &str) -> Service {
        Service { server: self.clone(), client: client.into() }
    }

    /// A client over [`Server::service`]. Needs a tokio runtime.
    pub fn client(&self, client: &str) -> Client {
        Client::new(self.service(client), "default")
    }

    /// Puts a fault plan in; `None` takes it out.
    pub fn intercept(&self, intercept: Option<Arc<dyn Intercept>>) {
        self.lock().intercept = intercept;
    }

    /// One object as stored.
    pub fn object(&self, kind: &KindName, key: &Key) -> Option<Arc<Value>> {
        self.lock().get(kind, key).cloned()
    }

    /// All objects of a kind by key.
    pub fn objects(&self, kind: &KindName) -> Vec<(Key, Arc<Value>)> {
        self.lock().all(kind).map(|(key, object)| (key.clone(), object.clone())).collect()
    }

    /// The version of the last write; two equal ones mean that nothing was written in between.
    pub fn version(&self) -> u64 {
        self.lock().version
    }

    /// Requests from the one of this index on.
    pub fn requests(&self, from: u64) -> Vec<Request> {
        self.lock().requests.range(from..).map(|(_, request)| request.clone()).collect()
    }

    /// Writes after this version.
    pub fn commits(&self, after: u64) -> Vec<Commit> {
        let state = self.lock();
        let from = state.commits.partition_point(|commit| commit.version <= after);
        state.commits[from..].to_vec()
    }

    /// Stops delivering events of this kind to watches of this client (`None`: of all) until [`Server::release`].
    pub fn hold(&self, kind: &KindName, client: Option<&str>) {
        self.lock().holds.insert((kind.clone(), client.map(Arc::from)));
    }

    /// Delivers held events of this kind; one that a hook held is not shown to it again.
    pub fn release(&self, kind: &KindName) {
        self.release_where(|held| held == kind);
    }

    /// Delivers everything that is held.
    pub fn release_all(&self) {
        self.release_where(|_| true);
    }

    fn release_where(&self, wanted: impl Fn(&KindName) -> bool) {
        let mut state = self.lock();
        state.holds.retain(|(kind, _)| !wanted(kind));
        for watch in state.watches.values_mut().filter(|watch| wanted(&watch.route.kind.name)) {
            watch.released |= std::mem::take(&mut watch.held);
        }
        drop(state);
        self.tick();
    }

    /// Events of this kind that some watch has not got yet.
    pub fn pending(&self, kind: &KindName) -> usize {
        self.lock().pending(|watch| watch.route.kind.name == *kind)
    }

    /// Kinds that a client watches now, once for each watch.
    pub fn watched_by(&self, client: &str) -> Vec<KindName> {
        let state = self.lock();
        let watches = state.watches.values().filter(|watch| &*watch.client == client);
        watches.map(|watch| watch.route.kind.name.clone()).collect()
    }

    /// Ends all watches of a kind by this client (`None`: by all); answers how many.
    pub fn end_watches(&self, kind: &KindName, client: Option<&str>, how: WatchEnd) -> usize {
        self.end_where(how, |of, by| of == kind && client.is_none_or(|client| client == by))
    }

    /// Breaks all watches of a client that was killed.
    pub fn disconnect(&self, client: &str) {
        self.end_where(WatchEnd::Reset, |_, by| by == client);
    }

    fn end_where(&self, how: WatchEnd, wanted: impl Fn(&KindName, &str) -> bool) -> usize {
        let mut state = self.lock();
        let mut ended = 0;
        for watch in state.watches.values_mut().filter(|watch| wanted(&watch.route.kind.name, &watch.client)) {
            watch.end = Some(how);
            ended += 1;
        }
        drop(state);
        self.tick();
        ended
    }

    /// Forgets the history: watches that begin at an older version and lists that go on get 410. Watches under way
    /// are not touched.
    pub fn compact(&self) {
        let mut state = self.lock();
        state.compacted = state.version;
    }

    /// One round of the controller manager: deletes objects whose owners are all gone, takes dead owners out of
    /// ownerReferences, goes on with foreground deletions, empties and ends namespaces in deletion. Answers the number
    /// of writes; call it until it answers 0.
    pub fn collect_garbage(&self) -> usize {
        let written = gc::collect(&mut self.lock());
        self.tick();
        written
    }
}
