//! Added once, and never again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use super::fixtures::{
    Number, asks, begun, clock_is_wrong, facts, made, next, number, read_once, reads_lag, refusal, rows, unregistered,
    unusable,
};
use crate::{
    api::{Action, ManagementPolicy, Provisioning},
    calls::CallInput,
    controller::testing::{ACCOUNT, MINUTE},
    ledger::CallOutcome,
    observe::Observation,
};

const SEND: &str = "send addNumber INO Support";
const ADDING: &str = "Pending False/Adding Reconciling";
const PENDING: &str = "Pending False/OutcomePending Reconciling";

/// Asked to be added to an account that lacks it in two reads.
fn missing() -> Number {
    let mut scene = number();
    let spec = &mut scene.object.spec;
    spec.provisioning = Provisioning::AddIfMissing;
    spec.business_account_id = Some(ACCOUNT.to_owned());
    spec.requested_name = Some("INO Support".to_owned());
    scene.lacks(MINUTE);
    scene
}

fn input() -> CallInput {
    CallInput::AddNumber { account: ACCOUNT.into(), name: "INO Support".into() }
}

fn added(scene: &mut Number, ended: CallOutcome) {
    made(scene, input(), None, ended, -5);
}

#[test]
fn a_number_that_is_lacking_is_added_once() {
    rows(
        missing,
        &[
            ("two reads lack it", |_| {}, SEND),
            ("one read proves nothing", |scene| scene.lacks(Duration::ZERO), "Pending False/Reading Reconciling"),
            (
                "nobody asks for it",
                |scene| scene.object.spec.provisioning = Provisioning::Adopt,
                "NotFound False/NotFound Stalled",
            ),
            (
                "Observe adds nothing",
                |scene| scene.object.spec.management_policy = ManagementPolicy::Observe,
                "NotFound False/NotFound Stalled",
            ),
            ("suspended", |scene| scene.object.spec.suspend = true, "Suspended Unknown/Suspended Suspended"),
            ("a rival", |scene| scene.competing_object = Some("x".into()), "Conflict False/Conflict Stalled"),
            (
                "an elder that does not see it either",
                |scene| scene.inputs.earlier_claimant = Some("x".into()),
                "Conflict False/Conflict Stalled",
            ),
            (
                "another account",
                |scene| scene.seen = Observation::Unmanaged,
                "NotFound False/AccountNotManaged Stalled",
            ),
            (
                "the number is in another account",
                |scene| scene.inputs.listed_in = vec!["501".into()],
                "NotFound False/InvalidSpec Stalled",
            ),
            (
                "the named account is none of the app's, and another has the number",
                |scene| {
                    scene.seen = Observation::Unmanaged;
                    scene.inputs.listed_in = vec!["501".into()];
                },
                "NotFound False/InvalidSpec Stalled",
            ),
            (
                "no such country",
                |scene| scene.object.spec.phone_number = "+2812345678".into(),
                "Pending False/InvalidSpec Stalled",
            ),
            ("Meta judges how long it may be", |scene| scene.object.spec.phone_number = "+3361234567".into(), SEND),
            (
                "nobody can request a number of no country",
                |scene| {
                    scene.object.spec.phone_number = "+2812345678".into();
                    asks(scene, Action::Reconcile);
                },
                "Pending False/InvalidSpec Stalled",
            ),
            ("no memory", |scene| scene.inputs.blocker = Some(unusable()), "Pending False/LedgerUnusable Stalled"),
            ("a wrong clock", clock_is_wrong, "Pending False/ClockSkewed Reconciling"),
            (
                "Meta wants a pause",
                |scene| scene.inputs.held_back = Some("pause".into()),
                "Pending False/HeldBack Reconciling",
            ),
            ("it is there: its id is noted", |scene| scene.shows(facts(&serde_json::json!({}))), "note"),
        ],
    );
}

#[test]
fn what_was_added_is_waited_for_and_never_added_again() {
    let done: fn() -> Number = || {
        let mut scene = missing();
        added(&mut scene, CallOutcome::Done(Some("7".into())));
        scene
    };
    rows(
        done,
        &[
            ("lists lag", reads_lag, ADDING),
            ("one read proves nothing", read_once, ADDING),
            ("gone", |_| {}, "NotFound False/NotFound Stalled"),
            (
                "nor when a person asks for a read",
                |scene| asks(scene, Action::Reconcile),
                "NotFound False/NotFound Stalled",
            ),
        ],
    );
    let mut scene = missing();
    unregistered(&mut scene, "NOT_VERIFIED");
    scene.inputs.ledger.phone_number_id = Some(super::fixtures::ID.to_owned());
    next(&mut scene);
    scene.lacks(MINUTE);
    assert_eq!(next(&mut scene), format!("read {}", super::fixtures::ID), "it once had an id");
    scene.proof = Some(crate::controller::account_resource::Proof::Gone);
    assert_eq!(next(&mut scene), "NotFound False/NotFound Stalled");
}

#[test]
fn a_lost_answer_leads_to_one_more_and_then_to_a_person() {
    let unsure: fn() -> Number = || {
        let mut scene = missing();
        added(&mut scene, CallOutcome::Unknown);
        scene
    };
    rows(
        unsure,
        &[
            ("no read counts", reads_lag, PENDING),
            ("one read proves nothing", read_once, PENDING),
            ("it is not there: once more", |_| {}, "again addNumber"),
            (
                "it was to be added to another account",
                |scene| scene.edit(|number| number.spec.business_account_id = Some("9".into())),
                "settle addNumber given up",
            ),
            (
                "a pause first",
                |scene| scene.inputs.held_back = Some("pause".into()),
                "Pending False/HeldBack Reconciling",
            ),
            ("a wrong clock", clock_is_wrong, "Pending False/ClockSkewed Reconciling"),
            ("lost twice", |scene| added(scene, CallOutcome::Unknown), "Pending False/OutcomeUnknown Stalled"),
            (
                "a person asks",
                |scene| {
                    added(scene, CallOutcome::Unknown);
                    asks(scene, Action::Reconcile);
                },
                "send addNumber INO Support for reconcile-at",
            ),
            (
                "it is there",
                |scene| {
                    scene.inputs.ledger.phone_number_id = Some(super::fixtures::ID.to_owned());
                    unregistered(scene, "NOT_VERIFIED");
                },
                "settle addNumber happened",
            ),
        ],
    );
    let mut scene = missing();
    let id = begun(&mut scene, input(), None, -1);
    scene.inputs.foreign_call_grace.insert(id, MINUTE);
    assert_eq!(next(&mut scene), PENDING);
    scene.inputs.foreign_call_grace.clear();
    assert_eq!(next(&mut scene), "settle addNumber lost");
}

#[test]
fn a_refused_number_is_not_added_again() {
    const STALLED: &str = "Pending False/AddRefused Stalled";
    rows(
        missing,
        &[
            ("it is in use elsewhere", |scene| added(scene, refusal(2_388_012, None)), STALLED),
            (
                "another name is another request",
                |scene| {
                    added(scene, refusal(100, None));
                    scene.object.spec.requested_name = Some("INO".into());
                },
                "send addNumber INO",
            ),
            (
                "a person asks once more",
                |scene| {
                    added(scene, refusal(2_388_012, None));
                    asks(scene, Action::Reconcile);
                },
                "send addNumber INO Support for reconcile-at",
            ),
            ("it may pass", |scene| added(scene, refusal(2, Some(1))), "Pending False/AddRefused Reconciling"),
            ("it has passed", |scene| added(scene, refusal(2, Some(0))), SEND),
        ],
    );
}
