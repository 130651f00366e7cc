//! The form of the document, and that any text survives it.

use serde_json::json;

use super::*;

#[test]
fn the_form_is_that_of_the_worked_example() {
    let value = json!({
        "links": [{"type": "phy", "id": "eth0", "mtu": 1500, "ethernet_mac_address": "12:34:56:78:9a:bc"}],
        "networks": [
            {"type": "ipv4", "id": "net4", "link": "eth0", "ip_address": "192.168.0.14", "netmask": "255.255.255.0",
             "routes": [{"network": "0.0.0.0", "netmask": "0.0.0.0", "gateway": "192.168.0.1",
                         "services": [{"type": "dns", "address": "8.8.4.4"}]}]},
            {"type": "ipv6_dhcp", "id": "net6", "link": "eth0", "routes": []}
        ],
        "services": []
    });
    let expected = r#"links:
- ethernet_mac_address: "12:34:56:78:9a:bc"
  id: eth0
  mtu: 1500
  type: phy
networks:
- id: net4
  ip_address: 192.168.0.14
  link: eth0
  netmask: 255.255.255.0
  routes:
  - gateway: 192.168.0.1
    netmask: 0.0.0.0
    network: 0.0.0.0
    services:
    - address: 8.8.4.4
      type: dns
  type: ipv4
- id: net6
  link: eth0
  routes: []
  type: ipv6_dhcp
services: []
"#;
    assert_eq!(yaml(&value), expected);
}

#[test]
fn every_text_stays_text_for_every_reader() {
    let texts = [
        "",
        " ",
        "a b",
        "yes",
        "No",
        "on",
        "y",
        "n",
        "null",
        "~",
        "true",
        "1",
        "01",
        "0x1F",
        "1_000",
        "1e3",
        ".5",
        "-1",
        "12:34",
        "12:34:56:10:20:30",
        "2020-01-01",
        "::",
        "2001:db8::1",
        "a: b",
        "a #b",
        "#a",
        "*a",
        "&a",
        "!a",
        "%a",
        "@a",
        "`a",
        "{a",
        "[a",
        "- a",
        "-",
        "---",
        "...",
        "line\nline\n",
        "tab\t",
        "\"quoted\"",
        "back\\slash",
        "é",
        "😀",
        "=",
        "<<",
        "10.0.0.1",
        "1.2.3",
        "r7",
        "w-2.lab",
        "ns/h/m",
        "\u{7f}",
        "\u{feff}x",
        "\u{2028}",
    ];
    let list: Vec<Value> = texts.iter().map(|text| json!(text)).collect();
    let keys: serde_json::Map<String, Value> = texts.iter().map(|text| ((*text).to_owned(), json!(1))).collect();
    let value = json!({"values": list, "keys": keys});
    let read: Value = kit::yaml::parse_like_go(&yaml(&value)).unwrap();
    assert_eq!(read, value);
    assert_eq!(kit::yaml::parse::<Value>(&yaml(&value)).unwrap(), value);
}

#[test]
fn containers_in_containers() {
    for value in [
        json!({}),
        json!([]),
        json!({"a": {}, "b": [], "c": null, "d": true, "e": -1.5}),
        json!({"a": [[1, 2], [], [{"x": [1]}, {}]], "b": {"c": {"d": [{"e": {"f": 1}}]}}}),
        json!([[["deep"]], {"a": [{"b": "c"}]}]),
        json!("text"),
    ] {
        assert_eq!(kit::yaml::parse::<Value>(&yaml(&value)).unwrap(), value, "{}", yaml(&value));
    }
}
