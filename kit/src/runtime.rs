//! [`Context`]: everything that a controller family gets to run.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use k8s_openapi::api::core::v1::Secret;
use kube::core::PartialObjectMeta;
use tokio_util::sync::CancellationToken;

use crate::Kind;
use crate::client::Io;
use crate::clock::Clock;
use crate::hook::{Hook, NoHook};
use crate::informer::{Informer, Scope};
use crate::lease::Leadership;
use crate::metrics::Metrics;
use crate::notes::Recorder;
use crate::plans::Book;
use crate::serve::Health;
use crate::store::Store;
use crate::worker;

/// Metadata of Secrets, as the cache has them; content is read live with [`Io::secret`].
pub type SecretMeta = PartialObjectMeta<Secret>;

type Stores = BTreeMap<(TypeId, Option<String>), Box<dyn Any + Send>>;

/// What a controller family runs with. Cheap to clone; all clones share caches, metrics and the shutdown signal.
#[derive(Clone)]
pub struct Context {
    /// The way to the API server.
    pub io: Io,
    /// The time, for everything that gets into a view or an object.
    pub clock: Clock,
    /// Watched namespaces.
    pub scope: Scope,
    /// Value of the watch-filter label that this manager serves; empty for everything.
    pub watch_filter: String,
    /// Fires when the process is to end.
    pub shutdown: CancellationToken,
    /// Whether this process may act.
    pub leadership: Leadership,
    /// All metrics.
    pub metrics: Metrics,
    /// The last passes of each key.
    pub plans: Book,
    /// Publishes events.
    pub recorder: Recorder,
    /// Who is asked before and after each effect.
    pub hook: Arc<dyn Hook>,
    /// What readiness depends on.
    pub health: Health,
    /// How workers run unless a family says otherwise (flags fill this).
    pub workers: worker::Options,
    stores: Arc<Mutex<Stores>>,
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("scope", &self.scope).finish_non_exhaustive()
    }
}

impl Context {
    /// A context that always leads, watches everything and injects nothing; change the fields as needed. Must be
    /// called inside a tokio runtime.
    pub fn new(io: Io, shutdown: CancellationToken) -> Self {
        Self::at(Clock::system(), io, shutdown)
    }

    /// The same by another clock.
    pub fn at(clock: Clock, io: Io, shutdown: CancellationToken) -> Self {
        let metrics = Metrics::default();
        metrics.register(|registry| io.register(registry));
        Self {
            recorder: Recorder::start(io.clone(), clock.clone(), metrics.families.dropped_events.clone()),
            io,
            clock,
            scope: Scope::All,
            watch_filter: String::new(),
            shutdown,
            leadership: Leadership::always(),
            metrics,
            plans: Book::default(),
            hook: Arc::new(NoHook),
            health: Health::default(),
            workers: worker::Options::default(),
            stores: Arc::default(),
        }
    }

    /// The same with another scope. Before the first store is asked for.
    #[must_use]
    pub fn with_scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// The same for a family with a lease of its own.
    #[must_use]
    pub fn with_leadership(mut self, leadership: Leadership) -> Self {
        self.leadership = leadership;
        self
    }

    /// The same with a hook around each effect.
    #[must_use]
    pub fn with_hook(mut self, hook: Arc<dyn Hook>) -> Self {
        self.hook = hook;
        self
    }

    /// The cache of a kind, in the context's scope. The first caller starts the watch; all share it. Add indexes
    /// with [`Store::index`] at any time.
    pub fn store<K: Kind>(&self) -> Store<K> {
        self.shared(None, false)
    }

    /// As [`Context::store`], for a kind of somebody else that may not be installed.
    pub fn optional_store<K: Kind>(&self) -> Store<K> {
        self.shared(None, true)
    }

    /// The cache of the objects of a kind that match a label selector.
    pub fn store_of<K: Kind>(&self, selector: &str) -> Store<K> {
        self.shared(Some(selector.to_owned()), false)
    }

    /// The cache of the metadata of Secrets with these labels.
    pub fn secrets(&self, selector: &str) -> Store<SecretMeta> {
        self.store_of(selector)
    }

    fn shared<K: Kind>(&self, labels: Option<String>, optional: bool) -> Store<K> {
        let mut stores = self.stores.lock().unwrap_or_else(PoisonError::into_inner);
        let id = (TypeId::of::<K>(), labels.clone());
        if let Some(known) = stores.get(&id).and_then(|store| store.downcast_ref::<Store<K>>()) {
            return known.clone();
        }
        let mut informer = Informer::new(&self.io, self.scope.clone());
        if let Some(labels) = labels {
            informer = informer.labels(labels);
        }
        if optional {
            informer = informer.optional();
        }
        let store = informer.start(&self.shutdown);
        stores.insert(id, Box::new(store.clone()));
        store
    }
}
