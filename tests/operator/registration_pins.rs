//! PINs: given, made, wrong, unknown and changed. Meta locks a number after a few wrong ones, so none is tried twice, and
//! nothing is registered again that is connected.

use serde_json::{Value, json};
use waba_operator::api::WhatsAppNumber;

use crate::harness::{
    manifests::number,
    scenario::{OUR_PINS, PHONE, SUPPORT, estate, refusal, verified, with_our_pin},
    seed::NUMBER,
    world::{World, condition},
};

const REGISTER_AT: &str = "waba.dev/register-at";
const RESET_PIN_AT: &str = "waba.dev/reset-pin-at";
const RIGHT: &str = "002816";
const WRONG: &str = "730164";
const HOUR: i64 = 3_600;

impl World {
    /// What `status.registration` says.
    async fn registration(&self) -> Value {
        let number = self.get::<WhatsAppNumber>(SUPPORT).await.unwrap();
        serde_json::to_value(number.status.unwrap().registration).unwrap()
    }

    /// Asks for an action that is not acted on; the Event says why.
    async fn asks_in_vain(&self, action: &str, words: &str) {
        self.ask::<WhatsAppNumber>(SUPPORT, action, 0).await;
        let note = self.event(SUPPORT, "ActionIgnored").await;
        assert!(note.contains(action) && note.contains(words), "{note}");
    }
}

#[tokio::test]
async fn a_wrong_pin_is_tried_once_until_its_secret_changes() {
    let mut world = World::connected("wrong-pin", verified(json!({"pin": RIGHT}))).await;
    world.pin(WRONG).await;
    world.create(&number(SUPPORT, PHONE, with_our_pin())).await;
    let words = ["Secret our-pins, key support", "not tried again", RESET_PIN_AT];
    world.says("PINRequired", "False/PINRefused", &words).await;
    world.is_stalled().await;
    world.tells("PINSynced", "False/PINRefused", &[OUR_PINS, SUPPORT]).await;
    world.asked_only(&["register"]).await;
    assert_eq!(world.registration().await["attempts"].as_array().unwrap().len(), 1);
    // Nor by the next operator, nor when the same PIN is written again.
    world.restart().await;
    world.put_secret(OUR_PINS, &[(SUPPORT, &format!("{WRONG}\n")), ("sales", "not ours")]).await;
    world.asked_only(&["register"]).await;

    world.pin(RIGHT).await;
    world.enabled().await;
    world.tells("PINSynced", "True/PINSynced", &[]).await;
    world.asked_only(&["register", "register"]).await;
    world.finish().await;
}

/// Meta's code for an account that is locked, and for a PIN that is not the number's: nobody can tell which.
#[tokio::test]
async fn a_refusal_that_may_be_about_the_pin_is_taken_for_one() {
    let mut world = World::connected("locked-or-pin", verified(json!({"pin": RIGHT}))).await;
    let mut fault = refusal("/register$", 131_031, "Business Account locked");
    fault["times"] = Value::Null;
    fault["before"]["status"] = json!(403);
    world.fault(fault).await;
    world.pin(WRONG).await;
    world.create(&number(SUPPORT, PHONE, with_our_pin())).await;
    let words = ["locked the account, or the PIN is not the number's PIN", "not tried again", RESET_PIN_AT];
    world.says("PINRequired", "False/PINRefused", &words).await;
    world.is_stalled().await;
    world.tells("PINSynced", "False/PINRefused", &[OUR_PINS, SUPPORT]).await;
    world.asked_only(&["register"]).await;
    // Not a day later either, nor by the next operator.
    world.later(24 * HOUR).await;
    world.asked_only(&["register"]).await;

    // Another PIN is tried once, too, and that heals it when the lock was all there was.
    world.pin("519374").await;
    world.so("it is tried", async || (world.asked().await.len() == 2).then_some(())).await;
    world.asked_only(&["register"; 2]).await;
    world.says("PINRequired", "False/PINRefused", &words).await;
    world.no_faults().await;
    world.pin(RIGHT).await;
    world.enabled().await;
    world.tells("PINSynced", "True/PINSynced", &[]).await;
    world.asked_only(&["register"; 3]).await;
    world.finish().await;
}

