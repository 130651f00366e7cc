//! Schemas of borrowed types, for `#[schemars(schema_with = ..)]` on fields.

use schemars::{Schema, SchemaGenerator, json_schema};

/// Schema of a time. Use with `#[schemars(schema_with = "crate::schema::time")]`.
pub fn time(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "date-time" })
}

/// Schema of a time that peers write as null when it is unset.
pub fn nullable_time(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "date-time", "nullable": true })
}

/// Schema of a reference to any object; the server replaces it as a whole.
pub fn object_reference(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "properties": {
            "apiVersion": { "type": "string", "description": "Group and version of the object, e.g. `v1` or `metal3.io/v1alpha1`." },
            "fieldPath": { "type": "string", "description": "Part of the object that is meant; unused here." },
            "kind": { "type": "string", "description": "Kind of the object." },
            "name": { "type": "string", "description": "Name of the object." },
            "namespace": { "type": "string", "description": "Namespace of the object." },
            "resourceVersion": { "type": "string", "description": "Version of the object that was seen; unused here." },
            "uid": { "type": "string", "description": "UID of the object." }
        },
        "x-kubernetes-map-type": "atomic"
    })
}

/// Schema of a map of names to values that are a number or text.
pub fn int_or_string_map(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "additionalProperties": {
            "x-kubernetes-int-or-string": true,
            "anyOf": [{ "type": "integer" }, { "type": "string" }]
        }
    })
}

/// Schema of a list of conditions, keyed by type.
pub fn conditions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 32,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "required": ["lastTransitionTime", "message", "reason", "status", "type"],
            "properties": {
                "lastTransitionTime": { "type": "string", "format": "date-time",
                    "description": "When `status` last changed." },
                "message": { "type": "string", "maxLength": 32768, "description": "One sentence for people." },
                "observedGeneration": { "type": "integer", "format": "int64", "minimum": 0,
                    "description": "`metadata.generation` that the condition was computed from." },
                "reason": { "type": "string", "minLength": 1, "maxLength": 1024,
                    "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
                    "description": "One CamelCase word for programs." },
                "status": { "type": "string", "enum": ["True", "False", "Unknown"],
                    "description": "Whether it holds." },
                "type": { "type": "string", "maxLength": 316,
                    "pattern": "^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$",
                    "description": "What is stated, in CamelCase." }
            }
        }
    })
}
