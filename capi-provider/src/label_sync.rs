//! Labels of hosts, copied to their Nodes: those under the prefixes that the Metal3Cluster's annotation names.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use api::capi::Machine;
use api::infra::v1beta2::Metal3Cluster;
use api::metal3::BareMetalHost;
use api::names::{annotation, label};
use kit::owners;
use kit::pass::{Controller, Done, Fault, Found, Key, Next, Plan, Record, Why};
use kit::store::Store;
use kit::wakes::Registration;

use crate::machine::consumer::Consumer;
use crate::machine::gather::{BY_CONSUMER, Sources};
use crate::machine::life::Call;
use crate::remote::{NodeSeen, NodeWrite};

/// Index of hosts by the Cluster of their label (`namespace/name`).
const BY_CLUSTER: &str = "host-cluster";
/// How often a Node is compared with its host.
const PERIOD: Duration = Duration::from_mins(1);
/// How old the list of Nodes may be that all hosts of a cluster share: two lists a period, however many hosts.
const AGE: Duration = Duration::from_secs(30);

/// The controller; its keys are hosts.
#[derive(Debug, Clone)]
pub struct LabelSync {
    /// The caches of the machine controller.
    pub sources: Sources,
}

/// What a pass knows of a host whose labels belong on a Node.
#[derive(Debug, Clone)]
pub enum View {
    /// The Node cannot be named yet.
    NotYet(Why),
    /// The host and its Node.
    Named(Named),
}

/// A host, and its Node by name.
#[derive(Debug, Clone)]
pub struct Named {
    /// The host.
    pub host: Arc<BareMetalHost>,
    /// The Cluster.
    pub cluster: Key,
    /// The annotation's value.
    pub prefixes: String,
    /// The Node's name.
    pub name: String,
    /// The Node, if there is one of that name.
    pub node: Option<NodeSeen>,
}

impl LabelSync {
    /// What wakes the controller: the hosts themselves, the annotation of their cluster, a Node that was found.
    pub fn wakes(&self) -> Registration {
        let hosts = self.sources.hosts.clone().index(BY_CLUSTER, |host: &BareMetalHost| {
            let namespace = host.metadata.namespace.as_deref().unwrap_or_default();
            let cluster = host.metadata.labels.as_ref().and_then(|labels| labels.get(label::CLUSTER_NAME));
            cluster.map(|cluster| format!("{namespace}/{cluster}")).into_iter().collect()
        });
        let (of_cluster, of_machine) = (hosts.clone(), hosts.clone());
        Registration::new()
            .own(&hosts)
            .watch(&self.sources.infras, move |old, new| hosts_of(&of_cluster, old, new))
            .watch(&self.sources.owners, move |old, new| host_of(&of_machine, old, new))
            .needs(&self.sources.machines)
            .needs(&self.sources.clusters)
    }

    /// The way from a host to the name of its Node; `None` where no machine uses it, or nobody wants labels there. Not all
    /// that is missing wakes this controller when it comes, so it is looked for again.
    fn path(&self, key: &Key) -> Option<View> {
        let host = self.sources.hosts.get(key)?;
        let paused = host.metadata.annotations.as_ref().is_some_and(|all| all.contains_key(annotation::HOST_PAUSED));
        let Consumer::Machine(machine) = Consumer::of(&host) else { return None };
        if paused || machine.namespace != key.namespace {
            return None;
        }
        let beside = |name: &str| Key::new(key.namespace.as_str(), name);
        let not_yet = |text: &str| Some(View::NotYet(Why::new("WaitingForNode", text)));
        let machine = self.sources.machines.get(&machine);
        let Some(machine) = machine else { return not_yet("waiting for the Metal3Machine that uses the host") };
        if !owners::watched(&machine.metadata, &self.sources.watch_filter) {
            return None;
        }
        let owner = owners::owner_of_kind(&machine.metadata, api::capi::GROUP, "Machine");
        let Some(owner) = owner.and_then(|owner| self.sources.owners.get(&beside(&owner.name))) else {
            return not_yet("waiting for the Machine that owns the Metal3Machine");
        };
        let Some(cluster) = self.sources.clusters.get(&beside(&owner.spec.cluster_name)) else {
            return not_yet("waiting for the Cluster that the Machine names");
        };
        let infra = cluster.spec.infrastructure_ref.as_ref();
        let Some(infra) = infra.and_then(|infra| self.sources.infras.get(&beside(&infra.name))) else {
            return not_yet("waiting for the Metal3Cluster that the Cluster refers to");
        };
        let prefixes = infra.metadata.annotations.as_ref()?.get(annotation::LABEL_SYNC_PREFIXES)?.clone();
        if cluster.is_paused() || owners::paused(&infra.metadata) {
            return not_yet("the Cluster or the Metal3Cluster is paused");
        }
        let Some(name) = owner.node_name().map(str::to_owned) else {
            return not_yet("waiting for Cluster API to find the Node of the Machine");
        };
        Some(View::Named(Named { host, cluster: Key::of(&*cluster), prefixes, name, node: None }))
    }
}

