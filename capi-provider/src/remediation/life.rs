//! The life of a repair, from top to bottom. Pure.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use api::capi::{Machine, condition};
use api::infra::v1beta2::{Metal3RemediationStatus, RemediationPhase as Phase};
use api::metal3::BareMetalHost;
use api::names::{annotation, finalizer};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kit::conditions::{self, Condition, Severity};
use kit::key::Target;
use kit::pass::{Next, Note, Plan, Why, Write};
use kit::{diff, owners};

use super::fence::{self, Step};
use super::view::{NodeState, View};
use crate::machine::life::Call;
use crate::remote::GIVE_UP;

/// How often a Node or a workload cluster is looked at again.
const LOOK: Duration = Duration::from_secs(5);
/// What a BMC normally takes to switch a machine.
const SWITCH: Duration = Duration::from_mins(1);
/// What a machine normally takes from power on to a Node that is ready.
const BOOT: Duration = Duration::from_mins(5);
/// A machine off without regard for its operating system, which is not to be trusted.
const HARD: &str = r#"{"mode":"hard"}"#;

/// What to do, and the status after it.
pub fn decide(view: &View) -> (Plan<Call>, Metal3RemediationStatus) {
    let mut status = view.remediation.status.clone().unwrap_or_default();
    let plan = if view.paused() {
        Plan::wait(Next::Changed(Why::new("Paused", "the Cluster or the remediation is paused")))
    } else if view.over() {
        over(view)
    } else {
        match view.phase() {
            None => begin(view, &mut status),
            Some(Phase::Running) => running(view, &mut status),
            Some(Phase::Waiting) => waiting(view, &mut status),
            Some(Phase::DeletingMachine | Phase::Failed) => finished(view),
            Some(Phase::Other(phase)) => {
                Plan::wait(Next::Changed(Why::new("UnknownPhase", format!("phase {phase:?} is not known here"))))
            }
        }
    };
    (plan, status)
}

fn begin(view: &View, status: &mut Metal3RemediationStatus) -> Plan<Call> {
    let host = match host(view, status) {
        ControlFlow::Continue(host) => host,
        ControlFlow::Break(plan) => return plan,
    };
    let name = host.metadata.name.as_deref().unwrap_or_default();
    enter(view, status, Phase::Running).and_note(note(
        view,
        false,
        "RemediationStarted",
        format!("restarts host {name}"),
    ))
}

/// A try: the machine is switched off, and its Node fenced.
fn running(view: &View, status: &mut Metal3RemediationStatus) -> Plan<Call> {
    let host = match host(view, status) {
        ControlFlow::Continue(host) => host,
        ControlFlow::Break(plan) => return plan,
    };
    if !view.holds() {
        return Plan::write(owners::add_finalizer(&*view.remediation, finalizer::METAL3_REMEDIATION), Next::Now);
    }
    if !view.keeps_off() {
        let mut after = host.clone();
        after.metadata.annotations.get_or_insert_default().insert(view.off_annotation(), HARD.to_owned());
        return change(host, &after, Next::Now);
    }
    if view.on() {
        // What may still run is not fenced; but somebody must see to it some time.
        let why = switching(view, host, "WaitingForPowerOff", "off");
        return expired(view, Some(host), status).unwrap_or_else(|| Plan::wait(Next::After(left(view), why)));
    }
    match &view.node {
        NodeState::Absent | NodeState::Forbidden => enter(view, status, Phase::Waiting),
        NodeState::Unknown(_) if view.lasts() >= GIVE_UP => enter(view, status, Phase::Waiting),
        NodeState::Unknown(fault) => look("WaitingForWorkloadCluster", fault.message.clone()),
        NodeState::NotAsked => look("WaitingForNode", "the Node was not looked at yet".to_owned()),
        NodeState::Seen(node) => match fence::fence(&view.remediation, node, view.now) {
            Step::Own(write) => Plan::write(write, Next::Now),
            Step::Node(write) => ask(view, write),
            // The machine is off: whatever is still counted on it cannot run there.
            Step::Held(_) if view.lasts() >= view.limit() => enter(view, status, Phase::Waiting),
            Step::Held(count) => look("WaitingForDrain", format!("{count} Pods and volumes still count on the Node")),
            Step::Done => enter(view, status, Phase::Waiting),
        },
    }
}

