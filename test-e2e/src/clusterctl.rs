//! A local clusterctl: repository of our components and of Cluster API's, configuration, and a private home.
//!
//! Ours are laid out as `cargo xtask repository` does it for a user. Nothing of the person's own clusterctl is read or
//! written, and no network is needed.
//!
//! ```text
//! <run folder>/clusterctl/clusterctl.yaml
//!                        /home/                                  instead of ~ and XDG_CONFIG_HOME
//!                        /{infrastructure-metal3,ipam-metal3}/<version>/...    see xtask::repository
//!                        /cluster-api/<version>/{core-components,metadata}.yaml, and the two of kubeadm
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;
pub use xtask::repository::VERSION;

use crate::bench::{Bench, source_tree};
use crate::command::Cmd;
use crate::versions::CLUSTER_API;
use crate::{gobuild, level_b, manifests};

/// A provider of Cluster API in the repository.
struct Provider {
    /// Folder; also the label value of its objects.
    folder: &'static str,
    name: &'static str,
    kind: &'static str,
    components: &'static str,
    /// Its components are the rendered file of this binary.
    binary: &'static str,
}

const CLUSTER_APIS: [Provider; 3] = [
    Provider {
        folder: "cluster-api",
        name: "cluster-api",
        kind: "CoreProvider",
        components: "core-components.yaml",
        binary: "capi-manager",
    },
    Provider {
        folder: "bootstrap-kubeadm",
        name: "kubeadm",
        kind: "BootstrapProvider",
        components: "bootstrap-components.yaml",
        binary: "cabpk-manager",
    },
    Provider {
        folder: "control-plane-kubeadm",
        name: "kubeadm",
        kind: "ControlPlaneProvider",
        components: "control-plane-components.yaml",
        binary: "kcp-manager",
    },
];

/// A repository, ready for use.
#[derive(Debug, Clone)]
pub struct Clusterctl {
    dir: PathBuf,
    binary: PathBuf,
}

/// What `clusterctl generate cluster` is asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// Name of the cluster.
    pub name: String,
    /// Namespace of its objects.
    pub namespace: String,
    /// A template file; the default template of the repository when absent.
    pub from: Option<PathBuf>,
    /// Flavor of the repository's template; only without `from`.
    pub flavor: Option<String>,
    /// Control plane machines.
    pub control_plane: u32,
    /// Worker machines.
    pub workers: u32,
    /// The template's variables.
    pub variables: BTreeMap<String, String>,
}

impl Clusterctl {
    /// Writes the repository from the generated files of the source tree, and Cluster API's beside it.
    pub async fn create(bench: &Bench) -> Result<Self> {
        let binary = gobuild::cluster_api(bench.cache()).await?.join("clusterctl");
        let rendered = level_b::manifests_of_release(bench.cache()).await?;
        let dir = bench.dir("clusterctl")?;
        let config = xtask::repository::write(&source_tree()?, &dir)?;
        let mut settings: Value = serde_saphyr::from_str(&std::fs::read_to_string(&config)?)?;
        let providers = settings["providers"].as_array_mut().context("a clusterctl.yaml without providers")?;
        for provider in &CLUSTER_APIS {
            let folder = dir.join(provider.folder).join(CLUSTER_API);
            std::fs::create_dir_all(&folder)?;
            let components = folder.join(provider.components);
            copy(&rendered.join(format!("{}.yaml", provider.binary)), &components)?;
            copy(&rendered.join("metadata.yaml"), &folder.join("metadata.yaml"))?;
            providers.push(xtask::repository::entry(provider.name, provider.kind, &components));
        }
        std::fs::write(&config, serde_saphyr::to_string(&settings)?)?;
        std::fs::create_dir_all(dir.join("home"))?;
        Ok(Self { dir, binary })
    }

    /// The folder with `clusterctl.yaml`.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// clusterctl with this repository; add the subcommand.
    pub fn command(&self) -> Cmd {
        let command = self.at_home(Cmd::new(&self.binary)).env("KUBECONFIG", self.dir.join("home/none"));
        command.arg("--config").arg(self.dir.join("clusterctl.yaml"))
    }

    /// Lines as a document prints them, in a shell that finds this clusterctl and what else lies in `programs`. It ends
    /// at the first command that fails.
    pub fn shell(&self, programs: &Path, lines: &str) -> Result<Cmd> {
        let inherited = std::env::var_os("PATH").unwrap_or_default();
        let ours = [self.binary.parent().context("clusterctl lies in a folder")?, programs].map(Path::to_owned);
        let path = std::env::join_paths(ours.into_iter().chain(std::env::split_paths(&inherited)))?;
        Ok(self.at_home(Cmd::new("sh").args(["-euc", lines])).env("PATH", path))
    }

    fn at_home(&self, command: Cmd) -> Cmd {
        let home = self.dir.join("home");
        // It would ask the world for a newer version of itself at every start.
        command.env("HOME", &home).env("XDG_CONFIG_HOME", &home).env("CLUSTERCTL_DISABLE_VERSIONCHECK", "true")
    }

    /// The YAML text which a person would pipe into kubectl.
    pub async fn generate(&self, request: &Request) -> Result<String> {
        let mut command = self.command().args(["generate", "cluster", &request.name]);
        command = match (&request.from, &request.flavor) {
            (Some(_), Some(_)) => bail!("a flavor belongs to the repository's template, not to a file"),
            (Some(file), None) => command.arg("--from").arg(file),
            (None, flavor) => {
                let command = command.arg("--infrastructure").arg(format!("metal3:{VERSION}"));
                flavor.iter().fold(command, |command, flavor| command.arg("--flavor").arg(flavor))
            }
        };
        command = command
            .args(["--target-namespace", &request.namespace, "--kubernetes-version", crate::level_a::VERSION])
            .arg(format!("--control-plane-machine-count={}", request.control_plane))
            .arg(format!("--worker-machine-count={}", request.workers));
        for (name, value) in &request.variables {
            command = command.env(name, value);
        }
        command.output().await
    }

    /// The same as objects.
    pub async fn objects(&self, request: &Request) -> Result<Vec<Value>> {
        manifests::parse(&self.generate(request).await?)
    }

    /// The names of the variables that a template wants, with defaults where it has them, as clusterctl lists them.
    pub async fn variables(&self, from: &Path) -> Result<String> {
        self.command().args(["generate", "cluster", "any", "--list-variables", "--from"]).arg(from).output().await
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::copy(from, to).with_context(|| format!("copying {}", from.display()))?;
    Ok(())
}
