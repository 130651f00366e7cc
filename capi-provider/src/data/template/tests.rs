//! Serving and taking back, one line per situation.

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::data::fixture::{brief, claim, data, deleting, object, owner, template, template_view};

/// The index `i` held by claim `name`.
fn held(i: i32, name: &str) -> Metal3Data {
    let finalizer = "metal3dataclaim.infrastructure.cluster.x-k8s.io";
    object(
        &format!("t-{i}"),
        json!({
            "metadata": {"finalizers": [finalizer], "ownerReferences": [owner("Metal3DataClaim", name)]},
            "spec": {"index": i, "template": {"name": "t"}, "claim": {"name": name}}
        }),
    )
}

fn plain() -> api::infra::v1beta2::Metal3DataTemplate {
    template(&json!({}))
}

fn reason(plan: &Plan<NoCall>) -> &'static str {
    plan.next.why().map_or("", |why| why.reason)
}

const BOTH: &str = "metal3machine,metal3dataclaim";

#[test]
fn a_claim_gets_the_lowest_free_index() {
    let view = template_view(Some(plain()), vec![claim("m")], vec![held(0, "a"), held(2, "b")]);
    let plan = decide(&view);
    assert_eq!(
        brief(&plan.writes),
        [
            format!("patch Metal3DataClaim m finalizers={BOTH}"),
            "create Metal3Data t-1".to_owned(),
            r#"status Metal3DataClaim m {"renderedData":{"name":"t-1","namespace":"ns"}}"#.to_owned(),
        ]
    );
    let Write::Create { body, .. } = &plan.writes[1] else { panic!("creates") };
    let mut by_claim = owner("Metal3DataClaim", "m");
    by_claim["controller"] = json!(true);
    assert_eq!(body["metadata"]["ownerReferences"], json!([by_claim, owner("Metal3Machine", "m")]));
    assert_eq!(body["metadata"]["finalizers"], json!(["metal3dataclaim.infrastructure.cluster.x-k8s.io"]));
    assert_eq!(body["metadata"]["labels"], json!({"cluster.x-k8s.io/cluster-name": "c"}));
    let template = json!({"name": "t", "namespace": "ns"});
    assert_eq!(body["spec"], json!({"index": 1, "template": template, "claim": {"name": "m", "namespace": "ns"}}));
}

#[test]
fn many_claims_are_served_together_with_distinct_indexes() {
    let claims: Vec<_> = (0..600).map(|i| claim(&format!("m{i:03}"))).collect();
    let plan = decide(&template_view(Some(plain()), claims, vec![held(3, "x")]));
    let names: Vec<String> = brief(&plan.writes)
        .into_iter()
        .filter_map(|write| Some(write.strip_prefix("create Metal3Data ")?.to_owned()))
        .collect();
    // Three writes each: the pass ends at its limit and the next one goes on.
    let expected: Vec<String> = (0..201).filter(|i| *i != 3).map(|i| format!("t-{i}")).collect();
    assert_eq!((names, plan.next), (expected, Next::Now));
}

