//! Firmware settings and updates as steps, the same for cleaning (before use) and servicing (of a running host).

use std::collections::BTreeMap;

use api::metal3::FirmwareUpdate;
use ironic::Step;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::{Value, json};

/// The step that applies BIOS settings whose wish differs from what was read; `None` when none does.
pub fn settings_step(wished: &BTreeMap<String, IntOrString>, read: &BTreeMap<String, String>) -> Option<Step> {
    let changed = wished.iter().filter(|(name, value)| read.get(*name) != Some(&text(value)));
    let settings: Vec<Value> =
        changed.map(|(name, value)| json!({"name": name, "value": number_or_text(value)})).collect();
    (!settings.is_empty()).then(|| Step::new("bios", "apply_configuration").arg("settings", settings))
}

/// The step that flashes components whose wished URL was not flashed yet; `None` when all were.
pub fn update_step(wished: &[FirmwareUpdate], done: &[FirmwareUpdate]) -> Option<Step> {
    let pending = wished.iter().filter(|update| !done.contains(update));
    let settings: Vec<Value> = pending.map(|u| json!({"component": u.component, "url": u.url})).collect();
    (!settings.is_empty()).then(|| Step::new("firmware", "update").arg("settings", settings))
}

fn text(value: &IntOrString) -> String {
    match value {
        IntOrString::Int(number) => number.to_string(),
        IntOrString::String(text) => text.clone(),
    }
}

fn number_or_text(value: &IntOrString) -> Value {
    match value {
        IntOrString::Int(number) => (*number).into(),
        IntOrString::String(text) => text.as_str().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_differences_are_sent() {
        let wished: BTreeMap<_, _> = [
            ("Same".to_owned(), IntOrString::String("on".into())),
            ("SameNumber".to_owned(), IntOrString::Int(5)),
            ("Mode".to_owned(), IntOrString::String("Enabled".into())),
            ("Delay".to_owned(), IntOrString::Int(10)),
            ("New".to_owned(), IntOrString::String("7".into())),
        ]
        .into();
        let read: BTreeMap<_, _> = [("Same", "on"), ("SameNumber", "5"), ("Mode", "Disabled"), ("Delay", "1")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        let step = settings_step(&wished, &read).unwrap();
        assert_eq!(
            serde_json::to_value(&step).unwrap(),
            json!({"interface": "bios", "step": "apply_configuration", "args": {"settings": [
                {"name": "Delay", "value": 10}, {"name": "Mode", "value": "Enabled"}, {"name": "New", "value": "7"},
            ]}})
        );
        assert_eq!(settings_step(&BTreeMap::new(), &read), None);
        let same = [("Same".to_owned(), IntOrString::String("on".into()))].into();
        assert_eq!(settings_step(&same, &read), None);
    }

    #[test]
    fn an_update_is_done_once_per_url() {
        let update = |component: &str, url: &str| FirmwareUpdate { component: component.into(), url: url.into() };
        let wished = [update("bmc", "http://x/2"), update("bios", "http://x/b")];
        assert_eq!(update_step(&wished, &wished), None);
        assert_eq!(update_step(&[], &wished), None);
        let step = update_step(&wished, &[update("bmc", "http://x/1"), update("bios", "http://x/b")]).unwrap();
        assert_eq!(
            serde_json::to_value(&step).unwrap(),
            json!({"interface": "firmware", "step": "update",
                   "args": {"settings": [{"component": "bmc", "url": "http://x/2"}]}})
        );
    }
}
