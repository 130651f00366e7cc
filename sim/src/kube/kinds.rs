//! Which kinds a server serves: ours by their CRDs, Cluster API's by [`super::cluster_api`], built-in ones without
//! schema. Reading schemas takes a while: make a list of kinds once and clone it, the schemas are shared.

use std::fmt;
use std::sync::Arc;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

use super::schema::Schema;

/// Group and kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KindName {
    /// API group; empty for core.
    pub group: String,
    /// Kind, e.g. `IPPool`.
    pub kind: String,
}

impl KindName {
    /// From its parts.
    pub fn new(group: impl Into<String>, kind: impl Into<String>) -> Self {
        Self { group: group.into(), kind: kind.into() }
    }

    /// Of a type.
    pub fn of<K: kube::Resource<DynamicType = ()>>() -> Self {
        Self::new(K::group(&()), K::kind(&()))
    }

    /// `plural.group`, as messages name a kind.
    pub(crate) fn resource(&self, plural: &str) -> String {
        if self.group.is_empty() { plural.to_owned() } else { format!("{plural}.{}", self.group) }
    }
}

impl fmt::Display for KindName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.group.is_empty() { f.write_str(&self.kind) } else { write!(f, "{}.{}", self.kind, self.group) }
    }
}

/// One served version of a kind.
#[derive(Debug, Clone)]
pub struct Version {
    /// E.g. `v1beta2`.
    pub name: String,
    /// Structural schema as in a CRD; without one everything is kept and nothing is checked.
    pub schema: Option<Arc<Schema>>,
    /// Whether status is written apart from the rest.
    pub status: bool,
}

/// A kind that the server serves.
#[derive(Debug, Clone)]
pub struct Kind {
    /// Group and kind.
    pub name: KindName,
    /// Plural in paths, e.g. `ippools`.
    pub plural: String,
    /// Versions; objects are stored as they came and shown in the version of the request.
    pub versions: Vec<Version>,
    /// Whether objects are in namespaces.
    pub namespaced: bool,
    /// Whether it comes from a CRD; built-in kinds have no generation.
    pub custom: bool,
}

impl Kind {
    /// A built-in kind without schema.
    pub fn builtin(group: &str, version: &str, plural: &str, kind: &str, namespaced: bool) -> Self {
        let version = Version { name: version.to_owned(), schema: None, status: false };
        Self {
            name: KindName::new(group, kind),
            plural: plural.to_owned(),
            versions: vec![version],
            namespaced,
            custom: false,
        }
    }

    /// A kind of one version with a schema and a status of its own.
    pub fn custom(group: &str, version: &str, plural: &str, kind: &str, schema: &serde_json::Value) -> Self {
        let schema = Some(Arc::new(Schema::parse(schema)));
        let status = schema.as_ref().is_some_and(|schema| schema.status().is_some());
        let version = Version { name: version.to_owned(), schema, status };
        Self { versions: vec![version], custom: true, ..Self::builtin(group, "", plural, kind, true) }
    }

    /// The kind of a CRD. Conversion webhooks are not called: versions differ in their name only.
    pub fn of_crd(crd: &CustomResourceDefinition) -> Self {
        let spec = &crd.spec;
        let versions = spec.versions.iter().filter(|version| version.served).map(|version| Version {
            name: version.name.clone(),
            schema: version.schema.as_ref().and_then(|schema| {
                let schema = serde_json::to_value(schema.open_api_v3_schema.as_ref()?).ok()?;
                Some(Arc::new(Schema::parse(&schema)))
            }),
            status: version.subresources.as_ref().is_some_and(|sub| sub.status.is_some()),
        });
        Self {
            name: KindName::new(&spec.group, &spec.names.kind),
            plural: spec.names.plural.clone(),
            versions: versions.collect(),
            namespaced: spec.scope == "Namespaced",
            custom: true,
        }
    }
}

/// Namespace, Secret, ConfigMap, Event (both groups) and Lease.
pub fn builtin() -> Vec<Kind> {
    vec![
        Kind::builtin("", "v1", "namespaces", "Namespace", false),
        Kind::builtin("", "v1", "secrets", "Secret", true),
        Kind::builtin("", "v1", "configmaps", "ConfigMap", true),
        Kind::builtin("", "v1", "events", "Event", true),
        Kind::builtin("events.k8s.io", "v1", "events", "Event", true),
        Kind::builtin("coordination.k8s.io", "v1", "leases", "Lease", true),
    ]
}

/// What the IP address manager sees: built-in kinds, its own and Cluster API's.
pub fn ipam() -> Vec<Kind> {
    let own = api::ipam::crds();
    [builtin(), own.iter().map(Kind::of_crd).collect(), super::cluster_api::kinds()].concat()
}

/// Every kind of this project.
pub fn own() -> Vec<Kind> {
    api::crds().iter().map(Kind::of_crd).collect()
}

/// Everything: built-in kinds, ours and Cluster API's.
pub fn all() -> Vec<Kind> {
    [builtin(), own(), super::cluster_api::kinds()].concat()
}
