//! Every link type, network type, gateway source and service, with what OpenStack's format has for it.
#![allow(clippy::needless_pass_by_value)] // Tables read best with values.

use serde_json::json;

use super::*;
use crate::data::fixture::{leases, with_subject};

fn rendered(data: &Value) -> Result<Value, String> {
    let data: NetworkData = serde_json::from_value(data.clone()).unwrap();
    with_subject(|subject| render(&data, subject, &leases())).map_err(|error| error.to_string())
}

#[track_caller]
fn links(links: Value, expected: Value) {
    let expected = json!({"links": expected, "networks": [], "services": []});
    assert_eq!(rendered(&json!({"links": links})), Ok(expected), "{links}");
}

#[track_caller]
fn networks(networks: Value, expected: Value) {
    let expected = json!({"links": [], "networks": expected, "services": []});
    assert_eq!(rendered(&json!({"networks": networks})), Ok(expected), "{networks}");
}

#[test]
fn nothing_is_three_empty_lists() {
    assert_eq!(rendered(&json!({})), Ok(json!({"links": [], "networks": [], "services": []})));
}

#[test]
fn ethernets() {
    let literal = json!({"string": "12:34:56:78:9A:BC"});
    for type_ in ["bridge", "dvs", "hw_veb", "hyperv", "ovs", "tap", "vhostuser", "vif", "phy"] {
        links(
            json!({"ethernets": [{"id": "e", "type": type_, "macAddress": literal}]}),
            json!([{"id": "e", "type": type_, "mtu": 1500, "ethernet_mac_address": "12:34:56:78:9A:BC"}]),
        );
    }
    links(
        json!({"ethernets": [
            {"id": "a", "type": "phy", "mtu": 9000, "name": "eno1", "macAddress": {"fromHostInterface": "eth1"}},
            {"id": "b", "type": "phy", "macAddress": {"fromAnnotation": {"object": "machine", "annotation": "mac"}}},
            {"id": "c", "type": "phy", "name": "eno3"}
        ]}),
        json!([
            {"id": "a", "type": "phy", "mtu": 9000, "name": "eno1", "ethernet_mac_address": "00:00:00:00:00:0b"},
            {"id": "b", "type": "phy", "mtu": 1500, "ethernet_mac_address": "12:34:56:78:9A:BC"},
            {"id": "c", "type": "phy", "mtu": 1500, "name": "eno3"}
        ]),
    );
}

#[test]
fn bonds() {
    for mode in ["balance-rr", "active-backup", "balance-xor", "broadcast", "balance-tlb", "balance-alb", "802.3ad"] {
        links(
            json!({"bonds": [{"id": "b", "bondMode": mode}]}),
            json!([{"id": "b", "type": "bond", "mtu": 1500, "bond_mode": mode, "bond_links": []}]),
        );
    }
    for policy in ["layer2", "layer3+4", "layer2+3"] {
        links(
            json!({"bonds": [{
                "id": "b", "bondMode": "802.3ad", "bondXmitHashPolicy": policy, "name": "bond0", "mtu": 9000,
                "bondLinks": ["eth0", "eth1"], "macAddress": {"fromHostInterface": "eth0"},
                "parameters": [
                    {"name": "miimon", "value": 100}, {"name": "lacp_rate", "value": "fast"},
                    {"name": "slaves", "value": ["a", "b"]}, {"name": "deep", "value": {"a": {"b": true}}}
                ]
            }]}),
            json!([{
                "id": "b", "type": "bond", "mtu": 9000, "name": "bond0", "bond_mode": "802.3ad",
                "bond_xmit_hash_policy": policy, "bond_links": ["eth0", "eth1"],
                "ethernet_mac_address": "00:00:00:00:00:0a", "bond_miimon": 100, "bond_lacp_rate": "fast",
                "bond_slaves": ["a", "b"], "bond_deep": {"a": {"b": true}}
            }]),
        );
    }
}

#[test]
fn vlans() {
    links(
        json!({"vlans": [
            {"id": "v", "vlanID": 2222, "vlanLink": "bond0", "macAddress": {"string": "12-34-56-78-9a-bc"}},
            {"id": "w", "vlanID": 0, "vlanLink": "eth0", "name": "mgmt", "mtu": 1400,
             "macAddress": {"fromHostInterface": "eth0"}}
        ]}),
        json!([
            {"id": "v", "type": "vlan", "mtu": 1500, "vlan_id": 2222, "vlan_link": "bond0",
             "vlan_mac_address": "12-34-56-78-9a-bc"},
            {"id": "w", "type": "vlan", "mtu": 1400, "vlan_id": 0, "vlan_link": "eth0", "name": "mgmt",
             "vlan_mac_address": "00:00:00:00:00:0a"}
        ]),
    );
}

