//! The number's own callback: set, kept, taken back twice a day at most, cleared when its block goes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::json;

use super::fixtures::{
    CALLBACK, Number, asks_for_callback, at, bad, begun, clock_is_wrong, facts, made, missing, next, number, read_once,
    reads_lag, refusal, rows, unregistered,
};
use crate::kinds::whatsapp_number::inputs::SecretRead;
use crate::{
    api::ManagementPolicy,
    calls::CallInput,
    controller::{
        plan::{Plan, Requeue},
        testing::MINUTE,
    },
    ledger::CallOutcome,
};

const SET: &str = "send setWebhook https://hook.example/wa";
const AGAIN: &str = "send setWebhook https://hook.example/wa again";
const FINE: &str = "Enabled True/Enabled";
const SETTLES: &str = "Enabled False/Settling Reconciling";

/// Connected, with a callback of its own that Meta does not have yet.
fn wanted() -> Number {
    let mut scene = number();
    delivers(&mut scene, "");
    asks_for_callback(&mut scene);
    scene
}

/// Meta delivers its messages there.
fn delivers(scene: &mut Number, url: &str) {
    scene.shows(facts(&json!({"webhook_configuration": {"phone_number": url, "application": "https://app.example"}})));
}

fn set(scene: &mut Number, again: bool, ended: CallOutcome, minute: i64) {
    made(scene, CallInput::SetWebhook { url: CALLBACK.into(), again }, None, ended, minute);
}

/// Set by us, and shown.
fn ours() -> Number {
    let mut scene = wanted();
    set(&mut scene, false, CallOutcome::Done(None), -100);
    delivers(&mut scene, CALLBACK);
    scene
}

fn drops_the_block(scene: &mut Number) {
    scene.object.spec.incoming = None;
    scene.inputs.verify_token = SecretRead::NotNeeded;
}

fn told(scene: &mut Number) -> (String, Option<String>) {
    (next(scene), scene.condition("RoutingConfigured"))
}

#[test]
fn a_callback_is_set_where_a_block_asks_for_it() {
    rows(
        wanted,
        &[
            ("it is not there", |_| {}, SET),
            ("no block", drops_the_block, FINE),
            ("another one is there, and was not ours", |scene| delivers(scene, "https://old.example"), SET),
            ("it was there before us", |scene| delivers(scene, CALLBACK), FINE),
            ("Observe sets none", |scene| scene.object.spec.management_policy = ManagementPolicy::Observe, FINE),
            (
                "no verify token",
                |scene| scene.inputs.verify_token = missing("none"),
                "Enabled False/SecretNotFound Stalled",
            ),
            ("a bad one", |scene| scene.inputs.verify_token = bad("x"), "Enabled False/SecretValueInvalid Stalled"),
            (
                "an unreadable one",
                |scene| scene.inputs.verify_token = SecretRead::Unread,
                "Enabled Unknown/SecretUnreadable Reconciling",
            ),
            ("after a fresh read", reads_lag, "Enabled False/Settling Reconciling"),
            (
                "after a pause",
                |scene| scene.inputs.held_back = Some("pause".into()),
                "Enabled False/HeldBack Reconciling",
            ),
            ("not with a wrong clock", clock_is_wrong, FINE),
        ],
    );
    rows(
        ours,
        &[
            ("as it should be", |_| {}, FINE),
            ("a new verify token", |scene| "webhook two".clone_into(&mut scene.inputs.webhook_inputs), SET),
            (
                "another callback",
                |scene| {
                    let incoming = scene.object.spec.incoming.as_mut().unwrap();
                    incoming.webhook.as_mut().unwrap().callback_url = "https://new.example/".into();
                    "webhook two".clone_into(&mut scene.inputs.webhook_inputs);
                },
                "send setWebhook https://new.example/",
            ),
            ("the block is gone", drops_the_block, "send clearWebhook"),
            (
                "the block is gone, and it is somebody else's by now",
                |scene| {
                    drops_the_block(scene);
                    delivers(scene, "https://other.example");
                },
                FINE,
            ),
            (
                "the block is gone, after a fresh read",
                |scene| {
                    drops_the_block(scene);
                    reads_lag(scene);
                },
                "Enabled False/Settling Reconciling",
            ),
        ],
    );
    assert_eq!(told(&mut ours()).1.as_deref(), Some("True/Configured"));
}

