//! Conditions of the first generation: from kit's internal value to the type on the wire.

use api::infra::v1beta2::V1Beta1Condition;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kit::conditions::{Condition, V1Beta1, V1Beta1Parts};

/// The wire type; kit cannot know it.
#[derive(Debug, Clone)]
struct Wire(V1Beta1Condition);

impl V1Beta1 for Wire {
    fn parts(&self) -> V1Beta1Parts {
        let wire = self.0.clone();
        V1Beta1Parts {
            kind: wire.type_,
            status: wire.status,
            severity: wire.severity,
            reason: wire.reason,
            message: wire.message,
            since: wire.last_transition_time.0,
        }
    }

    fn from_parts(parts: V1Beta1Parts) -> Self {
        Self(V1Beta1Condition {
            type_: parts.kind,
            status: parts.status,
            severity: parts.severity,
            last_transition_time: Time(parts.since),
            reason: parts.reason,
            message: parts.message,
        })
    }
}

/// Sets a condition of the first generation.
pub(crate) fn set_v1beta1(list: &mut Vec<V1Beta1Condition>, condition: &Condition, now: Timestamp) {
    let mut wires: Vec<Wire> = std::mem::take(list).into_iter().map(Wire).collect();
    kit::conditions::set_v1beta1(&mut wires, condition, now);
    *list = wires.into_iter().map(|wire| wire.0).collect();
}
