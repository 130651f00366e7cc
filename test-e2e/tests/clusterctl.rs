//! The default cluster template through the real clusterctl, offline, from the local repository.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use test_e2e::bench::source_tree;
use test_e2e::clusterctl::{Clusterctl, Request, VERSION};
use test_e2e::{Bench, level_a, manifests};

#[tokio::test(flavor = "multi_thread")]
async fn the_default_template_renders_and_takes_the_overlay_of_emulated_machines() {
    let bench = Bench::fresh("test-clusterctl").await.unwrap();
    let clusterctl = Clusterctl::create(&bench).await.unwrap();
    let mut request = Request {
        name: "c1".to_owned(),
        namespace: "stories".to_owned(),
        from: None,
        flavor: None,
        control_plane: 1,
        workers: 2,
        variables: BTreeMap::new(),
    };
    // Without the variables it must say which ones are missing, not write a broken cluster.
    let missing = clusterctl.generate(&request).await.unwrap_err().to_string();
    assert!(missing.contains("CLUSTER_APIENDPOINT_HOST"), "{missing}");

    request.variables = variables();
    let from_repository = clusterctl.objects(&request).await.unwrap();
    let tree = source_tree().unwrap();
    request.from = Some(tree.join("templates/cluster-template.yaml"));
    let from_file = clusterctl.objects(&request).await.unwrap();
    assert_eq!(from_repository, from_file);

    let find = |kind: &str| from_file.iter().find(|object| object["kind"] == kind).unwrap();
    assert_eq!(find("Cluster")["metadata"]["name"], "c1");
    assert_eq!(find("KubeadmControlPlane")["spec"]["replicas"], 1);
    assert_eq!(find("MachineDeployment")["spec"]["replicas"], 2);
    assert!(from_file.iter().all(|object| object["metadata"]["namespace"] == "stories"));

    let overlay = std::fs::read_to_string(tree.join("test-e2e/assets/tcg-overlay.yaml")).unwrap();
    let overlay = manifests::parse(&overlay.replace("${CLUSTER_NAME}", "c1")).unwrap();
    let mut patched = from_file.clone();
    manifests::overlay(&mut patched, &overlay).unwrap();
    assert_ne!(patched, from_file);
}

fn variables() -> BTreeMap<String, String> {
    let values = [
        ("CLUSTER_APIENDPOINT_HOST", "172.22.0.30"),
        ("CONTROL_PLANE_IP_START", "172.22.0.30"),
        ("CONTROL_PLANE_IP_END", "172.22.0.39"),
        ("WORKER_IP_START", "172.22.0.40"),
        ("WORKER_IP_END", "172.22.0.49"),
        ("NETWORK_GATEWAY", "172.22.0.1"),
        ("HOST_INTERFACE", "eth0"),
        ("IMAGE_URL", "http://172.22.0.1/images/node.qcow2"),
        ("IMAGE_CHECKSUM", "http://172.22.0.1/images/node.qcow2.sha256"),
    ];
    values.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// What an installation of the Go manager has, ours has under the same names: a Deployment's selector cannot change.
#[tokio::test(flavor = "multi_thread")]
async fn the_address_manager_is_installed_under_the_published_names_labels_and_variables() {
    let bench = Bench::fresh("test-clusterctl-ipam").await.unwrap();
    let clusterctl = Clusterctl::create(&bench).await.unwrap();
    let generate = || clusterctl.command().args(["generate", "provider", "--ipam", "metal3"]);
    let objects = manifests::parse(&generate().output().await.unwrap()).unwrap();
    let find = |kind: &str| objects.iter().find(|object| object["kind"] == kind).unwrap();
    for object in &objects {
        let label = &object["metadata"]["labels"]["cluster.x-k8s.io/provider"];
        assert_eq!(label, "ipam-metal3", "{} {}", object["kind"], object["metadata"]["name"]);
    }
    let namespaces = objects.iter().filter(|object| object["kind"] == "Namespace").count();
    assert_eq!((namespaces, &find("Namespace")["metadata"]["name"]), (1, &"metal3-ipam-system".into()));
    let deployment = find("Deployment");
    assert_eq!(deployment["metadata"]["name"], "ipam-controller-manager");
    let selector = serde_json::json!({ "matchLabels": {
        "control-plane": "controller-manager", "controller-tools.k8s.io": "1.0",
        "cluster.x-k8s.io/provider": "ipam-metal3",
    } });
    assert_eq!(deployment["spec"]["selector"], selector);
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["name"], "manager");
    let args = |objects: &[serde_json::Value]| {
        let deployment = objects.iter().find(|object| object["kind"] == "Deployment").unwrap();
        deployment["spec"]["template"]["spec"]["containers"][0]["args"].to_string()
    };
    assert!(args(&objects).contains("--diagnostics-address=:8443\",\"--insecure-diagnostics=false"));
    let set = generate().env("IPAM_DIAGNOSTICS_ADDRESS", "127.0.0.1:1").env("IPAM_INSECURE_DIAGNOSTICS", "true");
    let set = manifests::parse(&set.output().await.unwrap()).unwrap();
    assert!(args(&set).contains("--diagnostics-address=127.0.0.1:1\",\"--insecure-diagnostics=true"));
    for crd in objects.iter().filter(|object| object["kind"] == "CustomResourceDefinition") {
        for contract in ["v1beta1", "v1beta2"] {
            let served = crd["metadata"]["labels"][format!("cluster.x-k8s.io/{contract}")].as_str().unwrap();
            let versions = crd["spec"]["versions"].as_array().unwrap();
            assert!(versions.iter().any(|version| version["name"] == served), "{contract} names {served}");
        }
        assert!(!crd["metadata"]["labels"]["clusterctl.cluster.x-k8s.io"].is_null(), "seen by move");
    }
    let webhooks = |kind: &str| -> Vec<String> {
        let list = find(kind)["webhooks"].as_array().unwrap();
        list.iter().map(|webhook| webhook["clientConfig"]["service"]["path"].as_str().unwrap().to_owned()).collect()
    };
    let path = |action: &str, kind: &str| format!("/{action}-ipam-metal3-io-v1alpha1-{kind}");
    assert_eq!(webhooks("MutatingWebhookConfiguration"), [path("mutate", "ippool")]);
    let kinds = ["ippool", "ipclaim", "ipaddress"];
    assert_eq!(webhooks("ValidatingWebhookConfiguration"), kinds.map(|kind| path("validate", kind)));

    let metadata = source_tree().unwrap().join("clusterctl/ipam-metal3/metadata.yaml");
    let metadata = manifests::parse(&std::fs::read_to_string(metadata).unwrap()).unwrap();
    let [major, minor] =
        [0, 1].map(|n| VERSION.trim_start_matches('v').split('.').nth(n).unwrap().parse::<u64>().unwrap());
    let series = metadata[0]["releaseSeries"].as_array().unwrap();
    let own = series.iter().find(|series| series["major"] == major && series["minor"] == minor).unwrap();
    assert_eq!(own["contract"], "v1beta2");
}

