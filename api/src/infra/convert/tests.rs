//! Rules of conversion by example, and round trips of arbitrary objects of every kind and version.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::infra::v1beta2;

const OLD: &str = "infrastructure.cluster.x-k8s.io/v1beta1";
const NEW: &str = "infrastructure.cluster.x-k8s.io/v1beta2";

fn object(kind: &str, version: &str, body: Value) -> Value {
    let mut object = body;
    object["apiVersion"] = version.into();
    object["kind"] = kind.into();
    object["metadata"] = json!({"name": "a", "namespace": "n"});
    object
}

/// Asserts that `old` becomes `new` and back, without help of the annotation.
#[track_caller]
fn same(kind: &str, old: &Value, new: &Value) {
    let (old, new) = (object(kind, OLD, old.clone()), object(kind, NEW, new.clone()));
    assert_eq!(convert(old.clone(), NEW), Ok(new.clone()));
    assert_eq!(convert(new, OLD), Ok(old));
}

#[test]
fn clusters() {
    same(
        "Metal3Cluster",
        &json!({
            "spec": {
                "controlPlaneEndpoint": {"host": "h", "port": 6443},
                "cloudProviderEnabled": false, "noCloudProvider": true,
                "failureDomains": {"b": {"controlPlane": true}, "a": {"attributes": {"k": "v"}}}
            },
            "status": {
                "ready": false, "failureReason": "R", "failureMessage": "M",
                "failureDomains": {"a": {}},
                "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}],
                "v1beta2": {"conditions": [{"type": "Paused"}]}
            }
        }),
        &json!({
            "spec": {
                "controlPlaneEndpoint": {"host": "h", "port": 6443},
                "cloudProviderEnabled": false,
                "failureDomains": [{"name": "a", "attributes": {"k": "v"}}, {"name": "b", "controlPlane": true}]
            },
            "status": {
                "initialization": {"provisioned": false},
                "failureDomains": [{"name": "a"}],
                "conditions": [{"type": "Paused"}],
                "deprecated": {"v1beta1": {
                    "failureReason": "R", "failureMessage": "M",
                    "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}]
                }}
            }
        }),
    );
}

#[test]
fn the_older_cloud_provider_field_drives_the_mode_where_the_newer_one_is_missing() {
    for (old, new) in [
        (json!({"noCloudProvider": false}), json!({"cloudProviderEnabled": true})),
        (json!({"noCloudProvider": true}), json!({"cloudProviderEnabled": false})),
        (json!({"noCloudProvider": true, "cloudProviderEnabled": true}), json!({"cloudProviderEnabled": true})),
        (json!({}), json!({})),
    ] {
        let converted = convert(object("Metal3Cluster", OLD, json!({"spec": old})), NEW).unwrap();
        assert_eq!(converted["spec"], new, "{old}");
    }
}

#[test]
fn machines_and_their_templates() {
    let old = json!({
        "image": {"url": "u", "checksum": "c", "format": "qcow2"},
        "dataTemplate": {"name": "t", "namespace": "n"},
        "customDeploy": {"method": "m"}
    });
    let new = json!({
        "image": {"url": "u", "checksum": "c", "diskFormat": "qcow2"},
        "dataTemplate": {"name": "t", "namespace": "n"},
        "customDeploy": {"method": "m"}
    });
    same(
        "Metal3Machine",
        &json!({"spec": old, "status": {"ready": true, "renderedData": {"name": "d"}}}),
        &json!({"spec": new, "status": {"initialization": {"provisioned": true}, "renderedData": {"name": "d"}}}),
    );
    same(
        "Metal3MachineTemplate",
        &json!({"spec": {"nodeReuse": true, "template": {"spec": old}}}),
        &json!({"spec": {"nodeReuse": true, "template": {"spec": new}}}),
    );
}

#[test]
fn data_templates_data_and_claims() {
    same(
        "Metal3DataTemplate",
        &json!({
            "spec": {
                "clusterName": "c",
                "metaData": {
                    "ipAddressesFromIPPool": [{"key": "ip"}], "prefixesFromIPPool": [{"key": "p"}],
                    "gatewaysFromIPPool": [{"key": "g"}], "dnsServersFromIPPool": [{"key": "d"}]
                },
                "networkData": {"links": {"bonds": [{"id": "b", "parameters": {"miimon": 100, "lacp_rate": "fast"}}]}}
            },
            "status": {"indexes": {"b": 0, "a": 2}}
        }),
        &json!({
            "spec": {
                "clusterName": "c",
                "metaData": {
                    "ipAddressesFromPool": [{"key": "ip"}], "prefixesFromPool": [{"key": "p"}],
                    "gatewaysFromPool": [{"key": "g"}], "dnsServersFromPool": [{"key": "d"}]
                },
                "networkData": {"links": {"bonds": [{"id": "b", "parameters": [
                    {"name": "lacp_rate", "value": "fast"}, {"name": "miimon", "value": 100}
                ]}]}}
            },
            "status": {"indexes": [{"index": 0, "name": "b"}, {"index": 2, "name": "a"}]}
        }),
    );
    let data = json!({
        "spec": {"index": 0, "template": {"name": "t"}, "claim": {"name": "c"}},
        "status": {"ready": true, "errorMessage": "e"}
    });
    same("Metal3Data", &data, &data);
    let claim = json!({"spec": {"template": {"name": "t"}}, "status": {"renderedData": {"name": "t-0"}}});
    same("Metal3DataClaim", &claim, &claim);
}

