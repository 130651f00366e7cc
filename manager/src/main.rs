//! The binary `metal3`: flags and wiring, nothing else.
//!
//! ```text
//! args (flags) -> run: connect -> one Context (caches, metrics, shutdown) -> families (what the subcommand names)
//!                                  |                                          each with its own lease
//!                                  '-> webhooks, health, diagnostics: one of each per process
//! ```

mod args;
mod families;
mod peers;
mod run;

fn main() -> anyhow::Result<()> {
    // An error means that a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let args = args::Args::from_command_line();
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run::run(args))
}
