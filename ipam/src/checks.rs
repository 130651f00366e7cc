//! The webhooks of pools, claims and addresses. The rules are in [`api::ipam::validate`].

use api::ipam::{AllocationStrategy, IPAddress, IPClaim, IPPool, validate};
use kit::webhook::{Check, Hooks, Verdict};

struct PoolCheck;

impl Check<IPPool> for PoolCheck {
    fn create(&self, new: &IPPool) -> Verdict {
        warned(validate::pool(new).into(), new)
    }
    fn update(&self, old: &IPPool, new: &IPPool) -> Verdict {
        warned(validate::pool_update(old, new).into(), new)
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

/// All webhooks of this crate, under the paths of the Go manager.
pub fn hooks() -> Hooks {
    let path = |action: &str, kind: &str| format!("/{action}-ipam-metal3-io-v1alpha1-{kind}");
    Hooks::new()
        .validate(&path("validate", "ippool"), PoolCheck)
        .validate(&path("validate", "ipclaim"), ClaimCheck)
        .validate(&path("validate", "ipaddress"), AddressCheck)
        .default_with(&path("mutate", "ippool"), |pool: &mut IPPool| {
            pool.spec.allocation_strategy.get_or_insert(AllocationStrategy::Sequential);
        })
        // Existing installations have these registered; there is nothing to fill in.
        .default_with(&path("mutate", "ipclaim"), |_: &mut IPClaim| {})
        .default_with(&path("mutate", "ipaddress"), |_: &mut IPAddress| {})
}
