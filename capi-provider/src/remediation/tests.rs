//! Repairs under a clock of their own: single decisions as tables, and whole repairs walked to their end.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::capi::{Machine, MachineNodeRef};
use api::infra::v1beta2::{RemediationPhase as Phase, RemediationStrategy};
use api::metal3::{BareMetalHost, ProvisioningState};
use api::names::{annotation, finalizer};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Taint;
use kit::conditions;
use kit::fault;
use kit::pass::{Class, Write};

use super::view::NodeState;
use super::*;
use crate::machine::fixture::{annotated, apply, delete, host as host_in, meta, now, ours, owner};
use crate::remote::{NodeInRepair, NodeSeen, NodeWrite};

const OFF: &str = "reboot.metal3.io/metal3-remediation-uid-r";

fn remediation() -> Metal3Remediation {
    Metal3Remediation { metadata: meta("r"), ..Metal3Remediation::default() }
}

fn host(on: bool) -> BareMetalHost {
    let mut host = ours(host_in("h", ProvisioningState::Provisioned));
    host.spec.online = true;
    host.status.get_or_insert_default().powered_on = on;
    host
}

fn machine() -> Machine {
    let mut machine = owner();
    machine.status.get_or_insert_default().node_ref = Some(MachineNodeRef { name: "n".into() });
    machine
}

fn node(taint_works: bool) -> NodeInRepair {
    let map = |key: &str| BTreeMap::from([(key.to_owned(), "v".to_owned())]);
    let seen = NodeSeen { name: "n".into(), uid: "uid-n".into(), labels: map("label"), ..NodeSeen::default() };
    NodeInRepair { seen, version: "7".into(), annotations: map("note"), taint_works, ..NodeInRepair::default() }
}

fn seen(node: NodeInRepair) -> NodeState {
    NodeState::Seen(Box::new(node))
}

fn view() -> View {
    View {
        now: now(),
        remediation: Arc::new(remediation()),
        owner: Some(Arc::new(machine())),
        cluster_paused: false,
        host: Some(Arc::new(host(true))),
        kept_off: Vec::new(),
        others: [].into(),
        node: NodeState::NotAsked,
    }
}

/// In a phase since so many seconds, with finalizer.
fn at(phase: Phase, seconds: i64) -> View {
    let mut remediation = remediation();
    remediation.metadata.finalizers = Some(vec![finalizer::METAL3_REMEDIATION.into()]);
    let status = remediation.status.get_or_insert_default();
    status.phase = Some(phase);
    let began = now() - SignedDuration::from_secs(seconds);
    status.last_remediated = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(began));
    View { remediation: Arc::new(remediation), ..view() }
}

fn with_host(view: View, host: BareMetalHost) -> View {
    View { host: Some(Arc::new(host)), ..view }
}

/// What a decision amounts to, in a word or two.
fn told(view: &View) -> String {
    let (plan, status) = life::decide(view);
    let before = view.remediation.status.clone().unwrap_or_default();
    if status.phase != before.phase || status.retry_count != before.retry_count {
        return format!("phase {}", status.phase.unwrap());
    }
    let write = plan.writes.first().map(|write| match write {
        Write::Status { target, .. } => format!("status of {}", target.resource.kind),
        other => format!("write {}", other.target().resource.kind),
    });
    let call = plan.call.map(|call| match call.write {
        NodeWrite::Taints { taints, .. } => format!("{} taints", taints.len()),
        NodeWrite::Restore { .. } => "restore".to_owned(),
        NodeWrite::Delete { .. } => "delete Node".to_owned(),
        NodeWrite::ProviderId { .. } | NodeWrite::Labels { .. } => panic!("not of a repair"),
    });
    write.or(call).unwrap_or_else(|| match plan.next {
        Next::Gone => "gone".to_owned(),
        next => next.why().map_or("rest", |why| why.reason).to_owned(),
    })
}

