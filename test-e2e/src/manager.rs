//! Our own binary as a process on a level A, with its definitions and webhooks installed by URL.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use base64::Engine as _;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::Api;
use kube::api::PostParams;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::bench::source_tree;
use crate::by_url::localize;
use crate::host::free_ports;
use crate::level_a::ControlPlane;
use crate::manifests;
use crate::process::{Record, Spec, Supervisor};
use crate::wait::until;

/// How long our manager may take to become ready; it is small, but the machine may be busy.
const START: Duration = Duration::from_mins(1);

/// What to start and how.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Name of the process; several with different subcommands may run beside each other. `metal3` when empty.
    pub name: String,
    /// The subcommand and more flags; `["all"]` when empty.
    pub args: Vec<String>,
    /// Environment, e.g. where Ironic is.
    pub env: Vec<(String, String)>,
    /// With the rights of this kubeconfig; the administrator's when absent.
    pub kubeconfig: Option<PathBuf>,
    /// Whether the diagnostics ask who reads them, as shipped. Then they are served over HTTPS.
    pub guarded: bool,
    /// Whether it runs as the ServiceAccount of the components, with their roles and no other right and with leader
    /// election, instead of as the administrator.
    pub shipped_rights: bool,
}

/// Our manager, running.
#[derive(Debug, Clone)]
pub struct Manager {
    /// Its process.
    pub process: Record,
    /// Where its webhooks listen.
    pub webhooks: SocketAddr,
    /// Where `/readyz` is.
    pub health: SocketAddr,
    /// Where `/metrics` and `/why` are.
    pub diagnostics: SocketAddr,
    /// Who it is to the API server.
    pub kubeconfig: PathBuf,
    spec: Spec,
    processes: Supervisor,
}

impl Manager {
    /// Waits until it is ready and its webhooks answer.
    pub async fn ready(&self) -> Result<()> {
        until("our manager being ready", START, async || {
            // Not only itself: without its API server it would seem to be the one that is slow.
            self.processes.check()?;
            let serves = tokio::net::TcpStream::connect(self.webhooks).await.is_ok();
            let ready = reqwest::get(format!("http://{}/readyz", self.health)).await?;
            let (status, text) = (ready.status(), ready.text().await?);
            anyhow::ensure!(status.is_success(), "not ready: {text}");
            Ok(serves.then_some(()))
        })
        .await
    }

    /// What the API server refused it for want of rights: failed requests as its metrics count them, failed watches
    /// as its log tells them. Not for a manager whose diagnostics ask for a token.
    pub async fn refused(&self) -> Result<Vec<String>> {
        let metrics =
            reqwest::get(format!("http://{}/metrics", self.diagnostics)).await?.error_for_status()?.text().await?;
        let log = std::fs::read_to_string(&self.process.log)?;
        let counted =
            metrics.lines().filter(|line| line.starts_with("rest_client_requests") && line.contains("\"403\""));
        let told = log.lines().filter(|line| line.to_lowercase().contains("forbidden"));
        Ok(counted.chain(told).map(str::to_owned).collect())
    }

    /// Asks the process to end and waits until it has.
    pub async fn stop(&self) -> Result<()> {
        self.processes.stop(&self.process.name).await
    }

    /// Starts the process as it was, ends it before if it still runs, and waits until it is ready.
    pub async fn start_again(&mut self) -> Result<()> {
        self.process = self.processes.start(self.spec.clone()).await?;
        self.ready().await
    }

    /// Kills the process in the middle of whatever it does, and starts it again as it was.
    pub async fn crash(&mut self) -> Result<()> {
        self.process.signal(Signal::KILL)?;
        self.start_again().await
    }
}

