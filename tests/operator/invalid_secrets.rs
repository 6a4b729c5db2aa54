//! Mistakes in Secrets: each is reported with what to do, causes no call, loses nothing, and is resolved by a correct
//! value.

use kube::ResourceExt;
use serde_json::json;
use waba_operator::api::{MetaApp, WhatsAppNumber};

use crate::harness::{
    manifests::{CREDENTIALS, INO, app, number},
    scenario::{OUR_PINS, PHONE, SUPPORT, registration_with_pin_ref, unverified_number, verified_number},
    seed::{self, NUMBER},
    world::World,
};

const LEDGER: &str = "waba-number-33612345678";

#[tokio::test]
async fn a_pin_that_is_not_six_digits_is_never_sent() {
    let mut world = World::with_number("bad-pin", verified_number(json!({})), registration_with_pin_ref()).await;
    let missing = "does not exist: create it with the key support";
    world.until_ready_message("PINRequired", "False/SecretNotFound", &[OUR_PINS, missing]).await;
    let not_six = "is not six digits: put six digits there, as text, leading zeros too";
    for (pin, words) in [
        ("12345", not_six),
        ("7314561", not_six),
        ("731 456", not_six),
        ("731-456", not_six),
        ("sesame", not_six),
        ("１２３４５６", not_six),
        ("", "has nothing under the key support: set a value"),
        ("731\n456", "a single line of UTF-8 text"),
        ("731\u{200b}456", "contains an invisible character"),
        ("\"731456\"", "is in quotation marks"),
        ("NzMxNDU2", "is base64 once more than a Secret needs"),
        ("7.31456e+05", "was read as a number"),
    ] {
        world.put_pin(pin).await;
        world.until_ready_message("PINRequired", "False/SecretValueInvalid", &[OUR_PINS, SUPPORT, words]).await;
        world.assert_stalled().await;
        world.until_message("PINSynced", "False/SecretValueInvalid", &[OUR_PINS, SUPPORT]).await;
        world.delete_secret(OUR_PINS).await;
        world.until_ready_message("PINRequired", "False/SecretNotFound", &[OUR_PINS]).await;
    }
    world.put_bytes(OUR_PINS, SUPPORT, "//79/A==").await;
    world.until_ready_message("PINRequired", "False/SecretValueInvalid", &["needs a single line of UTF-8 text"]).await;
    world.put_secret(OUR_PINS, &[("suport", "731456")]).await;
    world.tracked_secrets.push("731456".to_owned());
    world.until_ready_message("PINRequired", "False/SecretKeyNotFound", &["has no key support (it has suport)"]).await;
    world.assert_writes_at_meta(&[]).await;

    // With a newline, as `echo` writes it.
    world.put_pin("031456\n").await;
    world.until_enabled().await;
    world.assert_writes_at_meta(&["register"]).await;
    assert_eq!(world.pin_at_meta(NUMBER).await.as_deref(), Some("031456"));
    world.finish().await;
}

#[tokio::test]
async fn a_code_is_accepted_in_any_spelling_and_an_invalid_one_is_never_sent() {
    let mut world = World::with_number("bad-code", unverified_number(), json!({"verification": {}})).await;
    world
        .until_ready_message(
            "AwaitingCode",
            "False/AwaitingCode",
            &["put it into Secret support-code, key code", "kubectl -n "],
        )
        .await;
    let code = world.sent_code(NUMBER).await;
    for (wrong, words) in [
        ("12345", "is not six digits"),
        ("sesame", "is not six digits"),
        (" \n", "has nothing under the key code"),
        ("731\n456", "a single line of UTF-8 text"),
        ("\u{feff}731456", "contains an invisible character"),
        ("731456.0", "was read as a number"),
    ] {
        world.tracked_secrets.push(wrong.trim().to_owned());
        world.put_secret("support-code", &[("code", wrong)]).await;
        world.until_ready_message("AwaitingCode", "False/SecretValueInvalid", &["support-code", "code", words]).await;
        world.assert_reconciling().await;
        world.delete_secret("support-code").await;
        world.until_ready_message("AwaitingCode", "False/AwaitingCode", &["support-code"]).await;
    }
    world.put_bytes("support-code", "code", "//79/A==").await;
    world.until_ready_message("AwaitingCode", "False/SecretValueInvalid", &["support-code", "code"]).await;
    world.put_secret("support-code", &[("kode", &code)]).await;
    world.until_ready_message("AwaitingCode", "False/AwaitingCode", &["Secret support-code, key code"]).await;
    world.assert_writes_at_meta(&["request_code"]).await;

    let written = format!(" {} {}-{}\n", &code[..2], &code[2..3], &code[3..]);
    world.put_secret("support-code", &[("code", &written)]).await;
    world.until_message("Verified", "True/Verified", &[]).await;
    world.assert_writes_at_meta(&["request_code", "verify_code"]).await;
    world.finish().await;
}

