//! A host's annotations.

use serde_json::Value;

use crate::metal3::annotations::reboots;
use crate::metal3::{BareMetalHost, BareMetalHostStatus, HardwareDetails, InspectionMode};
use crate::names::annotation;
use crate::schema::unknown_fields;
use crate::validation::Violations;

fn field(key: &str) -> String {
    format!("metadata.annotations[{key}]")
}

fn value<'a>(host: &'a BareMetalHost, key: &str) -> Option<&'a str> {
    Some(host.metadata.annotations.as_ref()?.get(key)?.as_str())
}

/// Whether the hardware is not to be found out, by the field or by the older annotation.
pub(super) fn inspection_disabled(host: &BareMetalHost) -> bool {
    host.spec.inspection_mode == Some(InspectionMode::Disabled)
        || value(host, annotation::INSPECT) == Some(annotation::INSPECT_DISABLED)
}

pub(super) fn annotations(host: &BareMetalHost) -> Violations {
    let mut all = Violations::new();
    for (key, request) in reboots(host.metadata.annotations.as_ref()) {
        if let Err(error) = request {
            all.invalid(field(key), error.to_string());
        }
    }
    inspect(host, &mut all);
    if let Some(text) = value(host, annotation::HOST_STATUS) {
        status(text, &mut all);
    }
    if let Some(text) = value(host, annotation::HARDWARE_DETAILS) {
        if !inspection_disabled(host) {
            all.invalid(
                field(annotation::HARDWARE_DETAILS),
                "when hardware details are provided, inspection must be disabled: set inspectionMode to disabled",
            );
        }
        hardware_details(text, &mut all);
    }
    all
}

fn inspect(host: &BareMetalHost, all: &mut Violations) {
    let Some(asked) = value(host, annotation::INSPECT).filter(|text| !text.is_empty()) else { return };
    if asked != annotation::INSPECT_DISABLED {
        all.invalid(field(annotation::INSPECT), format!("invalid value {asked:?}; leave it empty or write disabled"));
        return;
    }
    match &host.spec.inspection_mode {
        None | Some(InspectionMode::Disabled) => {}
        Some(mode) => all.invalid(
            field(annotation::INSPECT),
            format!("says disabled while inspectionMode says {mode}; remove the annotation"),
        ),
    }
}

/// Unlike everywhere else members that are not known are let through: a status must survive a move from a newer
/// version. Words that steer the controller must be known.
fn status(text: &str, all: &mut Violations) {
    let field = field(annotation::HOST_STATUS);
    match serde_json::from_str::<BareMetalHostStatus>(text) {
        Err(error) => all.invalid(field, format!("error decoding status annotation: {error}")),
        Ok(status) => {
            if !status.operational_status.is_known() {
                all.invalid(
                    field.clone(),
                    format!("invalid operationalStatus {:?}", status.operational_status.as_str()),
                );
            }
            if let Some(unknown) = status.error_type.filter(|t| !t.is_known()) {
                all.invalid(field, format!("invalid errorType {:?}", unknown.as_str()));
            }
        }
    }
}

fn hardware_details(text: &str, all: &mut Violations) {
    let field = field(annotation::HARDWARE_DETAILS);
    let parsed = serde_json::from_str::<Value>(text)
        .and_then(|value| serde_json::from_value::<HardwareDetails>(value.clone()).map(|_| value));
    match parsed {
        Err(error) => all.invalid(field, format!("error decoding hardware details annotation: {error}")),
        Ok(value) => {
            for unknown in unknown_fields::<HardwareDetails>(&value) {
                all.invalid(field.clone(), format!("unknown field {unknown}"));
            }
        }
    }
}
