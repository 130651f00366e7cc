//! What others see of us: schemas, names, columns.

use serde_json::{Value, json};
use test_e2e::command::Cmd;

use crate::stage::{Stage, plane, put};

fn object(kind: &str, spec: &Value) -> Value {
    let name = json!({ "generateName": "shape-" });
    json!({ "apiVersion": "ipam.metal3.io/v1alpha1", "kind": kind, "metadata": name, "spec": spec })
}

fn pool(change: &Value) -> Value {
    let mut spec = json!({ "namePrefix": "p" });
    spec.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    object("IPPool", &spec)
}

/// Kind and spec of objects that the published definitions accept.
fn accepted() -> Vec<Value> {
    let range = |range: Value| pool(&json!({ "pools": [range] }));
    let mut all = vec![
        pool(&json!({})),
        pool(&json!({ "pools": [], "clusterName": "c", "allocationStrategy": "random" })),
        pool(&json!({ "prefix": 128, "gateway": "10.0.0.1", "dnsServers": ["8.8.8.8", "2001:db8::1"] })),
        pool(&json!({ "prefix": -1 })),
        pool(&json!({ "preAllocations": { "a": "10.0.0.1", "b": "FE80::00a" } })),
        range(json!({})),
        range(json!({ "start": "10.0.0.1", "end": "10.0.0.9", "subnet": "10.0.0.77/8", "prefix": 8 })),
        range(json!({ "end": "10.0.0.9" })),
        range(json!({ "subnet": "2001:db8::/08" })),
        range(json!({ "start": "::", "end": "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" })),
        range(json!({ "start": "1::2:3:4:5:6:7", "gateway": "::1", "dnsServers": ["1:2:3:4:5:6:7::"] })),
        object("IPClaim", &json!({ "pool": {} })),
        object(
            "IPClaim",
            &json!({ "pool": { "name": "p", "namespace": "n", "kind": "k", "apiVersion": "v", "uid": "u" } }),
        ),
    ];
    let mut bare = object("IPPool", &Value::Null);
    bare.as_object_mut().unwrap().remove("spec");
    all.push(bare);
    let address = json!({ "claim": {}, "pool": {}, "address": "2001:db8::1", "prefix": 64, "gateway": "2001:db8::fe" });
    all.push(object("IPAddress", &address));
    all
}

