//! What `examples/gitops` teaches other tools: kustomize follows every reference of the CRDs, and Flux waits for the operator, not
//! for Meta.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use kube_cel::{Validator, compile_schema};
use serde_json::{Value, json};
use waba_operator::api::crds;

/// A field of a spec that names another object.
struct Reference {
    kind: String,
    /// From `spec` to the reference; `[]` after a list.
    path: Vec<String>,
    /// Whether the reference says what kind it names.
    names_kind: bool,
}

/// Every `…Ref` below a schema.
fn collect(kind: &str, schema: &Value, path: &[String], found: &mut Vec<Reference>) {
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = [path, std::slice::from_ref(name)].concat();
        if name.ends_with("Ref") {
            let names_kind = field["properties"].get("kind").is_some();
            found.push(Reference { kind: kind.to_owned(), path, names_kind });
        } else {
            collect(kind, field, &path, found);
        }
    }
    if let Some(items) = schema.get("items") {
        collect(kind, items, &[path, &["[]".to_owned()]].concat(), found);
    }
}

fn references() -> Vec<Reference> {
    let mut found = Vec::new();
    for crd in crds() {
        let crd = serde_json::to_value(crd).unwrap();
        let spec = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
        collect(crd["spec"]["names"]["kind"].as_str().unwrap(), spec, &[], &mut found);
    }
    found
}

/// An object in which this reference, and no other, names `target`.
fn object(name: &str, reference: &Reference, target: &Value) -> Value {
    let spec = reference.path.iter().rev().fold(target.clone(), |inner, part| match part.as_str() {
        "[]" => json!([{"other": "card"}, inner]),
        field => json!({ field: inner }),
    });
    json!({"apiVersion": "waba.dev/v1alpha1", "kind": reference.kind, "metadata": {"name": name}, "spec": spec})
}

/// What kustomize makes of these objects, with the example's component, a prefix and generated names.
fn kustomize(folder: &Path, objects: &[Value]) -> Vec<Value> {
    let component = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/gitops/kustomize");
    fs::create_dir_all(folder.join("component")).unwrap();
    for file in fs::read_dir(component).unwrap().map(|entry| entry.unwrap().path()) {
        fs::copy(&file, folder.join("component").join(file.file_name().unwrap())).unwrap();
    }
    fs::write(
        folder.join("objects.yaml"),
        serde_json::to_string(&json!({"apiVersion": "v1", "kind": "List", "items": objects})).unwrap(),
    )
    .unwrap();
    let kustomization = json!({"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "namePrefix": "test-",
        "namespace": "here", "components": ["component"], "resources": ["objects.yaml"],
        "secretGenerator": [{"name": "a-secret", "literals": ["key=value"]}],
        "configMapGenerator": [{"name": "a-map", "literals": ["key=value"]}]});
    fs::write(folder.join("kustomization.yaml"), kustomization.to_string()).unwrap();

    let kubectl = control_plane::binary("kubectl").unwrap();
    let output = Command::new(kubectl).arg("kustomize").arg(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.split("\n---\n").map(|document| serde_yaml::from_str(document).unwrap()).collect()
}

fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    folder
}

fn named<'a>(objects: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let fits =
        |object: &&Value| object["kind"] == kind && object["metadata"]["name"].as_str().unwrap().starts_with(name);
    objects.iter().find(fits).unwrap_or_else(|| panic!("no {kind} {name}"))
}

/// The value at the end of the reference's path.
fn target<'a>(object: &'a Value, reference: &Reference) -> &'a Value {
    reference.path.iter().fold(&object["spec"], |inner, part| if part == "[]" { &inner[1] } else { &inner[part] })
}

