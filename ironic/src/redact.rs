//! Values that may hold secrets: they reach Ironic but never a log.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What is shown instead of a secret; Ironic uses the same mask for passwords it returns.
pub const MASK: &str = "******";

/// Whether a key names something that must not be shown.
pub fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["password", "secret", "token", "configdrive", "authorization", "httpheaders"].iter().any(|word| key.contains(word))
}

/// A copy of a value in which everything under a secret key is masked.
pub fn masked(value: &Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.iter()
                .map(|(key, value)| {
                    let shown = if is_secret(key) && !value.is_null() { Value::from(MASK) } else { masked(value) };
                    (key.clone(), shown)
                })
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.iter().map(masked).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// A free-form JSON object of a node (`driver_info`, `instance_info`, ...). Debug output masks secrets.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Info(pub Map<String, Value>);

impl Info {
    /// The value of a key; a JSON null counts as absent.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key).filter(|value| !value.is_null())
    }
    /// The text of a key.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Value::as_str)
    }
    /// Sets a key.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<Value>) {
        self.0.insert(key.into(), value.into());
    }
    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Info {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", masked(&Value::Object(self.0.clone())))
    }
}

impl From<Map<String, Value>> for Info {
    fn from(map: Map<String, Value>) -> Self {
        Self(map)
    }
}

impl<K: Into<String>, V: Into<Value>> FromIterator<(K, V)> for Info {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(items: I) -> Self {
        Self(items.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
    }
}
