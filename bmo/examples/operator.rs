//! The operator alone, without leader election, webhooks and metrics: for trying things out against an Ironic.
//!
//! `KUBECONFIG=.. IRONIC_ENDPOINT=.. cargo run -p bmo --example operator`; the environment variables are those of the
//! real operator.

use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    kit::telemetry::start(kit::telemetry::LogFormat::Text, "info");
    let config = bmo::Config::from_env(|name| std::env::var(name).ok())?;
    let io = kit::client::Io::connect(None).await?;
    let shutdown = CancellationToken::new();
    let stop = shutdown.clone();
    tokio::spawn(async move {
        let _ = tokio::signal::ctrl_c().await;
        stop.cancel();
    });
    let context = kit::runtime::Context::new(io, shutdown);
    Ok(bmo::run(context, bmo::Options::new(config)).await?)
}
