//! Several objects for one app, number or template: one of them is active, the next one takes over when it is deleted.

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
async fn of_two_apps_with_one_id_the_older_is_active_and_the_other_takes_over() {
    let world = World::running("two-apps", seed::small()).await;
    world.create(&app(INO, json!({}))).await;
    world.until_phase::<MetaApp>(INO, "Connected", "True/Connected").await;
    // The name decides if both are created within one second.
    world.create(&app("z-second", json!({}))).await;
    let second = world.until_phase::<MetaApp>("z-second", "Conflict", "False/Conflict").await;
    let (_, message) = condition(&second, "Ready").unwrap();
    assert!(message.contains(&format!("older MetaApp ({INO})")), "{message}");
    world.create(&number("support", "+33612345678", json!({"appRef": {"name": "z-second"}}))).await;
    world.until_phase::<WhatsAppNumber>("support", "Pending", "Unknown/AppNotReady").await;
    assert!(world.secrets().get_opt("z-second-token").await.unwrap().is_none());
    world.settle().await;

    world.delete::<MetaApp>(INO).await;
    world.until_phase::<MetaApp>("z-second", "Connected", "True/Connected").await;
    world.until_phase::<WhatsAppNumber>("support", "Enabled", "True/Enabled").await;
    world.finish().await;
}

#[tokio::test]
async fn of_two_objects_for_one_number_the_older_is_active_and_the_other_takes_over() {
    let world = World::running("two-numbers", seed::small()).await;
    world.create(&app(INO, json!({}))).await;
    world.create(&number("support", "+33612345678", json!({}))).await;
    world.until_phase::<WhatsAppNumber>("support", "Enabled", "True/Enabled").await;
    world.create(&number("twin", "+33612345678", json!({}))).await;
    world.create(&template("shipped", "order_shipped", json!({}))).await;
    world.until_phase::<MessageTemplate>("shipped", "Approved", "True/Approved").await;
    world.create(&template("z-shipped", "order_shipped", json!({}))).await;

    for (message, older) in [
        (
            condition(&world.until_phase::<WhatsAppNumber>("twin", "Conflict", "False/Conflict").await, "Ready"),
            "support",
        ),
        (
            condition(&world.until_phase::<MessageTemplate>("z-shipped", "Conflict", "False/Conflict").await, "Ready"),
            "shipped",
        ),
    ] {
        let (_, message) = message.unwrap();
        assert!(message.contains(&format!("managed by {older},")), "{message}");
    }
    let versions = world.settle().await;
    world.until_polled(seed::ACCOUNT, 3).await;
    world.versions().await.assert_unchanged_since(&versions);

    world.delete::<WhatsAppNumber>("support").await;
    world.delete::<MessageTemplate>("shipped").await;
    world.until_phase::<WhatsAppNumber>("twin", "Enabled", "True/Enabled").await;
    world.until_phase::<MessageTemplate>("z-shipped", "Approved", "True/Approved").await;
    world.finish().await;
}

#[tokio::test]
async fn a_claim_counts_only_when_its_app_sees_the_number() {
    let mut seed = seed::small();
    // Another company's app, with a number of its own.
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
    world.until_phase::<WhatsAppNumber>("a-squatter", "NotFound", "False/NotFound").await;

    world.create(&app(INO, json!({}))).await;
    world.create(&number("support", "+33612345678", json!({}))).await;
    world.until_phase::<WhatsAppNumber>("support", "Enabled", "True/Enabled").await;

    // The number moves to the other company: now the older object's claim counts.
    world.sim.patch(&format!("numbers/{NUMBER}"), json!({"account": seed::ACCOUNT_2})).await.unwrap();
    world.until_phase::<WhatsAppNumber>("a-squatter", "Enabled", "True/Enabled").await;
    world.until_phase::<WhatsAppNumber>("support", "Conflict", "False/Conflict").await;
    let has_health = |number: &WhatsAppNumber| number.status.as_ref().unwrap().health.is_some();
    world.until::<WhatsAppNumber>("a-squatter", "its health, which is read at intervals", has_health).await;
    let versions = world.settle().await;
    // After a restart the result does not depend on which app is read first.
    for first in [seed::ACCOUNT, seed::ACCOUNT_2] {
        let held = [seed::ACCOUNT, seed::ACCOUNT_2].into_iter().find(|account| *account != first).unwrap();
        world.take_operator().stop().await;
        world.sim.post("holds", json!([{"name": "read", "path": format!("/{held}$"), "at": "before"}])).await.unwrap();
        world.start().await;
        world.until_polled(first, 3).await;
        world.versions().await.assert_unchanged_since(&versions);
        world.sim.release("read").await.unwrap();
        world.until_polled(held, 3).await;
        world.versions().await.assert_unchanged_since(&versions);
    }

    // The number moves back.
    world.sim.patch(&format!("numbers/{NUMBER}"), json!({"account": seed::ACCOUNT})).await.unwrap();
    world.until_phase::<WhatsAppNumber>("support", "Enabled", "True/Enabled").await;
    world.until_phase::<WhatsAppNumber>("a-squatter", "NotFound", "False/NotFound").await;
    world.finish().await;
}

