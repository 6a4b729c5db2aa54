//! The outcome of each kind of reply, or of none.

use std::time::Duration;

use serde_json::{Value, json};
use waba_operator::graph::Class;
use waba_operator::timing::Timing;

use super::{Add, ClearWebhook, Op, Register, Scene, SetPin, WriteProfile, error, name};
use crate::faults::mishaps;
use crate::support::timing;

/// Checks the op's outcome, and that it was sent once.
async fn assert_ends(scene: &Scene, op: Op, expected: &str, reason: &str) {
    let outcome = scene.send(op).await;
    assert_eq!(name(&outcome), expected, "{op:?}, {reason}: {outcome:?}");
    assert_eq!(scene.world.calls().await.len(), 1, "{op:?}, {reason}: sent once");
}

#[tokio::test]
async fn a_reply_counts_as_success_only_if_it_says_so() {
    let refusal = json!({"error": {"code": 133_005, "message": "(#133005)"}});
    let cases = [
        ("a boolean", json!({"success": true}), "Done"),
        ("text", json!({"success": "true"}), "Done"),
        ("with an ID", json!({"success": true, "id": "1"}), "Done"),
        ("a denial without a reason", json!({"success": false}), "Unknown"),
        ("the same as text", json!({"success": "false"}), "Unknown"),
        ("another word", json!({"success": "perhaps"}), "Unknown"),
        ("no word at all", json!({}), "Unknown"),
        ("nothing", Value::Null, "Unknown"),
        ("a list", json!([]), "Unknown"),
        ("an error with a status of success", refusal, "Refused"),
        ("half of an error", json!({"error": "down"}), "Unknown"),
    ];
    let scene = Scene::new().await;
    for op in Op::ALL.into_iter().filter(|op| *op != Add) {
        for (reason, body, expected) in &cases {
            scene.reply_with(op, "before", &json!({"body": body})).await;
            assert_ends(&scene, op, expected, reason).await;
        }
    }
}

#[tokio::test]
async fn an_error_without_a_code_is_a_refusal_where_its_status_is_one() {
    let scene = Scene::new().await;
    for op in Op::ALL {
        for (status, error, expected) in [
            (400, json!("invalid_request"), "Refused"),
            (400, json!({"message": "no"}), "Refused"),
            (403, json!({}), "Refused"),
            (500, json!("down"), "Unknown"),
            (503, json!({"message": "down"}), "Unknown"),
        ] {
            let reply = json!({"status": status, "body": {"error": error}});
            scene.reply_with(op, "before", &reply).await;
            assert_ends(&scene, op, expected, &reply.to_string()).await;
        }
    }
}

#[tokio::test]
async fn an_add_must_return_an_id() {
    let refusal = json!({"error": {"code": 100, "error_subcode": 2_388_012, "message": "(#100)"}});
    let cases = [
        ("text", json!({"id": "1"}), "Done"),
        ("a number", json!({"id": 106_540_352_242_922_u64}), "Done"),
        ("blank", json!({"id": " "}), "Unknown"),
        ("none", json!({"success": true}), "Unknown"),
        ("nothing", json!({}), "Unknown"),
        ("an error with a status of success", refusal, "Refused"),
    ];
    let scene = Scene::new().await;
    for (reason, body, expected) in &cases {
        scene.reply_with(Add, "before", &json!({"body": body})).await;
        assert_ends(&scene, Add, expected, reason).await;
    }
}

#[tokio::test]
async fn an_unreadable_reply_is_unknown() {
    let scene = Scene::new().await;
    for op in Op::ALL {
        for (mishap, text) in mishaps() {
            scene.reply_with(op, "before", &mishap).await;
            let outcome = scene.send(op).await;
            assert_eq!(name(&outcome), "Unknown", "{op:?} {mishap}: {outcome:?}");
            let error = error(outcome);
            assert_eq!((error.class(), error.to_string().as_str()), (Class::Transient, text), "{op:?} {mishap}");
            assert!(error.was_sent(), "{op:?} {mishap}");
            assert_eq!(scene.world.calls().await.len(), 1, "{op:?} {mishap}: sent once");
        }
    }
}

#[tokio::test]
async fn a_lost_reply_is_unknown_although_the_call_was_carried_out() {
    let scene = Scene::new().await;
    for op in Op::ALL.into_iter().filter(|op| *op != Op::VerifyCode) {
        scene.reset().await;
        scene.reply_with(op, "after", &json!({"reset": true})).await;
        assert_ends(&scene, op, "Unknown", "reset").await;
        assert!(scene.world.calls().await[0]["effect"].is_string(), "{op:?}");
    }
}

#[tokio::test]
async fn a_call_without_reply_times_out_as_unknown() {
    let timing = Timing { call_timeout: Duration::from_millis(400), ..timing() };
    for at in ["before", "after"] {
        let scene = Scene::with(timing.clone()).await;
        for op in [Add, Register, SetPin, ClearWebhook, WriteProfile] {
            scene.reply_with(op, at, &json!({"hang": true})).await;
            let outcome = scene.send(op).await;
            assert_eq!(name(&outcome), "Unknown", "{op:?} {at}: {outcome:?}");
            let error = error(outcome);
            assert_eq!(error.to_string(), "Meta did not reply in time", "{op:?} {at}");
            assert!(error.was_sent(), "{op:?} {at}");
            assert_eq!(scene.world.calls().await.len(), 1, "{op:?} {at}: sent once");
        }
    }
}

#[tokio::test]
async fn error_codes_for_internal_failures_are_not_refusals() {
    let scene = Scene::new().await;
    let undocumented = [(999_999, 500), (999_999, 503), (190_001, 502)];
    for op in Op::ALL {
        for (code, status) in
            [(1, 500), (1, 400), (2, 503), (131_000, 500), (131_016, 500)].into_iter().chain(undocumented)
        {
            let body = json!({"error": {"code": code, "message": "sorry"}});
            scene.reply_with(op, "before", &json!({"status": status, "body": body})).await;
            assert_ends(&scene, op, "Unknown", &format!("{code} with {status}")).await;
        }
    }
}
