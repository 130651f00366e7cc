//! What a machine meets when it boots from the network: DHCP, TFTP and the file server.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::assets::fill;
use crate::command::Cmd;
use crate::net::{ADDRESS, BRIDGE, DHCP_FIRST, DHCP_LAST};
use crate::process::Spec;
use crate::wait::until;
use crate::{Bench, apt};

/// Programs and boot loaders that [`start`] uses, by Debian package.
pub const PACKAGES: &[&str] = &["curl", "dnsmasq-base", "ipxe"];

/// Port of the file server.
pub const FILES_PORT: u16 = 8080;

/// URL of the file server, without a slash at the end.
pub fn files_url() -> String {
    format!("http://{ADDRESS}:{FILES_PORT}")
}

/// The folder that the file server serves.
pub fn files_root(bench: &Bench) -> Result<PathBuf> {
    bench.dir("files")
}

/// Starts DHCP, TFTP and the file server in the namespace. [`PACKAGES`] must be installed.
pub async fn start(bench: &Bench, netns: &Path) -> Result<()> {
    apt::ensure(PACKAGES).await?;
    let state = bench.dir("boot")?;
    let tftp = bench.dir("boot/tftp")?;
    for loader in ["undionly.kpxe", "snponly.efi"] {
        let from = Path::new("/usr/lib/ipxe").join(loader);
        for to in [tftp.join(loader), files_root(bench)?.join(loader)] {
            std::fs::copy(&from, to).with_context(|| format!("copying {}", from.display()))?;
        }
    }
    let text = fill(
        include_str!("../assets/dnsmasq.conf"),
        &[
            ("bridge", BRIDGE),
            ("first", &DHCP_FIRST.to_string()),
            ("last", &DHCP_LAST.to_string()),
            ("state", &state.display().to_string()),
            ("files", &files_url()),
        ],
    )?;
    let config = state.join("dnsmasq.conf");
    std::fs::write(&config, text)?;
    let dnsmasq = Spec::new("dnsmasq", "dnsmasq").arg(format!("--conf-file={}", config.display())).netns(Some(netns));
    let dnsmasq = bench.processes().start(dnsmasq).await?;
    let program = std::env::current_exe().context("finding the bench's own program")?;
    let files = Spec::new("files", crate::level_m::bench_program(&program))
        .args(["files", "--listen", &format!("{ADDRESS}:{FILES_PORT}"), "--root"])
        .arg(files_root(bench)?)
        .netns(Some(netns));
    let files = bench.processes().start(files).await?;
    until("the file server", Duration::from_mins(1), async || {
        files.check()?;
        dnsmasq.check()?;
        get(Some(netns), &format!("{}/undionly.kpxe", files_url())).await.map(Some)
    })
    .await?;
    Ok(())
}

/// Asks for a URL, from inside a namespace when one is given.
pub async fn get(netns: Option<&Path>, url: &str) -> Result<String> {
    let curl = ["-sSf", "-m", "10", "-o", "/dev/null", "-w", "%{http_code}", url];
    let command = match netns {
        Some(netns) => Cmd::new("nsenter").arg(format!("--net={}", netns.display())).args(["--", "curl"]),
        None => Cmd::new("curl"),
    };
    command.args(curl).output().await
}
