//! Text that reaches Ironic, a boot script or a kernel command line.

use crate::metal3::{ChecksumType, Image};
use crate::validation::Violations;

/// Schemes that an image may be fetched by. `file` is not one: it would read the conductor's own files.
const SCHEMES: [&str; 5] = ["http", "https", "ftp", "gopher", "oci"];
/// Schemes of a checksum's URL.
const CHECKSUM_SCHEMES: [&str; 3] = ["http", "https", "ftp"];

/// Rules of an image; fields are relative to it.
pub fn image(image: &Image) -> Violations {
    let mut all = Violations::new();
    if let Err(message) = url(&image.url) {
        all.invalid("url", message);
    }
    match (&image.checksum, image.is_oci(), image.is_live_iso()) {
        (Some(_), true, _) => {
            all.invalid("checksum", "must be empty for OCI images, whose manifest has the checksum");
        }
        (None, false, false) => {
            all.required("checksum", "is required for images that are written to a disk");
        }
        (Some(checksum), false, _) => {
            if let Err(message) = checksum_text(checksum) {
                all.invalid("checksum", message);
            }
        }
        (None, true, _) | (None, _, true) => {}
    }
    if let Some(unknown @ ChecksumType::Other(_)) = &image.checksum_type {
        all.invalid(
            "checksumType",
            format!("unknown checksumType {:?}; write one of {}", unknown.as_str(), ChecksumType::KNOWN.join(", ")),
        );
    }
    if image.oci_auth_secret_name.is_some() && !image.is_oci() {
        all.invalid("ociAuthSecretName", "is only for images in an OCI registry (oci://)");
    }
    all
}

/// Whether an image, ISO or firmware file can be fetched from there.
pub fn url(text: &str) -> Result<(), String> {
    fetchable(text, &SCHEMES)
}

fn checksum_text(text: &str) -> Result<(), String> {
    if text.contains("://") {
        return fetchable(text, &CHECKSUM_SCHEMES);
    }
    match text.chars().find(|c| c.is_control() || c.is_whitespace()) {
        Some(c) => Err(format!("must not contain {c:?}; write the checksum itself, or the URL of a file with it")),
        None => Ok(()),
    }
}

fn fetchable(text: &str, schemes: &[&str]) -> Result<(), String> {
    let refuse = |cause: &str| Err(format!("image URL {text:?} is invalid: {cause}"));
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return refuse("it must not contain blanks or control characters; write %20 for a blank");
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        return refuse("it must be absolute, such as https://example.com/image.qcow2");
    };
    if !schemes.iter().any(|known| known.eq_ignore_ascii_case(scheme)) {
        return refuse(&format!("its scheme must be one of {}", schemes.join(", ")));
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.is_empty() { refuse("it has no host") } else { Ok(()) }
}

/// Whether text may be added to a kernel command line: printable ASCII, in one line, without iPXE's and the
/// boot loaders' own signs. Anything else could put commands into a boot script.
pub fn kernel_parameters(text: &str) -> Result<(), String> {
    match text.chars().find(|&c| !(c == ' ' || c.is_ascii_graphic()) || matches!(c, '$' | '`' | ';' | '&' | '|' | '\\'))
    {
        Some(c) => Err(format!("kernel parameters must not contain {c:?}")),
        None => Ok(()),
    }
}

/// One or more letters, digits, dots, underscores and dashes.
pub(super) fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
}
