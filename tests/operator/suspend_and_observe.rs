//! `spec.suspend`, `managementPolicy: Observe`, and fields that are not supported yet.

use kube::api::ListParams;
use serde_json::json;
use waba_operator::api::{MessageTemplate, MetaApp, WhatsAppNumber};

use crate::harness::{
    manifests::{CREDENTIALS, INO, app, importing, number, template},
    seed::{self, ACCOUNT, NUMBER, NUMBER_OBJECT},
    world::{World, condition},
};

#[tokio::test]
async fn a_suspended_app_makes_no_calls_to_meta() {
    let mut world = World::running("suspend-app", seed::small()).await;
    world.create(&importing()).await;
    world.until_phase::<WhatsAppNumber>(NUMBER_OBJECT, "Enabled", "True/Enabled").await;
    world.settle().await;
    world.patch::<MetaApp>(INO, json!({"spec": {"suspend": true}})).await;
    let app = world.until_phase::<MetaApp>(INO, "Suspended", "True/Connected").await;
    assert_eq!(condition(&app, "Suspended").unwrap().0, "True/Suspended");
    world.until_phase::<WhatsAppNumber>(NUMBER_OBJECT, "Enabled", "Unknown/AppSuspended").await;

    // Neither actions nor changes nor a restart cause a call.
    let since = world.last_call().await;
    world.request_action::<MetaApp>(INO, "waba.dev/reconcile-at", 0).await;
    world.request_action::<WhatsAppNumber>(NUMBER_OBJECT, "waba.dev/reconcile-at", 0).await;
    world.set_token(&world.token("next").await).await;
    let handled = |app: &MetaApp| app.status.as_ref().unwrap().handled.reconcile_at.is_some();
    world.until::<MetaApp>(INO, "the action is acknowledged in status.handled", handled).await;
    world.restart().await;
    world.operator().until_ready("running").await;
    let late = world.create(&number("late", "+33699999999", json!({}))).await;
    world.until::<WhatsAppNumber>("late", "a status", |n| condition(n, "Ready").is_some()).await;
    assert_eq!(world.last_call().await, since, "{:#?}", world.sim.calls(since).await);
    assert_eq!(world.secret_value("ino-cx-token", "candidate").await, None);

    world.delete::<WhatsAppNumber>(&late.metadata.name.unwrap()).await;
    world.patch::<MetaApp>(INO, json!({"spec": {"suspend": null}})).await;
    world.until_phase::<MetaApp>(INO, "Connected", "True/Connected").await;
    world.until_phase::<WhatsAppNumber>(NUMBER_OBJECT, "Enabled", "True/Enabled").await;
    world.finish().await;
}

#[tokio::test]
async fn suspended_objects_keep_their_conditions() {
    let world = World::running("suspend-number", seed::small()).await;
    world.create(&app(INO, json!({}))).await;
    world.create(&number("support", "+33612345678", json!({}))).await;
    world.create(&template("shipped", "order_shipped", json!({}))).await;
    world.create(&number("new", "+33699999999", json!({"suspend": true}))).await;
    world.until_phase::<WhatsAppNumber>("support", "Enabled", "True/Enabled").await;
    world.until_phase::<MessageTemplate>("shipped", "Approved", "True/Approved").await;
    world.until_phase::<WhatsAppNumber>("new", "Suspended", "Unknown/Suspended").await;
    world.patch::<WhatsAppNumber>("support", json!({"spec": {"suspend": true}})).await;
    world.patch::<MessageTemplate>("shipped", json!({"spec": {"suspend": true}})).await;
    let number = world.until_phase::<WhatsAppNumber>("support", "Suspended", "True/Enabled").await;
    let message = condition(&number, "Ready").unwrap().1;
    assert!(message.starts_with("spec.suspend is true"), "kubectl get prints the message: {message}");
    world.until_phase::<MessageTemplate>("shipped", "Suspended", "True/Approved").await;

    world.sim.patch(&format!("numbers/{NUMBER}"), json!({"status": "BANNED"})).await.unwrap();
    let versions = world.settle().await;
    world.until_polled(ACCOUNT, 3).await;
    world.versions().await.assert_unchanged_since(&versions);
    world.patch::<WhatsAppNumber>("support", json!({"spec": {"suspend": false}})).await;
    world.patch::<MessageTemplate>("shipped", json!({"spec": {"suspend": false}})).await;
    let number = world.until_phase::<WhatsAppNumber>("support", "Restricted", "False/Banned").await;
    assert!(condition(&number, "Suspended").is_none());
    world.until_phase::<MessageTemplate>("shipped", "Approved", "True/Approved").await;
    world.finish().await;
}

