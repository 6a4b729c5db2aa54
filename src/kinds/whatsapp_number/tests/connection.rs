//! Whether a number is connected, from all words of Meta together; and what that means for each topic, and for the PIN.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::json;

use super::fixtures::{
    ID, Number, asks, asks_to_verify, at, connected, facts, made, next, number, registered, rows, shows, verified,
};
use crate::kinds::whatsapp_number::{
    connection::Connection::{
        self, Connected, Connecting, Disconnected, Gone, NeverConnected, OnPremises, Restricted, Unclear,
    },
    inputs::ProfileRead,
};
use crate::{
    api::{Action, NumberPhase, Profile, Transition, WhatsAppNumberStatus, whole_seconds},
    calls::CallInput,
    controller::plan::Plan,
    ledger::{CallOutcome, PinDoubt},
};

const ONBOARDED: &str = "2026-01-01T00:00:00+0000";

#[test]
fn no_single_word_of_meta_decides() {
    for (status, platform, code, onboarded, remembered, expected) in [
        ("CONNECTED", "CLOUD_API", "VERIFIED", false, false, Connected),
        ("CONNECTED", "CLOUD_API", "EXPIRED", true, true, Connected),
        ("FLAGGED", "CLOUD_API", "NOT_VERIFIED", false, false, Connected),
        ("CONNECTED", "NOT_APPLICABLE", "VERIFIED", true, true, Unclear),
        ("PENDING", "CLOUD_API", "VERIFIED", false, false, Connecting),
        ("PENDING", "CLOUD_API", "EXPIRED", true, true, Connecting),
        ("PENDING", "CLOUD_API", "NOT_VERIFIED", false, false, NeverConnected),
        ("PENDING", "NOT_APPLICABLE", "VERIFIED", false, false, NeverConnected),
        ("DISCONNECTED", "CLOUD_API", "VERIFIED", true, false, Disconnected),
        ("DISCONNECTED", "CLOUD_API", "VERIFIED", false, true, Disconnected),
        ("DISCONNECTED", "CLOUD_API", "NOT_VERIFIED", false, false, NeverConnected),
        ("DISCONNECTED", "NOT_APPLICABLE", "VERIFIED", false, false, NeverConnected),
        ("UNVERIFIED", "CLOUD_API", "NOT_VERIFIED", false, false, NeverConnected),
        ("BANNED", "CLOUD_API", "VERIFIED", true, true, Restricted),
        ("CONNECTED", "ON_PREMISE", "VERIFIED", true, false, OnPremises),
        ("MIGRATED", "CLOUD_API", "VERIFIED", true, true, Gone),
        ("A_WORD_OF_TOMORROW", "CLOUD_API", "VERIFIED", true, true, Unclear),
    ] {
        let onboarded = onboarded.then_some(ONBOARDED);
        let facts = facts(&json!({"status": status, "platform_type": platform, "code_verification_status": code,
            "last_onboarded_time": onboarded}));
        assert_eq!(
            Connection::of(&facts, remembered),
            expected,
            "{status} {platform} {code}, onboarded {onboarded:?}, remembered: {remembered}"
        );
    }
}

/// Deregistered by somebody else; Meta still names the platform.
fn deregistered(scene: &mut Number) {
    shows(scene, &json!({"status": "DISCONNECTED", "last_onboarded_time": ONBOARDED}));
}

fn wants_profile(scene: &mut Number) {
    scene.object.spec.profile = Some(Profile { about: Some("Here for you".into()), ..Profile::default() });
    scene.inputs.profile = ProfileRead::Due;
}

