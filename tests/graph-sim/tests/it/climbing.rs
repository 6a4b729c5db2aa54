//! Many numbers on the ladder at once, and callers that die on it.

use std::sync::Arc;

use futures::{StreamExt, stream};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::callback::{Callback, WORD};
use crate::support::{Bench, NUMBER, TOKEN, estate};

const NEW: &str = "502";

/// Every call that changes a number: its path, its body, and the effect that the log has for it.
fn writes(code: &Value, callback: &Callback) -> Vec<(String, Value, &'static str)> {
    let on = |number: &str, edge: &str| format!("/v25.0/{number}{edge}");
    let webhook = json!({"override_callback_uri": callback.url, "verify_token": WORD});
    vec![
        (
            on("300", "/phone_numbers"),
            json!({"cc": "33", "phone_number": "699999999", "verified_name": "Late"}),
            "added",
        ),
        (on("504", "/request_code"), json!({"code_method": "SMS", "language": "en"}), "number 504: code sent by SMS"),
        (on(NEW, "/verify_code"), json!({"code": code}), "number 502 verified"),
        (on("503", "/register"), json!({"messaging_product": "whatsapp", "pin": "123456"}), "number 503 registered"),
        (on(NUMBER, "/deregister"), json!({}), "number 501 deregistered"),
        (on(NUMBER, "$"), json!({"pin": "260417"}), "number 501: PIN set"),
        (on(NUMBER, "$"), json!({"webhook_configuration": webhook}), "number 501: override set"),
        (
            on(NUMBER, "/whatsapp_business_profile"),
            json!({"messaging_product": "whatsapp", "about": "Here"}),
            "number 501: profile changed",
        ),
    ]
}

/// One number at each step of the ladder.
async fn steps() -> Bench {
    let mut seed = estate();
    seed["accounts"][0]["subscribed_apps"] = json!([{"app": "100"}]);
    let step = |id: &str, number: &str, verification: &str| {
        json!({"id": id, "account": "300", "display_phone_number": number, "status": "DISCONNECTED",
            "platform_type": "NOT_APPLICABLE", "code_verification_status": verification})
    };
    seed["numbers"][2] = step("503", "+1 631-555-5555", "VERIFIED");
    seed["numbers"].as_array_mut().unwrap().push(step("504", "+1 631-555-5556", "NOT_VERIFIED"));
    let bench = Bench::with(seed).await;
    let code = json!({"code_method": "SMS", "language": "en_US"});
    assert_eq!(bench.post(&format!("/v25.0/{NEW}/request_code"), code).await.status, 200);
    bench.control.delete("calls").await.unwrap();
    bench
}

fn post(bench: &Bench, path: &str, body: &Value) -> RequestBuilder {
    bench.request(Method::POST, path.trim_end_matches('$')).bearer_auth(TOKEN).json(body)
}

