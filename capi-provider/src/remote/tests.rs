use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;

use super::*;

fn secret(text: &str) -> Secret {
    Secret {
        data: Some(BTreeMap::from([(KUBECONFIG_KEY.to_owned(), ByteString(text.as_bytes().to_vec()))])),
        ..Secret::default()
    }
}

fn config(user: &str, cluster: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{{name: c, context: {{cluster: k, user: u}}}}]\n\
         clusters: [{{name: k, cluster: {{server: 'https://192.0.2.1:6443'{cluster}}}}}]\nusers: [{{name: u, user: {{{user}}}}}]\n"
    )
}

#[test]
fn a_kubeconfig_keeps_to_itself_or_is_refused() {
    let table = [
        ("token: abc", "", None),
        ("client-certificate-data: YQ==, client-key-data: YQ==", ", certificate-authority-data: YQ==", None),
        ("exec: {apiVersion: client.authentication.k8s.io/v1, command: sh}", "", Some("exec")),
        ("auth-provider: {name: x, config: {}}", "", Some("auth-provider")),
        ("tokenFile: /var/run/secrets/kubernetes.io/serviceaccount/token", "", Some("tokenFile")),
        ("client-certificate: /etc/x", "", Some("client-certificate")),
        ("client-key: /etc/x", "", Some("client-key")),
        ("token: abc", ", certificate-authority: /etc/x", Some("certificate-authority")),
        ("token: abc", ", proxy-url: 'http://192.0.2.9'", Some("proxy-url")),
    ];
    for (user, cluster, refused) in table {
        let outcome = kubeconfig("c-kubeconfig", &secret(&config(user, cluster)));
        let field = match &outcome {
            Ok(_) => None,
            Err(KubeconfigError::ReachesOut { field, .. }) => Some(*field),
            Err(other) => panic!("{user}: {other}"),
        };
        assert_eq!(field, refused, "{user} {cluster}");
    }
}

#[test]
fn broken_secrets_name_the_secret_and_never_quote_it() {
    let empty = kubeconfig("c-kubeconfig", &Secret::default()).unwrap_err();
    assert_eq!(empty, KubeconfigError::NoValue("c-kubeconfig".to_owned()));
    let broken = kubeconfig("c-kubeconfig", &secret("hunter2: [")).unwrap_err();
    assert_eq!(broken, KubeconfigError::NotAKubeconfig("c-kubeconfig".to_owned()));
    assert!(!broken.to_string().contains("hunter2"));
}

#[test]
fn rest_grows_and_is_bounded() {
    let times: Vec<u64> = (0..8).map(|failures| rest(failures).as_secs()).collect();
    assert_eq!(times, [2, 4, 8, 16, 32, 60, 60, 60]);
    assert_eq!(rest(u32::MAX).as_secs(), 60);
}

#[test]
fn node_writes_are_guarded_by_uid() {
    let write = NodeWrite::ProviderId { node: "n1".into(), uid: "u1".into(), id: "metal3://a/b/c".into() };
    let Write::Patch { target, body } = write.as_write() else { panic!("not a patch") };
    assert_eq!((target.key.name.as_str(), target.uid.as_deref()), ("n1", Some("u1")));
    assert_eq!(body, json!({ "spec": { "providerID": "metal3://a/b/c" } }));
    let labels = BTreeMap::from([("a/x".to_owned(), Some("1".to_owned())), ("a/y".to_owned(), None)]);
    let Write::Patch { body, .. } = (NodeWrite::Labels { node: "n1".into(), uid: "u1".into(), labels }).as_write()
    else {
        panic!("not a patch")
    };
    assert_eq!(body, json!({ "metadata": { "labels": { "a/x": "1", "a/y": null } } }));
}

#[test]
fn a_written_node_is_known_without_a_list() {
    let node = |name: &str, label: Option<&str>| NodeSeen {
        name: name.into(),
        uid: format!("uid-{name}"),
        labels: label.map(|label| (label.to_owned(), String::new())).into_iter().collect(),
        ..NodeSeen::default()
    };
    let body = |uid: &str| json!({"metadata": {"name": "b", "uid": uid, "labels": {"x": ""}}, "spec": {}});
    let known = [node("a", Some("y")), node("b", None)];
    assert_eq!(with(&known, body("uid-b")).unwrap().to_vec(), [node("a", Some("y")), node("b", Some("x"))]);
    // Another Node of that name, and what is no Node (the answer to a deletion): read again.
    assert_eq!(with(&known, body("another")), None);
    assert_eq!(with(&known, json!({"kind": "Status", "status": "Success"})), None);
    assert_eq!(with(&known, serde_json::Value::Null), None);
}
