//! [`Informer`]: one watch per kind and scope; feeds a [`Store`].
//!
//! It adds to kube's `watcher` what a controller depends on: an object that does not parse is reported and does
//! not stop the others; what vanished during a lost connection is reported as deleted; old and new are both shown.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;

use futures::{StreamExt, pin_mut};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::{ApiResource, DeserializeGuard, DynamicResourceScope, Resource};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client};
use serde::{Deserialize, Deserializer};
use tokio_util::sync::CancellationToken;

use crate::Kind;
use crate::client::Io;
use crate::key::Key;
use crate::store::Store;

/// Which namespaces are watched.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Scope {
    /// The whole cluster.
    #[default]
    All,
    /// These namespaces, one watch each.
    Namespaces(BTreeSet<String>),
}

impl Scope {
    /// From a flag: empty means everything, else names separated by commas.
    pub fn parse(text: &str) -> Self {
        let names: BTreeSet<String> =
            text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(ToOwned::to_owned).collect();
        if names.is_empty() { Self::All } else { Self::Namespaces(names) }
    }
}

/// A watch that is not started yet.
#[derive(Debug)]
pub struct Informer<K> {
    io: Io,
    scope: Scope,
    labels: Option<String>,
    optional: bool,
    store: Store<K>,
}

impl<K: Kind> Informer<K> {
    /// A watch of one kind. For Secrets take `PartialObjectMeta<Secret>` as `K`: only metadata is requested.
    pub fn new(io: &Io, scope: Scope) -> Self {
        Self { io: io.clone(), scope, labels: None, optional: false, store: Store::default() }
    }

    /// Only objects with these labels (a label selector).
    #[must_use]
    pub fn labels(mut self, selector: impl Into<String>) -> Self {
        self.labels = Some(selector.into());
        self
    }

    /// A kind of somebody else that may not be installed: then the store is empty and filled, and the watch begins
    /// when the kind appears. Without this a store stays unfilled, which keeps its readers from acting.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// Adds an index to the store.
    #[must_use]
    pub fn index(mut self, name: &'static str, values: impl Fn(&K) -> Vec<String> + Send + Sync + 'static) -> Self {
        self.store = self.store.index(name, values);
        self
    }

    /// Starts watching until `stop` fires; answers the store at once, still empty.
    pub fn start(self, stop: &CancellationToken) -> Store<K> {
        let Self { io, scope, labels, optional, store } = self;
        io.feed(&ApiResource::erase::<K>(&()), Arc::new(store.clone()));
        let namespaces: Vec<Option<String>> = match scope {
            Scope::All => vec![None],
            Scope::Namespaces(names) => names.into_iter().map(Some).collect(),
        };
        let left = Arc::new(std::sync::atomic::AtomicUsize::new(namespaces.len()));
        for namespace in namespaces {
            let watch =
                Watch { store: store.clone(), namespace, optional, listed: None, left: left.clone(), done: false };
            let (client, labels, stop) = (io.client(), labels.clone(), stop.clone());
            tokio::spawn(async move {
                stop.run_until_cancelled(watch.run(client, labels)).await;
            });
        }
        store
    }
}

struct Watch<K> {
    store: Store<K>,
    namespace: Option<String>,
    optional: bool,
    /// Keys of a running list.
    listed: Option<BTreeSet<Key>>,
    /// Watches of this store whose first list is still open.
    left: Arc<std::sync::atomic::AtomicUsize>,
    done: bool,
}

impl<K: Kind> Watch<K> {
    async fn run(mut self, client: Client, labels: Option<String>) {
        let api: Api<Seen<K>> = match &self.namespace {
            Some(namespace) => Api::namespaced_with(client, namespace, &()),
            None => Api::all(client),
        };
        let config = watcher::Config { label_selector: labels, ..watcher::Config::default() };
        let stream = watcher(api, config).default_backoff();
        pin_mut!(stream);
        while let Some(event) = stream.next().await {
            match event {
                Ok(event) => self.on(event),
                Err(error) if self.optional && not_served(&error) => {
                    tracing::debug!(kind = %K::kind(&()), "kind is not installed");
                    self.first_list_done();
                }
                Err(error) => tracing::warn!(kind = %K::kind(&()), %error, "watch failed, trying again"),
            }
        }
    }

    fn on(&mut self, event: Event<Seen<K>>) {
        match event {
            Event::Init => self.listed = Some(BTreeSet::new()),
            Event::InitApply(seen) => {
                if let Some(listed) = &mut self.listed {
                    listed.insert(Key::of(&seen));
                }
                self.put(seen);
            }
            Event::InitDone => {
                let listed = self.listed.take().unwrap_or_default();
                let namespace = self.namespace.clone();
                let in_scope = |key: &Key| namespace.as_ref().is_none_or(|name| *name == key.namespace);
                self.store.relisted(in_scope, &listed);
                self.first_list_done();
            }
            Event::Apply(seen) => self.put(seen),
            Event::Delete(seen) => self.store.vanished(&Key::of(&seen), seen.meta().uid.as_deref()),
        }
    }

    fn put(&self, seen: Seen<K>) {
        match seen.0.0 {
            Ok(object) => self.store.seen(object),
            Err(invalid) => {
                let key =
                    Key::new(invalid.metadata.namespace.unwrap_or_default(), invalid.metadata.name.unwrap_or_default());
                tracing::error!(kind = %K::kind(&()), %key, error = %invalid.error, "object does not have its kind's shape");
            }
        }
    }

    fn first_list_done(&mut self) {
        if !self.done {
            self.done = true;
            if self.left.fetch_sub(1, std::sync::atomic::Ordering::AcqRel) == 1 {
                self.store.set_synced();
            }
        }
    }
}

fn not_served(error: &watcher::Error) -> bool {
    matches!(error, watcher::Error::InitialListFailed(kube::Error::Api(status)) if status.code == 404)
}

/// An object as it came: parsed, or its metadata and what is wrong. A dynamic scope lets one type serve watches of
/// all namespaces and of one.
#[derive(Debug, Clone)]
struct Seen<K>(DeserializeGuard<K>);

impl<'de, K: Kind> Deserialize<'de> for Seen<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        DeserializeGuard::deserialize(deserializer).map(Self)
    }
}

impl<K: Kind> Resource for Seen<K> {
    type DynamicType = ();
    type Scope = DynamicResourceScope;

    fn metadata_api() -> bool {
        K::metadata_api()
    }
    fn kind((): &()) -> Cow<'_, str> {
        K::kind(&())
    }
    fn group((): &()) -> Cow<'_, str> {
        K::group(&())
    }
    fn version((): &()) -> Cow<'_, str> {
        K::version(&())
    }
    fn plural((): &()) -> Cow<'_, str> {
        K::plural(&())
    }
    fn meta(&self) -> &ObjectMeta {
        self.0.meta()
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        self.0.meta_mut()
    }
}

#[cfg(test)]
mod tests;
