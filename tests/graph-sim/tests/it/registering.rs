//! Registering and deregistering: PINs, quotas, everything that can be in the way.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Bench, NUMBER, Reply, TOKEN, estate};

/// Unverified and not registered.
const NEW: &str = "502";

/// A bench whose number 502 is verified.
async fn verified() -> Bench {
    let bench = Bench::new().await;
    bench.control.patch("numbers/502", json!({"code_verification_status": "VERIFIED"})).await.unwrap();
    bench
}

async fn deregister(bench: &Bench, number: &str) -> Reply {
    bench.post(&format!("/v25.0/{number}/deregister"), json!({})).await
}

async fn status(bench: &Bench, number: &str) -> Value {
    bench.number(number, "status").await["status"].clone()
}

#[tokio::test]
async fn the_whole_ladder_ends_in_connected() {
    let bench = Bench::new().await;
    let added = json!({"cc": "33", "phone_number": "699999999", "verified_name": "Ladder"});
    let added = bench.post("/v25.0/300/phone_numbers", added).await;
    let id = added.body["id"].as_str().unwrap();
    assert_eq!(bench.register(id, "001234").await.error(), (133_006, 0), "not verified yet");
    bench.verify(id).await;
    let reply = bench.register(id, "001234").await;
    assert_eq!((reply.status, &reply.body), (200, &json!({"success": true})));
    let seq = bench.control.calls(0).await.unwrap().last().unwrap()["seq"].clone();
    assert_eq!(bench.effect().await, format!("number {id} registered"));
    let number = bench.number(id, "status,platform_type,is_pin_enabled,last_onboarded_time,throughput").await;
    assert_eq!((&number["status"], &number["platform_type"]), (&json!("PENDING"), &json!("CLOUD_API")), "for a while");
    assert_eq!((&number["is_pin_enabled"], &number["throughput"]["level"]), (&json!(true), &json!("STANDARD")));
    assert!(number["last_onboarded_time"].as_str().unwrap().ends_with("+0000"));
    bench.control.advance(6).await.unwrap();
    assert_eq!(status(&bench, id).await, "CONNECTED");
    let counters = bench.counters(id).await;
    assert_eq!((&counters["register"], &counters["pins"]), (&json!(2), &json!([{"pin": "001234", "setBy": seq}])));
    assert_eq!(bench.get("/v25.0/300/phone_numbers").await.ids()[0], id, "the newest comes first");
    assert!(bench.rules().await.is_empty());
}

#[tokio::test]
async fn how_long_a_number_is_pending_can_be_set() {
    let mut seed = estate();
    seed["pending_seconds"] = json!(0);
    let bench = Bench::with(seed).await;
    bench.verify(NEW).await;
    bench.register(NEW, "123456").await;
    assert_eq!(status(&bench, NEW).await, "CONNECTED", "at once");
    deregister(&bench, NEW).await;
    bench.control.patch("numbers/502", json!({"pending_seconds": 900})).await.unwrap();
    bench.register(NEW, "123456").await;
    bench.control.advance(800).await.unwrap();
    assert_eq!(status(&bench, NEW).await, "PENDING");
    bench.control.patch("numbers/502", json!({"status": "RESTRICTED"})).await.unwrap();
    bench.control.advance(200).await.unwrap();
    assert_eq!(status(&bench, NEW).await, "RESTRICTED", "what Meta decides stays decided");
}

