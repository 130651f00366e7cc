//! A local clusterctl: repository of our components and of Cluster API's, configuration, and a private home.
//!
//! Nothing of the person's own clusterctl is read or written, and no network is needed.
//!
//! ```text
//! <run folder>/clusterctl/clusterctl.yaml
//!                        /home/                                  instead of ~ and XDG_CONFIG_HOME
//!                        /repository/infrastructure-metal3/<version>/{infrastructure-components,metadata,cluster-template*}.yaml
//!                                   /ipam-metal3/<version>/{ipam-components,metadata}.yaml
//!                                   /cluster-api/<version>/{core-components,metadata}.yaml, and the two of kubeadm
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::bench::{Bench, source_tree};
use crate::command::Cmd;
use crate::versions::CLUSTER_API;
use crate::{gobuild, level_b, manifests};

/// The version under which our components are published: that of the workspace.
pub const VERSION: &str = concat!("v", env!("CARGO_PKG_VERSION"));

/// One provider in the repository.
struct Provider {
    /// Folder; also the label value of its objects.
    folder: &'static str,
    name: &'static str,
    kind: &'static str,
    version: &'static str,
    components: &'static str,
    source: Source,
}

#[derive(Clone, Copy)]
enum Source {
    /// `clusterctl/<folder>` of the source tree.
    Ours,
    /// The rendered file of that binary.
    ClusterApi(&'static str),
}

const PROVIDERS: [Provider; 5] = [
    Provider {
        folder: "infrastructure-metal3",
        name: "metal3",
        kind: "InfrastructureProvider",
        version: VERSION,
        components: "infrastructure-components.yaml",
        source: Source::Ours,
    },
    Provider {
        folder: "ipam-metal3",
        name: "metal3",
        kind: "IPAMProvider",
        version: VERSION,
        components: "ipam-components.yaml",
        source: Source::Ours,
    },
    Provider {
        folder: "cluster-api",
        name: "cluster-api",
        kind: "CoreProvider",
        version: CLUSTER_API,
        components: "core-components.yaml",
        source: Source::ClusterApi("capi-manager"),
    },
    Provider {
        folder: "bootstrap-kubeadm",
        name: "kubeadm",
        kind: "BootstrapProvider",
        version: CLUSTER_API,
        components: "bootstrap-components.yaml",
        source: Source::ClusterApi("cabpk-manager"),
    },
    Provider {
        folder: "control-plane-kubeadm",
        name: "kubeadm",
        kind: "ControlPlaneProvider",
        version: CLUSTER_API,
        components: "control-plane-components.yaml",
        source: Source::ClusterApi("kcp-manager"),
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
    /// Writes the repository from the generated files of the source tree; an older one is replaced.
    pub async fn create(bench: &Bench) -> Result<Self> {
        let binary = gobuild::cluster_api(bench.cache()).await?.join("clusterctl");
        let rendered = level_b::manifests_of_release(bench.cache()).await?;
        let tree = source_tree()?;
        let dir = bench.dir("clusterctl")?;
        let repository = dir.join("repository");
        if repository.exists() {
            std::fs::remove_dir_all(&repository)?;
        }
        for provider in &PROVIDERS {
            let folder = repository.join(provider.folder).join(provider.version);
            std::fs::create_dir_all(&folder)?;
            match provider.source {
                Source::Ours => ours(&tree, provider, &folder)?,
                Source::ClusterApi(binary) => {
                    copy(&rendered.join(format!("{binary}.yaml")), &folder.join(provider.components))?;
                    copy(&rendered.join("metadata.yaml"), &folder.join("metadata.yaml"))?;
                }
            }
        }
        std::fs::create_dir_all(dir.join("home"))?;
        let providers: Vec<Value> = PROVIDERS
            .iter()
            .map(|provider| {
                let file = repository.join(provider.folder).join(provider.version).join(provider.components);
                json!({"name": provider.name, "type": provider.kind, "url": format!("file://{}", file.display())})
            })
            .collect();
        std::fs::write(dir.join("clusterctl.yaml"), serde_saphyr::to_string(&json!({"providers": providers}))?)?;
        Ok(Self { dir, binary })
    }

    /// clusterctl with this repository; add the subcommand.
    pub fn command(&self) -> Cmd {
        let home = self.dir.join("home");
        Cmd::new(&self.binary)
            .env("HOME", &home)
            .env("XDG_CONFIG_HOME", &home)
            // It would ask the world for a newer version of itself at every start.
            .env("CLUSTERCTL_DISABLE_VERSIONCHECK", "true")
            .env("KUBECONFIG", home.join("none"))
            .arg("--config")
            .arg(self.dir.join("clusterctl.yaml"))
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

/// Our components may lie beside the folder or in it; templates belong to the infrastructure provider.
fn ours(tree: &Path, provider: &Provider, folder: &Path) -> Result<()> {
    let clusterctl = tree.join("clusterctl");
    let own = clusterctl.join(provider.folder);
    copy(&own.join("metadata.yaml"), &folder.join("metadata.yaml"))?;
    let components = [own.join(provider.components), clusterctl.join(provider.components)];
    let Some(components) = components.iter().find(|path| path.is_file()) else {
        bail!("no {} for {}: `make generate` writes it", provider.components, provider.folder)
    };
    copy(components, &folder.join(provider.components))?;
    if provider.kind == "InfrastructureProvider" {
        for entry in std::fs::read_dir(tree.join("templates"))? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let is_template = name.starts_with("cluster-template") || name.starts_with("clusterclass");
            if is_template && path.extension().is_some_and(|extension| extension == "yaml") {
                copy(&path, &folder.join(name))?;
            }
        }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::copy(from, to).with_context(|| format!("copying {}", from.display()))?;
    Ok(())
}
