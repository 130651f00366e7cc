//! One line per rule: what is given, which fields are named.

use serde_json::{Value, json};

use super::*;
use crate::infra::v1beta2::{
    Metal3Cluster, Metal3ClusterTemplate, Metal3Data, Metal3DataClaim, Metal3DataTemplate, Metal3Machine,
    Metal3MachineTemplate, Metal3Remediation, Metal3RemediationTemplate,
};

fn object<K: serde::de::DeserializeOwned>(kind: &str, name: &str, spec: &Value) -> K {
    serde_json::from_value(json!({
        "apiVersion": "infrastructure.cluster.x-k8s.io/v1beta2", "kind": kind,
        "metadata": {"name": name, "namespace": "n"}, "spec": spec
    }))
    .unwrap()
}

#[track_caller]
fn names(violations: &Violations, expected: &[&str], given: &Value) {
    let fields: Vec<_> = violations.iter().map(|v| format!("{}:{}", v.kind.as_str(), v.field)).collect();
    assert_eq!(fields, expected, "{given}");
}

#[test]
fn clusters() {
    for (spec, expected) in [
        (json!({"controlPlaneEndpoint": {"host": "h"}}), &[][..]),
        (json!({"controlPlaneEndpoint": {"port": 1}}), &["required:spec.controlPlaneEndpoint.host"]),
        (json!({}), &["required:spec.controlPlaneEndpoint.host"]),
    ] {
        names(&cluster::check(&object::<Metal3Cluster>("Metal3Cluster", "a", &spec)), expected, &spec);
    }
    for (spec, expected) in [
        (json!({"controlPlaneEndpoint": {"host": "h", "port": 1}}), &[][..]),
        (
            json!({}),
            &[
                "required:spec.template.spec.controlPlaneEndpoint.host",
                "required:spec.template.spec.controlPlaneEndpoint.port",
            ],
        ),
    ] {
        let template =
            object::<Metal3ClusterTemplate>("Metal3ClusterTemplate", "a", &json!({"template": {"spec": spec}}));
        names(&cluster::check_template(&template), expected, &spec);
    }
}

#[test]
fn cluster_defaults() {
    for (given, expected) in [
        (json!({}), json!({"cloudProviderEnabled": false})),
        (
            json!({"controlPlaneEndpoint": {"host": "h"}, "cloudProviderEnabled": true}),
            json!({"controlPlaneEndpoint": {"host": "h", "port": 6443}, "cloudProviderEnabled": true}),
        ),
        (
            json!({"controlPlaneEndpoint": {"host": "h", "port": 8443}}),
            json!({"controlPlaneEndpoint": {"host": "h", "port": 8443}, "cloudProviderEnabled": false}),
        ),
    ] {
        let mut cluster: Metal3Cluster = object("Metal3Cluster", "a", &given);
        cluster::default(&mut cluster);
        assert_eq!(serde_json::to_value(&cluster.spec).unwrap(), expected);
    }
}

