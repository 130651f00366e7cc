//! Admission and conversion webhooks of the infrastructure kinds: which rule of `api` answers which path.

use api::infra::v1beta2::{
    Metal3Cluster, Metal3ClusterTemplate, Metal3Data, Metal3DataClaim, Metal3DataTemplate, Metal3Machine,
    Metal3MachineTemplate, Metal3Remediation, Metal3RemediationTemplate,
};
use api::infra::{convert, validate};
use api::webhooks::{self, Action, Component};
use kit::webhook::{Check, Hooks, Rules, Verdict};
use serde_json::Value;

/// All webhooks of the provider.
pub fn hooks() -> Hooks {
    let mut hooks = Hooks::new();
    for webhook in webhooks::all().into_iter().filter(|webhook| webhook.component == Component::Infrastructure) {
        hooks = match webhook.action {
            Action::Validate => validation(hooks, webhook.kind, &webhook.path()),
            Action::Mutate => defaults(hooks, webhook.kind, &webhook.path()),
        };
    }
    let kinds = api::infra::crds().into_iter().map(|crd| crd.spec.names.kind);
    kinds.fold(hooks, |hooks, kind| hooks.convert(api::infra::GROUP, &kind, converted))
}

fn converted(object: Value, wanted: &str) -> Result<Value, String> {
    convert::convert(object, wanted).map_err(|error| error.to_string())
}

fn defaults(hooks: Hooks, kind: &str, path: &str) -> Hooks {
    match kind {
        "metal3cluster" => hooks.default_with::<Metal3Cluster>(path, validate::cluster::default),
        "metal3remediationtemplate" => {
            hooks.default_with::<Metal3RemediationTemplate>(path, validate::remediation::default_template)
        }
        _ => hooks,
    }
}

fn validation(hooks: Hooks, kind: &str, path: &str) -> Hooks {
    use validate::{cluster, data, data_template, machine, remediation};
    match kind {
        "metal3cluster" => hooks.validate(path, same::<Metal3Cluster>(|new| cluster::check(new).into())),
        "metal3clustertemplate" => {
            hooks.validate(path, same::<Metal3ClusterTemplate>(|new| cluster::check_template(new).into()))
        }
        "metal3machine" => hooks.validate(path, same::<Metal3Machine>(|new| machine::check(new).into())),
        "metal3machinetemplate" => hooks.validate(
            path,
            same::<Metal3MachineTemplate>(|new| warned(machine::check_template(new).into(), machine::warnings(new))),
        ),
        "metal3data" => hooks.validate(
            path,
            Rules::<Metal3Data> {
                create: |new| data::check_new(new).into(),
                update: |old, new| data::check_change(old, new).into(),
            },
        ),
        "metal3dataclaim" => hooks.validate(
            path,
            Rules::<Metal3DataClaim> {
                create: |new| data::check_new_claim(new).into(),
                update: |old, new| data::check_claim_change(old, new).into(),
            },
        ),
        "metal3datatemplate" => hooks.validate(
            path,
            Rules::<Metal3DataTemplate> {
                create: |new| warned(data_template::check_new(new).into(), data_template::warnings(new)),
                update: |old, new| warned(data_template::check_change(old, new).into(), data_template::warnings(new)),
            },
        ),
        "metal3remediation" => hooks.validate(path, same::<Metal3Remediation>(|new| remediation::check(new).into())),
        "metal3remediationtemplate" => {
            hooks.validate(path, same::<Metal3RemediationTemplate>(|new| remediation::check_template(new).into()))
        }
        _ => hooks,
    }
}

/// A kind whose rules are the same for new and changed objects.
fn same<T: 'static>(check: fn(&T) -> Verdict) -> impl Check<T> {
    struct Same<T>(fn(&T) -> Verdict);
    impl<T: 'static> Check<T> for Same<T> {
        fn create(&self, new: &T) -> Verdict {
            (self.0)(new)
        }
        fn update(&self, _: &T, new: &T) -> Verdict {
            (self.0)(new)
        }
    }
    Same(check)
}

fn warned(verdict: Verdict, warnings: Vec<String>) -> Verdict {
    warnings.into_iter().fold(verdict, Verdict::warn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_registered_webhook_is_served_and_every_kind_converted() {
        let served = format!("{:?}", hooks());
        for webhook in webhooks::all().into_iter().filter(|webhook| webhook.component == Component::Infrastructure) {
            assert!(served.contains(&format!("\"{}\"", webhook.path())), "{}", webhook.path());
        }
        for crd in api::infra::crds() {
            assert!(served.contains(&format!("\"{}\")", crd.spec.names.kind)), "{}: {served}", crd.spec.names.kind);
        }
    }
}
