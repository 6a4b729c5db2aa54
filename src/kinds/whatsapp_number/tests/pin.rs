//! The PIN: named, created or waited for; set on request; and whether the Secret has the one in force.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::json;

use super::fixtures::{
    Number, asks, at, bad, connected, fingerprint, made, missing, next, refusal, registered, rows, shows, verified,
};
use crate::kinds::whatsapp_number::inputs::SecretRead;
use crate::{
    api::{Action, ManagementPolicy, Registration, SecretKeyRef},
    calls::CallInput,
    ledger::CallOutcome,
};

const REGISTER: &str = "send register 004217";
const PIN_UNKNOWN: &str = "PINRequired False/PINUnknown Stalled";

fn has_pin(scene: &mut Number) {
    shows(scene, &json!({"status": "DISCONNECTED", "platform_type": "NOT_APPLICABLE", "is_pin_enabled": true}));
}

fn names_a_secret(scene: &mut Number) {
    let pin_ref = SecretKeyRef { name: "our-pins".to_owned(), key: "support-fr".to_owned() };
    scene.object.spec.registration = Some(Registration { pin_ref: Some(pin_ref) });
    scene.inputs.pin = missing("our-pins");
}

#[test]
fn the_pin_is_there_is_made_or_is_waited_for() {
    rows(
        verified,
        &[
            ("none is named, and Meta has none", |scene| scene.inputs.pin = missing("none"), "make a PIN"),
            (
                "Meta has one that the operator does not have",
                |scene| {
                    scene.inputs.pin = missing("none");
                    has_pin(scene);
                },
                PIN_UNKNOWN,
            ),
            (
                "Meta has one that the ledger knows",
                |scene| {
                    scene.inputs.pin = missing("none");
                    has_pin(scene);
                    scene.inputs.ledger.pin = Some("004217".into());
                },
                "make a PIN",
            ),
            ("Meta has one, and a person has named one", has_pin, REGISTER),
            ("a named one is waited for", names_a_secret, "PINRequired False/SecretNotFound Stalled"),
            ("not six digits", |scene| scene.inputs.pin = bad("12345"), "PINRequired False/SecretValueInvalid Stalled"),
            (
                "somebody else's Secret has its name",
                |scene| scene.inputs.pin_taken = true,
                "PINRequired False/SecretNameTaken Stalled",
            ),
            (
                "unreadable",
                |scene| scene.inputs.pin = SecretRead::Unread,
                "PINRequired False/SecretUnreadable Reconciling",
            ),
        ],
    );
}

#[test]
fn a_pin_is_set_when_a_person_asks() {
    fn asks_reset(scene: &mut Number) {
        asks(scene, Action::ResetPin);
    }
    const SET: &str = "send setPin 004217 for reset-pin-at";
    rows(
        verified,
        &[
            ("the Secret's", asks_reset, SET),
            (
                "none yet: any will do, whatever Meta has",
                |scene| {
                    scene.inputs.pin = missing("none");
                    has_pin(scene);
                    asks_reset(scene);
                },
                "make a PIN",
            ),
            (
                "a named one has to be there",
                |scene| {
                    names_a_secret(scene);
                    asks_reset(scene);
                },
                "PINRequired False/SecretNotFound Stalled; ignored reset-pin-at",
            ),
            (
                "after a refusal",
                |scene| {
                    registered(scene, refusal(133_005, None), -1);
                    asks_reset(scene);
                },
                SET,
            ),
            (
                "then it is registered",
                |scene| {
                    registered(scene, refusal(133_005, None), -2);
                    made(scene, CallInput::SetPin { then_register: true }, Some("004217"), CallOutcome::Done(None), -1);
                },
                REGISTER,
            ),
            (
                "unreadable: it waits",
                |scene| {
                    scene.inputs.pin = SecretRead::Unread;
                    asks_reset(scene);
                },
                "PINRequired False/SecretUnreadable Reconciling; waits reset-pin-at",
            ),
            (
                "no block",
                |scene| {
                    scene.object.spec.registration = None;
                    asks_reset(scene);
                },
                "PINRequired True/Adopted; ignored reset-pin-at",
            ),
            (
                "somebody else's Secret",
                |scene| {
                    scene.inputs.pin_taken = true;
                    asks_reset(scene);
                },
                "PINRequired False/SecretNameTaken Stalled; ignored reset-pin-at",
            ),
        ],
    );
    let mut scene = connected();
    asks_reset(&mut scene);
    assert_eq!(next(&mut scene), SET, "on a connected number too");
}