#[test]
fn one_read_does_not_undo_what_was_set_or_removed_a_moment_ago() {
    rows(
        ours,
        &[
            (
                "it was set",
                |scene| {
                    delivers(scene, "");
                    read_once(scene);
                },
                SETTLES,
            ),
            (
                "it may have been",
                |scene| {
                    set(scene, false, CallOutcome::Unknown, -1);
                    delivers(scene, "");
                    read_once(scene);
                },
                SETTLES,
            ),
            (
                "it may have been removed",
                |scene| {
                    drops_the_block(scene);
                    made(scene, CallInput::ClearWebhook, None, CallOutcome::Unknown, -1);
                    read_once(scene);
                },
                SETTLES,
            ),
            (
                "it was not: once more",
                |scene| {
                    drops_the_block(scene);
                    made(scene, CallInput::ClearWebhook, None, CallOutcome::Unknown, -1);
                },
                "send clearWebhook",
            ),
            (
                "another callback waits for one read alone",
                |scene| {
                    "webhook two".clone_into(&mut scene.inputs.webhook_inputs);
                    read_once(scene);
                },
                SET,
            ),
        ],
    );
}

#[test]
fn it_is_not_fought_over() {
    rows(
        ours,
        &[
            ("somebody removed it", |scene| delivers(scene, ""), AGAIN),
            ("somebody changed it", |scene| delivers(scene, "https://other.example"), AGAIN),
            (
                "once it was taken back today",
                |scene| {
                    set(scene, true, CallOutcome::Done(None), -60);
                    delivers(scene, "");
                },
                AGAIN,
            ),
            (
                "twice it was",
                |scene| {
                    set(scene, true, CallOutcome::Done(None), -60);
                    set(scene, true, CallOutcome::Done(None), -30);
                    delivers(scene, "");
                },
                "Enabled False/Contested Stalled",
            ),
            (
                "a day later it may be again",
                |scene| {
                    set(scene, true, CallOutcome::Done(None), -60);
                    set(scene, true, CallOutcome::Done(None), -30);
                    delivers(scene, "");
                    scene.inputs.now = at(24 * 60 - 59);
                },
                AGAIN,
            ),
            (
                "another callback is no part of the fight",
                |scene| {
                    set(scene, true, CallOutcome::Done(None), -60);
                    set(scene, true, CallOutcome::Done(None), -30);
                    delivers(scene, "");
                    "webhook two".clone_into(&mut scene.inputs.webhook_inputs);
                },
                SET,
            ),
        ],
    );
}

#[test]
fn a_refusal_is_told_and_tried_again_in_its_time() {
    let refused = |code, until| {
        let mut scene = wanted();
        set(&mut scene, false, refusal(code, until), -1);
        scene
    };
    for (code, until, ready, condition, reason) in [
        (200, Some(30), FINE, Some("False/NotPermitted"), "a number of the Business app: not fatal"),
        (100, Some(30), "Enabled False/NotSubscribed Stalled", Some("False/NotSubscribed"), "subscribe first"),
        (2200, Some(30), "Enabled False/CallbackRefused Reconciling", Some("False/CallbackRefused"), "no answer"),
        (1, Some(0), SET, None, "it is time"),
    ] {
        let (ready_now, condition_now) = told(&mut refused(code, until));
        assert_eq!((ready_now.as_str(), condition_now.as_deref()), (ready, condition), "{reason}");
    }
    let mut scene = refused(2200, Some(30));
    "webhook two".clone_into(&mut scene.inputs.webhook_inputs);
    assert_eq!(next(&mut scene), SET, "another token is another request");
}

