//! [`Store`]: the read side of one informer, with indexes, subscribers and our own writes already in it.
//!
//! The answer of an own write is put into the store at once; a watch event older than that is ignored until the
//! watch has passed it, or for [`OWN_WRITE_TTL`]. So a pass never decides on a state before its own last write.

mod shelf;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::Kind;
use crate::client::Absorb;
use crate::key::Key;

pub use self::shelf::OWN_WRITE_TTL;
use self::shelf::{Change, Entries, Entry, Inner, Newer, Subscriber, buried, bury, fresh, insert, order, trim};

/// The cached objects of one kind. Cheap to clone; all clones are one cache.
pub struct Store<K> {
    inner: Arc<RwLock<Inner<K>>>,
    synced: Arc<watch::Sender<bool>>,
}

impl<K> Clone for Store<K> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), synced: self.synced.clone() }
    }
}

impl<K> fmt::Debug for Store<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.inner.read().unwrap_or_else(PoisonError::into_inner).objects.len();
        f.debug_struct("Store").field("objects", &count).field("synced", &*self.synced.borrow()).finish()
    }
}

impl<K: Kind> Default for Store<K> {
    fn default() -> Self {
        let inner = Inner {
            objects: BTreeMap::new(),
            indexes: BTreeMap::new(),
            subscribers: Vec::new(),
            tombs: BTreeMap::new(),
        };
        Self { inner: Arc::new(RwLock::new(inner)), synced: Arc::new(watch::Sender::new(false)) }
    }
}

impl<K: Kind> Store<K> {
    /// A store with these objects and nobody feeding it: for tests of `gather` and of views.
    pub fn fixed(objects: impl IntoIterator<Item = K>) -> Self {
        let store = Self::default();
        for object in objects {
            store.seen(object);
        }
        store.set_synced();
        store
    }

    /// Adds an index, also over what is already here. An index of the same name is kept as it is, so several
    /// controllers may ask for the same one.
    #[must_use]
    pub fn index(self, name: &'static str, values: impl Fn(&K) -> Vec<String> + Send + Sync + 'static) -> Self {
        {
            let mut inner = self.write();
            if !inner.indexes.contains_key(name) {
                let mut entries = Entries::new();
                for (key, entry) in &inner.objects {
                    for value in values(&entry.object) {
                        entries.entry(value).or_default().insert(key.clone());
                    }
                }
                inner.indexes.insert(name, (Arc::new(values), entries));
            }
        }
        self
    }

    /// One object.
    pub fn get(&self, key: &Key) -> Option<Arc<K>> {
        self.read().objects.get(key).map(|entry| entry.object.clone())
    }

    /// All objects, or those of one namespace, ordered by key.
    pub fn list(&self, namespace: Option<&str>) -> Vec<Arc<K>> {
        let inner = self.read();
        match namespace {
            None => inner.objects.values().map(|entry| entry.object.clone()).collect(),
            Some(namespace) => inner
                .objects
                .range(Key::new(namespace, "")..)
                .take_while(|(key, _)| key.namespace == namespace)
                .map(|(_, entry)| entry.object.clone())
                .collect(),
        }
    }

    /// The objects that an index lists under `value`, ordered by key. Nothing when there is no such index.
    pub fn by(&self, index: &'static str, value: &str) -> Vec<Arc<K>> {
        let inner = self.read();
        let Some(keys) = inner.indexes.get(index).and_then(|(_, entries)| entries.get(value)) else {
            return Vec::new();
        };
        keys.iter().filter_map(|key| inner.objects.get(key)).map(|entry| entry.object.clone()).collect()
    }

    /// Whether an index lists anything under `value`.
    pub fn has(&self, index: &'static str, value: &str) -> bool {
        self.read().indexes.get(index).is_some_and(|(_, entries)| entries.contains_key(value))
    }

    /// The values of an index that begin with this text, in order: what there is, without looking at any object.
    pub fn values(&self, index: &'static str, begins: &str) -> Vec<String> {
        let inner = self.read();
        let Some((_, entries)) = inner.indexes.get(index) else { return Vec::new() };
        let values = entries.range(begins.to_owned()..).map(|(value, _)| value);
        values.take_while(|value| value.starts_with(begins)).cloned().collect()
    }

    /// Calls `changed(old, new)` on each change from now on, and once with `(None, object)` for each object here.
    /// It runs inside the cache's own task: it must be quick and must not write to a store.
    pub fn subscribe(&self, changed: impl Fn(Option<&K>, Option<&K>) + Send + Sync + 'static) {
        let changed: Subscriber<K> = Arc::new(changed);
        let known: Vec<Arc<K>> = {
            let mut inner = self.write();
            inner.subscribers.push(changed.clone());
            inner.objects.values().map(|entry| entry.object.clone()).collect()
        };
        for object in known {
            changed(None, Some(&object));
        }
    }

    /// Follows the first list being received.
    pub fn synced(&self) -> watch::Receiver<bool> {
        self.synced.subscribe()
    }

    pub(crate) fn set_synced(&self) {
        self.synced.send_replace(true);
    }

    /// A state of an object that the watch reported.
    pub fn seen(&self, object: K) {
        self.put(object, None);
    }

    /// The state of an object that an own write, or a live read, was answered with.
    pub fn wrote(&self, object: K) {
        self.put(object, Some(Instant::now()));
    }

    /// An object is gone. `uid` keeps a successor of the same name alive.
    pub fn vanished(&self, key: &Key, uid: Option<&str>) {
        let removed = bury(&mut self.write(), key, uid);
        self.tell(removed);
    }

    /// Ends a relist: what the list did not have is gone, unless we wrote it a moment ago.
    pub(crate) fn relisted(&self, in_scope: impl Fn(&Key) -> bool, listed: &BTreeSet<Key>) {
        let missing: Vec<Key> = {
            let inner = self.read();
            let unlisted = |key: &Key| in_scope(key) && !listed.contains(key);
            let missing = inner.objects.iter().filter(|(key, entry)| unlisted(key) && !fresh(entry.own));
            missing.map(|(key, _)| key.clone()).collect()
        };
        for key in missing {
            self.vanished(&key, None);
        }
    }

    fn put(&self, mut object: K, own: Option<Instant>) {
        trim(&mut object);
        let key = Key::of(&object);
        let change = {
            let mut inner = self.write();
            if buried(&mut inner, &key, &object) {
                return;
            }
            if let Some(known) = inner.objects.get_mut(&key) {
                match (order(known.object.as_ref(), &object), own) {
                    // The watch has caught up with our own write; nothing new.
                    (Newer::Same, None) => {
                        known.own = None;
                        return;
                    }
                    (Newer::Same | Newer::Known, Some(_)) => return,
                    (Newer::Known, None) if fresh(known.own) => return,
                    (Newer::Known, None) | (Newer::Given, _) => {}
                }
            }
            insert(&mut inner, &key, Entry { object: Arc::new(object), own })
        };
        self.tell(Some(change));
    }

    fn tell(&self, change: Option<Change<K>>) {
        let Some(change) = change else { return };
        let subscribers = self.read().subscribers.clone();
        for subscriber in subscribers {
            subscriber(change.old.as_deref(), change.new.as_deref());
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Inner<K>> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Inner<K>> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Kind> Absorb for Store<K> {
    fn written(&self, object: &Value) {
        // An answer that does not parse is no loss: the watch tells of it.
        if let Ok(object) = serde_json::from_value::<K>(object.clone()) {
            self.wrote(object);
        }
    }

    fn deleted(&self, key: &Key, uid: Option<&str>) {
        self.vanished(key, uid);
    }
}

#[cfg(test)]
mod tests;
