//! One Node of a workload cluster whose machine is being repaired, with what still holds on to it.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Node, Pod, Taint};
use k8s_openapi::api::storage::v1::VolumeAttachment;
use kit::client::Io;
use kit::fault;
use kit::pass::{Class, Fault, Key};
use kube::Api;
use kube::api::ListParams;

use super::{LIMITS, NodeSeen, Remotes, named, sleep};

/// The taint that makes a cluster give up on what ran on a Node that is off: its Pods are deleted without the
/// kubelet's word, its volumes detached.
pub const OUT_OF_SERVICE: (&str, &str, &str) = ("node.kubernetes.io/out-of-service", "nodeshutdown", "NoExecute");
/// The first minor version of Kubernetes 1 in which every cluster honours [`OUT_OF_SERVICE`].
const TAINT_SINCE: u32 = 28;

/// The Node and what holds on to it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NodeInRepair {
    /// Name, uid, labels.
    pub seen: NodeSeen,
    /// The state that a write of a list is compared with.
    pub version: String,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
    /// Taints.
    pub taints: Vec<Taint>,
    /// Whether the cluster honours [`OUT_OF_SERVICE`].
    pub taint_works: bool,
    /// Pods on their way out and volumes still attached; only counted while the taint is there.
    pub held: usize,
}

impl NodeInRepair {
    /// [`OUT_OF_SERVICE`] on the Node.
    pub fn taint(&self) -> Option<&Taint> {
        self.taints.iter().find(|taint| taint.key == OUT_OF_SERVICE.0)
    }
}

impl Remotes {
    /// Reads a Node past every cache. `None` when it does not exist.
    pub async fn in_repair(&self, cluster: &Key, node: &str) -> Result<Option<NodeInRepair>, Fault> {
        let slot = self.slot(cluster);
        let mut slot = slot.lock().await;
        let io = self.connected(cluster, &mut slot, tokio::time::Instant::now()).await?;
        match read(&io, node).await {
            Ok(found) => {
                slot.failures = 0;
                Ok(found)
            }
            // A cluster that answers, if only with a refusal, need not rest.
            Err(fault) if fault.reason == fault::FORBIDDEN => Err(named(cluster, &fault)),
            Err(fault) => Err(sleep(&mut slot, named(cluster, &fault))),
        }
    }
}

async fn read(io: &Io, name: &str) -> Result<Option<NodeInRepair>, Fault> {
    let Some(node) = io.get::<Node>(&Key::new("", name)).await? else { return Ok(None) };
    let info = limited("get the version", io.client().apiserver_version()).await?;
    let mut found = NodeInRepair {
        version: node.metadata.resource_version.clone().unwrap_or_default(),
        annotations: node.metadata.annotations.clone().unwrap_or_default(),
        taints: node.spec.as_ref().and_then(|spec| spec.taints.clone()).unwrap_or_default(),
        taint_works: taint_works(&info.major, &info.minor),
        held: 0,
        seen: NodeSeen::of(node),
    };
    if found.taint().is_some() {
        let on_node = ListParams::default().fields(&format!("spec.nodeName={name}"));
        let pods = Api::<Pod>::all(io.client());
        let pods = limited("list Pods of the Node", pods.list_metadata(&on_node)).await?;
        let leaving = pods.items.iter().filter(|pod| pod.metadata.deletion_timestamp.is_some()).count();
        let volumes = io.list::<VolumeAttachment>(None, None).await?;
        found.held = leaving + volumes.iter().filter(|volume| volume.spec.node_name == name).count();
    }
    Ok(Some(found))
}

async fn limited<T>(what: &str, request: impl Future<Output = Result<T, kube::Error>>) -> Result<T, Fault> {
    match tokio::time::timeout(LIMITS.read, request).await {
        Ok(answer) => answer.map_err(|error| fault::of_error(what, &error)),
        Err(_) => Err(fault::timed_out(what, LIMITS.read)),
    }
}

/// Providers decorate the numbers, e.g. `28+`.
fn taint_works(major: &str, minor: &str) -> bool {
    let number = |text: &str| {
        let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u32>().unwrap_or(0)
    };
    (number(major), number(minor)) >= (1, TAINT_SINCE)
}

/// How long a workload cluster that does not answer may keep a repair from going on without it. The machine is off,
/// so nothing runs twice; and where the machine is the only control plane, only its return brings the cluster back.
pub const GIVE_UP: Duration = Duration::from_mins(2);

/// Whether a fault means that Nodes of the cluster are none of our business.
pub fn forbidden(fault: &Fault) -> bool {
    fault.class == Class::Backoff && fault.reason == fault::FORBIDDEN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_with_decoration_are_understood() {
        let table = [
            ("1", "27", false),
            ("1", "28", true),
            ("1", "28+", true),
            ("1+", "36", true),
            ("2", "0", true),
            ("", "", false),
        ];
        for (major, minor, works) in table {
            assert_eq!(taint_works(major, minor), works, "{major}.{minor}");
        }
    }
}