/// Objects that they refuse, and the field that is named.
fn refused() -> Vec<(Value, &'static str)> {
    let start = |text: &str| pool(&json!({ "pools": [{ "start": text }] }));
    let subnet = |text: &str| pool(&json!({ "pools": [{ "subnet": text }] }));
    let address = |change: (&str, Value)| {
        let mut spec = json!({ "claim": {}, "pool": {}, "address": "10.0.0.1" });
        spec[change.0] = change.1;
        object("IPAddress", &spec)
    };
    vec![
        (object("IPPool", &json!({})), "spec.namePrefix"),
        (pool(&json!({ "namePrefix": "" })), "spec.namePrefix"),
        (pool(&json!({ "allocationStrategy": "first" })), "spec.allocationStrategy"),
        (pool(&json!({ "prefix": 129 })), "spec.prefix"),
        (pool(&json!({ "gateway": "10.0.0" })), "spec.gateway"),
        (pool(&json!({ "dnsServers": ["10.0.0.1 "] })), "spec.dnsServers[0]"),
        (pool(&json!({ "preAllocations": { "a": "10.0.0.256" } })), "spec.preAllocations.a"),
        (pool(&json!({ "pools": [{ "prefix": 129 }] })), "spec.pools[0].prefix"),
        (start("10.0.0.01"), "spec.pools[0].start"),
        (start("::ffff:10.0.0.1"), "spec.pools[0].start"),
        (start("fe80::1%eth0"), "spec.pools[0].start"),
        (start("1:2:3:4:5:6:7"), "spec.pools[0].start"),
        (start("12345::"), "spec.pools[0].start"),
        (subnet("10.0.0.0/33"), "spec.pools[0].subnet"),
        (subnet("10.0.0.0"), "spec.pools[0].subnet"),
        (subnet("2001:db8::/129"), "spec.pools[0].subnet"),
        (object("IPClaim", &json!({})), "spec.pool"),
        (object("IPAddress", &json!({ "claim": {}, "pool": {} })), "spec.address"),
        (object("IPAddress", &json!({ "claim": {}, "address": "10.0.0.1" })), "spec.pool"),
        (object("IPAddress", &json!({ "pool": {}, "address": "10.0.0.1" })), "spec.claim"),
        (address(("address", json!("host"))), "spec.address"),
        (address(("prefix", json!(129))), "spec.prefix"),
        (address(("gateway", json!(""))), "spec.gateway"),
        (address(("dnsServers", json!(["x"]))), "spec.dnsServers[0]"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schemas_judge_as_the_published_ones() {
    let stage = Stage::new("ipam-shapes").await;
    let mut wrong = Vec::new();
    for object in accepted() {
        if let Err(error) = put(&stage.client, &stage.namespace, &object).await {
            wrong.push(format!("{object} is refused: {error}"));
        }
    }
    for (object, field) in refused() {
        match put(&stage.client, &stage.namespace, &object).await {
            Ok(_) => wrong.push(format!("{object} is accepted")),
            Err(error) if error.to_string().contains(field) => {}
            Err(error) => wrong.push(format!("{object} is refused without naming {field}: {error}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let mut address = object("IPAddress", &json!({ "claim": {}, "pool": {}, "address": "10.0.0.2" }));
    address["status"] = json!({ "x": 1 });
    let made = put(&stage.client, &stage.namespace, &address).await.unwrap();
    assert_eq!(made.get("status"), None, "an address has no status");
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_knows_the_short_names_and_shows_the_columns() {
    let mut stage = Stage::new("ipam-kubectl").await;
    stage.run(None).await;
    stage.pool(json!({ "namePrefix": "t", "pools": [{ "subnet": "10.0.0.0/29" }] })).await;
    stage.claim("a").await;
    stage.served("a").await;
    let kubectl = async |args: &[&str]| {
        let command = Cmd::new(plane().await.binaries().join("kubectl")).arg("--kubeconfig");
        command.arg(plane().await.kubeconfig()).args(["-n", &stage.namespace]).args(args).output().await.unwrap()
    };
    let table = test_e2e::wait::until("the counts", crate::stage::LIMIT, async || {
        let table = kubectl(&["get", "m3ippools"]).await;
        Ok(table.lines().nth(1).is_some_and(|row| row.split_whitespace().nth(1) == Some("1")).then_some(table))
    });
    let table = table.await.unwrap();
    let mut lines = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    assert_eq!(lines.next().unwrap(), ["NAME", "CLUSTER", "USED", "FREE", "TOTAL", "AGE"]);
    assert_eq!(lines.next().unwrap()[..4], ["p", "1", "6", "7"]);
    let forms = |short: &str, word: &str| {
        [short.to_owned(), word.to_owned(), format!("m3{short}"), format!("m3{word}"), format!("metal3{word}s")]
    };
    for (short, word, plural) in [("ipp", "ippool", "ippools"), ("ipc", "ipclaim", "ipclaims")] {
        for name in forms(short, word) {
            let listed = kubectl(&["get", &name, "-o", "name"]).await;
            assert!(listed.starts_with(&format!("{word}.ipam.metal3.io/")), "{name} of {plural}: {listed}");
        }
    }
    for name in ["ipa", "m3ipa", "m3ipaddresses", "metal3ipaddress"] {
        assert!(kubectl(&["get", name, "-o", "name"]).await.starts_with("ipaddress.ipam.metal3.io/t-10"), "{name}");
    }
    let cluster_api = kubectl(&["get", "cluster-api", "-o", "name"]).await;
    let metal3 = kubectl(&["get", "metal3", "-o", "name"]).await;
    assert!(cluster_api.contains("ippool.ipam.metal3.io/p") && cluster_api.contains("ipclaim.ipam.metal3.io/a"));
    assert!(metal3.contains("ipaddress.ipam.metal3.io/t-10-0-0-1"), "{metal3}");
}
