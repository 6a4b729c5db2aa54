//! From the definitions to JSON schemas, which editors and kubeconform read: both know nothing of definitions in a cluster.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::{Map, Value, json};

use super::crds;

/// Where the schema of a kind is, below the folder of schemas; kubeconform finds it by `{{.ResourceKind}}_{{.ResourceAPIVersion}}.json`.
fn file_name(crd: &CustomResourceDefinition) -> String {
    let version = crd.spec.versions.first().map_or("", |version| &*version.name);
    format!("{}_{version}.json", crd.spec.names.kind.to_lowercase())
}

/// The schema of each kind, with the name of its file. What CEL rules check is left out: only the API server knows it.
#[must_use]
pub fn json_schemas() -> Vec<(String, String)> {
    crds().iter().filter_map(|crd| Some((file_name(crd), format!("{:#}\n", schema(crd)?)))).collect()
}

/// Writes one file per kind into a directory and returns their paths.
///
/// # Errors
/// When a file cannot be written.
pub fn write_json_schemas(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let write = |(name, text): (String, String)| {
        let path = directory.join(name);
        fs::write(&path, text)?;
        Ok(path)
    };
    json_schemas().into_iter().map(write).collect()
}

fn schema(crd: &CustomResourceDefinition) -> Option<Value> {
    let version = crd.spec.versions.first()?;
    let definition = serde_json::to_value(version.schema.as_ref()?.open_api_v3_schema.as_ref()?).ok()?;
    let mut spec = definition.pointer("/properties/spec")?.clone();
    close(&mut spec);
    let (group, kind) = (&crd.spec.group, &crd.spec.names.kind);
    Some(json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": kind,
        "description": definition.get("description"),
        "type": "object",
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "additionalProperties": false,
        "properties": {
            "apiVersion": {"type": "string", "enum": [format!("{group}/{}", version.name)]},
            "kind": {"type": "string", "enum": [kind]},
            "metadata": {"type": "object"},
            "spec": spec,
            // The operator writes it, and nobody else.
            "status": {"type": "object"},
        },
    }))
}

/// A field that the definition does not have is a mistake, which the API server only reports under strict validation. What only
/// the API server understands goes.
fn close(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else { return };
    object.retain(|key, _| !key.starts_with("x-kubernetes-"));
    let is_object = object.get("type").and_then(Value::as_str) == Some("object");
    if is_object && !object.contains_key("additionalProperties") {
        object.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
    for value in object.get_mut("properties").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut) {
        close(value);
    }
    for key in ["items", "additionalProperties"] {
        if let Some(inner) = object.get_mut(key) {
            close(inner);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn checked_in_files_are_what_the_types_say() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
        for (name, text) in json_schemas() {
            let checked_in = fs::read_to_string(directory.join(&name)).unwrap_or_default();
            assert!(checked_in == text, "schemas/{name} is out of date: run `make crds`");
        }
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 3, "schemas/ holds one file per kind: run `make crds`");
    }

    #[test]
    fn a_schema_is_closed_and_has_nothing_of_kubernetes() {
        for (name, text) in json_schemas() {
            assert!(!text.contains("x-kubernetes"), "{name}");
            let schema: Value = serde_json::from_str(&text).unwrap();
            let mut open = Vec::new();
            find_open("", &schema, &mut open);
            assert_eq!(open, ["/metadata", "/status"], "{name}: only these may have fields that it does not know");
        }
    }

    /// What of a value the schema refuses.
    fn refused(path: &str, schema: &Value, value: &Value) -> Vec<String> {
        let is_of_type = match schema["type"].as_str() {
            Some("object") => value.is_object(),
            Some("array") => value.is_array(),
            Some("string") => value.is_string(),
            Some("boolean") => value.is_boolean(),
            Some("integer") => value.is_i64(),
            _ => false,
        };
        let is_a_choice = schema["enum"].as_array().is_none_or(|choices| choices.contains(value));
        if !is_of_type || !is_a_choice {
            return vec![format!("{path}: {value}")];
        }
        let (known, others) = (&schema["properties"], &schema["additionalProperties"]);
        let fields = value.as_object().into_iter().flatten().flat_map(|(name, value)| {
            let path = format!("{path}/{name}");
            match known.get(name).or_else(|| Some(others).filter(|others| others.is_object())) {
                Some(schema) => refused(&path, schema, value),
                None if *others == false => vec![path],
                None => Vec::new(),
            }
        });
        let missing = schema["required"].as_array().into_iter().flatten();
        let missing = missing.filter(|name| value.get(name.as_str().unwrap()).is_none());
        let items = value.as_array().into_iter().flatten();
        let items = items.flat_map(|item| refused(&format!("{path}[]"), &schema["items"], item));
        fields.chain(missing.map(|name| format!("{path} lacks {name}"))).chain(items).collect()
    }

    #[test]
    fn manifests_that_the_api_server_accepts_are_valid_and_mistakes_are_found() {
        let schemas: Vec<Value> = json_schemas().iter().map(|(_, text)| serde_json::from_str(text).unwrap()).collect();
        let of_kind = |value: &Value| schemas.iter().find(|schema| schema["title"] == value["kind"]).unwrap();
        let mut seen = 0;
        for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/crds/good")).unwrap() {
            let path = entry.unwrap().path();
            for document in fs::read_to_string(&path).unwrap().split("\n---\n") {
                let value: Value = serde_yaml::from_str(document).unwrap();
                assert_eq!(refused("", of_kind(&value), &value), [""; 0], "{}", path.display());
                seen += 1;
            }
        }
        assert!(seen > 40, "{seen} manifests");
        let mut wrong = json!({
            "apiVersion": "waba.dev/v1alpha1", "kind": "WhatsAppNumber", "metadata": {"name": "support-fr"},
            "spec": {"appRef": {"name": "ino-cx"}, "phoneNumber": 33_612_345_678_i64, "direction": ["Incoming"]},
        });
        let found = refused("", of_kind(&wrong), &wrong);
        assert_eq!(found, ["/spec/direction", "/spec/phoneNumber: 33612345678", "/spec lacks \"directions\""]);
        wrong["apiVersion"] = json!("waba.dev/v1");
        assert!(refused("", of_kind(&wrong), &wrong).contains(&r#"/apiVersion: "waba.dev/v1""#.to_owned()));
    }

    fn find_open(path: &str, schema: &Value, open: &mut Vec<String>) {
        if schema["type"] == "object" && schema.get("additionalProperties").is_none() {
            open.push(path.to_owned());
        }
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            find_open(&format!("{path}/{name}"), property, open);
        }
        if schema["items"].is_object() {
            find_open(&format!("{path}[]"), &schema["items"], open);
        }
    }
}
