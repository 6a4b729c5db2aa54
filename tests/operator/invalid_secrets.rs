//! Secrets as people get them wrong: each mistake is told with what to do, costs no call, loses nothing, and heals.

use kube::ResourceExt;
use serde_json::json;
use waba_operator::api::{MetaApp, WhatsAppNumber};

use crate::harness::{
    manifests::{CREDENTIALS, INO, app, number},
    scenario::{OUR_PINS, PHONE, SUPPORT, unverified, verified, with_our_pin},
    seed::{self, NUMBER},
    world::World,
};

const LEDGER: &str = "waba-number-33612345678";

#[tokio::test]
async fn a_pin_that_is_not_six_digits_is_never_sent() {
    let mut world = World::caring("bad-pin", verified(json!({})), with_our_pin()).await;
    let missing = "does not exist: create it with the key support";
    world.says("PINRequired", "False/SecretNotFound", &[OUR_PINS, missing]).await;
    let not_six = "is not six digits: put six digits there, as text, leading zeros too";
    for (pin, words) in [
        ("12345", not_six),
        ("7314561", not_six),
        ("731 456", not_six),
        ("731-456", not_six),
        ("sesame", not_six),
        ("１２３４５６", not_six),
        ("", "has nothing under the key support: set a value"),
        ("731\n456", "something that is not one line of UTF-8 text"),
    ] {
        world.pin(pin).await;
        world.says("PINRequired", "False/SecretValueInvalid", &[OUR_PINS, SUPPORT, words]).await;
        world.is_stalled().await;
        world.tells("PINSynced", "False/SecretValueInvalid", &[OUR_PINS, SUPPORT]).await;
        world.delete_secret(OUR_PINS).await;
        world.says("PINRequired", "False/SecretNotFound", &[OUR_PINS]).await;
    }
    world.put_bytes(OUR_PINS, SUPPORT, "//79/A==").await;
    world.says("PINRequired", "False/SecretValueInvalid", &["is not one line of UTF-8 text"]).await;
    world.put_secret(OUR_PINS, &[("suport", "731456")]).await;
    world.planted.push("731456".to_owned());
    world.says("PINRequired", "False/SecretKeyNotFound", &["has no key support (it has suport)"]).await;
    world.asked_only(&[]).await;

    // As `echo` writes it.
    world.pin("031456\n").await;
    world.enabled().await;
    world.asked_only(&["register"]).await;
    assert_eq!(world.pin_at_meta(NUMBER).await.as_deref(), Some("031456"));
    world.finish().await;
}

#[tokio::test]
async fn a_code_is_taken_as_people_write_it_and_nothing_else_is_sent() {
    let mut world = World::caring("bad-code", unverified(), json!({"verification": {}})).await;
    world
        .says("AwaitingCode", "False/AwaitingCode", &["put it into Secret support-code, key code", "kubectl -n "])
        .await;
    let code = world.code(NUMBER).await;
    for (wrong, words) in [
        ("12345", "is not six digits"),
        ("sesame", "is not six digits"),
        (" \n", "has nothing under the key code"),
        ("731\n456", "something that is not one line of UTF-8 text"),
    ] {
        world.planted.push(wrong.trim().to_owned());
        world.put_secret("support-code", &[("code", wrong)]).await;
        world.says("AwaitingCode", "False/SecretValueInvalid", &["support-code", "code", words]).await;
        world.goes_on().await;
        world.delete_secret("support-code").await;
        world.says("AwaitingCode", "False/AwaitingCode", &["support-code"]).await;
    }
    world.put_bytes("support-code", "code", "//79/A==").await;
    world.says("AwaitingCode", "False/SecretValueInvalid", &["support-code", "code"]).await;
    world.put_secret("support-code", &[("kode", &code)]).await;
    world.says("AwaitingCode", "False/AwaitingCode", &["Secret support-code, key code"]).await;
    world.asked_only(&["request_code"]).await;

    let written = format!(" {} {}-{}\n", &code[..2], &code[2..3], &code[3..]);
    world.put_secret("support-code", &[("code", &written)]).await;
    world.tells("Verified", "True/Verified", &[]).await;
    world.asked_only(&["request_code", "verify_code"]).await;
    world.finish().await;
}

