//! Which pools are asked: no more and no fewer than rendering needs.

use serde_json::{Value, json};

use super::*;
use crate::data::fixture::{template, with_subject};

fn names(spec: &Value) -> Result<Vec<String>, String> {
    let pools = with_subject(|subject| of(&template(spec), subject)).map_err(|error| error.to_string())?;
    Ok(pools.into_iter().map(|pool| format!("{}/{}.{}", pool.name, pool.kind, pool.group)).collect())
}

#[test]
fn every_place_that_names_a_pool() {
    let annotation = json!({"object": "machine", "annotation": "pool"});
    let other = json!({"name": "o", "kind": "Other", "apiGroup": "ipam.x"});
    let network = |network: Value| json!({"networkData": {"networks": {"ipv4": [network]}}});
    let route = |route: Value| json!({"networkData": {"networks": {"ipv6SLAAC": [{"id": "n", "link": "l", "routes": [route]}]}}});
    for (spec, expected) in [
        (json!({}), &[][..]),
        (json!({"metaData": {"ipAddressesFromPool": [{"key": "k", "name": "a"}]}}), &["a/IPPool.ipam.metal3.io"]),
        (json!({"metaData": {"prefixesFromPool": [{"key": "k", "name": "a"}]}}), &["a/IPPool.ipam.metal3.io"]),
        (json!({"metaData": {"gatewaysFromPool": [{"key": "k", "name": "a"}]}}), &["a/IPPool.ipam.metal3.io"]),
        (json!({"metaData": {"dnsServersFromPool": [{"key": "k", "name": "a"}]}}), &["a/IPPool.ipam.metal3.io"]),
        (
            json!({"metaData": {"ipAddressesFromPool": [{"key": "k", "name": "a", "kind": "Other", "apiGroup": "ipam.x"}]}}),
            &["a/Other.ipam.x"],
        ),
        (network(json!({"id": "n", "link": "l", "ipAddressFromIPPool": "a"})), &["a/IPPool.ipam.metal3.io"]),
        (
            network(json!({"id": "n", "link": "l", "fromPoolRef": other, "ipAddressFromIPPool": "a"})),
            &["o/Other.ipam.x"],
        ),
        (
            // The annotation's pool is asked, and no other.
            network(json!({"id": "n", "link": "l", "fromPoolAnnotation": annotation, "fromPoolRef": other})),
            &["annotated/IPPool.ipam.metal3.io"],
        ),
        (route(json!({"network": "::", "gateway": {"fromIPPool": "a"}})), &["a/IPPool.ipam.metal3.io"]),
        (route(json!({"network": "::", "gateway": {"fromPoolRef": other}})), &["o/Other.ipam.x"]),
        (
            route(json!({"network": "::", "gateway": {"fromPoolAnnotation": annotation}})),
            &["annotated/IPPool.ipam.metal3.io"],
        ),
        (route(json!({"network": "::", "gateway": {"string": "::1", "fromIPPool": "a"}})), &[]),
        (
            route(json!({"network": "::", "gateway": {}, "services": {"dnsFromIPPool": "d"}})),
            &["d/IPPool.ipam.metal3.io"],
        ),
        (json!({"networkData": {"services": {"dnsFromIPPool": "d"}}}), &["d/IPPool.ipam.metal3.io"]),
    ] {
        assert_eq!(names(&spec).unwrap(), expected, "{spec}");
    }
}

#[test]
fn one_name_is_one_pool() {
    let source = |kind: &str| json!({"key": kind, "name": "a", "kind": kind});
    let twice =
        json!({"metaData": {"ipAddressesFromPool": [source("IPPool")], "prefixesFromPool": [source("IPPool")]}});
    assert_eq!(names(&twice).unwrap().len(), 1);
    let clash = json!({"metaData": {"ipAddressesFromPool": [source("IPPool"), source("Other")]}});
    assert!(names(&clash).unwrap_err().starts_with("multiple references with the same name"));
}