#[tokio::test]
async fn a_wrong_code_is_tried_once_until_its_secret_changes() {
    let mut world = World::with_number("wrong-code", unverified_number(), json!({"verification": {}})).await;
    world.until_ready_message("AwaitingCode", "False/AwaitingCode", &[]).await;
    let code = world.sent_code(NUMBER).await;
    let wrong = if code == "731456" { "731457" } else { "731456" };
    world.tracked_secrets.push(wrong.to_owned());
    world.put_secret("support-code", &[("code", wrong)]).await;
    let words = ["Meta did not accept the code in Secret support-code, key code", "kubectl -n "];
    world.until_ready_message("AwaitingCode", "False/WrongCode", &words).await;
    world.assert_writes_at_meta(&["request_code", "verify_code"]).await;
    // The same code, written differently, is not tried again.
    world.put_secret("support-code", &[("code", &format!("{}-{}", &wrong[..3], &wrong[3..]))]).await;
    world.assert_writes_at_meta(&["request_code", "verify_code"]).await;
    world.put_secret("support-code", &[("code", &code)]).await;
    world.until_message("Verified", "True/Verified", &[]).await;
    world.assert_writes_at_meta(&["request_code", "verify_code", "verify_code"]).await;
    world.finish().await;
}

#[tokio::test]
async fn a_foreign_secret_under_the_pin_secrets_name_is_left_alone() {
    let mut world = World::connected("taken-pin", verified_number(json!({}))).await;
    world.tracked_secrets.push("731456".to_owned());
    world.put_secret("support-pin", &[("pin", "731456")]).await;
    let theirs = world.secrets().get("support-pin").await.unwrap();
    world.create(&number(SUPPORT, PHONE, json!({"registration": {}}))).await;
    let words = ["Secret support-pin is not the operator's", "spec.registration.pinRef", "rename or delete it"];
    world.until_ready_message("PINRequired", "False/SecretNameTaken", &words).await;
    world.until_message("PINSynced", "False/SecretNameTaken", &words).await;
    world.assert_stalled().await;
    world.request_action::<WhatsAppNumber>(SUPPORT, "waba.dev/register-at", 0).await;
    let note = world.until_event(SUPPORT, "ActionIgnored").await;
    assert!(note.contains("support-pin is not the operator's"), "{note}");
    world.assert_writes_at_meta(&[]).await;
    assert_eq!(world.secrets().get("support-pin").await.unwrap(), theirs);

    // The message's first proposal: use that Secret as the PIN.
    let named = json!({"spec": {"registration": {"pinRef": {"name": "support-pin", "key": "pin"}}}});
    world.patch::<WhatsAppNumber>(SUPPORT, named).await;
    world.until_enabled().await;
    world.assert_writes_at_meta(&["register"]).await;
    assert_eq!(world.pin_at_meta(NUMBER).await.as_deref(), Some("731456"));
    assert_eq!(world.secrets().get("support-pin").await.unwrap(), theirs);
    world.finish().await;
}

#[tokio::test]
async fn a_pin_is_created_once_a_foreign_secret_is_deleted() {
    let world = World::connected("freed-pin", verified_number(json!({}))).await;
    world.put_secret("support-pin", &[("password", "not-a-pin-at-all")]).await;
    world.create(&number(SUPPORT, PHONE, json!({"registration": {}}))).await;
    world.until_ready_message("PINRequired", "False/SecretNameTaken", &["support-pin"]).await;
    world.assert_writes_at_meta(&[]).await;
    world.delete_secret("support-pin").await;
    world.until_enabled().await;
    world.assert_writes_at_meta(&["register"]).await;
    assert_eq!(world.pin_at_meta(NUMBER).await, world.secret_value("support-pin", "pin").await);
    world.finish().await;
}

#[tokio::test]
async fn a_foreign_secret_under_the_ledgers_name_stops_every_call() {
    let mut world = World::new("taken-ledger", unverified_number()).await;
    world.put_secret(LEDGER, &[("anything", "somebody-else's")]).await;
    let theirs = world.secrets().get(LEDGER).await.unwrap();
    world.start().await;
    world.create(&app(INO, json!({}))).await;
    world.create(&number(SUPPORT, PHONE, json!({"verification": {}, "registration": {}}))).await;
    let words = [LEDGER, "is not the operator's", "rename or delete it"];
    world.until_ready_message("Unverified", "False/SecretNameTaken", &words).await;
    world.assert_stalled().await;
    world.assert_writes_at_meta(&[]).await;
    assert_eq!(world.secrets().get(LEDGER).await.unwrap(), theirs);

    world.delete_secret(LEDGER).await;
    world.until_ready_message("AwaitingCode", "False/AwaitingCode", &[]).await;
    world.assert_writes_at_meta(&["request_code"]).await;
    world.finish().await;
}

