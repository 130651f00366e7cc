//! The life of an index, one line per situation.

use std::sync::Arc;

use api::infra::v1beta2::Metal3DataStatus;
use serde_json::{Value, json};

use super::*;
use crate::data::fixture::{brief, cluster, data_view, deleting, metal3_machine, object, owner};

/// Meta data from pool `p`, and a network.
fn both() -> Value {
    json!({
        "metaData": {"ipAddressesFromPool": [{"key": "ip", "name": "p"}]},
        "networkData": {"networks": {"ipv4": [{"id": "n", "link": "l", "ipAddressFromIPPool": "p"}]}}
    })
}

/// A prefix from a pool of another provider.
fn foreign() -> Value {
    let pool = json!({"key": "p", "name": "o", "kind": "InClusterIPPool", "apiGroup": "ipam.x"});
    json!({"metaData": {"prefixesFromPool": [pool]}})
}

/// The error message that a pass leaves in the status.
fn error(view: &DataView) -> Option<String> {
    let after = match status(view, &step(view)) {
        Some(Write::Status { body, .. }) => body["status"].get("errorMessage").cloned(),
        Some(other) => panic!("{other:?}"),
        None => view.data.status.clone().and_then(|status| status.error_message).map(Value::from),
    };
    after.and_then(|text| text.as_str().map(str::to_owned))
}

/// The view so much later than the index was made.
fn aged(mut view: DataView, seconds: i64) -> DataView {
    let made = Some((view.now - jiff::SignedDuration::from_secs(seconds)).into());
    Arc::make_mut(&mut view.data).metadata.creation_timestamp.clone_from(&made);
    for claim in view.ip_claims.values_mut() {
        Arc::make_mut(claim).metadata.creation_timestamp.clone_from(&made);
    }
    view
}

fn rendered(mut view: DataView) -> DataView {
    let data = Arc::make_mut(&mut view.data);
    data.spec.meta_data =
        Some(api::meta::SecretReference { name: Some("m-metadata".to_owned()), namespace: Some("ns".to_owned()) });
    data.spec.network_data =
        Some(api::meta::SecretReference { name: Some("m-networkdata".to_owned()), namespace: Some("ns".to_owned()) });
    view.secret("m-metadata", false).secret("m-networkdata", false)
}

fn reason(step: &Step) -> &'static str {
    match step {
        Step::Wait(why) | Step::Do(_, Some(why)) => why.reason,
        Step::Do(_, None) => "do",
        Step::Failed(_) => "failed",
        Step::Render(_) => "render",
        Step::Ready => "ready",
        Step::Done(_) => "done",
    }
}

fn writes(step: &Step) -> Vec<String> {
    match step {
        Step::Do(writes, _) | Step::Render(writes) => brief(writes),
        Step::Done(write) => brief(std::slice::from_ref(write)),
        Step::Wait(_) | Step::Failed(_) | Step::Ready => Vec::new(),
    }
}

#[test]
fn waits_name_what_is_missing() {
    let without = |change: fn(&mut DataView)| {
        let mut view = data_view(&both());
        change(&mut view);
        view
    };
    for (view, expected) in [
        (without(|view| view.cluster = None), "ClusterMissing"),
        (
            without(|view| {
                let mut paused = cluster();
                paused.spec.paused = Some(true);
                view.cluster = Some(Arc::new(paused));
            }),
            "Paused",
        ),
        (
            without(|view| {
                let meta = &mut Arc::make_mut(&mut view.data).metadata;
                meta.annotations.get_or_insert_default().insert("cluster.x-k8s.io/paused".into(), String::new());
            }),
            "Paused",
        ),
        (without(|view| view.template = None), "TemplateMissing"),
        (without(|view| view.metal3_machine = None), "MachineMissing"),
        (without(|view| view.machine = None), "MachineIncomplete"),
        (without(|view| view.host = None), "MachineIncomplete"),
        (without(|view| Arc::make_mut(&mut view.data).metadata.finalizers = None), "do"),
        (
            without(|view| {
                let mut machine = metal3_machine();
                machine.spec.data_template = None;
                view.metal3_machine = Some(Arc::new(machine));
            }),
            "failed",
        ),
        (data_view(&both()).secret("m-metadata", true), "SecretDeleting"),
        (data_view(&json!({})), "ready"),
    ] {
        assert_eq!(reason(&step(&view)), expected);
    }
}

