use serde_json::{Value, json};

use super::Schema;

fn schema() -> Schema {
    Schema::parse(&json!({
        "type": "object",
        "properties": {
            "apiVersion": { "type": "string" }, "kind": { "type": "string" }, "metadata": { "type": "object" },
            "spec": {
                "type": "object",
                "required": ["name"],
                "properties": {
                    "name": { "type": "string", "minLength": 1, "maxLength": 5, "pattern": "^[a-z]+$" },
                    "size": { "type": "integer", "format": "int32", "minimum": 1, "maximum": 9 },
                    "mode": { "type": "string", "enum": ["a", "b"], "default": "a" },
                    "list": { "type": "array", "maxItems": 2, "items": {
                        "type": "object", "properties": { "on": { "type": "boolean", "default": true } } } },
                    "map": { "type": "object", "additionalProperties": { "type": "string", "pattern": "^x" } },
                    "free": { "type": "object", "x-kubernetes-preserve-unknown-fields": true },
                    "at": { "type": "string", "format": "date-time", "nullable": true },
                    "either": { "x-kubernetes-int-or-string": true },
                    "set": { "type": "array", "x-kubernetes-list-type": "set", "items": { "type": "string" } },
                    "keyed": { "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"],
                        "items": { "type": "object", "properties": { "k": { "type": "string" } } } }
                }
            }
        }
    }))
}

fn problems(spec: &Value) -> Vec<(&'static str, String)> {
    let object = json!({ "apiVersion": "g/v1", "kind": "K", "metadata": {}, "spec": spec });
    let mut found = schema().judge(&object, "");
    found.extend(schema().duplicates(&object, ""));
    found.into_iter().map(|p| (p.kind.reason(), p.field)).collect()
}

#[test]
fn pruning_keeps_what_the_schema_has() {
    let mut object = json!({
        "apiVersion": "g/v1", "kind": "K", "metadata": { "labels": { "a": "b" } }, "extra": 1,
        "spec": { "name": "a", "unknown": 1, "list": [{ "on": false, "x": 1 }], "map": { "k": "v" },
            "free": { "deep": { "er": [1] } }, "at": null, "mode": null, "size": null },
    });
    schema().prune(&mut object);
    assert_eq!(
        object,
        json!({
            "apiVersion": "g/v1", "kind": "K", "metadata": { "labels": { "a": "b" } },
            "spec": { "name": "a", "list": [{ "on": false }], "map": { "k": "v" }, "free": { "deep": { "er": [1] } },
                "at": null, "mode": null },
        })
    );
}

#[test]
fn defaults_fill_what_is_absent_or_refused_null() {
    let mut object = json!({ "spec": { "mode": null, "at": null, "list": [{}, { "on": false }] } });
    schema().fill(&mut object);
    assert_eq!(object, json!({ "spec": { "mode": "a", "at": null, "list": [{ "on": true }, { "on": false }] } }));
    let mut without = json!({});
    schema().fill(&mut without);
    assert_eq!(without, json!({}), "no default reaches into an absent object");
}

#[test]
fn every_rule_refuses_and_lets_pass() {
    let good = json!({ "name": "abc", "size": 9, "mode": "b", "list": [{}, {}], "map": { "k": "xy" }, "free": { "a": 1 },
        "at": "2026-01-01T00:00:00.5Z", "either": "5", "set": ["a", "b"], "keyed": [{ "k": "1" }, { "k": "2" }] });
    assert_eq!(problems(&good), []);
    let with = |name: &str, value: Value| {
        let mut spec = json!({ "name": "abc" });
        spec[name] = value;
        problems(&spec)
    };
    let table = [
        ("name", json!(""), "FieldValueInvalid", "spec.name"),
        ("name", json!("abcdef"), "FieldValueTooLong", "spec.name"),
        ("name", json!("ABC"), "FieldValueInvalid", "spec.name"),
        ("name", json!(1), "FieldValueTypeInvalid", "spec.name"),
        ("size", json!(0), "FieldValueInvalid", "spec.size"),
        ("size", json!(10), "FieldValueInvalid", "spec.size"),
        ("size", json!("x"), "FieldValueTypeInvalid", "spec.size"),
        ("mode", json!("c"), "FieldValueNotSupported", "spec.mode"),
        ("list", json!([{}, {}, {}]), "FieldValueTooMany", "spec.list"),
        ("list", json!([{ "on": "yes" }]), "FieldValueTypeInvalid", "spec.list[0].on"),
        ("map", json!({ "k": "no" }), "FieldValueInvalid", "spec.map.k"),
        ("map", json!([]), "FieldValueTypeInvalid", "spec.map"),
        ("at", json!("yesterday"), "FieldValueTypeInvalid", "spec.at"),
        ("either", json!(true), "FieldValueTypeInvalid", "spec.either"),
        ("set", json!(["a", "a", "a"]), "FieldValueDuplicate", "spec.set[1]"),
        ("keyed", json!([{ "k": "1" }, { "k": "1" }]), "FieldValueDuplicate", "spec.keyed[1]"),
    ];
    for (name, value, reason, field) in table {
        assert_eq!(with(name, value.clone()), [(reason, field.to_owned())], "{name}: {value}");
    }
    assert_eq!(problems(&json!({})), [("FieldValueRequired", "spec.name".to_owned())]);
    let fraction = [("FieldValueTypeInvalid", "spec.size".to_owned()), ("FieldValueInvalid", "<nil>".to_owned())];
    assert_eq!(with("size", json!(1.5)), fraction);
}

#[test]
fn a_part_of_an_object_is_judged_under_its_path() {
    let part = schema();
    let spec = part.member("spec").unwrap();
    let fields: Vec<String> = spec.judge(&json!({ "size": 0 }), "spec").into_iter().map(|p| p.field).collect();
    assert_eq!(fields, ["spec.size", "spec.name"]);
}

#[test]
fn no_crd_of_this_project_has_rules_that_are_not_evaluated() {
    for kind in crate::kube::kinds::own() {
        for version in kind.versions {
            assert_eq!(version.schema.map_or(0, |schema| schema.rules()), 0, "{}", kind.name);
        }
    }
}
