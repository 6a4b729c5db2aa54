//! Registration: once, with the right PIN, within Meta's limits; again only when a person requests it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use serde_json::json;

use super::fixtures::{
    Number, asks, asks_to_register, asks_to_verify, at, bad, connected, made, next, number, read_once, reads_lag,
    refusal, registered, rows, shows, unregistered, verified,
};
use crate::{
    api::{Action, ManagedStatus, ManagementPolicy, WhatsAppNumberStatus},
    calls::CallInput,
    controller::plan::{Plan, Requeue},
    ledger::CallOutcome,
};

const REGISTER: &str = "send register 004217";
const REQUESTED: &str = "send register 004217 for register-at";
const REFUSED: &str = "PINRequired False/RegistrationRefused Stalled";
const PIN_REFUSED: &str = "PINRequired False/PINRefused Stalled";
const UNDER_WAY: &str = "Registering False/Registering Reconciling";

/// Connected under a name that is not in force yet.
fn renamed() -> Number {
    let mut scene = connected();
    shows(&mut scene, &json!({"new_name_status": "APPROVED", "new_display_name": "INO 2"}));
    scene
}

fn asks_register(scene: &mut Number) {
    asks(scene, Action::Register);
}

#[test]
fn a_verified_number_is_registered_once() {
    rows(
        verified,
        &[
            ("verified, and a PIN is there", |_| {}, REGISTER),
            ("no block", |scene| scene.object.spec.registration = None, "PINRequired True/Adopted"),
            (
                "Observe",
                |scene| scene.object.spec.management_policy = ManagementPolicy::Observe,
                "PINRequired True/Adopted",
            ),
            ("not verified", |scene| unregistered(scene, "NOT_VERIFIED"), "Unverified False/NotVerified Stalled"),
            (
                "Meta registered it, and does not show it yet",
                |scene| registered(scene, CallOutcome::Done(None), -1),
                UNDER_WAY,
            ),
            (
                "nor do reads that lag",
                |scene| {
                    registered(scene, CallOutcome::Done(None), 0);
                    reads_lag(scene);
                },
                UNDER_WAY,
            ),
            (
                "nor one read",
                |scene| {
                    registered(scene, CallOutcome::Done(None), -100);
                    read_once(scene);
                },
                UNDER_WAY,
            ),
            (
                "a quarter of an hour later a person has to act",
                |scene| registered(scene, CallOutcome::Done(None), -16),
                "PINRequired False/Disconnected Stalled",
            ),
            ("being connected", |scene| shows(scene, &json!({"status": "PENDING"})), UNDER_WAY),
            ("not before reads show the last call", reads_lag, "open: a fresh read"),
        ],
    );
}

/// A restored status shows older values; the ledger is not restored with it.
#[test]
fn what_the_status_shows_as_handled_is_recorded_in_the_ledger() {
    type Change = fn(&mut Number);
    let cases: [(&str, i64, Change, &str); 6] = [
        ("ignored a moment ago", -1, |_| {}, "record register-at"),
        ("ahead of its time", 30, |_| {}, "record register-at ahead"),
        ("too old to be acted on again", -61, |_| {}, "Enabled True/Enabled"),
        (
            "recorded already",
            -1,
            |scene| scene.inputs.ledger.record_handled(Action::Register, &at(0).to_string(), false),
            "Enabled True/Enabled",
        ),
        ("suspended", -1, |scene| scene.object.spec.suspend = true, "record register-at"),
        ("the number of another object", -1, |scene| scene.inputs.ledger.owner.uid = "another".into(), "note"),
    ];
    for (reason, minute, change, expected) in cases {
        let mut scene = connected();
        scene.inputs.ledger.serial = 1;
        let mut status = WhatsAppNumberStatus::default();
        status.set_handled(Action::Register, &at(minute).to_string());
        scene.object.status = Some(status);
        change(&mut scene);
        assert_eq!(next(&mut scene), expected, "{reason}");
    }
}

