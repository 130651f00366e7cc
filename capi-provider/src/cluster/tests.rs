use std::sync::Arc;

use api::capi::ContractRef;
use api::infra::v1beta2::{ApiEndpoint, FailureDomain};
use api::names::{finalizer, label};
use kit::pass::Write;

use super::*;
use crate::machine::fixture::{annotated, apply, available, cluster, consumed, delete, labelled, labels_of, meta, now};

fn infra() -> Metal3Cluster {
    let mut infra = Metal3Cluster { metadata: meta("c"), ..Metal3Cluster::default() };
    infra.metadata.finalizers = Some(vec![finalizer::METAL3_CLUSTER.into()]);
    infra.spec.control_plane_endpoint = Some(ApiEndpoint { host: Some("192.0.2.1".into()), port: Some(6443) });
    infra.spec.failure_domains = vec![FailureDomain { name: "fd1".into(), ..FailureDomain::default() }];
    infra
}

fn view(infra: Metal3Cluster) -> View {
    View {
        now: now(),
        infra: Arc::new(infra),
        cluster: Some(Arc::new(cluster())),
        machines: 0,
        kept: Vec::new(),
        demand: BTreeMap::new(),
    }
}

fn nothing_done() -> Done<()> {
    Done { written: Vec::new(), failed: None, answer: None, late: None, at: now() }
}

/// The object after the status write of a pass, and the reason of its wait.
fn after(view: &View) -> (Metal3Cluster, Option<&'static str>) {
    let plan = life::decide(view);
    assert!(plan.writes.is_empty(), "{plan:?}");
    let write = life::status(view, &plan.next, &nothing_done());
    let object = write.map_or_else(|| (*view.infra).clone(), |write| apply(&*view.infra, &write));
    (object, plan.next.why().map(|why| why.reason))
}

fn condition(infra: &Metal3Cluster, kind: &str) -> Option<String> {
    let list = &infra.status.as_ref()?.conditions;
    kit::conditions::get(list, kind).map(|c| format!("{} {}", c.status, c.reason))
}

#[test]
fn an_endpoint_makes_the_cluster_ready_and_then_nothing_is_written() {
    let (ready, waits) = after(&view(infra()));
    assert_eq!(waits, None);
    let status = ready.status.clone().unwrap();
    assert_eq!(status.initialization.unwrap().provisioned, Some(true));
    assert_eq!(status.failure_domains, infra().spec.failure_domains);
    assert_eq!(condition(&ready, "Ready").as_deref(), Some("True Ready"));
    assert_eq!(condition(&ready, "BaremetalInfrastructureReady").as_deref(), Some("True Ready"));
    assert_eq!(condition(&ready, "Paused").as_deref(), Some("False NotPaused"));
    let mut later = view(ready);
    later.now += jiff::SignedDuration::from_hours(1);
    assert_eq!(life::status(&later, &Next::Rest, &nothing_done()), None);
}

#[test]
fn what_is_missing_is_told_and_repaired() {
    let mut bad = infra();
    bad.spec.control_plane_endpoint = None;
    let (told, waits) = after(&view(bad.clone()));
    assert_eq!(waits, Some("InvalidConfiguration"));
    assert_eq!(condition(&told, "BaremetalInfrastructureReady").as_deref(), Some("False InvalidConfiguration"));
    assert!(told.status.as_ref().unwrap().initialization.is_none());
    assert!(
        told.status.as_ref().unwrap().deprecated.as_ref().unwrap().v1beta1.as_ref().unwrap().failure_reason.is_none()
    );
    let (repaired, _) = after(&view(Metal3Cluster { spec: infra().spec, ..told }));
    assert_eq!(condition(&repaired, "Ready").as_deref(), Some("True Ready"));

    let mut given = cluster();
    given.spec.control_plane_endpoint = infra().spec.control_plane_endpoint;
    let (ready, _) = after(&View { cluster: Some(Arc::new(given)), ..view(bad) });
    assert_eq!(condition(&ready, "Ready").as_deref(), Some("True Ready"));

    let (_, waits) = after(&View { cluster: None, ..view(infra()) });
    assert_eq!(waits, Some("WaitingForClusterOwner"));
}

#[test]
fn pause_is_published_and_touches_nothing_else() {
    let mut paused_cluster = cluster();
    paused_cluster.spec.paused = Some(true);
    let mut bare = infra();
    bare.metadata.finalizers = None;
    let views = [
        View { cluster: Some(Arc::new(paused_cluster)), ..view(bare.clone()) },
        view(annotated(bare, kit::owners::PAUSED, "")),
        view(annotated(delete(infra()), kit::owners::PAUSED, "")),
    ];
    for view in views {
        let (object, waits) = after(&view);
        assert_eq!(waits, Some("Paused"));
        assert_eq!(condition(&object, "Paused").as_deref(), Some("True Paused"));
        assert_eq!(condition(&object, "Ready"), None);
    }
}

