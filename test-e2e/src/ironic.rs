//! A real Ironic: one process in a Python environment of the cache, with its state in the run folder.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::assets::fill;
use crate::cache::{Cache, Place};
use crate::command::Cmd;
use crate::process::{Record, Spec};
use crate::versions::IRONIC;
use crate::wait::until;
use crate::{Bench, apt, boot};

/// Default port of the API.
pub const PORT: u16 = 6385;

/// Programs that Ironic calls, by Debian package: qemu-img for images, mkisofs for config drives, the others for boot
/// ISOs; ipmitool because a driver looks for it.
pub const PACKAGES: &[&str] =
    &["qemu-utils", "genisoimage", "ipmitool", "mtools", "dosfstools", "isolinux", "syslinux-common"];

const CONSTRAINTS: &str = include_str!("../assets/ironic/constraints.txt");
const CONFIG: &str = include_str!("../assets/ironic/ironic.conf");
const HOOK: &str = include_str!("../assets/ironic/sitecustomize.py");

/// Kernel parameters of the agent: console on the serial line, and what makes an emulated processor start faster.
/// `ipa-insecure` lets the agent call back over plain HTTP.
const AGENT_PARAMETERS: &str = "nofb vga=normal console=ttyS0 no_timer_check mitigations=off ipa-insecure=1";

/// How Ironic is to be started.
#[derive(Debug, Clone)]
pub struct Options {
    /// Address and port of the API; machines call back there.
    pub listen: SocketAddr,
    /// Namespace it runs in; `None` for where the bench is.
    pub netns: Option<PathBuf>,
    /// User of the API.
    pub username: String,
    /// Password of the API.
    pub password: String,
    /// Whether machines are to boot the agent: then Ironic writes into the folder of the bench's file server. Without,
    /// only what needs no agent works: registration, power, and everything of the fake hardware type.
    pub machines: bool,
}

impl Options {
    /// Ironic alone on the loopback address, for tests of the interface to it.
    pub fn alone(port: u16) -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::from([127, 0, 0, 1]), port),
            netns: None,
            username: "ironic".to_owned(),
            password: "bench-password".to_owned(),
            machines: false,
        }
    }
}

/// A running Ironic.
#[derive(Debug, Clone)]
pub struct Ironic {
    options: Options,
    environment: PathBuf,
    state: PathBuf,
    record: Record,
}

/// The Python environment with Ironic. It contains its own path, so it is built where it stays.
pub async fn environment(cache: &Cache) -> Result<PathBuf> {
    cache
        .entry_in_place("ironic", IRONIC, CONSTRAINTS, async |place: &Place| {
            let constraints = place.dir.join("constraints.txt");
            std::fs::write(&constraints, CONSTRAINTS)?;
            if Cmd::new("python3").args(["-c", "import ensurepip, venv"]).log(&place.log).run().await.is_err() {
                // Debian's own Python comes without them.
                apt::ensure(&["python3-venv"]).await?;
            }
            let make = Cmd::new("python3").args(["-m", "venv"]).arg(&place.dir).log(&place.log).run();
            make.await.context("making a Python environment (Python 3.10 or newer with its venv module is needed)")?;
            Cmd::new("nice")
                .arg(place.dir.join("bin/python"))
                .args(["-m", "pip", "install", "--quiet", "--no-cache-dir", "--constraint"])
                .arg(&constraints)
                .args([&format!("ironic=={IRONIC}"), "sushy", "bcrypt", "python-ironicclient"])
                .log(&place.log)
                .limit(Duration::from_mins(20))
                .run()
                .await
        })
        .await
}

/// Starts Ironic with the database of the run folder, made when missing, and waits until the API and its conductor work.
pub async fn start(bench: &Bench, options: &Options) -> Result<Ironic> {
    apt::ensure(PACKAGES).await?;
    let environment = environment(bench.cache()).await?;
    let state = prepare(bench, options, &environment).await?;
    if !state.join("ironic.sqlite").exists() {
        create_database(&environment, &state).await?;
    }
    let record = bench.processes().start(spec(options, &environment, &state)).await?;
    let ironic = Ironic { options: options.clone(), environment, state, record };
    ironic.ready().await?;
    Ok(ironic)
}

impl Ironic {
    /// URL of the API with its version, as `IRONIC_ENDPOINT` wants it.
    pub fn endpoint(&self) -> String {
        format!("http://{}/v1", self.options.listen)
    }

