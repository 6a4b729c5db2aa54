//! Which fields are read, and which are not.

use serde_json::{Value, json};

use crate::support::{APP, APP_TOKEN, Bench, NUMBER, WABA, ids};

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn a_numbers_default_fields_do_not_tell_its_status() {
    let bench = Bench::new().await;
    let reply = bench.get(&format!("/v25.0/{NUMBER}")).await;
    let expected = [
        "code_verification_status",
        "display_phone_number",
        "id",
        "last_onboarded_time",
        "platform_type",
        "quality_rating",
        "throughput",
        "verified_name",
    ];
    assert_eq!(keys(&reply.body), expected);
    assert_eq!(reply.body["last_onboarded_time"], "2026-03-01T00:00:00+0000");
}

#[tokio::test]
async fn default_fields_of_accounts_and_templates() {
    let bench = Bench::new().await;
    let account = bench.get(&format!("/v25.0/{WABA}")).await.body;
    assert_eq!(keys(&account), ["currency", "id", "message_template_namespace", "name", "timezone_id"]);
    let template = bench.get("/v25.0/601").await.body;
    assert_eq!(keys(&template), ["category", "components", "id", "language", "name", "parameter_format", "status"]);
}

#[tokio::test]
async fn only_what_is_asked_for_comes_and_the_id_always() {
    let bench = Bench::new().await;
    assert_eq!(
        bench.get(&format!("/v25.0/{NUMBER}?fields=status")).await.body,
        json!({"status": "CONNECTED", "id": NUMBER})
    );
}

#[tokio::test]
async fn unknown_fields_are_refused_wherever_they_stand() {
    let bench = Bench::new().await;
    for fields in ["nonsense", "phone_numbers{nonsense}", "secret", "rate_limit", "phone_numbers{pin}"] {
        let reply = bench.get(&format!("/v25.0/{WABA}?fields={fields}")).await;
        assert_eq!((reply.status, reply.error()), (400, (100, 0)), "{fields}");
        let message = reply.body["error"]["message"].as_str().unwrap();
        assert!(message.starts_with("(#100) Tried accessing nonexisting field ("), "{message}");
    }
}

#[tokio::test]
async fn broken_fields_and_unknown_arguments_are_refused() {
    let bench = Bench::new().await;
    assert_eq!(bench.get(&format!("/v25.0/{WABA}?fields=id,phone_numbers%7Bid")).await.error(), (2500, 0));
    assert_eq!(bench.get(&format!("/v25.0/{WABA}?fields=phone_numbers.first(3)%7Bid%7D")).await.error(), (100, 0));
    assert_eq!(bench.get(&format!("/v25.0/{WABA}?fields=name.limit(3)")).await.error(), (100, 0));
}

#[tokio::test]
async fn one_call_reads_an_account_with_everything_in_it() {
    let bench = Bench::new().await;
    let fields = "id,name,status,business_verification_status,owner_business_info{id},\
                  phone_numbers.limit(2){id,status},message_templates.limit(100){id,name}";
    let body = bench.get(&format!("/v25.0/{WABA}?fields={fields}")).await.body;
    assert_eq!(body["business_verification_status"], "verified");
    assert_eq!(body["owner_business_info"], json!({"id": "200"}));
    assert_eq!(ids(&body["phone_numbers"]), ["501", "503"]);
    assert_eq!(ids(&body["message_templates"]), ["601", "602"]);
    let after = body["phone_numbers"]["paging"]["cursors"]["after"].as_str().unwrap();
    let next = bench.get(&format!("/v25.0/{WABA}?fields=phone_numbers.limit(2).after({after}){{id}}")).await.body;
    assert_eq!(ids(&next["phone_numbers"]), ["502"]);
    assert_eq!(next["phone_numbers"]["paging"].get("next"), None);
}

#[tokio::test]
async fn an_empty_edge_is_left_out_of_an_expansion_and_an_empty_list_by_path() {
    let bench = Bench::new().await;
    for id in ["601", "602"] {
        bench.control.delete(&format!("templates/{id}?silent=true")).await.unwrap();
    }
    let body = bench.get(&format!("/v25.0/{WABA}?fields=name,message_templates{{id}}")).await.body;
    assert_eq!(keys(&body), ["id", "name"]);
    assert_eq!(bench.get(&format!("/v25.0/{WABA}/message_templates")).await.body, json!({"data": []}));
}

