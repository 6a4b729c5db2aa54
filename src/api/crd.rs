//! From the Rust types to the `CustomResourceDefinition`s in `crds/`.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;
use schemars::{Schema, SchemaGenerator, json_schema};

use super::{MessageTemplate, MetaApp, NEVER_OBSERVED, WhatsAppNumber};

/// The definitions of the three kinds, as they are installed.
#[must_use]
pub fn crds() -> Vec<CustomResourceDefinition> {
    let mut number = WhatsAppNumber::crd();
    // Service Binding finds kinds that offer a binding Secret in `status.binding.name` by this label.
    let label = ("servicebinding.io/provisioned-service".to_owned(), "true".to_owned());
    number.metadata.labels.get_or_insert_default().extend([label]);
    [MetaApp::crd(), number, MessageTemplate::crd()].map(finished).into()
}

/// A definition as YAML, as it is checked in.
///
/// # Errors
/// When the definition cannot be written as YAML, which no definition of [`crds`] does.
pub fn render(crd: &CustomResourceDefinition) -> serde_yaml::Result<String> {
    serde_yaml::to_string(crd)
}

/// Writes one file per kind into a directory and returns their paths.
///
/// # Errors
/// When a file cannot be written.
pub fn write_crds(directory: &Path) -> io::Result<Vec<PathBuf>> {
    crds()
        .iter()
        .map(|crd| {
            let path = directory.join(format!("{}.yaml", crd.spec.names.plural));
            fs::write(&path, render(crd).map_err(io::Error::other)?)?;
            Ok(path)
        })
        .collect()
}

/// What the derived definitions still lack.
fn finished(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    for schema in crd.spec.versions.iter_mut().filter_map(|version| version.schema.as_mut()) {
        let Some(root) = &mut schema.open_api_v3_schema else { continue };
        visit(root, &mut plain);
        if let Some(status) = root.properties.as_mut().and_then(|properties| properties.get_mut("status")) {
            visit(status, &mut unlimited);
            status.default = Some(JSON(serde_json::json!({"observedGeneration": NEVER_OBSERVED})));
        }
    }
    crd
}

/// An absent field is absent: there is no `null`, neither as a value nor as a word, and no default but the status' own. Formats that only Rust knows go, too.
fn plain(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    schema.default = None;
    if let Some(words) = &mut schema.enum_ {
        words.retain(|word| !word.0.is_null());
    }
    schema.format = schema.format.take().filter(|format| !format.starts_with("uint"));
}

/// A status accepts every value that Meta sends: a refused status write would be worse than an odd value.
fn unlimited(schema: &mut JSONSchemaProps) {
    schema.enum_ = None;
    schema.pattern = None;
    schema.min_length = None;
    schema.max_length = None;
    schema.min_items = None;
    schema.max_items = None;
    schema.min_properties = None;
    schema.max_properties = None;
    schema.minimum = None;
    schema.maximum = None;
    schema.x_kubernetes_validations = None;
}

/// Changes a schema and every schema within it.
fn visit(schema: &mut JSONSchemaProps, change: &mut impl FnMut(&mut JSONSchemaProps)) {
    change(schema);
    for property in schema.properties.iter_mut().flat_map(|properties| properties.values_mut()) {
        visit(property, change);
    }
    match &mut schema.items {
        Some(JSONSchemaPropsOrArray::Schema(item)) => visit(item, change),
        Some(JSONSchemaPropsOrArray::Schemas(items)) => items.iter_mut().for_each(|item| visit(item, change)),
        None => {}
    }
    if let Some(JSONSchemaPropsOrBool::Schema(value)) = &mut schema.additional_properties {
        visit(value, change);
    }
}

/// Kubernetes' own patterns of labels.
const LABEL_KEY: &str = "^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$";
const LABEL_VALUE: &str = "^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$";
const LABELS: &str =
    "write labels as Kubernetes spells them: letters, digits, '-', '_' and '.', before it a domain and '/'";

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
                "x-kubernetes-validations": [{
                    "rule": format!("self.all(key, key.matches(r'{LABEL_KEY}') && self[key].matches(r'{LABEL_VALUE}'))"),
                    "message": LABELS,
                }],
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
                    "x-kubernetes-validations": [{
                        "rule": "(self.operator in ['In', 'NotIn']) == (has(self.values) && size(self.values) > 0)",
                        "message": "write values with operator In or NotIn, and only with these",
                        "fieldPath": ".values",
                    }, {
                        "rule": format!(
                            "self.key.matches(r'{LABEL_KEY}') && \
                             (!has(self.values) || self.values.all(value, value.matches(r'{LABEL_VALUE}')))"
                        ),
                        "message": LABELS,
                    }],
                },
            },
        },
    })
}
