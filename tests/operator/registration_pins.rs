//! Registration with PINs that are given, generated, wrong, unknown and changed. Meta locks a number after a few wrong
//! PINs: no PIN is tried twice, and no connected number is registered again.

use serde_json::{Value, json};
use waba_operator::api::WhatsAppNumber;

use crate::harness::{
    manifests::number,
    scenario::{OUR_PINS, PHONE, SUPPORT, number_seed, refusal, registration_with_pin_ref, verified_number},
    seed::NUMBER,
    world::{World, condition},
};

const REGISTER_AT: &str = "waba.dev/register-at";
const RESET_PIN_AT: &str = "waba.dev/reset-pin-at";
const RIGHT: &str = "002816";
const WRONG: &str = "730164";
const HOUR: i64 = 3_600;

impl World {
    /// The object's `status.registration`.
    async fn registration(&self) -> Value {
        let number = self.get::<WhatsAppNumber>(SUPPORT).await.unwrap();
        serde_json::to_value(number.status.unwrap().registration).unwrap()
    }

    /// Requests an action that must be ignored; the Event gives the reason.
    async fn assert_action_ignored(&self, action: &str, words: &str) {
        self.request_action::<WhatsAppNumber>(SUPPORT, action, 0).await;
        let note = self.until_event(SUPPORT, "ActionIgnored").await;
        assert!(note.contains(action) && note.contains(words), "{note}");
    }
}

#[tokio::test]
async fn a_wrong_pin_is_tried_once_until_its_secret_changes() {
    let mut world = World::connected("wrong-pin", verified_number(json!({"pin": RIGHT}))).await;
    world.put_pin(WRONG).await;
    world.create(&number(SUPPORT, PHONE, registration_with_pin_ref())).await;
    let words = ["Secret our-pins, key support", "does not try it again", RESET_PIN_AT];
    world.until_ready_message("PINRequired", "False/PINRefused", &words).await;
    world.assert_stalled().await;
    world.until_message("PINSynced", "False/PINRefused", &[OUR_PINS, SUPPORT]).await;
    world.assert_writes_at_meta(&["register"]).await;
    assert_eq!(world.registration().await["attempts"].as_array().unwrap().len(), 1);
    // The PIN is not tried again by the next operator, nor when it is written again.
    world.restart().await;
    world.put_secret(OUR_PINS, &[(SUPPORT, &format!("{WRONG}\n")), ("sales", "not ours")]).await;
    world.assert_writes_at_meta(&["register"]).await;

    world.put_pin(RIGHT).await;
    world.until_enabled().await;
    world.until_message("PINSynced", "True/PINSynced", &[]).await;
    world.assert_writes_at_meta(&["register", "register"]).await;
    world.finish().await;
}

/// Meta uses this code for a locked account and for a wrong PIN: nothing tells the two apart.
#[tokio::test]
async fn a_refusal_that_may_concern_the_pin_counts_as_a_refused_pin() {
    let mut world = World::connected("locked-or-pin", verified_number(json!({"pin": RIGHT}))).await;
    let mut fault = refusal("/register$", 131_031, "Business Account locked");
    fault["times"] = Value::Null;
    fault["before"]["status"] = json!(403);
    world.inject_fault(fault).await;
    world.put_pin(WRONG).await;
    world.create(&number(SUPPORT, PHONE, registration_with_pin_ref())).await;
    let words = ["locked the account, or the PIN is not the number's PIN", "does not try it again", RESET_PIN_AT];
    world.until_ready_message("PINRequired", "False/PINRefused", &words).await;
    world.assert_stalled().await;
    world.until_message("PINSynced", "False/PINRefused", &[OUR_PINS, SUPPORT]).await;
    world.assert_writes_at_meta(&["register"]).await;
    // Nor a day later.
    world.advance_and_restart(24 * HOUR).await;
    world.assert_writes_at_meta(&["register"]).await;

    // Another PIN is tried once, which is enough if the account was only locked.
    world.put_pin("519374").await;
    world.eventually("the new value is tried", async || (world.writes_at_meta().await.len() == 2).then_some(())).await;
    world.assert_writes_at_meta(&["register"; 2]).await;
    world.until_ready_message("PINRequired", "False/PINRefused", &words).await;
    world.clear_faults().await;
    world.put_pin(RIGHT).await;
    world.until_enabled().await;
    world.until_message("PINSynced", "True/PINSynced", &[]).await;
    world.assert_writes_at_meta(&["register"; 3]).await;
    world.finish().await;
}

#[tokio::test]
async fn an_unknown_pin_causes_no_call_and_can_be_reset() {
    let seed = verified_number(json!({"is_pin_enabled": true}));
    let world = World::with_number("unknown-pin", seed, json!({"registration": {}})).await;
    let words = ["two-step PIN at Meta that the operator does not know", "spec.registration.pinRef", RESET_PIN_AT];
    world.until_ready_message("PINRequired", "False/PINUnknown", &words).await;
    world.assert_stalled().await;
    world.assert_action_ignored(REGISTER_AT, "does not know").await;
    world.assert_writes_at_meta(&[]).await;
    assert_eq!(world.secret_value("support-pin", "pin").await, None, "no PIN is generated");

    world.request_action::<WhatsAppNumber>(SUPPORT, RESET_PIN_AT, 0).await;
    world.until_enabled().await;
    world.assert_writes_at_meta(&[NUMBER, "register"]).await;
    assert_eq!(world.pin_at_meta(NUMBER).await, world.secret_value("support-pin", "pin").await);
    world.until_message("PINSynced", "True/PINSynced", &[]).await;
    world.finish().await;
}

