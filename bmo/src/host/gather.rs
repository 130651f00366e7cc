//! Reads what a decision about one host may know: caches first, the API server only for Secrets, Ironic's picture for
//! the node, and Ironic itself only for what a step is about to need.

use std::sync::Arc;
use std::time::Duration;

use api::metal3::{
    BareMetalHost, CredentialsStatus, HardwareData, HostFirmwareComponents, HostFirmwareSettings, HostUpdatePolicy,
};
use api::names::annotation;
use ironic::{Node, Poll, PortFilter, ProvisionState as N};
use kit::client::Io;
use kit::clock::Clock;
use kit::key::Key;
use kit::pass::{Class, Fault, Found};
use kit::runtime::SecretMeta;
use kit::store::Store;

use crate::calls::fault;
use crate::config::Config;
use crate::host::facts;
use crate::host::state::{State as S, Traits as _};
use crate::host::view::{Capacity, Credentials, Firmware, HostView, Material, NodeSeen, Stale};
use crate::host::{drive, release, wish};

/// How long a look-up of a name may take.
const LOOK_UP: Duration = Duration::from_secs(5);

/// The sources of a host's view.
#[derive(Debug, Clone)]
pub struct Sources {
    /// The API server.
    pub io: Io,
    /// The time.
    pub clock: Clock,
    /// Ironic's picture.
    pub poll: Poll,
    /// The operator's settings.
    pub config: Arc<Config>,
    /// Hosts.
    pub hosts: Store<BareMetalHost>,
    /// Hardware.
    pub hardware: Store<HardwareData>,
    /// Firmware settings.
    pub settings: Store<HostFirmwareSettings>,
    /// Firmware components.
    pub components: Store<HostFirmwareComponents>,
    /// Update policies.
    pub policies: Store<HostUpdatePolicy>,
    /// Secrets that carry our label, without their content.
    pub secrets: Store<SecretMeta>,
}

impl Sources {
    /// The view of one host.
    pub async fn gather(&self, key: &Key) -> Found<HostView> {
        let Some(host) = self.hosts.get(key) else { return Found::Missing };
        let mut view = self.known(host);
        if view.state.managed() && view.annotation(annotation::HOST_PAUSED).is_none() {
            self.look_at_ironic(&mut view).await;
            view.stale = self.stale(&view);
            // A fault is part of the view, so that people are told of it.
            view.unread = self.read(&mut view).await.err();
        }
        Found::View(view)
    }

    /// What the caches know.
    fn known(&self, host: Arc<BareMetalHost>) -> HostView {
        let key = Key::of(host.as_ref());
        let state = host.status.as_ref().map(|status| status.provisioning.state.clone()).unwrap_or_default();
        HostView {
            state,
            now: self.clock.now(),
            config: self.config.clone(),
            hardware_data: self.hardware.get(&key),
            credentials: Credentials::Unneeded,
            ramdisk_network: Material::Unread,
            ramdisk_secret: None,
            node: NodeSeen::NotAsked,
            ports: None,
            inventory: None,
            firmware: Firmware {
                settings: self.settings.get(&key),
                components: self.components.get(&key),
                policy: self.policies.get(&key),
                reported: None,
            },
            drive: Material::Unread,
            pull_secret: Material::Unread,
            capacity: Capacity { limit: self.config.provisioning_limit, ..Capacity::default() },
            unread: None,
            fingerprint: None,
            stale: Vec::new(),
            controller_v6: None,
            versions: None,
            host,
        }
    }

    /// What only the API server or Ironic itself know.
    async fn read(&self, view: &mut HostView) -> Result<(), Fault> {
        self.credentials(view).await?;
        view.controller_v6 = self.controller_v6(view).await;
        self.ramdisk_network(view).await?;
        if let Some(node) = view.node().cloned() {
            self.details(view, &node).await?;
        }
        Ok(())
    }

    /// The Secrets that the host holds although it does not name them any more.
    fn stale(&self, view: &HostView) -> Vec<Stale> {
        let owned = self.secrets.by(release::OWNER, &Key::of(view.host.as_ref()).to_string());
        let stale = owned.into_iter().filter(|secret| release::is_stale(&view.host, secret));
        stale.map(|secret| Stale { shared: self.is_named_elsewhere(view, &secret), secret }).collect()
    }

    fn is_named_elsewhere(&self, view: &HostView, secret: &SecretMeta) -> bool {
        let hosts = self.hosts.list(Some(view.namespace()));
        hosts.iter().any(|host| host.metadata.name != view.host.metadata.name && release::names(host, secret))
    }

