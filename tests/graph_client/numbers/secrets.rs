//! PINs, codes and verify tokens in nothing that people see, whatever Meta says.

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

/// Answers that repeat what they were sent.
fn echoes(secret: &str) -> Vec<(&'static str, Value)> {
    let said = format!("What is {secret}? Not {secret}, said {TOKEN} at https://ino.cx/?hub.verify_token={secret}");
    let refusal = |error: Value| json!({"status": 400, "body": {"error": error}});
    vec![
        ("the message", refusal(json!({"code": 133_005, "message": said}))),
        ("the details", refusal(json!({"code": 100, "message": "m", "error_data": {"details": said}}))),
        ("the details as text", refusal(json!({"code": 100, "message": "m", "error_data": said}))),
        ("the words for people", refusal(json!({"code": 100, "message": said, "error_user_msg": said}))),
        (
            "an error that says that something broke",
            json!({"status": 500, "body": {"error": {"code": 2, "message": said}}}),
        ),
        ("an error that nobody knows", json!({"status": 500, "body": {"error": {"code": 999_999, "message": said}}})),
        (
            "the name of the call",
            refusal(json!({"code": 100, "fbtrace_id": "A1", "error_user_title": said, "message": "m"})),
        ),
        ("a page", json!({"status": 500, "body": format!("<html>{said}</html>")})),
        ("something cut off", json!({"body": format!("{{\"success\": \"{said}")})),
        ("a success that is none", json!({"body": {"success": said}})),
        ("a redirect", json!({"redirect": format!("https://elsewhere.example/?pin={secret}")})),
    ]
}

#[tokio::test]
async fn errors_never_repeat_what_meta_repeats() {
    let scene = Scene::new().await;
    for op in Op::ALL {
        let Some(secret) = op.secret() else { continue };
        for (what, answer) in echoes(secret) {
            scene.answer(op, "before", &answer).await;
            let error = error(scene.make(op).await);
            assert_clean(op, what, &error);
            if what.starts_with("the message") {
                assert_eq!(error.quote(), Some("What is […]? Not […], said […] at […]"), "the rest is worth reading");
            }
        }
    }
    assert_log_clean();
}

#[tokio::test]
async fn nor_do_changes_that_go_well_or_get_lost_leave_them_in_the_log() {
    for op in Op::ALL {
        let scene = Scene::new().await;
        scene.answer(op, "after", &json!({"reset": true})).await;
        assert_clean(op, "reset", &error(scene.make(op).await));
        scene.forget().await;
        let outcome = format!("{:?}", scene.make(op).await);
        assert!(HIDDEN.iter().all(|secret| !outcome.contains(secret)), "{outcome}");
        let client = scene.world.without_meta().await;
        assert_clean(op, "not there", &error(op.make(&client, "http://127.0.0.1:1/").await));
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
