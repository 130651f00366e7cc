use super::tests::fields;
use super::*;
use crate::build::Build as _;
use crate::meta::SecretReference;
use crate::metal3::*;
use crate::validation::Kind;

#[test]
fn rules_of_subscriptions() {
    let of = |host: Option<&str>, destination: Option<&str>, namespace: Option<&str>| {
        let mut object = BMCEventSubscription::default();
        object.metadata.namespace = Some("ns".into());
        object.spec.host_name = host.map(str::to_owned);
        object.spec.destination = destination.map(str::to_owned);
        object.spec.http_headers_ref =
            namespace.map(|n| SecretReference { name: Some("s".into()), namespace: Some(n.to_owned()) });
        object
    };
    let right = of(Some("a"), Some("https://example.com/"), Some("ns"));
    assert_eq!(fields(&event_subscription(&right)), []);
    assert_eq!(
        fields(&event_subscription(&of(None, Some("https://example.com"), Some("other")))),
        [
            (Kind::Required, "spec.hostName"),
            (Kind::Invalid, "spec.destination"),
            (Kind::Forbidden, "spec.httpHeadersRef.namespace"),
        ]
    );
    for destination in ["/path", "example.com/x", "https:///x", "https://a b/"] {
        assert_eq!(fields(&event_subscription(&of(Some("a"), Some(destination), None))).len(), 1, "{destination}");
    }
    // A finalizer may come and go although the spec has a reference.
    assert_eq!(fields(&event_subscription_update(&right, &right.clone().finalizer("x"))), []);
    let other = of(Some("b"), Some("https://example.com/"), Some("ns"));
    assert_eq!(fields(&event_subscription_update(&right, &other)), [(Kind::Forbidden, "spec")]);
}

#[test]
fn rules_of_claims_of_hosts() {
    let requirement = |key: &str, operator: &str, values: &[&str]| HostSelectorRequirement {
        key: key.into(),
        operator: operator.into(),
        values: values.iter().map(|&v| v.to_owned()).collect(),
    };
    let table = [
        (requirement("a", "=", &["b"]), true),
        (requirement("example.com/a", "notin", &["b", "c"]), true),
        (requirement("a", "In", &["b"]), true),
        (requirement("a", "exists", &[]), true),
        (requirement("a", "!", &["b"]), false),
        (requirement("a", "==", &["b", "c"]), false),
        (requirement("a", "in", &[]), false),
        (requirement("a", "~", &["b"]), false),
        (requirement("-a", "exists", &[]), false),
        (requirement("a", "=", &["-b"]), false),
    ];
    for (requirement, right) in table {
        let mut object = HostClaim::default();
        object.spec.host_selector.match_expressions = vec![requirement.clone()];
        assert_eq!(host_claim(&object).is_empty(), right, "{requirement:?}");
    }
    let mut object = HostClaim::default();
    object.spec.host_selector.match_labels.insert("a b".into(), "c d".into());
    assert_eq!(host_claim(&object).iter().count(), 2);
}

#[test]
fn rules_of_network_attachments() {
    let of = |mode: PortMode, vlans: &[&str]| {
        let mut object = HostNetworkAttachment::default();
        object.spec.mode = mode;
        object.spec.allowed_vlans = vlans.iter().map(|&v| v.to_owned()).collect();
        object
    };
    let table = [
        (of(PortMode::Access, &[]), 0),
        (of(PortMode::Trunk, &["1", "4094", "100-199"]), 0),
        (of(PortMode::Access, &["1"]), 1),
        (of(PortMode::Trunk, &["0", "4095", "7-7", "9-8", "1-2-3", "99999999999"]), 6),
    ];
    for (object, faults) in table {
        assert_eq!(network_attachment(&object).iter().count(), faults, "{:?}", object.spec);
    }
    let (old, new) = (of(PortMode::Trunk, &["1"]), of(PortMode::Trunk, &["2"]));
    let users = ["ns/a[eno1]".to_owned()];
    assert_eq!(fields(&network_attachment_update(&old, &new, &users)), [(Kind::Forbidden, "spec")]);
    assert_eq!(fields(&network_attachment_update(&old, &old.clone().finalizer("x"), &users)), []);
    assert_eq!(fields(&network_attachment_update(&old, &new, &[])), []);
    assert_eq!(network_attachment_delete(&users).iter().count(), 1);
    assert!(network_attachment_delete(&[]).is_empty());
}
