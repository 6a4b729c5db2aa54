//! A token is exchanged once, before it expires, and only when the spec allows it.

use serde_json::{Value, json};
use waba_operator::api::{MetaApp, TokenSource};

use crate::harness::{
    manifests::{CREDENTIALS, INO, app},
    seed::{self, ACCOUNT},
    world::{World, is_call},
};

const COPY: &str = "ino-cx-token";

/// A world whose token expires in `left`, and in which Meta handles exchanges as given.
async fn world(prefix: &str, left: &str, exchange: &str) -> World {
    let mut seed = seed::small();
    seed["tokens"][0]["expires_at"] = json!(left);
    seed["tokens"][0]["exchange"] = json!(exchange);
    World::running(prefix, seed).await
}

fn refreshing() -> Value {
    json!({"tokenRefresh": {"before": "240h"}})
}

async fn exchanges(world: &World) -> usize {
    let calls = world.sim.calls(0).await.unwrap();
    calls.iter().filter(|call| is_call(call, "oauth/access_token")).count()
}

fn source(app: &MetaApp) -> Option<TokenSource> {
    app.status.as_ref()?.token.as_ref()?.source.clone()
}

#[tokio::test]
async fn a_token_is_exchanged_before_it_expires_and_the_new_one_is_checked() {
    let world = world("exchange", "+100h", "new").await;
    world.create(&app(INO, refreshing())).await;
    let found = world.until::<MetaApp>(INO, "exchanged", |app| source(app) == Some(TokenSource::Refreshed)).await;
    world.until_condition::<MetaApp>(INO, "TokenValid", "True/Valid").await;
    let live = world.secret_value(COPY, "live").await;
    assert_eq!(live, Some(world.token("main-2").await));
    assert_eq!(world.secret_value(COPY, "candidate").await, None);
    assert_ne!(found.status.unwrap().token.unwrap().expires.unwrap(), "Never");
    // The user's Secret is unchanged, and the old token still works: others may use it.
    assert_eq!(world.secret_value(CREDENTIALS, "access-token").await, Some(world.token("main").await));
    assert_ne!(world.sim.get("tokens/main").await.unwrap()["is_valid"], false);
    world.settle().await;
    world.until_polled(ACCOUNT, 5).await;
    assert_eq!(exchanges(&world).await, 1);
    assert_eq!(world.secret_value(COPY, "live").await, live, "the user's old value does not undo it");
    world.finish().await;
}

#[tokio::test]
async fn an_exchange_without_a_later_expiry_is_reported_and_not_repeated() {
    for (exchange, words) in [
        ("same", "Meta returned no token with a later expiry"),
        ("no_later_expiry", "Meta returned no token with a later expiry"),
        ("refused", "Meta refused to exchange it"),
    ] {
        let world = world("exchange-nothing", "+100h", exchange).await;
        world.create(&app(INO, refreshing())).await;
        let message = world.until_condition::<MetaApp>(INO, "TokenValid", "True/ExchangeFailed").await;
        assert!(message.contains(words) && message.contains("key access-token"), "{exchange}: {message}");
        world.until_phase::<MetaApp>(INO, "Connected", "True/Connected").await;
        world.settle().await;
        world.until_polled(ACCOUNT, 3).await;
        assert_eq!(exchanges(&world).await, 1, "{exchange}: tried again daily, not at each look");
        assert_eq!(world.secret_value(COPY, "live").await, Some(world.token("main").await));
        world.finish().await;
    }
}

