//! BareMetalHost as a whole.

use std::collections::BTreeSet;

use super::{added, annotations, image, raid};
use crate::meta::SecretReference;
use crate::metal3::bmc_address::{AccessType, BmcAddress};
use crate::metal3::{
    BareMetalHost, BareMetalHostSpec, BootMode, ChecksumType, ImageFormat, InspectionMode, OperationalStatus,
    ProvisioningState,
};
use crate::validation::Violations;

/// All broken rules of a host.
pub fn host(host: &BareMetalHost) -> Violations {
    let mut all = Violations::new();
    let namespace = host.metadata.namespace.as_deref().unwrap_or_default();
    name(host.metadata.name.as_deref().unwrap_or_default(), &mut all);
    let spec = &host.spec;
    let no_inspection = annotations::inspection_disabled(host);
    let access = bmc(spec, &mut all);
    boot(spec, access, no_inspection, &mut all);
    if spec.firmware.is_some() {
        all.forbidden(
            "spec.firmware",
            "is no longer supported; use a HostFirmwareSettings with the host's name instead",
        );
    }
    for (field, reference) in
        [("userData", &spec.user_data), ("networkData", &spec.network_data), ("metaData", &spec.meta_data)]
    {
        secret_reference(&format!("spec.{field}"), reference.as_ref(), namespace, &mut all);
    }
    if let Some(wanted) = &spec.raid {
        all.within("spec.raid", raid::volumes(wanted, spec.root_device_hints.is_some(), access));
    }
    if let Some(hints) = &spec.root_device_hints {
        all.within("spec.rootDeviceHints", raid::root_device_hints(hints));
    }
    if let Some(wanted) = &spec.image {
        all.within("spec.image", image::image(wanted));
    }
    if let Some(deploy) = &spec.custom_deploy
        && !image::is_word(&deploy.method)
    {
        all.invalid("spec.customDeploy.method", "must be the name of a deploy step: letters, digits, '.', '_' and '-'");
    }
    if spec.architecture.as_deref().is_some_and(|a| !image::is_word(a)) {
        all.invalid("spec.architecture", "must be a word such as x86_64 or aarch64");
    }
    if spec.disable_power_off && !spec.online {
        all.invalid("spec.online", "cannot be false while disablePowerOff is true: remove one of the two");
    }
    network_interfaces(spec, &mut all);
    all.append(annotations::annotations(host));
    all
}

/// The broken rules that a change brings, and what may not be changed now.
pub fn host_update(old: &BareMetalHost, new: &BareMetalHost) -> Violations {
    let mut all = added(&host(old), host(new));
    let state = |host: &BareMetalHost| host.status.as_ref().map(|s| s.provisioning.state.clone()).unwrap_or_default();
    let either = |test: &dyn Fn(&BareMetalHost) -> bool| test(old) || test(new);

    let detached =
        |h: &BareMetalHost| h.status.as_ref().is_some_and(|s| s.operational_status == OperationalStatus::Detached);
    let address = &old.spec.bmc.address;
    if !address.is_empty()
        && *address != new.spec.bmc.address
        && !either(&|h| detached(h) || state(h) == ProvisioningState::Registering)
    {
        all.forbidden(
            "spec.bmc.address",
            "can not be changed if the host is not in the registering state, or not detached; detach it first",
        );
    }
    if let Some(before) = &old.spec.boot_mac_address
        && !new.spec.boot_mac_address.as_ref().is_some_and(|after| after.eq_ignore_ascii_case(before))
    {
        all.forbidden("spec.bootMACAddress", "can not be changed once it is set; delete the host and make a new one");
    }
    if !old.spec.externally_provisioned
        && new.spec.externally_provisioned
        && !either(&|h| state(h) == ProvisioningState::Available)
    {
        all.forbidden(
            "spec.externallyProvisioned",
            format!("can only be enabled when in the available state, the host is in {:?}", state(old).as_str()),
        );
    }
    all
}

/// What is allowed but probably not meant.
pub fn host_warnings(host: &BareMetalHost) -> Vec<String> {
    let spec = &host.spec;
    let mut all = Vec::new();
    if spec.hardware_profile.is_some() {
        all.push("spec.hardwareProfile is deprecated: use rootDeviceHints".to_owned());
    }
    if !spec.taints.is_empty() {
        all.push("spec.taints has no effect".to_owned());
    }
    if let Some(image) = &spec.image {
        if image.checksum_type == Some(ChecksumType::Md5) {
            all.push("spec.image.checksumType: MD5 can be forged; use sha256 or sha512".to_owned());
        }
        let written = image.format != Some(ImageFormat::LiveIso);
        let software_root =
            spec.raid.iter().flat_map(|r| r.software_raid_volumes.iter().flatten()).any(|volume| volume.root_volume);
        if written && spec.root_device_hints.is_none() && spec.hardware_profile.is_none() && !software_root {
            all.push("spec.rootDeviceHints is not set: the image is written to /dev/sda".to_owned());
        }
    }
    if spec.bmc.disable_certificate_verification {
        all.push("spec.bmc.disableCertificateVerification lets anybody in between read the BMC's password".to_owned());
    }
    all
}

