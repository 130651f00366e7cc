//! Metal3DataTemplate.

use std::collections::BTreeSet;

use crate::infra::v1beta2::{
    FromPool, Gateway, Links, MacAddress, MetaData, Metal3DataTemplate, Network, NetworkData, Networks, PoolRef, Route,
};
use crate::validation::Violations;

/// Rules for a new template.
pub fn check_new(template: &Metal3DataTemplate) -> Violations {
    let mut violations = Violations::new();
    if let Some(meta_data) = &template.spec.meta_data {
        violations.within("spec.metaData", check_meta_data(meta_data));
    }
    if let Some(links) = template.spec.network_data.as_ref().and_then(|data| data.links.as_ref()) {
        violations.within("spec.networkData.links", check_links(links));
    }
    if let Some(networks) = template.spec.network_data.as_ref().and_then(|data| data.networks.as_ref()) {
        for (family, list) in [("ipv4", &networks.ipv4), ("ipv6", &networks.ipv6)] {
            for (i, network) in list.iter().enumerate() {
                if !names_a_pool(network) {
                    violations.required(
                        format!("spec.networkData.networks.{family}[{i}].fromPoolRef.name"),
                        "a pool is needed: fromPoolRef, ipAddressFromIPPool or fromPoolAnnotation",
                    );
                }
            }
        }
    }
    violations
}

/// Rules for a change: what machines were rendered from stays as it is.
pub fn check_change(old: &Metal3DataTemplate, new: &Metal3DataTemplate) -> Violations {
    let mut violations = Violations::new();
    let remedy = "never changes: make a new template and a machine template that refers to it";
    if old.spec.meta_data.clone().map(normal_meta_data) != new.spec.meta_data.clone().map(normal_meta_data) {
        violations.forbidden("spec.metaData", remedy);
    }
    let networks = |template: &Metal3DataTemplate| template.spec.network_data.clone().map(normal_network_data);
    if networks(old) != networks(new) {
        violations.forbidden("spec.networkData", remedy);
    }
    violations
}

/// What is accepted but most likely not meant.
pub fn warnings(template: &Metal3DataTemplate) -> Vec<String> {
    let mut warnings = Vec::new();
    if template.spec.cluster_name.as_ref().is_some_and(|name| !name.is_empty()) {
        warnings.push("spec.clusterName is deprecated and ignored: a template may serve several clusters".to_owned());
    }
    if let Some(data) = &template.spec.network_data {
        warnings.extend(unknown_links(data));
    }
    warnings
}

fn check_meta_data(meta_data: &MetaData) -> Violations {
    let mut violations = Violations::new();
    for (i, source) in meta_data.from_host_interfaces.iter().enumerate() {
        let field = format!("fromHostInterfaces[{i}].interface");
        let named = source.interface.as_ref().is_some_and(|name| !name.is_empty());
        match (source.from_boot_mac == Some(true), named) {
            (false, false) => violations.required(field, "name a host interface, or set fromBootMAC"),
            (true, true) => violations.forbidden(field, "must be left out together with fromBootMAC"),
            (true, false) | (false, true) => {}
        }
    }
    violations
}

/// cloud-init gives up a whole config drive that has a port which it cannot find.
fn check_links(links: &Links) -> Violations {
    let mut violations = Violations::new();
    for (i, ethernet) in links.ethernets.iter().enumerate() {
        if ethernet.name.is_none() && ethernet.mac_address.as_ref().is_none_or(MacAddress::is_unset) {
            violations.required(format!("ethernets[{i}].macAddress"), "a port is found by macAddress or by name");
        }
    }
    for (i, vlan) in links.vlans.iter().enumerate() {
        if vlan.mac_address.is_unset() {
            violations.required(format!("vlans[{i}].macAddress"), "a VLAN needs a MAC address, e.g. that of its link");
        }
    }
    violations
}

fn names_a_pool(network: &Network) -> bool {
    network.from_pool_ref.as_ref().is_some_and(|pool| !pool.name.is_empty())
        || network.ip_address_from_ip_pool.as_ref().is_some_and(|name| !name.is_empty())
        || network.from_pool_annotation.is_some()
}

