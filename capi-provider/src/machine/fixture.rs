//! Builders for tests of machines: a host, a view, and the effect of a write on an object.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::capi::{
    Bootstrap, Cluster, ClusterInitialization, ClusterStatus, ContractRef, Machine, MachineInitialization,
};
use api::infra::v1beta2::{Image, Metal3Cluster, Metal3Machine};
use api::metal3::{BareMetalHost, BareMetalHostStatus, ProvisioningState};
use api::names::{finalizer, label};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{OwnerReference, Time};
use kit::Kind;
use kit::pass::Write;
use kube::core::ObjectMeta;

use super::view::{Hosts, Nodes, Reuse, Settings, View};

/// Metadata of an object in namespace `ns`; its uid is `uid-` and its name.
pub(crate) fn meta(name: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some("ns".to_owned()),
        uid: Some(format!("uid-{name}")),
        resource_version: Some("1".to_owned()),
        ..ObjectMeta::default()
    }
}

/// A moment.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

/// Marks an object as being deleted.
pub(crate) fn delete<K: Kind>(mut object: K) -> K {
    object.meta_mut().deletion_timestamp = Some(Time(now()));
    object
}

/// Adds a label.
pub(crate) fn labelled<K: Kind>(mut object: K, key: &str, value: &str) -> K {
    object.meta_mut().labels.get_or_insert_default().insert(key.to_owned(), value.to_owned());
    object
}

/// Adds an annotation.
pub(crate) fn annotated<K: Kind>(mut object: K, key: &str, value: &str) -> K {
    object.meta_mut().annotations.get_or_insert_default().insert(key.to_owned(), value.to_owned());
    object
}

/// A host in a state.
pub(crate) fn host(name: &str, state: ProvisioningState) -> BareMetalHost {
    let mut status = BareMetalHostStatus::default();
    status.provisioning.state = state;
    BareMetalHost { metadata: meta(name), status: Some(status), ..BareMetalHost::default() }
}

/// A host that can be taken.
pub(crate) fn available(name: &str) -> BareMetalHost {
    host(name, ProvisioningState::Available)
}

/// A host with a consumer.
pub(crate) fn consumed(mut host: BareMetalHost, group: &str, kind: &str, name: &str) -> BareMetalHost {
    host.spec.consumer_ref = Some(k8s_openapi::api::core::v1::ObjectReference {
        api_version: Some(format!("{group}/v1beta2")),
        kind: Some(kind.to_owned()),
        name: Some(name.to_owned()),
        namespace: Some("ns".to_owned()),
        ..Default::default()
    });
    host
}

/// A host used by the machine `m`.
pub(crate) fn ours(host: BareMetalHost) -> BareMetalHost {
    consumed(host, api::infra::GROUP, "Metal3Machine", "m")
}

/// The machine `m` with finalizer and image.
pub(crate) fn machine() -> Metal3Machine {
    let mut machine = Metal3Machine { metadata: meta("m"), ..Metal3Machine::default() };
    machine.metadata.finalizers = Some(vec![finalizer::METAL3_MACHINE.to_owned()]);
    machine.metadata.generation = Some(1);
    machine.spec.image =
        Some(Image { url: "http://i/x".into(), checksum: Some("http://i/x.sum".into()), ..Image::default() });
    labelled(machine, label::CLUSTER_NAME, "c")
}

/// The Cluster API Machine `o` with bootstrap data `boot`, made by the control plane `kcp`.
pub(crate) fn owner() -> Machine {
    let mut machine = Machine { metadata: meta("o"), ..Machine::default() };
    machine.spec.cluster_name = "c".into();
    machine.spec.bootstrap = Bootstrap {
        config_ref: Some(ContractRef {
            api_group: "bootstrap.cluster.x-k8s.io".into(),
            kind: "KubeadmConfig".into(),
            name: "b".into(),
        }),
        data_secret_name: Some("boot".into()),
    };
    machine.status.get_or_insert_default().initialization =
        Some(MachineInitialization { bootstrap_data_secret_created: Some(true), infrastructure_provisioned: None });
    machine.metadata.owner_references = Some(vec![OwnerReference {
        api_version: "controlplane.cluster.x-k8s.io/v1beta2".into(),
        kind: "KubeadmControlPlane".into(),
        name: "kcp".into(),
        ..OwnerReference::default()
    }]);
    machine
}

/// The Cluster `c` with its infrastructure.
pub(crate) fn cluster() -> Cluster {
    Cluster {
        metadata: meta("c"),
        status: Some(ClusterStatus {
            initialization: Some(ClusterInitialization {
                infrastructure_provisioned: Some(true),
                ..Default::default()
            }),
            ..ClusterStatus::default()
        }),
        ..Cluster::default()
    }
}

/// A view in which everything that is waited for is there, and no host.
pub(crate) fn view() -> View {
    View {
        now: now(),
        settings: Settings::default(),
        machine: Arc::new(machine()),
        owner: Some(Arc::new(owner())),
        cluster: Some(Arc::new(cluster())),
        infra: Some(Arc::new(Metal3Cluster { metadata: meta("c"), ..Metal3Cluster::default() })),
        hosts: Hosts::default(),
        claim: None,
        data: None,
        bmc_secret: None,
        reuse: Reuse { owner: Some("cp-kcp".into()), keep: Ok(false) },
        nodes: Nodes::NotAsked,
    }
}

/// Candidates.
pub(crate) fn free(hosts: impl IntoIterator<Item = BareMetalHost>) -> Hosts {
    Hosts { candidates: hosts.into_iter().map(Arc::new).collect(), ..Hosts::default() }
}

/// The machine's own host.
pub(crate) fn held(host: BareMetalHost) -> Hosts {
    Hosts { ours: vec![Arc::new(host)], ..Hosts::default() }
}

/// Applies a patch to an object, as the API server does (RFC 7386).
pub(crate) fn apply<K: Kind>(object: &K, write: &Write) -> K {
    let (Write::Patch { body, .. } | Write::Status { body, .. }) = write else { panic!("not a patch: {write:?}") };
    let mut value = serde_json::to_value(object).unwrap();
    merge(&mut value, body);
    serde_json::from_value(value).unwrap()
}

fn merge(target: &mut serde_json::Value, patch: &serde_json::Value) {
    let serde_json::Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = serde_json::json!({});
    }
    let map = target.as_object_mut().unwrap();
    for (key, value) in patch {
        if value.is_null() {
            map.remove(key);
        } else {
            merge(map.entry(key.clone()).or_insert(serde_json::Value::Null), value);
        }
    }
}

/// Labels as a map.
pub(crate) fn labels_of<K: Kind>(object: &K) -> BTreeMap<String, String> {
    object.meta().labels.clone().unwrap_or_default()
}