#[test]
fn a_number_off_the_cloud_api_is_not_taken_for_registered() {
    rows(
        connected,
        &[
            ("with registration it is stalled", deregistered, "PINRequired False/Disconnected Stalled"),
            (
                "a person may have it registered",
                |scene| {
                    deregistered(scene);
                    asks(scene, Action::Register);
                },
                "send register 004217 for register-at",
            ),
            (
                "its profile is not written",
                |scene| {
                    deregistered(scene);
                    wants_profile(scene);
                },
                "PINRequired False/Disconnected Stalled",
            ),
            (
                "it is sent no code that nobody requested",
                |scene| {
                    asks_to_verify(scene);
                    shows(scene, &json!({"status": "DISCONNECTED", "code_verification_status": "NOT_VERIFIED"}));
                },
                "Unverified False/Disconnected Stalled",
            ),
            (
                "words that contradict each other lead to no call",
                |scene| {
                    shows(scene, &json!({"platform_type": "NOT_APPLICABLE"}));
                    wants_profile(scene);
                    asks(scene, Action::Register);
                },
                "Unknown True/Adopted; ignored register-at",
            ),
        ],
    );
    rows(
        number,
        &[
            (
                "never connected: no profile",
                |scene| {
                    shows(scene, &json!({"status": "PENDING", "code_verification_status": "NOT_VERIFIED"}));
                    wants_profile(scene);
                },
                "Unverified True/Adopted",
            ),
            (
                "being connected: not yet",
                |scene| {
                    shows(scene, &json!({"status": "PENDING"}));
                    wants_profile(scene);
                },
                "Registering False/Registering Reconciling",
            ),
        ],
    );
    let mut scene = connected();
    deregistered(&mut scene);
    next(&mut scene);
    assert_eq!(scene.condition("Registered").as_deref(), Some("False/Disconnected"));
    assert_eq!(scene.condition("Sendable").as_deref(), Some("False/NotRegistered"));
}

#[test]
fn a_deregistration_by_somebody_else_is_told() {
    let mut scene = number();
    shows(&mut scene, &json!({}));
    next(&mut scene);
    deregistered(&mut scene);
    let notices = |scene: &mut Number| match scene.plan() {
        Plan::Report(report) => report.verdict.unwrap().notices,
        other => panic!("{other:?}"),
    };
    let told = notices(&mut scene);
    assert!(matches!(&told[..], [notice] if notice.warns && notice.message.contains("deregistered")), "{told:?}");
    assert_eq!(next(&mut scene), "PINRequired True/Adopted");
    assert!(notices(&mut scene).is_empty(), "once");
}

/// Registered by the operator an hour ago, and reported as enabled since.
fn known_pin() -> Number {
    let mut scene = verified();
    scene.inputs.ledger.phone_number_id = Some(ID.into());
    registered(&mut scene, CallOutcome::Done(None), -60);
    shows(&mut scene, &json!({"last_onboarded_time": at(-60).to_string()}));
    scene.object.status = Some(WhatsAppNumberStatus {
        phase: Some(NumberPhase::Enabled),
        last_onboarded_time: Some(whole_seconds(at(-60))),
        history: vec![Transition {
            time: whole_seconds(at(-59)),
            phase: "Enabled".into(),
            reason: "Enabled".into(),
            message: String::new(),
        }],
        ..WhatsAppNumberStatus::default()
    });
    scene
}

fn learns(scene: &mut Number, doubt: PinDoubt) {
    assert_eq!(next(scene), "note");
    scene.inputs.ledger.pin_doubt = Some(doubt);
    next(scene);
    assert_eq!(scene.condition("PINSynced").as_deref(), Some("Unknown/PINUnknown"), "{doubt:?}");
    assert!(scene.message("PINSynced").contains("waba.dev/reset-pin-at="), "{doubt:?}");
}