#[test]
fn from_index_to_secrets() {
    let view = data_view(&both());
    let first = step(&view);
    assert_eq!((reason(&first), writes(&first)), ("WaitingForAddress", vec!["create IPClaim t-2-p".to_owned()]));
    let asked = step(&view.clone().asked("t-2-p", json!({})));
    assert_eq!((reason(&asked), writes(&asked)), ("WaitingForAddress", vec![]));
    let answered = step(&view.clone().answered("t-2-p", "10.0.0.7"));
    assert_eq!(reason(&answered), "render");
    let refers = r#"{"spec":{"metaData":{"name":"m-metadata","namespace":"ns"},"networkData":{"name":"m-networkdata","namespace":"ns"}}}"#;
    assert_eq!(
        writes(&answered),
        ["create Secret m-metadata", "create Secret m-networkdata", &format!("patch Metal3Data t-2 {refers}")]
    );
    assert_eq!(reason(&step(&rendered(view.clone()))), "ready");
    // Secrets of an earlier life of this program are taken as they are, without asking any pool.
    let found = step(&view.secret("m-metadata", false).secret("m-networkdata", false));
    assert_eq!(writes(&found), [format!("patch Metal3Data t-2 {refers}")]);
}

#[test]
fn only_the_missing_secret_is_made() {
    let view = data_view(&both()).answered("t-2-p", "10.0.0.7").secret("m-metadata", false);
    assert_eq!(writes(&step(&view))[0], "create Secret m-networkdata");
}

#[test]
fn objects_made_have_the_names_and_owners_of_the_contract() {
    let Step::Do(asks, _) = step(&data_view(&both())) else { panic!("asks") };
    let Write::Create { body, .. } = &asks[0] else { panic!("creates") };
    let mut by = owner("Metal3Data", "t-2");
    by["controller"] = json!(true);
    // Cluster API's contract for who asks for addresses.
    let mut blocking = by.clone();
    blocking["blockOwnerDeletion"] = json!(true);
    assert_eq!(body["metadata"]["ownerReferences"], json!([blocking]));
    let Step::Do(others, _) = step(&data_view(&foreign())) else { panic!("asks") };
    let Write::Create { body: other, .. } = &others[0] else { panic!("creates") };
    assert_eq!(other["kind"], "IPAddressClaim");
    for part in ["ownerReferences", "finalizers", "labels", "namespace"] {
        assert_eq!(other["metadata"][part], body["metadata"][part], "{part}");
    }
    assert_eq!(body["metadata"]["finalizers"], json!(["metal3data.infrastructure.cluster.x-k8s.io"]));
    assert_eq!(body["metadata"]["labels"], json!({"cluster.x-k8s.io/cluster-name": "c"}));
    assert_eq!(body["spec"], json!({"pool": {"name": "p", "namespace": "ns"}}));

    let Step::Render(made) = step(&data_view(&both()).answered("t-2-p", "10.0.0.7")) else { panic!("renders") };
    let Write::Create { body, .. } = &made[0] else { panic!("creates") };
    assert_eq!(body["type"], "infrastructure.cluster.x-k8s.io/secret");
    assert_eq!(body["metadata"]["labels"], json!({"cluster.x-k8s.io/cluster-name": "c"}));
    assert_eq!(body["metadata"]["ownerReferences"], json!([by]));
    let secret: k8s_openapi::api::core::v1::Secret = serde_json::from_value(body.clone()).unwrap();
    let content = String::from_utf8(secret.data.unwrap()["metaData"].0.clone()).unwrap();
    assert_eq!(content, "ip: 10.0.0.7\nproviderid: ns/h/m\nuuid: uid-h\n");
}

