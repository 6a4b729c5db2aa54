//! Where sources contradict each other, recordings win: one test for each contradiction that the simulator models.

use reqwest::Method;
use serde_json::json;

use crate::support::{Bench, FOREIGN_WABA, NUMBER, TOKEN, WABA};

#[tokio::test]
async fn missing_and_foreign_objects_are_400_100_33() {
    let bench = Bench::new().await;
    for path in [
        "/v25.0/123456789".to_owned(),
        format!("/v25.0/{FOREIGN_WABA}"),
        format!("/v25.0/{FOREIGN_WABA}/phone_numbers"),
        format!("/v25.0/{WABA}/no_such_edge"),
        "/v25.0/199?fields=id".to_owned(),
    ] {
        let reply = bench.get(&path).await;
        assert_eq!((reply.status, reply.error()), (400, (100, 33)), "{path}");
        assert_eq!(reply.body["error"]["type"], "GraphMethodException", "{path}");
    }
}

#[tokio::test]
async fn an_unverified_number_is_not_verified_rather_than_unverified() {
    let bench = Bench::new().await;
    let reply = bench.get("/v25.0/502?fields=code_verification_status").await;
    assert_eq!(reply.body["code_verification_status"], "NOT_VERIFIED");
}

#[tokio::test]
async fn a_numbers_status_is_an_open_string() {
    let bench = Bench::new().await;
    let reply = bench.get(&format!("/v25.0/{WABA}/phone_numbers?fields=status")).await;
    let mut statuses: Vec<&str> =
        reply.body["data"].as_array().unwrap().iter().map(|number| number["status"].as_str().unwrap()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, ["CONNECTED", "DISCONNECTED", "SOMETHING_NEW"]);
}

#[tokio::test]
async fn an_unknown_quality_is_na() {
    let bench = Bench::new().await;
    assert_eq!(bench.get("/v25.0/502?fields=quality_rating").await.body["quality_rating"], "NA");
}

#[tokio::test]
async fn a_wrong_code_is_400_136025_2388093() {
    let bench = Bench::new().await;
    let reply = bench.post("/v25.0/502/verify_code", json!({"code": "123456"})).await;
    assert_eq!((reply.status, reply.error()), (400, (136_025, 2_388_093)));
}

#[tokio::test]
async fn a_code_that_cannot_be_sent_is_400_136024_2388091() {
    let bench = Bench::new().await;
    bench.control.patch("numbers/502", json!({"undeliverable": ["SMS"]})).await.unwrap();
    let reply = bench.post("/v25.0/502/request_code", json!({"code_method": "SMS", "language": "en_US"})).await;
    assert_eq!((reply.status, reply.error()), (400, (136_024, 2_388_091)));
}

#[tokio::test]
async fn a_code_is_requested_in_a_language_by_json_form_or_query() {
    let bench = Bench::new().await;
    bench.control.patch("numbers/502", json!({"expected_codes": 4})).await.unwrap();
    let fields = |language: &'static str| [("code_method", "SMS"), (language, "en_US")];
    let call = || bench.request(Method::POST, "/v25.0/502/request_code").bearer_auth(TOKEN);
    for request in [
        call().json(&json!({"code_method": "SMS", "language": "en_US"})),
        call().query(&fields("language")),
        call().form(&fields("language")),
        call().query(&fields("locale")),
    ] {
        let reply = Bench::read(request).await;
        assert_eq!((reply.status, &reply.body["success"]), (200, &json!(true)), "a boolean");
    }
}

#[tokio::test]
async fn a_number_is_added_by_cc_with_or_without_a_plus_and_never_by_country_code() {
    let bench = Bench::new().await;
    let path = format!("/v25.0/{WABA}/phone_numbers");
    let body =
        |field: &str, code: &str, number: &str| json!({field: code, "phone_number": number, "verified_name": "Name"});
    assert_eq!(bench.post(&path, body("cc", "1", "6315551001")).await.status, 200);
    assert_eq!(bench.post(&path, body("cc", "+1", "6315551002")).await.status, 200);
    let reply = bench.post(&path, body("country_code", "1", "6315551003")).await;
    assert_eq!((reply.status, reply.error()), (400, (100, 0)));
}

#[tokio::test]
async fn ids_are_strings_even_where_the_seed_has_numbers() {
    let mut seed = crate::support::estate();
    seed["accounts"][0]["id"] = json!(300);
    let bench = Bench::with(seed).await;
    assert_eq!(bench.get(&format!("/v25.0/{WABA}")).await.body["id"], json!(WABA));
}

#[tokio::test]
async fn a_template_sent_without_a_parameter_format_reads_with_one() {
    let bench = Bench::new().await;
    assert_eq!(bench.get("/v25.0/601").await.body["parameter_format"], "POSITIONAL");
}

#[tokio::test]
async fn the_last_page_has_an_after_cursor_and_no_next() {
    let bench = Bench::new().await;
    let reply = bench.get(&format!("/v25.0/{WABA}/phone_numbers?limit=3")).await;
    assert!(reply.body["paging"]["cursors"]["after"].is_string());
    assert_eq!(reply.body["paging"].get("next"), None);
}

#[tokio::test]
async fn the_served_version_is_not_always_the_asked_one() {
    let bench = Bench::new().await;
    bench.control.patch("apps/100", json!({"oldest_version": "v24.0"})).await.unwrap();
    let reply = bench.get(&format!("/v19.0/{WABA}")).await;
    assert_eq!((reply.status, reply.header("facebook-api-version")), (200, "v24.0"));
    assert!(reply.header("x-ad-api-version-warning").contains("v19.0"));
}

#[tokio::test]
async fn two_step_verification_cannot_be_disabled() {
    let bench = Bench::new().await;
    let request = bench.request(Method::DELETE, &format!("/v25.0/{NUMBER}/two_step_verification")).bearer_auth(TOKEN);
    assert_eq!(Bench::read(request).await.error(), (100, 33));
}
