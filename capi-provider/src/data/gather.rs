//! Where the views of the data controllers come from: caches, and a live read for Secrets that no cache knows.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::capi::{Cluster, Machine};
use api::infra::v1beta2::{Metal3Data, Metal3DataClaim, Metal3DataTemplate, Metal3Machine};
use api::ipam::{IPAddress, IPClaim, capi};
use api::metal3::BareMetalHost;
use api::names::label;
use kit::Kind;
use kit::client::Io;
use kit::clock::Clock;
use kit::owners;
use kit::pass::{Fault, Found, Key};
use kit::runtime::{Context, SecretMeta};
use kit::store::Store;
use kube::core::ObjectMeta;

use super::pools;
use super::secrets;
use super::view::{ClaimView, DataView, SecretSeen, TemplateView};
use super::{claims, indexes};
use crate::machine::view::named_host;

/// Index of claims and data by the template they refer to (`namespace/name`), and of data also by their names.
pub(super) const BY_TEMPLATE: &str = "data-template";
/// Index of data by the machine they are for (`namespace/name`).
pub(super) const BY_MACHINE: &str = "data-machine";
/// Index of claims and data by their Cluster (`namespace/name`).
pub(super) const BY_CLUSTER: &str = "data-cluster";
/// Index of address claims by the name of the Metal3Data that made them (`namespace/name`).
pub(super) const BY_DATA: &str = "data-owner";

/// The caches that the data controllers read.
#[derive(Debug, Clone)]
pub struct Sources {
    pub(super) io: Io,
    clock: Clock,
    pub(super) filter: String,
    pub(super) claims_named_after_host: bool,
    pub(super) templates: Store<Metal3DataTemplate>,
    pub(super) claims: Store<Metal3DataClaim>,
    pub(super) datas: Store<Metal3Data>,
    pub(super) metal3_machines: Store<Metal3Machine>,
    pub(super) machines: Store<Machine>,
    pub(super) clusters: Store<Cluster>,
    pub(super) hosts: Store<BareMetalHost>,
    pub(super) ip_claims: Store<IPClaim>,
    pub(super) ip_addresses: Store<IPAddress>,
    pub(super) capi_claims: Store<capi::IPAddressClaim>,
    pub(super) capi_addresses: Store<capi::IPAddress>,
    pub(super) secrets: Store<SecretMeta>,
}

impl Sources {
    /// The caches of a context. Address kinds may be installed later.
    pub fn new(context: &Context, claims_named_after_host: bool) -> Self {
        let sources = Self {
            io: context.io.clone(),
            clock: context.clock.clone(),
            filter: context.watch_filter.clone(),
            claims_named_after_host,
            templates: context.store(),
            claims: context.store(),
            datas: context.store(),
            metal3_machines: context.store(),
            machines: context.store(),
            clusters: context.store(),
            hosts: context.store(),
            ip_claims: context.optional_store(),
            ip_addresses: context.optional_store(),
            capi_claims: context.optional_store(),
            capi_addresses: context.optional_store(),
            secrets: context.secrets(label::CLUSTER_NAME),
        };
        sources.indexed()
    }

    /// Adds the indexes that the views and wakes use.
    fn indexed(self) -> Self {
        let text = |key: Option<Key>| key.into_iter().map(|key| key.to_string()).collect();
        Self {
            claims: (self.claims)
                .index(BY_TEMPLATE, move |claim| text(template_of_claim(claim)))
                .index(BY_CLUSTER, move |claim| text(cluster_key(&claim.metadata))),
            datas: (self.datas)
                .index(BY_TEMPLATE, templates_of_data)
                .index(BY_MACHINE, move |data| text(machine_key(&data.metadata)))
                .index(BY_CLUSTER, move |data| text(cluster_key(&data.metadata))),
            ip_claims: self.ip_claims.index(BY_DATA, made_by),
            capi_claims: self.capi_claims.index(BY_DATA, made_by),
            ..self
        }
    }

    /// Caches over fixed objects, for tests.
    #[cfg(test)]
    pub(super) fn fixed(io: Io) -> Self {
        let sources = Self {
            io,
            clock: Clock::system(),
            filter: String::new(),
            claims_named_after_host: false,
            templates: Store::fixed([]),
            claims: Store::fixed([]),
            datas: Store::fixed([]),
            metal3_machines: Store::fixed([]),
            machines: Store::fixed([]),
            clusters: Store::fixed([]),
            hosts: Store::fixed([]),
            ip_claims: Store::fixed([]),
            ip_addresses: Store::fixed([]),
            capi_claims: Store::fixed([]),
            capi_addresses: Store::fixed([]),
            secrets: Store::fixed([]),
        };
        sources.indexed()
    }

