//! Tokens are exchanged in time, once, and never when that is not wanted.

use serde_json::{Value, json};
use waba_operator::api::{MetaApp, TokenSource};

use crate::harness::{
    manifests::{CREDENTIALS, INO, app},
    seed::{self, ACCOUNT},
    world::World,
};

const COPY: &str = "ino-cx-token";

/// A world whose token has `left`, and is dealt with so by Meta.
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
    calls.iter().filter(|call| call["path"] == "/v25.0/oauth/access_token").count()
}

fn source(app: &MetaApp) -> Option<TokenSource> {
    app.status.as_ref()?.token.as_ref()?.source.clone()
}

#[tokio::test]
async fn a_token_is_exchanged_before_it_ends_and_the_new_one_is_proven() {
    let world = world("exchange", "+100h", "new").await;
    world.create(&app(INO, refreshing())).await;
    let found = world.until::<MetaApp>(INO, "exchanged", |app| source(app) == Some(TokenSource::Refreshed)).await;
    world.condition::<MetaApp>(INO, "TokenValid", "True/Valid").await;
    let live = world.secret_value(COPY, "live").await;
    assert_eq!(live, Some(world.token("main-2").await));
    assert_eq!(world.secret_value(COPY, "candidate").await, None);
    assert_ne!(found.status.unwrap().token.unwrap().expires.unwrap(), "Never");
    // The user's Secret is as it was, and their token works on: others may use it.
    assert_eq!(world.secret_value(CREDENTIALS, "access-token").await, Some(world.token("main").await));
    assert_ne!(world.sim.get("tokens/main").await.unwrap()["is_valid"], false);
    world.settle().await;
    world.polls(ACCOUNT, 5).await;
    assert_eq!(exchanges(&world).await, 1);
    assert_eq!(world.secret_value(COPY, "live").await, live, "the user's old value does not undo it");
    world.finish().await;
}

#[tokio::test]
async fn an_exchange_that_brings_nothing_is_told_and_not_repeated() {
    for (exchange, words) in [
        ("same", "Meta gave no longer one"),
        ("no_later_expiry", "Meta gave no longer one"),
        ("refused", "Meta refused to exchange it"),
    ] {
        let world = world("exchange-nothing", "+100h", exchange).await;
        world.create(&app(INO, refreshing())).await;
        let message = world.condition::<MetaApp>(INO, "TokenValid", "True/ExchangeFailed").await;
        assert!(message.contains(words) && message.contains("key access-token"), "{exchange}: {message}");
        world.stands::<MetaApp>(INO, "Connected", "True/Connected").await;
        world.settle().await;
        world.polls(ACCOUNT, 3).await;
        assert_eq!(exchanges(&world).await, 1, "{exchange}: tried again daily, not at each look");
        assert_eq!(world.secret_value(COPY, "live").await, Some(world.token("main").await));
        world.finish().await;
    }
}

#[tokio::test]
async fn an_exchange_without_an_answer_is_tried_again() {
    let world = world("exchange-lost", "+100h", "new").await;
    // Meta makes the token, and nobody hears of it: the next one does.
    world.fault(json!({"path": "oauth/access_token", "times": 1, "after": {"reset": true}})).await;
    world.create(&app(INO, refreshing())).await;
    world.until::<MetaApp>(INO, "exchanged", |app| source(app) == Some(TokenSource::Refreshed)).await;
    assert_eq!(world.secret_value(COPY, "live").await, Some(world.token("main-3").await));
    assert_eq!(exchanges(&world).await, 2);
    world.finish().await;
}

#[tokio::test]
async fn what_must_not_be_exchanged_is_not() {
    for (prefix, left, more, reason) in [
        ("never-expires", "1970-01-01T00:00:00Z", refreshing(), "Valid"),
        ("far", "+1000h", refreshing(), "Valid"),
        ("not-asked", "+100h", json!({}), "TokenExpiresSoon"),
        (
            "observe",
            "+100h",
            json!({"tokenRefresh": {"before": "240h"}, "managementPolicy": "Observe"}),
            "TokenExpiresSoon",
        ),
    ] {
        let world = world(prefix, left, "new").await;
        world.create(&app(INO, more)).await;
        world.condition::<MetaApp>(INO, "TokenValid", &format!("True/{reason}")).await;
        let found = world.stands::<MetaApp>(INO, "Connected", "True/Connected").await;
        let expires = found.status.unwrap().token.unwrap().expires.unwrap();
        assert_eq!(expires == "Never", prefix == "never-expires", "{expires}");
        world.settle().await;
        assert_eq!(exchanges(&world).await, 0, "{prefix}");
        world.finish().await;
    }
}

#[tokio::test]
async fn a_person_can_ask_for_an_exchange() {
    let world = world("refresh-at", "+1000h", "new").await;
    world.create(&app(INO, json!({}))).await;
    world.stands::<MetaApp>(INO, "Connected", "True/Connected").await;
    let asked = world.ask::<MetaApp>(INO, "waba.dev/refresh-token-at", 0).await;
    world.until::<MetaApp>(INO, "exchanged", |app| source(app) == Some(TokenSource::Refreshed)).await;
    world
        .until::<MetaApp>(INO, "the echo", |app| {
            app.status.as_ref().unwrap().handled.refresh_token_at.as_ref() == Some(&asked)
        })
        .await;
    world.settle().await;
    assert_eq!(exchanges(&world).await, 1, "once");
    world.finish().await;
}

#[tokio::test]
async fn an_exchange_that_observing_forbids_is_refused_with_a_reason() {
    let world = world("refresh-observe", "+1000h", "new").await;
    world.create(&app(INO, json!({"managementPolicy": "Observe"}))).await;
    world.stands::<MetaApp>(INO, "Connected", "True/Connected").await;
    world.ask::<MetaApp>(INO, "waba.dev/refresh-token-at", 0).await;
    let note = world.event(INO, "ActionIgnored").await;
    assert!(note.contains("Observe"), "{note}");
    world.settle().await;
    assert_eq!(exchanges(&world).await, 0);
    world.finish().await;
}
