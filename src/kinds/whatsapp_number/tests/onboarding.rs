//! What blocks every onboarding step: calls whose outcome is unknown, numbers that cannot be onboarded.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use serde_json::json;

use super::fixtures::{
    Number, asks, asks_for_callback, asks_to_register, asks_to_verify, at, begun, clock_is_wrong, coded, known, made,
    next, number, read_once, reads_lag, refusal, rows, shows, unregistered, unusable,
};
use crate::{
    api::{Action, CodeMethod, Profile},
    calls::{CallInput, Operation},
    controller::{app_reference::AppReference, testing::WHY},
    ledger::CallOutcome,
};

const PENDING: &str = "Registering False/OutcomePending Reconciling";
const UNKNOWN: &str = "PINRequired False/OutcomeUnknown Stalled";

/// Verified, with everything that the ladder may ask for.
fn verified() -> Number {
    let mut scene = number();
    unregistered(&mut scene, "VERIFIED");
    asks_to_verify(&mut scene);
    asks_to_register(&mut scene, "004217");
    scene
}

fn lost(scene: &mut Number, input: CallInput, minute: i64) {
    let secret = match input.operation() {
        Operation::VerifyCode => Some("123456"),
        Operation::Register | Operation::SetPin => Some("004217"),
        _ => None,
    };
    made(scene, input, secret, CallOutcome::Unknown, minute);
}

/// An answer was lost to a registration.
fn unsure() -> Number {
    let mut scene = verified();
    lost(&mut scene, CallInput::Register, -5);
    scene
}

fn connected(scene: &mut Number) {
    shows(scene, &json!({}));
    scene.inputs.ledger.was_connected = true;
}

/// A code was sent, and an answer lost to its verification.
fn unsure_of_code() -> Number {
    let mut scene = verified();
    unregistered(&mut scene, "NOT_VERIFIED");
    coded(&mut scene, CallOutcome::Done(None), -5);
    lost(&mut scene, CallInput::VerifyCode, -2);
    scene.inputs.code = known("123456");
    scene
}

#[test]
fn a_registration_whose_answer_was_lost() {
    rows(
        unsure,
        &[
            ("no read counts yet", reads_lag, PENDING),
            ("one read is not enough", read_once, PENDING),
            ("two show that it did not happen: once more", |_| {}, "again register"),
            ("a read shows that it happened", connected, "settle register happened"),
            (
                "also one that would not count",
                |scene| {
                    connected(scene);
                    reads_lag(scene);
                },
                "settle register happened",
            ),
            ("the second was lost too", |scene| lost(scene, CallInput::Register, -3), UNKNOWN),
            (
                "near the limit it is not tried again",
                |scene| {
                    (0..4).for_each(|n| {
                        made(scene, CallInput::Register, Some("004217"), refusal(133_004, Some(0)), n - 60);
                    });
                    lost(scene, CallInput::Register, -3);
                },
                UNKNOWN,
            ),
            (
                "Meta wants a pause",
                |scene| scene.inputs.held_back = Some("pause".into()),
                "PINRequired False/HeldBack Reconciling",
            ),
            ("the clock is wrong", clock_is_wrong, "PINRequired False/ClockSkewed Reconciling"),
            ("another PIN changes nothing", |scene| asks_to_register(scene, "555555"), "again register"),
            ("nobody wants it any more", |scene| scene.object.spec.registration = None, "settle register given up"),
            (
                "the line has come to another account",
                |scene| scene.inputs.ledger.intents[0].phone_number_id = Some("9".into()),
                "settle register given up",
            ),
            (
                "which proves nothing of this one",
                |scene| {
                    scene.inputs.ledger.intents[0].phone_number_id = Some("9".into());
                    connected(scene);
                },
                "settle register given up",
            ),
        ],
    );
}

