//! Codes: sent, brought back, too late, wrong.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Bench, NUMBER, Reply, TOKEN};

/// Unverified and not registered.
const NEW: &str = "502";

async fn request(bench: &Bench, body: Value) -> Reply {
    bench.post(&format!("/v25.0/{NEW}/request_code"), body).await
}

async fn submit(bench: &Bench, code: impl Into<Value>) -> Reply {
    bench.post(&format!("/v25.0/{NEW}/verify_code"), json!({"code": code.into()})).await
}

async fn last_code(bench: &Bench) -> String {
    bench.control.get(&format!("numbers/{NEW}/code")).await.unwrap()["code"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_code_is_sent_and_brought_back() {
    let bench = Bench::new().await;
    let sent = request(&bench, json!({"code_method": "SMS", "language": "en_US"})).await;
    assert_eq!((sent.status, &sent.body["success"]), (200, &json!(true)), "a boolean, not text");
    assert_eq!(bench.effect().await, "number 502: code sent by SMS");
    let codes = bench.control.get(&format!("numbers/{NEW}/codes")).await.unwrap();
    assert_eq!((codes.as_array().unwrap().len(), &codes[0]["method"]), (1, &json!("SMS")));
    assert!(codes[0]["sentAt"].as_str().unwrap().ends_with('Z'));
    let code = last_code(&bench).await;
    assert!(code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit()), "{code}");
    let verified = submit(&bench, code).await;
    assert_eq!((verified.status, &verified.body), (200, &json!({"success": true, "id": NEW})));
    let number = bench.number(NEW, "code_verification_status,status").await;
    assert_eq!((&number["code_verification_status"], &number["status"]), (&json!("VERIFIED"), &json!("DISCONNECTED")));
    let counters = bench.counters(NEW).await;
    assert_eq!((&counters["codes"], &counters["verifyAttempts"]), (&json!(1), &json!(1)));
    assert!(bench.rules().await.is_empty());
}

#[tokio::test]
async fn form_and_query_and_the_older_name_of_the_language_will_do() {
    let bench = Bench::new().await;
    bench.control.patch("numbers/502", json!({"expected_codes": 3})).await.unwrap();
    let path = format!("/v25.0/{NEW}/request_code");
    let call = || bench.request(Method::POST, &path).bearer_auth(TOKEN);
    for request in [
        call().query(&[("code_method", "VOICE"), ("language", "fr")]),
        call().form(&[("code_method", "VOICE"), ("locale", "fr_FR")]),
    ] {
        assert_eq!(Bench::read(request).await.status, 200);
    }
    let code = last_code(&bench).await;
    let submit = bench.request(Method::POST, &format!("/v25.0/{NEW}/verify_code")).bearer_auth(TOKEN);
    assert_eq!(Bench::read(submit.query(&[("code", code)])).await.status, 200);
    assert!(bench.rules().await.is_empty(), "three codes were expected");
}

#[tokio::test]
async fn wrong_parameters_are_refused_and_send_nothing() {
    let bench = Bench::new().await;
    for body in [
        json!({}),
        json!({"code_method": "SMS"}),
        json!({"language": "en_US"}),
        json!({"code_method": "sms", "language": "en_US"}),
        json!({"code_method": "PIGEON", "language": "en_US"}),
        json!({"code_method": "SMS", "language": "en-US"}),
        json!({"code_method": "SMS", "language": "english"}),
        json!({"code_method": "SMS", "language": 1}),
        json!({"code_method": "SMS", "language": "en_US", "method": "SMS"}),
    ] {
        let reply = request(&bench, body.clone()).await;
        assert_eq!((reply.status, reply.error().0), (400, 100), "{body}");
    }
    assert_eq!(bench.control.get(&format!("numbers/{NEW}/codes")).await.unwrap(), json!([]));
    assert_eq!(submit(&bench, 123_456).await.error(), (100, 0), "a number would lose its zeros");
    assert_eq!(bench.post(&format!("/v25.0/{NEW}/verify_code"), json!({})).await.error().0, 100);
}

#[tokio::test]
async fn what_is_verified_or_cannot_be_reached_is_136024_2388091() {
    let bench = Bench::new().await;
    let body = json!({"code_method": "VOICE", "language": "en_US"});
    let reply = bench.post(&format!("/v25.0/{NUMBER}/request_code"), body.clone()).await;
    assert_eq!((reply.status, reply.error()), (400, (136_024, 2_388_091)));
    assert!(reply.body["error"]["error_user_msg"].is_string());
    bench.control.patch("numbers/502", json!({"undeliverable": ["VOICE"]})).await.unwrap();
    assert_eq!(request(&bench, body.clone()).await.error(), (136_024, 2_388_091));
    assert_eq!(request(&bench, json!({"code_method": "SMS", "language": "en_US"})).await.status, 200);
    bench.control.patch("numbers/502", json!({"undeliverable": null, "is_on_biz_app": true})).await.unwrap();
    assert_eq!(request(&bench, body).await.error(), (136_024, 2_388_091));
}

#[tokio::test]
async fn a_wrong_code_is_136025_2388093_and_may_be_followed_by_the_right_one() {
    let bench = Bench::new().await;
    assert_eq!(submit(&bench, "123456").await.error(), (136_025, 2_388_093), "none was sent");
    request(&bench, json!({"code_method": "SMS", "language": "en_US"})).await;
    let code = last_code(&bench).await;
    let wrong = if code == "000000" { "000001" } else { "000000" };
    for given in [wrong, &format!("{}-{}", &code[..3], &code[3..])] {
        let reply = submit(&bench, given).await;
        assert_eq!((reply.status, reply.error()), (400, (136_025, 2_388_093)), "{given}");
    }
    assert_eq!(submit(&bench, code.clone()).await.status, 200);
    assert_eq!(submit(&bench, code).await.error(), (136_025, 2_388_093), "once");
    assert_eq!(bench.counters(NEW).await["verifyAttempts"], 5);
}

#[tokio::test]
async fn a_code_lives_ten_minutes_and_only_the_last_one_counts() {
    let bench = Bench::new().await;
    let sms = json!({"code_method": "SMS", "language": "en_US"});
    request(&bench, sms.clone()).await;
    let first = last_code(&bench).await;
    bench.control.advance(601).await.unwrap();
    assert_eq!(submit(&bench, first).await.error().0, 136_025, "too late");
    request(&bench, sms.clone()).await;
    assert_eq!(bench.rules().await, ["second-code"]);
    let second = last_code(&bench).await;
    request(&bench, sms).await;
    assert_eq!(submit(&bench, second).await.error().0, 136_025, "there is a newer one");
    bench.control.advance(590).await.unwrap();
    assert_eq!(submit(&bench, last_code(&bench).await).await.status, 200);
}

#[tokio::test]
async fn a_verification_lapses_after_fourteen_days() {
    let bench = Bench::new().await;
    bench.verify(NEW).await;
    bench.control.advance(14 * 86_400 - 60).await.unwrap();
    bench.control.patch("tokens/good", json!({"expires_at": 0})).await.unwrap();
    assert_eq!(bench.number(NEW, "code_verification_status").await["code_verification_status"], "VERIFIED");
    bench.control.advance(120).await.unwrap();
    assert_eq!(bench.number(NEW, "code_verification_status").await["code_verification_status"], "EXPIRED");
    assert_eq!(bench.register(NEW, "123456").await.error(), (133_006, 0));
}

#[tokio::test]
async fn gone_banned_and_closed_numbers_are_sent_nothing() {
    let bench = Bench::new().await;
    let sms = json!({"code_method": "SMS", "language": "en_US"});
    for (status, http, expected) in
        [("DELETED", 400, (33, 0)), ("MIGRATED", 400, (100, 33)), ("BANNED", 403, (131_031, 0))]
    {
        bench.control.patch("numbers/502", json!({"status": status})).await.unwrap();
        let reply = request(&bench, sms.clone()).await;
        assert_eq!((reply.status, reply.error()), (http, expected), "{status}");
    }
    bench.control.patch("numbers/502", json!({"status": "DISCONNECTED"})).await.unwrap();
    bench.control.patch("accounts/300", json!({"status": "DISABLED"})).await.unwrap();
    assert_eq!(request(&bench, sms).await.error().0, 131_031);
}
