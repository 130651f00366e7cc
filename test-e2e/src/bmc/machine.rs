//! One machine: its power, its boot settings, its virtual CD. All changes go through here and are written to its folder.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use futures::{StreamExt, future::BoxFuture};
use serde_json::json;
use tokio::{io::AsyncWriteExt, process::Command, sync::Mutex};

use super::{
    faults::Faults,
    qemu::{self, Files},
    qmp::Qmp,
    spec::{Firmware, Fleet, MachineSpec},
    state::{Boot, Process, State},
};

/// How long QEMU gets to end after `quit` before it is killed.
const QUIT: Duration = Duration::from_secs(5);

/// A machine and everything that may change about it.
#[derive(Debug)]
pub struct Machine {
    spec: MachineSpec,
    bridge: String,
    files: Files,
    state: Mutex<State>,
}

impl Machine {
    /// Opens the machine's folder, makes what is missing in it, and adopts its QEMU if one still runs.
    pub async fn open(fleet: &Fleet, spec: &MachineSpec) -> Result<Arc<Self>> {
        let files = Files::new(fleet.folder.join(&spec.name));
        std::fs::create_dir_all(files.folder()).with_context(|| format!("cannot make {}", files.folder().display()))?;
        let state = State::read(&files.state())?.unwrap_or_else(|| State::new(spec.firmware));
        let running = state.process.filter(|p| alive(*p));
        let machine = Arc::new(Self {
            spec: spec.clone(),
            bridge: fleet.bridge.clone(),
            files,
            state: Mutex::new(State { process: running, ..state }),
        });
        if !machine.spec.power_only {
            machine.prepare_files().await?;
        }
        if let Some(process) = running {
            tracing::info!(machine = %machine.spec.name, pid = process.pid, "adopted a running machine");
            tokio::spawn(Self::watch(machine.clone(), process, None));
        }
        Ok(machine)
    }

    /// Hardware and credentials.
    pub fn spec(&self) -> &MachineSpec {
        &self.spec
    }

    /// Faults a test has put on this BMC.
    pub fn faults(&self) -> Faults {
        Faults::of(self.files.folder())
    }

    /// A copy of the state, for an answer.
    pub async fn state(&self) -> State {
        self.state.lock().await.clone()
    }

    /// Whether the machine's QEMU runs.
    pub async fn is_on(&self) -> bool {
        let state = self.state.lock().await;
        state.process.is_some_and(alive) || (self.spec.power_only && state.wanted_on)
    }

    /// Changes what Redfish may set; the change is on disk when this returns.
    pub async fn change(&self, change: impl FnOnce(&mut State)) -> Result<()> {
        let mut state = self.state.lock().await;
        change(&mut state);
        state.write(&self.files.state())
    }

    /// Powers on; nothing happens when it is on.
    pub async fn power_on(self: &Arc<Self>) -> Result<()> {
        let mut state = self.state.lock().await;
        if state.process.is_some_and(alive) || (self.spec.power_only && state.wanted_on) {
            return Ok(());
        }
        self.start(&mut state).await
    }

    /// Cuts the power; nothing happens when it is off.
    pub async fn power_off(&self) -> Result<()> {
        let mut state = self.state.lock().await;
        state.wanted_on = false;
        if let Some(process) = state.process.take().filter(|p| alive(*p)) {
            self.stop(process).await?;
        }
        state.write(&self.files.state())
    }

    /// Presses the power button: a guest that listens shuts down, one that does not goes on running.
    pub async fn press_button(&self) -> Result<()> {
        if self.spec.power_only {
            return self.power_off().await;
        }
        if !self.is_on().await {
            return Ok(());
        }
        Qmp::connect(&self.files.control()).await?.execute("system_powerdown", json!({})).await?;
        Ok(())
    }

    /// Power off, then on again with the boot settings now in force.
    pub async fn restart(self: &Arc<Self>) -> Result<()> {
        self.power_off().await?;
        self.power_on().await
    }

    /// Inserts a virtual CD: the BMC fetches the image itself, as it does in reality, and refuses what it cannot fetch.
    pub async fn insert(&self, url: &str) -> Result<()> {
        if self.spec.power_only {
            return self.change(|state| state.media = Some(url.to_owned())).await;
        }
        let part = self.files.cd().with_extension("part");
        fetch(url, &part).await?;
        let mut state = self.state.lock().await;
        std::fs::rename(&part, self.files.cd())?;
        state.media = Some(url.to_owned());
        if state.process.is_some_and(alive) {
            let arguments = json!({"id": "cd0", "filename": self.files.cd(), "format": "raw", "force": true});
            Qmp::connect(&self.files.control()).await?.execute("blockdev-change-medium", arguments).await?;
        }
        state.write(&self.files.state())
    }

    /// Takes the virtual CD out; nothing happens when the drive is empty.
    pub async fn eject(&self) -> Result<()> {
        let mut state = self.state.lock().await;
        if state.media.take().is_some() && state.process.is_some_and(alive) {
            let arguments = json!({"id": "cd0", "force": true});
            Qmp::connect(&self.files.control()).await?.execute("eject", arguments).await?;
        }
        state.write(&self.files.state())
    }

