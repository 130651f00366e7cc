//! Lists that are sets or maps have no item twice.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::validate::{Problem, ProblemKind};
use super::{ListType, Schema};

impl Schema {
    /// Items that occur twice in lists of types `set` and `map`, each reported once.
    pub(crate) fn duplicates(&self, value: &Value, path: &str) -> Vec<Problem> {
        let mut found = Vec::new();
        self.find_duplicates(value, path, &mut found);
        found
    }

    fn find_duplicates(&self, value: &Value, path: &str, found: &mut Vec<Problem>) {
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    if let Some(schema) = self.properties.get(name) {
                        let inner = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                        schema.find_duplicates(member, &inner, found);
                    } else if let Some(schema) = self.member(name) {
                        schema.find_duplicates(member, &format!("{path}[{name}]"), found);
                    }
                }
            }
            Value::Array(items) => {
                match &self.list {
                    ListType::Atomic => {}
                    ListType::Set => report(items.iter().cloned(), path, found),
                    ListType::Map(keys) => find_in_map(items, keys, path, found),
                }
                for (i, item) in items.iter().enumerate() {
                    if let Some(schema) = &self.items {
                        schema.find_duplicates(item, &format!("{path}[{i}]"), found);
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

fn find_in_map(items: &[Value], keys: &[String], path: &str, found: &mut Vec<Problem>) {
    if let Some(i) = items.iter().position(|item| !item.is_null() && !item.is_object()) {
        found.push(Problem::new(ProblemKind::Invalid, format!("{path}[{i}]"), "items here are objects".to_owned()));
        return;
    }
    let key = |item: &Value| {
        let pick = |name: &String| Some((name.clone(), item.get(name)?.clone()));
        Value::Object(keys.iter().filter_map(pick).collect::<Map<_, _>>())
    };
    report(items.iter().map(key), path, found);
}

/// Reports the second occurrence of each, and no further ones.
fn report(identities: impl Iterator<Item = Value>, path: &str, found: &mut Vec<Problem>) {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for (i, identity) in identities.enumerate() {
        let text = identity.to_string();
        let times = seen.entry(text.clone()).or_default();
        *times += 1;
        if *times == 2 {
            found.push(Problem::new(ProblemKind::Duplicate, format!("{path}[{i}]"), text));
        }
    }
}