#[test]
fn images() {
    for (spec, expected) in [
        (json!({"image": {"url": "http://h/i", "checksum": "abc"}}), &[][..]),
        (json!({"image": {"url": "https://h:80/i?x=%20", "checksum": "https://h/c"}}), &[]),
        (json!({"image": {"url": "http://[::1]:80/i", "checksum": "c"}}), &[]),
        (json!({"image": {"url": "file:///i", "checksum": "c"}}), &[]),
        (json!({"image": {"url": "/i", "checksum": "c"}}), &[]),
        (json!({"image": {"url": "", "checksum": "c"}}), &["required:spec.image.url"]),
        (json!({"image": {"url": "i", "checksum": "c"}}), &["invalid:spec.image.url"]),
        (json!({"image": {"url": "http://h:x/i", "checksum": "c"}}), &["invalid:spec.image.url"]),
        (json!({"image": {"url": "http://h/%zz", "checksum": "c"}}), &["invalid:spec.image.url"]),
        (json!({"image": {"url": "http://h/a b", "checksum": "c"}}), &["invalid:spec.image.url"]),
        (json!({"image": {"url": "http://[::1/i", "checksum": "c"}}), &["invalid:spec.image.url"]),
        (json!({"image": {"url": "http://h/i"}}), &["required:spec.image.checksum"]),
        (json!({"image": {"url": "http://h/i", "checksum": "http://h:x"}}), &["invalid:spec.image.checksum"]),
        (json!({"image": {"url": "http://h/i", "diskFormat": "live-iso"}}), &[]),
        (json!({"image": {"url": "oci://r/i:1"}}), &[]),
        (
            json!({"image": {"url": "OCI://r/i", "checksum": "c", "checksumType": "md5"}}),
            &["forbidden:spec.image.checksum", "forbidden:spec.image.checksumType"],
        ),
        (json!({}), &["required:spec.image"]),
        (json!({"image": {"url": ""}}), &["required:spec.image"]),
        (json!({"customDeploy": {"method": "m"}}), &[]),
        (json!({"customDeploy": {"method": "m"}, "image": {"url": "i"}}), &[]),
        (json!({"customDeploy": {"method": ""}}), &["required:spec.image"]),
    ] {
        names(&machine::check(&object::<Metal3Machine>("Metal3Machine", "a", &spec)), expected, &spec);
    }
    let template = object::<Metal3MachineTemplate>("Metal3MachineTemplate", "a", &json!({"template": {"spec": {}}}));
    names(&machine::check_template(&template), &["required:spec.template.spec.image"], &json!({}));
}

#[test]
fn secrets_stay_in_the_namespace() {
    let spec = json!({
        "customDeploy": {"method": "m"},
        "userData": {"name": "s", "namespace": "other"},
        "metaData": {"name": "s", "namespace": "n"},
        "networkData": {"name": "s", "namespace": ""}
    });
    let machine: Metal3Machine = object("Metal3Machine", "a", &spec);
    names(&machine::check(&machine), &["forbidden:spec.userData.namespace"], &spec);
    let template = json!({"template": {"spec": spec}});
    let template: Metal3MachineTemplate = object("Metal3MachineTemplate", "a", &template);
    assert!(machine::check_template(&template).is_empty());
    assert_eq!(machine::warnings(&template).len(), 1);
}

#[test]
fn data() {
    let full = json!({"index": 1, "template": {"name": "t", "namespace": "n"}, "claim": {"name": "c"}});
    for (name, spec, expected) in [
        ("t-1", full.clone(), &[][..]),
        ("x", full.clone(), &["invalid:metadata.name"]),
        ("x", json!({"template": {"name": "t"}}), &[]),
        ("t--1", json!({"index": -1, "template": {"name": "t"}}), &["invalid:spec.index"]),
    ] {
        names(&data::check_new(&object::<Metal3Data>("Metal3Data", name, &spec)), expected, &spec);
    }
    let old: Metal3Data = object("Metal3Data", "t-1", &full);
    for (change, expected) in [
        (json!({"index": 1, "template": {"name": "t"}, "claim": {"name": "c", "namespace": "n"}}), &[][..]),
        (json!({"index": 2, "template": {"name": "t"}, "claim": {"name": "c"}}), &["forbidden:spec.index"]),
        (json!({"index": 1, "template": {"name": "u"}, "claim": {"name": "c"}}), &["forbidden:spec.template"]),
        (json!({"index": 1, "template": {"name": "t"}}), &["forbidden:spec.claim"]),
        (
            json!({"index": 1, "template": {"name": "t", "namespace": "m"}, "claim": {"name": "d"}}),
            &["forbidden:spec.template", "forbidden:spec.claim"],
        ),
    ] {
        names(&data::check_change(&old, &object("Metal3Data", "t-1", &change)), expected, &change);
    }
}

