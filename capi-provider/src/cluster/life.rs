//! The life of a Metal3Cluster. Pure.

use std::time::Duration;

use api::infra::v1beta2::{Initialization, Metal3Cluster, Metal3ClusterStatus};
use api::metal3::BareMetalHost;
use api::names::{finalizer, label};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kit::conditions::{self, Condition, Severity, Truth};
use kit::pass::{Class, Done, Next, NoCall, Plan, Why, Write};
use kit::{diff, owners};

use super::view::{Demand, View};

/// How often it is checked whether kept hosts are still needed.
const KEPT_CHECK: Duration = Duration::from_secs(30);
/// The endpoint is known.
const INFRASTRUCTURE: &str = "BaremetalInfrastructureReady";

/// What to do.
pub(super) fn decide(view: &View) -> Plan<NoCall> {
    if view.paused() {
        return Plan::wait(Next::Changed(Why::new("Paused", "the Cluster or the Metal3Cluster is paused")));
    }
    if view.deleting() {
        return leaving(view);
    }
    if view.cluster.is_none() {
        return Plan::wait(Next::Changed(Why::new(
            "WaitingForClusterOwner",
            "waiting for the Cluster that owns this Metal3Cluster",
        )));
    }
    if !owners::has_finalizer(&*view.infra, finalizer::METAL3_CLUSTER) {
        return Plan::write(owners::add_finalizer(&*view.infra, finalizer::METAL3_CLUSTER), Next::Now);
    }
    if let Some(write) = surplus(view).find_map(|host| diff::object_exact(host, &unkept(host))) {
        return Plan::write(write, Next::Now);
    }
    match view.endpoint() {
        Some(_) if view.kept.is_empty() => Plan::wait(Next::Rest),
        Some(_) => Plan::wait(Next::After(KEPT_CHECK, Why::new("HostsKept", "hosts are kept for coming machines"))),
        None => Plan::wait(Next::Changed(Why::new(
            "InvalidConfiguration",
            "spec.controlPlaneEndpoint needs host and port of the workload cluster's API server",
        ))),
    }
}

/// Waits for the machines, sets free what was kept for coming ones, and goes. A Cluster that is gone has no machines.
fn leaving(view: &View) -> Plan<NoCall> {
    if !owners::has_finalizer(&*view.infra, finalizer::METAL3_CLUSTER) {
        return Plan::wait(Next::Gone);
    }
    if view.machines > 0 {
        let text = format!("waiting for {} Machines of the cluster to be gone", view.machines);
        return Plan::wait(Next::Changed(Why::new("WaitingForMachines", text)));
    }
    match view.kept.iter().find_map(|host| diff::object_exact(&**host, &unkept(host))) {
        Some(write) => Plan::write(write, Next::Now),
        None => Plan::write(owners::remove_finalizer(&*view.infra, finalizer::METAL3_CLUSTER), Next::Gone),
    }
}

/// Hosts kept for somebody who needs no more: after a scale-in, or a roll-out that used other hosts.
fn surplus(view: &View) -> impl Iterator<Item = &BareMetalHost> {
    view.kept.iter().map(|host| &**host).filter(|host| {
        let owner = host.metadata.labels.as_ref().and_then(|labels| labels.get(label::NODE_REUSE));
        owner.and_then(|owner| view.demand.get(owner)).is_some_and(Demand::is_met)
    })
}

/// A host that nobody will come back for.
fn unkept(host: &BareMetalHost) -> BareMetalHost {
    let mut after = host.clone();
    after.spec.consumer_ref = None;
    if let Some(labels) = &mut after.metadata.labels {
        labels.remove(label::NODE_REUSE);
    }
    after
}

/// The status write; `None` when nothing changed.
pub(super) fn status(view: &View, next: &Next, done: &Done<()>) -> Option<Write> {
    let before = &*view.infra;
    let mut status = before.status.clone().unwrap_or_default();
    let paused = if view.paused() {
        Condition {
            truth: Truth::True,
            ..Condition::no("Paused", "Paused", "the Cluster or the Metal3Cluster is paused")
        }
    } else {
        Condition::no("Paused", "NotPaused", "")
    };
    set(&mut status, view, &paused);
    if !view.paused() {
        status.failure_domains.clone_from(&before.spec.failure_domains);
        if view.endpoint().is_some() && view.cluster.is_some() {
            status.initialization = Some(Initialization { provisioned: Some(true) });
        }
        for condition in told(view, next, done) {
            set(&mut status, view, &condition);
        }
        if let Some(old) = status.deprecated.as_mut().and_then(|deprecated| deprecated.v1beta1.as_mut()) {
            (old.failure_reason, old.failure_message) = (None, None);
        }
    }
    if before.status.as_ref() != Some(&status) {
        status.last_updated = Some(Time(view.now));
    }
    diff::status(before, &Metal3Cluster { status: Some(status), ..before.clone() })
}

fn told(view: &View, next: &Next, done: &Done<()>) -> Vec<Condition> {
    let failed = done.failed.as_ref().filter(|fault| fault.class != Class::Again);
    let waits = next.why().filter(|why| why.reason != "HostsKept");
    match (failed, waits) {
        (Some(fault), _) => vec![Condition::no("Ready", "NotReady", fault.message.clone()).severity(Severity::Warning)],
        (None, Some(why)) if view.deleting() => vec![Condition::no("Ready", "Deleting", why.told())],
        (None, Some(why)) => vec![
            Condition::no(INFRASTRUCTURE, why.reason, why.told()).severity(Severity::Error),
            Condition::no("Ready", "NotReady", why.told()),
        ],
        (None, None) if view.deleting() => vec![Condition::no("Ready", "Deleting", "the cluster goes away")],
        (None, None) => vec![Condition::yes(INFRASTRUCTURE, "Ready"), Condition::yes("Ready", "Ready")],
    }
}

fn set(status: &mut Metal3ClusterStatus, view: &View, condition: &Condition) {
    conditions::set(&mut status.conditions, condition, view.infra.metadata.generation, view.now);
    if condition.kind != "Paused" {
        let old = status.deprecated.get_or_insert_default().v1beta1.get_or_insert_default();
        conditions::set_v1beta1(&mut old.conditions, condition, view.now);
    }
}