/// Waits until the log's only call has changed something.
async fn effect(bench: &Bench) -> Value {
    loop {
        let effect = bench.control.calls(0).await.unwrap().remove(0)["effect"].clone();
        if !effect.is_null() {
            return effect;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_was_asked_for_is_done_although_the_caller_dies() {
    let callback = Callback::start().await;
    for at in ["before", "after"] {
        for nth in 0..writes(&Value::Null, &callback).len() {
            let bench = steps().await;
            let code = bench.control.get(&format!("numbers/{NEW}/code")).await.unwrap()["code"].clone();
            let (path, body, expected) = writes(&code, &callback).remove(nth);
            let hold = json!([{"name": "h", "method": "POST", "path": path, "at": at}]);
            bench.control.post("holds", hold).await.unwrap();
            let caller = tokio::spawn(post(&bench, &path, &body).send());
            bench.control.reached("h").await.unwrap();
            caller.abort();
            assert!(caller.await.unwrap_err().is_cancelled());
            let done = bench.control.calls(0).await.unwrap().remove(0)["effect"].clone();
            assert_eq!(done.is_null(), at == "before", "{path}: stopped {at} the work");
            bench.control.release("h").await.unwrap();
            let effect = effect(&bench).await;
            assert!(effect.as_str().unwrap().ends_with(expected), "{at} {path}: {effect}");
            let calls = bench.control.calls(0).await.unwrap();
            assert_eq!((calls.len(), &calls[0]["status"]), (1, &Value::Null), "{at} {path}: nobody heard of it");
            assert!(bench.rules().await.is_empty(), "{at} {path}");
        }
    }
}

#[tokio::test]
async fn every_write_can_come_true_late() {
    let callback = Callback::start().await;
    for nth in 0..writes(&Value::Null, &callback).len() {
        let bench = steps().await;
        let code = bench.control.get(&format!("numbers/{NEW}/code")).await.unwrap()["code"].clone();
        let (path, body, _) = writes(&code, &callback).remove(nth);
        bench.control.post("faults", json!([{"path": path, "applyLateSeconds": 45}])).await.unwrap();
        assert!(post(&bench, &path, &body).send().await.is_err(), "{path}");
        assert!(bench.control.calls(0).await.unwrap()[0]["effect"].is_null(), "{path}: not yet");
        bench.control.advance(46).await.unwrap();
        effect(&bench).await;
    }
}

#[tokio::test]
async fn a_call_to_a_world_that_is_gone_changes_nothing_in_the_next() {
    let bench = steps().await;
    bench.control.post("holds", json!([{"name": "h", "path": "/register$", "at": "before"}])).await.unwrap();
    let body = json!({"messaging_product": "whatsapp", "pin": "123456"});
    let held = tokio::spawn(post(&bench, "/v25.0/503/register", &body).send());
    bench.control.reached("h").await.unwrap();
    bench.control.post("reset", json!({"seed": estate()})).await.unwrap();
    assert_eq!(held.await.unwrap().unwrap().status(), 503);
    let counters = bench.counters("503").await;
    assert_eq!((&counters["register"], &counters["pins"]), (&json!(0), &json!([])));
}

/// A verified business that may have as many numbers as it likes, and calls enough.
fn roomy() -> Value {
    let mut seed = estate();
    seed["businesses"][0]["number_limit"] = json!(1_000);
    seed["accounts"][0]["rate_limit"] = json!(100_000);
    seed["accounts"][0]["subscribed_apps"] = json!([{"app": "100"}]);
    seed["pending_seconds"] = json!(0);
    seed
}

#[tokio::test]
async fn hundreds_of_numbers_climb_the_ladder_side_by_side() {
    let (bench, callback) = (Arc::new(Bench::with(roomy()).await), Callback::start().await);
    let climb = async |nth: usize| {
        let number = format!("15{nth:09}");
        let added = json!({"cc": "49", "phone_number": number, "verified_name": "Line"});
        let added = bench.post("/v25.0/300/phone_numbers", added).await;
        let id = added.body["id"].as_str().unwrap_or_else(|| panic!("{nth}: {}", added.body)).to_owned();
        bench.verify(&id).await;
        assert_eq!(bench.register(&id, &format!("{nth:06}")).await.status, 200);
        let webhook = json!({"override_callback_uri": callback.url, "verify_token": WORD});
        let webhook = bench.post(&format!("/v25.0/{id}"), json!({"webhook_configuration": webhook})).await;
        assert_eq!(webhook.status, 200, "{:?}", webhook.body);
        let profile = json!({"messaging_product": "whatsapp", "about": "Here"});
        let profile = bench.post(&format!("/v25.0/{id}/whatsapp_business_profile"), profile).await;
        assert_eq!(profile.status, 200, "{:?}", profile.body);
    };
    stream::iter(0..300).map(climb).buffer_unordered(16).collect::<Vec<()>>().await;
    let fields = "phone_numbers.limit(100){status,is_pin_enabled}";
    let page = bench.get(&format!("/v25.0/300?fields={fields}")).await.body["phone_numbers"]["data"].clone();
    for number in page.as_array().unwrap() {
        assert_eq!((&number["status"], &number["is_pin_enabled"]), (&json!("CONNECTED"), &json!(true)), "{number}");
    }
    assert!(bench.rules().await.is_empty());
}

#[tokio::test]
async fn profiles_and_settings_are_read_number_by_number() {
    let bench = Bench::with(roomy()).await;
    let load = bench.control.post("load", json!({"wabas": 1, "numbersPerWaba": 10})).await.unwrap();
    bench.control.patch("tokens/good", json!({"accounts": null})).await.unwrap();
    let account = load["accounts"][0].as_str().unwrap();
    for number in bench.get(&format!("/v25.0/{account}/phone_numbers")).await.ids() {
        let profile = bench.get(&format!("/v25.0/{number}/whatsapp_business_profile?fields=about")).await;
        let settings = bench.get(&format!("/v25.0/{number}/settings")).await;
        assert_eq!((profile.status, settings.status), (200, 200));
    }
    assert!(bench.rules().await.is_empty(), "there is no other way to read them");
}
