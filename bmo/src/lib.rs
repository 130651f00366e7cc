//! bmo: the bare metal operator. It brings machines (BareMetalHost) to their wished state through Ironic.
//!
//! Who feeds whom:
//!
//! ```text
//! BareMetalHost, Secrets, firmware objects --watch--> host::gather --> host::life (pure) --> calls --> Ironic
//!                                                         ^                 |                           |
//!                                                         |            host::status --> status, events  |
//!                                                         '--------- ironic::Poll (picture of nodes) <--'
//! ```
//!
//! [`run`] starts it; [`hooks`] are its webhooks; [`config`] is how it is set up; [`node`] maps a host to its Ironic
//! node and [`calls`] are the requests. [`firmware`] reads settings and versions and checks what is wished of them.

pub mod calls;
pub mod config;
pub mod firmware;
pub mod hooks;
pub mod host;
pub mod metrics;
pub mod node;

use std::sync::Arc;

use api::metal3::{BareMetalHost, HardwareData, HostFirmwareComponents, HostFirmwareSettings, HostUpdatePolicy};
use api::names::label;
use ironic::{Client, Poll, PollOptions, Poller};
use kit::key::Key;
use kit::pass::{Class, Fault};
use kit::runtime::{Context, SecretMeta};
use kit::store::Store;
use kit::tasks::{self, Task};
use kit::wakes::{Bell, Registration};
use kit::worker;
use tokio::sync::broadcast::Receiver;

pub use config::{Config, ConfigError};
pub use hooks::hooks;
use host::Hosts;
use host::gather::Sources;
use host::release::{self, OWNER};

/// How to run the operator.
#[derive(Debug, Clone)]
pub struct Options {
    /// Settings.
    pub config: Config,
    /// How often to look at Ironic.
    pub poll: PollOptions,
    /// How passes are run; the concurrency is taken from the settings.
    pub worker: worker::Options,
}

impl Options {
    /// The usual pace over these settings.
    pub fn new(config: Config) -> Self {
        Self { config, poll: PollOptions::default(), worker: worker::Options::default() }
    }
}

/// Runs the controllers until the context's shutdown fires.
pub async fn run(context: Context, options: Options) -> Result<(), Fault> {
    let setup = |error: ironic::Error| Fault::new(Class::User, "IronicSetup", format!("cannot use Ironic: {error}"));
    let client = Client::new(options.config.ironic.clone()).map_err(setup)?;
    let (poller, poll) = Poller::new(client, options.poll);
    let sources = sources(&context, &poll, Arc::new(options.config.clone()));
    let bell = Bell::new();
    let wakes = wakes(&sources, &bell);
    let concurrency = options.worker.concurrency(options.config.concurrency);
    let hosts = sources.hosts.clone();
    let [settings, components] = firmware::spawn(&context, &sources, concurrency);
    metrics::observe(&context.metrics, &hosts);
    let worker = worker::spawn(&context, Hosts::new(sources), wakes, concurrency);
    // Before the poller runs: its first list ends the wait of every host.
    let changes = poll.subscribe();
    let (stop, end) = (context.shutdown.clone(), context.shutdown.clone().cancelled_owned());
    let ringing = async move {
        stop.run_until_cancelled(ring(changes, bell, hosts)).await;
    };
    let (polling, ringing) = (Task::spawn("ironic-poll", poller.run(end)), Task::spawn("ironic-changes", ringing));
    let ended = tasks::until_first(&context, [worker, settings, components, polling, ringing]).await;
    ended.map_err(|ended| Fault::new(Class::Bug, "WorkerEnded", ended.to_string()))
}

fn sources(context: &Context, poll: &Poll, config: Arc<Config>) -> Sources {
    let selector = format!("{}={}", label::ENVIRONMENT, label::ENVIRONMENT_BAREMETAL);
    Sources {
        io: context.io.clone(),
        clock: context.clock.clone(),
        poll: poll.clone(),
        config,
        hosts: context.store::<BareMetalHost>(),
        hardware: context.store::<HardwareData>(),
        settings: context.store::<HostFirmwareSettings>(),
        components: context.store::<HostFirmwareComponents>(),
        policies: context.store::<HostUpdatePolicy>(),
        secrets: context
            .secrets(&selector)
            .index(OWNER, |secret| release::owning_hosts(secret).iter().map(Key::to_string).collect()),
    }
}

/// What wakes a host: itself, what has its name, and the Secrets that it owns.
fn wakes(sources: &Sources, bell: &Bell) -> Registration {
    Registration::new()
        .watch(&sources.hosts, |old: Option<&BareMetalHost>, new: Option<&BareMetalHost>| {
            let wakes = match (old, new) {
                (Some(old), Some(new)) => {
                    old.metadata.generation != new.metadata.generation
                        || old.metadata.annotations != new.metadata.annotations
                        || old.metadata.finalizers != new.metadata.finalizers
                        || old.metadata.deletion_timestamp != new.metadata.deletion_timestamp
                        || old.metadata.uid != new.metadata.uid
                }
                (None, _) | (_, None) => true,
            };
            new.or(old).filter(|_| wakes).map(Key::of).into_iter().collect()
        })
        .own(&sources.hardware)
        .own(&sources.settings)
        .own(&sources.components)
        .own(&sources.policies)
        .watch(&sources.secrets, secret_owners)
        .bell(bell)
}

/// A Secret concerns the hosts that own it, whether or not they control it.
fn secret_owners(old: Option<&SecretMeta>, new: Option<&SecretMeta>) -> Vec<Key> {
    let mut keys: Vec<Key> = old.into_iter().chain(new).flat_map(release::owning_hosts).collect();
    keys.sort();
    keys.dedup();
    keys
}

/// Wakes hosts by what happens in Ironic: a node that changed wakes its host, an outage or its end wakes all.
async fn ring(mut changes: Receiver<ironic::Change>, bell: Bell, hosts: Store<BareMetalHost>) {
    let all = |bell: &Bell| hosts.list(None).iter().for_each(|host| bell.ring(&Key::of(host.as_ref())));
    loop {
        match changes.recv().await {
            Ok(change) => match &change {
                ironic::Change::Node { .. } => {
                    for (namespace, name) in change.names().filter_map(node::names::host_of) {
                        bell.ring(&Key::new(namespace, name));
                    }
                }
                ironic::Change::Health => all(&bell),
            },
            Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => all(&bell),
            Err(tokio::sync::broadcast::error::RecvError::Closed) => return,
        }
    }
}
