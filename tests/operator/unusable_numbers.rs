//! Numbers that cannot be had or used as asked for: each is told with what to do, costs one call at most, and heals when it
//! is settled at Meta.

use kube::api::PostParams;
use serde_json::{Value, json};
use waba_operator::api::WhatsAppNumber;

use crate::harness::{
    manifests::number,
    scenario::{PHONE, SUPPORT, estate, refusal, unverified, verified},
    seed::{self, ACCOUNT, ACCOUNT_2, NUMBER},
    world::World,
};

const RECONCILE_AT: &str = "waba.dev/reconcile-at";

/// The number is to be added.
fn adding() -> Value {
    json!({"provisioning": "AddIfMissing", "businessAccountID": ACCOUNT, "requestedName": "INO Support"})
}

/// An account without that number.
fn empty() -> Value {
    let mut seed = seed::small();
    seed["numbers"] = json!([]);
    seed
}

#[tokio::test]
async fn what_is_no_phone_number_is_refused_by_the_api_server() {
    let world = World::connected("no-number", seed::small()).await;
    for digits in ["0612345678", "+0612345678", "+33 612345678", "0033612345678", "+33", ""] {
        let object = number("wrong", digits, json!({}));
        let refused = world.api::<WhatsAppNumber>().create(&PostParams::default(), &object).await;
        let text = refused.expect_err(digits).to_string();
        assert!(text.contains("spec.phoneNumber") && text.contains("international form"), "{digits}: {text}");
    }
    world.asked_only(&[]).await;
    world.finish().await;
}

#[tokio::test]
async fn a_number_that_no_country_has_is_not_added() {
    let world = World::connected("no-country", empty()).await;
    let lacking = [
        ("+2101234567", "no country has numbers like"),
        ("+2812345678", "no country has numbers like"),
        ("+99912345678", "no country has numbers like"),
        ("+3361234567", "numbers of +33 have 9 digits behind it, and +3361234567 has 8"),
        ("+3361234567890", "and +3361234567890 has 11"),
    ];
    for (digits, why) in lacking {
        let name = format!("n{}", &digits[1..]);
        world.create(&number(&name, digits, adding())).await;
        let message = world.condition::<WhatsAppNumber>(&name, "Ready", "False/InvalidSpec").await;
        assert!(message.contains("spec.phoneNumber") && message.contains(why), "{message}");
        world.condition::<WhatsAppNumber>(&name, "Stalled", "True/InvalidSpec").await;
    }
    world.asked_only(&[]).await;
    world.finish().await;
}

#[tokio::test]
async fn a_number_of_another_account_is_not_added_until_it_is_let_go() {
    let mut seed = seed::small();
    seed::push(&mut seed, "accounts", json!({"id": ACCOUNT_2, "name": "Somebody else's"}));
    seed["numbers"] = json!([seed::number(NUMBER, ACCOUNT_2, "+33 6 12 34 56 78")]);
    let mut world = World::caring("elsewhere", seed, adding()).await;
    let words = ["Meta did not add +33612345678", "belongs to another business account", RECONCILE_AT];
    world.says("Pending", "False/AddRefused", &words).await;
    world.is_stalled().await;
    world.restart().await;
    world.asked_only(&["phone_numbers"]).await;

    // Its owner lets it go; that takes Meta five minutes.
    world.sim.delete(&format!("numbers/{NUMBER}")).await.unwrap();
    world.ask::<WhatsAppNumber>(SUPPORT, RECONCILE_AT, 0).await;
    world.says("Pending", "False/AddRefused", &["is asked again", "was deleted a moment ago"]).await;
    world.goes_on().await;
    world.asked_only(&["phone_numbers"; 2]).await;
    world.later(301).await;
    world.stands::<WhatsAppNumber>(SUPPORT, "Unverified", "True/Adopted").await;
    world.asked_only(&["phone_numbers"; 3]).await;
    world.finish().await;
}

