//! What is gone from a ledger, from an account or from the clock: what is remembered all the same decides.

use kube::api::DeleteParams;
use serde_json::json;

use crate::harness::{
    manifests::number,
    scenario::{PHONE, SUPPORT, unverified, verified, with_our_pin},
    seed::{ACCOUNT, NUMBER},
    world::World,
};

const LEDGER: &str = "waba-number-33612345678";

/// Where the number was not added, nothing but the status tells of it.
#[tokio::test]
async fn a_code_that_only_the_status_tells_of_is_not_sent_again() {
    let mut world = World::caring("status-only", unverified(), json!({"verification": {}})).await;
    world.says("AwaitingCode", "False/AwaitingCode", &[]).await;
    world.take_operator().kill().await;
    world.secrets().delete(LEDGER, &DeleteParams::default()).await.unwrap();

    world.start().await;
    world.polls(ACCOUNT, 2).await;
    world.asked_only(&["request_code"]).await;
    world.says("AwaitingCode", "False/AwaitingCode", &[]).await;
    let code = world.code(NUMBER).await;
    world.put_secret("support-code", &[("code", &code)]).await;
    world.tells("Verified", "True/Verified", &[]).await;
    world.asked_only(&["request_code", "verify_code"]).await;
    world.finish().await;
}

#[tokio::test]
async fn a_pin_that_only_the_status_calls_refused_is_not_tried_again_and_another_one_is() {
    let (right, wrong) = ("002816", "730164");
    let mut world = World::connected("status-pin", verified(json!({"pin": right}))).await;
    world.pin(wrong).await;
    world.create(&number(SUPPORT, PHONE, with_our_pin())).await;
    world.says("PINRequired", "False/PINRefused", &[]).await;
    world.take_operator().kill().await;
    world.secrets().delete(LEDGER, &DeleteParams::default()).await.unwrap();

    world.start().await;
    world.polls(ACCOUNT, 2).await;
    world.asked_only(&["register"]).await;
    world.says("PINRequired", "False/PINRefused", &[]).await;
    world.pin(right).await;
    world.enabled().await;
    world.asked_only(&["register", "register"]).await;
    world.finish().await;
}