#[tokio::test]
async fn a_form_will_do_and_wrong_parameters_will_not() {
    let bench = verified().await;
    let path = format!("/v25.0/{NEW}/register");
    for body in [
        json!({}),
        json!({"pin": "123456"}),
        json!({"messaging_product": "whatsapp"}),
        json!({"messaging_product": "telegram", "pin": "123456"}),
        json!({"messaging_product": "whatsapp", "pin": 123_456}),
        json!({"messaging_product": "whatsapp", "pin": "12345"}),
        json!({"messaging_product": "whatsapp", "pin": "12345a"}),
        json!({"messaging_product": "whatsapp", "pin": "123456", "force": true}),
        json!({"messaging_product": "whatsapp", "pin": "123456", "data_localization_region": "FR"}),
    ] {
        let reply = bench.post(&path, body.clone()).await;
        assert_eq!((reply.status, reply.error().0), (400, 100), "{body}");
    }
    assert_eq!(bench.counters(NEW).await["register"], 0, "none of them got as far as the quota");
    let form = [("messaging_product", "whatsapp"), ("pin", "000042"), ("data_localization_region", "CH")];
    let reply = Bench::read(bench.request(Method::POST, &path).bearer_auth(TOKEN).form(&form)).await;
    assert_eq!(reply.status, 200, "{:?}", reply.body);
    assert_eq!(bench.counters(NEW).await["pins"][0]["pin"], "000042", "with its zeros");
    let settings = bench.get(&format!("/v25.0/{NEW}/settings")).await.body;
    assert_eq!(settings["storage_configuration"]["data_localization_region"], "CH");
}

#[tokio::test]
async fn a_second_pin_has_to_match_the_first() {
    let bench = verified().await;
    bench.control.patch("numbers/502", json!({"pin": "260417"})).await.unwrap();
    let reply = bench.register(NEW, "111111").await;
    assert_eq!((reply.status, reply.error()), (400, (133_005, 0)));
    assert_eq!(status(&bench, NEW).await, "DISCONNECTED");
    assert!(bench.rules().await.is_empty(), "one guess is fair");
    let fast = bench.register(NEW, "222222").await;
    assert_eq!((fast.status, fast.error()), (400, (133_009, 0)));
    assert!(fast.body["error"]["error_data"]["details"].as_str().unwrap().contains("seconds"));
    bench.control.advance(6).await.unwrap();
    bench.register(NEW, "111111").await;
    assert_eq!(bench.rules().await, ["refused-pin"]);
    bench.control.advance(6).await.unwrap();
    assert_eq!(bench.register(NEW, "260417").await.status, 200);
    let counters = bench.counters(NEW).await;
    assert_eq!((&counters["register"], &counters["pinGuesses"]), (&json!(4), &json!(0)), "failed ones count");
    assert_eq!(counters["pins"], json!([{"pin": "260417", "setBy": null}]));
}

#[tokio::test]
async fn a_pin_that_is_on_and_unknown_matches_nothing() {
    let bench = verified().await;
    bench.control.patch("numbers/502", json!({"is_pin_enabled": true})).await.unwrap();
    assert_eq!(bench.register(NEW, "123456").await.error(), (133_005, 0));
    bench.control.advance(6).await.unwrap();
    let path = format!("/v25.0/{NEW}");
    assert_eq!(bench.post(&path, json!({"pin": "123456"})).await.status, 200, "Meta requires no old PIN");
    assert_eq!(bench.register(NEW, "123456").await.status, 200);
    assert!(bench.rules().await.is_empty(), "it was refused, but another one was in force");
}

#[tokio::test]
async fn a_pin_reads_back_as_enabled_whoever_set_it() {
    let bench = verified().await;
    let enabled = async || bench.number(NEW, "is_pin_enabled").await["is_pin_enabled"].clone();
    assert_eq!(enabled().await, false);
    bench.control.patch("numbers/502", json!({"is_pin_enabled": false})).await.unwrap();
    assert_eq!(bench.post(&format!("/v25.0/{NEW}"), json!({"pin": "123456"})).await.status, 200);
    assert_eq!(enabled().await, true, "by a call");
    bench.control.patch("numbers/502", json!({"is_pin_enabled": false})).await.unwrap();
    assert_eq!(enabled().await, false, "switched off by a person");
    bench.control.patch("numbers/502", json!({"is_pin_enabled": false})).await.unwrap();
    bench.control.patch("numbers/502", json!({"pin": "260417"})).await.unwrap();
    assert_eq!(enabled().await, true, "by a person");
    assert_eq!(bench.register(NEW, "123456").await.error(), (133_005, 0), "and it has to match");
}