/// The machine comes back, or its time is up.
fn waiting(view: &View, status: &mut Metal3RemediationStatus) -> Plan<Call> {
    let host = match host(view, status) {
        ControlFlow::Continue(host) => host,
        ControlFlow::Break(plan) => return plan,
    };
    if let Some(plan) = release(view) {
        return plan;
    }
    let mut again = left(view);
    if view.on() && view.holds() {
        match &view.node {
            NodeState::Seen(node) => return restored(view, fence::restore(&view.remediation, node), Next::Now),
            NodeState::Forbidden => return restored(view, Step::Done, Next::Now),
            NodeState::Absent | NodeState::Unknown(_) | NodeState::NotAsked => again = again.min(LOOK),
        }
    }
    if let Some(plan) = expired(view, Some(host), status) {
        return plan;
    }
    let why = if view.on() {
        let text = "the machine is on; a MachineHealthCheck ends this when the Node is healthy";
        Why::new("WaitingForNode", text).since(view.began()).normal(BOOT)
    } else {
        switching(view, host, "WaitingForPowerOn", "on")
    };
    Plan::wait(Next::After(again, why))
}

/// What is left of a try.
fn left(view: &View) -> Duration {
    view.limit().saturating_sub(view.lasts())
}

/// What follows a try whose time is up: another one, or the end. `None` while there is time.
fn expired(view: &View, host: Option<&BareMetalHost>, status: &mut Metal3RemediationStatus) -> Option<Plan<Call>> {
    if !left(view).is_zero() {
        return None;
    }
    if !view.may_retry() {
        return Some(exhausted(view, host, status));
    }
    status.retry_count = Some(status.retry_count.unwrap_or(0) + 1);
    let text = format!("not healthy after {} s, tried again", view.limit().as_secs());
    Some(enter(view, status, Phase::Running).and_note(note(view, false, "RemediationRetried", text)))
}

/// No try is left: the host is not used again before somebody looked at it, and the owner replaces the Machine.
fn exhausted(view: &View, host: Option<&BareMetalHost>, status: &mut Metal3RemediationStatus) -> Plan<Call> {
    if let Some(host) = host {
        let mut after = host.clone();
        let annotations = after.metadata.annotations.get_or_insert_default();
        if !annotations.contains_key(annotation::HOST_UNHEALTHY) {
            let value = annotation::HOST_UNHEALTHY_BY_REMEDIATION.to_owned();
            annotations.insert(annotation::HOST_UNHEALTHY.to_owned(), value);
            return change(host, &after, Next::Now);
        }
    }
    if let Some(write) = view.owner.as_deref().and_then(|owner| hand_over(view, owner)) {
        return Plan::write(write, Next::Now);
    }
    status.phase = Some(Phase::DeletingMachine);
    let text = format!(
        "all tries failed: the Machine's owner replaces it; repair the host, then remove {}",
        annotation::HOST_UNHEALTHY
    );
    Plan::wait(Next::Now).and_note(note(view, true, "RemediationFailed", text))
}

/// Asks the Machine's owner, in both generations of conditions; `None` when both ask already.
fn hand_over(view: &View, owner: &Machine) -> Option<Write> {
    let asks = Condition::no(
        condition::OWNER_REMEDIATED,
        condition::WAITING_FOR_REMEDIATION,
        "restarting the machine did not make it healthy",
    )
    .severity(Severity::Warning);
    let mut after = owner.clone();
    let status = after.status.get_or_insert_default();
    if conditions::get(&status.conditions, asks.kind).is_none_or(|known| known.status != "False") {
        conditions::set(&mut status.conditions, &asks, owner.metadata.generation, view.now);
    }
    let old = status.deprecated.get_or_insert_default().v1beta1.get_or_insert_default();
    if conditions::get_v1beta1(&old.conditions, asks.kind).is_none_or(|known| known.status != "False") {
        conditions::set_v1beta1(&mut old.conditions, &asks, view.now);
    }
    diff::status_exact(owner, &after)
}

/// Nothing more is tried: what was held is let go.
fn finished(view: &View) -> Plan<Call> {
    if let Some(plan) = release(view) {
        return plan;
    }
    match (&view.node, fence::let_go(&view.remediation)) {
        (_, None) => Plan::wait(Next::Rest),
        (NodeState::Seen(node), Some(_)) => restored(view, fence::restore(&view.remediation, node), Next::Rest),
        (_, Some(write)) => Plan::write(write, Next::Rest),
    }
}

/// The machine is healthy again, or it is going: hosts are given free, the Node is as it was.
fn over(view: &View) -> Plan<Call> {
    if let Some(plan) = release(view) {
        return plan;
    }
    let next = if view.deleting() { Next::Gone } else { Next::Rest };
    match (&view.node, fence::let_go(&view.remediation)) {
        (_, None) if view.deleting() => Plan::wait(next),
        (_, None) => {
            Plan::wait(Next::Changed(Why::new("MachineGoing", "the Machine is gone or going: nothing to repair")))
        }
        (NodeState::Seen(node), Some(_)) => restored(view, fence::restore(&view.remediation, node), next),
        (NodeState::Unknown(fault), Some(_)) if view.deleting() && since_deletion(view) < GIVE_UP => {
            look("WaitingForWorkloadCluster", fault.message.clone())
        }
        (_, Some(write)) => Plan::write(write, next),
    }
}

