//! How an app stands, in every state of Secrets, tokens, accounts and Meta.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use super::fixtures::{ACCOUNT, Says, Scene, problem};
use crate::kinds::meta_app::{
    cached_answers::Credentials,
    decision::{Input, Inputs, Step},
    plan::plan,
};
use crate::{
    api::{Action, AllowedFrom, AllowedNamespaces, Login, MetaApp, MetaAppStatus},
    controller::plan::{Plan, Report, Requeue},
    messages::Reason,
    observe::AppState,
    timing::Timing,
};

const OTHER: &str = "202290129340398";

/// A case: why it is so, what is so, and what is told then.
type Case = (&'static str, fn(&mut Scene), &'static str);

fn table(scene: fn() -> Scene, cases: &[Case]) {
    for (reason, change, expected) in cases {
        let mut scene = scene();
        change(&mut scene);
        scene.settled();
        assert_eq!(scene.told(), *expected, "{reason}");
    }
}

#[test]
fn a_new_app() {
    let cases: &[Case] = &[
        ("all is well", |_| {}, "Connected True/Connected"),
        (
            "Meta knows no such app",
            |scene| scene.meta.credentials = Ok(Credentials::WrongAppID),
            "CredentialsInvalid False/WrongAppID Stalled",
        ),
        (
            "the secret is another app's",
            |scene| scene.meta.credentials = Ok(Credentials::WrongAppSecret),
            "CredentialsInvalid False/WrongAppSecret Stalled",
        ),
        (
            "labels of namespaces are not watched",
            |scene| {
                scene.namespaced = true;
                let selector = AllowedNamespaces { from: AllowedFrom::Selector, selector: None };
                scene.edit(|app: &mut MetaApp| app.spec.allowed_namespaces = Some(selector));
            },
            "Connected False/InvalidSpec Stalled",
        ),
        ("Meta is down", |scene| scene.meta.credentials = Err(2), "Pending Unknown/MetaUnreachable Reconciling"),
        (
            "there is no app secret",
            |scene| scene.secret = Err(problem(Reason::SecretNotFound, false)),
            "Pending False/SecretNotFound Stalled",
        ),
        (
            "the app secret cannot be read just now",
            |scene| scene.secret = Err(problem(Reason::SecretUnreadable, true)),
            "Pending False/SecretUnreadable Reconciling",
        ),
        (
            "there is no token",
            |scene| scene.user_token = Err(problem(Reason::SecretKeyNotFound, false)),
            "Pending False/SecretKeyNotFound Stalled",
        ),
        (
            "somebody's Secret is in the way of the operator's copy",
            |scene| scene.unreadable = Some(problem(Reason::SecretNameTaken, false)),
            "Pending False/SecretNameTaken Stalled",
        ),
        ("the token is dead", |scene| scene.says("A", Says::Dead(463)), "ExpiredToken False/ExpiredToken Stalled"),
        (
            "the token is another app's",
            |scene| scene.says("A", Says::Foreign),
            "ExpiredToken False/TokenOfAnotherApp Stalled",
        ),
        (
            "nothing can be said of the token",
            |scene| scene.says("A", Says::Fails(2)),
            "Pending Unknown/MetaUnreachable Reconciling",
        ),
        (
            "the token sees no account",
            |scene| {
                scene.says("A", Says::works_for_all());
                scene.meta.lists = Ok(Vec::new());
            },
            "Connected False/NoAccounts Stalled",
        ),
        (
            "the token may not list accounts: a person has to name them",
            |scene| {
                scene.says("A", Says::works_for_all());
                scene.meta.lists = Err(10);
            },
            "Connected False/NoAccounts Stalled",
        ),
        (
            "accounts cannot be listed just now",
            |scene| {
                scene.says("A", Says::works_for_all());
                scene.meta.lists = Err(2);
            },
            "Pending Unknown/MetaUnreachable Reconciling",
        ),
        (
            "the account cannot be read with the token",
            |scene| scene.refuses("", ACCOUNT, 10),
            "Connected False/AccountNotReadable Stalled",
        ),
        (
            "one of two accounts cannot be read with the token",
            |scene| {
                scene.names(&[ACCOUNT, OTHER]);
                scene.refuses("", OTHER, 100);
            },
            "Connected False/AccountNotReadable Stalled",
        ),
        ("Meta asks for a pause", |scene| scene.refuses("", ACCOUNT, 80_007), "Connected False/Throttled Reconciling"),
        (
            "Meta cannot read it just now",
            |scene| scene.refuses("", ACCOUNT, 2),
            "Connected False/MetaUnreachable Reconciling",
        ),
    ];
    table(Scene::new, cases);
}

