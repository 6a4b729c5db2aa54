//! Budgets, their headers, and the throttle.

use serde_json::{Value, json};

use crate::support::{APP_TOKEN, Bench, Reply, TOKEN, WABA};

fn account_usage(reply: &Reply) -> Value {
    let header: Value = serde_json::from_str(reply.header("x-business-use-case-usage")).unwrap();
    header[WABA][0].clone()
}

#[tokio::test]
async fn every_answer_tells_how_much_is_used() {
    let bench = Bench::new().await;
    bench.control.patch("accounts/300", json!({"rate_limit": 10})).await.unwrap();
    let reply = bench.get(&format!("/v25.0/{WABA}")).await;
    assert_eq!(account_usage(&reply)["call_count"], 10);
    assert_eq!(account_usage(&reply)["type"], "whatsapp_business_management");
    assert!(reply.header("x-app-usage").contains("call_count"));
    let refused = bench.get(&format!("/v25.0/{WABA}?fields=nonsense")).await;
    assert_eq!(account_usage(&refused)["call_count"], 20, "refused calls count as well");
    let app = bench.get_as(APP_TOKEN, &format!("/v25.0/debug_token?input_token={TOKEN}")).await;
    assert_eq!(serde_json::from_str::<Value>(app.header("x-app-usage")).unwrap()["call_count"], 0, "one of 200");
}

#[tokio::test]
async fn an_account_without_a_registered_number_has_two_hundred_calls() {
    let bench = Bench::new().await;
    let path = format!("/v25.0/{WABA}");
    assert_eq!(account_usage(&bench.get(&path).await)["call_count"], 0, "one of 5,000");
    for number in ["501", "503"] {
        bench.control.delete(&format!("numbers/{number}")).await.unwrap();
    }
    for _ in 0..199 {
        assert_eq!(bench.get(&path).await.status, 200);
    }
    let refused = bench.get(&path).await;
    assert_eq!((refused.status, refused.error()), (400, (80_007, 0)));
    assert_eq!(refused.header("retry-after"), "", "Meta has no such header");
    assert_eq!(account_usage(&refused)["estimated_time_to_regain_access"], 60, "minutes");
}

#[tokio::test]
async fn calls_while_throttled_prolong_it_and_patience_ends_it() {
    let bench = Bench::new().await;
    bench.control.patch("accounts/300", json!({"rate_limit": 1})).await.unwrap();
    let path = format!("/v25.0/{WABA}");
    let regain = async || account_usage(&bench.get(&path).await)["estimated_time_to_regain_access"].as_i64().unwrap();
    assert_eq!(regain().await, 0);
    let first = regain().await;
    assert!(regain().await > first);
    assert_eq!(bench.get("/v25.0/me").await.status, 200, "other budgets are untouched");
    bench.control.advance(2 * 3_600).await.unwrap();
    assert_eq!(bench.get(&path).await.status, 200);
}

#[tokio::test]
async fn the_apps_own_budget_is_code_4() {
    let bench = Bench::new().await;
    bench.control.patch("apps/100", json!({"daily_active_users": 0})).await.unwrap();
    let reply = bench.get("/v25.0/me").await;
    assert_eq!((reply.status, reply.error()), (400, (4, 0)));
    assert_eq!(reply.body["error"]["is_transient"], true);
    assert_eq!(bench.get(&format!("/v25.0/{WABA}")).await.status, 200, "accounts have their own");
}

#[tokio::test]
async fn titles_are_written_in_the_users_language() {
    let bench = Bench::new().await;
    bench.control.patch("accounts/300", json!({"rate_limit": 0})).await.unwrap();
    let title = async || bench.get(&format!("/v25.0/{WABA}")).await.body["error"]["error_user_title"].clone();
    assert_eq!(title().await, "Rate limit reached");
    bench.control.patch("tokens/good", json!({"locale": "fr_FR"})).await.unwrap();
    assert_eq!(title().await, "Limite de débit atteinte");
}
