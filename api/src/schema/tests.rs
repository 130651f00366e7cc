use serde::{Deserialize, Serialize};

use super::*;
use crate::metal3::UpdatePolicy;

/// Plain words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
enum Plain {
    /// One.
    One,
    /// Two.
    Two,
}

/// A thing.
#[derive(kube::CustomResource, Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(group = "example.com", version = "v1", kind = "Thing", namespaced)]
#[serde(rename_all = "camelCase")]
struct ThingSpec {
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    when: Option<UpdatePolicy>,
    /// A number of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1), extend("x-default" = 7))]
    number: Option<u16>,
    /// Read when absent, written always.
    #[serde(default)]
    #[schemars(extend("x-required" = true))]
    text: String,
    /// Must be there.
    plain: Plain,
    #[serde(default)]
    list: Vec<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    inner: Option<Inner>,
    free: Option<Value>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Inner {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("nullable" = true))]
    words: Option<Vec<String>>,
}

#[test]
fn a_schema_is_what_kubernetes_takes() {
    let crd = crd::<Thing>();
    assert_eq!(crd.spec.names.list_kind.as_deref(), Some("ThingList"));
    let schema = serde_json::to_value(&crd.spec.versions[0].schema).unwrap();
    let root = &schema["openAPIV3Schema"];
    assert_eq!(root.get("required"), None, "an object without spec is legal");
    assert_eq!(
        root["properties"]["spec"],
        json!({
            "type": "object",
            "description": "What is wanted.",
            "required": ["plain", "text"],
            "properties": {
                "when": { "type": "string", "enum": ["onPreparing", "onReboot"], "description": "When." },
                "number": { "type": "integer", "minimum": 1.0, "maximum": 65535.0, "default": 7, "description": "A number of it." },
                "text": { "type": "string", "description": "Read when absent, written always." },
                "plain": { "type": "string", "enum": ["One", "Two"], "description": "Must be there." },
                "list": { "type": "array", "items": { "type": "integer", "format": "int32" } },
                "inner": {
                    "type": "object",
                    "properties": { "words": { "type": "array", "nullable": true, "items": { "type": "string" } } },
                },
                "free": { "x-kubernetes-preserve-unknown-fields": true },
            },
        })
    );
}

#[test]
fn versions_are_merged_into_one() {
    let version = |name: &str| {
        let mut crd = crd::<Thing>().labelled("of", name);
        crd.spec.versions[0].name = name.to_owned();
        crd
    };
    let merged = merged(vec![version("v1"), version("v2")], "v2").unwrap();
    let seen: Vec<_> = merged.spec.versions.iter().map(|v| (v.name.as_str(), v.storage)).collect();
    assert_eq!(seen, [("v1", false), ("v2", true)]);
    assert_eq!(merged.metadata.labels.unwrap()["of"], "v2");
    assert!(super::merged(vec![version("v1")], "v3").is_none());
}

#[test]
fn members_that_a_type_does_not_have_are_found() {
    let value = json!({ "text": "a", "inner": { "words": ["a"], "more": 1 }, "free": { "any": 1 }, "else": {} });
    assert_eq!(unknown_fields::<ThingSpec>(&value), ["else", "inner.more"]);
}

#[test]
fn every_kind_has_one_stored_version_and_described_members() {
    fn undescribed(schema: &JSONSchemaProps, path: &str, found: &mut Vec<String>) {
        for (name, property) in schema.properties.iter().flatten() {
            let path = format!("{path}.{name}");
            if property.description.as_deref().unwrap_or_default().is_empty() && name != "metadata" {
                found.push(path.clone());
            }
            undescribed(property, &path, found);
        }
    }
    let crds = crate::crds();
    assert_eq!(by_name(crds.clone()).len(), crds.len(), "no name occurs twice");
    for crd in crds {
        let name = crd.metadata.name.unwrap();
        assert_eq!(crd.spec.versions.iter().filter(|v| v.storage).count(), 1, "{name}");
        for version in &crd.spec.versions {
            let schema = version.schema.as_ref().and_then(|s| s.open_api_v3_schema.as_ref()).expect("a schema");
            let mut found = Vec::new();
            undescribed(schema, &format!("{name}/{}", version.name), &mut found);
            assert_eq!(found, Vec::<String>::new());
        }
    }
}
