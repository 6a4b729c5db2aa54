//! The operator's own Secret with the token: which token becomes live, and which stays live.

use kube::api::DeleteParams;
use serde_json::{Value, json};
use waba_operator::api::{MetaApp, TokenSource, WhatsAppNumber};

use crate::harness::{
    manifests::{CREDENTIALS, INO, app, importing, number},
    operator::in_time,
    seed::{self, ACCOUNT, ACCOUNT_2, NUMBER_OBJECT, OTHER_APP},
    world::{World, is_call, is_poll},
};

const COPY: &str = "ino-cx-token";

async fn imported(prefix: &str, seed: serde_json::Value) -> World {
    let world = World::running(prefix, seed).await;
    world.create(&importing()).await;
    world.until_phase::<WhatsAppNumber>(NUMBER_OBJECT, "Enabled", "True/Enabled").await;
    world
}

#[tokio::test]
async fn a_new_token_is_checked_before_it_is_used() {
    let mut seed = seed::two_accounts();
    seed::push(&mut seed, "tokens", seed::token("narrow", seed::APP, &[ACCOUNT]));
    let mut world = imported("candidate", seed).await;
    world.until_phase::<WhatsAppNumber>("number-33184882020", "Enabled", "True/Enabled").await;
    let (main, nonsense) = (world.token("main").await, world.track_secret(seed::secret("EAA")));

    // First an invalid token, then one that cannot read an account which the live one can.
    for (value, words) in [(nonsense, "not valid"), (world.token("narrow").await, ACCOUNT_2)] {
        world.set_token(&value).await;
        world
            .until::<MetaApp>(INO, &format!("TokenRejected: {words}"), |app| {
                let status = app.status.as_ref().unwrap();
                status.conditions.iter().any(|c| c.reason == "TokenRejected" && c.message.contains(words))
            })
            .await;
        world.until_condition::<MetaApp>(INO, "TokenValid", "False/TokenRejected").await;
        world.until_phase::<MetaApp>(INO, "Connected", "True/Connected").await;
        assert_eq!(world.secret_value(COPY, "live").await.as_ref(), Some(&main));
        assert_eq!(world.secret_value(COPY, "candidate").await, Some(value));
    }
    world.settle().await;

    // The permission is granted later, without a change of the Secret.
    world.sim.patch("tokens/narrow", json!({"accounts": [ACCOUNT, ACCOUNT_2]})).await.unwrap();
    world.until_condition::<MetaApp>(INO, "TokenValid", "True/Valid").await;
    assert_eq!(world.secret_value(COPY, "live").await, Some(world.token("narrow").await));
    assert_eq!(world.secret_value(COPY, "candidate").await, None);
    world.settle().await;
    world.finish().await;
}

#[tokio::test]
async fn a_reverted_token_change_leaves_no_candidate() {
    let mut world = imported("taken-back", seed::small()).await;
    let nonsense = world.track_secret(seed::secret("EAA"));
    world.set_token(&nonsense).await;
    world.until_condition::<MetaApp>(INO, "TokenValid", "False/TokenRejected").await;
    world.set_token(&world.token("main").await).await;
    world.until_condition::<MetaApp>(INO, "TokenValid", "True/Valid").await;
    assert_eq!(world.secret_value(COPY, "candidate").await, None);
    assert_eq!(world.secret_value(COPY, "live").await, Some(world.token("main").await));
    world.finish().await;
}

#[tokio::test]
async fn without_the_users_secret_the_token_and_the_app_secret_in_use_stay() {
    let mut world = imported("secret-gone", seed::small()).await;
    world
        .secrets()
        .patch(
            CREDENTIALS,
            &kube::api::PatchParams::default(),
            &kube::api::Patch::Merge(json!({"data": {"access-token": null}})),
        )
        .await
        .unwrap();
    let message = world.until_condition::<MetaApp>(INO, "TokenValid", "False/SecretKeyNotFound").await;
    assert!(message.contains("still works") && message.contains("access-token"), "{message}");
    world.until_phase::<MetaApp>(INO, "Connected", "True/Connected").await;

    // The app secret is kept as the token is: the app and its numbers go on, also after a restart.
    world.secrets().delete(CREDENTIALS, &DeleteParams::default()).await.unwrap();
    let message = world.until_condition::<MetaApp>(INO, "CredentialsValid", "False/SecretNotFound").await;
    for words in ["stays in use", "with the keys app-secret and access-token", "--from-literal=access-token=YOUR_TOKEN"]
    {
        assert!(message.contains(words), "{words}: {message}");
    }
    world.restart().await;
    world.until_polled(ACCOUNT, 2).await;
    world.sim.patch("numbers/106540352242922", json!({"quality_rating": "RED"})).await.unwrap();
    world
        .until::<WhatsAppNumber>(NUMBER_OBJECT, "news from Meta", |number| {
            number.status.as_ref().unwrap().quality_rating.as_deref() == Some("RED")
        })
        .await;
    world.until_phase::<MetaApp>(INO, "Connected", "True/Connected").await;
    assert_eq!(world.secret_value(COPY, "live").await, Some(world.token("main").await));
    assert_eq!(world.secret_value(COPY, "app-secret").await, Some(world.app_secret(seed::APP).await));

    world
        .put_secret(
            CREDENTIALS,
            &[("app-secret", &world.app_secret(seed::APP).await), ("access-token", &world.token("main").await)],
        )
        .await;
    world.until_condition::<MetaApp>(INO, "CredentialsValid", "True/Valid").await;
    world.finish().await;
}

