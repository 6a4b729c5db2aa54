//! From the Rust types to the `CustomResourceDefinition`s.

use schemars::{Schema, SchemaGenerator, json_schema};

/// The schema of a label selector with the limits that spec fields have.
pub(super) fn label_selector(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "properties": {
            "matchLabels": {
                "type": "object",
                "maxProperties": 32,
                "additionalProperties": {"type": "string", "maxLength": 63},
                "description": "Labels with these values; all must be there.",
            },
            "matchExpressions": {
                "type": "array",
                "maxItems": 32,
                "description": "Conditions on labels; all must be true.",
                "items": {
                    "type": "object",
                    "required": ["key", "operator"],
                    "properties": {
                        "key": {"type": "string", "minLength": 1, "maxLength": 317, "description": "The label."},
                        "operator": {
                            "type": "string",
                            "enum": ["In", "NotIn", "Exists", "DoesNotExist"],
                            "description": "In and NotIn compare with `values`; Exists and DoesNotExist have none.",
                        },
                        "values": {
                            "type": "array",
                            "maxItems": 32,
                            "items": {"type": "string", "maxLength": 63},
                            "description": "Values to compare with.",
                        },
                    },
                },
            },
        },
    })
}
