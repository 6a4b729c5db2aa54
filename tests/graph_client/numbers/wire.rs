//! What is sent to Meta.

use serde_json::{Value, json};
use waba_operator::api::CodeMethod;
use waba_operator::graph::{Outcome, Priority};

use super::{
    Add, ClearWebhook, Deregister, Op, Register, RequestCode, Scene, SetPin, SetWebhook, UNVERIFIED, VERIFIED,
    VerifyCode, WriteProfile,
};
use crate::support::{WABA, access};

/// The body of each call without its secrets, and the change it makes.
fn expected(op: Op, callback: &str) -> (Value, &'static str) {
    let webhook = |webhook: Value| json!({"webhook_configuration": webhook});
    match op {
        Add => (json!({"cc": "33", "phone_number": "699999999", "verified_name": "INO Paris"}), " added"),
        RequestCode => (json!({"code_method": "SMS", "language": "en_US"}), ": code sent by SMS"),
        VerifyCode => (json!({"code": "secret"}), " verified"),
        Register => (json!({"messaging_product": "whatsapp", "pin": "secret"}), " registered"),
        Deregister => (json!({}), " deregistered"),
        SetPin => (json!({"pin": "secret"}), ": PIN set"),
        SetWebhook => (webhook(json!({"override_callback_uri": callback, "verify_token": "secret"})), ": override set"),
        ClearWebhook => (webhook(json!({"override_callback_uri": ""})), ": override removed"),
        WriteProfile => (json!({"messaging_product": "whatsapp", "about": "Here for you"}), ": profile changed"),
    }
}

/// The simulator's log numbers the secrets; here all have the same name.
fn without_names(body: &Value) -> Value {
    match body {
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), without_names(value))).collect(),
        Value::String(text) if text.starts_with("unknown:") => json!("secret"),
        other => other.clone(),
    }
}

async fn code(scene: &Scene) -> String {
    let code = scene.world.control.get(&format!("numbers/{UNVERIFIED}/code")).await.unwrap();
    code["code"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn each_changing_call_is_one_json_post_without_secrets_in_its_url() {
    let scene = Scene::new().await;
    for op in Op::ALL {
        scene.reset().await;
        let outcome = if op == VerifyCode {
            assert!(matches!(scene.send(RequestCode).await, Outcome::Done(())));
            scene.clear().await;
            op.send_with(&scene.world.client, &scene.callback, &code(&scene).await.into()).await
        } else {
            scene.send(op).await
        };
        assert!(matches!(outcome, Outcome::Done(())), "{op:?}: {outcome:?}");
        let calls = scene.world.calls().await;
        let [call] = &calls[..] else { panic!("{op:?}: {calls:#?}") };
        let (body, effect) = expected(op, &scene.callback);
        assert_eq!((&call["method"], &call["path"]), (&json!("POST"), &json!(format!("/v25.0/{}", op.path()))));
        assert_eq!(without_names(&call["body"]), body, "{op:?}");
        let query: Vec<_> = call["query"].as_object().unwrap().keys().collect();
        assert_eq!(query, ["appsecret_proof"], "{op:?}");
        let headers = &call["headers"];
        assert_eq!(
            (&headers["content-type"], &headers["authorization"]),
            (&json!("application/json"), &json!("Bearer main"))
        );
        assert!(call["effect"].as_str().unwrap().ends_with(effect), "{op:?}: {}", call["effect"]);
        scene.world.assert_well_behaved().await;
    }
}

#[tokio::test]
async fn an_added_number_has_an_id() {
    let scene = Scene::new().await;
    let outcome = scene.world.client.add_number(&access(), WABA, ("33", "699999999"), "INO Paris").await;
    let Outcome::Done(id) = outcome else { panic!("{outcome:?}") };
    let number = scene.world.client.read_number(&access(), WABA, &id, Priority::Write).await.unwrap();
    let digits = number.display_phone_number.as_deref().and_then(waba_operator::observe::digits::parse);
    assert_eq!((digits, number.verified_name.as_deref()), (Some(33_699_999_999), Some("INO Paris")));
}

#[tokio::test]
async fn a_code_can_be_requested_by_voice() {
    let scene = Scene::new().await;
    let client = &scene.world.client;
    assert!(matches!(
        client.request_code(&access(), WABA, UNVERIFIED, CodeMethod::Voice, "fr").await,
        Outcome::Done(())
    ));
    assert_eq!(scene.world.calls().await[0]["body"], json!({"code_method": "VOICE", "language": "fr"}));
}

#[tokio::test]
async fn pins_keep_leading_zeros_and_are_shown_as_enabled() {
    let scene = Scene::new().await;
    let client = &scene.world.client;
    for (number, pin) in [(VERIFIED, "000042"), (super::CONNECTED, "000000")] {
        let outcome = match number {
            VERIFIED => client.register(&access(), WABA, number, &pin.into()).await.map(drop),
            _ => client.set_pin(&access(), WABA, number, &pin.into()).await,
        };
        assert!(matches!(outcome, Outcome::Done(())), "{outcome:?}");
        assert_eq!(scene.counters(number).await["pins"][0]["pin"], pin);
        let read = client.read_number(&access(), WABA, number, Priority::Write).await.unwrap();
        assert_eq!(read.is_pin_enabled, Some(true), "{number}");
    }
}

#[tokio::test]
async fn a_callback_override_is_read_back_until_it_is_cleared() {
    let scene = Scene::new().await;
    let client = &scene.world.client;
    for (op, expected) in [(SetWebhook, Some(scene.callback.as_str())), (ClearWebhook, None)] {
        assert!(matches!(scene.send(op).await, Outcome::Done(())));
        let number = client.read_number(&access(), WABA, super::CONNECTED, Priority::Write).await.unwrap();
        assert_eq!(number.webhook_configuration.and_then(|levels| levels.phone_number).as_deref(), expected, "{op:?}");
    }
}

#[tokio::test]
async fn no_changing_call_reuses_a_connection() {
    let scene = Scene::new().await;
    for op in Op::ALL {
        scene.world.client.probe_account(&access(), WABA).await.unwrap();
        let _ = scene.send(op).await;
    }
    let calls = scene.world.calls().await;
    let of = |method: &str| -> Vec<u64> {
        let some = calls.iter().filter(|call| call["method"] == method);
        some.map(|call| call["connection"].as_u64().unwrap()).collect()
    };
    let (reads, mut writes) = (of("GET"), of("POST"));
    assert!(reads.iter().all(|connection| *connection == reads[0]), "reads share one: {reads:?}");
    assert!(!writes.contains(&reads[0]), "{writes:?}");
    writes.sort_unstable();
    writes.dedup();
    assert_eq!(writes.len(), Op::ALL.len(), "each has its own: {writes:?}");
}
