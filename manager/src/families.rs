//! The controller families: which subcommand starts which, and the lease of each.

use std::pin::Pin;

use anyhow::{Context as _, Result};
use api::names::lease;
use kit::runtime::Context;
use kit::webhook::Hooks;

use crate::args::{Command, Settings};

/// A family that runs until shutdown.
pub(crate) type Running = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// One family of controllers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// Cluster API provider.
    CapiProvider,
    /// IP address manager.
    Ipam,
    /// Bare metal operator.
    Bmo,
}

impl Family {
    /// The families of a subcommand, with its flags.
    pub(crate) fn of(command: Command) -> (Vec<Self>, Settings) {
        match command {
            Command::CapiProvider(settings) => (vec![Self::CapiProvider], settings),
            Command::Ipam(settings) => (vec![Self::Ipam], settings),
            Command::Bmo(settings) => (vec![Self::Bmo], settings),
            Command::All(settings) => (vec![Self::Ipam, Self::Bmo, Self::CapiProvider], settings),
        }
    }

    /// The name of its lease: the Go controller's, so that old and new never act at once.
    pub(crate) fn lease(self) -> &'static str {
        match self {
            Self::CapiProvider => lease::CAPI_PROVIDER,
            Self::Ipam => lease::IPAM,
            Self::Bmo => lease::BMO,
        }
    }

    /// Its admission and conversion webhooks.
    pub(crate) fn hooks(self, context: &Context) -> Hooks {
        match self {
            Self::CapiProvider => capi_provider::hooks(),
            Self::Ipam => ipam::hooks(context),
            Self::Bmo => bmo::hooks(),
        }
    }

    /// Starts it. What is wrong with its settings is told before anything runs.
    pub(crate) fn start(self, context: Context, settings: &Settings) -> Result<Running> {
        let resync = settings.common.resync();
        match self {
            Self::CapiProvider => {
                let options = capi_provider::Options { resync, ..settings.provider.clone() };
                Ok(Box::pin(async move { Ok(capi_provider::run(context, options).await?) }))
            }
            Self::Ipam => {
                let options = ipam::Options { concurrency: settings.ippool_concurrency };
                Ok(Box::pin(async move { Ok(ipam::run(context, options).await?) }))
            }
            Self::Bmo => {
                let mut config = bmo::Config::from_env(|name| std::env::var(name).ok())
                    .context("the bare metal operator's environment")?;
                config.max_provisioning_retries = settings.operator.max_provisioning_retries;
                if settings.operator.controller_concurrency > 0 {
                    config.concurrency = settings.operator.controller_concurrency;
                }
                let mut options = bmo::Options::new(config);
                options.worker.resync = resync;
                Ok(Box::pin(async move { Ok(bmo::run(context, options).await?) }))
            }
        }
    }
}
