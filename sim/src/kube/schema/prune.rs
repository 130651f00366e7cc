//! Members that a schema does not have are dropped; so is null where the schema wants a value and has no default.

use serde_json::Value;

use super::{Additional, Schema};

/// Members of the root that belong to every object.
const ROOT: [&str; 3] = ["apiVersion", "kind", "metadata"];

impl Schema {
    /// Prunes a whole object.
    pub(crate) fn prune(&self, object: &mut Value) {
        if let Value::Object(members) = object {
            if !self.preserve {
                let known = |name: &str| ROOT.contains(&name) || self.has(name);
                members.retain(|name, _| known(name));
            }
            for (name, member) in members.iter_mut().filter(|(name, _)| !ROOT.contains(&name.as_str())) {
                prune(self.member(name), self.preserve, member);
            }
            drop_nulls(Some(self), object);
        }
    }

    fn has(&self, name: &str) -> bool {
        self.properties.contains_key(name) || !matches!(self.additional, Additional::None)
    }
}

/// `open` says whether a value without schema is kept as it is.
fn prune(schema: Option<&Schema>, open: bool, value: &mut Value) {
    let Some(schema) = schema else {
        if !open && let Value::Object(members) = value {
            members.clear();
        }
        return;
    };
    match value {
        Value::Object(members) => {
            if !schema.preserve {
                members.retain(|name, _| schema.has(name));
            }
            for (name, member) in members {
                prune(schema.member(name), schema.preserve, member);
            }
        }
        Value::Array(items) => {
            for item in items {
                prune(schema.items.as_deref(), schema.preserve, item);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn drop_nulls(schema: Option<&Schema>, value: &mut Value) {
    match value {
        Value::Object(members) => {
            let member_of = |name: &str| schema.and_then(|schema| schema.member(name));
            let unwanted = |schema: &Schema| !schema.nullable && schema.default.is_none();
            members.retain(|name, member| !(member.is_null() && member_of(name).is_some_and(unwanted)));
            for (name, member) in members {
                drop_nulls(schema.and_then(|schema| schema.member(name)), member);
            }
        }
        Value::Array(items) => {
            for item in items {
                drop_nulls(schema.and_then(|schema| schema.items.as_deref()), item);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