#[test]
fn what_comes_before_meta() {
    let cases: &[Case] = &[
        ("suspended", |scene| scene.edit(|app| app.spec.suspend = true), "Suspended Unknown/Suspended Suspended"),
        (
            "an older one has the app",
            |scene| scene.competing_object = Some("an object in another namespace".to_owned()),
            "Conflict False/Conflict Stalled",
        ),
        (
            "nobody puts a token into a Secret",
            |scene| {
                scene.edit(|app| {
                    app.spec.access_token_ref = None;
                    app.spec.login = Some(Login::default());
                });
            },
            "AwaitingLogin False/NotYetSupported Stalled",
        ),
    ];
    for (reason, change, expected) in cases {
        let mut scene = Scene::new();
        change(&mut scene);
        scene.settled();
        assert_eq!((scene.told().as_str(), scene.steps.len()), (*expected, 0), "{reason}: Meta is left alone");
    }
}

#[test]
fn an_app_that_was_connected() {
    let connected = || Scene::connected(Says::works());
    let cases: &[Case] = &[
        (
            "suspended: Ready keeps its status and reason",
            |scene| scene.edit(|app| app.spec.suspend = true),
            "Suspended True/Connected Suspended",
        ),
        (
            "the user's Secret is gone: the copy stays in use",
            |scene| scene.user_token = Err(problem(Reason::SecretNotFound, false)),
            "Connected True/Connected",
        ),
        (
            "an account cannot be read just now",
            |scene| scene.refuses("", ACCOUNT, 2),
            "Connected False/MetaUnreachable Reconciling",
        ),
        (
            "Meta is silent for longer than three intervals: the last phase stays",
            |scene| {
                scene.refuses("", ACCOUNT, 2);
                scene.pass(31);
            },
            "Connected Unknown/Stale Reconciling",
        ),
        (
            "an account was taken from the token: that is known, however long ago it was",
            |scene| {
                scene.refuses("", ACCOUNT, 10);
                scene.pass(31);
            },
            "Connected False/AccountNotReadable Stalled",
        ),
    ];
    table(connected, cases);
}

#[test]
fn an_account_that_is_new_is_read_and_nothing_else_is_in_doubt() {
    let mut scene = Scene::connected(Says::works());
    scene.pass(60);
    scene.settled();
    scene.names(&[ACCOUNT, OTHER]);
    scene.reconcile();
    assert_eq!(scene.told(), "Connected False/Reading Reconciling");
    scene.settled();
    assert_eq!(scene.told(), "Connected True/Connected");
}

#[test]
fn after_a_restart_nothing_is_written_until_something_better_is_known() {
    for (reason, silence) in [
        ("credentials", (|scene| scene.meta.credentials = Err(2)) as fn(&mut Scene)),
        ("the token", |scene| scene.says("A", Says::Fails(2))),
        ("the list of accounts", |scene| {
            scene.says("A", Says::works_for_all());
            scene.meta.lists = Err(2);
        }),
        ("the account", |scene| scene.refuses("", ACCOUNT, 2)),
    ] {
        let mut scene = Scene::connected(Says::works());
        scene.pass(600);
        scene.restart();
        silence(&mut scene);
        for _ in 0..10 {
            scene.settled();
            assert!(scene.held && scene.told() == "Connected True/Connected", "{reason}: {}", scene.told());
            assert!(!matches!(scene.standing, AppState::NotReady(_)), "{reason}: {:?}", scene.standing);
            assert!(scene.wait.unwrap().as_secs() <= 600, "{reason}: looks again in {:?}", scene.wait);
            scene.pass(3);
        }
        scene.pass(2);
        scene.settled();
        assert_eq!(scene.told(), "Connected Unknown/Stale Reconciling", "{reason}");
        scene.meta.credentials = Ok(Credentials::Valid("INO".to_owned()));
        scene.meta.lists = Ok(vec![ACCOUNT.to_owned()]);
        scene.meta.refuses.clear();
        scene.says("A", Says::works());
        scene.pass(2);
        scene.settled();
        assert_eq!(scene.told(), "Connected True/Connected", "{reason}: over");
    }
}

#[test]
fn an_app_whose_accounts_are_not_known_yet_says_nothing_of_them() {
    let mut scene = Scene::connected(Says::works_for_all());
    scene.restart();
    scene.meta.lists = Err(2);
    scene.settled();
    assert_eq!(scene.standing, AppState::Starting, "numbers and templates would be told that nobody manages them");
}

