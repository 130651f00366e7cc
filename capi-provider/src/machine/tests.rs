//! A machine's life as a table: what is known, what is done, what is told.

mod data;
mod told;

use std::sync::Arc;

use api::infra::v1beta2::Metal3Machine;
use api::meta::SecretReference;
use api::metal3::{BareMetalHost, CustomDeploy, HardwareDetails, Image, Nic, ProvisioningState};
use api::names::{annotation, finalizer, label};
use kit::conditions::Condition;
use kit::pass::{Class, Done, Fault, Next, Plan, Write};

use super::fixture::{
    annotated, apply, available, consumed, delete, free, held, host, machine, meta, now, ours, owner, view,
};
use super::life::{Call, decide};
use super::view::{Hosts, Nodes, View};
use super::{claim, status};
use crate::remote::{NodeSeen, NodeWrite};

/// What a plan does, in short: the kind and name written, the call, or the reason of the wait.
fn short(plan: &Plan<Call>) -> String {
    assert!(plan.writes.len() <= 1, "more than one dependent write: {plan:?}");
    if let Some(write) = plan.writes.first() {
        let verb = match write {
            Write::Create { .. } => "create",
            Write::Patch { .. } => "patch",
            Write::Status { .. } => "status",
            Write::Delete { .. } => "delete",
        };
        return format!("{verb} {} {}", write.target().resource.kind, write.target().key.name);
    }
    match (&plan.call, &plan.next) {
        (Some(call), _) => format!("{:?}", call.write),
        (None, Next::Rest) => "rest".to_owned(),
        (None, Next::Gone) => "gone".to_owned(),
        (None, next) => next.why().map_or("now".to_owned(), |why| why.reason.to_owned()),
    }
}

fn doing(view: &View) -> String {
    short(&decide(view).0)
}

fn nothing_done() -> Done<()> {
    Done { written: Vec::new(), failed: None, answer: None, late: None, at: now() }
}

/// The machine after the status write of a pass.
fn told(view: &View, done: &Done<()>) -> Metal3Machine {
    let (plan, report) = decide(view);
    let write = status::write(view, &report, plan.next.why(), done);
    write.map_or_else(|| (*view.machine).clone(), |write| apply(&*view.machine, &write))
}

fn condition(machine: &Metal3Machine, kind: &str) -> String {
    let list = machine.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    kit::conditions::get(list, kind).map_or("-".to_owned(), |c| format!("{} {}", c.status, c.reason))
}

fn message(machine: &Metal3Machine, kind: &str) -> String {
    let list = machine.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    kit::conditions::get(list, kind).map_or(String::new(), |condition| condition.message.clone())
}

/// A host of the machine in a state, with what the machine puts on it.
fn deployed(state: ProvisioningState) -> BareMetalHost {
    let mut host = claim::claimed(&view(), &ours(host("h", state)));
    host.spec.image =
        Some(Image { url: "http://i/x".into(), checksum: Some("http://i/x.sum".into()), ..Image::default() });
    host.spec.user_data = Some(SecretReference { name: Some("boot".into()), namespace: Some("ns".into()) });
    host.spec.online = true;
    host
}

/// The machine with its annotation.
fn bound() -> Metal3Machine {
    annotated(machine(), annotation::MACHINE_HOST, "ns/h")
}

fn with_id(mut machine: Metal3Machine) -> Arc<Metal3Machine> {
    machine.spec.provider_id = Some("metal3://ns/h/m".into());
    Arc::new(machine)
}

fn node(id: Option<&str>) -> Nodes {
    let labels = [(super::node::UUID_LABEL.to_owned(), "uid-h".to_owned())].into();
    Nodes::Seen([NodeSeen { name: "n".into(), uid: "u".into(), provider_id: id.map(str::to_owned), labels }].into())
}

fn with_owner(change: impl FnOnce(&mut api::capi::Machine)) -> Arc<api::capi::Machine> {
    let mut machine = owner();
    change(&mut machine);
    Arc::new(machine)
}