#[tokio::test]
async fn a_deleted_user_pin_is_reported_and_kept_in_the_ledger() {
    let mut world = World::connected("lost-given", verified_number(json!({}))).await;
    world.put_pin("004213").await;
    world.create(&number(SUPPORT, PHONE, registration_with_pin_ref())).await;
    world.until_enabled().await;
    world.until_message("PINSynced", "True/PINSynced", &[OUR_PINS]).await;
    world.delete_secret(OUR_PINS).await;
    let kept = "the number's ledger keeps the PIN in force";
    world.until_message("PINSynced", "False/SecretNotFound", &[OUR_PINS, "create it with the key support", kept]).await;
    world.until_enabled().await;
    assert_eq!(world.secret_value(LEDGER, "pin").await.as_deref(), Some("004213"));
    world.put_pin("004213").await;
    world.until_message("PINSynced", "True/PINSynced", &[]).await;
    world.assert_writes_at_meta(&["register"]).await;
    world.finish().await;
}

#[tokio::test]
async fn a_deleted_generated_pin_is_restored_from_the_ledger() {
    let world = World::with_number("lost-generated", verified_number(json!({})), json!({"registration": {}})).await;
    world.until_enabled().await;
    let pin = world.secret_value("support-pin", "pin").await.unwrap();
    let before = world.secrets().get("support-pin").await.unwrap().uid();
    world.delete_secret("support-pin").await;
    let back = async || {
        let secret = world.secrets().get_opt("support-pin").await.unwrap()?;
        (secret.uid() != before).then_some(())
    };
    world.eventually("the Secret is back", back).await;
    assert_eq!(world.secret_value("support-pin", "pin").await.as_ref(), Some(&pin));
    world.until_message("PINSynced", "True/PINSynced", &["support-pin"]).await;
    // A removed key is restored as well.
    world.remove_key("support-pin", "pin").await;
    world
        .eventually("the PIN is back", async || {
            world.secret_value("support-pin", "pin").await.filter(|now| *now == pin)
        })
        .await;
    world.until_message("PINSynced", "True/PINSynced", &["support-pin"]).await;
    world.until_enabled().await;
    world.assert_writes_at_meta(&["register"]).await;
    world.finish().await;
}

#[tokio::test]
async fn a_swapped_app_secret_and_token_are_reported_and_nothing_stops() {
    let world = World::with_number("swapped", seed::small(), json!({"registration": {}, "binding": {}})).await;
    world.until_enabled().await;
    let (secret, token) = (world.app_secret(seed::APP).await, world.token("main").await);
    let bound = world
        .eventually("the binding holds a token", async || world.secret_value("support-binding", "access-token").await)
        .await;
    world.put_secret(CREDENTIALS, &[("app-secret", &token), ("access-token", &secret)]).await;
    for (type_, key, words) in [
        ("CredentialsValid", "key app-secret", "is an access token, and not the app secret"),
        ("TokenValid", "key access-token", "is an app secret, and not an access token"),
    ] {
        let message = world.until_condition::<MetaApp>(INO, type_, "False/SecretValueInvalid").await;
        assert!(message.contains(words) && message.contains(key), "{message}");
    }
    world.until_phase::<MetaApp>(INO, "Connected", "True/Connected").await;
    world.until_enabled().await;
    assert_eq!(world.secret_value("ino-cx-token", "live").await.as_ref(), Some(&token));
    assert_eq!(world.secret_value("support-binding", "access-token").await.as_ref(), Some(&bound));

    world.put_secret(CREDENTIALS, &[("app-secret", &secret), ("access-token", &token)]).await;
    world.until_condition::<MetaApp>(INO, "CredentialsValid", "True/Valid").await;
    world.until_condition::<MetaApp>(INO, "TokenValid", "True/Valid").await;
    world.until_enabled().await;
    world.assert_writes_at_meta(&[]).await;
    world.finish().await;
}

#[tokio::test]
async fn a_swapped_code_and_pin_cost_one_code_attempt_and_no_pin_attempt() {
    let mut blocks = registration_with_pin_ref();
    blocks["verification"] = json!({});
    let mut world = World::with_number("swapped-pin", unverified_number(), blocks).await;
    world.until_ready_message("AwaitingCode", "False/AwaitingCode", &[]).await;
    let code = world.sent_code(NUMBER).await;
    let pin = if code == "004213" { "004214" } else { "004213" };
    world.tracked_secrets.push(pin.to_owned());
    world.put_secret(OUR_PINS, &[(SUPPORT, &code)]).await;
    world.put_secret("support-code", &[("code", pin)]).await;
    world.until_ready_message("AwaitingCode", "False/WrongCode", &["Secret support-code, key code"]).await;
    world.assert_writes_at_meta(&["request_code", "verify_code"]).await;

    world.put_secret(OUR_PINS, &[(SUPPORT, pin)]).await;
    world.put_secret("support-code", &[("code", &code)]).await;
    world.until_enabled().await;
    world.assert_writes_at_meta(&["request_code", "verify_code", "verify_code", "register"]).await;
    assert_eq!(world.pin_at_meta(NUMBER).await.as_deref(), Some(pin));
    world.finish().await;
}