#[tokio::test]
async fn a_number_that_was_thrown_off_is_registered_again() {
    let bench = Bench::new().await;
    bench.control.patch("numbers/501", json!({"status": "DISCONNECTED", "pin": "260417"})).await.unwrap();
    let profile = json!({"messaging_product": "whatsapp", "about": "Soon"});
    let profile = bench.post(&format!("/v25.0/{NUMBER}/whatsapp_business_profile"), profile).await;
    assert_eq!(profile.error(), (133_010, 0));
    assert_eq!(deregister(&bench, NUMBER).await.error(), (133_010, 0), "it is off already");
    assert_eq!(bench.register(NUMBER, "260417").await.status, 200);
    assert_eq!(bench.effect().await, "number 501 registered");
    assert_eq!(status(&bench, NUMBER).await, "PENDING");
    assert!(bench.rules().await.is_empty());
}

#[tokio::test]
async fn after_five_wrong_pins_none_is_looked_at_for_a_day() {
    let bench = verified().await;
    bench.control.patch("numbers/502", json!({"pin": "260417"})).await.unwrap();
    for pin in ["111111", "222222", "333333", "444444", "555555"] {
        assert_eq!(bench.register(NEW, pin).await.error(), (133_005, 0), "{pin}");
        bench.control.advance(60).await.unwrap();
    }
    let reply = bench.register(NEW, "260417").await;
    assert_eq!((reply.status, reply.error()), (400, (133_008, 0)), "not even the right one");
    assert!(reply.body["error"]["error_data"]["details"].as_str().unwrap().contains("seconds"));
    bench.control.patch("tokens/good", json!({"expires_at": 0})).await.unwrap();
    bench.control.advance(86_400).await.unwrap();
    assert_eq!(bench.register(NEW, "260417").await.status, 200);
}

#[tokio::test]
async fn ten_requests_in_72_hours_and_then_a_lock_of_72_hours() {
    let bench = verified().await;
    bench.control.patch("tokens/good", json!({"expires_at": 0})).await.unwrap();
    bench.control.patch("numbers/502", json!({"code_verification_status": "NOT_VERIFIED"})).await.unwrap();
    for _ in 0..10 {
        assert_eq!(bench.register(NEW, "123456").await.error(), (133_006, 0));
    }
    bench.control.advance(71 * 3_600).await.unwrap();
    let reply = bench.register(NEW, "123456").await;
    assert_eq!((reply.status, reply.error()), (400, (133_016, 0)));
    bench.control.patch("numbers/502", json!({"code_verification_status": "VERIFIED"})).await.unwrap();
    bench.control.advance(71 * 3_600).await.unwrap();
    assert_eq!(bench.register(NEW, "123456").await.error(), (133_016, 0), "locked though the window is empty");
    assert!(bench.counters(NEW).await["registerLockedUntil"].is_i64());
    assert_eq!(deregister(&bench, NEW).await.error(), (133_010, 0), "deregistering is counted for itself");
    bench.control.advance(2 * 3_600).await.unwrap();
    assert_eq!(bench.register(NEW, "123456").await.status, 200);
    assert_eq!(bench.counters(NEW).await["register"], 1);
}

#[tokio::test]
async fn deregistering_has_a_quota_of_its_own() {
    let bench = verified().await;
    for _ in 0..10 {
        assert_eq!(deregister(&bench, NEW).await.error(), (133_010, 0));
    }
    assert_eq!(deregister(&bench, NEW).await.error(), (133_016, 0));
    assert_eq!(bench.counters(NEW).await["deregister"], 10);
    assert_eq!(bench.register(NEW, "123456").await.status, 200, "registering is counted for itself");
}