#[test]
fn a_person_settles_what_nobody_else_can() {
    rows(
        unsure,
        &[
            ("by asking anew", |scene| asks(scene, Action::Register), "send register 004217 for register-at"),
            (
                "not before reads count",
                |scene| {
                    reads_lag(scene);
                    asks(scene, Action::Register);
                },
                "Registering False/OutcomePending Reconciling; waits register-at",
            ),
            (
                "nor with another PIN, before it is sure that the first is not in force",
                |scene| {
                    read_once(scene);
                    scene.inputs.pin = known("590218");
                    asks(scene, Action::Register);
                },
                "Registering False/OutcomePending Reconciling; waits register-at",
            ),
            (
                "what is shown needs nobody",
                |scene| {
                    connected(scene);
                    asks(scene, Action::Register);
                },
                "settle register happened",
            ),
            (
                "a word about something else waits",
                |scene| {
                    read_once(scene);
                    asks(scene, Action::ResetPin);
                    asks(scene, Action::RequestCode);
                },
                "Registering False/OutcomePending Reconciling; waits request-code-at; waits reset-pin-at",
            ),
            (
                "a word that cannot be acted on settles nothing",
                |scene| {
                    lost(scene, CallInput::Register, -3);
                    scene.inputs.ledger.attempts.insert(Operation::Register, vec![at(-1); 10]);
                    asks(scene, Action::Register);
                },
                "PINRequired False/OutcomeUnknown Stalled; ignored register-at",
            ),
        ],
    );
    rows(
        unsure_of_code,
        &[
            (
                "another code ends it",
                |scene| asks(scene, Action::RequestCode),
                "send requestCode SMS en_US for request-code-at",
            ),
            (
                "verified it is settled, and not passed over",
                |scene| {
                    unregistered(scene, "VERIFIED");
                    asks(scene, Action::RequestCode);
                },
                "settle verifyCode happened",
            ),
            (
                "without the block nothing is sent a second time",
                |scene| {
                    scene.object.spec.verification = None;
                    scene.inputs.now = at(20);
                    asks(scene, Action::RequestCode);
                },
                "settle verifyCode given up",
            ),
        ],
    );
}

#[test]
fn a_code_whose_answer_was_lost() {
    rows(
        unsure_of_code,
        &[
            ("two reads show that it was not taken: once more", |_| {}, "again verifyCode"),
            ("one read is not enough", read_once, "Unverified False/OutcomePending Reconciling"),
            ("verified", |scene| unregistered(scene, "VERIFIED"), "settle verifyCode happened"),
            ("connected", connected, "settle verifyCode happened"),
            ("not twice", |scene| lost(scene, CallInput::VerifyCode, -1), "settle verifyCode did not"),
            ("not after its life", |scene| scene.inputs.now = at(5), "settle verifyCode did not"),
        ],
    );
}

/// A ledger outlives its objects: the next one takes it over before anything else.
#[test]
fn a_ledger_passes_on_to_the_object_that_represents_the_number() {
    for (owner, serial, expected) in
        [("uid", 7, "Enabled True/Enabled"), ("another", 7, "note"), ("another", 0, "Enabled True/Enabled")]
    {
        let mut scene = number();
        connected(&mut scene);
        scene.inputs.ledger.was_connected = true;
        scene.inputs.ledger.serial = serial;
        owner.clone_into(&mut scene.inputs.ledger.owner.uid);
        assert_eq!(next(&mut scene), expected, "{owner} {serial}");
    }
}

#[test]
fn a_pin_whose_answer_was_lost_is_set_again() {
    let unsure: fn() -> Number = || {
        let mut scene = verified();
        lost(&mut scene, CallInput::SetPin { then_register: true }, -5);
        scene
    };
    rows(
        unsure,
        &[
            ("the same leads to the same", |_| {}, "again setPin"),
            ("one read is enough", read_once, "again setPin"),
            ("not at once", reads_lag, "PINRequired False/OutcomePending Reconciling"),
            ("a second time", |scene| lost(scene, CallInput::SetPin { then_register: true }, -4), "again setPin"),
            (
                "not for ever",
                |scene| {
                    lost(scene, CallInput::SetPin { then_register: true }, -4);
                    lost(scene, CallInput::SetPin { then_register: true }, -3);
                },
                UNKNOWN,
            ),
            ("a person begins anew", |scene| asks(scene, Action::ResetPin), "send setPin 004217 for reset-pin-at"),
        ],
    );
}

