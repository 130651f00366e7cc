//! Metal3Data and Metal3DataClaim.

use super::{own_namespace, same};
use crate::infra::v1beta2::{Metal3Data, Metal3DataClaim};
use crate::validation::Violations;

/// The name that a Metal3Data of a template and index must have: two controllers can then never give one index away
/// twice.
pub fn data_name(template: &str, index: i32) -> String {
    format!("{template}-{index}")
}

/// Rules for a new Metal3Data.
pub fn check_new(data: &Metal3Data) -> Violations {
    let mut violations = Violations::new();
    let index = data.spec.index.unwrap_or_default();
    if index < 0 {
        violations.invalid("spec.index", format!("{index} is below 0"));
    }
    let template = data.spec.template.as_ref().and_then(|template| template.name());
    if let (Some(template), Some(index), Some(name)) = (template, data.spec.index, &data.metadata.name) {
        let expected = data_name(template, index);
        if *name != expected {
            violations.invalid("metadata.name", format!("must be {expected:?}, the template's name and the index"));
        }
    }
    violations
}

/// Rules for a change of a Metal3Data: whom it belongs to is fixed.
pub fn check_change(old: &Metal3Data, new: &Metal3Data) -> Violations {
    let namespace = new.metadata.namespace.as_deref().unwrap_or_default();
    let mut violations = Violations::new();
    if old.spec.index.unwrap_or_default() != new.spec.index.unwrap_or_default() {
        violations.forbidden("spec.index", "the index never changes");
    }
    if !same(old.spec.template.as_ref(), new.spec.template.as_ref(), namespace) {
        violations.forbidden("spec.template", "the template never changes");
    }
    if !same(old.spec.claim.as_ref(), new.spec.claim.as_ref(), namespace) {
        violations.forbidden("spec.claim", "the claim never changes");
    }
    violations
}

/// Rules for a new Metal3DataClaim.
pub fn check_new_claim(claim: &Metal3DataClaim) -> Violations {
    let namespace = claim.metadata.namespace.as_deref().unwrap_or_default();
    let mut violations = Violations::new();
    if claim.spec.template.as_ref().and_then(|template| template.name()).is_none() {
        violations.required("spec.template.name", "the Metal3DataTemplate to take an index from is needed");
    }
    if let Some(template) = &claim.spec.template {
        own_namespace(template, namespace, "spec.template", &mut violations);
    }
    violations
}

/// Rules for a change of a Metal3DataClaim: the template is fixed.
pub fn check_claim_change(old: &Metal3DataClaim, new: &Metal3DataClaim) -> Violations {
    let namespace = new.metadata.namespace.as_deref().unwrap_or_default();
    let mut violations = Violations::new();
    if !same(old.spec.template.as_ref(), new.spec.template.as_ref(), namespace) {
        violations.forbidden("spec.template", "the template never changes: make another claim");
    }
    if let Some(template) = &new.spec.template {
        own_namespace(template, namespace, "spec.template", &mut violations);
    }
    violations
}
