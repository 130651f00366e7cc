//! Flags of the binary: which controllers, and how. Names are those of the Go managers where these have the flag.

use clap::{Args as Flags, Parser, Subcommand};
use kit::args::Common;

/// Turns racks of physical servers into Kubernetes clusters.
#[derive(Debug, Parser)]
#[command(name = "metal3", version, about)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Which controllers run in this process.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Cluster API infrastructure provider: clusters, machines, their data.
    CapiProvider(Settings),
    /// IP address manager: pools, claims, addresses.
    Ipam(Settings),
    /// Bare metal operator: hosts, through Ironic.
    Bmo(Settings),
    /// All of them in one process, for small and bootstrap clusters.
    All(Settings),
}

/// Flags of every subcommand.
#[derive(Debug, Flags)]
pub(crate) struct Settings {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(flatten, next_help_heading = "Cluster API provider")]
    pub(crate) provider: capi_provider::Options,
    /// Address pools handled at once.
    #[arg(long, default_value_t = 10, help_heading = "IP address manager")]
    pub(crate) ippool_concurrency: usize,
    #[command(flatten)]
    pub(crate) operator: Operator,
    #[command(flatten)]
    pub(crate) ignored: Ignored,
}

/// Flags of the bare metal operator; where Ironic is, the environment tells (IRONIC_ENDPOINT and others).
#[derive(Debug, Flags)]
#[command(next_help_heading = "Bare metal operator")]
pub(crate) struct Operator {
    /// Hosts handled at once; 0 means as many as processors, between 2 and 8.
    #[arg(long, default_value_t = 0)]
    pub(crate) controller_concurrency: usize,
    /// How often one image may fail on one host before it is left alone; 0 means for ever.
    #[arg(long, default_value_t = 5)]
    pub(crate) max_provisioning_retries: i64,
}

/// Flags of the Go managers that have nothing to set here; accepted so that their manifests start this binary.
#[derive(Debug, Flags)]
#[command(next_help_heading = "Accepted for compatibility, without effect")]
pub(crate) struct Ignored {
    /// Requests are limited by the number of passes at once.
    #[arg(long, hide = true)]
    pub(crate) kube_api_qps: Option<f64>,
    /// See kube-api-qps.
    #[arg(long, hide = true)]
    pub(crate) kube_api_burst: Option<u32>,
    /// Host claims are not served yet.
    #[arg(long, hide = true, num_args = 0..=1, default_missing_value = "true")]
    pub(crate) hostclaims: Option<bool>,
}
