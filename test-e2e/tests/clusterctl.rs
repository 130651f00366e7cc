//! The default cluster template through the real clusterctl, offline, from the local repository.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;

use test_e2e::Bench;
use test_e2e::bench::source_tree;
use test_e2e::clusterctl::{Clusterctl, Request};
use test_e2e::manifests;

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
