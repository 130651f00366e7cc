//! Our client and the calls of a host against the real Ironic, with its fake hardware: a node's whole life, each call
//! twice where it may be repeated, and the classes of Ironic's own refusals.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bmo::calls::{Answer, HostCall, WantedPort, execute, reason};
use ironic::{
    Auth, Client, Config, ConfigDrive, ErrorKind, Feature, NewNode, Node, Patch, Phase, Poll, PollOptions, Poller,
    PowerState, PowerTarget, ProvisionChange, ProvisionState, ProvisionTarget, Source, Step,
};
use serde_json::json;
use test_e2e::Bench;
use test_e2e::ironic::{Ironic, Options, start};
use test_e2e::wait::{Phases, until};
use tokio::sync::OnceCell;

const BENCH: &str = env!("CARGO_BIN_EXE_bench");

struct Stage {
    _bench: Bench,
    ironic: Ironic,
    options: Options,
}

/// One Ironic for all tests here.
async fn stage() -> &'static Stage {
    static STAGE: OnceCell<Stage> = OnceCell::const_new();
    STAGE
        .get_or_init(async || {
            let mut bench = Bench::fresh("test-ironic-client").await.unwrap();
            bench.guard(Path::new(BENCH)).unwrap();
            let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let options = Options::alone(port);
            let ironic = start(&bench, &options).await.unwrap();
            Stage { _bench: bench, ironic, options }
        })
        .await
}

fn client_as(stage: &Stage, username: &str, password: &str) -> Client {
    let auth = Auth::Basic { username: Source::Inline(username.into()), password: Source::Inline(password.into()) };
    Client::new(Config { auth, ..Config::new(stage.ironic.endpoint()) }).unwrap()
}

/// A picture that is kept by a poller for as long as the test runs.
async fn picture(stage: &Stage) -> Poll {
    let client = client_as(stage, &stage.options.username, &stage.options.password);
    let options = PollOptions { moving: Duration::from_millis(300), ..PollOptions::default() };
    let (poller, poll) = Poller::new(client, options);
    tokio::spawn(poller.run(std::future::pending()));
    let usable = async || poll.health().usable().map(Some).map_err(anyhow::Error::msg);
    until("the first list", Duration::from_mins(1), usable).await.unwrap();
    poll
}

fn fake_node(name: &str) -> NewNode {
    let fake = || Some("fake".to_owned());
    NewNode {
        name: name.to_owned(),
        driver: "fake-hardware".to_owned(),
        bios_interface: fake(),
        boot_interface: fake(),
        deploy_interface: fake(),
        firmware_interface: fake(),
        inspect_interface: fake(),
        management_interface: fake(),
        power_interface: fake(),
        raid_interface: fake(),
        vendor_interface: fake(),
        ..NewNode::default()
    }
}

async fn created(poll: &Poll, name: &str, boot_mac: Option<&str>) -> Arc<Node> {
    let call = HostCall::CreateNode { node: Box::new(fake_node(name)), boot_mac: boot_mac.map(Into::into) };
    node_of(execute(poll, &call).await.unwrap())
}

fn node_of(answer: Answer) -> Arc<Node> {
    match answer {
        Answer::Node(Some(node)) => node,
        other => panic!("no node in {other:?}"),
    }
}

/// Waits until the poller (and nobody else) has seen the node in this state.
async fn reaches(poll: &Poll, node: &str, state: ProvisionState) -> Arc<Node> {
    let seen = async || {
        let node = poll.node(node).unwrap();
        let failed = node.provision_state.phase() == Phase::Failed && node.provision_state != state;
        assert!(!failed, "{node:?}");
        Ok((node.provision_state == state).then_some(node))
    };
    until(&format!("{node} being {state}"), Duration::from_mins(2), seen).await.unwrap()
}

async fn go(poll: &Poll, node: &Node, target: ProvisionTarget) {
    let seen = node.provision_state.clone();
    let call = HostCall::Provision { node: node.uuid.clone(), seen, change: ProvisionChange::to(target) };
    execute(poll, &call).await.unwrap();
}

fn update(node: &Node, patch: Patch) -> HostCall {
    HostCall::UpdateNode { node: node.uuid.clone(), patch }
}

/// A node that Ironic offers for deployment.
async fn available(poll: &Poll, name: &str) -> Arc<Node> {
    let node = created(poll, name, None).await;
    go(poll, &node, ProvisionTarget::Manage).await;
    let node = reaches(poll, &node.uuid, ProvisionState::Manageable).await;
    go(poll, &node, ProvisionTarget::Provide).await;
    reaches(poll, &node.uuid, ProvisionState::Available).await
}

