//! Values that may hold secrets: they reach Ironic but never a log.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What is shown instead of a secret; Ironic uses the same mask for passwords it returns.
pub const MASK: &str = "******";

/// Whether a key names something that must not be shown.
pub fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let words =
        ["password", "secret", "token", "configdrive", "authorization", "httpheaders", "network_data", "user_data"];
    words.iter().any(|word| key.contains(word))
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
        Value::String(text) if text.contains("://") => url(text).into(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// A text with the user and password of a URL in it masked: `https://user:pw@host/` becomes `https://******@host/`.
pub fn url(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    match authority.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://{MASK}@{host}{path}"),
        None => text.to_owned(),
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

/// A JSON object that comes from a Secret as a whole. Debug output shows only whether it is there.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hidden(pub Map<String, Value>);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "{}" } else { MASK })
    }
}

impl From<Map<String, Value>> for Hidden {
    fn from(map: Map<String, Value>) -> Self {
        Self(map)
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
