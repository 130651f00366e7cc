//! Logs: JSON for machines or text for people, filtered by `RUST_LOG` or a flag.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// kube's client calls every failed request an error; each of ours is classified and told with its object instead.
const QUIET: &str = "kube_client::client::builder=off";

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Starts logging to standard error. `level` is a filter such as `info` or `info,kit=debug`; the environment's
/// `RUST_LOG` outranks it. A second call changes nothing.
pub fn start(format: LogFormat, level: &str) {
    let filter = EnvFilter::try_from_default_env()
        .or_else(|_| EnvFilter::try_new(format!("{level},{QUIET}")))
        .unwrap_or_else(|_| EnvFilter::new(format!("info,{QUIET}")));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // Colours are for terminals: in a file they only hide what one searches for.
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    // An error means that logging was started before, e.g. by a test.
    let _ = match format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
}
