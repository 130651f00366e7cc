//! The bench itself on level A: it starts, takes our definitions, and clears up after a bench that was killed.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use kube::Api;
use kube::api::PostParams;
use serde_json::json;
use test_e2e::bench::{Bench, run_root, source_tree};
use test_e2e::process::{Record, Spec, Supervisor};
use test_e2e::wait::{Phases, until};
use test_e2e::{fixture, manifests};

const BENCH: &str = env!("CARGO_BIN_EXE_bench");

#[tokio::test(flavor = "multi_thread")]
async fn our_definitions_are_accepted_and_store_an_object() {
    let plane = fixture::shared("test-level-a", Path::new(BENCH)).await.unwrap();
    let mut phases = Phases::start("our definitions");
    let client = plane.client().await.unwrap();
    let definitions = manifests::read_dir(&source_tree().unwrap().join("clusterctl/crds")).unwrap();
    assert!(!definitions.is_empty());
    manifests::apply(&client, "default", &definitions).await.unwrap();
    phases.done("installed");
    let namespace = plane.namespace("definitions").await.unwrap();
    let host = json!({
        "apiVersion": "metal3.io/v1alpha1",
        "kind": "BareMetalHost",
        "metadata": {"name": "host-0"},
        "spec": {"online": true, "bootMACAddress": "00:5c:52:31:3a:9c"},
    });
    let resource = manifests::resource(&client, &host).await.unwrap();
    let api = manifests::api_of(&client, &namespace, &host, &resource);
    let made = api.create(&PostParams::default(), &serde_json::from_value(host).unwrap()).await.unwrap();
    assert_eq!(made.data["spec"]["bootMACAddress"], "00:5c:52:31:3a:9c");
    let wrong = json!({
        "apiVersion": "metal3.io/v1alpha1",
        "kind": "BareMetalHost",
        "metadata": {"name": "host-1"},
        "spec": {"online": "perhaps"},
    });
    let refused = api.create(&PostParams::default(), &serde_json::from_value(wrong).unwrap()).await.unwrap_err();
    assert!(refused.to_string().contains("spec.online"), "{refused}");
    phases.done("one object stored, one refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_is_removed_with_its_content() {
    let plane = fixture::shared("test-level-a", Path::new(BENCH)).await.unwrap();
    let client = plane.client().await.unwrap();
    let namespace = plane.namespace("removed").await.unwrap();
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}});
    manifests::apply(&client, &namespace, &[map]).await.unwrap();
    let namespaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(client);
    namespaces.delete(&namespace, &kube::api::DeleteParams::default()).await.unwrap();
    until("the namespace being gone", Duration::from_mins(1), async || {
        Ok(namespaces.get_opt(&namespace).await?.is_none().then_some(()))
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_bench_is_cleared_up_by_the_next_one() {
    let name = "test-killed";
    let mut phases = Phases::start("kill -9 of the bench");
    let mut first = up(name);
    let before = records(name);
    assert_eq!(before.len(), 3);
    first.kill().unwrap();
    first.wait().unwrap();
    phases.done("started and killed");
    assert!(before.iter().all(Record::alive), "processes of a bench outlive it");

    let mut second = up(name);
    phases.done("started again");
    assert!(!before.iter().any(Record::alive));
    let after = records(name);
    assert_eq!(after.len(), 3);
    assert!(after.iter().all(Record::alive));
    drop(second.stdin.take());
    assert!(second.wait().unwrap().success());
    assert!(!after.iter().any(Record::alive));
    phases.done("stopped");
}

#[tokio::test]
async fn the_guard_stops_everything_when_its_owner_is_gone() {
    let mut bench = Bench::fresh("test-guard").await.unwrap();
    bench.guard(Path::new(BENCH)).unwrap();
    let record = bench.processes().start(Spec::new("sleeper", "sleep").arg("1000")).await.unwrap();
    assert!(record.alive());
    // What the kernel does for a process that dies: close the pipe, let the lock go.
    drop(bench);
    until("the end of the sleeper", Duration::from_secs(30), async || Ok((!record.alive()).then_some(())))
        .await
        .unwrap();
}

/// Starts level A by the command line and returns when it says that it is up.
fn up(name: &str) -> Child {
    let mut command = Command::new(BENCH);
    command.args(["up", "--level", "a", "--wait", "--name", name]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("KUBECONFIG="), "the bench said: {line}");
    child
}

fn records(name: &str) -> Vec<Record> {
    Supervisor::new(&run_root().unwrap().join(name)).unwrap().records().unwrap()
}
