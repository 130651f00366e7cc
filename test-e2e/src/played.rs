//! The bare metal operator and the machines' kubelets, played: hosts answer at once, and nothing boots.
//!
//! With it a story about the infrastructure provider and IPAM runs on level B in seconds. What the player does is only
//! what the real ones report: host states, power, and Nodes whose provider ID comes from the rendered meta data.

mod stage;

use std::time::Duration;

use anyhow::{Context, Result};
use api::names::annotation;
use k8s_openapi::api::core::v1::{Node, Secret};
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::workload;
pub use stage::{Cast, LIMIT, Stage};

/// Time between two rounds.
const ROUND: Duration = Duration::from_millis(200);

/// Plays for one namespace.
#[derive(Clone)]
pub struct Player {
    client: Client,
    namespace: String,
    hosts: Api<DynamicObject>,
}

impl std::fmt::Debug for Player {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Player").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

impl Player {
    /// A player for the hosts of a namespace.
    pub fn new(client: Client, namespace: &str) -> Self {
        let kind = GroupVersionKind::gvk("metal3.io", "v1alpha1", "BareMetalHost");
        let resource = ApiResource::from_gvk_with_plural(&kind, "baremetalhosts");
        let hosts = Api::namespaced_with(client.clone(), namespace, &resource);
        Self { client, namespace: namespace.to_owned(), hosts }
    }

    /// A host that is inspected and free, as the operator leaves it.
    pub async fn add_host(&self, name: &str, number: u8, labels: Value) -> Result<()> {
        let mac = format!("52:54:00:00:00:{number:02x}");
        let host = json!({
            "apiVersion": "metal3.io/v1alpha1", "kind": "BareMetalHost",
            "metadata": {"name": name, "labels": labels},
            "spec": {
                "online": false, "bootMACAddress": mac,
                "bmc": {"address": format!("redfish://192.0.2.{number}/redfish/v1/Systems/1"), "credentialsName": "bmc"},
            },
        });
        self.hosts.create(&PostParams::default(), &serde_json::from_value(host)?).await?;
        let nic =
            json!({"name": "eth0", "mac": mac, "ip": format!("192.0.2.{number}"), "model": "virtio", "pxe": true});
        let hardware = json!({
            "hostname": name, "nics": [nic], "ramMebibytes": 4096, "storage": [], "systemVendor": {}, "firmware": {},
            "cpu": {"arch": "x86_64", "model": "played", "count": 2, "clockMegahertz": 2000, "flags": []},
        });
        self.report(name, "available", false, json!({"hardware": hardware})).await
    }

    /// Plays until an error; put it beside the story with `tokio::select!`. `workload` answers the workload cluster's
    /// client once that has an API server.
    pub async fn run(&self, workload: impl AsyncFn() -> Option<Client>) -> Result<()> {
        loop {
            for host in self.hosts.list(&ListParams::default()).await? {
                self.play(&host, workload().await.as_ref()).await?;
            }
            tokio::time::sleep(ROUND).await;
        }
    }