#[test]
fn what_another_process_was_at_is_left_alone_for_a_while() {
    for (input, phase) in [
        (CallInput::Register, "Registering"),
        (CallInput::VerifyCode, "PINRequired"),
        (CallInput::RegisterAgain, "PINRequired"),
        (CallInput::SetPin { then_register: true }, "PINRequired"),
        (CallInput::Deregister, "PINRequired"),
        (CallInput::RequestCode { method: CodeMethod::Sms, language: "en_US".into(), baseline: None }, "PINRequired"),
    ] {
        let operation = input.operation();
        let mut scene = verified();
        let id = begun(&mut scene, input, Some("004217"), -1);
        scene.inputs.foreign_call_grace.insert(id, Duration::from_secs(30));
        asks(&mut scene, Action::Register);
        let expected = format!("{phase} False/OutcomePending Reconciling; waits register-at");
        assert_eq!(next(&mut scene), expected, "{operation}");
        scene.inputs.foreign_call_grace.clear();
        assert_eq!(next(&mut scene), format!("settle {operation} lost"));
    }
}

#[test]
fn a_request_is_not_echoed_while_another_process_may_still_say_that_it_did_not_send() {
    let mut scene = verified();
    let id = begun(&mut scene, CallInput::SetPin { then_register: true }, Some("004217"), -1);
    // The ledger has it as handled; whoever takes it back leaves the request as if nobody had looked at it.
    scene.inputs.ledger.intents[0].action = Some("2026-05-01T12:00:00Z".to_owned());
    scene.inputs.foreign_call_grace.insert(id, Duration::from_secs(30));
    assert_eq!(next(&mut scene), "PINRequired False/OutcomePending Reconciling; waits reset-pin-at");
}

#[test]
fn nothing_is_called_for_a_number_that_nothing_can_be_done_for() {
    for (given, expected) in [
        (json!({"status": "DELETED"}), "NotFound False/Deleted Stalled"),
        (json!({"status": "MIGRATED"}), "NotFound False/Migrated Stalled"),
        (json!({"status": "BANNED"}), "Restricted False/Banned Stalled"),
        (json!({"platform_type": "ON_PREMISE"}), "Unknown False/NotPermitted Stalled"),
    ] {
        for registered in [true, false] {
            let mut given = given.clone();
            if !registered && given.get("platform_type").is_none() {
                given["platform_type"] = json!("NOT_APPLICABLE");
                given["code_verification_status"] = json!("NOT_VERIFIED");
            }
            let mut scene = verified();
            shows(&mut scene, &given);
            scene.inputs.ledger.was_connected = true;
            asks_for_callback(&mut scene);
            scene.object.spec.profile = Some(Profile { about: Some("we help".into()), ..Profile::default() });
            scene.inputs.profile = crate::kinds::whatsapp_number::inputs::ProfileRead::Due;
            assert_eq!(next(&mut scene), expected, "{given}");
            asks(&mut scene, Action::Register);
            asks(&mut scene, Action::RequestCode);
            asks(&mut scene, Action::ResetPin);
            let ignored = "; ignored request-code-at; ignored register-at; ignored reset-pin-at";
            assert_eq!(next(&mut scene), format!("{expected}{ignored}"), "{given}");
            if !registered {
                lost(&mut scene, CallInput::Register, -5);
                assert!(next(&mut scene).starts_with(expected) || given["platform_type"] == "ON_PREMISE", "{given}");
            }
        }
    }
}

#[test]
fn a_number_in_the_business_app_is_not_touched_on_its_ladder() {
    for (given, expected) in [
        (json!({"is_on_biz_app": true}), "Enabled True/Enabled"),
        (
            json!({"is_on_biz_app": true, "status": "PENDING", "platform_type": "NOT_APPLICABLE",
                "code_verification_status": "NOT_VERIFIED"}),
            "Unverified False/NotPermitted Stalled",
        ),
    ] {
        let mut scene = verified();
        shows(&mut scene, &given);
        scene.inputs.ledger.was_connected = true;
        asks(&mut scene, Action::Register);
        assert_eq!(next(&mut scene), format!("{expected}; ignored register-at"));
    }
}

