//! The rules of the group's kinds, for webhooks and controllers alike.
//!
//! | file | rules of |
//! |---|---|
//! | `host` | BareMetalHost as a whole, and what of it may not change |
//! | `image` | images, URLs, kernel parameters: text that reaches Ironic or a boot script |
//! | `raid` | RAID volumes and root disk hints |
//! | `annotations` | a host's annotations |
//! | `other` | the other kinds that have rules |
//!
//! On update only *new* faults are told: an object that was stored under older rules can still lose its finalizer.

mod annotations;
mod host;
mod image;
mod other;
#[cfg(test)]
mod other_tests;
mod raid;
#[cfg(test)]
mod tests;

use crate::validation::Violations;

pub use host::{host, host_update, host_warnings};
pub use image::{image, kernel_parameters, url};
pub use other::{
    data_image, data_image_update, event_subscription, event_subscription_update, firmware_components,
    firmware_components_update, host_claim, host_claim_update, network_attachment, network_attachment_delete,
    network_attachment_update,
};
pub use raid::root_device_hints;

/// The violations of `new` that `old` did not have.
fn added(old: &Violations, new: Violations) -> Violations {
    let mut added = Violations::new();
    for violation in new {
        if !old.iter().any(|v| *v == violation) {
            added.add(violation.kind, violation.field, violation.message);
        }
    }
    added
}