#[test]
fn remediations() {
    let (old, new) = (json!({"timeout": "10m0s", "retryLimit": 2}), json!({"timeoutSeconds": 600, "retryLimit": 2}));
    same("Metal3Remediation", &json!({"spec": {"strategy": old}}), &json!({"spec": {"strategy": new}}));
    same(
        "Metal3RemediationTemplate",
        &json!({"spec": {"template": {"spec": {"strategy": old}}}}),
        &json!({"spec": {"template": {"spec": {"strategy": new}}}}),
    );
}

#[test]
fn what_does_not_fit_comes_back_unless_it_was_changed() {
    let labels = json!({"labels": {"a": "b"}});
    let template = object(
        "Metal3MachineTemplate",
        NEW,
        json!({"spec": {"template": {"metadata": labels, "spec": {"failureDomain": "x"}}}}),
    );
    let mut old = convert(template, OLD).unwrap();
    assert_eq!(old["spec"]["template"].get("metadata"), None);
    old["spec"]["template"]["spec"]["failureDomain"] = json!("y");
    let new = convert(old, NEW).unwrap();
    assert_eq!(new["spec"]["template"], json!({"metadata": labels, "spec": {"failureDomain": "y"}}));
    assert_eq!(new["metadata"].get("annotations"), None);
}

#[test]
fn a_reference_that_now_names_something_else_gets_nothing_back() {
    let full = json!({"name": "t", "kind": "Metal3DataTemplate", "uid": "1"});
    let claim = object("Metal3DataClaim", OLD, json!({"spec": {"template": full}}));
    let mut new = convert(claim, NEW).unwrap();
    assert_eq!(new["spec"]["template"], json!({"name": "t"}));
    assert_eq!(convert(new.clone(), OLD).unwrap()["spec"]["template"], full);
    new["spec"]["template"]["name"] = json!("other");
    assert_eq!(convert(new, OLD).unwrap()["spec"]["template"], json!({"name": "other"}));
}

