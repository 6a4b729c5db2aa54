//! The CRDs on a real API server: what it accepts, what it rejects, and with which messages.
//!
//! `tests/crds/good/*.yaml` are accepted; `tests/crds/bad/*.yaml` are rejected for exactly the reasons in their first
//! lines (`# expect: <part of the server's message>`); `tests/crds/updates/*.yaml` hold an object before and after an
//! update: the first is accepted, the second as their first lines say (`# expect: accepted` or a part of the message).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{fs, path::Path};

use axum::http::{Method, Request};
use kube::{
    Api, Client, Resource,
    api::{ApiResource, DynamicObject, ListParams, Patch, PatchParams},
    core::Status,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use waba_operator::api::{MessageTemplate, MetaApp, NEVER_OBSERVED, WhatsAppNumber, crds};

/// One file of `tests/crds`.
struct Example {
    name: String,
    expect: Vec<String>,
    documents: Vec<DynamicObject>,
}

fn examples(folder: &str) -> Vec<Example> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/crds").join(folder);
    let mut paths: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| example(path)).collect()
}

fn example(path: &Path) -> Example {
    let text = fs::read_to_string(path).unwrap();
    let expect = text.lines().filter_map(|line| line.strip_prefix("# expect: ")).map(str::to_owned).collect();
    let documents = text.split("\n---\n").map(|document| serde_yaml::from_str(document).unwrap()).collect();
    Example { name: path.file_stem().unwrap().to_string_lossy().into_owned(), expect, documents }
}

async fn server() -> (Client, String) {
    let plane = control_plane::shared().await;
    let definitions: Vec<_> = crds().iter().map(|crd| serde_json::to_value(crd).unwrap()).collect();
    plane.apply_crds(&definitions).await.unwrap();
    (plane.client(), plane.namespace("crds").await)
}

fn api(client: &Client, namespace: &str, object: &DynamicObject) -> Api<DynamicObject> {
    let kinds = [ApiResource::erase::<MetaApp>(&()), ApiResource::erase::<WhatsAppNumber>(&())];
    let kind = object.types.as_ref().unwrap().kind.clone();
    let resource = kinds.into_iter().find(|resource| resource.kind == kind);
    Api::namespaced_with(
        client.clone(),
        namespace,
        &resource.unwrap_or_else(|| ApiResource::erase::<MessageTemplate>(&())),
    )
}

/// Creates an object as `kubectl apply` does; an error is the API server's own.
async fn create(client: &Client, namespace: &str, object: &DynamicObject) -> Result<DynamicObject, Box<Status>> {
    write(client, Method::POST, api(client, namespace, object).resource_url(), object).await
}

/// Replaces an object that exists.
async fn update(client: &Client, namespace: &str, object: &DynamicObject) -> Result<DynamicObject, Box<Status>> {
    let api = api(client, namespace, object);
    let name = object.metadata.name.as_deref().unwrap();
    let mut object = object.clone();
    object.metadata.resource_version = api.get(name).await.unwrap().metadata.resource_version;
    write(client, Method::PUT, &format!("{}/{name}", api.resource_url()), &object).await
}

/// Writes with strict validation, which `kubectl` requests and the client's typed calls do not support.
async fn write(
    client: &Client,
    method: Method,
    url: &str,
    object: &DynamicObject,
) -> Result<DynamicObject, Box<Status>> {
    let request = Request::builder()
        .method(method)
        .uri(format!("{url}?fieldValidation=Strict"))
        .header("Content-Type", "application/json")
        .body(serde_json::to_vec(object).unwrap());
    match client.request(request.unwrap()).await {
        Ok(stored) => Ok(stored),
        Err(kube::Error::Api(status)) => Err(status),
        Err(other) => panic!("{other}"),
    }
}

/// Compares a reply with the expected texts: each must be in a cause of its own, and there must be no other cause; the
/// difference.
fn mismatch(expect: &[String], answer: &Result<DynamicObject, Box<Status>>) -> Option<String> {
    let causes = match answer {
        Ok(_) if expect == ["accepted"] => return None,
        Ok(_) => return Some("was accepted".to_owned()),
        Err(status) => causes(status),
    };
    let is_named = |text: &String| causes.iter().any(|cause| cause.contains(text.as_str()));
    (expect.is_empty() || causes.len() != expect.len() || !expect.iter().all(is_named)).then(|| causes.join("\n    "))
}

