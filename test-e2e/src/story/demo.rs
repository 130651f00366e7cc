//! `make demo`: the main job for people to watch; what it built stays up.

use anyhow::Result;
use k8s_openapi::api::core::v1::Node;
use serde_json::Value;

use super::cluster::Cluster;
use super::main_job::{Job, Report, run};
use super::stage::{IRONIC_CREDENTIALS, Stage, prepare};
use crate::bench::DEFAULT;
use crate::bmc::spec::Firmware;
use crate::host::run_in;
use crate::node_image::Role;
use crate::{Bench, level_m, versions};

/// Enrols four machines, makes a cluster on one of them and scales its workers 1 -> 2 -> 1.
pub fn demo() -> Result<()> {
    let options = level_m::Options {
        machines: vec![Firmware::Bios; 4],
        images: vec![Role::ControlPlane, Role::Worker],
        ..level_m::Options::default()
    };
    println!("Building what is not built yet, and starting the bench (first time: about half an hour).");
    let (bench, netns) = run_in(None, async || {
        let bench = Bench::fresh(DEFAULT).await?;
        let netns = prepare(&bench, &options).await?;
        Ok((bench, netns))
    })?;
    run_in(Some(&netns), async || {
        let stage = Stage::build(bench, &options).await?;
        let mut watch = stage.watch("demo").await?;
        let cluster = Cluster { name: "demo".to_owned(), version: versions::KUBERNETES.to_owned() };
        let job = Job { hosts: 4, workers: vec![1, 2, 1] };
        let report = run(&mut watch, &stage.clusterctl, &cluster, &stage.site, &job).await?;
        print(&report);
        around(&stage, watch.namespace(), &cluster);
        Ok(())
    })
}

fn print(report: &Report) {
    println!("\nNodes of the workload cluster");
    for node in &report.nodes {
        let (name, address, provider) = columns(node);
        println!("  {name:<14} {address:<16} {provider}");
    }
    println!("\nHosts");
    for host in &report.last.hosts {
        let text = |path: &str| host.pointer(path).and_then(Value::as_str).unwrap_or("-");
        println!(
            "  {:<14} {:<14} used by {}",
            text("/metadata/name"),
            text("/status/provisioning/state"),
            text("/spec/consumerRef/name")
        );
    }
    println!("\nAddresses given: {}", report.addresses.join(", "));
    println!("\nTimes");
    for (phase, seconds) in &report.phases {
        println!("  {seconds:>5} s  {phase}");
    }
}

fn columns(node: &Node) -> (&str, &str, &str) {
    let addresses = node.status.as_ref().and_then(|s| s.addresses.as_deref()).unwrap_or_default();
    let address = addresses.iter().find(|a| a.type_ == "InternalIP").map_or("-", |a| a.address.as_str());
    let provider = node.spec.as_ref().and_then(|s| s.provider_id.as_deref()).unwrap_or("-");
    (node.metadata.name.as_deref().unwrap_or("-"), address, provider)
}

/// How to look around by hand.
fn around(stage: &Stage, namespace: &str, cluster: &Cluster) {
    let enter = format!("nsenter --net=/run/netns/{}", stage.site.netns);
    let kubectl = stage.plane.binaries().join("kubectl");
    println!("\nLook around (everything stays up until `make clean-bench`):");
    println!("  export KUBECONFIG={}", stage.plane.kubeconfig().display());
    println!("  alias k='{enter} {} --namespace {namespace}'", kubectl.display());
    println!("  k get baremetalhosts,metal3machines,machines,ipaddresses.ipam.metal3.io");
    println!("  k describe baremetalhost machine-1        # the conditions say what a host waits for");
    println!("  k get secret {}-kubeconfig -o jsonpath='{{.data.value}}' | base64 -d >demo.kubeconfig", cluster.name);
    println!("  KUBECONFIG=demo.kubeconfig k get nodes -o wide");
    println!("  {enter} curl -s http://{}/why", stage.manager.diagnostics);
    let ironic = &stage.site.ironic;
    let password = stage.bench.run_dir().join(IRONIC_CREDENTIALS).join("password");
    println!(
        "  export OS_AUTH_TYPE=http_basic OS_USERNAME={} OS_PASSWORD=$(cat {})",
        ironic.username,
        password.display()
    );
    println!(
        "  {enter} {} --os-endpoint {} node list",
        stage.ironic.client().display(),
        ironic.url.trim_end_matches("/v1")
    );
}
