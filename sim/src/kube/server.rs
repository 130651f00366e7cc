//! [`Server`]: the handle of a simulated API server, and what a world does with it besides sending requests.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Body;
use futures::future::BoxFuture;
use jiff::Timestamp;
use kit::key::Key;
use kube::Client;
use serde_json::Value;

use super::intercept::Intercept;
use super::kinds::{Kind, KindName};
use super::log::{Commit, Request};

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

/// What the requests of one client go through; see [`Server::service`].
#[derive(Clone)]
pub struct Service {
    server: Server,
    client: Arc<str>,
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("client", &self.client).finish_non_exhaustive()
    }
}

/// A broken connection, as a client sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("connection reset by peer (simulated)")]
pub struct ConnectionReset;

impl tower::Service<http::Request<kube::client::Body>> for Service {
    type Response = http::Response<Body>;
    type Error = ConnectionReset;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Self::Error>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, _request: http::Request<kube::client::Body>) -> Self::Future {
        let _ = (&self.server, &self.client);
        Box::pin(async { Err(ConnectionReset) })
    }
}

struct State {
    intercept: Option<Arc<dyn Intercept>>,
}

/// A simulated API server. Cheap to clone; all clones are one server.
#[derive(Clone)]
pub struct Server {
    state: Arc<Mutex<State>>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}

impl Server {
    /// An empty server with the namespace `default`. `clock` gives creation and deletion times.
    pub fn new(kinds: Vec<Kind>, clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        let _ = (kinds, clock);
        Self { state: Arc::new(Mutex::new(State { intercept: None })) }
    }

    /// The same with other uids and generated names.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        let _ = seed;
        self
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
        let _ = (kind, key);
        None
    }

    /// All objects of a kind by key.
    pub fn objects(&self, kind: &KindName) -> Vec<(Key, Arc<Value>)> {
        let _ = kind;
        Vec::new()
    }

    /// The version of the last write; two equal ones mean that nothing was written in between.
    pub fn version(&self) -> u64 {
        0
    }

    /// Requests from the one of this index on.
    pub fn requests(&self, from: u64) -> Vec<Request> {
        let _ = from;
        Vec::new()
    }

    /// Writes after this version.
    pub fn commits(&self, after: u64) -> Vec<Commit> {
        let _ = after;
        Vec::new()
    }

    /// Stops delivering events of this kind to watches of this client (`None`: of all) until [`Server::release`].
    pub fn hold(&self, kind: &KindName, client: Option<&str>) {
        let _ = (kind, client);
    }

    /// Delivers held events of this kind; those that a hook held are not shown to it again.
    pub fn release(&self, kind: &KindName) {
        let _ = kind;
    }

    /// Delivers everything that is held.
    pub fn release_all(&self) {}

    /// Events of this kind that some watch has not got yet.
    pub fn pending(&self, kind: &KindName) -> usize {
        let _ = kind;
        0
    }

    /// Ends all watches of a kind by this client (`None`: by all); answers how many.
    pub fn end_watches(&self, kind: &KindName, client: Option<&str>, how: WatchEnd) -> usize {
        let _ = (kind, client, how);
        0
    }

    /// Ends all watches and requests under way of a client that was killed.
    pub fn disconnect(&self, client: &str) {
        let _ = client;
    }

    /// Forgets the history: watches from an older version and continued lists get 410.
    pub fn compact(&self) {}

    /// One round of the controller manager: deletes objects whose owners are all gone, takes dead owners out of
    /// ownerReferences, goes on with foreground deletions, empties and ends namespaces in deletion. Answers the number
    /// of writes; call it until it answers 0.
    pub fn collect_garbage(&self) -> usize {
        0
    }
}
