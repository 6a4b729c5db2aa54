//! What becomes of tokens: kept, proven, refused, replaced.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::fixtures::{ACCOUNT, Says, Scene, problem};
use crate::{controller::context::Error, messages::Reason, observe::AppState};

const OTHER: &str = "202290129340398";

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn a_new_value_is_proven_before_it_is_used() {
    /// Why, what Meta and the user do, what is kept then, and what `TokenValid` says.
    type Case = (&'static str, fn(&mut Scene), &'static str, &'static str);
    let cases: &[Case] = &[
        ("the same value is no news", |scene| scene.user("A"), "A -", "True/Valid"),
        ("a good one is used", |scene| scene.user("B"), "B -", "True/Valid"),
        (
            "a dead one is not",
            |scene| {
                scene.says("B", Says::Dead(460));
                scene.user("B");
            },
            "A B",
            "False/TokenRejected",
        ),
        (
            "one of another app is not",
            |scene| {
                scene.says("B", Says::Foreign);
                scene.user("B");
            },
            "A B",
            "False/TokenRejected",
        ),
        (
            "one that an account refuses is not",
            |scene| {
                scene.refuses("B", ACCOUNT, 10);
                scene.user("B");
            },
            "A B",
            "False/TokenRejected",
        ),
        (
            "one that cannot be inspected waits",
            |scene| {
                scene.says("B", Says::Fails(2));
                scene.user("B");
            },
            "A B",
            "True/ProvingToken",
        ),
        (
            "one that an account cannot be asked about waits",
            |scene| {
                scene.refuses("B", ACCOUNT, 2);
                scene.user("B");
            },
            "A B",
            "True/ProvingToken",
        ),
        (
            "what the token in use may not read, a new one need not read",
            |scene| {
                scene.names(&[ACCOUNT, OTHER]);
                scene.refuses("", OTHER, 10);
                scene.settled();
                scene.user("B");
            },
            "B -",
            "True/Valid",
        ),
        (
            "what the token in use read once and may not read now, a new one need not read",
            |scene| {
                scene.refuses("", ACCOUNT, 10);
                scene.settled();
                scene.user("B");
            },
            "B -",
            "True/Valid",
        ),
        (
            "whether the token in use may read it is not known while Meta is down",
            |scene| {
                scene.names(&[ACCOUNT, OTHER]);
                scene.refuses("", OTHER, 2);
                scene.settled();
                scene.user("B");
            },
            "A B",
            "True/ProvingToken",
        ),
        (
            "a change that was taken back",
            |scene| {
                scene.says("B", Says::Foreign);
                scene.user("B");
                scene.settled();
                scene.user("A");
            },
            "A -",
            "True/Valid",
        ),
        (
            "a change of the change",
            |scene| {
                scene.says("B", Says::Foreign);
                scene.user("B");
                scene.settled();
                scene.user("C");
            },
            "C -",
            "True/Valid",
        ),
        (
            "the Secret disappears",
            |scene| scene.user_token = Err(problem(Reason::SecretNotFound, false)),
            "A -",
            "False/SecretNotFound",
        ),
        (
            "the Secret disappears, and with it a value that was refused",
            |scene| {
                scene.says("B", Says::Foreign);
                scene.user("B");
                scene.settled();
                scene.user_token = Err(problem(Reason::SecretNotFound, false));
            },
            "A B",
            "False/SecretNotFound",
        ),
    ];
    for (reason, change, kept, valid) in cases {
        let mut scene = Scene::connected(Says::works());
        scene.says("B", Says::works());
        scene.says("C", Says::works());
        change(&mut scene);
        scene.settled();
        assert_eq!(
            (scene.kept().as_str(), scene.condition("TokenValid").as_deref()),
            (*kept, Some(*valid)),
            "{reason}"
        );
        assert_eq!(scene.standing, AppState::Ready, "{reason}: the app goes on");
    }
}

#[test]
fn a_restart_proves_a_waiting_candidate_anew() {
    for says in [Says::works(), Says::works_for_all()] {
        let mut scene = Scene::connected(says.clone());
        scene.says("B", says);
        scene.refuses("B", ACCOUNT, 10);
        scene.user("B");
        scene.settled();
        assert_eq!(scene.kept(), "A B", "refused");
        scene.restart();
        scene.settled();
        assert_eq!(scene.kept(), "A B", "no account was asked before it was used");
    }
}

#[test]
fn a_rejected_token_is_tried_again_now_and_then() {
    let mut scene = Scene::connected(Says::works());
    scene.says("B", Says::works());
    scene.refuses("B", ACCOUNT, 10);
    scene.user("B");
    scene.settled();
    let probed = scene.taken("Probe");
    scene.pass(10);
    scene.settled();
    assert_eq!(scene.taken("Probe"), probed, "not at once");
    scene.meta.refuses.clear();
    scene.pass(21);
    scene.settled();
    assert_eq!(scene.kept(), "B -", "the right was granted later");
}

#[test]
fn what_could_not_be_asked_is_asked_again_soon() {
    type Case = (&'static str, fn(&mut Scene));
    let cases: &[Case] = &[
        ("a candidate that cannot be inspected", |scene| scene.says("B", Says::Fails(2))),
        ("a candidate that an account cannot be asked about", |scene| scene.refuses("B", ACCOUNT, 2)),
    ];
    for (reason, change) in cases {
        let mut scene = Scene::connected(Says::works());
        scene.says("B", Says::works());
        change(&mut scene);
        scene.user("B");
        scene.settled();
        assert!(scene.wait.unwrap().as_secs() <= 60, "{reason}: looks again in {:?}", scene.wait);
    }
}

#[test]
fn a_dead_token_makes_room_for_any_that_lives() {
    let mut scene = Scene::connected(Says::works());
    scene.says("A", Says::Dead(463));
    scene.pass(31);
    scene.settled();
    assert_eq!(scene.told(), "ExpiredToken False/ExpiredToken Stalled");
    assert!(matches!(scene.standing, AppState::TokenExpired(_)));
    scene.says("B", Says::Foreign);
    scene.user("B");
    scene.settled();
    assert_eq!((scene.told().as_str(), scene.kept().as_str()), ("ExpiredToken False/ExpiredToken Stalled", "A B"));
    assert!(scene.message("Ready").contains("The new one there cannot be used"), "{}", scene.message("Ready"));
    scene.says("C", Says::works());
    scene.refuses("C", ACCOUNT, 10);
    scene.user("C");
    scene.settled();
    assert_eq!(scene.kept(), "C -", "it reads less than the old one did, and the old one reads nothing");
}

#[test]
fn the_end_of_a_token_shows_soon_after_it_came() {
    let mut scene = Scene::connected(Says::ends_in(1));
    scene.pass(59);
    scene.settled();
    let next = scene.wait.unwrap();
    assert!(next.as_secs() <= 61, "looks again in {next:?}, and the token ends in a minute");
    scene.pass(2);
    scene.reconcile();
    assert_eq!(scene.told(), "ExpiredToken False/ExpiredToken Stalled", "without a poll that was refused");
}

#[test]
fn two_refusals_far_enough_apart_prove_a_token_dead() {
    let mut scene = Scene::connected(Says::works());
    scene.refuses("A", ACCOUNT, 190);
    scene.poll();
    let inspected = scene.taken("InspectLive");
    scene.reconcile();
    assert_eq!(scene.taken("InspectLive"), inspected + 1, "Meta is asked at once whether the token lives");
    assert_eq!(scene.told(), "Connected False/MetaUnreachable Reconciling");
    scene.pass(1);
    scene.reconcile();
    assert_eq!(
        scene.told(),
        "Connected False/MetaUnreachable Reconciling",
        "one refusal does not become two by waiting"
    );
    scene.poll();
    scene.reconcile();
    assert_eq!(scene.told(), "ExpiredToken False/ExpiredToken Stalled");

    scene.meta.refuses.clear();
    scene.pass(10);
    scene.settled();
    assert_eq!(scene.told(), "Connected True/Connected", "Meta takes it back, and nobody has to do anything");
}

#[test]
fn refusals_close_together_prove_nothing() {
    let mut scene = Scene::connected(Says::works());
    scene.refuses("A", ACCOUNT, 190);
    scene.settled();
    assert_eq!(scene.told(), "Connected False/MetaUnreachable Reconciling");
    scene.meta.refuses.clear();
    scene.settled();
    scene.pass(5);
    scene.refuses("A", ACCOUNT, 190);
    scene.settled();
    assert_eq!(scene.told(), "Connected False/MetaUnreachable Reconciling", "the first one is forgotten");
}

#[test]
fn a_refusal_of_the_token_before_is_not_held_against_the_new_one() {
    let mut scene = Scene::connected(Says::works());
    scene.says("B", Says::works());
    scene.user("B");
    scene.reconcile();
    assert_eq!(scene.kept(), "B -");
    scene.late_refusal("A");
    scene.pass(1);
    let inspected = scene.taken("InspectLive");
    scene.late_refusal("A");
    scene.reconcile();
    assert_eq!(scene.taken("InspectLive"), inspected, "it says nothing of B");
    assert_ne!(scene.told(), "ExpiredToken False/ExpiredToken Stalled");
}

#[test]
fn a_copy_that_cannot_be_read_stops_nothing_that_is_known() {
    let mut scene = Scene::connected(Says::works());
    scene.unreadable = Some(problem(Reason::SecretUnreadable, true));
    scene.settled();
    assert_eq!(scene.told(), "Connected False/SecretUnreadable Reconciling");
    assert_eq!(scene.standing, AppState::Starting, "nothing is known against the app");
    scene.unreadable = None;
    scene.settled();
    assert_eq!(scene.told(), "Connected True/Connected");
}

#[test]
fn a_policy_that_strips_annotations_makes_no_endless_writes() {
    let mut scene = Scene::new();
    scene.strips_annotations = true;
    assert!(matches!(scene.try_reconcile(), Err(Error::Circle)), "it fails, and is retried after its backoff");
    assert!(scene.steps.len() < 30, "{:?}", scene.steps);
}

#[test]
fn a_candidate_is_proven_at_a_hundred_accounts_in_one_reconcile() {
    let mut scene = Scene::connected(Says::works_for_all());
    let accounts: Vec<String> = (0..100).map(|n| format!("{}", 102_290_129_340_398_u64 + n)).collect();
    scene.meta.lists = Ok(accounts);
    scene.pass(24 * 60);
    scene.settled();
    scene.says("B", Says::works_for_all());
    scene.user("B");
    scene.reconcile();
    assert_eq!((scene.kept().as_str(), scene.taken("Probe")), ("B -", 1));
}
