//! The life of a host as tables: a situation on the left, what the host does about it on the right.

mod access;
mod firmware;
mod guards;
mod record;
mod retries;
mod states;
mod told;
mod walk;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use api::build::{self, Build as _};
use api::metal3::{BareMetalHost, BootMode, HardwareDetails, HostFirmwareSettings, ProvisioningState as S};
use api::names::finalizer;
use ironic::{Node, Patch, Port, PowerState, ProvisionState as N, Versions, patch::Operation};
use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kit::owners;

use crate::calls::HostCall;
use crate::config::Config;
use crate::host::credentials;
use crate::host::facts;
use crate::host::life;
use crate::host::state::Traits as _;
use crate::host::step::Step;
use crate::host::view::{Capacity, Credentials, Firmware, HostView, Material, NodeSeen};
use crate::host::wish;

/// Made once: it asks the machine for its processors.
static CONFIG: LazyLock<Arc<Config>> = LazyLock::new(|| Arc::new(Config::new("http://ironic.example")));

pub(crate) const NOW: &str = "2026-03-01T12:00:00Z";
pub(crate) const IMAGE: &str = "http://images.example/a.qcow2";

pub(crate) fn now() -> Timestamp {
    NOW.parse().unwrap()
}

/// A managed host of a state, as an earlier pass left it.
pub(crate) fn host(state: S) -> BareMetalHost {
    let mut host =
        build::host("ns", "a").bmc("redfish://192.0.2.7/redfish/v1/Systems/1").mac("00:00:00:00:00:01").online();
    let used = matches!(state, S::Provisioned | S::Deprovisioning);
    if used || matches!(state, S::Provisioning) {
        host = host.image(IMAGE);
    }
    let mut host = host.state(state);
    if used {
        let image = host.spec.image.clone();
        host.status_mut().provisioning.image = image;
    }
    let status = host.status_mut();
    status.provisioning.boot_mode = Some(BootMode::Uefi);
    status.hardware_profile = Some("unknown".into());
    status.last_updated = Some(Time("2026-03-01T00:00:00Z".parse().unwrap()));
    status.powered_on = true;
    host
}

/// A view of a host, by default one with nothing left to register.
pub(crate) fn view(host: BareMetalHost) -> HostView {
    let state = host.status.as_ref().map(|status| status.provisioning.state.clone()).unwrap_or_default();
    let settings = HostFirmwareSettings {
        metadata: k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
            name: host.metadata.name.clone(),
            namespace: host.metadata.namespace.clone(),
            owner_references: Some(vec![owners::owner_reference(&host, true)]),
            ..Default::default()
        },
        ..HostFirmwareSettings::default()
    };
    let mut view = HostView {
        host: Arc::new(host),
        state,
        now: now(),
        config: CONFIG.clone(),
        hardware_data: None,
        credentials: Credentials::Unneeded,
        ramdisk_network: Material::None,
        ramdisk_secret: None,
        node: NodeSeen::NotAsked,
        ports: None,
        inventory: None,
        firmware: Firmware { settings: Some(Arc::new(settings)), ..Firmware::default() },
        drive: Material::Unread,
        pull_secret: Material::None,
        capacity: Capacity { busy: 0, limit: 20, exempt: false },
        unread: None,
        fingerprint: None,
        stale: Vec::new(),
        controller_v6: Some(false),
        versions: Some(Versions { min: 1, max: 115, used: 110 }),
    };
    if view.state.managed() {
        view.credentials = Credentials::Read(Box::new(secret(&view, "7")));
        let seen = view.credentials_seen().unwrap();
        change(&mut view, |host| {
            host.status_mut().tried_credentials = seen.clone();
            host.status_mut().good_credentials = seen;
            host.status_mut().provisioning.root_device_hints =
                Some(api::metal3::RootDeviceHints { device_name: Some("/dev/sda".into()), ..Default::default() });
        });
    }
    view
}

/// The Secret of the management controller, held as the controller holds it.
pub(crate) fn secret(view: &HostView, version: &str) -> Secret {
    let text = |text: &str| ByteString(text.as_bytes().to_vec());
    let mut secret = Secret {
        data: Some(BTreeMap::from([("username".to_owned(), text("u")), ("password".to_owned(), text("p\n"))])),
        ..Secret::default()
    };
    secret.metadata.name = Some("a-bmc".into());
    secret.metadata.namespace = Some("ns".into());
    secret.metadata.uid = Some("uid-secret".into());
    secret.metadata.resource_version = Some(version.into());
    secret.metadata.labels = Some(BTreeMap::from([("environment.metal3.io".into(), "baremetal".into())]));
    secret.metadata.finalizers = Some(vec![finalizer::HOST_SECRET.to_owned()]);
    owners::set_owner(&mut secret.metadata, owners::owner_reference(view.host.as_ref(), false));
    assert_eq!(credentials::held(view, &secret), None, "the test's Secret is not held as it should be");
    secret
}

/// Changes the host of a view.
pub(crate) fn change(view: &mut HostView, change: impl FnOnce(&mut BareMetalHost)) {
    let mut host = view.host.as_ref().clone();
    change(&mut host);
    view.state = host.status.as_ref().map(|status| status.provisioning.state.clone()).unwrap_or_default();
    view.host = Arc::new(host);
}

