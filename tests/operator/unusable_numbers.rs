//! Numbers that Meta does not let the operator add or use: each is reported with what to do, causes one call at most,
//! and recovers when it is settled at Meta.

use kube::api::PostParams;
use serde_json::{Value, json};
use waba_operator::api::WhatsAppNumber;

use crate::harness::{
    manifests::number,
    scenario::{PHONE, SUPPORT, number_seed, refusal, unverified_number, verified_number},
    seed::{self, ACCOUNT, ACCOUNT_2, NUMBER},
    world::World,
};

const RECONCILE_AT: &str = "waba.dev/reconcile-at";

/// The spec of a number that has to be added.
fn adding() -> Value {
    json!({"provisioning": "AddIfMissing", "businessAccountID": ACCOUNT, "requestedName": "INO Support"})
}

/// An account without numbers.
fn empty() -> Value {
    let mut seed = seed::small();
    seed["numbers"] = json!([]);
    seed
}

#[tokio::test]
async fn the_api_server_rejects_invalid_phone_numbers() {
    let world = World::connected("no-number", seed::small()).await;
    for digits in ["0612345678", "+0612345678", "+33 612345678", "0033612345678", "+33", ""] {
        let object = number("wrong", digits, json!({}));
        let refused = world.api::<WhatsAppNumber>().create(&PostParams::default(), &object).await;
        let text = refused.expect_err(digits).to_string();
        assert!(text.contains("spec.phoneNumber") && text.contains("international form"), "{digits}: {text}");
    }
    world.assert_writes_at_meta(&[]).await;
    world.finish().await;
}

#[tokio::test]
async fn a_number_with_an_unknown_calling_code_is_not_added() {
    let world = World::connected("no-country", empty()).await;
    let why = "no country has the calling code of";
    for digits in ["+2101234567", "+2812345678", "+99912345678"] {
        let name = format!("n{}", &digits[1..]);
        world.create(&number(&name, digits, adding())).await;
        let message = world.until_condition::<WhatsAppNumber>(&name, "Ready", "False/InvalidSpec").await;
        assert!(message.contains("spec.phoneNumber") && message.contains(why), "{message}");
        world.until_condition::<WhatsAppNumber>(&name, "Stalled", "True/InvalidSpec").await;
    }
    world.assert_writes_at_meta(&[]).await;
    world.finish().await;
}

#[tokio::test]
async fn a_number_of_another_account_is_not_added_until_its_owner_deletes_it() {
    let mut seed = seed::small();
    seed::push(&mut seed, "accounts", json!({"id": ACCOUNT_2, "name": "Somebody else's"}));
    seed["numbers"] = json!([seed::number(NUMBER, ACCOUNT_2, "+33 6 12 34 56 78")]);
    let mut world = World::with_number("elsewhere", seed, adding()).await;
    let words = ["Meta did not add +33612345678", "belongs to another business account", RECONCILE_AT];
    world.until_ready_message("Pending", "False/AddRefused", &words).await;
    world.assert_stalled().await;
    world.restart().await;
    world.assert_writes_at_meta(&["phone_numbers"]).await;

    // Its owner deletes it; Meta needs five minutes for that.
    world.sim.delete(&format!("numbers/{NUMBER}")).await.unwrap();
    world.request_action::<WhatsAppNumber>(SUPPORT, RECONCILE_AT, 0).await;
    world
        .until_ready_message("Pending", "False/AddRefused", &["the operator retries at", "was deleted a moment ago"])
        .await;
    world.assert_reconciling().await;
    world.assert_writes_at_meta(&["phone_numbers"; 2]).await;
    world.advance_and_restart(301).await;
    world.until_phase::<WhatsAppNumber>(SUPPORT, "Unverified", "True/Adopted").await;
    world.assert_writes_at_meta(&["phone_numbers"; 3]).await;
    world.finish().await;
}

