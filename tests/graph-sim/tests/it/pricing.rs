//! `pricing_analytics` and `primary_funding_id` of an account.

use graph_sim::Sim;
use serde_json::{Value, json};

use crate::support::{Bench, WABA, estate};

/// 15 December 2026, noon.
const NOW: i64 = 1_797_336_000;

fn points() -> Value {
    let point = |start: i64, category: &str, type_: &str, volume: i64, cost: f64| {
        json!({"start": start, "phone_number": "33612345678", "country": "FR", "pricing_category": category,
               "pricing_type": type_, "volume": volume, "cost": cost})
    };
    json!([
        point(NOW - 20 * 86_400, "SERVICE", "REGULAR", 7, 0.7),
        point(NOW - 86_400, "SERVICE", "FREE_CUSTOMER_SERVICE", 1000, 0.0),
        point(NOW - 60, "SERVICE", "REGULAR", 20, 0.5),
        point(NOW - 30, "SERVICE", "REGULAR", 4, 0.25),
        {"phone_number": "33184882020", "pricing_category": "UTILITY", "pricing_type": "REGULAR", "volume": 3},
    ])
}

async fn bench() -> Bench {
    let mut seed = estate();
    seed["now"] = json!("2026-12-15T12:00:00Z");
    seed["accounts"][0]["pricing_analytics"] = points();
    seed["accounts"][0]["primary_funding_id"] = json!("77");
    Bench::with(seed).await
}

async fn ask(bench: &Bench, arguments: &str) -> Value {
    let reply = bench.get(&format!("/v26.0/{WABA}?fields=primary_funding_id,pricing_analytics{arguments}")).await;
    assert_eq!(reply.status, 200, "{arguments}: {:?}", reply.body);
    reply.body
}

#[tokio::test]
async fn messages_are_added_up_by_the_dimensions_that_are_asked_for() {
    let bench = bench().await;
    let month = format!(".start({}).end({NOW})", NOW - 14 * 86_400 - 43_200);
    let by_number =
        ask(&bench, &format!(r#"{month}.granularity(MONTHLY).dimensions(["PHONE","PRICING_CATEGORY"])"#)).await;
    assert_eq!(by_number["primary_funding_id"], "77");
    let start = NOW - 14 * 86_400 - 43_200;
    let points = &by_number["pricing_analytics"]["data"][0]["data_points"];
    let expected = json!([
        {"start": start, "end": NOW, "phone_number": "33184882020", "pricing_category": "UTILITY", "volume": 3},
        {"start": start, "end": NOW, "phone_number": "33612345678", "pricing_category": "SERVICE", "volume": 1024, "cost": 0.75},
    ]);
    assert_eq!(*points, expected);
    let regular =
        ask(&bench, &format!("{month}.granularity(DAILY).pricing_types([\"REGULAR\"]).metric_types([\"VOLUME\"])"))
            .await;
    let days = regular["pricing_analytics"]["data"][0]["data_points"].as_array().unwrap().clone();
    assert_eq!(days.iter().map(|day| day["volume"].as_i64().unwrap()).collect::<Vec<_>>(), [3, 24]);
    assert!(days.iter().all(|day| day.get("cost").is_none() && day.get("phone_number").is_none()));
    bench.control.patch("accounts/300", json!({"pricing_analytics": null})).await.unwrap();
    let none = ask(&bench, &format!("{month}.granularity(DAILY)")).await;
    assert!(none.get("pricing_analytics").is_none(), "Meta leaves out what is empty: {none}");
}

#[tokio::test]
async fn wrong_arguments_are_refused() {
    let bench = bench().await;
    for wrong in [
        "",
        ".start(1797000000).end(1797336000)",
        ".start(1797000000).end(1797336000).granularity(DAY)",
        ".start(1797000000).end(1797336000).granularity(MONTH)",
        ".start(1797336000).end(1797000000).granularity(DAILY)",
        ".start(soon).end(1797000000).granularity(DAILY)",
        ".start(1).end(1797336000).granularity(DAILY)",
        ".start(1797000000).end(1797336000).granularity(DAILY).dimensions([PHONE])",
        ".start(1797000000).end(1797336000).granularity(DAILY).dimensions([\"NUMBER\"])",
        ".start(1797000000).end(1797336000).granularity(DAILY).metric_types([\"COUNT\"])",
        ".start(1797000000).end(1797336000).granularity(DAILY).colour(red)",
    ] {
        let reply = bench.get(&format!("/v26.0/{WABA}?fields=pricing_analytics{wrong}")).await;
        assert_eq!((reply.status, reply.error().0), (400, 100), "{wrong}");
    }
}

#[tokio::test]
async fn a_seed_with_a_wrong_point_is_refused() {
    for point in [
        json!({"pricing_type": "REGULAR", "volume": "x"}),
        json!({"pricing_type": "FREE", "volume": 1}),
        json!({"pricing_type": "REGULAR", "volume": 1, "cost": "1"}),
        json!({"pricing_type": "REGULAR", "volume": 1, "start": "soon"}),
        json!({"pricing_type": "REGULAR", "volume": 1, "number": "1"}),
    ] {
        let mut seed = estate();
        seed["accounts"][0]["pricing_analytics"] = json!([point]);
        let refusal = Sim::start(seed).await.unwrap_err().to_string();
        assert!(refusal.starts_with("accounts[0].pricing_analytics: "), "{refusal}");
    }
}
