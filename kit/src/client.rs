//! [`Io`]: requests to the API server, each with a time limit and without hidden retries.
//!
//! kube's client has no read time limit and repeats 429, 503 and 504 for minutes on any verb. Here a request is
//! answered or has failed within seconds, and only the queue repeats.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::client::Body;
use kube::core::params::{DeleteParams, GetParams, ListParams, Patch, PatchParams, PostParams, Preconditions};
use kube::core::request::{Error as BuildError, Request};
use kube::core::{ApiResource, DynamicObject, Resource as _};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::Kind;
use crate::fault;
use crate::key::{Key, Target};
use crate::pass::{Class, Fault, Write};

/// Page size of [`Io::list`].
const PAGE: u32 = 500;

/// Receives what the API server answered to our own writes, so that a cache is never older than our own writes.
pub trait Absorb: Send + Sync {
    /// The object as it is after a create or patch.
    fn written(&self, object: &Value);
    /// The object is gone.
    fn deleted(&self, key: &Key, uid: Option<&str>);
}

/// Time limits of one request.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Reads. 10 s by default.
    pub read: Duration,
    /// Writes, which may wait for admission webhooks. 30 s by default.
    pub write: Duration,
    /// A whole page of a watcher's list, the beginning of a watch, and whatever else [`Io::client`] is asked. 60 s by
    /// default, as the API server's own limit.
    pub list: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { read: Duration::from_secs(10), write: Duration::from_secs(30), list: Duration::from_mins(1) }
    }
}

/// Labels of the request counter, as client-go has them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    /// HTTP status, or `<error>` without an answer.
    code: String,
    /// HTTP method.
    method: String,
}

type Caches = Arc<Mutex<BTreeMap<(String, String), Vec<Arc<dyn Absorb>>>>>;

/// The way to the API server. Cheap to clone.
#[derive(Clone)]
pub struct Io {
    client: Client,
    limits: Limits,
    caches: Caches,
    requests: Family<RequestLabels, Counter>,
}

