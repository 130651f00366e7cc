//! Enrolment: a Secret and a BareMetalHost per machine, as an operator would write them.

use anyhow::Result;
use kube::Client;
use serde_json::{Value, json};

use super::site::Machine;
use crate::manifests;

/// Label of every host that a story enrols; the cluster selects its hosts by it.
pub const LABEL: &str = "bench.metal3/fleet";

/// The manifests of one machine. It is enrolled powered off and stays so until a cluster claims it.
pub fn manifests(machine: &Machine) -> [Value; 2] {
    let secret = format!("{}-bmc", machine.name);
    [
        json!({
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": {"name": secret},
            "stringData": {"username": machine.username, "password": machine.password},
        }),
        json!({
            "apiVersion": "metal3.io/v1alpha1", "kind": "BareMetalHost",
            "metadata": {"name": machine.name, "labels": {LABEL: "main"}},
            "spec": {
                "online": false,
                "bootMACAddress": machine.mac,
                "bootMode": machine.boot_mode,
                "bmc": {"address": machine.bmc, "credentialsName": secret, "disableCertificateVerification": true},
                "rootDeviceHints": {"deviceName": "/dev/vda"},
            },
        }),
    ]
}

/// Enrols one machine in a namespace.
pub async fn enrol(client: &Client, namespace: &str, machine: &Machine) -> Result<()> {
    manifests::apply(client, namespace, &manifests(machine)).await?;
    Ok(())
}
