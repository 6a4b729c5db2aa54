//! The profile is as written, or set right once a day at most per field.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde_json::json;

use super::fixtures::{Number, begun, clock_is_wrong, made, next, number, refusal, rows, shows, unregistered};
use crate::kinds::whatsapp_number::{
    inputs::ProfileRead,
    profile_cache::{Look, Profiles},
};
use crate::{
    api::{ManagementPolicy, Profile},
    calls::CallInput,
    controller::{
        plan::{Plan, Requeue},
        testing::{MINUTE, sent},
    },
    graph::types,
    ledger::CallOutcome,
    timing::Timing,
};

const FINE: &str = "Enabled True/Enabled";
const WRITE: &str = r#"send writeProfile {"about":"we help"}"#;

/// Connected; `about` is wanted, and Meta has none.
fn wanted() -> Number {
    let mut scene = number();
    shows(&mut scene, &json!({}));
    scene.object.spec.profile = Some(Profile { about: Some("we help".into()), ..Profile::default() });
    has(&mut scene, "", true);
    scene
}

/// Meta shows this `about`.
fn has(scene: &mut Number, about: &str, fresh: bool) {
    let profile: types::Profile = sent(json!({}), &json!({"about": about, "vertical": "UNDEFINED"}));
    scene.inputs.profile = ProfileRead::Shown { profile, fresh, next: Duration::from_hours(20) };
}

fn wrote(scene: &mut Number, ended: CallOutcome, minute: i64) {
    let fields = BTreeMap::from([("about".to_owned(), json!("we help"))]);
    let input = CallInput::WriteProfile { fields };
    made(scene, input, None, ended, minute);
    let inputs = crate::kinds::whatsapp_number::profile::inputs(scene.object.spec.profile.as_ref().unwrap());
    if let Some(refusal) = scene.inputs.ledger.refusals.values_mut().next() {
        refusal.inputs = inputs;
    }
}

#[test]
fn what_the_spec_names_is_written_and_nothing_else() {
    rows(
        wanted,
        &[
            ("it is not there", |_| {}, WRITE),
            ("it is there", |scene| has(scene, "we help", true), FINE),
            ("it is read first", |scene| scene.inputs.profile = ProfileRead::Due, "read the profile"),
            ("it is not read yet", |scene| scene.inputs.profile = ProfileRead::Unread { next: MINUTE }, FINE),
            ("no block", |scene| scene.object.spec.profile = None, FINE),
            (
                "a field breaks a rule that is younger than the object",
                |scene| {
                    let email = Some("support".to_owned());
                    scene.object.spec.profile = Some(Profile { email, ..Profile::default() });
                },
                "Enabled False/InvalidSpec Stalled",
            ),
            ("Observe", |scene| scene.object.spec.management_policy = ManagementPolicy::Observe, FINE),
            ("not registered", |scene| unregistered(scene, "VERIFIED"), "PINRequired True/Adopted"),
            (
                "nothing is what Meta calls undefined",
                |scene| {
                    scene.object.spec.profile = Some(Profile {
                        vertical: Some("UNDEFINED".to_owned()),
                        websites: Some(Vec::new()),
                        email: Some(String::new()),
                        ..Profile::default()
                    });
                },
                FINE,
            ),
            (
                "only what differs",
                |scene| {
                    has(scene, "we help", true);
                    scene.object.spec.profile.as_mut().unwrap().email = Some("a@b.example".into());
                },
                r#"send writeProfile {"email":"a@b.example"}"#,
            ),
            ("a pause", |scene| scene.inputs.held_back = Some("pause".into()), FINE),
            ("a wrong clock", clock_is_wrong, FINE),
        ],
    );
}

