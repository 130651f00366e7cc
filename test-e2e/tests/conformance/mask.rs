//! Makes answers of two servers comparable: what each makes up for itself is replaced by when it first appeared.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Result, ensure};
use serde_json::{Value, json};

/// What one server has made up so far.
#[derive(Debug, Default)]
pub(crate) struct Known {
    uids: HashMap<String, usize>,
    versions: HashMap<String, usize>,
    /// Every version in the order of appearance.
    seen: Vec<u64>,
}

impl Known {
    /// Replaces uids and versions by their numbers, made-up names by their position in `generated`, and drops what
    /// may differ (`ACCEPTED`).
    pub(crate) fn mask(&mut self, mut value: Value, generated: &[String]) -> Value {
        self.mask_in(&mut value, "", generated);
        value
    }

    fn mask_in(&mut self, value: &mut Value, name: &str, generated: &[String]) {
        match value {
            Value::Object(members) => {
                members.remove("managedFields");
                if name == "details" {
                    members.remove("retryAfterSeconds");
                }
                if members.get("continue").is_some_and(|token| *token == "") {
                    members.remove("continue");
                }
                let is_list = members.contains_key("items");
                for (name, member) in members.iter_mut() {
                    let name = if is_list && name == "metadata" { "list" } else { name };
                    if name == "list" {
                        member["resourceVersion"] = json!("of the list");
                    }
                    self.mask_in(member, name, generated);
                }
                if name == "details"
                    && let Some(Value::Array(causes)) = members.get_mut("causes")
                {
                    causes.sort_by_key(ToString::to_string);
                    causes.dedup();
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.mask_in(item, "", generated)),
            Value::String(text) => {
                if let Some(masked) = self.mask_text(name, text, generated) {
                    *value = json!(masked);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn mask_text(&mut self, name: &str, text: &str, generated: &[String]) -> Option<String> {
        match name {
            "uid" if text.len() == 36 => Some(format!("uid {}", number(&mut self.uids, text))),
            "resourceVersion" if text != "of the list" => {
                let known = self.versions.len();
                let number = number(&mut self.versions, text);
                if number == known {
                    self.seen.push(text.parse().unwrap_or_default());
                }
                Some(format!("version {number}"))
            }
            "name" if text.to_lowercase().starts_with("gen") => {
                let known = generated.iter().position(|made| made == text);
                Some(known.map_or("generated in vain".to_owned(), |n| format!("generated {n}")))
            }
            "creationTimestamp" | "deletionTimestamp" => Some("a time".to_owned()),
            "continue" => Some("more".to_owned()),
            // Texts for people are this project's own.
            "message" if text.len() > 1 => Some("text".to_owned()),
            _ => None,
        }
    }
}

fn number(of: &mut HashMap<String, usize>, text: &str) -> usize {
    let next = of.len();
    *of.entry(text.to_owned()).or_insert(next)
}

/// Which version of one server is which of the other: they rise alike.
#[derive(Debug, Default)]
pub(crate) struct Order {
    pairs: BTreeMap<u64, u64>,
    checked: usize,
}

impl Order {
    /// Looks at the versions that are new since the last call.
    pub(crate) fn check(&mut self, one: &Known, other: &Known) -> Result<()> {
        for (&one, &other) in one.seen.iter().zip(&other.seen).skip(self.checked) {
            let before = self.pairs.range(..one).next_back();
            let after = self.pairs.range(one..).next();
            ensure!(
                before.is_none_or(|(_, before)| *before < other) && after.is_none_or(|(_, after)| other < *after),
                "versions are ordered differently: {:?} between {before:?} and {after:?}",
                (one, other)
            );
            self.pairs.insert(one, other);
            self.checked += 1;
        }
        Ok(())
    }
}
