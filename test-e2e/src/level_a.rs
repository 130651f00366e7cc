//! Level A: etcd, kube-apiserver and kube-controller-manager as plain processes.
//!
//! Enough for every test of an interface: storage, schema checks, admission, garbage collection, namespaces, tokens.
//! No scheduler and no nodes.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Namespace;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use serde::{Deserialize, Serialize};

use crate::bench::Bench;
use crate::cache::Cache;
use crate::host::{free_ports, netns_path};
use crate::pki::{Given, Pki};
use crate::process::{Record, Spec, Supervisor};
use crate::wait::{Phases, until};
use crate::{gobuild, versions};

/// How long one component may take to answer on a busy machine.
const START: Duration = Duration::from_mins(2);

/// The admission plugin of [`Options::owner_rights`].
const OWNER_RIGHTS: &str = ",OwnerReferencesPermissionEnforcement";

/// Addresses of Services; the first one is the API server's own.
const SERVICES: &str = "10.96.0.0/16";

/// Where and how a control plane runs.
#[derive(Debug, Clone)]
pub struct Options {
    /// Names processes, logs and folder; several control planes can share one bench.
    pub name: String,
    /// Name of a network namespace as in `ip netns`; it must exist and its loopback must be up.
    pub netns: Option<String>,
    /// The address the API server listens on and announces; also the one webhooks of local processes are called at.
    pub address: IpAddr,
    /// Port of the API server; a free one when absent.
    pub port: Option<u16>,
    /// Authorities that exist already: those Cluster API made for a workload cluster.
    pub given: Option<Given>,
    /// Whether who makes an object the owner of another is asked for the right to do so, as where tenants are kept apart.
    /// The API server learns of new kinds only every half minute for it.
    pub owner_rights: bool,
    /// Whether Nodes that do not report are marked unready. Turn it off for Nodes that no kubelet stands behind.
    pub heartbeats: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            name: "mgmt".to_owned(),
            netns: None,
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: None,
            given: None,
            owner_rights: false,
            heartbeats: true,
        }
    }
}

/// A running control plane. Dropping it changes nothing; see [`ControlPlane::stop`].
#[derive(Debug, Clone)]
pub struct ControlPlane {
    place: Place,
    dir: PathBuf,
    supervisor: Supervisor,
    pki: Pki,
}

/// What another process needs to know to use a control plane that runs; kept in its folder.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Place {
    name: String,
    address: IpAddr,
    port: u16,
    netns: Option<PathBuf>,
    binaries: PathBuf,
}

/// Starts a control plane and returns when it answers. One of the same name is stopped and its data removed.
///
/// The caller must be in the same network namespace (see [`crate::host::run_in`]) and, when that has no way out, must
/// have built the binaries before ([`prepare`]).
pub async fn start(bench: &Bench, options: Options) -> Result<ControlPlane> {
    let mut phases = Phases::start(&format!("level A ({})", options.name));
    let (kubernetes, etcd) = prepare(bench.cache()).await?;
    phases.done("binaries");
    let supervisor = bench.processes().clone();
    for part in ["kcm", "apiserver", "etcd"] {
        supervisor.stop(&format!("{}-{part}", options.name)).await?;
    }
    let dir = bench.run_dir().join(&options.name);
    if dir.exists() {
        std::fs::remove_dir_all(&dir)?;
    }
    std::fs::create_dir_all(&dir)?;
    let netns = options.netns.as_deref().map(netns_path);
    let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let free = free_ports(netns.as_deref(), local, 3)?;
    let port = match options.port {
        Some(port) => port,
        None => one(&free_ports(netns.as_deref(), options.address, 1)?)?,
    };
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    if options.address != local {
        names.push(options.address.to_string());
    }
    let pki = Pki::create(&dir.join("pki"), &names, options.given.as_ref()).await?;
    let known = Place { name: options.name, address: options.address, port, netns, binaries: kubernetes };
    for client in ["admin", "kcm"] {
        pki.kubeconfig(client, &known.server())?;
    }
    phases.done("certificates");

    let plane = ControlPlane { place: known, dir, supervisor, pki };
    let [etcd_port, peer_port, kcm_port] = free[..] else { anyhow::bail!("asked for three ports") };
    // Both at once: the API server tries its storage again until it answers.
    let etcd = plane.start_etcd(&etcd, etcd_port, peer_port).await?;
    let apiserver = plane.start_apiserver(etcd_port, options.owner_rights).await?;
    let client = plane.client().await?;
    until("the API server being ready", START, async || {
        etcd.check()?;
        apiserver.check()?;
        let ready = client.request_text(http_get("/readyz")?).await?;
        Ok((ready == "ok").then_some(()))
    })
    .await?;
    phases.done("etcd and API server");
    let kcm = plane.start_kcm(kcm_port, options.heartbeats).await?;
    let namespaces: Api<Namespace> = Api::all(client);
    until("the controller manager and the default namespace", START, async || {
        kcm.check()?;
        let listens = tokio::net::TcpStream::connect(SocketAddr::new(local, kcm_port)).await.is_ok();
        Ok((listens && namespaces.get_opt("default").await?.is_some()).then_some(()))
    })
    .await?;
    phases.done("controller manager");
    std::fs::write(plane.dir.join("place.json"), serde_json::to_vec_pretty(&plane.place)?)?;
    Ok(plane)
}