#[test]
fn what_was_written_is_compared_with_what_meta_made_of_it() {
    fn written(scene: &mut Number, minute: i64, shown: Option<&str>) {
        wrote(scene, CallOutcome::Done(None), minute);
        scene.inputs.ledger.profile.get_mut("about").unwrap().shown = shown.map(|shown| json!(shown));
    }
    fn written_and_lagging(scene: &mut Number) {
        written(scene, 0, None);
        has(scene, "", false);
    }
    rows(
        wanted,
        &[
            (
                "Meta spells it in its own way: that is noted",
                |scene| {
                    written(scene, -5, None);
                    has(scene, "We help", true);
                },
                "note",
            ),
            ("a read from before proves nothing", written_and_lagging, FINE),
            (
                "as Meta spells it",
                |scene| {
                    written(scene, -5, Some("We help"));
                    has(scene, "We help", true);
                },
                FINE,
            ),
            (
                "somebody changed it: not twice a day",
                |scene| {
                    written(scene, -5, Some("We help"));
                    has(scene, "other", true);
                },
                FINE,
            ),
            (
                "a day later",
                |scene| {
                    written(scene, -24 * 60, Some("We help"));
                    has(scene, "other", true);
                },
                WRITE,
            ),
            (
                "a person wants another text",
                |scene| {
                    written(scene, -5, Some("We help"));
                    has(scene, "We help", true);
                    scene.object.spec.profile.as_mut().unwrap().about = Some("new".into());
                },
                r#"send writeProfile {"about":"new"}"#,
            ),
        ],
    );
    let mut scene = wanted();
    written(&mut scene, -5, Some("We help"));
    has(&mut scene, "other", true);
    next(&mut scene);
    assert_eq!(scene.condition("ProfileSynced").as_deref(), Some("False/ProfileDiffers"));
}

#[test]
fn what_cannot_be_read_is_neither_empty_nor_written() {
    let shows = |scene: &mut Number, profile: serde_json::Value| {
        let profile: types::Profile = sent(json!({}), &profile);
        scene.inputs.profile = ProfileRead::Shown { profile, fresh: true, next: Duration::from_hours(20) };
    };
    let verdict = |scene: &mut Number| (next(scene), scene.condition("ProfileSynced"));
    let unreadable = (FINE.to_owned(), Some("Unknown/ProfileUnreadable".to_owned()));
    for (reason, profile) in [
        ("one level deeper", json!({"business_profile": {"about": "we help"}})),
        ("the field is an object", json!({"about": {"text": "we help"}})),
    ] {
        let mut scene = wanted();
        shows(&mut scene, profile.clone());
        assert_eq!(verdict(&mut scene), unreadable, "{reason}");
        // Nor is it what became of a write.
        let mut scene = wanted();
        wrote(&mut scene, CallOutcome::Done(None), -5);
        shows(&mut scene, profile);
        assert_eq!(verdict(&mut scene), unreadable, "{reason}, after a write");
    }
    let mut scene = wanted();
    shows(&mut scene, json!({"websites": "https://ino.cx/"}));
    assert_eq!(next(&mut scene), WRITE, "a field that the spec does not name is in nobody's way");
}

#[test]
fn only_a_spelling_of_what_was_written_is_learnt() {
    let mut scene = wanted();
    wrote(&mut scene, CallOutcome::Done(None), -5);
    for shown in ["", "another text", "we help you"] {
        has(&mut scene, shown, true);
        assert_eq!(next(&mut scene), FINE, "{shown}");
        assert_eq!(scene.condition("ProfileSynced").as_deref(), Some("False/ProfileDiffers"), "{shown}");
    }
    has(&mut scene, " We  help", true);
    assert_eq!(next(&mut scene), "note", "it is shown in the end");
    // What an earlier version took for a spelling.
    let mut scene = wanted();
    wrote(&mut scene, CallOutcome::Done(None), -5);
    scene.inputs.ledger.profile.get_mut("about").unwrap().shown = Some(json!("another text"));
    has(&mut scene, "another text", true);
    assert_eq!(next(&mut scene), FINE);
    assert_eq!(scene.condition("ProfileSynced").as_deref(), Some("False/ProfileDiffers"));
    scene.inputs.ledger.profile.get_mut("about").unwrap().at = super::fixtures::at(-24 * 60);
    assert_eq!(next(&mut scene), WRITE, "a day later");
}

