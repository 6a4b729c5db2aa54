//! Secrets that the API server does not let the operator write: it is told where, nothing is called for it in vain, nothing
//! that is known is forgotten, and all goes on by itself once it may.

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
    scenario::{PHONE, SUPPORT, estate, unverified, verified},
    seed::ACCOUNT,
    world::{World, condition},
};

const LEDGER: &str = "waba-number-33612345678";

impl World {
    /// The API server lets nobody write this Secret; for how to end that, see [`World::allow`].
    async fn forbid(&self, secret: &str) {
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
        self.so("the API server refuses the Secret", is_refused).await;
    }

    async fn allow(&self) {
        let bindings = Api::<ValidatingAdmissionPolicyBinding>::all(self.client.clone());
        bindings.delete(&self.namespace, &DeleteParams::default()).await.unwrap();
        let policies = Api::<ValidatingAdmissionPolicy>::all(self.client.clone());
        policies.delete(&self.namespace, &DeleteParams::default()).await.unwrap();
    }
}

#[tokio::test]
async fn a_ledger_that_may_not_be_written_is_told_and_nothing_is_called() {
    let world = World::connected("forbidden-ledger", unverified()).await;
    world.forbid(LEDGER).await;
    world.create(&number(SUPPORT, PHONE, json!({"verification": {}}))).await;
    world.says("Unverified", "False/LedgerUnusable", &[LEDGER, "not here"]).await;
    world.is_stalled().await;
    world.asked_only(&[]).await;

    world.allow().await;
    world.says("AwaitingCode", "False/AwaitingCode", &[]).await;
    world.asked_only(&["request_code"]).await;
    world.finish().await;
}

/// Nothing is called for a number that is there already, and yet its ID has to be on record.
#[tokio::test]
async fn a_note_that_may_not_be_written_is_told() {
    let world = World::connected("forbidden-note", estate(json!({}))).await;
    world.forbid(LEDGER).await;
    let adds = json!({"provisioning": "AddIfMissing", "businessAccountID": ACCOUNT, "requestedName": "INO"});
    world.create(&number(SUPPORT, PHONE, adds)).await;
    world.says("Enabled", "False/LedgerUnusable", &[LEDGER, "not here"]).await;
    world.asked_only(&[]).await;

    world.allow().await;
    world.enabled().await;
    world.finish().await;
}

#[tokio::test]
async fn what_is_known_stays_known_while_the_ledger_may_not_be_written() {
    let world = World::caring("forbidden-later", verified(json!({})), json!({"registration": {}})).await;
    world.enabled().await;
    world.tells("PINSynced", "True/PINSynced", &[]).await;
    world.forbid(LEDGER).await;
    world.ask::<WhatsAppNumber>(SUPPORT, "waba.dev/reset-pin-at", 0).await;
    world.condition::<WhatsAppNumber>(SUPPORT, "Ready", "False/LedgerUnusable").await;
    world.asked_only(&["register"]).await;
    let told = world.get::<WhatsAppNumber>(SUPPORT).await.unwrap();
    assert_eq!(condition(&told, "PINSynced").unwrap().0, "True/PINSynced", "{told:#?}");

    world.allow().await;
    world.enabled().await;
    world.finish().await;
}

#[tokio::test]
async fn a_pin_that_may_not_be_created_is_told() {
    let world = World::connected("forbidden-pin", verified(json!({}))).await;
    world.forbid("support-pin").await;
    world.create(&number(SUPPORT, PHONE, json!({"registration": {}}))).await;
    world.says("PINRequired", "False/SecretNotWritten", &["support-pin", "not here"]).await;
    world.tells("PINSynced", "False/SecretNotWritten", &["support-pin"]).await;
    world.is_stalled().await;
    world.asked_only(&[]).await;

    world.allow().await;
    world.enabled().await;
    world.tells("PINSynced", "True/PINSynced", &[]).await;
    world.finish().await;
}

#[tokio::test]
async fn a_binding_that_may_not_be_written_is_told() {
    let world = World::connected("forbidden-bind", estate(json!({}))).await;
    world.forbid("support-binding").await;
    world.create(&number(SUPPORT, PHONE, json!({"binding": {}}))).await;
    world.tells("Bound", "False/SecretNotWritten", &["support-binding", "not here"]).await;
    world.stands::<WhatsAppNumber>(SUPPORT, "Enabled", "False/SecretNotWritten").await;
    world.is_stalled().await;

    world.allow().await;
    world.tells("Bound", "True/Bound", &[]).await;
    world.enabled().await;
    world.finish().await;
}
