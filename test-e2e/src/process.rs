//! Long-running processes: started with a log, recorded in the run folder, stopped by their own id.
//!
//! A record holds process id and start time, and every child carries a mark in its environment. So a bench that was
//! killed can be cleared up by the next one, children of children included, and a process that merely got the same
//! id later is never touched.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

use crate::command::tail;
use crate::wait::{Gone, until};

/// Environment variable that marks every process of a bench; its value is the run folder.
pub const MARK: &str = "METAL3_BENCH_OF";

/// How long a process may take to end after TERM before KILL follows.
const PATIENCE: Duration = Duration::from_secs(5);

/// What to start and how.
#[derive(Debug, Clone)]
pub struct Spec {
    name: String,
    program: OsString,
    args: Vec<OsString>,
    env: BTreeMap<OsString, OsString>,
    dir: Option<PathBuf>,
    netns: Option<PathBuf>,
}

impl Spec {
    /// A process with a name that is unique within the bench (it also names record and log).
    pub fn new(name: impl Into<String>, program: impl AsRef<OsStr>) -> Self {
        Self {
            name: name.into(),
            program: program.as_ref().to_owned(),
            args: Vec::new(),
            env: BTreeMap::new(),
            dir: None,
            netns: None,
        }
    }

    /// One more argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// More arguments.
    #[must_use]
    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// One environment variable on top of the bench's own environment.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.insert(name.as_ref().to_owned(), value.as_ref().to_owned());
        self
    }

    /// The working directory.
    #[must_use]
    pub fn dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.dir = Some(dir.as_ref().to_owned());
        self
    }

    /// Runs the process in a network namespace (a file as below /run/netns).
    #[must_use]
    pub fn netns(mut self, netns: Option<&Path>) -> Self {
        self.netns = netns.map(Path::to_path_buf);
        self
    }

    fn command(&self) -> Command {
        let mut command = match &self.netns {
            // nsenter replaces itself by the program, so the process id stays the one we started.
            Some(netns) => {
                let mut command = Command::new("nsenter");
                command.arg(format!("--net={}", netns.display())).arg("--").arg(&self.program);
                command
            }
            None => Command::new(&self.program),
        };
        command.args(&self.args).envs(&self.env);
        if let Some(dir) = &self.dir {
            command.current_dir(dir);
        }
        command
    }
}

/// What the run folder remembers about a process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Name within the bench.
    pub name: String,
    /// Process id.
    pub pid: i32,
    /// Start time in clock ticks since boot (field 22 of /proc/PID/stat): tells a process from a later one with its id.
    pub started: u64,
    /// Order of starting; stopping goes backwards.
    pub order: u64,
    /// The command line, for people.
    pub line: String,
    /// Its log file.
    pub log: PathBuf,
}

impl Record {
    /// Whether exactly this process still runs (one that has ended but was not collected yet does not).
    pub fn alive(&self) -> bool {
        stat(self.pid).is_some_and(|(started, dead)| started == self.started && !dead)
    }

    /// An error that says what the process said last, when it has ended; for use in a readiness probe.
    pub fn check(&self) -> Result<()> {
        if self.alive() {
            return Ok(());
        }
        Err(anyhow!(Gone(format!("{} has ended; its log {}:\n{}", self.name, self.log.display(), tail(&self.log)))))
    }

    /// Sends a signal to exactly this process; a process that is gone is no error.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        if !self.alive() {
            return Ok(());
        }
        let pid = Pid::from_raw(self.pid).context("a process id above 0")?;
        match kill_process(pid, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(error).with_context(|| format!("signalling {} ({})", self.name, self.pid)),
        }
    }
}

/// The processes of one run folder.
#[derive(Debug, Clone)]
pub struct Supervisor {
    run: PathBuf,
    records: PathBuf,
}

impl Supervisor {
    /// The supervisor of a run folder.
    pub fn new(run: &Path) -> Result<Self> {
        let records = run.join("processes");
        std::fs::create_dir_all(&records)?;
        Ok(Self { run: run.to_owned(), records })
    }