/// A node of this view that lacks nothing.
pub(crate) fn settled(view: &HostView, state: N) -> Node {
    let new = wish::new_node(view).unwrap();
    let mut node = Node {
        uuid: "n".into(),
        name: Some(new.name.clone()),
        driver: new.driver.clone(),
        provision_state: state,
        power_state: PowerState::On,
        driver_info: new.driver_info.clone(),
        properties: new.properties.clone(),
        bios_interface: new.bios_interface.clone(),
        boot_interface: new.boot_interface.clone(),
        deploy_interface: new.deploy_interface.clone(),
        firmware_interface: new.firmware_interface.clone(),
        inspect_interface: new.inspect_interface.clone(),
        raid_interface: new.raid_interface.clone(),
        disable_power_off: new.disable_power_off,
        automated_clean: Some(!view.cleaning_disabled()),
        ..Node::default()
    };
    node.driver_info.set("redfish_password", "******");
    if view.state.in_use() || view.state == S::Deprovisioning {
        node.instance_uuid = Some(view.uid().to_owned());
    }
    node
}

/// The view with a settled node in this state.
pub(crate) fn with_node(mut view: HostView, state: N) -> HostView {
    let node = settled(&view, state);
    change(&mut view, |host| host.status_mut().provisioning.id = "n".into());
    view.ports = wish::ports_can_be_made(&node).then(|| {
        let port = |wanted: crate::calls::WantedPort| Port { address: wanted.address, ..Port::default() };
        wish::ports(&view).into_iter().map(port).collect()
    });
    if view.state == S::Provisioning {
        view.drive = Material::Some(ironic::ConfigDrive::default());
    }
    view.node = NodeSeen::Found(Box::new(node));
    view
}

/// A copy, for situations that part here.
impl HostView {
    pub(crate) fn clone_view(&self) -> Self {
        let mut copy = view(self.host.as_ref().clone());
        copy.now = self.now;
        copy.credentials = self.credentials.clone();
        copy.node = self.node.clone();
        copy.ports = self.ports.clone();
        copy
    }
}

/// The view with its node changed.
pub(crate) fn node(mut view: HostView, change: impl FnOnce(&mut Node)) -> HostView {
    if let NodeSeen::Found(node) = &mut view.node {
        change(node);
    }
    view
}

/// A settled host of this state with its node in this one.
pub(crate) fn at(state: S, node: N) -> HostView {
    with_node(view(host(state)), node)
}

/// With this error on record since some minutes.
pub(crate) fn failed(mut v: HostView, kind: api::metal3::ErrorType, message: &str, minutes_ago: i64) -> HostView {
    change(&mut v, |host| {
        *host = host.clone().error(kind, message, 1);
        let then = now() - jiff::SignedDuration::from_mins(minutes_ago);
        host.status_mut().last_updated = Some(Time(then));
    });
    v
}

/// With this as the node's last error.
pub(crate) fn last_error(v: HostView, text: &str) -> HostView {
    node(v, |node| node.last_error = Some(text.into()))
}

/// A step in a few words.
pub(crate) fn brief(step: &Step) -> String {
    match step {
        Step::Paused(_) => "paused".into(),
        Step::Rest(_) => "rest".into(),
        Step::Stay(pause) => format!("wait {}", pause.why.reason),
        Step::Note(_) => "note".into(),
        Step::Go(next, _) => format!("go {next}"),
        Step::Ask(ask) => format!("ask {}", brief_call(&ask.call)),
        Step::Write(writes, _) => format!("write {}", writes.len()),
        Step::Fail(kind, _) => kind.as_str().to_owned(),
        Step::Gone(_) => "gone".into(),
    }
}

fn brief_call(call: &HostCall) -> String {
    match call {
        HostCall::CreateNode { .. } => "create".into(),
        HostCall::UpdateNode { patch, .. } => format!("update {}", paths(patch)),
        HostCall::EnsurePorts { .. } => "ports".into(),
        HostCall::Provision { change, .. } => change.target.as_str().into(),
        HostCall::Clean { .. } => "clean".into(),
        HostCall::Deploy { .. } => "deploy".into(),
        HostCall::SetPower { target, .. } => target.as_str().into(),
        HostCall::VerifyAccess { .. } => "verify access".into(),
        HostCall::SetMaintenance { .. } => "maintenance".into(),
        HostCall::ClearMaintenance { .. } => "end maintenance".into(),
        HostCall::DeleteNode { .. } => "delete".into(),
        other => format!("{other:?}"),
    }
}

fn paths(patch: &Patch) -> String {
    patch.operations().iter().map(Operation::path).collect::<Vec<_>>().join(" ")
}

/// What the host does, in a few words.
pub(crate) fn does(view: &HostView) -> String {
    brief(&life::step(view))
}

/// The facts of what the host does.
pub(crate) fn facts_of(step: &Step) -> &[facts::Fact] {
    match step {
        Step::Rest(facts) | Step::Note(facts) | Step::Go(_, facts) | Step::Write(_, facts) => facts,
        Step::Stay(pause) => &pause.facts,
        Step::Ask(ask) => &ask.done,
        Step::Paused(_) | Step::Fail(..) | Step::Gone(_) => &[],
    }
}

/// Hardware of a machine with this architecture.
pub(crate) fn details(arch: &str) -> HardwareDetails {
    HardwareDetails {
        cpu: api::metal3::Cpu { arch: Some(arch.into()), ..Default::default() },
        ..HardwareDetails::default()
    }
}
