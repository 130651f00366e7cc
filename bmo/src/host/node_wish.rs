//! What a host's wish means for its node: creation, upkeep and deployment. The view's side of the mapping in
//! [`crate::node`].

#![allow(clippy::redundant_closure_for_method_calls, reason = "a method path has one lifetime, the caller needs all")]

use api::metal3::bmc_address::{BmcAddress, Host};
use api::metal3::{BootMode, CustomDeploy, Image};
use ironic::{ConfigDrive, Info, NewNode, Node, Patch, Step as NodeStep, Versions};
use serde_json::{Map, Value};

use crate::host::credentials;
use crate::host::settings::Settings;
use crate::host::state::State as S;
use crate::host::view::{Credentials, HostView, Material};
use crate::node::driver::{self, Access};
use crate::node::instance::{self, Instance};
use crate::node::register::{self, Deployment as Way, Registration, Upkeep};
use crate::node::{fingerprint, names, ramdisk};

/// The address in its parts.
fn address(view: &HostView) -> Result<BmcAddress, String> {
    let text = &view.spec().bmc.address;
    text.parse().map_err(|error| format!("spec.bmc.address {text:?}: {error}"))
}

/// What is wrong with the address of the management controller, if something is.
pub fn address_problem(view: &HostView) -> Option<String> {
    address(view).err()
}

/// Whether the host's driver boots ISOs, so that it needs no place in the provisioning network.
pub fn takes_iso(view: &HostView) -> bool {
    address(view).is_ok_and(|address| address.access.boots_iso())
}

/// The RAID interface of the host's driver.
pub fn raid_interface(view: &HostView) -> Option<String> {
    address(view).ok().map(|address| address.interfaces().raid.to_owned())
}

/// The boot mode that counts: frozen when a state that depends on it was entered.
fn boot_mode(view: &HostView) -> BootMode {
    let frozen = view.seen().and_then(|status| status.provisioning.boot_mode.clone());
    frozen.or_else(|| view.spec().boot_mode.clone()).unwrap_or(BootMode::Uefi)
}

/// What is on the machine, or is being put there.
fn current_image(view: &HostView) -> Option<Image> {
    let applied = view.seen().and_then(|status| status.provisioning.image.clone());
    applied.or_else(|| if wishes_count(view) { view.spec().image.clone() } else { None })
}

fn current_custom(view: &HostView) -> Option<CustomDeploy> {
    let applied = view.seen().and_then(|status| status.provisioning.custom_deploy.clone());
    let custom = applied.or_else(|| if wishes_count(view) { view.spec().custom_deploy.clone() } else { None });
    custom.filter(|custom| !custom.method.is_empty())
}

/// Whether the wish is what the node is about, although it is not on record as applied.
fn wishes_count(view: &HostView) -> bool {
    matches!(view.state, S::Provisioning | S::ExternallyProvisioned)
}

fn way(view: &HostView) -> Way {
    if current_custom(view).is_some() {
        Way::Custom
    } else if current_image(view).is_some_and(|image| image.is_live_iso()) {
        Way::LiveIso
    } else {
        Way::Direct
    }
}

/// The lowest version this program works with, until the server told its own.
fn versions(view: &HostView) -> Versions {
    view.versions.unwrap_or(Versions { min: 1, max: ironic::version::OLDEST, used: ironic::version::OLDEST })
}

