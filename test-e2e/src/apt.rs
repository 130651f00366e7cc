//! Debian packages the bench needs, installed when missing and without starting any daemon.

use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::command::Cmd;

/// Debian asks this program whether a package may start its services; exit status 101 means no.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// One installation at a time, and one update of the package lists per process.
static UPDATED: tokio::sync::Mutex<bool> = tokio::sync::Mutex::const_new(false);

/// The guard file exists while this is above zero in this process.
static GUARDS: Mutex<usize> = Mutex::new(0);

/// Installs those of the packages that are not installed; needs root only when one is missing.
pub async fn ensure(packages: &[&str]) -> Result<()> {
    let mut updated = UPDATED.lock().await;
    let missing = missing(packages).await?;
    if missing.is_empty() {
        return Ok(());
    }
    crate::host::has_way_out(&missing.join(" "))?;
    eprintln!("apt: installing {}", missing.join(" "));
    let _guard = Guard::set()?;
    if !*updated {
        apt().arg("update").run().await.context("updating the package lists")?;
        *updated = true;
    }
    apt()
        .args(["install", "--yes", "--no-install-recommends"])
        .args(&missing)
        .run()
        .await
        .with_context(|| format!("installing {} (this needs root)", missing.join(" ")))
}

fn apt() -> Cmd {
    // Another apt on the machine may hold the lock for a while.
    Cmd::new("apt-get")
        .args(["-q", "-o", "DPkg::Lock::Timeout=300"])
        .env("DEBIAN_FRONTEND", "noninteractive")
        .limit(Duration::from_mins(20))
}

async fn missing(packages: &[&str]) -> Result<Vec<String>> {
    let listed = Cmd::new("dpkg-query").args(["--show", "--showformat", "${Package} ${db:Status-Status}\n"]);
    let listed = listed.output().await.context("asking dpkg (the bench wants a Debian machine)")?;
    let installed: std::collections::BTreeSet<&str> =
        listed.lines().filter_map(|line| line.strip_suffix(" installed")).collect();
    Ok(packages.iter().filter(|name| !installed.contains(**name)).map(|name| (*name).to_owned()).collect())
}

/// Keeps packages from starting services while they are installed. A file that was there before is left alone.
struct Guard;

impl Guard {
    fn set() -> Result<Option<Self>> {
        use std::os::unix::fs::PermissionsExt;
        let Ok(mut guards) = GUARDS.lock() else { bail!("an installation before this one panicked") };
        if *guards == 0 && Path::new(POLICY).exists() {
            return Ok(None);
        }
        std::fs::write(POLICY, "#!/bin/sh\nexit 101\n").context("writing policy-rc.d (this needs root)")?;
        std::fs::set_permissions(POLICY, std::fs::Permissions::from_mode(0o755))?;
        *guards += 1;
        Ok(Some(Self))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Ok(mut guards) = GUARDS.lock() {
            *guards = guards.saturating_sub(1);
            if *guards == 0 {
                let _ = std::fs::remove_file(POLICY);
            }
        }
    }
}