#[test]
fn claims() {
    for (spec, expected) in [
        (json!({"template": {"name": "t"}}), &[][..]),
        (json!({"template": {"name": "t", "namespace": "n"}}), &[]),
        (json!({}), &["required:spec.template.name"]),
        (
            json!({"template": {"namespace": "m"}}),
            &["required:spec.template.name", "forbidden:spec.template.namespace"],
        ),
    ] {
        names(&data::check_new_claim(&object::<Metal3DataClaim>("Metal3DataClaim", "a", &spec)), expected, &spec);
    }
    let old: Metal3DataClaim = object("Metal3DataClaim", "a", &json!({"template": {"name": "t"}}));
    for (change, expected) in [
        (json!({"template": {"name": "t", "namespace": "n"}}), &[][..]),
        (json!({"template": {"name": "u"}}), &["forbidden:spec.template"]),
        (json!({}), &["forbidden:spec.template"]),
    ] {
        names(&data::check_claim_change(&old, &object("Metal3DataClaim", "a", &change)), expected, &change);
    }
}

#[test]
fn data_templates() {
    let annotation = json!({"object": "machine", "annotation": "a"});
    for (spec, expected) in [
        (json!({}), &[][..]),
        (
            json!({"metaData": {"fromHostInterfaces": [
                {"key": "a", "interface": "eth0"}, {"key": "b", "fromBootMAC": true}, {"key": "c"},
                {"key": "d", "interface": "eth0", "fromBootMAC": true}
            ]}}),
            &[
                "required:spec.metaData.fromHostInterfaces[2].interface",
                "forbidden:spec.metaData.fromHostInterfaces[3].interface",
            ],
        ),
        (
            json!({"networkData": {"links": {
                "ethernets": [
                    {"id": "a", "type": "phy", "name": "eno1"}, {"id": "b", "type": "phy", "macAddress": {"string": "m"}},
                    {"id": "c", "type": "phy"}, {"id": "d", "type": "phy", "macAddress": {}}
                ],
                "bonds": [{"id": "e", "bondMode": "802.3ad"}],
                "vlans": [
                    {"id": "f", "vlanID": 1, "vlanLink": "a", "macAddress": {"fromHostInterface": "eth0"}},
                    {"id": "g", "vlanID": 2, "vlanLink": "a", "macAddress": {}}
                ]
            }}}),
            &[
                "required:spec.networkData.links.ethernets[2].macAddress",
                "required:spec.networkData.links.ethernets[3].macAddress",
                "required:spec.networkData.links.vlans[1].macAddress",
            ],
        ),
        (
            json!({"networkData": {"networks": {
                "ipv4": [
                    {"id": "a", "link": "l", "fromPoolRef": {"name": "p"}},
                    {"id": "b", "link": "l", "ipAddressFromIPPool": "p"},
                    {"id": "c", "link": "l", "fromPoolAnnotation": annotation},
                    {"id": "d", "link": "l"}
                ],
                "ipv6": [{"id": "e", "link": "l", "fromPoolRef": {"name": ""}}]
            }}}),
            &[
                "required:spec.networkData.networks.ipv4[3].fromPoolRef.name",
                "required:spec.networkData.networks.ipv6[0].fromPoolRef.name",
            ],
        ),
    ] {
        let template: Metal3DataTemplate = object("Metal3DataTemplate", "a", &spec);
        names(&data_template::check_new(&template), expected, &spec);
    }
}

#[test]
fn data_templates_do_not_change_but_defaults_are_no_change() {
    let link = |extra: Value| {
        let mut link = json!({"id": "e", "type": "phy", "macAddress": {"string": "m"}});
        if let (Value::Object(link), Value::Object(extra)) = (&mut link, extra) {
            link.extend(extra);
        }
        json!({"networkData": {"links": {"ethernets": [link]}}})
    };
    let pool = |extra: Value| {
        let mut pool = json!({"key": "k", "name": "p"});
        if let (Value::Object(pool), Value::Object(extra)) = (&mut pool, extra) {
            pool.extend(extra);
        }
        json!({"metaData": {"ipAddressesFromPool": [pool]}})
    };
    let bond = |parameters: Value| {
        json!({"networkData": {"links": {"bonds": [
            {"id": "b", "bondMode": "802.3ad", "macAddress": {}, "parameters": parameters}
        ]}}})
    };
    for (old, new, expected) in [
        (link(json!({})), link(json!({"mtu": 1500})), &[][..]),
        (link(json!({})), link(json!({"mtu": 9000})), &["forbidden:spec.networkData"]),
        (pool(json!({})), pool(json!({"kind": "IPPool", "apiGroup": "ipam.metal3.io"})), &[]),
        (pool(json!({})), pool(json!({"kind": "Other"})), &["forbidden:spec.metaData"]),
        (
            bond(json!([{"name": "b", "value": 1}, {"name": "a", "value": 2}])),
            bond(json!([{"name": "a", "value": 2}, {"name": "b", "value": 1}])),
            &[],
        ),
        (json!({}), json!({"metaData": {}}), &["forbidden:spec.metaData"]),
        (json!({"clusterName": "a"}), json!({"clusterName": "b"}), &[]),
    ] {
        let (before, after) = (object("Metal3DataTemplate", "a", &old), object("Metal3DataTemplate", "a", &new));
        names(&data_template::check_change(&before, &after), expected, &new);
    }
}

