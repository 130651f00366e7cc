//! One row per source, then the order in which they win.

use serde_json::{Value, json};

use super::*;
use crate::data::fixture::{data, host, leases, machine, metal3_machine, with_subject};

fn rendered(meta_data: &Value) -> Result<Value, String> {
    let meta_data: MetaData = serde_json::from_value(meta_data.clone()).unwrap();
    let map = with_subject(|subject| render(&meta_data, subject, &leases()));
    map.map(|map| json!(map)).map_err(|error| error.to_string())
}

/// What every map has.
fn with_identity(mut map: Value) -> Value {
    map["uuid"] = json!("uid-h");
    map["providerid"] = json!("ns/h/m");
    map
}

#[test]
fn every_source() {
    for (meta_data, expected) in [
        (json!({}), json!({})),
        (json!({"strings": [{"key": "a", "value": "x"}, {"key": "b", "value": "1"}]}), json!({"a": "x", "b": "1"})),
        (
            json!({"objectNames": [
                {"key": "a", "object": "machine"}, {"key": "b", "object": "metal3machine"},
                {"key": "c", "object": "baremetalhost"}, {"key": "d", "object": "BareMetalHost"}
            ]}),
            json!({"a": "machine", "b": "m", "c": "h", "d": "h"}),
        ),
        (
            json!({"indexes": [
                {"key": "a"}, {"key": "b", "offset": 10}, {"key": "c", "offset": 1, "step": 3},
                {"key": "d", "step": 0}, {"key": "e", "prefix": "w-", "suffix": ".lab"}
            ]}),
            json!({"a": "2", "b": "12", "c": "7", "d": "2", "e": "w-2.lab"}),
        ),
        (json!({"namespaces": [{"key": "a"}]}), json!({"a": "ns"})),
        (
            json!({"fromHostInterfaces": [
                {"key": "a", "interface": "eth1"}, {"key": "b", "fromBootMAC": true},
                {"key": "c", "interface": "eth0", "fromBootMAC": false}
            ]}),
            json!({"a": "00:00:00:00:00:0b", "b": "00:00:00:00:00:01", "c": "00:00:00:00:00:0a"}),
        ),
        (
            json!({"fromLabels": [
                {"key": "a", "object": "machine", "label": "zone"}, {"key": "b", "object": "metal3machine", "label": "tier"},
                {"key": "c", "object": "baremetalhost", "label": "rack"}, {"key": "d", "object": "machine", "label": "none"}
            ]}),
            json!({"a": "z1", "b": "gold", "c": "r7", "d": ""}),
        ),
        (
            json!({"fromAnnotations": [
                {"key": "a", "object": "machine", "annotation": "pool"},
                {"key": "b", "object": "metal3machine", "annotation": "metal3.io/BareMetalHost"},
                {"key": "c", "object": "baremetalhost", "annotation": "none"}
            ]}),
            json!({"a": "annotated", "b": "ns/h", "c": ""}),
        ),
        (
            json!({
                "ipAddressesFromPool": [{"key": "a", "name": "p4"}, {"key": "a6", "name": "p6"}],
                "prefixesFromPool": [{"key": "p", "name": "p4"}, {"key": "p6", "name": "p6"}],
                "gatewaysFromPool": [{"key": "g", "name": "p4"}],
                "dnsServersFromPool": [{"key": "d", "name": "p4"}, {"key": "none", "name": "annotated"}]
            }),
            json!({
                "a": "192.168.0.14", "a6": "2001:db8::14", "p": "24", "p6": "64", "g": "192.168.0.1",
                "d": "8.8.4.4,1.1.1.1", "none": ""
            }),
        ),
        (
            json!({"ipAddressesFromPool": [
                {"key": "a", "name": "other", "kind": "InClusterIPPool", "apiGroup": "ipam.x"}
            ]}),
            json!({"a": "10.9.0.2"}),
        ),
        (
            json!({"prefixesFromPool": [{"key": "p", "name": "bare"}], "gatewaysFromPool": [{"key": "g", "name": "bare"}]}),
            json!({"p": "0", "g": ""}),
        ),
    ] {
        assert_eq!(rendered(&meta_data), Ok(with_identity(expected)), "{meta_data}");
    }
}

#[test]
fn later_groups_win_and_nobody_changes_the_provider_id() {
    let steps = [
        ("fromHostInterfaces", json!([{"key": "k", "fromBootMAC": true}]), "00:00:00:00:00:01"),
        ("ipAddressesFromPool", json!([{"key": "k", "name": "p4"}]), "192.168.0.14"),
        ("prefixesFromPool", json!([{"key": "k", "name": "p4"}]), "24"),
        ("gatewaysFromPool", json!([{"key": "k", "name": "p4"}]), "192.168.0.1"),
        ("dnsServersFromPool", json!([{"key": "k", "name": "p4"}]), "8.8.4.4,1.1.1.1"),
        ("indexes", json!([{"key": "k"}]), "2"),
        ("namespaces", json!([{"key": "k"}]), "ns"),
        ("objectNames", json!([{"key": "k", "object": "machine"}]), "machine"),
        ("fromLabels", json!([{"key": "k", "object": "machine", "label": "zone"}]), "z1"),
        ("fromAnnotations", json!([{"key": "k", "object": "machine", "annotation": "pool"}]), "annotated"),
        ("strings", json!([{"key": "k", "value": "last"}]), "last"),
    ];
    let mut meta_data = json!({});
    for (group, sources, expected) in steps {
        meta_data[group] = sources;
        assert_eq!(rendered(&meta_data), Ok(with_identity(json!({"k": expected}))), "after {group}");
    }
    let own = json!({"strings": [{"key": "providerid", "value": "x"}, {"key": "uuid", "value": "mine"}]});
    assert_eq!(rendered(&own), Ok(json!({"providerid": "ns/h/m", "uuid": "mine"})));
}

#[test]
fn what_is_missing_is_named() {
    for (meta_data, expected) in [
        (json!({"fromHostInterfaces": [{"key": "a", "interface": "eth9"}]}), "NIC name not found eth9"),
        (json!({"fromLabels": [{"key": "a", "object": "pod", "label": "l"}]}), "unknown object type \"pod\""),
        (json!({"ipAddressesFromPool": [{"key": "a", "name": "lost"}]}), "failed to fetch pool from cache: lost"),
        // The same name with another kind is another pool.
        (json!({"ipAddressesFromPool": [{"key": "a", "name": "other"}]}), "failed to fetch pool from cache: other"),
    ] {
        let error = rendered(&meta_data).unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    }
    let (data, machine, metal3_machine, mut host) = (data(), machine(), metal3_machine(), host());
    (host.status, host.spec.boot_mac_address) = (None, None);
    let subject = Subject { data: &data, machine: &machine, metal3_machine: &metal3_machine, host: &host };
    for (source, expected) in [
        (json!({"key": "a", "interface": "eth0"}), "NICs list not populated"),
        (json!({"key": "a", "fromBootMAC": true}), "host h has no bootMACAddress"),
    ] {
        let meta_data = serde_json::from_value(json!({"fromHostInterfaces": [source]})).unwrap();
        let error = render(&meta_data, &subject, &leases()).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}
