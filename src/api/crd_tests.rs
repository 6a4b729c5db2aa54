//! What the definitions promise as a whole. Single rules are tried on a real API server (`tests/crds.rs`).
#![allow(clippy::unwrap_used, clippy::panic)]

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;

use super::{crds, render};

/// The CEL functions and macros of Kubernetes 1.32 and older that the rules may use.
const CEL_FUNCTIONS: &[&str] = &[
    "all",
    "contains",
    "duration",
    "exists",
    "exists_one",
    "filter",
    "findAll",
    "has",
    "indexOf",
    "int",
    "isSorted",
    "map",
    "matches",
    "size",
    "split",
    "substring",
];

/// Every schema below a part of every definition, each with its path, the part itself first.
fn schemas(part: &str) -> Vec<(String, Value)> {
    crds()
        .iter()
        .flat_map(|crd| {
            let schema = serde_json::to_value(&crd.spec.versions[0].schema).unwrap();
            let root = schema["openAPIV3Schema"]["properties"][part].clone();
            let mut found = Vec::new();
            collect(format!("{}.{part}", crd.spec.names.kind), root, &mut found);
            found
        })
        .collect()
}

fn collect(path: String, schema: Value, found: &mut Vec<(String, Value)>) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        collect(format!("{path}.{name}"), property.clone(), found);
    }
    for (key, mark) in [("items", "[]"), ("additionalProperties", "{}")] {
        if schema[key].is_object() {
            collect(format!("{path}{mark}"), schema[key].clone(), found);
        }
    }
    found.push((path, schema));
}

fn rules(schema: &Value) -> Vec<&Value> {
    schema["x-kubernetes-validations"].as_array().into_iter().flatten().collect()
}

#[test]
fn checked_in_files_are_what_the_types_say() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    for crd in crds() {
        let path = directory.join(format!("{}.yaml", crd.spec.names.plural));
        let checked_in = fs::read_to_string(&path).unwrap_or_default();
        assert!(checked_in == render(&crd).unwrap(), "{} is out of date: run `make crds`", path.display());
    }
    assert_eq!(
        fs::read_dir(&directory).unwrap().count(),
        crds().len(),
        "crds/ holds one file per kind: run `make crds`"
    );
}

#[test]
fn everything_in_spec_has_a_limit() {
    for (path, schema) in schemas("spec") {
        let limit = match schema["type"].as_str() {
            Some("string") if schema["enum"].is_array() => continue,
            Some("string") => "maxLength",
            Some("array") => "maxItems",
            Some("object") if schema["additionalProperties"].is_object() => "maxProperties",
            Some("object" | "integer" | "boolean") => continue,
            other => panic!("{path} has type {other:?}"),
        };
        assert!(schema[limit].is_u64(), "{path} has no {limit}");
    }
}

#[test]
fn nothing_in_status_has_a_limit() {
    let limits = [
        "enum",
        "pattern",
        "minLength",
        "maxLength",
        "minItems",
        "maxItems",
        "minProperties",
        "maxProperties",
        "minimum",
        "maximum",
        "x-kubernetes-validations",
    ];
    for (path, schema) in schemas("status") {
        for limit in limits {
            assert!(schema.get(limit).is_none(), "{path} has {limit}");
        }
    }
}

#[test]
fn every_field_is_described_and_none_is_null_or_has_a_default() {
    for (path, schema) in schemas("spec").into_iter().chain(schemas("status")) {
        let is_field = !path.ends_with("[]") && !path.ends_with("{}");
        assert!(!is_field || schema["description"].is_string(), "{path} has no description");
        let null_word = schema["enum"].as_array().is_some_and(|words| words.contains(&Value::Null));
        assert!(schema.get("nullable").is_none() && !null_word, "{path} may be null");
        let is_status = path.ends_with(".status") && path.matches('.').count() == 1;
        assert!(is_status || schema.get("default").is_none(), "{path} has a default");
    }
}

#[test]
fn a_new_object_has_a_status_nobody_has_observed() {
    for (path, schema) in schemas("status").into_iter().filter(|(path, _)| path.matches('.').count() == 1) {
        if path.ends_with(".status") {
            assert_eq!(schema["default"], serde_json::json!({"observedGeneration": -1}), "{path}");
        }
    }
}

