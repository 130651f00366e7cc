//! The main job in its order, with the time of each phase.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Node;

use super::cluster::{Cluster, is_ready};
use super::enrol::{enrol, role};
use super::watch::{ADDRESSES, Picture, Watch, all};
use crate::bmc::service::read_log;
use crate::clusterctl::Clusterctl;
use crate::level_m::Description;
use crate::manifests;
use crate::wait::until;

/// Inspection and cleaning of one machine, and waiting for its turn.
const ENROL: Duration = Duration::from_mins(15);
/// From the manifests to a control plane Node.
const CONTROL_PLANE: Duration = Duration::from_mins(25);
/// What follows at once, also when the manager is just being restarted.
const SOON: Duration = Duration::from_mins(2);
/// One worker more or less.
const WORKER: Duration = Duration::from_mins(20);

/// How much of the main job is done.
#[derive(Debug, Clone)]
pub struct Job {
    /// How many machines are enrolled; at least the control plane's and the most workers at a time.
    pub hosts: usize,
    /// The numbers of workers asked for, one after the other.
    pub workers: Vec<u32>,
}

/// What came out.
#[derive(Debug)]
pub struct Report {
    /// Seconds of each phase.
    pub phases: Vec<(String, u64)>,
    /// The workload cluster's Nodes at the end.
    pub nodes: Vec<Node>,
    /// The hosts at the end.
    pub last: Picture,
    /// Names of the addresses given.
    pub addresses: Vec<String>,
}

/// Does the main job in the watch's namespace.
pub async fn run(
    watch: &mut Watch,
    clusterctl: &Clusterctl,
    cluster: &Cluster,
    site: &Description,
    job: &Job,
) -> Result<Report> {
    ensure!(job.hosts <= site.machines.len(), "{} machines asked for, {} are there", job.hosts, site.machines.len());
    let mut clock = Clock::default();
    for (place, machine) in site.machines[..job.hosts].iter().enumerate() {
        enrol(watch.client(), watch.namespace(), machine, role(place)).await?;
    }
    let what = format!("{} hosts inspected, cleaned and available", job.hosts);
    let now = watch.until(&what, ENROL * 2, async |now| Ok(now.hosts_in("available").len() == job.hosts)).await?;
    clock.done("enrolment of all hosts");

    let interface = interface(&now).context("no inspected host reports a network interface")?;
    let objects = cluster.manifests(clusterctl, site, interface, watch.namespace()).await?;
    // A manager that is just being restarted refuses by silence; whoever applies by hand would repeat it too.
    until("the cluster's objects being taken", SOON, async || {
        manifests::apply(watch.client(), watch.namespace(), &objects).await.map(Some)
    })
    .await?;
    let now = wait_for_nodes(watch, cluster, 1, CONTROL_PLANE).await.context("control plane")?;
    clock.done("control plane: claim, deploy, kubeadm init, Node Ready");
    let runs = now.hosts_in("provisioned").first().map(|&name| name.to_owned()).context("no host in use")?;
    let commands = power_commands(site, &runs)?;

    for &workers in &job.workers {
        cluster.scale(watch, workers).await?;
        wait_for_nodes(watch, cluster, 1 + workers as usize, WORKER).await?;
        wait_for_hosts(watch, 1 + workers as usize, job.hosts).await?;
        clock.done(&format!("{workers} workers"));
    }
    let more = power_commands(site, &runs)? - commands;
    ensure!(more == 0, "{runs} runs the control plane and was switched {more} times");
    let left = 1 + job.workers.last().copied().unwrap_or_default() as usize;
    let addresses = until("one address for each machine that is left", SOON, async || {
        let given = all(watch.client(), watch.namespace(), ADDRESSES).await?;
        Ok((given.len() == left).then_some(given))
    })
    .await?;
    Ok(Report {
        phases: clock.phases,
        nodes: cluster.nodes(watch).await?,
        last: watch.until("the last look", WORKER, async |_| Ok(true)).await?,
        addresses: addresses.iter().filter_map(|a| a["spec"]["address"].as_str().map(str::to_owned)).collect(),
    })
}

/// How often the machine of this name was told to switch its power.
fn power_commands(site: &Description, name: &str) -> Result<usize> {
    let machine = site.machines.iter().find(|machine| machine.name == name);
    let folder = &machine.with_context(|| format!("the bench has no machine {name}"))?.folder;
    let log = read_log(&folder.with_file_name("requests.log"))?;
    let reset = format!("/Systems/{name}/Actions/ComputerSystem.Reset");
    Ok(log.iter().filter(|(_, path, _)| path.ends_with(&reset)).count())
}

/// The name that inspection found for the first network interface.
fn interface(picture: &Picture) -> Option<&str> {
    picture.hosts.iter().find_map(|host| host["status"]["hardware"]["nics"][0]["name"].as_str())
}

/// Exactly this many Nodes, each Ready and linked to its host, and every Machine running.
async fn wait_for_nodes(watch: &mut Watch, cluster: &Cluster, wanted: usize, limit: Duration) -> Result<Picture> {
    let eyes = Watch::new(watch.client().clone(), watch.namespace());
    watch
        .until(&format!("{wanted} Ready Nodes"), limit, async |_| {
            let nodes = cluster.nodes(&eyes).await?;
            let phases = cluster.machine_phases(&eyes).await?;
            let running = phases.len() == wanted && phases.iter().all(|phase| phase == "Running");
            Ok(running && nodes.len() == wanted && nodes.iter().all(is_ready))
        })
        .await
}

/// Hosts in use are provisioned, all others cleaned and available again.
async fn wait_for_hosts(watch: &mut Watch, used: usize, all: usize) -> Result<Picture> {
    let what = format!("{used} hosts in use and {} available", all - used);
    watch
        .until(&what, WORKER, async |now| {
            Ok(now.hosts_in("provisioned").len() == used && now.hosts_in("available").len() == all - used)
        })
        .await
}

#[derive(Debug)]
struct Clock {
    last: Instant,
    phases: Vec<(String, u64)>,
}

impl Default for Clock {
    fn default() -> Self {
        Self { last: Instant::now(), phases: Vec::new() }
    }
}

impl Clock {
    fn done(&mut self, phase: &str) {
        let seconds = self.last.elapsed().as_secs();
        println!("== {phase}: {seconds} s");
        self.phases.push((phase.to_owned(), seconds));
        self.last = Instant::now();
    }
}