#[test]
fn data_template_warnings() {
    let spec = json!({"clusterName": "c", "networkData": {
        "links": {
            "ethernets": [{"id": "eth0", "type": "phy"}],
            "bonds": [{"id": "bond0", "bondMode": "802.3ad", "bondLinks": ["eth0", "eth1"]}],
            "vlans": [{"id": "v", "vlanID": 1, "vlanLink": "bond0"}]
        },
        "networks": {"ipv4DHCP": [{"id": "net", "link": "v"}, {"id": "lost", "link": "eth2"}]}
    }});
    let warnings = data_template::warnings(&object::<Metal3DataTemplate>("Metal3DataTemplate", "a", &spec));
    assert_eq!(warnings.len(), 3, "{warnings:?}");
    assert!(
        warnings[1].contains("\"bond0\" uses link \"eth1\"") && warnings[2].contains("\"lost\" uses link \"eth2\"")
    );
}

#[test]
fn remediations() {
    for (strategy, expected) in [
        (json!({"type": "Reboot", "retryLimit": 1, "timeoutSeconds": 100}), &[][..]),
        (json!({"type": "Reboot", "retryLimit": 1, "timeoutSeconds": 0}), &[]),
        (json!({"type": "Reboot", "retryLimit": 1, "timeoutSeconds": 99}), &["invalid:spec.strategy.timeoutSeconds"]),
        (json!({"type": "Reboot", "retryLimit": 0}), &["invalid:spec.strategy.retryLimit"]),
        (json!({"type": "Dance", "retryLimit": 1}), &["invalid:spec.strategy.type"]),
    ] {
        let spec = json!({"strategy": strategy});
        names(&remediation::check(&object::<Metal3Remediation>("Metal3Remediation", "a", &spec)), expected, &spec);
    }
    assert!(remediation::check(&object("Metal3Remediation", "a", &json!({}))).is_empty());
}

#[test]
fn remediation_templates() {
    for (spec, expected) in [
        (json!({}), json!({"type": "Reboot", "retryLimit": 1, "timeoutSeconds": 600})),
        (
            json!({"strategy": {"retryLimit": 0, "timeoutSeconds": 0}}),
            json!({"type": "Reboot", "retryLimit": 1, "timeoutSeconds": 600}),
        ),
        (
            json!({"strategy": {"retryLimit": 3, "timeoutSeconds": 300}}),
            json!({"type": "Reboot", "retryLimit": 3, "timeoutSeconds": 300}),
        ),
    ] {
        let mut template: Metal3RemediationTemplate =
            object("Metal3RemediationTemplate", "a", &json!({"template": {"spec": spec}}));
        remediation::default_template(&mut template);
        assert_eq!(serde_json::to_value(&template.spec.template.spec.strategy).unwrap(), expected);
        assert!(remediation::check_template(&template).is_empty());
    }
    let none: Metal3RemediationTemplate = object("Metal3RemediationTemplate", "a", &json!({"template": {"spec": {}}}));
    names(&remediation::check_template(&none), &["required:spec.template.spec.strategy"], &json!({}));
}
