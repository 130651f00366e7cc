//! External commands that run to their end: program and arguments, never a shell line.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::AsyncWriteExt;

/// How many bytes of a log are repeated in an error.
const TAIL: usize = 3000;

/// One external command and how to run it.
#[derive(Debug, Clone)]
pub struct Cmd {
    program: OsString,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    dir: Option<PathBuf>,
    log: Option<PathBuf>,
    stdin: Option<Vec<u8>>,
    limit: Duration,
}

impl Cmd {
    /// A command found in `PATH` or by its path.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self {
            program: program.as_ref().to_owned(),
            args: Vec::new(),
            env: Vec::new(),
            dir: None,
            log: None,
            stdin: None,
            limit: Duration::from_mins(10),
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
        self.env.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// The working directory.
    #[must_use]
    pub fn dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.dir = Some(dir.as_ref().to_owned());
        self
    }

    /// Appends the output to a file instead of collecting it; [`Cmd::output`] is then empty.
    #[must_use]
    pub fn log(mut self, path: impl AsRef<Path>) -> Self {
        self.log = Some(path.as_ref().to_owned());
        self
    }

    /// Bytes for the standard input.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(bytes.into());
        self
    }

    /// How long the command may run (default ten minutes); then it is killed and the call fails.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// The command as a person would type it, for messages.
    pub fn line(&self) -> String {
        let mut words = vec![self.program.to_string_lossy().into_owned()];
        words.extend(self.args.iter().map(|arg| arg.to_string_lossy().into_owned()));
        words.join(" ")
    }

    /// Runs to the end; an exit status other than 0 is an error with the end of the output.
    pub async fn run(self) -> Result<()> {
        self.output().await.map(drop)
    }

    /// Runs to the end and returns the standard output as text.
    pub async fn output(self) -> Result<String> {
        let line = self.line();
        let mut command = tokio::process::Command::new(&self.program);
        command.args(&self.args).envs(self.env.iter().cloned()).kill_on_drop(true);
        command.stdin(if self.stdin.is_some() { Stdio::piped() } else { Stdio::null() });
        if let Some(dir) = &self.dir {
            command.current_dir(dir);
        }
        if let Some(log) = &self.log {
            let file = std::fs::OpenOptions::new().create(true).append(true).open(log);
            let file = file.with_context(|| format!("opening log {}", log.display()))?;
            command.stdout(file.try_clone()?).stderr(file);
        } else {
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
        }
        let mut child = command.spawn().with_context(|| format!("starting {line}"))?;
        if let (Some(mut pipe), Some(bytes)) = (child.stdin.take(), self.stdin) {
            // A writer of its own: a command that prints before it has read all would block both sides.
            tokio::spawn(async move { pipe.write_all(&bytes).await });
        }
        let Ok(done) = tokio::time::timeout(self.limit, child.wait_with_output()).await else {
            bail!("{line}: killed after {} s", self.limit.as_secs());
        };
        let done = done.with_context(|| format!("running {line}"))?;
        if !done.status.success() {
            let said = match &self.log {
                Some(log) => format!("{}\n(all of it: {})", tail(log), log.display()),
                None => {
                    last(&format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr)))
                        .to_owned()
                }
            };
            bail!("{line}: {}\n{said}", done.status);
        }
        Ok(String::from_utf8_lossy(&done.stdout).into_owned())
    }
}

/// The last lines of a log file, for messages; empty when there is no such file.
pub fn tail(path: &Path) -> String {
    std::fs::read(path).map(|bytes| last(&String::from_utf8_lossy(&bytes)).to_owned()).unwrap_or_default()
}

fn last(text: &str) -> &str {
    let mut from = text.len().saturating_sub(TAIL);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    &text[from..]
}
