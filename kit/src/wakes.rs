//! [`Registration`]: which changes wake which keys of a controller.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use kube::core::Resource;
use tokio::sync::watch;

use crate::Kind;
use crate::key::Key;
use crate::queue::Lane;
use crate::store::Store;

/// Puts keys into a controller's queue.
pub(crate) type Sink = Arc<dyn Fn(Key, Lane) + Send + Sync>;
type Source = Box<dyn FnOnce(Sink) + Send>;

/// What wakes a controller, collected before its worker starts.
#[derive(Default)]
pub struct Registration {
    pub(crate) sources: Vec<Source>,
    pub(crate) synced: Vec<(String, watch::Receiver<bool>)>,
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let needs: Vec<&str> = self.synced.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Registration").field("needs", &needs).finish_non_exhaustive()
    }
}

impl Registration {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The controller's own kind: each change of an object wakes its key.
    #[must_use]
    pub fn own<K: Kind>(self, store: &Store<K>) -> Self {
        self.watch(store, |old, new| new.or(old).map(Key::of).into_iter().collect())
    }

    /// Objects made by this controller: a change wakes the owners of the kind `O`, before and after the change.
    #[must_use]
    pub fn owns<O: Kind, K: Kind>(self, store: &Store<K>) -> Self {
        self.watch(store, |old, new| {
            let mut keys: Vec<Key> = old.into_iter().chain(new).flat_map(owner_keys::<O, K>).collect();
            keys.sort();
            keys.dedup();
            keys
        })
    }

    /// Any kind: `keys(old, new)` tells whom a change wakes. `old` is `None` for a new object, `new` for a gone one.
    #[must_use]
    pub fn watch<K: Kind>(
        mut self,
        store: &Store<K>,
        keys: impl Fn(Option<&K>, Option<&K>) -> Vec<Key> + Send + Sync + 'static,
    ) -> Self {
        let listened = store.clone();
        let synced = store.synced();
        self.sources.push(Box::new(move |sink: Sink| {
            listened.subscribe(move |old, new| {
                // What is there at start-up comes after what happens now.
                let lane = if *synced.borrow() { Lane::Fast } else { Lane::Slow };
                for key in keys(old, new) {
                    sink(key, lane);
                }
            });
        }));
        self.needs(store)
    }

    /// The worker starts only when this store, too, has its first list.
    #[must_use]
    pub fn needs<K: Kind>(mut self, store: &Store<K>) -> Self {
        self.synced.push((<K as Resource>::kind(&()).into_owned(), store.synced()));
        self
    }

    /// A source outside Kubernetes, e.g. a poller of Ironic.
    #[must_use]
    pub fn bell(mut self, bell: &Bell) -> Self {
        let bell = bell.clone();
        self.sources.push(Box::new(move |sink| bell.connect(&sink)));
        self
    }
}

fn owner_keys<O: Kind, K: Kind>(object: &K) -> Vec<Key> {
    let meta = object.meta();
    let namespace = meta.namespace.clone().unwrap_or_default();
    let owners = meta.owner_references.iter().flatten();
    owners
        .filter(|owner| owner.kind == O::kind(&()) && crate::owners::group(&owner.api_version) == O::group(&()))
        .map(|owner| Key::new(namespace.clone(), owner.name.clone()))
        .collect()
}

/// Wakes keys by hand. Rings before a worker listens are kept.
#[derive(Clone, Default)]
pub struct Bell {
    inner: Arc<Mutex<(Vec<Sink>, Vec<Key>)>>,
}

impl fmt::Debug for Bell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bell").finish_non_exhaustive()
    }
}

impl Bell {
    /// A bell nobody listens to yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Wakes a key in every controller that listens.
    pub fn ring(&self, key: &Key) {
        let sinks = {
            let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            if inner.0.is_empty() {
                inner.1.push(key.clone());
            }
            inner.0.clone()
        };
        for sink in sinks {
            sink(key.clone(), Lane::Fast);
        }
    }

    fn connect(&self, sink: &Sink) {
        let missed = {
            let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            inner.0.push(sink.clone());
            std::mem::take(&mut inner.1)
        };
        for key in missed {
            sink(key, Lane::Fast);
        }
    }
}
