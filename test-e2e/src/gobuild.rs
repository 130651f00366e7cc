//! Kubernetes, etcd and Cluster API, built from their Go modules into the cache.
//!
//! Each upstream gets a small module of ours that requires it at one version. `go get` is never used: without a version
//! it would raise the very module that is pinned. Everything is built without cgo, so the same binaries run inside a
//! machine's image.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::cache::{Cache, Place};
use crate::command::Cmd;
use crate::versions::{CLUSTER_API, ETCD, KUBERNETES, KUBERNETES_STAGING, KUBERNETES_STAGING_MODULES};

/// The oldest Go toolchain (1.N) that these modules compile with; an older `go` fetches it by itself when allowed to.
const GO_MINOR: u32 = 26;

/// Binaries of one upstream.
#[derive(Debug, Clone)]
struct Group {
    name: &'static str,
    version: &'static str,
    /// Lines of go.mod after the module line.
    module: String,
    /// Name of the output and package, in the order of building.
    binaries: &'static [(&'static str, &'static str)],
    /// Linker flags.
    flags: String,
}

/// The folder with kube-apiserver, kube-controller-manager, kube-scheduler, kubelet, kubeadm and kubectl.
pub async fn kubernetes(cache: &Cache) -> Result<PathBuf> {
    build(cache, &kubernetes_group()).await
}

/// The folder with etcd.
pub async fn etcd(cache: &Cache) -> Result<PathBuf> {
    build(cache, &etcd_group()).await
}

/// The folder with capi-manager (core), cabpk-manager (kubeadm bootstrap), kcp-manager (kubeadm control plane) and
/// clusterctl.
pub async fn cluster_api(cache: &Cache) -> Result<PathBuf> {
    build(cache, &cluster_api_group()).await
}

/// The unpacked source of Cluster API in the Go module cache: its CRDs, webhook configurations and metadata.yaml.
pub async fn cluster_api_source(cache: &Cache) -> Result<PathBuf> {
    let module = cluster_api(cache).await?;
    let found = go(&module.join("module")).args(["list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/cluster-api"]);
    let dir = found.output().await?;
    // A binary from the cache may be older than a module cache that was cleared since.
    if dir.trim().is_empty() || !Path::new(dir.trim()).is_dir() {
        go(&module.join("module")).args(["mod", "download", "sigs.k8s.io/cluster-api"]).run().await?;
        let again = go(&module.join("module")).args(["list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/cluster-api"]);
        return Ok(PathBuf::from(again.output().await?.trim()));
    }
    Ok(PathBuf::from(dir.trim()))
}

fn kubernetes_group() -> Group {
    let mut module = format!("require k8s.io/kubernetes {KUBERNETES}\n");
    for name in KUBERNETES_STAGING_MODULES {
        let _ = writeln!(module, "replace k8s.io/{name} => k8s.io/{name} {KUBERNETES_STAGING}");
    }
    Group {
        name: "kubernetes",
        version: KUBERNETES,
        module,
        binaries: &[
            ("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
            ("kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager"),
            ("kubectl", "k8s.io/kubernetes/cmd/kubectl"),
            ("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"),
            ("kubelet", "k8s.io/kubernetes/cmd/kubelet"),
            ("kubeadm", "k8s.io/kubernetes/cmd/kubeadm"),
        ],
        flags: version_flags("k8s.io/component-base/version", KUBERNETES),
    }
}

fn etcd_group() -> Group {
    Group {
        name: "etcd",
        version: ETCD,
        module: format!("require go.etcd.io/etcd/server/v3 {ETCD}\n"),
        binaries: &[("etcd", "go.etcd.io/etcd/server/v3")],
        flags: "-s -w".to_owned(),
    }
}

fn cluster_api_group() -> Group {
    Group {
        name: "cluster-api",
        version: CLUSTER_API,
        // The API types are a module of their own which the main one finds only inside its repository.
        module: format!(
            "require sigs.k8s.io/cluster-api {CLUSTER_API}\nrequire sigs.k8s.io/cluster-api/api {CLUSTER_API}\n"
        ),
        binaries: &[
            ("capi-manager", "sigs.k8s.io/cluster-api/core"),
            ("cabpk-manager", "sigs.k8s.io/cluster-api/bootstrap/kubeadm"),
            ("kcp-manager", "sigs.k8s.io/cluster-api/controlplane/kubeadm"),
            ("clusterctl", "sigs.k8s.io/cluster-api/cmd/clusterctl"),
        ],
        flags: version_flags("sigs.k8s.io/cluster-api/version", CLUSTER_API),
    }
}

/// Without these the programs report v0.0.0, and kubeadm and clusterctl then refuse to work with each other's parts.
fn version_flags(package: &str, version: &str) -> String {
    let mut numbers = version.trim_start_matches('v').split('.');
    let major = numbers.next().unwrap_or_default();
    let minor = numbers.next().unwrap_or_default();
    format!(
        "-s -w -X {package}.gitVersion={version} -X {package}.gitMajor={major} -X {package}.gitMinor={minor} \
         -X {package}.gitTreeState=clean"
    )
}

async fn build(cache: &Cache, group: &Group) -> Result<PathBuf> {
    let recipe = format!("{group:?}");
    cache
        .entry(group.name, group.version, &recipe, async |place: &Place| {
            check_toolchain().await?;
            let module = place.dir.join("module");
            std::fs::create_dir_all(&module)?;
            let text = format!("module tools.invalid/{}\n\ngo 1.{GO_MINOR}.0\n\n{}", group.name, group.module);
            std::fs::write(module.join("go.mod"), text)?;
            for (binary, package) in group.binaries {
                go(&module)
                    .args(["build", "-trimpath", "-ldflags", &group.flags, "-o"])
                    .arg(place.dir.join(binary))
                    .arg(package)
                    .log(&place.log)
                    .limit(Duration::from_mins(40))
                    .run()
                    .await?;
            }
            Ok(())
        })
        .await
}

fn go(module: &Path) -> Cmd {
    Cmd::new("go").dir(module).env("GOFLAGS", "-mod=mod").env("CGO_ENABLED", "0").env("GOWORK", "off")
}

async fn check_toolchain() -> Result<()> {
    let version = Cmd::new("go").args(["env", "GOVERSION"]).output().await;
    let version = version.context("the bench builds Kubernetes from source and needs Go")?;
    let minor = version.trim().strip_prefix("go1.").and_then(|rest| rest.split('.').next()?.parse::<u32>().ok());
    match minor {
        // From 1.21 on the toolchain fetches the version which a module asks for.
        Some(minor) if minor >= 21 => Ok(()),
        _ => {
            bail!("found {}, but the bench needs Go 1.{GO_MINOR} (1.21 or newer fetches it by itself)", version.trim())
        }
    }
}
