//! Which app secret is in use: a new one once Meta accepts it, until then the one that Meta accepted before.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::fixtures::{ACCOUNT, Says, Scene, problem};
use crate::{kinds::meta_app::cached_answers::Credentials, messages::Reason, observe::AppState};

const VALID: fn() -> Result<Credentials, u32> = || Ok(Credentials::Valid("INO".to_owned()));

/// The app secret in use, by name.
fn used(scene: &mut Scene) -> String {
    let value = scene.access().app.app_secret;
    secrecy::ExposeSecret::expose_secret(&value).trim_start_matches("SECRET-of-").to_owned()
}

#[test]
fn a_new_app_secret_is_proven_before_it_is_used() {
    /// Why, what happens, which secret is used then, and what `CredentialsValid` says.
    type Case = (&'static str, fn(&mut Scene), &'static str, &'static str);
    let cases: &[Case] = &[
        ("nothing happens", |_| {}, "the-app", "True/Valid"),
        ("a good one is used", |scene| scene.other_secret("B", VALID()), "B", "True/Valid"),
        (
            "a wrong one is not",
            |scene| scene.other_secret("B", Ok(Credentials::WrongAppSecret)),
            "the-app",
            "False/WrongAppSecret",
        ),
        (
            "one that cannot be tested waits",
            |scene| scene.other_secret("B", Err(2)),
            "the-app",
            "True/ProvingAppSecret",
        ),
        (
            "a wrong one is refused, though Meta is silent later",
            |scene| {
                scene.other_secret("B", Ok(Credentials::WrongAppSecret));
                scene.settled();
                scene.other_secret("B", Err(2));
                scene.pass(31);
            },
            "the-app",
            "False/WrongAppSecret",
        ),
        (
            "a change that was taken back",
            |scene| {
                scene.other_secret("B", Ok(Credentials::WrongAppSecret));
                scene.settled();
                scene.put_secret();
            },
            "the-app",
            "True/Valid",
        ),
        (
            "the Secret is gone",
            |scene| scene.secret = Err(problem(Reason::SecretNotFound, false)),
            "the-app",
            "False/SecretNotFound",
        ),
        (
            "the Secret cannot be read just now",
            |scene| scene.secret = Err(problem(Reason::SecretUnreadable, true)),
            "the-app",
            "True/SecretUnreadable",
        ),
        (
            "the Secret is gone, and the operator restarts",
            |scene| {
                scene.secret = Err(problem(Reason::SecretValueInvalid, false));
                scene.restart();
            },
            "the-app",
            "False/SecretValueInvalid",
        ),
    ];
    for (reason, change, uses, valid) in cases {
        let mut scene = Scene::connected(Says::works());
        change(&mut scene);
        scene.settled();
        assert_eq!(
            (used(&mut scene).as_str(), scene.condition("CredentialsValid").as_deref()),
            (*uses, Some(*valid)),
            "{reason}"
        );
        assert_eq!(
            (scene.told().as_str(), &scene.standing),
            ("Connected True/Connected", &AppState::Ready),
            "{reason}"
        );
    }
}

#[test]
fn an_app_secret_that_was_reset_at_meta_fails_whatever_is_kept() {
    for (reason, change, told) in [
        ("the old one is in the Secret", (|_| {}) as fn(&mut Scene), "CredentialsInvalid False/WrongAppSecret Stalled"),
        (
            "nothing is in the Secret",
            |scene| scene.secret = Err(problem(Reason::SecretNotFound, false)),
            "CredentialsInvalid False/WrongAppSecret Stalled",
        ),
        (
            "another wrong one is in the Secret",
            |scene| scene.other_secret("B", Ok(Credentials::WrongAppSecret)),
            "CredentialsInvalid False/WrongAppSecret Stalled",
        ),
        ("the new one is in the Secret", |scene| scene.other_secret("B", VALID()), "Connected True/Connected"),
    ] {
        let mut scene = Scene::connected(Says::works());
        change(&mut scene);
        scene.meta.secrets.insert("SECRET-of-the-app".to_owned(), Ok(Credentials::WrongAppSecret));
        // A poll is refused for its signature.
        scene.pass(1);
        scene.refuses("", ACCOUNT, 104);
        scene.poll();
        scene.reconcile();
        scene.meta.refuses.clear();
        scene.settled();
        assert_eq!(scene.told(), told, "{reason}: {}", scene.message("Ready"));
        scene.other_secret("new", VALID());
        scene.settled();
        assert_eq!(scene.told(), "Connected True/Connected", "{reason}: corrected");
        assert_eq!(used(&mut scene), "new");
    }
}

#[test]
fn an_app_works_though_its_secret_cannot_be_kept() {
    let mut scene = Scene::connected(Says::works());
    scene.refuses_writes = true;
    scene.other_secret("B", VALID());
    scene.settled();
    assert_eq!((used(&mut scene).as_str(), scene.told().as_str()), ("B", "Connected True/Connected"));
    let tries = scene.taken("KeepSecret");
    scene.settled();
    assert_eq!(scene.taken("KeepSecret"), tries, "not again at once");
    scene.refuses_writes = false;
    scene.pass(2);
    scene.settled();
    scene.secret = Err(problem(Reason::SecretNotFound, false));
    scene.restart();
    scene.settled();
    assert_eq!(used(&mut scene), "B", "it is kept now");
}
