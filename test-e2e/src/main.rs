//! The command line of the bench; see `bench help`.

use std::io::Read as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand, ValueEnum};
use test_e2e::bench::{DEFAULT, is_bench, run_root};
use test_e2e::bmc::spec::Firmware;
use test_e2e::cache::Cache;
use test_e2e::host::{netns_path, run_in};
use test_e2e::level_a::ControlPlane;
use test_e2e::life::{self, AgentBoot, Life};
use test_e2e::node_image::Role;
use test_e2e::wait::{Phases, until};
use test_e2e::{Bench, bmc, clean, files, level_a, level_b, level_m};

/// Starts, shows and removes the test bench.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Builds the tools into the cache and starts nothing.
    Tools {
        /// Also everything of level M: Ironic, agent ramdisk, node images (needs root).
        #[arg(long)]
        machines: bool,
    },
    /// Starts a control plane and leaves it running.
    Up(Up),
    /// Stops everything of a bench; its logs stay.
    Down(Which),
    /// Shows what runs.
    Status(Which),
    /// From powered-off machines to a cluster, for people to watch; stays up.
    Demo,
    /// Measures speed and memory of our controllers and prints a table.
    Measure(test_e2e::measure::Options),
    /// Stops every bench and removes run folders and cache.
    Clean,
    /// Drives one machine of a running level M through Ironic: steps out of enroll, manage, inspect, provide, deploy,
    /// boot, undeploy, in any order that Ironic allows.
    Life {
        #[command(flatten)]
        which: Which,
        /// Name of the machine.
        machine: String,
        /// Boot the agent from virtual media instead of the network.
        #[arg(long)]
        virtual_media: bool,
        /// The steps.
        steps: Vec<String>,
    },
    /// The management controllers of the emulated machines in a fleet file; part of `up`.
    #[command(hide = true)]
    Bmc {
        /// The fleet file.
        fleet: PathBuf,
    },
    /// The file server of the provisioning network; part of `up`.
    #[command(hide = true)]
    Files {
        /// The folder to serve.
        #[arg(long)]
        root: PathBuf,
        /// Address and port.
        #[arg(long)]
        listen: SocketAddr,
    },
    /// Waits until its standard input closes, then stops everything of a bench: put beside a test by the test itself.
    #[command(hide = true)]
    Guard {
        #[command(flatten)]
        which: Which,
        /// The one start of the bench that this guard belongs to.
        #[arg(long)]
        incarnation: String,
    },
}

#[derive(Debug, Args)]
struct Which {
    /// Name of the bench.
    #[arg(long, default_value = DEFAULT)]
    name: String,
}

#[derive(Debug, Args)]
struct Up {
    #[command(flatten)]
    which: Which,
    /// What to start.
    #[arg(long, value_enum, default_value_t = Level::B)]
    level: Level,
    /// Name of an existing network namespace to run in.
    #[arg(long)]
    netns: Option<String>,
    /// Address of the API server, inside the namespace.
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    address: IpAddr,
    /// Port of the API server; a free one when absent.
    #[arg(long)]
    port: Option<u16>,
    /// Stay until the standard input ends (Ctrl-D), then stop everything.
    #[arg(long)]
    wait: bool,
    /// Level M: number of machines that boot by BIOS.
    #[arg(long, default_value_t = 2)]
    bios: usize,
    /// Level M: number of machines that boot by UEFI.
    #[arg(long, default_value_t = 0)]
    uefi: usize,
    /// Level M: no node images, for tests that never deploy one.
    #[arg(long)]
    no_images: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Level {
    /// API server, storage and controller manager.
    A,
    /// And Cluster API with its kubeadm providers.
    B,
    /// Emulated machines with a real Ironic in a network namespace (needs root); no API server.
    M,
}

fn main() -> Result<()> {
    let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
    // Servers that are not up yet are waited for by name; kube's own line for each try would only hide that.
    let filter = tracing_subscriber::EnvFilter::new("info,kube_client::client::builder=off");
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours).init();
    match Arguments::parse().command {
        Command::Tools { machines: false } => tools(),
        // Side by side: what one compiles, the other mostly downloads and unpacks.
        Command::Tools { machines: true } => run_in(None, async || {
            let cache = Cache::open()?;
            let options = level_m::Options::default();
            tokio::try_join!(control_plane_tools(&cache), level_m::prepare(&cache, &options))?;
            Ok(())
        }),
        Command::Up(up) if up.level == Level::M => machines(&up),
        Command::Up(up) => start(&up),
        Command::Life { which, machine, virtual_media, steps } => life(&which.name, &machine, virtual_media, &steps),
        Command::Bmc { fleet } => run_in(None, async || bmc::serve(&fleet).await),
        Command::Files { root, listen } => run_in(None, async || files::serve(root.clone(), listen).await),
        Command::Down(which) => {
            let bench = Bench::open(&which.name)?;
            run_in(None, async || level_m::down(&bench).await)
        }
        Command::Status(which) => status(&which.name),
        Command::Measure(options) => test_e2e::measure::measure(&options),
        Command::Demo => test_e2e::story::demo::demo(),
        Command::Clean => run_in(None, async || clean::all().await),
        Command::Guard { which, incarnation } => guard(&which.name, &incarnation),
    }
}

