//! The life of a Metal3Machine, from top to bottom: paused, living, leaving. Pure.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::time::Duration;

use api::metal3::BareMetalHost;
use api::names::finalizer;
use kit::conditions::Condition;
use kit::key::Target;
use kit::pass::{Key, Next, Note, Plan, Why, Write};
use kit::{diff, owners};

use super::claim::{self, Claim};
use super::data::{self, Data, Secrets};
use super::node::{self, NodeMatch, Wanted};
use super::release::{self, Release};
use super::status::{self, Report};
use super::view::{Nodes, View};
use super::{pause, provision};
use crate::remote::NodeWrite;

/// How often hosts are looked through again when none could be taken; a changed host wakes the machine earlier.
const NO_HOST: Duration = Duration::from_mins(1);
/// How often the workload cluster is asked for the Node.
const NO_NODE: Duration = Duration::from_secs(10);
/// What an image and its first boot normally take.
const BOOT: Duration = Duration::from_mins(5);

/// A write to a Node of the workload cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The Cluster.
    pub cluster: Key,
    /// The write.
    pub write: NodeWrite,
}

/// What to do about a machine, and what it means for its status.
pub fn decide(view: &View) -> (Plan<Call>, Report) {
    let mut report = Report::default();
    let plan = if view.paused() {
        paused(view)
    } else if view.deleting() {
        leaving(view, &mut report)
    } else {
        living(view, &mut report)
    };
    (plan, report)
}

/// A paused Cluster: its hosts are prepared for a move. Otherwise nothing is touched.
fn paused(view: &View) -> Plan<Call> {
    let prepare = view.hosts.ours.iter().find_map(|host| pause::step(host)).filter(|_| view.cluster_paused());
    match prepare {
        Some(write) => Plan::write(write, Next::Now),
        None => Plan::wait(Next::Changed(Why::new("Paused", "the Cluster or the machine is paused"))),
    }
}

/// A machine on its way to a provisioned host and a Node.
fn living(view: &View, report: &mut Report) -> Plan<Call> {
    report.blame = Some((status::ASSOCIATED, "AssociateBareMetalHostFailed"));
    if let Some(why) = not_yet(view) {
        report.associated = Report::waiting(status::ASSOCIATED, why.reason, &why).filter(|_| view.host().is_none());
        return Plan::wait(Next::Changed(why));
    }
    if let Some(write) = prepare(view) {
        return Plan::write(write, Next::Now);
    }
    match claim::step(view) {
        Claim::Held(host) => held(view, &host, report),
        Claim::Name { write, .. } | Claim::LetGo(write) => Plan::write(write, Next::Now),
        Claim::Take { host, reused, write } => {
            let reason =
                if reused { "AssociateBareMetalHostViaNodeReuseSuccess" } else { "AssociateBareMetalHostSuccess" };
            report.associated = Some(Condition::yes(status::ASSOCIATED, reason));
            Plan::write(write, Next::Now).and_note(note(view, "HostClaimed", format!("took host {host}")))
        }
        Claim::Wait(why) => {
            report.associated = Report::waiting(status::ASSOCIATED, "AssociateBareMetalHostFailed", &why);
            Plan::wait(Next::After(NO_HOST, why))
        }
    }
}

/// What must be there before a host is looked for.
fn not_yet(view: &View) -> Option<Why> {
    let Some(owner) = &view.owner else {
        return Some(Why::new(
            "WaitingForMetal3MachineOwnerRef",
            "waiting for the Machine that owns this Metal3Machine",
        ));
    };
    let infrastructure = |text: &str| Some(Why::new("WaitingForClusterInfrastructureReady", text));
    let Some(cluster) = &view.cluster else {
        return infrastructure("waiting for the Cluster that the Machine names");
    };
    if !cluster.infrastructure_provisioned() {
        return infrastructure("waiting for the Cluster's infrastructure: see the conditions of its Metal3Cluster");
    }
    if view.infra.is_none() {
        return Some(Why::new("WaitingforMetal3Cluster", "waiting for the Metal3Cluster that the Cluster refers to"));
    }
    let supplied = owner.spec.bootstrap.config_ref.is_none() && view.machine.spec.user_data.is_some();
    let has_data =
        owner.bootstrap_secret().is_some() || supplied || view.host().is_some_and(|host| provision::deployed(host));
    (!has_data).then(|| {
        Why::new("WaitingForBootstrapData", "waiting for the bootstrap provider to write the machine's user data")
    })
}

