//! What deleting the object does: by policy, once, and by whom the number belongs to.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::json;

use super::fixtures::{
    ID, Number, asks, at, begun, made, next, number, read_once, reads_lag, refusal, rows, shows, unusable,
};
use crate::{
    api::{Action, ManagementPolicy, NumberDeletionPolicy, WhatsAppNumberStatus},
    calls::CallInput,
    controller::{
        app_reference::AppReference,
        testing::{MINUTE, WHY},
    },
    ledger::CallOutcome,
    observe::Observation,
};

const LET_GO: &str = "let go";
const LEFT: &str = "let go, left at Meta";
const SEND: &str = "send deregister";

/// Connected, to be deregistered, and deleted.
fn deleted() -> Number {
    let mut scene = number();
    shows(&mut scene, &json!({}));
    scene.object.spec.deletion_policy = NumberDeletionPolicy::Deregister;
    scene.object.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
    scene.inputs.has_finalizer = true;
    let status = WhatsAppNumberStatus { phone_number_id: Some(ID.to_owned()), ..WhatsAppNumberStatus::default() };
    scene.object.status = Some(status);
    scene
}

fn gone(scene: &mut Number) {
    shows(scene, &json!({"status": "DISCONNECTED", "platform_type": "NOT_APPLICABLE"}));
}

fn deregistered(scene: &mut Number, ended: CallOutcome, minute: i64) {
    made(scene, CallInput::Deregister, None, ended, minute);
}

/// The report, without its phase.
fn said(change: fn(&mut Number)) -> String {
    let mut scene = deleted();
    change(&mut scene);
    let report = next(&mut scene);
    report.split_once(' ').map_or(report.clone(), |(_, ready)| ready.to_owned())
}

#[test]
fn by_policy_the_number_is_deregistered_before_the_object_goes() {
    rows(
        deleted,
        &[
            ("registered", |_| {}, SEND),
            ("Retain", |scene| scene.object.spec.deletion_policy = NumberDeletionPolicy::Retain, LET_GO),
            ("it is not registered", gone, LET_GO),
            ("suspended", |scene| scene.object.spec.suspend = true, LEFT),
            ("Observe", |scene| scene.object.spec.management_policy = ManagementPolicy::Observe, LEFT),
            ("a rival", |scene| scene.competing_object = Some("x".into()), LEFT),
            ("an elder", |scene| scene.inputs.earlier_claimant = Some("x".into()), LEFT),
            ("another object takes it over", |scene| scene.inputs.claimed = true, LEFT),
            ("its id was never known", |scene| scene.object.status = None, LEFT),
            (
                "the ledger knows it",
                |scene| {
                    scene.object.status = None;
                    scene.inputs.ledger.phone_number_id = Some(ID.to_owned());
                },
                SEND,
            ),
            ("the app is gone", |scene| scene.link = AppReference::Missing, LEFT),
            ("not let in", |scene| scene.link = AppReference::NotAllowed, LEFT),
            ("the app is suspended", |scene| scene.link = AppReference::Suspended, LEFT),
            ("the credentials are gone", |scene| scene.link = AppReference::Gone(WHY.into()), LEFT),
            ("the account is none of the app's", |scene| scene.seen = Observation::Unmanaged, LEFT),
            ("no account has it", |scene| scene.lacks(MINUTE), LEFT),
            ("the Business app has it", |scene| shows(scene, &json!({"is_on_biz_app": true})), LEFT),
            (
                "Meta replies that it was not registered",
                |scene| {
                    deregistered(scene, refusal(133_010, None), -1);
                    read_once(scene);
                },
                LET_GO,
            ),
            (
                "done, registered by somebody else, and then something was written",
                |scene| {
                    deregistered(scene, CallOutcome::Done(None), -3);
                    made(scene, CallInput::ClearWebhook, None, CallOutcome::Done(None), -1);
                    read_once(scene);
                },
                SEND,
            ),
            (
                "done, and two reads show that somebody else has registered it",
                |scene| deregistered(scene, CallOutcome::Done(None), -3),
                SEND,
            ),
            (
                "done long ago, by the process before",
                |scene| {
                    deregistered(scene, CallOutcome::Done(None), -600);
                    read_once(scene);
                },
                SEND,
            ),
            (
                "done, and reads lag",
                |scene| {
                    deregistered(scene, CallOutcome::Done(None), 0);
                    reads_lag(scene);
                },
                LET_GO,
            ),
        ],
    );
}

#[test]
fn it_waits_where_waiting_helps() {
    for (reason, change, expected) in [
        (
            "a dead token",
            (|scene| scene.link = AppReference::Expired(WHY.into())) as fn(&mut Number),
            "False/ExpiredToken Stalled",
        ),
        (
            "an app that cannot reach Meta, for example with a wrong secret",
            |scene| scene.link = AppReference::NotReady(WHY.into()),
            "False/AppNotReady Stalled",
        ),
        ("nothing was read", |scene| scene.seen = Observation::Unread, "False/Deregistering Reconciling"),
        ("nothing can be read", |scene| scene.seen = Observation::Unreadable, "False/Deregistering Reconciling"),
        ("no memory", |scene| scene.inputs.blocker = Some(unusable()), "False/LedgerUnusable Stalled"),
        ("a pause", |scene| scene.inputs.held_back = Some("x".into()), "False/HeldBack Reconciling"),
        ("reads lag behind another call", reads_lag, "False/Settling Reconciling"),
        ("locked", |scene| scene.inputs.ledger.blocked_until = Some(at(100)), "False/RegistrationLocked Reconciling"),
        (
            "so often that Meta would lock it",
            |scene| (0..5).for_each(|n| deregistered(scene, refusal(133_004, Some(-1)), n - 60)),
            "False/RegistrationPaused Reconciling",
        ),
        (
            "refused for now",
            |scene| deregistered(scene, refusal(133_004, Some(1)), -1),
            "False/Deregistering Reconciling",
        ),
        ("refused", |scene| deregistered(scene, refusal(200, None), -1), "False/DeregistrationRefused Stalled"),
    ] {
        assert_eq!(said(change), expected, "{reason}");
    }
}

