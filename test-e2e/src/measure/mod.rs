//! `make bench`: speed and memory of our controllers on the real API server, as a table.
//!
//! Figures depend on the machine and on what else runs; compare runs on the same one. Requests and writes are counted
//! by our manager and by the API server, so they also show what a change costs in a cluster of any speed.
//!
//! | part | measures |
//! |---|---|
//! | [`choice`] | the choice of addresses alone, in this process |
//! | [`addresses`] | claims for addresses, served and released |
//! | [`hosts`] | a thousand hosts with [`quick_ironic`], an Ironic that answers at once |

mod addresses;
mod choice;
mod hosts;
mod meter;
pub mod quick_ironic;
mod table;

use std::time::Instant;

use anyhow::Result;
use clap::ValueEnum;
use kube::Client;

use crate::cache::Cache;
use crate::host::run_in;
use crate::level_a::{self, ControlPlane};
use crate::manager::{self, Manager};
use crate::{Bench, level_b, manifests};
use quick_ironic::QuickIronic;
use table::Table;

/// Requests at a time when the test data is made.
const AT_ONCE: usize = 16;

/// What can be measured alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// The choice of a million addresses, without any API.
    Choice,
    /// Ten thousand claims for addresses on a real API server.
    Addresses,
    /// A thousand hosts on a real API server and a played Ironic.
    Hosts,
}

/// What is measured, and how.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct Options {
    /// Measure only this; may be repeated.
    #[arg(long = "only", value_enum)]
    pub parts: Vec<Part>,
    /// Of the addresses measure only the cases whose names contain this; may be repeated.
    #[arg(long = "case")]
    pub cases: Vec<String>,
    /// Whether the admission webhooks of addresses are called.
    #[arg(long, action = clap::ArgAction::Set, default_value = "on", value_parser = on_or_off, value_name = "on|off")]
    pub webhooks: bool,
}

fn on_or_off(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("on or off".to_owned()),
    }
}

impl Options {
    /// Whether the case of this name is measured.
    fn wants(&self, name: &str) -> bool {
        self.cases.is_empty() || self.cases.iter().any(|part| name.contains(part))
    }
}

/// What runs while something is measured.
struct Scene {
    plane: ControlPlane,
    client: Client,
    ours: Manager,
    ironic: QuickIronic,
}

/// Measures these parts, all if none is named, and prints what was found.
pub fn measure(options: &Options) -> Result<()> {
    let wanted = |part| options.parts.is_empty() || options.parts.contains(&part);
    let mut table = Table::default();
    if wanted(Part::Choice) {
        choice::choice(&mut table)?;
    }
    let told = if wanted(Part::Addresses) || wanted(Part::Hosts) {
        run_in(None, async || {
            let cache = Cache::open()?;
            level_a::prepare(&cache).await?;
            level_b::prepare(&cache).await?;
            let bench = Bench::fresh("measure").await?;
            let told = on_stage(&bench, options, &wanted, &mut table).await;
            bench.wipe().await?;
            told
        })
    } else {
        Ok(())
    };
    table.print();
    told
}

async fn on_stage(bench: &Bench, options: &Options, wanted: &impl Fn(Part) -> bool, table: &mut Table) -> Result<()> {
    let mut scene = scene(bench, table).await?;
    // The hosts first: the addresses may take their webhooks away.
    if wanted(Part::Hosts) {
        hosts::hosts(&mut scene, table).await?;
    }
    if wanted(Part::Addresses) {
        addresses::addresses(&scene, options, table).await?;
    }
    Ok(())
}

async fn scene(bench: &Bench, table: &mut Table) -> Result<Scene> {
    let start = Instant::now();
    let plane = level_a::start(bench, level_a::Options::default()).await?;
    table.seconds("API server usable", start);
    let client = plane.client().await?;
    manifests::apply(&client, "default", &level_b::definitions(&Cache::open()?).await?).await?;
    // Played, and at once: what is measured is this project, not a machine.
    let ironic = quick_ironic::start().await?;
    let files = |name: &str| format!("{}/{name}", ironic.endpoint());
    let env =
        [("IRONIC_ENDPOINT", ironic.endpoint()), ("DEPLOY_KERNEL_URL", files("k")), ("DEPLOY_RAMDISK_URL", files("r"))];
    let env = env.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let start = Instant::now();
    let ours = manager::start(&plane, manager::components()?, manager::Options { env, ..Default::default() }).await?;
    table.seconds("our manager ready, definitions and webhooks installed included", start);
    let size = std::fs::metadata(manager::binary()?)?.len() as f64 / f64::from(1 << 20);
    table.row("size of the binary", format!("{size:.1} MiB"));
    table.memory("memory of our manager, no objects", ours.process.pid)?;
    Ok(Scene { plane, client, ours, ironic })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    #[test]
    fn what_is_measured_is_chosen_by_flags() {
        let parse = |flags: &[&str]| Line::try_parse_from([&["bench"], flags].concat()).map(|line| line.options);
        let all = parse(&[]).unwrap();
        assert!(all.webhooks && all.wants("one pool"));
        let some = parse(&["--only", "addresses", "--webhooks", "off", "--case", "ten", "--case", "IPv6"]).unwrap();
        assert_eq!((some.parts.as_slice(), some.webhooks), (&[Part::Addresses][..], false));
        assert!(some.wants("ten pools") && some.wants("one IPv6 /64") && !some.wants("one pool"));
        assert!(parse(&["--webhooks", "maybe"]).is_err());
    }
}