/// RAID, BIOS settings and a firmware update as a host's preparation asks for them.
fn preparation() -> (Option<serde_json::Value>, Vec<Step>) {
    let raid: api::metal3::Raid = serde_json::from_value(json!({"hardwareRAIDVolumes": [
        {"level": "1", "sizeGibibytes": 100, "name": "root", "rotational": false, "numberOfPhysicalDisks": 2},
        {"level": "1+0", "controller": "c", "physicalDisks": ["a", "b", "c", "d"]},
    ]}))
    .unwrap();
    let plan = bmo::node::raid::plan(Some(&raid), None, None, "fake").unwrap();
    let settings: std::collections::BTreeMap<_, _> =
        serde_json::from_value(json!({"Virtualization": "Enabled", "BootDelay": 5})).unwrap();
    let update = api::metal3::FirmwareUpdate { component: "bmc".into(), url: "http://127.0.0.1:1/bmc.bin".into() };
    let bios = bmo::node::firmware::settings_step(&settings, &std::collections::BTreeMap::new());
    let firmware = bmo::node::firmware::update_step(&[update], &[]);
    // The fake RAID interface takes the target but has no steps.
    (plan.target, bios.into_iter().chain(firmware).collect())
}

/// On, softly off, rebooted, off.
async fn switch(poll: &Poll, uuid: &str) {
    let targets = [PowerTarget::On, PowerTarget::SoftOff, PowerTarget::Reboot, PowerTarget::Off];
    for (target, wanted) in targets.into_iter().zip([PowerState::On, PowerState::Off, PowerState::On, PowerState::Off])
    {
        let call = HostCall::SetPower { node: uuid.to_owned(), target };
        assert!(matches!(execute(poll, &call).await.unwrap(), Answer::Power(..)));
        let seen = async || Ok((poll.node(uuid).unwrap().power_state == wanted).then_some(()));
        until(&format!("the machine being {wanted:?}"), Duration::from_mins(1), seen).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_life_of_a_node() {
    let stage = stage().await;
    let mut phases = Phases::start("the life of a node");
    let poll = picture(stage).await;
    let client = poll.client();
    let versions = client.versions().await.unwrap();
    assert!(versions.has(Feature::AbortDeploy), "{versions:?}");
    assert!(poll.health().drivers.iter().any(|driver| driver == "redfish"));

    let mac = "00:5c:52:00:00:01";
    let node = created(&poll, "life~host-0", Some(mac)).await;
    let uuid = node.uuid.clone();
    assert_eq!(node.provision_state, ProvisionState::Enroll);
    assert_eq!(created(&poll, "life~host-0", Some(mac)).await.uuid, uuid, "a repeated creation finds the first one");
    let ports = vec![WantedPort { address: mac.into(), pxe_enabled: true }];
    for _ in 0..2 {
        let call = HostCall::EnsurePorts { node: uuid.clone(), ports: ports.clone() };
        assert_eq!(execute(&poll, &call).await.unwrap(), Answer::Done);
    }
    assert_eq!(client.ports(&ironic::PortFilter::Node(uuid.clone())).await.unwrap().len(), 1);
    phases.done("registered");

    go(&poll, &node, ProvisionTarget::Manage).await;
    let node = reaches(&poll, &uuid, ProvisionState::Manageable).await;
    assert_eq!(client.inventory(&uuid).await.unwrap(), None);
    phases.done("manageable");

    let impossible = vec![Step::new("deploy", "no_such_step")];
    let seen = node.provision_state.clone();
    let call = HostCall::Clean { node: uuid.clone(), seen, raid: None, steps: impossible };
    execute(&poll, &call).await.unwrap();
    let node = reaches(&poll, &uuid, ProvisionState::CleanFailed).await;
    assert!(node.last_error.as_deref().unwrap().contains("no_such_step"));
    go(&poll, &node, ProvisionTarget::Manage).await;
    let node = reaches(&poll, &uuid, ProvisionState::Manageable).await;
    phases.done("a failed cleaning and the way back");

    let (raid, steps) = preparation();
    let call = HostCall::Clean { node: uuid.clone(), seen: node.provision_state.clone(), raid, steps };
    let started = node_of(execute(&poll, &call).await.unwrap());
    assert_ne!(started.provision_state, ProvisionState::Manageable, "the answer shows that it began");
    let node = reaches(&poll, &uuid, ProvisionState::Manageable).await;
    go(&poll, &node, ProvisionTarget::Provide).await;
    let node = reaches(&poll, &uuid, ProvisionState::Available).await;
    phases.done("cleaned and available");

    let drive = ConfigDrive {
        meta_data: json!({"uuid": "u-1", "name": "host-0"}).as_object().cloned(),
        network_data: json!({"links": [], "networks": [], "services": []}).as_object().cloned(),
        user_data: Some("#cloud-config\n".into()),
    };
    let patch = Patch::new()
        .set(&["instance_uuid"], "11111111-2222-3333-4444-555555555555")
        .set(&["instance_info", "image_source"], "http://127.0.0.1:1/image.qcow2")
        .set(&["instance_info", "image_pull_secret"], "user:hidden");
    let call = HostCall::Deploy {
        node: uuid.clone(),
        seen: node.provision_state.clone(),
        patch,
        configdrive: Some(Box::new(drive)),
        steps: Vec::new(),
    };
    execute(&poll, &call).await.unwrap();
    let node = reaches(&poll, &uuid, ProvisionState::Active).await;
    // The reason why a deployment always sends it.
    assert_eq!(node.instance_info.text("image_pull_secret"), Some(ironic::redact::MASK));
    phases.done("active");

    switch(&poll, &uuid).await;
    phases.done("on, off, rebooted, off");

    let late = HostCall::Provision {
        node: uuid.clone(),
        seen: ProvisionState::Available,
        change: ProvisionChange::to(ProvisionTarget::Deleted),
    };
    assert_eq!(execute(&poll, &late).await.unwrap_err().reason, reason::MOVED);
    go(&poll, &node, ProvisionTarget::Deleted).await;
    let node = reaches(&poll, &uuid, ProvisionState::Available).await;
    assert!(node.instance_info.is_empty(), "{:?}", node.instance_info);
    phases.done("deleted and cleaned");

    for _ in 0..2 {
        let call = HostCall::DeleteNode { node: uuid.clone() };
        assert_eq!(execute(&poll, &call).await.unwrap(), Answer::Node(None));
    }
    assert_eq!(poll.node("life~host-0"), None);
    phases.done("gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_have_their_class() {
    let stage = stage().await;
    let poll = picture(stage).await;
    let client = poll.client();
    let node = available(&poll, "refusals~host").await;
    let uuid = node.uuid.as_str();
    let go = async |target| client.set_provision_state(uuid, &ProvisionChange::to(target)).await;
    let foreign = Patch::new().set(&["provision_state"], "active");
    let absent = Patch::new().remove(&["instance_info", "never"]);
    let typo = Patch::new().set(&["automated_clean"], "perhaps");
    let stranger = NewNode { driver: "nosuch".into(), ..fake_node("refusals~other") };
    let wrong = client_as(stage, &stage.options.username, "wrong");
    let nobody = Client::new(Config::new(stage.ironic.endpoint())).unwrap();
    let kinds = [
        ("adopt", go(ProvisionTarget::Adopt).await, ErrorKind::WrongState),
        ("unhold", go(ProvisionTarget::Unhold).await, ErrorKind::WrongState),
        ("not ours to set", client.patch_node(uuid, &foreign).await.map(drop), ErrorKind::InvalidRequest),
        ("not there", client.patch_node(uuid, &absent).await.map(drop), ErrorKind::InvalidRequest),
        ("not a flag", client.patch_node(uuid, &typo).await.map(drop), ErrorKind::InvalidRequest),
        ("no such node", client.delete_node("refusals~nobody").await, ErrorKind::NotFound),
        ("name taken", client.create_node(&fake_node("refusals~host")).await.map(drop), ErrorKind::Conflict),
        ("no such driver", client.create_node(&stranger).await.map(drop), ErrorKind::Busy),
        ("wrong password", wrong.nodes().await.map(drop), ErrorKind::Unauthorized),
        ("no password", nobody.nodes().await.map(drop), ErrorKind::Unauthorized),
    ];
    let got: Vec<_> = kinds.iter().map(|(what, answer, _)| (*what, answer.as_ref().map_err(|e| e.kind))).collect();
    let wanted: Vec<_> = kinds.iter().map(|(what, _, kind)| (*what, Err(*kind))).collect();
    assert_eq!(got, wanted, "{kinds:#?}");
    assert!(nobody.versions().await.is_ok(), "the version is told to everybody");
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_and_instances_belong_to_one_node() {
    let poll = picture(stage().await).await;
    let mac = "00:5c:52:00:00:02";
    let first = created(&poll, "owners~first", Some(mac)).await;
    let ports = vec![WantedPort { address: mac.into(), pxe_enabled: true }];
    execute(&poll, &HostCall::EnsurePorts { node: first.uuid.clone(), ports: ports.clone() }).await.unwrap();

    let call = HostCall::CreateNode { node: Box::new(fake_node("owners~second")), boot_mac: Some(mac.into()) };
    let fault = execute(&poll, &call).await.unwrap_err();
    assert_eq!(fault.reason, reason::MAC_CONFLICT);
    assert!(fault.message.starts_with(&format!("MAC address {mac} conflicts with existing node owners~first")));
    assert_eq!(poll.client().node("owners~second").await.unwrap(), None, "nothing was created");
    let second = created(&poll, "owners~second", None).await;
    let call = HostCall::EnsurePorts { node: second.uuid.clone(), ports };
    assert_eq!(execute(&poll, &call).await.unwrap_err().reason, reason::MAC_CONFLICT);

    // A node without a name that has the address is the host's own, made by somebody else.
    execute(&poll, &update(&first, Patch::new().remove(&["name"]))).await.unwrap();
    assert_eq!(created(&poll, "owners~third", Some(mac)).await.uuid, first.uuid);

    // An instance id is replaced in two steps only.
    let id = |n: u8| Patch::new().set(&["instance_uuid"], format!("{n}1111111-2222-3333-4444-555555555555"));
    execute(&poll, &update(&second, id(1))).await.unwrap();
    assert_eq!(execute(&poll, &update(&second, id(2))).await.unwrap_err().reason, reason::CONFLICT);
    let now = poll.node(&second.uuid).unwrap();
    let released = execute(&poll, &update(&second, bmo::node::instance::release(&now))).await.unwrap();
    assert_eq!(node_of(released).instance_uuid, None);
    execute(&poll, &update(&second, id(2))).await.unwrap();
}

/// What the mapping wants of a node is what the node has after it was created and patched: no second patch.
#[tokio::test(flavor = "multi_thread")]
async fn a_registered_redfish_node_needs_nothing() {
    use api::metal3::{BootMode, Image};
    use bmo::node::instance::Instance;
    use bmo::node::register::{Deployment, Registration, Upkeep};

    let poll = picture(stage().await).await;
    let versions = poll.client().versions().await.unwrap();
    let address: api::metal3::bmc_address::BmcAddress =
        "redfish-virtualmedia+http://192.0.2.1:8000/redfish/v1/Systems/1".parse().unwrap();
    let login = Some(("admin", "secret"));
    let access = bmo::node::driver::Access { address: &address, login, insecure: true, external_http_url: None };
    let registration = Registration {
        name: "mapping~host",
        access: address.access,
        bmc: bmo::node::driver::driver_info(&access),
        fingerprint: Some("known"),
        boot_mode: &BootMode::UefiSecureBoot,
        architecture: "x86_64",
        fast_inspection: false,
        inspection_disabled: false,
        has_boot_mac: true,
        deployment: Deployment::Direct,
        disable_power_off: false,
        versions,
    };
    let call = HostCall::CreateNode { node: Box::new(registration.new_node()), boot_mac: None };
    let node = node_of(execute(&poll, &call).await.unwrap());
    assert_eq!(registration.update(&node, false), Patch::new());
    let node = node_of(execute(&poll, &update(&node, registration.update(&node, true))).await.unwrap());
    assert_eq!(registration.update(&node, false), Patch::new());

    let data = json!({"links": [], "networks": [], "services": []});
    let upkeep = Upkeep {
        boot_mode: &BootMode::Legacy,
        architecture: "x86_64",
        automated_clean: false,
        network_data: data.as_object(),
    };
    let node = node_of(execute(&poll, &update(&node, upkeep.patch(&node))).await.unwrap());
    assert_eq!(upkeep.patch(&node), Patch::new());

    let disk = Image { url: "http://192.0.2.2/i.qcow2".into(), checksum: Some("abc".into()), ..Image::default() };
    let iso = Image { format: Some("live-iso".into()), url: "http://192.0.2.2/live.iso".into(), ..Image::default() };
    let instance = |image, custom_step| Instance {
        uid: "31111111-2222-3333-4444-555555555555",
        image,
        custom_step,
        pull_secret: None,
        hints: None,
        boot_mode: &BootMode::Uefi,
        persistent_disk: "Default",
        persistent_iso: "Never",
    };
    let mut node = node;
    for wanted in [instance(Some(&disk), None), instance(Some(&iso), None), instance(None, Some("install"))] {
        let patch = wanted.patch(&node).unwrap();
        node = node_of(execute(&poll, &update(&node, patch)).await.unwrap());
        assert_eq!(wanted.patch(&node).unwrap(), Patch::new(), "{wanted:?}");
    }
    assert_eq!(node.deploy_interface.as_deref(), Some("custom-agent"));
}