#[test]
fn a_lost_answer_is_found_out_about() {
    for (reason, change, expected) in [
        (
            "no read counts",
            (|scene| {
                deregistered(scene, CallOutcome::Unknown, -1);
                reads_lag(scene);
            }) as fn(&mut Number),
            "False/OutcomePending Reconciling",
        ),
        (
            "twice",
            |scene| {
                deregistered(scene, CallOutcome::Unknown, -5);
                deregistered(scene, CallOutcome::Unknown, -1);
            },
            "False/OutcomeUnknown Stalled",
        ),
        (
            "once more, after a pause",
            |scene| {
                deregistered(scene, CallOutcome::Unknown, -1);
                scene.inputs.held_back = Some("pause".into());
            },
            "False/HeldBack Reconciling",
        ),
    ] {
        assert_eq!(said(change), expected, "{reason}");
    }
    rows(
        deleted,
        &[
            ("it did not happen: once more", |scene| deregistered(scene, CallOutcome::Unknown, -1), "again deregister"),
            (
                "it did",
                |scene| {
                    deregistered(scene, CallOutcome::Unknown, -1);
                    gone(scene);
                },
                "settle deregister happened",
            ),
            ("a process died", |scene| drop(begun(scene, CallInput::Deregister, None, -5)), "settle deregister lost"),
            (
                "a registration that happened is settled first",
                |scene| {
                    made(scene, CallInput::Register, Some("004217"), CallOutcome::Unknown, -5);
                },
                "settle register happened",
            ),
            ("half done: once more", |scene| deregistered(scene, refusal(133_000, None), -1), SEND),
            ("its time has come", |scene| deregistered(scene, refusal(133_004, Some(0)), -1), SEND),
        ],
    );
}

/// An object that is applied again at once represents a number that lists still show as it was.
#[test]
fn what_was_read_before_the_deregistration_is_not_reported() {
    let mut scene = deleted();
    scene.object.metadata.deletion_timestamp = None;
    deregistered(&mut scene, CallOutcome::Done(None), 0);
    super::fixtures::reads_lag(&mut scene);
    assert_eq!(next(&mut scene), "open: a fresh read");
    scene.inputs.evidence = crate::ledger::Evidence::FULL;
    assert_eq!(next(&mut scene), "Enabled True/Enabled", "somebody else has registered it");
}

#[test]
fn a_finalizer_is_there_only_while_there_is_something_to_release() {
    let kept: fn() -> Number = || {
        let mut scene = deleted();
        scene.object.metadata.deletion_timestamp = None;
        scene.inputs.has_finalizer = false;
        scene
    };
    rows(
        kept,
        &[
            ("registered", |_| {}, "finalizer true"),
            ("not registered", gone, "PINRequired True/Adopted"),
            (
                "Retain",
                |scene| scene.object.spec.deletion_policy = NumberDeletionPolicy::Retain,
                "Enabled True/Enabled",
            ),
            (
                "Observe",
                |scene| scene.object.spec.management_policy = ManagementPolicy::Observe,
                "Enabled True/Enabled",
            ),
            (
                "no longer wanted",
                |scene| {
                    scene.inputs.has_finalizer = true;
                    scene.object.spec.deletion_policy = NumberDeletionPolicy::Retain;
                },
                "finalizer false",
            ),
        ],
    );
}

/// An object reports what becomes of a request also while it waits to be deregistered.
#[test]
fn requests_to_a_deleted_object_are_ignored_and_not_echoed_as_handled() {
    for (reason, change, expected) in [
        (
            "a wrong secret",
            (|scene| scene.link = AppReference::NotReady(WHY.into())) as fn(&mut Number),
            "Unknown False/AppNotReady Stalled; ignored register-at",
        ),
        (
            "Meta has refused",
            |scene| deregistered(scene, refusal(200, None), -1),
            "Unknown False/DeregistrationRefused Stalled; ignored register-at",
        ),
    ] {
        let mut scene = deleted();
        change(&mut scene);
        asks(&mut scene, Action::Register);
        assert_eq!(next(&mut scene), expected, "{reason}");
    }
    let mut scene = deleted();
    scene.link = AppReference::Expired(WHY.into());
    asks(&mut scene, Action::RefreshToken);
    assert_eq!(next(&mut scene), "forward", "a new token is what it waits for");
}

#[test]
fn an_object_that_waits_for_deregistration_names_the_way_out() {
    for (reason, change) in [
        ("nothing can be read", (|scene| scene.seen = Observation::Unreadable) as fn(&mut Number)),
        ("the app cannot reach Meta", |scene| scene.link = AppReference::NotReady(WHY.into())),
        ("the token is dead", |scene| scene.link = AppReference::Expired(WHY.into())),
    ] {
        let mut scene = deleted();
        change(&mut scene);
        next(&mut scene);
        let message = scene.message("Ready");
        assert!(message.contains(r#"-p '{"spec":{"deletionPolicy":"Retain"}}'"#), "{reason}: {message}");
    }
}
