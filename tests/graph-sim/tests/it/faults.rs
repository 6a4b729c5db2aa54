//! Faults and holds.

use std::time::Duration;

use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::support::{APP, Bench, SECRET, TOKEN, WABA};

async fn order(bench: &Bench, fault: Value) {
    bench.control.delete("faults").await.unwrap();
    bench.control.post("faults", json!([fault])).await.unwrap();
}

fn exchange(bench: &Bench) -> reqwest::RequestBuilder {
    let query = format!(
        "grant_type=fb_exchange_token&client_id={APP}&client_secret={SECRET}&fb_exchange_token={TOKEN}&set_token_expires_in_60_days=true"
    );
    bench.request(Method::GET, &format!("/v25.0/oauth/access_token?{query}"))
}

async fn tokens(bench: &Bench) -> usize {
    bench.control.get("state").await.unwrap()["tokens"].as_array().unwrap().len()
}

#[tokio::test]
async fn a_fault_before_prevents_the_work_and_one_after_only_loses_the_answer() {
    let bench = Bench::new().await;
    for (when, made) in [("before", 3), ("after", 4)] {
        order(&bench, json!({"path": "access_token$", "times": 1, when: {"reset": true}})).await;
        assert!(exchange(&bench).send().await.is_err(), "{when}");
        assert_eq!(tokens(&bench).await, made, "{when}");
    }
    let calls = bench.control.calls(0).await.unwrap();
    assert!(calls[0]["effect"].is_null() && calls[0]["status"].is_null());
    assert_eq!(calls[1]["effect"], "token good exchanged for good-2");
    assert!(calls[1]["status"].is_null(), "nobody heard of it");
}

#[tokio::test]
async fn answers_can_be_replaced_in_every_way() {
    let bench = Bench::new().await;
    let path = format!("/v25.0/{WABA}");
    let with = async |action: Value| {
        order(&bench, json!({"path": "300", "before": action})).await;
        bench.get(&path).await
    };
    let error = json!({"error": {"code": 2, "message": "down"}});
    let reply = with(json!({"status": 503, "body": error})).await;
    assert_eq!((reply.status, reply.error()), (503, (2, 0)));
    let reply = with(json!({"html": true})).await;
    assert_eq!((reply.status, reply.header("content-type")), (502, "text/html; charset=utf-8"));
    let reply = with(json!({"empty": true})).await;
    assert_eq!((reply.status, reply.body), (200, json!("")));
    let reply = with(json!({"status": 500, "body": "no JSON"})).await;
    assert_eq!((reply.status, reply.body), (500, json!("no JSON")));
    let reply = with(json!({"redirect": "https://elsewhere.example/"})).await;
    assert_eq!((reply.status, reply.header("location")), (302, "https://elsewhere.example/"));
    let codes: Vec<Value> = bench.control.calls(0).await.unwrap().iter().map(|call| call["code"].clone()).collect();
    assert_eq!(codes[0], 2, "the log shows the code that was sent");
}

#[tokio::test]
async fn a_truncated_answer_has_the_length_of_the_whole_and_half_of_it() {
    let bench = Bench::new().await;
    order(&bench, json!({"path": "300", "after": {"truncate": true}})).await;
    let answer = bench.request(Method::GET, &format!("/v25.0/{WABA}")).bearer_auth(TOKEN).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.text().await.is_err(), "the body ends early");
}

#[tokio::test]
async fn a_hanging_answer_never_comes() {
    let bench = Bench::new().await;
    order(&bench, json!({"path": "300", "before": {"hang": true}})).await;
    let request = bench.request(Method::GET, &format!("/v25.0/{WABA}")).bearer_auth(TOKEN);
    assert!(request.timeout(Duration::from_millis(200)).send().await.unwrap_err().is_timeout());
}

#[tokio::test]
async fn a_delay_comes_before_the_answer() {
    let bench = Bench::new().await;
    order(&bench, json!({"path": "300", "delayMs": 150})).await;
    let started = std::time::Instant::now();
    assert_eq!(bench.get(&format!("/v25.0/{WABA}")).await.status, 200);
    assert!(started.elapsed() >= Duration::from_millis(150));
}

#[tokio::test]
async fn faults_hit_whom_they_are_meant_for_and_as_often() {
    let bench = Bench::new().await;
    let path = format!("/v25.0/{WABA}");
    let hit = json!({"path": "/300$", "method": "get", "token": "good", "client": "bench", "skip": 1, "times": 2, "before": {"status": 500}});
    order(&bench, hit).await;
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(bench.get(&path).await.status);
    }
    assert_eq!(statuses, [200, 500, 500, 200]);
    order(&bench, json!({"path": "/300$", "token": "bare", "before": {"status": 500}})).await;
    assert_eq!(bench.get(&path).await.status, 200, "another token");
    order(&bench, json!({"path": "/300$", "client": "operator", "before": {"status": 500}})).await;
    assert_eq!(bench.get(&path).await.status, 200, "another client");
    order(&bench, json!({"path": "/300$", "method": "POST", "before": {"status": 500}})).await;
    assert_eq!(bench.get(&path).await.status, 200, "another method");
    order(&bench, json!({"path": "/3001$", "before": {"status": 500}})).await;
    assert_eq!(bench.get(&path).await.status, 200, "another path");
}

