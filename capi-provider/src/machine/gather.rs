//! Reads the [`View`]. Nothing is decided here but which reads a stage of life needs.

use std::sync::Arc;

use api::capi::{Cluster, Machine, MachineSet};
use api::infra::v1beta2::{Metal3Cluster, Metal3Data, Metal3DataClaim, Metal3Machine, Metal3MachineTemplate};
use api::metal3::{BareMetalHost, ProvisioningState};
use api::names::label;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kit::client::Io;
use kit::clock::Clock;
use kit::owners;
use kit::pass::{Fault, Found, Key};
use kit::runtime::{Context, SecretMeta};
use kit::store::Store;

use super::consumer::Consumer;
use super::view::{self, Hosts, Nodes, Reuse, Settings, View};
use super::{provision, release};
use crate::control_plane;
use crate::remote::{Remotes, forbidden};

/// Index of hosts by the Metal3Machine that uses them (`namespace/name`).
pub const BY_CONSUMER: &str = "consumer-machine";

/// The sources of views.
#[derive(Debug, Clone)]
pub struct Sources {
    /// Live reads.
    pub io: Io,
    /// The time.
    pub clock: Clock,
    /// Workload clusters.
    pub remotes: Remotes,
    /// Settings of the controller.
    pub settings: Settings,
    /// Value of the watch-filter label; empty for every machine.
    pub watch_filter: String,
    /// Metal3Machines.
    pub machines: Store<Metal3Machine>,
    /// Cluster API Machines.
    pub owners: Store<Machine>,
    /// Clusters.
    pub clusters: Store<Cluster>,
    /// Metal3Clusters.
    pub infras: Store<Metal3Cluster>,
    /// Hosts, with [`BY_CONSUMER`].
    pub hosts: Store<BareMetalHost>,
    /// Metal3DataClaims.
    pub claims: Store<Metal3DataClaim>,
    /// Metal3Datas.
    pub datas: Store<Metal3Data>,
    /// Metal3MachineTemplates.
    pub templates: Store<Metal3MachineTemplate>,
}

impl Sources {
    /// Sources over a context's caches.
    pub fn new(context: &Context, remotes: Remotes, settings: Settings) -> Self {
        Self {
            io: context.io.clone(),
            clock: context.clock.clone(),
            remotes,
            settings,
            watch_filter: context.watch_filter.clone(),
            machines: context.store(),
            owners: context.store(),
            clusters: context.store(),
            infras: context.store(),
            hosts: context.store::<BareMetalHost>().index(BY_CONSUMER, consumer_of),
            claims: context.store(),
            datas: context.store(),
            templates: context.store(),
        }
    }

    /// The view of one machine.
    pub async fn view(&self, key: &Key) -> Found<View> {
        let Some(machine) = self.machines.get(key) else { return Found::Missing };
        if !owners::watched(&machine.metadata, &self.watch_filter) {
            return Found::Missing;
        }
        match self.read(key, machine).await {
            Ok(view) => Found::View(view),
            Err(fault) => Found::Later(fault),
        }
    }

    async fn read(&self, key: &Key, machine: Arc<Metal3Machine>) -> Result<View, Fault> {
        let beside = |name: &str| Key::new(key.namespace.as_str(), name);
        let owner = owners::owner_of_kind(&machine.metadata, api::capi::GROUP, "Machine")
            .and_then(|owner| self.owners.get(&beside(&owner.name)));
        let mut view = View {
            now: self.clock.now(),
            settings: self.settings,
            owner,
            cluster: None,
            infra: None,
            hosts: Hosts { ours: self.hosts.by(BY_CONSUMER, &key.to_string()), ..Hosts::default() },
            claim: self.claims.get(key),
            data: None,
            bmc_secret: None,
            reuse: Reuse::default(),
            nodes: Nodes::NotAsked,
            machine,
        };
        view.cluster = view.cluster_key().and_then(|key| self.clusters.get(&key));
        let infra = view.cluster.as_ref().and_then(|cluster| cluster.spec.infrastructure_ref.as_ref());
        view.infra = infra
            .filter(|reference| reference.is("Metal3Cluster", api::infra::GROUP))
            .and_then(|reference| self.infras.get(&beside(&reference.name)));
        let answer = view.claim.as_ref().and_then(|claim| claim.status.as_ref()?.rendered_data.as_ref()?.name.clone());
        view.data = answer.and_then(|name| self.datas.get(&beside(&name)));
        view.reuse.owner = view.owner.as_deref().and_then(reuse_owner);
        self.read_live(&mut view).await?;
        Ok(view)
    }