#[tokio::test]
async fn a_pin_that_nobody_knows_costs_no_call_and_can_be_reset() {
    let seed = verified(json!({"is_pin_enabled": true}));
    let world = World::caring("unknown-pin", seed, json!({"registration": {}})).await;
    let words = ["two-step PIN at Meta that the operator does not know", "spec.registration.pinRef", RESET_PIN_AT];
    world.says("PINRequired", "False/PINUnknown", &words).await;
    world.is_stalled().await;
    world.asks_in_vain(REGISTER_AT, "does not know").await;
    world.asked_only(&[]).await;
    assert_eq!(world.secret_value("support-pin", "pin").await, None, "none is made up");

    world.ask::<WhatsAppNumber>(SUPPORT, RESET_PIN_AT, 0).await;
    world.enabled().await;
    world.asked_only(&[NUMBER, "register"]).await;
    assert_eq!(world.pin_at_meta(NUMBER).await, world.secret_value("support-pin", "pin").await);
    world.tells("PINSynced", "True/PINSynced", &[]).await;
    world.finish().await;
}

#[tokio::test]
async fn a_changed_pin_secret_of_a_connected_number_makes_no_call_until_it_is_asked_for() {
    let mut world = World::caring("changed-pin", verified(json!({})), json!({"registration": {}})).await;
    world.enabled().await;
    let made = world.secret_value("support-pin", "pin").await.unwrap();
    world.planted.push(RIGHT.to_owned());
    world.put_secret("support-pin", &[("pin", RIGHT)]).await;
    let words = ["Secret support-pin, key pin is not the one in force", "kept in the number's ledger", RESET_PIN_AT];
    world.tells("PINSynced", "False/PINDiffers", &words).await;
    world.enabled().await;
    world.asked_only(&["register"]).await;
    assert_eq!(world.secret_value("waba-number-33612345678", "pin").await.as_ref(), Some(&made));

    world.ask::<WhatsAppNumber>(SUPPORT, RESET_PIN_AT, 0).await;
    world.tells("PINSynced", "True/PINSynced", &[]).await;
    assert_eq!(world.pin_at_meta(NUMBER).await.as_deref(), Some(RIGHT));
    world.asked_only(&["register", NUMBER]).await;

    // Who takes the number off the Cloud API afterwards wants it so: nothing is left over of what was asked for.
    world.at_meta(json!({"status": "DISCONNECTED", "platform_type": "NOT_APPLICABLE"})).await;
    world.says("PINRequired", "False/Disconnected", &["somebody deregistered it", REGISTER_AT]).await;
    world.is_stalled().await;
    world.asked_only(&["register", NUMBER]).await;
    world.ask::<WhatsAppNumber>(SUPPORT, REGISTER_AT, 0).await;
    world.enabled().await;
    world.asked_only(&["register", NUMBER, "register"]).await;
    world.finish().await;
}