    /// Starts a process. One of the same name that still runs is stopped first. It outlives the bench on purpose:
    /// `up` returns and leaves the stack running, `down` or the next start ends it.
    pub async fn start(&self, spec: Spec) -> Result<Record> {
        self.stop(&spec.name).await?;
        std::fs::create_dir_all(&self.records)?;
        let logs = self.run.join("logs");
        std::fs::create_dir_all(&logs)?;
        let log = logs.join(format!("{}.log", spec.name));
        let out = std::fs::OpenOptions::new().create(true).append(true).open(&log)?;
        let mut command = spec.command();
        command.env(MARK, &self.run).stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out);
        // A group of its own: Ctrl-C at the terminal reaches the bench, which then stops things in order.
        command.process_group(0);
        let line = line_of(&command);
        let mut child = command.spawn().with_context(|| format!("starting {}: {line}", spec.name))?;
        let pid = i32::try_from(child.id())?;
        let (started, _) = stat(pid).context("a process that was just started has no entry in /proc")?;
        let order = self.records()?.last().map_or(1, |last| last.order + 1);
        let record = Record { name: spec.name, pid, started, order, line, log };
        self.write(&record)?;
        // The kernel shows a program's environment a moment after the program has begun; only then its mark is found.
        let seen = async || Ok((bears(pid, &mark_of(&self.run)) || !record.alive()).then_some(()));
        until(&format!("{} showing its environment", record.name), PATIENCE, seen).await?;
        // Collects the exit status, so that no dead entry stays while the bench lives.
        std::thread::spawn(move || child.wait());
        Ok(record)
    }

    /// Stops the process of that name and forgets it; no such process is no error.
    pub async fn stop(&self, name: &str) -> Result<()> {
        let path = self.path(name);
        let Some(record) = read(&path)? else { return Ok(()) };
        end(&record).await?;
        std::fs::remove_file(&path).or_else(|error| if path.exists() { Err(error) } else { Ok(()) })?;
        Ok(())
    }

    /// Stops every recorded process, last one first, then everything else that carries this run folder's mark.
    pub async fn stop_all(&self) -> Result<()> {
        for record in self.records()?.iter().rev() {
            self.stop(&record.name).await?;
        }
        for record in marked(&self.run) {
            end(&record).await?;
        }
        Ok(())
    }

    /// An error that names the first process which has ended without having been asked to, and what it said last.
    pub fn check(&self) -> Result<()> {
        self.records()?.iter().try_for_each(Record::check)
    }

    /// The record of a name.
    pub fn get(&self, name: &str) -> Result<Option<Record>> {
        read(&self.path(name))
    }

    /// All records in the order of starting, ended processes included.
    pub fn records(&self) -> Result<Vec<Record>> {
        let mut records = Vec::new();
        if self.records.is_dir() {
            for entry in std::fs::read_dir(&self.records)? {
                records.extend(read(&entry?.path())?);
            }
        }
        records.sort_by_key(|record| record.order);
        Ok(records)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.records.join(format!("{name}.json"))
    }

    /// Whole or not at all: a bench killed while writing must not leave a record nobody can read.
    fn write(&self, record: &Record) -> Result<()> {
        let half = self.records.join(format!(".{}.new", record.name));
        std::fs::write(&half, serde_json::to_vec(record)?)?;
        std::fs::rename(&half, self.path(&record.name))?;
        Ok(())
    }
}

async fn end(record: &Record) -> Result<()> {
    let gone = async || Ok((!record.alive()).then_some(()));
    record.signal(Signal::TERM)?;
    if until(&format!("the end of {}", record.name), PATIENCE, gone).await.is_err() {
        record.signal(Signal::KILL)?;
        until(&format!("the end of {} after KILL", record.name), PATIENCE, gone).await?;
    }
    Ok(())
}

fn read(path: &Path) -> Result<Option<Record>> {
    if path.extension() != Some(OsStr::new("json")) {
        return Ok(None);
    }
    match std::fs::read(path) {
        Ok(bytes) => {
            Ok(Some(serde_json::from_slice(&bytes).with_context(|| format!("reading the record {}", path.display()))?))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
    }
}

/// Start time and whether the process has ended without being collected; `None` when there is no such process.
fn stat(pid: i32) -> Option<(u64, bool)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in parentheses, which may itself contain blanks and parentheses.
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    Some((fields.get(19)?.parse().ok()?, matches!(*fields.first()?, "Z" | "X")))
}

