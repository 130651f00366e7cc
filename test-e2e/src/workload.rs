//! The control plane of a workload cluster as local processes, made from the authorities that Cluster API generated.
//!
//! Cluster API then finds what it expects behind the cluster's endpoint, kubeadm can join real machines, and no
//! machine is spent on a control plane. Nodes without a machine can be posted too, for stories in which nothing boots.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::{Node, Secret};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::json;

use crate::bench::Bench;
use crate::command::Cmd;
use crate::level_a::{self, ControlPlane, Options};
use crate::pki::Given;
use crate::versions::KUBERNETES;
use crate::wait::until;

/// Cluster API generates the authorities once the cluster's endpoint is known.
const SECRETS: Duration = Duration::from_mins(3);

/// Name of the authority in Cluster API's certificates.
const CA_NAME: &str = "kubernetes";

/// Starts the API server of a workload cluster at the address and port of `options` (which must be the cluster's
/// control plane endpoint), and prepares it for kubeadm joins.
pub async fn start(
    bench: &Bench,
    management: &ControlPlane,
    namespace: &str,
    cluster: &str,
    options: Options,
) -> Result<ControlPlane> {
    let given = authorities(&management.client().await?, namespace, cluster).await?;
    let plane = level_a::start(bench, Options { given: Some(given), ..options }).await?;
    joinable(&plane).await?;
    Ok(plane)
}

async fn authorities(client: &Client, namespace: &str, cluster: &str) -> Result<Given> {
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let read = async |name: &str, key: &str| {
        let name = format!("{cluster}-{name}");
        let secret = until(&format!("secret {name}"), SECRETS, async || Ok(secrets.get_opt(&name).await?)).await?;
        let value = secret.data.unwrap_or_default().remove(key);
        let value = value.with_context(|| format!("secret {name} has no {key}"))?;
        anyhow::Ok(String::from_utf8(value.0)?)
    };
    Ok(Given {
        ca_certificate: read("ca", "tls.crt").await?,
        ca_key: read("ca", "tls.key").await?,
        ca_name: CA_NAME.to_owned(),
        account_public: read("sa", "tls.crt").await?,
        account_private: read("sa", "tls.key").await?,
        front_proxy: read("proxy", "tls.crt").await?,
    })
}

/// What `kubeadm init` would leave in the cluster for those who join: its configuration, the kubelet's, the cluster's
/// address and the rights of bootstrap tokens. The tokens themselves come from Cluster API's bootstrap provider.
async fn joinable(plane: &ControlPlane) -> Result<()> {
    let endpoint = plane.server().trim_start_matches("https://").to_owned();
    let port = endpoint.rsplit_once(':').map_or("6443", |(_, port)| port).parse::<u16>()?;
    // kubeadm wants an address that is not loopback and otherwise looks for a default route, which an isolated
    // namespace has not. Nothing of it is uploaded, so a documentation address serves as well.
    let advertised = if plane.address().is_loopback() { IpAddr::from([192, 0, 2, 1]) } else { plane.address() };
    let documents = [
        json!({
            "apiVersion": "kubeadm.k8s.io/v1beta4", "kind": "InitConfiguration",
            "localAPIEndpoint": {"advertiseAddress": advertised, "bindPort": port},
        }),
        json!({
            "apiVersion": "kubeadm.k8s.io/v1beta4", "kind": "ClusterConfiguration",
            "kubernetesVersion": KUBERNETES, "controlPlaneEndpoint": endpoint,
        }),
        json!({
            "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
            "cgroupDriver": "systemd", "clusterDomain": "cluster.local", "clusterDNS": ["10.96.0.10"],
            "authentication": {
                "anonymous": {"enabled": false}, "webhook": {"enabled": true},
                "x509": {"clientCAFile": "/etc/kubernetes/pki/ca.crt"},
            },
            "authorization": {"mode": "Webhook"},
        }),
    ];
    let texts: Vec<String> = documents.iter().map(serde_saphyr::to_string).collect::<Result<_, _>>()?;
    let file = plane.dir().join("kubeadm.yaml");
    std::fs::write(&file, texts.join("---\n"))?;
    for phase in [&["upload-config", "all"][..], &["bootstrap-token"]] {
        let kubeadm = Cmd::new(plane.binaries().join("kubeadm")).args(["init", "phase"]).args(phase);
        kubeadm.arg("--config").arg(&file).arg("--kubeconfig").arg(plane.kubeconfig()).run().await?;
    }
    Ok(())
}

/// Label of control plane Nodes.
pub const CONTROL_PLANE: (&str, &str) = ("node-role.kubernetes.io/control-plane", "");

/// Posts a Node that looks as if a healthy kubelet stood behind it. Use it with [`Options::heartbeats`] off.
pub async fn post_node(
    client: &Client,
    name: &str,
    provider_id: Option<&str>,
    labels: &[(&str, &str)],
) -> Result<Node> {
    let nodes: Api<Node> = Api::all(client.clone());
    let labels: BTreeMap<&str, &str> = labels.iter().copied().collect();
    let node = json!({"metadata": {"name": name, "labels": labels}, "spec": {"providerID": provider_id}});
    nodes.create(&PostParams::default(), &serde_json::from_value(node)?).await?;
    let condition =
        |kind: &str, status: &str| json!({"type": kind, "status": status, "reason": "Posted", "message": ""});
    let status = json!({"status": {
        // Cluster API calls a machine healthy only when the three pressures are known too.
        "conditions": [
            condition("Ready", "True"), condition("MemoryPressure", "False"),
            condition("DiskPressure", "False"), condition("PIDPressure", "False"),
        ],
        "nodeInfo": {
            "machineID": name, "systemUUID": name, "bootID": name, "kernelVersion": "6", "osImage": "posted",
            "containerRuntimeVersion": "containerd://2", "kubeletVersion": KUBERNETES, "kubeProxyVersion": "",
            "operatingSystem": "linux", "architecture": "amd64",
        },
    }});
    Ok(nodes.patch_status(name, &PatchParams::default(), &Patch::Strategic(status)).await?)
}
