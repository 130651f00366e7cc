//! The stage of a story: machines, Ironic, API server, Cluster API and our manager, all in one network namespace.
//!
//! [`prepare`] needs the way out to the world and runs first; [`Stage::build`] runs inside the namespace.

use std::path::PathBuf;

use anyhow::Result;

use super::watch::Watch;
use crate::cache::Cache;
use crate::clusterctl::Clusterctl;
use crate::ironic::Ironic;
use crate::level_a::{self, ControlPlane};
use crate::level_m::{self, Description};
use crate::manager::{self, Manager};
use crate::net::{ADDRESS, Network};
use crate::wait::Phases;
use crate::{Bench, level_b};

/// Port of the management cluster's API server; machines never need it, people do.
const API_PORT: u16 = 16443;

/// Folder of a run with the user name and the password for Ironic, one file each.
pub const IRONIC_CREDENTIALS: &str = "credentials/ironic";

/// Everything that a story needs.
#[derive(Debug)]
pub struct Stage {
    /// The run folder and its processes.
    pub bench: Bench,
    /// Machines and images.
    pub site: Description,
    /// The real Ironic.
    pub ironic: Ironic,
    /// The management cluster.
    pub plane: ControlPlane,
    /// Our manager.
    pub manager: Manager,
    /// clusterctl with a repository of our components.
    pub clusterctl: Clusterctl,
}

/// Builds and installs whatever comes from outside, then makes the network that the stage stands on.
pub async fn prepare(bench: &Bench, options: &level_m::Options) -> Result<PathBuf> {
    let cache = Cache::open()?;
    level_a::prepare(&cache).await?;
    level_b::prepare(&cache).await?;
    level_m::prepare(&cache, options).await?;
    let network = Network::of(bench.run_dir());
    network.up().await?;
    Ok(network.path())
}

impl Stage {
    /// Starts everything. Call it inside the namespace that [`prepare`] returned.
    pub async fn build(bench: Bench, options: &level_m::Options) -> Result<Self> {
        let mut phases = Phases::start("stage");
        let (site, ironic) = level_m::start(&bench, options).await?;
        phases.done("machines and Ironic");
        let address = level_a::Options {
            netns: Some(site.netns.clone()),
            address: ADDRESS,
            port: Some(API_PORT),
            ..level_a::Options::default()
        };
        let plane = level_a::start(&bench, address).await?;
        phases.done("API server");
        level_b::start(&bench, &plane).await?;
        phases.done("Cluster API");
        let manager = start_manager(&bench, &plane, &site).await?;
        let clusterctl = Clusterctl::create(&bench).await?;
        phases.done("our manager");
        Ok(Self { bench, site, ironic, plane, manager, clusterctl })
    }

    /// Eyes on a namespace that is made for the story.
    pub async fn watch(&self, prefix: &str) -> Result<Watch> {
        let namespace = self.plane.namespace(prefix).await?;
        Ok(Watch::new(self.plane.client().await?, &namespace).beside(self.bench.processes()))
    }

    /// Ends everything, the namespace included.
    pub async fn down(self) -> Result<()> {
        level_m::down(&self.bench).await
    }
}

/// Starts our manager beside a stage's API server and Ironic; one that runs already is replaced.
pub async fn start_manager(bench: &Bench, plane: &ControlPlane, site: &Description) -> Result<Manager> {
    let credentials = bench.dir(IRONIC_CREDENTIALS)?;
    std::fs::write(credentials.join("username"), &site.ironic.username)?;
    std::fs::write(credentials.join("password"), &site.ironic.password)?;
    let root = bench.dir("credentials")?.to_string_lossy().into_owned();
    let env = [
        ("IRONIC_ENDPOINT", site.ironic.url.clone()),
        ("METAL3_AUTH_ROOT_DIR", root),
        ("DEPLOY_KERNEL_URL", site.agent_kernel.clone()),
        ("DEPLOY_RAMDISK_URL", site.agent_ramdisk.clone()),
    ];
    let env = env.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    manager::start(plane, manager::components()?, manager::Options { env, ..manager::Options::default() }).await
}
