//! A number that no account shows: how many reads prove it, and what the status reports.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use serde_json::json;

use super::{
    fixtures::{facts, shows},
    plan::scene,
};
use crate::{
    controller::{
        account_resource::Proof,
        plan::{Plan, Requeue},
        testing::{ACCOUNT, MINUTE},
    },
    kinds::whatsapp_number::inputs::Step,
};

#[test]
fn absence_takes_two_reads_a_minute_apart_and_one_by_id() {
    let mut scene = scene();
    shows(&mut scene, &json!({}));
    scene.reconcile();

    scene.lacks(Duration::ZERO);
    assert_eq!(scene.reconcile(), Some(Requeue::After(MINUTE)), "one read proves nothing");
    scene.instant += MINUTE;
    assert_eq!(
        scene.reconcile(),
        Some(Requeue::AfterRead(MINUTE / 10)),
        "the minute is over, and there was no second read"
    );
    scene.lacks(MINUTE);
    let by_id = || Plan::Step(Step::ReadById { account: ACCOUNT.to_owned(), id: "106540352242922".to_owned() });
    assert_eq!(scene.plan(), by_id(), "lists can be behind");
    assert_eq!(scene.told(), "Enabled True/Enabled", "until then the status stays");

    scene.proof = Some(Proof::Gone);
    assert_eq!(scene.reconcile(), None);
    assert_eq!(scene.told(), "NotFound False/NotFound Stalled");
    scene.proof = None;
    scene.lacks(Duration::ZERO);
    assert_eq!(scene.reconcile(), Some(Requeue::Nothing), "the report stays, also after a restart");
    scene.edit(|_| {});
    scene.lacks(MINUTE);
    assert_eq!(scene.plan(), by_id(), "another spec is checked again");

    shows(&mut scene, &json!({}));
    scene.reconcile();
    assert_eq!(scene.told(), "Enabled True/Enabled", "it came back");
}

#[test]
fn a_number_that_never_existed_needs_no_read_by_id() {
    let mut scene = scene();
    scene.lacks(MINUTE);
    assert_eq!(scene.reconcile(), None);
    assert_eq!(scene.told(), "NotFound False/NotFound Stalled");
    assert!(scene.message("Ready").contains("AddIfMissing"), "{}", scene.message("Ready"));
}

#[test]
fn a_number_in_another_account_is_reported_with_the_remedy() {
    let mut scene = scene();
    shows(&mut scene, &json!({}));
    scene.reconcile();
    scene.lacks(MINUTE);
    scene.proof = Some(Proof::Elsewhere(facts(&json!({}))));
    scene.reconcile();
    assert_eq!(scene.told(), "NotFound False/NotFound Stalled");
    assert!(scene.message("Ready").contains("spec.businessAccountIDs"), "{}", scene.message("Ready"));
}