#[test]
fn claims_named_after_the_host_keep_its_addresses() {
    let mut view = data_view(&both());
    view.claims_named_after_host = true;
    let Step::Do(asks, _) = step(&view) else { panic!("asks") };
    assert_eq!(brief(&asks), ["create IPClaim h-p"]);
    let Write::Create { body, .. } = &asks[0] else { panic!("creates") };
    assert_eq!(body["metadata"]["labels"]["infrastructure.cluster.x-k8s.io/data-name"], "t-2");
    assert_eq!(body["metadata"]["labels"]["infrastructure.cluster.x-k8s.io/pool-name"], "p");
    // A claim of either name is used in either mode.
    assert_eq!(reason(&step(&view.clone().answered("t-2-p", "10.0.0.7"))), "render");
    view.claims_named_after_host = false;
    assert_eq!(reason(&step(&view.answered("h-p", "10.0.0.7"))), "render");
}

#[test]
fn pools_of_other_kinds_are_asked_by_cluster_api() {
    let mut view = data_view(&foreign());
    let Step::Do(asks, _) = step(&view) else { panic!("asks") };
    let Write::Create { target, body } = &asks[0] else { panic!("creates") };
    assert_eq!(
        (target.resource.api_version.as_str(), target.resource.kind.as_str()),
        ("ipam.cluster.x-k8s.io/v1beta2", "IPAddressClaim")
    );
    let pool = json!({"name": "o", "kind": "InClusterIPPool", "apiGroup": "ipam.x"});
    assert_eq!(body["spec"], json!({"clusterName": "c", "poolRef": pool}));

    let claim = |status: Value| {
        let meta = json!({"ownerReferences": [owner("Metal3Data", "t-2")]});
        Arc::new(object("t-2-o", json!({"metadata": meta, "spec": {"poolRef": pool}, "status": status})))
    };
    let unready = |reason: &str, message: &str| {
        let time = "2026-01-01T00:00:00Z";
        let condition = json!({"type": "Ready", "status": "False", "reason": reason, "message": message, "lastTransitionTime": time});
        json!({"conditions": [condition]})
    };
    view.capi_claims.insert("t-2-o".into(), claim(unready("PoolExhausted", "no address left")));
    let told = "IP Allocation for o failed: PoolExhausted: no address left; InClusterIPPool o has no free address for \
                IPAddressClaim t-2-o: add addresses to its spec, or delete claims that nobody needs";
    assert_eq!(error(&view).as_deref(), Some(told));
    // What its provider is at work on is no refusal.
    view.capi_claims.insert("t-2-o".into(), claim(unready("Allocating", "asks the router")));
    let Step::Wait(why) = step(&view) else { panic!("waits") };
    assert_eq!((why.seen.as_deref(), error(&view)), (Some("Allocating: asks the router"), None));
    view.capi_claims.insert("t-2-o".into(), claim(json!({"addressRef": {"name": "a"}})));
    let spec = json!({"claimRef": {"name": "t-2-o"}, "poolRef": pool, "address": "10.9.0.2", "prefix": 20});
    view.capi_addresses.insert("a".into(), Arc::new(object("a", json!({"spec": spec}))));
    assert_eq!(reason(&step(&view)), "render");
}

#[test]
fn an_address_claim_deleted_before_it_was_used_is_made_anew() {
    let view = |finalizers: &[&str]| {
        let mut view = data_view(&both()).asked("t-2-p", json!({"address": {"name": "released"}}));
        let claim = Arc::make_mut(view.ip_claims.get_mut("t-2-p").unwrap());
        claim.metadata.finalizers = Some(finalizers.iter().map(|name| (*name).to_owned()).collect());
        *claim = deleting(claim.clone());
        view
    };
    let ours = view(&["metal3data.infrastructure.cluster.x-k8s.io", "ipam"]);
    assert_eq!(writes(&step(&ours)), ["patch IPClaim t-2-p finalizers=ipam"]);
    assert_eq!(reason(&step(&view(&["ipam"]))), "AddressClaimInUse");
    // What was rendered already has that address.
    assert!(matches!(step(&ours.secret("m-metadata", false)), Step::Wait(why) if why.reason == "WaitingForAddress"));
}

