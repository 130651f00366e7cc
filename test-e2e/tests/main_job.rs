//! The main job on real parts: from powered-off machines to Ready Nodes and back. Needs root.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Instant;

use test_e2e::bmc::spec::Firmware;
use test_e2e::host::run_in;
use test_e2e::node_image::Role;
use test_e2e::story::cluster::Cluster;
use test_e2e::story::crashes::crashes;
use test_e2e::story::main_job::{Job, run};
use test_e2e::story::stage::{Stage, prepare};
use test_e2e::{Bench, level_m, versions};

/// One control plane and one worker: scaling 0 -> 1 -> 0, so that never more than one machine is being deployed
/// beside an emulated control plane. Meanwhile the manager is killed ten times, at random moments.
#[test]
fn powered_off_machines_become_a_cluster_and_return_to_the_shelf() {
    let options = level_m::Options {
        machines: vec![Firmware::Bios; 2],
        images: vec![Role::ControlPlane, Role::Worker],
        ..level_m::Options::default()
    };
    let (bench, netns) = run_in(None, async || {
        let bench = Bench::fresh("main-job").await?;
        let netns = prepare(&bench, &options).await?;
        Ok((bench, netns))
    })
    .unwrap();
    run_in(Some(&netns), async || {
        let stage = Stage::build(bench, &options).await?;
        let mut watch = stage.watch("main").await?;
        let cluster = Cluster { name: "c1".to_owned(), version: versions::KUBERNETES.to_owned() };
        let job = Job { hosts: 2, workers: vec![1, 0] };
        let seed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
        let job = async {
            let report = run(&mut watch, &stage.clusterctl, &cluster, &stage.site, &job).await?;
            anyhow::Ok((report, Instant::now()))
        };
        let ((report, ended), crashed) = tokio::try_join!(job, crashes(stage.manager.clone(), 10, seed))?;
        assert!(crashed < ended, "not all ten crashes fell into the job");
        assert_eq!(report.nodes.len(), 1, "only the control plane is left");
        assert_eq!(report.last.hosts_in("available").len(), 1);
        assert_eq!(report.addresses.len(), 1, "the worker's address is free again: {:?}", report.addresses);
        stage.down().await
    })
    .unwrap();
}
