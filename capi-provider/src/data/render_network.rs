//! The network data of a machine, in the form of OpenStack's `network_data.json`. Pure.

use std::net::{Ipv4Addr, Ipv6Addr};

use api::infra::v1beta2::{
    Bond, DynamicNetwork, Ethernet, Gateway, Links, MacAddress, Network, NetworkData, Networks, Route, Services, Vlan,
};
use serde_json::{Map, Value, json};

use super::pools::{self, Lease, Leases, Pool};
use super::subject::{RenderError, Subject};

/// Largest packet when the template gives none, bytes.
const DEFAULT_MTU: i32 = 1500;
/// Bond options that are fields of their own.
const BOND_FIELDS: [&str; 3] = ["mode", "links", "xmit_hash_policy"];

/// Length of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

/// What everything is rendered from.
struct Given<'a> {
    subject: &'a Subject<'a>,
    leases: &'a Leases,
}

/// The three lists: links, networks and services. Each is there even when it is empty.
pub fn render(data: &NetworkData, subject: &Subject<'_>, leases: &Leases) -> Result<Value, RenderError> {
    let given = Given { subject, leases };
    let links = data.links.as_ref().map_or(Ok(Vec::new()), |links| given.links(links))?;
    let networks = data.networks.as_ref().map_or(Ok(Vec::new()), |networks| given.networks(networks))?;
    let services = given.services(data.services.as_ref())?;
    Ok(json!({"links": links, "networks": networks, "services": services}))
}