#[test]
fn a_try_switches_off_fences_and_goes_on() {
    let off = || annotated(host(false), OFF, "");
    let running = |seconds| with_host(at(Phase::Running, seconds), off());
    let with = |node| View { node, ..running(10) };
    let taint = |seconds: i64| Taint {
        key: "node.kubernetes.io/out-of-service".into(),
        effect: "NoExecute".into(),
        time_added: Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(
            now() - SignedDuration::from_secs(seconds),
        )),
        ..Taint::default()
    };
    let tainted = |seconds, held| seen(NodeInRepair { taints: vec![taint(seconds)], held, ..node(true) });
    let backed_up = |view: View| {
        let kept = annotated((*view.remediation).clone(), annotation::NODE_LABELS_BACKUP, "{}");
        let kept = annotated(kept, annotation::NODE_ANNOTATIONS_BACKUP, "{}");
        View { remediation: Arc::new(kept), ..view }
    };
    let unknown = || NodeState::Unknown(Fault::new(Class::Backoff, fault::TIMEOUT, "no answer"));
    let bare = View {
        remediation: Arc::new({
            let mut it = (*running(1).remediation).clone();
            it.metadata.finalizers = None;
            it
        }),
        ..running(1)
    };
    let table = [
        (view(), "phase Running"),
        (
            with_host(view(), {
                let mut host = host(true);
                host.spec.online = false;
                host
            }),
            "phase Failed",
        ),
        // Its clock starts.
        (View { host: None, ..view() }, "phase Running"),
        (View { host: None, ..at(Phase::Running, 1) }, "WaitingForHost"),
        (View { host: None, ..at(Phase::Running, 600) }, "phase Running"),
        (bare, "write Metal3Remediation"),
        (at(Phase::Running, 1), "write BareMetalHost"),
        (with_host(at(Phase::Running, 599), annotated(host(true), OFF, "")), "WaitingForPowerOff"),
        (with_host(at(Phase::Running, 600), annotated(host(true), OFF, "")), "phase Running"),
        (with(NodeState::Absent), "phase Waiting"),
        (with(NodeState::Forbidden), "phase Waiting"),
        (with(unknown()), "WaitingForWorkloadCluster"),
        (View { node: unknown(), ..running(120) }, "phase Waiting"),
        (with(seen(node(true))), "1 taints"),
        (with(tainted(1, 0)), "WaitingForDrain"),
        (with(tainted(5, 2)), "WaitingForDrain"),
        (with(tainted(5, 0)), "phase Waiting"),
        (View { node: tainted(5, 2), ..running(600) }, "phase Waiting"),
        (with(seen(node(false))), "write Metal3Remediation"),
        (backed_up(with(seen(node(false)))), "delete Node"),
        (View { cluster_paused: true, ..running(1) }, "Paused"),
    ];
    for (row, (view, expected)) in table.into_iter().enumerate() {
        assert_eq!(told(&view), expected, "row {row}");
    }
}