#[tokio::test]
async fn a_wrong_code_is_tried_once_and_the_right_one_heals() {
    let mut world = World::caring("wrong-code", unverified(), json!({"verification": {}})).await;
    world.says("AwaitingCode", "False/AwaitingCode", &[]).await;
    let code = world.code(NUMBER).await;
    let wrong = if code == "731456" { "731457" } else { "731456" };
    world.planted.push(wrong.to_owned());
    world.put_secret("support-code", &[("code", wrong)]).await;
    let words = ["Meta did not accept the code in Secret support-code, key code", "kubectl -n "];
    world.says("AwaitingCode", "False/WrongCode", &words).await;
    world.asked_only(&["request_code", "verify_code"]).await;
    // The same value in another dress is no other value.
    world.put_secret("support-code", &[("code", &format!("{}-{}", &wrong[..3], &wrong[3..]))]).await;
    world.asked_only(&["request_code", "verify_code"]).await;
    world.put_secret("support-code", &[("code", &code)]).await;
    world.tells("Verified", "True/Verified", &[]).await;
    world.asked_only(&["request_code", "verify_code", "verify_code"]).await;
    world.finish().await;
}

#[tokio::test]
async fn somebody_elses_secret_under_the_pins_name_is_left_alone() {
    let mut world = World::connected("taken-pin", verified(json!({}))).await;
    world.planted.push("731456".to_owned());
    world.put_secret("support-pin", &[("pin", "731456")]).await;
    let theirs = world.secrets().get("support-pin").await.unwrap();
    world.create(&number(SUPPORT, PHONE, json!({"registration": {}}))).await;
    let words = ["Secret support-pin is not the operator's", "spec.registration.pinRef", "rename or delete it"];
    world.says("PINRequired", "False/SecretNameTaken", &words).await;
    world.tells("PINSynced", "False/SecretNameTaken", &words).await;
    world.is_stalled().await;
    world.ask::<WhatsAppNumber>(SUPPORT, "waba.dev/register-at", 0).await;
    let note = world.event(SUPPORT, "ActionIgnored").await;
    assert!(note.contains("support-pin is not the operator's"), "{note}");
    world.asked_only(&[]).await;
    assert_eq!(world.secrets().get("support-pin").await.unwrap(), theirs);

    // The first way out: it is the PIN.
    let named = json!({"spec": {"registration": {"pinRef": {"name": "support-pin", "key": "pin"}}}});
    world.patch::<WhatsAppNumber>(SUPPORT, named).await;
    world.enabled().await;
    world.asked_only(&["register"]).await;
    assert_eq!(world.pin_at_meta(NUMBER).await.as_deref(), Some("731456"));
    assert_eq!(world.secrets().get("support-pin").await.unwrap(), theirs);
    world.finish().await;
}

#[tokio::test]
async fn when_somebody_elses_secret_goes_a_pin_is_created() {
    let world = World::connected("freed-pin", verified(json!({}))).await;
    world.put_secret("support-pin", &[("password", "not-a-pin-at-all")]).await;
    world.create(&number(SUPPORT, PHONE, json!({"registration": {}}))).await;
    world.says("PINRequired", "False/SecretNameTaken", &["support-pin"]).await;
    world.asked_only(&[]).await;
    world.delete_secret("support-pin").await;
    world.enabled().await;
    world.asked_only(&["register"]).await;
    assert_eq!(world.pin_at_meta(NUMBER).await, world.secret_value("support-pin", "pin").await);
    world.finish().await;
}

#[tokio::test]
async fn somebody_elses_secret_under_the_ledgers_name_stops_every_call() {
    let mut world = World::new("taken-ledger", unverified()).await;
    world.put_secret(LEDGER, &[("anything", "somebody-else's")]).await;
    let theirs = world.secrets().get(LEDGER).await.unwrap();
    world.start().await;
    world.create(&app(INO, json!({}))).await;
    world.create(&number(SUPPORT, PHONE, json!({"verification": {}, "registration": {}}))).await;
    let words = [LEDGER, "is not the operator's", "rename or delete it"];
    world.says("Unverified", "False/SecretNameTaken", &words).await;
    world.is_stalled().await;
    world.asked_only(&[]).await;
    assert_eq!(world.secrets().get(LEDGER).await.unwrap(), theirs);

    world.delete_secret(LEDGER).await;
    world.says("AwaitingCode", "False/AwaitingCode", &[]).await;
    world.asked_only(&["request_code"]).await;
    world.finish().await;
}

