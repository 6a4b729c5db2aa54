//! The control interface: the log, objects by hand, large estates.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{APP, APP_TOKEN, Bench, NUMBER, SECRET, TOKEN, WABA};

#[tokio::test]
async fn the_log_tells_everything_but_secrets() {
    let bench = Bench::new().await;
    let query = format!("input_token={TOKEN}&access_token={}", APP_TOKEN.replace('|', "%7C"));
    bench.bare(&format!("/v25.0/debug_token?{query}")).await;
    let form = [
        ("grant_type", "fb_exchange_token"),
        ("client_id", APP),
        ("client_secret", SECRET),
        ("fb_exchange_token", "EAAstranger"),
    ];
    Bench::read(bench.request(Method::POST, "/v25.0/oauth/access_token").form(&form)).await;
    let body = json!({"nested": [{"access_token": TOKEN}], "pin": "123456"});
    Bench::read(bench.request(Method::POST, &format!("/v25.0/{NUMBER}/register")).bearer_auth(TOKEN).json(&body)).await;
    let calls = bench.control.calls(0).await.unwrap();
    assert_eq!(calls[0]["query"], json!({"input_token": "good", "access_token": "app:100"}));
    assert_eq!((&calls[0]["method"], &calls[0]["path"]), (&json!("GET"), &json!("/v25.0/debug_token")));
    assert_eq!(
        (&calls[0]["status"], &calls[0]["code"], &calls[0]["client"]),
        (&json!(200), &Value::Null, &json!("bench"))
    );
    assert_eq!(calls[1]["body"]["client_secret"], "secret-of:100");
    assert!(calls[1]["body"]["fb_exchange_token"].as_str().unwrap().starts_with("unknown:"));
    assert_eq!(calls[2]["headers"]["authorization"], "Bearer good");
    assert_eq!(calls[2]["body"]["nested"], json!([{"access_token": "good"}]));
    let text = json!(calls).to_string();
    for secret in [TOKEN, SECRET, "EAAstranger", "123456"] {
        assert!(!text.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn pins_codes_and_verify_tokens_have_names_that_stay_the_same() {
    let bench = Bench::new().await;
    let path = format!("/v25.0/{NUMBER}");
    for body in [
        json!({"pin": "604317"}),
        json!({"pin": 604_317}),
        json!({"pin": "604318"}),
        json!({"code": "604317"}),
        json!({"webhook_configuration": {"override_callback_uri": "https://ino.cx/", "verify_token": "604317"}}),
    ] {
        bench.post(&path, body).await;
    }
    for request in [
        bench.request(Method::POST, &path).form(&[("pin", "604317")]),
        bench.request(Method::POST, &path).query(&[("pin", "604317")]),
        bench.request(Method::POST, &path).form(&[("webhook_configuration", r#"{"verify_token": "604317"}"#)]),
    ] {
        Bench::read(request.bearer_auth(TOKEN)).await;
    }
    let calls = bench.control.calls(0).await.unwrap();
    let name = calls[0]["body"]["pin"].as_str().unwrap();
    assert!(name.starts_with("unknown:"), "{name}");
    for same in [
        &calls[1]["body"]["pin"],
        &calls[3]["body"]["code"],
        &calls[4]["body"]["webhook_configuration"]["verify_token"],
        &calls[5]["body"]["pin"],
        &calls[6]["query"]["pin"],
    ] {
        assert_eq!(same, name, "one value has one name");
    }
    assert_ne!(calls[2]["body"]["pin"], name, "another has another");
    assert!(!json!(calls).to_string().contains("60431"));
}

#[tokio::test]
async fn the_log_can_be_read_from_a_point_and_emptied() {
    let bench = Bench::new().await;
    for _ in 0..3 {
        bench.get("/v25.0/me").await;
    }
    let seqs = async |since| -> Vec<u64> {
        bench.control.calls(since).await.unwrap().iter().map(|call| call["seq"].as_u64().unwrap()).collect()
    };
    assert_eq!(seqs(0).await, [1, 2, 3]);
    assert_eq!(seqs(2).await, [3]);
    bench.control.delete("calls").await.unwrap();
    assert!(seqs(0).await.is_empty());
    bench.get("/v25.0/me").await;
    assert_eq!(seqs(0).await, [4], "numbers go on");
}

#[tokio::test]
async fn long_bodies_are_cut_in_the_log() {
    let bench = Bench::new().await;
    let request = bench.request(Method::POST, &format!("/v25.0/{NUMBER}")).bearer_auth(TOKEN);
    Bench::read(request.json(&json!({"text": "é".repeat(100_000)}))).await;
    assert!(bench.control.calls(0).await.unwrap()[0]["body"].as_str().unwrap().len() < 5_000);
}

#[tokio::test]
async fn objects_can_be_added_changed_and_removed() {
    let bench = Bench::new().await;
    let new = json!({"id": "504", "account": WABA, "display_phone_number": "+49 30 1", "status": "PENDING"});
    assert_eq!(bench.control.post("numbers", new).await.unwrap()["id"], "504");
    assert_eq!(bench.get(&format!("/v25.0/{WABA}/phone_numbers")).await.ids().len(), 4);
    let patched =
        bench.control.patch("numbers/504", json!({"status": "CONNECTED", "verified_name": null})).await.unwrap();
    assert_eq!(patched["status"], "CONNECTED");
    assert_eq!(bench.get("/v25.0/504?fields=status").await.body["status"], "CONNECTED");
    bench.control.delete("numbers/504").await.unwrap();
    assert_eq!(bench.get("/v25.0/504").await.error(), (100, 33));
    let generated = bench.control.post("templates", json!({"account": WABA, "name": "fresh"})).await.unwrap();
    assert_eq!(bench.get(&format!("/v25.0/{}", generated["id"].as_str().unwrap())).await.body["name"], "fresh");
}

#[tokio::test]
async fn wrong_changes_are_refused_with_a_reason() {
    let bench = Bench::new().await;
    for (path, fields, expected) in [
        ("numbers/501", json!({"stat": 1}), "numbers/501: unknown field stat"),
        ("numbers/501", json!({"status": 1}), "numbers/501.status: text is expected"),
        ("numbers/501", json!({"account": null}), "numbers/501.account: cannot be without a value"),
        ("numbers/501", json!({"id": "502"}), "numbers/501: unknown field id"),
        ("templates/601", json!({"name": "hello_world"}), "templates: 602 has this account, name and language"),
        ("numbers/999", json!({}), "there is no 999 among numbers"),
        ("things/1", json!({}), "there is no kind things"),
    ] {
        let text = bench.control.patch(path, fields).await.unwrap_err().to_string();
        assert!(text.contains(expected), "{text:?} instead of {expected:?}");
    }
    assert!(bench.control.get("nothing/at/all").await.is_err());
}

#[tokio::test]
async fn what_is_removed_leaves_nothing_behind() {
    let bench = Bench::new().await;
    let subscriptions = json!({"subscribed_apps": [{"app": "199"}]});
    bench.control.patch("accounts/300", subscriptions).await.unwrap();
    bench.control.delete("apps/199").await.unwrap();
    bench.control.delete("businesses/200").await.unwrap();
    assert_eq!(bench.get(&format!("/v25.0/{WABA}/subscribed_apps")).await.body, json!({"data": []}));
    bench.control.delete("accounts/300").await.unwrap();
    let state = bench.control.get("state").await.unwrap();
    assert_eq!((&state["numbers"], &state["templates"]), (&json!([]), &json!([])));
    assert_eq!(state["tokens"][0]["accounts"], json!([]));
    bench.control.put("state", state).await.unwrap();
}

#[tokio::test]
async fn a_changed_secret_ends_app_tokens_and_proofs() {
    let bench = Bench::new().await;
    bench.control.patch("apps/100", json!({"secret": "rotated"})).await.unwrap();
    assert_eq!(bench.get_as(APP_TOKEN, "/v25.0/100").await.error(), (190, 0));
    assert_eq!(bench.get_as("100|rotated", "/v25.0/100").await.status, 200);
}

#[tokio::test]
async fn a_number_that_nobody_touched_has_no_codes_and_zero_counters() {
    let bench = Bench::new().await;
    bench.control.patch("numbers/501", json!({"pin": "123456"})).await.unwrap();
    assert_eq!(bench.control.get("numbers/501/codes").await.unwrap(), json!([]));
    assert_eq!(bench.control.get("numbers/501/code").await.unwrap(), Value::Null);
    let counters = bench.control.get("numbers/501/counters").await.unwrap();
    assert_eq!((&counters["register"], &counters["pins"][0]["pin"]), (&json!(0), &json!("123456")));
    assert!(bench.control.get("numbers/999/codes").await.is_err());
}

#[tokio::test]
async fn a_large_estate_is_there_at_once_and_listed_page_by_page() {
    let bench = Bench::new().await;
    let order = json!({"wabas": 2, "numbersPerWaba": 1500, "templatesPerWaba": 300});
    let accounts = bench.control.post("load", order).await.unwrap()["accounts"].clone();
    bench.control.patch("tokens/good", json!({"accounts": accounts})).await.unwrap();
    let account = accounts[1].as_str().unwrap();
    let (mut seen, mut after) = (std::collections::BTreeSet::new(), String::new());
    loop {
        let page = bench.get(&format!("/v25.0/{account}/phone_numbers?limit=100&fields=status&after={after}")).await;
        seen.extend(page.ids());
        page.body["paging"]["cursors"]["after"].as_str().unwrap().clone_into(&mut after);
        if page.body["paging"].get("next").is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 1500);
    assert_eq!(bench.control.calls(0).await.unwrap().len(), 15, "a hundred at a time");
    let more = bench.control.post("load", json!({"wabas": 1})).await.unwrap();
    assert!(!accounts.as_array().unwrap().contains(&more["accounts"][0]), "a second load adds to the first");
}
