//! A person replaces the token or the app secret: what was taken up or refused is seen, once for each cause, and what works stays
//! in use. Values that only look right never reach Meta.

use serde_json::Value;
use waba_operator::api::{MetaApp, WhatsAppNumber};

use crate::harness::{
    manifests::{CREDENTIALS, INO, importing},
    seed::{self, ACCOUNT, NUMBER_OBJECT},
    world::World,
};

const COPY: &str = "ino-cx-token";

impl World {
    /// How often these Events came.
    async fn count_events(&self, reason: &str) -> usize {
        self.events(INO).await.iter().filter(|(found, _)| found == reason).count()
    }

    async fn history(&self) -> Vec<String> {
        let app = self.get::<MetaApp>(INO).await.unwrap();
        app.status.unwrap().history.into_iter().map(|entry| entry.reason).collect()
    }

    /// Puts an app secret and a token into the user's Secret.
    async fn put_credentials(&self, secret: &str, token: &str) {
        self.put_secret(CREDENTIALS, &[("app-secret", secret), ("access-token", token)]).await;
    }
}

async fn imported(prefix: &str) -> World {
    let world = World::running(prefix, seed::small()).await;
    world.create(&importing()).await;
    world.until_phase::<WhatsAppNumber>(NUMBER_OBJECT, "Enabled", "True/Enabled").await;
    world
}

/// One reads the rows of the log.
fn warned(world: &World, reason: &str) -> bool {
    let rows = world.logs.text();
    rows.lines().any(|row| row.contains("WARN") && row.contains(reason))
}

#[tokio::test]
async fn a_rotation_is_seen_whether_meta_accepts_it_or_not() {
    let mut world = imported("rotation").await;
    let dead = world.track_secret(seed::secret("EAA"));
    world.set_token(&dead).await;
    let message = world.until_condition::<MetaApp>(INO, "TokenValid", "False/TokenRejected").await;
    for words in ["key access-token of Secret ino-cx-meta", "do not revoke it", "kubectl -n "] {
        assert!(message.contains(words), "{words}: {message}");
    }
    let note = world.until_event(INO, "TokenRejected").await;
    assert!(note.contains("do not revoke it"), "{note}");
    assert!(warned(&world, "TokenRejected"), "{}", world.logs.tail(20));
    let is_shown = async |labels: &[&str]| world.operator().metric("waba_app_condition", labels).await > 0.5;
    assert!(is_shown(&[INO, "TokenValid", "False", "TokenRejected"]).await);
    assert!(world.operator().metric("waba_notices_total", &["TokenRejected"]).await > 0.5);
    let app = world.until_phase::<MetaApp>(INO, "Connected", "True/Connected").await;
    let ready = app.status.unwrap().conditions.into_iter().find(|c| c.type_ == "Ready").unwrap();
    assert!(ready.message.contains("TokenValid"), "{}", ready.message);

    // Once, though the operator asks Meta again and again, and another process begins.
    world.until_polled(ACCOUNT, 3).await;
    world.restart().await;
    world.until_polled(ACCOUNT, 3).await;
    world.settle().await;
    assert_eq!(world.count_events("TokenRejected").await, 1);
    world.until_condition::<MetaApp>(INO, "TokenValid", "False/TokenRejected").await;

    world.set_token(&world.token("next").await).await;
    let note = world.until_event(INO, "TokenTakenUp").await;
    assert!(note.contains("Secret ino-cx-meta") && note.contains("it ends on"), "{note}");
    world.until_condition::<MetaApp>(INO, "TokenValid", "True/Valid").await;
    assert_eq!(world.secret_value(COPY, "live").await, Some(world.token("next").await));
    world.restart().await;
    world.until_polled(ACCOUNT, 3).await;
    world.settle().await;
    assert_eq!((world.count_events("TokenTakenUp").await, world.count_events("TokenRejected").await), (1, 1));
    let history = world.history().await;
    assert_eq!(history[history.len() - 2..], ["TokenRejected", "TokenTakenUp"]);
    world.finish().await;
}

