//! An expired or revoked token loses no value, and a new token restores every object.

use serde_json::json;
use waba_operator::api::{MessageTemplate, MetaApp, WhatsAppNumber};

use crate::harness::{
    manifests::{INO, importing},
    seed::{self, ACCOUNT, NUMBER_OBJECT},
    world::{World, is_call, is_poll},
};

#[tokio::test]
async fn an_expired_token_is_reported_on_every_object_until_it_is_replaced() {
    let world = World::running("expired", seed::small()).await;
    world.create(&importing()).await;
    world.until_phase::<WhatsAppNumber>(NUMBER_OBJECT, "Enabled", "True/Enabled").await;
    let template = world.eventually("imported", async || world.names::<MessageTemplate>().await.pop()).await;
    world.until_phase::<MessageTemplate>(&template, "Approved", "True/Approved").await;

    world.sim.patch("tokens/main", json!({"expires_at": "-1m"})).await.unwrap();
    let since = world.last_call().await;
    let app = world.until_phase::<MetaApp>(INO, "ExpiredToken", "False/ExpiredToken").await;
    let number = world.until_phase::<WhatsAppNumber>(NUMBER_OBJECT, "ExpiredToken", "False/ExpiredToken").await;
    let status = number.status.unwrap();
    assert_eq!(status.verified_name.as_deref(), Some("INO Support"), "the last values stay");
    let template = world.until_phase::<MessageTemplate>(&template, "Approved", "Unknown/AppNotReady").await;
    let app_says = world.until_condition::<MetaApp>(INO, "TokenValid", "False/ExpiredToken").await;
    let number_says = world.until_condition::<WhatsAppNumber>(NUMBER_OBJECT, "TokenValid", "False/ExpiredToken").await;
    for message in [app_says, number_says] {
        assert!(message.contains("key access-token of Secret ino-cx-meta"), "{message}");
    }
    assert!(app.status.unwrap().token.is_some());

    // One cause, one Event: on the app. What Meta last showed of the number stays in the metrics.
    world.until_event_of_type(INO, "ExpiredToken", "Warning").await;
    for name in [NUMBER_OBJECT, template.metadata.name.as_deref().unwrap()] {
        let events = world.events(name).await;
        let of_app = |(reason, _): &(String, String)| reason == "ExpiredToken" || reason == "AppNotReady";
        assert!(!events.iter().any(of_app), "{name}: {events:?}");
    }
    world
        .eventually("the number's status at Meta", async || {
            (world.operator().metric("waba_numbers_at_meta", &["CONNECTED"]).await > 0.0).then_some(())
        })
        .await;

    // Meta is asked about the dead token once per interval at most, and the token itself is not used.
    let inspections = async || {
        let calls = world.sim.calls(since).await.unwrap();
        calls.iter().filter(|call| is_call(call, "debug_token")).count()
    };
    let before = inspections().await;
    world.eventually("two more inspections", async || (inspections().await >= before + 2).then_some(())).await;
    let calls = world.sim.calls(since).await.unwrap();
    let tried = calls.iter().filter(|call| is_poll(call, ACCOUNT)).count();
    assert!(tried <= 2, "the dead token was used {tried} times");

    world.set_token(&world.token("next").await).await;
    world.until_phase::<MetaApp>(INO, "Connected", "True/Connected").await;
    world.until_phase::<WhatsAppNumber>(NUMBER_OBJECT, "Enabled", "True/Enabled").await;
    world.until_phase::<MessageTemplate>(&template.metadata.name.unwrap(), "Approved", "True/Approved").await;
    assert_eq!(world.secret_value("ino-cx-token", "live").await, Some(world.token("next").await));
    world.settle().await;
    world.finish().await;
}

#[tokio::test]
async fn the_reason_for_a_revoked_token_is_reported() {
    let world = World::running("revoked", seed::small()).await;
    world.create(&importing()).await;
    world.until_phase::<WhatsAppNumber>(NUMBER_OBJECT, "Enabled", "True/Enabled").await;
    for (subcode, words) in [
        (460, "changed the password"),
        (458, "the app was removed"),
        (493, "not logged in for 90 days"),
        (467, "revoked"),
    ] {
        let dead = json!({"is_valid": false, "invalid_subcode": subcode});
        world.sim.patch("tokens/main", dead).await.unwrap();
        world
            .until::<MetaApp>(INO, words, |app| {
                let status = app.status.as_ref().unwrap();
                status.phase.as_ref().unwrap().as_str() == "ExpiredToken"
                    && status.conditions.iter().any(|c| c.type_ == "Ready" && c.message.contains(words))
            })
            .await;
    }
    // A dead token does not end next year.
    let token = world.get::<MetaApp>(INO).await.unwrap().status.unwrap().token.unwrap();
    assert_eq!((token.expires.as_deref(), token.expires_at), (Some("Invalid"), None));
    let metric = world.operator().metric("waba_token_expiry_timestamp_seconds", &[INO]).await;
    assert!(metric.abs() < 0.5, "it is over: {metric}");
    // Meta accepts the token again, as after a checkpoint: the operator recovers without a change of the Secret.
    world.sim.patch("tokens/main", json!({"is_valid": true})).await.unwrap();
    world.until_phase::<WhatsAppNumber>(NUMBER_OBJECT, "Enabled", "True/Enabled").await;
    world.finish().await;
}

/// A person's token has two ends. The simulator refuses it after either.
#[tokio::test]
async fn the_end_of_a_persons_login_is_announced_and_ends_the_token() {
    let mut seed = seed::small();
    seed["tokens"][0]["type"] = json!("USER");
    seed["tokens"][0]["data_access_expires_at"] = json!("+100h");
    let world = World::running("login-ends", seed).await;
    let mut object = importing();
    object.spec.token_refresh = serde_json::from_value(json!({"before": "240h"})).unwrap();
    world.create(&object).await;
    let message = world.until_condition::<MetaApp>(INO, "TokenValid", "True/TokenExpiresSoon").await;
    assert!(message.contains("loses the access to its owner's data on"), "{message}");
    world.until_phase::<WhatsAppNumber>(NUMBER_OBJECT, "Enabled", "True/Enabled").await;
    let token = world.get::<MetaApp>(INO).await.unwrap().status.unwrap().token.unwrap();
    let (data, own) = (token.data_access_expires_at.unwrap().0, token.expires_at.unwrap().0);
    assert!(data < own);
    assert_eq!(token.expires.unwrap(), data.strftime("%Y-%m-%d").to_string(), "the column shows the earlier one");
    let metric = world.operator().metric("waba_token_expiry_timestamp_seconds", &[INO]).await;
    assert!((metric - data.as_duration().as_secs_f64()).abs() < 1.5, "so does the metric: {metric}");
    let note = world.until_event(INO, "TokenExpiresSoon").await;
    assert!(note.contains("unless its owner logs in again"), "{note}");

    world.sim.patch("tokens/main", json!({"data_access_expires_at": "-1m"})).await.unwrap();
    let found = world.until_phase::<MetaApp>(INO, "ExpiredToken", "False/ExpiredToken").await;
    let ready = found.status.unwrap().conditions.into_iter().find(|c| c.type_ == "Ready").unwrap();
    assert!(ready.message.contains("not logged in for 90 days"), "{}", ready.message);
    let calls = world.sim.calls(0).await.unwrap();
    assert!(calls.iter().all(|call| !is_call(call, "oauth/access_token")), "a person's token is not exchanged");
    world.finish().await;
}