#[tokio::test]
async fn registering_what_is_connected_changes_nothing_and_is_careless() {
    let bench = Bench::new().await;
    bench.control.patch("numbers/501", json!({"pin": "260417"})).await.unwrap();
    let before = bench.number(NUMBER, "status,last_onboarded_time,verified_name").await;
    let reply = bench.register(NUMBER, "260417").await;
    assert_eq!((reply.status, bench.effect().await), (200, Value::Null), "Meta allows it");
    assert_eq!(bench.number(NUMBER, "status,last_onboarded_time,verified_name").await, before);
    assert_eq!(bench.counters(NUMBER).await["register"], 1);
    assert_eq!(reply.body["pin_reset"], false, "the reply says that the PIN is left alone");
    assert_eq!(bench.register(NUMBER, "000000").await.status, 200, "the PIN is not looked at");
    assert_eq!(bench.counters(NUMBER).await["pins"], json!([{"pin": "260417", "setBy": null}]));
    assert_eq!(bench.rules().await, ["register-connected", "register-connected"]);
}

#[tokio::test]
async fn a_registration_that_nobody_requested_is_careless() {
    let bench = verified().await;
    bench.control.patch("numbers/502", json!({"expected_registrations": 1})).await.unwrap();
    assert_eq!(bench.register(NEW, "123456").await.status, 200);
    assert_eq!(bench.rules().await, [""; 0], "one was requested");
    let off = json!({"status": "DISCONNECTED", "platform_type": "NOT_APPLICABLE"});
    bench.control.patch("numbers/502", off).await.unwrap();
    assert_eq!(bench.register(NEW, "123456").await.status, 200);
    assert_eq!(bench.rules().await, ["register-unexpected"]);
}

#[tokio::test]
async fn an_expired_verification_is_no_matter_once_registered() {
    let bench = Bench::new().await;
    bench.control.patch("numbers/501", json!({"code_verification_status": "EXPIRED"})).await.unwrap();
    assert_eq!(bench.register(NUMBER, "123456").await.status, 200);
    assert_eq!(bench.effect().await, "number 501: PIN set", "none was in force");
}

#[tokio::test]
async fn each_obstacle_has_its_code() {
    for (reason, fields, http, expected) in [
        ("deleted", json!({"status": "DELETED"}), 400, (33, 0)),
        ("migrated", json!({"status": "MIGRATED"}), 400, (100, 33)),
        ("banned", json!({"status": "BANNED"}), 403, (131_031, 0)),
        ("on the Business app", json!({"is_on_biz_app": true}), 400, (100, 0)),
        ("half deregistered", json!({"half_deregistered": true}), 500, (133_000, 0)),
        ("never verified", json!({"code_verification_status": "NOT_VERIFIED"}), 400, (133_006, 0)),
        ("verified long ago", json!({"code_verification_status": "EXPIRED"}), 400, (133_006, 0)),
    ] {
        let bench = verified().await;
        bench.control.patch("numbers/502", fields).await.unwrap();
        let reply = bench.register(NEW, "123456").await;
        assert_eq!((reply.status, reply.error()), (http, expected), "{reason}");
        assert_eq!(bench.counters(NEW).await["register"], 1, "{reason}: it counts");
    }
    let bench = verified().await;
    bench.control.patch("accounts/300", json!({"status": "DISABLED"})).await.unwrap();
    assert_eq!(bench.register(NEW, "123456").await.error(), (131_031, 0), "its account is closed");
}

#[tokio::test]
async fn a_number_deleted_a_moment_ago_cannot_be_registered() {
    let bench = verified().await;
    bench.control.delete("numbers/502").await.unwrap();
    let again = json!({"id": "509", "account": "300", "display_phone_number": "+1 555-078-3881", "status": "DISCONNECTED",
        "platform_type": "NOT_APPLICABLE"});
    bench.control.post("numbers", again).await.unwrap();
    assert_eq!(bench.register("509", "123456").await.error(), (133_015, 0));
    bench.control.advance(301).await.unwrap();
    assert_eq!(bench.register("509", "123456").await.status, 200);
}