    /// The view of a template, which may be gone while others still refer to it.
    pub(super) fn template(&self, key: &Key) -> Found<TemplateView> {
        let template = self.templates.get(key);
        if template.as_ref().is_some_and(|template| !owners::watched(&template.metadata, &self.filter)) {
            return Found::Missing;
        }
        let name = key.to_string();
        let claims: Vec<ClaimView> =
            self.claims.by(BY_TEMPLATE, &name).into_iter().map(|claim| self.claim(claim)).collect();
        let datas = self.datas.by(BY_TEMPLATE, &name);
        if template.is_none() && claims.is_empty() {
            return Found::Missing;
        }
        Found::View(TemplateView { key: key.clone(), template, claims, datas, now: self.clock.now() })
    }

    fn claim(&self, claim: Arc<Metal3DataClaim>) -> ClaimView {
        let cluster = cluster_key(&claim.metadata).and_then(|key| self.clusters.get(&key));
        let machine_exists = machine_key(&claim.metadata).is_some_and(|key| self.metal3_machines.get(&key).is_some());
        ClaimView { claim, cluster, machine_exists }
    }

    /// The view of an index.
    pub(super) async fn data(&self, key: &Key) -> Found<DataView> {
        let Some(data) = self.datas.get(key).filter(|data| owners::watched(&data.metadata, &self.filter)) else {
            return Found::Missing;
        };
        let mut view = self.objects(data);
        self.address_claims(&mut view);
        match self.secrets(&view).await {
            Ok(secrets) => Found::View(DataView { secrets, ..view }),
            Err(fault) => Found::Later(fault),
        }
    }

    fn objects(&self, data: Arc<Metal3Data>) -> DataView {
        let namespace = data.metadata.namespace.clone().unwrap_or_default();
        let here = |name: &str| Key::new(namespace.as_str(), name);
        let claim_key = data.spec.claim.as_ref().and_then(|claim| claim.name()).map(here);
        let claim = claim_key.and_then(|key| self.claims.get(&key));
        let of_claim = claim.as_ref().and_then(|claim| secrets::machine_of(&claim.metadata));
        let machine_name = of_claim.or_else(|| secrets::machine_of(&data.metadata));
        let metal3_machine = machine_name.and_then(|name| self.metal3_machines.get(&here(name)));
        let machine = metal3_machine.as_ref().and_then(|machine| {
            let owner = owners::owner_of_kind(&machine.metadata, api::capi::GROUP, "Machine")?;
            self.machines.get(&here(&owner.name))
        });
        let host = metal3_machine.as_ref().and_then(|machine| self.hosts.get(&here(named_host(machine)?)));
        let template = data.spec.template.as_ref().and_then(|template| template.name()).map(here);
        DataView {
            cluster: cluster_key(&data.metadata).and_then(|key| self.clusters.get(&key)),
            template: template.and_then(|key| self.templates.get(&key)),
            claim,
            metal3_machine,
            machine,
            host,
            data,
            ip_claims: BTreeMap::new(),
            ip_addresses: BTreeMap::new(),
            capi_claims: BTreeMap::new(),
            capi_addresses: BTreeMap::new(),
            secrets: BTreeMap::new(),
            claims_named_after_host: self.claims_named_after_host,
            now: self.clock.now(),
        }
    }

