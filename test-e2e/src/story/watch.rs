//! Waiting for a state of the cluster while the progress is shown.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, ListParams};
use serde_json::Value;

use super::progress::{Line, View};
use crate::process::Supervisor;

/// Looks in a row at which a process of the bench is gone before that ends the story; one that is being restarted is
/// gone for a moment, too.
const GONE: u32 = 5;

/// Time between two looks.
const LOOK: Duration = Duration::from_secs(1);

/// The kinds that a story looks at: group, version, kind, plural.
#[derive(Debug, Clone, Copy)]
pub struct Kind(pub &'static str, pub &'static str, pub &'static str, pub &'static str);

/// Hosts.
pub const HOSTS: Kind = Kind("metal3.io", "v1alpha1", "BareMetalHost", "baremetalhosts");
/// Our machines.
pub const METAL3_MACHINES: Kind = Kind("infrastructure.cluster.x-k8s.io", "v1beta2", "Metal3Machine", "metal3machines");
/// Cluster API's machines.
pub const MACHINES: Kind = Kind("cluster.x-k8s.io", "v1beta2", "Machine", "machines");
/// Cluster API's deployments of workers.
pub const DEPLOYMENTS: Kind = Kind("cluster.x-k8s.io", "v1beta2", "MachineDeployment", "machinedeployments");
/// Addresses.
pub const ADDRESSES: Kind = Kind("ipam.metal3.io", "v1alpha1", "IPAddress", "ipaddresses");

/// The API of a kind in a namespace.
pub fn api(client: &Client, namespace: &str, kind: Kind) -> Api<DynamicObject> {
    let gvk = GroupVersionKind::gvk(kind.0, kind.1, kind.2);
    Api::namespaced_with(client.clone(), namespace, &ApiResource::from_gvk_with_plural(&gvk, kind.3))
}

/// All objects of a kind, as plain values sorted by name.
pub async fn all(client: &Client, namespace: &str, kind: Kind) -> Result<Vec<Value>> {
    let list = api(client, namespace, kind).list(&ListParams::default()).await;
    let list = list.with_context(|| format!("listing {}", kind.3))?;
    let mut values: Vec<Value> = list.items.iter().map(serde_json::to_value).collect::<Result<_, _>>()?;
    values.sort_by_key(|v| v["metadata"]["name"].as_str().unwrap_or_default().to_owned());
    Ok(values)
}

/// What a story sees at one moment.
#[derive(Debug, Clone, Default)]
pub struct Picture {
    /// BareMetalHosts.
    pub hosts: Vec<Value>,
    /// Metal3Machines.
    pub machines: Vec<Value>,
}

impl Picture {
    async fn take(client: &Client, namespace: &str) -> Result<Self> {
        let (hosts, machines) =
            tokio::try_join!(all(client, namespace, HOSTS), all(client, namespace, METAL3_MACHINES))?;
        Ok(Self { hosts, machines })
    }

    fn lines(&self) -> Vec<Line> {
        self.hosts.iter().map(Line::of_host).chain(self.machines.iter().map(Line::of_machine)).collect()
    }

    /// Names of the hosts in a provisioning state.
    pub fn hosts_in(&self, state: &str) -> Vec<&str> {
        let of = |host: &&Value| host["status"]["provisioning"]["state"] == state;
        self.hosts.iter().filter(of).filter_map(|host| host["metadata"]["name"].as_str()).collect()
    }
}

/// The eyes of a story: shows progress while it waits.
pub struct Watch {
    client: Client,
    namespace: String,
    view: View,
    processes: Option<Supervisor>,
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

impl Watch {
    /// Looks at a namespace.
    pub fn new(client: Client, namespace: &str) -> Self {
        Self { client, namespace: namespace.to_owned(), view: View::default(), processes: None }
    }

    /// Gives up as soon as one of these has ended by itself, instead of waiting for what it would have done.
    #[must_use]
    pub fn beside(mut self, processes: &Supervisor) -> Self {
        self.processes = Some(processes.clone());
        self
    }

    /// The client it looks with.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The namespace it looks at.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Waits until `reached` says yes; on the way every change is shown. The error has the last picture.
    pub async fn until(
        &mut self,
        what: &str,
        limit: Duration,
        mut reached: impl AsyncFnMut(&Picture) -> Result<bool>,
    ) -> Result<Picture> {
        println!("-- waiting for {what} (at most {} min)", limit.as_secs() / 60);
        let start = Instant::now();
        let mut gone = 0;
        loop {
            match self.processes.as_ref().map_or(Ok(()), Supervisor::check) {
                Err(error) if gone >= GONE => return Err(error.context(format!("waiting for {what}"))),
                Err(_) => gone += 1,
                Ok(()) => gone = 0,
            }
            // One failed look is no failed run: the manager and the API server may be restarted under us.
            let last = match Picture::take(&self.client, &self.namespace).await {
                Ok(picture) => {
                    self.view.show(&picture.lines(), Timestamp::now());
                    match reached(&picture).await {
                        Ok(true) => {
                            self.view.finish();
                            println!("-- {what}: {} s", start.elapsed().as_secs());
                            return Ok(picture);
                        }
                        Ok(false) => format!("{:#?}", picture.lines()),
                        Err(error) => format!("{error:#}"),
                    }
                }
                Err(error) => format!("{error:#}"),
            };
            if start.elapsed() > limit {
                self.view.finish();
                bail!("{what}: not within {} s; last seen: {last}", limit.as_secs());
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}