/// Finalizer, failure domain and defaults of the machine's own object, in one write.
fn prepare(view: &View) -> Option<Write> {
    let mut after = (*view.machine).clone();
    let finalizers = after.metadata.finalizers.get_or_insert_default();
    if !finalizers.iter().any(|name| name == finalizer::METAL3_MACHINE) {
        finalizers.push(finalizer::METAL3_MACHINE.to_owned());
    }
    if let Some(domain) = view.owner.as_ref().and_then(|owner| owner.spec.failure_domain.clone()) {
        after.spec.failure_domain = Some(domain);
    }
    if let Some(template) = &mut after.spec.data_template
        && template.namespace.as_deref().is_none_or(str::is_empty)
    {
        template.namespace = Some(view.namespace().to_owned());
    }
    diff::object_exact(&*view.machine, &after)
}

/// A machine that has its host: data, then image, then waiting for both to take effect.
fn held(view: &View, host: &BareMetalHost, report: &mut Report) -> Plan<Call> {
    let known = view.machine.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    if !kit::conditions::is_true(known, status::ASSOCIATED) {
        report.associated = Some(Condition::yes(status::ASSOCIATED, "AssociateBareMetalHostSuccess"));
    }
    report.blame = Some((status::META_DATA, "AssociateMetal3MachineMetaDataFailed"));
    report.addresses = Some(status::addresses(host));
    if let Some(write) = release::label_bmc_secret(view, host) {
        return Plan::write(write, Next::Now);
    }
    let secrets = match data(view, host, report) {
        ControlFlow::Continue(secrets) => secrets,
        ControlFlow::Break(plan) => return plan,
    };
    report.blame = Some((status::META_DATA, "CreateError"));
    if let Some(why) = provision::undeployable(view, &secrets).filter(|_| !provision::deployed(host)) {
        report.meta_data = Report::waiting(status::META_DATA, "CreateError", &why);
        return Plan::wait(Next::Changed(why));
    }
    if let Some(write) = provision::host_write(view, host, &secrets) {
        return Plan::write(write, Next::Now);
    }
    if let Some(why) = provision::unfinished(host).filter(|_| !view.provisioned()) {
        report.host = Report::waiting(status::HOST_PROVISIONED, why.reason, &why);
        return Plan::wait(Next::Changed(why));
    }
    report.host = Some(match provision::unfinished(host) {
        None => Condition::yes(status::HOST_PROVISIONED, "HostProvisioned"),
        Some(why) => Condition::no(status::HOST_PROVISIONED, why.reason, why.told()),
    });
    settled(view, host, report)
}

/// The machine's data, or the plan that gets it. A host that was deployed needs it no more.
fn data(view: &View, host: &BareMetalHost, report: &mut Report) -> ControlFlow<Plan<Call>, Secrets> {
    let done = |report: &mut Report, reason: &'static str| {
        report.meta_data = Some(Condition::yes(status::META_DATA, "AssociateMetal3MachineMetaDataSuccess"));
        report.data = Some(Condition::yes(status::DATA_READY, reason));
    };
    match data::step(view) {
        Data::Ready(secrets) => {
            let reason = if secrets.rendered.is_some() { "Metal3DataSecretsReady" } else { "SecretsSetExternally" };
            done(report, reason);
            report.secrets = Some(secrets.clone());
            ControlFlow::Continue(secrets)
        }
        Data::Claim(_) | Data::Wait(_) | Data::Refused(_) if provision::deployed(host) => {
            ControlFlow::Continue(Secrets::default())
        }
        Data::Claim(write) => ControlFlow::Break(Plan::write(write, Next::Now)),
        Data::Wait(why) => {
            report.data = Report::waiting(status::DATA_READY, "WaitingForMetal3Data", &why);
            ControlFlow::Break(Plan::wait(Next::Changed(why)))
        }
        Data::Refused(why) => {
            report.meta_data = Report::waiting(status::META_DATA, "AssociateMetal3MachineMetaDataFailed", &why);
            ControlFlow::Break(Plan::wait(Next::Changed(why)))
        }
    }
}