/// Meta, or something on the way, replies with what is no answer: as a form, with no token, with none that can be one.
#[tokio::test]
async fn an_exchange_whose_reply_cannot_be_read_is_reported_and_not_repeated() {
    for body in [
        json!("access_token=EAAnobodys&expires=5183944"),
        json!({"token": "EAAnobodys"}),
        json!({"access_token": ""}),
        json!({"access_token": 5}),
        json!({"access_token": "Bearer EAAnobodys"}),
        json!([]),
    ] {
        let world = world("exchange-unreadable", "+100h", "new").await;
        let answer = json!({"path": "oauth/access_token", "before": {"status": 200, "body": body}});
        world.inject_fault(answer).await;
        world.create(&app(INO, refreshing())).await;
        let message = world.until_condition::<MetaApp>(INO, "TokenValid", "True/ExchangeFailed").await;
        assert!(message.contains("has no token that can be read") && message.contains("key access-token"), "{message}");
        assert!(!message.contains("nobodys"), "{message}");
        world.until_phase::<MetaApp>(INO, "Connected", "True/Connected").await;
        world.until_event(INO, "ExchangeFailed").await;
        world.settle().await;
        world.until_polled(ACCOUNT, 3).await;
        assert_eq!(exchanges(&world).await, 1, "{body}: again in a day");
        assert_eq!(world.secret_value(COPY, "live").await, Some(world.token("main").await));
        assert_eq!(world.secret_value(COPY, "candidate").await, None, "{body}");
        let told = world.events(INO).await.into_iter().filter(|(reason, _)| reason == "ExchangeFailed").count();
        assert_eq!(told, 1, "{body}");
        world.finish().await;
    }
}

#[tokio::test]
async fn an_exchange_whose_reply_is_lost_is_retried() {
    let world = world("exchange-lost", "+100h", "new").await;
    // Meta issues a token and the reply is lost: the next exchange returns another one.
    world.inject_fault(json!({"path": "oauth/access_token", "times": 1, "after": {"reset": true}})).await;
    world.create(&app(INO, refreshing())).await;
    world.until::<MetaApp>(INO, "exchanged", |app| source(app) == Some(TokenSource::Refreshed)).await;
    assert_eq!(world.secret_value(COPY, "live").await, Some(world.token("main-3").await));
    assert_eq!(exchanges(&world).await, 2);
    world.finish().await;
}

#[tokio::test]
async fn tokens_are_not_exchanged_without_need_or_permission() {
    for (prefix, left, more, reason) in [
        ("never-expires", "1970-01-01T00:00:00Z", refreshing(), "Valid"),
        ("far", "+1000h", refreshing(), "Valid"),
        ("not-requested", "+100h", json!({}), "TokenExpiresSoon"),
        (
            "observe",
            "+100h",
            json!({"tokenRefresh": {"before": "240h"}, "managementPolicy": "Observe"}),
            "TokenExpiresSoon",
        ),
    ] {
        let world = world(prefix, left, "new").await;
        world.create(&app(INO, more)).await;
        world.until_condition::<MetaApp>(INO, "TokenValid", &format!("True/{reason}")).await;
        let found = world.until_phase::<MetaApp>(INO, "Connected", "True/Connected").await;
        let expires = found.status.unwrap().token.unwrap().expires.unwrap();
        assert_eq!(expires == "Never", prefix == "never-expires", "{expires}");
        world.settle().await;
        assert_eq!(exchanges(&world).await, 0, "{prefix}");
        world.finish().await;
    }
}

#[tokio::test]
async fn a_person_can_request_an_exchange() {
    let world = world("refresh-at", "+1000h", "new").await;
    world.create(&app(INO, json!({}))).await;
    world.until_phase::<MetaApp>(INO, "Connected", "True/Connected").await;
    let requested = world.request_action::<MetaApp>(INO, "waba.dev/refresh-token-at", 0).await;
    world.until::<MetaApp>(INO, "exchanged", |app| source(app) == Some(TokenSource::Refreshed)).await;
    world
        .until::<MetaApp>(INO, "the action is acknowledged in status.handled", |app| {
            app.status.as_ref().unwrap().handled.refresh_token_at.as_ref() == Some(&requested)
        })
        .await;
    world.settle().await;
    assert_eq!(exchanges(&world).await, 1, "one exchange");
    world.finish().await;
}

#[tokio::test]
async fn a_requested_exchange_is_ignored_with_a_reason_under_policy_observe() {
    let world = world("refresh-observe", "+1000h", "new").await;
    world.create(&app(INO, json!({"managementPolicy": "Observe"}))).await;
    world.until_phase::<MetaApp>(INO, "Connected", "True/Connected").await;
    world.request_action::<MetaApp>(INO, "waba.dev/refresh-token-at", 0).await;
    let note = world.until_event(INO, "ActionIgnored").await;
    assert!(note.contains("Observe"), "{note}");
    world.settle().await;
    assert_eq!(exchanges(&world).await, 0);
    world.finish().await;
}
