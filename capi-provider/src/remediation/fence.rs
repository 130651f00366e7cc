//! The Node's part of a repair: fenced while the machine is off, as it was before when the machine is back. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use api::infra::v1beta2::Metal3Remediation;
use api::names::{annotation, finalizer};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Taint;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kit::diff;
use kit::pass::Write;
use serde_json::json;

use crate::remote::{NodeInRepair, NodeWrite, OUT_OF_SERVICE};

/// The workload cluster gets this long to mark the Pods of a tainted Node before their absence means anything.
const SETTLE: Duration = Duration::from_secs(5);

/// One step of fencing or of its undoing.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// A write to the remediation itself.
    Own(Write),
    /// A write to the Node.
    Node(NodeWrite),
    /// The Node still has Pods on their way out, or volumes.
    Held(usize),
    /// Nothing is left to do.
    Done,
}

/// The next step towards a Node that nothing counts on. A Node that is deleted is no longer seen, which ends it.
pub fn fence(remediation: &Metal3Remediation, node: &NodeInRepair, now: Timestamp) -> Step {
    let (name, uid) = (node.seen.name.clone(), node.seen.uid.clone());
    if !node.taint_works {
        return match backup(remediation, node) {
            Some(write) => Step::Own(write),
            None => Step::Node(NodeWrite::Delete { node: name, uid }),
        };
    }
    match node.taint() {
        None => {
            let (key, value, effect) = OUT_OF_SERVICE;
            let taint = Taint {
                key: key.to_owned(),
                value: Some(value.to_owned()),
                effect: effect.to_owned(),
                time_added: Some(Time(now)),
            };
            let taints = node.taints.iter().cloned().chain([taint]).collect();
            Step::Node(NodeWrite::Taints { node: name, uid, version: node.version.clone(), taints })
        }
        Some(taint) => {
            let since = taint.time_added.as_ref().map(|added| now.duration_since(added.0));
            let settled = since.is_none_or(|since| Duration::try_from(since).is_ok_and(|since| since >= SETTLE));
            if settled && node.held == 0 { Step::Done } else { Step::Held(node.held) }
        }
    }
}

/// The next step towards a Node as it was before.
pub fn restore(remediation: &Metal3Remediation, node: &NodeInRepair) -> Step {
    let (name, uid) = (node.seen.name.clone(), node.seen.uid.clone());
    if node.taint().is_some() {
        let taints = node.taints.iter().filter(|taint| taint.key != OUT_OF_SERVICE.0).cloned().collect();
        return Step::Node(NodeWrite::Taints { node: name, uid, version: node.version.clone(), taints });
    }
    // What the Node came back with counts more than what it had.
    let missing = |key: &str, there: &BTreeMap<String, String>| {
        let mut kept = kept(remediation, key);
        kept.retain(|key, _| !there.contains_key(key));
        kept
    };
    let labels = missing(annotation::NODE_LABELS_BACKUP, &node.seen.labels);
    let annotations = missing(annotation::NODE_ANNOTATIONS_BACKUP, &node.annotations);
    if !labels.is_empty() || !annotations.is_empty() {
        return Step::Node(NodeWrite::Restore { node: name, uid, labels, annotations });
    }
    Step::Done
}

/// The write after which nothing ties the remediation to the Node; `None` when nothing does.
pub fn let_go(remediation: &Metal3Remediation) -> Option<Write> {
    let mut after = remediation.clone();
    if let Some(annotations) = after.metadata.annotations.as_mut() {
        annotations
            .retain(|key, _| key != annotation::NODE_LABELS_BACKUP && key != annotation::NODE_ANNOTATIONS_BACKUP);
    }
    if let Some(names) = after.metadata.finalizers.as_mut() {
        names.retain(|name| name != finalizer::METAL3_REMEDIATION);
    }
    diff::object_exact(remediation, &after)
}

/// Keeps the Node's labels and annotations; `None` when they are kept already.
fn backup(remediation: &Metal3Remediation, node: &NodeInRepair) -> Option<Write> {
    let mut after = remediation.clone();
    let annotations = after.metadata.annotations.get_or_insert_default();
    for (key, map) in
        [(annotation::NODE_LABELS_BACKUP, &node.seen.labels), (annotation::NODE_ANNOTATIONS_BACKUP, &node.annotations)]
    {
        // A second try may see a Node that has lost what the first one kept.
        annotations.entry(key.to_owned()).or_insert_with(|| json!(map).to_string());
    }
    diff::object_exact(remediation, &after)
}

/// What a backup holds; one that cannot be read holds nothing.
fn kept(remediation: &Metal3Remediation, key: &str) -> BTreeMap<String, String> {
    let text = remediation.metadata.annotations.as_ref().and_then(|all| all.get(key));
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}
