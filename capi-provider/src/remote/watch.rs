//! A watch of a workload cluster's Nodes while machines wait for theirs.
//!
//! It only wakes: what is decided comes from a list. A watch that fails costs time, never correctness, because
//! waiting machines ask again by themselves.

use std::time::Duration;

use futures::{StreamExt, pin_mut};
use k8s_openapi::api::core::v1::Node;
use kit::client::Io;
use kit::pass::Key;
use kube::Api;
use kube::core::PartialObjectMeta;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event};

use super::Remotes;

/// A watch nobody waits for ends after this time.
const IDLE: Duration = Duration::from_mins(2);

impl Remotes {
    /// Starts the watch of a cluster, unless it runs.
    pub(super) async fn watch(&self, cluster: &Key) {
        let Some(io) = self.slot(cluster).lock().await.io.as_ref().map(|(_, io)| io.clone()) else { return };
        let started =
            self.waiting().get_mut(cluster).is_some_and(|waiting| !std::mem::replace(&mut waiting.watched, true));
        if started {
            let (remotes, cluster) = (self.clone(), cluster.clone());
            tokio::spawn(async move {
                remotes.stop.clone().run_until_cancelled(remotes.follow(&cluster, io)).await;
            });
        }
    }

    async fn follow(&self, cluster: &Key, io: Io) {
        let api = Api::<PartialObjectMeta<Node>>::all(io.client());
        let stream = watcher::watcher(api, watcher::Config::default()).default_backoff();
        pin_mut!(stream);
        while self.wanted(cluster) {
            match tokio::time::timeout(IDLE, stream.next()).await {
                // The end of the first list counts, too: a Node may have come between a machine's list and this one.
                Ok(Some(Ok(Event::Apply(_) | Event::Delete(_) | Event::InitDone))) => self.changed(cluster),
                Ok(Some(Ok(Event::Init | Event::InitApply(_)))) | Err(_) => {}
                Ok(Some(Err(error))) => tracing::debug!(%cluster, %error, "watch of nodes failed, trying again"),
                Ok(None) => break,
            }
        }
        if let Some(waiting) = self.waiting().get_mut(cluster) {
            waiting.watched = false;
        }
    }

    /// A Node changed: whoever waits looks again, and asks again if that was not it.
    fn changed(&self, cluster: &Key) {
        let keys = self.waiting().get_mut(cluster).map(|waiting| {
            waiting.changed = true;
            std::mem::take(&mut waiting.keys)
        });
        for key in keys.unwrap_or_default() {
            self.bell.ring(&key);
        }
    }

    /// Whether somebody asked lately.
    fn wanted(&self, cluster: &Key) -> bool {
        self.waiting().get(cluster).and_then(|waiting| waiting.asked).is_some_and(|asked| asked.elapsed() < IDLE)
    }
}
