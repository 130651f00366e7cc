//! Finalizers, owner references, pause and the watch filter: what the metadata of an object says about who may act.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use serde_json::json;

use crate::Kind;
use crate::key::Target;
use crate::pass::Write;

/// Cluster API's annotation that stops every controller of an object, whatever its value.
pub const PAUSED: &str = "cluster.x-k8s.io/paused";
/// Cluster API's label that assigns an object to one of several managers.
pub const WATCH_FILTER: &str = "cluster.x-k8s.io/watch-filter";

/// Whether the object carries the finalizer.
pub fn has_finalizer<K: Kind>(object: &K, finalizer: &str) -> bool {
    object.meta().finalizers.iter().flatten().any(|name| name == finalizer)
}

/// Adds a finalizer; it fails with a conflict when the object changed meanwhile, because the list is replaced.
/// Come before any side effect that needs cleaning up.
pub fn add_finalizer<K: Kind>(object: &K, finalizer: &str) -> Write {
    let mut names = object.meta().finalizers.clone().unwrap_or_default();
    if !names.iter().any(|name| name == finalizer) {
        names.push(finalizer.to_owned());
    }
    finalizers(object, &names)
}

/// Removes a finalizer and keeps those of others; comes last.
pub fn remove_finalizer<K: Kind>(object: &K, finalizer: &str) -> Write {
    let names: Vec<String> =
        object.meta().finalizers.iter().flatten().filter(|name| *name != finalizer).cloned().collect();
    finalizers(object, &names)
}

fn finalizers<K: Kind>(object: &K, names: &[String]) -> Write {
    Write::Patch { target: Target::exact(object), body: json!({ "metadata": { "finalizers": names } }) }
}

/// Whether deletion of the object was requested.
pub fn deleting(meta: &ObjectMeta) -> bool {
    meta.deletion_timestamp.is_some()
}

/// Whether the object itself is marked as paused (its Cluster may be, too; that is the caller's question).
pub fn paused(meta: &ObjectMeta) -> bool {
    meta.annotations.as_ref().is_some_and(|annotations| annotations.contains_key(PAUSED))
}

/// Whether this manager is responsible: with an empty filter for everything, else for objects with that label.
pub fn watched(meta: &ObjectMeta, filter: &str) -> bool {
    filter.is_empty() || meta.labels.as_ref().and_then(|labels| labels.get(WATCH_FILTER)).is_some_and(|l| l == filter)
}

/// A reference to an owner; `controller` marks the one managing owner and blocks its foreground deletion.
pub fn owner_reference<K: Kind>(owner: &K, controller: bool) -> OwnerReference {
    OwnerReference {
        api_version: K::api_version(&()).into_owned(),
        kind: K::kind(&()).into_owned(),
        name: owner.meta().name.clone().unwrap_or_default(),
        uid: owner.meta().uid.clone().unwrap_or_default(),
        controller: controller.then_some(true),
        block_owner_deletion: controller.then_some(true),
    }
}

/// Puts an owner into the list: replaces the entry of the same group, kind and name (its uid and version change by
/// a move or an upgrade), else appends.
pub fn set_owner(meta: &mut ObjectMeta, owner: OwnerReference) {
    let owners = meta.owner_references.get_or_insert_default();
    let same = |known: &OwnerReference| {
        group(&known.api_version) == group(&owner.api_version) && known.kind == owner.kind && known.name == owner.name
    };
    match owners.iter_mut().find(|known| same(known)) {
        Some(known) => *known = owner,
        None => owners.push(owner),
    }
}

/// The owner of this kind (group without version), if there is one.
pub fn owner_of_kind<'a>(meta: &'a ObjectMeta, owner_group: &str, kind: &str) -> Option<&'a OwnerReference> {
    meta.owner_references.iter().flatten().find(|o| o.kind == kind && group(&o.api_version) == owner_group)
}

/// Whether the object with this uid is an owner.
pub fn owned_by(meta: &ObjectMeta, uid: &str) -> bool {
    meta.owner_references.iter().flatten().any(|owner| owner.uid == uid)
}

/// The group of an apiVersion; empty for the core group.
pub fn group(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::config_map;

    #[test]
    fn finalizers_of_others_are_kept_and_the_list_is_guarded() {
        let mut object = config_map("a", "u", 4, &[]);
        object.metadata.finalizers = Some(vec!["other/x".to_owned()]);
        let names = |write: Write| {
            assert_eq!(write.target().resource_version.as_deref(), Some("4"));
            let Write::Patch { body, .. } = write else { panic!("no patch") };
            body["metadata"]["finalizers"].clone()
        };
        assert_eq!(names(add_finalizer(&object, "mine/y")), json!(["other/x", "mine/y"]));
        object.metadata.finalizers = Some(vec!["other/x".to_owned(), "mine/y".to_owned()]);
        assert_eq!(names(add_finalizer(&object, "mine/y")), json!(["other/x", "mine/y"]));
        assert_eq!(names(remove_finalizer(&object, "mine/y")), json!(["other/x"]));
    }

    #[test]
    fn an_owner_of_the_same_name_is_replaced_even_when_version_and_uid_changed() {
        let owner = |version: &str, name: &str, uid: &str| OwnerReference {
            api_version: format!("g/{version}"),
            kind: "K".to_owned(),
            name: name.to_owned(),
            uid: uid.to_owned(),
            ..OwnerReference::default()
        };
        let mut meta = ObjectMeta::default();
        set_owner(&mut meta, owner("v1", "a", "1"));
        set_owner(&mut meta, owner("v1", "b", "2"));
        set_owner(&mut meta, owner("v2", "a", "3"));
        let uids: Vec<_> = meta.owner_references.iter().flatten().map(|o| o.uid.as_str()).collect();
        assert_eq!(uids, ["3", "2"]);
        assert!(owned_by(&meta, "3") && !owned_by(&meta, "1"));
        assert_eq!(owner_of_kind(&meta, "g", "K").map(|o| o.name.as_str()), Some("a"));
    }
}
