//! Builders for tests: the objects of machine `m` on host `h` with index 2 of template `t`, all in namespace `ns`.
#![allow(clippy::needless_pass_by_value)] // Tests read best with values.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::capi::{Cluster, Machine};
use api::infra::v1beta2::{Metal3Data, Metal3DataClaim, Metal3DataTemplate, Metal3Machine};
use api::ipam::{IPAddress, IPClaim};
use api::metal3::BareMetalHost;
use jiff::Timestamp;
use kit::Kind;
use kit::pass::{Key, Write};
use serde_json::{Value, json};

use super::pools::{Lease, Leases, Pool};
use super::subject::Subject;
use super::view::{ClaimView, DataView, SecretSeen, TemplateView};

/// A moment.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

/// An object from JSON; kind, version, namespace, name and uid (`uid-<name>`) are filled in.
pub(crate) fn object<K: Kind>(name: &str, body: Value) -> K {
    let mut body = body;
    body["apiVersion"] = json!(K::api_version(&()));
    body["kind"] = json!(K::kind(&()));
    body["metadata"]["name"] = json!(name);
    body["metadata"]["namespace"] = json!("ns");
    body["metadata"]["uid"] = json!(format!("uid-{name}"));
    body["metadata"]["resourceVersion"] = json!("1");
    if body.get("spec").is_none() {
        body["spec"] = json!({});
    }
    serde_json::from_value(body).unwrap()
}

/// Marks an object as being deleted.
pub(crate) fn deleting<K: Kind>(mut object: K) -> K {
    object.meta_mut().deletion_timestamp = Some(now().into());
    object
}

/// An owner reference of the infrastructure group to the object of this name.
pub(crate) fn owner(kind: &str, name: &str) -> Value {
    let version = "infrastructure.cluster.x-k8s.io/v1beta2";
    json!({"apiVersion": version, "kind": kind, "name": name, "uid": format!("uid-{name}")})
}

pub(crate) fn machine() -> Machine {
    object(
        "machine",
        json!({
            "metadata": {"labels": {"zone": "z1"}, "annotations": {"pool": "annotated", "mac": "12:34:56:78:9A:BC"}},
            "spec": {"clusterName": "c", "bootstrap": {}, "infrastructureRef": {"kind": "Metal3Machine", "name": "m"}}
        }),
    )
}

pub(crate) fn metal3_machine() -> Metal3Machine {
    object(
        "m",
        json!({
            "metadata": {"labels": {"tier": "gold"}, "annotations": {"metal3.io/BareMetalHost": "ns/h"}},
            "spec": {"dataTemplate": {"name": "t"}}
        }),
    )
}

pub(crate) fn host() -> BareMetalHost {
    object(
        "h",
        json!({
            "metadata": {"labels": {"rack": "r7"}, "annotations": {"bad": "no mac", "empty": ""}},
            "spec": {"online": true, "bootMACAddress": "00:00:00:00:00:01"},
            "status": {
                "operationalStatus": "OK", "errorCount": 0, "errorMessage": "", "poweredOn": true,
                "provisioning": {"state": "available", "ID": ""},
                "hardware": {"nics": [
                    {"name": "eth0", "mac": "00:00:00:00:00:0a"}, {"name": "eth1", "mac": "00:00:00:00:00:0b"}
                ]}
            }
        }),
    )
}

/// The index.
pub(crate) fn data() -> Metal3Data {
    object(
        "t-2",
        json!({
            "metadata": {
                "labels": {"cluster.x-k8s.io/cluster-name": "c"},
                "finalizers": [
                    "metal3dataclaim.infrastructure.cluster.x-k8s.io", "metal3data.infrastructure.cluster.x-k8s.io"
                ],
                "ownerReferences": [owner("Metal3DataClaim", "m"), owner("Metal3Machine", "m")]
            },
            "spec": {"index": 2, "template": {"name": "t", "namespace": "ns"}, "claim": {"name": "m", "namespace": "ns"}}
        }),
    )
}

/// The claim of machine `m`.
pub(crate) fn claim(name: &str) -> Metal3DataClaim {
    object(
        name,
        json!({
            "metadata": {
                "labels": {"cluster.x-k8s.io/cluster-name": "c"},
                "finalizers": ["metal3machine.infrastructure.cluster.x-k8s.io"],
                "ownerReferences": [owner("Metal3Machine", name)]
            },
            "spec": {"template": {"name": "t", "namespace": "ns"}}
        }),
    )
}

/// A template with the finalizer of its controller.
pub(crate) fn template(spec: &Value) -> Metal3DataTemplate {
    let finalizers = json!(["metal3datatemplate.infrastructure.cluster.x-k8s.io"]);
    object("t", json!({"metadata": {"finalizers": finalizers}, "spec": spec}))
}

pub(crate) fn cluster() -> Cluster {
    object("c", json!({}))
}

