//! Requests as data: they say "the version seen last", not which one it was, so that a sequence can be played again
//! in another namespace, and in part.

use serde_json::{Map, Value, json};

/// The name of an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Name {
    /// As it is.
    Fixed(&'static str),
    /// The n-th that the server made up, or one that does not exist.
    Generated(usize),
}

/// A version or uid to send along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// None.
    No,
    /// The last one that was seen of the object.
    Last,
    /// The one before.
    Older,
    /// One that is of nothing.
    Wrong,
}

/// A change of a body.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Change {
    /// Where: member names, or positions in lists.
    pub(crate) path: Vec<String>,
    /// What stands there afterwards; `None` removes it.
    pub(crate) value: Option<Value>,
}

/// What a list asks for.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Query {
    /// `labelSelector`
    pub(crate) labels: &'static str,
    /// `fieldSelector`
    pub(crate) fields: &'static str,
    /// `limit`
    pub(crate) limit: usize,
    /// Which version: of the last list, the last write, none, ...
    pub(crate) version: Option<Since>,
    /// `resourceVersionMatch`
    pub(crate) rule: &'static str,
    /// Goes on with the last list that had a continuation.
    pub(crate) goes_on: bool,
}

/// From where on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Since {
    /// Anywhere (0).
    Zero,
    /// The last list of the kind.
    List,
    /// The oldest version that was seen of the kind's first object.
    Object,
}

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Op {
    /// POST; without name the server makes one.
    Create { kind: usize, name: Option<Name>, changes: Vec<Change> },
    /// GET.
    Get { kind: usize, name: Name, status: bool },
    /// GET of many.
    List { kind: usize, query: Query },
    /// PATCH with a merge patch.
    Patch { kind: usize, name: Name, status: bool, body: Value, version: Seen, uid: Seen },
    /// PUT of the object as it was seen last, changed.
    Put { kind: usize, name: Name, status: bool, changes: Vec<Change>, version: Seen },
    /// DELETE.
    Delete { kind: usize, name: Name, version: Seen, uid: Seen, policy: Option<&'static str> },
    /// DELETE of many.
    DeleteAll { kind: usize, labels: &'static str },
    /// A watch that stays open.
    Watch { kind: usize, labels: &'static str, since: Since },
    /// Compares what the oldest open watch has told, and closes it.
    Compare,
}

impl Op {
    /// Which kind it is about.
    pub(crate) fn kind(&self) -> Option<usize> {
        match self {
            Self::Create { kind, .. }
            | Self::Get { kind, .. }
            | Self::List { kind, .. }
            | Self::Patch { kind, .. }
            | Self::Put { kind, .. }
            | Self::Delete { kind, .. }
            | Self::DeleteAll { kind, .. }
            | Self::Watch { kind, .. } => Some(*kind),
            Self::Compare => None,
        }
    }
}

impl Change {
    /// Whether a write of an object, or of its status, has no say in it, and the real server still takes it for a
    /// change (`ACCEPTED`).
    pub(crate) fn is_forgotten(&self, status: bool) -> bool {
        let last = self.path.last().map_or("", String::as_str);
        matches!(last, "apiVersion" | "deletionTimestamp") || (status && last == "kind")
    }

    /// Makes the change; a path that does not fit the body changes nothing.
    pub(crate) fn apply(&self, body: &mut Value) {
        let Some((last, parents)) = self.path.split_last() else { return };
        let mut place = body;
        for step in parents {
            place = match place {
                Value::Array(items) => match step.parse::<usize>().ok().and_then(|i| items.get_mut(i)) {
                    Some(item) => item,
                    None => return,
                },
                Value::Object(members) => members.entry(step).or_insert_with(|| Value::Object(Map::new())),
                _ => return,
            };
        }
        match (place, &self.value) {
            (Value::Object(members), Some(value)) => {
                members.insert(last.clone(), value.clone());
            }
            (Value::Object(members), None) => {
                members.remove(last);
            }
            (Value::Array(items), value) => {
                if let Some(item) = last.parse::<usize>().ok().and_then(|i| items.get_mut(i)) {
                    *item = value.clone().unwrap_or(json!(null));
                }
            }
            _ => {}
        }
    }
}
