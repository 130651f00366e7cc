//! `externally provisioned`: somebody else installed the machine; it is adopted and its power follows the wish.

use crate::host::facts::Fact;
use crate::host::state::State as S;
use crate::host::step::Step;
use crate::host::view::HostView;
use crate::host::{adoption, power, servicing};

pub(crate) fn step(view: &HostView) -> Step {
    if !view.spec().externally_provisioned {
        // An image in the wish counts as installed; without one the machine is deprovisioned next.
        return Step::Go(S::Provisioned, vec![Fact::ImageDone, Fact::ClearError, Fact::ResetCount]);
    }
    adoption::step(view).or_else(|| servicing::step(view)).unwrap_or_else(|| power::step(view))
}