impl Controller for LabelSync {
    type View = View;
    type Call = Call;
    type Answer = ();

    fn name(&self) -> &'static str {
        "metal3-label-sync"
    }

    async fn gather(&self, key: &Key) -> Found<View> {
        let mut named = match self.path(key) {
            None => return Found::Missing,
            Some(View::NotYet(why)) => return Found::View(View::NotYet(why)),
            Some(View::Named(named)) => named,
        };
        match self.sources.remotes.nodes_within(&named.cluster, AGE).await {
            Ok(nodes) => {
                named.node = nodes.iter().find(|known| known.name == named.name).cloned();
                Found::View(View::Named(named))
            }
            Err(fault) => Found::Later(fault),
        }
    }

    fn decide(&self, view: &View) -> Plan<Call> {
        decide(view)
    }

    async fn call(&self, _: &View, call: &Call) -> Result<(), Fault> {
        self.sources.remotes.write(&call.cluster, &call.write).await
    }

    fn record(&self, _: &View, plan: Plan<Call>, done: &Done<()>) -> Record {
        Record::of(plan, done)
    }
}

/// The host of a Machine whose Node was found.
fn host_of(hosts: &Store<BareMetalHost>, old: Option<&Machine>, new: Option<&Machine>) -> Vec<Key> {
    let Some(machine) = new.filter(|new| new.node_name().is_some() && old.and_then(Machine::node_name).is_none())
    else {
        return Vec::new();
    };
    let namespace = machine.metadata.namespace.as_deref().unwrap_or_default();
    let found = hosts.by(BY_CONSUMER, &format!("{namespace}/{}", machine.spec.infrastructure_ref.name));
    found.iter().map(|host| Key::of(&**host)).collect()
}

/// The hosts of a Metal3Cluster whose annotation changed.
fn hosts_of(hosts: &Store<BareMetalHost>, old: Option<&Metal3Cluster>, new: Option<&Metal3Cluster>) -> Vec<Key> {
    let listed =
        |infra: &Metal3Cluster| infra.metadata.annotations.as_ref()?.get(annotation::LABEL_SYNC_PREFIXES).cloned();
    let Some(infra) = new.filter(|new| old.and_then(listed) != listed(new)) else { return Vec::new() };
    let owner = owners::owner_of_kind(&infra.metadata, api::capi::GROUP, "Cluster");
    let namespace = infra.metadata.namespace.as_deref().unwrap_or_default();
    let found = owner.map(|owner| hosts.by(BY_CLUSTER, &format!("{namespace}/{}", owner.name)));
    found.unwrap_or_default().iter().map(|host| Key::of(&**host)).collect()
}

