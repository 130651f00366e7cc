//! The kinds that requests are made for, each with a body that has everything.

use serde_json::{Value, json};

/// A kind and what is needed to make requests for it.
#[derive(Debug)]
pub(crate) struct Subject {
    /// `group/version`
    pub(crate) version: &'static str,
    /// Kind.
    pub(crate) name: &'static str,
    /// Plural.
    pub(crate) plural: &'static str,
    /// Whether it has a status of its own.
    pub(crate) status: bool,
    /// Whether it comes from a CRD; built-in kinds get valid bodies only, since their types are not simulated.
    pub(crate) custom: bool,
    /// Whether unknown members may be sent: where the simulation knows only a part of the schema they may not.
    pub(crate) whole: bool,
    body: fn() -> Value,
}

/// All of them.
pub(crate) const KINDS: [Subject; 8] = [
    Subject { status: true, ..custom("ipam.metal3.io/v1alpha1", "IPPool", "ippools", pool) },
    Subject { status: true, ..custom("ipam.metal3.io/v1alpha1", "IPClaim", "ipclaims", claim) },
    custom("ipam.metal3.io/v1alpha1", "IPAddress", "ipaddresses", address),
    Subject {
        status: true,
        ..custom("ipam.cluster.x-k8s.io/v1beta2", "IPAddressClaim", "ipaddressclaims", capi_claim)
    },
    custom("ipam.cluster.x-k8s.io/v1beta2", "IPAddress", "ipaddresses", capi_address),
    Subject { status: true, whole: false, ..custom("cluster.x-k8s.io/v1beta2", "Cluster", "clusters", cluster) },
    builtin("v1", "Secret", "secrets", secret),
    builtin("coordination.k8s.io/v1", "Lease", "leases", lease),
];

const fn custom(version: &'static str, kind: &'static str, plural: &'static str, body: fn() -> Value) -> Subject {
    Subject { version, name: kind, plural, status: false, custom: true, whole: true, body }
}

const fn builtin(version: &'static str, kind: &'static str, plural: &'static str, body: fn() -> Value) -> Subject {
    Subject { custom: false, ..custom(version, kind, plural, body) }
}

impl Subject {
    /// A valid object without metadata, with status where the kind has one.
    pub(crate) fn body(&self) -> Value {
        let mut body = (self.body)();
        body["apiVersion"] = json!(self.version);
        body["kind"] = json!(self.name);
        body
    }

    /// The path of the kind in a namespace.
    pub(crate) fn path(&self, namespace: &str) -> String {
        let root = if self.version.contains('/') { "apis" } else { "api" };
        format!("/{root}/{}/namespaces/{namespace}/{}", self.version, self.plural)
    }
}

fn conditions() -> Value {
    json!([
        { "type": "Ready", "status": "True", "reason": "Fine", "message": "", "observedGeneration": 1,
            "lastTransitionTime": "2026-01-01T00:00:00Z" },
        { "type": "x.io/Other", "status": "False", "reason": "Not_yet", "message": "m",
            "lastTransitionTime": "2026-01-01T00:00:00Z" },
    ])
}

fn pool() -> Value {
    json!({
        "spec": {
            "clusterName": "c", "namePrefix": "net", "prefix": 24, "gateway": "192.0.2.1",
            "dnsServers": ["192.0.2.2", "2001:db8::2"], "preAllocations": { "fixed": "192.0.2.12" },
            "pools": [{ "start": "192.0.2.10", "end": "192.0.2.20", "prefix": 25 }, { "subnet": "2001:db8::/64" }],
        },
        "status": {
            "lastUpdated": "2026-01-01T00:00:00Z", "indexes": { "a": "192.0.2.10", "b": "192.0.2.11" },
            "conditions": conditions(),
        },
    })
}

fn claim() -> Value {
    json!({
        "spec": { "pool": { "name": "anchor", "namespace": "n", "kind": "IPPool" } },
        "status": { "address": { "name": "net-192-0-2-10" }, "errorMessage": "none" },
    })
}

fn address() -> Value {
    json!({
        "spec": {
            "claim": { "name": "a" }, "pool": { "name": "anchor" }, "prefix": 24, "gateway": "192.0.2.1",
            "address": "192.0.2.10", "dnsServers": ["192.0.2.2"],
        },
    })
}

fn capi_pool_ref() -> Value {
    json!({ "name": "anchor", "kind": "IPPool", "apiGroup": "ipam.metal3.io" })
}

fn capi_claim() -> Value {
    json!({
        "spec": { "clusterName": "c", "poolRef": capi_pool_ref() },
        "status": { "addressRef": { "name": "net-192-0-2-10" }, "conditions": conditions(), "deprecated": {
            "v1beta1": { "conditions": [{ "type": "Ready", "status": "True",
                "lastTransitionTime": "2026-01-01T00:00:00Z" }] },
        } },
    })
}

fn capi_address() -> Value {
    json!({
        "spec": {
            "claimRef": { "name": "a" }, "poolRef": capi_pool_ref(), "address": "192.0.2.10", "prefix": 24,
            "gateway": "192.0.2.1",
        },
    })
}

fn cluster() -> Value {
    json!({
        "spec": {
            "paused": true, "controlPlaneEndpoint": { "host": "192.0.2.5", "port": 6443 },
            "infrastructureRef": { "apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "Metal3Cluster", "name": "c" },
        },
        "status": {
            "phase": "Provisioned", "conditions": conditions(),
            "initialization": { "infrastructureProvisioned": true, "controlPlaneInitialized": false },
        },
    })
}

fn secret() -> Value {
    json!({ "data": { "k": "dg==" }, "type": "Opaque" })
}

fn lease() -> Value {
    json!({ "spec": { "holderIdentity": "me", "leaseDurationSeconds": 15, "leaseTransitions": 1 } })
}