#[test]
fn a_lost_answer_is_looked_at_before_it_is_written_again() {
    rows(
        wanted,
        &[
            (
                "no read counts yet",
                |scene| {
                    wrote(scene, CallOutcome::Unknown, 0);
                    has(scene, "", false);
                },
                FINE,
            ),
            (
                "it was not written",
                |scene| {
                    wrote(scene, CallOutcome::Unknown, -1);
                    has(scene, "", true);
                },
                WRITE,
            ),
            (
                "it was",
                |scene| {
                    wrote(scene, CallOutcome::Unknown, -1);
                    has(scene, "we help", true);
                },
                "note",
            ),
            (
                "a process died",
                |scene| drop(begun(scene, CallInput::WriteProfile { fields: BTreeMap::new() }, None, -5)),
                "settle writeProfile lost",
            ),
            (
                "a process may be at it",
                |scene| {
                    let id = begun(scene, CallInput::WriteProfile { fields: BTreeMap::new() }, None, -5);
                    scene.inputs.foreign_call_grace.insert(id, MINUTE);
                },
                FINE,
            ),
            (
                "a process died, and the block is gone",
                |scene| {
                    begun(scene, CallInput::WriteProfile { fields: BTreeMap::new() }, None, -5);
                    scene.object.spec.profile = None;
                },
                "settle writeProfile lost",
            ),
        ],
    );
}

#[test]
fn a_refusal_waits_for_its_time_or_another_profile() {
    rows(
        wanted,
        &[
            ("its time", |scene| wrote(scene, refusal(100, Some(10)), -1), "Enabled False/ProfileRefused Stalled"),
            ("it has come", |scene| wrote(scene, refusal(100, Some(0)), -1), WRITE),
            (
                "another profile",
                |scene| {
                    wrote(scene, refusal(100, Some(10)), -1);
                    scene.object.spec.profile.as_mut().unwrap().about = Some("new".into());
                },
                r#"send writeProfile {"about":"new"}"#,
            ),
        ],
    );
}

/// When a number whose profile is managed is reconciled again, if nothing else wakes it.
fn requeue(scene: &Number) -> Requeue {
    match scene.plan() {
        Plan::Report(report) => report.next,
        other => panic!("no report: {other:?}"),
    }
}

#[test]
fn a_profile_that_is_not_read_yet_is_requeued_for_its_read() {
    for (reason, change, expected) in [
        (
            "after a restart, or after a failed read",
            (|scene| scene.inputs.profile = ProfileRead::Unread { next: MINUTE * 3 }) as fn(&mut Number),
            MINUTE * 3,
        ),
        ("the clock may be right again", clock_is_wrong, MINUTE),
        (
            "another topic waits for longer",
            |scene| {
                scene.inputs.profile = ProfileRead::Unread { next: MINUTE * 3 };
                super::fixtures::asks_for_callback(scene);
                let input = CallInput::SetWebhook { url: super::fixtures::CALLBACK.into(), again: false };
                made(scene, input, None, refusal(200, Some(600)), -5);
            },
            MINUTE * 3,
        ),
    ] {
        let mut scene = wanted();
        change(&mut scene);
        assert_eq!(requeue(&scene), Requeue::After(expected), "{reason}");
    }
}

fn look(is_new: bool, unsettled: bool, counts_from: Option<Instant>) -> Look {
    Look { uid: "u".into(), counts_from, unsettled, may_lag: false, is_new, requested: false }
}

#[test]
fn reads_are_made_when_they_are_due_and_not_in_a_circle() {
    let timing = Timing::default();
    let profiles = Profiles::default();
    let now = Instant::now();
    assert_eq!(profiles.look(&look(true, false, None), now, &timing), ProfileRead::Due, "a new spec");
    profiles.learn("u", Err(None), (now, now), &timing);
    assert_eq!(
        profiles.look(&look(true, false, None), now, &timing),
        ProfileRead::Unread { next: timing.retry_interval },
        "a read that failed is not repeated at once"
    );
    profiles.learn("u", Ok(types::Profile::default()), (now, now), &timing);
    let fresh = |read: ProfileRead| match read {
        ProfileRead::Shown { fresh, .. } => Some(fresh),
        _ => None,
    };
    assert_eq!(fresh(profiles.look(&look(false, false, None), now, &timing)), Some(true));
    let written = Some(now + Duration::from_nanos(1));
    assert_eq!(fresh(profiles.look(&look(false, false, written), now, &timing)), Some(false), "older than the write");
    let failed = now + timing.settle;
    profiles.learn("u", Err(None), (failed, failed), &timing);
    assert_eq!(
        fresh(profiles.look(&look(false, true, written), failed, &timing)),
        Some(false),
        "a read that failed makes it no younger"
    );
    profiles.forget("u");
    assert_eq!(profiles.look(&look(true, false, None), now, &timing), ProfileRead::Due);
}

