//! Faults: what the client returns when Meta gives no usable reply.

use std::time::{Duration, Instant};

use secrecy::ExposeSecret;
use serde_json::{Value, json};
use waba_operator::graph::{Class, Outcome};
use waba_operator::timing::Timing;

use crate::support::{TOKEN, WABA, World, access, estate, timing};

/// Every kind of unusable reply, and the message for it.
pub fn mishaps() -> Vec<(Value, &'static str)> {
    vec![
        (json!({"html": true}), "Meta, or something on the way to it, replied with a web page (HTTP status 502)"),
        (json!({"empty": true}), "Meta's reply is empty (HTTP status 200)"),
        (json!({"status": 503, "empty": true}), "Meta's reply is empty (HTTP status 503)"),
        (json!({"body": "{\"data\":["}), "Meta's reply cannot be parsed (HTTP status 200)"),
        (json!({"body": {"data": [{"id": "1"}]}, "truncate": true}), "Meta's reply was cut off (HTTP status 200)"),
        (
            json!({"redirect": "https://elsewhere.example/"}),
            "something on the way to Meta replied with a redirect (HTTP status 302)",
        ),
        (json!({"reset": true}), "the connection to Meta broke off"),
    ]
}

#[tokio::test]
async fn reads_are_retried_and_then_report_the_error() {
    for (mishap, detail) in mishaps() {
        let world = World::start(estate(1, 0)).await;
        world.fault(json!({"path": WABA, "before": mishap})).await;
        let error = world.client.probe_account(&access(), WABA).await.unwrap_err();
        assert_eq!(error.class(), Class::Transient, "{mishap}");
        assert_eq!(error.to_string(), detail, "{mishap}");
        assert_eq!(world.calls().await.len(), 3, "{mishap}");
    }
}

#[tokio::test]
async fn a_read_that_fails_once_is_retried() {
    for (mishap, _) in mishaps() {
        let world = World::start(estate(1, 0)).await;
        world.fault(json!({"path": WABA, "times": 1, "before": mishap})).await;
        world.client.probe_account(&access(), WABA).await.unwrap();
        assert_eq!(world.calls().await.len(), 2, "{mishap}");
    }
}

#[tokio::test]
async fn refusals_are_not_retried() {
    let world = World::start(estate(1, 0)).await;
    world.refuse_once(WABA, 403, json!({"code": 10, "message": "(#10)"})).await;
    let error = world.client.probe_account(&access(), WABA).await.unwrap_err();
    assert_eq!(error.class(), Class::Permission);
    assert_eq!(world.calls().await.len(), 1);
}

#[tokio::test]
async fn a_read_without_reply_times_out() {
    let timing = Timing { call_timeout: Duration::from_millis(300), read_tries: 1, ..timing() };
    let world = World::start_with(estate(1, 0), timing).await;
    world.fault(json!({"path": WABA, "before": {"hang": true}})).await;
    let started = Instant::now();
    let error = world.client.probe_account(&access(), WABA).await.unwrap_err();
    assert_eq!((error.class(), error.to_string().as_str()), (Class::Transient, "Meta did not reply in time"));
    assert!(started.elapsed() >= Duration::from_millis(290));
    assert!(error.was_sent());
}

#[tokio::test]
async fn an_unreachable_meta_is_reported() {
    let world = World::start(estate(1, 0)).await;
    let client = world.without_meta().await;
    let error = client.probe_account(&access(), WABA).await.unwrap_err();
    assert_eq!((error.class(), error.to_string().as_str()), (Class::Transient, "Meta could not be reached"));
    assert!(!error.was_sent());
    assert!(matches!(client.exchange_token(&access()).await, Outcome::NotSent(_)));
}

#[tokio::test]
async fn a_changing_call_whose_reply_is_lost_is_unknown_and_sent_once() {
    for (mishap, _) in mishaps() {
        for at in ["before", "after"] {
            let world = World::start(estate(0, 0)).await;
            world.fault(json!({"path": "/oauth/access_token", at: mishap})).await;
            let outcome = world.client.exchange_token(&access()).await;
            assert!(matches!(outcome, Outcome::Unknown(_)), "{at} {mishap}: {outcome:?}");
            assert_eq!(world.calls().await.len(), 1, "{at} {mishap}");
        }
    }
}

#[tokio::test]
async fn a_changing_call_that_times_out_is_unknown() {
    let timing = Timing { call_timeout: Duration::from_millis(300), ..timing() };
    let world = World::start_with(estate(0, 0), timing).await;
    world.fault(json!({"path": "/oauth/access_token", "after": {"hang": true}})).await;
    assert!(matches!(world.client.exchange_token(&access()).await, Outcome::Unknown(_)));
    assert_eq!(world.calls().await.len(), 1);
}

#[tokio::test]
async fn error_replies_to_a_changing_call_have_the_right_outcome() {
    let cases = [
        ("refused", 400, json!({"code": 10}), "Refused"),
        ("unsure", 500, json!({"code": 2}), "Unknown"),
        ("unsure", 500, json!({"code": 131_000}), "Unknown"),
        ("never seen, and a server error", 500, json!({"code": 999_999}), "Unknown"),
        ("never seen, and a refusal", 400, json!({"code": 999_999}), "Refused"),
        ("a throttle", 400, json!({"code": 4}), "Refused"),
    ];
    for (reason, status, error, expected) in cases {
        let world = World::start(estate(0, 0)).await;
        world.refuse_once("/oauth/access_token", status, error).await;
        let name = match world.client.exchange_token(&access()).await {
            Outcome::Done(_) => "Done",
            Outcome::Refused(_) => "Refused",
            Outcome::NotSent(_) => "NotSent",
            Outcome::Unknown(_) => "Unknown",
        };
        assert_eq!(name, expected, "{reason}");
        assert_eq!(world.calls().await.len(), 1, "{reason}");
    }
}

#[tokio::test]
async fn each_changing_call_opens_a_connection_and_reads_share_one() {
    let world = World::start(estate(1, 0)).await;
    for _ in 0..3 {
        world.client.probe_account(&access(), WABA).await.unwrap();
    }
    for _ in 0..3 {
        let Outcome::Done(exchanged) = world.client.exchange_token(&access()).await else { panic!("not exchanged") };
        assert_ne!(exchanged.token.expose_secret(), TOKEN);
    }
    let connections: Vec<_> = world.calls().await.iter().map(|call| call["connection"].as_u64().unwrap()).collect();
    assert_eq!((connections[0], connections[1]), (connections[1], connections[2]), "{connections:?}");
    let mut writes = connections[2..].to_vec();
    writes.dedup();
    assert_eq!(writes.len(), 4, "{connections:?}");
}
