//! Level B: Cluster API's core, kubeadm bootstrap and kubeadm control plane managers as processes on a level A.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::bench::Bench;
use crate::by_url::localize;
use crate::cache::{Cache, Place};
use crate::command::Cmd;
use crate::host::free_ports;
use crate::level_a::ControlPlane;
use crate::process::{Record, Spec};
use crate::versions::CLUSTER_API;
use crate::wait::{Phases, until};
use crate::{gobuild, manifests};

/// How long the managers may take to become ready on a busy machine.
const START: Duration = Duration::from_mins(2);

/// What the stories need beyond the defaults of the release.
const FEATURES: &str = "--feature-gates=ClusterTopology=true,KubeadmBootstrapFormatIgnition=true";

/// Binary, and the folder of its manifests in the sources.
const PROVIDERS: [(&str, &str); 3] =
    [("capi-manager", "core"), ("cabpk-manager", "bootstrap/kubeadm"), ("kcp-manager", "controlplane/kubeadm")];

/// The running managers.
#[derive(Debug, Clone)]
pub struct ClusterApi {
    managers: Vec<Record>,
}

impl ClusterApi {
    /// The processes: core, bootstrap provider, control plane provider.
    pub fn managers(&self) -> &[Record] {
        &self.managers
    }
}

/// Installs the definitions and webhooks of Cluster API and starts its three managers; returns when all are ready.
///
/// The same rules as for [`crate::level_a::start`] apply to the network namespace.
pub async fn start(bench: &Bench, plane: &ControlPlane) -> Result<ClusterApi> {
    let mut phases = Phases::start(&format!("level B ({})", plane.name()));
    let (binaries, rendered) = prepare(bench.cache()).await?;
    phases.done("binaries and manifests");
    let client = plane.client().await?;
    let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let webhooks = free_ports(plane.netns(), plane.address(), PROVIDERS.len())?;
    let others = free_ports(plane.netns(), local, 2 * PROVIDERS.len())?;
    let certificates = plane.webhook_certificates()?;
    let ca = plane.pki().ca_bundle()?;
    let mut objects = Vec::new();
    for ((name, _), port) in PROVIDERS.iter().zip(&webhooks) {
        let release = manifests::read(&rendered.join(format!("{name}.yaml")))?;
        objects.extend(localize(release, SocketAddr::new(plane.address(), *port), &ca));
    }
    // A manager whose definitions are not served yet gives up, so these come first.
    manifests::apply(&client, "default", &objects).await?;
    phases.done("definitions and webhooks");

    let mut managers = Vec::new();
    for (((name, _), webhook), ports) in PROVIDERS.iter().zip(&webhooks).zip(others.chunks(2)) {
        let [health, diagnostics] = ports else { bail!("two ports per manager") };
        let spec = Spec::new(plane.process(name), binaries.join(name)).netns(plane.netns()).args([
            format!("--kubeconfig={}", plane.kubeconfig().display()),
            format!("--webhook-port={webhook}"),
            format!("--webhook-cert-dir={}", certificates.display()),
            format!("--health-addr=127.0.0.1:{health}"),
            format!("--diagnostics-address=127.0.0.1:{diagnostics}"),
            "--insecure-diagnostics".to_owned(),
            "--leader-elect=false".to_owned(),
            FEATURES.to_owned(),
        ]);
        let spec = spec.env("POD_NAMESPACE", "default").env("POD_NAME", name).env("POD_UID", "bench");
        managers.push((plane.processes().start(spec).await?, *health, *webhook));
    }
    for (record, health, webhook) in &managers {
        until(&format!("{} being ready", record.name), START, async || {
            record.check()?;
            let answer = reqwest::get(format!("http://127.0.0.1:{health}/readyz")).await?;
            // Ready does not include the webhook server, and the first object sent would be refused.
            let serves = tokio::net::TcpStream::connect(SocketAddr::new(plane.address(), *webhook)).await.is_ok();
            Ok((answer.status().is_success() && serves).then_some(()))
        })
        .await?;
    }
    phases.done("managers");
    Ok(ClusterApi { managers: managers.into_iter().map(|(record, _, _)| record).collect() })
}

/// Builds what level B needs (or finds it in the cache): the folder of the managers and the one of their manifests.
pub async fn prepare(cache: &Cache) -> Result<(PathBuf, PathBuf)> {
    Ok((gobuild::cluster_api(cache).await?, manifests_of_release(cache).await?))
}

/// Only Cluster API's definitions, without conversion: for tests in which our manager watches these kinds and nobody
/// has to serve them.
pub async fn definitions(cache: &Cache) -> Result<Vec<Value>> {
    let folder = manifests_of_release(cache).await?;
    let mut all = Vec::new();
    for (name, _) in PROVIDERS {
        all.extend(manifests::read(&folder.join(format!("{name}.yaml")))?);
    }
    all.retain(|object| object["kind"] == "CustomResourceDefinition");
    for definition in &mut all {
        if let Some(spec) = definition["spec"].as_object_mut() {
            spec.remove("conversion");
        }
    }
    Ok(all)
}

/// The rendered components of the three providers (`<binary>.yaml`) and Cluster API's `metadata.yaml`.
pub async fn manifests_of_release(cache: &Cache) -> Result<PathBuf> {
    let recipe = format!("{PROVIDERS:?}");
    let kubectl = gobuild::kubernetes(cache).await?.join("kubectl");
    // Outside the closure: it takes a turn of the build queue itself.
    let source = gobuild::cluster_api_source(cache).await?;
    cache
        .entry("cluster-api-manifests", CLUSTER_API, &recipe, async |place: &Place| {
            for (name, folder) in PROVIDERS {
                let config = source.join(folder).join("config/default");
                let text = Cmd::new(&kubectl).arg("kustomize").arg(config).output().await?;
                std::fs::write(place.dir.join(format!("{name}.yaml")), text)?;
            }
            std::fs::copy(source.join("metadata.yaml"), place.dir.join("metadata.yaml")).context("metadata.yaml")?;
            Ok(())
        })
        .await
}