/// Installs definitions and webhook configurations from `components` (see [`components`]), starts the binary and waits
/// until it is ready and its webhooks answer.
pub async fn start(plane: &ControlPlane, components: Vec<Value>, options: Options) -> Result<Manager> {
    let ports = free_ports(plane.netns(), plane.address(), 3)?;
    let [webhook, health, diagnostics] = ports[..] else { bail!("asked for three ports") };
    let at = |port| SocketAddr::new(plane.address(), port);
    let (webhooks, health, diagnostics) = (at(webhook), at(health), at(diagnostics));
    let client = plane.client().await?;
    let rights: Vec<Value> = components.iter().filter(|object| is_right(object)).cloned().collect();
    manifests::apply(&client, "default", &localize(components, webhooks, &plane.pki().ca_bundle()?)).await?;
    let name = if options.name.is_empty() { "metal3" } else { &options.name };
    let args = if options.args.is_empty() { vec!["all".to_owned()] } else { options.args };
    let (kubeconfig, namespace) = if options.shipped_rights {
        manifests::apply(&client, "default", &rights).await?;
        account(plane, &client, name, &rights).await?
    } else {
        (options.kubeconfig.unwrap_or_else(|| plane.kubeconfig()), "default".to_owned())
    };
    let mut spec = Spec::new(plane.process(name), binary()?).netns(plane.netns()).args(args).args([
        format!("--kubeconfig={}", kubeconfig.display()),
        format!("--webhook-port={}", webhooks.port()),
        format!("--webhook-cert-dir={}", plane.webhook_certificates()?.display()),
        format!("--health-addr={health}"),
        format!("--diagnostics-address={diagnostics}"),
        format!("--insecure-diagnostics={}", !options.guarded),
    ]);
    if options.shipped_rights {
        spec = spec.arg("--leader-elect");
    }
    spec = spec.env("POD_NAMESPACE", namespace);
    for (name, value) in options.env {
        spec = spec.env(name, value);
    }
    let processes = plane.processes().clone();
    let process = processes.start(spec.clone()).await?;
    let manager = Manager { process, webhooks, health, diagnostics, kubeconfig, spec, processes };
    manager.ready().await?;
    Ok(manager)
}

fn is_right(object: &Value) -> bool {
    let kinds = ["ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"];
    object["kind"].as_str().is_some_and(|kind| kinds.contains(&kind))
}

/// A kubeconfig of the components' ServiceAccount, and its namespace.
async fn account(
    plane: &ControlPlane,
    client: &kube::Client,
    process: &str,
    rights: &[Value],
) -> Result<(PathBuf, String)> {
    let account = rights.iter().find(|object| object["kind"] == "ServiceAccount").context("no ServiceAccount")?;
    let text = |field: &str| account["metadata"][field].as_str().context("a ServiceAccount without name or namespace");
    let (name, namespace) = (text("name")?, text("namespace")?);
    let spec = TokenRequestSpec { expiration_seconds: Some(4 * 3600), ..TokenRequestSpec::default() };
    let request = TokenRequest { spec: Some(spec), ..TokenRequest::default() };
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
    let token = accounts.create_token_request(name, &PostParams::default(), &request).await?;
    let token = token.status.context("a token request without answer")?.token;
    let authority = std::fs::read(plane.pki().path("ca.crt"))?;
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "shipped",
        "contexts": [{"name": "shipped", "context": {"cluster": "shipped", "user": "shipped"}}],
        "clusters": [{"name": "shipped", "cluster": {
            "server": plane.server(),
            "certificate-authority-data": base64::engine::general_purpose::STANDARD.encode(authority),
        }}],
        "users": [{"name": "shipped", "user": {"token": token}}],
    });
    let path = plane.dir().join(format!("{process}.kubeconfig"));
    std::fs::write(&path, serde_saphyr::to_string(&config)?)?;
    Ok((path, namespace.to_owned()))
}

/// The binary `metal3`: `$METAL3_BIN`, else beside the running program as cargo puts it.
pub fn binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("METAL3_BIN").filter(|path| path != &OsString::new()) {
        return Ok(PathBuf::from(path));
    }
    let here = std::env::current_exe()?;
    // Tests are one folder deeper than programs.
    let found = here.ancestors().skip(1).take(2).map(|dir| dir.join("metal3")).find(|path| path.is_file());
    found.context("no binary metal3: run `cargo build --package manager`, or set METAL3_BIN")
}

/// Every document of our release components as generated in the source tree.
pub fn components() -> Result<Vec<Value>> {
    let parts = ["infrastructure-metal3", "ipam-metal3", "bmo"].map(component);
    parts.into_iter().try_fold(Vec::new(), |mut all, part| {
        all.extend(part?);
        Ok(all)
    })
}

/// The documents of one of them, by its folder below `clusterctl/`.
pub fn component(folder: &str) -> Result<Vec<Value>> {
    manifests::read_dir(&source_tree()?.join("clusterctl").join(folder))
}
