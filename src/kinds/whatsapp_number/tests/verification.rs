//! One code, sent once; each new value that a person brings is tried once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::json;

use super::fixtures::{
    Number, asks, asks_to_register, asks_to_verify, at, bad, clock_is_wrong, coded, facts, fingerprint, known, made,
    missing, next, read_once, reads_lag, refusal, rows, shows, unregistered, unusable,
};
use crate::kinds::whatsapp_number::inputs::{SecretRead, Step};
use crate::{
    api::{Action, CodeMethod, ManagementPolicy, Verification},
    calls::CallInput,
    controller::plan::Plan,
    graph::codes,
    ledger::{CallOutcome, Refusal},
};

const SEND: &str = "send requestCode SMS en_US";
const AWAITS: &str = "AwaitingCode False/AwaitingCode Reconciling";
const WRONG: &str = "AwaitingCode False/WrongCode Reconciling";
const EXPIRED: &str = "Unverified False/CodeExpired Stalled";

/// Not verified, with `spec.verification`.
fn unverified() -> Number {
    let mut scene = super::fixtures::number();
    unregistered(&mut scene, "NOT_VERIFIED");
    asks_to_verify(&mut scene);
    scene
}

/// A code was sent five minutes ago.
fn awaiting() -> Number {
    let mut scene = unverified();
    coded(&mut scene, CallOutcome::Done(None), -5);
    scene
}

/// Meta refused for good, with a subcode.
fn refused_with(code: u32, subcode: u32) -> CallOutcome {
    let CallOutcome::Refused(refusal) = refusal(code, None) else { panic!("it was refused") };
    CallOutcome::Refused(Refusal { subcode: Some(subcode), ..refusal })
}

#[test]
fn a_code_is_sent_where_a_block_asks_for_it_and_none_was_sent() {
    rows(
        unverified,
        &[
            ("the first code", |_| {}, SEND),
            (
                "by a call, in another language",
                |scene| {
                    let language = Some("fr_FR".to_owned());
                    scene.object.spec.verification =
                        Some(Verification { method: CodeMethod::Voice, language, code_ref: None });
                },
                "send requestCode Voice fr_FR",
            ),
            ("no block, no code", |scene| scene.object.spec.verification = None, "Unverified True/Adopted"),
            (
                "a registration alone sends none",
                |scene| {
                    scene.object.spec.verification = None;
                    asks_to_register(scene, "004217");
                },
                "Unverified False/NotVerified Stalled",
            ),
            (
                "Observe sends none",
                |scene| scene.object.spec.management_policy = ManagementPolicy::Observe,
                "Unverified True/Adopted",
            ),
            (
                "a verification that lapsed sends none",
                |scene| unregistered(scene, "EXPIRED"),
                "Unverified False/VerificationExpired Stalled",
            ),
            (
                "a word of tomorrow sends none",
                |scene| {
                    shows(
                        scene,
                        &json!({"status": "UNVERIFIED", "platform_type": "NOT_APPLICABLE", "code_verification_status": "SOON"}),
                    );
                },
                "Unverified True/Adopted",
            ),
            (
                "Meta's own word for unverified",
                |scene| {
                    shows(
                        scene,
                        &json!({"status": "UNVERIFIED", "platform_type": "NOT_APPLICABLE", "code_verification_status": "NOT_VERIFIED"}),
                    );
                },
                SEND,
            ),
            ("a verified number needs none", |scene| unregistered(scene, "VERIFIED"), "PINRequired True/Adopted"),
            (
                "nor does one that is connected, whatever Meta shows of its verification",
                |scene| shows(scene, &json!({"code_verification_status": "NOT_VERIFIED"})),
                "Enabled True/Enabled",
            ),
            (
                "what the Secret holds must be known before: it is not the code",
                |scene| scene.inputs.code = SecretRead::Unread,
                "Unverified False/SecretUnreadable Reconciling",
            ),
            ("not before reads show the last call", reads_lag, "open: a fresh read"),
            (
                "not while Meta wants a pause",
                |scene| scene.inputs.held_back = Some("pause".into()),
                "Unverified False/HeldBack Reconciling",
            ),
            ("not with a wrong clock", clock_is_wrong, "Unverified False/ClockSkewed Reconciling"),
            (
                "not without a memory",
                |scene| scene.inputs.blocker = Some(unusable()),
                "Unverified False/LedgerUnusable Stalled",
            ),
        ],
    );
}

#[test]
fn what_the_secret_held_before_is_not_the_code() {
    for (code, expected, reason) in [
        (missing("none"), None, "nothing"),
        (known("111111"), Some(fingerprint("111111")), "an old code"),
        (bad("12-34"), Some(fingerprint("12-34")), "something that is no code"),
    ] {
        let mut scene = unverified();
        scene.inputs.code = code;
        let Plan::Step(Step::Send { input: CallInput::RequestCode { baseline, .. }, .. }) = scene.plan() else {
            panic!("{reason}")
        };
        assert_eq!(baseline, expected, "{reason}");
    }
}