#[tokio::test]
async fn a_changed_pin_secret_of_a_connected_number_causes_no_call_until_the_action_is_requested() {
    let mut world = World::with_number("changed-pin", verified_number(json!({})), json!({"registration": {}})).await;
    world.until_enabled().await;
    let generated = world.secret_value("support-pin", "pin").await.unwrap();
    world.tracked_secrets.push(RIGHT.to_owned());
    world.put_secret("support-pin", &[("pin", RIGHT)]).await;
    let words =
        ["Secret support-pin, key pin is not the one in force", "which the number's ledger keeps", RESET_PIN_AT];
    world.until_message("PINSynced", "False/PINDiffers", &words).await;
    world.until_enabled().await;
    world.assert_writes_at_meta(&["register"]).await;
    assert_eq!(world.secret_value("waba-number-33612345678", "pin").await.as_ref(), Some(&generated));

    world.request_action::<WhatsAppNumber>(SUPPORT, RESET_PIN_AT, 0).await;
    world.until_message("PINSynced", "True/PINSynced", &[]).await;
    assert_eq!(world.pin_at_meta(NUMBER).await.as_deref(), Some(RIGHT));
    world.assert_writes_at_meta(&["register", NUMBER]).await;

    // A person who deregisters the number afterwards does so on purpose: the earlier action must not register it again.
    world.change_at_meta(json!({"status": "DISCONNECTED", "platform_type": "NOT_APPLICABLE"})).await;
    world.until_ready_message("PINRequired", "False/Disconnected", &["somebody deregistered it", REGISTER_AT]).await;
    world.assert_stalled().await;
    world.assert_writes_at_meta(&["register", NUMBER]).await;
    world.request_action::<WhatsAppNumber>(SUPPORT, REGISTER_AT, 0).await;
    world.until_enabled().await;
    world.assert_writes_at_meta(&["register", NUMBER, "register"]).await;
    world.finish().await;
}

#[tokio::test]
async fn a_pin_is_not_relied_on_after_another_partner_deregistered_the_number_and_logged_in() {
    let mut world = World::with_number("other-partner", verified_number(json!({})), json!({"registration": {}})).await;
    world.until_enabled().await;
    world.until_message("PINSynced", "True/PINSynced", &[]).await;
    // Meta goes on naming the platform.
    world.change_at_meta(json!({"status": "DISCONNECTED"})).await;
    world.until_ready_message("PINRequired", "False/Disconnected", &[REGISTER_AT]).await;
    world.until_message("Registered", "False/Disconnected", &[]).await;
    world.until_message("PINSynced", "Unknown/PINUnknown", &["deregistered", RESET_PIN_AT]).await;
    world.change_at_meta(json!({"status": "CONNECTED", "pin": WRONG})).await;
    world.until_enabled().await;
    world.until_message("PINSynced", "Unknown/PINUnknown", &[RESET_PIN_AT]).await;
    world.restart().await;
    world.until_message("PINSynced", "Unknown/PINUnknown", &[RESET_PIN_AT]).await;
    world.assert_writes_at_meta(&["register"]).await;
    world.request_action::<WhatsAppNumber>(SUPPORT, RESET_PIN_AT, 0).await;
    world.until_message("PINSynced", "True/PINSynced", &[]).await;
    world.assert_writes_at_meta(&["register", NUMBER]).await;
    world.finish().await;
}