#[test]
fn whether_the_pin_in_the_secret_is_the_one_in_force() {
    type Change = fn(&mut Number);
    let cases: [(&str, Change, Option<&str>); 8] = [
        ("no block", |scene| scene.object.spec.registration = None, None),
        ("never used", |_| {}, Some("Unknown/PINUnknown")),
        ("in force", |scene| scene.inputs.ledger.pin = Some("004217".into()), Some("True/PINSynced")),
        ("another one is", |scene| scene.inputs.ledger.pin = Some("111111".into()), Some("False/PINDiffers")),
        (
            "a person deleted a Secret of their own",
            |scene| {
                scene.object.spec.registration = Some(Registration { pin_ref: Some(SecretKeyRef::default()) });
                scene.inputs.ledger.pin = Some("111111".into());
                scene.inputs.pin = missing("gone");
            },
            Some("False/SecretNotFound"),
        ),
        ("not six digits", |scene| scene.inputs.pin = bad("x"), Some("False/SecretValueInvalid")),
        ("somebody else's", |scene| scene.inputs.pin_taken = true, Some("False/SecretNameTaken")),
        ("Observe", |scene| scene.object.spec.management_policy = ManagementPolicy::Observe, None),
    ];
    for (reason, change, expected) in cases {
        let mut scene = connected();
        change(&mut scene);
        next(&mut scene);
        assert_eq!(scene.condition("PINSynced").as_deref(), expected, "{reason}");
    }
    let mut scene = connected();
    scene.inputs.ledger.pin = Some("111111".into());
    scene.inputs.pin = missing("gone");
    assert_eq!(next(&mut scene), "make a PIN", "a person deleted the one that was made: it comes back");
    let mut scene = verified();
    registered(&mut scene, refusal(133_005, None), -1);
    assert_eq!(scene.inputs.ledger.refusals.values().next().unwrap().inputs, fingerprint("004217"));
    next(&mut scene);
    assert_eq!(scene.condition("PINSynced").as_deref(), Some("False/PINRefused"));
    assert!(scene.message("Ready").contains("waba.dev/reset-pin-at="), "{}", scene.message("Ready"));
}

/// What the status reports while Meta requires a pause after guessed PINs.
#[test]
fn a_pause_for_guessed_pins_tells_until_when() {
    for code in [133_008, 133_009] {
        let mut scene = verified();
        made(&mut scene, CallInput::Register, Some("004217"), refusal(code, Some(60)), -1);
        scene.inputs.ledger.serial = 1;
        assert_eq!(next(&mut scene), "PINRequired False/RegistrationRefused Reconciling");
        assert!(scene.message("Ready").contains("at 2026-11-22T11:00:00Z"), "{}", scene.message("Ready"));
        let status = scene.object.status.as_ref().unwrap();
        let until = status.registration.as_ref().unwrap().blocked_until.as_ref().map(|until| until.0);
        assert_eq!(until, Some(at(60)));
        scene.inputs.now = at(60);
        assert_eq!(next(&mut scene), "send register 004217");
    }
}

/// Where the number had no PIN at Meta, the registration has put one in force.
#[test]
fn a_lost_reply_to_a_registration_under_a_new_name_leaves_the_pin_unknown() {
    for (in_force, expected) in [("111111", "Unknown/PINUnknown"), ("004217", "True/PINSynced")] {
        let mut scene = connected();
        scene.inputs.ledger.pin = Some(in_force.into());
        scene.inputs.pin = super::fixtures::known("004217");
        made(&mut scene, CallInput::RegisterAgain, Some("004217"), CallOutcome::Unknown, -5);
        next(&mut scene);
        assert_eq!(scene.condition("PINSynced").as_deref(), Some(expected), "{in_force}");
        assert_eq!(scene.inputs.ledger.pin_to_keep(), Some(&"004217".into()), "a deleted Secret comes back as it was");
    }
}

