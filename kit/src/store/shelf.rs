//! What a [`super::Store`] holds, and which of two states of an object is the newer one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::Kind;
use crate::key::Key;

/// How long an own write outranks older watch events. Longer than any normal watch delay; after it, the watch is
/// believed again (a restored etcd has lower resourceVersions).
pub const OWN_WRITE_TTL: Duration = Duration::from_secs(30);

/// Values under which an object is found by an index.
pub(super) type IndexFn<K> = Arc<dyn Fn(&K) -> Vec<String> + Send + Sync>;
/// Called with the object before and after each change.
pub(super) type Subscriber<K> = Arc<dyn Fn(Option<&K>, Option<&K>) + Send + Sync>;

pub(super) struct Entry<K> {
    pub(super) object: Arc<K>,
    /// Set while the object is known from our own write only.
    pub(super) own: Option<Instant>,
}

/// The keys under each value of an index.
pub(super) type Entries = BTreeMap<String, BTreeSet<Key>>;

pub(super) struct Inner<K> {
    pub(super) objects: BTreeMap<Key, Entry<K>>,
    pub(super) indexes: BTreeMap<&'static str, (IndexFn<K>, Entries)>,
    pub(super) subscribers: Vec<Subscriber<K>>,
    /// Objects that are gone: late watch events and late answers to own writes of that uid do not bring them back.
    pub(super) tombs: BTreeMap<Key, (String, Instant)>,
}

pub(super) struct Change<K> {
    pub(super) old: Option<Arc<K>>,
    pub(super) new: Option<Arc<K>>,
}

pub(super) fn insert<K: Kind>(inner: &mut Inner<K>, key: &Key, entry: Entry<K>) -> Change<K> {
    let new = entry.object.clone();
    let old = inner.objects.insert(key.clone(), entry).map(|entry| entry.object);
    reindex(inner, key, old.as_deref(), Some(&new));
    Change { old, new: Some(new) }
}

pub(super) fn remove<K: Kind>(inner: &mut Inner<K>, key: &Key, uid: Option<&str>) -> Option<Change<K>> {
    let known = inner.objects.get(key)?;
    if uid.is_some() && known.object.meta().uid.as_deref() != uid {
        return None;
    }
    let old = inner.objects.remove(key)?.object;
    reindex(inner, key, Some(&old), None);
    Some(Change { old: Some(old), new: None })
}

pub(super) fn reindex<K: Kind>(inner: &mut Inner<K>, key: &Key, old: Option<&K>, new: Option<&K>) {
    for (values, entries) in inner.indexes.values_mut() {
        let before = old.map(|object| values(object)).unwrap_or_default();
        let after = new.map(|object| values(object)).unwrap_or_default();
        for value in before.iter().filter(|value| !after.contains(value)) {
            if let Some(keys) = entries.get_mut(value) {
                keys.remove(key);
                if keys.is_empty() {
                    entries.remove(value);
                }
            }
        }
        for value in after {
            entries.entry(value).or_default().insert(key.clone());
        }
    }
}

/// Removes an object and remembers its uid, which never comes back.
pub(super) fn bury<K: Kind>(inner: &mut Inner<K>, key: &Key, uid: Option<&str>) -> Option<Change<K>> {
    let removed = remove(inner, key, uid);
    let of_removed = || removed.as_ref()?.old.as_ref()?.meta().uid.clone();
    if let Some(uid) = uid.map(ToOwned::to_owned).or_else(of_removed) {
        inner.tombs.insert(key.clone(), (uid, Instant::now()));
        // Now and then, so that the cost per deletion stays constant.
        if inner.tombs.len().is_power_of_two() {
            inner.tombs.retain(|_, (_, since)| since.elapsed() < OWN_WRITE_TTL);
        }
    }
    removed
}

/// Whether this is a late state of an object that is gone; forgets the tomb when it is not.
pub(super) fn buried<K: Kind>(inner: &mut Inner<K>, key: &Key, object: &K) -> bool {
    let Some((uid, since)) = inner.tombs.get(key) else { return false };
    if object.meta().uid.as_deref() == Some(uid) && since.elapsed() < OWN_WRITE_TTL {
        return true;
    }
    inner.tombs.remove(key);
    false
}

pub(super) fn fresh(own: Option<Instant>) -> bool {
    own.is_some_and(|since| since.elapsed() < OWN_WRITE_TTL)
}

pub(super) enum Newer {
    Known,
    Given,
    Same,
}

pub(super) fn order<K: Kind>(known: &K, given: &K) -> Newer {
    let version = |object: &K| object.meta().resource_version.clone().unwrap_or_default();
    let (a, b) = (version(known), version(given));
    if known.meta().uid != given.meta().uid {
        return if older(&b, &a) { Newer::Known } else { Newer::Given };
    }
    if a.is_empty() && b.is_empty() {
        Newer::Given
    } else if a == b {
        Newer::Same
    } else if older(&b, &a) {
        Newer::Known
    } else {
        Newer::Given
    }
}

/// Whether resourceVersion `a` is older than `b`. They are numbers in a text; what is no number is never older.
fn older(a: &str, b: &str) -> bool {
    matches!((a.parse::<u128>(), b.parse::<u128>()), (Ok(a), Ok(b)) if a < b)
}

/// Drops what no controller reads and what is often larger than the object.
pub(super) fn trim<K: Kind>(object: &mut K) {
    let meta = object.meta_mut();
    meta.managed_fields = None;
    if let Some(annotations) = &mut meta.annotations {
        annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
    }
}