#[test]
fn deletion_waits_for_machines_then_frees_kept_hosts_then_ends() {
    let leaving = view(delete(infra()));
    let (object, waits) = after(&View { machines: 3, ..leaving.clone() });
    assert_eq!(waits, Some("WaitingForMachines"));
    assert_eq!(condition(&object, "Ready").as_deref(), Some("False Deleting"));

    let host = labelled(consumed(available("h"), "cluster.x-k8s.io", "Cluster", "c"), label::NODE_REUSE, "cp-kcp");
    let plan = life::decide(&View { kept: vec![Arc::new(host.clone())], ..leaving.clone() });
    let [write] = plan.writes.as_slice() else { panic!("{plan:?}") };
    let freed = apply(&host, write);
    assert!(freed.spec.consumer_ref.is_none() && labels_of(&freed).is_empty());

    for orphan in [leaving.clone(), View { cluster: None, ..leaving }] {
        let plan = life::decide(&orphan);
        let [Write::Patch { body, .. }] = plan.writes.as_slice() else { panic!("{plan:?}") };
        assert_eq!(*body, serde_json::json!({ "metadata": { "finalizers": [] } }));
        assert_eq!(plan.next, Next::Gone);
    }
}

#[test]
fn the_finalizer_comes_first() {
    let mut bare = infra();
    bare.metadata.finalizers = None;
    let plan = life::decide(&view(bare));
    let [Write::Patch { target, body }] = plan.writes.as_slice() else { panic!("{plan:?}") };
    assert_eq!(target.resource_version.as_deref(), Some("1"));
    assert_eq!(*body, serde_json::json!({ "metadata": { "finalizers": [finalizer::METAL3_CLUSTER] } }));
}

#[test]
fn a_kept_host_is_let_go_when_nobody_will_ask_for_it() {
    let host = labelled(consumed(available("h"), "cluster.x-k8s.io", "Cluster", "c"), label::NODE_REUSE, "md-w");
    let wants = |replicas, live, waiting| Demand::Wants { replicas, live, waiting };
    let table = [
        ("scale-in", wants(1, 1, 0), true),
        ("the next machine is to come", wants(2, 1, 0), false),
        ("the next machine is there and has no host", wants(1, 1, 1), false),
        ("surge took another host", wants(1, 2, 0), true),
        ("gone", Demand::Gone, true),
        ("not known", Demand::Unknown, false),
    ];
    for (case, demand, freed) in table {
        let view =
            View { kept: vec![Arc::new(host.clone())], demand: [("md-w".to_owned(), demand)].into(), ..view(infra()) };
        let plan = life::decide(&view);
        assert_eq!(plan.writes.len(), usize::from(freed), "{case}");
        if !freed {
            let told =
                life::status(&view, &plan.next, &nothing_done()).map(|write| apply(&*view.infra, &write)).unwrap();
            assert_eq!(condition(&told, "Ready").as_deref(), Some("True Ready"), "{case}");
        }
    }
}

#[test]
fn a_control_plane_of_any_kind_is_found_by_its_machines() {
    let machine = |kind: &str, name: &str, version: &str| {
        let owner = OwnerReference {
            api_version: format!("controlplane.cluster.x-k8s.io/{version}"),
            kind: kind.to_owned(),
            name: name.to_owned(),
            ..OwnerReference::default()
        };
        let mut machine = Machine { metadata: meta(name), ..Machine::default() };
        machine.metadata.owner_references = Some(vec![owner]);
        Arc::new(machine)
    };
    let mut kubeadm = cluster();
    kubeadm.spec.control_plane_ref = Some(ContractRef {
        api_group: api::capi::CONTROL_PLANE_GROUP.into(),
        kind: "KubeadmControlPlane".into(),
        name: "cp".into(),
    });
    let others = vec![machine("RKE2ControlPlane", "other", "v1beta1"), machine("RKE2ControlPlane", "cp", "v1beta1")];
    let of_kubeadm = View { cluster: Some(Arc::new(kubeadm)), ..view(infra()) };
    let table = [
        (view(infra()), others, Some(("RKE2ControlPlane", "controlplane.cluster.x-k8s.io/v1beta1"))),
        (of_kubeadm, vec![], Some(("KubeadmControlPlane", ""))),
        (view(infra()), vec![], None),
    ];
    for (view, machines, expected) in table {
        let found = control_plane_of(&view, &machines, "cp");
        assert_eq!(found.as_ref().map(|it| (it.kind.as_str(), it.api_version.as_str())), expected);
        assert!(found.is_none_or(|it| it.name == "cp"));
    }
}