    async fn play(&self, host: &DynamicObject, workload: Option<&Client>) -> Result<()> {
        let name = host.metadata.name.as_deref().unwrap_or_default();
        let annotation = |key: &str| host.metadata.annotations.as_ref().and_then(|all| all.get(key));
        if annotation(annotation::HOST_PAUSED).is_some() {
            return Ok(());
        }
        if let Some(status) = annotation(annotation::HOST_STATUS) {
            return self.restore(host, name, status).await;
        }
        let wanted = host.data["spec"]["image"].is_object() && host.data["spec"]["online"] == true;
        let state = host.data["status"]["provisioning"]["state"].as_str().unwrap_or_default();
        let image = &host.data["spec"]["image"];
        match (wanted, state) {
            (true, "available") => {
                self.report(name, "provisioned", true, json!({"provisioning": {"image": image}})).await
            }
            (false, "provisioned") if image.is_null() => {
                self.report(name, "available", false, json!({"provisioning": {"image": null}})).await
            }
            (true, "provisioned") if host.data["status"]["poweredOn"] == kept_off(host) => {
                let power = Patch::Merge(json!({"status": {"poweredOn": !kept_off(host)}}));
                self.hosts.patch_status(name, &PatchParams::default(), &power).await?;
                Ok(())
            }
            (true, "provisioned") => match workload {
                Some(workload) => self.boot(host, name, workload).await,
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// A host that came from another cluster: its state is in the annotation.
    async fn restore(&self, host: &DynamicObject, name: &str, status: &str) -> Result<()> {
        if host.data["status"]["provisioning"]["state"].is_null() {
            let status: Value = serde_json::from_str(status)?;
            let patch = Patch::Merge(json!({"status": status}));
            self.hosts.patch_status(name, &PatchParams::default(), &patch).await?;
        }
        let patch = Patch::Merge(json!({"metadata": {"annotations": {annotation::HOST_STATUS: null}}}));
        self.hosts.patch(name, &PatchParams::default(), &patch).await?;
        Ok(())
    }

    /// What the machine itself would do: kubeadm and the kubelet, with the names from its config drive.
    async fn boot(&self, host: &DynamicObject, name: &str, workload: &Client) -> Result<()> {
        let nodes: Api<Node> = Api::all(workload.clone());
        if nodes.get_opt(name).await?.is_some() {
            return Ok(());
        }
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), &self.namespace);
        let meta = host.data["spec"]["metaData"]["name"].as_str().context("a provisioned host without meta data")?;
        let meta = secrets.get(meta).await?.data.unwrap_or_default().remove("metaData").context("no key metaData")?;
        let meta: Value = serde_saphyr::from_str(&String::from_utf8(meta.0)?)?;
        let id = meta["providerid"].as_str().context("meta data without providerid")?;
        let uid = host.metadata.uid.as_deref().unwrap_or_default();
        let mut labels = vec![("metal3.io/uuid", uid)];
        if self.is_control_plane(host).await? {
            labels.push(workload::CONTROL_PLANE);
        }
        workload::post_node(workload, name, Some(&format!("metal3://{id}")), &labels).await?;
        Ok(())
    }

    async fn is_control_plane(&self, host: &DynamicObject) -> Result<bool> {
        let kind = GroupVersionKind::gvk("infrastructure.cluster.x-k8s.io", "v1beta2", "Metal3Machine");
        let resource = ApiResource::from_gvk_with_plural(&kind, "metal3machines");
        let machines: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &self.namespace, &resource);
        let Some(consumer) = host.data["spec"]["consumerRef"]["name"].as_str() else { return Ok(false) };
        let labels = machines.get(consumer).await?.metadata.labels.unwrap_or_default();
        Ok(labels.contains_key("cluster.x-k8s.io/control-plane"))
    }

    async fn report(&self, name: &str, state: &str, on: bool, more: Value) -> Result<()> {
        let mut status = json!({
            "errorCount": 0, "errorMessage": "", "operationalStatus": "OK", "poweredOn": on,
            "provisioningFailCount": 0, "provisioning": {"state": state, "ID": format!("node-of-{name}")},
        });
        for (field, value) in more.as_object().into_iter().flatten() {
            match (status[field].as_object_mut(), value.as_object()) {
                (Some(there), Some(value)) => there.extend(value.clone()),
                _ => status[field] = value.clone(),
            }
        }
        let patch = Patch::Merge(json!({"status": status}));
        self.hosts.patch_status(name, &PatchParams::default(), &patch).await?;
        Ok(())
    }
}

/// Whether somebody's annotation asks for the machine to be off.
fn kept_off(host: &DynamicObject) -> bool {
    host.metadata.annotations.iter().flatten().any(|(key, _)| key.starts_with(annotation::REBOOT_PREFIX))
}
