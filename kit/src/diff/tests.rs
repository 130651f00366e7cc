//! The patch takes before to after, is minimal, and never leaves its side of the object.

use proptest::prelude::*;

use super::*;
use crate::testing::config_map;
use crate::webhook::review::merge;

/// JSON without nulls, as wire types serialize (absent members are left out).
fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        (0..4_u8).prop_map(Value::from),
        "[ab]{0,2}".prop_map(Value::from)
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            proptest::collection::btree_map("[abc]", inner, 0..4).prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn a_patch_applied_to_before_gives_after(before in values(), after in values()) {
        let mut patched = before.clone();
        if let Some(patch) = between(&before, &after) {
            merge(&mut patched, patch);
        }
        prop_assert_eq!(patched, after);
    }

    #[test]
    fn no_change_no_patch(value in values()) {
        prop_assert_eq!(between(&value, &value), None);
    }
}

#[test]
fn a_patch_names_only_what_changed() {
    let before = json!({ "a": { "x": 1, "y": 2 }, "b": [1, 2], "c": 3 });
    let after = json!({ "a": { "x": 1, "y": 5 }, "b": [1], "d": 4 });
    let patch = json!({ "a": { "y": 5 }, "b": [1], "c": null, "d": 4 });
    assert_eq!(between(&before, &after), Some(patch));
}

#[test]
fn status_and_object_writes_keep_to_their_side() {
    use k8s_openapi::api::core::v1::{Node, NodeStatus};
    let before = Node::default();
    let mut after = before.clone();
    after.status = Some(NodeStatus { phase: Some("Up".to_owned()), ..NodeStatus::default() });
    assert_eq!(object(&before, &after), None);
    after.metadata.resource_version = Some("9".to_owned());
    assert_eq!(object(&before, &after), None, "the API server's own metadata is not written");
    after.metadata.labels = Some([("a".to_owned(), "b".to_owned())].into());
    let Some(Write::Patch { body, .. }) = object(&before, &after) else { panic!("no patch") };
    assert_eq!(body, json!({ "metadata": { "labels": { "a": "b" } } }));
    let Some(Write::Status { body, .. }) = status(&before, &after) else { panic!("no status") };
    assert_eq!(body, json!({ "status": { "phase": "Up" } }));
}

#[test]
fn exact_writes_carry_both_preconditions() {
    let before = config_map("a", "u", 7, &[("x", "1")]);
    let after = config_map("a", "u", 7, &[("x", "2")]);
    let guards = |write: Option<Write>| {
        let target = write.unwrap().target().clone();
        (target.uid, target.resource_version)
    };
    assert_eq!(guards(object(&before, &after)), (Some("u".to_owned()), None));
    assert_eq!(guards(object_exact(&before, &after)), (Some("u".to_owned()), Some("7".to_owned())));
}