#[test]
fn a_claim_of_somebody_else_is_never_used() {
    let foreign = |delete: bool, finalizers: &[&str]| {
        let mut view = data_view(&both()).answered("t-2-p", "10.0.0.7");
        let claim = Arc::make_mut(view.ip_claims.get_mut("t-2-p").unwrap());
        claim.metadata.owner_references.as_mut().unwrap()[0].uid = "another".into();
        claim.metadata.finalizers = Some(finalizers.iter().map(|name| (*name).to_owned()).collect());
        if delete {
            *claim = deleting(claim.clone());
        }
        step(&view)
    };
    assert_eq!(reason(&foreign(false, &[])), "AddressClaimInUse");
    assert_eq!(reason(&foreign(true, &["ipam"])), "AddressClaimInUse");
    // Its end wakes its own owner only.
    let next = plan(&data_view(&both()), foreign(false, &[])).next;
    assert!(matches!(next, Next::After(..)), "{next:?}");
    let stripped = foreign(true, &["metal3data.infrastructure.cluster.x-k8s.io", "ipam"]);
    assert_eq!(writes(&stripped), ["patch IPClaim t-2-p finalizers=ipam"]);
}

#[test]
fn refusals_and_errors_reach_the_status_and_go_again() {
    let view = data_view(&both()).asked("t-2-p", json!({"errorMessage": "pool exhausted ".repeat(60)}));
    let Some(Write::Status { body, .. }) = status(&view, &step(&view)) else { panic!("writes") };
    let message = body["status"]["errorMessage"].as_str().unwrap();
    assert!(message.starts_with("IP Allocation for p failed: pool exhausted"), "{message}");
    assert_eq!((message.chars().count(), &body["status"]["ready"]), (512, &json!(false)));

    let mut view = view;
    view.ip_claims.clear();
    let failed = Metal3DataStatus { ready: Some(false), error_message: Some("old".into()) };
    Arc::make_mut(&mut view.data).status = Some(failed);
    let Some(Write::Status { body, .. }) = status(&view, &step(&view)) else { panic!("writes") };
    assert_eq!(body, json!({"status": {"errorMessage": null}}));
}

#[test]
fn an_exhausted_pool_is_told_with_its_field_and_does_not_hold_up_the_others() {
    let view = data_view(&both()).asked("t-2-p", json!({"errorMessage": "Exhausted IP Pools"}));
    let told = "IP Allocation for p failed: Exhausted IP Pools; IPPool p has no free address for IPClaim t-2-p: add a \
                range to its spec.pools, or delete claims that nobody needs";
    assert_eq!(error(&view).as_deref(), Some(told));
    let two = json!({"metaData": {"ipAddressesFromPool": [{"key": "a", "name": "p"}, {"key": "b", "name": "q"}]}});
    let view = data_view(&two).asked("t-2-p", json!({"errorMessage": "Exhausted IP Pools"}));
    let asks = step(&view);
    assert_eq!((reason(&asks), writes(&asks)), ("AddressRefused", vec!["create IPClaim t-2-q".to_owned()]));
    assert_eq!(error(&view).as_deref(), Some(told));
    let view = view.answered("t-2-q", "10.0.0.8");
    assert_eq!((reason(&step(&view)), error(&view).as_deref()), ("failed", Some(told)));
    // It goes with its cause.
    let mut view = view.answered("t-2-p", "10.0.0.7");
    Arc::make_mut(&mut view.data).status =
        Some(Metal3DataStatus { ready: Some(false), error_message: Some(told.into()) });
    assert_eq!((reason(&step(&view)), error(&view)), ("render", None));
}

