//! Enrolment: a Secret and a BareMetalHost per machine, as an operator would write them.

use anyhow::Result;
use kube::Client;
use serde_json::{Value, json};

use crate::level_m::MachineEntry;
use crate::manifests;

/// Label by which a cluster selects its hosts: machines differ in memory.
pub const ROLE: &str = "bench.metal3.io/role";

/// What the machine at a place of the fleet is for: the first one has the memory of a control plane.
pub fn role(place: usize) -> &'static str {
    if place == 0 { "control-plane" } else { "worker" }
}

/// The manifests of one machine. It is enrolled powered off and stays so until a cluster claims it.
pub fn manifests(machine: &MachineEntry, role: &str) -> [Value; 2] {
    let secret = format!("{}-bmc", machine.name);
    [
        json!({
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": {"name": secret},
            "stringData": {"username": machine.username, "password": machine.password},
        }),
        json!({
            "apiVersion": "metal3.io/v1alpha1", "kind": "BareMetalHost",
            "metadata": {"name": machine.name, "labels": {ROLE: role}},
            "spec": {
                "online": false,
                "bootMACAddress": machine.mac,
                "bootMode": machine.boot_mode,
                "bmc": {"address": machine.bmc_address, "credentialsName": secret, "disableCertificateVerification": true},
                "rootDeviceHints": {"deviceName": "/dev/vda"},
            },
        }),
    ]
}

/// Enrols one machine in a namespace.
pub async fn enrol(client: &Client, namespace: &str, machine: &MachineEntry, role: &str) -> Result<()> {
    manifests::apply(client, namespace, &manifests(machine, role)).await?;
    Ok(())
}
