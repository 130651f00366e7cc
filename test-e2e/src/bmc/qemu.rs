//! QEMU's command line for one machine, as a pure function, and the paths it uses.

use std::path::{Path, PathBuf};

use super::{
    spec::{Firmware, MachineSpec},
    state::Target,
};

/// Program started for each power-on. Emulation only: the bench needs no hardware virtualisation.
pub const PROGRAM: &str = "qemu-system-x86_64";
/// Debian's OVMF code with the 4 MiB flash layout.
pub const OVMF_CODE: &str = "/usr/share/OVMF/OVMF_CODE_4M.fd";
/// Debian's empty OVMF variable store, copied once per machine.
pub const OVMF_VARS: &str = "/usr/share/OVMF/OVMF_VARS_4M.fd";

/// Files of one machine, all in its own folder.
#[derive(Debug, Clone)]
pub struct Files {
    folder: PathBuf,
}

impl Files {
    /// Files below the machine's folder.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }
    /// The folder itself.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
    /// Disk image (qcow2).
    pub fn disk(&self) -> PathBuf {
        self.folder.join("disk.qcow2")
    }
    /// UEFI variable store.
    pub fn vars(&self) -> PathBuf {
        self.folder.join("vars.fd")
    }
    /// The inserted virtual CD.
    pub fn cd(&self) -> PathBuf {
        self.folder.join("cd.iso")
    }
    /// State file of the machine.
    pub fn state(&self) -> PathBuf {
        self.folder.join("state.json")
    }
    /// QMP socket on which the emulator waits for the end.
    pub fn events(&self) -> PathBuf {
        self.folder.join("events.qmp")
    }
    /// QMP socket for commands.
    pub fn control(&self) -> PathBuf {
        self.folder.join("control.qmp")
    }
    /// Serial console, a Unix socket: `socat - UNIX-CONNECT:<path>` is a root shell on a debug image.
    pub fn console(&self) -> PathBuf {
        self.folder.join("console.sock")
    }
    /// Serial log of the n-th power-on, counted from 1.
    pub fn serial_log(&self, start: u32) -> PathBuf {
        self.folder.join(format!("serial.{start}.log"))
    }
    /// Standard error of QEMU.
    pub fn log(&self) -> PathBuf {
        self.folder.join("qemu.log")
    }
}

/// Boot device numbers (lower boots first) of disk, network and CD.
fn boot_order(target: Target) -> (u8, u8, u8) {
    match target {
        Target::None | Target::Hdd => (1, 3, 2),
        Target::Pxe | Target::UefiHttp => (2, 1, 3),
        Target::Cd => (2, 3, 1),
    }
}

/// The arguments of one power-on.
///
/// `-action reboot=shutdown` makes a guest's reset end the process, so that the emulator starts it anew with the boot
/// settings then in force, as a real machine reads them at each start.
pub fn arguments(
    spec: &MachineSpec,
    files: &Files,
    mode: Firmware,
    target: Target,
    start: u32,
    cd: bool,
) -> Vec<String> {
    let (disk, net, optical) = boot_order(target);
    let path = |p: PathBuf| p.display().to_string();
    let mut a: Vec<String> = Vec::new();
    let mut add = |option: &str, value: String| a.extend([option.to_owned(), value]);
    add("-name", spec.name.clone());
    // The cloud kernel of the ramdisk has no AHCI driver, so the classic machine type with virtio everywhere.
    add("-machine", "pc,usb=off".into());
    add("-accel", "tcg,thread=multi".into());
    add("-cpu", "max".into());
    add("-smp", spec.cpus.to_string());
    add("-m", spec.memory_mib.to_string());
    add("-display", "none".into());
    add("-uuid", spec.uuid());
    add(
        "-smbios",
        format!("type=1,manufacturer=Bench,product=Emulated,serial={},uuid={}", spec.serial_number(), spec.uuid()),
    );
    let (console, log) = (path(files.console()), path(files.serial_log(start)));
    add("-chardev", format!("socket,id=serial,path={console},server=on,wait=off,logfile={log}"));
    add("-serial", "chardev:serial".into());
    for socket in [files.events(), files.control()] {
        add("-qmp", format!("unix:{},server=on,wait=off", path(socket)));
    }
    add("-action", "reboot=shutdown".into());
    let image = path(files.disk());
    // The host may lose power, the test may not care: no flushes.
    add("-drive", format!("file={image},if=none,id=disk0,format=qcow2,cache=unsafe,discard=unmap"));
    let serial = spec.serial_number();
    add("-device", format!("virtio-blk-pci,drive=disk0,serial={serial},bootindex={disk}"));
    add("-netdev", format!("tap,id=net0,ifname={},script=no,downscript=no", spec.tap));
    add("-device", format!("virtio-net-pci,netdev=net0,mac={},bootindex={net}", spec.mac));
    add("-device", "virtio-rng-pci".into());
    add("-device", "virtio-scsi-pci,id=scsi0".into());
    if cd {
        let iso = path(files.cd());
        add("-drive", format!("file={iso},if=none,id=media0,media=cdrom,readonly=on,format=raw"));
        add("-device", format!("scsi-cd,id=cd0,drive=media0,bus=scsi0.0,bootindex={optical}"));
    } else {
        add("-device", format!("scsi-cd,id=cd0,bus=scsi0.0,bootindex={optical}"));
    }
    if mode == Firmware::Uefi {
        add("-drive", format!("if=pflash,format=raw,readonly=on,file={OVMF_CODE}"));
        add("-drive", format!("if=pflash,format=raw,file={}", path(files.vars())));
    }
    a.extend(["-nodefaults".into(), "-no-user-config".into()]);
    a
}
