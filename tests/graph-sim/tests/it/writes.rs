//! Writes on bad days: answers that are lost, work that is done late, reads that lag, states that are put back.

use serde_json::{Value, json};

use crate::callback::{Callback, WORD};
use crate::support::{Bench, NUMBER, TOKEN, estate};

const NEW: &str = "502";

async fn verified() -> Bench {
    let bench = Bench::new().await;
    bench.control.patch("numbers/502", json!({"code_verification_status": "VERIFIED"})).await.unwrap();
    bench
}

fn pin() -> Value {
    json!({"messaging_product": "whatsapp", "pin": "123456"})
}

fn register(bench: &Bench) -> reqwest::RequestBuilder {
    bench.request(reqwest::Method::POST, &format!("/v25.0/{NEW}/register")).bearer_auth(TOKEN).json(&pin())
}

async fn fault(bench: &Bench, order: Value) {
    bench.control.post("faults", json!([order])).await.unwrap();
}

#[tokio::test]
async fn an_answer_can_be_lost_after_the_work() {
    let bench = verified().await;
    fault(&bench, json!({"path": "/register$", "times": 1, "after": {"reset": true}})).await;
    assert!(register(&bench).send().await.is_err());
    let call = bench.control.calls(0).await.unwrap().remove(0);
    assert_eq!((&call["effect"], &call["status"]), (&json!("number 502 registered"), &Value::Null));
    assert_eq!(bench.counters(NEW).await["pins"][0]["pin"], "123456");
    fault(&bench, json!({"path": "/register$", "times": 1, "before": {"reset": true}})).await;
    assert!(register(&bench).send().await.is_err());
    assert_eq!(bench.counters(NEW).await["register"], 1, "that one never arrived");
}

#[tokio::test]
async fn a_code_can_be_sent_by_a_call_that_seemed_to_fail() {
    let bench = Bench::new().await;
    fault(&bench, json!({"path": "/request_code$", "after": {"status": 500, "empty": true}})).await;
    let reply =
        bench.post(&format!("/v25.0/{NEW}/request_code"), json!({"code_method": "SMS", "language": "fr"})).await;
    assert_eq!(reply.status, 500);
    let code = bench.control.get(&format!("numbers/{NEW}/code")).await.unwrap();
    let reply = bench.post(&format!("/v25.0/{NEW}/verify_code"), json!({"code": code["code"]})).await;
    assert_eq!(reply.status, 200, "and it counts");
}

#[tokio::test]
async fn a_write_can_come_true_late_by_metas_clock() {
    let bench = verified().await;
    fault(&bench, json!({"path": "/register$", "times": 1, "applyLateSeconds": 45})).await;
    assert!(register(&bench).send().await.is_err());
    assert_eq!(bench.number(NEW, "status").await["status"], "DISCONNECTED");
    bench.control.advance(46).await.unwrap();
    while bench.number(NEW, "status").await["status"] == "DISCONNECTED" {
        tokio::task::yield_now().await;
    }
    assert_eq!(bench.counters(NEW).await["register"], 1);
}

#[tokio::test]
async fn a_write_can_be_held_before_and_after_its_work() {
    for (at, registered) in [("before", 0), ("after", 1)] {
        let bench = verified().await;
        bench.control.post("holds", json!([{"name": "h", "path": "/register$", "at": at}])).await.unwrap();
        let held = tokio::spawn(register(&bench).send());
        bench.control.reached("h").await.unwrap();
        assert_eq!(bench.counters(NEW).await["register"], registered, "{at}");
        bench.control.release("h").await.unwrap();
        assert_eq!(held.await.unwrap().unwrap().status(), 200);
        assert_eq!(bench.counters(NEW).await["register"], 1);
    }
}

#[tokio::test]
async fn a_handshake_can_be_held_and_its_answer_lost() {
    let (bench, callback) = (Bench::new().await, Callback::start().await);
    bench.post("/v25.0/300/subscribed_apps", json!({})).await;
    fault(&bench, json!({"path": "/subscribed_apps$", "method": "POST", "after": {"reset": true}})).await;
    bench.control.post("holds", json!([{"name": "h", "path": "/subscribed_apps$", "at": "before"}])).await.unwrap();
    let body = json!({"override_callback_uri": callback.url, "verify_token": WORD});
    let request = bench.request(reqwest::Method::POST, "/v25.0/300/subscribed_apps").bearer_auth(TOKEN).json(&body);
    let held = tokio::spawn(request.send());
    bench.control.reached("h").await.unwrap();
    assert!(callback.asked.lock().unwrap().is_empty());
    bench.control.release("h").await.unwrap();
    assert!(held.await.unwrap().is_err());
    let apps = bench.get("/v25.0/300/subscribed_apps").await.body;
    assert_eq!(apps["data"][0]["override_callback_uri"], callback.url);
    assert_eq!(bench.effect().await, Value::Null, "a read");
    assert_eq!(bench.control.calls(0).await.unwrap()[1]["effect"], "account 300: override of app 100 set");
}

