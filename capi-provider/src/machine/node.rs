//! Which Node of the workload cluster is a machine's, and what ties them together: the providerID. Pure.

use std::collections::BTreeSet;

use kit::pass::Why;

use crate::remote::{NodeSeen, NodeWrite};

/// Scheme of provider IDs.
pub const SCHEME: &str = "metal3://";
/// Node label that carries the uid of the host, set by a kubelet argument.
pub const UUID_LABEL: &str = "metal3.io/uuid";
/// Node label that carries the host name, set by every kubelet.
pub const HOSTNAME_LABEL: &str = "kubernetes.io/hostname";

/// The provider ID of a machine: `metal3://<namespace>/<host>/<machine>`.
pub fn provider_id(namespace: &str, host: &str, machine: &str) -> String {
    format!("{SCHEME}{namespace}/{host}/{machine}")
}

/// What is known of the machine when its Node is looked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// Namespace of machine and host.
    pub namespace: String,
    /// Name of the host.
    pub host: String,
    /// Name of the Metal3Machine.
    pub machine: String,
    /// Uid of the host; it differs from the Node's label after a move to another management cluster.
    pub host_uid: String,
    /// The provider ID that the Metal3Machine has already.
    pub current: Option<String>,
    /// Host names under which the Node may be found when nothing else matches. Empty where the bootstrap provider
    /// sets the label, so that a machine is never tied to a Node of the same name by chance.
    pub hostnames: BTreeSet<String>,
    /// Whether an external cloud provider writes the Node's provider ID.
    pub cloud_provider: bool,
}

impl Wanted {
    /// The ID in today's format.
    pub fn id(&self) -> String {
        provider_id(&self.namespace, &self.host, &self.machine)
    }
    /// The ID in the format of releases before 1.14, which running Nodes may still carry: `metal3://<host uid>`.
    fn legacy(&self) -> String {
        format!("{SCHEME}{}", self.host_uid)
    }
    /// All IDs that name this machine, the one in use first.
    fn ids(&self) -> Vec<String> {
        let mut ids: Vec<String> = self.current.iter().cloned().collect();
        for id in [self.id(), self.legacy()] {
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        ids
    }
    /// Whether an ID names this host but an earlier machine on it.
    fn earlier(&self, id: &str) -> bool {
        let prefix = format!("{SCHEME}{}/{}/", self.namespace, self.host);
        id.starts_with(&prefix) && id != self.id()
    }
}

/// The outcome of looking for a machine's Node.
#[derive(Debug, Clone, PartialEq)]
pub enum NodeMatch {
    /// The Node carries the machine's ID.
    Linked {
        /// Node name.
        node: String,
        /// The ID that it carries.
        id: String,
    },
    /// The Node was found and needs the ID.
    Write(NodeWrite),
    /// Not there yet, or not unambiguous.
    Wait(Why),
}

/// Finds the Node of a machine among all Nodes of its cluster.
pub fn find(wanted: &Wanted, nodes: &[NodeSeen]) -> NodeMatch {
    let ids = wanted.ids();
    let carrying =
        |id: &String| -> Vec<&NodeSeen> { nodes.iter().filter(|n| n.provider_id.as_ref() == Some(id)).collect() };
    for id in &ids {
        match carrying(id).as_slice() {
            [] => {}
            [node] => return NodeMatch::Linked { node: node.name.clone(), id: id.clone() },
            several => {
                let text = format!(
                    "nodes {} all carry the provider ID {id}; delete those that are not this machine",
                    names(several)
                );
                return NodeMatch::Wait(Why::new("DuplicateProviderID", text));
            }
        }
    }
    let labelled: Vec<&NodeSeen> =
        nodes.iter().filter(|node| node.labels.get(UUID_LABEL) == Some(&wanted.host_uid)).collect();
    match labelled.as_slice() {
        [] => by_hostname(wanted, nodes),
        [node] => tie(wanted, node),
        several => {
            let text = format!(
                "nodes {} all have the label {UUID_LABEL}={}; delete those that are not this machine",
                names(several),
                wanted.host_uid
            );
            NodeMatch::Wait(Why::new("SeveralNodesForHost", text))
        }
    }
}

fn by_hostname(wanted: &Wanted, nodes: &[NodeSeen]) -> NodeMatch {
    let is_named =
        |node: &&NodeSeen| node.labels.get(HOSTNAME_LABEL).is_some_and(|name| wanted.hostnames.contains(name));
    let named: Vec<&NodeSeen> = nodes.iter().filter(is_named).collect();
    match named.as_slice() {
        [node] => tie(wanted, node),
        [] => NodeMatch::Wait(absent(wanted, nodes)),
        several => NodeMatch::Wait(Why::new(
            "SeveralNodesForHost",
            format!(
                "nodes {} all have the host name of this machine; delete those of machines that are gone",
                names(several)
            ),
        )),
    }
}

/// A Node that belongs to the host: it gets the ID, unless it carries another or an external provider writes it.
fn tie(wanted: &Wanted, node: &NodeSeen) -> NodeMatch {
    match &node.provider_id {
        None if wanted.cloud_provider => {
            let text = format!(
                "node {} has no provider ID yet; the external cloud provider of the cluster sets it",
                node.name
            );
            NodeMatch::Wait(Why::new("WaitingForCloudProvider", text))
        }
        None => {
            let id = wanted.current.clone().unwrap_or_else(|| wanted.id());
            NodeMatch::Write(NodeWrite::ProviderId { node: node.name.clone(), uid: node.uid.clone(), id })
        }
        Some(id) if wanted.earlier(id) => NodeMatch::Wait(earlier(&node.name, id)),
        Some(id) => {
            let text = format!(
                "node {} carries the provider ID {id}, which is not one of this provider's; remove the kubelet argument that sets it",
                node.name
            );
            NodeMatch::Wait(Why::new("ForeignProviderID", text))
        }
    }
}

/// Why no Node was found; a Node left by the machine that had the host before explains most of it.
fn absent(wanted: &Wanted, nodes: &[NodeSeen]) -> Why {
    let left =
        nodes.iter().find_map(|node| node.provider_id.as_deref().filter(|id| wanted.earlier(id)).map(|id| (node, id)));
    if let Some((node, id)) = left {
        return earlier(&node.name, id);
    }
    let text = format!(
        "no node with provider ID {} or label {UUID_LABEL}={} has joined; the machine is booting its image, or its \
         bootstrap failed (see its console)",
        wanted.id(),
        wanted.host_uid
    );
    Why::new("WaitingForNode", text)
}

fn earlier(node: &str, id: &str) -> Why {
    Why::new(
        "NodeOfEarlierMachine",
        format!("node {node} still carries {id} of the machine that used this host before; delete that node"),
    )
}

fn names(nodes: &[&NodeSeen]) -> String {
    nodes.iter().map(|node| node.name.as_str()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
#[path = "node_tests.rs"]
mod tests;