#[tokio::test]
async fn a_given_pin_that_is_deleted_while_the_number_is_connected_is_missed_and_not_lost() {
    let mut world = World::connected("lost-given", verified(json!({}))).await;
    world.pin("004213").await;
    world.create(&number(SUPPORT, PHONE, with_our_pin())).await;
    world.enabled().await;
    world.tells("PINSynced", "True/PINSynced", &[OUR_PINS]).await;
    world.delete_secret(OUR_PINS).await;
    let kept = "the PIN in force is kept in the number's ledger";
    world.tells("PINSynced", "False/SecretNotFound", &[OUR_PINS, "create it with the key support", kept]).await;
    world.enabled().await;
    assert_eq!(world.secret_value(LEDGER, "pin").await.as_deref(), Some("004213"));
    world.pin("004213").await;
    world.tells("PINSynced", "True/PINSynced", &[]).await;
    world.asked_only(&["register"]).await;
    world.finish().await;
}

#[tokio::test]
async fn a_generated_pin_that_is_deleted_comes_back_as_it_is_in_force() {
    let world = World::caring("lost-made", verified(json!({})), json!({"registration": {}})).await;
    world.enabled().await;
    let pin = world.secret_value("support-pin", "pin").await.unwrap();
    let before = world.secrets().get("support-pin").await.unwrap().uid();
    world.delete_secret("support-pin").await;
    let back = async || {
        let secret = world.secrets().get_opt("support-pin").await.unwrap()?;
        (secret.uid() != before).then_some(())
    };
    world.so("the Secret is back", back).await;
    assert_eq!(world.secret_value("support-pin", "pin").await.as_ref(), Some(&pin));
    world.tells("PINSynced", "True/PINSynced", &["support-pin"]).await;
    // And so does one whose key is removed.
    world.remove_key("support-pin", "pin").await;
    world
        .so("the PIN is back", async || world.secret_value("support-pin", "pin").await.filter(|now| *now == pin))
        .await;
    world.tells("PINSynced", "True/PINSynced", &["support-pin"]).await;
    world.enabled().await;
    world.asked_only(&["register"]).await;
    world.finish().await;
}

#[tokio::test]
async fn app_secret_and_token_that_are_swapped_are_told_and_nothing_is_lost() {
    let world = World::caring("swapped", seed::small(), json!({"registration": {}, "binding": {}})).await;
    world.enabled().await;
    let (secret, token) = (world.app_secret(seed::APP).await, world.token("main").await);
    let bound = world.so("bound", async || world.secret_value("support-binding", "access-token").await).await;
    world.put_secret(CREDENTIALS, &[("app-secret", &token), ("access-token", &secret)]).await;
    world.stands::<MetaApp>(INO, "CredentialsInvalid", "False/WrongAppSecret").await;
    let told = world.condition::<MetaApp>(INO, "CredentialsValid", "False/WrongAppSecret").await;
    assert!(told.contains("key app-secret of Secret ino-cx-meta"), "{told}");
    let waits = world.stands::<WhatsAppNumber>(SUPPORT, "Enabled", "Unknown/AppNotReady").await;
    assert_eq!(waits.status.unwrap().verified_name.as_deref(), Some("INO Support"), "the last values stay");
    assert_eq!(world.secret_value("ino-cx-token", "live").await.as_ref(), Some(&token));
    assert_eq!(world.secret_value("support-binding", "access-token").await.as_ref(), Some(&bound));

    world.put_secret(CREDENTIALS, &[("app-secret", &secret), ("access-token", &token)]).await;
    world.stands::<MetaApp>(INO, "Connected", "True/Connected").await;
    world.enabled().await;
    world.asked_only(&[]).await;
    world.finish().await;
}

#[tokio::test]
async fn code_and_pin_that_are_swapped_cost_one_try_of_the_code_and_none_of_the_pin() {
    let mut blocks = with_our_pin();
    blocks["verification"] = json!({});
    let mut world = World::caring("swapped-pin", unverified(), blocks).await;
    world.says("AwaitingCode", "False/AwaitingCode", &[]).await;
    let code = world.code(NUMBER).await;
    let pin = if code == "004213" { "004214" } else { "004213" };
    world.planted.push(pin.to_owned());
    world.put_secret(OUR_PINS, &[(SUPPORT, &code)]).await;
    world.put_secret("support-code", &[("code", pin)]).await;
    world.says("AwaitingCode", "False/WrongCode", &["Secret support-code, key code"]).await;
    world.asked_only(&["request_code", "verify_code"]).await;

    world.put_secret(OUR_PINS, &[(SUPPORT, pin)]).await;
    world.put_secret("support-code", &[("code", &code)]).await;
    world.enabled().await;
    world.asked_only(&["request_code", "verify_code", "verify_code", "register"]).await;
    assert_eq!(world.pin_at_meta(NUMBER).await.as_deref(), Some(pin));
    world.finish().await;
}
