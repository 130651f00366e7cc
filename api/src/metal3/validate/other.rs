//! The other kinds that have rules.

use super::{added, host, image};
use crate::metal3::annotations::reboots;
use crate::metal3::{
    BMCEventSubscription, DataImage, HostClaim, HostFirmwareComponents, HostNetworkAttachment, HostSelectorRequirement,
    PortMode,
};
use crate::validation::Violations;

/// Rules of a DataImage.
pub fn data_image(object: &DataImage) -> Violations {
    let mut all = Violations::new();
    if let Err(message) = image::url(&object.spec.url) {
        all.invalid("spec.url", message);
    }
    all
}

/// Rules of a changed DataImage.
pub fn data_image_update(old: &DataImage, new: &DataImage) -> Violations {
    added(&data_image(old), data_image(new))
}

/// Rules of HostFirmwareComponents. Names of components depend on the machine: its controller checks them.
pub fn firmware_components(object: &HostFirmwareComponents) -> Violations {
    let mut all = Violations::new();
    for (i, update) in object.spec.updates.iter().enumerate() {
        if let Err(message) = image::url(&update.url) {
            all.invalid(format!("spec.updates[{i}].url"), message);
        }
    }
    all
}

/// Rules of changed HostFirmwareComponents.
pub fn firmware_components_update(old: &HostFirmwareComponents, new: &HostFirmwareComponents) -> Violations {
    added(&firmware_components(old), firmware_components(new))
}

/// Rules of a BMCEventSubscription.
pub fn event_subscription(object: &BMCEventSubscription) -> Violations {
    let mut all = Violations::new();
    let spec = &object.spec;
    let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
    if spec.host_name.is_none() {
        all.required("spec.hostName", "hostName cannot be empty");
    }
    match spec.destination.as_deref() {
        None => all.required("spec.destination", "destination cannot be empty"),
        Some(text) => {
            if let Err(message) = destination(text) {
                all.invalid("spec.destination", message);
            }
        }
    }
    host::secret_reference("spec.httpHeadersRef", spec.http_headers_ref.as_ref(), namespace, &mut all);
    all
}

fn destination(text: &str) -> Result<(), &'static str> {
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err("must not contain blanks or control characters");
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err("must be an absolute URL such as https://events.example.com/host-1");
    };
    if scheme.is_empty() || rest.starts_with('/') || rest.is_empty() {
        return Err("must be an absolute URL such as https://events.example.com/host-1");
    }
    if rest.contains('/') { Ok(()) } else { Err("hostname-only destination must have a trailing slash") }
}

/// Rules of a changed BMCEventSubscription: its spec may not change.
pub fn event_subscription_update(old: &BMCEventSubscription, new: &BMCEventSubscription) -> Violations {
    let mut all = Violations::new();
    if old.spec != new.spec {
        all.forbidden("spec", "subscriptions cannot be updated, please recreate it");
    }
    all
}

/// Rules of a HostClaim.
pub fn host_claim(object: &HostClaim) -> Violations {
    let mut all = Violations::new();
    let spec = &object.spec;
    let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
    for (key, value) in &spec.host_selector.match_labels {
        let field = format!("spec.hostSelector.matchLabels[{key}]");
        if !is_label_key(key) {
            all.invalid(field.clone(), "is not a label key");
        }
        if !is_label_value(value) {
            all.invalid(field, format!("{value:?} is not a label value"));
        }
    }
    for (i, requirement) in spec.host_selector.match_expressions.iter().enumerate() {
        all.within(&format!("spec.hostSelector.matchExpressions[{i}]"), selector_requirement(requirement));
    }
    for (field, reference) in
        [("userData", &spec.user_data), ("networkData", &spec.network_data), ("metaData", &spec.meta_data)]
    {
        host::secret_reference(&format!("spec.{field}"), reference.as_ref(), namespace, &mut all);
    }
    if let Some(wanted) = &spec.image {
        all.within("spec.image", image::image(wanted));
    }
    for (key, request) in reboots(object.metadata.annotations.as_ref()) {
        if let Err(error) = request {
            all.invalid(format!("metadata.annotations[{key}]"), error.to_string());
        }
    }
    all
}

