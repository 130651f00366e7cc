//! `available`: free to be given an image; meanwhile its power follows the wish.

use crate::host::errors::ErrorKind;
use crate::host::facts::Fact;
use crate::host::settings::Settings;
use crate::host::state::State as S;
use crate::host::step::Step;
use crate::host::view::HostView;
use crate::host::{firmware, power, wish};

pub(crate) fn step(view: &HostView) -> Step {
    if view.spec().externally_provisioned {
        return Step::Go(S::ExternallyProvisioned, vec![Fact::ForgetSettings, Fact::ClearError]);
    }
    if view.inspection_requested() {
        return Step::Go(S::Inspecting, vec![Fact::ClearError]);
    }
    let unchecked = firmware::behind(view);
    if Settings::raid_differs(view) || (unchecked.is_none() && !firmware::pending(view).is_empty()) {
        return Step::Go(S::Preparing, vec![Fact::ClearError]);
    }
    if Settings::hints_differ(view) {
        let wished = Settings { raid: None, ..Settings::wished(view) };
        if let Some(step) = view.note(vec![Fact::Applied(wished)]) {
            return step;
        }
    }
    if !view.wants_anything()
        && let Some(step) = view.note(vec![Fact::FreshImage])
    {
        return step;
    }
    match (view.needs_provisioning(), unchecked) {
        // What is wished of the firmware belongs to the machine that is given away.
        (true, Some(step)) => step,
        (true, None) => provision(view),
        (false, _) => power::step(view),
    }
}

/// Starts writing, unless the same image has failed too often already.
fn provision(view: &HostView) -> Step {
    let status = view.status();
    if view.spec().image.is_some()
        && status.last_attempted_image != view.spec().image
        && let Some(step) = view.note(vec![Fact::FreshImage])
    {
        return step;
    }
    let (failed, limit) = (status.provisioning_fail_count, view.config.max_provisioning_retries);
    if limit > 0 && failed >= limit {
        let text = format!(
            "provisioning failed {failed} times, retry limit ({limit}) reached; change image or reset \
             provisioningFailCount to retry"
        );
        return view.fail(ErrorKind::Provisioning, text);
    }
    // What is wrong with the wish is shown before anything is written, and costs no try.
    if let Some(text) = wish::material_problem(view) {
        return view.fail(ErrorKind::Provisioning, text);
    }
    Step::Go(S::Provisioning, vec![Fact::ClearError])
}