#[tokio::test]
async fn a_number_that_is_there_already_is_adopted_when_it_is_listed() {
    let world = World::connected("there-already", empty()).await;
    let error = json!({"message": "(#100) Invalid parameter", "code": 100, "error_subcode": 2_388_012});
    let mut fault = refusal("/phone_numbers$", 100, "");
    fault["before"]["body"]["error"] = error;
    world.fault(fault).await;
    world.create(&number(SUPPORT, PHONE, adding())).await;
    world.says("Pending", "False/AddRefused", &["is in use on WhatsApp already", RECONCILE_AT]).await;
    world.is_stalled().await;
    world.asked_only(&["phone_numbers"]).await;
    world.sim.post("numbers", seed::number(NUMBER, ACCOUNT, "+33 6 12 34 56 78")).await.unwrap();
    world.enabled().await;
    world.asked_only(&["phone_numbers"]).await;
    world.finish().await;
}

#[tokio::test]
async fn a_business_that_has_all_its_numbers_gets_no_other() {
    let mut seed = empty();
    seed["businesses"] = json!([{"id": "800", "name": "INO", "number_limit": 1}]);
    seed["accounts"][0]["business"] = json!("800");
    seed["numbers"] = json!([seed::number("106540352242999", ACCOUNT, "+33 1 84 88 20 20")]);
    let world = World::caring("no-room", seed, adding()).await;
    let words = ["Meta did not add +33612345678", "as many numbers as it may", "spec.requestedName", RECONCILE_AT];
    world.says("Pending", "False/AddRefused", &words).await;
    world.is_stalled().await;
    world.asked_only(&["phone_numbers"]).await;

    world.sim.patch("businesses/800", json!({"number_limit": 2})).await.unwrap();
    world.ask::<WhatsAppNumber>(SUPPORT, RECONCILE_AT, 0).await;
    world.stands::<WhatsAppNumber>(SUPPORT, "Unverified", "True/Adopted").await;
    world.asked_only(&["phone_numbers"; 2]).await;
    world.finish().await;
}

/// A number that nothing can be done for now, whatever is asked for: told, left alone, and taken up again.
async fn barred(prefix: &str, state: Value, (phase, ready): (&str, &str), words: &[&str]) {
    let mut seed = unverified();
    let row = seed["numbers"][0].as_object_mut().unwrap();
    row.insert("pending_seconds".into(), json!(0));
    row.extend(state.as_object().unwrap().clone());
    let before: Value = unverified()["numbers"][0].clone();
    let blocks = json!({"verification": {}, "registration": {}});
    let world = World::caring(prefix, seed, blocks).await;
    world.says(phase, ready, words).await;
    world.is_stalled().await;
    for action in ["waba.dev/request-code-at", "waba.dev/register-at", "waba.dev/reset-pin-at"] {
        world.ask::<WhatsAppNumber>(SUPPORT, action, 0).await;
        world
            .so(&format!("{action} is ignored"), async || {
                let events = world.events(SUPPORT).await;
                events.iter().any(|(reason, note)| reason == "ActionIgnored" && note.contains(action)).then_some(())
            })
            .await;
    }
    world.says(phase, ready, words).await;
    world.asked_only(&[]).await;
    assert_eq!(world.secret_value("support-pin", "pin").await, None, "no PIN is made for nothing");

    let healed: serde_json::Map<_, _> =
        state.as_object().unwrap().keys().map(|field| (field.clone(), before[field].clone())).collect();
    world.at_meta(Value::Object(healed)).await;
    world.says("AwaitingCode", "False/AwaitingCode", &[]).await;
    let code = world.code(NUMBER).await;
    world.put_secret("support-code", &[("code", &code)]).await;
    world.enabled().await;
    world.asked_only(&["request_code", "verify_code", "register"]).await;
    world.finish().await;
}

#[tokio::test]
async fn a_banned_number_is_left_alone() {
    barred("banned", json!({"status": "BANNED"}), ("Restricted", "False/Banned"), &["Meta banned", "appeal in"]).await;
}

