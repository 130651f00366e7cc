//! The webhooks of pools, claims and addresses. The rules are in [`api::ipam::validate`].

use api::ipam::{AllocationStrategy, IPAddress, IPClaim, IPPool, validate};
use kit::key::Key;
use kit::runtime::Context;
use kit::webhook::{Check, Hooks, Verdict};

use crate::view::Stores;

/// Knows the addresses in use from the cache of the process: the pool's own status lags while claims are served.
struct PoolCheck {
    stores: Stores,
}

impl Check<IPPool> for PoolCheck {
    fn create(&self, new: &IPPool) -> Verdict {
        warned(validate::pool(new).into(), new)
    }
    fn update(&self, old: &IPPool, new: &IPPool) -> Verdict {
        warned(validate::pool_update(old, new, &self.stores.in_use(&Key::of(old))).into(), new)
    }
}

fn warned(verdict: Verdict, pool: &IPPool) -> Verdict {
    validate::pool_warnings(pool).into_iter().fold(verdict, Verdict::warn)
}

struct ClaimCheck;

impl Check<IPClaim> for ClaimCheck {
    fn create(&self, new: &IPClaim) -> Verdict {
        let warnings = validate::claim_warnings(new);
        warnings.into_iter().fold(validate::claim(new).into(), Verdict::warn)
    }
    fn update(&self, old: &IPClaim, new: &IPClaim) -> Verdict {
        validate::claim_update(old, new).into()
    }
}

struct AddressCheck;

impl Check<IPAddress> for AddressCheck {
    fn create(&self, new: &IPAddress) -> Verdict {
        validate::address(new).into()
    }
    fn update(&self, old: &IPAddress, new: &IPAddress) -> Verdict {
        validate::address_update(old, new).into()
    }
}

/// All webhooks of this crate, under the paths of the Go manager. They share the caches of the controller.
pub fn hooks(context: &Context) -> Hooks {
    let pools = PoolCheck { stores: Stores::start(context) };
    let path = |action: &str, kind: &str| format!("/{action}-ipam-metal3-io-v1alpha1-{kind}");
    Hooks::new()
        .validate(&path("validate", "ippool"), pools)
        .validate(&path("validate", "ipclaim"), ClaimCheck)
        .validate(&path("validate", "ipaddress"), AddressCheck)
        .default_with(&path("mutate", "ippool"), |pool: &mut IPPool| {
            pool.spec.allocation_strategy.get_or_insert(AllocationStrategy::Sequential);
        })
        // Existing installations have these registered; there is nothing to fill in.
        .default_with(&path("mutate", "ipclaim"), |_: &mut IPClaim| {})
        .default_with(&path("mutate", "ipaddress"), |_: &mut IPAddress| {})
}

#[cfg(test)]
mod tests {
    use api::build::ip_pool;

    use super::*;
    use crate::view::tests::{address, stores};

    #[test]
    fn an_edit_that_strands_an_address_is_refused_before_the_status_shows_it() {
        let pool = ip_pool("ns", "p").range("10.0.0.1", "10.0.0.9");
        let check = |addresses| PoolCheck { stores: stores(vec![pool.clone()], Vec::new(), addresses) };
        let new = ip_pool("ns", "p").range("10.0.0.2", "10.0.0.9");
        let in_use = || vec![address("net-10-0-0-1", "10.0.0.1", "p", "a")];
        let told = check(in_use()).update(&pool, &new).violations.to_string();
        assert!(told.contains("spec.pools") && told.contains("10.0.0.1 of claim \"a\" is in use"), "{told}");
        assert!(check(Vec::new()).update(&pool, &new).violations.is_empty());
        let longer = ip_pool("ns", "p").range("10.0.0.1", "10.0.0.20");
        assert!(check(in_use()).update(&pool, &longer).violations.is_empty());
    }
}
