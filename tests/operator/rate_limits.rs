//! Meta throttles an account: this operator and the next one send nothing until the throttle ends.

use serde_json::json;
use waba_operator::api::{MetaApp, Throttle, WhatsAppNumber};

use crate::harness::{
    manifests::{INO, app, number},
    seed::{self, ACCOUNT},
    world::{World, is_poll},
};

fn throttles(app: &MetaApp) -> &[Throttle] {
    app.status.as_ref().map_or(&[], |status| &status.throttles)
}

#[tokio::test]
async fn a_throttled_account_is_not_read_even_after_a_restart() {
    let mut world = World::running("throttled", seed::two_accounts()).await;
    world.create(&app(INO, json!({}))).await;
    world.create(&number("support", "+33612345678", json!({}))).await;
    world.create(&number("sales", "+33184882020", json!({}))).await;
    world.until_phase::<WhatsAppNumber>("support", "Enabled", "True/Enabled").await;

    world.sim.patch(&format!("accounts/{ACCOUNT}"), json!({"rate_limit": 1})).await.unwrap();
    let app = world.until::<MetaApp>(INO, "the throttle", |app| !throttles(app).is_empty()).await;
    let throttle = &throttles(&app)[0];
    assert_eq!(throttle.business_account_id.as_deref(), Some(ACCOUNT));
    assert!(throttle.until.0 > jiff::Timestamp::now() + jiff::SignedDuration::from_mins(30));
    let message = world.until_condition::<MetaApp>(INO, "AccountsSynced", "False/Throttled").await;
    assert!(message.contains(ACCOUNT), "{message}");

    // Even actions cause no read of the account.
    let since = world.last_call().await;
    world.request_action::<MetaApp>(INO, "waba.dev/reconcile-at", 0).await;
    world.request_action::<WhatsAppNumber>("support", "waba.dev/reconcile-at", 0).await;
    world.until_polled(seed::ACCOUNT_2, 4).await;
    world.until_phase::<WhatsAppNumber>("support", "Enabled", "Unknown/Stale").await;
    world.until_phase::<WhatsAppNumber>("sales", "Enabled", "True/Enabled").await;
    let versions = world.versions().await;
    world.until_polled(seed::ACCOUNT_2, 4).await;
    world.versions().await.assert_unchanged_since(&versions);

    world.restart().await;
    world.until_polled(seed::ACCOUNT_2, 4).await;
    let calls = world.sim.calls(since).await.unwrap();
    assert!(calls.iter().all(|call| !is_poll(call, ACCOUNT)), "{calls:#?}");
    assert_eq!(throttles(&world.get::<MetaApp>(INO).await.unwrap()), throttles(&app));
    world.finish().await;
}

#[tokio::test]
async fn a_short_throttle_ends_by_itself() {
    let world = World::running("short-throttle", seed::small()).await;
    world.create(&app(INO, json!({}))).await;
    world.create(&number("support", "+33612345678", json!({}))).await;
    world.until_phase::<WhatsAppNumber>("support", "Enabled", "True/Enabled").await;
    let body = json!({"error": {"code": 80_007, "message": "(#80007) too many calls", "type": "OAuthException"}});
    world
        .inject_fault(json!({"path": format!("/{ACCOUNT}$"), "times": 1, "before": {"status": 400, "body": body}}))
        .await;
    world.until_condition::<MetaApp>(INO, "AccountsSynced", "False/Throttled").await;
    world.until_phase::<MetaApp>(INO, "Connected", "True/Connected").await;
    world.until_phase::<WhatsAppNumber>("support", "Enabled", "True/Enabled").await;
    world.finish().await;
}