/// Once a call got no reply, it is unknown whether its PIN is in force.
#[test]
fn a_refusal_says_nothing_of_the_time_before() {
    let set = || CallInput::SetPin { then_register: false };
    let mut scene = connected();
    scene.inputs.ledger.pin = Some("111111".into());
    made(&mut scene, set(), Some("004217"), CallOutcome::Unknown, -5);
    assert_eq!(next(&mut scene), "again setPin");
    made(&mut scene, set(), Some("004217"), refusal(4, Some(60)), -4);
    assert_eq!(next(&mut scene), "Enabled False/OutcomePending Reconciling");
    assert_eq!(scene.condition("PINSynced").as_deref(), Some("Unknown/PINUnknown"));
    scene.inputs.now = at(61);
    assert_eq!(next(&mut scene), "again setPin");
    made(&mut scene, set(), Some("004217"), refusal(100, None), 61);
    assert_eq!(next(&mut scene), "Enabled False/OutcomeUnknown Stalled");
    let message = scene.message("Ready");
    assert!(message.contains("a refusal to the last (Meta refused with 100)"), "{message}");
    assert!(message.contains("waba.dev/reset-pin-at="), "{message}");
}

#[test]
fn a_refused_pin_change_is_reported() {
    type Change = fn(&mut Number);
    let cases: [(&str, Change, &str, &str); 5] = [
        (
            "another one is in force",
            |scene| {
                shows(scene, &json!({}));
                scene.inputs.ledger.was_connected = true;
                scene.inputs.ledger.pin = Some("111111".into());
            },
            "PINSynced",
            "False/PINDiffers",
        ),
        (
            "never used",
            |scene| {
                shows(scene, &json!({}));
                scene.inputs.ledger.was_connected = true;
            },
            "PINSynced",
            "Unknown/PINUnknown",
        ),
        (
            "refused before",
            |scene| {
                shows(scene, &json!({}));
                scene.inputs.ledger.was_connected = true;
                scene.inputs.ledger.refused_pins.push(fingerprint("004217"));
            },
            "PINSynced",
            "False/PINRefused",
        ),
        (
            "refused before, and not registered",
            |scene| scene.inputs.ledger.refused_pins.push(fingerprint("004217")),
            "Ready",
            "False/PINRefused",
        ),
        (
            "none was given",
            |scene| {
                has_pin(scene);
                scene.inputs.pin = missing("support-fr-pin");
            },
            "Ready",
            "False/PINUnknown",
        ),
    ];
    for (reason, change, kind, expected) in cases {
        let mut scene = verified();
        scene.inputs.ledger.serial = 1;
        made(&mut scene, CallInput::SetPin { then_register: false }, Some("004217"), refusal(133_009, Some(-1)), -4);
        change(&mut scene);
        next(&mut scene);
        assert_eq!(scene.condition(kind).as_deref(), Some(expected), "{reason}");
        let message = scene.message(kind);
        assert!(
            message.contains("Meta refused the last attempt to set it: Meta refused with 133009"),
            "{reason}: {message}"
        );
        let status = scene.object.status.as_ref().unwrap();
        assert_eq!(status.last_error.as_ref().unwrap().code, 133_009, "{reason}");
    }
    let mut scene = connected();
    made(&mut scene, CallInput::SetPin { then_register: false }, Some("590218"), refusal(100, None), -4);
    next(&mut scene);
    assert!(!scene.message("PINSynced").contains("the last time"), "that was another PIN");
}

#[test]
fn a_pin_that_was_made_and_may_be_in_force_comes_back() {
    let mut scene = verified();
    registered(&mut scene, CallOutcome::Unknown, -9);
    scene.inputs.pin = missing("support-fr-pin");
    assert_eq!(next(&mut scene), "make a PIN");
    assert_eq!(scene.inputs.ledger.pin_to_keep(), Some(&"004217".into()));
    scene.inputs.ledger.pin = Some("111111".into());
    assert_eq!(scene.inputs.ledger.pin_to_keep(), Some(&"111111".into()), "rather the one that certainly is");
}