    /// Claims the index made, claims of the names it would use, and the answers of all of them.
    fn address_claims(&self, view: &mut DataView) {
        let namespace = view.namespace().to_owned();
        let owned = format!("{namespace}/{}", view.name());
        view.ip_claims = by_name(self.ip_claims.by(BY_DATA, &owned));
        view.capi_claims = by_name(self.capi_claims.by(BY_DATA, &owned));
        let pools = match (&view.template, view.subject()) {
            (Some(template), Some(subject)) => pools::of(template, &subject).unwrap_or_default(),
            _ => std::collections::BTreeSet::new(),
        };
        let host = view.host.as_ref().and_then(|host| host.metadata.name.clone()).unwrap_or_default();
        let names: Vec<String> = pools.iter().flat_map(|pool| claims::names(pool, view.name(), &host)).collect();
        for name in names {
            let key = Key::new(namespace.as_str(), name.as_str());
            if let Some(claim) = self.ip_claims.get(&key) {
                view.ip_claims.insert(name.clone(), claim);
            }
            if let Some(claim) = self.capi_claims.get(&key) {
                view.capi_claims.insert(name, claim);
            }
        }
        let answers = view.ip_claims.values().filter_map(|claim| claim.status.as_ref()?.address.as_ref()?.name.clone());
        view.ip_addresses =
            by_name(answers.filter_map(|name| self.ip_addresses.get(&Key::new(namespace.as_str(), name))));
        let answers =
            view.capi_claims.values().filter_map(|claim| Some(claim.status.as_ref()?.address_ref.name.clone()));
        view.capi_addresses =
            by_name(answers.filter_map(|name| self.capi_addresses.get(&Key::new(namespace.as_str(), name))));
    }

    /// Which of the Secrets it would make exist. One that the cache does not know may lack the label: it is read.
    async fn secrets(&self, view: &DataView) -> Result<BTreeMap<String, SecretSeen>, Fault> {
        let mut seen = BTreeMap::new();
        let (Some(template), Some(machine)) = (&view.template, &view.metal3_machine) else { return Ok(seen) };
        if owners::deleting(&view.data.metadata) {
            return Ok(seen);
        }
        let machine = machine.metadata.name.as_deref().unwrap_or_default();
        for name in secrets::wanted(template, &view.data, machine).into_values() {
            let key = Key::new(view.namespace(), name.as_str());
            let meta = match self.secrets.get(&key) {
                Some(secret) => Some(secret.metadata.clone()),
                None => self.io.secret(&key).await?.map(|secret| secret.metadata),
            };
            if let Some(meta) = meta {
                // One that another index controls, perhaps an earlier one of this name, goes with that.
                let of_other = owners::owner_of_kind(&meta, api::infra::GROUP, "Metal3Data")
                    .is_some_and(|owner| owner.uid != view.uid());
                seen.insert(name, SecretSeen { deleting: of_other || owners::deleting(&meta) });
            }
        }
        Ok(seen)
    }
}

fn by_name<K: Kind>(objects: impl IntoIterator<Item = Arc<K>>) -> BTreeMap<String, Arc<K>> {
    objects.into_iter().map(|object| (object.meta().name.clone().unwrap_or_default(), object)).collect()
}

fn sibling(meta: &ObjectMeta, name: &str) -> Key {
    Key::new(meta.namespace.clone().unwrap_or_default(), name)
}

/// The template that a claim refers to.
pub(super) fn template_of_claim(claim: &Metal3DataClaim) -> Option<Key> {
    let namespace = claim.metadata.namespace.as_deref().unwrap_or_default();
    let reference = claim.spec.template.as_ref().filter(|reference| reference.within(namespace))?;
    Some(sibling(&claim.metadata, reference.name()?))
}

/// The template that an index refers to, and the one that its name belongs to.
pub(super) fn templates_of_data(data: &Metal3Data) -> Vec<String> {
    let by_spec = data.spec.template.as_ref().and_then(|reference| reference.name());
    let by_name = data.metadata.name.as_deref().and_then(|name| {
        let (template, _) = name.rsplit_once('-')?;
        indexes::index_in(name, template).map(|_| template)
    });
    let mut keys: Vec<String> =
        by_spec.into_iter().chain(by_name).map(|name| sibling(&data.metadata, name).to_string()).collect();
    keys.dedup();
    keys
}

/// The machine that a claim or index is for.
pub(super) fn machine_key(meta: &ObjectMeta) -> Option<Key> {
    secrets::machine_of(meta).map(|name| sibling(meta, name))
}

/// The Cluster that an object's label names.
pub(crate) fn cluster_key(meta: &ObjectMeta) -> Option<Key> {
    meta.labels.as_ref()?.get(label::CLUSTER_NAME).map(|name| sibling(meta, name))
}

fn made_by<K: Kind>(claim: &K) -> Vec<String> {
    let owner = owners::owner_of_kind(claim.meta(), api::infra::GROUP, "Metal3Data");
    owner.map(|owner| sibling(claim.meta(), &owner.name).to_string()).into_iter().collect()
}