#[test]
fn what_is_missing_is_told_with_its_remedy_and_a_normal_wait_only_when_it_lasts() {
    type Lose = fn(&mut DataView);
    let missing: [(Lose, &str); 4] = [
        (
            |view| view.cluster = None,
            "waiting for Cluster c, which label cluster.x-k8s.io/cluster-name names: create it",
        ),
        (
            |view| view.template = None,
            "Metal3DataTemplate t does not exist; create it again, it is what data is made from",
        ),
        (
            |view| *view = view.clone().secret("m-metadata", true),
            "waiting until the old Secret m-metadata is gone; if it stays, look at its metadata.finalizers",
        ),
        (
            |view| {
                *view = view.clone().asked("t-2-p", json!({}));
                let claim = Arc::make_mut(view.ip_claims.get_mut("t-2-p").unwrap());
                claim.metadata.owner_references = None;
            },
            "IPClaim t-2-p belongs to another object; waiting until it is gone: delete it, if nobody needs it",
        ),
    ];
    for (lose, expected) in missing {
        let mut view = data_view(&both());
        lose(&mut view);
        assert_eq!(error(&view).as_deref(), Some(expected));
    }
    let asked = data_view(&both()).asked("t-2-p", json!({}));
    let told =
        "waiting for IPPool p to answer IPClaim t-2-p; does the pool's provider of addresses run? (usually 15 s)";
    let mut hostless = data_view(&both());
    hostless.host = None;
    let no_host =
        "waiting for the BareMetalHost of the Metal3Machine's annotation metal3.io/BareMetalHost (usually 15 s)";
    for (view, expected) in [(asked, told), (hostless, no_host)] {
        let fresh = aged(view.clone(), 5);
        assert_eq!(error(&fresh), None);
        let Next::After(again, _) = plan(&fresh, step(&fresh)).next else { panic!("nobody would look again") };
        assert_eq!(again, Duration::from_secs(10));
        let late = aged(view, 15);
        assert_eq!(error(&late).as_deref(), Some(expected));
        assert!(matches!(plan(&late, step(&late)).next, Next::Changed(_)));
        assert_eq!(error(&aged(late, 1_000)).as_deref(), Some(expected), "the text stays while the wait lasts");
    }
}

#[test]
fn nothing_is_told_while_paused() {
    let mut view = data_view(&both()).asked("t-2-p", json!({"errorMessage": "Exhausted IP Pools"}));
    let mut paused = cluster();
    paused.spec.paused = Some(true);
    view.cluster = Some(Arc::new(paused));
    assert_eq!(status(&view, &step(&view)), None);
}

#[test]
fn ready_stays_ready_while_other_objects_are_missing_and_nothing_is_written_twice() {
    let mut view = rendered(data_view(&both()));
    Arc::make_mut(&mut view.data).status = Some(Metal3DataStatus { ready: Some(true), error_message: None });
    assert_eq!(status(&view, &step(&view)), None);
    let losses: [fn(&mut DataView); 3] =
        [|view| view.template = None, |view| view.metal3_machine = None, |view| view.cluster = None];
    for lose in losses {
        let mut view = view.clone();
        lose(&mut view);
        assert_eq!(status(&view, &step(&view)), None);
    }
    view.secrets.remove("m-metadata");
    let Some(Write::Status { body, .. }) = status(&view, &step(&view)) else { panic!("writes") };
    assert_eq!(body, json!({"status": {"ready": false}}));
}

#[test]
fn deletion_waits_for_the_claim_and_then_lets_go_of_everything() {
    let mut view = data_view(&both()).answered("t-2-p", "10.0.0.7");
    view.data = Arc::new(deleting((*view.data).clone()));
    assert_eq!(reason(&step(&view)), "InUse");
    let mut later = crate::data::fixture::claim("m");
    later.metadata.uid = Some("uid-later".into());
    view.claim = Some(Arc::new(later));
    assert_eq!(writes(&step(&view)).len(), 2, "a later claim of this name has an index of its own");
    view.claim = None;
    // Not even the template is needed.
    (view.template, view.metal3_machine, view.machine, view.host, view.cluster) = (None, None, None, None, None);
    let released = step(&view);
    assert_eq!(writes(&released), ["patch IPClaim t-2-p finalizers=ipclaim", "delete IPClaim t-2-p"]);
    let claim = Arc::make_mut(view.ip_claims.get_mut("t-2-p").unwrap());
    *claim = deleting(claim.clone());
    claim.metadata.finalizers = Some(vec!["ipclaim.ipam.metal3.io".into()]);
    assert_eq!(writes(&step(&view)), ["patch Metal3Data t-2 finalizers="]);
    assert_eq!(status(&view, &step(&view)), None);
}