#[test]
fn before_a_host() {
    let no_finalizer = || {
        let mut machine = machine();
        machine.metadata.finalizers = None;
        Arc::new(machine)
    };
    let unready = api::capi::Cluster { status: None, ..super::fixture::cluster() };
    let table: Vec<(&str, View, &str)> = vec![
        ("no Machine", View { owner: None, ..view() }, "WaitingForMetal3MachineOwnerRef"),
        ("no Cluster", View { cluster: None, ..view() }, "WaitingForClusterInfrastructureReady"),
        (
            "Cluster not ready",
            View { cluster: Some(Arc::new(unready)), ..view() },
            "WaitingForClusterInfrastructureReady",
        ),
        ("no Metal3Cluster", View { infra: None, ..view() }, "WaitingforMetal3Cluster"),
        (
            "no bootstrap data",
            View { owner: Some(with_owner(|o| o.spec.bootstrap.data_secret_name = None)), ..view() },
            "WaitingForBootstrapData",
        ),
        (
            "bootstrap data not complete",
            View { owner: Some(with_owner(|o| o.status = None)), ..view() },
            "WaitingForBootstrapData",
        ),
        (
            "finalizer first",
            View { machine: no_finalizer(), hosts: free([available("h")]), ..view() },
            "patch Metal3Machine m",
        ),
        (
            "failure domain",
            View { owner: Some(with_owner(|o| o.spec.failure_domain = Some("fd".into()))), ..view() },
            "patch Metal3Machine m",
        ),
        ("no host", view(), "NoAvailableHost"),
        (
            "paused",
            View {
                machine: Arc::new(annotated(machine(), kit::owners::PAUSED, "")),
                hosts: free([available("h")]),
                ..view()
            },
            "Paused",
        ),
    ];
    for (case, view, expected) in table {
        assert_eq!(doing(&view), expected, "{case}");
    }
}

#[test]
fn to_a_host() {
    let named = |host: BareMetalHost| Hosts { named: Some(Arc::new(host)), ..free([available("h2")]) };
    let bound_view = |hosts| View { machine: Arc::new(bound()), hosts, ..view() };
    let taken = consumed(available("h"), api::infra::GROUP, "Metal3Machine", "other");
    let mut running = available("h");
    running.spec.image = Some(Image { url: "u".into(), ..Image::default() });
    running.spec.user_data = Some(SecretReference::named("boot"));
    let mut custom = available("h");
    custom.spec.custom_deploy = Some(CustomDeploy { method: "m".into() });
    custom.spec.user_data = running.spec.user_data.clone();
    let ran = || {
        let mut machine = bound();
        let status = machine.status.get_or_insert_default();
        let ran = Condition::yes(status::HOST_PROVISIONED, "HostProvisioned");
        kit::conditions::set(&mut status.conditions, &ran, None, now());
        Arc::new(machine)
    };
    let table: Vec<(&str, View, &str)> = vec![
        ("a free host is named first", View { hosts: free([available("h")]), ..view() }, "patch Metal3Machine m"),
        ("the named host is taken", bound_view(named(available("h"))), "patch BareMetalHost h"),
        ("lost to another: another is named", bound_view(named(taken.clone())), "patch Metal3Machine m"),
        (
            "in error: another is named",
            bound_view(named(host("h", ProvisioningState::Inspecting))),
            "patch Metal3Machine m",
        ),
        ("gone: another is named", bound_view(free([available("h2")])), "patch Metal3Machine m"),
        ("used, annotation lost", View { hosts: held(ours(available("h"))), ..view() }, "patch Metal3Machine m"),
        ("consumer removed by hand", bound_view(named(running)), "patch BareMetalHost h"),
        ("consumer removed by hand, own deployment", bound_view(named(custom)), "patch BareMetalHost h"),
        (
            "it ran, no provider ID yet, host gone",
            View { machine: ran(), ..bound_view(free([available("h2")])) },
            "AssociateBareMetalHostFailed",
        ),
        (
            "bound for good, taken by another",
            View { machine: with_id(bound()), ..bound_view(named(taken)) },
            "AssociateBareMetalHostFailed",
        ),
        (
            "bound for good, host gone",
            View { machine: with_id(bound()), ..bound_view(free([available("h2")])) },
            "AssociateBareMetalHostFailed",
        ),
        (
            "bound for good, consumer removed",
            View { machine: with_id(bound()), ..bound_view(named(available("h"))) },
            "patch BareMetalHost h",
        ),
        (
            "annotation into another namespace",
            View { machine: Arc::new(annotated(machine(), annotation::MACHINE_HOST, "other/h")), ..view() },
            "NoAvailableHost",
        ),
    ];
    for (case, view, expected) in table {
        assert_eq!(doing(&view), expected, "{case}");
    }
}

