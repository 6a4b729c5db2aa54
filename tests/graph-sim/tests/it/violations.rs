//! What a careful client never does, and what is nobody's fault.

use serde_json::json;

use crate::support::{Bench, TOKEN, WABA};

#[tokio::test]
async fn a_careful_client_breaks_no_rule() {
    let bench = Bench::new().await;
    for _ in 0..20 {
        bench.get(&format!("/v25.0/{WABA}?fields=phone_numbers.limit(1){{status}}")).await;
    }
    for number in ["501", "502", "503"] {
        bench.get(&format!("/v25.0/{number}")).await;
    }
    assert!(bench.rules().await.is_empty());
}

#[tokio::test]
async fn a_dead_token_may_be_probed_once_a_minute() {
    let bench = Bench::new().await;
    bench.control.patch("tokens/good", json!({"is_valid": false})).await.unwrap();
    let path = format!("/v25.0/{WABA}");
    bench.get(&path).await;
    bench.get(&path).await;
    assert!(bench.rules().await.is_empty(), "two calls on their way at once");
    bench.control.advance(61).await.unwrap();
    bench.get(&path).await;
    assert!(bench.rules().await.is_empty(), "one probe");
    bench.control.advance(10).await.unwrap();
    bench.get(&path).await;
    assert_eq!(bench.rules().await, ["dead-token"]);
    let violation = bench.control.violations().await.unwrap().remove(0);
    assert_eq!(violation["seq"], 4);
    assert!(violation["detail"].as_str().unwrap().contains("good"), "by name, never by value: {violation}");
}

#[tokio::test]
async fn a_token_that_came_back_starts_afresh_and_the_interval_can_be_set() {
    let mut seed = crate::support::estate();
    seed["probe_seconds"] = json!(5);
    let bench = Bench::with(seed).await;
    let live = async |alive: bool| bench.control.patch("tokens/good", json!({"is_valid": alive})).await.unwrap();
    live(false).await;
    bench.get("/v25.0/me").await;
    bench.control.advance(6).await.unwrap();
    bench.get("/v25.0/me").await;
    bench.control.advance(3).await.unwrap();
    live(true).await;
    bench.get("/v25.0/me").await;
    live(false).await;
    bench.get("/v25.0/me").await;
    assert!(bench.rules().await.is_empty());
}

#[tokio::test]
async fn a_throttled_client_stays_away() {
    let bench = Bench::new().await;
    bench.control.patch("accounts/300", json!({"rate_limit": 0})).await.unwrap();
    let path = format!("/v25.0/{WABA}");
    bench.get(&path).await;
    bench.get(&path).await;
    assert!(bench.rules().await.is_empty(), "on their way before the first refusal was read");
    bench.control.advance(30).await.unwrap();
    bench.get(&path).await;
    assert_eq!(bench.rules().await, ["throttled-call"]);
}

#[tokio::test]
async fn paging_links_are_not_for_following() {
    let bench = Bench::new().await;
    let page = bench.get(&format!("/v25.0/{WABA}/phone_numbers?limit=1")).await.body;
    bench.bare(page["paging"]["next"].as_str().unwrap().strip_prefix(&bench.sim.url()).unwrap()).await;
    assert_eq!(bench.rules().await, ["paging-next"]);
    let after = page["paging"]["cursors"]["after"].as_str().unwrap();
    bench.bare(&format!("/v25.0/{WABA}/phone_numbers?access_token={TOKEN}&after={after}")).await;
    assert_eq!(bench.rules().await.len(), 1, "a cursor is");
}

#[tokio::test]
async fn numbers_are_read_by_account() {
    let bench = Bench::new().await;
    let load = bench.control.post("load", json!({"wabas": 1, "numbersPerWaba": 10})).await.unwrap();
    bench.control.patch("tokens/good", json!({"accounts": null})).await.unwrap();
    let account = load["accounts"][0].as_str().unwrap();
    let numbers = bench.get(&format!("/v25.0/{account}/phone_numbers")).await.ids();
    for number in &numbers[..5] {
        bench.get(&format!("/v25.0/{number}")).await;
        bench.get(&format!("/v25.0/{number}")).await;
    }
    assert!(bench.rules().await.is_empty(), "a few may have to be looked at");
    for number in &numbers[5..] {
        bench.get(&format!("/v25.0/{number}")).await;
    }
    assert_eq!(bench.rules().await, ["get-per-number"], "reported once");
}
