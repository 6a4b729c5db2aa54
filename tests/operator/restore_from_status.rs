//! What is gone from a ledger, from an account or from the clock: what is remembered all the same decides.

use kube::api::DeleteParams;
use serde_json::{Value, json};
use waba_operator::api::{MetaApp, WhatsAppNumber};

use crate::{
    harness::World,
    ladder::{SUPPORT, unverified},
    manifests::{INO, app, number},
    people::{PHONE, verified, with_our_pin},
    seed::{self, ACCOUNT, ACCOUNT_2, NUMBER, OTHER_APP},
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

/// Whose app does not see the number any more does not stand for it, whatever the ledger says; also before anybody else has
/// written that it is theirs.
#[tokio::test]
async fn an_owner_who_does_not_see_the_number_any_more_makes_way() {
    let mut seed = seed::small();
    seed::push(&mut seed, "accounts", json!({"id": ACCOUNT_2, "name": "Somebody else"}));
    seed::push(&mut seed, "tokens", seed::token("theirs", OTHER_APP, &[ACCOUNT_2]));
    let world = World::caring("blind-owner", seed, json!({"registration": {}})).await;
    world.enabled().await;
    let owner = async || {
        let ledger = world.secret_value(LEDGER, "ledger").await?;
        Some(serde_json::from_str::<Value>(&ledger).unwrap()["owner"]["name"].clone())
    };
    assert_eq!(world.so("the number is somebody's", owner).await, SUPPORT);

    let (secret, token) = (world.app_secret(OTHER_APP).await, world.token("theirs").await);
    world.put_secret("theirs-meta", &[("app-secret", &secret), ("access-token", &token)]).await;
    let key = |key: &str| json!({"name": "theirs-meta", "key": key});
    let theirs = json!({"appID": OTHER_APP, "appSecretRef": key("app-secret"), "accessTokenRef": key("access-token")});
    world.create(&app("theirs", theirs)).await;
    world.stands::<MetaApp>("theirs", "Connected", "True/Connected").await;
    // It only looks, and takes nothing over.
    let looks = json!({"appRef": {"name": "theirs"}, "managementPolicy": "Observe"});
    world.create(&number("z-looks", PHONE, looks)).await;
    world.sim.patch(&format!("numbers/{NUMBER}"), json!({"account": ACCOUNT_2})).await.unwrap();
    world.stands::<WhatsAppNumber>("z-looks", "Enabled", "True/Enabled").await;
    world.says("Conflict", "False/Conflict", &["z-looks"]).await;
    assert_eq!(owner().await.unwrap(), SUPPORT);
    world.finish().await;
}

#[tokio::test]
async fn nothing_is_called_while_the_clock_is_not_metas() {
    let mut seed = unverified();
    seed["now"] = json!("2031-01-01T00:00:00Z");
    let mut world = World::new("skewed", seed).await;
    let mut settings = world.settings();
    settings.timing.largest_skew = std::time::Duration::from_mins(5);
    world.start_with(settings).await;
    world.create(&app(INO, json!({}))).await;
    world.create(&number(SUPPORT, PHONE, json!({"verification": {}}))).await;
    world.says("Unverified", "False/ClockSkewed", &["timedatectl"]).await;
    world.goes_on().await;
    world.asked_only(&[]).await;
    world.finish().await;
}
