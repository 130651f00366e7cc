//! Defaults of a schema are filled in where a value is absent, or null where null is not allowed.

use serde_json::Value;

use super::{Additional, Schema};

impl Schema {
    /// Fills in defaults, from the outside to the inside: a default object gets the defaults of its members.
    pub(crate) fn fill(&self, value: &mut Value) {
        match value {
            Value::Object(members) => {
                for (name, property) in &self.properties {
                    if let Some(default) = &property.default
                        && members.get(name).is_none_or(|member| property.refuses(member))
                    {
                        members.insert(name.clone(), default.clone());
                    }
                }
                for (name, member) in members {
                    match (self.properties.get(name), &self.additional) {
                        (Some(property), _) => property.fill(member),
                        (None, Additional::Schema(schema)) => schema.fill_item(member),
                        (None, Additional::None | Additional::Any) => {}
                    }
                }
            }
            Value::Array(items) => {
                for item in items {
                    if let Some(schema) = &self.items {
                        schema.fill_item(item);
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn fill_item(&self, item: &mut Value) {
        if self.refuses(item) {
            *item = self.default.clone().unwrap_or_default();
        }
        self.fill(item);
    }

    fn refuses(&self, value: &Value) -> bool {
        value.is_null() && !self.nullable
    }
}
