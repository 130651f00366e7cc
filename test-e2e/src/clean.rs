//! Removes what the bench has made on this machine. Its folders may lie in shared places, and what is not its own stays.

use std::path::Path;

use anyhow::{Context, Result};

use crate::bench::{Bench, is_bench, run_root};
use crate::cache::Cache;
use crate::{apt, level_m};

/// Stops every bench and removes run folders and cache.
pub async fn all() -> Result<()> {
    apt::tidy()?;
    let cache = Cache::open()?;
    benches(&run_root()?, &cache).await?;
    cache.clean()
}

async fn benches(root: &Path, cache: &Cache) -> Result<()> {
    if !root.is_dir() {
        return Ok(());
    }
    for entry in std::fs::read_dir(root)? {
        let entry = entry?;
        // A link is no folder here: what it leads to lies elsewhere.
        if !entry.file_type()?.is_dir() || !is_bench(&entry.path()) {
            continue;
        }
        let bench = Bench::open_in(root, &entry.file_name().to_string_lossy(), cache.clone())?;
        level_m::down(&bench).await?;
        bench.remove()?;
    }
    remove_empty(root)
}

/// Removes a folder, unless there is something in it; then it is not only ours, which is told.
pub(crate) fn remove_empty(folder: &Path) -> Result<()> {
    match std::fs::remove_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::DirectoryNotEmpty => {
            eprintln!("{} stays: it holds what the bench did not make", folder.display());
            Ok(())
        }
        removed => removed.with_context(|| format!("removing {}", folder.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_lies_beside_the_benches_stays() {
        let shared = std::env::temp_dir().join(format!("metal3-bench-clean-{}", std::process::id()));
        let (root, cache) = (shared.join("runs"), Cache::at(shared.join("cache")).unwrap());
        let foreign = root.join("documents");
        std::fs::create_dir_all(&foreign).unwrap();
        std::fs::write(foreign.join("lock"), "").unwrap();
        std::fs::write(root.join("notes"), "").unwrap();
        std::os::unix::fs::symlink(&foreign, root.join("link")).unwrap();
        let refused = Bench::open_in(&root, "documents", cache.clone()).unwrap_err().to_string();
        assert!(refused.contains("documents is not empty and no bench"), "{refused}");
        drop(Bench::open_in(&root, "main", cache.clone()).unwrap());
        benches(&root, &cache).await.unwrap();
        assert!(!root.join("main").exists());
        let left = [foreign.join("lock"), root.join("notes"), root.join("link")];
        assert!(left.iter().all(|path| path.exists()), "nothing else is removed");
        assert_eq!(std::fs::read_dir(&foreign).unwrap().count(), 1, "nor anything put beside it");

        std::fs::write(cache.root().join("notes"), "").unwrap();
        cache.clean().unwrap();
        let left = std::fs::read_dir(cache.root()).unwrap().map(|entry| entry.unwrap().file_name());
        assert_eq!(left.collect::<Vec<_>>(), ["notes"], "the cache's own parts are gone");
        std::fs::remove_dir_all(&shared).unwrap();
    }

    #[tokio::test]
    async fn folders_of_the_bench_alone_are_gone_afterwards() {
        let own = std::env::temp_dir().join(format!("metal3-bench-clean-own-{}", std::process::id()));
        let (root, cache) = (own.join("runs"), Cache::at(own.join("cache")).unwrap());
        for name in ["main", "other"] {
            drop(Bench::open_in(&root, name, cache.clone()).unwrap());
        }
        benches(&root, &cache).await.unwrap();
        cache.clean().unwrap();
        // Fails when there is anything left.
        std::fs::remove_dir(&own).unwrap();
    }
}
