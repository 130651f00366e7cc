//! The Secrets of an index: names, content, creation. Pure. A Secret is never changed once it exists.

use std::collections::BTreeMap;

use api::infra::v1beta2::{Metal3Data, Metal3DataTemplate, Metal3Machine};
use api::meta::SecretReference;
use api::names::{label, secret};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kit::pass::Write;
use kit::{diff, owners};
use kube::core::ObjectMeta;
use serde_json::json;

use super::pools::Leases;
use super::subject::{RenderError, Subject};
use super::{render_metadata, render_network, text};

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Meta data.
    Meta,
    /// Network data.
    Network,
}

impl Part {
    fn key(self) -> &'static str {
        match self {
            Self::Meta => secret::META_DATA,
            Self::Network => secret::NETWORK_DATA,
        }
    }
}

/// Names of the Secrets that the template wants for this machine.
pub fn wanted(template: &Metal3DataTemplate, data: &Metal3Data, machine: &str) -> BTreeMap<Part, String> {
    let named = |reference: Option<&SecretReference>, default: String| {
        reference.and_then(|reference| reference.name.clone()).unwrap_or(default)
    };
    let meta = template
        .spec
        .meta_data
        .is_some()
        .then(|| (Part::Meta, named(data.spec.meta_data.as_ref(), secret::meta_data_name(machine))));
    let network = template
        .spec
        .network_data
        .is_some()
        .then(|| (Part::Network, named(data.spec.network_data.as_ref(), secret::network_data_name(machine))));
    meta.into_iter().chain(network).collect()
}

/// The index with references to its Secrets.
pub fn referring(data: &Metal3Data, wanted: &BTreeMap<Part, String>) -> Metal3Data {
    let mut data = data.clone();
    let namespace = data.metadata.namespace.clone();
    let reference = |name: &String| Some(SecretReference { name: Some(name.clone()), namespace: namespace.clone() });
    for (part, name) in wanted {
        let field = match part {
            Part::Meta => &mut data.spec.meta_data,
            Part::Network => &mut data.spec.network_data,
        };
        if field.as_ref().and_then(|field| field.name.as_ref()) != Some(name) {
            *field = reference(name);
        }
    }
    data
}

/// The creation of a Secret.
pub fn create(
    part: Part,
    name: &str,
    template: &Metal3DataTemplate,
    subject: &Subject<'_>,
    leases: &Leases,
) -> Result<Write, RenderError> {
    let content = match part {
        Part::Meta => {
            let sources = template.spec.meta_data.clone().unwrap_or_default();
            text::yaml(&json!(render_metadata::render(&sources, subject, leases)?))
        }
        Part::Network => {
            let sources = template.spec.network_data.clone().unwrap_or_default();
            text::yaml(&render_network::render(&sources, subject, leases)?)
        }
    };
    let mut owner = owners::owner_reference(subject.data, true);
    owner.block_owner_deletion = None;
    Ok(diff::create(&Secret {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(subject.namespace().to_owned()),
            labels: Some([(label::CLUSTER_NAME.to_owned(), subject.machine.spec.cluster_name.clone())].into()),
            owner_references: Some(vec![owner]),
            ..ObjectMeta::default()
        },
        type_: Some(secret::DATA_TYPE.to_owned()),
        data: Some([(part.key().to_owned(), ByteString(content.into_bytes()))].into()),
        ..Secret::default()
    }))
}

/// Name of the machine that an index or claim belongs to.
pub fn machine_of(meta: &ObjectMeta) -> Option<&str> {
    owners::owner_of_kind(meta, api::infra::GROUP, "Metal3Machine").map(|owner| owner.name.as_str())
}

/// Whether the machine still takes its data from this template.
pub fn uses(machine: &Metal3Machine, template: &str) -> bool {
    machine.spec.data_template.as_ref().and_then(|reference| reference.name()) == Some(template)
}