/// Builds what level A needs (or finds it in the cache): the folders of the Kubernetes binaries and of etcd.
pub async fn prepare(cache: &Cache) -> Result<(PathBuf, PathBuf)> {
    tokio::try_join!(gobuild::kubernetes(cache), gobuild::etcd(cache))
}

impl ControlPlane {
    /// A control plane that was started before in this bench, also by another process.
    pub fn attach(bench: &Bench, name: &str) -> Result<Self> {
        let dir = bench.run_dir().join(name);
        let place = std::fs::read(dir.join("place.json"))
            .with_context(|| format!("no control plane {name} was started in {}", bench.run_dir().display()))?;
        let pki = Pki::open(&dir.join("pki"));
        Ok(Self { place: serde_json::from_slice(&place)?, dir, supervisor: bench.processes().clone(), pki })
    }

    /// Its name within the bench.
    pub fn name(&self) -> &str {
        &self.place.name
    }

    /// The URL of the API server.
    pub fn server(&self) -> String {
        self.place.server()
    }

    /// The address it listens on; servers of local processes that it calls belong there too.
    pub fn address(&self) -> IpAddr {
        self.place.address
    }

    /// The network namespace it runs in.
    pub fn netns(&self) -> Option<&Path> {
        self.place.netns.as_deref()
    }

    /// The kubeconfig of the administrator.
    pub fn kubeconfig(&self) -> PathBuf {
        self.pki.path("admin.kubeconfig")
    }

    /// The folder with kubectl, kubeadm and kubelet of the same version.
    pub fn binaries(&self) -> &Path {
        &self.place.binaries
    }

    /// Its certificates.
    pub fn pki(&self) -> &Pki {
        &self.pki
    }

    /// Its own folder below the run folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The processes of the bench it belongs to.
    pub fn processes(&self) -> &Supervisor {
        &self.supervisor
    }

    /// The client configuration of the administrator.
    pub async fn config(&self) -> Result<Config> {
        let file = Kubeconfig::read_from(self.kubeconfig())?;
        Ok(Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?)
    }

    /// A client with every right. A client belongs to the runtime it was made in: take a new one per test.
    pub async fn client(&self) -> Result<Client> {
        Ok(Client::try_from(self.config().await?)?)
    }

    /// A folder with the serving certificate for webhooks at [`ControlPlane::address`], under the file names that
    /// managers expect (`tls.crt`, `tls.key`).
    pub fn webhook_certificates(&self) -> Result<PathBuf> {
        let dir = self.dir.join("webhook");
        std::fs::create_dir_all(&dir)?;
        for end in ["crt", "key"] {
            std::fs::copy(self.pki.path(&format!("webhook.{end}")), dir.join(format!("tls.{end}")))?;
        }
        Ok(dir)
    }

    /// Makes a namespace of its own for a test; `prefix` shows whose it is.
    pub async fn namespace(&self, prefix: &str) -> Result<String> {
        let mut namespace = Namespace::default();
        namespace.metadata.generate_name = Some(format!("{prefix}-"));
        let api: Api<Namespace> = Api::all(self.client().await?);
        let made = api.create(&kube::api::PostParams::default(), &namespace).await?;
        made.metadata.name.context("the API server made a namespace without a name")
    }

    /// Stops its three processes; data and logs stay.
    pub async fn stop(&self) -> Result<()> {
        for part in ["kcm", "apiserver", "etcd"] {
            self.supervisor.stop(&self.process(part)).await?;
        }
        Ok(())
    }

    /// The name of one of its processes.
    pub fn process(&self, part: &str) -> String {
        format!("{}-{part}", self.place.name)
    }