#[tokio::test]
async fn a_recreated_app_adopts_its_token_secret() {
    let mut seed = seed::small();
    seed["tokens"][0]["expires_at"] = json!("+100h");
    let world = World::running("adopt", seed).await;
    let mapp = app(INO, json!({"tokenRefresh": {"before": "240h"}}));
    world.create(&mapp).await;
    world.create(&number("support", "+33612345678", json!({}))).await;
    let refreshed = |app: &MetaApp| {
        app.status.as_ref().and_then(|s| s.token.as_ref()).is_some_and(|t| t.source == Some(TokenSource::Refreshed))
    };
    world.until::<MetaApp>(INO, "an exchanged token", refreshed).await;
    world.until_phase::<WhatsAppNumber>("support", "Enabled", "True/Enabled").await;
    let live = world.secret_value(COPY, "live").await;
    assert!(world.secrets().get(COPY).await.unwrap().metadata.owner_references.is_none());

    world.delete::<MetaApp>(INO).await;
    world.until_phase::<WhatsAppNumber>("support", "Enabled", "Unknown/AppNotFound").await;
    assert_eq!(world.secret_value(COPY, "live").await, live, "the token Secret outlives the app");
    let since = world.last_call().await;
    world.create(&mapp).await;
    world.until::<MetaApp>(INO, "the exchanged token again", refreshed).await;
    world.until_phase::<WhatsAppNumber>("support", "Enabled", "True/Enabled").await;
    assert_eq!(world.secret_value(COPY, "live").await, live);
    let calls = world.sim.calls(since).await.unwrap();
    assert!(calls.iter().all(|call| !is_call(call, "oauth/access_token")), "the token is not exchanged again");

    // Another app of the same name does not adopt it.
    world.delete::<MetaApp>(INO).await;
    world.until_gone::<MetaApp>(INO).await;
    world.put_secret("other-meta", &[("app-secret", &world.app_secret(OTHER_APP).await)]).await;
    let secret = json!({"name": "other-meta", "key": "app-secret"});
    world.create(&app(INO, json!({"appID": OTHER_APP, "appSecretRef": secret}))).await;
    let message = world.until_condition::<MetaApp>(INO, "Ready", "False/SecretNameTaken").await;
    assert!(message.contains(seed::APP), "{message}");
    assert_eq!(world.secret_value(COPY, "live").await, live);
    world.finish().await;
}

/// Creates an app that Meta rejects: once its status says so, the operator has seen all earlier changes.
async fn marker(world: &World, name: &str) {
    world.create(&app(name, json!({"appID": OTHER_APP}))).await;
    world.until_phase::<MetaApp>(name, "CredentialsInvalid", "False/WrongAppSecret").await;
    world.delete::<MetaApp>(name).await;
    world.until_gone::<MetaApp>(name).await;
}

#[tokio::test]
async fn an_app_deleted_during_a_read_is_not_polled_again() {
    let world = World::running("deleted-meanwhile", seed::small()).await;
    world.sim.post("holds", json!([{"name": "inspection", "path": "debug_token", "at": "after"}])).await.unwrap();
    world.create(&importing()).await;
    in_time("the token is inspected", world.sim.reached("inspection")).await.unwrap();
    world.delete::<MetaApp>(INO).await;
    marker(&world, "later").await;
    let since = world.last_call().await;
    world.sim.release("inspection").await.unwrap();
    let answered = |call: &Value| is_call(call, "debug_token") && call["status"] == 200;
    world
        .eventually("Meta replies", async || world.sim.calls(0).await.unwrap().iter().any(answered).then_some(()))
        .await;
    marker(&world, "and-later").await;
    marker(&world, "and-later-still").await;
    let calls = world.sim.calls(since).await.unwrap();
    assert!(calls.iter().all(|call| !is_poll(call, ACCOUNT)), "{calls:#?}");
    world.finish().await;
}
