//! When the ledger is lost, the operator restores from the object's status what it must not do again.

use kube::api::DeleteParams;
use serde_json::json;
use waba_operator::api::WhatsAppNumber;

use crate::harness::{
    manifests::number,
    scenario::{PHONE, SUPPORT, registration_with_pin_ref, unverified_number, verified_number},
    seed::{ACCOUNT, NUMBER},
    world::World,
};

const LEDGER: &str = "waba-number-33612345678";

/// The number was not added by the operator, so only the status records the code.
#[tokio::test]
async fn no_second_code_is_sent_when_only_the_status_records_the_first() {
    let mut world = World::with_number("status-only", unverified_number(), json!({"verification": {}})).await;
    world.until_ready_message("AwaitingCode", "False/AwaitingCode", &[]).await;
    world.take_operator().kill().await;
    world.secrets().delete(LEDGER, &DeleteParams::default()).await.unwrap();

    world.start().await;
    world.until_polled(ACCOUNT, 2).await;
    world.assert_writes_at_meta(&["request_code"]).await;
    world.until_ready_message("AwaitingCode", "False/AwaitingCode", &[]).await;
    let code = world.sent_code(NUMBER).await;
    world.put_secret("support-code", &[("code", &code)]).await;
    world.until_message("Verified", "True/Verified", &[]).await;
    world.assert_writes_at_meta(&["request_code", "verify_code"]).await;
    world.finish().await;
}

#[tokio::test]
async fn a_refused_pin_is_not_tried_again_when_only_the_status_records_it() {
    let (right, wrong) = ("002816", "730164");
    let mut world = World::connected("status-pin", verified_number(json!({"pin": right}))).await;
    world.put_pin(wrong).await;
    world.create(&number(SUPPORT, PHONE, registration_with_pin_ref())).await;
    world.until_ready_message("PINRequired", "False/PINRefused", &[]).await;
    world.take_operator().kill().await;
    world.secrets().delete(LEDGER, &DeleteParams::default()).await.unwrap();

    world.start().await;
    world.until_polled(ACCOUNT, 2).await;
    world.assert_writes_at_meta(&["register"]).await;
    world.until_ready_message("PINRequired", "False/PINRefused", &[]).await;
    world.put_pin(right).await;
    world.until_enabled().await;
    world.assert_writes_at_meta(&["register", "register"]).await;
    world.finish().await;
}

/// The request was ignored, so that no call records it.
#[tokio::test]
async fn a_status_that_is_restored_to_an_older_one_repeats_no_request_that_was_ignored() {
    let mut world = World::with_number("older-status", verified_number(json!({})), json!({"registration": {}})).await;
    world.until_enabled().await;
    world.until_message("PINSynced", "True/PINSynced", &[]).await;
    world.request_action::<WhatsAppNumber>(SUPPORT, "waba.dev/register-at", 0).await;
    world.until_event(SUPPORT, "ActionIgnored").await;
    world.settle().await;
    world.take_operator().kill().await;
    world.patch_status::<WhatsAppNumber>(SUPPORT, json!({"status": {"handled": {"registerAt": null}}})).await;
    let deregistered =
        json!({"status": "DISCONNECTED", "platform_type": "NOT_APPLICABLE", "expected_registrations": 0});
    world.change_at_meta(deregistered).await;

    world.start().await;
    world.until_ready_message("PINRequired", "False/Disconnected", &["waba.dev/register-at"]).await;
    world.assert_writes_at_meta(&["register"]).await;
    world.finish().await;
}
