//! Root device hints: which disk. Ironic compares each with an operator: `s==` equal text, `<in>` contains, `>=` at least.

use api::metal3::RootDeviceHints;
use serde_json::{Map, Value};

/// Where Linux keeps names of disks that follow their place in the machine.
const BY_PATH: &str = "/dev/disk/by-path/";

/// The hint map; empty when there are no hints.
pub fn root_device(hints: Option<&RootDeviceHints>) -> Map<String, Value> {
    let Some(hints) = hints else { return Map::new() };
    let path = hints.device_name.as_deref().is_some_and(|name| name.starts_with(BY_PATH));
    let (name, by_path) = if path { (&None, &hints.device_name) } else { (&hints.device_name, &None) };
    let size = (hints.min_size_gigabytes > 0).then(|| hints.min_size_gigabytes.to_string());
    let rotational = hints.rotational.map(|rotational| rotational.to_string());
    let all: [(&str, &str, &Option<String>); 11] = [
        ("name", "s== ", name),
        ("by_path", "s== ", by_path),
        ("hctl", "s== ", &hints.hctl),
        ("model", "<in> ", &hints.model),
        ("vendor", "<in> ", &hints.vendor),
        ("serial", "s== ", &hints.serial_number),
        ("size", ">= ", &size),
        ("wwn", "s== ", &hints.wwn),
        ("wwn_with_extension", "s== ", &hints.wwn_with_extension),
        ("wwn_vendor_extension", "s== ", &hints.wwn_vendor_extension),
        ("rotational", "", &rotational),
    ];
    let given = |(key, operator, value): (&str, &str, &Option<String>)| {
        value.as_ref().map(|value| (key.to_owned(), Value::from(format!("{operator}{value}"))))
    };
    all.into_iter().filter_map(given).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn one(set: impl FnOnce(&mut RootDeviceHints)) -> Value {
        let mut hints = RootDeviceHints::default();
        set(&mut hints);
        Value::Object(root_device(Some(&hints)))
    }
    #[test]
    fn each_hint_has_its_key_and_operator() {
        assert_eq!(Value::Object(root_device(None)), json!({}));
        assert_eq!(one(|_| ()), json!({}));
        assert_eq!(one(|h| h.device_name = Some("/dev/sda".into())), json!({"name": "s== /dev/sda"}));
        let path = "/dev/disk/by-path/pci-0000:00:1f.2-ata-1";
        assert_eq!(one(|h| h.device_name = Some(path.into())), json!({"by_path": format!("s== {path}")}));
        assert_eq!(one(|h| h.device_name = Some("/dev/disk/by-id/x".into())), json!({"name": "s== /dev/disk/by-id/x"}));
        assert_eq!(one(|h| h.hctl = Some("0:2:0:0".into())), json!({"hctl": "s== 0:2:0:0"}));
        assert_eq!(one(|h| h.model = Some("PERC H7".into())), json!({"model": "<in> PERC H7"}));
        assert_eq!(one(|h| h.vendor = Some("DELL".into())), json!({"vendor": "<in> DELL"}));
        assert_eq!(one(|h| h.serial_number = Some("S1".into())), json!({"serial": "s== S1"}));
        assert_eq!(one(|h| h.min_size_gigabytes = 40), json!({"size": ">= 40"}));
        assert_eq!(one(|h| h.min_size_gigabytes = 0), json!({}));
        assert_eq!(one(|h| h.wwn = Some("0x1".into())), json!({"wwn": "s== 0x1"}));
        assert_eq!(one(|h| h.wwn_with_extension = Some("0x12".into())), json!({"wwn_with_extension": "s== 0x12"}));
        assert_eq!(one(|h| h.wwn_vendor_extension = Some("0x2".into())), json!({"wwn_vendor_extension": "s== 0x2"}));
        assert_eq!(one(|h| h.rotational = Some(true)), json!({"rotational": "true"}));
        assert_eq!(one(|h| h.rotational = Some(false)), json!({"rotational": "false"}));
    }

    #[test]
    fn hints_add_up() {
        let both = one(|h| {
            h.model = Some("m".into());
            h.min_size_gigabytes = 1;
        });
        assert_eq!(both, json!({"model": "<in> m", "size": ">= 1"}));
    }
}