/// Every process whose environment carries the mark of this run folder, this process and its parents excepted.
fn marked(run: &Path) -> Vec<Record> {
    let mark = mark_of(run);
    let spared = ancestors();
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| !spared.contains(pid))
        .filter(|pid| bears(*pid, &mark))
        .filter_map(|pid| {
            let (started, _) = stat(pid)?;
            let name = format!("a process without a record ({pid})");
            Some(Record { name, pid, started, order: 0, line: String::new(), log: PathBuf::new() })
        })
        .collect()
}

fn mark_of(run: &Path) -> Vec<u8> {
    format!("{MARK}={}", run.display()).into_bytes()
}

fn bears(pid: i32, mark: &[u8]) -> bool {
    std::fs::read(format!("/proc/{pid}/environ"))
        .is_ok_and(|environ| environ.split(|byte| *byte == 0).any(|variable| variable == mark))
}

fn ancestors() -> BTreeSet<i32> {
    let mut pid = i32::try_from(std::process::id()).unwrap_or(0);
    let mut seen = BTreeSet::new();
    while pid > 0 && seen.insert(pid) {
        let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let parent = text.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse().ok());
        pid = parent.unwrap_or(0);
    }
    seen
}

fn line_of(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("metal3-bench-process-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).unwrap();
        dir.canonicalize().unwrap()
    }

    fn sleeper(name: &str) -> Spec {
        Spec::new(name, "sleep").arg("1000")
    }

    #[tokio::test]
    async fn a_process_that_ended_by_itself_is_told_and_one_that_was_stopped_is_not() {
        let run = scratch("by-itself");
        let processes = Supervisor::new(&run).unwrap();
        let asked = processes.start(sleeper("asked")).await.unwrap();
        let full = Spec::new("full", "sh").args(["-c", "echo no space left on device; exit 1"]);
        let full = processes.start(full).await.unwrap();
        processes.stop("asked").await.unwrap();
        assert!(!asked.alive());
        until("its end", PATIENCE, async || Ok((!full.alive()).then_some(()))).await.unwrap();
        let told = format!("{:#}", processes.check().unwrap_err());
        assert!(told.contains("full has ended") && told.contains("no space left on device"), "{told}");
        processes.stop_all().await.unwrap();
        processes.check().unwrap();
    }

    #[tokio::test]
    async fn a_second_bench_stops_what_the_first_one_left() {
        let run = scratch("second");
        let first = Supervisor::new(&run).unwrap().start(sleeper("one")).await.unwrap();
        assert!(first.alive());
        let second = Supervisor::new(&run).unwrap();
        let again = second.start(sleeper("one")).await.unwrap();
        assert!(!first.alive());
        assert!(again.alive());
        second.stop_all().await.unwrap();
        assert!(!again.alive());
        assert_eq!(second.records().unwrap(), Vec::new());
    }

    #[tokio::test]
    async fn a_child_without_a_record_is_found_by_its_mark() {
        let run = scratch("mark");
        let supervisor = Supervisor::new(&run).unwrap();
        let lost = supervisor.start(sleeper("lost")).await.unwrap();
        std::fs::remove_file(supervisor.path("lost")).unwrap();
        supervisor.stop_all().await.unwrap();
        assert!(!lost.alive());
    }

    #[tokio::test]
    async fn a_foreign_process_with_a_recorded_id_is_left_alone() {
        let mut foreign = Command::new("sleep").arg("1000").spawn().unwrap();
        let run = scratch("foreign");
        let supervisor = Supervisor::new(&run).unwrap();
        let pid = i32::try_from(foreign.id()).unwrap();
        let (started, _) = stat(pid).unwrap();
        let stale = Record {
            name: "old".to_owned(),
            pid,
            started: started - 1,
            order: 1,
            line: String::new(),
            log: PathBuf::new(),
        };
        supervisor.write(&stale).unwrap();
        supervisor.stop_all().await.unwrap();
        assert!(foreign.try_wait().unwrap().is_none());
        foreign.kill().unwrap();
        foreign.wait().unwrap();
    }

    #[tokio::test]
    async fn a_process_that_ended_is_reported_with_its_last_words() {
        let run = scratch("ended");
        let supervisor = Supervisor::new(&run).unwrap();
        let record = supervisor.start(Spec::new("short", "ls").arg("/no-such-folder")).await.unwrap();
        let ready = until("never", Duration::from_secs(30), async || {
            record.check()?;
            Ok(None::<()>)
        });
        let text = format!("{:#}", ready.await.unwrap_err());
        assert!(text.contains("no-such-folder"), "{text}");
    }
}