/// The causes of a rejection, each as `field: message`; the whole message if the server lists none.
fn causes(status: &Status) -> Vec<String> {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    // The server adds a cause without a field when the schema rejects the object before any rule runs.
    let causes = causes.filter(|cause| cause.field != "<nil>");
    let causes: Vec<_> = causes.map(|cause| format!("{}: {}", cause.field, cause.message)).collect();
    if causes.is_empty() { vec![status.message.clone()] } else { causes }
}

fn assert_all_as_expected(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} not as expected:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test]
async fn good_manifests_are_accepted_and_deserialized() {
    let (client, namespace) = server().await;
    let mut wrong = Vec::new();
    for Example { name, documents, .. } in examples("good") {
        match create(&client, &namespace, &documents[0]).await {
            Ok(stored) => {
                assert_eq!(stored.data["spec"], documents[0].data["spec"], "{name} is stored as it was written");
                assert_eq!(stored.data["status"], json!({"observedGeneration": NEVER_OBSERVED}), "{name}");
                assert_eq!(round_trip(&stored), stored.data["spec"], "{name} keeps everything in the Rust types");
            }
            Err(status) => wrong.push(format!("{name}: {}", causes(&status).join("\n    "))),
        }
    }
    assert_all_as_expected(&wrong);
}

/// The spec after a round trip through the Rust types.
fn round_trip(object: &DynamicObject) -> Value {
    fn through<K: DeserializeOwned + Serialize>(object: &DynamicObject) -> Value {
        let typed: K = serde_json::from_value(serde_json::to_value(object).unwrap()).unwrap();
        serde_json::to_value(typed).unwrap()["spec"].clone()
    }
    match object.types.as_ref().unwrap().kind.as_str() {
        "MetaApp" => through::<MetaApp>(object),
        "WhatsAppNumber" => through::<WhatsAppNumber>(object),
        _ => through::<MessageTemplate>(object),
    }
}

#[tokio::test]
async fn bad_manifests_are_rejected_for_the_expected_reasons() {
    let (client, namespace) = server().await;
    let mut wrong = Vec::new();
    for Example { name, expect, documents } in examples("bad") {
        let answer = create(&client, &namespace, &documents[0]).await;
        wrong.extend(mismatch(&expect, &answer).map(|how| format!("{name}: {how}")));
    }
    assert_all_as_expected(&wrong);
}

#[tokio::test]
async fn immutable_fields_cannot_be_changed_by_updates() {
    let (client, namespace) = server().await;
    let mut wrong = Vec::new();
    for Example { name, expect, documents } in examples("updates") {
        let before = create(&client, &namespace, &documents[0]).await;
        wrong.extend(before.err().map(|status| format!("{name}, before: {}", causes(&status).join("\n    "))));
        let after = update(&client, &namespace, &documents[1]).await;
        wrong.extend(mismatch(&expect, &after).map(|how| format!("{name}, after: {how}")));
    }
    assert_all_as_expected(&wrong);
}

/// A rule that no example breaks could be wrong without a failing test.
#[tokio::test]
async fn every_cel_rule_is_broken_by_an_example() {
    let (client, namespace) = server().await;
    let mut received = Vec::new();
    for Example { documents, .. } in examples("bad") {
        received.extend(create(&client, &namespace, &documents[0]).await.err().map(|status| status.message));
    }
    for Example { documents, .. } in examples("updates") {
        create(&client, &namespace, &documents[0]).await.unwrap();
        received.extend(update(&client, &namespace, &documents[1]).await.err().map(|status| status.message));
    }
    let rules: Vec<_> = crds().iter().flat_map(|crd| messages(&serde_json::to_value(crd).unwrap())).collect();
    let unbroken: Vec<_> =
        rules.iter().filter(|rule| !received.iter().any(|message| message.contains(*rule))).collect();
    assert!(!rules.is_empty() && unbroken.is_empty(), "no example breaks the rules with these messages: {unbroken:#?}");
}