#[test]
fn a_pin_is_in_force_only_as_long_as_nobody_else_was_there() {
    let mut scene = known_pin();
    next(&mut scene);
    assert_eq!(scene.condition("PINSynced").as_deref(), Some("True/PINSynced"));

    let mut scene = known_pin();
    shows(&mut scene, &json!({"last_onboarded_time": at(-5).to_string()}));
    learns(&mut scene, PinDoubt::Registered);

    let mut scene = known_pin();
    scene.inputs.now = at(-50);
    shows(&mut scene, &json!({"last_onboarded_time": at(-52).to_string()}));
    learns(&mut scene, PinDoubt::Registered);
    shows(&mut scene, &json!({"last_onboarded_time": at(-60).to_string()}));
    next(&mut scene);
    assert_eq!(scene.condition("PINSynced").as_deref(), Some("Unknown/PINUnknown"), "what was seen stays known");
    made(&mut scene, CallInput::SetPin { then_register: false }, Some("004217"), CallOutcome::Done(None), -50);
    next(&mut scene);
    assert_eq!(scene.condition("PINSynced").as_deref(), Some("True/PINSynced"), "until the PIN is set again");

    let mut scene = known_pin();
    deregistered(&mut scene);
    learns(&mut scene, PinDoubt::Deregistered);

    let mut scene = known_pin();
    scene.inputs.ledger.pin_number = Some("6001".into());
    learns(&mut scene, PinDoubt::Moved);
}

/// Meta may stamp a registration only when the number is connected.
#[test]
fn the_operators_own_registration_is_not_somebody_elses() {
    let mut scene = verified();
    registered(&mut scene, CallOutcome::Done(None), -10);
    shows(&mut scene, &json!({"last_onboarded_time": at(-2).to_string()}));
    next(&mut scene);
    assert_eq!(scene.condition("PINSynced").as_deref(), Some("True/PINSynced"));
}

#[test]
fn a_registration_that_left_the_pin_alone_does_not_prove_it() {
    let mut scene = verified();
    registered(&mut scene, CallOutcome::PinOpen { kept: true }, -60);
    shows(&mut scene, &json!({}));
    next(&mut scene);
    assert_eq!(scene.condition("PINSynced").as_deref(), Some("Unknown/PINUnknown"));
    let message = scene.message("PINSynced");
    assert!(message.contains("left its PIN alone") && message.contains("waba.dev/reset-pin-at="), "{message}");

    let mut scene = verified();
    registered(&mut scene, CallOutcome::Unknown, -60);
    scene.inputs.ledger.was_connected = true;
    shows(&mut scene, &json!({}));
    assert_eq!(next(&mut scene), "settle register happened", "nobody else has the number");
    scene.inputs.listed_in = vec!["1".into(), "2".into()];
    assert_eq!(next(&mut scene), "settle register happened, PIN open", "another account lists it");
    let id = scene.inputs.ledger.intents[0].id.clone();
    scene.inputs.ledger.finish(&id, CallOutcome::PinOpen { kept: false }, at(-59));
    next(&mut scene);
    assert_eq!(scene.condition("PINSynced").as_deref(), Some("Unknown/PINUnknown"));
    assert_eq!(scene.inputs.ledger.pin_to_keep(), Some(&"004217".into()), "the PIN that was sent is not lost");
}

/// As after `kubectl replace --force` of an object with `deletionPolicy: Deregister`.
#[test]
fn an_object_whose_predecessor_deregistered_the_number_says_so() {
    for (code, expected) in [
        ("VERIFIED", "PINRequired False/Disconnected Stalled"),
        ("NOT_VERIFIED", "Unverified False/NotVerified Stalled"),
    ] {
        let mut scene = verified();
        registered(&mut scene, CallOutcome::Done(None), -60);
        made(&mut scene, CallInput::Deregister, None, CallOutcome::Done(None), -30);
        shows(
            &mut scene,
            &json!({"status": "DISCONNECTED", "platform_type": "NOT_APPLICABLE",
            "code_verification_status": code}),
        );
        assert_eq!(next(&mut scene), expected);
        let message = scene.message("Ready");
        assert!(message.contains("the operator deregistered it at 2026-11-22T09:30:00Z"), "{message}");
    }
}
