//! One thing at Meta, several objects: one of them stands for it, and the next one follows.

use serde_json::{Value, json};
use waba_operator::api::{MessageTemplate, MetaApp, WhatsAppNumber};

use crate::harness::{
    manifests::{CREDENTIALS, INO, app, number, template},
    scenario::{PHONE, SUPPORT},
    seed::{self, ACCOUNT_2, APP, NUMBER, OTHER_APP},
    world::{World, condition},
};

const LEDGER: &str = "waba-number-33612345678";

#[tokio::test]
async fn of_two_apps_with_one_id_the_older_works_and_the_other_takes_over() {
    let world = World::running("two-apps", seed::small()).await;
    world.create(&app(INO, json!({}))).await;
    world.stands::<MetaApp>(INO, "Connected", "True/Connected").await;
    // Should both be made within one second, the name decides.
    world.create(&app("z-second", json!({}))).await;
    let second = world.stands::<MetaApp>("z-second", "Conflict", "False/Conflict").await;
    let (_, message) = condition(&second, "Ready").unwrap();
    assert!(message.contains(&format!("older MetaApp ({INO})")), "{message}");
    world.create(&number("support", "+33612345678", json!({"appRef": {"name": "z-second"}}))).await;
    world.stands::<WhatsAppNumber>("support", "Pending", "Unknown/AppNotReady").await;
    assert!(world.secrets().get_opt("z-second-token").await.unwrap().is_none());
    world.settle().await;

    world.delete::<MetaApp>(INO).await;
    world.stands::<MetaApp>("z-second", "Connected", "True/Connected").await;
    world.stands::<WhatsAppNumber>("support", "Enabled", "True/Enabled").await;
    world.finish().await;
}

#[tokio::test]
async fn of_two_numbers_the_older_stands_and_the_other_takes_over() {
    let world = World::running("two-numbers", seed::small()).await;
    world.create(&app(INO, json!({}))).await;
    world.create(&number("support", "+33612345678", json!({}))).await;
    world.stands::<WhatsAppNumber>("support", "Enabled", "True/Enabled").await;
    world.create(&number("twin", "+33612345678", json!({}))).await;
    world.create(&template("shipped", "order_shipped", json!({}))).await;
    world.stands::<MessageTemplate>("shipped", "Approved", "True/Approved").await;
    world.create(&template("z-shipped", "order_shipped", json!({}))).await;

    for (message, older) in [
        (condition(&world.stands::<WhatsAppNumber>("twin", "Conflict", "False/Conflict").await, "Ready"), "support"),
        (
            condition(&world.stands::<MessageTemplate>("z-shipped", "Conflict", "False/Conflict").await, "Ready"),
            "shipped",
        ),
    ] {
        let (_, message) = message.unwrap();
        assert!(message.contains(&format!("managed by {older};")), "{message}");
    }
    let versions = world.settle().await;
    world.polls(seed::ACCOUNT, 3).await;
    world.versions().await.must_be(&versions);

    world.delete::<WhatsAppNumber>("support").await;
    world.delete::<MessageTemplate>("shipped").await;
    world.stands::<WhatsAppNumber>("twin", "Enabled", "True/Enabled").await;
    world.stands::<MessageTemplate>("z-shipped", "Approved", "True/Approved").await;
    world.finish().await;
}

#[tokio::test]
async fn a_claim_counts_only_where_the_number_is_seen() {
    let mut seed = seed::small();
    // Another company's app, which has a number of its own.
    seed::push(&mut seed, "accounts", json!({"id": seed::ACCOUNT_2, "name": "Somebody else"}));
    seed::push(&mut seed, "numbers", seed::number("109381442019554", seed::ACCOUNT_2, "+33 1 84 88 20 20"));
    seed::push(&mut seed, "tokens", seed::token("theirs", seed::OTHER_APP, &[seed::ACCOUNT_2]));
    let mut world = World::running("blind-claim", seed).await;
    let (secret, token) = (world.app_secret(seed::OTHER_APP).await, world.token("theirs").await);
    world.put_secret("theirs-meta", &[("app-secret", &secret), ("access-token", &token)]).await;
    let key = |key: &str| json!({"name": "theirs-meta", "key": key});
    let theirs =
        json!({"appID": seed::OTHER_APP, "appSecretRef": key("app-secret"), "accessTokenRef": key("access-token")});
    world.create(&app("theirs", theirs)).await;
    world.create(&number("a-squatter", "+33612345678", json!({"appRef": {"name": "theirs"}}))).await;
    world.stands::<WhatsAppNumber>("a-squatter", "NotFound", "False/NotFound").await;

    world.create(&app(INO, json!({}))).await;
    world.create(&number("support", "+33612345678", json!({}))).await;
    world.stands::<WhatsAppNumber>("support", "Enabled", "True/Enabled").await;

    // The number moves to them: now the older object's claim counts.
    world.sim.patch(&format!("numbers/{NUMBER}"), json!({"account": seed::ACCOUNT_2})).await.unwrap();
    world.stands::<WhatsAppNumber>("a-squatter", "Enabled", "True/Enabled").await;
    world.stands::<WhatsAppNumber>("support", "Conflict", "False/Conflict").await;
    let has_health = |number: &WhatsAppNumber| number.status.as_ref().unwrap().health.is_some();
    world.until::<WhatsAppNumber>("a-squatter", "its health, which is read now and then", has_health).await;
    let versions = world.settle().await;
    // Whichever app is read first, the next operator does not decide by that.
    for first in [seed::ACCOUNT, seed::ACCOUNT_2] {
        let held = [seed::ACCOUNT, seed::ACCOUNT_2].into_iter().find(|account| *account != first).unwrap();
        world.take_operator().stop().await;
        world.sim.post("holds", json!([{"name": "read", "path": format!("/{held}$"), "at": "before"}])).await.unwrap();
        world.start().await;
        world.polls(first, 3).await;
        world.versions().await.must_be(&versions);
        world.sim.release("read").await.unwrap();
        world.polls(held, 3).await;
        world.versions().await.must_be(&versions);
    }

    // And back.
    world.sim.patch(&format!("numbers/{NUMBER}"), json!({"account": seed::ACCOUNT})).await.unwrap();
    world.stands::<WhatsAppNumber>("support", "Enabled", "True/Enabled").await;
    world.stands::<WhatsAppNumber>("a-squatter", "NotFound", "False/NotFound").await;
    world.finish().await;
}