impl fmt::Debug for Io {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Io").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// Why no client could be made.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Neither a kubeconfig nor a service account was found.
    #[error("no way to the API server: set KUBECONFIG or run inside a cluster: {0}")]
    Config(#[from] kube::config::InferConfigError),
    /// The kubeconfig given by flag is not usable.
    #[error("kubeconfig {path}: {source}")]
    Kubeconfig {
        /// The file.
        path: String,
        /// What is wrong with it.
        source: kube::config::KubeconfigError,
    },
    /// The configuration names certificates or keys that cannot be used.
    #[error("the client configuration cannot be used: {0}")]
    Client(#[from] kube::Error),
}

impl Io {
    /// An `Io` over an existing client (tests give one with a service of their own).
    pub fn new(client: Client) -> Self {
        Self { client, limits: Limits::default(), caches: Caches::default(), requests: Family::default() }
    }

    /// Connects by kubeconfig file, or by the environment (`KUBECONFIG`, service account) when none is given.
    pub async fn connect(kubeconfig: Option<&str>) -> Result<Self, ConnectError> {
        let mut config = match kubeconfig {
            None => kube::Config::infer().await?,
            Some(path) => {
                let wrong = |source| ConnectError::Kubeconfig { path: path.to_owned(), source };
                let file = kube::config::Kubeconfig::read_from(path).map_err(wrong)?;
                kube::Config::from_custom_kubeconfig(file, &kube::config::KubeConfigOptions::default())
                    .await
                    .map_err(wrong)?
            }
        };
        config.default_retry = false;
        Ok(Self::new(Client::try_from(config)?))
    }

    /// The same with other time limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Adds the request counter to a registry. Watches are not counted.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("rest_client_requests", "Requests to the API server", self.requests.clone());
    }

    /// kube's client, for watchers and for what [`Io`] has no request for. kube's own has no time limit for an answer,
    /// and a watcher would wait for a lost one for ever, with a cache that stands still. Here each answer has the limit
    /// of a list; a watch that has begun is under the watcher's own.
    pub fn client(&self) -> Client {
        let (client, limit) = (self.client.clone(), self.limits.list);
        let service = tower::service_fn(move |request: http::Request<Body>| {
            let client = client.clone();
            let endless = request.uri().query().is_some_and(|query| query.split('&').any(|part| part == "watch=true"));
            let answer = async move {
                let (parts, body) = client.send(request).await?.into_parts();
                let body = if endless { body } else { Body::from(body.collect_bytes().await?.to_vec()) };
                Ok::<_, kube::Error>(http::Response::from_parts(parts, body))
            };
            async move {
                let late = |_| kube::Error::Service(std::io::Error::from(std::io::ErrorKind::TimedOut).into());
                tokio::time::timeout(limit, answer).await.map_err(late)?
            }
        });
        Client::new(service, self.client.default_namespace())
    }

    /// The namespace that the configuration names: that of the pod inside a cluster, of the kubeconfig outside.
    pub fn default_namespace(&self) -> &str {
        self.client.default_namespace()
    }

    /// Makes `cache` see the answers of our own writes to the kind `resource`.
    pub fn feed(&self, resource: &ApiResource, cache: Arc<dyn Absorb>) {
        let mut caches = self.caches.lock().unwrap_or_else(PoisonError::into_inner);
        caches.entry((resource.group.clone(), resource.kind.clone())).or_default().push(cache);
    }

    fn caches_of(&self, resource: &ApiResource) -> Vec<Arc<dyn Absorb>> {
        let caches = self.caches.lock().unwrap_or_else(PoisonError::into_inner);
        caches.get(&(resource.group.clone(), resource.kind.clone())).cloned().unwrap_or_default()
    }

    /// Reads one object from the API server, past every cache. `None` when it does not exist.
    pub async fn get<K: Kind>(&self, key: &Key) -> Result<Option<K>, Fault> {
        let what = format!("get {} {key}", K::kind(&()));
        let request = Request::new(K::url_path(&(), scope(key)));
        let built = if K::metadata_api() {
            request.get_metadata(&key.name, &GetParams::default())
        } else {
            request.get(&key.name, &GetParams::default())
        };
        match self.send::<K>(&what, self.limits.read, built).await {
            Ok(object) => Ok(Some(object)),
            Err(fault) if fault.reason == fault::NOT_FOUND => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// Reads one Secret. Its content must not reach logs, events, status or any long-lived cache.
    pub async fn secret(&self, key: &Key) -> Result<Option<Secret>, Fault> {
        self.get::<Secret>(key).await
    }

    /// Lists all objects of a kind, page by page. For start-up tools only; a pass reads a [`crate::store::Store`].
    pub async fn list<K: Kind>(&self, namespace: Option<&str>, labels: Option<&str>) -> Result<Vec<K>, Fault> {
        let what = format!("list {}", K::plural(&()));
        let request = Request::new(K::url_path(&(), namespace));
        let mut params = ListParams::default().limit(PAGE);
        params.label_selector = labels.map(ToOwned::to_owned);
        let mut items = Vec::new();
        loop {
            let page: kube::core::ObjectList<K> = self.send(&what, self.limits.read, request.list(&params)).await?;
            items.extend(page.items);
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params.continue_token = Some(token),
                None => return Ok(items),
            }
        }
    }

    /// Performs one write with its preconditions and shows the answer to the caches. Controllers never call this:
    /// they return writes and the worker applies them.
    pub async fn apply(&self, write: &Write) -> Result<Value, Fault> {
        let target = write.target();
        let request = Request::new(DynamicObject::url_path(&target.resource, scope(&target.key)));
        let (what, built) = match write {
            Write::Create { body, .. } => (label("create", target), create(&request, target, body)),
            Write::Patch { body, .. } => {
                let patch = Patch::Merge(guarded(target, body));
                (label("patch", target), request.patch(&target.key.name, &PatchParams::default(), &patch))
            }
            Write::Status { body, .. } => {
                let patch = Patch::Merge(guarded(target, body));
                let built = request.patch_subresource("status", &target.key.name, &PatchParams::default(), &patch);
                (label("patch status of", target), built)
            }
            Write::Delete { .. } => (label("delete", target), request.delete(&target.key.name, &delete_params(target))),
        };
        match self.send::<Value>(&what, self.limits.write, built).await {
            Ok(answer) => {
                self.absorb(write, &answer);
                Ok(answer)
            }
            Err(fault) if fault.reason == fault::NOT_FOUND => {
                for cache in self.caches_of(&target.resource) {
                    cache.deleted(&target.key, target.uid.as_deref());
                }
                if matches!(write, Write::Delete { .. }) { Ok(Value::Null) } else { Err(fault) }
            }
            Err(fault) => Err(fault),
        }
    }

    fn absorb(&self, write: &Write, answer: &Value) {
        let target = write.target();
        let lives = answer.pointer("/metadata/name").is_some();
        let deleting = answer.pointer("/metadata/deletionTimestamp").is_some();
        let held = answer.pointer("/metadata/finalizers").and_then(Value::as_array).is_some_and(|f| !f.is_empty());
        // A deletion that is not held back by finalizers answers with a Status, or with the object's last state;
        // so does the patch that takes the last finalizer away.
        let gone = match write {
            Write::Delete { .. } => !(lives && held),
            _ => deleting && !held,
        };
        for cache in self.caches_of(&target.resource) {
            if gone {
                cache.deleted(&target.key, target.uid.as_deref());
            } else {
                cache.written(answer);
            }
        }
    }

    async fn send<T: DeserializeOwned>(
        &self,
        what: &str,
        limit: Duration,
        request: Result<http::Request<Vec<u8>>, BuildError>,
    ) -> Result<T, Fault> {
        let request = request.map_err(|error| Fault::new(Class::Bug, fault::REFUSED, format!("{what}: {error}")))?;
        let method = request.method().to_string();
        let (code, outcome) = match tokio::time::timeout(limit, self.client.request::<T>(request)).await {
            Ok(Ok(answer)) => ("200".to_owned(), Ok(answer)),
            Ok(Err(error)) => (code(&error), Err(fault::of_error(what, &error))),
            Err(_) => ("<error>".to_owned(), Err(fault::timed_out(what, limit))),
        };
        self.requests.get_or_create(&RequestLabels { code, method }).inc();
        outcome
    }
}

fn code(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.code.to_string(),
        _ => "<error>".to_owned(),
    }
}

fn scope(key: &Key) -> Option<&str> {
    Some(key.namespace.as_str()).filter(|namespace| !namespace.is_empty())
}

fn label(verb: &str, target: &Target) -> String {
    format!("{verb} {} {}", target.resource.kind, target.key)
}

/// The body of a create with the type and name filled in from its target, so that both cannot differ.
fn create(request: &Request, target: &Target, body: &Value) -> Result<http::Request<Vec<u8>>, BuildError> {
    let mut body = body.clone();
    body["apiVersion"] = json!(target.resource.api_version);
    body["kind"] = json!(target.resource.kind);
    body["metadata"]["name"] = json!(target.key.name);
    if let Some(namespace) = scope(&target.key) {
        body["metadata"]["namespace"] = json!(namespace);
    }
    let bytes = serde_json::to_vec(&body).map_err(BuildError::SerializeBody)?;
    request.create(&PostParams::default(), bytes)
}

/// A merge patch with the target's uid and resourceVersion inside; the API server answers 409 when they differ. For
/// `/status` it compares the resourceVersion only.
fn guarded(target: &Target, body: &Value) -> Value {
    let mut body = body.clone();
    if let Some(uid) = &target.uid {
        body["metadata"]["uid"] = json!(uid);
    }
    if let Some(version) = &target.resource_version {
        body["metadata"]["resourceVersion"] = json!(version);
    }
    body
}

fn delete_params(target: &Target) -> DeleteParams {
    let guarded = target.uid.is_some() || target.resource_version.is_some();
    let preconditions = Preconditions { uid: target.uid.clone(), resource_version: target.resource_version.clone() };
    DeleteParams { preconditions: guarded.then_some(preconditions), ..DeleteParams::background() }
}
