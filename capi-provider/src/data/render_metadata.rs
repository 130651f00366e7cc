//! The meta data map of a machine. Pure.
//!
//! Sources are rendered in a fixed order and later ones win, so the order is part of the contract.

use std::collections::BTreeMap;

use api::infra::v1beta2::{FromPool, MetaData, MetaDataIndex};

use super::pools::{Lease, Leases, Pool};
use super::subject::{RenderError, Subject};

/// Key that cloud-init takes the instance's identity from; without it, it ignores the whole config drive.
const UUID: &str = "uuid";
/// Key of the provider ID without its scheme; a template cannot change it.
const PROVIDER_ID: &str = "providerid";

/// The map. A template without sources still gives the machine its identity.
pub fn render(
    meta_data: &MetaData,
    subject: &Subject<'_>,
    leases: &Leases,
) -> Result<BTreeMap<String, String>, RenderError> {
    let mut map = BTreeMap::new();
    map.insert(UUID.to_owned(), subject.host.metadata.uid.clone().unwrap_or_default());
    for source in &meta_data.from_host_interfaces {
        let address = match (&source.interface, source.from_boot_mac) {
            (_, Some(true)) => subject.boot_mac()?,
            (interface, _) => subject.nic(interface.as_deref().unwrap_or_default())?,
        };
        map.insert(source.key.clone(), address.to_owned());
    }
    pools(&mut map, meta_data, leases)?;
    let index = subject.data.spec.index.unwrap_or_default();
    for source in &meta_data.indexes {
        map.insert(source.key.clone(), indexed(source, index));
    }
    for source in &meta_data.namespaces {
        map.insert(source.key.clone(), subject.namespace().to_owned());
    }
    for source in &meta_data.object_names {
        let name = subject.meta(&source.object)?.name.clone();
        map.insert(source.key.clone(), name.unwrap_or_default());
    }
    for source in &meta_data.from_labels {
        let labels = subject.meta(&source.object)?.labels.as_ref();
        map.insert(source.key.clone(), labels.and_then(|all| all.get(&source.label)).cloned().unwrap_or_default());
    }
    for source in &meta_data.from_annotations {
        let all = subject.meta(&source.object)?.annotations.as_ref();
        map.insert(source.key.clone(), all.and_then(|all| all.get(&source.annotation)).cloned().unwrap_or_default());
    }
    for source in &meta_data.strings {
        map.insert(source.key.clone(), source.value.clone());
    }
    map.insert(PROVIDER_ID.to_owned(), subject.provider_id());
    Ok(map)
}

fn pools(map: &mut BTreeMap<String, String>, meta_data: &MetaData, leases: &Leases) -> Result<(), RenderError> {
    let mut add = |sources: &[FromPool], value: &dyn Fn(&Lease) -> String| {
        for source in sources {
            let pool = Pool::from(source);
            let lease = leases.get(&pool).ok_or_else(|| RenderError::NoLease(pool.name.clone()))?;
            map.insert(source.key.clone(), value(lease));
        }
        Ok(())
    };
    add(&meta_data.ip_addresses_from_pool, &|lease| lease.address.clone())?;
    add(&meta_data.prefixes_from_pool, &|lease| lease.prefix.unwrap_or_default().to_string())?;
    add(&meta_data.gateways_from_pool, &|lease| lease.gateway.clone().unwrap_or_default())?;
    add(&meta_data.dns_servers_from_pool, &|lease| lease.dns.join(","))
}

/// `prefix`, `offset + index × step`, `suffix`.
fn indexed(source: &MetaDataIndex, index: i32) -> String {
    let step = source.step.filter(|step| *step != 0).unwrap_or(1);
    let number = i64::from(source.offset.unwrap_or_default()) + i64::from(index) * i64::from(step);
    let prefix = source.prefix.as_deref().unwrap_or_default();
    format!("{prefix}{number}{}", source.suffix.as_deref().unwrap_or_default())
}

#[cfg(test)]
mod tests;
