//! Deliveries: what is sent about which change, to whom, signed over which bytes.

use serde_json::{Value, json};

use crate::callback::Callback;
use crate::support::{APP, Bench, NUMBER, SECRET, WABA, estate, hmac_hex};

/// A bench whose app and account deliver to a callback.
async fn subscribed() -> (Bench, Callback) {
    let callback = Callback::start().await;
    let mut seed = estate();
    seed["apps"][0]["webhook"] = json!({"callback_url": callback.url, "verify_token": "v"});
    seed["accounts"][0]["subscribed_apps"] = json!([{"app": APP}]);
    (Bench::with(seed).await, callback)
}

async fn settled(bench: &Bench, state: &str) -> Value {
    loop {
        let shown = bench.control.get("webhooks").await.unwrap();
        if let Some(delivery) =
            shown["deliveries"].as_array().unwrap().iter().find(|delivery| delivery["state"] == state)
        {
            return delivery.clone();
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_signature_holds_for_the_raw_bytes_with_their_escapes() {
    let (bench, callback) = subscribed().await;
    bench.control.post("messages", json!({"to": NUMBER, "count": 1})).await.unwrap();
    let (headers, body) = callback.received(1).await.remove(0);
    let text = str::from_utf8(&body).unwrap();
    assert!(text.is_ascii() && text.contains("o\\u00f9 en est") && text.contains("Zo\\u00e9"), "{text}");
    let signature = headers["x-hub-signature-256"].to_str().unwrap();
    assert_eq!(signature, format!("sha256={}", hmac_hex(SECRET, &body)));
    let rewritten = serde_json::from_slice::<Value>(&body).unwrap().to_string();
    assert_ne!(signature, format!("sha256={}", hmac_hex(SECRET, rewritten.as_bytes())), "re-serialised it does not");
    let components = json!([{"type": "BODY", "text": "See ino.cx/t 😀"}]);
    bench.control.patch("templates/601", json!({"components": components})).await.unwrap();
    let (_, body) = callback.received(2).await.remove(1);
    assert!(
        str::from_utf8(&body).unwrap().contains(r"ino.cx\/t \ud83d\ude00"),
        "slashes too, and surrogates: {body:?}"
    );
}

#[tokio::test]
async fn a_rejection_is_explained_with_ids_as_numbers_and_a_hyphen_in_the_language() {
    let (bench, callback) = subscribed().await;
    let review = json!({"status": "REJECTED", "reason": "INVALID_FORMAT"});
    bench.control.post("templates/601/review", review).await.unwrap();
    let change = callback.changes(1).await.remove(0);
    assert_eq!(change["field"], "message_template_status_update");
    let value = &change["value"];
    assert_eq!((&value["event"], &value["reason"]), (&json!("REJECTED"), &json!("INVALID_FORMAT")));
    assert_eq!((&value["message_template_id"], &value["message_template_language"]), (&json!(601), &json!("en-US")));
    assert!(value["rejection_info"]["recommendation"].is_string());
    let read = bench.get("/v25.0/601?fields=status,rejected_reason,rejection_info").await;
    assert_eq!(read.error(), (100, 0), "the explanation cannot be read");
}

#[tokio::test]
async fn each_change_sends_its_own_event() {
    let (bench, callback) = subscribed().await;
    for (path, fields) in [
        ("templates/601", json!({"quality_score": {"score": "RED"}})),
        ("templates/601", json!({"category": "MARKETING"})),
        ("templates/601", json!({"correct_category": "AUTHENTICATION"})),
        ("templates/601", json!({"components": [{"type": "BODY", "text": "New"}]})),
        ("numbers/501", json!({"new_name_status": "DECLINED"})),
        ("numbers/501", json!({"throughput": {"level": "HIGH"}})),
        ("numbers/501", json!({"pin": "123456"})),
        ("accounts/300", json!({"account_review_status": "REJECTED"})),
        ("accounts/300", json!({"status": "DISABLED"})),
        ("businesses/200", json!({"whatsapp_business_manager_messaging_limit": "TIER_10K"})),
    ] {
        bench.control.patch(path, fields).await.unwrap();
    }
    let changes = callback.changes(10).await;
    let fields: Vec<&str> = changes.iter().map(|change| change["field"].as_str().unwrap()).collect();
    let expected = [
        "message_template_quality_update",
        "template_category_update",
        "template_category_update",
        "message_template_components_update",
        "phone_number_name_update",
        "phone_number_quality_update",
        "security",
        "account_review_update",
        "account_update",
        "business_capability_update",
    ];
    assert_eq!(fields, expected);
    assert_eq!(changes[4]["value"]["decision"], "REJECTED", "DECLINED is spelled differently here");
    assert_eq!(changes[4]["value"]["display_phone_number"], "33612345678", "digits only");
}

#[tokio::test]
async fn what_is_removed_is_announced_to_who_listened() {
    let (bench, callback) = subscribed().await;
    bench.control.delete("numbers/501").await.unwrap();
    bench.control.delete("templates/601").await.unwrap();
    bench.control.delete("accounts/300").await.unwrap();
    let changes = callback.changes(2).await;
    assert_eq!(changes[0]["value"]["event"], "DELETED");
    assert_eq!(
        (&changes[1]["field"], &changes[1]["value"]["event"]),
        (&json!("account_update"), &json!("ACCOUNT_DELETED"))
    );
}

#[tokio::test]
async fn most_changes_of_a_number_are_never_announced_and_silence_can_be_asked_for() {
    let (bench, callback) = subscribed().await;
    bench.control.patch("numbers/501", json!({"status": "BANNED", "quality_rating": "RED"})).await.unwrap();
    bench.control.patch("tokens/good", json!({"is_valid": false})).await.unwrap();
    bench.control.patch("templates/601?silent=true", json!({"status": "PAUSED"})).await.unwrap();
    bench.control.patch("templates/602", json!({"status": "APPROVED"})).await.unwrap();
    let changes = callback.changes(1).await;
    assert_eq!(changes.len(), 1, "events arrive in order, so nothing came before");
    assert_eq!(changes[0]["value"]["message_template_id"], 602);
}

#[tokio::test]
async fn messages_follow_overrides_and_management_events_do_not() {
    let (bench, app) = subscribed().await;
    let (account, number) = (Callback::start().await, Callback::start().await);
    let subscription = json!([{"app": APP, "override_callback_uri": account.url}]);
    bench.control.patch(&format!("accounts/{WABA}"), json!({"subscribed_apps": subscription})).await.unwrap();
    let own = json!({"webhook_configuration": {"override_callback_uri": number.url}});
    bench.control.patch(&format!("numbers/{NUMBER}"), own).await.unwrap();
    for to in [NUMBER, "503"] {
        bench.control.patch(&format!("numbers/{to}"), json!({"status": "CONNECTED"})).await.unwrap();
        bench.control.post("messages", json!({"to": to, "count": 1})).await.unwrap();
    }
    bench.control.patch("templates/601", json!({"status": "PAUSED"})).await.unwrap();
    let to = |change: &Value| change["value"]["metadata"]["phone_number_id"].clone();
    assert_eq!(to(&number.changes(1).await[0]), NUMBER, "the number's before the account's");
    assert_eq!(to(&account.changes(1).await[0]), "503");
    assert_eq!(app.changes(1).await[0]["field"], "message_template_status_update");
    let shown = bench.control.get("messages").await.unwrap();
    assert_eq!((&shown[0]["callback"], &shown[0]["state"]), (&json!(number.url), &json!("delivered")));
}

#[tokio::test]
async fn who_does_not_listen_gets_nothing() {
    let (bench, _callback) = subscribed().await;
    let lost = async || {
        bench.control.post("messages", json!({"to": NUMBER, "count": 1})).await.unwrap();
        loop {
            let shown = bench.control.get("messages").await.unwrap();
            let last = shown.as_array().unwrap().last().unwrap().clone();
            if last["state"] != "pending" {
                return last["state"] == "lost";
            }
            tokio::task::yield_now().await;
        }
    };
    assert!(!lost().await);
    bench.control.patch("numbers/501", json!({"status": "DISCONNECTED"})).await.unwrap();
    assert!(lost().await, "not connected");
    bench.control.patch("numbers/501", json!({"status": "CONNECTED"})).await.unwrap();
    bench.control.patch("apps/100", json!({"live": false})).await.unwrap();
    assert!(lost().await, "not live");
    bench.control.patch("apps/100", json!({"live": true})).await.unwrap();
    bench.control.patch("accounts/300", json!({"subscribed_apps": []})).await.unwrap();
    assert!(lost().await, "not subscribed");
}

#[tokio::test]
async fn what_is_not_taken_is_tried_again_by_metas_clock() {
    let (bench, callback) = subscribed().await;
    *callback.refusing.lock().unwrap() = 1;
    bench.control.patch("templates/601", json!({"status": "PAUSED"})).await.unwrap();
    callback.arrived.notified().await;
    settled(&bench, "pending").await;
    assert!(callback.inbox.lock().unwrap().is_empty());
    while callback.inbox.lock().unwrap().is_empty() {
        bench.control.advance(10).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(settled(&bench, "delivered").await["attempts"], 2);
}

#[tokio::test]
async fn deliveries_can_be_dropped_delayed_doubled_and_shuffled() {
    let (bench, callback) = subscribed().await;
    let weather = async |weather: Value| bench.control.post("webhooks", weather).await.unwrap();
    weather(json!({"drop": true})).await;
    bench.control.patch("templates/601", json!({"status": "PAUSED"})).await.unwrap();
    settled(&bench, "dropped").await;
    weather(json!({"duplicate": true})).await;
    bench.control.patch("templates/601", json!({"status": "DISABLED"})).await.unwrap();
    let twice = callback.changes(2).await;
    assert_eq!(twice[0], twice[1]);
    assert_eq!(twice[0]["value"]["event"], "DISABLED", "the dropped one never came");
    weather(json!({"reorder": true})).await;
    for status in ["PENDING", "APPROVED"] {
        bench.control.patch("templates/602", json!({"status": status})).await.unwrap();
    }
    let events: Vec<Value> = callback.changes(4).await.iter().map(|change| change["value"]["event"].clone()).collect();
    assert_eq!(events[2..], ["APPROVED", "PENDING"]);
    weather(json!({"delaySeconds": 600})).await;
    bench.control.patch("templates/602", json!({"status": "PAUSED"})).await.unwrap();
    while callback.inbox.lock().unwrap().len() < 5 {
        assert!(callback.inbox.lock().unwrap().len() == 4);
        bench.control.advance(601).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert!(bench.control.post("webhooks", json!({"lose": true})).await.is_err());
}