#[test]
fn the_annotation_of_go_peers_is_understood_and_foreign_ones_are_dropped() {
    let with = |text: &str| {
        let mut template = object("Metal3MachineTemplate", OLD, json!({"spec": {"template": {"spec": {}}}}));
        template["metadata"]["annotations"] = json!({CAPI_CONVERSION_DATA: text, "own": "x"});
        convert(template, NEW).unwrap()
    };
    let kept = with(r#"{"spec":{"template":{"metadata":{"labels":{"a":"b"}},"spec":{}}}}"#);
    assert_eq!(kept["spec"]["template"]["metadata"], json!({"labels": {"a": "b"}}));
    assert_eq!(kept["metadata"]["annotations"], json!({"own": "x"}));
    for foreign in ["not json", "[]", r#"{"kind":"Other","spec":{"template":{"metadata":{"labels":{"a":"b"}}}}}"#] {
        assert_eq!(with(foreign)["spec"], json!({"template": {"spec": {}}}), "{foreign}");
    }
}

#[test]
fn only_own_kinds_and_versions_are_converted() {
    let pod = json!({"apiVersion": "v1", "kind": "Pod"});
    assert_eq!(convert(pod, NEW), Err(ConvertError::UnknownKind("Pod".into())));
    let cluster = object("Metal3Cluster", NEW, json!({"spec": {}}));
    assert_eq!(convert(cluster.clone(), "other/v1beta1"), Err(ConvertError::UnknownVersion("other/v1beta1".into())));
    assert_eq!(convert(cluster.clone(), NEW), Ok(cluster));
}

/// Arbitrary JSON that fits a published schema's structure. Limits do not matter to conversion.
fn fitting(schema: &JSONSchemaProps, depth: u32) -> BoxedStrategy<Value> {
    if let Some(values) = &schema.enum_ {
        let values: Vec<Value> = values.iter().map(|value| value.0.clone()).collect();
        return proptest::sample::select(values).boxed();
    }
    match schema.type_.as_deref() {
        Some("string") => {
            let texts = ["a", "b", "x-1", "10m0s", "90s", "5m"].map(Value::from);
            proptest::sample::select(texts.to_vec()).boxed()
        }
        Some("integer") => (0..5_i64).prop_map(Value::from).boxed(),
        Some("boolean") => any::<bool>().prop_map(Value::from).boxed(),
        Some("array") => {
            let Some(JSONSchemaPropsOrArray::Schema(items)) = &schema.items else { return Just(json!([])).boxed() };
            proptest::collection::vec(fitting(items, depth + 1), 1..3).prop_map(Value::from).boxed()
        }
        Some("object") => map_or_members(schema, depth),
        Some(_) | None => prop_oneof![Just(json!(1)), Just(json!("fast")), Just(json!({"a": [1]}))].boxed(),
    }
}

fn map_or_members(schema: &JSONSchemaProps, depth: u32) -> BoxedStrategy<Value> {
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &schema.additional_properties {
        let key = proptest::sample::select(vec!["a", "b", "c"]).prop_map(str::to_owned);
        return proptest::collection::btree_map(key, fitting(values, depth + 1), 1..3)
            .prop_map(|map| Value::Object(map.into_iter().collect()))
            .boxed();
    }
    let properties = schema.properties.clone().unwrap_or_default();
    let members: Vec<_> = properties
        .into_iter()
        .filter(|(name, _)| depth > 0 || name == "spec" || name == "status")
        .map(|(name, property)| {
            let required = schema.required.iter().flatten().any(|required| *required == name);
            let value = fitting(&property, depth + 1).prop_map(move |value| (name.clone(), value));
            if required { value.prop_map(Some).boxed() } else { proptest::option::weighted(0.4, value).boxed() }
        })
        .collect();
    members.prop_map(|members| Value::Object(members.into_iter().flatten().collect())).boxed()
}

/// Any object of any kind in one version.
fn any_object(version: &'static str) -> BoxedStrategy<Value> {
    let kinds: Vec<_> = crate::infra::crds()
        .into_iter()
        .map(|crd| {
            let kind = crd.spec.names.kind.clone();
            let schema = crd.spec.versions.iter().find(|v| v.name == version).unwrap();
            let root = schema.schema.as_ref().unwrap().open_api_v3_schema.clone().unwrap();
            let api_version = format!("{GROUP}/{version}");
            fitting(&root, 0).prop_map(move |body| object(&kind, &api_version, body)).boxed()
        })
        .collect();
    proptest::strategy::Union::new(kinds).boxed()
}

/// Whether a v1beta2 object can be read by the controllers.
fn parses(object: &Value) -> Result<(), serde_json::Error> {
    fn check<K: serde::de::DeserializeOwned>(object: &Value) -> Result<(), serde_json::Error> {
        serde_json::from_value::<K>(object.clone()).map(|_| ())
    }
    // An absent spec is read as an empty one: the CRDs' default.
    let mut object = object.clone();
    if object.get("spec").is_none() {
        return Ok(());
    }
    object["metadata"]["annotations"] = Value::Null;
    match object["kind"].as_str().unwrap_or_default() {
        "Metal3Machine" => check::<v1beta2::Metal3Machine>(&object),
        "Metal3Cluster" => check::<v1beta2::Metal3Cluster>(&object),
        "Metal3ClusterTemplate" => check::<v1beta2::Metal3ClusterTemplate>(&object),
        "Metal3MachineTemplate" => check::<v1beta2::Metal3MachineTemplate>(&object),
        "Metal3DataTemplate" => check::<v1beta2::Metal3DataTemplate>(&object),
        "Metal3Data" => check::<v1beta2::Metal3Data>(&object),
        "Metal3DataClaim" => check::<v1beta2::Metal3DataClaim>(&object),
        "Metal3Remediation" => check::<v1beta2::Metal3Remediation>(&object),
        "Metal3RemediationTemplate" => check::<v1beta2::Metal3RemediationTemplate>(&object),
        _ => Ok(()),
    }
}

/// The object without the two forms of the cloud provider's setting: v1beta1 shows both when either is set.
fn without_cloud_provider(mut object: Value) -> Value {
    for path in ["/spec", "/spec/template/spec"] {
        if let Some(Value::Object(spec)) = object.pointer_mut(path) {
            spec.remove("cloudProviderEnabled");
            spec.remove("noCloudProvider");
        }
    }
    object
}

fn without_times(mut object: Value) -> Value {
    fn walk(value: &mut Value) {
        match value {
            Value::Object(map) => {
                for (name, value) in map.iter_mut() {
                    if ["lastTransitionTime", "lastUpdated", "lastRemediated"].contains(&name.as_str()) {
                        *value = json!("2026-01-01T00:00:00Z");
                    } else {
                        walk(value);
                    }
                }
            }
            Value::Array(list) => list.iter_mut().for_each(walk),
            _ => {}
        }
    }
    walk(&mut object);
    object
}

/// Equal but for empty containers.
fn say_the_same(one: &Value, other: &Value) -> bool {
    covers(one, other) && covers(other, one)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn new_objects_survive_a_trip_through_the_old_version(object in any_object("v1beta2")) {
        let object = without_times(object);
        let old = convert(object.clone(), OLD).unwrap();
        let back = convert(old, NEW).unwrap();
        prop_assert!(say_the_same(&back, &object), "{back}\n{object}");
    }

    #[test]
    fn old_objects_survive_a_trip_through_the_new_version(object in any_object("v1beta1")) {
        let object = without_times(object);
        let new = convert(object.clone(), NEW).unwrap();
        prop_assert!(parses(&new).is_ok(), "{new} {:?}", parses(&new));
        let back = convert(new, OLD).unwrap();
        prop_assert!(covers(&back, &object), "{back}\n{object}");
        prop_assert!(say_the_same(&without_cloud_provider(back.clone()), &without_cloud_provider(object.clone())), "{back}\n{object}");
    }
}
