//! One bench: the cache of this machine and one run folder with its processes.

use std::fs::{File, TryLockError};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::cache::Cache;
use crate::process::Supervisor;
use crate::wait::{Gone, until};

/// Name of the bench that `make demo` and the command line use when no other is given.
pub const DEFAULT: &str = "main";

/// File that the process holds locked whose bench it is. By it, or by the next one, a folder is known for a bench.
const LOCK: &str = "bench.lock";

/// File that holds the incarnation.
const INCARNATION: &str = "incarnation";

/// The cache, a run folder and the supervisor of what runs in it.
///
/// Benches of different names live side by side; one name belongs to one process at a time.
#[derive(Debug)]
pub struct Bench {
    name: String,
    cache: Cache,
    run: PathBuf,
    supervisor: Supervisor,
    /// The guard sees this end close when the process that opened the bench is gone.
    guard: Option<ChildStdin>,
    // Held for as long as this value lives; released by the kernel also after kill -9.
    _lock: File,
}

impl Bench {
    /// Opens the bench of that name. What runs in it stays untouched; see [`Bench::fresh`].
    pub fn open(name: &str) -> Result<Self> {
        // The first one to come decides for the whole process; a second call is no error.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self::open_in(&run_root()?, name, Cache::open()?)
    }

    /// The same below another folder. One that is there already and is no bench is refused: it would be emptied.
    pub(crate) fn open_in(root: &Path, name: &str, cache: Cache) -> Result<Self> {
        let run = root.join(name);
        std::fs::create_dir_all(&run).with_context(|| format!("making {}", run.display()))?;
        let run = run.canonicalize()?;
        if !is_bench(&run) && std::fs::read_dir(&run)?.next().is_some() {
            let told = "is not empty and no bench: take another name, or another METAL3_BENCH_RUN";
            return Err(Gone(format!("{} {told}", run.display())).into());
        }
        let lock = File::create(run.join(LOCK))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => bail!("another process uses the bench in {}", run.display()),
            Err(TryLockError::Error(error)) => return Err(error).context("locking the run folder"),
        }
        std::fs::create_dir_all(run.join("logs"))?;
        let supervisor = Supervisor::new(&run)?;
        Ok(Self { name: name.to_owned(), cache, run, supervisor, guard: None, _lock: lock })
    }

    /// Opens the bench of that name, stops whatever an earlier one left behind and empties its run folder.
    pub async fn fresh(name: &str) -> Result<Self> {
        // The guard of an earlier one may still be at work.
        let bench = until("the bench being free", Duration::from_secs(30), async || Self::open(name).map(Some)).await?;
        bench.wipe().await?;
        std::fs::create_dir_all(bench.run.join("logs"))?;
        let nanoseconds = jiff::Timestamp::now().as_nanosecond();
        std::fs::write(bench.run.join(INCARNATION), format!("{}-{nanoseconds}", std::process::id()))?;
        Ok(bench)
    }

    /// Puts a watcher (the program `bench`) beside this process: it stops everything of this bench when the process
    /// ends, also when it is killed.
    pub fn guard(&mut self, program: &Path) -> Result<()> {
        let mut guard = Command::new(program);
        guard.args(["guard", "--name", &self.name, "--incarnation", &self.incarnation()?]);
        // A group of its own, so that Ctrl-C at the terminal ends the tests and not the one who clears up after them.
        guard.stdin(Stdio::piped()).process_group(0);
        let mut child = guard.spawn().with_context(|| format!("starting the guard {}", program.display()))?;
        self.guard = child.stdin.take();
        std::thread::spawn(move || child.wait());
        Ok(())
    }

    /// Tells one [`Bench::fresh`] from the next, so that a late guard never stops its successor's processes.
    pub fn incarnation(&self) -> Result<String> {
        std::fs::read_to_string(self.run.join(INCARNATION)).context("the bench was not opened by `fresh`")
    }

    /// Stops everything and removes the content of the run folder (the lock file stays, it is ours).
    pub async fn wipe(&self) -> Result<()> {
        self.supervisor.stop_all().await?;
        for entry in std::fs::read_dir(&self.run)? {
            let path = entry?.path();
            if path.file_name() == Some(LOCK.as_ref()) {
                continue;
            }
            let removed = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
            removed.with_context(|| format!("removing {}", path.display()))?;
        }
        Ok(())
    }

    /// Removes the run folder. Stop what runs in it first.
    pub fn remove(self) -> Result<()> {
        std::fs::remove_dir_all(&self.run).with_context(|| format!("removing {}", self.run.display()))
    }

    /// The name it was opened by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The cache of this machine.
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    /// The run folder of this bench; logs are below `logs/`.
    pub fn run_dir(&self) -> &Path {
        &self.run
    }

    /// A folder below the run folder, made when missing.
    pub fn dir(&self, name: impl AsRef<Path>) -> Result<PathBuf> {
        let dir = self.run.join(name);
        std::fs::create_dir_all(&dir).with_context(|| format!("making {}", dir.display()))?;
        Ok(dir)
    }

    /// The processes of this bench.
    pub fn processes(&self) -> &Supervisor {
        &self.supervisor
    }
}

/// Whether this folder is a bench, and not something else in a shared place.
pub fn is_bench(run: &Path) -> bool {
    [LOCK, INCARNATION].iter().any(|file| run.join(file).is_file())
}

/// `$METAL3_BENCH_RUN`, else `.bench` in the source tree.
pub fn run_root() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("METAL3_BENCH_RUN") {
        return Ok(PathBuf::from(path));
    }
    Ok(source_tree()?.join(".bench"))
}

/// The root of the source tree, found from the working directory upwards (the bench is run by cargo or make).
pub fn source_tree() -> Result<PathBuf> {
    let here = std::env::current_dir()?;
    let found = here.ancestors().find(|dir| dir.join("Cargo.lock").is_file() && dir.join("test-e2e").is_dir());
    found.map(Path::to_path_buf).context("run this inside the source tree, or set METAL3_BENCH_RUN")
}