    /// What the stage of life needs from the API server itself, or from the workload cluster.
    async fn read_live(&self, view: &mut View) -> Result<(), Fault> {
        let namespace = view.namespace().to_owned();
        if view.hosts.ours.is_empty() && !view.paused() {
            if let Some(name) = view.named_host() {
                let live = self.io.get::<BareMetalHost>(&Key::new(namespace.as_str(), name)).await?.map(Arc::new);
                match live {
                    Some(host) if view.uses(&host) => view.hosts.ours = vec![host],
                    other => view.hosts.named = other,
                }
            }
            if view.hosts.ours.is_empty() && !view.deleting() {
                view.hosts.candidates = self.hosts.list(Some(&namespace));
            }
        }
        let Some(host) = view.host().cloned() else { return Ok(()) };
        if (view.deleting() || !provision::deployed(&host))
            && !view.paused()
            && !host.spec.bmc.credentials_name.is_empty()
        {
            let secret = Key::new(namespace.as_str(), host.spec.bmc.credentials_name.as_str());
            view.bmc_secret = self.io.get::<SecretMeta>(&secret).await?;
        }
        if view.deleting() && release::nearly_free(&host) {
            view.reuse.keep = match self.keep(view).await {
                // Only a missing right lasts, and is told.
                Err(fault) if !forbidden(&fault) => return Err(fault),
                known => known,
            };
        }
        if asks_for_nodes(view, &host)
            && let Some(cluster) = view.cluster_key()
        {
            view.nodes = match self.remotes.nodes_for(&cluster, &Key::of(&*view.machine)).await {
                Ok(nodes) => Nodes::Seen(nodes),
                Err(fault) => Nodes::Unknown(fault),
            };
        }
        Ok(())
    }

    /// Whether the template of the machine's owner asks to keep released hosts. What is gone asks for nothing.
    async fn keep(&self, view: &View) -> Result<bool, Fault> {
        let Some(owner) = view.owner.as_deref() else { return Ok(false) };
        let template = match controlling(owner) {
            Some(Owner::ControlPlane(reference)) => {
                let found = control_plane::read(&self.io, view.namespace(), reference).await?;
                found.and_then(|found| found.template)
            }
            Some(Owner::MachineSet(reference)) => {
                let set = self.io.get::<MachineSet>(&Key::new(view.namespace(), reference.name.as_str())).await?;
                set.map(|set| set.spec.template.spec.infrastructure_ref.name)
            }
            None => None,
        };
        let template = template.and_then(|name| self.templates.get(&Key::new(view.namespace(), name)));
        Ok(template.is_some_and(|template| template.spec.node_reuse == Some(true)))
    }
}

/// Values of [`BY_CONSUMER`].
fn consumer_of(host: &BareMetalHost) -> Vec<String> {
    match Consumer::of(host) {
        // A consumer in another namespace cannot have this host.
        Consumer::Machine(key) if Some(&key.namespace) == host.metadata.namespace.as_ref() => vec![key.to_string()],
        Consumer::Machine(_) | Consumer::Cluster(_) | Consumer::None | Consumer::Other => Vec::new(),
    }
}

/// Whether the workload cluster must be asked: the host runs, and Cluster API has not found the Node yet.
fn asks_for_nodes(view: &View, host: &BareMetalHost) -> bool {
    let running = provision::state(host) == ProvisioningState::Provisioned;
    let found = view.owner.as_ref().is_some_and(|owner| owner.node_name().is_some());
    let bound = view.machine.spec.provider_id.is_some();
    running && !view.paused() && !view.deleting() && (bound || view.cloud_provider()) && !(found && bound)
}

enum Owner<'a> {
    ControlPlane(&'a OwnerReference),
    MachineSet(&'a OwnerReference),
}

fn controlling(machine: &Machine) -> Option<Owner<'_>> {
    let set = || owners::owner_of_kind(&machine.metadata, api::capi::GROUP, "MachineSet").map(Owner::MachineSet);
    control_plane::owner(machine).map(Owner::ControlPlane).or_else(set)
}

/// The reuse label's value for machines of this owner: `cp-<control plane>` or `md-<deployment>`.
pub fn reuse_owner(machine: &Machine) -> Option<String> {
    match controlling(machine)? {
        Owner::ControlPlane(owner) => Some(format!("cp-{}", owner.name)),
        Owner::MachineSet(_) => {
            let deployment = machine.metadata.labels.as_ref()?.get(label::CAPI_DEPLOYMENT_NAME)?;
            Some(format!("md-{deployment}"))
        }
    }
}

/// Whether a machine looks for a host, for the index of those that a free host wakes.
pub fn waits_for_host(machine: &Metal3Machine) -> bool {
    let conditions = machine.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    machine.metadata.deletion_timestamp.is_none()
        && !view::provisioned(machine)
        && !kit::conditions::is_true(conditions, super::status::ASSOCIATED)
}
