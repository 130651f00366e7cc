//! The binary with the rights that it ships with: two replicas, health, metrics.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::ensure;
use api::ipam::IPClaim;
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use rustix::process::Signal;
use serde_json::{Value, json};
use test_e2e::command::Cmd;
use test_e2e::level_a::{self, ControlPlane};
use test_e2e::manager::{self, Manager};
use test_e2e::wait::until;
use test_e2e::{Bench, manifests};

use crate::stage::{install, put};

const LIMIT: Duration = Duration::from_mins(2);
const SYSTEM: &str = "metal3-ipam-system";

async fn kubectl(plane: &ControlPlane, args: &[&str]) -> String {
    let command = Cmd::new(plane.binaries().join("kubectl")).arg("--kubeconfig").arg(plane.kubeconfig());
    command.args(args).output().await.unwrap().trim().to_owned()
}

/// A kubeconfig with nothing but the rights of our ServiceAccount.
async fn kubeconfig(plane: &ControlPlane) -> PathBuf {
    let token = kubectl(plane, &["create", "token", "ipam-manager", "--namespace", SYSTEM]).await;
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{ "name": "c", "cluster": {
            "server": plane.server(), "certificate-authority": plane.pki().path("ca.crt") } }],
        "users": [{ "name": "c", "user": { "token": token } }],
        "contexts": [{ "name": "c", "context": { "cluster": "c", "user": "c" } }],
    });
    let path = plane.dir().join("ipam-manager.kubeconfig");
    std::fs::write(&path, config.to_string()).unwrap();
    path
}

async fn replica(plane: &ControlPlane, name: &str, kubeconfig: &Path) -> Manager {
    let flags = ["ipam", "--leader-elect", "--leader-elect-lease-duration=4s", "--leader-elect-renew-deadline=3s"];
    let flags = flags.into_iter().chain(["--leader-elect-retry-period=1s"]).map(str::to_owned);
    let namespace = format!("--leader-election-namespace={SYSTEM}");
    let options = manager::Options {
        name: name.to_owned(),
        args: flags.chain([namespace]).collect(),
        env: vec![("POD_NAME".to_owned(), name.to_owned())],
        kubeconfig: Some(kubeconfig.to_owned()),
        guarded: true,
        ..manager::Options::default()
    };
    manager::start(plane, manager::component("ipam-metal3").unwrap(), options).await.unwrap()
}

async fn page(manager: &Manager, path: &str, token: &str) -> (String, String) {
    let url = format!("https://{}{path}", manager.diagnostics);
    let command = Cmd::new("curl").args(["--silent", "--insecure", "--write-out", "\n%{http_code}"]);
    let answer = command.args(["--header", &format!("Authorization: Bearer {token}"), &url]).output().await.unwrap();
    let (body, code) = answer.trim_end().rsplit_once('\n').unwrap_or(("", answer.trim_end()));
    (code.to_owned(), body.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_with_the_shipped_rights_take_turns() {
    let mut bench = Bench::fresh("test-ipam-process").await.unwrap();
    bench.guard(Path::new(env!("CARGO_BIN_EXE_bench"))).unwrap();
    let plane = level_a::start(&bench, level_a::Options::default()).await.unwrap();
    install(&plane).await;
    let client = plane.client().await.unwrap();
    let mut rights = manager::component("ipam-metal3").unwrap();
    let kinds = ["Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"];
    rights.retain(|object| kinds.iter().any(|kind| object["kind"] == *kind));
    assert_eq!(rights.len(), kinds.len());
    let scraper = json!([
        { "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": "scraper", "namespace": SYSTEM } },
        { "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": { "name": "scraper" },
          "rules": [{ "nonResourceURLs": ["/metrics"], "verbs": ["get"] }] },
        { "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": { "name": "scraper" },
          "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "scraper" },
          "subjects": [{ "kind": "ServiceAccount", "name": "scraper", "namespace": SYSTEM }] },
    ]);
    rights.extend(scraper.as_array().unwrap().clone());
    manifests::apply(&client, "default", &rights).await.unwrap();
    let file = kubeconfig(&plane).await;
    let first = replica(&plane, "first", &file).await;
    let leases: Api<Lease> = Api::namespaced(client.clone(), SYSTEM);
    let leads = async |who: &str| {
        let lease = leases.get("controller-leader-election-ipam-capm3").await?;
        let holder = lease.spec.and_then(|spec| spec.holder_identity).unwrap_or_default();
        ensure!(holder.starts_with(&format!("{who}_")), "{holder} leads");
        Ok(Some(()))
    };
    until("the first leading", LIMIT, async || leads("first").await).await.unwrap();
    let second = replica(&plane, "second", &file).await;

    let namespace = plane.namespace("ipam").await.unwrap();
    let put = async |kind: &str, name: &str, spec: Value| {
        let object = json!({ "apiVersion": "ipam.metal3.io/v1alpha1", "kind": kind, "metadata": { "name": name }, "spec": spec });
        put(&client, &namespace, &object).await.unwrap();
    };
    let claims: Api<IPClaim> = Api::namespaced(client.clone(), &namespace);
    let served = async |name: &str| {
        let told = async || Ok(claims.get(name).await?.status.and_then(|status| status.address));
        until(&format!("an address for {name}"), LIMIT, told).await.unwrap();
    };
    put("IPPool", "p", json!({ "namePrefix": "n", "pools": [{ "start": "10.0.0.1", "end": "10.0.0.3" }] })).await;
    for name in ["a", "b", "c"] {
        put("IPClaim", name, json!({ "pool": { "name": "p" } })).await;
        served(name).await;
    }
    // Nobody without the right reads the pages.
    assert_eq!(page(&first, "/metrics", "nonsense").await.0, "401");
    let scraper = kubectl(&plane, &["create", "token", "scraper", "--namespace", SYSTEM]).await;
    assert_eq!(page(&first, "/why", &scraper).await.0, "403");
    let labels = format!("{{namespace=\"{namespace}\",pool=\"p\"}}");
    let metrics = async || {
        let (code, text) = page(&first, "/metrics", &scraper).await;
        ensure!(code == "200", "{code}");
        for (family, value) in [("", 3), ("_used", 3), ("_free", 0)] {
            let line = format!("metal3_ipam_pool_addresses{family}{labels} {value}.0");
            ensure!(text.contains(&line), "no {line} in {text}");
        }
        Ok(Some(()))
    };
    until("the pool's numbers in the metrics", LIMIT, metrics).await.unwrap();
    // Events are written with the shipped rights, too.
    put("IPClaim", "d", json!({ "pool": { "name": "p" } })).await;
    let events: Api<k8s_openapi::api::core::v1::Event> = Api::namespaced(client.clone(), &namespace);
    let told = async || {
        let all = events.list(&kube::api::ListParams::default()).await?.items;
        Ok(all.iter().any(|event| event.reason.as_deref() == Some("AllocationFailed")).then_some(()))
    };
    until("an event", LIMIT, told).await.unwrap();
    claims.delete("a", &kube::api::DeleteParams::default()).await.unwrap();
    served("d").await;

    first.process.signal(Signal::KILL).unwrap();
    claims.delete("b", &kube::api::DeleteParams::default()).await.unwrap();
    put("IPClaim", "e", json!({ "pool": { "name": "p" } })).await;
    until("the second leading", LIMIT, async || leads("second").await).await.unwrap();
    served("e").await;
    second.process.check().unwrap();
    bench.wipe().await.unwrap();
}