/// Meta demands a pause before the next attempt: the operator keeps it, even after a restart, and then retries by
/// itself.
async fn waits_for_meta(code: u32, reason: &str, wait: i64) {
    let mut world = World::connected(&format!("pause-{code}"), verified_number(json!({"pin": RIGHT}))).await;
    world.inject_fault(refusal("/register$", code, "Wait")).await;
    world.put_pin(RIGHT).await;
    world.create(&number(SUPPORT, PHONE, registration_with_pin_ref())).await;
    let until = world.announced_retry_time("PINRequired", reason).await;
    world.assert_reconciling().await;
    let clock = world.sim.get("clock").await.unwrap()["now"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let left = until.duration_since(clock).as_secs();
    assert!((wait - 60..=wait).contains(&left), "{code}: {left} s");
    if code == 133_016 {
        assert_eq!(world.registration().await["blockedUntil"], until.to_string());
        world.assert_action_ignored(REGISTER_AT, "locked the registration of the number until").await;
    }
    world.assert_writes_at_meta(&["register"]).await;
    world.advance_and_restart(wait / 2).await;
    world.assert_writes_at_meta(&["register"]).await;
    world.advance_and_restart(wait / 2 + 1).await;
    world.until_enabled().await;
    world.assert_writes_at_meta(&["register", "register"]).await;
    assert_eq!(world.registration().await["blockedUntil"], Value::Null);
    world.finish().await;
}

impl World {
    /// The time of the next attempt, as given in the message.
    async fn announced_retry_time(&self, phase: &str, reason: &str) -> jiff::Timestamp {
        let number = self.until_phase::<WhatsAppNumber>(SUPPORT, phase, &format!("False/{reason}")).await;
        let message = condition(&number, "Ready").unwrap().1;
        let time = message.split_whitespace().find_map(|word| word.trim_end_matches([',', '.', ';', ':']).parse().ok());
        time.unwrap_or_else(|| panic!("the message has no time of the next attempt: {message}"))
    }
}

#[tokio::test]
async fn a_locked_number_is_registered_when_the_lock_ends() {
    waits_for_meta(133_016, "RegistrationLocked", 72 * HOUR).await;
}

#[tokio::test]
async fn registration_waits_an_hour_after_too_many_wrong_pins() {
    waits_for_meta(133_008, "RegistrationRefused", HOUR).await;
}

#[tokio::test]
async fn registration_waits_five_minutes_after_pins_were_sent_too_fast() {
    waits_for_meta(133_009, "RegistrationRefused", HOUR / 12).await;
}

#[tokio::test]
async fn registration_pauses_after_five_failures_until_a_person_requests_it() {
    let mut world = World::connected("five", verified_number(json!({}))).await;
    let mut fault = refusal("/register$", 133_004, "Server temporarily unavailable");
    fault["times"] = json!(5);
    world.inject_fault(fault).await;
    world.create(&number(SUPPORT, PHONE, json!({"registration": {}}))).await;
    let words = ["5 registrations failed within 72 hours", "locks a number after ten", "continues at", REGISTER_AT];
    world.until_ready_message("PINRequired", "False/RegistrationPaused", &words).await;
    world.assert_reconciling().await;
    world.restart().await;
    world.assert_writes_at_meta(&["register"; 5]).await;
    assert_eq!(world.registration().await["attempts"].as_array().unwrap().len(), 5);
    world.request_action::<WhatsAppNumber>(SUPPORT, REGISTER_AT, 0).await;
    world.until_enabled().await;
    world.assert_writes_at_meta(&["register"; 6]).await;
    world.finish().await;
}

#[tokio::test]
async fn registration_resumes_when_the_first_of_five_failures_is_three_days_old() {
    let mut world = World::connected("five-days", verified_number(json!({}))).await;
    let mut fault = refusal("/register$", 133_004, "Server temporarily unavailable");
    fault["times"] = json!(5);
    world.inject_fault(fault).await;
    world.create(&number(SUPPORT, PHONE, json!({"registration": {}}))).await;
    world.until_ready_message("PINRequired", "False/RegistrationPaused", &[]).await;
    world.advance_and_restart(71 * HOUR).await;
    world.assert_writes_at_meta(&["register"; 5]).await;
    world.advance_and_restart(2 * HOUR).await;
    world.until_enabled().await;
    world.assert_writes_at_meta(&["register"; 6]).await;
    world.finish().await;
}

#[tokio::test]
async fn a_connected_number_is_registered_again_only_for_a_new_name_and_only_on_request() {
    let mut world = World::connected("renamed-number", number_seed(json!({"pin": RIGHT}))).await;
    world.put_pin(RIGHT).await;
    world.create(&number(SUPPORT, PHONE, registration_with_pin_ref())).await;
    world.until_enabled().await;
    world.until_message("PINSynced", "Unknown/PINUnknown", &["never used the one in"]).await;
    world.assert_action_ignored(REGISTER_AT, "approved no new display name").await;
    world.assert_writes_at_meta(&[]).await;

    world.change_at_meta(json!({"new_display_name": "INO Help", "new_name_status": "PENDING_REVIEW"})).await;
    world.until_message("NameApproved", "False/NameInReview", &["INO Help"]).await;
    world.change_at_meta(json!({"new_name_status": "APPROVED"})).await;
    let words = ["Meta approved the display name INO Help", "before 20", REGISTER_AT];
    world.until_message("NameApproved", "False/ReRegisterRequired", &words).await;
    world.until_enabled().await;
    world.assert_writes_at_meta(&[]).await;
    assert_ne!(world.registration().await["reRegisterBefore"], Value::Null);

    world.sim.advance(1).await.unwrap();
    world.request_action::<WhatsAppNumber>(SUPPORT, REGISTER_AT, 0).await;
    world.until_message("NameApproved", "True/NameApproved", &[]).await;
    // Meta leaves the PIN of a registered number alone: the reply proves none.
    world.until_message("PINSynced", "Unknown/PINUnknown", &[RESET_PIN_AT]).await;
    world.until_enabled().await;
    world.assert_writes_at_meta(&["register"]).await;
    assert_eq!(world.registration().await["reRegisterBefore"], Value::Null);
    world.finish().await;
}