#[test]
fn suspension_is_over_when_it_is_over() {
    let mut scene = Scene::connected(Says::works());
    scene.edit(|app| app.spec.suspend = true);
    scene.settled();
    scene.restart();
    scene.settled();
    scene.pass(600);
    scene.edit(|app| app.spec.suspend = false);
    scene.refuses("", ACCOUNT, 2);
    scene.settled();
    assert_eq!(scene.told(), "Connected False/MetaUnreachable Reconciling");
    scene.pass(31);
    scene.settled();
    assert_eq!(scene.told(), "Connected Unknown/Stale Reconciling");
}

/// What the plan makes of an app that has something to import, with these changes to what is known.
fn with_import(change: impl FnOnce(&mut Inputs)) -> Plan<MetaAppStatus, Step> {
    let mut scene = Scene::connected(Says::works());
    let timing = Timing::default();
    let mut inputs = scene.inputs();
    inputs.import.numbers = vec![(ACCOUNT.into(), 33_612_345_678)];
    change(&mut inputs);
    let planned = |inputs: &Inputs| plan(Input { app: &scene.app, inputs, timing: &timing });
    match planned(&inputs) {
        Plan::Step(Step::Publish(publication)) => {
            inputs.published = Some(publication);
            planned(&inputs)
        }
        other => other,
    }
}

#[test]
fn an_import_follows_the_status_and_rests_after_a_failure() {
    let minute = Timing::default().retry_interval;
    let failed = |inputs: &mut Inputs, ago: Duration| {
        inputs.import_failure =
            Some(("objects could not be created: forbidden".to_owned(), inputs.instant.checked_sub(ago).unwrap()));
    };
    let report = |planned: Plan<MetaAppStatus, Step>| match planned {
        Plan::Report(report) => report,
        other => panic!("no report: {other:?}"),
    };
    let ready = |report: &Report<MetaAppStatus, Step>| report.verdict.as_ref().map(|verdict| verdict.ready.reason);

    let first = report(with_import(|_| {}));
    assert!(matches!(first.follow_up, Some(Step::Import(batch)) if batch.numbers.len() == 1), "once it is written");

    let rests = report(with_import(|inputs| failed(inputs, minute / 4)));
    assert!(rests.follow_up.is_none(), "not again at once");
    assert_eq!(ready(&rests), Some(Reason::ImportFailed), "the failure is reported");
    assert!(matches!(rests.next, Requeue::After(wait) if wait <= minute * 3 / 4), "and retried: {:?}", rests.next);

    let again = report(with_import(|inputs| failed(inputs, minute)));
    assert!(matches!(again.follow_up, Some(Step::Import(_))), "after the retry interval");
}

#[test]
fn what_an_import_created_is_reported_once_it_is_complete() {
    let reported = |change: fn(&mut Inputs)| {
        let planned = with_import(|inputs| {
            inputs.has_imported = true;
            change(inputs);
        });
        matches!(planned, Plan::Step(Step::ReportImport))
    };
    assert!(!reported(|_| {}), "more is to come");
    assert!(reported(|inputs| inputs.import.numbers.clear()), "nothing is left");
    let failed: fn(&mut Inputs) = |inputs| inputs.import_failure = Some(("forbidden".to_owned(), inputs.instant));
    assert!(!reported(failed), "what failed is to come");
}

#[test]
fn a_changed_spec_is_acknowledged_though_meta_is_silent_since_a_restart() {
    let mut scene = Scene::connected(Says::works());
    scene.restart();
    scene.refuses("", ACCOUNT, 2);
    scene.settled();
    assert!(scene.held && scene.told() == "Connected True/Connected", "{}", scene.told());
    scene.edit(|_| {});
    scene.settled();
    assert!(!scene.held, "{}", scene.told());
    assert_eq!(scene.app.status.unwrap().observed_generation, scene.app.metadata.generation.unwrap());
}

#[test]
fn a_requested_exchange_waits_until_it_is_known_whether_the_token_works() {
    let mut scene = Scene::connected(Says::ends_in(1_000));
    scene.says("A2", Says::ends_in(60 * 24));
    scene.gives("A2");
    scene.restart();
    scene.meta.credentials = Err(2);
    scene.request(Action::RefreshToken);
    scene.settled();
    assert!(scene.held && scene.requests.len() == 1, "nothing is known yet");
    scene.meta.credentials = Ok(Credentials::Valid("INO".to_owned()));
    scene.pass(2);
    scene.settled();
    assert_eq!((scene.taken("Exchange"), scene.requests.len(), scene.kept().as_str()), (1, 0, "A2 -"));
}