#[test]
fn bonds_come_before_ethernets_before_vlans() {
    let all = json!({"links": {
        "vlans": [{"id": "v", "vlanID": 1, "vlanLink": "b", "macAddress": {"fromHostInterface": "eth0"}}],
        "ethernets": [{"id": "e2", "type": "phy", "name": "a"}, {"id": "e1", "type": "phy", "name": "b"}],
        "bonds": [{"id": "b", "bondMode": "802.3ad"}]
    }});
    let rendered = rendered(&all).unwrap();
    let ids: Vec<_> = rendered["links"].as_array().unwrap().iter().map(|link| link["id"].clone()).collect();
    assert_eq!(ids, ["b", "e2", "e1", "v"]);
}

#[test]
fn networks_of_every_type() {
    networks(
        json!({
            "ipv4": [{"id": "a", "link": "eth0", "ipAddressFromIPPool": "p4"}],
            "ipv6": [{"id": "b", "link": "eth0", "fromPoolRef": {"name": "p6"}}],
            "ipv4DHCP": [{"id": "c", "link": "eth1"}],
            "ipv6DHCP": [{"id": "d", "link": "eth1"}],
            "ipv6SLAAC": [{"id": "e", "link": "eth1"}]
        }),
        json!([
            {"id": "a", "link": "eth0", "type": "ipv4", "ip_address": "192.168.0.14", "netmask": "255.255.255.0", "routes": []},
            {"id": "b", "link": "eth0", "type": "ipv6", "ip_address": "2001:db8::14", "netmask": "ffff:ffff:ffff:ffff::", "routes": []},
            {"id": "c", "link": "eth1", "type": "ipv4_dhcp", "routes": []},
            {"id": "d", "link": "eth1", "type": "ipv6_dhcp", "routes": []},
            {"id": "e", "link": "eth1", "type": "ipv6_slaac", "routes": []}
        ]),
    );
}

#[test]
fn pools_of_networks_by_annotation_then_reference_then_name() {
    let annotation = json!({"object": "machine", "annotation": "pool"});
    for (mut network, address, netmask) in [
        (json!({"ipAddressFromIPPool": "p4"}), "192.168.0.14", "255.255.255.0"),
        (
            json!({"ipAddressFromIPPool": "p4", "fromPoolRef": {"name": "other", "kind": "InClusterIPPool", "apiGroup": "ipam.x"}}),
            "10.9.0.2",
            "255.255.240.0",
        ),
        (
            json!({"ipAddressFromIPPool": "p4", "fromPoolRef": {"name": "other"}, "fromPoolAnnotation": annotation}),
            "10.0.0.5",
            "255.255.0.0",
        ),
        (json!({"ipAddressFromIPPool": "bare"}), "172.16.0.9", ""),
    ] {
        (network["id"], network["link"]) = (json!("n"), json!("l"));
        networks(
            json!({"ipv4": [network]}),
            json!([{"id": "n", "link": "l", "type": "ipv4", "ip_address": address, "netmask": netmask, "routes": []}]),
        );
    }
}

#[test]
fn routes_and_their_gateways() {
    let annotation = json!({"object": "machine", "annotation": "pool"});
    for (gateway, expected) in [
        (json!({}), ""),
        (json!({"string": "192.0.2.1"}), "192.0.2.1"),
        (json!({"fromIPPool": "p4"}), "192.168.0.1"),
        (json!({"fromIPPool": "bare"}), ""),
        (
            json!({"fromPoolRef": {"name": "other", "kind": "InClusterIPPool", "apiGroup": "ipam.x"}, "fromIPPool": "p4"}),
            "10.9.0.1",
        ),
        (json!({"fromPoolAnnotation": annotation, "fromPoolRef": {"name": "p4"}}), "10.0.0.1"),
        (json!({"string": "192.0.2.1", "fromPoolAnnotation": annotation}), "192.0.2.1"),
    ] {
        for (list, type_) in [("ipv4DHCP", "ipv4_dhcp"), ("ipv6DHCP", "ipv6_dhcp"), ("ipv6SLAAC", "ipv6_slaac")] {
            let mask = if list == "ipv4DHCP" { "0.0.0.0" } else { "::" };
            networks(
                json!({list: [{"id": "n", "link": "l", "routes": [{"network": "x", "gateway": gateway}]}]}),
                json!([{"id": "n", "link": "l", "type": type_, "routes": [
                    {"network": "x", "netmask": mask, "gateway": expected, "services": []}
                ]}]),
            );
        }
    }
    networks(
        json!({"ipv4DHCP": [{"id": "n", "link": "l", "routes": [
            {"network": "10.0.0.0", "prefix": 8, "gateway": {"string": "10.0.0.1"},
             "services": {"dns": ["9.9.9.9"], "dnsFromIPPool": "p4"}},
            {"network": "10.0.0.0", "prefix": 8, "gateway": {"string": "10.0.0.2"}}
        ]}]}),
        json!([{"id": "n", "link": "l", "type": "ipv4_dhcp", "routes": [
            {"network": "10.0.0.0", "netmask": "255.0.0.0", "gateway": "10.0.0.1", "services": [
                {"type": "dns", "address": "9.9.9.9"}, {"type": "dns", "address": "8.8.4.4"},
                {"type": "dns", "address": "1.1.1.1"}
            ]},
            {"network": "10.0.0.0", "netmask": "255.0.0.0", "gateway": "10.0.0.2", "services": []}
        ]}]),
    );
}