/// Meta wants a pause before the next attempt: it is kept, over a restart, and then it goes on by itself.
async fn pauses(code: u32, reason: &str, wait: i64) {
    let mut world = World::connected(&format!("pause-{code}"), verified(json!({"pin": RIGHT}))).await;
    world.fault(refusal("/register$", code, "Wait")).await;
    world.pin(RIGHT).await;
    world.create(&number(SUPPORT, PHONE, with_our_pin())).await;
    let until = world.until_told("PINRequired", reason).await;
    world.goes_on().await;
    let clock = world.sim.get("clock").await.unwrap()["now"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let left = until.duration_since(clock).as_secs();
    assert!((wait - 60..=wait).contains(&left), "{code}: {left} s");
    if code == 133_016 {
        assert_eq!(world.registration().await["blockedUntil"], until.to_string());
        world.asks_in_vain(REGISTER_AT, "locked the number's registration until").await;
    }
    world.asked_only(&["register"]).await;
    world.later(wait / 2).await;
    world.asked_only(&["register"]).await;
    world.later(wait / 2 + 1).await;
    world.enabled().await;
    world.asked_only(&["register", "register"]).await;
    assert_eq!(world.registration().await["blockedUntil"], Value::Null);
    world.finish().await;
}

impl World {
    /// The time at which the message says that it goes on.
    async fn until_told(&self, phase: &str, reason: &str) -> jiff::Timestamp {
        let number = self.stands::<WhatsAppNumber>(SUPPORT, phase, &format!("False/{reason}")).await;
        let message = condition(&number, "Ready").unwrap().1;
        let time = message.split_whitespace().find_map(|word| word.trim_end_matches([',', '.', ';', ':']).parse().ok());
        time.unwrap_or_else(|| panic!("it does not say when it goes on: {message}"))
    }
}

#[tokio::test]
async fn a_locked_number_is_registered_when_the_lock_ends() {
    pauses(133_016, "RegistrationLocked", 72 * HOUR).await;
}

#[tokio::test]
async fn after_too_many_wrong_pins_it_waits() {
    pauses(133_008, "RegistrationRefused", HOUR).await;
}

#[tokio::test]
async fn a_pin_that_came_too_fast_is_tried_again_later() {
    pauses(133_009, "RegistrationRefused", HOUR / 12).await;
}

#[tokio::test]
async fn after_five_failed_attempts_the_operator_stops_itself_and_a_person_can_go_on() {
    let mut world = World::connected("five", verified(json!({}))).await;
    let mut fault = refusal("/register$", 133_004, "Server temporarily unavailable");
    fault["times"] = json!(5);
    world.fault(fault).await;
    world.create(&number(SUPPORT, PHONE, json!({"registration": {}}))).await;
    let words = ["5 registrations failed within 72 hours", "locks a number after ten", "goes on at", REGISTER_AT];
    world.says("PINRequired", "False/RegistrationPaused", &words).await;
    world.goes_on().await;
    world.restart().await;
    world.asked_only(&["register"; 5]).await;
    assert_eq!(world.registration().await["attempts"].as_array().unwrap().len(), 5);
    world.ask::<WhatsAppNumber>(SUPPORT, REGISTER_AT, 0).await;
    world.enabled().await;
    world.asked_only(&["register"; 6]).await;
    world.finish().await;
}

#[tokio::test]
async fn after_five_failed_attempts_it_goes_on_by_itself_when_the_first_is_three_days_old() {
    let mut world = World::connected("five-days", verified(json!({}))).await;
    let mut fault = refusal("/register$", 133_004, "Server temporarily unavailable");
    fault["times"] = json!(5);
    world.fault(fault).await;
    world.create(&number(SUPPORT, PHONE, json!({"registration": {}}))).await;
    world.says("PINRequired", "False/RegistrationPaused", &[]).await;
    world.later(71 * HOUR).await;
    world.asked_only(&["register"; 5]).await;
    world.later(2 * HOUR).await;
    world.enabled().await;
    world.asked_only(&["register"; 6]).await;
    world.finish().await;
}

#[tokio::test]
async fn a_connected_number_is_registered_again_only_for_a_new_name_and_only_when_asked() {
    let mut world = World::connected("renamed-number", estate(json!({"pin": RIGHT}))).await;
    world.pin(RIGHT).await;
    world.create(&number(SUPPORT, PHONE, with_our_pin())).await;
    world.enabled().await;
    world.tells("PINSynced", "Unknown/PINUnknown", &["was never used"]).await;
    world.asks_in_vain(REGISTER_AT, "no new display name was approved").await;
    world.asked_only(&[]).await;

    world.at_meta(json!({"new_display_name": "INO Help", "new_name_status": "PENDING_REVIEW"})).await;
    world.tells("NameApproved", "False/NameInReview", &["INO Help"]).await;
    world.at_meta(json!({"new_name_status": "APPROVED"})).await;
    let words = ["Meta approved the display name INO Help", "before 20", REGISTER_AT];
    world.tells("NameApproved", "False/ReRegisterRequired", &words).await;
    world.enabled().await;
    world.asked_only(&[]).await;
    assert_ne!(world.registration().await["reRegisterBefore"], Value::Null);

    world.sim.advance(1).await.unwrap();
    world.ask::<WhatsAppNumber>(SUPPORT, REGISTER_AT, 0).await;
    world.tells("NameApproved", "True/NameApproved", &[]).await;
    world.tells("PINSynced", "True/PINSynced", &[]).await;
    world.enabled().await;
    world.asked_only(&["register"]).await;
    assert_eq!(world.registration().await["reRegisterBefore"], Value::Null);
    world.finish().await;
}
