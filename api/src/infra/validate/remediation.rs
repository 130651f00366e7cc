//! Metal3Remediation and Metal3RemediationTemplate.

use crate::infra::v1beta2::{Metal3Remediation, Metal3RemediationTemplate, RemediationStrategy, RemediationType};
use crate::validation::Violations;

/// Shortest time to wait for a Node after a reboot, seconds.
pub const MIN_TIMEOUT_SECONDS: i32 = 100;
/// Time to wait for a Node after a reboot when none is given, seconds.
pub const DEFAULT_TIMEOUT_SECONDS: i32 = 600;

/// Fills in the strategy of a template.
pub fn default_template(template: &mut Metal3RemediationTemplate) {
    let strategy = template.spec.template.spec.strategy.get_or_insert_default();
    strategy.type_.get_or_insert(RemediationType::Reboot);
    if strategy.timeout_seconds.is_none_or(|seconds| seconds == 0) {
        strategy.timeout_seconds = Some(DEFAULT_TIMEOUT_SECONDS);
    }
    if strategy.retry_limit.is_none_or(|limit| limit < 1) {
        strategy.retry_limit = Some(1);
    }
}

/// Rules for creation and every change. No strategy at all means the defaults.
pub fn check(remediation: &Metal3Remediation) -> Violations {
    let mut violations = Violations::new();
    if let Some(strategy) = &remediation.spec.strategy {
        violations.within("spec.strategy", check_strategy(strategy));
    }
    violations
}

/// Rules for creation and every change.
pub fn check_template(template: &Metal3RemediationTemplate) -> Violations {
    let mut violations = Violations::new();
    match &template.spec.template.spec.strategy {
        Some(strategy) => violations.within("spec.template.spec.strategy", check_strategy(strategy)),
        None => violations.required("spec.template.spec.strategy", "how machines are repaired is needed"),
    }
    violations
}

fn check_strategy(strategy: &RemediationStrategy) -> Violations {
    let mut violations = Violations::new();
    if strategy.type_ != Some(RemediationType::Reboot) {
        violations.invalid("type", "the only strategy is \"Reboot\"");
    }
    if strategy.timeout_seconds.is_some_and(|seconds| seconds != 0 && seconds < MIN_TIMEOUT_SECONDS) {
        violations.invalid("timeoutSeconds", format!("must be at least {MIN_TIMEOUT_SECONDS}"));
    }
    if strategy.retry_limit.is_none_or(|limit| limit < 1) {
        violations.invalid("retryLimit", "must be at least 1");
    }
    violations
}
