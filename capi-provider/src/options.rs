//! Flags of the provider, under the names of the Go provider where it has them.

use std::time::Duration;

/// What the operator of the provider decides.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Metal3Machines looked at at once.
    #[arg(long, default_value_t = 10)]
    pub metal3machine_concurrency: usize,
    /// Metal3Clusters looked at at once.
    #[arg(long, default_value_t = 10)]
    pub metal3cluster_concurrency: usize,
    /// Metal3DataTemplates looked at at once.
    #[arg(long, default_value_t = 10)]
    pub metal3datatemplate_concurrency: usize,
    /// Metal3Datas looked at at once.
    #[arg(long, default_value_t = 10)]
    pub metal3data_concurrency: usize,
    /// Hosts whose labels are synchronised at once.
    #[arg(long, default_value_t = 10)]
    pub metal3labelsync_concurrency: usize,
    /// Metal3MachineTemplates looked at at once.
    #[arg(long, default_value_t = 10)]
    pub metal3machinetemplate_concurrency: usize,
    /// Metal3Remediations looked at at once.
    #[arg(long, default_value_t = 10)]
    pub metal3remediation_concurrency: usize,
    /// Name address claims after the host, so that a host keeps its addresses over re-provisioning.
    #[arg(long, default_value_t = false, num_args = 0..=1, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub enable_bmh_name_based_preallocation: bool,
    /// Leave released hosts on, so that their next deployment skips one boot.
    #[arg(long, env = "CAPM3_FAST_TRACK", default_value_t = false, num_args = 0..=1, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub fast_track: bool,
    /// Refuse hosts outside the failure domain that Cluster API chose, instead of preferring those inside.
    #[arg(long, default_value_t = false, num_args = 0..=1, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub strict_failure_domains: bool,
    /// Every object is looked at once in this time even when nothing changes; from the common flags.
    #[arg(skip = Some(Duration::from_mins(10)))]
    pub resync: Option<Duration>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            metal3machine_concurrency: 10,
            metal3cluster_concurrency: 10,
            metal3datatemplate_concurrency: 10,
            metal3data_concurrency: 10,
            metal3labelsync_concurrency: 10,
            metal3machinetemplate_concurrency: 10,
            metal3remediation_concurrency: 10,
            enable_bmh_name_based_preallocation: false,
            fast_track: false,
            strict_failure_domains: false,
            resync: Some(Duration::from_mins(10)),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        options: Options,
    }

    #[test]
    fn flags_of_the_go_provider_are_understood() {
        let line = ["x", "--metal3machine-concurrency=3", "--enable-bmh-name-based-preallocation=true"];
        let options = Cli::try_parse_from(line).unwrap().options;
        assert_eq!((options.metal3machine_concurrency, options.metal3data_concurrency), (3, 10));
        assert!(options.enable_bmh_name_based_preallocation && !options.fast_track);
    }
}