/// Calls `with` with the registration of the host.
fn registration<T>(view: &HostView, with: impl FnOnce(&Registration<'_>) -> T) -> Result<T, String> {
    let address = address(view)?;
    let name = names::node_name(view.namespace(), view.name());
    let (mode, architecture) = (boot_mode(view), view.architecture());
    Ok(with(&Registration {
        name: &name,
        access: address.access,
        bmc: bmc(view, &address)?,
        fingerprint: view.fingerprint.as_deref(),
        boot_mode: &mode,
        architecture: &architecture,
        fast_inspection: view.fast_inspection(),
        inspection_disabled: view.inspection_disabled(),
        has_boot_mac: view.spec().boot_mac_address.is_some(),
        deployment: way(view),
        disable_power_off: view.spec().disable_power_off,
        versions: versions(view),
    }))
}

/// `driver_info`. Credentials that were not read are left out; Ironic masks them, so they are never compared.
fn bmc(view: &HostView, address: &BmcAddress) -> Result<Info, String> {
    let login = match &view.credentials {
        Credentials::Read(secret) => Some(credentials::login(secret)?),
        Credentials::Unneeded | Credentials::Unchanged(_) | Credentials::Missing(_) => None,
    };
    Ok(driver::driver_info(&Access {
        address,
        login: login.as_ref().map(|login| (login.username.as_str(), login.password.as_str())),
        insecure: view.spec().bmc.disable_certificate_verification,
        external_http_url: view.config.external_url_v6.as_deref().filter(|_| view.controller_v6 == Some(true)),
    }))
}

/// Whether the node has a user name and a password for the protocol of the wished address; otherwise the Secret must be
/// read, even if it is the one that worked last.
pub fn has_login(view: &HostView, node: &Node) -> bool {
    let Ok(address) = address(view) else { return true };
    let access = Access { address: &address, login: Some(("", "")), insecure: false, external_http_url: None };
    let wanted = driver::driver_info(&access);
    wanted.0.keys().filter(|key| driver::is_login(key)).all(|key| node.driver_info.get(key).is_some())
}

/// What the credentials that were read are known by; nothing when they are not complete.
pub fn fingerprint(view: &HostView) -> Option<String> {
    let Credentials::Read(secret) = &view.credentials else { return None };
    let login = credentials::login(secret).ok()?;
    Some(fingerprint::of(secret.metadata.uid.as_deref()?, &login.username, &login.password))
}

/// Why Ironic cannot manage this host as it is wished.
pub fn refusal(view: &HostView) -> Option<String> {
    let network = !view.config.provisioning_network_disabled;
    match registration(view, |registration| registration.refusal(network)) {
        Ok(refusal) => refusal.map(|refusal| refusal.to_string()),
        Err(text) => Some(text),
    }
}

/// The node to create.
pub fn new_node(view: &HostView) -> Result<NewNode, String> {
    registration(view, |registration| registration.new_node())
}

/// What name, driver and access of the node lack. Without the Secret at hand, access is left as it is; so it is on a host
/// that shall go and whose Secret is not complete any more, since Ironic's own login still cleans it.
pub fn identity_patch(view: &HostView, node: &Node) -> Result<Patch, String> {
    let useless = match &view.credentials {
        Credentials::Unneeded | Credentials::Missing(_) => true,
        Credentials::Read(secret) => view.deleting() && credentials::login(secret).is_err(),
        Credentials::Unchanged(_) => false,
    };
    if useless {
        return Ok(Patch::new());
    }
    // What is not known in this pass is as it was: the login where the Secret was not read, and what depends on the kind
    // of an address that nobody has looked up.
    let same_login = matches!(view.credentials, Credentials::Unchanged(_));
    registration(view, |registration| {
        let mut known = registration.clone();
        for (key, value) in &node.driver_info.0 {
            let login = same_login && driver::is_login(key) && driver::same_family(key, &registration.bmc);
            if login || (key == driver::EXTERNAL_URL && view.controller_v6.is_none()) {
                known.bmc.0.insert(key.clone(), value.clone());
            }
        }
        known.update(node, !same_login && view.credentials_changed())
    })
}

/// The DNS name in the address of the management controller, with its port, if it has one.
pub fn controller_name(view: &HostView) -> Option<(String, u16)> {
    let address = address(view).ok()?;
    match address.host {
        Host::Name(name) => Some((name, address.port.unwrap_or(443))),
        Host::Ip(_) => None,
    }
}

/// Whether the management controller has an IPv6 address, as far as its address itself says so.
pub fn controller_v6(view: &HostView) -> Option<bool> {
    match address(view).ok()?.host {
        Host::Ip(ip) => Some(ip.is_ipv6()),
        Host::Name(_) => None,
    }
}

/// What the node lacks for later steps: ramdisk, boot mode, cleaning mode, network data.
pub fn configure_patch(view: &HostView, node: &Node) -> Patch {
    let (mode, architecture) = (boot_mode(view), view.architecture());
    let data = network_data(view);
    let upkeep = Upkeep {
        boot_mode: &mode,
        architecture: &architecture,
        automated_clean: !view.cleaning_disabled(),
        // A host that shall go is cleaned with the network data that it was registered with.
        network_data: data.as_ref().filter(|_| !view.deleting()),
    };
    let ramdisk = ramdisk::choose(false, None, &view.config.ramdisk, takes_iso(view));
    let boots = ramdisk.map_or_else(Patch::new, |ramdisk| ramdisk::patch(node, &ramdisk));
    upkeep.patch(node).and(boots)
}

fn network_data(view: &HostView) -> Option<Map<String, Value>> {
    let Material::Some(text) = &view.ramdisk_network else { return None };
    match kit::yaml::parse_like_go::<Value>(text) {
        Ok(Value::Object(map)) => Some(map),
        Ok(_) | Err(_) => None,
    }
}

/// Whether the network data of the ramdisk can be read at all.
pub fn network_data_problem(view: &HostView) -> Option<String> {
    let Material::Some(text) = &view.ramdisk_network else { return None };
    let bad = !text.trim().is_empty() && network_data(view).is_none();
    bad.then(|| "the Secret of spec.preprovisioningNetworkDataName does not hold a YAML or JSON map".to_owned())
}

/// What an inspection needs: boot mode, architecture and the way of looking.
pub fn inspection_patch(view: &HostView, node: &Node) -> Patch {
    let patch = register::boot_properties(node, &boot_mode(view), &view.architecture());
    let wanted = registration(view, |registration| registration.inspect_interface()).unwrap_or("agent");
    let actual = node.inspect_interface.clone().map(Value::from);
    patch.ensure(&["inspect_interface"], actual.as_ref(), Some(wanted.into()))
}

/// The cleaning mode, which decides what a deprovisioning wipes.
pub fn cleaning_patch(view: &HostView, node: &Node) -> Patch {
    let wanted = !view.cleaning_disabled();
    let actual = node.automated_clean.map(Value::from);
    Patch::new().ensure(&["automated_clean"], actual.as_ref(), Some(wanted.into()))
}

/// Calls `with` with the instance of an image.
fn with_instance<T>(
    view: &HostView,
    image: Option<&Image>,
    custom: Option<&CustomDeploy>,
    with: impl FnOnce(&Instance<'_>) -> T,
) -> T {
    let (mode, hints) = (boot_mode(view), Settings::wished(view).hints);
    let pull_secret = match &view.pull_secret {
        Material::Some(login) => Some(login.as_str()),
        Material::Unread | Material::None | Material::Broken(_) => None,
    };
    with(&Instance {
        uid: view.uid(),
        image,
        custom_step: custom.map(|custom| custom.method.as_str()).filter(|method| !method.is_empty()),
        pull_secret,
        hints: hints.as_ref(),
        boot_mode: &mode,
        persistent_disk: &view.config.direct_deploy_boot_device,
        persistent_iso: &view.config.live_iso_boot_device,
    })
}

/// What Ironic must know to take a running machine over.
pub fn adoption_patch(view: &HostView, node: &Node) -> Patch {
    let (image, custom) = (current_image(view), current_custom(view));
    // An image that cannot be described any more must not keep a running machine from being taken over.
    with_instance(view, image.as_ref(), custom.as_ref(), |instance| instance.adoption(node)).unwrap_or_default()
}

/// What a deployment hands over.
#[derive(Debug, Clone, PartialEq)]
pub struct Deployment {
    /// Instance data.
    pub patch: Patch,
    /// The config drive; none for a live ISO.
    pub drive: Option<ConfigDrive>,
    /// Own steps.
    pub steps: Vec<NodeStep>,
}

/// What a deployment of the wish hands over, or what is wrong with the wish.
pub fn deployment(view: &HostView, node: &Node) -> Result<Deployment, String> {
    if let Some(text) = material_problem(view) {
        return Err(text);
    }
    let spec = view.spec();
    with_instance(view, spec.image.as_ref(), spec.custom_deploy.as_ref(), |wished| {
        let live_iso = wished.deployment() == Way::LiveIso;
        let drive = match &view.drive {
            Material::Some(drive) if !live_iso => Some(drive.clone()),
            Material::Some(_) | Material::Unread | Material::None | Material::Broken(_) => None,
        };
        let patch = wished.patch(node).map_err(|error| error.to_string())?;
        Ok(Deployment { patch, drive, steps: wished.steps() })
    })
}

/// What is wrong with the Secrets of a deployment, or with the description of its image.
pub fn material_problem(view: &HostView) -> Option<String> {
    if let Material::Broken(text) = &view.drive {
        return Some(text.clone());
    }
    if let Material::Broken(text) = &view.pull_secret {
        return Some(text.clone());
    }
    let image = view.spec().image.as_ref().filter(|_| view.spec().custom_deploy.is_none())?;
    instance::checksum(image).err().map(|error| error.to_string())
}

/// Whether a failed deployment was one of the image that is wished now.
pub fn same_image(view: &HostView, node: &Node) -> bool {
    view.spec().image.as_ref().is_none_or(|image| instance::is_recorded(node, image))
}