#[test]
fn the_machine_comes_back_or_its_time_is_up() {
    let waiting = |seconds| at(Phase::Waiting, seconds);
    let strategy = |view: View, limit, timeout, made| {
        let mut remediation = (*view.remediation).clone();
        remediation.spec.strategy =
            Some(RemediationStrategy { type_: None, retry_limit: Some(limit), timeout_seconds: Some(timeout) });
        remediation.status.get_or_insert_default().retry_count = made;
        View { remediation: Arc::new(remediation), ..view }
    };
    let free = |view: View| {
        let mut remediation = (*view.remediation).clone();
        remediation.metadata.finalizers = None;
        View { remediation: Arc::new(remediation), ..view }
    };
    let tainted = || {
        let taint = Taint { key: "node.kubernetes.io/out-of-service".into(), ..Taint::default() };
        let other = Taint { key: "other".into(), ..Taint::default() };
        seen(NodeInRepair { taints: vec![other, taint], ..node(true) })
    };
    let backup = |view: View, labels: &str| {
        let kept = annotated((*view.remediation).clone(), annotation::NODE_LABELS_BACKUP, labels);
        View { remediation: Arc::new(kept), ..view }
    };
    let table = [
        (with_host(waiting(1), annotated(host(false), OFF, "")), "write BareMetalHost"),
        (with_host(waiting(1), host(false)), "WaitingForPowerOn"),
        (View { node: tainted(), ..waiting(1) }, "1 taints"),
        (View { node: seen(node(true)), ..waiting(1) }, "write Metal3Remediation"),
        (View { node: NodeState::Forbidden, ..waiting(1) }, "write Metal3Remediation"),
        (View { node: NodeState::Absent, ..waiting(1) }, "WaitingForNode"),
        (backup(View { node: seen(node(false)), ..waiting(1) }, r#"{"lost":"x","label":"old"}"#), "restore"),
        (backup(View { node: seen(node(false)), ..waiting(1) }, r#"{"label":"old"}"#), "write Metal3Remediation"),
        (free(waiting(599)), "WaitingForNode"),
        (free(waiting(600)), "phase Running"),
        (free(strategy(waiting(599), 1, 700, None)), "WaitingForNode"),
        (free(strategy(waiting(700), 2, 700, Some(1))), "phase Running"),
        (free(strategy(waiting(700), 1, 700, Some(1))), "write BareMetalHost"),
        (View { host: None, ..free(strategy(waiting(700), 1, 700, Some(1))) }, "status of Machine"),
        // A machine that does not even come on is no reason to wait for ever.
        (with_host(free(strategy(waiting(700), 1, 700, Some(1))), host(false)), "write BareMetalHost"),
    ];
    for (row, (view, expected)) in table.into_iter().enumerate() {
        assert_eq!(told(&view), expected, "row {row}");
    }
}

#[test]
fn what_was_held_is_let_go_however_it_ends() {
    let marked = || Arc::new(annotated(host(false), OFF, ""));
    let deleted = |view: View| View { remediation: Arc::new(delete((*view.remediation).clone())), ..view };
    let going = |view: View| View { owner: Some(Arc::new(delete(machine()))), ..view };
    let orphaned = |view: View| View { owner: None, host: None, ..view };
    let unknown = || NodeState::Unknown(Fault::new(Class::Backoff, fault::TIMEOUT, "no answer"));
    let running = || at(Phase::Running, 5);
    let free = |view: View| {
        let mut remediation = (*view.remediation).clone();
        remediation.metadata.finalizers = None;
        View { remediation: Arc::new(remediation), ..view }
    };
    let table = [
        (deleted(View { kept_off: vec![marked()], ..running() }), "write BareMetalHost"),
        (going(View { kept_off: vec![marked()], ..running() }), "write BareMetalHost"),
        (orphaned(View { kept_off: vec![marked()], ..running() }), "write BareMetalHost"),
        (at(Phase::Failed, 5), "write Metal3Remediation"),
        (View { kept_off: vec![marked()], ..at(Phase::DeletingMachine, 5) }, "write BareMetalHost"),
        (at(Phase::DeletingMachine, 5), "write Metal3Remediation"),
        (free(at(Phase::DeletingMachine, 5)), "rest"),
        (deleted(View { node: unknown(), ..running() }), "WaitingForWorkloadCluster"),
        (deleted(View { node: NodeState::Absent, ..running() }), "write Metal3Remediation"),
        (deleted(free(running())), "gone"),
        (going(running()), "write Metal3Remediation"),
        (going(free(running())), "MachineGoing"),
    ];
    for (row, (view, expected)) in table.into_iter().enumerate() {
        assert_eq!(told(&view), expected, "row {row}");
    }
}

/// A world of one machine: applies what is decided, plays the host's power and the Node.
struct World {
    view: View,
    node: Option<NodeInRepair>,
    heals: bool,
    /// The management controller switches nothing any more.
    stuck: bool,
    offs: usize,
}

impl World {
    fn new(taint_works: bool) -> Self {
        Self { view: view(), node: Some(node(taint_works)), heals: false, stuck: false, offs: 0 }
    }

    /// One pass and what follows from it; the reason when it waits.
    fn pass(&mut self) -> Option<&'static str> {
        self.view.node = match (self.view.asks_for_node(), &self.node) {
            (false, _) => NodeState::NotAsked,
            (true, None) => NodeState::Absent,
            (true, Some(node)) => seen(node.clone()),
        };
        let (plan, status) = life::decide(&self.view);
        assert!(plan.writes.len() <= 1, "at most one write: {plan:?}");
        for write in &plan.writes {
            match write.target().resource.kind.as_str() {
                "BareMetalHost" => {
                    let host = self.view.host.take().unwrap();
                    self.view.host = Some(Arc::new(apply(&*host, write)));
                }
                "Machine" => self.view.owner = Some(Arc::new(apply(&**self.view.owner.as_ref().unwrap(), write))),
                _ => self.view.remediation = Arc::new(apply(&*self.view.remediation, write)),
            }
        }
        let mut remediation = (*self.view.remediation).clone();
        remediation.status = Some(status);
        self.view.remediation = Arc::new(remediation);
        match plan.call.map(|call| call.write) {
            Some(NodeWrite::Taints { taints, .. }) => self.node.as_mut().unwrap().taints = taints,
            Some(NodeWrite::Delete { .. }) => self.node = None,
            Some(NodeWrite::Restore { labels, annotations, .. }) => {
                let node = self.node.as_mut().unwrap();
                node.seen.labels.extend(labels);
                node.annotations.extend(annotations);
            }
            Some(other) => panic!("{other:?}"),
            None => {}
        }
        plan.next.why().map(|why| why.reason)
    }

    /// The world's answer to a wait: power follows the annotation, a machine that comes on brings its Node back.
    fn turn(&mut self) {
        let mut host = (*self.view.host.clone().unwrap()).clone();
        let on = self.stuck || !host.metadata.annotations.as_ref().is_some_and(|all| all.contains_key(OFF));
        let status = host.status.get_or_insert_default();
        self.offs += usize::from(status.powered_on && !on);
        status.powered_on = on;
        self.view.host = Some(Arc::new(host));
        if on && self.heals && self.node.is_none() {
            self.node = Some(NodeInRepair {
                seen: NodeSeen { labels: BTreeMap::from([("new".to_owned(), "1".to_owned())]), ..node(false).seen },
                annotations: BTreeMap::new(),
                ..node(false)
            });
        }
        self.view.now += SignedDuration::from_secs(30);
    }

    fn run(&mut self, until: impl Fn(&Self) -> bool) {
        for _ in 0..500 {
            if until(self) {
                return;
            }
            if self.pass().is_some() {
                self.turn();
            }
        }
        panic!("never: {:?}", self.view);
    }

    fn phase(&self) -> Option<Phase> {
        self.view.phase().cloned()
    }
}

#[test]
fn what_an_earlier_remediation_left_does_not_keep_the_machine_off() {
    let mut world = World::new(true);
    let mut host = (*world.view.host.clone().unwrap()).clone();
    let annotations = host.metadata.annotations.get_or_insert_default();
    annotations.insert("reboot.metal3.io/metal3-remediation-before-the-move".to_owned(), String::new());
    annotations.insert("reboot.metal3.io/somebody".to_owned(), String::new());
    world.view.host = Some(Arc::new(host));
    world.heals = true;
    world.run(|world| world.phase() == Some(Phase::Waiting) && !world.view.keeps_off());
    let left = world.view.host.clone().unwrap().metadata.annotations.clone().unwrap_or_default();
    let left: Vec<&str> = left.keys().map(String::as_str).filter(|key| key.starts_with("reboot")).collect();
    assert_eq!(left, ["reboot.metal3.io/somebody"]);
}

#[test]
fn a_repair_that_helps_leaves_no_trace() {
    for taint_works in [true, false] {
        let mut world = World::new(taint_works);
        world.heals = true;
        world.run(|world| world.phase() == Some(Phase::Waiting) && world.view.on() && !world.view.holds());
        assert_eq!(world.offs, 1);
        let node = world.node.clone().unwrap();
        assert!(node.taint().is_none());
        let labels: Vec<&str> = node.seen.labels.keys().map(String::as_str).collect();
        assert_eq!(labels, if taint_works { vec!["label"] } else { vec!["label", "new"] });
        assert!(node.annotations.contains_key("note"));
        assert!(!world.view.remediation.metadata.annotations.iter().flatten().any(|(key, _)| key.contains("backup")));
        assert!(!world.view.keeps_off());
        // Healthy: the MachineHealthCheck deletes it.
        let mut remediation = (*world.view.remediation).clone();
        remediation.metadata.deletion_timestamp =
            Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(world.view.now));
        world.view.remediation = Arc::new(remediation);
        assert_eq!(told(&world.view), "gone");
    }
}

#[test]
fn a_repair_that_does_not_help_is_tried_again_and_then_handed_to_the_owner() {
    let mut world = World::new(true);
    world.run(|world| world.phase() == Some(Phase::DeletingMachine) && !world.view.holds());
    assert_eq!(world.offs, 2, "one try and one more");
    let host = world.view.host.clone().unwrap();
    let note = &host.metadata.annotations.as_ref().unwrap()[annotation::HOST_UNHEALTHY];
    assert_eq!(note, annotation::HOST_UNHEALTHY_BY_REMEDIATION);
    let status = world.view.owner.as_ref().unwrap().status.clone().unwrap();
    let new = conditions::get(&status.conditions, "OwnerRemediated").unwrap();
    assert_eq!((new.status.as_str(), new.reason.as_str()), ("False", "WaitingForRemediation"));
    let old = status.deprecated.unwrap().v1beta1.unwrap();
    let old = conditions::get_v1beta1(&old.conditions, "OwnerRemediated").unwrap();
    assert_eq!((old.status.as_str(), old.severity.as_deref()), ("False", Some("Warning")));
    assert_eq!(world.pass(), None, "nothing more is done");
}

#[test]
fn a_machine_that_cannot_be_switched_off_is_handed_to_the_owner_and_never_fenced() {
    let mut world = World::new(true);
    world.stuck = true;
    world.run(|world| {
        assert!(world.node.as_ref().is_some_and(|node| node.taint().is_none()), "it may still run");
        world.phase() == Some(Phase::DeletingMachine) && !world.view.holds()
    });
    let lasted = world.view.now.duration_since(now());
    assert_eq!((world.offs, lasted), (0, SignedDuration::from_secs(1_200)), "two tries of ten minutes");
    assert!(!world.view.keeps_off());
    let status = world.view.owner.as_ref().unwrap().status.clone().unwrap();
    assert_eq!(conditions::get(&status.conditions, "OwnerRemediated").unwrap().status, "False");
}

#[test]
fn remediations_of_one_machine_leave_each_other_alone() {
    let other = "reboot.metal3.io/metal3-remediation-other";
    let view = |others: &[&str]| {
        let view = with_host(at(Phase::Waiting, 1), annotated(host(false), other, ""));
        View { others: others.iter().map(|uid| (*uid).to_owned()).collect(), ..view }
    };
    assert_eq!(told(&view(&["other"])), "WaitingForPowerOn");
    assert_eq!(told(&view(&["another"])), "write BareMetalHost", "of one that is gone");
}

#[test]
fn nothing_is_written_twice() {
    // Every state that the two walks go through, decided again after its write was seen: the world only moves on.
    for taint_works in [true, false] {
        let mut world = World::new(taint_works);
        world.heals = true;
        let mut before: Option<(Timestamp, String)> = None;
        for _ in 0..60 {
            let now = (world.view.now, told(&world.view));
            let moves = now.1.starts_with("write") || now.1.starts_with("phase");
            assert!(!moves || before.as_ref() != Some(&now) || now.1 == "write BareMetalHost", "{now:?} twice");
            before = Some(now);
            if world.pass().is_some() {
                world.turn();
            }
        }
    }
}