#[tokio::test]
async fn a_conflict_message_does_not_name_an_object_in_another_namespace() {
    let mut world = World::new("conflict", seed::small()).await;
    // The namespace's name decides if both are created within one second.
    let other = control_plane::shared().await.namespace("z-conflict").await;
    let mut settings = world.settings();
    settings.namespaces.push(other.clone());
    world.start_with(settings).await;
    world.create(&app(INO, json!({"allowedNamespaces": {"from": "All"}}))).await;
    world.create(&number("support", "+33612345678", json!({}))).await;
    world.until_phase::<WhatsAppNumber>("support", "Enabled", "True/Enabled").await;

    let there = world.in_namespace(&other);
    let app_ref = json!({"name": INO, "namespace": world.namespace});
    there.create(&number("twin", "+33612345678", json!({"appRef": app_ref}))).await;
    let twin = there.until_phase::<WhatsAppNumber>("twin", "Conflict", "False/Conflict").await;
    let (_, message) = condition(&twin, "Ready").unwrap();
    assert!(message.contains("an object in another namespace") && !message.contains("support"), "{message}");
    assert!(!message.contains(&world.namespace), "{message}");

    let (secret, token) = (world.app_secret(APP).await, world.token("main").await);
    there.put_secret(CREDENTIALS, &[("app-secret", &secret), ("access-token", &token)]).await;
    there.create(&app("a-second", json!({}))).await;
    let second = there.until_phase::<MetaApp>("a-second", "Conflict", "False/Conflict").await;
    let (_, message) = condition(&second, "Ready").unwrap();
    assert!(message.contains("in another namespace") && !message.contains(INO), "{message}");

    world.delete::<WhatsAppNumber>("support").await;
    there.until_phase::<WhatsAppNumber>("twin", "Enabled", "True/Enabled").await;
    there.finish().await;
    world.finish().await;
}

/// An object whose app no longer sees the number loses it to one that does, although the ledger still names it as
/// owner.
#[tokio::test]
async fn an_owner_whose_app_no_longer_sees_the_number_yields() {
    let mut seed = seed::small();
    seed::push(&mut seed, "accounts", json!({"id": ACCOUNT_2, "name": "Somebody else"}));
    seed::push(&mut seed, "tokens", seed::token("theirs", OTHER_APP, &[ACCOUNT_2]));
    let world = World::with_number("blind-owner", seed, json!({"registration": {}})).await;
    world.until_enabled().await;
    let owner = async || {
        let ledger = world.secret_value(LEDGER, "ledger").await?;
        Some(serde_json::from_str::<Value>(&ledger).unwrap()["owner"]["name"].clone())
    };
    assert_eq!(world.eventually("the ledger has an owner", owner).await, SUPPORT);

    let (secret, token) = (world.app_secret(OTHER_APP).await, world.token("theirs").await);
    world.put_secret("theirs-meta", &[("app-secret", &secret), ("access-token", &token)]).await;
    let key = |key: &str| json!({"name": "theirs-meta", "key": key});
    let theirs = json!({"appID": OTHER_APP, "appSecretRef": key("app-secret"), "accessTokenRef": key("access-token")});
    world.create(&app("theirs", theirs)).await;
    world.until_phase::<MetaApp>("theirs", "Connected", "True/Connected").await;
    // This object only observes, so it does not become the ledger's owner.
    let looks = json!({"appRef": {"name": "theirs"}, "managementPolicy": "Observe"});
    world.create(&number("z-looks", PHONE, looks)).await;
    world.sim.patch(&format!("numbers/{NUMBER}"), json!({"account": ACCOUNT_2})).await.unwrap();
    world.until_phase::<WhatsAppNumber>("z-looks", "Enabled", "True/Enabled").await;
    world.until_ready_message("Conflict", "False/Conflict", &["z-looks"]).await;
    assert_eq!(owner().await.unwrap(), SUPPORT);
    world.finish().await;
}