    async fn start_etcd(&self, binaries: &Path, port: u16, peer: u16) -> Result<Record> {
        let (client, peer) = (format!("http://127.0.0.1:{port}"), format!("http://127.0.0.1:{peer}"));
        let spec = Spec::new(self.process("etcd"), binaries.join("etcd")).netns(self.netns());
        let spec = spec.arg("--data-dir").arg(self.dir.join("etcd")).args([
            // The data need not survive a power cut; without waiting for the disk everything is several times faster.
            "--unsafe-no-fsync",
            "--name=bench",
            &format!("--listen-client-urls={client}"),
            &format!("--advertise-client-urls={client}"),
            &format!("--listen-peer-urls={peer}"),
            &format!("--initial-advertise-peer-urls={peer}"),
            &format!("--initial-cluster=bench={peer}"),
            "--log-level=warn",
        ]);
        self.supervisor.start(spec).await
    }

    async fn start_apiserver(&self, etcd_port: u16, owner_rights: bool) -> Result<Record> {
        let file = |flag: &str, name: &str| format!("--{flag}={}", self.pki.path(name).display());
        let spec = Spec::new(self.process("apiserver"), self.place.binaries.join("kube-apiserver")).netns(self.netns());
        let spec = spec.args([
            format!("--etcd-servers=http://127.0.0.1:{etcd_port}"),
            format!("--bind-address={}", self.place.address),
            format!("--advertise-address={}", self.place.address),
            format!("--secure-port={}", self.place.port),
            format!("--service-cluster-ip-range={SERVICES}"),
            format!("--cert-dir={}", self.dir.join("apiserver").display()),
            file("tls-cert-file", "apiserver.crt"),
            file("tls-private-key-file", "apiserver.key"),
            file("client-ca-file", "ca.crt"),
            file("service-account-key-file", "sa.pub"),
            file("service-account-signing-key-file", "sa.key"),
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local".to_owned(),
            file("kubelet-client-certificate", "apiserver-kubelet-client.crt"),
            file("kubelet-client-key", "apiserver-kubelet-client.key"),
            // Without an authority for forwarded requests the controller manager complains for ever.
            file("requestheader-client-ca-file", "front-proxy-ca.crt"),
            "--requestheader-username-headers=X-Remote-User".to_owned(),
            "--requestheader-group-headers=X-Remote-Group".to_owned(),
            "--requestheader-extra-headers-prefix=X-Remote-Extra-".to_owned(),
            "--kubelet-preferred-address-types=InternalIP,Hostname".to_owned(),
            "--authorization-mode=Node,RBAC".to_owned(),
            format!("--enable-admission-plugins=NodeRestriction{}", if owner_rights { OWNER_RIGHTS } else { "" }),
            "--enable-bootstrap-token-auth".to_owned(),
            "--allow-privileged".to_owned(),
        ]);
        // The announced address may not be loopback, and then there is nothing to announce to.
        let spec = if self.place.address.is_loopback() { spec.arg("--endpoint-reconciler-type=none") } else { spec };
        self.supervisor.start(spec).await
    }

    async fn start_kcm(&self, port: u16, heartbeats: bool) -> Result<Record> {
        let file = |flag: &str, name: &str| format!("--{flag}={}", self.pki.path(name).display());
        let spec = Spec::new(self.process("kcm"), self.place.binaries.join("kube-controller-manager"));
        let spec = spec.netns(self.netns()).args([
            file("kubeconfig", "kcm.kubeconfig"),
            file("authentication-kubeconfig", "kcm.kubeconfig"),
            file("authorization-kubeconfig", "kcm.kubeconfig"),
            file("service-account-private-key-file", "sa.key"),
            file("root-ca-file", "ca.crt"),
            file("cluster-signing-cert-file", "ca.crt"),
            file("cluster-signing-key-file", "ca.key"),
            format!("--cert-dir={}", self.dir.join("kcm").display()),
            format!("--service-cluster-ip-range={SERVICES}"),
            format!("--secure-port={port}"),
            "--bind-address=127.0.0.1".to_owned(),
            "--leader-elect=false".to_owned(),
            "--use-service-account-credentials".to_owned(),
            // These two are off by default and machines cannot join by token without them.
            format!(
                "--controllers=*,bootstrap-signer-controller,token-cleaner-controller{}",
                if heartbeats { "" } else { ",-node-lifecycle-controller" }
            ),
        ]);
        self.supervisor.start(spec).await
    }
}

impl Place {
    fn server(&self) -> String {
        format!("https://{}", SocketAddr::new(self.address, self.port))
    }
}

/// A request without a body.
fn http_get(path: &str) -> Result<axum::http::Request<Vec<u8>>> {
    Ok(axum::http::Request::get(path).body(Vec::new())?)
}

fn one(ports: &[u16]) -> Result<u16> {
    ports.first().copied().context("no free port")
}

/// The version of Kubernetes that level A runs.
pub const VERSION: &str = versions::KUBERNETES;
