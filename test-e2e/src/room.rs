//! Room on the disk. A full disk shows itself as a database that ends or a server that answers nothing, minutes later
//! and somewhere else; so it is asked for at the beginning.

use std::path::Path;

use anyhow::{Context, Result, ensure};

const GIB: u64 = 1 << 30;

/// Refuses to begin when fewer than so many GiB are free below `folder`; `what` says what they are for.
pub(crate) fn ensure_free(folder: &Path, gib: u64, what: &str) -> Result<()> {
    let exists = folder.ancestors().find(|dir| dir.is_dir()).unwrap_or(Path::new("/"));
    let disk = rustix::fs::statvfs(exists).with_context(|| format!("asking how full {} is", exists.display()))?;
    let free = disk.f_bavail * disk.f_frsize;
    ensure!(
        free >= gib * GIB,
        "{what} needs {gib} GiB below {}, {:.1} GiB are free: make room there, or choose another folder (see the \
         bench's README)",
        folder.display(),
        free as f64 / GIB as f64
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_little_room_is_told_with_folder_and_amounts() {
        let folder = std::env::temp_dir().join("metal3-no-such-folder/below");
        ensure_free(&folder, 0, "nothing").unwrap();
        let told = ensure_free(&folder, 1 << 20, "a machine").unwrap_err().to_string();
        assert!(told.contains("a machine needs 1048576 GiB") && told.contains("metal3-no-such-folder"), "{told}");
    }
}