#[tokio::test]
async fn a_new_app_secret_is_proven_before_it_replaces_the_one_in_use() {
    let mut world = imported("new-secret").await;
    let (right, token) = (world.app_secret(seed::APP).await, world.token("main").await);
    let typo = world.track_secret(seed::secret(""));
    world.put_credentials(&typo, &token).await;
    let message = world.until_condition::<MetaApp>(INO, "CredentialsValid", "False/WrongAppSecret").await;
    assert!(message.contains("stays in use") && message.contains("key app-secret of Secret ino-cx-meta"), "{message}");
    world.until_event(INO, "WrongAppSecret").await;
    assert!(warned(&world, "WrongAppSecret"), "{}", world.logs.tail(20));
    world.until_phase::<MetaApp>(INO, "Connected", "True/Connected").await;
    world.restart().await;
    world.until_polled(ACCOUNT, 3).await;
    world.until_phase::<WhatsAppNumber>(NUMBER_OBJECT, "Enabled", "True/Enabled").await;
    assert_eq!(world.secret_value(COPY, "app-secret").await, Some(right));
    assert_eq!(world.count_events("WrongAppSecret").await, 1);

    // Somebody resets the app secret at Meta: the one in use fails, and the new one is taken up.
    let new = world.track_secret(seed::secret(""));
    let app = format!("apps/{}", seed::APP);
    world.sim.patch(&app, serde_json::json!({"secret": new})).await.unwrap();
    world.until_phase::<MetaApp>(INO, "CredentialsInvalid", "False/WrongAppSecret").await;
    world.put_credentials(&new, &token).await;
    world.until_phase::<MetaApp>(INO, "Connected", "True/Connected").await;
    world.until_event(INO, "AppSecretTakenUp").await;
    world.until_phase::<WhatsAppNumber>(NUMBER_OBJECT, "Enabled", "True/Enabled").await;
    assert_eq!(world.secret_value(COPY, "app-secret").await, Some(new));
    world.finish().await;
}

#[tokio::test]
async fn values_that_only_look_right_are_named_and_never_sent() {
    let world = imported("looks-right").await;
    let (secret, token) = (world.app_secret(seed::APP).await, world.token("main").await);
    let encoded = |text: &str| serde_json::to_value(k8s_openapi::ByteString(text.as_bytes().to_vec())).unwrap();
    let twice = encoded(&token).as_str().unwrap().to_owned();
    let since = world.last_call().await;
    let next = world.token("next").await;
    for (type_, secret, token, words) in [
        ("TokenValid", &*secret, format!("{}\u{200b}{}", &next[..7], &next[7..]), "invisible character"),
        ("TokenValid", &*secret, format!("\u{feff}{next}"), "invisible character"),
        ("TokenValid", &*secret, format!("\"{next}\""), "quotation marks"),
        ("TokenValid", &*secret, format!("Bearer {next}"), "Bearer"),
        ("TokenValid", &*secret, twice, "base64"),
        ("TokenValid", &*secret, secret.clone(), "app secret"),
        ("TokenValid", &*secret, format!("{next} {next}"), "white space"),
        ("CredentialsValid", "1.2e+35", token.clone(), "read as a number"),
        ("CredentialsValid", &*next, token.clone(), "access token"),
        ("CredentialsValid", "YOUR_SECRET", token.clone(), "placeholder"),
    ] {
        world.put_credentials(secret, &token).await;
        world.until_condition::<MetaApp>(INO, type_, "False/SecretValueInvalid").await;
        world
            .until::<MetaApp>(INO, words, |app| {
                let conditions = &app.status.as_ref().unwrap().conditions;
                conditions.iter().any(|c| c.type_ == type_ && c.message.contains(words))
            })
            .await;
        world.until_phase::<MetaApp>(INO, "Connected", "True/Connected").await;
    }
    let calls = world.sim.calls(since).await.unwrap();
    let unknown: Vec<&Value> = calls.iter().filter(|call| call.to_string().contains("unknown:")).collect();
    assert!(unknown.is_empty(), "sent to Meta: {unknown:#?}");
    assert!(calls.iter().all(|call| call["status"] == 200), "{calls:#?}");
    assert_eq!(world.secret_value(COPY, "live").await.as_ref(), Some(&token));

    // White space around a value is what editors leave.
    world.put_credentials(&format!(" {secret}\n"), &format!("{next} \r\n")).await;
    world.until_event(INO, "TokenTakenUp").await;
    world.until_condition::<MetaApp>(INO, "CredentialsValid", "True/Valid").await;
    world.finish().await;
}
