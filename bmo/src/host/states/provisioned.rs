//! `provisioned`: the image runs. The machine is adopted when Ironic has lost it, and its power follows the wish.

use crate::host::state::State as S;
use crate::host::step::Step;
use crate::host::view::HostView;
use crate::host::{adoption, power, servicing};

pub(crate) fn step(view: &HostView) -> Step {
    if view.cancelled() {
        return Step::Go(S::Deprovisioning, Vec::new());
    }
    adoption::step(view).or_else(|| servicing::step(view)).unwrap_or_else(|| power::step(view))
}