fn name(name: &str, all: &mut Violations) {
    if !image::is_word(name) && !name.is_empty() {
        all.invalid("metadata.name", "cannot contain characters other than [A-Za-z0-9._-]");
    }
    if is_uuid(name) {
        all.invalid("metadata.name", "cannot be a UUID, since Ironic would take it for the identity of a node");
    }
}

/// 32 hexadecimal digits, with or without dashes in the usual places.
fn is_uuid(text: &str) -> bool {
    let dashed = text.len() == 36
        && text
            .char_indices()
            .all(|(i, c)| if [8, 13, 18, 23].contains(&i) { c == '-' } else { c.is_ascii_hexdigit() });
    dashed || (text.len() == 32 && text.chars().all(|c| c.is_ascii_hexdigit()))
}

/// The access type, when the address is right.
fn bmc(spec: &BareMetalHostSpec, all: &mut Violations) -> Option<AccessType> {
    if spec.bmc.address.is_empty() {
        return None;
    }
    match spec.bmc.address.parse::<BmcAddress>() {
        Ok(address) => Some(address.access),
        Err(error) => {
            all.invalid("spec.bmc.address", error.to_string());
            None
        }
    }
}

fn boot(spec: &BareMetalHostSpec, access: Option<AccessType>, no_inspection: bool, all: &mut Violations) {
    match &spec.boot_mac_address {
        Some(mac) if !is_mac(mac) => {
            all.invalid("spec.bootMACAddress", format!("{mac:?} is not a MAC address such as 00:1a:2b:3c:4d:5e"));
        }
        Some(_) => {}
        None => {
            if let Some(access) = access.filter(|a| a.always_needs_mac() || no_inspection) {
                let cause = if no_inspection { " while inspection is disabled" } else { "" };
                all.required(
                    "spec.bootMACAddress",
                    format!("BMC driver {access} requires a BootMACAddress value{cause}"),
                );
            }
        }
    }
    let Some(access) = access else { return };
    if spec.boot_mode == Some(BootMode::UefiSecureBoot) && !access.supports_secure_boot() {
        all.invalid("spec.bootMode", format!("BMC driver {access} does not support secure boot"));
    }
    if spec.inspection_mode == Some(InspectionMode::Fast) && !access.supports_fast_inspection() {
        all.invalid(
            "spec.inspectionMode",
            format!("BMC driver {access} does not support fast (out-of-band) inspection; use agent"),
        );
    }
}

/// 6 octets, or the 8 and 20 of other link layers, with colons.
fn is_mac(text: &str) -> bool {
    let octets: Vec<&str> = text.split(':').collect();
    matches!(octets.len(), 6 | 8 | 20)
        && octets.iter().all(|o| o.len() == 2 && o.chars().all(|c| c.is_ascii_hexdigit()))
}

/// A reference must stay in the namespace of the object that holds it.
pub(super) fn secret_reference(
    field: &str,
    reference: Option<&SecretReference>,
    namespace: &str,
    all: &mut Violations,
) {
    if let Some(Err(error)) = reference.map(|r| r.name_in(namespace)) {
        all.forbidden(format!("{field}.namespace"), error.to_string());
    }
}

fn network_interfaces(spec: &BareMetalHostSpec, all: &mut Violations) {
    let mut seen = BTreeSet::new();
    for (i, interface) in spec.network_interfaces.iter().enumerate() {
        let field = format!("spec.networkInterfaces[{i}]");
        let key = match (&interface.name, &interface.mac_address) {
            (Some(_), Some(_)) => {
                all.invalid(field, "name and macAddress exclude each other: remove one");
                continue;
            }
            (None, None) => {
                all.required(field, "name or macAddress must tell which interface is meant");
                continue;
            }
            (Some(name), None) => format!("name {}", name.to_lowercase()),
            (None, Some(mac)) => format!("macAddress {}", mac.to_lowercase()),
        };
        if !seen.insert(key.clone()) {
            all.duplicate(field, format!("{key} is listed before"));
        }
    }
}
