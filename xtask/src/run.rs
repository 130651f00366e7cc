//! Running other programs, with the command line shown first.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// The root of the source tree.
pub(crate) fn root() -> Result<PathBuf> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    Ok(manifest.parent().context("xtask lies below the root")?.to_owned())
}

/// Runs a program in the source tree; fails when it fails.
pub(crate) fn run(program: &str, args: &[&str]) -> Result<()> {
    run_with(program, args, &[])
}

/// As [`run`], with environment variables on top.
pub(crate) fn run_with(program: &str, args: &[&str], env: &[(&str, &str)]) -> Result<()> {
    eprintln!("$ {program} {}", args.join(" "));
    let status = Command::new(program).args(args).envs(env.iter().copied()).current_dir(root()?).status();
    let status = status.with_context(|| format!("starting {program}"))?;
    if !status.success() {
        bail!("{program} {}: {status}", args.join(" "));
    }
    Ok(())
}

/// Cargo, the one that runs us.
pub(crate) fn cargo(args: &[&str]) -> Result<()> {
    run(&cargo_path(), args)
}

/// As [`cargo`], for what runs beside something else: each line of its output begins with a label.
pub(crate) fn cargo_beside(label: &str, args: &[String]) -> Result<()> {
    let program = cargo_path();
    let shown = format!("{program} {}", args.join(" "));
    eprintln!("$ {shown}   # {label}");
    let (reader, writer) = std::io::pipe().context("making a pipe")?;
    let mut command = Command::new(&program);
    command.args(args).current_dir(root()?).stdout(writer.try_clone()?).stderr(writer);
    let mut child = command.spawn().with_context(|| format!("starting {program}"))?;
    // Our own ends of the pipe must go, or it would never close.
    drop(command);
    for line in BufReader::new(reader).split(b'\n') {
        let line = line.with_context(|| format!("reading the output of {label}"))?;
        eprintln!("{label} | {}", String::from_utf8_lossy(&line));
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("{shown}: {status}");
    }
    Ok(())
}

fn cargo_path() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}
