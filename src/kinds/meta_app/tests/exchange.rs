//! When tokens are exchanged, and what becomes of the new ones.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::fixtures::{ACCOUNT, Says, Scene};
use crate::{
    api::{Action, GoDuration, ManagementPolicy, TokenRefresh},
    graph::types::AccountScope,
};

const OTHER: &str = "202290129340398";

fn both() -> AccountScope {
    AccountScope::Listed(BTreeSet::from([ACCOUNT.into(), OTHER.into()]))
}

/// Tokens are exchanged ten days before their end.
fn refreshes(scene: &mut Scene) {
    let before: GoDuration = serde_json::from_str("\"240h\"").unwrap();
    scene.edit(|app| app.spec.token_refresh = Some(TokenRefresh { before }));
}

#[test]
fn tokens_are_exchanged_in_time() {
    /// Why, how long the token lasts, what else is so, and whether it is exchanged.
    type Case = (&'static str, Says, fn(&mut Scene), bool);
    let observe: fn(&mut Scene) = |scene| scene.edit(|app| app.spec.management_policy = ManagementPolicy::Observe);
    let asked: fn(&mut Scene) = |scene| scene.request(Action::RefreshToken);
    let cases: &[Case] = &[
        ("it lasts long enough", Says::ends_in(241), |_| {}, false),
        ("its time has come", Says::ends_in(239), |_| {}, true),
        ("it does not end", Says::works(), |_| {}, false),
        ("nobody asks for exchanges", Says::ends_in(1), |scene| scene.edit(|app| app.spec.token_refresh = None), false),
        ("Observe never writes", Says::ends_in(1), observe, false),
        ("a person asks", Says::ends_in(1_000), asked, true),
        ("a person asks, and it does not end", Says::works(), asked, false),
        (
            "a person asks, under Observe",
            Says::ends_in(1),
            |scene| {
                scene.edit(|app| app.spec.management_policy = ManagementPolicy::Observe);
                scene.request(Action::RefreshToken);
            },
            false,
        ),
        ("the clock is wrong", Says::ends_in(1), |scene| scene.skew = SignedDuration::from_mins(-6), false),
        ("the clock is a little wrong", Says::ends_in(1), |scene| scene.skew = SignedDuration::from_mins(5), true),
        ("it is over", Says::ends_in(-1), |_| {}, false),
    ];
    for (reason, says, change, exchanged) in cases {
        let mut scene = Scene::new();
        refreshes(&mut scene);
        change(&mut scene);
        scene.says("A", says.clone());
        scene.says("A2", Says::ends_in(60 * 24));
        scene.gives("A2");
        scene.settled();
        let expected = if *exchanged { "A2 -" } else { "A -" };
        let kept = if scene.kept() == "- A" { "A -".to_owned() } else { scene.kept() };
        assert_eq!((kept.as_str(), scene.taken("Exchange")), (expected, usize::from(*exchanged)), "{reason}");
    }
}

#[test]
fn an_exchange_that_brings_nothing_is_tried_again_daily_and_one_that_failed_soon() {
    for (reason, gives, soon, says) in [
        ("the same token", Ok("A"), false, "ExchangeFailed"),
        ("no later end", Ok("A2"), false, "ExchangeFailed"),
        ("refused", Err(100), false, "ExchangeFailed"),
        ("a reply that cannot be read", Err(0), false, "ExchangeFailed"),
        ("Meta is down", Err(2), true, "TokenExpiresSoon"),
    ] {
        let mut scene = Scene::connected(Says::ends_in(200));
        scene.says("A2", Says::ends_in(200));
        match gives {
            Ok(token) => scene.gives(token),
            Err(code) => scene.meta.gives = Err(code),
        }
        refreshes(&mut scene);
        scene.settled();
        assert_eq!(scene.taken("Exchange"), 1, "{reason}");
        assert_eq!(scene.condition("TokenValid").unwrap(), format!("True/{says}"), "{reason}");
        assert_eq!(scene.wait.unwrap().as_secs() <= 60, soon, "{reason}: looks again in {:?}", scene.wait);
        scene.pass(2);
        scene.settled();
        assert_eq!(scene.taken("Exchange"), if soon { 2 } else { 1 }, "{reason}, a little later");
        scene.pass(60 * 24);
        scene.settled();
        assert_eq!(scene.taken("Exchange"), if soon { 3 } else { 2 }, "{reason}, a day later");
    }
}

#[test]
fn tokens_that_hardly_last_longer_are_not_exchanged_again_and_again() {
    let mut scene = Scene::connected(Says::ends_in(100));
    for n in 2..6 {
        scene.says(&format!("A{n}"), Says::ends_in(98 + n));
    }
    scene.gives("A3");
    refreshes(&mut scene);
    scene.settled();
    assert_eq!(scene.kept(), "A3 -");
    scene.gives("A4");
    scene.settled();
    assert_eq!((scene.kept().as_str(), scene.taken("Exchange")), ("A3 -", 1));
}

#[test]
fn a_value_that_was_refused_does_not_stop_the_exchange() {
    let mut scene = Scene::connected(Says::ends_in(300));
    refreshes(&mut scene);
    scene.says("B", Says::Foreign);
    scene.user("B");
    scene.settled();
    assert_eq!((scene.kept().as_str(), scene.taken("Exchange")), ("A B", 0));
    scene.pass(61 * 60);
    scene.says("A2", Says::ends_in(60 * 24));
    scene.gives("A2");
    scene.settled();
    assert_eq!(
        (scene.kept().as_str(), scene.taken("Exchange")),
        ("A2 B", 1),
        "the exchanged one is used, the user's waits"
    );
    assert_eq!(scene.condition("TokenValid").unwrap(), "False/TokenRejected");
    scene.says("B", Says::works());
    scene.pass(31);
    scene.settled();
    assert_eq!(scene.kept(), "B -");
}

#[test]
fn an_exchanged_token_is_proven_like_any_other() {
    let mut scene = Scene::connected(Says::ends_in(100));
    scene.says("A2", Says::ends_in(60 * 24));
    scene.gives("A2");
    scene.refuses("A2", ACCOUNT, 10);
    refreshes(&mut scene);
    scene.settled();
    assert_eq!((scene.kept().as_str(), scene.taken("Exchange")), ("A A2", 1));
    let message = scene.message("TokenValid");
    assert!(message.starts_with("the token that Meta gave in exchange cannot be used"), "{message}");
    scene.says("B", Says::works());
    scene.user("B");
    scene.settled();
    assert_eq!(scene.kept(), "B -", "the user's new value does not wait for one that was refused");
}

#[test]
fn the_users_new_value_follows_an_exchange_that_is_under_way() {
    let mut scene = Scene::connected(Says::Works(both(), Some(SignedDuration::from_hours(100))));
    scene.says("A2", Says::ends_in(60 * 24));
    scene.gives("A2");
    scene.refuses("A2", OTHER, 2);
    refreshes(&mut scene);
    scene.settled();
    assert_eq!(scene.kept(), "A A2", "not proven yet");
    scene.says("B", Says::works());
    scene.user("B");
    scene.settled();
    assert_eq!(scene.kept(), "A A2", "what came of the exchange is not thrown away");
    scene.meta.refuses.clear();
    scene.pass(2);
    scene.settled();
    assert_eq!(scene.kept(), "B -");
}
