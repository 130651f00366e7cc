//! The bench itself on level M: a real Ironic, a BMC, a machine. Needs root and some minutes.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use test_e2e::bench::run_root;
use test_e2e::bmc::spec::{Firmware, Fleet};
use test_e2e::cache::Cache;
use test_e2e::host::{netns_path, run_in};
use test_e2e::level_m::{self, MachineEntry};
use test_e2e::life::{AgentBoot, Life};
use test_e2e::net::Network;
use test_e2e::process::{Record, Supervisor};
use test_e2e::wait::until;
use test_e2e::{Bench, ironic};

const BENCH: &str = env!("CARGO_BIN_EXE_bench");

/// One machine without images, and a stage of its own for each test: they change Ironic under each other's feet.
fn on_stage(
    name: &str,
    firmware: Firmware,
    story: impl AsyncFnOnce(&Bench, level_m::Description, ironic::Ironic) -> Result<()> + Send,
) {
    let options = level_m::Options { machines: vec![firmware], images: Vec::new(), ..level_m::Options::default() };
    let (bench, netns): (Bench, PathBuf) = run_in(None, async || {
        level_m::prepare(&Cache::open()?, &options).await?;
        let mut bench = Bench::fresh(name).await?;
        bench.guard(Path::new(BENCH))?;
        let network = Network::of(bench.run_dir());
        network.up().await?;
        Ok((bench, network.path()))
    })
    .unwrap();
    run_in(Some(&netns), async || {
        let (site, ironic) = level_m::start(&bench, &options).await?;
        story(&bench, site, ironic).await?;
        level_m::down(&bench).await
    })
    .unwrap();
}

/// Address of the machine's system in Redfish.
fn system(machine: &MachineEntry) -> String {
    machine.bmc_address.trim_start_matches("redfish+").to_owned()
}

async fn power(machine: &MachineEntry) -> Result<Value> {
    let request = reqwest::Client::new().get(system(machine));
    let request = request.basic_auth(&machine.username, Some(&machine.password)).timeout(Duration::from_secs(10));
    let system: Value = request.send().await?.error_for_status()?.json().await?;
    Ok(system["PowerState"].clone())
}

async fn reset(machine: &MachineEntry, kind: &str) -> Result<()> {
    let request = reqwest::Client::new().post(format!("{}/Actions/ComputerSystem.Reset", system(machine)));
    let request = request.basic_auth(&machine.username, Some(&machine.password));
    request.json(&json!({ "ResetType": kind })).send().await?.error_for_status()?;
    Ok(())
}

fn process_of(machine: &MachineEntry) -> Result<Value> {
    let state: Value = serde_json::from_slice(&std::fs::read(machine.folder.join("state.json"))?)?;
    Ok(state["process"].clone())
}

#[test]
fn a_machine_goes_on_running_while_its_bmc_is_away() {
    on_stage("test-bmc-away", Firmware::Bios, async |bench, site, _| {
        let machine = &site.machines[0];
        assert_eq!(power(machine).await?, "Off");
        reset(machine, "On").await?;
        let before = process_of(machine)?;
        bench.processes().stop("bmc").await?;
        assert!(power(machine).await.is_err(), "a BMC that is away does not answer");
        level_m::start_bmc(bench, &Fleet::read(&machine.folder.with_file_name("fleet.json"))?).await?;
        assert_eq!(power(machine).await?, "On");
        assert_eq!(process_of(machine)?, before, "the same power-on");
        reset(machine, "ForceOff").await?;
        assert_eq!(power(machine).await?, "Off");
        assert_eq!(process_of(machine)?, Value::Null);
        Ok(())
    });
}

/// Starts a machine by the command line and answers when it says what is there.
fn up(name: &str) -> (Child, level_m::Description) {
    let mut command = Command::new(BENCH);
    command.args(["up", "--level", "m", "--bios", "1", "--no-images", "--wait", "--name", name]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let output = child.stdout.take().unwrap();
    let site = serde_json::Deserializer::from_reader(output).into_iter().next().unwrap().unwrap();
    (child, site)
}

fn records(name: &str) -> Vec<Record> {
    Supervisor::new(&run_root().unwrap().join(name)).unwrap().records().unwrap()
}

/// Whether it runs; one that has ended and waits for its parent does not.
fn is_alive(process: &Value) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process["pid"])).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

#[test]
fn what_a_killed_bench_left_is_cleared_up_by_the_next_one() {
    let name = "test-killed-machines";
    // Here the other program holds the bench, which does this elsewhere; an error means that it is done.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let switched_on = |site: &level_m::Description| {
        let machine = &site.machines[0];
        run_in(Some(&netns_path(&site.netns)), async || {
            assert_eq!(power(machine).await?, "Off");
            reset(machine, "On").await
        })
        .unwrap();
        process_of(machine).unwrap()
    };
    let (mut first, site) = up(name);
    let before = (records(name), switched_on(&site));
    assert!(before.0.len() >= 4, "Ironic, BMC, DHCP and files: {:?}", before.0);
    first.kill().unwrap();
    first.wait().unwrap();
    assert!(before.0.iter().all(Record::alive) && is_alive(&before.1), "they outlive it");

    let (mut second, site) = up(name);
    assert!(!before.0.iter().any(Record::alive) && !is_alive(&before.1), "the next one clears up first");
    let after = (records(name), switched_on(&site));
    drop(second.stdin.take());
    assert!(second.wait().unwrap().success());
    assert!(!after.0.iter().any(Record::alive), "{:?}", after.0);
    assert!(!is_alive(&after.1), "the machine runs on");
    assert!(!netns_path(&site.netns).exists(), "the network is gone, too");
}

#[test]
fn a_machine_is_inspected_over_the_network_and_ironic_may_forget_it() {
    on_stage("test-inspect", Firmware::Bios, async |bench, site, mut ironic| {
        let machine = &site.machines[0];
        let life = Life::of(&site, &machine.name)?;
        life.enroll(AgentBoot::Ipxe).await?;
        life.manage().await?;
        let inventory = life.inspect().await?;
        assert_eq!(inventory["interfaces"][0]["mac_address"], machine.mac);
        assert_eq!(inventory["system_vendor"]["serial_number"], format!("SN-{}", machine.name));
        until("the machine being off after its inspection", Duration::from_mins(2), async || {
            Ok((power(machine).await? == "Off").then_some(()))
        })
        .await?;
        ironic.restart(bench).await?;
        assert_eq!(life.nodes().await?, std::slice::from_ref(&machine.name), "a restart keeps the database");
        ironic.restart_empty(bench).await?;
        assert_eq!(life.nodes().await?, Vec::<String>::new());
        Ok(())
    });
}

#[test]
fn a_uefi_machine_is_inspected_from_virtual_media() {
    on_stage("test-virtual-media", Firmware::Uefi, async |_, site, _| {
        let machine = &site.machines[0];
        let life = Life::of(&site, &machine.name)?;
        life.enroll(AgentBoot::VirtualMedia).await?;
        life.manage().await?;
        let inventory = life.inspect().await?;
        assert_eq!(inventory["boot"]["current_boot_mode"], "uefi");
        let log = test_e2e::bmc::service::read_log(&machine.folder.with_file_name("requests.log"))?;
        let inserted = log.iter().find(|(_, path, _)| path.ends_with("VirtualMedia.InsertMedia"));
        assert_eq!(inserted.context("no medium was inserted")?.2, 204);
        Ok(())
    });
}
