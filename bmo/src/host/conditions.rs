//! The conditions of a host: a pure function of its state, its operational status and what it waits for.

use api::metal3::{BareMetalHostStatus, OperationalStatus};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kit::conditions::{self, Condition as Wanted, Truth};
use kit::pass::Why;

use crate::host::errors::KINDS;
use crate::host::state::{State as S, Traits as _};

/// Reason of a host whose power Ironic can neither read nor switch.
pub const POWER_FAILURE: &str = "PowerFailure";
/// Reason of a host whose Ironic does not answer.
pub const UNREACHABLE: &str = "IronicUnreachable";

/// What the node says about its machine, as far as conditions show it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Signs {
    /// Why Ironic lost the power control of the machine, if it did, and what to do about it.
    pub power_failure: Option<String>,
    /// Why Ironic does not answer, if it does not.
    pub unreachable: Option<String>,
    /// The health word of the management controller.
    pub health: Option<String>,
    /// What the host waits for.
    pub told: Told,
}

/// What people are told of a wait.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Told {
    /// A pass on the way to the next one: what was shown stays.
    #[default]
    Same,
    /// The host waits for nothing.
    Nothing,
    /// The host waits for this.
    Wait(Why),
}

/// The reason of the condition of this type.
pub fn reason_of<'c>(conditions: &'c [Condition], kind: &str) -> Option<&'c str> {
    conditions.iter().find(|c| c.type_ == kind).map(|c| c.reason.as_str())
}

/// The reason of the wait that conditions show, as [`compute`] puts it there.
pub fn shown(conditions: &[Condition]) -> Option<&str> {
    let message = &conditions.iter().find(|c| c.type_ == "Progressing")?.message;
    message.split_once(": ").map(|(reason, _)| reason)
}

/// The list of conditions after a pass. Times change only where the answer changed.
pub fn compute(status: &BareMetalHostStatus, signs: &Signs, generation: Option<i64>, now: Timestamp) -> Vec<Condition> {
    let state = &status.provisioning.state;
    let mut wanted = of_state(state, status);
    overlay(&mut wanted, state, status, signs);
    wanted.push(healthy(status, signs));
    explain(&mut wanted, status, signs);
    merge(&status.conditions, &wanted, generation, now)
}

fn of_state(state: &S, status: &BareMetalHostStatus) -> Vec<Wanted> {
    let row = |kind, yes: bool, reason| if yes { Wanted::yes(kind, reason) } else { Wanted::no(kind, reason, "") };
    let failed = status.operational_status == OperationalStatus::Error;
    let manageable = match state {
        S::None | S::Unmanaged => row("Manageable", false, "NotManaged"),
        S::Registering if failed => row("Manageable", false, "RegistrationFailed"),
        S::Registering => row("Manageable", false, "Registering"),
        _ => row("Manageable", true, "Manageable"),
    };
    let free = state.free();
    let runs = state.in_use();
    let progress = match state {
        S::Registering => Some("Registering"),
        S::Inspecting | S::MatchProfile => Some("Inspecting"),
        S::Preparing => Some("Preparing"),
        S::Provisioning => Some("Provisioning"),
        S::Deprovisioning => Some("Deprovisioning"),
        S::PoweringOffBeforeDelete => Some("PoweringOffBeforeDelete"),
        S::Deleting => Some("Deleting"),
        _ => None,
    };
    vec![
        manageable,
        row("AvailableForProvisioning", free, if free { "Available" } else { "NotAvailable" }),
        row("Provisioned", runs, if runs { "Provisioned" } else { "NotProvisioned" }),
        row("Ready", runs, if runs { "Provisioned" } else { "NotProvisioned" }),
        row("Progressing", progress.is_some(), progress.unwrap_or("NotProgressing")),
    ]
}

fn overlay(wanted: &mut [Wanted], state: &S, status: &BareMetalHostStatus, signs: &Signs) {
    let set = |wanted: &mut [Wanted], kind: &str, reason: &'static str| {
        for condition in wanted.iter_mut().filter(|c| c.kind == kind) {
            condition.truth = Truth::False;
            reason.clone_into(&mut condition.reason);
        }
    };
    let detached = status.operational_status == OperationalStatus::Detached;
    match status.operational_status {
        OperationalStatus::Error => set(wanted, "Ready", "Error"),
        OperationalStatus::Servicing => set(wanted, "Ready", "Servicing"),
        OperationalStatus::Detached => {
            set(wanted, "Ready", "Detached");
            set(wanted, "Progressing", "Detached");
        }
        _ => {}
    }
    let watched = !detached && !matches!(state, S::None | S::Unmanaged | S::Registering | S::Deleting);
    if watched && signs.power_failure.is_some() {
        set(wanted, "Manageable", POWER_FAILURE);
    }
    if state.managed() && !detached && signs.unreachable.is_some() {
        set(wanted, "Manageable", UNREACHABLE);
    }
}

fn healthy(status: &BareMetalHostStatus, signs: &Signs) -> Wanted {
    let old = status.conditions.iter().find(|c| c.type_ == "Healthy");
    match (signs.health.as_deref(), old.map(|c| c.reason.as_str())) {
        (Some("OK"), _) | (None, Some("Healthy")) => Wanted::yes("Healthy", "Healthy"),
        (Some("Warning"), _) | (None, Some("Warning")) => Wanted::no("Healthy", "Warning", ""),
        (Some("Critical"), _) | (None, Some("CriticalError")) => Wanted::no("Healthy", "CriticalError", ""),
        (Some(_) | None, _) => Wanted::unknown("Healthy", "Unknown", ""),
    }
}

/// Puts the words for people where they look: the error under Ready, the wait under Progressing.
fn explain(wanted: &mut [Wanted], status: &BareMetalHostStatus, signs: &Signs) {
    for condition in wanted {
        match (condition.kind, condition.reason.as_str()) {
            ("Manageable", UNREACHABLE) => condition.message = signs.unreachable.clone().unwrap_or_default(),
            ("Manageable", POWER_FAILURE) => condition.message = signs.power_failure.clone().unwrap_or_default(),
            ("Ready" | "Manageable", _) if condition.truth == Truth::False => {
                condition.message.clone_from(&status.error_message);
            }
            ("Progressing", _) => condition.message = wait(status, &signs.told),
            _ => {}
        }
    }
}

/// The text of a wait: only what stays the same while it lasts, so that a look alone writes nothing.
fn wait(status: &BareMetalHostStatus, told: &Told) -> String {
    match told {
        Told::Nothing => String::new(),
        Told::Wait(why) => format!("{}: {}", why.reason, why.told()),
        Told::Same => {
            let over = status.error_type.is_none() && shown(&status.conditions).is_some_and(is_error);
            let old = status.conditions.iter().find(|c| c.type_ == "Progressing").filter(|_| !over);
            old.map(|condition| condition.message.clone()).unwrap_or_default()
        }
    }
}

/// Whether a reason is that of an error, which has an event of its own.
pub fn is_error(reason: &str) -> bool {
    KINDS.iter().any(|kind| kind.event() == reason)
}

/// The old list with the wanted conditions in it, "Ready" first, then by name.
fn merge(old: &[Condition], wanted: &[Wanted], generation: Option<i64>, now: Timestamp) -> Vec<Condition> {
    let mut list = old.to_vec();
    for condition in wanted {
        conditions::set(&mut list, condition, generation, now);
    }
    list.sort_by(|a, b| (a.type_ != "Ready", &a.type_).cmp(&(b.type_ != "Ready", &b.type_)));
    list
}

/// Kubernetes times have seconds; more would differ from what is read back.
pub fn seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}
