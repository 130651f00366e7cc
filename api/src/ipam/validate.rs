//! The rules of pools, claims and addresses, for webhooks and the manager alike.
//!
//! On update only new faults are told, so that an object stored under older rules can still lose its finalizer.

use std::collections::BTreeMap;
use std::net::IpAddr;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::core::ObjectMeta;

use super::interval::{Family, number, parse};
use super::{AllocationStrategy, IPAddress, IPClaim, IPPool, IPPoolSpec, Range};
use crate::names::annotation;
use crate::validation::Violations;

/// All broken rules of a pool.
pub fn pool(object: &IPPool) -> Violations {
    let mut all = Violations::new();
    let spec = &object.spec;
    network("spec", spec.gateway.as_deref(), &spec.dns_servers, &mut all);
    for (i, range) in spec.pools.iter().enumerate() {
        let field = format!("spec.pools[{i}]");
        network(&field, range.gateway.as_deref(), &range.dns_servers, &mut all);
        one_range(&field, range, spec.allocation_strategy.as_ref(), &mut all);
    }
    pre_allocations(spec, &mut all);
    all
}

/// Addresses in use with the names of their claims.
pub type InUse = BTreeMap<IpAddr, String>;

/// The broken rules that a change brings, and what may not be changed. The pool's status lags while claims are served:
/// who knows of more addresses in use than it shows names them.
pub fn pool_update(old: &IPPool, new: &IPPool, in_use: &InUse) -> Violations {
    let before = pool(old);
    let mut all = Violations::new();
    for violation in pool(new) {
        if !before.iter().any(|v| *v == violation) {
            all.add(violation.kind, violation.field, violation.message);
        }
    }
    if old.spec.name_prefix != new.spec.name_prefix {
        all.forbidden("spec.namePrefix", "cannot be modified: the names of all addresses start with it");
    }
    let strategy = |pool: &IPPool| pool.spec.allocation_strategy.clone().unwrap_or_default();
    if strategy(old) != strategy(new) {
        all.forbidden("spec.allocationStrategy", "cannot be modified after creation");
    }
    let shown = old.status.iter().flat_map(|s| &s.allocations);
    let shown = shown.filter_map(|(claim, text)| Some((parse(text).ok()?, claim)));
    let all_in_use: BTreeMap<IpAddr, &String> = in_use.iter().map(|(ip, claim)| (*ip, claim)).chain(shown).collect();
    for (ip, claim) in all_in_use {
        // An address outside the old ranges, made by hand, must not forbid every later change.
        if in_some(&old.spec.pools, ip) && !in_some(&new.spec.pools, ip) {
            all.forbidden(
                "spec.pools",
                format!(
                    "{ip} of claim {claim:?} is in use but out of bounds of the pools given; delete the claim first"
                ),
            );
        }
    }
    all
}

/// Longest text of an address.
const ADDRESS_LENGTH: usize = 39;
/// Longest name of an object.
const NAME_LENGTH: usize = 253;

/// What is allowed but probably not meant. Published behaviour accepts all of it, and a pool that is moved here must
/// not be refused.
pub fn pool_warnings(object: &IPPool) -> Vec<String> {
    let spec = &object.spec;
    let mut all = Vec::new();
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let readable = spec.name_prefix.starts_with(letter)
        && spec.name_prefix.chars().all(|c| letter(c) || matches!(c, '-' | '.'))
        && spec.name_prefix.len() + 1 + ADDRESS_LENGTH <= NAME_LENGTH;
    if !readable {
        all.push("spec.namePrefix cannot start the name of an object: no address can be given out".to_owned());
    }
    for (i, range) in spec.pools.iter().enumerate() {
        match range.interval() {
            Ok(None) => all.push(format!("spec.pools[{i}] has no address that can be given out")),
            Ok(Some(interval)) => network_warnings(i, range, spec, interval.family, &mut all),
            Err(_) => {}
        }
    }
    all
}

fn network_warnings(i: usize, range: &Range, spec: &IPPoolSpec, family: Family, all: &mut Vec<String>) {
    let prefix = if range.prefix == 0 { spec.prefix } else { range.prefix };
    if !(0..=i64::from(family.bits())).contains(&prefix) {
        let bits = family.bits();
        all.push(format!("spec.pools[{i}]: prefix {prefix} is not between 0 and {bits}: IPAddressClaims are refused"));
    }
    let gateway = range.gateway.as_ref().or(spec.gateway.as_ref());
    let other = |text: &&String| parse(text).is_ok_and(|ip| number(ip).0 != family);
    if let Some(gateway) = gateway.filter(other) {
        all.push(format!("spec.pools[{i}]: gateway {gateway} is of the other address family than the range"));
    }
}

/// What is allowed in a claim but probably not meant.
pub fn claim_warnings(object: &IPClaim) -> Vec<String> {
    let own = object.metadata.namespace.as_deref().unwrap_or_default();
    let named = object.spec.pool.namespace.as_deref().unwrap_or_default();
    let elsewhere = !own.is_empty() && !named.is_empty() && own != named;
    let warning =
        || format!("spec.pool.namespace {named} is ignored: claims are served by pools of their own namespace");
    elsewhere.then(warning).into_iter().collect()
}

