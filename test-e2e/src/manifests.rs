//! Kubernetes objects as plain values: reading YAML, applying, waiting for kinds to be served.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures::stream::{StreamExt, TryStreamExt};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use kube::discovery::Scope;
use kube::{Api, Client};
use serde_json::Value;

use crate::wait::until;

/// The field manager of everything the bench applies.
pub const MANAGER: &str = "metal3-bench";

/// Requests at a time when many objects are applied.
const AT_ONCE: usize = 8;

/// Every document of a YAML text; empty ones are dropped.
pub fn parse(text: &str) -> Result<Vec<Value>> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text)?;
    Ok(documents.into_iter().filter(|document| !document.is_null()).collect())
}

/// Every document of a YAML file.
pub fn read(path: &Path) -> Result<Vec<Value>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    parse(&text).with_context(|| format!("parsing {}", path.display()))
}

/// Every document of every YAML file of a folder, in the order of the file names.
pub fn read_dir(dir: &Path) -> Result<Vec<Value>> {
    let entries = std::fs::read_dir(dir).with_context(|| format!("listing {}", dir.display()))?;
    let mut files: Vec<_> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    let mut all = Vec::new();
    for file in files {
        all.extend(read(&file)?);
    }
    Ok(all)
}

/// The definitions of our kinds without conversion, for where nobody serves it; each version is then judged by its
/// own schema.
pub fn ours() -> Result<Vec<Value>> {
    let crds = api::crds().into_iter().map(|crd| {
        let mut crd = serde_json::to_value(crd)?;
        if let Some(spec) = crd["spec"].as_object_mut() {
            spec.remove("conversion");
        }
        if let Some(crd) = crd.as_object_mut() {
            crd.remove("status");
        }
        Ok(crd)
    });
    crds.collect()
}

/// Applies the objects (server-side, as [`MANAGER`]), namespaces and definitions first, and waits until every
/// definition among them is served. Objects without a namespace go to `namespace` when their kind has one.
pub async fn apply(client: &Client, namespace: &str, objects: &[Value]) -> Result<Vec<DynamicObject>> {
    let (mut early, mut late) = (Vec::new(), Vec::new());
    for object in objects {
        match object["kind"].as_str() {
            Some("Namespace" | "CustomResourceDefinition") => early.push(object),
            _ => late.push(object),
        }
    }
    let mut done = apply_all(client, namespace, &early).await?;
    let definitions: Vec<String> = early
        .iter()
        .filter(|object| object["kind"] == "CustomResourceDefinition")
        .filter_map(|object| object["metadata"]["name"].as_str().map(str::to_owned))
        .collect();
    established(client, &definitions).await?;
    done.extend(apply_all(client, namespace, &late).await?);
    Ok(done)
}

/// Waits until the API server serves every one of these definitions (names like `machines.cluster.x-k8s.io`).
pub async fn established(client: &Client, names: &[String]) -> Result<()> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    for name in names {
        until(&format!("definition {name} being served"), Duration::from_mins(1), async || {
            let Some(status) = api.get(name).await?.status else { return Ok(None) };
            let conditions = status.conditions.unwrap_or_default();
            Ok(conditions.iter().any(|is| is.type_ == "Established" && is.status == "True").then_some(()))
        })
        .await?;
    }
    Ok(())
}

/// How the API server names the kind of an object, and whether it lives in a namespace.
pub async fn resource(client: &Client, object: &Value) -> Result<(ApiResource, Scope)> {
    let (Some(version), Some(kind)) = (object["apiVersion"].as_str(), object["kind"].as_str()) else {
        bail!("an object without apiVersion or kind: {object}");
    };
    let kind = match version.split_once('/') {
        Some((group, version)) => GroupVersionKind::gvk(group, version, kind),
        None => GroupVersionKind::gvk("", version, kind),
    };
    let (resource, capabilities) =
        kube::discovery::pinned_kind(client, &kind).await.with_context(|| format!("asking for the kind {kind:?}"))?;
    Ok((resource, capabilities.scope))
}

/// The API of one object's kind, in its namespace or in the given one.
pub fn api_of(
    client: &Client,
    namespace: &str,
    object: &Value,
    (resource, scope): &(ApiResource, Scope),
) -> Api<DynamicObject> {
    match scope {
        Scope::Cluster => Api::all_with(client.clone(), resource),
        Scope::Namespaced => {
            let namespace = object["metadata"]["namespace"].as_str().unwrap_or(namespace);
            Api::namespaced_with(client.clone(), namespace, resource)
        }
    }
}

/// Changes objects by JSON merge patches: each patch is an object of the same kind and name, and lists in it replace
/// the whole list. A patch without its object is an error, since it would change nothing unseen.
pub fn overlay(objects: &mut [Value], patches: &[Value]) -> Result<()> {
    for patch in patches {
        let same = |object: &&mut Value| {
            object["kind"] == patch["kind"] && object["metadata"]["name"] == patch["metadata"]["name"]
        };
        let (kind, name) = (&patch["kind"], &patch["metadata"]["name"]);
        let object = objects.iter_mut().find(same).with_context(|| format!("no {kind} {name} to change"))?;
        merge(object, patch);
    }
    Ok(())
}

fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(fields) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    if let Value::Object(target) = target {
        for (name, value) in fields {
            if value.is_null() {
                target.remove(name);
            } else {
                merge(target.entry(name.as_str()).or_insert(Value::Null), value);
            }
        }
    }
}

async fn apply_all(client: &Client, namespace: &str, objects: &[&Value]) -> Result<Vec<DynamicObject>> {
    let mut kinds = BTreeMap::new();
    for object in objects {
        let key = (object["apiVersion"].to_string(), object["kind"].to_string());
        if let std::collections::btree_map::Entry::Vacant(entry) = kinds.entry(key) {
            entry.insert(resource(client, object).await?);
        }
    }
    let parameters = PatchParams::apply(MANAGER).force();
    let work = objects.iter().map(|object| {
        let kind = &kinds[&(object["apiVersion"].to_string(), object["kind"].to_string())];
        let api = api_of(client, namespace, object, kind);
        let parameters = &parameters;
        async move {
            let name = object["metadata"]["name"].as_str().context("an object without a name")?;
            let done = api.patch(name, parameters, &Patch::Apply(object)).await;
            done.with_context(|| format!("applying {} {name}", object["kind"]))
        }
    });
    futures::stream::iter(work.collect::<Vec<_>>()).buffered(AT_ONCE).try_collect().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overlay_merges_maps_replaces_lists_and_removes_nulls() {
        let text = "
kind: A
metadata: {name: x, labels: {keep: '1'}}
spec: {list: [1, 2], gone: true}
---
kind: A
metadata: {name: y}
";
        let mut objects = parse(text).unwrap();
        let patch =
            parse("{kind: A, metadata: {name: x, labels: {new: '2'}}, spec: {list: [3], gone: null, deep: {a: 1}}}");
        overlay(&mut objects, &patch.unwrap()).unwrap();
        let expected =
            parse("{kind: A, metadata: {name: x, labels: {keep: '1', new: '2'}}, spec: {list: [3], deep: {a: 1}}}");
        assert_eq!(objects[0], expected.unwrap()[0]);
        assert!(overlay(&mut objects, &parse("{kind: B, metadata: {name: x}}").unwrap()).is_err());
    }
}
