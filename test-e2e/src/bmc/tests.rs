//! Decisions of the emulator that need no QEMU, and the service over machines that only remember their power.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use reqwest::{Client, Response};
use serde_json::{Value, json};

use super::machine::Machine;
use super::qemu::{Files, arguments};
use super::service::{Service, read_log};
use super::spec::{Firmware, Fleet, MachineSpec};
use super::state::{Boot, Enabled, State, Target};

fn spec(number: u8) -> MachineSpec {
    MachineSpec {
        name: format!("m{number}"),
        mac: format!("52:54:00:00:00:0{number}"),
        tap: format!("tap{number}"),
        firmware: Firmware::Bios,
        memory_mib: 1024,
        cpus: 1,
        disk_gib: 1,
        username: format!("user-{number}"),
        password: format!("secret-{number}"),
        power_only: true,
    }
}

/// A service over two machines in a folder of its own.
struct Rig {
    folder: PathBuf,
    address: SocketAddr,
    http: Client,
    machines: Vec<Arc<Machine>>,
}

impl Rig {
    async fn start(name: &str) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = std::env::temp_dir().join(format!("metal3-bench-bmc-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        Self::open(folder).await
    }

    /// The emulator (again) over what lies in the folder.
    async fn open(folder: PathBuf) -> Self {
        let fleet = Fleet {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            folder: folder.clone(),
            bridge: "none".to_owned(),
            machines: vec![spec(1), spec(2)],
        };
        let mut machines = Vec::new();
        for spec in &fleet.machines {
            machines.push(Machine::open(&fleet, spec).await.unwrap());
        }
        let service = Service::new(&folder.join("requests.log"), machines.clone()).unwrap();
        let listener = tokio::net::TcpListener::bind(fleet.listen).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, service.router()).await });
        Self { folder, address, http: Client::new(), machines }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/redfish/v1/{path}", self.address)
    }

    async fn get(&self, path: &str, user: &str, password: &str) -> Response {
        self.http.get(self.url(path)).basic_auth(user, Some(password)).send().await.unwrap()
    }

    async fn system(&self) -> Value {
        self.get("Systems/m1", "user-1", "secret-1").await.json().await.unwrap()
    }

    async fn patch_boot(&self, boot: Value) -> u16 {
        let request = self.http.patch(self.url("Systems/m1")).basic_auth("user-1", Some("secret-1"));
        request.json(&json!({ "Boot": boot })).send().await.unwrap().status().as_u16()
    }

    async fn reset(&self, kind: &str) -> u16 {
        let request = self.http.post(self.url("Systems/m1/Actions/ComputerSystem.Reset"));
        let request = request.basic_auth("user-1", Some("secret-1")).json(&json!({ "ResetType": kind }));
        request.send().await.unwrap().status().as_u16()
    }
}

fn index_of<'a>(arguments: &'a [String], device: &str) -> &'a str {
    let argument = arguments.iter().find(|argument| argument.starts_with(device)).unwrap();
    argument.split("bootindex=").nth(1).unwrap()
}

#[test]
fn the_override_decides_the_order_of_boot_devices() {
    let files = Files::new("/m".into());
    let cases = [
        (Target::None, ["1", "3", "2"]),
        (Target::Hdd, ["1", "3", "2"]),
        (Target::Pxe, ["2", "1", "3"]),
        (Target::UefiHttp, ["2", "1", "3"]),
        (Target::Cd, ["2", "3", "1"]),
    ];
    for (target, [disk, net, cd]) in cases {
        let line = arguments(&spec(1), &files, Firmware::Bios, target, 1, true);
        let found = ["virtio-blk-pci", "virtio-net-pci", "scsi-cd"].map(|device| index_of(&line, device));
        assert_eq!(found, [disk, net, cd], "{target:?}");
    }
}

#[test]
fn uefi_machines_get_flash_and_bios_machines_do_not() {
    let files = Files::new("/m".into());
    let flash = |mode| {
        let line = arguments(&spec(1), &files, mode, Target::None, 1, false);
        line.iter().filter(|argument| argument.starts_with("if=pflash")).count()
    };
    assert_eq!((flash(Firmware::Bios), flash(Firmware::Uefi)), (0, 2));
}

#[test]
fn an_override_for_once_is_spent_by_one_start() {
    let boot = |enabled| Boot { target: Target::Pxe, enabled, mode: Firmware::Bios, http_boot_uri: None };
    let mut once = boot(Enabled::Once);
    assert_eq!([once.take(), once.take()], [Target::Pxe, Target::None]);
    let mut always = boot(Enabled::Continuous);
    assert_eq!([always.take(), always.take()], [Target::Pxe, Target::Pxe]);
    assert_eq!(boot(Enabled::Disabled).take(), Target::None);
}

#[test]
fn a_machine_keeps_its_uuid_and_shares_it_with_none() {
    assert_eq!(spec(1).uuid(), spec(1).uuid());
    assert_ne!(spec(1).uuid(), spec(2).uuid());
    assert!(uuid_is_valid(&spec(1).uuid()));
}

fn uuid_is_valid(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && text.as_bytes()[14] == b'8' && b"89ab".contains(&text.as_bytes()[19])
}

#[tokio::test]
async fn credentials_open_one_machine_only() {
    let rig = Rig::start("credentials").await;
    let status = async |user: &str, password: &str| rig.get("Systems/m1", user, password).await.status().as_u16();
    assert_eq!(status("user-1", "secret-1").await, 200);
    assert_eq!(status("user-1", "wrong").await, 401);
    assert_eq!(status("user-2", "secret-2").await, 401);
    assert_eq!(rig.http.get(rig.url("")).send().await.unwrap().status().as_u16(), 200, "the root is open");
    let systems: Value = rig.get("Systems", "user-2", "secret-2").await.json().await.unwrap();
    assert_eq!(systems["Members"], json!([{ "@odata.id": "/redfish/v1/Systems/m2" }]));
}