/// Three tries of 30 s each, while Meta does not answer.
#[test]
fn a_slow_read_that_fails_is_retried_a_pause_after_its_end() {
    let timing = Timing::default();
    let (began, ended) = (Instant::now(), Instant::now() + MINUTE * 3 / 2);
    let lagging = Some(began);
    for (reason, look) in [
        ("a new spec", look(true, false, None)),
        ("written, and not read back", look(false, true, lagging)),
        ("a person requests a read", Look { requested: true, ..look(false, false, None) }),
    ] {
        let profiles = Profiles::default();
        profiles.learn("u", Err(None), (began, ended), &timing);
        let read = profiles.look(&look, ended, &timing);
        assert_eq!(read, ProfileRead::Unread { next: timing.retry_interval }, "{reason}");
        assert_eq!(profiles.look(&look, ended + timing.retry_interval, &timing), ProfileRead::Due, "{reason}");
    }
}

#[test]
fn a_read_that_the_budget_refused_is_made_again_when_the_budget_allows() {
    let (timing, now, pause) = (Timing::default(), Instant::now(), Duration::from_mins(40));
    let (profiles, uid) = (Profiles::default(), "u".to_owned());
    let look = Look { uid, counts_from: None, unsettled: false, may_lag: false, is_new: true, requested: true };
    profiles.learn("u", Err(Some(pause)), (now, now), &timing);
    assert_eq!(
        profiles.look(&look, now + timing.retry_interval, &timing),
        ProfileRead::Unread { next: Duration::from_mins(39) }
    );
    assert_eq!(profiles.look(&look, now + pause, &timing), ProfileRead::Due);
}

#[test]
fn a_restart_spreads_the_reads_of_known_profiles_over_a_day_and_misses_none() {
    let (timing, profiles, now) = (Timing::default(), Profiles::default(), Instant::now());
    let ProfileRead::Unread { next } = profiles.look(&look(false, false, None), now, &timing) else {
        panic!("read at once");
    };
    assert!(next <= timing.profile_interval, "{next:?}");
    assert_eq!(profiles.look(&look(false, false, None), now + next, &timing), ProfileRead::Due);
}

#[test]
fn what_the_process_before_wrote_is_read_back_at_once() {
    let (timing, now) = (Timing::default(), Instant::now());
    for (reason, counts_from, expected) in [
        ("it has settled", Some(now), true),
        ("nobody knows when it was written", None, true),
        ("it has not settled", Some(now + timing.settle), false),
    ] {
        let read = Profiles::default().look(&look(false, true, counts_from), now, &timing);
        assert_eq!(read == ProfileRead::Due, expected, "{reason}: {read:?}");
    }
}

#[test]
fn what_was_just_written_is_read_back_whatever_others_have_changed() {
    let mut scene = wanted();
    wrote(&mut scene, CallOutcome::Done(None), -60);
    scene.inputs.ledger.profile.get_mut("about").unwrap().shown = Some(json!("we help"));
    scene.object.spec.profile.as_mut().unwrap().description = Some("centre".into());
    let fields = BTreeMap::from([("description".to_owned(), json!("centre"))]);
    made(&mut scene, CallInput::WriteProfile { fields }, None, CallOutcome::Done(None), -1);
    has(&mut scene, "closed", false);
    assert_eq!(next(&mut scene), FINE);
    assert_eq!(scene.condition("ProfileSynced").as_deref(), Some("False/Settling"), "and not in a day only");
}
