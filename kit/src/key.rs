//! Names of objects: the queue's [`Key`] and the address of a write, [`Target`].

use std::fmt;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::core::{ApiResource, Resource};

/// Namespace and name of an object; the namespace is empty for cluster-scoped kinds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Namespace, empty when cluster-scoped.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl Key {
    /// A key from its parts.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
    /// The key of an object.
    pub fn of<K: Resource>(object: &K) -> Self {
        let meta = object.meta();
        Self::new(meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default())
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() { f.write_str(&self.name) } else { write!(f, "{}/{}", self.namespace, self.name) }
    }
}

/// The object a write is aimed at, with its preconditions.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// Group, version, kind and plural.
    pub resource: ApiResource,
    /// Namespace and name.
    pub key: Key,
    /// Precondition: the write fails with a conflict when the object's uid differs. `None` only for creations.
    pub uid: Option<String>,
    /// Precondition: the object has not changed since. Set it where two writers can race.
    pub resource_version: Option<String>,
}

impl Target {
    /// The target of an existing object, guarded by its uid.
    pub fn of<K: Resource<DynamicType = ()>>(object: &K) -> Self {
        Self {
            resource: ApiResource::erase::<K>(&()),
            key: Key::of(object),
            uid: object.meta().uid.clone(),
            resource_version: None,
        }
    }
    /// The target of an object to create.
    pub fn new<K: Resource<DynamicType = ()>>(key: Key) -> Self {
        Self { resource: ApiResource::erase::<K>(&()), key, uid: None, resource_version: None }
    }
    /// The target of an existing object, guarded by its uid and its resourceVersion.
    pub fn exact<K: Resource<DynamicType = ()>>(object: &K) -> Self {
        Self { resource_version: object.meta().resource_version.clone(), ..Self::of(object) }
    }
    /// A reference for events and owner links.
    pub fn reference(&self) -> ObjectReference {
        ObjectReference {
            api_version: Some(self.resource.api_version.clone()),
            kind: Some(self.resource.kind.clone()),
            namespace: Some(self.key.namespace.clone()).filter(|n| !n.is_empty()),
            name: Some(self.key.name.clone()),
            uid: self.uid.clone(),
            ..ObjectReference::default()
        }
    }
}