#[test]
fn conditions_are_a_map_by_type() {
    let conditions: Vec<_> = schemas("status").into_iter().filter(|(path, _)| path.ends_with(".conditions")).collect();
    assert_eq!(conditions.len(), crds().len());
    for (path, schema) in conditions {
        assert_eq!(schema["x-kubernetes-list-type"], "map", "{path}");
        assert_eq!(schema["x-kubernetes-list-map-keys"], serde_json::json!(["type"]), "{path}");
    }
}

#[test]
fn every_rule_has_a_message_of_one_line() {
    for (path, schema) in schemas("spec") {
        for rule in rules(&schema) {
            let message = rule["message"].as_str().unwrap_or_default();
            assert!(!message.is_empty() && !message.contains('\n'), "{path}: {rule}");
        }
    }
}

#[test]
fn rules_use_no_function_newer_than_kubernetes_1_32() {
    let mut used = BTreeSet::new();
    for (_, schema) in schemas("spec") {
        for rule in rules(&schema) {
            used.extend(functions(rule["rule"].as_str().unwrap()));
        }
    }
    let allowed: BTreeSet<_> = CEL_FUNCTIONS.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(used, allowed, "used (left) and allowed (right): add a function only if Kubernetes 1.32 has it");
}

/// The names before opening brackets in a CEL expression, literals left out.
fn functions(rule: &str) -> BTreeSet<String> {
    let code: String = rule.split('\'').step_by(2).collect();
    let before_bracket = code.split('(').rev().skip(1);
    before_bracket
        .map(|text| text.rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default().to_owned())
        .filter(|name| !name.is_empty() && name != "in")
        .collect()
}

#[test]
fn the_function_scan_sees_calls_methods_and_macros_but_no_literals() {
    let found = functions("has(self.a) && (self.a.matches(r'^x(y)$') || size(self.b) in [1]) && x in (y)");
    assert_eq!(found, ["has", "matches", "size"].map(str::to_owned).into());
}

#[test]
fn columns_names_and_selectable_fields_are_those_of_the_contract() {
    let seen: Vec<_> = crds()
        .iter()
        .map(|crd| {
            let version = &crd.spec.versions[0];
            let columns = version.additional_printer_columns.iter().flatten();
            let (wide, narrow): (Vec<_>, Vec<_>) = columns.partition(|column| column.priority == Some(1));
            let names = |columns: Vec<&_>| columns.iter().map(|c| column_name(c)).collect::<Vec<_>>().join(", ");
            let selectable: Vec<_> = version.selectable_fields.iter().flatten().map(|f| &f.json_path[1..]).collect();
            let short = crd.spec.names.short_names.iter().flatten().cloned().collect::<Vec<_>>().join(", ");
            assert_eq!(crd.spec.names.categories, Some(vec!["waba".to_owned()]));
            [short, names(narrow), names(wide), selectable.join(", ")]
        })
        .collect();
    let contract = [
        [
            "mapp",
            "READY, APP ID, STATUS, TOKEN EXPIRES, NUMBERS, ENABLED, TEMPLATES, AGE",
            "APP NAME, WEBHOOK, MESSAGE",
            "spec.appID, status.phase, status.needsAction",
        ],
        [
            "wan",
            "NUMBER, READY, VERIFIED NAME, DIRECTION, STATUS, QUALITY, AGE",
            "PROVIDER, TIME ZONE, LANGUAGE, ACCOUNT ID, SESSION TIME, SMART ROUTING, END ROUTING, MESSAGE",
            "spec.phoneNumber, spec.appRef.name, spec.businessAccountID, status.phase, status.direction, status.needsAction",
        ],
        [
            "wamt",
            "TEMPLATE, READY, LANGUAGE, CATEGORY, STATUS, QUALITY, AGE",
            "ACCOUNT ID, TEMPLATE ID, REASON, MESSAGE",
            "spec.templateName, spec.businessAccountID, status.phase, status.needsAction",
        ],
    ];
    assert_eq!(seen, contract.map(|kind| kind.map(str::to_owned)));
}

fn column_name(
    column: &k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceColumnDefinition,
) -> &str {
    &column.name
}

#[test]
fn numbers_are_found_by_service_binding() {
    let labels: Vec<_> = crds().into_iter().map(|crd| crd.metadata.labels.unwrap_or_default()).collect();
    assert_eq!(labels[1].get("servicebinding.io/provisioned-service").map(String::as_str), Some("true"));
    assert!(labels[0].is_empty() && labels[2].is_empty());
}
