//! The clock, and reads that show the past.

use jiff::fmt::rfc2822::DateTimeParser;
use serde_json::{Value, json};

use crate::support::{APP_TOKEN, Bench, NUMBER, TOKEN, WABA};

#[tokio::test]
async fn the_date_header_comes_from_metas_clock() {
    let bench = Bench::new().await;
    let set = bench.control.post("clock", json!({"set": "2027-01-01T00:00:00Z"})).await.unwrap();
    assert!(set["now"].as_str().unwrap().starts_with("2027-01-01T00:00:0"));
    let reply = bench.get("/v25.0/me").await;
    let date = DateTimeParser::new().parse_timestamp(reply.header("date")).unwrap();
    assert!(date.to_string().starts_with("2027-01-01T00:00:0"), "{date}");
    bench.control.advance(-86_400).await.unwrap();
    assert!(bench.control.get("clock").await.unwrap()["now"].as_str().unwrap().starts_with("2026-12-31"));
    assert!(bench.control.post("clock", json!({})).await.is_err());
    assert!(bench.control.post("clock", json!({"set": "soon"})).await.is_err());
}

#[tokio::test]
async fn latency_holds_every_answer_back() {
    let mut seed = crate::support::estate();
    seed["latency_ms"] = json!(120);
    let bench = Bench::with(seed).await;
    let started = std::time::Instant::now();
    bench.get("/v25.0/me").await;
    assert!(started.elapsed().as_millis() >= 120);
}

async fn lag(bench: &Bench, view: &str) {
    bench.control.post("lag", json!({"view": view, "seconds": 60})).await.unwrap();
}

async fn status(bench: &Bench, view: &str) -> Value {
    let path = match view {
        "node" => format!("/v25.0/{NUMBER}?fields=status"),
        "list" => format!("/v25.0/{WABA}/phone_numbers?fields=status"),
        _ => format!("/v25.0/{WABA}?fields=phone_numbers{{status}}"),
    };
    let body = bench.get(&path).await.body;
    match view {
        "node" => body["status"].clone(),
        "list" => body["data"][0]["status"].clone(),
        _ => body["phone_numbers"]["data"][0]["status"].clone(),
    }
}

#[tokio::test]
async fn each_view_lags_for_itself_and_catches_up() {
    for lagging in ["node", "list", "nested"] {
        let bench = Bench::new().await;
        lag(&bench, lagging).await;
        bench.control.patch(&format!("numbers/{NUMBER}"), json!({"status": "FLAGGED"})).await.unwrap();
        for view in ["node", "list", "nested"] {
            let expected = if view == lagging { "CONNECTED" } else { "FLAGGED" };
            assert_eq!(status(&bench, view).await, expected, "{lagging} lags, {view} is read");
        }
        bench.control.advance(61).await.unwrap();
        assert_eq!(status(&bench, lagging).await, "FLAGGED", "{lagging} has caught up");
    }
}

#[tokio::test]
async fn a_lagging_view_shows_the_last_state_that_is_old_enough() {
    let bench = Bench::new().await;
    lag(&bench, "node").await;
    for (status, seconds) in [("FLAGGED", 40), ("RESTRICTED", 40)] {
        bench.control.patch(&format!("numbers/{NUMBER}"), json!({"status": status})).await.unwrap();
        bench.control.advance(seconds).await.unwrap();
    }
    assert_eq!(status(&bench, "node").await, "FLAGGED", "80 s ago is seen, 40 s ago not yet");
}

#[tokio::test]
async fn lists_lag_in_what_they_contain() {
    let bench = Bench::new().await;
    lag(&bench, "list").await;
    bench.control.delete("numbers/503").await.unwrap();
    let new = json!({"id": "504", "account": WABA, "display_phone_number": "+1 555 010 0000"});
    bench.control.post("numbers", new).await.unwrap();
    let list = async || bench.get(&format!("/v25.0/{WABA}/phone_numbers?fields=id")).await.ids();
    assert_eq!(list().await, ["501", "503", "502"], "the one that left is there, the new one is not");
    assert_eq!(bench.get("/v25.0/504").await.status, 200, "by its id it is known at once");
    bench.control.advance(61).await.unwrap();
    assert_eq!(list().await, ["501", "502", "504"]);
}

#[tokio::test]
async fn profiles_lag_as_their_number_does() {
    let bench = Bench::new().await;
    lag(&bench, "node").await;
    let path = format!("/v25.0/{NUMBER}/whatsapp_business_profile");
    let about = async || bench.get(&format!("{path}?fields=about")).await.body["data"][0]["about"].clone();
    bench.post(&path, json!({"messaging_product": "whatsapp", "about": "New"})).await;
    assert_eq!(about().await, Value::Null);
    bench.control.advance(61).await.unwrap();
    assert_eq!(about().await, "New");
}

#[tokio::test]
async fn debug_token_can_lag() {
    let bench = Bench::new().await;
    lag(&bench, "debug_token").await;
    bench.control.patch("tokens/good", json!({"is_valid": false})).await.unwrap();
    let valid = async || {
        let reply = bench.get_as(APP_TOKEN, &format!("/v25.0/debug_token?input_token={TOKEN}")).await;
        reply.body["data"]["is_valid"].clone()
    };
    assert_eq!(valid().await, true);
    assert_eq!(bench.get("/v25.0/me").await.error().0, 190, "the token itself is dead at once");
    bench.control.advance(61).await.unwrap();
    assert_eq!(valid().await, false);
}