#[test]
fn a_refused_pin_is_never_tried_again_by_itself() {
    rows(
        verified,
        &[
            (
                "the first one again, after another was refused too",
                |scene| {
                    registered(scene, refusal(133_005, None), -2);
                    made(scene, CallInput::Register, Some("555555"), refusal(133_005, None), -1);
                },
                PIN_REFUSED,
            ),
            (
                "or after Meta could not check another one",
                |scene| {
                    registered(scene, refusal(133_005, None), -3);
                    made(scene, CallInput::Register, Some("555555"), refusal(133_004, Some(-1)), -2);
                },
                PIN_REFUSED,
            ),
            (
                "or after a pause for too many PINs",
                |scene| {
                    registered(scene, refusal(133_005, None), -3);
                    registered(scene, refusal(133_008, Some(-1)), -2);
                },
                PIN_REFUSED,
            ),
        ],
    );
}

#[test]
fn each_refusal_has_its_consequence() {
    rows(
        verified,
        &[
            ("a wrong PIN is not tried again", |scene| registered(scene, refusal(133_005, None), -1), PIN_REFUSED),
            ("131031 may be one", |scene| registered(scene, refusal(131_031, None), -1), PIN_REFUSED),
            (
                "another one is tried",
                |scene| {
                    registered(scene, refusal(133_005, None), -1);
                    asks_to_register(scene, "555555");
                },
                "send register 555555",
            ),
            (
                "the same one when a person requests it",
                |scene| {
                    registered(scene, refusal(133_005, None), -1);
                    asks_register(scene);
                },
                REQUESTED,
            ),
            (
                "verified first",
                |scene| registered(scene, refusal(133_006, None), -1),
                "Unverified False/NotVerified Stalled",
            ),
            (
                "deleted a moment ago",
                |scene| registered(scene, refusal(133_015, Some(4)), -1),
                "PINRequired False/RegistrationRefused Reconciling",
            ),
            ("and five minutes later", |scene| registered(scene, refusal(133_015, Some(0)), -5), REGISTER),
            (
                "too many PINs",
                |scene| registered(scene, refusal(133_008, Some(10)), -1),
                "PINRequired False/RegistrationRefused Reconciling",
            ),
            (
                "locked",
                |scene| registered(scene, refusal(133_016, Some(4_000)), -1),
                "PINRequired False/RegistrationLocked Reconciling",
            ),
            (
                "locked, and another PIN does not help",
                |scene| {
                    registered(scene, refusal(133_016, Some(4_000)), -1);
                    asks_to_register(scene, "555555");
                },
                "PINRequired False/RegistrationLocked Reconciling",
            ),
            ("a lock that is over", |scene| registered(scene, refusal(133_016, Some(-1)), -4_321), REGISTER),
            (
                "half deregistered: that is completed",
                |scene| registered(scene, refusal(133_000, None), -1),
                "send deregister",
            ),
            (
                "then registered",
                |scene| {
                    registered(scene, refusal(133_000, None), -2);
                    made(scene, CallInput::Deregister, None, CallOutcome::Done(None), -1);
                },
                REGISTER,
            ),
            (
                "and that is not done twice",
                |scene| {
                    registered(scene, refusal(133_000, None), -3);
                    made(scene, CallInput::Deregister, None, CallOutcome::Done(None), -2);
                    registered(scene, refusal(133_000, None), -1);
                },
                REFUSED,
            ),
            (
                "a deregistration that was refused is not repeated for ever",
                |scene| {
                    registered(scene, refusal(133_000, None), -2);
                    made(scene, CallInput::Deregister, None, refusal(200, None), -1);
                },
                REFUSED,
            ),
            (
                "or waits",
                |scene| {
                    registered(scene, refusal(133_000, None), -2);
                    made(scene, CallInput::Deregister, None, refusal(133_004, Some(1)), -1);
                },
                "PINRequired False/RegistrationRefused Reconciling",
            ),
        ],
    );
}

