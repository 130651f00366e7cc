//! Level M: emulated machines, powered off, in a namespace of their own with a real Ironic and everything they meet
//! when they boot.
//!
//! `start` leaves a description in the run folder (`machines.json`) that tests and stories read with [`attach`].

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::bench::run_root;
use crate::bmc::spec::{Firmware, Fleet, MachineSpec};
use crate::cache::Cache;
use crate::ironic::{self, Ironic};
use crate::net::{ADDRESS, BRIDGE, Network};
use crate::node_image::{self, Role};
use crate::process::Spec;
use crate::wait::{Phases, until};
use crate::{Bench, apt, boot, ramdisk};

/// Port of the Redfish service of all machines.
pub const BMC_PORT: u16 = 8001;

/// Programs that machines need, by Debian package.
const PACKAGES: &[&str] = &["iproute2", "ipxe-qemu", "ovmf", "qemu-system-x86", "qemu-utils", "seabios"];

/// Room for images and logs, in GiB (2.4 were used by two machines, 3.9 by four).
const ROOM: u64 = 2;

/// Room for the disk of one machine, in GiB; it grows as it is written.
const ROOM_PER_MACHINE: u64 = 1;

/// What to start.
#[derive(Debug, Clone)]
pub struct Options {
    /// Firmware of each machine; the first machine has memory for a control plane.
    pub machines: Vec<Firmware>,
    /// Node images to build and serve; none for tests that never deploy.
    pub images: Vec<Role>,
    /// Password of Ironic's API.
    pub ironic_password: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            machines: vec![Firmware::Bios; 3],
            images: vec![Role::ControlPlane, Role::Worker],
            ironic_password: "bench-password".to_owned(),
        }
    }
}

/// Everything a test or a story needs to know.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Description {
    /// Name of the network namespace (`ip netns exec NAME ...`).
    pub netns: String,
    /// Ironic's API.
    pub ironic: Service,
    /// URL of the agent's kernel (`DEPLOY_KERNEL_URL`).
    pub agent_kernel: String,
    /// URL of the agent's ramdisk (`DEPLOY_RAMDISK_URL`).
    pub agent_ramdisk: String,
    /// Node images by role.
    pub images: BTreeMap<Role, Image>,
    /// The machines in the order of their numbers.
    pub machines: Vec<MachineEntry>,
}

/// A service with its credentials.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Service {
    /// URL.
    pub url: String,
    /// User.
    pub username: String,
    /// Password.
    pub password: String,
}

/// A disk image as `BareMetalHost.spec.image` wants it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Image {
    /// URL.
    pub url: String,
    /// Hash in lower-case hexadecimal.
    pub checksum: String,
    /// Kind of hash.
    pub checksum_type: String,
    /// `qcow2` or `raw`.
    pub format: String,
}

/// A machine as the person sees it who racks it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MachineEntry {
    /// Name.
    pub name: String,
    /// MAC address it boots from (`bootMACAddress`).
    pub mac: String,
    /// `legacy` or `UEFI`, as `bootMode` wants it.
    pub boot_mode: String,
    /// Management address for network boot (`bmc.address`).
    pub bmc_address: String,
    /// Management address for boot from virtual media.
    pub bmc_address_virtual_media: String,
    /// User of the BMC.
    pub username: String,
    /// Password of the BMC.
    pub password: String,
    /// Folder with serial logs (`serial.N.log`), console socket and `faults.json`.
    pub folder: PathBuf,
}

/// Builds everything that needs the way out to the world, before anybody enters the namespace.
pub async fn prepare(cache: &Cache, options: &Options) -> Result<()> {
    let machines = options.machines.len() as u64;
    crate::room::ensure_free(&run_root()?, ROOM + ROOM_PER_MACHINE * machines, "a bench with machines")?;
    apt::ensure(&[PACKAGES, boot::PACKAGES, ironic::PACKAGES].concat()).await?;
    tokio::try_join!(ironic::environment(cache), ramdisk::esp(cache))?;
    ramdisk::agent(cache).await?;
    for role in &options.images {
        node_image::build(cache, *role).await?;
    }
    Ok(())
}

/// Starts network, boot services, Ironic and the management controllers; the machines stay off. Call [`prepare`] first.
pub async fn start(bench: &Bench, options: &Options) -> Result<(Description, Ironic)> {
    let mut phases = Phases::start("level M");
    let network = Network::of(bench.run_dir());
    network.up().await?;
    let images = publish(bench, options).await?;
    boot::start(bench, &network.path()).await?;
    phases.done("network, DHCP, file server");
    let ironic = ironic::start(
        bench,
        &ironic::Options {
            listen: SocketAddr::new(ADDRESS, ironic::PORT),
            netns: Some(network.path()),
            username: "ironic".to_owned(),
            password: options.ironic_password.clone(),
            machines: true,
        },
    )
    .await?;
    phases.done("Ironic");
    let fleet = fleet(bench, &options.machines)?;
    start_bmc(bench, &fleet).await?;
    phases.done("management controllers");
    let url = |name: &str| format!("{}/images/{name}", boot::files_url());
    let description = Description {
        netns: network.name().to_owned(),
        ironic: Service {
            url: ironic.endpoint(),
            username: "ironic".to_owned(),
            password: options.ironic_password.clone(),
        },
        agent_kernel: url("agent.kernel"),
        agent_ramdisk: url("agent.initramfs"),
        images,
        machines: fleet.machines.iter().map(|machine| entry(&fleet, machine)).collect(),
    };
    std::fs::write(bench.run_dir().join("machines.json"), serde_json::to_vec_pretty(&description)?)?;
    Ok((description, ironic))
}

