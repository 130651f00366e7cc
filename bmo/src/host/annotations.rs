//! Annotations by which people and other controllers ask for something, and taking them away when it is done.

use api::names::annotation;
use kit::pass::{Target, Write};
use serde_json::{Map, Value, json};

use crate::host::view::HostView;

/// Asks for a new inspection.
pub const INSPECT_REQUEST: &str = annotation::INSPECT;
/// Asks for one reboot.
pub const REBOOT_ONCE: &str = annotation::REBOOT;

/// Removes those of the annotations that are there. A switched-off inspection is not a request and stays.
pub fn without(view: &HostView, keys: &[&str]) -> Option<Write> {
    let present = |key: &&&str| match view.annotation(key) {
        Some(value) => !(**key == annotation::INSPECT && value == annotation::INSPECT_DISABLED),
        None => false,
    };
    let gone: Map<String, Value> = keys.iter().filter(present).map(|key| ((*key).to_owned(), Value::Null)).collect();
    if gone.is_empty() {
        return None;
    }
    // Guarded by resourceVersion: a request that was renewed meanwhile is not thrown away with the old one.
    let body = json!({ "metadata": { "annotations": gone } });
    Some(Write::Patch { target: Target::exact(view.host.as_ref()), body })
}