#[test]
fn a_new_value_is_tried_once_while_the_code_lives() {
    rows(
        awaiting,
        &[
            ("nothing there yet", |_| {}, AWAITS),
            ("what was there before", |scene| scene.inputs.code = known("000000"), AWAITS),
            ("a new value", |scene| scene.inputs.code = known("123456"), "send verifyCode 123456"),
            (
                "the answer to the code's request was lost: it was probably sent",
                |scene| {
                    coded(scene, CallOutcome::Unknown, -5);
                    scene.inputs.code = known("123456");
                },
                "send verifyCode 123456",
            ),
            (
                "a wrong one is not tried again",
                |scene| {
                    scene.inputs.code = known("123456");
                    made(scene, CallInput::VerifyCode, Some("123456"), refusal(136_025, None), -1);
                },
                WRONG,
            ),
            (
                "nor an earlier one that comes back",
                |scene| {
                    for (code, minute) in [("123456", -3), ("654321", -2)] {
                        made(scene, CallInput::VerifyCode, Some(code), refusal(136_025, None), minute);
                    }
                    scene.inputs.code = known("123456");
                },
                WRONG,
            ),
            (
                "the next one is",
                |scene| {
                    made(scene, CallInput::VerifyCode, Some("123456"), refusal(136_025, None), -1);
                    scene.inputs.code = known("654321");
                },
                "send verifyCode 654321",
            ),
            (
                "Meta is waiting for no code: every value would be wrong",
                |scene| {
                    scene.inputs.code = known("654321");
                    made(scene, CallInput::VerifyCode, Some("123456"), refused_with(100, codes::NO_CODE_PENDING), -1);
                },
                EXPIRED,
            ),
            (
                "until another code is sent",
                |scene| {
                    made(scene, CallInput::VerifyCode, Some("123456"), refused_with(100, codes::NO_CODE_PENDING), -2);
                    coded(scene, CallOutcome::Done(None), -1);
                },
                AWAITS,
            ),
            (
                "one that Meta did not look at waits",
                |scene| {
                    scene.inputs.code = known("123456");
                    made(scene, CallInput::VerifyCode, Some("123456"), refusal(4, Some(2)), -1);
                },
                "AwaitingCode False/HeldBack Reconciling",
            ),
            (
                "and is tried again",
                |scene| {
                    scene.inputs.code = known("123456");
                    made(scene, CallInput::VerifyCode, Some("123456"), refusal(4, Some(0)), -1);
                },
                "send verifyCode 123456",
            ),
            (
                "not six digits",
                |scene| scene.inputs.code = bad("12345"),
                "AwaitingCode False/SecretValueInvalid Reconciling",
            ),
            ("what is no code was there before", |scene| scene.inputs.code = bad("000000"), AWAITS),
            (
                "unreadable",
                |scene| scene.inputs.code = SecretRead::Unread,
                "Unverified False/SecretUnreadable Reconciling",
            ),
            (
                "after its life no value is tried",
                |scene| {
                    scene.inputs.code = known("123456");
                    scene.inputs.now = at(5);
                },
                EXPIRED,
            ),
        ],
    );
}

#[test]
fn no_second_code_is_sent_by_itself() {
    rows(
        awaiting,
        &[
            (
                "not for another method",
                |scene| scene.edit(|number| number.spec.verification.as_mut().unwrap().method = CodeMethod::Voice),
                AWAITS,
            ),
            ("not because the first one is no longer valid", |scene| scene.inputs.now = at(6), EXPIRED),
            ("not because it was long ago", |scene| scene.inputs.now = at(100_000), EXPIRED),
            (
                "not because a verification lapsed",
                |scene| {
                    made(scene, CallInput::VerifyCode, Some("123456"), CallOutcome::Done(None), -4);
                    unregistered(scene, "EXPIRED");
                    scene.inputs.now = at(20_000);
                },
                EXPIRED,
            ),
            ("not because an answer was lost", |scene| coded(scene, CallOutcome::Unknown, -20), EXPIRED),
            ("not because reads lag", reads_lag, AWAITS),
        ],
    );
    rows(
        unverified,
        &[
            (
                "Meta refused: a person has to look",
                |scene| coded(scene, refusal(136_024, None), -1),
                "Unverified False/CodeNotSent Stalled",
            ),
            (
                "Meta wants a pause",
                |scene| coded(scene, refusal(4, Some(5)), -1),
                "Unverified False/CodeNotSent Reconciling",
            ),
            ("the pause is over, and no code was sent", |scene| coded(scene, refusal(4, Some(0)), -1), SEND),
            (
                "another method is no reason to ask again",
                |scene| {
                    coded(scene, refusal(136_024, None), -1);
                    scene.edit(|number| number.spec.verification.as_mut().unwrap().method = CodeMethod::Voice);
                },
                "Unverified False/CodeNotSent Stalled",
            ),
        ],
    );
}

