//! Debian packages the bench needs, installed when missing and without starting any daemon.

use std::fs::{File, TryLockError};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::command::Cmd;

/// Debian asks this program whether a package may start its services; exit status 101 means no.
const POLICY: &str = "/usr/sbin/policy-rc.d";
/// Locked while the bench has a file there, so that one at work is told from what a killed one left.
const LOCK: &str = "/run/metal3-bench-policy.lock";
/// By this line a later run knows the file for the bench's own.
const MARK: &str = "# Made by metal3's test bench while it installs packages";

/// One installation at a time, and one update of the package lists per process.
static UPDATED: tokio::sync::Mutex<bool> = tokio::sync::Mutex::const_new(false);

/// Installs those of the packages that are not installed; needs root only when one is missing.
pub async fn ensure(packages: &[&str]) -> Result<()> {
    let mut updated = UPDATED.lock().await;
    tidy()?;
    let missing = missing(packages).await?;
    if missing.is_empty() {
        return Ok(());
    }
    crate::host::has_way_out(&missing.join(" "))?;
    eprintln!("apt: installing {}", missing.join(" "));
    // Waits while another process installs, with its file in the place of ours.
    let _guard = tokio::task::spawn_blocking(|| Guard::set(Path::new(POLICY), Path::new(LOCK))).await??;
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

/// Removes the file of a run that was killed while it installed: no package could ever start a service again.
pub fn tidy() -> Result<()> {
    tidy_at(Path::new(POLICY), Path::new(LOCK))
}

fn tidy_at(policy: &Path, lock: &Path) -> Result<()> {
    if !is_ours(policy) {
        return Ok(());
    }
    let turn = open_lock(lock)?;
    match turn.try_lock() {
        Ok(()) => remove_ours(policy),
        // Somebody is at work, and removes it.
        Err(TryLockError::WouldBlock) => Ok(()),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("locking {}", lock.display())),
    }
}

fn open_lock(lock: &Path) -> Result<File> {
    File::create(lock).with_context(|| format!("opening {} (this needs root)", lock.display()))
}

fn is_ours(policy: &Path) -> bool {
    std::fs::read_to_string(policy).is_ok_and(|text| text.lines().any(|line| line == MARK))
}

/// With the lock held.
fn remove_ours(policy: &Path) -> Result<()> {
    if is_ours(policy) {
        std::fs::remove_file(policy).with_context(|| format!("removing {} (this needs root)", policy.display()))?;
    }
    Ok(())
}

/// Keeps packages from starting services while they are installed.
struct Guard {
    policy: PathBuf,
    // Given back by the kernel also after kill -9.
    _turn: File,
}

impl Guard {
    /// Nothing when somebody else's file is there, which is left alone.
    fn set(policy: &Path, lock: &Path) -> Result<Option<Self>> {
        use std::os::unix::fs::OpenOptionsExt;
        let turn = open_lock(lock)?;
        turn.lock().with_context(|| format!("locking {}", lock.display()))?;
        remove_ours(policy)?;
        let mut file = match File::options().write(true).create_new(true).mode(0o755).open(policy) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Ok(None),
            Err(error) => {
                return Err(error).with_context(|| format!("writing {} (this needs root)", policy.display()));
            }
        };
        let guard = Self { policy: policy.to_owned(), _turn: turn };
        write!(file, "#!/bin/sh\n{MARK}\nexit 101\n").with_context(|| format!("writing {}", policy.display()))?;
        Ok(Some(guard))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = remove_ours(&self.policy);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Place {
        dir: PathBuf,
        policy: PathBuf,
        lock: PathBuf,
    }

    fn place(name: &str) -> Place {
        let dir = std::env::temp_dir().join(format!("metal3-bench-apt-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        Place { policy: dir.join("policy-rc.d"), lock: dir.join("lock"), dir }
    }

    #[test]
    fn what_a_killed_run_left_is_removed_and_its_place_taken() {
        let Place { dir, policy, lock } = place("left");
        let killed = || {
            let guard = Guard::set(&policy, &lock).unwrap().unwrap();
            let text = std::fs::read_to_string(&policy).unwrap();
            drop(guard);
            std::fs::write(&policy, text).unwrap();
        };
        killed();
        tidy_at(&policy, &lock).unwrap();
        assert!(!policy.exists(), "by the next start, or by `clean`");
        killed();
        let guard = Guard::set(&policy, &lock).unwrap();
        assert!(guard.is_some(), "not taken for somebody else's");
        tidy_at(&policy, &lock).unwrap();
        assert!(policy.exists(), "this one is at work");
        drop(guard);
        assert!(!policy.exists());
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn somebody_elses_file_is_left_alone() {
        let Place { dir, policy, lock } = place("foreign");
        let foreign = "#!/bin/sh\nexit 101\n";
        std::fs::write(&policy, foreign).unwrap();
        tidy_at(&policy, &lock).unwrap();
        assert!(Guard::set(&policy, &lock).unwrap().is_none());
        assert_eq!(std::fs::read_to_string(&policy).unwrap(), foreign);
        std::fs::remove_dir_all(dir).unwrap();
    }
}