#[test]
fn the_operator_stops_before_meta_locks_the_number() {
    const PAUSED: &str = "PINRequired False/RegistrationPaused Reconciling";
    let tried = |times: i64| {
        let mut scene = verified();
        (0..times).for_each(|n| registered(&mut scene, refusal(133_004, Some(0)), n - 60));
        scene
    };
    for (times, expected) in [(4, REGISTER), (5, PAUSED), (6, PAUSED)] {
        assert_eq!(next(&mut tried(times)), expected, "{times}");
    }
    let mut scene = tried(5);
    asks_to_register(&mut scene, "555555");
    assert_eq!(next(&mut scene), PAUSED, "another PIN does not help");
    assert!(scene.message("Ready").contains("2026-11-25T09:00:00Z"), "{}", scene.message("Ready"));
    scene.inputs.now = at(72 * 60 - 60);
    assert_eq!(next(&mut scene), "send register 555555", "the first of them does not count any more");
    for (times, expected) in
        [(5, REQUESTED), (9, REQUESTED), (10, "PINRequired False/RegistrationPaused Reconciling; ignored register-at")]
    {
        let mut scene = tried(times);
        asks_register(&mut scene);
        assert_eq!(next(&mut scene), expected, "{times}");
    }
}

/// Reported once, it is not reported again before the next read.
#[test]
fn the_message_changes_when_connecting_takes_too_long() {
    let mut scene = verified();
    registered(&mut scene, CallOutcome::Done(None), 0);
    reads_lag(&mut scene);
    assert_eq!(next(&mut scene), UNDER_WAY);
    assert_eq!(next(&mut scene), "open: a fresh read", "reported already");
    scene.inputs.evidence = crate::ledger::Evidence::FULL;
    let onboarded = at(0).as_second();
    shows(&mut scene, &json!({"status": "PENDING", "last_onboarded_time": onboarded}));
    scene.inputs.ledger.was_connected = true;
    scene.inputs.now = at(600);
    assert_eq!(next(&mut scene), UNDER_WAY);
    assert!(scene.message("Ready").contains("longer than usual"), "{}", scene.message("Ready"));
}

#[test]
fn once_connected_it_is_registered_again_only_on_request() {
    let lost: fn() -> Number = || {
        let mut scene = connected();
        unregistered(&mut scene, "VERIFIED");
        scene
    };
    rows(
        lost,
        &[
            ("somebody deregistered it", |_| {}, "PINRequired False/Disconnected Stalled"),
            ("a person requests it", asks_register, REQUESTED),
            (
                "a new PIN is no request",
                |scene| asks_to_register(scene, "555555"),
                "PINRequired False/Disconnected Stalled",
            ),
            ("a PIN that was set for it is", |scene| scene.inputs.ledger.register_wanted = true, REGISTER),
            (
                "not verified any more",
                |scene| {
                    unregistered(scene, "EXPIRED");
                    asks_register(scene);
                },
                "Unverified False/NotVerified Stalled; ignored register-at",
            ),
            (
                "locked",
                |scene| {
                    registered(scene, refusal(133_016, Some(4_000)), -1);
                    asks_register(scene);
                },
                "PINRequired False/Disconnected Stalled; ignored register-at",
            ),
            (
                "Meta registered it a moment ago",
                |scene| {
                    registered(scene, CallOutcome::Done(None), -1);
                    asks_register(scene);
                },
                "Registering False/Registering Reconciling; ignored register-at",
            ),
        ],
    );
    rows(
        connected,
        &[
            ("nothing to do", |_| {}, "Enabled True/Enabled"),
            ("there is nothing to register", asks_register, "Enabled True/Enabled; ignored register-at"),
            ("it was never seen connected before", |scene| scene.inputs.ledger.was_connected = false, "note"),
            ("a request that is fulfilled is not kept", |scene| scene.inputs.ledger.register_wanted = true, "note"),
            (
                "no block",
                |scene| {
                    scene.object.spec.registration = None;
                    asks_register(scene);
                },
                "Enabled True/Enabled; ignored register-at",
            ),
            (
                "a changed PIN is no reason to call",
                |scene| {
                    scene.inputs.ledger.pin = Some("004217".into());
                    asks_to_register(scene, "555555");
                },
                "Enabled True/Enabled",
            ),
        ],
    );
}

