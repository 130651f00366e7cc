//! Rules of admission and defaults, kind by kind. Pure: shared by the webhooks and the controllers.
//!
//! | file | kinds |
//! |---|---|
//! | [`cluster`] | Metal3Cluster, Metal3ClusterTemplate |
//! | [`machine`], [`image`] | Metal3Machine, Metal3MachineTemplate |
//! | [`data_template`] | Metal3DataTemplate |
//! | [`data`] | Metal3Data, Metal3DataClaim |
//! | [`remediation`] | Metal3Remediation, Metal3RemediationTemplate |
//!
//! Every function tells all broken rules at once. What the schemas of the CRDs already enforce is not repeated,
//! except where an object can arrive converted from v1beta1, whose schema is wider.

pub mod cluster;
pub mod data;
pub mod data_template;
pub mod image;
pub mod machine;
pub mod remediation;
#[cfg(test)]
mod tests;

use super::v1beta2::ObjectRef;
use crate::validation::Violations;

/// A reference must stay in its own namespace.
fn own_namespace(reference: &ObjectRef, namespace: &str, field: &str, violations: &mut Violations) {
    if !reference.within(namespace) {
        violations.forbidden(
            format!("{field}.namespace"),
            format!("must be left out or be {namespace:?}: references do not leave their namespace"),
        );
    }
}

/// Whether two references mean the same object for a holder in `namespace`.
fn same(one: Option<&ObjectRef>, other: Option<&ObjectRef>, namespace: &str) -> bool {
    let meant = |reference: Option<&ObjectRef>| {
        reference.and_then(|reference| {
            let own = reference.namespace.clone().filter(|own| !own.is_empty());
            Some((reference.name()?.to_owned(), own.unwrap_or_else(|| namespace.to_owned())))
        })
    };
    meant(one) == meant(other)
}