/// Builds happen outside the namespace, which may have no way to the world.
fn tools() -> Result<()> {
    run_in(None, async || control_plane_tools(&Cache::open()?).await)
}

async fn control_plane_tools(cache: &Cache) -> Result<()> {
    level_a::prepare(cache).await?;
    level_b::prepare(cache).await?;
    Ok(())
}

fn machines(up: &Up) -> Result<()> {
    let firmware = std::iter::repeat_n(Firmware::Bios, up.bios).chain(std::iter::repeat_n(Firmware::Uefi, up.uefi));
    let mut options = level_m::Options { machines: firmware.collect(), ..level_m::Options::default() };
    if up.no_images {
        options.images.clear();
    }
    run_in(None, async || {
        level_m::prepare(&Cache::open()?, &options).await?;
        let bench = Bench::fresh(&up.which.name).await?;
        let (description, _) = level_m::start(&bench, &options).await?;
        println!("{}", serde_json::to_string_pretty(&description)?);
        if up.wait {
            tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
            level_m::down(&bench).await?;
        }
        Ok(())
    })
}

fn life(name: &str, machine: &str, virtual_media: bool, steps: &[String]) -> Result<()> {
    let bench = Bench::open(name)?;
    let description = level_m::attach(&bench)?;
    let netns = netns_path(&description.netns);
    run_in(Some(&netns), async || {
        let life = Life::of(&description, machine)?;
        let entry = description.machines.iter().find(|entry| entry.name == machine).context("no such machine")?;
        let boot = if virtual_media { AgentBoot::VirtualMedia } else { AgentBoot::Ipxe };
        let mut phases = Phases::start(machine);
        for step in steps {
            match step.as_str() {
                "enroll" => life.enroll(boot).await?,
                "manage" => life.manage().await?,
                "inspect" => println!("{}", life.inspect().await?),
                "provide" => life.provide().await?,
                "deploy" => {
                    let image = description.images.get(&Role::Worker).context("the bench serves no node image")?;
                    life.deploy(image, life::config_drive(entry, "172.22.0.21", "user-data-ran")).await?;
                }
                "boot" => life.console_says("user-data-ran").await?,
                "undeploy" => life.undeploy().await?,
                other => anyhow::bail!("there is no step {other}"),
            }
            phases.done(step);
        }
        Ok(())
    })
}

fn start(up: &Up) -> Result<()> {
    tools()?;
    let netns = up.netns.as_deref().map(netns_path);
    run_in(netns.as_deref(), async || {
        let bench = Bench::fresh(&up.which.name).await?;
        let options = level_a::Options {
            netns: up.netns.clone(),
            address: up.address,
            port: up.port,
            ..level_a::Options::default()
        };
        let plane = level_a::start(&bench, options).await?;
        if up.level == Level::B {
            level_b::start(&bench, &plane).await?;
        }
        println!("export KUBECONFIG={}", plane.kubeconfig().display());
        if up.wait {
            tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
            level_m::down(&bench).await?;
        }
        Ok(())
    })
}

/// Reads records only, so it also works while another process holds the bench.
fn status(name: &str) -> Result<()> {
    let run = run_root()?.join(name);
    if !is_bench(&run) {
        return Ok(());
    }
    let mut any = false;
    for record in test_e2e::process::Supervisor::new(&run)?.records()? {
        let state = if record.alive() { "runs" } else { "ended" };
        any |= record.alive();
        println!("{state:6} {:8} {:24} {}", record.pid, record.name, record.log.display());
    }
    if any
        && let Ok(bench) = Bench::open(name)
        && let Ok(plane) = ControlPlane::attach(&bench, &level_a::Options::default().name)
    {
        println!("API server {}, kubeconfig {}", plane.server(), plane.kubeconfig().display());
    }
    Ok(())
}

fn guard(name: &str, incarnation: &str) -> Result<()> {
    // Ends when the last holder of the other end is gone, also after kill -9.
    std::io::stdin().read_to_end(&mut Vec::new())?;
    run_in(None, async || {
        // The lock of the one who died may be let go a moment later.
        let open = until("the bench being free", Duration::from_secs(10), async || Bench::open(name).map(Some));
        // Not free after that: a successor has it, and has stopped what was left before it began.
        let Ok(bench) = open.await else { return Ok(()) };
        if bench.incarnation().is_ok_and(|now| now == incarnation) {
            level_m::down(&bench).await?;
        }
        Ok(())
    })
}
