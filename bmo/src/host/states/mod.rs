//! One file per state of a host: what is done in it, and what ends it. The ways between them: [`super::life::EDGES`].

pub(crate) mod available;
pub(crate) mod deleting;
pub(crate) mod deprovisioning;
pub(crate) mod externally_provisioned;
pub(crate) mod inspecting;
pub(crate) mod powering_off_before_delete;
pub(crate) mod preparing;
pub(crate) mod provisioned;
pub(crate) mod provisioning;
pub(crate) mod registering;
pub(crate) mod unmanaged;

use kit::pass::Why;

use crate::host::step::Step;

/// A state of a newer release, or a slip of the pen: shown and left alone.
pub(crate) fn unknown(word: &str) -> Step {
    let text = format!(
        "no handler found for state \"{word}\"; a newer release may have written it: upgrade, or correct the status"
    );
    Step::wait_for_user(Why::new("UnknownState", text))
}
