//! Standing still, looking only, and what is not acted on yet.

use serde_json::json;
use waba_operator::api::{MessageTemplate, MetaApp, WhatsAppNumber};

use crate::harness::{
    manifests::{CREDENTIALS, INO, app, importing, number, template},
    seed::{self, ACCOUNT, NUMBER, NUMBER_OBJECT},
    world::{World, condition},
};

#[tokio::test]
async fn a_suspended_app_calls_nobody() {
    let mut world = World::running("suspend-app", seed::small()).await;
    world.create(&importing()).await;
    world.stands::<WhatsAppNumber>(NUMBER_OBJECT, "Enabled", "True/Enabled").await;
    world.settle().await;
    world.patch::<MetaApp>(INO, json!({"spec": {"suspend": true}})).await;
    let app = world.stands::<MetaApp>(INO, "Suspended", "True/Connected").await;
    assert_eq!(condition(&app, "Suspended").unwrap().0, "True/Suspended");
    world.stands::<WhatsAppNumber>(NUMBER_OBJECT, "Enabled", "Unknown/AppSuspended").await;

    // Not when asked, not when something changes, not after a restart.
    let since = world.last_call().await;
    world.ask::<MetaApp>(INO, "waba.dev/reconcile-at", 0).await;
    world.ask::<WhatsAppNumber>(NUMBER_OBJECT, "waba.dev/reconcile-at", 0).await;
    world.set_token(&world.token("next").await).await;
    let handled = |app: &MetaApp| app.status.as_ref().unwrap().handled.reconcile_at.is_some();
    world.until::<MetaApp>(INO, "the echo", handled).await;
    world.restart().await;
    world.operator().until_ready("running").await;
    let late = world.create(&number("late", "+33699999999", json!({}))).await;
    world.until::<WhatsAppNumber>("late", "a status", |n| condition(n, "Ready").is_some()).await;
    assert_eq!(world.last_call().await, since, "{:#?}", world.sim.calls(since).await);
    assert_eq!(world.secret_value("ino-cx-token", "candidate").await, None);

    world.delete::<WhatsAppNumber>(&late.metadata.name.unwrap()).await;
    world.patch::<MetaApp>(INO, json!({"spec": {"suspend": null}})).await;
    world.stands::<MetaApp>(INO, "Connected", "True/Connected").await;
    world.stands::<WhatsAppNumber>(NUMBER_OBJECT, "Enabled", "True/Enabled").await;
    world.finish().await;
}

#[tokio::test]
async fn a_suspended_number_keeps_what_it_said() {
    let world = World::running("suspend-number", seed::small()).await;
    world.create(&app(INO, json!({}))).await;
    world.create(&number("support", "+33612345678", json!({}))).await;
    world.create(&template("shipped", "order_shipped", json!({}))).await;
    world.create(&number("new", "+33699999999", json!({"suspend": true}))).await;
    world.stands::<WhatsAppNumber>("support", "Enabled", "True/Enabled").await;
    world.stands::<MessageTemplate>("shipped", "Approved", "True/Approved").await;
    world.stands::<WhatsAppNumber>("new", "Suspended", "Unknown/Suspended").await;
    world.patch::<WhatsAppNumber>("support", json!({"spec": {"suspend": true}})).await;
    world.patch::<MessageTemplate>("shipped", json!({"spec": {"suspend": true}})).await;
    let number = world.stands::<WhatsAppNumber>("support", "Suspended", "True/Enabled").await;
    let told = condition(&number, "Ready").unwrap().1;
    assert!(told.starts_with("spec.suspend is true"), "lists print it: {told}");
    world.stands::<MessageTemplate>("shipped", "Suspended", "True/Approved").await;

    world.sim.patch(&format!("numbers/{NUMBER}"), json!({"status": "BANNED"})).await.unwrap();
    let versions = world.settle().await;
    world.polls(ACCOUNT, 3).await;
    world.versions().await.must_be(&versions);
    world.patch::<WhatsAppNumber>("support", json!({"spec": {"suspend": false}})).await;
    world.patch::<MessageTemplate>("shipped", json!({"spec": {"suspend": false}})).await;
    let number = world.stands::<WhatsAppNumber>("support", "Restricted", "False/Banned").await;
    assert!(condition(&number, "Suspended").is_none());
    world.stands::<MessageTemplate>("shipped", "Approved", "True/Approved").await;
    world.finish().await;
}

#[tokio::test]
async fn what_is_only_observed_is_ready_whatever_it_is() {
    let mut seed = seed::small();
    seed["numbers"][0]["status"] = json!("BANNED");
    let world = World::running("observe", seed).await;
    world.create(&app(INO, json!({"managementPolicy": "Observe"}))).await;
    world.create(&number("support", "+33612345678", json!({"managementPolicy": "Observe"}))).await;
    let number = world.stands::<WhatsAppNumber>("support", "Restricted", "True/Observed").await;
    assert!(condition(&number, "Ready").unwrap().1.contains("banned"));
    let calls = world.sim.calls(0).await.unwrap();
    assert!(calls.iter().all(|call| call["method"] == "GET" && call["effect"].is_null()), "{calls:#?}");
    world.finish().await;
}

#[tokio::test]
async fn what_is_not_acted_on_yet_is_told() {
    let world = World::running("later", seed::small()).await;
    let webhook =
        json!({"callbackURL": "https://ino.example/hook", "verifyTokenRef": {"name": CREDENTIALS, "key": "verify"}});
    world.create(&app(INO, json!({"webhook": webhook, "deletionPolicy": "Unsubscribe"}))).await;
    let full = json!({"managementPolicy": "Full", "category": "UTILITY", "body": {"text": "Hello."}});
    world.create(&template("new", "not_there", full)).await;

    world.stands::<MessageTemplate>("new", "Pending", "False/NotYetSupported").await;
    let app = world.stands::<MetaApp>(INO, "Connected", "True/Connected").await;
    assert_eq!(condition(&app, "WebhookConfigured").unwrap().0, "False/NotYetSupported");
    world.create(&app_with_login()).await;
    world.stands::<MetaApp>("with-login", "AwaitingLogin", "False/NotYetSupported").await;
    let calls = world.sim.calls(0).await.unwrap();
    assert!(calls.iter().all(|call| call["effect"].is_null()), "{calls:#?}");
    world.settle().await;
    world.finish().await;
}

fn app_with_login() -> MetaApp {
    app("with-login", json!({"appID": "777", "accessTokenRef": null, "login": {"configurationID": "1"}}))
}

#[tokio::test]
async fn what_cannot_be_is_told_and_nothing_is_lost() {
    let world = World::running("invalid", seed::small()).await;
    world.create(&app(INO, json!({}))).await;
    world.create(&number("support", "+33612345678", json!({}))).await;
    world.stands::<WhatsAppNumber>("support", "Enabled", "True/Enabled").await;
    world.patch::<WhatsAppNumber>("support", json!({"spec": {"timeZone": "Europe/Pariss"}})).await;
    let number = world.stands::<WhatsAppNumber>("support", "Enabled", "False/InvalidSpec").await;
    let (_, message) = condition(&number, "Stalled").unwrap();
    assert!(message.starts_with("spec.timeZone: ") && message.contains("Europe/Paris"), "{message}");
    assert_eq!(number.status.unwrap().verified_name.as_deref(), Some("INO Support"));
    world.patch::<WhatsAppNumber>("support", json!({"spec": {"timeZone": "Europe/Paris"}})).await;
    world.stands::<WhatsAppNumber>("support", "Enabled", "True/Enabled").await;
    world.finish().await;
}
