//! Calls whose outcome is unknown: what reads show, when the operator repeats a call, and when a person decides.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use serde_json::json;

use super::fixtures::{
    Number, asks, asks_to_register, asks_to_verify, at, begun, clock_is_wrong, coded, known, made, next, number,
    read_once, reads_lag, refusal, rows, shows, unregistered, verified,
};
use crate::{
    api::{Action, CodeMethod},
    calls::{CallInput, Operation},
    ledger::CallOutcome,
};

const PENDING: &str = "Registering False/OutcomePending Reconciling";
const UNKNOWN: &str = "PINRequired False/OutcomeUnknown Stalled";

/// The call got no reply.
fn lost(scene: &mut Number, input: CallInput, minute: i64) {
    let secret = match input.operation() {
        Operation::VerifyCode => Some("123456"),
        Operation::Register | Operation::SetPin => Some("004217"),
        _ => None,
    };
    made(scene, input, secret, CallOutcome::Unknown, minute);
}

/// A registration got no reply.
fn unsure() -> Number {
    let mut scene = verified();
    lost(&mut scene, CallInput::Register, -5);
    scene
}

fn connects(scene: &mut Number) {
    shows(scene, &json!({}));
    scene.inputs.ledger.was_connected = true;
}

/// A code was sent, and its verification got no reply.
fn unsure_of_code() -> Number {
    let mut scene = verified();
    asks_to_verify(&mut scene);
    unregistered(&mut scene, "NOT_VERIFIED");
    coded(&mut scene, CallOutcome::Done(None), -5);
    lost(&mut scene, CallInput::VerifyCode, -2);
    scene.inputs.code = known("123456");
    scene
}

#[test]
fn a_registration_without_a_reply() {
    rows(
        unsure,
        &[
            ("no read counts yet", reads_lag, PENDING),
            ("one read is not enough", read_once, PENDING),
            ("two reads show that it did not happen: repeated", |_| {}, "again register"),
            ("a read shows that it happened", connects, "settle register happened"),
            (
                "even a read that does not count yet",
                |scene| {
                    connects(scene);
                    reads_lag(scene);
                },
                "settle register happened",
            ),
            ("the second got no reply either", |scene| lost(scene, CallInput::Register, -3), UNKNOWN),
            (
                "near the limit it is not repeated",
                |scene| {
                    (0..4).for_each(|n| {
                        made(scene, CallInput::Register, Some("004217"), refusal(133_004, Some(0)), n - 60);
                    });
                    lost(scene, CallInput::Register, -3);
                },
                UNKNOWN,
            ),
            (
                "Meta requires a pause",
                |scene| scene.inputs.held_back = Some("pause".into()),
                "PINRequired False/HeldBack Reconciling",
            ),
            ("the clock is wrong", clock_is_wrong, "PINRequired False/ClockSkewed Reconciling"),
            ("another PIN changes nothing", |scene| asks_to_register(scene, "555555"), "again register"),
            ("the block is removed", |scene| scene.object.spec.registration = None, "settle register given up"),
            (
                "the number moved to another account",
                |scene| scene.inputs.ledger.intents[0].phone_number_id = Some("9".into()),
                "settle register given up",
            ),
            (
                "which proves nothing about this call",
                |scene| {
                    scene.inputs.ledger.intents[0].phone_number_id = Some("9".into());
                    connects(scene);
                },
                "settle register given up",
            ),
        ],
    );
}