#[test]
fn a_lost_answer_is_repeated_and_what_was_set_is_cleared_with_its_block() {
    rows(
        wanted,
        &[
            ("set again", |scene| set(scene, false, CallOutcome::Unknown, -5), SET),
            (
                "also where it is shown: the token may be another one",
                |scene| {
                    set(scene, false, CallOutcome::Unknown, -5);
                    delivers(scene, CALLBACK);
                },
                SET,
            ),
            (
                "without its block it is cleared, should it be there",
                |scene| {
                    set(scene, false, CallOutcome::Unknown, -5);
                    drops_the_block(scene);
                    delivers(scene, CALLBACK);
                },
                "send clearWebhook",
            ),
            (
                "not there, there is nothing to clear",
                |scene| {
                    set(scene, false, CallOutcome::Unknown, -5);
                    drops_the_block(scene);
                },
                FINE,
            ),
            (
                "a process died",
                |scene| {
                    begun(scene, CallInput::SetWebhook { url: CALLBACK.into(), again: false }, None, -5);
                    delivers(scene, CALLBACK);
                },
                "settle setWebhook happened",
            ),
            (
                "a process may be at it",
                |scene| {
                    let id = begun(scene, CallInput::SetWebhook { url: CALLBACK.into(), again: false }, None, -5);
                    scene.inputs.foreign_call_grace.insert(id, MINUTE);
                },
                "Enabled False/OutcomePending Reconciling",
            ),
        ],
    );
    rows(
        ours,
        &[(
            "a process died while it removed it",
            |scene| {
                begun(scene, CallInput::ClearWebhook, None, -5);
                drops_the_block(scene);
            },
            "settle clearWebhook lost",
        )],
    );
}

#[test]
fn a_call_that_another_process_may_be_at_is_come_back_to_though_nobody_wants_it_any_more() {
    let mut scene = number();
    delivers(&mut scene, "");
    let id = begun(&mut scene, CallInput::SetWebhook { url: CALLBACK.into(), again: false }, None, -5);
    scene.inputs.foreign_call_grace.insert(id, MINUTE / 2);
    let Plan::Report(report) = scene.plan() else { panic!("nothing to do") };
    assert_eq!(report.next, Requeue::After(MINUTE / 2));
}

#[test]
fn a_rung_that_is_unsettled_does_not_hold_it_up() {
    let mut scene = wanted();
    unregistered(&mut scene, "VERIFIED");
    made(&mut scene, CallInput::Register, Some("004217"), CallOutcome::Unknown, -5);
    read_once(&mut scene);
    assert_eq!(next(&mut scene), SET);
}

#[test]
fn a_callback_that_does_not_answer_can_be_asked_as_meta_does() {
    let mut scene = wanted();
    set(&mut scene, false, refusal(2200, Some(10)), -1);
    assert_eq!(next(&mut scene), "Enabled False/CallbackRefused Reconciling");
    let command = "kubectl -n cc get secret hook -o jsonpath='{.data.verify-token}' | base64 -d | curl -sG \"$(kubectl -n cc \
                   get wan support-fr -o jsonpath='{.spec.incoming.webhook.callbackURL}')\" -d hub.mode=subscribe -d \
                   hub.challenge=42 --data-urlencode hub.verify_token@-";
    assert!(scene.message("RoutingConfigured").contains(command), "{}", scene.message("RoutingConfigured"));
}

#[test]
fn what_was_not_set_yet_is_not_told_to_have_been() {
    for (scene, words) in [(wanted as fn() -> Number, "is set in a moment"), (ours, "was set a moment ago")] {
        let mut scene = scene();
        delivers(&mut scene, "");
        reads_lag(&mut scene);
        assert_eq!(next(&mut scene), SETTLES);
        assert!(scene.message("Ready").contains(words), "{}", scene.message("Ready"));
    }
}
