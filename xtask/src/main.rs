//! The project's own tasks; the Makefile is the menu.

mod generate;

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
    /// Writes the CRDs from the types.
    Generate(generate::Options),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().task {
        Task::Generate(options) => generate::run(&options),
    }
}
