//! A number's settings: one feature in each call.

use serde_json::{Value, json};

use crate::callback::Callback;
use crate::support::{APP, Bench, NUMBER, Reply, estate};

async fn set(bench: &Bench, number: &str, body: Value) -> Reply {
    bench.post(&format!("/v25.0/{number}/settings"), body).await
}

async fn read(bench: &Bench, number: &str) -> Value {
    bench.get(&format!("/v25.0/{number}/settings?include_sip_credentials=true")).await.body
}

#[tokio::test]
async fn features_are_set_one_by_one_and_read_together() {
    let bench = Bench::new().await;
    assert_eq!(read(&bench, NUMBER).await["storage_configuration"], json!({"status": "DEFAULT"}));
    let key = json!({"payload_encryption": {"status": "ENABLED", "client_encryption_key": "c2VjcmV0"}});
    for body in [
        json!({"calling": {"status": "ENABLED"}}),
        json!({"calling": {"call_icon_visibility": "DISABLE_ALL"}}),
        json!({"user_identity_change": {"enable_identity_key_check": true}}),
        key,
    ] {
        assert_eq!(set(&bench, NUMBER, body.clone()).await.body, json!({"success": true}), "{body}");
    }
    let settings = read(&bench, NUMBER).await;
    let calling =
        json!({"status": "ENABLED", "call_icon_visibility": "DISABLE_ALL", "callback_permission_status": "DISABLED"});
    assert_eq!(settings["calling"], calling, "what is not sent stays");
    assert_eq!(settings["user_identity_change"], json!({"enable_identity_key_check": true}));
    assert_eq!(settings["payload_encryption"], json!({"status": "ENABLED"}), "keys are not read back");
}

#[tokio::test]
async fn wrong_settings_are_refused() {
    let bench = Bench::new().await;
    for body in [
        json!({}),
        json!({"calling": {"status": "ENABLED"}, "user_identity_change": {"enable_identity_key_check": true}}),
        json!({"calling": {"status": "enabled"}}),
        json!({"calling": {"stat": "ENABLED"}}),
        json!({"calling": "ENABLED"}),
        json!({"calling": {"sip": true}}),
        json!({"user_identity_change": {"enable_identity_key_check": "yes"}}),
        json!({"payload_encryption": {"status": "ENABLED"}}),
        json!({"payload_encryption": {"client_encryption_key": "c2VjcmV0"}}),
        json!({"ringtone": {"status": "ENABLED"}}),
    ] {
        let reply = set(&bench, NUMBER, body.clone()).await;
        assert_eq!((reply.status, reply.error().0), (400, 100), "{body}");
    }
    assert_eq!(bench.get(&format!("/v25.0/{NUMBER}/settings?fields=calling")).await.error().0, 100);
}

#[tokio::test]
async fn storage_is_chosen_before_registering_and_ends_with_it() {
    let bench = Bench::new().await;
    let storage =
        json!({"storage_configuration": {"status": "IN_COUNTRY_STORAGE_ENABLED", "data_localization_region": "BR"}});
    assert_eq!(set(&bench, NUMBER, storage.clone()).await.error().0, 100, "it is registered");
    for wrong in [
        json!({"status": "IN_COUNTRY_STORAGE_ENABLED"}),
        json!({"status": "IN_COUNTRY_STORAGE_ENABLED", "data_localization_region": "FR"}),
        json!({"status": "NO_STORAGE_ENABLED", "retention_minutes": "60"}),
        json!({}),
    ] {
        assert_eq!(set(&bench, "502", json!({"storage_configuration": wrong})).await.error().0, 100, "{wrong}");
    }
    assert_eq!(set(&bench, "502", storage).await.status, 200);
    bench.verify("502").await;
    bench.register("502", "123456").await;
    assert_eq!(read(&bench, "502").await["storage_configuration"]["data_localization_region"], "BR");
    bench.post("/v25.0/502/deregister", json!({})).await;
    assert_eq!(read(&bench, "502").await["storage_configuration"], json!({"status": "DEFAULT"}));
}

#[tokio::test]
async fn only_calling_is_announced() {
    let callback = Callback::start().await;
    let mut seed = estate();
    seed["apps"][0]["webhook"] = json!({"callback_url": callback.url, "verify_token": "v"});
    seed["accounts"][0]["subscribed_apps"] = json!([{"app": APP}]);
    let bench = Bench::with(seed).await;
    set(&bench, NUMBER, json!({"user_identity_change": {"enable_identity_key_check": true}})).await;
    set(&bench, NUMBER, json!({"calling": {"status": "ENABLED"}})).await;
    let change = callback.changes(1).await.remove(0);
    assert_eq!(change["field"], "account_settings_update");
    let settings = json!({"phone_number_id": NUMBER, "calling": {"status": "ENABLED"}});
    assert_eq!(change["value"]["phone_number_settings"], settings);
    let all = bench.control.get("webhooks").await.unwrap()["deliveries"].as_array().unwrap().len();
    assert_eq!(all, 1);
}
