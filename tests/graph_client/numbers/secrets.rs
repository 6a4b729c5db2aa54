//! PINs, codes and verify tokens appear in nothing that people can read, whatever Meta replies.

use serde_json::{Value, json};
use waba_operator::graph::Error;

use super::{CODE, Op, PIN, Scene, VERIFY_TOKEN, error};
use crate::secrets::log;
use crate::support::{SECRET, TOKEN};

const HIDDEN: [&str; 5] = [PIN, CODE, VERIFY_TOKEN, TOKEN, SECRET];

fn assert_clean(op: Op, what: &str, error: &Error) {
    let texts =
        [error.to_string(), format!("{error:?}"), format!("{error:#?}"), error.quote().unwrap_or_default().into()];
    for text in texts {
        for secret in HIDDEN {
            assert!(!text.contains(secret), "{op:?}, {what}: {secret} in {text}");
        }
    }
}

/// Replies that repeat the request.
fn echoes(secret: &str) -> Vec<(&'static str, Value)> {
    let echo = format!("What is {secret}? Not {secret}, said {TOKEN} at https://ino.cx/?hub.verify_token={secret}");
    let refusal = |error: Value| json!({"status": 400, "body": {"error": error}});
    vec![
        ("the message", refusal(json!({"code": 133_005, "message": echo}))),
        ("the details", refusal(json!({"code": 100, "message": "m", "error_data": {"details": echo}}))),
        ("the details as text", refusal(json!({"code": 100, "message": "m", "error_data": echo}))),
        ("the words for people", refusal(json!({"code": 100, "message": echo, "error_user_msg": echo}))),
        (
            "an error that says that something broke",
            json!({"status": 500, "body": {"error": {"code": 2, "message": echo}}}),
        ),
        ("an error that nobody knows", json!({"status": 500, "body": {"error": {"code": 999_999, "message": echo}}})),
        (
            "the name of the call",
            refusal(json!({"code": 100, "fbtrace_id": "A1", "error_user_title": echo, "message": "m"})),
        ),
        ("a page", json!({"status": 500, "body": format!("<html>{echo}</html>")})),
        ("something cut off", json!({"body": format!("{{\"success\": \"{echo}")})),
        ("a success that is none", json!({"body": {"success": echo}})),
        ("a redirect", json!({"redirect": format!("https://elsewhere.example/?pin={secret}")})),
    ]
}

#[tokio::test]
async fn errors_never_repeat_secrets_that_meta_repeats() {
    let scene = Scene::new().await;
    for op in Op::ALL {
        let Some(secret) = op.secret() else { continue };
        for (what, answer) in echoes(secret) {
            scene.reply_with(op, "before", &answer).await;
            let error = error(scene.send(op).await);
            assert_clean(op, what, &error);
            if what.starts_with("the message") {
                assert_eq!(error.quote(), Some("What is […]? Not […], said […] at […]"), "the rest is worth reading");
            }
        }
    }
    assert_log_clean();
}

#[tokio::test]
async fn successful_and_lost_calls_leave_no_secret_in_the_log() {
    for op in Op::ALL {
        let scene = Scene::new().await;
        scene.reply_with(op, "after", &json!({"reset": true})).await;
        assert_clean(op, "reset", &error(scene.send(op).await));
        scene.clear().await;
        let outcome = format!("{:?}", scene.send(op).await);
        assert!(HIDDEN.iter().all(|secret| !outcome.contains(secret)), "{outcome}");
        let client = scene.world.without_meta().await;
        assert_clean(op, "not there", &error(op.send(&client, "http://127.0.0.1:1/").await));
    }
    assert_log_clean();
}

fn assert_log_clean() {
    let log = log();
    assert!(log.contains("call to Meta"), "the client does log");
    for line in log.lines() {
        for secret in HIDDEN {
            assert!(!line.contains(secret), "{secret} in {line}");
        }
    }
}