#[tokio::test]
async fn the_portfolio_limit_exists_from_v24_on() {
    let bench = Bench::new().await;
    let field = "whatsapp_business_manager_messaging_limit";
    for (version, status) in [("v23.0", 400), ("v24.0", 200)] {
        let reply = bench.get(&format!("/{version}/{NUMBER}?fields={field},messaging_limit_tier")).await;
        assert_eq!(reply.status, status, "{version}");
    }
    assert_eq!(bench.get(&format!("/v25.0/{NUMBER}?fields={field}")).await.body[field], "TIER_2K");
}

#[tokio::test]
async fn health_names_what_stands_in_the_way() {
    let bench = Bench::new().await;
    let health = async |path: &str| {
        bench.get(&format!("/v25.0/{path}?fields=health_status")).await.body["health_status"].clone()
    };
    let good = health(NUMBER).await;
    assert_eq!(good["can_send_message"], "AVAILABLE");
    let kinds: Vec<&str> =
        good["entities"].as_array().unwrap().iter().map(|e| e["entity_type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["PHONE_NUMBER", "WABA", "BUSINESS", "APP"]);
    bench.control.patch(&format!("numbers/{NUMBER}"), json!({"status": "BANNED"})).await.unwrap();
    let bad = health(NUMBER).await;
    assert_eq!(bad["can_send_message"], "BLOCKED");
    assert!(bad["entities"][0]["errors"][0]["possible_solution"].is_string());
    assert_eq!(health(WABA).await["can_send_message"], "AVAILABLE", "the account itself is well");
}

#[tokio::test]
async fn webhook_configuration_shows_the_levels_that_are_set() {
    let bench = Bench::new().await;
    bench.control.patch("apps/100", json!({"webhook": {"callback_url": "https://app.example/"}})).await.unwrap();
    let own = json!({"webhook_configuration": {"override_callback_uri": "https://own.example/", "verify_token": "v"}});
    bench.control.patch(&format!("numbers/{NUMBER}"), own).await.unwrap();
    let reply = bench.get(&format!("/v25.0/{NUMBER}?fields=webhook_configuration")).await.body;
    let expected = json!({"application": "https://app.example/", "phone_number": "https://own.example/"});
    assert_eq!(reply["webhook_configuration"], expected, "the verify token is write-only");
}

#[tokio::test]
async fn subscribed_apps_lists_every_app() {
    let bench = Bench::new().await;
    let subscriptions = json!([{"app": APP, "override_callback_uri": "https://o.example/"}, {"app": "199"}]);
    bench.control.patch(&format!("accounts/{WABA}"), json!({"subscribed_apps": subscriptions})).await.unwrap();
    let body = bench.get(&format!("/v25.0/{WABA}/subscribed_apps")).await.body;
    assert_eq!(body["data"][0]["whatsapp_business_api_data"]["id"], APP);
    assert_eq!(body["data"][0]["override_callback_uri"], "https://o.example/");
    assert_eq!(body["data"][1]["whatsapp_business_api_data"]["name"], "Another");
    assert_eq!(bench.get(&format!("/v25.0/{WABA}?fields=subscribed_apps")).await.body["subscribed_apps"], body);
}

#[tokio::test]
async fn media_samples_come_back_as_links_that_change() {
    let bench = Bench::new().await;
    let link = async || bench.get("/v25.0/602").await.body["components"][0]["example"]["header_handle"][0].clone();
    let (first, second) = (link().await, link().await);
    assert!(first.as_str().unwrap().starts_with("https://scontent.whatsapp.net/"));
    assert_ne!(first, second);
}

#[tokio::test]
async fn an_app_shows_itself_to_its_own_tokens() {
    let bench = Bench::new().await;
    let reply = bench.get_as(APP_TOKEN, &format!("/v25.0/{APP}?fields=id,name,link,category,namespace")).await;
    assert_eq!((&reply.body["id"], &reply.body["name"]), (&json!(APP), &json!("Ours")));
    assert_eq!(bench.get(&format!("/v25.0/{APP}?fields=id")).await.status, 200);
}
