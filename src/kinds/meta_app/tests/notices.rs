//! What people are told of tokens and app secrets, once for each cause.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::fixtures::{ACCOUNT, Says, Scene, problem};
use crate::{
    api::{Action, GoDuration, TokenRefresh},
    kinds::meta_app::cached_answers::Credentials,
    messages::Reason,
};

/// Reconciles, goes on for a day with a restart, and returns what was told.
fn told(scene: &mut Scene) -> String {
    scene.settled();
    let told = scene.notices();
    for _ in 0..3 {
        scene.pass(31);
        scene.settled();
    }
    scene.restart();
    scene.settled();
    // After a restart the accounts are read first.
    scene.pass(31);
    scene.settled();
    assert_eq!(scene.notices(), "", "told again: {told}");
    told
}

fn refreshes(scene: &mut Scene) {
    let before: GoDuration = serde_json::from_str("\"240h\"").unwrap();
    scene.edit(|app| app.spec.token_refresh = Some(TokenRefresh { before }));
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn every_cause_is_told_once() {
    type Case = (&'static str, fn(&mut Scene), &'static str);
    let cases: &[Case] = &[
        ("nothing happens", |_| {}, ""),
        ("a new token works", |scene| scene.user("B"), "TokenTakenUp"),
        (
            "a new token is dead",
            |scene| {
                scene.says("B", Says::Dead(460));
                scene.user("B");
            },
            "TokenRejected!",
        ),
        (
            "a new token may not read an account",
            |scene| {
                scene.refuses("B", ACCOUNT, 10);
                scene.user("B");
            },
            "TokenRejected!",
        ),
        (
            "two wrong ones",
            |scene| {
                scene.says("B", Says::Dead(460));
                scene.user("B");
                scene.settled();
                scene.says("C", Says::Dead(460));
                scene.user("C");
            },
            "TokenRejected! TokenRejected!",
        ),
        (
            "a wrong one, taken back, and once more",
            |scene| {
                scene.says("B", Says::Foreign);
                for token in ["B", "A", "B"] {
                    scene.user(token);
                    scene.settled();
                }
            },
            "TokenRejected! Valid TokenRejected!",
        ),
        (
            "a wrong one is granted its rights later",
            |scene| {
                scene.refuses("B", ACCOUNT, 10);
                scene.user("B");
                scene.settled();
                scene.meta.refuses.clear();
                scene.pass(31);
            },
            "TokenRejected! TokenTakenUp",
        ),
        (
            "the Secret is gone",
            |scene| scene.user_token = Err(problem(Reason::SecretNotFound, false)),
            "SecretNotFound!",
        ),
        (
            "the app secret is gone",
            |scene| scene.secret = Err(problem(Reason::SecretNotFound, false)),
            "SecretNotFound!",
        ),
        ("a wrong app secret", |scene| scene.other_secret("B", Ok(Credentials::WrongAppSecret)), "WrongAppSecret!"),
        (
            "two wrong app secrets, and a right one",
            |scene| {
                for name in ["B", "C"] {
                    scene.other_secret(name, Ok(Credentials::WrongAppSecret));
                    scene.settled();
                }
                scene.other_secret("D", Ok(Credentials::Valid("INO".to_owned())));
            },
            "WrongAppSecret! WrongAppSecret! AppSecretTakenUp",
        ),
        (
            "the new token ends soon",
            |scene| {
                scene.says("B", Says::ends_in(200));
                scene.user("B");
            },
            "TokenTakenUp TokenExpiresSoon!",
        ),
        (
            "the new token is a person's whose login ends soon",
            |scene| {
                scene.says("B", Says::Persons(2_000, 200));
                scene.user("B");
            },
            "TokenTakenUp TokenExpiresSoon!",
        ),
    ];
    for (reason, change, expected) in cases {
        let mut scene = Scene::connected(Says::works());
        for token in ["B", "C"] {
            scene.says(token, Says::works());
        }
        scene.notices();
        let before = scene.app.status.as_ref().unwrap().history.len();
        change(&mut scene);
        assert_eq!(told(&mut scene), *expected, "{reason}");
        let history = &scene.app.status.as_ref().unwrap().history;
        let entries: Vec<&str> = history.iter().skip(before).map(|entry| entry.reason.as_str()).collect();
        assert_eq!(entries.join(" "), expected.replace('!', ""), "{reason}: the history");
    }
}

#[test]
fn an_exchange_is_told_when_the_new_token_is_in_use() {
    let mut scene = Scene::connected(Says::ends_in(200));
    scene.says("A2", Says::ends_in(60 * 24));
    scene.gives("A2");
    scene.notices();
    refreshes(&mut scene);
    assert_eq!(told(&mut scene), "TokenExchanged");
}

#[test]
fn an_exchange_that_fails_is_told_once_and_not_daily() {
    let mut scene = Scene::connected(Says::ends_in(230));
    scene.meta.gives = Err(100);
    scene.notices();
    refreshes(&mut scene);
    scene.settled();
    assert_eq!(scene.notices(), "ExchangeFailed!");
    for _ in 0..3 {
        scene.pass(25 * 60);
        scene.settled();
    }
    scene.restart();
    scene.settled();
    assert_eq!((scene.notices().as_str(), scene.taken("Exchange") >= 4), ("", true));
}

#[test]
fn a_silent_meta_does_not_make_news_of_what_was_told() {
    let mut scene = Scene::connected(Says::works());
    scene.says("B", Says::Dead(460));
    scene.user("B");
    scene.settled();
    assert_eq!(scene.notices(), "TokenRejected!");
    scene.restart();
    scene.meta.credentials = Err(2);
    scene.settled();
    scene.pass(60);
    scene.settled();
    assert_eq!(scene.told(), "Connected Unknown/Stale Reconciling");
    scene.meta.credentials = Ok(Credentials::Valid("INO".to_owned()));
    scene.pass(31);
    scene.settled();
    assert_eq!((scene.condition("TokenValid").as_deref(), scene.notices().as_str()), (Some("False/TokenRejected"), ""));
}

#[test]
fn without_a_working_token_another_refused_one_is_told() {
    let mut scene = Scene::connected(Says::works());
    scene.says("A", Says::Dead(463));
    scene.pass(31);
    scene.settled();
    assert_eq!(
        (scene.told().as_str(), scene.notices().as_str()),
        ("ExpiredToken False/ExpiredToken Stalled", ""),
        "Ready tells it"
    );
    scene.says("B", Says::Dead(460));
    scene.user("B");
    scene.settled();
    assert_eq!(scene.notices(), "ExpiredToken!");
}

/// What the column TOKEN EXPIRES and the metric show.
#[test]
fn the_end_that_is_shown_is_the_one_that_comes_first() {
    for (says, expires, metric) in [
        (Says::works(), "Never", None),
        (Says::ends_in(48), "2026-11-24", Some("2026-11-24T10:00:00Z")),
        (Says::Persons(480, 48), "2026-11-24", Some("2026-11-24T10:00:00Z")),
        (Says::Persons(48, 480), "2026-11-24", Some("2026-11-24T10:00:00Z")),
    ] {
        let mut scene = Scene::connected(says.clone());
        let shown = |scene: &Scene| scene.app.status.as_ref().unwrap().token.as_ref().unwrap().expires.clone().unwrap();
        let published = |scene: &Scene| scene.memory.published.as_ref().unwrap().token_expires.map(|at| at.to_string());
        assert_eq!((shown(&scene).as_str(), published(&scene).as_deref()), (expires, metric), "{says:?}");
        scene.says("A", Says::Dead(467));
        scene.pass(31);
        scene.settled();
        assert_eq!(
            (shown(&scene).as_str(), published(&scene).as_deref()),
            ("Invalid", Some("1970-01-01T00:00:00Z")),
            "{says:?}"
        );
    }
    let mut scene = Scene::connected(Says::ends_in(1));
    scene.pass(62);
    scene.settled();
    assert_eq!(scene.told(), "ExpiredToken False/ExpiredToken Stalled");
    let token = scene.app.status.unwrap().token.unwrap();
    assert_eq!(token.expires.as_deref(), Some("2026-11-22"), "a day that is past says it all");
}

#[test]
fn a_persons_token_is_not_exchanged_and_warned_about_before_the_login_ends() {
    let mut scene = Scene::connected(Says::Persons(2_000, 300));
    refreshes(&mut scene);
    scene.gives("A2");
    scene.settled();
    assert_eq!(scene.condition("TokenValid").unwrap(), "True/Valid");
    let next = scene.wait.unwrap();
    scene.pass(61 * 60);
    scene.settled();
    assert_eq!(scene.condition("TokenValid").unwrap(), "True/TokenExpiresSoon", "{next:?}");
    let message = scene.message("TokenValid");
    assert!(message.contains("loses the access to its owner's data on 2026-12-04"), "{message}");
    assert!(message.contains("kubectl -n meta patch secret ino-cx-meta"), "{message}");
    assert_eq!((scene.notices().as_str(), scene.taken("Exchange")), ("TokenExpiresSoon!", 0));
    scene.says("A", Says::Dead(493));
    scene.pass(31);
    scene.settled();
    assert!(scene.message("Ready").contains("not logged in for 90 days"), "{}", scene.message("Ready"));
}

#[test]
fn whoever_requests_an_exchange_gets_one_answer() {
    for (reason, hours, again, expected) in [
        ("nothing else tells it", 2_000, false, 1),
        ("the status tells it", 200, false, 1),
        ("the status has told it before", 200, true, 1),
    ] {
        let mut scene = Scene::connected(Says::ends_in(hours));
        scene.meta.gives = Err(100);
        if again {
            refreshes(&mut scene);
            scene.settled();
        }
        scene.notices();
        scene.answered.lock().clear();
        scene.pass(1);
        scene.request(Action::RefreshToken);
        refreshes(&mut scene);
        scene.settled();
        let told = scene.notices().matches("ExchangeFailed").count() + scene.answered.lock().len();
        assert_eq!(told, expected, "{reason}");
    }
}