    async fn start(self: &Arc<Self>, state: &mut State) -> Result<()> {
        let target = state.boot.take();
        let pending = std::mem::take(&mut state.bios_pending);
        state.bios.extend(pending);
        state.starts += 1;
        state.wanted_on = true;
        if self.spec.power_only {
            return state.write(&self.files.state());
        }
        self.connect_network().await?;
        for socket in [self.files.events(), self.files.control(), self.files.console()] {
            let _ = std::fs::remove_file(socket);
        }
        let Boot { mode, .. } = state.boot;
        let cd = state.media.is_some();
        let arguments = qemu::arguments(&self.spec, &self.files, mode, target, state.starts, cd);
        let log = File::options().create(true).append(true).open(self.files.log())?;
        let child = Command::new(qemu::PROGRAM)
            .args(&arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Its own process group: a signal to the emulator's group does not reach the machine.
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {}", qemu::PROGRAM))?;
        let pid = child.id().context("QEMU ended at once")?;
        let process = Process { pid, started: started(pid).unwrap_or_default() };
        state.process = Some(process);
        state.write(&self.files.state())?;
        tracing::info!(machine = %self.spec.name, pid, ?target, ?mode, start = state.starts, "power on");
        tokio::spawn(Self::watch(self.clone(), process, Some(child)));
        Ok(())
    }

    /// Waits for the end of one QEMU. After a guest's reset the machine starts again unless it was switched off since.
    ///
    /// Boxed because it starts the next QEMU, whose own watch is this function again.
    fn watch(self: Arc<Self>, process: Process, child: Option<tokio::process::Child>) -> BoxFuture<'static, ()> {
        Box::pin(self.follow(process, child))
    }

    async fn follow(self: Arc<Self>, process: Process, child: Option<tokio::process::Child>) {
        let reason = match Qmp::connect(&self.files.events()).await {
            Ok(qmp) => qmp.until_end().await,
            Err(_) => None,
        };
        match child {
            Some(mut child) => drop(child.wait().await),
            None => wait_end(process).await,
        }
        let mut state = self.state.lock().await;
        tracing::info!(machine = %self.spec.name, pid = process.pid, ?reason, "power ended");
        if state.process != Some(process) {
            return; // Switched off, and perhaps on again, by Redfish: that call keeps the record.
        }
        state.process = None;
        let again = state.wanted_on && reason.as_deref() == Some("guest-reset");
        let result = if again {
            self.start(&mut state).await
        } else {
            state.wanted_on = false;
            state.write(&self.files.state())
        };
        if let Err(error) = result {
            tracing::error!(machine = %self.spec.name, error = format!("{error:#}"), "machine stays off");
        }
    }

    async fn stop(&self, process: Process) -> Result<()> {
        let asked = async { Qmp::connect(&self.files.control()).await?.execute("quit", json!({})).await.map(drop) };
        let _ = tokio::time::timeout(QUIT, asked).await;
        if tokio::time::timeout(QUIT, wait_end(process)).await.is_err() {
            tracing::warn!(machine = %self.spec.name, pid = process.pid, "QEMU did not end, killed");
            run("kill", &["-KILL", &process.pid.to_string()]).await?;
            wait_end(process).await;
        }
        Ok(())
    }

    async fn prepare_files(&self) -> Result<()> {
        let disk = self.files.disk();
        if !disk.exists() {
            let size = format!("{}G", self.spec.disk_gib);
            run("qemu-img", &["create", "-q", "-f", "qcow2", &disk.display().to_string(), &size]).await?;
        }
        // Redfish may change the boot mode later, so the store is made for BIOS machines too, where OVMF exists.
        if !self.files.vars().exists() && Path::new(qemu::OVMF_VARS).exists() {
            std::fs::copy(qemu::OVMF_VARS, self.files.vars())?;
        } else if self.spec.firmware == Firmware::Uefi && !self.files.vars().exists() {
            bail!("machine {} wants UEFI but {} is missing; install ovmf", self.spec.name, qemu::OVMF_VARS);
        }
        Ok(())
    }

    async fn connect_network(&self) -> Result<()> {
        let tap = self.spec.tap.as_str();
        if run("ip", &["link", "show", tap]).await.is_err() {
            run("ip", &["tuntap", "add", tap, "mode", "tap"]).await?;
        }
        run("ip", &["link", "set", tap, "master", &self.bridge, "up"]).await
    }
}

/// Downloads `url` into `file`.
async fn fetch(url: &str, file: &PathBuf) -> Result<()> {
    let answer = reqwest::get(url).await.and_then(reqwest::Response::error_for_status);
    let mut body = answer.with_context(|| format!("cannot fetch the image {url}"))?.bytes_stream();
    let mut out = tokio::fs::File::create(file).await?;
    while let Some(chunk) = body.next().await {
        out.write_all(&chunk?).await?;
    }
    out.flush().await?;
    Ok(())
}

/// Runs a program to its end; its error output becomes the error.
async fn run(program: &str, arguments: &[&str]) -> Result<()> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().await;
    let output = output.with_context(|| format!("cannot start {program}"))?;
    if !output.status.success() {
        bail!("{program} {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

/// Start time and state letter of a process, from `/proc/<pid>/stat`. The name in it may hold spaces and brackets.
fn stat(pid: u32) -> Option<(u64, char)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    let letter = fields.next()?.chars().next()?;
    // The state letter is field 3, the start time field 22.
    Some((fields.nth(18)?.parse().ok()?, letter))
}

fn started(pid: u32) -> Option<u64> {
    stat(pid).map(|(started, _)| started)
}

fn alive(process: Process) -> bool {
    stat(process.pid).is_some_and(|(started, letter)| started == process.started && letter != 'Z')
}

async fn wait_end(process: Process) {
    while alive(process) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