#[tokio::test]
async fn lists_can_be_without_end() {
    let bench = Bench::new().await;
    let page = async |after: &str| {
        let cursor = if after.is_empty() { String::new() } else { format!("&after={after}") };
        let answer = bench.get(&format!("/v25.0/{WABA}/phone_numbers?fields=id{cursor}")).await;
        assert!(answer.body["paging"]["next"].is_string());
        let after = answer.body["paging"]["cursors"]["after"].as_str().unwrap().to_owned();
        (after, answer.body["data"][0]["id"].clone())
    };
    let walk = async |cursors: &str| {
        order(&bench, json!({"path": "phone_numbers$", "cursors": cursors})).await;
        let first = page("").await;
        let second = page(&first.0).await;
        let third = page(&second.0).await;
        [first, second, third]
    };
    let [first, second, third] = walk("circle").await;
    assert!(first == third && first.0 != second.0 && first.1 == second.1, "{first:?} {second:?} {third:?}");
    let [first, second, third] = walk("endless").await;
    assert!(first.0 != second.0 && second.0 != third.0 && first.0 != third.0 && first.1 != second.1);
    let [first, second, third] = walk("repeating").await;
    assert!(first.0 != second.0 && first.0 != third.0 && first.1 == second.1 && first.1 == third.1);

    order(&bench, json!({"path": "/[0-9]+$", "cursors": "circle"})).await;
    let nested = bench.get(&format!("/v25.0/{WABA}?fields=id,phone_numbers{{id}}")).await;
    assert_eq!(nested.body["phone_numbers"]["paging"]["cursors"]["after"], "QQ");
}

#[tokio::test]
async fn work_can_be_done_late_by_metas_clock() {
    let bench = Bench::new().await;
    order(&bench, json!({"path": "access_token$", "times": 1, "applyLateSeconds": 60})).await;
    assert!(exchange(&bench).send().await.is_err(), "cut off now");
    assert_eq!(tokens(&bench).await, 3);
    bench.control.advance(61).await.unwrap();
    while tokens(&bench).await < 4 {
        tokio::task::yield_now().await;
    }
    assert_eq!(bench.control.calls(0).await.unwrap()[0]["effect"], "token good exchanged for good-2");
}

#[tokio::test]
async fn wrong_faults_and_holds_are_refused() {
    let bench = Bench::new().await;
    for (path, body) in [
        ("faults", json!([{"path": "("}])),
        ("faults", json!([{"path": "x", "before": {"explode": true}}])),
        ("faults", json!([{"method": "GET"}])),
        ("holds", json!([{"name": "h", "path": "x", "at": "during"}])),
        ("holds/nobody/release", Value::Null),
    ] {
        assert!(bench.control.post(path, body.clone()).await.is_err(), "{path} {body}");
    }
}

#[tokio::test]
async fn a_hold_stops_one_call_until_it_is_released() {
    let bench = Bench::new().await;
    let hold = json!([{"name": "late", "method": "GET", "path": "access_token$", "at": "before"}]);
    bench.control.post("holds", hold).await.unwrap();
    let stopped = tokio::spawn(exchange(&bench).send());
    bench.control.reached("late").await.unwrap();
    assert_eq!(tokens(&bench).await, 3, "stopped before the work");
    assert_eq!(exchange(&bench).send().await.unwrap().status(), 200, "only one call is held");
    bench.control.release("late").await.unwrap();
    assert_eq!(stopped.await.unwrap().unwrap().status(), 200);
    assert_eq!(tokens(&bench).await, 5);
}

#[tokio::test]
async fn a_hold_after_the_work_keeps_the_answer() {
    let bench = Bench::new().await;
    bench.control.post("holds", json!([{"name": "done", "path": "access_token$", "at": "after"}])).await.unwrap();
    let stopped = tokio::spawn(exchange(&bench).send());
    bench.control.reached("done").await.unwrap();
    assert_eq!(tokens(&bench).await, 4, "the work is done");
    assert!(!stopped.is_finished());
    bench.control.release("done").await.unwrap();
    stopped.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_caller_who_hangs_up_does_not_undo_the_work() {
    let bench = Bench::new().await;
    bench.control.post("holds", json!([{"name": "slow", "path": "access_token$", "at": "before"}])).await.unwrap();
    let impatient = tokio::spawn(exchange(&bench).send());
    bench.control.reached("slow").await.unwrap();
    impatient.abort();
    assert!(impatient.await.unwrap_err().is_cancelled());
    bench.control.release("slow").await.unwrap();
    while tokens(&bench).await < 4 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_reset_lets_go_of_everything() {
    let bench = Bench::new().await;
    bench.control.post("holds", json!([{"name": "h", "path": "300", "at": "before"}])).await.unwrap();
    let request = bench.request(Method::GET, &format!("/v25.0/{WABA}")).bearer_auth(TOKEN);
    let held = tokio::spawn(request.send());
    bench.control.reached("h").await.unwrap();
    bench.control.post("reset", json!({"seed": crate::support::estate()})).await.unwrap();
    assert_eq!(held.await.unwrap().unwrap().status(), 503, "the world it was about is gone");
    assert_eq!(bench.control.get("holds").await.unwrap(), json!([]));
}

#[tokio::test]
async fn connections_are_told_apart() {
    let bench = Bench::new().await;
    bench.get("/v25.0/me").await;
    bench.get("/v25.0/me").await;
    Client::new().get(format!("{}/v25.0/me", bench.sim.url())).send().await.unwrap();
    let calls = bench.control.calls(0).await.unwrap();
    assert_eq!(calls[0]["connection"], calls[1]["connection"], "kept alive");
    assert_ne!(calls[1]["connection"], calls[2]["connection"]);
}