#[tokio::test]
async fn a_restricted_number_is_left_alone() {
    let words = ["Meta restricted the number", "WhatsApp Manager > Account quality"];
    barred("restricted", json!({"status": "RESTRICTED"}), ("Restricted", "False/Restricted"), &words).await;
}

#[tokio::test]
async fn a_number_that_moved_away_is_left_alone() {
    let words = ["moved to another business account", "MetaApp"];
    barred("migrated", json!({"status": "MIGRATED"}), ("NotFound", "False/Migrated"), &words).await;
}

#[tokio::test]
async fn a_number_in_the_business_app_is_left_alone() {
    let words = ["WhatsApp Business app", "spec.verification", "spec.registration"];
    barred("biz-app", json!({"is_on_biz_app": true}), ("Unverified", "False/NotPermitted"), &words).await;
}

#[tokio::test]
async fn a_number_on_the_on_premises_api_is_left_alone() {
    let state = json!({"platform_type": "ON_PREMISE"});
    let words = ["On-Premises API", "spec.registration"];
    barred("on-premises", state, ("Unverified", "False/NotPermitted"), &words).await;
}

#[tokio::test]
async fn a_connected_number_in_the_business_app_is_fine_as_it_is() {
    let blocks = json!({"verification": {}, "registration": {}});
    let world = World::caring("coexistence", estate(json!({"is_on_biz_app": true})), blocks).await;
    world.enabled().await;
    world.asked_only(&[]).await;
    world.finish().await;
}

#[tokio::test]
async fn a_number_that_is_deleted_at_meta_is_told_as_such() {
    let blocks = json!({"verification": {}, "registration": {}});
    let world = World::caring("deleted", estate(json!({"status": "DELETED"})), blocks).await;
    let words = ["shows the number as deleted", "delete this object, or add the number again in WhatsApp Manager"];
    world.says("NotFound", "False/Deleted", &words).await;
    world.is_stalled().await;
    world.asked_only(&[]).await;
    // Somebody adds it again: Meta gives it another ID, and Meta's list has both for a while.
    world.sim.post("numbers", seed::number("106540352242923", ACCOUNT, "+33 6 12 34 56 78")).await.unwrap();
    let number = world.enabled().await;
    assert_eq!(number.status.unwrap().phone_number_id.as_deref(), Some("106540352242923"));
    world.asked_only(&[]).await;
    world.finish().await;
}

#[tokio::test]
async fn a_number_that_meta_calls_deleted_is_asked_for_again_only_later() {
    let world = World::connected("code-33", verified(json!({}))).await;
    let mut fault = refusal("/register$", 33, "This business phone number has been deleted.");
    fault["times"] = json!(1);
    world.fault(fault).await;
    world.create(&number(SUPPORT, PHONE, json!({"registration": {}}))).await;
    world.says("PINRequired", "False/RegistrationRefused", &["deleted at Meta", "is asked again at"]).await;
    world.goes_on().await;
    // Ten minutes of the operator's own time.
    world.enabled().await;
    world.asked_only(&["register"; 2]).await;
    world.finish().await;
}

#[tokio::test]
async fn a_number_that_was_deleted_a_moment_ago_is_registered_five_minutes_later() {
    let mut world = World::connected("just-deleted", verified(json!({}))).await;
    let row = world.sim.get(&format!("numbers/{NUMBER}")).await.unwrap();
    world.sim.delete(&format!("numbers/{NUMBER}")).await.unwrap();
    world.sim.post("numbers", row).await.unwrap();
    world.create(&number(SUPPORT, PHONE, json!({"registration": {}}))).await;
    let words = ["deleted a moment ago", "is asked again at"];
    world.says("PINRequired", "False/RegistrationRefused", &words).await;
    world.goes_on().await;
    world.asked_only(&["register"]).await;
    world.later(301).await;
    world.enabled().await;
    world.asked_only(&["register"; 2]).await;
    world.finish().await;
}