#[test]
fn kustomize_follows_every_reference_of_the_crds() {
    let references = references();
    assert!(references.len() >= 11, "{} references", references.len());
    let app = json!({"apiVersion": "waba.dev/v1alpha1", "kind": "MetaApp", "metadata": {"name": "an-app"}, "spec": {}});
    let stored = json!({"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": {"name": "stored"},
        "spec": {"target": {"name": "stored"}}});
    let mut objects = vec![app, stored];
    let mut expected = Vec::new();
    for (index, reference) in references.iter().enumerate() {
        let mut targets = match reference.path.last().map(String::as_str) {
            Some("appRef") => vec![("MetaApp", json!({"name": "an-app"}))],
            _ => vec![("Secret", json!({"name": "a-secret", "key": "key"}))],
        };
        if reference.names_kind {
            targets.push(("ConfigMap", json!({"name": "a-map", "key": "key"})));
        }
        // A code is put there by a person, a sample is a file; everything else may come from a secret store.
        if !["appRef", "codeRef", "sampleRef"].contains(&reference.path.last().unwrap().as_str()) {
            targets.push(("ExternalSecret", json!({"name": "stored", "key": "key"})));
        }
        for (kind, target) in targets {
            let name = format!("o{index}-{}", kind.to_lowercase());
            objects.push(object(&name, reference, &target));
            expected.push((format!("test-{name}"), reference, kind, target["name"].as_str().unwrap().to_owned()));
        }
    }

    let made = kustomize(&scratch("every-reference"), &objects);
    for (name, reference, kind, old) in expected {
        let new = &named(&made, kind, &format!("test-{old}"))["metadata"]["name"];
        let path = reference.path.join("/");
        assert_eq!(target(named(&made, &reference.kind, &name), reference)["name"], *new, "{}: {path}", reference.kind);
    }
    assert_eq!(named(&made, "ExternalSecret", "test-stored")["spec"]["target"]["name"], "test-stored");
}

#[test]
fn kustomize_leaves_an_app_of_another_namespace_alone() {
    let app = json!({"apiVersion": "waba.dev/v1alpha1", "kind": "MetaApp", "metadata": {"name": "an-app"}, "spec": {}});
    let reference = Reference { kind: "WhatsAppNumber".to_owned(), path: vec!["appRef".to_owned()], names_kind: false };
    let elsewhere = json!({"name": "an-app", "namespace": "elsewhere"});
    let made = kustomize(&scratch("another-namespace"), &[app, object("a-number", &reference, &elsewhere)]);
    assert_eq!(*target(named(&made, "WhatsAppNumber", "test-a-number"), &reference), elsewhere);
}

/// What Flux makes of an object: the first expression that is true, in its order.
fn health(expressions: &Value, object: &Value) -> &'static str {
    let is_true = |name: &str| {
        let text = expressions[name].as_str().unwrap();
        // To Flux these are variables, to a rule fields of the object.
        let rule = text.replace("status.", "self.status.").replace("metadata.", "self.metadata.");
        let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true,
            "x-kubernetes-validations": [{"rule": rule, "message": "false"}]});
        Validator::new().validate_compiled(&compile_schema(&schema), object, None).is_ok()
    };
    ["inProgress", "failed", "current"].into_iter().find(|name| is_true(name)).unwrap_or("unknown")
}

#[test]
fn flux_waits_for_the_operator_and_not_for_meta() {
    let text =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/gitops/flux/whatsapp.yaml")).unwrap();
    let documents = text.split("\n---\n").map(|document| serde_yaml::from_str::<Value>(document).unwrap());
    let checks: Vec<Value> =
        documents.filter_map(|document| document["spec"]["healthCheckExprs"].as_array().cloned()).flatten().collect();
    let kinds: Vec<_> = checks.iter().map(|check| check["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["WhatsAppNumber", "MessageTemplate"]);

    let ready = |status: &str, reason: &str| {
        json!([{"type": "Sendable", "status": "False", "reason": "NotFound"},
        {"type": "Ready", "status": status, "reason": reason}])
    };
    for (observed, conditions, expected) in [
        (-1, None, "inProgress"),
        (2, None, "inProgress"),
        (1, Some(ready("True", "Enabled")), "inProgress"),
        (2, Some(ready("True", "Enabled")), "current"),
        (2, Some(ready("False", "Restricted")), "current"),
        (2, Some(ready("False", "AwaitingCode")), "current"),
        (2, Some(ready("False", "Rejected")), "current"),
        (2, Some(ready("Unknown", "AppNotReady")), "current"),
        (2, Some(ready("False", "InvalidSpec")), "failed"),
        (2, Some(ready("False", "NotFound")), "failed"),
        (2, Some(ready("Unknown", "AppNotAllowed")), "failed"),
        // Under managementPolicy Observe.
        (2, Some(ready("True", "NotFound")), "current"),
    ] {
        let mut status = json!({"observedGeneration": observed});
        if let Some(conditions) = &conditions {
            status["conditions"] = conditions.clone();
        }
        let object = json!({"metadata": {"generation": 2}, "status": status});
        for check in &checks {
            assert_eq!(health(check, &object), expected, "{}: {object}", check["kind"]);
        }
    }
}