/// A definition of cert-manager that takes everything: nobody issues certificates here.
fn of_cert_manager(kind: &str) -> Value {
    let plural = format!("{}s", kind.to_lowercase());
    let schema = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": format!("{plural}.cert-manager.io") },
        "spec": {
            "group": "cert-manager.io", "scope": "Namespaced", "names": { "kind": kind, "plural": plural },
            "versions": [
                { "name": "v1", "served": true, "storage": true, "schema": { "openAPIV3Schema": schema } },
            ],
        },
    })
}

/// The command that the README names, on an API server without Nodes: what it stores, not what then runs.
#[tokio::test(flavor = "multi_thread")]
async fn clusterctl_init_installs_the_address_manager_and_keeps_it_in_its_inventory() {
    const NAMESPACE: &str = "metal3-ipam-system";
    let mut bench = Bench::fresh("test-clusterctl-init").await.unwrap();
    bench.guard(Path::new(env!("CARGO_BIN_EXE_bench"))).unwrap();
    let clusterctl = Clusterctl::create(&bench).await.unwrap();
    let plane = level_a::start(&bench, level_a::Options::default()).await.unwrap();
    let client = plane.client().await.unwrap();
    // clusterctl takes cert-manager for installed when it can make its objects.
    manifests::apply(&client, "default", &["Issuer", "Certificate"].map(of_cert_manager)).await.unwrap();
    let init = clusterctl.command().args(["init", "--ipam", "metal3", "--wait-providers=false"]);
    println!("{}", init.arg("--kubeconfig").arg(plane.kubeconfig()).output().await.unwrap());

    let get = async |version: &str, kind: &str, name: &str| {
        let object = json!({ "apiVersion": version, "kind": kind });
        let resource = manifests::resource(&client, &object).await.unwrap();
        let object = manifests::api_of(&client, NAMESPACE, &object, &resource).get(name).await.unwrap();
        serde_json::to_value(object).unwrap()
    };
    let provider = get("clusterctl.cluster.x-k8s.io/v1alpha3", "Provider", "ipam-metal3").await;
    let named = [&provider["providerName"], &provider["type"], &provider["version"]];
    assert_eq!(named, ["metal3", "IPAMProvider", VERSION]);
    let crd = |plural: &str| format!("{plural}.ipam.metal3.io");
    for (version, kind, name) in [
        ("v1", "Namespace", NAMESPACE.to_owned()),
        ("apps/v1", "Deployment", "ipam-controller-manager".to_owned()),
        ("v1", "Service", "ipam-webhook-service".to_owned()),
        ("cert-manager.io/v1", "Certificate", "ipam-serving-cert".to_owned()),
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition", crd("ippools")),
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition", crd("ipclaims")),
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition", crd("ipaddresses")),
    ] {
        let labels = get(version, kind, &name).await["metadata"]["labels"].clone();
        assert_eq!(labels["cluster.x-k8s.io/provider"], "ipam-metal3", "{kind} {name}");
        assert_eq!(labels["clusterctl.cluster.x-k8s.io"], "", "{kind} {name}");
    }
    bench.wipe().await.unwrap();
}
