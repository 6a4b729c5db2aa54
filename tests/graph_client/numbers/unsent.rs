//! Calls that do not reach Meta, and calls that are not even tried.

use jiff::SignedDuration;
use serde_json::json;
use waba_operator::graph::{Access, Class, Client, Priority};

use super::{Op, Scene, error, name};
use crate::support::{APP, OTHER_APP, OTHER_SECRET, SECOND_WABA, WABA, access, client_at, credentials};

async fn assert_unsent(client: &Client, expected: &str) {
    for op in Op::ALL {
        let outcome = op.send(client, "http://127.0.0.1:1/").await;
        assert_eq!(name(&outcome), "NotSent", "{op:?}: {outcome:?}");
        let error = error(outcome);
        assert_eq!(error.to_string(), expected, "{op:?}");
        assert!(!error.was_sent(), "{op:?}");
    }
}

#[tokio::test]
async fn a_refused_connection_is_not_sent() {
    let client = Scene::new().await.world.without_meta().await;
    assert_unsent(&client, "Meta could not be reached").await;
}

#[tokio::test]
async fn an_unknown_host_is_not_sent() {
    assert_unsent(&client_at("http://graph.invalid"), "Meta's address could not be found").await;
}

#[tokio::test]
async fn a_failed_tls_handshake_is_not_sent() {
    let scene = Scene::new().await;
    let client = client_at(&scene.world.url().replace("http://", "https://"));
    assert_unsent(&client, "Meta could not be reached").await;
    assert_eq!(scene.world.calls().await.len(), 0);
}

#[tokio::test]
async fn a_throttled_call_is_not_sent() {
    let held_back = "the call was not sent: the budget of calls that Meta allows is used up";
    for account in [Some(WABA), None] {
        let scene = Scene::new().await;
        let client = &scene.world.client;
        let until = client.now() + SignedDuration::from_mins(20);
        client.restore_throttle(APP, account, until);
        assert_unsent(client, held_back).await;
        let error = error(scene.send(Op::Register).await);
        assert!(error.throttled_until().is_some_and(|end| end >= until), "{account:?}");
        assert_eq!(scene.world.calls().await.len(), 0, "{account:?}");
        assert_eq!(scene.counters(super::VERIFIED).await["register"], 0, "{account:?}: not counted at Meta");
    }
}

#[tokio::test]
async fn an_invalid_token_is_not_sent() {
    let scene = Scene::new().await;
    let broken = Access { token: "two\nlines".into(), ..access() };
    let outcome = scene.world.client.deregister(&broken, WABA, super::CONNECTED).await;
    assert_eq!(name(&outcome), "NotSent");
    assert_eq!(error(outcome).class(), Class::Token);
    assert_eq!(scene.world.calls().await.len(), 0);
}

#[tokio::test]
async fn a_throttle_stops_the_next_changing_call() {
    for (code, stops_account_only) in [(80_007, true), (80_008, true), (4, false)] {
        let scene = Scene::new().await;
        scene.world.refuse_once("/", 400, json!({"code": code, "message": "throttled"})).await;
        assert_eq!(name(&scene.send(Op::SetPin).await), "Refused", "{code}");
        assert_eq!(name(&scene.send(Op::SetPin).await), "NotSent", "{code}");
        assert_eq!(scene.world.calls().await.len(), 1, "{code}");
        let elsewhere = scene.world.client.pass(&access(), SECOND_WABA, Priority::Write).await;
        assert_eq!(elsewhere.is_ok(), stops_account_only, "{code}");
    }
}

#[tokio::test]
async fn waiting_for_budget_makes_no_call() {
    let scene = Scene::new().await;
    let client = &scene.world.client;
    for priority in [Priority::Poll, Priority::Write, Priority::Action] {
        client.pass(&access(), WABA, priority).await.unwrap();
    }
    let until = client.now() + SignedDuration::from_mins(20);
    client.restore_throttle(APP, Some(WABA), until);
    for priority in [Priority::Poll, Priority::Write, Priority::Action] {
        let error = client.pass(&access(), WABA, priority).await.unwrap_err();
        assert!(matches!(error.class(), Class::Throttled { until: end } if end >= until), "{error}");
        assert!(!error.was_sent());
    }
    client.pass(&access(), SECOND_WABA, Priority::Write).await.unwrap();
    let other = Access { app: credentials(OTHER_APP, OTHER_SECRET), ..access() };
    client.pass(&other, WABA, Priority::Write).await.unwrap();
    client.restore_throttle(APP, None, until);
    client.pass(&access(), SECOND_WABA, Priority::Write).await.unwrap_err();
    assert_eq!(scene.world.calls().await.len(), 0);
    assert!(scene.world.heard().is_empty(), "nor is one counted");
}