#[test]
fn a_claim_is_refused_when_anything_changed() {
    let view = View {
        machine: Arc::new(bound()),
        hosts: Hosts { named: Some(Arc::new(available("h"))), ..Default::default() },
        ..view()
    };
    let plan = decide(&view).0;
    let write = &plan.writes[0];
    assert_eq!((write.target().uid.as_deref(), write.target().resource_version.as_deref()), (Some("uid-h"), Some("1")));
    let after = apply(&available("h"), write);
    assert!(view.uses(&after));
    assert_eq!(after.metadata.labels.unwrap()[label::CLUSTER_NAME], "c");
    assert_eq!(after.metadata.annotations.unwrap()[annotation::CLUSTERCTL_BLOCK_MOVE], "");
    assert!(!after.spec.online && after.spec.image.is_none());
    assert_eq!(plan.notes[0].reason, "HostClaimed");
}

#[test]
fn from_a_host_to_a_node() {
    let bound_view = |host| View { machine: Arc::new(bound()), hosts: held(host), ..view() };
    let done =
        |nodes| View { machine: with_id(bound()), nodes, ..bound_view(deployed(ProvisioningState::Provisioned)) };
    let linked =
        || with_owner(|o| o.status.as_mut().unwrap().node_ref = Some(api::capi::MachineNodeRef { name: "n".into() }));
    let cloud = || {
        let mut infra = (*view().infra.unwrap()).clone();
        infra.spec.cloud_provider_enabled = Some(true);
        Some(Arc::new(infra))
    };
    let mut error = deployed(ProvisioningState::Provisioning);
    error.status.as_mut().unwrap().error_message = "no".into();
    let unbound = bound_view(deployed(ProvisioningState::Provisioned));
    let down = Nodes::Unknown(Fault::new(Class::Backoff, "ApiUnreachable", "down"));
    let table: Vec<(&str, View, &str)> = vec![
        ("image and data", bound_view(claim::claimed(&view(), &ours(available("h")))), "patch BareMetalHost h"),
        ("the host works", bound_view(deployed(ProvisioningState::Provisioning)), "HostProvisioning"),
        ("the host fails", bound_view(error), "HostInError"),
        (
            "never by somebody else's image",
            bound_view(deployed(ProvisioningState::ExternallyProvisioned)),
            "HostExternallyProvisioned",
        ),
        ("provider ID", unbound.clone(), "patch Metal3Machine m"),
        (
            "cloud provider: its Node first",
            View { infra: cloud(), nodes: node(None), ..unbound.clone() },
            "WaitingForCloudProvider",
        ),
        (
            "cloud provider: copied",
            View { infra: cloud(), nodes: node(Some("metal3://ns/h/m")), ..unbound },
            "patch Metal3Machine m",
        ),
        ("no Node yet", done(Nodes::Seen([].into())), "WaitingForNode"),
        ("cluster down", done(down), "WaitingForWorkloadCluster"),
        ("Node has the ID", done(node(Some("metal3://ns/h/m"))), "WaitingForNodeRef"),
        ("Node of an old release", done(node(Some("metal3://uid-h"))), "patch Metal3Machine m"),
        ("at rest", View { owner: Some(linked()), ..done(Nodes::NotAsked) }, "rest"),
    ];
    for (case, view, expected) in table {
        assert_eq!(doing(&view), expected, "{case}");
    }
    let write = NodeWrite::ProviderId { node: "n".into(), uid: "u".into(), id: "metal3://ns/h/m".into() };
    assert_eq!(decide(&done(node(None))).0.call.unwrap().write, write);
}

