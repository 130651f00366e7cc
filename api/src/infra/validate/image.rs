//! The image of a machine.

use crate::infra::v1beta2::{CustomDeploy, DiskFormat, Image};
use crate::validation::Violations;

/// Rules of an image. A custom deploy method takes the image as it is, or none at all.
pub fn check(image: Option<&Image>, custom: Option<&CustomDeploy>) -> Violations {
    let mut violations = Violations::new();
    if custom.is_some_and(|custom| !custom.method.is_empty()) {
        return violations;
    }
    let Some(image) = image.filter(|image| !image.url.is_empty() || has_checksum(image)) else {
        violations.required("image", "an image or customDeploy.method is needed");
        return violations;
    };
    if image.url.is_empty() {
        violations.required("image.url", "the address of the image is needed");
    } else if !is_url(&image.url) {
        violations.invalid("image.url", format!("{:?} is not an absolute URL", image.url));
    }
    if is_oci(&image.url) {
        let reason = "an oci:// image is verified by its own digest: leave this out";
        if has_checksum(image) {
            violations.forbidden("image.checksum", reason);
        }
        if image.checksum_type.is_some() {
            violations.forbidden("image.checksumType", reason);
        }
    } else if image.disk_format != Some(DiskFormat::LiveIso) {
        check_checksum(image.checksum.as_deref().unwrap_or_default(), &mut violations);
    }
    violations
}

fn check_checksum(checksum: &str, violations: &mut Violations) {
    if checksum.is_empty() {
        violations.required("image.checksum", "the checksum of the image, or the URL of a file with it, is needed");
    } else if (checksum.starts_with("http://") || checksum.starts_with("https://")) && !is_url(checksum) {
        violations.invalid("image.checksum", format!("{checksum:?} is not a URL"));
    }
}

fn has_checksum(image: &Image) -> bool {
    image.checksum.as_ref().is_some_and(|checksum| !checksum.is_empty())
}

/// Whether the URL names an image in an OCI registry.
pub fn is_oci(url: &str) -> bool {
    url.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("oci://"))
}

/// Whether a text is an absolute URL, or an absolute path, without characters that no URL has.
fn is_url(text: &str) -> bool {
    if text.chars().any(|c| c.is_control() || c == ' ') || !percent_signs_are_escapes(text) {
        return false;
    }
    let Some((scheme, rest)) = text.split_once(':').filter(|(scheme, _)| is_scheme(scheme)) else {
        return text.starts_with('/');
    };
    let Some(authority) = rest.strip_prefix("//") else { return !scheme.is_empty() };
    let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    port_of(host).is_none_or(|port| port.chars().all(|c| c.is_ascii_digit()))
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

/// What follows the host: after the bracket of an IPv6 address, else after the first colon.
fn port_of(host: &str) -> Option<&str> {
    let after = match host.strip_prefix('[') {
        Some(bracketed) => bracketed.split_once(']').map_or("x", |(_, after)| after),
        None => return host.split_once(':').map(|(_, port)| port),
    };
    if after.is_empty() { None } else { Some(after.strip_prefix(':').unwrap_or("x")) }
}

fn percent_signs_are_escapes(text: &str) -> bool {
    text.split('%').skip(1).all(|after| after.len() >= 2 && after.bytes().take(2).all(|b| b.is_ascii_hexdigit()))
}