#[test]
fn a_claim_keeps_its_index() {
    let served = |status: Value| {
        let mut claim = claim("m");
        claim.metadata.finalizers.as_mut().unwrap().push("metal3dataclaim.infrastructure.cluster.x-k8s.io".into());
        claim.status = serde_json::from_value(status).unwrap();
        claim
    };
    let done = json!({"renderedData": {"name": "t-2", "namespace": "ns"}});
    // Nothing to do.
    let view = template_view(Some(plain()), vec![served(done.clone())], vec![data()]);
    assert_eq!((brief(&decide(&view).writes), decide(&view).next), (vec![], Next::Rest));
    // The status is lost, as after a move.
    let view = template_view(Some(plain()), vec![served(json!({}))], vec![data()]);
    assert_eq!(
        brief(&decide(&view).writes),
        [r#"status Metal3DataClaim m {"renderedData":{"name":"t-2","namespace":"ns"}}"#]
    );
    // The Metal3Data is lost: the claim's status remembers the index.
    let view = template_view(Some(plain()), vec![served(done)], vec![]);
    assert_eq!(brief(&decide(&view).writes), ["create Metal3Data t-2"]);
    // Both are lost: the template's status remembers it.
    let mut remembers = plain();
    remembers.status = serde_json::from_value(json!({"indexes": [{"index": 5, "name": "m"}]})).unwrap();
    let view = template_view(Some(remembers), vec![served(json!({}))], vec![]);
    assert_eq!(brief(&decide(&view).writes)[0], "create Metal3Data t-5");
    // An object of an earlier claim of this name is not ours, but its index is taken.
    let mut earlier = held(0, "m");
    earlier.metadata.owner_references.as_mut().unwrap()[0].uid = "earlier".into();
    let view = template_view(Some(plain()), vec![served(json!({}))], vec![earlier]);
    assert_eq!(brief(&decide(&view).writes)[0], "create Metal3Data t-1");
}

#[test]
fn who_is_not_served_is_told_why() {
    let mut paused = template_view(Some(plain()), vec![claim("m")], vec![]);
    let mut cluster = crate::data::fixture::cluster();
    cluster.spec.paused = Some(true);
    paused.claims[0].cluster = Some(Arc::new(cluster));
    let mut early = template_view(Some(plain()), vec![claim("m")], vec![]);
    early.claims[0].cluster = None;
    let mut orphan = claim("m");
    orphan.metadata.owner_references = None;
    let mut frozen = plain();
    frozen.metadata.annotations = Some([("cluster.x-k8s.io/paused".to_owned(), String::new())].into());
    for (view, expected, writes) in [
        (paused, "Paused", 0),
        (early, "ClusterMissing", 0),
        (template_view(Some(frozen), vec![claim("m")], vec![]), "Paused", 0),
        (template_view(None, vec![claim("m")], vec![]), "TemplateMissing", 1),
        (template_view(Some(plain()), vec![orphan], vec![]), "NoMachine", 1),
    ] {
        let plan = decide(&view);
        assert_eq!((reason(&plan), plan.writes.len()), (expected, writes));
    }
}

#[test]
fn a_claim_is_told_that_its_template_does_not_exist_until_it_does() {
    let plan = decide(&template_view(None, vec![claim("m")], vec![]));
    let text = "Metal3DataTemplate t does not exist; create it, or correct dataTemplate of the Metal3MachineTemplate";
    assert_eq!(brief(&plan.writes), [format!("status Metal3DataClaim m {}", json!({ "errorMessage": text }))]);
    let told = |status: Value| {
        let mut claim = claim("m");
        claim.status = serde_json::from_value(status).unwrap();
        claim
    };
    let again = decide(&template_view(None, vec![told(json!({"errorMessage": text}))], vec![]));
    assert_eq!((again.writes, matches!(again.next, Next::Changed(_))), (vec![], true));
    // What the claim had is remembered.
    let had = json!({"renderedData": {"name": "t-7", "namespace": "ns"}});
    let Write::Status { body, .. } = &decide(&template_view(None, vec![told(had)], vec![])).writes[0] else {
        panic!("tells")
    };
    assert_eq!(body["status"], json!({ "errorMessage": text }));
    let served = decide(&template_view(Some(plain()), vec![told(json!({"errorMessage": text}))], vec![]));
    let cleared = r#"status Metal3DataClaim m {"errorMessage":null,"renderedData":{"name":"t-0","namespace":"ns"}}"#;
    assert_eq!(brief(&served.writes)[2], cleared);
}

#[test]
fn a_paused_cluster_does_not_stop_the_others() {
    let mut view = template_view(Some(plain()), vec![claim("a"), claim("b")], vec![]);
    let mut cluster = crate::data::fixture::cluster();
    cluster.spec.paused = Some(true);
    view.claims[0].cluster = Some(Arc::new(cluster));
    let plan = decide(&view);
    assert_eq!((brief(&plan.writes)[1].as_str(), reason(&plan)), ("create Metal3Data t-0", "Paused"));
}

#[test]
fn an_index_is_taken_back_after_the_machine_let_go() {
    let mut leaving = deleting(claim("m"));
    leaving.metadata.finalizers.as_mut().unwrap().push("metal3dataclaim.infrastructure.cluster.x-k8s.io".into());
    let view = template_view(Some(plain()), vec![leaving.clone()], vec![data(), held(0, "other")]);
    assert_eq!((decide(&view).writes, reason(&decide(&view))), (vec![], "InUse"));

    let back =
        ["patch Metal3Data t-2 finalizers=metal3data", "delete Metal3Data t-2", "patch Metal3DataClaim m finalizers="];
    let mut released = leaving.clone();
    released.metadata.finalizers.as_mut().unwrap().remove(0);
    let view = template_view(Some(plain()), vec![released.clone()], vec![data(), held(0, "other")]);
    assert_eq!(brief(&decide(&view).writes), back);
    // Also without a template.
    let view = template_view(None, vec![released], vec![data()]);
    assert_eq!(brief(&decide(&view).writes), back);
    // A machine that is gone lets go no more: it is done for it.
    let mut view = template_view(Some(plain()), vec![leaving], vec![data()]);
    view.claims[0].machine_exists = false;
    assert_eq!(brief(&decide(&view).writes), back);
}

#[test]
fn a_template_lives_as_long_as_it_is_used() {
    let mut fresh = plain();
    fresh.metadata.finalizers = None;
    let plan = decide(&template_view(Some(fresh), vec![claim("m")], vec![]));
    assert_eq!(brief(&plan.writes), ["patch Metal3DataTemplate t finalizers=metal3datatemplate"]);
    for (claims, datas, gone) in
        [(vec![], vec![], true), (vec![], vec![held(0, "a")], false), (vec![claim("m")], vec![], false)]
    {
        let plan = decide(&template_view(Some(deleting(plain())), claims, datas));
        assert_eq!(plan.next == Next::Gone, gone);
    }
}

#[test]
fn the_status_is_rebuilt_from_the_objects_and_written_only_when_it_changes() {
    let view = template_view(Some(plain()), vec![], vec![held(4, "b"), held(0, "a")]);
    let Some(Write::Status { body, .. }) = status(&view) else { panic!("writes") };
    assert_eq!(body["status"]["indexes"], json!([{"index": 0, "name": "a"}, {"index": 4, "name": "b"}]));
    assert!(body["status"]["lastUpdated"].is_string());
    let mut settled = view;
    Arc::make_mut(settled.template.as_mut().unwrap()).status = serde_json::from_value(body["status"].clone()).unwrap();
    assert_eq!(status(&settled), None);
    assert_eq!(status(&template_view(Some(plain()), vec![], vec![])), None);
}
