//! capi-provider: the Cluster API infrastructure provider.
//!
//! Who feeds whom:
//!
//! | module | reads | writes |
//! |---|---|---|
//! | [`cluster`] | Cluster, Machines | Metal3Cluster status: endpoint, failure domains |
//! | [`machine`] | Machine, Cluster, hosts, data, Nodes | host claim and spec, Metal3DataClaim, provider ID of Node and Metal3Machine |
//! | [`data`] | Metal3DataTemplate and claims, pools' addresses, hosts | Metal3Data, address claims, meta data and network data Secrets |
//! | [`remediation`] | Metal3Remediation, Machine, hosts, Nodes | power-off annotation of hosts, fence of Nodes, Machine conditions |
//! | [`template`] | Metal3MachineTemplate | cleaning mode of the machines cloned from it |
//! | [`label_sync`] | labels of hosts | labels of Nodes |
//! | [`control_plane`] | control planes of any kind | |
//! | [`remote`] | `<cluster>-kubeconfig` Secrets | Nodes of workload clusters |
//!
//! [`run`] starts all of them; [`hooks`] are the admission webhooks.

pub mod cluster;
pub mod control_plane;
pub mod data;
pub mod hooks;
pub mod label_sync;
pub mod machine;
pub mod options;
pub mod remediation;
pub mod remote;
pub mod template;

use kit::runtime::Context;
use kit::tasks::{self, Task};
use kit::worker;

pub use self::hooks::hooks;
pub use self::options::Options;
use crate::machine::view::Settings;

/// Runs the controllers until the context's shutdown fires; the end of one ends all.
pub async fn run(context: Context, options: Options) -> Result<(), tasks::Ended> {
    tasks::until_first(&context, start(&context, &options)).await
}

/// Starts the controllers.
fn start(context: &Context, options: &Options) -> Vec<Task> {
    let remotes = remote::Remotes::new(context.io.clone(), context.shutdown.clone());
    let settings = Settings { fast_track: options.fast_track, strict_failure_domains: options.strict_failure_domains };
    let sources = machine::gather::Sources::new(context, remotes.clone(), settings);
    let with =
        |passes: usize| worker::Options { resync: options.resync, ..worker::Options::default() }.concurrency(passes);

    let remediations = remediation::Remediations::new(context, remotes.clone());
    let remediation_wakes = remediations.wakes();
    let clusters = cluster::Clusters::new(context, remotes);
    let cluster_wakes = clusters.wakes();
    let machine_wakes = machine::wakes(&sources);
    let machines = machine::Machines { sources: sources.clone() };
    let templates = template::Templates::new(context);
    let template_wakes = templates.wakes();
    let labels = label_sync::LabelSync { sources };
    let label_wakes = labels.wakes();
    let data = data::Options {
        templates: with(options.metal3datatemplate_concurrency),
        datas: with(options.metal3data_concurrency),
        claims_named_after_host: options.enable_bmh_name_based_preallocation,
    };
    let mut workers = vec![
        worker::spawn(context, clusters, cluster_wakes, with(options.metal3cluster_concurrency)),
        worker::spawn(context, machines, machine_wakes, with(options.metal3machine_concurrency)),
        worker::spawn(context, remediations, remediation_wakes, with(options.metal3remediation_concurrency)),
        worker::spawn(context, templates, template_wakes, with(options.metal3machinetemplate_concurrency)),
        worker::spawn(context, labels, label_wakes, with(options.metal3labelsync_concurrency)),
    ];
    workers.extend(data::spawn(context, data));
    workers
}