#[tokio::test]
async fn observed_objects_are_ready_in_every_phase() {
    let mut seed = seed::small();
    seed["numbers"][0]["status"] = json!("BANNED");
    let world = World::running("observe", seed).await;
    world.create(&app(INO, json!({"managementPolicy": "Observe"}))).await;
    world.create(&number("support", "+33612345678", json!({"managementPolicy": "Observe"}))).await;
    let number = world.until_phase::<WhatsAppNumber>("support", "Restricted", "True/Banned").await;
    assert!(condition(&number, "Ready").unwrap().1.contains("banned"));
    assert_eq!(condition(&number, "Sendable").unwrap().0, "False/Banned");
    // A person would have to act at Meta: the Event, the field and the counts say that.
    world.until_event_of_type("support", "Banned", "Warning").await;
    let waiting = ListParams::default().fields("status.needsAction=true");
    assert_eq!(world.api::<WhatsAppNumber>().list(&waiting).await.unwrap().items.len(), 1);
    world
        .until::<MetaApp>(INO, "counts.needsAction", |app| {
            app.status.as_ref().and_then(|status| status.counts.as_ref()).is_some_and(|counts| counts.needs_action == 1)
        })
        .await;
    let calls = world.sim.calls(0).await.unwrap();
    assert!(calls.iter().all(|call| call["method"] == "GET" && call["effect"].is_null()), "{calls:#?}");
    world.finish().await;
}

#[tokio::test]
async fn numbers_of_an_observed_app_change_nothing_at_meta() {
    let world = World::running("observed-app", seed::small()).await;
    world.create(&app(INO, json!({"managementPolicy": "Observe"}))).await;
    let profile = json!({"profile": {"about": "We answer around the clock."}});
    world.create(&number("support", "+33612345678", profile)).await;
    world.until_condition::<WhatsAppNumber>("support", "Ready", "True/Enabled").await;
    let number = world.get::<WhatsAppNumber>("support").await.unwrap();
    assert!(condition(&number, "Ready").unwrap().1.contains("because spec.managementPolicy of MetaApp"), "{number:#?}");
    world.settle().await;
    let calls = world.sim.calls(0).await.unwrap();
    assert!(calls.iter().all(|call| call["method"] == "GET" && call["effect"].is_null()), "{calls:#?}");

    world.patch::<MetaApp>(INO, json!({"spec": {"managementPolicy": "Full"}})).await;
    world.until_condition::<WhatsAppNumber>("support", "ProfileSynced", "True/ProfileSynced").await;
    world.finish().await;
}

#[tokio::test]
async fn unsupported_fields_are_reported() {
    let world = World::running("later", seed::small()).await;
    let webhook =
        json!({"callbackURL": "https://ino.example/hook", "verifyTokenRef": {"name": CREDENTIALS, "key": "verify"}});
    world.create(&app(INO, json!({"webhook": webhook, "deletionPolicy": "Unsubscribe"}))).await;
    let full = json!({"managementPolicy": "Full", "category": "UTILITY", "body": {"text": "Hello."}});
    world.create(&template("new", "not_there", full)).await;

    world.until_phase::<MessageTemplate>("new", "Pending", "False/NotYetSupported").await;
    let app = world.until_phase::<MetaApp>(INO, "Connected", "True/Connected").await;
    assert_eq!(condition(&app, "WebhookConfigured").unwrap().0, "False/NotYetSupported");
    world.create(&app_with_login()).await;
    world.until_phase::<MetaApp>("with-login", "AwaitingLogin", "False/NotYetSupported").await;
    let calls = world.sim.calls(0).await.unwrap();
    assert!(calls.iter().all(|call| call["effect"].is_null()), "{calls:#?}");
    world.settle().await;
    world.finish().await;
}

fn app_with_login() -> MetaApp {
    app("with-login", json!({"appID": "777", "accessTokenRef": null, "login": {"configurationID": "1"}}))
}

#[tokio::test]
async fn a_mistake_in_one_field_hides_nothing_that_meta_shows() {
    let world = World::running("invalid", seed::small()).await;
    world.create(&app(INO, json!({}))).await;
    world.create(&number("support", "+33612345678", json!({}))).await;
    world.until_phase::<WhatsAppNumber>("support", "Enabled", "True/Enabled").await;
    world.patch::<WhatsAppNumber>("support", json!({"spec": {"timeZone": "Europe/Pariss"}})).await;
    let shown = world.until_phase::<WhatsAppNumber>("support", "Enabled", "False/InvalidSpec").await;
    let (_, message) = condition(&shown, "Stalled").unwrap();
    assert!(message.starts_with("spec.timeZone: ") && message.contains("Europe/Paris"), "{message}");
    // A ban is shown, and an Event reports it; on an object that was created with the mistake, too.
    world.sim.patch(&format!("numbers/{NUMBER}"), json!({"status": "BANNED"})).await.unwrap();
    world.until_phase::<WhatsAppNumber>("support", "Restricted", "False/Banned").await;
    world.until_event("support", "Banned").await;
    world.delete::<WhatsAppNumber>("support").await;
    world.until_gone::<WhatsAppNumber>("support").await;
    world.create(&number("support", "+33612345678", json!({"timeZone": "Europe/Pariss"}))).await;
    world.until_phase::<WhatsAppNumber>("support", "Restricted", "False/Banned").await;
    world.sim.patch(&format!("numbers/{NUMBER}"), json!({"status": "CONNECTED"})).await.unwrap();
    let shown = world.until_phase::<WhatsAppNumber>("support", "Enabled", "False/InvalidSpec").await;
    assert_eq!(shown.status.unwrap().verified_name.as_deref(), Some("INO Support"));
    world.patch::<WhatsAppNumber>("support", json!({"spec": {"timeZone": "Europe/Paris"}})).await;
    world.until_phase::<WhatsAppNumber>("support", "Enabled", "True/Enabled").await;
    world.finish().await;
}
