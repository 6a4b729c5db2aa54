//! The API server rejects the operator's writes of a Secret: the status names the Secret, no call is sent in vain, no
//! known value is lost, and the operator continues once writes are allowed.

use k8s_openapi::api::{
    admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding},
    core::v1::Secret,
};
use kube::{
    Api,
    api::{DeleteParams, ObjectMeta, PostParams},
};
use serde_json::json;
use waba_operator::api::WhatsAppNumber;

use crate::harness::{
    manifests::number,
    scenario::{PHONE, SUPPORT, number_seed, unverified_number, verified_number},
    seed::ACCOUNT,
    world::{World, condition},
};

const LEDGER: &str = "waba-number-33612345678";

impl World {
    /// Has the API server reject all writes of this Secret until [`World::allow_writes`].
    async fn deny_writes(&self, secret: &str) {
        let name = self.namespace.clone();
        let policy: ValidatingAdmissionPolicy = serde_json::from_value(json!({
            "metadata": {"name": name},
            "spec": {
                "matchConstraints": {"resourceRules": [
                    {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["secrets"]},
                ]},
                "validations": [{"expression": format!("object.metadata.name != '{secret}'"), "message": "not here"}],
            },
        }))
        .unwrap();
        let binding: ValidatingAdmissionPolicyBinding = serde_json::from_value(json!({
            "metadata": {"name": name},
            "spec": {
                "policyName": name,
                "validationActions": ["Deny"],
                "matchResources": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}},
            },
        }))
        .unwrap();
        let params = PostParams::default();
        Api::all(self.client.clone()).create(&params, &policy).await.unwrap();
        Api::all(self.client.clone()).create(&params, &binding).await.unwrap();
        let metadata = ObjectMeta { name: Some(secret.to_owned()), ..ObjectMeta::default() };
        let probe = Secret { metadata, ..Secret::default() };
        let tried = PostParams { dry_run: true, ..PostParams::default() };
        let is_refused = async || {
            let refused = self.secrets().create(&tried, &probe).await.err()?;
            refused.to_string().contains("not here").then_some(())
        };
        self.eventually("the API server refuses the Secret", is_refused).await;
    }

    async fn allow_writes(&self) {
        let bindings = Api::<ValidatingAdmissionPolicyBinding>::all(self.client.clone());
        bindings.delete(&self.namespace, &DeleteParams::default()).await.unwrap();
        let policies = Api::<ValidatingAdmissionPolicy>::all(self.client.clone());
        policies.delete(&self.namespace, &DeleteParams::default()).await.unwrap();
    }
}

#[tokio::test]
async fn no_call_is_sent_and_ready_is_false_while_the_ledger_cannot_be_written() {
    let world = World::connected("forbidden-ledger", unverified_number()).await;
    world.deny_writes(LEDGER).await;
    world.create(&number(SUPPORT, PHONE, json!({"verification": {}}))).await;
    world.until_ready_message("Unverified", "False/LedgerUnusable", &[LEDGER, "not here"]).await;
    world.assert_stalled().await;
    world.assert_writes_at_meta(&[]).await;

    world.allow_writes().await;
    world.until_ready_message("AwaitingCode", "False/AwaitingCode", &[]).await;
    world.assert_writes_at_meta(&["request_code"]).await;
    world.finish().await;
}

/// No call is due for a number that exists already, but its ID must be recorded in the ledger.
#[tokio::test]
async fn ready_is_false_while_an_observation_cannot_be_written_to_the_ledger() {
    let world = World::connected("forbidden-note", number_seed(json!({}))).await;
    world.deny_writes(LEDGER).await;
    let adds = json!({"provisioning": "AddIfMissing", "businessAccountID": ACCOUNT, "requestedName": "INO"});
    world.create(&number(SUPPORT, PHONE, adds)).await;
    world.until_ready_message("Enabled", "False/LedgerUnusable", &[LEDGER, "not here"]).await;
    world.assert_writes_at_meta(&[]).await;

    world.allow_writes().await;
    world.until_enabled().await;
    world.finish().await;
}

#[tokio::test]
async fn conditions_keep_their_values_while_the_ledger_cannot_be_written() {
    let world = World::with_number("forbidden-later", verified_number(json!({})), json!({"registration": {}})).await;
    world.until_enabled().await;
    world.until_message("PINSynced", "True/PINSynced", &[]).await;
    world.deny_writes(LEDGER).await;
    world.request_action::<WhatsAppNumber>(SUPPORT, "waba.dev/reset-pin-at", 0).await;
    world.until_condition::<WhatsAppNumber>(SUPPORT, "Ready", "False/LedgerUnusable").await;
    world.assert_writes_at_meta(&["register"]).await;
    let number = world.get::<WhatsAppNumber>(SUPPORT).await.unwrap();
    assert_eq!(condition(&number, "PINSynced").unwrap().0, "True/PINSynced", "{number:#?}");

    world.allow_writes().await;
    world.until_enabled().await;
    world.finish().await;
}

#[tokio::test]
async fn ready_is_false_and_nothing_is_registered_while_the_pin_secret_cannot_be_created() {
    let world = World::connected("forbidden-pin", verified_number(json!({}))).await;
    world.deny_writes("support-pin").await;
    world.create(&number(SUPPORT, PHONE, json!({"registration": {}}))).await;
    world.until_ready_message("PINRequired", "False/SecretNotWritten", &["support-pin", "not here"]).await;
    world.until_message("PINSynced", "False/SecretNotWritten", &["support-pin"]).await;
    world.assert_stalled().await;
    world.assert_writes_at_meta(&[]).await;

    world.allow_writes().await;
    world.until_enabled().await;
    world.until_message("PINSynced", "True/PINSynced", &[]).await;
    world.finish().await;
}

#[tokio::test]
async fn bound_is_false_while_the_binding_secret_cannot_be_written() {
    let world = World::connected("forbidden-bind", number_seed(json!({}))).await;
    world.deny_writes("support-binding").await;
    world.create(&number(SUPPORT, PHONE, json!({"binding": {}}))).await;
    world.until_message("Bound", "False/SecretNotWritten", &["support-binding", "not here"]).await;
    world.until_phase::<WhatsAppNumber>(SUPPORT, "Enabled", "False/SecretNotWritten").await;
    world.assert_stalled().await;

    world.allow_writes().await;
    world.until_message("Bound", "True/Bound", &[]).await;
    world.until_enabled().await;
    world.finish().await;
}