    /// The node, from the picture. What the picture does not have is looked up once where a wrong "absent" would be
    /// final.
    async fn look_at_ironic(&self, view: &mut HostView) {
        let health = self.poll.health();
        view.versions = health.versions;
        if let Err(text) = health.usable() {
            let text = format!("{text}; check that {} can be reached, and Ironic's log", self.poll.client().endpoint());
            view.node = NodeSeen::Unreachable(Fault::new(Class::Backoff, "IronicUnreachable", text));
            return;
        }
        let candidates = wish::node_names(view);
        let mut found = candidates.iter().find_map(|name| self.poll.node(name));
        if found.is_none() && matches!(view.state, S::Deleting) {
            for name in &candidates {
                match self.poll.refresh(name).await {
                    Ok(Some(node)) => {
                        found = Some(node);
                        break;
                    }
                    Ok(None) => {}
                    Err(error) => {
                        view.node = NodeSeen::Unreachable(fault("look the machine up", &error));
                        return;
                    }
                }
            }
        }
        view.capacity = wish::capacity(view, found.as_deref(), &self.poll.nodes());
        view.node = found.map_or(NodeSeen::Absent, |node| NodeSeen::Found(Box::new(node.as_ref().clone())));
    }

    /// The Secret of the management controller. Its content is only read when it changed, or when Ironic must be told.
    async fn credentials(&self, view: &mut HostView) -> Result<(), Fault> {
        let name = view.spec().bmc.credentials_name.clone();
        if name.is_empty() {
            return Ok(());
        }
        let key = Key::new(view.namespace(), name.clone());
        let known = self.secrets.get(&key).map(|meta| CredentialsStatus {
            credentials: Some(facts::reference(&key)),
            credentials_version: meta.metadata.resource_version.clone(),
        });
        let status = view.status();
        let settled = known.filter(|seen| status.tried_credentials == *seen && status.good_credentials == *seen);
        if let (Some(seen), Some(node)) = (settled, view.node())
            && view.state != S::Deleting
            && node.provision_state != N::Enroll
            && wish::has_login(view, node)
        {
            view.credentials = Credentials::Unchanged(seen);
            return Ok(());
        }
        view.credentials = match self.io.secret(&key).await? {
            Some(secret) => Credentials::Read(Box::new(secret)),
            None => Credentials::Missing(name),
        };
        if view.credentials_moved() || view.node().is_none() {
            view.fingerprint = wish::fingerprint(view);
        }
        Ok(())
    }

    /// Only asked where it makes a difference. A name is looked up when the node is made or its access changes; its first
    /// address counts.
    async fn controller_v6(&self, view: &HostView) -> Option<bool> {
        let literal = wish::controller_v6(view);
        let settled = matches!(view.credentials, Credentials::Unneeded | Credentials::Unchanged(_));
        if literal.is_some() || settled || self.config.external_url_v6.is_none() {
            return literal;
        }
        let found = tokio::time::timeout(LOOK_UP, tokio::net::lookup_host(wish::controller_name(view)?)).await;
        found.ok()?.ok()?.next().map(|address| address.is_ipv6())
    }

    async fn ramdisk_network(&self, view: &mut HostView) -> Result<(), Fault> {
        let Some(name) = view.spec().preprovisioning_network_data_name.clone() else {
            view.ramdisk_network = Material::None;
            return Ok(());
        };
        let key = Key::new(view.namespace(), name.clone());
        match self.io.secret(&key).await? {
            Some(secret) => {
                view.ramdisk_network = match drive::value(&secret, "networkData") {
                    Some(text) => Material::Some(text),
                    None => Material::Broken(format!("the Secret {key} has neither key networkData nor value")),
                };
                view.ramdisk_secret = Some(Box::new(secret));
            }
            None if view.deleting() => view.ramdisk_network = Material::None,
            None => {
                let text = format!("the Secret {key} of spec.preprovisioningNetworkDataName does not exist; create it");
                view.ramdisk_network = Material::Broken(text);
            }
        }
        Ok(())
    }

    /// What the next step needs from Ironic or from Secrets, by state.
    async fn details(&self, view: &mut HostView, node: &Node) -> Result<(), Fault> {
        let client = self.poll.client();
        if view.deleting() {
            return Ok(());
        }
        // A running machine boots from none of them: they were made before, and are looked at again when it is free.
        let runs = view.state.in_use() && node.provision_state == N::Active;
        if wish::ports_can_be_made(node) && !runs {
            let ports = client.ports(&PortFilter::Node(node.uuid.clone())).await;
            view.ports = Some(ports.map_err(|error| fault("list the machine's network interfaces", &error))?);
        }
        let asks_parts = matches!(view.state, S::Preparing | S::ExternallyProvisioned);
        if asks_parts && view.firmware.components.is_none() {
            // Not every driver has firmware to report; that is no reason to stop.
            view.firmware.reported = client.firmware(&node.uuid).await.ok();
        }
        if view.state == S::Inspecting && node.provision_state == N::Manageable {
            let found = client.inventory(&node.uuid).await;
            view.inventory = found.map_err(|error| fault("read the inspection result", &error))?;
        }
        let deploys = view.state == S::Provisioning && matches!(node.provision_state, N::Available | N::DeployFailed);
        if deploys || (view.state == S::Available && view.needs_provisioning()) {
            view.drive = drive::read(&self.io, view).await?;
            view.pull_secret = drive::pull_secret(&self.io, view).await?;
        }
        Ok(())
    }
}