#[tokio::test]
async fn reads_lag_behind_writes_view_by_view() {
    let bench = verified().await;
    for view in ["node", "nested"] {
        bench.control.post("lag", json!({"view": view, "seconds": 60})).await.unwrap();
    }
    register(&bench).send().await.unwrap();
    let added = json!({"cc": "33", "phone_number": "699999999", "verified_name": "Late"});
    let id = bench.post("/v25.0/300/phone_numbers", added).await.body["id"].as_str().unwrap().to_owned();
    let status = |list: &Value, id: &str| {
        let all = list["data"].as_array().unwrap();
        all.iter().find(|number| number["id"] == id).map(|number| number["status"].clone())
    };
    let list = bench.get("/v25.0/300/phone_numbers?fields=status").await.body;
    let nested = bench.get("/v25.0/300?fields=phone_numbers{status}").await.body["phone_numbers"].clone();
    assert_eq!((status(&list, NEW), status(&nested, NEW)), (Some(json!("PENDING")), Some(json!("DISCONNECTED"))));
    assert_eq!((status(&list, &id), status(&nested, &id)), (Some(json!("DISCONNECTED")), None));
    assert_eq!(bench.get(&format!("/v25.0/{id}")).await.error(), (100, 33), "not there yet");
    bench.control.advance(61).await.unwrap();
    let nested = bench.get("/v25.0/300?fields=phone_numbers{status}").await.body["phone_numbers"].clone();
    assert_eq!(status(&nested, NEW), Some(json!("PENDING")), "it became CONNECTED only 56 s ago");
    bench.control.advance(10).await.unwrap();
    assert_eq!(bench.number(NEW, "status").await["status"], "CONNECTED");
}

#[tokio::test]
async fn a_saved_state_brings_back_codes_quotas_pins_and_what_is_to_come() {
    let mut seed = estate();
    seed["pending_seconds"] = json!(60);
    seed["national_variant"] = json!("long");
    let bench = Bench::with(seed).await;
    bench.verify(NEW).await;
    bench.register(NEW, "123456").await;
    let counters = bench.counters(NEW).await;
    let saved = bench.control.get("state").await.unwrap();
    assert_eq!((&saved["pending_seconds"], &saved["national_variant"]), (&json!(60), &json!("long")));
    bench.control.post("reset", json!({"seed": estate()})).await.unwrap();
    assert_eq!(bench.counters(NEW).await["register"], 0);
    bench.control.put("state", saved.clone()).await.unwrap();
    assert_eq!(bench.counters(NEW).await, counters);
    assert_eq!(bench.control.get("state").await.unwrap()["ladders"], saved["ladders"]);
    assert_eq!(bench.number(NEW, "status").await["status"], "PENDING");
    bench.control.advance(61).await.unwrap();
    assert_eq!(bench.number(NEW, "status").await["status"], "CONNECTED", "it comes true in the new world as well");
}

#[tokio::test]
async fn what_is_to_come_comes_although_nobody_calls() {
    let callback = Callback::start().await;
    let mut seed = estate();
    seed["name_review_seconds"] = json!(1);
    seed["apps"][0]["webhook"] = json!({"callback_url": callback.url, "verify_token": "v"});
    seed["accounts"][0]["subscribed_apps"] = json!([{"app": "100"}]);
    let bench = Bench::with(json!({})).await;
    bench.control.post("reset", json!({"seed": seed})).await.unwrap();
    bench.post(&format!("/v25.0/{NUMBER}"), json!({"new_display_name": "Better name"})).await;
    assert_eq!(callback.changes(2).await[1]["value"]["decision"], "APPROVED");
}

#[tokio::test]
async fn wrong_habits_in_a_seed_are_refused() {
    for (field, value) in [
        ("pending_seconds", json!("soon")),
        ("name_review_seconds", json!(-1)),
        ("national_variant", json!("medium")),
        ("ladders", json!({"steps": []})),
    ] {
        let mut seed = estate();
        seed[field] = value;
        let text = graph_sim::Sim::start(seed).await.unwrap_err().to_string();
        assert!(text.starts_with("seed"), "{field}: {text}");
    }
}

#[tokio::test]
async fn wrong_methods_and_edges_are_100_33() {
    let bench = Bench::new().await;
    for (method, path) in [
        ("GET", "/v25.0/501/register"),
        ("GET", "/v25.0/501/request_code"),
        ("DELETE", "/v25.0/501/register"),
        ("DELETE", "/v25.0/501"),
        ("POST", "/v25.0/501/two_step_verification"),
        ("DELETE", "/v25.0/300/phone_numbers"),
        ("POST", "/v25.0/601"),
        ("POST", "/v25.0/399/phone_numbers"),
        ("POST", "/v25.0/123456789/register"),
    ] {
        let reply = Bench::read(bench.request(method.parse().unwrap(), path).bearer_auth(TOKEN)).await;
        assert_eq!((reply.status, reply.error()), (400, (100, 33)), "{method} {path}");
    }
    let reply = Bench::read(bench.request(reqwest::Method::PUT, "/v25.0/501/register").bearer_auth(TOKEN)).await;
    assert_eq!(reply.error().0, 100);
    let calls = bench.control.calls(0).await.unwrap();
    assert!(calls.iter().all(|call| call["effect"].is_null()));
}
