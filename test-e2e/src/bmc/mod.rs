//! The management controllers of the emulated machines: one Redfish service, one system per machine.
//!
//! Who feeds whom: a test (or Ironic, through Redfish) changes a [`Machine`](machine::Machine) by [`service`];
//! the machine turns its boot settings into a QEMU command line ([`qemu`]) and keeps its state in its own folder, so
//! that a restart of the emulator finds power, media and boot settings as they were (QEMU itself is not a child that
//! dies with the emulator). [`auth`] knows who may ask, [`resources`] builds the JSON of each Redfish resource.
//!
//! What is emulated is what Ironic's redfish hardware type asks of a BMC; everything else answers 404 as a small BMC
//! would. Faults are given by a file `faults.json` in the machine's folder, read at each request ([`faults`]).

pub mod auth;
pub mod faults;
pub mod machine;
pub mod qemu;
pub mod qmp;
pub mod resources;
pub mod service;
pub mod spec;
mod state;
#[cfg(test)]
mod tests;

use std::path::Path;

use anyhow::{Context, Result};
use tokio::net::TcpListener;

pub use spec::{Fleet, MachineSpec};

/// Serves the fleet described in the file `fleet` until the process is told to stop (SIGTERM or SIGINT).
///
/// Machines that run when the service stops keep running; the next start adopts them. To switch everything off, use
/// [`machine::Machine::power_off`] or `down` of the bench.
pub async fn serve(fleet: &Path) -> Result<()> {
    // Images are fetched by a client that wants to know its cryptography even for plain HTTP.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let fleet = Fleet::read(fleet)?;
    let listener = TcpListener::bind(fleet.listen)
        .await
        .with_context(|| format!("cannot listen on {}; is another emulator running?", fleet.listen))?;
    let mut machines = Vec::new();
    for spec in &fleet.machines {
        machines.push(machine::Machine::open(&fleet, spec).await?);
    }
    let service = service::Service::new(&fleet.folder.join("requests.log"), machines)?;
    tracing::info!(listen = %fleet.listen, machines = fleet.machines.len(), "management controllers answer");
    axum::serve(listener, service.router()).with_graceful_shutdown(stopped()).await.context("the service ended")
}

/// Resolves at SIGTERM or SIGINT.
async fn stopped() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        return std::future::pending().await;
    };
    tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
}