#[test]
fn a_wish_for_a_new_token_is_passed_on_only_to_an_app_that_lets_this_object_in() {
    let wishes: fn() -> Number = || {
        let mut scene = verified();
        asks(&mut scene, Action::RefreshToken);
        scene
    };
    rows(
        wishes,
        &[
            ("passed on", |_| {}, "forward"),
            (
                "also when it is the token that is dead",
                |scene| scene.link = AppReference::Expired(WHY.into()),
                "forward",
            ),
            (
                "not into a namespace that does not let it in",
                |scene| scene.link = AppReference::NotAllowed,
                "Pending Unknown/AppNotAllowed; ignored refresh-token-at",
            ),
            (
                "not to nobody",
                |scene| scene.link = AppReference::Missing,
                "Pending Unknown/AppNotFound; ignored refresh-token-at",
            ),
            (
                "not while suspended",
                |scene| scene.object.spec.suspend = true,
                "Suspended Unknown/Suspended Suspended; ignored refresh-token-at",
            ),
        ],
    );
}

#[test]
fn requests_wait_where_meta_is_not_seen_and_are_ignored_where_they_cannot_be() {
    let asked: fn() -> Number = || {
        let mut scene = verified();
        asks(&mut scene, Action::Register);
        scene
    };
    rows(
        asked,
        &[
            (
                "suspended",
                |scene| scene.object.spec.suspend = true,
                "Suspended Unknown/Suspended Suspended; ignored register-at",
            ),
            (
                "a rival",
                |scene| scene.competing_object = Some("x".into()),
                "Conflict False/Conflict Stalled; ignored register-at",
            ),
            (
                "a dead token",
                |scene| scene.link = AppReference::Expired(WHY.into()),
                "ExpiredToken False/ExpiredToken Stalled; waits register-at",
            ),
            (
                "the app cannot read",
                |scene| scene.link = AppReference::NotReady("x".into()),
                "Pending Unknown/AppNotReady; waits register-at",
            ),
            ("stale", Number::goes_stale, "Pending Unknown/Stale; waits register-at"),
            (
                "a spec that cannot be",
                |scene| scene.object.spec.time_zone = Some("Mars/Base".into()),
                "Pending False/InvalidSpec Stalled; waits register-at",
            ),
            (
                "no such number",
                |scene| scene.lacks(Duration::from_mins(1)),
                "NotFound False/NotFound Stalled; ignored register-at",
            ),
            (
                "a damaged ledger",
                |scene| scene.inputs.blocker = Some(unusable()),
                "PINRequired False/LedgerUnusable Stalled; waits register-at",
            ),
            ("a wrong clock", clock_is_wrong, "PINRequired False/ClockSkewed Reconciling; waits register-at"),
        ],
    );
}

#[test]
fn a_deregistration_that_nobody_wants_any_more_is_not_made_for_the_next_object() {
    let kept: fn() -> Number = || {
        let mut scene = number();
        connected(&mut scene);
        lost(&mut scene, CallInput::Deregister, -5);
        scene
    };
    rows(
        kept,
        &[
            ("no read counts yet", reads_lag, "Enabled False/OutcomePending Reconciling"),
            ("one read is not enough", read_once, "Enabled False/OutcomePending Reconciling"),
            ("two show that it did not happen", |_| {}, "settle deregister given up"),
            ("whatever is asked for", |scene| asks_to_register(scene, "004217"), "settle deregister given up"),
            ("a read shows that it happened", |scene| unregistered(scene, "VERIFIED"), "settle deregister happened"),
        ],
    );
}

#[test]
fn that_a_number_works_is_written_down_where_anything_is() {
    let works: fn() -> Number = || {
        let mut scene = number();
        shows(&mut scene, &json!({}));
        scene
    };
    rows(
        works,
        &[
            ("nothing was ever called for it", |_| {}, "Enabled True/Enabled"),
            ("a ledger is there", |scene| scene.inputs.ledger.serial = 1, "note"),
            (
                "which says so",
                |scene| {
                    scene.inputs.ledger.serial = 1;
                    scene.inputs.ledger.was_connected = true;
                },
                "Enabled True/Enabled",
            ),
        ],
    );
}
