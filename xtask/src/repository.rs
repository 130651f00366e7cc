//! A folder that clusterctl takes for the place where our releases are published: it wants one folder per provider and
//! version, and does not take the source tree as it is.
//!
//! ```text
//! <to>/clusterctl.yaml                                 the providers, for clusterctl's --config
//!     /infrastructure-metal3/<version>/{infrastructure-components,metadata,cluster-template*,clusterclass*}.yaml
//!     /ipam-metal3/<version>/{ipam-components,metadata}.yaml
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// The version under which our components are published: that of the workspace.
pub const VERSION: &str = concat!("v", env!("CARGO_PKG_VERSION"));

struct Provider {
    /// Below `clusterctl/` and in the repository.
    folder: &'static str,
    kind: &'static str,
    components: &'static str,
    templates: bool,
}

const PROVIDERS: [Provider; 2] = [
    Provider {
        folder: "infrastructure-metal3",
        kind: "InfrastructureProvider",
        components: "infrastructure-components.yaml",
        templates: true,
    },
    Provider { folder: "ipam-metal3", kind: "IPAMProvider", components: "ipam-components.yaml", templates: false },
];

/// Writes the repository from the source tree into `to`, and returns the path of its `clusterctl.yaml`. This version
/// and that file are replaced; other versions stay.
pub fn write(tree: &Path, to: &Path) -> Result<PathBuf> {
    fs::create_dir_all(to).with_context(|| format!("making {}", to.display()))?;
    // clusterctl takes absolute paths only.
    let to = to.canonicalize()?;
    let mut entries = Vec::new();
    for provider in &PROVIDERS {
        let folder = to.join(provider.folder).join(VERSION);
        fill(tree, provider, &folder).with_context(|| format!("filling {}", folder.display()))?;
        entries.push(entry("metal3", provider.kind, &folder.join(provider.components)));
    }
    let config = to.join("clusterctl.yaml");
    let text = serde_saphyr::to_string(&json!({"providers": entries})).context("writing YAML")?;
    fs::write(&config, text).with_context(|| format!("writing {}", config.display()))?;
    Ok(config)
}

/// A provider as clusterctl's configuration lists it.
pub fn entry(name: &str, kind: &str, components: &Path) -> Value {
    json!({"name": name, "type": kind, "url": format!("file://{}", components.display())})
}

fn fill(tree: &Path, provider: &Provider, folder: &Path) -> Result<()> {
    // A template that is gone from the tree would be offered on.
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    let own = tree.join("clusterctl").join(provider.folder);
    for name in [provider.components, "metadata.yaml"] {
        copy(&own.join(name), &folder.join(name))?;
    }
    if provider.templates {
        for entry in fs::read_dir(tree.join("templates"))? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "yaml") {
                copy(&path, &folder.join(path.file_name().unwrap_or_default()))?;
            }
        }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("copying {}", from.display()))?;
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use super::*;

    #[test]
    fn a_second_writing_keeps_other_versions_and_drops_what_is_gone() {
        let tree = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let to = std::env::temp_dir().join(format!("metal3-repository-{}", std::process::id()));
        let of = |version: &str| to.join("infrastructure-metal3").join(version).join("cluster-template-gone.yaml");
        for version in ["v0.0.1", VERSION] {
            fs::create_dir_all(of(version).parent().unwrap()).unwrap();
            fs::write(of(version), "").unwrap();
        }
        write(tree, &to).unwrap();
        let kept = [of("v0.0.1").is_file(), of(VERSION).is_file()];
        fs::remove_dir_all(&to).unwrap();
        assert_eq!(kept, [true, false]);
    }
}
