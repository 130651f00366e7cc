//! What the name of an address object says, whatever is inside: an object under a name that one of ours would have keeps
//! its address from being given out, because the API server lets no second one be made.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use api::ipam::capi;
use api::ipam::{IPAddress, address_name, address_of_name, interval};
use kit::Kind;

use crate::kinds::{Address, OfPool};

/// Index of address objects by what their names say; see [`values`].
pub(crate) const NAME: &str = "ipam-name";

/// An address object of either API, as the cache has it.
pub(crate) trait Named: Kind + OfPool {
    /// Its address as written.
    fn text(&self) -> &str;
}

impl Named for IPAddress {
    fn text(&self) -> &str {
        &self.spec.address
    }
}

impl Named for capi::IPAddress {
    fn text(&self) -> &str {
        &self.spec.address
    }
}

/// An address object that is not of the pool, or not what its name says, and the addresses that it keeps back.
#[derive(Debug, Clone)]
pub struct Neighbour {
    /// The object.
    pub address: Address,
    /// The address of which an object of the pool would have this name.
    pub named: Option<IpAddr>,
    /// Its own pool takes it back when one of ours has the same address and came first.
    pub yields: bool,
}

impl Neighbour {
    /// Whether it keeps this address from being given out.
    pub fn keeps(&self, ip: IpAddr) -> bool {
        self.named == Some(ip) || self.address.ip() == Some(ip)
    }
}

impl fmt::Display for Neighbour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, .. } = self;
        write!(f, "IPAddress {} ({}", address.name(), address.flavor().group())?;
        match address.pool() {
            Some(pool) => write!(f, ", of IPPool {})", pool.name),
            None => f.write_str(")"),
        }
    }
}

/// The prefix of the pool that would have given an object of this address this name.
fn regular(name: &str, ip: IpAddr) -> Option<&str> {
    let prefix = name.strip_suffix(&address_name("", ip))?;
    (!prefix.is_empty() && address_name(prefix, ip) == name).then_some(prefix)
}

/// The name prefixes of pools that would give an object this name, and whether its own address is the one in the name.
/// A name that tells its own address is read in this way only.
fn prefixes<K: Named>(object: &K) -> (Vec<&str>, bool) {
    let name = object.meta().name.as_deref().unwrap_or_default();
    let own = interval::parse(object.text()).ok().and_then(|ip| regular(name, ip));
    if let Some(prefix) = own {
        return (vec![prefix], true);
    }
    let parts = name.match_indices('-').map(|(at, _)| &name[..at]);
    (parts.filter(|prefix| !prefix.is_empty() && address_of_name(prefix, name).is_some()).collect(), false)
}

fn space<K: Named>(object: &K) -> &str {
    object.meta().namespace.as_deref().unwrap_or_default()
}

/// `namespace/prefix/pool` of an object with the name of its own address, `namespace/prefix//` of any other whose name
/// can be read as that of an address.
pub(crate) fn values<K: Named>(object: &K) -> Vec<String> {
    let (prefixes, regular) = prefixes(object);
    let pool = if regular { object.pool().map(|pool| pool.name).unwrap_or_default() } else { "/".to_owned() };
    prefixes.into_iter().map(|prefix| format!("{}/{prefix}/{pool}", space(object))).collect()
}

/// Namespace and name prefix of the pools that want this name, as an index of pools has them.
pub(crate) fn wanted_by<K: Named>(object: &K) -> BTreeSet<String> {
    prefixes(object).0.into_iter().map(|prefix| format!("{}/{prefix}", space(object))).collect()
}

#[cfg(test)]
mod tests;