#[tokio::test]
async fn deregistering_keeps_the_pin_and_the_verification() {
    let bench = verified().await;
    bench.register(NEW, "123456").await;
    let reply = deregister(&bench, NEW).await;
    assert_eq!((reply.status, &reply.body), (200, &json!({"success": true})));
    assert_eq!(bench.effect().await, "number 502 deregistered");
    let number = bench.number(NEW, "status,platform_type,code_verification_status,is_pin_enabled").await;
    assert_eq!((&number["status"], &number["platform_type"]), (&json!("DISCONNECTED"), &json!("NOT_APPLICABLE")));
    assert_eq!((&number["code_verification_status"], &number["is_pin_enabled"]), (&json!("VERIFIED"), &json!(true)));
    bench.control.advance(60).await.unwrap();
    assert_eq!(status(&bench, NEW).await, "DISCONNECTED", "its registration does not come true any more");
    let again = deregister(&bench, NEW).await;
    assert_eq!((again.status, again.error()), (400, (133_010, 0)));
    assert_eq!(bench.register(NEW, "654321").await.error(), (133_005, 0));
}

#[tokio::test]
async fn a_deregistration_can_stop_half_way() {
    let bench = verified().await;
    bench.register(NEW, "123456").await;
    bench.control.patch("numbers/502", json!({"incomplete_deregistrations": 1})).await.unwrap();
    let half = deregister(&bench, NEW).await;
    assert_eq!((half.status, half.error()), (500, (133_000, 0)));
    assert_eq!(bench.effect().await, "number 502 deregistered half way");
    assert_eq!(bench.register(NEW, "123456").await.error(), (133_000, 0), "first the other half");
    assert_eq!(deregister(&bench, NEW).await.status, 200);
    assert_eq!(bench.register(NEW, "123456").await.status, 200);
}

#[tokio::test]
async fn numbers_on_the_business_app_are_not_deregistered() {
    let bench = Bench::new().await;
    bench.control.patch("numbers/501", json!({"is_on_biz_app": true})).await.unwrap();
    let reply = deregister(&bench, NUMBER).await;
    assert_eq!((reply.status, reply.error().0), (400, 100));
    assert_eq!(status(&bench, NUMBER).await, "CONNECTED");
}

#[tokio::test]
async fn both_scopes_are_needed() {
    let bench = verified().await;
    let management = json!({"scopes": ["whatsapp_business_management"]});
    bench.control.patch("tokens/good", management).await.unwrap();
    for reply in [bench.register(NEW, "123456").await, deregister(&bench, NEW).await] {
        assert_eq!((reply.status, reply.error()), (403, (200, 0)));
        assert!(reply.body["error"]["message"].as_str().unwrap().contains("whatsapp_business_messaging"));
    }
    let body = json!({"messaging_product": "whatsapp", "pin": "123456"});
    let reply = bench.post_as("EAAbare", &format!("/v25.0/{NEW}/register"), body).await;
    assert!(reply.body["error"]["message"].as_str().unwrap().contains("whatsapp_business_management"));
    let counters = bench.counters(NEW).await;
    assert_eq!((&counters["register"], &counters["deregister"]), (&json!(0), &json!(0)));
}

#[tokio::test]
async fn the_pins_history_tells_who_set_which() {
    let bench = verified().await;
    bench.register(NEW, "111111").await;
    bench.post(&format!("/v25.0/{NEW}"), json!({"pin": "222222"})).await;
    bench.control.patch("numbers/502", json!({"pin": "333333"})).await.unwrap();
    bench.control.patch("numbers/502", json!({"is_pin_enabled": false})).await.unwrap();
    let expected = json!([
        {"pin": "111111", "setBy": 1}, {"pin": "222222", "setBy": 2}, {"pin": "333333", "setBy": null},
        {"pin": null, "setBy": null},
    ]);
    assert_eq!(bench.counters(NEW).await["pins"], expected);
    assert_eq!(bench.number(NEW, "is_pin_enabled").await["is_pin_enabled"], false);
    for pin in [json!(""), json!("12345"), json!(123_456), Value::Null] {
        let reply = bench.post(&format!("/v25.0/{NEW}"), json!({"pin": pin})).await;
        assert_eq!((reply.status, reply.error().0), (400, 100), "{pin}: it cannot be switched off here");
    }
}
