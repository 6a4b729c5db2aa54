//! Accounts that come and go, where the token says which there are.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;

use super::fixtures::{ACCOUNT, Says, Scene};
use crate::graph::types::AccountScope;

const OTHER: &str = "102290129340399";

/// The token shows these accounts.
fn shows(scene: &mut Scene, accounts: &[&str]) {
    let ids: BTreeSet<_> = accounts.iter().map(|id| (*id).into()).collect();
    scene.says("A", Says::Works(AccountScope::Listed(ids), None));
    scene.pass(31);
    scene.settled();
}

fn both() -> Scene {
    let mut scene = Scene::connected(Says::works());
    scene.notices();
    shows(&mut scene, &[ACCOUNT, OTHER]);
    assert_eq!((scene.told().as_str(), scene.notices().as_str()), ("Connected True/Connected", "AccountFound"));
    scene
}

fn listed(scene: &Scene) -> Vec<(String, bool)> {
    let accounts = &scene.app.status.as_ref().unwrap().business_accounts;
    accounts.iter().map(|account| (account.id.clone(), account.gone_since.is_some())).collect()
}

#[test]
fn an_account_that_is_gone_is_told_once_and_remembered() {
    let mut scene = both();
    shows(&mut scene, &[ACCOUNT]);
    assert_eq!(scene.told(), "Connected False/AccountGone Stalled");
    assert_eq!(scene.condition("AccountsSynced").as_deref(), Some("False/AccountGone"));
    assert!(scene.message("Ready").contains(OTHER), "{}", scene.message("Ready"));
    assert_eq!(listed(&scene), [(ACCOUNT.to_owned(), false), (OTHER.to_owned(), true)]);
    let since = scene.app.status.as_ref().unwrap().business_accounts[1].gone_since.clone();
    scene.restart();
    scene.settled();
    scene.pass(31);
    scene.settled();
    assert_eq!((scene.told().as_str(), scene.notices().as_str()), ("Connected False/AccountGone Stalled", ""));
    assert_eq!(scene.app.status.as_ref().unwrap().business_accounts[1].gone_since, since);
}

#[test]
fn an_account_that_comes_back_is_an_account_like_any_other() {
    let mut scene = both();
    shows(&mut scene, &[ACCOUNT]);
    shows(&mut scene, &[ACCOUNT, OTHER]);
    assert_eq!((scene.told().as_str(), scene.notices().as_str()), ("Connected True/Connected", "AccountFound"));
    assert_eq!(listed(&scene), [(ACCOUNT.to_owned(), false), (OTHER.to_owned(), false)]);
}

#[test]
fn the_last_account_may_go_too() {
    let mut scene = Scene::connected(Says::works());
    shows(&mut scene, &[]);
    assert_eq!(scene.told(), "Connected False/AccountGone Stalled");
}

#[test]
fn an_account_is_forgotten_after_a_day_unless_an_object_stands_for_what_it_held() {
    let mut scene = both();
    scene.holding = BTreeSet::from([OTHER.into()]);
    shows(&mut scene, &[ACCOUNT]);
    scene.pass(25 * 60);
    scene.settled();
    assert_eq!(scene.told(), "Connected False/AccountGone Stalled");
    scene.holding.clear();
    scene.pass(31);
    scene.settled();
    assert_eq!(scene.told(), "Connected True/Connected");
    assert_eq!(listed(&scene), [(ACCOUNT.to_owned(), false)]);
}

#[test]
fn an_account_that_a_person_takes_out_of_the_spec_is_not_missed() {
    let mut scene = both();
    scene.names(&[ACCOUNT]);
    scene.settled();
    assert_eq!((scene.told().as_str(), scene.notices().as_str()), ("Connected True/Connected", ""));
    assert_eq!(listed(&scene), [(ACCOUNT.to_owned(), false)]);
}

#[test]
fn an_account_of_the_spec_that_is_not_there_any_more_is_gone() {
    let mut scene = both();
    scene.names(&[ACCOUNT, OTHER]);
    scene.settled();
    scene.refuses("", OTHER, 803);
    scene.pass(31);
    scene.settled();
    assert_eq!(scene.condition("AccountsSynced").as_deref(), Some("False/AccountGone"));
}

/// A time that is written at each poll would be a write at each poll.
#[test]
fn the_last_read_is_dated_only_along_with_another_change() {
    let mut scene = Scene::connected(Says::works());
    let dated = |scene: &Scene| scene.app.status.as_ref().unwrap().business_accounts[0].last_read_time.clone();
    let first = dated(&scene);
    assert!(first.is_some());
    scene.pass(31);
    scene.settled();
    assert_eq!(dated(&scene), first, "nothing else changed");
    scene.refuses("", ACCOUNT, 2);
    scene.pass(31);
    scene.settled();
    assert_eq!(scene.told(), "Connected Unknown/Stale Reconciling");
    let last = dated(&scene).unwrap().0.duration_since(first.unwrap().0);
    assert_eq!(last.as_mins(), 31, "the last complete read");
}

/// Whoever is assigned to the account: without the scope, Meta refuses.
#[test]
fn a_missing_scope_is_the_remedy_where_the_token_lacks_it() {
    for (scoped, words) in [(true, "Assign them to the token's system user"), (false, "lacks the scope")] {
        let mut scene = Scene::connected(Says::works());
        scene.meta.lacks_scope = !scoped;
        scene.refuses("", ACCOUNT, 200);
        scene.pass(31);
        scene.settled();
        let message = scene.message("AccountsSynced");
        assert!(message.contains(words), "{message}");
        assert_eq!(message.contains("kubectl -n meta patch secret ino-cx-meta"), !scoped, "{message}");
    }
}
