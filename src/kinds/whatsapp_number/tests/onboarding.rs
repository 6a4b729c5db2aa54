//! What comes before every onboarding step: numbers that cannot be onboarded, requests, and the ledger.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use serde_json::json;

use super::fixtures::{
    Number, asks, asks_for_callback, asks_to_verify, clock_is_wrong, made, next, number, rows, shows, unusable,
    verified,
};
use crate::{
    api::{Action, Profile},
    calls::CallInput,
    controller::{app_reference::AppReference, testing::WHY},
    ledger::CallOutcome,
};

/// A ledger outlives its objects: the next one takes it over before anything else.
#[test]
fn a_ledger_passes_on_to_the_object_that_represents_the_number() {
    for (owner, serial, expected) in
        [("uid", 7, "Enabled True/Enabled"), ("another", 7, "note"), ("another", 0, "Enabled True/Enabled")]
    {
        let mut scene = number();
        shows(&mut scene, &json!({}));
        scene.inputs.ledger.was_connected = true;
        scene.inputs.ledger.serial = serial;
        owner.clone_into(&mut scene.inputs.ledger.owner.uid);
        assert_eq!(next(&mut scene), expected, "{owner} {serial}");
    }
}

#[test]
fn no_call_is_made_for_a_number_that_cannot_be_onboarded() {
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
            asks_to_verify(&mut scene);
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
                made(&mut scene, CallInput::Register, Some("004217"), CallOutcome::Unknown, -5);
                assert!(next(&mut scene).starts_with(expected) || given["platform_type"] == "ON_PREMISE", "{given}");
            }
        }
    }
}

#[test]
fn a_number_in_the_business_app_is_not_onboarded() {
    for (given, expected) in [
        (json!({"is_on_biz_app": true}), "Enabled True/Enabled"),
        (
            json!({"is_on_biz_app": true, "status": "PENDING", "platform_type": "NOT_APPLICABLE",
                "code_verification_status": "NOT_VERIFIED"}),
            "Unverified False/NotPermitted Stalled",
        ),
    ] {
        let mut scene = verified();
        asks_to_verify(&mut scene);
        shows(&mut scene, &given);
        scene.inputs.ledger.was_connected = true;
        asks(&mut scene, Action::Register);
        assert_eq!(next(&mut scene), format!("{expected}; ignored register-at"));
    }
}

#[test]
fn a_token_refresh_is_passed_only_to_an_app_that_allows_this_object() {
    let requested: fn() -> Number = || {
        let mut scene = verified();
        asks(&mut scene, Action::RefreshToken);
        scene
    };
    rows(
        requested,
        &[
            ("passed on", |_| {}, "forward"),
            ("also when the token has expired", |scene| scene.link = AppReference::Expired(WHY.into()), "forward"),
            (
                "not if the app does not allow this namespace",
                |scene| scene.link = AppReference::NotAllowed,
                "Pending Unknown/AppNotAllowed; ignored refresh-token-at",
            ),
            (
                "not without an app",
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
fn requests_wait_until_meta_can_be_read_and_are_ignored_if_impossible() {
    let requested: fn() -> Number = || {
        let mut scene = verified();
        asks(&mut scene, Action::Register);
        scene
    };
    rows(
        requested,
        &[
            (
                "suspended",
                |scene| scene.object.spec.suspend = true,
                "Suspended Unknown/Suspended Suspended; ignored register-at",
            ),
            (
                "a competing object",
                |scene| scene.competing_object = Some("x".into()),
                "Conflict False/Conflict Stalled; ignored register-at",
            ),
            (
                "an expired token",
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
fn a_connected_number_is_recorded_if_it_has_a_ledger() {
    let works: fn() -> Number = || {
        let mut scene = number();
        shows(&mut scene, &json!({}));
        scene
    };
    rows(
        works,
        &[
            ("no call was ever made for it", |_| {}, "Enabled True/Enabled"),
            ("a ledger is there", |scene| scene.inputs.ledger.serial = 1, "note"),
            (
                "a ledger that has it recorded",
                |scene| {
                    scene.inputs.ledger.serial = 1;
                    scene.inputs.ledger.was_connected = true;
                },
                "Enabled True/Enabled",
            ),
        ],
    );
}
