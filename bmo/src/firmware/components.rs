//! HostFirmwareComponents: reads the firmware versions of a machine and checks the wished updates.

use std::sync::Arc;

use api::metal3::firmware_condition::{CHANGE_DETECTED, REASON_INVALID_COMPONENT, REASON_OK, VALID};
use api::metal3::{BareMetalHost, FirmwareComponent, HostFirmwareComponents};
use ironic::Poll;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kit::clock::Clock;
use kit::conditions::{self, Condition};
use kit::diff;
use kit::key::{Key, Target};
use kit::pass::{Controller, Done, Fault, Found, Next, NoCall, Note, Plan, Record};
use kit::store::Store;

use super::{again, node_of};
use crate::calls::fault;

/// What a decision may know.
#[derive(Debug)]
pub struct View {
    /// The time of this pass.
    pub now: Timestamp,
    /// The object.
    pub object: Arc<HostFirmwareComponents>,
    /// The host of its name.
    pub host: Option<Arc<BareMetalHost>>,
    /// The machine's components; empty when it was not asked.
    pub reported: Vec<ironic::FirmwareComponent>,
}

/// The controller.
#[derive(Debug)]
pub struct Components {
    /// The time.
    pub clock: Clock,
    /// Ironic.
    pub poll: Poll,
    /// The objects.
    pub objects: Store<HostFirmwareComponents>,
    /// Hosts.
    pub hosts: Store<BareMetalHost>,
}

impl Controller for Components {
    type View = View;
    type Call = NoCall;
    type Answer = ();

    fn name(&self) -> &'static str {
        "hostfirmwarecomponents"
    }

    async fn gather(&self, key: &Key) -> Found<View> {
        let Some(object) = self.objects.get(key) else { return Found::Missing };
        let host = self.hosts.get(key);
        let mut view = View { now: self.clock.now(), object, host, reported: Vec::new() };
        if let Ok(node) = node_of(view.host.as_deref()) {
            match self.poll.client().firmware(node).await {
                Ok(reported) => view.reported = reported,
                Err(error) => return Found::Later(fault("read the firmware versions", &error)),
            }
        }
        Found::View(view)
    }

    fn decide(&self, view: &View) -> Plan<NoCall> {
        decide(view)
    }

    async fn call(&self, _: &View, call: &NoCall) -> Result<(), Fault> {
        match *call {}
    }

    fn record(&self, _: &View, plan: Plan<NoCall>, done: &Done<()>) -> Record {
        Record::of(plan, done)
    }
}

/// One status write at most. Which updates were started is written by the host's controller.
pub fn decide(view: &View) -> Plan<NoCall> {
    let object = view.object.as_ref();
    if let Err(why) = node_of(view.host.as_deref()) {
        return Plan::wait(Next::Changed(why));
    }
    if kit::owners::deleting(&object.metadata) {
        return Plan::wait(Next::Rest);
    }
    let started = object.status.as_ref().map(|status| status.updates.as_slice()).unwrap_or_default();
    let changing = object.spec.updates.iter().any(|update| !started.contains(update));
    let refused = refused(object);
    let mut plan = Plan::wait(again(changing));
    let wanted = wanted(view, changing, refused.as_deref());
    if let Some(write) = diff::status(object, &wanted) {
        plan.writes.push(write);
        plan.notes.extend(refused.map(|text| Note::warning(Target::of(object), "ValidationFailed", text)));
    }
    plan
}

/// Whether a part can be updated by its name.
fn updatable(component: &str) -> bool {
    matches!(component, "bmc" | "bios") || component.starts_with("nic:")
}

fn refused(object: &HostFirmwareComponents) -> Option<String> {
    let wrong = object.spec.updates.iter().filter(|update| !updatable(&update.component));
    let told: Vec<String> = wrong
        .map(|update| format!("{} is no component; name bmc, bios, or a network card as nic:<id>", update.component))
        .collect();
    (!told.is_empty()).then(|| format!("spec.updates: {}", told.join("; ")))
}

fn shown(reported: &ironic::FirmwareComponent) -> FirmwareComponent {
    FirmwareComponent {
        component: reported.component.clone(),
        initial_version: reported.initial_version.clone().unwrap_or_default(),
        current_version: reported.current_version.clone(),
        last_version_flashed: reported.last_version_flashed.clone(),
        updated_at: reported.updated_at.as_deref().and_then(|at| at.parse::<Timestamp>().ok()).map(Time),
    }
}

/// The object with the status it should have. Its time changes only with something else.
fn wanted(view: &View, changing: bool, refused: Option<&str>) -> HostFirmwareComponents {
    let mut wanted = view.object.as_ref().clone();
    let generation = wanted.metadata.generation;
    let status = wanted.status.get_or_insert_default();
    status.components = view.reported.iter().filter(|part| updatable(&part.component)).map(shown).collect();
    let changed = if changing {
        Condition::yes(CHANGE_DETECTED, REASON_OK)
    } else {
        Condition::no(CHANGE_DETECTED, REASON_OK, "")
    };
    let valid = match refused {
        None => Condition::yes(VALID, REASON_OK),
        Some(text) => Condition::no(VALID, REASON_INVALID_COMPONENT, text),
    };
    conditions::set(&mut status.conditions, &changed, generation, view.now);
    conditions::set(&mut status.conditions, &valid, generation, view.now);
    if wanted.status != view.object.status {
        wanted.status.get_or_insert_default().last_updated = Some(Time(view.now));
    }
    wanted
}
