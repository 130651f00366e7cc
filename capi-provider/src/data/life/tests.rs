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
    assert_eq!(body["metadata"]["ownerReferences"], json!([by]));
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
    let spec = json!({"metaData": {"prefixesFromPool": [
        {"key": "p", "name": "o", "kind": "InClusterIPPool", "apiGroup": "ipam.x"}
    ]}});
    let mut view = data_view(&spec);
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
    let refused = json!({"conditions": [{
        "type": "Ready", "status": "False", "reason": "PoolExhausted", "message": "no address left",
        "lastTransitionTime": "2026-01-01T00:00:00Z"
    }]});
    view.capi_claims.insert("t-2-o".into(), claim(refused));
    let Step::Wait(why) = step(&view) else { panic!("waits") };
    assert_eq!(why.seen.as_deref(), Some("PoolExhausted: no address left"));
    view.capi_claims.insert("t-2-o".into(), claim(json!({"addressRef": {"name": "a"}})));
    let spec = json!({"claimRef": {"name": "t-2-o"}, "poolRef": pool, "address": "10.9.0.2", "prefix": 20});
    view.capi_addresses.insert("a".into(), Arc::new(object("a", json!({"spec": spec}))));
    assert_eq!(reason(&step(&view)), "render");
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