fn decide(view: &View) -> Plan<Call> {
    let view = match view {
        View::NotYet(why) => return Plan::wait(Next::After(PERIOD, why.clone())),
        View::Named(named) => named,
    };
    let prefixes = match prefixes(&view.prefixes) {
        Ok(prefixes) => prefixes,
        Err(bad) => {
            let text =
                format!("annotation {}: {bad:?} is no DNS subdomain; correct it", annotation::LABEL_SYNC_PREFIXES);
            return Plan::wait(Next::Changed(Why::new("InvalidLabelPrefix", text)));
        }
    };
    let again = || Next::After(PERIOD, Why::new("InSync", "the Node is compared with its host again"));
    let Some(node) = &view.node else { return Plan::wait(again()) };
    let labels = changes(&prefixes, view.host.metadata.labels.as_ref(), &node.labels);
    if labels.is_empty() {
        return Plan::wait(again());
    }
    let write = NodeWrite::Labels { node: node.name.clone(), uid: node.uid.clone(), labels };
    Plan::ask(Call { cluster: view.cluster.clone(), write }, again())
}

/// The prefixes of a comma separated list, or the first that is not one.
fn prefixes(list: &str) -> Result<BTreeSet<&str>, &str> {
    list.split(',')
        .map(str::trim)
        .filter(|prefix| !prefix.is_empty())
        .map(|p| if subdomain(p) { Ok(p) } else { Err(p) })
        .collect()
}

fn subdomain(text: &str) -> bool {
    let edge = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    text.len() <= 253
        && text.split('.').all(|part| {
            let bytes = part.as_bytes();
            edge(bytes.first()) && edge(bytes.last()) && bytes.iter().all(|b| edge(Some(b)) || *b == b'-')
        })
}

/// What must change on the Node: labels under the prefixes, and no other.
fn changes(
    prefixes: &BTreeSet<&str>,
    host: Option<&BTreeMap<String, String>>,
    node: &BTreeMap<String, String>,
) -> BTreeMap<String, Option<String>> {
    let synced = |key: &String| key.split_once('/').is_some_and(|(prefix, _)| prefixes.contains(prefix));
    let wanted: BTreeMap<&String, &String> = host.into_iter().flatten().filter(|(key, _)| synced(key)).collect();
    let set = wanted.iter().filter(|(key, value)| node.get(**key) != Some(**value));
    let mut all: BTreeMap<String, Option<String>> =
        set.map(|(key, value)| ((*key).clone(), Some((*value).clone()))).collect();
    let gone = node.keys().filter(|key| synced(key) && !wanted.contains_key(*key));
    all.extend(gone.map(|key| (key.clone(), None)));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_node_that_cannot_be_named_yet_is_looked_for_again() {
        let plan = decide(&View::NotYet(Why::new("WaitingForNode", "the Node has not joined")));
        assert!(plan.call.is_none() && matches!(plan.next, Next::After(PERIOD, _)), "{plan:?}");
    }

    #[test]
    fn only_labels_under_the_prefixes_change() {
        let prefixes = prefixes("rack.example.com, zone").unwrap();
        let host =
            map(&[("rack.example.com/a", "1"), ("zone/b", "2"), ("zone/same", "s"), ("other/c", "3"), ("zone", "4")]);
        let node = map(&[
            ("zone/b", "old"),
            ("zone/gone", "5"),
            ("zone/same", "s"),
            ("other/d", "6"),
            ("zone", "x"),
            ("zones/e", "7"),
        ]);
        let expected: BTreeMap<String, Option<String>> = [
            ("rack.example.com/a".to_owned(), Some("1".to_owned())),
            ("zone/b".to_owned(), Some("2".to_owned())),
            ("zone/gone".to_owned(), None),
        ]
        .into();
        assert_eq!(changes(&prefixes, Some(&host), &node), expected);
        assert!(changes(&prefixes, Some(&host), &host).is_empty());
    }

    #[test]
    fn lists_of_prefixes() {
        assert_eq!(prefixes(" a.b ,, c ").unwrap(), BTreeSet::from(["a.b", "c"]));
        assert!(prefixes("").unwrap().is_empty());
        for bad in ["A", "a_b", "-a", "a..b", "a/b", "a."] {
            assert_eq!(prefixes(bad), Err(bad));
        }
    }
}
