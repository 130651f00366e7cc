//! [`Stage`]: the namespace of one case with its pools; what is claimed there, waited for, checked and released.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Result, ensure};
use futures::stream::{StreamExt, TryStreamExt};
use kube::Api;
use kube::api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, PostParams};
use serde_json::{Value, json};

use super::super::meter::Metrics;
use super::super::{AT_ONCE, Scene};
use super::{Case, GROUP, claim_name, reading};
use crate::wait::{POLL, until};

/// No case takes longer, or its figure is worth nothing.
const LIMIT: Duration = Duration::from_mins(5);
/// Objects of one page of a list.
const PAGE: u32 = 500;

/// Where one case is played.
pub(super) struct Stage<'a> {
    scene: &'a Scene,
    case: &'a Case,
    namespace: String,
    pools: Api<DynamicObject>,
    claims: Api<DynamicObject>,
    addresses: Api<DynamicObject>,
}

impl<'a> Stage<'a> {
    pub(super) async fn new(scene: &'a Scene, case: &'a Case) -> Result<Self> {
        let namespace = scene.plane.namespace("addresses").await?;
        let of = |kind: &str, plural: &str| {
            let kind = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(GROUP, "v1alpha1", kind), plural);
            Api::namespaced_with(scene.client.clone(), &namespace, &kind)
        };
        let (pools, claims, addresses) =
            (of("IPPool", "ippools"), of("IPClaim", "ipclaims"), of("IPAddress", "ipaddresses"));
        let stage = Self { scene, case, namespace, pools, claims, addresses };
        for number in 0..case.pools {
            let mut spec = (case.spec)(number);
            spec["namePrefix"] = json!(format!("pool-{number}"));
            let pool = json!({
                "apiVersion": "ipam.metal3.io/v1alpha1", "kind": "IPPool",
                "metadata": {"name": format!("pool-{number}")}, "spec": spec,
            });
            stage.pools.create(&PostParams::default(), &serde_json::from_value(pool)?).await?;
        }
        Ok(stage)
    }

    pub(super) async fn claim_all(&self) -> Result<()> {
        let claim = |number: usize| {
            let pool = json!({"name": format!("pool-{}", number % self.case.pools), "namespace": self.namespace});
            serde_json::from_value::<DynamicObject>(json!({
                "apiVersion": "ipam.metal3.io/v1alpha1", "kind": "IPClaim",
                "metadata": {"name": claim_name(number)}, "spec": {"pool": pool},
            }))
        };
        let work = (0..self.case.claims).map(|number| async move {
            self.claims.create(&PostParams::default(), &claim(number)?).await?;
            anyhow::Ok(())
        });
        futures::stream::iter(work).buffer_unordered(AT_ONCE).try_collect().await
    }

    /// Waits until our manager says that it has told every claim. To list ten thousand claims again and again would
    /// load the API server more than what is measured; [`Stage::check`] looks once, afterwards.
    pub(super) async fn told(&self, before: f64) -> Result<()> {
        until("every claim having an address", LIMIT, async || {
            let told = reading::granted(&Metrics::of(&self.scene.ours).await?) - before;
            ensure!(told >= self.case.claims as f64, "{told} of {}", self.case.claims);
            Ok(Some(()))
        })
        .await
    }

    /// Every claim has an address, no two the same, and pre-allocated ones their own.
    pub(super) async fn check(&self) -> Result<()> {
        let mut given = BTreeSet::new();
        let mut params = ListParams::default().limit(PAGE);
        loop {
            let page = self.claims.list(&params).await?;
            for claim in &page.items {
                let address = claim.data["status"]["address"]["name"].as_str();
                ensure!(address.is_some(), "a claim without an address: {:?} {}", claim.metadata.name, claim.data);
                given.extend(address.map(str::to_owned));
            }
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params.continue_token = Some(token),
                None => break,
            }
        }
        // Pools have prefixes of their own, so that equal names are equal addresses.
        ensure!(given.len() == self.case.claims, "{} different addresses", given.len());
        let fixed = (self.case.spec)(0)["preAllocations"].as_object().cloned().unwrap_or_default();
        for ip in fixed.values().filter_map(Value::as_str) {
            ensure!(given.contains(&format!("pool-0-{}", ip.replace('.', "-"))), "{ip} was not given");
        }
        Ok(())
    }

    pub(super) async fn release_all(&self) -> Result<()> {
        let work = (0..self.case.claims).map(|number| async move {
            self.claims.delete(&claim_name(number), &DeleteParams::default()).await?;
            anyhow::Ok(())
        });
        futures::stream::iter(work).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
        until("every address being released", LIMIT, async || {
            for (what, left) in [("addresses", &self.addresses), ("claims", &self.claims)] {
                let page = left.list(&ListParams::default().limit(1)).await?;
                let more = page.metadata.remaining_item_count.unwrap_or_default();
                ensure!(page.items.is_empty(), "{} {what}", more + 1);
            }
            Ok(Some(()))
        })
        .await
    }

    /// The pools end, so that the next case begins with nothing.
    pub(super) async fn end(&self) -> Result<()> {
        self.pools.delete_collection(&DeleteParams::default(), &ListParams::default()).await?;
        until("the pools being gone", LIMIT, async || {
            Ok(self.pools.list(&ListParams::default()).await?.items.is_empty().then_some(()))
        })
        .await?;
        tokio::time::sleep(POLL).await;
        Ok(())
    }
}