impl Given<'_> {
    fn links(&self, links: &Links) -> Result<Vec<Value>, RenderError> {
        let bonds = links.bonds.iter().map(|bond| self.bond(bond));
        let ethernets = links.ethernets.iter().map(|ethernet| self.ethernet(ethernet));
        let vlans = links.vlans.iter().map(|vlan| self.vlan(vlan));
        bonds.chain(ethernets).chain(vlans).collect()
    }

    fn bond(&self, bond: &Bond) -> Result<Value, RenderError> {
        let mut link = common("bond", &bond.id, bond.mtu, bond.name.as_deref());
        link.insert("bond_mode".into(), bond.bond_mode.as_str().into());
        link.insert("bond_links".into(), bond.bond_links.clone().into());
        if let Some(policy) = &bond.bond_xmit_hash_policy {
            link.insert("bond_xmit_hash_policy".into(), policy.as_str().into());
        }
        self.mac(&mut link, "ethernet_mac_address", &bond.id, bond.mac_address.as_ref())?;
        let doubled: Vec<&str> = (bond.parameters.iter().map(|parameter| parameter.name.as_str()))
            .filter(|name| BOND_FIELDS.contains(name))
            .collect();
        if !doubled.is_empty() {
            return Err(RenderError::BondParameters { bond: bond.id.clone(), names: doubled.join(", ") });
        }
        for parameter in &bond.parameters {
            link.insert(format!("bond_{}", parameter.name), parameter.value.clone());
        }
        Ok(link.into())
    }

    fn ethernet(&self, ethernet: &Ethernet) -> Result<Value, RenderError> {
        let mut link = common(ethernet.type_.as_str(), &ethernet.id, ethernet.mtu, ethernet.name.as_deref());
        self.mac(&mut link, "ethernet_mac_address", &ethernet.id, ethernet.mac_address.as_ref())?;
        if ethernet.name.is_none() && !link.contains_key("ethernet_mac_address") {
            return Err(RenderError::NoMac(ethernet.id.clone()));
        }
        Ok(link.into())
    }

    fn vlan(&self, vlan: &Vlan) -> Result<Value, RenderError> {
        let mut link = common("vlan", &vlan.id, vlan.mtu, vlan.name.as_deref());
        link.insert("vlan_id".into(), vlan.vlan_id.into());
        link.insert("vlan_link".into(), vlan.vlan_link.clone().into());
        self.mac(&mut link, "vlan_mac_address", &vlan.id, Some(&vlan.mac_address))?;
        if !link.contains_key("vlan_mac_address") {
            return Err(RenderError::NoMac(vlan.id.clone()));
        }
        Ok(link.into())
    }

    /// A link without an address source has no such member.
    fn mac(
        &self,
        link: &mut Map<String, Value>,
        member: &str,
        id: &str,
        source: Option<&MacAddress>,
    ) -> Result<(), RenderError> {
        let Some(source) = source else { return Ok(()) };
        let address = match (&source.string, &source.from_host_interface, &source.from_annotation) {
            (Some(text), _, _) => text.as_str(),
            (None, Some(nic), _) => self.subject.nic(nic)?,
            (None, None, Some(from)) => self.subject.annotation(from)?,
            (None, None, None) => return Ok(()),
        };
        if !is_mac(address) {
            return Err(RenderError::BadMac { link: id.to_owned(), text: address.to_owned() });
        }
        link.insert(member.to_owned(), address.into());
        Ok(())
    }

    fn networks(&self, networks: &Networks) -> Result<Vec<Value>, RenderError> {
        let v4 = networks.ipv4.iter().map(|network| self.network("ipv4", network, Family::V4));
        let v6 = networks.ipv6.iter().map(|network| self.network("ipv6", network, Family::V6));
        let v4_dhcp = networks.ipv4_dhcp.iter().map(|network| self.dynamic("ipv4_dhcp", network, Family::V4));
        let v6_dhcp = networks.ipv6_dhcp.iter().map(|network| self.dynamic("ipv6_dhcp", network, Family::V6));
        let slaac = networks.ipv6_slaac.iter().map(|network| self.dynamic("ipv6_slaac", network, Family::V6));
        v4.chain(v6).chain(v4_dhcp).chain(v6_dhcp).chain(slaac).collect()
    }

    fn network(&self, type_: &str, network: &Network, family: Family) -> Result<Value, RenderError> {
        let lease = self.lease(&pools::of_network(network, self.subject)?)?;
        let netmask = match lease.prefix {
            Some(prefix) => netmask(family, prefix, &network.id)?,
            None => String::new(),
        };
        Ok(json!({
            "type": type_,
            "id": network.id,
            "link": network.link,
            "ip_address": lease.address,
            "netmask": netmask,
            "routes": self.routes(&network.routes, family)?,
        }))
    }

    fn dynamic(&self, type_: &str, network: &DynamicNetwork, family: Family) -> Result<Value, RenderError> {
        let routes = self.routes(&network.routes, family)?;
        Ok(json!({"type": type_, "id": network.id, "link": network.link, "routes": routes}))
    }

    fn routes(&self, routes: &[Route], family: Family) -> Result<Vec<Value>, RenderError> {
        routes.iter().map(|route| self.route(route, family)).collect()
    }

    fn route(&self, route: &Route, family: Family) -> Result<Value, RenderError> {
        Ok(json!({
            "network": route.network,
            "netmask": netmask(family, route.prefix.unwrap_or_default().into(), &route.network)?,
            "gateway": self.gateway(&route.gateway)?,
            "services": self.services(route.services.as_ref())?,
        }))
    }

    fn gateway(&self, gateway: &Gateway) -> Result<String, RenderError> {
        if let Some(address) = &gateway.string {
            return Ok(address.clone());
        }
        match pools::of_gateway(gateway, self.subject)? {
            Some(pool) => Ok(self.lease(&pool)?.gateway.clone().unwrap_or_default()),
            None => Ok(String::new()),
        }
    }

    fn services(&self, services: Option<&Services>) -> Result<Vec<Value>, RenderError> {
        let Some(services) = services else { return Ok(Vec::new()) };
        let pool = pools::of_services(services).map(|pool| self.lease(&pool)).transpose()?;
        let servers = services.dns.iter().chain(pool.iter().flat_map(|lease| &lease.dns));
        Ok(servers.map(|address| json!({"type": "dns", "address": address})).collect())
    }

    fn lease(&self, pool: &Pool) -> Result<&Lease, RenderError> {
        self.leases.get(pool).ok_or_else(|| RenderError::NoLease(pool.name.clone()))
    }
}

fn common(type_: &str, id: &str, mtu: Option<i32>, name: Option<&str>) -> Map<String, Value> {
    let mut link = Map::new();
    link.insert("type".into(), type_.into());
    link.insert("id".into(), id.into());
    link.insert("mtu".into(), mtu.unwrap_or(DEFAULT_MTU).into());
    if let Some(name) = name {
        link.insert("name".into(), name.into());
    }
    link
}

/// Six pairs of hexadecimal digits with `:` or `-` between them.
fn is_mac(text: &str) -> bool {
    text.len() == 17
        && text.bytes().enumerate().all(|(i, byte)| match i % 3 {
            2 => byte == b':' || byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// A prefix length as a mask, in the notation of its family.
fn netmask(family: Family, prefix: i64, network: &str) -> Result<String, RenderError> {
    let out_of_range = || RenderError::Prefix { network: network.to_owned(), prefix };
    let length = u32::try_from(prefix).map_err(|_| out_of_range())?;
    match (family, length) {
        (Family::V4, 0..=32) => Ok(Ipv4Addr::from(!u32::MAX.checked_shr(length).unwrap_or(0)).to_string()),
        (Family::V6, 0..=128) => Ok(Ipv6Addr::from(!u128::MAX.checked_shr(length).unwrap_or(0)).to_string()),
        (Family::V4 | Family::V6, _) => Err(out_of_range()),
    }
}

#[cfg(test)]
mod tests;
