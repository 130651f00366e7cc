//! Flags of the binary: which controllers, and how. Names are those of the Go managers where these have the flag.

use clap::{Args as Flags, Parser, Subcommand};
use kit::args::Common;

use crate::families::Family;
use crate::peers::{Peers, as_go_reads};

/// Turns racks of physical servers into Kubernetes clusters.
#[derive(Debug, Parser)]
#[command(name = "metal3", version, about)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Args {
    /// From the command line, also one that is written for a Go manager; ends the process when it cannot be understood.
    pub(crate) fn from_command_line() -> Self {
        Self::parse_from(as_go_reads(std::env::args_os()))
    }
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
    pub(crate) peers: Peers,
}

/// Flags of the bare metal operator; where Ironic is, the environment tells (IRONIC_ENDPOINT and others).
#[derive(Debug, Flags)]
#[command(next_help_heading = "Bare metal operator")]
pub(crate) struct Operator {
    /// Hosts handled at once; 0 means what BMO_CONCURRENCY says, or else 8.
    #[arg(long, default_value_t = 0)]
    pub(crate) controller_concurrency: usize,
    /// How often one image may fail on one host before it is left alone; 0 means for ever.
    #[arg(long, default_value_t = 5)]
    pub(crate) max_provisioning_retries: i64,
}