/// The description of what [`start`] left running, also from another process.
pub fn attach(bench: &Bench) -> Result<Description> {
    let file = bench.run_dir().join("machines.json");
    let text = std::fs::read(&file).with_context(|| format!("no machines were started in {}", file.display()))?;
    Ok(serde_json::from_slice(&text)?)
}

/// Starts the management controllers of a fleet whose file is in the run folder, or starts them again after a test has
/// stopped them; running machines go on running.
pub async fn start_bmc(bench: &Bench, fleet: &Fleet) -> Result<()> {
    let network = Network::of(bench.run_dir());
    // Machines that only remember their power need no network of their own.
    let netns = fleet.machines.iter().any(|machine| !machine.power_only).then(|| network.path());
    let file = fleet.folder.join("fleet.json");
    std::fs::write(&file, serde_json::to_vec_pretty(fleet)?)?;
    let program = std::env::current_exe().context("finding the bench's own program")?;
    let spec = Spec::new("bmc", bench_program(&program)).arg("bmc").arg(&file).netns(netns.as_deref());
    let record = bench.processes().start(spec).await?;
    let url = format!("http://{}/redfish/v1/", fleet.listen);
    until("the management controllers", Duration::from_mins(1), async || {
        record.check()?;
        boot::get(netns.as_deref(), &url).await.map(Some)
    })
    .await?;
    Ok(())
}

/// Stops everything of the bench, machines included, and removes the namespace.
pub async fn down(bench: &Bench) -> Result<()> {
    bench.processes().stop_all().await?;
    Network::of(bench.run_dir()).down().await
}

/// The program `bench`, also when the caller is a test, whose own program lies in the folder `deps` beside it.
pub(crate) fn bench_program(own: &Path) -> PathBuf {
    let tests = own.parent().filter(|folder| folder.ends_with("deps"));
    let beside = tests.and_then(Path::parent).map(|folder| folder.join("bench"));
    beside.filter(|program| program.is_file()).unwrap_or_else(|| own.to_path_buf())
}

/// The fleet of a bench: names, addresses and credentials follow from the number of the machine.
fn fleet(bench: &Bench, firmware: &[Firmware]) -> Result<Fleet> {
    let machine = |(index, firmware): (usize, &Firmware)| {
        let number = index + 1;
        MachineSpec {
            name: format!("machine-{number}"),
            mac: format!("52:54:00:22:00:{number:02x}"),
            tap: format!("machine-{number}"),
            firmware: *firmware,
            // kubeadm wants 1700 MiB for a control plane, and the agent keeps the image in memory while it writes it.
            memory_mib: if index == 0 { 3072 } else { 2048 },
            cpus: 2,
            disk_gib: 8,
            username: format!("admin-{number}"),
            password: format!("bmc-password-{number}"),
            power_only: false,
        }
    };
    Ok(Fleet {
        listen: SocketAddr::new(ADDRESS, BMC_PORT),
        folder: bench.dir("machines")?,
        bridge: BRIDGE.to_owned(),
        machines: firmware.iter().enumerate().map(machine).collect(),
    })
}

fn entry(fleet: &Fleet, machine: &MachineSpec) -> MachineEntry {
    let place = format!("{}/redfish/v1/Systems/{}", fleet.listen, machine.name);
    MachineEntry {
        name: machine.name.clone(),
        mac: machine.mac.clone(),
        boot_mode: match machine.firmware {
            Firmware::Bios => "legacy".to_owned(),
            Firmware::Uefi => "UEFI".to_owned(),
        },
        bmc_address: format!("redfish+http://{place}"),
        bmc_address_virtual_media: format!("redfish-virtualmedia+http://{place}"),
        username: machine.username.clone(),
        password: machine.password.clone(),
        folder: fleet.folder.join(&machine.name),
    }
}

/// Puts agent, boot image and node images under the file server.
async fn publish(bench: &Bench, options: &Options) -> Result<BTreeMap<Role, Image>> {
    let images = boot::files_root(bench)?.join("images");
    std::fs::create_dir_all(&images)?;
    let agent = ramdisk::agent(bench.cache()).await?;
    for name in ["agent.kernel", "agent.initramfs"] {
        link(&agent.join(name), &images.join(name))?;
    }
    link(&ramdisk::esp(bench.cache()).await?, &images.join("esp.img"))?;
    let mut published = BTreeMap::new();
    for role in &options.images {
        let built = node_image::build(bench.cache(), *role).await?;
        let name = format!("{}.qcow2", role.name());
        link(&built.file, &images.join(&name))?;
        let image = Image {
            url: format!("{}/images/{name}", boot::files_url()),
            checksum: built.sha256,
            checksum_type: "sha256".to_owned(),
            format: "qcow2".to_owned(),
        };
        published.insert(*role, image);
    }
    Ok(published)
}

/// A hard link, or a copy where cache and run folder are on different file systems. (Ironic resolves symbolic links and
/// then refuses the file as being outside its folder.)
fn link(from: &Path, to: &Path) -> Result<()> {
    if to.exists() {
        std::fs::remove_file(to)?;
    }
    if std::fs::hard_link(from, to).is_err() {
        std::fs::copy(from, to).with_context(|| format!("copying {}", from.display()))?;
    }
    Ok(())
}