/// Rules of a changed HostClaim.
pub fn host_claim_update(old: &HostClaim, new: &HostClaim) -> Violations {
    added(&host_claim(old), host_claim(new))
}

/// Operators in Kubernetes' own spelling (`In`, `NotIn`, `Exists`) are taken as well.
fn selector_requirement(requirement: &HostSelectorRequirement) -> Violations {
    let mut all = Violations::new();
    if !is_label_key(&requirement.key) {
        all.invalid("key", format!("{:?} is not a label key", requirement.key));
    }
    let number = requirement.values.len();
    match requirement.operator.to_lowercase().as_str() {
        "=" | "==" | "!=" if number != 1 => all.invalid("values", "must have exactly one value for this operator"),
        "in" | "notin" if number == 0 => all.required("values", "must have at least one value for this operator"),
        "exists" | "!" | "doesnotexist" if number != 0 => all.invalid("values", "must be empty for this operator"),
        "=" | "==" | "!=" | "in" | "notin" | "exists" | "!" | "doesnotexist" => {}
        _ => all.invalid(
            "operator",
            format!("unknown operator {:?}; write one of =, ==, !=, in, notin, exists, !", requirement.operator),
        ),
    }
    for (i, value) in requirement.values.iter().enumerate().filter(|(_, value)| !is_label_value(value)) {
        all.invalid(format!("values[{i}]"), format!("{value:?} is not a label value"));
    }
    all
}

fn is_label_value(text: &str) -> bool {
    let edge = |c: Option<char>| c.is_none_or(|c| c.is_ascii_alphanumeric());
    text.len() <= 63
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
        && edge(text.chars().next())
        && edge(text.chars().next_back())
}

fn is_label_key(text: &str) -> bool {
    let (prefix, name) = match text.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, text),
    };
    let dns = |prefix: &str| {
        (1..=253).contains(&prefix.len())
            && prefix.split('.').all(|label| {
                !label.is_empty()
                    && label.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
                    && !label.starts_with('-')
                    && !label.ends_with('-')
            })
    };
    !name.is_empty() && is_label_value(name) && prefix.is_none_or(dns)
}

/// Rules of a HostNetworkAttachment.
pub fn network_attachment(object: &HostNetworkAttachment) -> Violations {
    let mut all = Violations::new();
    let spec = &object.spec;
    if spec.mode == PortMode::Access && !spec.allowed_vlans.is_empty() {
        all.invalid("spec.allowedVLANs", "must be empty in mode access; use trunk or hybrid for tagged VLANs");
    }
    for (i, entry) in spec.allowed_vlans.iter().enumerate() {
        if !is_vlan_range(entry) {
            all.invalid(
                format!("spec.allowedVLANs[{i}]"),
                format!("{entry:?} must be a number from 1 to 4094, or two such with a dash, the smaller first"),
            );
        }
    }
    all
}

fn is_vlan_range(text: &str) -> bool {
    let vlan = |text: &str| text.parse::<u16>().ok().filter(|id| (1..=4094).contains(id));
    match text.split_once('-') {
        None => vlan(text).is_some(),
        Some((start, end)) => vlan(start).zip(vlan(end)).is_some_and(|(start, end)| start < end),
    }
}

/// Rules of a changed HostNetworkAttachment. `users`: the interfaces that refer to it, as `NAMESPACE/HOST[NAME]`.
pub fn network_attachment_update(
    old: &HostNetworkAttachment,
    new: &HostNetworkAttachment,
    users: &[String],
) -> Violations {
    let mut all = added(&network_attachment(old), network_attachment(new));
    if old.spec != new.spec && !users.is_empty() {
        all.forbidden("spec", format!("is immutable while referenced by BMH interfaces: {}", users.join(", ")));
    }
    all
}

/// Whether a HostNetworkAttachment may be deleted. `users` as above.
pub fn network_attachment_delete(users: &[String]) -> Violations {
    let mut all = Violations::new();
    if !users.is_empty() {
        all.forbidden(
            "metadata",
            format!("can not be deleted while referenced by BMH interfaces: {}", users.join(", ")),
        );
    }
    all
}
