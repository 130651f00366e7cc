//! The picture of all nodes and its changes. Answers may arrive out of order: a request sent earlier never
//! overwrites what a request sent later found.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::time::Instant;

use crate::node::Node;
use crate::poll::Change;

/// Nodes by id, with an index by name.
#[derive(Debug, Default)]
pub(crate) struct Picture {
    nodes: BTreeMap<String, Entry>,
    names: BTreeMap<String, String>,
    /// Ids found missing by a single read, until a list sent later confirms it.
    gone: BTreeMap<String, Instant>,
}

#[derive(Debug)]
struct Entry {
    node: Arc<Node>,
    asked: Instant,
}

impl Picture {
    pub(crate) fn get(&self, ident: &str) -> Option<Arc<Node>> {
        let entry = self.nodes.get(ident).or_else(|| self.nodes.get(self.names.get(ident)?))?;
        Some(Arc::clone(&entry.node))
    }

    pub(crate) fn all(&self) -> Vec<Arc<Node>> {
        self.nodes.values().map(|entry| Arc::clone(&entry.node)).collect()
    }

    pub(crate) fn is_moving(&self) -> bool {
        self.nodes.values().any(|entry| entry.node.is_moving())
    }

    /// Takes in a complete list that was requested at `asked`.
    pub(crate) fn absorb_list(&mut self, list: Vec<Node>, asked: Instant) -> Vec<Change> {
        self.gone.retain(|_, gone| *gone > asked);
        let listed: std::collections::BTreeSet<_> = list.iter().map(|node| node.uuid.clone()).collect();
        let missing: Vec<_> = self
            .nodes
            .iter()
            .filter(|(uuid, entry)| !listed.contains(*uuid) && entry.asked < asked)
            .map(|(uuid, _)| uuid.clone())
            .collect();
        let mut changes: Vec<_> = missing.iter().filter_map(|uuid| self.remove(uuid)).collect();
        changes.extend(list.into_iter().filter_map(|node| self.put(node, asked)));
        changes
    }

    /// Takes in one node, or its absence, that was requested at `asked` under `ident`.
    pub(crate) fn absorb_one(&mut self, ident: &str, node: Option<Node>, asked: Instant) -> Vec<Change> {
        let change = match node {
            Some(node) => self.put(node, asked),
            None => self.get(ident).map(|node| node.uuid.clone()).and_then(|uuid| {
                let newer = self.nodes.get(&uuid).is_some_and(|entry| entry.asked > asked);
                if newer {
                    return None;
                }
                self.gone.insert(uuid.clone(), asked);
                self.remove(&uuid)
            }),
        };
        change.into_iter().collect()
    }

    fn put(&mut self, node: Node, asked: Instant) -> Option<Change> {
        let outdated = self.nodes.get(&node.uuid).is_some_and(|entry| entry.asked > asked)
            || self.gone.get(&node.uuid).is_some_and(|gone| *gone > asked);
        if outdated {
            return None;
        }
        let new = Arc::new(node);
        let old = self.nodes.insert(new.uuid.clone(), Entry { node: Arc::clone(&new), asked }).map(|entry| entry.node);
        if let Some(name) = old.as_ref().and_then(|old| old.name.as_ref()) {
            self.unname(name, &new.uuid);
        }
        if let Some(name) = &new.name {
            self.names.insert(name.clone(), new.uuid.clone());
        }
        if old.as_deref() == Some(new.as_ref()) { None } else { Some(Change::Node { old, new: Some(new) }) }
    }

    fn remove(&mut self, uuid: &str) -> Option<Change> {
        let old = self.nodes.remove(uuid)?.node;
        if let Some(name) = &old.name {
            self.unname(name, uuid);
        }
        Some(Change::Node { old: Some(old), new: None })
    }

    /// Forgets a name unless another node took it over.
    fn unname(&mut self, name: &str, uuid: &str) {
        if self.names.get(name).is_some_and(|owner| owner == uuid) {
            self.names.remove(name);
        }
    }
}