fn since_deletion(view: &View) -> Duration {
    let asked = view.remediation.metadata.deletion_timestamp.as_ref().map(|asked| view.now.duration_since(asked.0));
    asked.and_then(|since| Duration::try_from(since).ok()).unwrap_or_default()
}

/// The host, or why nothing can be done with it.
fn host<'a>(view: &'a View, status: &mut Metal3RemediationStatus) -> ControlFlow<Plan<Call>, &'a BareMetalHost> {
    let Some(host) = view.host.as_deref() else {
        if view.phase().is_none() {
            return ControlFlow::Break(enter(view, status, Phase::Running));
        }
        let text = "the Machine has no host: its Metal3Machine names none that it uses";
        let why = Why::new("WaitingForHost", text).since(view.began());
        let over = expired(view, None, status);
        return ControlFlow::Break(over.unwrap_or_else(|| Plan::wait(Next::After(left(view), why))));
    };
    if !host.spec.online {
        // Somebody wants the machine off: it is no wonder that its Node is gone, and no restart mends it.
        status.phase = Some(Phase::Failed);
        let text = "the host is to be off (spec.online), so it is not restarted".to_owned();
        return ControlFlow::Break(Plan::wait(Next::Now).and_note(note(view, true, "RemediationImpossible", text)));
    }
    ControlFlow::Continue(host)
}

/// Gives hosts free that this remediation keeps off, one by one.
fn release(view: &View) -> Option<Plan<Call>> {
    let own = view.off_annotation();
    // On the machine's host, what no living remediation of the machine put there is of one before a move, or of one
    // that is gone.
    let kept = |host: &Arc<BareMetalHost>, key: &str| {
        let machines = view.host.as_ref().is_some_and(|ours| ours.metadata.uid == host.metadata.uid);
        let by = key.strip_prefix(annotation::REMEDIATION_POWER_OFF_PREFIX);
        key == own || (machines && by.is_some_and(|uid| !view.others.contains(uid)))
    };
    let holds = |host: &Arc<BareMetalHost>| host.metadata.annotations.iter().flatten().any(|(key, _)| kept(host, key));
    let host = view.kept_off.iter().chain(&view.host).find(|host| holds(host))?;
    let mut after = (**host).clone();
    after.metadata.annotations.get_or_insert_default().retain(|key, _| !kept(host, key));
    Some(change(host, &after, Next::Now))
}

/// After a step of undoing; `next` comes when the last thing was let go.
fn restored(view: &View, step: Step, next: Next) -> Plan<Call> {
    match step {
        Step::Own(write) => Plan::write(write, Next::Now),
        Step::Node(write) => ask(view, write),
        Step::Held(_) | Step::Done => match fence::let_go(&view.remediation) {
            Some(write) => Plan::write(write, next),
            None => Plan::wait(next),
        },
    }
}

/// Into a phase; a try starts its clock.
fn enter(view: &View, status: &mut Metal3RemediationStatus, phase: Phase) -> Plan<Call> {
    if phase == Phase::Running {
        status.last_remediated = Some(Time(view.now));
    }
    status.phase = Some(phase);
    Plan::wait(Next::Now)
}

fn ask(view: &View, write: crate::remote::NodeWrite) -> Plan<Call> {
    match view.node_name() {
        Some((cluster, _)) => Plan::ask(Call { cluster, write }, Next::Now),
        None => Plan::wait(Next::Now),
    }
}

fn change(before: &BareMetalHost, after: &BareMetalHost, next: Next) -> Plan<Call> {
    match diff::object_exact(before, after) {
        Some(write) => Plan::write(write, next),
        None => Plan::wait(next),
    }
}

fn look(reason: &'static str, text: String) -> Plan<Call> {
    Plan::wait(Next::After(LOOK, Why::new(reason, text)))
}

fn switching(view: &View, host: &BareMetalHost, reason: &'static str, state: &str) -> Why {
    let name = host.metadata.name.as_deref().unwrap_or_default();
    let why = Why::new(reason, format!("waiting for host {name} to be {state}")).since(view.began()).normal(SWITCH);
    match host.status.as_ref().map(|status| status.error_message.as_str()).filter(|text| !text.is_empty()) {
        Some(error) => why.seen(error),
        None => why,
    }
}

fn note(view: &View, warning: bool, reason: &'static str, message: String) -> Note {
    Note { about: Target::of(&*view.remediation), warning, reason, message }
}