#[tokio::test]
async fn a_session_replaces_the_password_until_it_is_ended() {
    let rig = Rig::start("session").await;
    let open = async |password: &str| {
        let body = json!({ "UserName": "user-1", "Password": password });
        rig.http.post(rig.url("SessionService/Sessions")).json(&body).send().await.unwrap()
    };
    assert_eq!(open("wrong").await.status().as_u16(), 401);
    let session = open("secret-1").await;
    assert_eq!(session.status().as_u16(), 201);
    let token = session.headers()["x-auth-token"].to_str().unwrap().to_owned();
    let place = session.headers()["location"].to_str().unwrap().to_owned();
    let with_token = async || {
        let request = rig.http.get(rig.url("Systems/m1")).header("X-Auth-Token", &token);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(with_token().await, 200);
    let end = rig.http.delete(format!("http://{}{place}", rig.address)).header("X-Auth-Token", &token);
    assert_eq!(end.send().await.unwrap().status().as_u16(), 204);
    assert_eq!(with_token().await, 401);
    let log = read_log(&rig.folder.join("requests.log")).unwrap();
    assert!(log.iter().any(|(method, path, status)| method == "POST" && path.ends_with("/Sessions") && *status == 201));
    assert!(!std::fs::read_to_string(rig.folder.join("requests.log")).unwrap().contains("secret-1"));
}

#[tokio::test]
async fn power_and_boot_settings_outlive_the_emulator() {
    let rig = Rig::start("outlive").await;
    assert_eq!(rig.system().await["PowerState"], "Off");
    assert_eq!(rig.patch_boot(json!({"BootSourceOverrideTarget": "Floppy"})).await, 400);
    assert_eq!(rig.patch_boot(json!({"BootSourceOverrideMode": "UEFI", "BootSourceOverrideTarget": "Cd"})).await, 204);
    let boot = rig.system().await["Boot"].clone();
    assert_eq!(boot["BootSourceOverrideEnabled"], "Once", "a target without a duration holds for one start");
    assert_eq!(rig.reset("On").await, 204);
    assert_eq!(rig.reset("Sideways").await, 400);
    let again = Rig::open(rig.folder.clone()).await;
    let system = again.system().await;
    assert_eq!(system["PowerState"], "On");
    assert_eq!(system["Boot"]["BootSourceOverrideMode"], "UEFI");
    assert_eq!(system["Boot"]["BootSourceOverrideEnabled"], "Disabled", "the start spent it");
    assert_eq!(again.reset("ForceOff").await, 204);
    assert_eq!(again.system().await["PowerState"], "Off");
}

#[tokio::test]
async fn faults_come_and_go_with_their_file() {
    let rig = Rig::start("faults").await;
    let file = rig.folder.join("m1/faults.json");
    std::fs::write(&file, r#"{"status": 503}"#).unwrap();
    assert_eq!(rig.get("Systems/m1", "user-1", "secret-1").await.status().as_u16(), 503);
    assert_eq!(rig.get("Systems/m2", "user-2", "secret-2").await.status().as_u16(), 200, "only that machine");
    std::fs::write(&file, r#"{"ignore_reset": true}"#).unwrap();
    assert_eq!(rig.reset("On").await, 204);
    assert!(!rig.machines[0].is_on().await);
    std::fs::write(&file, r#"{"refuse_soft": true}"#).unwrap();
    assert_eq!(rig.reset("On").await, 204);
    assert!(rig.machines[0].is_on().await);
    assert_eq!(rig.reset("GracefulShutdown").await, 400);
    assert!(rig.machines[0].is_on().await);
    assert_eq!(rig.reset("ForceOff").await, 204);
    std::fs::remove_file(&file).unwrap();
    assert_eq!(rig.reset("On").await, 204);
    assert!(rig.machines[0].is_on().await);
}

#[tokio::test]
async fn bios_settings_take_effect_at_the_next_start() {
    let rig = Rig::start("bios").await;
    let patch = async |attributes: Value| {
        let request = rig.http.patch(rig.url("Systems/m1/Bios/Settings")).basic_auth("user-1", Some("secret-1"));
        request.json(&json!({ "Attributes": attributes })).send().await.unwrap().status().as_u16()
    };
    let now = async || -> Value { rig.get("Systems/m1/Bios", "user-1", "secret-1").await.json().await.unwrap() };
    assert_eq!(patch(json!({"QuietBoot": "Loud"})).await, 400);
    assert_eq!(patch(json!({"NoSuch": "Enabled"})).await, 400);
    assert_eq!(patch(json!({"QuietBoot": "Enabled"})).await, 204);
    assert_eq!(now().await["Attributes"]["QuietBoot"], "Disabled");
    rig.reset("ForceRestart").await;
    assert_eq!(now().await["Attributes"]["QuietBoot"], "Enabled");
}

#[test]
fn a_damaged_state_file_is_reported_and_not_overwritten() {
    let file = std::env::temp_dir().join(format!("metal3-bench-bmc-{}-state.json", std::process::id()));
    assert!(State::read(&file).unwrap().is_none());
    std::fs::write(&file, "{").unwrap();
    assert!(format!("{:#}", State::read(&file).unwrap_err()).contains("damaged"));
    State::new(Firmware::Uefi).write(&file).unwrap();
    assert_eq!(State::read(&file).unwrap().unwrap().boot.mode, Firmware::Uefi);
    std::fs::remove_file(&file).unwrap();
}
