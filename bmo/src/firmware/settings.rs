//! HostFirmwareSettings: reads the BIOS settings of a machine and checks the wished ones.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use api::metal3::firmware_condition::{CHANGE_DETECTED, REASON_CONFIGURATION, REASON_SUCCESS, VALID};
use api::metal3::firmware_schema::PASSWORD;
use api::metal3::{BareMetalHost, FirmwareSchema, HostFirmwareSettings, SchemaReference, SettingSchema};
use ironic::{BiosSetting, Poll};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kit::clock::Clock;
use kit::conditions::{self, Condition};
use kit::diff;
use kit::key::{Key, Target};
use kit::pass::{Controller, Done, Fault, Found, Next, NoCall, Note, Plan, Record, Why};
use kit::store::Store;

use super::{again, node_of, schema};
use crate::calls::fault;
use crate::host::firmware::text;

/// How long settings that share a FirmwareSchema wait for others before they become its owners in one write.
const JOIN: Duration = Duration::from_secs(5);

/// What a decision may know.
#[derive(Debug)]
pub struct View {
    /// The time of this pass.
    pub now: Timestamp,
    /// The object.
    pub object: Arc<HostFirmwareSettings>,
    /// The host of its name.
    pub host: Option<Arc<BareMetalHost>>,
    /// The machine's settings; empty when it was not asked.
    pub bios: Vec<BiosSetting>,
    /// The FirmwareSchema of these settings, if it exists.
    pub schema: Option<Arc<FirmwareSchema>>,
    /// Settings of other hosts that refer to it; only read when these settings are to become its owner.
    pub others: Vec<Arc<HostFirmwareSettings>>,
}

/// The controller.
#[derive(Debug)]
pub struct Settings {
    /// The time.
    pub clock: Clock,
    /// Ironic.
    pub poll: Poll,
    /// The objects.
    pub objects: Store<HostFirmwareSettings>,
    /// Hosts.
    pub hosts: Store<BareMetalHost>,
    /// Schemas.
    pub schemas: Store<FirmwareSchema>,
}

impl Controller for Settings {
    type View = View;
    type Call = NoCall;
    type Answer = ();

    fn name(&self) -> &'static str {
        "hostfirmwaresettings"
    }

    async fn gather(&self, key: &Key) -> Found<View> {
        let Some(object) = self.objects.get(key) else { return Found::Missing };
        let host = self.hosts.get(key);
        let mut view = View { now: self.clock.now(), object, host, bios: Vec::new(), schema: None, others: Vec::new() };
        if let Ok(node) = node_of(view.host.as_deref()) {
            match self.poll.client().bios(node).await {
                Ok(bios) => view.bios = bios,
                Err(error) => return Found::Later(fault("read the BIOS settings", &error)),
            }
            let name = schema::name(&schema::limits(&view.bios));
            view.schema = self.schemas.get(&Key::new(key.namespace.clone(), name.clone()));
            if view.schema.as_ref().is_some_and(|known| !schema::is_owned(known, &view.object)) {
                let refers = |other: &Arc<HostFirmwareSettings>| schema::refers(other, &name);
                view.others = self.objects.list(Some(&key.namespace)).into_iter().filter(refers).collect();
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

/// Whether the schema exists and these settings only say now that it is theirs: a moment later others say so, too.
fn joins_later(view: &View, name: &str) -> bool {
    view.schema.as_ref().is_some_and(|known| !schema::is_owned(known, &view.object))
        && !schema::refers(&view.object, name)
}

/// The schema first, then a status that refers to it.
pub fn decide(view: &View) -> Plan<NoCall> {
    let object = view.object.as_ref();
    if let Err(why) = node_of(view.host.as_deref()) {
        return Plan::wait(Next::Changed(why));
    }
    let Some(host) = view.host.as_deref().filter(|_| !kit::owners::deleting(&object.metadata)) else {
        return Plan::wait(Next::Rest);
    };
    let limits = schema::limits(&view.bios);
    let values = values(&view.bios);
    let changing = object.spec.settings.iter().any(|(name, wished)| values.get(name) != Some(&text(wished)));
    let faults = if changing { faults(object, &values, &limits) } else { Vec::new() };

    let mut plan = Plan::wait(again(changing));
    let name = schema::name(&limits);
    if joins_later(view, &name) {
        let text = "the FirmwareSchema is shared by many hosts, which become its owners together";
        plan.next = Next::After(JOIN, Why::new("SchemaShared", text).normal(JOIN));
    } else {
        plan.writes.extend(schema::write(view.schema.as_deref(), object, &view.others, host, &limits));
    }
    let wanted = wanted(view, values, &name, changing, &faults);
    if let Some(write) = diff::status(object, &wanted) {
        plan.writes.push(write);
        let notes = faults.iter().map(|fault| format!("spec.settings: {fault}"));
        plan.notes.extend(notes.map(|text| Note::warning(Target::of(object), "ValidationFailed", text)));
    }
    plan
}

/// What is shown: never a password, not even an encrypted one.
fn values(bios: &[BiosSetting]) -> BTreeMap<String, String> {
    let shown = bios.iter().filter(|setting| !setting.name.contains(PASSWORD));
    shown.map(|setting| (setting.name.clone(), setting.value.clone().unwrap_or_default())).collect()
}

fn faults(
    object: &HostFirmwareSettings,
    values: &BTreeMap<String, String>,
    limits: &BTreeMap<String, SettingSchema>,
) -> Vec<String> {
    let check = |(name, wished): (&String, _)| {
        if name.contains(PASSWORD) {
            return Some(format!("{name} is a password: set it on the machine itself"));
        }
        if !values.contains_key(name) {
            return Some(format!("this machine has no {name}; status.settings lists what it has"));
        }
        limits.get(name)?.check(name, &text(wished)).err()
    };
    object.spec.settings.iter().filter_map(check).collect()
}

/// The object with the status it should have. Its time changes only with something else.
fn wanted(
    view: &View,
    values: BTreeMap<String, String>,
    schema: &str,
    changing: bool,
    faults: &[String],
) -> HostFirmwareSettings {
    let mut wanted = view.object.as_ref().clone();
    let generation = wanted.metadata.generation;
    let namespace = wanted.metadata.namespace.clone().unwrap_or_default();
    let status = wanted.status.get_or_insert_default();
    status.settings = values;
    status.firmware_schema = Some(SchemaReference { namespace, name: schema.to_owned() });
    let changed = if changing {
        Condition::yes(CHANGE_DETECTED, REASON_SUCCESS)
    } else {
        Condition::no(CHANGE_DETECTED, REASON_SUCCESS, "")
    };
    let valid = if faults.is_empty() {
        Condition::yes(VALID, REASON_SUCCESS)
    } else {
        Condition::no(VALID, REASON_CONFIGURATION, format!("spec.settings: {}", faults.join("; ")))
    };
    conditions::set(&mut status.conditions, &changed, generation, view.now);
    conditions::set(&mut status.conditions, &valid, generation, view.now);
    if wanted.status != view.object.status {
        wanted.status.get_or_insert_default().last_updated = Some(Time(view.now));
    }
    wanted
}
