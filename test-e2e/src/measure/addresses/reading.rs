//! [`Reading`]: what all counters say at one moment, and [`Cost`], the difference of two.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::Result;

use super::super::Scene;
use super::super::meter::{Metrics, busy, own_processor, processor};
use super::GROUP;

/// Requests by method.
pub(super) type Counts = BTreeMap<String, f64>;

/// A moment's counters.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    at: Instant,
    asked: Counts,
    status_writes: f64,
    called: f64,
    /// Claims that were told their address.
    pub(super) granted: f64,
    ours: f64,
    theirs: f64,
    bench: f64,
    machine: f64,
}

/// What happened between two readings.
#[derive(Debug, Clone)]
pub(super) struct Cost {
    /// Seconds on the clock.
    pub(super) wall: f64,
    /// Requests of our manager.
    pub(super) asked: Counts,
    /// Writes of the status of pools.
    pub(super) status_writes: f64,
    /// Calls of the webhooks of addresses.
    pub(super) called: f64,
    /// Processor seconds of our manager.
    pub(super) ours: f64,
    /// Those of the API server with its storage.
    pub(super) theirs: f64,
    /// Those of the controller manager of Kubernetes, which follows all objects, and of this program.
    pub(super) beside: f64,
    /// Those of all that has nothing to do with it: how far the clock can be believed.
    pub(super) foreign: f64,
}

impl Reading {
    /// Reads all counters.
    pub(super) async fn take(scene: &Scene) -> Result<Self> {
        let (at, ours) = (Instant::now(), processor(scene.ours.process.pid)?);
        let of = |parts: &[&str]| -> Result<f64> {
            parts.iter().try_fold(0.0, |sum, part| {
                let record = scene.plane.processes().get(&scene.plane.process(part))?;
                Ok(sum + record.map_or(Ok(0.0), |record| processor(record.pid))?)
            })
        };
        let (theirs, bench, machine) = (of(&["apiserver", "etcd"])?, of(&["kcm"])? + own_processor()?, busy()?);
        let own = Metrics::of(&scene.ours).await?;
        let server = Metrics::of_server(&scene.client).await?;
        let writes = [("group", GROUP), ("resource", "ippools"), ("subresource", "status")];
        let hooks = server.by("apiserver_admission_webhook_request_total", "name");
        Ok(Self {
            at,
            asked: own.by("rest_client_requests_total", "method"),
            status_writes: server.sum("apiserver_request_total", &writes),
            called: hooks.iter().filter(|(name, _)| name.ends_with(GROUP)).map(|(_, count)| count).sum(),
            granted: granted(&own),
            ours,
            theirs,
            bench,
            machine,
        })
    }

    /// What happened since an earlier reading.
    pub(super) fn since(&self, before: &Self) -> Cost {
        let earlier = |method: &String| before.asked.get(method).copied().unwrap_or_default();
        let [ours, theirs, beside, machine] = [
            self.ours - before.ours,
            self.theirs - before.theirs,
            self.bench - before.bench,
            self.machine - before.machine,
        ];
        Cost {
            wall: self.at.duration_since(before.at).as_secs_f64(),
            asked: self.asked.iter().map(|(method, count)| (method.clone(), count - earlier(method))).collect(),
            status_writes: self.status_writes - before.status_writes,
            called: self.called - before.called,
            ours,
            theirs,
            beside,
            foreign: (machine - ours - theirs - beside).max(0.0),
        }
    }
}

impl Cost {
    /// Processor seconds of all that a claim costs: ours, the API server's, and of those who watch it.
    pub(super) fn processor(&self) -> f64 {
        self.ours + self.theirs + self.beside
    }
}

/// How many claims our manager says that it has told their address.
pub(super) fn granted(metrics: &Metrics) -> f64 {
    metrics.sum("metal3_ipam_allocation_seconds_count", &[])
}