/// Calls `test` with the subject of all of them.
pub(crate) fn with_subject<T>(test: impl FnOnce(&Subject<'_>) -> T) -> T {
    let (data, machine, metal3_machine, host) = (data(), machine(), metal3_machine(), host());
    test(&Subject { data: &data, machine: &machine, metal3_machine: &metal3_machine, host: &host })
}

/// What Metal3 pools gave: `p4` and `annotated` IPv4, `p6` IPv6, `bare` only an address; `other` is of another kind.
pub(crate) fn leases() -> Leases {
    let lease = |address: &str, prefix, gateway: &str, dns: &[&str]| Lease {
        address: address.to_owned(),
        prefix: Some(prefix),
        gateway: Some(gateway.to_owned()),
        dns: dns.iter().map(|dns| (*dns).to_owned()).collect(),
    };
    [
        (Pool::metal3("p4"), lease("192.168.0.14", 24, "192.168.0.1", &["8.8.4.4", "1.1.1.1"])),
        (Pool::metal3("annotated"), lease("10.0.0.5", 16, "10.0.0.1", &[])),
        (Pool::metal3("p6"), lease("2001:db8::14", 64, "2001:db8::1", &["2001:db8::53"])),
        (Pool::metal3("bare"), Lease { address: "172.16.0.9".to_owned(), ..Lease::default() }),
        (Pool::new("other", Some("InClusterIPPool"), Some("ipam.x")), lease("10.9.0.2", 20, "10.9.0.1", &[])),
    ]
    .into()
}

/// The view of the index with everything but addresses and Secrets.
pub(crate) fn data_view(template_spec: &Value) -> DataView {
    DataView {
        data: Arc::new(data()),
        cluster: Some(Arc::new(cluster())),
        claim: Some(Arc::new(claim("m"))),
        template: Some(Arc::new(template(template_spec))),
        metal3_machine: Some(Arc::new(metal3_machine())),
        machine: Some(Arc::new(machine())),
        host: Some(Arc::new(host())),
        ip_claims: BTreeMap::new(),
        ip_addresses: BTreeMap::new(),
        capi_claims: BTreeMap::new(),
        capi_addresses: BTreeMap::new(),
        secrets: BTreeMap::new(),
        claims_named_after_host: false,
        now: now(),
    }
}

impl DataView {
    /// Adds an IPClaim of the index with this status.
    pub(crate) fn asked(mut self, name: &str, status: Value) -> Self {
        let claim: IPClaim = object(
            name,
            json!({
                "metadata": {
                    "finalizers": ["metal3data.infrastructure.cluster.x-k8s.io", "ipclaim.ipam.metal3.io"],
                    "ownerReferences": [owner("Metal3Data", "t-2")]
                },
                "spec": {"pool": {"name": "p"}}, "status": status
            }),
        );
        self.ip_claims.insert(name.to_owned(), Arc::new(claim));
        self
    }
    /// Adds an IPClaim of the index with an address.
    pub(crate) fn answered(self, name: &str, address: &str) -> Self {
        let mut view = self.asked(name, json!({"address": {"name": format!("a-{name}")}}));
        let object_name = format!("a-{name}");
        let spec = json!({"claim": {}, "pool": {}, "address": address, "prefix": 24, "gateway": "10.0.0.1"});
        let object: IPAddress = object(&object_name, json!({"spec": spec}));
        view.ip_addresses.insert(object_name, Arc::new(object));
        view
    }
    /// Adds an existing Secret.
    pub(crate) fn secret(mut self, name: &str, deleting: bool) -> Self {
        self.secrets.insert(name.to_owned(), SecretSeen { deleting });
        self
    }
}

/// The view of template `t` with these claims and indexes.
pub(crate) fn template_view(
    template: Option<Metal3DataTemplate>,
    claims: Vec<Metal3DataClaim>,
    datas: Vec<Metal3Data>,
) -> TemplateView {
    let seen = |claim| ClaimView { claim: Arc::new(claim), cluster: Some(Arc::new(cluster())), machine_exists: true };
    TemplateView {
        key: Key::new("ns", "t"),
        template: template.map(Arc::new),
        claims: claims.into_iter().map(seen).collect(),
        datas: datas.into_iter().map(Arc::new).collect(),
        now: now(),
    }
}

/// Writes in short: verb, kind, name, and the finalizers of a patch.
pub(crate) fn brief(writes: &[Write]) -> Vec<String> {
    let one = |write: &Write| {
        let target = write.target();
        let object = format!("{} {}", target.resource.kind, target.key.name);
        match write {
            Write::Create { .. } => format!("create {object}"),
            Write::Delete { .. } => format!("delete {object}"),
            Write::Status { body, .. } => format!("status {object} {}", body["status"]),
            Write::Patch { body, .. } => match body.pointer("/metadata/finalizers") {
                Some(names) => {
                    let short = names.as_array().into_iter().flatten().filter_map(Value::as_str);
                    let short: Vec<&str> = short.filter_map(|name| name.split('.').next()).collect();
                    format!("patch {object} finalizers={}", short.join(","))
                }
                None => format!("patch {object} {body}"),
            },
        }
    };
    writes.iter().map(one).collect()
}
