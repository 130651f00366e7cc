//! What is built or downloaded once per machine, outside the source tree.
//!
//! `$METAL3_BENCH_CACHE`, else `$HOME/.cache/metal3-bench`:
//!
//! ```text
//! entries/<name>-<version>-<hash of the recipe>/   finished, never changed again
//! in-place/<same>/                                results that contain their own path, marked when complete
//! building/<same>/                                 in work; left-overs are removed by the next builder
//! locks/<same>.lock                                held while building
//! logs/<same>.log                                  what the build said
//! ```

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

/// The folders of a cache.
const PARTS: [&str; 5] = ["entries", "in-place", "building", "locks", "logs"];

/// Compilers and package builds at a time: more would only starve each other on two cores.
static BUILDS: Semaphore = Semaphore::const_new(2);

/// Room that the largest build takes beside what it leaves, in GiB.
const ROOM: u64 = 4;

/// Written last into an entry that was built in place; without it the entry does not count.
const COMPLETE: &str = ".complete";

/// The cache folder.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
}

/// Where one build writes.
#[derive(Debug, Clone)]
pub struct Place {
    /// The folder to fill; empty at the start.
    pub dir: PathBuf,
    /// Where the folder will be found afterwards, for files that must name their own place.
    pub target: PathBuf,
    /// The log of this build; pass it to [`crate::command::Cmd::log`].
    pub log: PathBuf,
}

impl Cache {
    /// The cache of this machine; its folders are made when missing.
    pub fn open() -> Result<Self> {
        let root = match std::env::var_os("METAL3_BENCH_CACHE") {
            Some(path) => PathBuf::from(path),
            None => PathBuf::from(std::env::var_os("HOME").context("neither METAL3_BENCH_CACHE nor HOME is set")?)
                .join(".cache/metal3-bench"),
        };
        Self::at(root)
    }

