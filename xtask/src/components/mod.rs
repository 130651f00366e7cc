//! The components that `clusterctl init` installs: one YAML file per provider, generated from the types.
//!
//! `provider` says what each component is called on the wire; `objects` builds the Kubernetes objects.

mod objects;
mod provider;
mod rbac;

use api::webhooks::Component;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::Value;

use provider::Provider;

/// File name and objects of each component.
pub(crate) fn all(crds: &[CustomResourceDefinition]) -> anyhow::Result<Vec<(&'static str, Vec<Value>)>> {
    [Component::Infrastructure, Component::Ipam, Component::Bmo]
        .into_iter()
        .map(|component| {
            let provider = Provider::of(component);
            Ok((provider.file, objects::of(&provider, crds)?))
        })
        .collect()
}
