//! Metal3Machine and Metal3MachineTemplate.

use super::image;
use crate::infra::v1beta2::{Metal3Machine, Metal3MachineSpec, Metal3MachineTemplate};
use crate::meta::SecretReference;
use crate::validation::Violations;

/// Rules for creation and every change.
pub fn check(machine: &Metal3Machine) -> Violations {
    let namespace = machine.metadata.namespace.as_deref().unwrap_or_default();
    let mut violations = Violations::new();
    violations.within("spec", image::check(machine.spec.image.as_ref(), machine.spec.custom_deploy.as_ref()));
    for (name, reference) in secrets(&machine.spec) {
        if let Err(other) = reference.name_in(namespace) {
            violations.forbidden(format!("spec.{name}.namespace"), other.to_string());
        }
    }
    violations
}

/// Rules for creation and every change. A template may change: only machines made later are affected.
pub fn check_template(template: &Metal3MachineTemplate) -> Violations {
    let spec = &template.spec.template.spec;
    let mut violations = Violations::new();
    violations.within("spec.template.spec", image::check(spec.image.as_ref(), spec.custom_deploy.as_ref()));
    violations
}

/// What is accepted in a template but will be refused in the machines made from it.
pub fn warnings(template: &Metal3MachineTemplate) -> Vec<String> {
    let namespace = template.metadata.namespace.as_deref().unwrap_or_default();
    secrets(&template.spec.template.spec)
        .filter_map(|(name, reference)| Some((name, reference.name_in(namespace).err()?)))
        .map(|(name, other)| format!("spec.template.spec.{name}.namespace: no machine can be made: it {other}"))
        .collect()
}

fn secrets(spec: &Metal3MachineSpec) -> impl Iterator<Item = (&'static str, &SecretReference)> {
    [("userData", &spec.user_data), ("metaData", &spec.meta_data), ("networkData", &spec.network_data)]
        .into_iter()
        .filter_map(|(name, reference)| Some((name, reference.as_ref()?)))
}
