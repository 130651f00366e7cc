//! Which pools a template takes addresses from. Pure.
//!
//! One pool means one claim and one address for each Metal3Data, however often the template names the pool.

use std::collections::{BTreeMap, BTreeSet};

use api::infra::v1beta2::{FromPool, Gateway, Metal3DataTemplate, Network, NetworkData, PoolRef, Route, Services};

use super::subject::{RenderError, Subject};

/// Kind of Metal3's own pools.
const IP_POOL: &str = "IPPool";

/// A pool of some address provider, in the data's namespace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pool {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// Its API group.
    pub group: String,
}

impl Pool {
    /// One of Metal3's own pools.
    pub fn metal3(name: impl Into<String>) -> Self {
        Self::new(name, None, None)
    }

    /// A pool; an absent kind or group means those of Metal3's own pools.
    pub fn new(name: impl Into<String>, kind: Option<&str>, group: Option<&str>) -> Self {
        let or =
            |given: Option<&str>, default: &str| given.filter(|given| !given.is_empty()).unwrap_or(default).to_owned();
        Self { name: name.into(), kind: or(kind, IP_POOL), group: or(group, api::ipam::GROUP) }
    }

    /// Whether it is asked with an IPClaim instead of Cluster API's IPAddressClaim.
    pub fn is_metal3(&self) -> bool {
        self.kind == IP_POOL && self.group == api::ipam::GROUP
    }
}

impl From<&PoolRef> for Pool {
    fn from(reference: &PoolRef) -> Self {
        Self::new(reference.name.clone(), reference.kind.as_deref(), reference.api_group.as_deref())
    }
}

impl From<&FromPool> for Pool {
    fn from(source: &FromPool) -> Self {
        Self::new(source.name.clone(), source.kind.as_deref(), source.api_group.as_deref())
    }
}

/// What a pool gave.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lease {
    /// The address.
    pub address: String,
    /// Length of the network's prefix, bits.
    pub prefix: Option<i64>,
    /// The network's gateway.
    pub gateway: Option<String>,
    /// DNS servers.
    pub dns: Vec<String>,
}

/// What each pool gave.
pub type Leases = BTreeMap<Pool, Lease>;

/// Every pool that the template names for this subject.
pub fn of(template: &Metal3DataTemplate, subject: &Subject<'_>) -> Result<BTreeSet<Pool>, RenderError> {
    let mut pools = BTreeSet::new();
    if let Some(meta_data) = &template.spec.meta_data {
        let sources = (meta_data.ip_addresses_from_pool.iter())
            .chain(&meta_data.prefixes_from_pool)
            .chain(&meta_data.gateways_from_pool)
            .chain(&meta_data.dns_servers_from_pool);
        pools.extend(sources.map(Pool::from));
    }
    if let Some(data) = &template.spec.network_data {
        of_network_data(data, subject, &mut pools)?;
    }
    without_clash(pools)
}

fn of_network_data(data: &NetworkData, subject: &Subject<'_>, pools: &mut BTreeSet<Pool>) -> Result<(), RenderError> {
    if let Some(networks) = &data.networks {
        for network in networks.ipv4.iter().chain(&networks.ipv6) {
            pools.insert(of_network(network, subject)?);
            of_routes(&network.routes, subject, pools)?;
        }
        for network in networks.ipv4_dhcp.iter().chain(&networks.ipv6_dhcp).chain(&networks.ipv6_slaac) {
            of_routes(&network.routes, subject, pools)?;
        }
    }
    pools.extend(data.services.as_ref().and_then(of_services));
    Ok(())
}

fn of_routes(routes: &[Route], subject: &Subject<'_>, pools: &mut BTreeSet<Pool>) -> Result<(), RenderError> {
    for route in routes {
        pools.extend(of_gateway(&route.gateway, subject)?);
        pools.extend(route.services.as_ref().and_then(of_services));
    }
    Ok(())
}

/// The pool of a network: the annotation's, else the reference's, else the one named.
pub fn of_network(network: &Network, subject: &Subject<'_>) -> Result<Pool, RenderError> {
    if let Some(from) = &network.from_pool_annotation {
        return subject.annotation(from).map(Pool::metal3);
    }
    let reference = network.from_pool_ref.as_ref().filter(|reference| !reference.name.is_empty()).map(Pool::from);
    let named = || network.ip_address_from_ip_pool.clone().filter(|name| !name.is_empty()).map(Pool::metal3);
    reference.or_else(named).ok_or_else(|| RenderError::NoPool(network.id.clone()))
}

/// The pool of a gateway that is no literal address: the annotation's, else the reference's, else the one named.
pub fn of_gateway(gateway: &Gateway, subject: &Subject<'_>) -> Result<Option<Pool>, RenderError> {
    if gateway.string.is_some() {
        return Ok(None);
    }
    if let Some(from) = &gateway.from_pool_annotation {
        return subject.annotation(from).map(|name| Some(Pool::metal3(name)));
    }
    let reference = gateway.from_pool_ref.as_ref().filter(|reference| !reference.name.is_empty()).map(Pool::from);
    Ok(reference.or_else(|| gateway.from_ip_pool.clone().map(Pool::metal3)))
}

/// The pool whose DNS servers are added.
pub fn of_services(services: &Services) -> Option<Pool> {
    services.dns_from_ip_pool.clone().map(Pool::metal3)
}

/// The claim of a pool is named after the pool alone, so one name cannot stand for two pools.
fn without_clash(pools: BTreeSet<Pool>) -> Result<BTreeSet<Pool>, RenderError> {
    let clash = pools.iter().zip(pools.iter().skip(1)).find(|(one, other)| one.name == other.name);
    match clash {
        Some((pool, _)) => Err(RenderError::PoolClash(pool.name.clone())),
        None => Ok(pools),
    }
}

#[cfg(test)]
mod tests;
