//! `""` and `unmanaged`: nothing is known about a management controller.

use kit::pass::Why;

use crate::host::facts::Fact;
use crate::host::state::State as S;
use crate::host::step::{Pause, SLOW, Step};
use crate::host::view::HostView;

pub(crate) fn step(view: &HostView) -> Step {
    let bmc = &view.spec().bmc;
    if !bmc.address.is_empty() || !bmc.credentials_name.is_empty() {
        return Step::Go(S::Registering, vec![Fact::ClearError]);
    }
    if view.state == S::None {
        return Step::Go(
            S::Unmanaged,
            vec![Fact::Discovered, Fact::Event("Discovered", "Discovered host with no BMC details".into())],
        );
    }
    let text = "no management controller is given; set spec.bmc.address and spec.bmc.credentialsName";
    Step::Stay(Pause { after: Some(SLOW), why: Why::new("NoController", text), facts: vec![Fact::Discovered] })
}
