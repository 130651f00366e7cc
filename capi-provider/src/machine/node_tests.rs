use super::*;

fn node(name: &str, id: Option<&str>, uuid: Option<&str>) -> NodeSeen {
    let mut labels = std::collections::BTreeMap::from([(HOSTNAME_LABEL.to_owned(), name.to_owned())]);
    if let Some(uuid) = uuid {
        labels.insert(UUID_LABEL.to_owned(), uuid.to_owned());
    }
    NodeSeen { name: name.to_owned(), uid: format!("uid-{name}"), provider_id: id.map(str::to_owned), labels }
}

fn wanted() -> Wanted {
    Wanted { namespace: "ns".into(), host: "h".into(), machine: "m".into(), host_uid: "u".into(), ..Wanted::default() }
}

/// Short form of an outcome.
fn seen(wanted: &Wanted, nodes: &[NodeSeen]) -> String {
    match find(wanted, nodes) {
        NodeMatch::Linked { node, id } => format!("linked {node} {id}"),
        NodeMatch::Write(NodeWrite::ProviderId { node, uid, id }) => format!("write {node} {uid} {id}"),
        NodeMatch::Write(other) => format!("{other:?}"),
        NodeMatch::Wait(why) => why.reason.to_owned(),
    }
}

#[test]
fn a_node_is_found_by_id_then_label_then_host_name() {
    let plain = wanted();
    let migrated = Wanted { host_uid: "new".into(), ..wanted() };
    let ours = "metal3://ns/h/m";
    let by_name = Wanted { hostnames: BTreeSet::from(["n1".to_owned()]), ..wanted() };
    let cloud = Wanted { cloud_provider: true, ..wanted() };
    let has_legacy = Wanted { current: Some("metal3://u".into()), ..wanted() };
    let moved = Wanted { host_uid: "new".into(), current: Some("metal3://old".into()), ..wanted() };
    let table: Vec<(&str, &Wanted, Vec<NodeSeen>, &str)> = vec![
        ("nothing", &plain, vec![], "WaitingForNode"),
        ("others only", &plain, vec![node("x", Some("metal3://ns/x/y"), Some("v"))], "WaitingForNode"),
        ("by id", &plain, vec![node("n1", Some(ours), None)], "linked n1 metal3://ns/h/m"),
        ("by legacy id", &plain, vec![node("n1", Some("metal3://u"), None)], "linked n1 metal3://u"),
        ("after a move", &moved, vec![node("n1", Some("metal3://old"), Some("old"))], "linked n1 metal3://old"),
        (
            "new id, label of before the move",
            &migrated,
            vec![node("n1", Some(ours), Some("old"))],
            "linked n1 metal3://ns/h/m",
        ),
        ("by label", &plain, vec![node("n1", None, Some("u"))], "write n1 uid-n1 metal3://ns/h/m"),
        (
            "by label, machine has a legacy id",
            &has_legacy,
            vec![node("n1", None, Some("u"))],
            "write n1 uid-n1 metal3://u",
        ),
        ("foreign id", &plain, vec![node("n1", Some("aws:///x"), Some("u"))], "ForeignProviderID"),
        (
            "left by an earlier machine",
            &plain,
            vec![node("n1", Some("metal3://ns/h/old"), None)],
            "NodeOfEarlierMachine",
        ),
        ("earlier, labelled", &plain, vec![node("n1", Some("metal3://ns/h/old"), Some("u"))], "NodeOfEarlierMachine"),
        ("host with a longer name", &plain, vec![node("n1", Some("metal3://ns/h2/m"), None)], "WaitingForNode"),
        (
            "two of one id",
            &plain,
            vec![node("n1", Some(ours), None), node("n2", Some(ours), None)],
            "DuplicateProviderID",
        ),
        ("two labelled", &plain, vec![node("n1", None, Some("u")), node("n2", None, Some("u"))], "SeveralNodesForHost"),
        ("host name not asked for", &plain, vec![node("n1", None, None)], "WaitingForNode"),
        ("by host name", &by_name, vec![node("n1", None, None)], "write n1 uid-n1 metal3://ns/h/m"),
        ("cloud provider has not written", &cloud, vec![node("n1", None, Some("u"))], "WaitingForCloudProvider"),
        ("cloud provider has written", &cloud, vec![node("n1", Some(ours), Some("u"))], "linked n1 metal3://ns/h/m"),
    ];
    for (case, wanted, nodes, expected) in table {
        assert_eq!(seen(wanted, &nodes), expected, "{case}");
    }
}
