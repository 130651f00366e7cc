//! Debian trees: the bases from which the agent ramdisk and the node images are made.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::apt;
use crate::cache::{Cache, Place};
use crate::command::Cmd;
use crate::versions::DEBIAN;

/// Package that always depends on the newest small kernel for virtual machines.
const KERNEL: &str = "linux-image-cloud-amd64";

/// The Debian archive which this machine's apt uses, or `$METAL3_BENCH_DEBIAN` on a machine that is not Debian.
pub async fn mirror() -> Result<String> {
    if let Ok(mirror) = std::env::var("METAL3_BENCH_DEBIAN") {
        return Ok(mirror);
    }
    let format = "$(CREATED_BY) $(CODENAME) $(COMPONENT) $(SITE)";
    let targets = Cmd::new("apt-get").args(["indextargets", "--format", format]).output().await?;
    let wanted = format!("Packages {DEBIAN} main ");
    let found = targets.lines().find_map(|line| line.strip_prefix(&wanted)).map(str::to_owned);
    found.with_context(|| format!("apt knows no archive of Debian {DEBIAN}; set METAL3_BENCH_DEBIAN to one"))
}

/// A minimal Debian tree with these packages; made as root, file owners and all.
pub async fn tree(cache: &Cache, name: &str, packages: &[&str]) -> Result<PathBuf> {
    let include = packages.join(",");
    let entry = cache.entry(name, DEBIAN, &include, async |place: &Place| {
        apt::ensure(&["debootstrap"]).await?;
        let mirror = mirror().await?;
        Cmd::new("nice")
            .args(["debootstrap", "--variant=minbase", &format!("--include={include}"), DEBIAN])
            .arg(place.dir.join("tree"))
            .arg(mirror)
            .log(&place.log)
            .limit(Duration::from_mins(40))
            .run()
            .await
            .context("making a Debian tree (this needs root)")
    });
    Ok(entry.await?.join("tree"))
}

/// An unpacked kernel package: `boot/vmlinuz-*` and `lib/modules/*`.
pub async fn kernel(cache: &Cache) -> Result<PathBuf> {
    let entry = cache.entry("kernel", DEBIAN, KERNEL, async |place: &Place| {
        let depends = Cmd::new("apt-cache").args(["depends", "--important", KERNEL]).output().await?;
        let package = depends.lines().find_map(|line| line.trim().strip_prefix("Depends: ")).map(str::trim);
        let package = package.with_context(|| format!("apt does not know {KERNEL}"))?;
        let download = place.dir.join("download");
        std::fs::create_dir_all(&download)?;
        // As the user who calls: apt's own download user has no access to the cache.
        let get = Cmd::new("apt-get").args(["-q", "-o", "APT::Sandbox::User=root", "download", package]);
        get.dir(&download).log(&place.log).run().await?;
        let file = std::fs::read_dir(&download)?.next().context("apt downloaded nothing")??.path();
        Cmd::new("dpkg-deb").arg("--extract").arg(&file).arg(place.dir.join("tree")).run().await?;
        std::fs::remove_dir_all(&download)?;
        Ok(())
    });
    Ok(entry.await?.join("tree"))
}
