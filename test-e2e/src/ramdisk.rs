//! The deploy agent's ramdisk, and the boot image that Ironic wraps around it for virtual media on UEFI machines.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use crate::assets::{self, Asset};
use crate::cache::{Cache, Place};
use crate::command::Cmd;
use crate::versions::IRONIC_PYTHON_AGENT;
use crate::{apt, debian, ironic};

/// What the agent calls: partition, disk, hardware and image tools.
const PACKAGES: &[&str] = &[
    "bsdextrautils",
    "busybox-static",
    "ca-certificates",
    "dmidecode",
    "dosfstools",
    "e2fsprogs",
    "efibootmgr",
    "ethtool",
    "gdisk",
    "hdparm",
    "iproute2",
    "kmod",
    "lshw",
    "mdadm",
    "parted",
    "pciutils",
    "psmisc",
    "python3",
    "qemu-utils",
    "udev",
    "util-linux",
];

const BUILD: &[Asset] = &[
    ("build.sh", include_str!("../assets/ramdisk/build.sh")),
    ("init", include_str!("../assets/ramdisk/init")),
    ("udhcpc.sh", include_str!("../assets/ramdisk/udhcpc.sh")),
    ("modules", include_str!("../assets/ramdisk/modules")),
    ("constraints.txt", include_str!("../assets/ramdisk/constraints.txt")),
];

const ESP: &[Asset] = &[("esp.sh", include_str!("../assets/ramdisk/esp.sh"))];

/// The folder with `agent.kernel` and `agent.initramfs`.
pub async fn agent(cache: &Cache) -> Result<PathBuf> {
    // Outside the entry: only so many builds run at a time, and these are builds themselves.
    let python = ironic::environment(cache).await?.join("bin/python");
    let kernel = debian::kernel(cache).await?;
    let base = debian::tree(cache, "ramdisk-base", PACKAGES).await?;
    let recipe = format!("{}\n{}", assets::recipe(BUILD), PACKAGES.join(" "));
    cache
        .entry("ramdisk", IRONIC_PYTHON_AGENT, &recipe, async |place: &Place| {
            apt::ensure(&["zstd", "cpio", "kmod", "binutils", "busybox-static"]).await?;
            let scripts = place.dir.join("recipe");
            assets::unpack(&scripts, BUILD)?;
            Cmd::new("nice")
                .arg(scripts.join("build.sh"))
                .args([&base, &kernel, &python])
                .arg(IRONIC_PYTHON_AGENT)
                .arg(&place.dir)
                .log(&place.log)
                .limit(Duration::from_mins(30))
                .run()
                .await
        })
        .await
}

/// The file system image with GRUB for UEFI boot ISOs.
pub async fn esp(cache: &Cache) -> Result<PathBuf> {
    let recipe = assets::recipe(ESP);
    let entry = cache.entry("boot-esp", "1", &recipe, async |place: &Place| {
        apt::ensure(&["grub-efi-amd64-bin", "grub-common", "dosfstools", "mtools"]).await?;
        let scripts = place.dir.join("recipe");
        assets::unpack(&scripts, ESP)?;
        Cmd::new(scripts.join("esp.sh")).arg(place.dir.join("esp.img")).log(&place.log).run().await
    });
    Ok(entry.await?.join("esp.img"))
}
