//! Flags that only the Go managers have, so that their manifests start this binary: honoured where that means
//! something here, else told to have no effect.

use std::ffi::OsString;
use std::time::Duration;

use clap::{ArgAction, Args as Flags};
use kit::args::Common;
use kit::lease::Timing;
use kit::telemetry::LogFormat;

/// From this verbosity on the Go managers tell what they do step by step.
const VERBOSE: u8 = 4;
/// What is logged by default.
const INFO: &str = "info";
/// What is logged then: our own crates, not the libraries below them.
const DEBUG: &str = "info,metal3=debug,kit=debug,ipam=debug,bmo=debug,ironic=debug,capi_provider=debug,api=debug";

/// Go writes long flags with one dash or two. What has one and cannot be `-v4` gets the second.
pub(crate) fn as_go_reads(args: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let long = |text: &str| {
        text.starts_with('-') && text.chars().skip(1).take(2).filter(char::is_ascii_lowercase).count() == 2
    };
    args.into_iter()
        .map(|arg| match arg.to_str() {
            Some(text) if long(text) => format!("-{text}").into(),
            Some(_) | None => arg,
        })
        .collect()
}

/// Flags of the peers beside those of this binary.
#[derive(Debug, Default, Flags)]
#[command(next_help_heading = "Accepted for compatibility")]
pub(crate) struct Peers {
    /// Log verbosity; from 4 on as `--log-level=debug` for the managers themselves.
    #[arg(short, long = "v", hide = true)]
    v: Option<u8>,
    /// As `--log-format`.
    #[arg(long, hide = true)]
    logging_format: Option<LogFormat>,
    /// Developers' logs.
    #[arg(long, hide = true, num_args = 0..=1, default_missing_value = "true")]
    dev: Option<bool>,
    /// As `--leader-elect-lease-duration`.
    #[arg(long, hide = true, env = "LEASE_DURATION_SECONDS")]
    lease_duration_seconds: Option<u16>,
    /// As `--leader-elect-renew-deadline`.
    #[arg(long, hide = true, env = "RENEW_DEADLINE_SECONDS")]
    renew_deadline_seconds: Option<u16>,
    /// As `--leader-elect-retry-period`.
    #[arg(long, hide = true, env = "RETRY_PERIOD_SECONDS")]
    retry_period_seconds: Option<u16>,
    #[command(flatten)]
    ignored: Ignored,
}

macro_rules! ignored {
    ($($field:ident: $why:literal),* $(,)?) => {
        /// Flags that have nothing to set here, with any value.
        #[derive(Debug, Default, Flags)]
        struct Ignored {
            $(
                #[doc = $why]
                #[arg(long, hide = true, num_args = 0..=1, default_missing_value = "", action = ArgAction::Append)]
                $field: Vec<String>,
            )*
        }

        impl Ignored {
            /// Name of each flag that was given, and why it has no effect.
            fn given(&self) -> Vec<(String, &'static str)> {
                let all = [$((stringify!($field), &self.$field, $why)),*];
                let given = all.into_iter().filter(|(_, values, _)| !values.is_empty());
                given.map(|(field, _, why)| (field.replace('_', "-"), why)).collect()
            }
        }
    };
}

ignored! {
    kube_api_qps: "requests are limited by the number of passes at once",
    kube_api_burst: "requests are limited by the number of passes at once",
    clustercache_client_qps: "requests are limited by the number of passes at once",
    clustercache_client_burst: "requests are limited by the number of passes at once",
    tls_min_version: "all servers speak TLS 1.2 and 1.3",
    tls_max_version: "all servers speak TLS 1.2 and 1.3",
    tls_cipher_suites: "only suites with forward secrecy and authenticated encryption are spoken",
    tls_curve_preferences: "the order of key exchanges is that of the library",
    vmodule: "write e.g. --log-level=info,kit=debug",
    log_flush_frequency: "lines are written at once",
    log_text_split_stream: "lines are written to standard error at once",
    log_text_info_buffer_size: "lines are written to standard error at once",
    log_json_split_stream: "lines are written to standard error at once",
    log_json_info_buffer_size: "lines are written to standard error at once",
    skip_crd_migration_phases: "nothing is migrated: each definition stores one version",
    hostclaims: "host claims are not served yet",
    build_preprov_image: "PreprovisioningImages are not asked for yet",
    provisioner: "hosts are always provisioned through Ironic",
}

impl Peers {
    /// Puts into effect what has a meaning here; an own flag that was set outranks it.
    pub(crate) fn apply(&self, common: &mut Common) {
        if let (Some(format), true) = (self.logging_format, common.log_format == LogFormat::default()) {
            common.log_format = format;
        }
        let verbose = self.dev == Some(true) || self.v.is_some_and(|v| v >= VERBOSE);
        if verbose && common.log_level == INFO {
            DEBUG.clone_into(&mut common.log_level);
        }
        let defaults = Timing::default();
        for (given, time, default) in [
            (self.lease_duration_seconds, &mut common.leader_elect_lease_duration, defaults.duration),
            (self.renew_deadline_seconds, &mut common.leader_elect_renew_deadline, defaults.deadline),
            (self.retry_period_seconds, &mut common.leader_elect_retry_period, defaults.retry),
        ] {
            if let (Some(seconds), true) = (given, *time == default) {
                *time = Duration::from_secs(seconds.into());
            }
        }
    }

    /// A line for each flag without effect.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let line = |(flag, why)| format!("--{flag} has no effect: {why}");
        self.ignored.given().into_iter().map(line).collect()
    }
}