    /// A cache in a folder of the caller's choice.
    pub fn at(root: impl Into<PathBuf>) -> Result<Self> {
        let root = root.into();
        for part in PARTS {
            let dir = root.join(part);
            std::fs::create_dir_all(&dir).with_context(|| format!("making the cache folder {}", dir.display()))?;
        }
        let root = root.canonicalize()?;
        Ok(Self { root })
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The finished entry, built now when this machine does not have it.
    ///
    /// `recipe` is every input that changes the result (flags, file contents, versions of parts): another recipe is
    /// another entry. The folder appears under its name only when `build` has succeeded.
    pub async fn entry(
        &self,
        name: &str,
        version: &str,
        recipe: &str,
        build: impl AsyncFnOnce(&Place) -> Result<()>,
    ) -> Result<PathBuf> {
        let key = key(name, version, recipe);
        let target = self.root.join("entries").join(&key);
        if target.is_dir() {
            return Ok(target);
        }
        let _lock = self.lock(&key).await?;
        if target.is_dir() {
            return Ok(target);
        }
        let dir = self.root.join("building").join(&key);
        let place = Place { dir: dir.clone(), target: target.clone(), log: self.log_of(&key) };
        self.fill(name, &place, build).await?;
        std::fs::rename(&dir, &target).with_context(|| format!("moving {} into place", dir.display()))?;
        Ok(target)
    }

    /// Like [`Cache::entry`], for results that contain their own path (a Python environment): built where it stays, and
    /// valid from the moment a marker file is written.
    pub async fn entry_in_place(
        &self,
        name: &str,
        version: &str,
        recipe: &str,
        build: impl AsyncFnOnce(&Place) -> Result<()>,
    ) -> Result<PathBuf> {
        let key = key(name, version, recipe);
        // Beside `entries`, so that `entry` never takes a half-built folder for a finished one.
        let target = self.root.join("in-place").join(&key);
        let complete = target.join(COMPLETE);
        if complete.is_file() {
            return Ok(target);
        }
        let _lock = self.lock(&key).await?;
        if complete.is_file() {
            return Ok(target);
        }
        let place = Place { dir: target.clone(), target: target.clone(), log: self.log_of(&key) };
        self.fill(name, &place, build).await?;
        std::fs::write(&complete, "").with_context(|| format!("marking {} complete", target.display()))?;
        Ok(target)
    }

    /// Removes every entry, log and left-over; what is in use by a running bench disappears too. What else is in the
    /// folder stays.
    pub fn clean(&self) -> Result<()> {
        for part in PARTS {
            let dir = self.root.join(part);
            std::fs::remove_dir_all(&dir).with_context(|| format!("removing {}", dir.display()))?;
        }
        crate::clean::remove_empty(&self.root)
    }

    fn log_of(&self, key: &str) -> PathBuf {
        self.root.join("logs").join(format!("{key}.log"))
    }

    async fn fill(&self, name: &str, place: &Place, build: impl AsyncFnOnce(&Place) -> Result<()>) -> Result<()> {
        crate::host::has_way_out(name)?;
        crate::room::ensure_free(&self.root, ROOM, name)?;
        let _turn = BUILDS.acquire().await.context("the build queue is closed")?;
        if place.dir.exists() {
            std::fs::remove_dir_all(&place.dir)
                .with_context(|| format!("removing the left-over {}", place.dir.display()))?;
        }
        std::fs::create_dir_all(&place.dir)?;
        std::fs::write(&place.log, "")?;
        eprintln!("cache: building {name} (log: {})", place.log.display());
        let start = std::time::Instant::now();
        build(place).await.with_context(|| format!("building {name}"))?;
        eprintln!("cache: built {name} in {:.1} s", start.elapsed().as_secs_f64());
        Ok(())
    }

    /// The lock lives as long as the file handle; the kernel drops it when the process dies.
    async fn lock(&self, key: &str) -> Result<File> {
        let path = self.root.join("locks").join(format!("{key}.lock"));
        tokio::task::spawn_blocking(move || {
            let file = File::create(&path).with_context(|| format!("opening {}", path.display()))?;
            file.lock().with_context(|| format!("locking {}", path.display()))?;
            Ok(file)
        })
        .await?
    }
}

fn key(name: &str, version: &str, recipe: &str) -> String {
    let hash = Sha256::new().chain_update(name).chain_update("\0").chain_update(version).chain_update("\0");
    let hash = hash.chain_update(recipe).finalize();
    format!("{name}-{version}-{:.12}", format!("{hash:x}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn scratch(name: &str) -> Cache {
        let root = std::env::temp_dir().join(format!("metal3-bench-test-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&root);
        Cache::at(root).unwrap()
    }

    #[tokio::test]
    async fn an_entry_is_built_once_per_recipe() {
        let cache = scratch("once");
        let built = AtomicUsize::new(0);
        let make = async |recipe: &'static str| {
            cache
                .entry("thing", "v1", recipe, async |place: &Place| {
                    built.fetch_add(1, Ordering::SeqCst);
                    std::fs::write(place.dir.join("file"), recipe)?;
                    Ok(())
                })
                .await
                .unwrap()
        };
        let (a, b) = tokio::join!(make("one"), make("one"));
        assert_eq!(a, b);
        let c = make("two").await;
        assert_ne!(a, c);
        assert_eq!(built.load(Ordering::SeqCst), 2);
        assert_eq!(std::fs::read_to_string(c.join("file")).unwrap(), "two");
        cache.clean().unwrap();
    }

    #[tokio::test]
    async fn a_failed_build_leaves_no_entry_and_is_tried_again() {
        let cache = scratch("failed");
        let failed = cache.entry("thing", "v1", "", async |place: &Place| {
            std::fs::write(place.dir.join("half"), "")?;
            anyhow::bail!("no")
        });
        assert!(failed.await.is_err());
        let dir = cache.entry("thing", "v1", "", async |_: &Place| Ok(())).await.unwrap();
        assert!(!dir.join("half").exists());
        let failed = cache.entry_in_place("env", "v1", "", async |_: &Place| anyhow::bail!("no"));
        assert!(failed.await.is_err());
        let mut again = false;
        cache
            .entry_in_place("env", "v1", "", async |_: &Place| {
                again = true;
                Ok(())
            })
            .await
            .unwrap();
        assert!(again);
        cache.clean().unwrap();
    }
}