#[test]
fn what_a_host_gets() {
    let mut view =
        View { machine: Arc::new(bound()), hosts: held(claim::claimed(&view(), &ours(available("h")))), ..view() };
    let mut machine = bound();
    machine.spec.automated_cleaning_mode = Some(api::infra::v1beta2::AutomatedCleaningMode::Disabled);
    machine.spec.meta_data = Some(SecretReference::named("own-meta"));
    view.machine = Arc::new(machine);
    let plan = decide(&view).0;
    let after = apply(&**view.host().unwrap(), &plan.writes[0]).spec;
    let expected = deployed(ProvisioningState::Available).spec;
    assert_eq!((after.image, after.user_data, after.online), (expected.image, expected.user_data, true));
    assert_eq!(after.meta_data.unwrap().name.as_deref(), Some("own-meta"));
    assert_eq!(after.network_data, None);
    assert_eq!(after.automated_cleaning_mode, Some(api::metal3::AutomatedCleaningMode::Disabled));
}

#[test]
fn secrets_of_other_namespaces_are_refused() {
    for field in ["metaData", "networkData"] {
        let mut machine = bound();
        let foreign = Some(SecretReference { name: Some("s".into()), namespace: Some("other".into()) });
        if field == "metaData" {
            machine.spec.meta_data = foreign;
        } else {
            machine.spec.network_data = foreign;
        }
        let view =
            View { machine: Arc::new(machine), hosts: held(claim::claimed(&view(), &ours(available("h")))), ..view() };
        assert_eq!(doing(&view), "ForeignReference", "{field}");
    }
}

#[test]
fn leaving() {
    let leaving = |hosts| View { machine: Arc::new(delete(bound())), hosts, ..view() };
    let foreign = || {
        let other = consumed(available("h"), api::infra::GROUP, "Metal3Machine", "other");
        Hosts { named: Some(Arc::new(other)), ..Default::default() }
    };
    let mut done = delete(bound());
    done.metadata.finalizers = None;
    let table: Vec<(&str, View, &str)> = vec![
        ("taken off", leaving(held(deployed(ProvisioningState::Provisioned))), "patch BareMetalHost h"),
        ("waits", leaving(held(ours(host("h", ProvisioningState::Deprovisioning)))), "HostDeprovisioning"),
        ("freed", leaving(held(ours(available("h")))), "patch BareMetalHost h"),
        ("no host", leaving(Hosts::default()), "patch Metal3Machine m"),
        ("a host of others is not touched", leaving(foreign()), "patch Metal3Machine m"),
        (
            "without owner and cluster",
            View { owner: None, cluster: None, infra: None, ..leaving(held(deployed(ProvisioningState::Provisioned))) },
            "patch BareMetalHost h",
        ),
        (
            "finalizer gone",
            View { machine: Arc::new(done), ..leaving(held(deployed(ProvisioningState::Provisioned))) },
            "gone",
        ),
    ];
    for (case, view, expected) in table {
        assert_eq!(doing(&view), expected, "{case}");
    }
    let waits = told(&leaving(held(ours(host("h", ProvisioningState::Deprovisioning)))), &nothing_done());
    assert_eq!(condition(&waits, "Ready"), "False Deleting");
}
