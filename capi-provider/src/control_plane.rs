//! Control planes of any kind: read from where the owner references of their machines point to.

use std::time::Duration;

use api::capi::{ControlPlaneView, Machine};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kit::client::Io;
use kit::owners;
use kit::pass::{Class, Fault};
use kube::Api;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};

/// The API server gets this long to answer.
const LIMIT: Duration = Duration::from_secs(10);

/// The control plane that a machine belongs to.
pub fn owner(machine: &Machine) -> Option<&OwnerReference> {
    let references = machine.metadata.owner_references.iter().flatten();
    references.into_iter().find(|owner| owners::group(&owner.api_version) == api::capi::CONTROL_PLANE_GROUP)
}

/// What this project knows of a control plane; `None` when it does not exist.
pub async fn read(io: &Io, namespace: &str, owner: &OwnerReference) -> Result<Option<ControlPlaneView>, Fault> {
    let version = owner.api_version.split_once('/').map_or("v1beta2", |(_, version)| version);
    let kind = GroupVersionKind::gvk(api::capi::CONTROL_PLANE_GROUP, version, &owner.kind);
    let resource = ApiResource::from_gvk(&kind);
    let api: Api<DynamicObject> = Api::namespaced_with(io.client(), namespace, &resource);
    let what = format!("get {} {namespace}/{}", owner.kind, owner.name);
    match tokio::time::timeout(LIMIT, api.get_opt(&owner.name)).await {
        Ok(Ok(found)) => Ok(found.map(|object| ControlPlaneView::from(&object.data))),
        Ok(Err(error)) => Err(kit::fault::of_error(&what, &error)),
        Err(_) => Err(Fault::new(Class::Backoff, kit::fault::TIMEOUT, format!("{what}: no answer"))),
    }
}