impl Settings {
    /// A line for each flag without effect on one of these families.
    pub(crate) fn warnings(&self, families: &[Family]) -> Vec<String> {
        let mut lines = self.peers.warnings();
        if !self.common.watch_filter.is_empty() && families.contains(&Family::Bmo) {
            lines.push("--watch-filter has no effect on the bare metal operator: it handles all hosts".to_owned());
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kit::telemetry::LogFormat;

    use super::*;

    fn understood(flags: &[&str], command: &str) -> Result<(Vec<Family>, Settings), clap::Error> {
        let args = ["metal3", command].into_iter().chain(flags.iter().copied()).map(Into::into);
        Args::try_parse_from(as_go_reads(args)).map(|args| Family::of(args.command))
    }

    fn parse(flags: &[&str], command: &str) -> Result<Settings, clap::Error> {
        understood(flags, command).map(|(_, settings)| settings)
    }

    fn warnings(flags: &[&str], command: &str) -> Vec<String> {
        let (families, settings) =
            understood(flags, command).unwrap_or_else(|error| panic!("{command} {flags:?}: {error}"));
        settings.warnings(&families)
    }

    /// Every flag that a Deployment of a Go manager may carry, with each subcommand.
    #[test]
    fn flags_of_the_go_managers_start_this_binary() {
        // A flag, and whether a warning says that it has no effect.
        let table: &[(&[&str], bool)] = &[
            (&["--leader-elect"], false),
            (&["--leader-elect=false"], false),
            (&["--enable-leader-election=true"], false),
            (&["--leader-elect-lease-duration=15s"], false),
            (&["--namespace=a"], false),
            (&["--sync-period=10m"], false),
            (&["--webhook-port=9443"], false),
            (&["--webhook-port", "0"], false),
            (&["--webhook-cert-dir=/certs"], false),
            (&["--health-addr=:9440"], false),
            (&["--metrics-addr=127.0.0.1:8085"], false),
            (&["--diagnostics-address=:8443", "--insecure-diagnostics=false"], false),
            (&["--ippool-concurrency=10"], false),
            (&["--metal3machine-concurrency=10"], false),
            (&["--metal3cluster-concurrency=10"], false),
            (&["--metal3datatemplate-concurrency=10"], false),
            (&["--metal3data-concurrency=10"], false),
            (&["--metal3labelsync-concurrency=10"], false),
            (&["--metal3machinetemplate-concurrency=10"], false),
            (&["--metal3remediation-concurrency=10"], false),
            (&["--enable-bmh-name-based-preallocation=true"], false),
            (&["--controller-concurrency=4"], false),
            (&["--max-provisioning-retries=0"], false),
            (&["-namespace=a", "-webhook-port", "0", "-enable-leader-election"], false),
            (&["-lease-duration-seconds=60", "-renew-deadline-seconds=40", "-retry-period-seconds=5"], false),
            (&["-v=4"], false),
            (&["-v", "2"], false),
            (&["-v4"], false),
            (&["--v=0"], false),
            (&["--logging-format=json"], false),
            (&["--logging-format=text"], false),
            (&["-dev"], false),
            (&["--dev=false"], false),
            (&["--kube-api-qps=20", "--kube-api-burst=30"], true),
            (&["--clustercache-client-qps=20", "--clustercache-client-burst=30"], true),
            (&["--tls-min-version=VersionTLS13"], true),
            (&["--tls-min-version=TLS13", "--tls-max-version=TLS13"], true),
            (&["--tls-cipher-suites=TLS_AES_128_GCM_SHA256,TLS_AES_256_GCM_SHA384"], true),
            (&["--tls-cipher-suites", "TLS_AES_128_GCM_SHA256", "--tls-cipher-suites=TLS_AES_256_GCM_SHA384"], true),
            (&["--tls-curve-preferences=X25519,CurveP256"], true),
            (&["--vmodule=a*=2"], true),
            (&["--log-flush-frequency=5s"], true),
            (&["--log-text-split-stream", "--log-text-info-buffer-size=0"], true),
            (&["--log-json-split-stream=false", "--log-json-info-buffer-size", "1Mi"], true),
            (&["--skip-crd-migration-phases=StorageVersionMigration,CleanupManagedFields"], true),
            (&["--hostclaims"], true),
            (&["-build-preprov-image"], true),
            (&["-provisioner=ironic"], true),
        ];
        for command in ["capi-provider", "ipam", "bmo", "all"] {
            for (flags, warned) in table {
                let warnings = warnings(flags, command);
                assert_eq!(!warnings.is_empty(), *warned, "{command} {flags:?}: {warnings:?}");
            }
            assert!(parse(&["--no-such-flag"], command).is_err(), "a flag that nobody has is a mistake");
        }
    }

    #[test]
    fn flags_with_a_meaning_here_take_effect() {
        let common = |flags: &[&str]| {
            let mut settings = parse(flags, "ipam").unwrap();
            settings.peers.apply(&mut settings.common);
            settings.common
        };
        assert_eq!(common(&["-logging-format=json"]).log_format, LogFormat::Json);
        assert_eq!(common(&[]).log_format, LogFormat::Text);
        // Flags, and whether the managers' own steps are logged.
        let table: [(&[&str], bool); 6] = [
            (&["-v=3"], false),
            (&["-v=4"], true),
            (&["--v=10"], true),
            (&["-dev"], true),
            (&["-dev=false"], false),
            (&["-v=4", "--log-level=warn"], false),
        ];
        for (flags, debug) in table {
            assert_eq!(common(flags).log_level.contains("ipam=debug"), debug, "{flags:?}");
        }
        assert_eq!(common(&["-v=4", "--log-level=warn"]).log_level, "warn");
        let timing = common(&["-lease-duration-seconds=60", "-renew-deadline-seconds", "40"]).lease_timing();
        let seconds = [timing.duration, timing.deadline, timing.retry].map(|time| time.as_secs());
        assert_eq!(seconds, [60, 40, Duration::from_secs(2).as_secs()]);
        let told = warnings(&["--tls-min-version=VersionTLS13"], "ipam");
        assert_eq!(told, ["--tls-min-version has no effect: all servers speak TLS 1.2 and 1.3"]);
    }

    #[test]
    fn the_watch_filter_has_no_effect_on_hosts_which_is_told() {
        for (command, told) in [("capi-provider", false), ("ipam", false), ("bmo", true), ("all", true)] {
            let warnings = warnings(&["--watch-filter=x"], command);
            assert_eq!(!warnings.is_empty(), told, "{command}: {warnings:?}");
        }
    }
}
