//! The project's own tasks; the Makefile is the menu.

mod check;
mod components;
mod conformance;
mod generate;
mod run;
mod test;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Tasks of the project.
#[derive(Debug, Parser)]
#[command(name = "xtask", about)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Writes CRDs and release components from the types.
    Generate(generate::Options),
    /// Lays components and cluster templates out as clusterctl wants them, with a clusterctl.yaml that names them.
    Repository {
        /// The folder; it may lie anywhere.
        #[arg(long)]
        to: PathBuf,
    },
    /// Format, lints, licences, generated files.
    Check,
    /// Everything that is tested, from the quick to the slow.
    Test,
    /// From powered-off machines to a Kubernetes cluster on this machine.
    Demo,
    /// Speed and memory as a table.
    Bench {
        /// What follows goes to the bench: `--only hosts` measures only that.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Stops and removes what demo and test started or cached.
    CleanBench,
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().task {
        Task::Generate(options) => generate::run(&options),
        Task::Repository { to } => {
            let config = xtask::repository::write(&run::root()?, &to)?;
            println!("for clusterctl: --config {}", config.display());
            Ok(())
        }
        Task::Check => check::check(),
        Task::Test => test::test(),
        Task::Demo => test::bench(&["demo"]),
        Task::Bench { args } => test::measure(&args),
        Task::CleanBench => test::bench(&["clean"]),
    }
}