    /// The command line client of the Bare Metal service, for people.
    pub fn client(&self) -> PathBuf {
        self.environment.join("bin/baremetal")
    }

    /// Its process, for tests that stop it.
    pub fn process(&self) -> &Record {
        &self.record
    }

    /// Stops Ironic, throws its database away and starts it again: an Ironic that has forgotten every node.
    pub async fn restart_empty(&mut self, bench: &Bench) -> Result<()> {
        bench.processes().stop("ironic").await?;
        for suffix in ["", "-wal", "-shm", "-journal"] {
            let file = self.state.join(format!("ironic.sqlite{suffix}"));
            if file.exists() {
                std::fs::remove_file(&file)?;
            }
        }
        create_database(&self.environment, &self.state).await?;
        self.restart(bench).await
    }

    /// Stops Ironic and starts it with the database it had.
    pub async fn restart(&mut self, bench: &Bench) -> Result<()> {
        self.record = bench.processes().start(spec(&self.options, &self.environment, &self.state)).await?;
        self.ready().await
    }

    async fn ready(&self) -> Result<()> {
        let url = format!("{}/drivers", self.endpoint());
        until("Ironic with its drivers", Duration::from_mins(5), async || {
            self.record.check()?;
            let mut curl = match &self.options.netns {
                Some(netns) => {
                    Cmd::new("nsenter").arg(format!("--net={}", netns.display())).args(["--", "curl", "-sSf"])
                }
                None => Cmd::new("curl").arg("-sSf"),
            };
            // The password goes in by standard input: arguments are visible to every user of the machine.
            curl = curl.args(["-m", "20", "--config", "-", &url]);
            let user = format!("user = \"{}:{}\"\n", self.options.username, self.options.password);
            let drivers = curl.stdin(user).output().await?;
            Ok(drivers.contains("\"redfish\"").then_some(()))
        })
        .await
    }
}

fn spec(options: &Options, environment: &Path, state: &Path) -> Spec {
    Spec::new("ironic", environment.join("bin/ironic"))
        .arg("--config-file")
        .arg(state.join("ironic.conf"))
        .env("PYTHONPATH", state.join("hook"))
        .netns(options.netns.as_deref())
}

/// Folders, configuration, password file and hook.
async fn prepare(bench: &Bench, options: &Options, environment: &Path) -> Result<PathBuf> {
    let state = bench.dir("ironic")?;
    let root = if options.machines { boot::files_root(bench)? } else { bench.dir("ironic/files")? };
    let images = root.join("images");
    for dir in ["tmp", "hook", "tftp/master_images", "agent-certificates", "deploy-logs"] {
        bench.dir(Path::new("ironic").join(dir))?;
    }
    for dir in ["images", "tmp", "master_images", "master_iso"] {
        std::fs::create_dir_all(root.join(dir))?;
    }
    let show = |path: &Path| path.display().to_string();
    let text = fill(
        CONFIG,
        &[
            ("state", &show(&state)),
            ("address", &options.listen.ip().to_string()),
            ("port", &options.listen.port().to_string()),
            ("images", &show(&images)),
            ("http_root", &show(&root)),
            ("files", &boot::files_url()),
            ("kernel_parameters", AGENT_PARAMETERS),
        ],
    )?;
    std::fs::write(state.join("ironic.conf"), text)?;
    std::fs::write(state.join("hook/sitecustomize.py"), HOOK)?;
    std::fs::write(state.join("htpasswd"), password_line(environment, options).await?)?;
    Ok(state)
}

/// One line of the password file. Ironic checks the hash at every request, so it has bcrypt's lowest cost; and it takes
/// only the hash's newer name, `2y`.
async fn password_line(environment: &Path, options: &Options) -> Result<String> {
    let code = "import bcrypt, sys; print(bcrypt.hashpw(sys.stdin.buffer.read(), bcrypt.gensalt(4)).decode())";
    let python = Cmd::new(environment.join("bin/python")).args(["-c", code]).stdin(options.password.as_bytes());
    let hash = python.output().await?.trim().replacen("$2b$", "$2y$", 1);
    Ok(format!("{}:{hash}\n", options.username))
}

async fn create_database(environment: &Path, state: &Path) -> Result<()> {
    Cmd::new(environment.join("bin/ironic-dbsync"))
        .arg("--config-file")
        .arg(state.join("ironic.conf"))
        .arg("create_schema")
        .log(state.join("dbsync.log"))
        .run()
        .await
        .context("making Ironic's database")
}
