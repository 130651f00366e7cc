//! Admission webhooks of the bare metal operator: which rule of `api` answers which path.

use api::metal3::BareMetalHost;
use api::metal3::validate::{host, host_update, host_warnings};
use api::webhooks::{self, Component};
use kit::webhook::{Hooks, Rules, Verdict};

/// All webhooks of the operator.
pub fn hooks() -> Hooks {
    webhooks::all()
        .into_iter()
        .filter(|webhook| webhook.component == Component::Bmo)
        .fold(Hooks::new(), |hooks, webhook| hooks.validate::<BareMetalHost>(&webhook.path(), Rules { create, update }))
}

fn create(new: &BareMetalHost) -> Verdict {
    Verdict { warnings: host_warnings(new), ..host(new).into() }
}

fn update(old: &BareMetalHost, new: &BareMetalHost) -> Verdict {
    Verdict { warnings: host_warnings(new), ..host_update(old, new).into() }
}