/// A machine whose host runs its image: provider ID, readiness, Node.
fn settled(view: &View, host: &BareMetalHost, report: &mut Report) -> Plan<Call> {
    let wanted = wanted(view, host);
    let has_node = view.owner.as_ref().is_some_and(|owner| owner.node_name().is_some());
    match (&wanted.current, view.cloud_provider()) {
        (None, false) => {
            let id = wanted.id();
            let text = format!("provider ID is {id}");
            return match provider_id(view, &id) {
                Some(write) => Plan::write(write, Next::Now).and_note(note(view, "ProviderIDSet", text)),
                None => Plan::wait(Next::Rest),
            };
        }
        (None, true) => {}
        (Some(_), _) => report.provisioned = true,
    }
    if has_node && wanted.current.is_some() {
        report.node = Some(Condition::yes(status::NODE_LINKED, "NodeLinked"));
        return Plan::wait(Next::Rest);
    }
    let nodes = match &view.nodes {
        Nodes::Seen(nodes) => nodes,
        Nodes::Unknown(fault) => {
            report.node = Some(Condition::unknown(status::NODE_LINKED, fault.reason, fault.message.clone()));
            return Plan::wait(Next::After(NO_NODE, Why::new("WaitingForWorkloadCluster", fault.message.clone())));
        }
        Nodes::NotAsked => {
            return Plan::wait(Next::After(NO_NODE, Why::new("WaitingForNode", "the Node was not looked for yet")));
        }
    };
    match node::find(&wanted, nodes) {
        NodeMatch::Linked { id, .. } if wanted.current.as_ref() != Some(&id) => match provider_id(view, &id) {
            Some(write) => {
                Plan::write(write, Next::Now).and_note(note(view, "ProviderIDSet", format!("provider ID is {id}")))
            }
            None => Plan::wait(Next::Rest),
        },
        NodeMatch::Linked { node, .. } => {
            report.node = Some(Condition::yes(status::NODE_LINKED, "NodeLinked"));
            let text = format!("waiting for Cluster API to find node {node} by its provider ID");
            Plan::wait(Next::Changed(Why::new("WaitingForNodeRef", text)))
        }
        NodeMatch::Write(write) => {
            report.blame = Some((status::NODE_LINKED, "SettingProviderIDOnNodeFailed"));
            let cluster = view.cluster_key().unwrap_or_else(|| Key::new(view.namespace(), ""));
            Plan::ask(Call { cluster, write }, Next::Now)
        }
        NodeMatch::Wait(why) => {
            let why = why.normal(BOOT);
            report.node = Report::waiting(status::NODE_LINKED, why.reason, &why);
            Plan::wait(Next::After(NO_NODE, why))
        }
    }
}

/// What the machine's Node looks like.
fn wanted(view: &View, host: &BareMetalHost) -> Wanted {
    let by_name = view.owner.as_ref().is_some_and(|owner| owner.spec.bootstrap.config_ref.is_none());
    let hostname =
        host.status.as_ref().and_then(|status| status.hardware.as_ref()).and_then(|found| found.hostname.clone());
    Wanted {
        namespace: view.namespace().to_owned(),
        host: host.metadata.name.clone().unwrap_or_default(),
        machine: view.name().to_owned(),
        host_uid: host.metadata.uid.clone().unwrap_or_default(),
        current: view.machine.spec.provider_id.clone(),
        hostnames: hostname.into_iter().filter(|name| by_name && !name.is_empty()).collect::<BTreeSet<_>>(),
        cloud_provider: view.cloud_provider(),
    }
}

fn provider_id(view: &View, id: &str) -> Option<Write> {
    let mut after = (*view.machine).clone();
    after.spec.provider_id = Some(id.to_owned());
    diff::object_exact(&*view.machine, &after)
}

/// A machine that goes away: its hosts are given back one after the other, then its data, then its finalizer.
fn leaving(view: &View, report: &mut Report) -> Plan<Call> {
    if !owners::has_finalizer(&*view.machine, finalizer::METAL3_MACHINE) {
        return Plan::wait(Next::Gone);
    }
    report.blame = Some((status::META_DATA, "DeletionFailed"));
    let deleting = |text: &str| Some(Condition::no(status::META_DATA, "Deleting", text));
    report.meta_data = deleting("the machine gives its host back");
    if let Some(host) = view.host() {
        let name = host.metadata.name.as_deref().unwrap_or_default();
        return match release::step(view, host) {
            Release::Write(write) => Plan::write(write, Next::Now),
            Release::Wait(why) => {
                report.meta_data = deleting(&why.told());
                Plan::wait(Next::Changed(why))
            }
            Release::Free(write) => {
                Plan::write(write, Next::Now).and_note(note(view, "HostReleased", format!("gave host {name} back")))
            }
            Release::Unknown(why) => {
                report.meta_data = deleting(&why.told());
                Plan::wait(Next::After(NO_HOST, why))
            }
        };
    }
    report.blame = Some((status::META_DATA, "DisassociateM3MetaDataFailed"));
    match data::release(view) {
        Some(write) => Plan::write(write, Next::Now),
        None => Plan::write(owners::remove_finalizer(&*view.machine, finalizer::METAL3_MACHINE), Next::Gone),
    }
}

/// An event of the machine.
pub fn note(view: &View, reason: &'static str, message: String) -> Note {
    Note { about: Target::of(&*view.machine), warning: false, reason, message }
}
