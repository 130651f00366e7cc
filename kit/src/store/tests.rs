//! Own writes over the watch, deletions, indexes, subscribers.

use std::sync::Mutex;

use k8s_openapi::api::core::v1::ConfigMap;

use super::*;
use crate::testing::config_map;

fn version(store: &Store<ConfigMap>) -> Option<String> {
    store.get(&Key::new("ns", "a")).and_then(|object| object.metadata.resource_version.clone())
}

#[tokio::test(start_paused = true)]
async fn an_own_write_outranks_older_events_until_it_expires() {
    let store = Store::fixed([config_map("a", "u", 9, &[])]);
    store.wrote(config_map("a", "u", 12, &[("own", "1")]));
    assert_eq!(version(&store).as_deref(), Some("12"));
    store.seen(config_map("a", "u", 10, &[]));
    assert_eq!(version(&store).as_deref(), Some("12"), "numbers, not texts: 9 < 10 < 12");
    store.seen(config_map("a", "u", 100, &[]));
    assert_eq!(version(&store).as_deref(), Some("100"));
    store.wrote(config_map("a", "u", 50, &[]));
    assert_eq!(version(&store).as_deref(), Some("100"), "an answer that came late is no news");
    store.wrote(config_map("a", "u", 200, &[]));
    tokio::time::advance(OWN_WRITE_TTL).await;
    store.seen(config_map("a", "u", 3, &[]));
    assert_eq!(version(&store).as_deref(), Some("3"), "a restored etcd counts from lower numbers");
}

#[tokio::test(start_paused = true)]
async fn what_we_deleted_does_not_come_back_by_a_late_event_but_a_successor_does() {
    let store = Store::fixed([config_map("a", "old", 5, &[])]);
    let key = Key::new("ns", "a");
    Absorb::deleted(&store, &key, Some("old"));
    store.seen(config_map("a", "old", 6, &[]));
    assert_eq!(version(&store), None);
    store.seen(config_map("a", "new", 8, &[]));
    assert_eq!(version(&store).as_deref(), Some("8"));
    store.vanished(&key, Some("old"));
    assert_eq!(version(&store).as_deref(), Some("8"), "the deletion was of its predecessor");
}

#[test]
fn an_answer_that_comes_after_the_deletion_does_not_bring_the_object_back() {
    let store = Store::fixed([config_map("a", "u", 5, &[])]);
    store.vanished(&Key::new("ns", "a"), Some("u"));
    store.wrote(config_map("a", "u", 6, &[]));
    assert_eq!(version(&store), None, "no further event would ever remove it");
}

#[test]
fn indexes_follow_changes_and_deletions() {
    let color = |object: &ConfigMap| object.data.iter().flatten().map(|(_, v)| v.clone()).collect();
    let store = Store::fixed([config_map("a", "1", 1, &[("c", "red")])]).index("color", color);
    store.seen(config_map("b", "2", 2, &[("c", "red")]));
    let names =
        |value: &str| store.by("color", value).iter().map(|o| o.metadata.name.clone().unwrap()).collect::<Vec<_>>();
    assert_eq!(names("red"), ["a", "b"]);
    store.seen(config_map("a", "1", 3, &[("c", "blue")]));
    assert_eq!((names("red"), names("blue")), (vec!["b".to_owned()], vec!["a".to_owned()]));
    store.vanished(&Key::new("ns", "b"), Some("2"));
    assert_eq!(names("red"), Vec::<String>::new());
    assert!(store.by("no such index", "red").is_empty());
    store.seen(config_map("c", "3", 4, &[("c", "blue-green")]));
    assert_eq!(store.values("color", "blue"), ["blue", "blue-green"]);
    assert_eq!((store.values("color", "blue-").len(), store.values("color", "red").len()), (1, 0));
    assert!(store.values("no such index", "").is_empty());
}

#[test]
fn a_relist_deletes_what_it_does_not_have_and_spares_what_we_just_made() {
    let store = Store::fixed([config_map("a", "1", 1, &[]), config_map("b", "2", 2, &[])]);
    store.wrote(config_map("c", "3", 9, &[]));
    let told = Arc::new(Mutex::new(Vec::new()));
    let seen = told.clone();
    store.subscribe(move |old, new| {
        let name = |o: Option<&ConfigMap>| o.and_then(|o| o.metadata.name.clone());
        seen.lock().unwrap().push((name(old), name(new)));
    });
    told.lock().unwrap().clear();
    store.relisted(|_| true, &BTreeSet::from([Key::new("ns", "a")]));
    assert_eq!(*told.lock().unwrap(), [(Some("b".to_owned()), None)]);
    assert_eq!(store.list(Some("ns")).len(), 2);
    assert_eq!(store.list(Some("other")).len(), 0);
}

#[test]
fn subscribers_see_old_and_new_once_per_change() {
    let store = Store::fixed([config_map("a", "1", 1, &[("x", "1")])]);
    let told = Arc::new(Mutex::new(Vec::new()));
    let seen = told.clone();
    store.subscribe(move |old: Option<&ConfigMap>, new: Option<&ConfigMap>| {
        let version = |o: Option<&ConfigMap>| o.and_then(|o| o.metadata.resource_version.clone());
        seen.lock().unwrap().push((version(old), version(new)));
    });
    store.wrote(config_map("a", "1", 2, &[("x", "2")]));
    store.seen(config_map("a", "1", 2, &[("x", "2")]));
    let of = |a: Option<&str>, b: Option<&str>| (a.map(str::to_owned), b.map(str::to_owned));
    assert_eq!(*told.lock().unwrap(), [of(None, Some("1")), of(Some("1"), Some("2"))]);
}

#[test]
fn metadata_that_nobody_reads_is_dropped() {
    let mut object = config_map("a", "1", 1, &[]);
    object.metadata.managed_fields = Some(Vec::new());
    object.metadata.annotations = Some(
        [("kubectl.kubernetes.io/last-applied-configuration", "{}"), ("mine", "x")]
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .into(),
    );
    let store = Store::fixed([object]);
    let kept = store.get(&Key::new("ns", "a")).unwrap();
    assert!(kept.metadata.managed_fields.is_none());
    assert_eq!(kept.metadata.annotations.as_ref().map(BTreeMap::len), Some(1));
}