#[tokio::test]
async fn a_number_already_in_use_is_adopted_once_meta_lists_it() {
    let world = World::connected("there-already", empty()).await;
    let error = json!({"message": "(#100) Invalid parameter", "code": 100, "error_subcode": 2_388_012});
    let mut fault = refusal("/phone_numbers$", 100, "");
    fault["before"]["body"]["error"] = error;
    world.inject_fault(fault).await;
    world.create(&number(SUPPORT, PHONE, adding())).await;
    world.until_ready_message("Pending", "False/AddRefused", &["is in use on WhatsApp already", RECONCILE_AT]).await;
    world.assert_stalled().await;
    world.assert_writes_at_meta(&["phone_numbers"]).await;
    world.sim.post("numbers", seed::number(NUMBER, ACCOUNT, "+33 6 12 34 56 78")).await.unwrap();
    world.until_enabled().await;
    world.assert_writes_at_meta(&["phone_numbers"]).await;
    world.finish().await;
}

#[tokio::test]
async fn a_business_at_its_number_limit_gets_no_further_number() {
    let mut seed = empty();
    seed["businesses"] = json!([{"id": "800", "name": "INO", "number_limit": 1}]);
    seed["accounts"][0]["business"] = json!("800");
    seed["numbers"] = json!([seed::number("106540352242999", ACCOUNT, "+33 1 84 88 20 20")]);
    let world = World::with_number("no-room", seed, adding()).await;
    let words = ["Meta did not add +33612345678", "reached its limit of numbers", "spec.requestedName", RECONCILE_AT];
    world.until_ready_message("Pending", "False/AddRefused", &words).await;
    world.assert_stalled().await;
    world.assert_writes_at_meta(&["phone_numbers"]).await;

    world.sim.patch("businesses/800", json!({"number_limit": 2})).await.unwrap();
    world.request_action::<WhatsAppNumber>(SUPPORT, RECONCILE_AT, 0).await;
    world.until_phase::<WhatsAppNumber>(SUPPORT, "Unverified", "True/Adopted").await;
    world.assert_writes_at_meta(&["phone_numbers"; 2]).await;
    world.finish().await;
}

/// A number for which no call can succeed now: the status says so, actions cause no call, and onboarding resumes once
/// the state changes.
async fn stays_untouched(prefix: &str, state: Value, (phase, ready): (&str, &str), words: &[&str]) {
    let mut seed = unverified_number();
    let row = seed["numbers"][0].as_object_mut().unwrap();
    row.insert("pending_seconds".into(), json!(0));
    row.extend(state.as_object().unwrap().clone());
    let before: Value = unverified_number()["numbers"][0].clone();
    let blocks = json!({"verification": {}, "registration": {}});
    let world = World::with_number(prefix, seed, blocks).await;
    world.until_ready_message(phase, ready, words).await;
    world.assert_stalled().await;
    for action in ["waba.dev/request-code-at", "waba.dev/register-at", "waba.dev/reset-pin-at"] {
        world.request_action::<WhatsAppNumber>(SUPPORT, action, 0).await;
        world
            .eventually(&format!("{action} is ignored"), async || {
                let events = world.events(SUPPORT).await;
                events.iter().any(|(reason, note)| reason == "ActionIgnored" && note.contains(action)).then_some(())
            })
            .await;
    }
    world.until_ready_message(phase, ready, words).await;
    world.assert_writes_at_meta(&[]).await;
    assert_eq!(world.secret_value("support-pin", "pin").await, None, "no PIN is generated");

    let healed: serde_json::Map<_, _> =
        state.as_object().unwrap().keys().map(|field| (field.clone(), before[field].clone())).collect();
    world.change_at_meta(Value::Object(healed)).await;
    world.until_ready_message("AwaitingCode", "False/AwaitingCode", &[]).await;
    let code = world.sent_code(NUMBER).await;
    world.put_secret("support-code", &[("code", &code)]).await;
    world.until_enabled().await;
    world.assert_writes_at_meta(&["request_code", "verify_code", "register"]).await;
    world.finish().await;
}

#[tokio::test]
async fn a_banned_number_causes_no_call() {
    stays_untouched(
        "banned",
        json!({"status": "BANNED"}),
        ("Restricted", "False/Banned"),
        &["Meta banned", "appeal in"],
    )
    .await;
}