/// The messages of all rules in a part of a CRD.
fn messages(part: &Value) -> Vec<String> {
    match part {
        Value::Array(items) => items.iter().flat_map(messages).collect(),
        Value::Object(fields) => {
            let rules = fields.get("x-kubernetes-validations").and_then(Value::as_array).into_iter().flatten();
            let own = rules.map(|rule| rule["message"].as_str().unwrap().to_owned());
            own.chain(fields.values().flat_map(messages)).collect()
        }
        _ => Vec::new(),
    }
}

/// Removing an optional field and setting another value, in two writes.
#[tokio::test]
async fn an_account_cannot_be_changed_in_two_steps() {
    let (client, namespace) = server().await;
    let mut number = examples("good").into_iter().find(|e| e.name == "number-everything").unwrap().documents.remove(0);
    create(&client, &namespace, &number).await.unwrap();
    number.data["spec"]["provisioning"] = json!("Adopt");
    number.data["spec"].as_object_mut().unwrap().remove("businessAccountID");
    let refused = update(&client, &namespace, &number).await.unwrap_err();
    assert!(refused.message.contains("spec.businessAccountID: Forbidden"), "{}", refused.message);
}

/// Meta may send any word of any length, and a newer operator may have written phases that this one does not know.
#[tokio::test]
async fn status_accepts_unknown_values_and_is_read_back() {
    let (client, namespace) = server().await;
    let words = "w".repeat(5000);
    let statuses = [
        ("metaapp-smallest", json!({"phase": "Dreaming", "token": {"source": "Oracle", "type": words}})),
        ("number-smallest", json!({"phase": "Dreaming", "direction": "Sideways", "verifiedName": words})),
        (
            "template-smallest",
            json!({"phase": "Dreaming", "category": "FREE_SERVICE", "content": {
                "parameterFormat": "ROMAN",
                "header": {"format": "GIF"},
                "body": {"text": words, "examples": {"X Y": ""}},
                "buttons": (0..20).map(|_| json!({"type": "ORDER_DETAILS", "text": words})).collect::<Vec<_>>(),
            }}),
        ),
    ];
    for (name, mut status) in statuses {
        let object = examples("good").into_iter().find(|example| example.name == name).unwrap().documents.remove(0);
        create(&client, &namespace, &object).await.unwrap();
        status["observedGeneration"] = json!(1);
        status["needsAction"] = json!(true);
        let api = api(&client, &namespace, &object);
        let patch = Patch::Merge(json!({"status": status}));
        let stored = api.patch_status(name, &PatchParams::default(), &patch).await.unwrap();
        assert_eq!(stored.data["status"], status, "{name}");
        assert_eq!(status_round_trip(&stored), status, "{name} keeps everything in the Rust types");
    }
}

fn status_round_trip(object: &DynamicObject) -> Value {
    fn through<K: DeserializeOwned + Serialize>(object: &DynamicObject) -> Value {
        let typed: K = serde_json::from_value(serde_json::to_value(object).unwrap()).unwrap();
        serde_json::to_value(typed).unwrap()["status"].clone()
    }
    match object.types.as_ref().unwrap().kind.as_str() {
        "MetaApp" => through::<MetaApp>(object),
        "WhatsAppNumber" => through::<WhatsAppNumber>(object),
        _ => through::<MessageTemplate>(object),
    }
}

#[tokio::test]
async fn numbers_can_be_selected_by_the_documented_fields() {
    let (client, namespace) = server().await;
    for name in ["number-everything", "number-outgoing-only"] {
        let example = examples("good").into_iter().find(|example| example.name == name).unwrap();
        create(&client, &namespace, &example.documents[0]).await.unwrap();
    }
    let numbers: Api<WhatsAppNumber> = Api::namespaced(client, &namespace);
    let status = json!({"status": {"observedGeneration": 1, "phase": "Enabled", "direction": "Both"}});
    numbers.patch_status("number-everything", &PatchParams::default(), &Patch::Merge(status)).await.unwrap();
    for (selector, found) in [
        ("spec.phoneNumber=+33612345678", 2),
        ("spec.appRef.name=ino-cx", 2),
        ("spec.businessAccountID=102290129340398", 1),
        ("status.phase=Enabled", 1),
        ("status.direction=Both,status.phase=Pending", 0),
    ] {
        let list = numbers.list(&ListParams::default().fields(selector)).await.unwrap();
        assert_eq!(list.items.len(), found, "{selector}");
    }
    assert_eq!(WhatsAppNumber::plural(&()), "whatsappnumbers");
}