#[test]
fn services() {
    let services = json!({"dns": ["8.8.8.8", "2001:db8::1"], "dnsFromIPPool": "p6"});
    let expected = json!({"links": [], "networks": [], "services": [
        {"type": "dns", "address": "8.8.8.8"}, {"type": "dns", "address": "2001:db8::1"},
        {"type": "dns", "address": "2001:db8::53"}
    ]});
    assert_eq!(rendered(&json!({"services": services})), Ok(expected));
}

#[test]
fn masks_of_every_prefix() {
    for prefix in 0..=32_u32 {
        let ones = "1".repeat(prefix as usize) + &"0".repeat(32 - prefix as usize);
        let expected: Vec<String> =
            (0..4).map(|i| u8::from_str_radix(&ones[i * 8..i * 8 + 8], 2).unwrap().to_string()).collect();
        assert_eq!(netmask(Family::V4, prefix.into(), "n"), Ok(expected.join(".")));
    }
    for prefix in 0..=128_u32 {
        let mask: Ipv6Addr = netmask(Family::V6, prefix.into(), "n").unwrap().parse().unwrap();
        let bits = u128::from(mask);
        assert_eq!((bits.count_ones(), bits.leading_ones()), (prefix, prefix));
    }
    for (family, prefix) in [(Family::V4, 33), (Family::V4, -1), (Family::V6, 129)] {
        let error = netmask(family, prefix, "n").unwrap_err().to_string();
        assert_eq!(error, format!("prefix {prefix} of network n is out of range"));
    }
}

#[test]
fn what_cannot_be_rendered_is_named() {
    let ethernet = |mac: Value| json!({"links": {"ethernets": [{"id": "e", "type": "phy", "macAddress": mac}]}});
    for (data, expected) in [
        (ethernet(json!({"string": "12:34"})), "bad MAC address: \"12:34\" of link e"),
        (ethernet(json!({"string": "12:34:56:78:9A:BG"})), "bad MAC address"),
        (ethernet(json!({})), "link e has no MAC address"),
        (
            json!({"links": {"vlans": [{"id": "v", "vlanID": 1, "vlanLink": "b", "macAddress": {}}]}}),
            "link v has no MAC",
        ),
        (ethernet(json!({"fromHostInterface": "eth9"})), "NIC name not found eth9"),
        (
            ethernet(json!({"fromAnnotation": {"object": "baremetalhost", "annotation": "bad"}})),
            "bad MAC address: \"no mac\"",
        ),
        (
            ethernet(json!({"fromAnnotation": {"object": "baremetalhost", "annotation": "empty"}})),
            "annotation empty not found or empty on baremetalhost",
        ),
        (
            json!({"links": {"bonds": [{"id": "b", "bondMode": "802.3ad", "parameters": [
                {"name": "mode", "value": 1}, {"name": "ok", "value": 1}, {"name": "links", "value": []}
            ]}]}}),
            "illegal params of bond b: mode, links",
        ),
        (json!({"networks": {"ipv4": [{"id": "n", "link": "l"}]}}), "network n names no pool"),
        (
            json!({"networks": {"ipv4": [{"id": "n", "link": "l", "ipAddressFromIPPool": "lost"}]}}),
            "failed to fetch pool from cache: lost",
        ),
        (
            json!({"networks": {"ipv4": [{"id": "n", "link": "l", "fromPoolAnnotation": {"object": "machine", "annotation": "x"}}]}}),
            "annotation x not found or empty on machine",
        ),
    ] {
        let error = rendered(&data).unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    }
}