#[tokio::test]
async fn whoever_wins_in_another_namespace_is_not_named() {
    let mut world = World::new("conflict", seed::small()).await;
    // Should both be made within one second, the namespace's name decides.
    let other = control_plane::shared().await.namespace("z-conflict").await;
    let mut settings = world.settings();
    settings.namespaces.push(other.clone());
    world.start_with(settings).await;
    world.create(&app(INO, json!({"allowedNamespaces": {"from": "All"}}))).await;
    world.create(&number("support", "+33612345678", json!({}))).await;
    world.stands::<WhatsAppNumber>("support", "Enabled", "True/Enabled").await;

    let there = world.in_namespace(&other);
    let app_ref = json!({"name": INO, "namespace": world.namespace});
    there.create(&number("twin", "+33612345678", json!({"appRef": app_ref}))).await;
    let twin = there.stands::<WhatsAppNumber>("twin", "Conflict", "False/Conflict").await;
    let (_, message) = condition(&twin, "Ready").unwrap();
    assert!(message.contains("an object in another namespace") && !message.contains("support"), "{message}");
    assert!(!message.contains(&world.namespace), "{message}");

    let (secret, token) = (world.app_secret(APP).await, world.token("main").await);
    there.put_secret(CREDENTIALS, &[("app-secret", &secret), ("access-token", &token)]).await;
    there.create(&app("a-second", json!({}))).await;
    let second = there.stands::<MetaApp>("a-second", "Conflict", "False/Conflict").await;
    let (_, message) = condition(&second, "Ready").unwrap();
    assert!(message.contains("in another namespace") && !message.contains(INO), "{message}");

    world.delete::<WhatsAppNumber>("support").await;
    there.stands::<WhatsAppNumber>("twin", "Enabled", "True/Enabled").await;
    there.finish().await;
    world.finish().await;
}

/// Whose app does not see the number any more does not stand for it, whatever the ledger says; also before anybody else has
/// written that it is theirs.
#[tokio::test]
async fn an_owner_who_does_not_see_the_number_any_more_makes_way() {
    let mut seed = seed::small();
    seed::push(&mut seed, "accounts", json!({"id": ACCOUNT_2, "name": "Somebody else"}));
    seed::push(&mut seed, "tokens", seed::token("theirs", OTHER_APP, &[ACCOUNT_2]));
    let world = World::caring("blind-owner", seed, json!({"registration": {}})).await;
    world.enabled().await;
    let owner = async || {
        let ledger = world.secret_value(LEDGER, "ledger").await?;
        Some(serde_json::from_str::<Value>(&ledger).unwrap()["owner"]["name"].clone())
    };
    assert_eq!(world.so("the number is somebody's", owner).await, SUPPORT);

    let (secret, token) = (world.app_secret(OTHER_APP).await, world.token("theirs").await);
    world.put_secret("theirs-meta", &[("app-secret", &secret), ("access-token", &token)]).await;
    let key = |key: &str| json!({"name": "theirs-meta", "key": key});
    let theirs = json!({"appID": OTHER_APP, "appSecretRef": key("app-secret"), "accessTokenRef": key("access-token")});
    world.create(&app("theirs", theirs)).await;
    world.stands::<MetaApp>("theirs", "Connected", "True/Connected").await;
    // It only looks, and takes nothing over.
    let looks = json!({"appRef": {"name": "theirs"}, "managementPolicy": "Observe"});
    world.create(&number("z-looks", PHONE, looks)).await;
    world.sim.patch(&format!("numbers/{NUMBER}"), json!({"account": ACCOUNT_2})).await.unwrap();
    world.stands::<WhatsAppNumber>("z-looks", "Enabled", "True/Enabled").await;
    world.says("Conflict", "False/Conflict", &["z-looks"]).await;
    assert_eq!(owner().await.unwrap(), SUPPORT);
    world.finish().await;
}