fn in_some(ranges: &[Range], ip: IpAddr) -> bool {
    ranges.iter().any(|range| range.bounds(ip))
}

fn network(field: &str, gateway: Option<&str>, dns_servers: &[String], all: &mut Violations) {
    if let Some(Err(error)) = gateway.map(parse) {
        all.invalid(format!("{field}.gateway"), error.to_string());
    }
    for (i, server) in dns_servers.iter().enumerate() {
        if let Err(error) = parse(server) {
            all.invalid(format!("{field}.dnsServers[{i}]"), error.to_string());
        }
    }
}

fn one_range(field: &str, range: &Range, strategy: Option<&AllocationStrategy>, all: &mut Violations) {
    if range.start.is_none() && range.end.is_none() && range.subnet.is_none() {
        all.required(field, "pool entry must specify at least one of start, end, or subnet");
        return;
    }
    let interval = match range.interval() {
        Ok(interval) => interval,
        Err(error) => {
            all.invalid(field, error.to_string());
            return;
        }
    };
    if strategy != Some(&AllocationStrategy::Random) {
        return;
    }
    // As the Go manager counts: what it refuses must not get in by way of ours and then be stuck there.
    let too_large = interval.is_some_and(|i| i.size() > i64::MAX as u128);
    if !range.is_countable() {
        all.invalid(field, "cannot be used with allocationStrategy \"random\": add an end or a subnet");
    } else if too_large {
        all.invalid(field, "cannot be used with allocationStrategy \"random\": it has more than 2^63 - 1 addresses");
    }
}

fn pre_allocations(spec: &IPPoolSpec, all: &mut Violations) {
    let mut owner: BTreeMap<IpAddr, &str> = BTreeMap::new();
    for (claim, text) in &spec.pre_allocations {
        let field = format!("spec.preAllocations[{claim}]");
        match parse(text) {
            Err(error) => all.invalid(field, error.to_string()),
            Ok(ip) => {
                if let Some(first) = owner.get(&ip) {
                    all.duplicate(field, format!("IP address is already pre-allocated to claim {first:?}"));
                } else {
                    owner.insert(ip, claim);
                }
                if !in_some(&spec.pools, ip) {
                    all.invalid(
                        "spec.preAllocations",
                        format!("{text} of claim {claim:?} is out of bounds of the pools given"),
                    );
                }
            }
        }
    }
}

/// All broken rules of a claim.
pub fn claim(object: &IPClaim) -> Violations {
    let mut all = Violations::new();
    named("spec.pool", &object.spec.pool, &mut all);
    requested(&object.metadata, &mut all);
    all
}

/// The rules of a changed claim.
pub fn claim_update(old: &IPClaim, new: &IPClaim) -> Violations {
    let mut all = Violations::new();
    unchanged("spec.pool", &old.spec.pool, &new.spec.pool, &mut all);
    if requested_text(&old.metadata) != requested_text(&new.metadata) {
        requested(&new.metadata, &mut all);
    }
    all
}

/// All broken rules of an address.
pub fn address(object: &IPAddress) -> Violations {
    let mut all = Violations::new();
    named("spec.pool", &object.spec.pool, &mut all);
    named("spec.claim", &object.spec.claim, &mut all);
    if object.spec.address.is_empty() {
        all.required("spec.address", "cannot be empty");
    } else if let Err(error) = parse(&object.spec.address) {
        all.invalid("spec.address", error.to_string());
    }
    requested(&object.metadata, &mut all);
    all
}

/// The rules of a changed address.
pub fn address_update(old: &IPAddress, new: &IPAddress) -> Violations {
    let mut all = Violations::new();
    if old.spec.address != new.spec.address {
        all.forbidden("spec.address", "cannot be modified");
    }
    unchanged("spec.pool", &old.spec.pool, &new.spec.pool, &mut all);
    unchanged("spec.claim", &old.spec.claim, &new.spec.claim, &mut all);
    all
}

fn named(field: &str, reference: &ObjectReference, all: &mut Violations) {
    if reference.name.as_deref().unwrap_or_default().is_empty() {
        all.required(format!("{field}.name"), "cannot be empty");
    }
}

fn unchanged(field: &str, old: &ObjectReference, new: &ObjectReference, all: &mut Violations) {
    for (member, before, after) in
        [("name", &old.name, &new.name), ("namespace", &old.namespace, &new.namespace), ("kind", &old.kind, &new.kind)]
    {
        if before.as_deref().unwrap_or_default() != after.as_deref().unwrap_or_default() {
            all.forbidden(format!("{field}.{member}"), "cannot be modified");
        }
    }
}

fn requested_text(meta: &ObjectMeta) -> Option<&str> {
    Some(meta.annotations.as_ref()?.get(annotation::IP_ADDRESS)?.as_str())
}

fn requested(meta: &ObjectMeta, all: &mut Violations) {
    if let Some(Err(error)) = requested_text(meta).map(parse) {
        all.invalid(format!("metadata.annotations[{}]", annotation::IP_ADDRESS), error.to_string());
    }
}