#[test]
fn another_code_that_was_not_sent_is_reported() {
    rows(
        awaiting,
        &[
            (
                "the last one is no longer good",
                |scene| {
                    coded(scene, CallOutcome::Done(None), -30);
                    coded(scene, refusal(136_024, None), -1);
                },
                "Unverified False/CodeNotSent Stalled",
            ),
            ("the last one still is", |scene| coded(scene, refusal(136_024, None), -1), AWAITS),
            ("nobody knows how long, by a wrong clock", clock_is_wrong, "Unverified False/ClockSkewed Reconciling"),
            (
                "Meta wants a pause",
                |scene| {
                    coded(scene, CallOutcome::Done(None), -30);
                    coded(scene, refusal(80_007, Some(5)), -1);
                },
                "Unverified False/CodeNotSent Stalled",
            ),
            (
                "the pause is over, and nobody waits for a code any more",
                |scene| {
                    coded(scene, CallOutcome::Done(None), -1500);
                    coded(scene, refusal(80_007, Some(-1)), -1400);
                },
                "Unverified False/CodeNotSent Stalled",
            ),
        ],
    );
}

#[test]
fn a_person_has_another_code_sent() {
    rows(
        awaiting,
        &[
            ("at any time", |scene| asks(scene, Action::RequestCode), "send requestCode SMS en_US for request-code-at"),
            (
                "also when the first is over",
                |scene| {
                    scene.inputs.now = at(60);
                    asks(scene, Action::RequestCode);
                },
                "send requestCode SMS en_US for request-code-at",
            ),
            (
                "also when the verification lapsed",
                |scene| {
                    unregistered(scene, "EXPIRED");
                    asks(scene, Action::RequestCode);
                },
                "send requestCode SMS en_US for request-code-at",
            ),
            (
                "not without the block",
                |scene| {
                    scene.object.spec.verification = None;
                    asks(scene, Action::RequestCode);
                },
                "Unverified True/Adopted; ignored request-code-at",
            ),
            (
                "not for a verified one",
                |scene| {
                    unregistered(scene, "VERIFIED");
                    asks(scene, Action::RequestCode);
                },
                "PINRequired True/Adopted; ignored request-code-at",
            ),
            (
                "not for a connected one",
                |scene| {
                    scene.shows(facts(&json!({})));
                    asks(scene, Action::RequestCode);
                },
                "Enabled True/Enabled; ignored request-code-at",
            ),
            (
                "not under Observe",
                |scene| {
                    scene.object.spec.management_policy = ManagementPolicy::Observe;
                    asks(scene, Action::RequestCode);
                },
                "Unverified True/Adopted; ignored request-code-at",
            ),
            (
                "it waits for a fresh read",
                |scene| {
                    reads_lag(scene);
                    asks(scene, Action::RequestCode);
                },
                "open: a fresh read",
            ),
            (
                "and for Meta",
                |scene| {
                    scene.inputs.held_back = Some("pause".into());
                    asks(scene, Action::RequestCode);
                },
                "Unverified False/HeldBack Reconciling; waits request-code-at",
            ),
        ],
    );
}

#[test]
fn what_meta_has_just_said_counts_until_reads_show_it() {
    let verified = |scene: &mut Number, minute| {
        asks_to_register(scene, "004217");
        made(scene, CallInput::VerifyCode, Some("123456"), CallOutcome::Done(None), minute);
        read_once(scene);
    };
    let mut scene = awaiting();
    verified(&mut scene, 0);
    assert_eq!(next(&mut scene), "send register 004217", "Meta said that it is verified");
    let mut scene = awaiting();
    verified(&mut scene, 0);
    reads_lag(&mut scene);
    assert_eq!(next(&mut scene), "Registering False/Registering Reconciling", "reported at once");
    assert_eq!(next(&mut scene), "open: a fresh read", "and not reported twice");
    scene.object.spec.registration = None;
    assert_eq!(next(&mut scene), "PINRequired False/Settling Reconciling", "nor is it taken for unverified");
    let mut scene = awaiting();
    verified(&mut scene, -100);
    coded(&mut scene, CallOutcome::Done(None), 0);
    assert_eq!(next(&mut scene), AWAITS, "who is sent a code is not verified any more");
    let mut scene = unverified();
    coded(&mut scene, CallOutcome::Done(None), -100_001);
    verified(&mut scene, -100_000);
    let callback = CallInput::SetWebhook { url: "https://a.example".into(), again: false };
    made(&mut scene, callback, None, CallOutcome::Unknown, 0);
    unregistered(&mut scene, "EXPIRED");
    assert_eq!(next(&mut scene), EXPIRED, "a verification of long ago is not made young by another call");
}

#[test]
fn messages_name_the_secret_and_the_command() {
    let mut scene = awaiting();
    next(&mut scene);
    let message = scene.message("Ready");
    assert!(message.contains("Secret support-fr-code, key code") && message.contains("kubectl -n cc"), "{message}");
    scene.inputs.now = at(6);
    next(&mut scene);
    assert!(
        scene.message("Ready").contains("annotate wan support-fr --overwrite waba.dev/request-code-at="),
        "{}",
        scene.message("Ready")
    );
}