#[test]
fn a_new_name_comes_into_force_on_request() {
    let mut scene = renamed();
    assert_eq!(next(&mut scene), "Enabled True/Enabled", "it works under its old one");
    assert_eq!(scene.condition("NameApproved").as_deref(), Some("False/ReRegisterRequired"));
    let message = scene.message("NameApproved");
    assert!(message.contains("2026-12-06T10:00:00Z") && message.contains("waba.dev/register-at="), "{message}");
    made(&mut scene, CallInput::RegisterAgain, Some("004217"), refusal(133_008, Some(60)), -1);
    next(&mut scene);
    let message = scene.message("NameApproved");
    let words =
        "refused the last attempt, and allows no further attempt before 2026-11-22T11:00:00Z: Meta refused with 133008";
    assert!(message.ends_with(words), "{message}");
    rows(
        renamed,
        &[
            ("a person requests it", asks_register, "send registerAgain 004217 for register-at"),
            (
                "only where there is a PIN",
                |scene| {
                    scene.inputs.pin = bad("1");
                    asks_register(scene);
                },
                "Enabled True/Enabled; ignored register-at",
            ),
            (
                "a call without a reply is not repeated",
                |scene| made(scene, CallInput::RegisterAgain, Some("004217"), CallOutcome::Unknown, -1),
                "Enabled True/Enabled",
            ),
            (
                "a name in review is not registered",
                |scene| {
                    shows(scene, &json!({"new_name_status": "PENDING_REVIEW"}));
                    asks_register(scene);
                },
                "Enabled True/Enabled; ignored register-at",
            ),
        ],
    );
}

#[test]
fn a_code_first_then_the_registration() {
    let mut scene = verified();
    asks_to_verify(&mut scene);
    unregistered(&mut scene, "NOT_VERIFIED");
    assert_eq!(next(&mut scene), "send requestCode SMS en_US");
}

#[test]
fn a_slow_connection_is_reported_whoever_registered_the_number() {
    let begun = |shown: Option<&str>| {
        let mut scene = number();
        shows(&mut scene, &json!({"status": "PENDING", "last_onboarded_time": shown}));
        scene.inputs.held = false;
        scene
    };
    let assert_report = |scene: &mut Number, minute, words: &str, wait| {
        scene.inputs.now = at(minute);
        let Plan::Report(report) = scene.plan() else { panic!("nothing is reported") };
        assert_eq!(report.next, wait, "{minute}");
        assert_eq!(next(scene), "Registering False/Registering Reconciling");
        assert!(scene.message("Ready").contains(words), "{minute}: {}", scene.message("Ready"));
    };
    let minutes = |n: u64| Requeue::After(Duration::from_mins(n) + Duration::from_millis(50));
    let mut scene = begun(None);
    assert_report(&mut scene, 0, "some minutes", minutes(15));
    assert_report(&mut scene, 14, "some minutes", minutes(1));
    assert_report(&mut scene, 15, "longer than usual", Requeue::Nothing);
    let mut scene = begun(Some("2026-11-22T09:50:00+0000"));
    assert_report(&mut scene, 0, "some minutes", minutes(5));
    assert_report(&mut scene, 5, "longer than usual", Requeue::Nothing);
    scene.inputs.held = true;
    assert_report(&mut scene, 6, "longer than usual", Requeue::PollUntilChanged(Duration::from_secs(20)));
}