/// References to links that the template does not define: such a network would never come up.
fn unknown_links(data: &NetworkData) -> Vec<String> {
    let (no_links, no_networks) = (Links::default(), Networks::default());
    let links = data.links.as_ref().unwrap_or(&no_links);
    let networks = data.networks.as_ref().unwrap_or(&no_networks);
    let known: BTreeSet<&str> = (links.ethernets.iter().map(|link| link.id.as_str()))
        .chain(links.bonds.iter().map(|link| link.id.as_str()))
        .chain(links.vlans.iter().map(|link| link.id.as_str()))
        .collect();
    let used = (links.bonds.iter().flat_map(|bond| bond.bond_links.iter().map(|link| (&bond.id, link))))
        .chain(links.vlans.iter().map(|vlan| (&vlan.id, &vlan.vlan_link)))
        .chain(networks.ipv4.iter().chain(&networks.ipv6).map(|network| (&network.id, &network.link)))
        .chain(
            (networks.ipv4_dhcp.iter().chain(&networks.ipv6_dhcp).chain(&networks.ipv6_slaac))
                .map(|network| (&network.id, &network.link)),
        );
    used.filter(|(_, link)| !known.contains(link.as_str()))
        .map(|(user, link)| format!("spec.networkData: {user:?} uses link {link:?}, which is not defined"))
        .collect()
}

/// Values that the server fills in are the same as their absence: one of the two objects may come from v1beta1,
/// which has other defaults.
fn normal_meta_data(mut data: MetaData) -> MetaData {
    for source in &mut data.indexes {
        source.step = Some(source.step.filter(|step| *step != 0).unwrap_or(1));
        source.offset = source.offset.filter(|offset| *offset != 0);
    }
    let pools = [
        &mut data.ip_addresses_from_pool,
        &mut data.prefixes_from_pool,
        &mut data.gateways_from_pool,
        &mut data.dns_servers_from_pool,
    ];
    pools.into_iter().flatten().for_each(normal_pool);
    data
}

fn normal_pool(pool: &mut FromPool) {
    pool.api_group.get_or_insert_with(|| "ipam.metal3.io".to_owned());
    pool.kind.get_or_insert_with(|| "IPPool".to_owned());
}

fn normal_network_data(mut data: NetworkData) -> NetworkData {
    if let Some(links) = &mut data.links {
        links.ethernets.iter_mut().for_each(|link| link.mtu = link.mtu.or(Some(1500)));
        links.vlans.iter_mut().for_each(|link| link.mtu = link.mtu.or(Some(1500)));
        for bond in &mut links.bonds {
            bond.mtu = bond.mtu.or(Some(1500));
            bond.parameters.sort_by(|one, other| one.name.cmp(&other.name));
        }
    }
    if let Some(networks) = &mut data.networks {
        for network in networks.ipv4.iter_mut().chain(&mut networks.ipv6) {
            normal_reference(&mut network.from_pool_ref);
            network.routes.iter_mut().for_each(normal_route);
        }
        let dynamic = networks.ipv4_dhcp.iter_mut().chain(&mut networks.ipv6_dhcp).chain(&mut networks.ipv6_slaac);
        dynamic.flat_map(|network| &mut network.routes).for_each(normal_route);
    }
    data
}

fn normal_route(route: &mut Route) {
    route.prefix = route.prefix.filter(|prefix| *prefix != 0);
    let Gateway { from_pool_ref, .. } = &mut route.gateway;
    normal_reference(from_pool_ref);
}

fn normal_reference(reference: &mut Option<PoolRef>) {
    // Go peers write an empty reference where v1beta2 has none.
    *reference = reference.take().filter(|pool| !pool.name.is_empty());
    if let Some(pool) = reference {
        pool.kind.get_or_insert_with(|| "IPPool".to_owned());
        pool.api_group.get_or_insert_with(|| "ipam.metal3.io".to_owned());
    }
}