#[test]
fn a_person_settles_an_unknown_outcome() {
    rows(
        unsure,
        &[
            ("by a new request", |scene| asks(scene, Action::Register), "send register 004217 for register-at"),
            (
                "not before a read counts",
                |scene| {
                    reads_lag(scene);
                    asks(scene, Action::Register);
                },
                "Registering False/OutcomePending Reconciling; waits register-at",
            ),
            (
                "nor with another PIN while the first may be in force",
                |scene| {
                    read_once(scene);
                    scene.inputs.pin = known("590218");
                    asks(scene, Action::Register);
                },
                "Registering False/OutcomePending Reconciling; waits register-at",
            ),
            (
                "a result that Meta shows needs no person",
                |scene| {
                    connects(scene);
                    asks(scene, Action::Register);
                },
                "settle register happened",
            ),
            (
                "a request for something else waits",
                |scene| {
                    read_once(scene);
                    asks(scene, Action::ResetPin);
                    asks(scene, Action::RequestCode);
                },
                "Registering False/OutcomePending Reconciling; waits request-code-at; waits reset-pin-at",
            ),
            (
                "a request that cannot be acted on settles nothing",
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
                "a code that Meta accepted is settled first",
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
fn a_submitted_code_without_a_reply() {
    rows(
        unsure_of_code,
        &[
            ("two reads show that it was not accepted: repeated", |_| {}, "again verifyCode"),
            ("one read is not enough", read_once, "Unverified False/OutcomePending Reconciling"),
            ("verified", |scene| unregistered(scene, "VERIFIED"), "settle verifyCode happened"),
            ("connected", connects, "settle verifyCode happened"),
            ("not a second time", |scene| lost(scene, CallInput::VerifyCode, -1), "settle verifyCode did not"),
            ("not after it expired", |scene| scene.inputs.now = at(5), "settle verifyCode did not"),
        ],
    );
}

#[test]
fn a_pin_without_a_reply_is_set_again() {
    let unsure: fn() -> Number = || {
        let mut scene = verified();
        lost(&mut scene, CallInput::SetPin { then_register: true }, -5);
        scene
    };
    rows(
        unsure,
        &[
            ("repeating it has the same effect", |_| {}, "again setPin"),
            ("one read is enough", read_once, "again setPin"),
            ("not at once", reads_lag, "PINRequired False/OutcomePending Reconciling"),
            ("a second time", |scene| lost(scene, CallInput::SetPin { then_register: true }, -4), "again setPin"),
            (
                "not a third time",
                |scene| {
                    lost(scene, CallInput::SetPin { then_register: true }, -4);
                    lost(scene, CallInput::SetPin { then_register: true }, -3);
                },
                UNKNOWN,
            ),
            (
                "a person requests it again",
                |scene| asks(scene, Action::ResetPin),
                "send setPin 004217 for reset-pin-at",
            ),
        ],
    );
}

#[test]
fn a_call_of_another_process_is_left_alone_for_a_while() {
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
fn a_request_is_not_acknowledged_while_another_process_may_not_have_sent_it() {
    let mut scene = verified();
    let id = begun(&mut scene, CallInput::SetPin { then_register: true }, Some("004217"), -1);
    // The ledger has it as handled; if the other process did not send it, the request is open again.
    scene.inputs.ledger.intents[0].action = Some("2026-05-01T12:00:00Z".to_owned());
    scene.inputs.foreign_call_grace.insert(id, Duration::from_secs(30));
    assert_eq!(next(&mut scene), "PINRequired False/OutcomePending Reconciling; waits reset-pin-at");
}

#[test]
fn a_deregistration_is_not_repeated_for_the_next_object() {
    let kept: fn() -> Number = || {
        let mut scene = number();
        connects(&mut scene);
        lost(&mut scene, CallInput::Deregister, -5);
        scene
    };
    rows(
        kept,
        &[
            ("no read counts yet", reads_lag, "Enabled False/OutcomePending Reconciling"),
            ("one read is not enough", read_once, "Enabled False/OutcomePending Reconciling"),
            ("two reads show that it did not happen", |_| {}, "settle deregister given up"),
            ("also with spec.registration", |scene| asks_to_register(scene, "004217"), "settle deregister given up"),
            ("a read shows that it happened", |scene| unregistered(scene, "VERIFIED"), "settle deregister happened"),
        ],
    );
}