#[tokio::test]
async fn a_restricted_number_causes_no_call() {
    let words = ["Meta restricted the number", "WhatsApp Manager > Account quality"];
    stays_untouched("restricted", json!({"status": "RESTRICTED"}), ("Restricted", "False/Restricted"), &words).await;
}

#[tokio::test]
async fn a_migrated_number_causes_no_call() {
    let words = ["moved to another business account", "MetaApp"];
    stays_untouched("migrated", json!({"status": "MIGRATED"}), ("NotFound", "False/Migrated"), &words).await;
}

#[tokio::test]
async fn an_unregistered_number_in_the_business_app_causes_no_call() {
    let words = ["WhatsApp Business app", "spec.verification", "spec.registration"];
    stays_untouched("biz-app", json!({"is_on_biz_app": true}), ("Unverified", "False/NotPermitted"), &words).await;
}

#[tokio::test]
async fn a_number_on_the_on_premises_api_causes_no_call() {
    let state = json!({"platform_type": "ON_PREMISE"});
    let words = ["On-Premises API", "spec.registration"];
    stays_untouched("on-premises", state, ("Unverified", "False/NotPermitted"), &words).await;
}

#[tokio::test]
async fn a_connected_number_in_the_business_app_is_ready_without_a_call() {
    let blocks = json!({"verification": {}, "registration": {}});
    let world = World::with_number("coexistence", number_seed(json!({"is_on_biz_app": true})), blocks).await;
    world.until_enabled().await;
    world.assert_writes_at_meta(&[]).await;
    world.finish().await;
}

#[tokio::test]
async fn a_number_deleted_at_meta_has_reason_deleted_until_it_is_added_again() {
    let blocks = json!({"verification": {}, "registration": {}});
    let world = World::with_number("deleted", number_seed(json!({"status": "DELETED"})), blocks).await;
    let words = ["shows the number as deleted", "delete this object, or add the number again in WhatsApp Manager"];
    world.until_ready_message("NotFound", "False/Deleted", &words).await;
    world.assert_stalled().await;
    world.assert_writes_at_meta(&[]).await;
    // Somebody adds it again: Meta gives it a new ID, and lists both for a while.
    world.sim.post("numbers", seed::number("106540352242923", ACCOUNT, "+33 6 12 34 56 78")).await.unwrap();
    let number = world.until_enabled().await;
    assert_eq!(number.status.unwrap().phone_number_id.as_deref(), Some("106540352242923"));
    world.assert_writes_at_meta(&[]).await;
    world.finish().await;
}

#[tokio::test]
async fn registration_is_retried_later_when_meta_reports_the_number_as_deleted() {
    let world = World::connected("code-33", verified_number(json!({}))).await;
    let mut fault = refusal("/register$", 33, "This business phone number has been deleted.");
    fault["times"] = json!(1);
    world.inject_fault(fault).await;
    world.create(&number(SUPPORT, PHONE, json!({"registration": {}}))).await;
    world
        .until_ready_message(
            "PINRequired",
            "False/RegistrationRefused",
            &["deleted at Meta", "the operator retries at"],
        )
        .await;
    world.assert_reconciling().await;
    // After ten minutes of the operator's time.
    world.until_enabled().await;
    world.assert_writes_at_meta(&["register"; 2]).await;
    world.finish().await;
}

#[tokio::test]
async fn a_recently_deleted_number_is_registered_five_minutes_later() {
    let mut world = World::connected("just-deleted", verified_number(json!({}))).await;
    let row = world.sim.get(&format!("numbers/{NUMBER}")).await.unwrap();
    world.sim.delete(&format!("numbers/{NUMBER}")).await.unwrap();
    world.sim.post("numbers", row).await.unwrap();
    world.create(&number(SUPPORT, PHONE, json!({"registration": {}}))).await;
    let words = ["deleted a moment ago", "the operator retries at"];
    world.until_ready_message("PINRequired", "False/RegistrationRefused", &words).await;
    world.assert_reconciling().await;
    world.assert_writes_at_meta(&["register"]).await;
    world.advance_and_restart(301).await;
    world.until_enabled().await;
    world.assert_writes_at_meta(&["register"; 2]).await;
    world.finish().await;
}
