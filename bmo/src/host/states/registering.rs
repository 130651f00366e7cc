//! `registering`: the guard of registration did the work; this chooses what comes next.

use crate::host::facts::Fact;
use crate::host::state::State as S;
use crate::host::step::Step;
use crate::host::view::HostView;

pub(crate) fn step(view: &HostView) -> Step {
    let next = if view.spec().externally_provisioned {
        S::ExternallyProvisioned
    } else if view.inspection_disabled() {
        S::Preparing
    } else {
        S::Inspecting
    };
    Step::Go(next, vec![Fact::ClearError, Fact::ResetCount])
}
