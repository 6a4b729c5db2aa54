//! Values in Meta's replies that make no sense concern only what they are about.

use serde_json::{Value, json};
use waba_operator::api::{MessageTemplate, MetaApp, WhatsAppNumber};

use crate::harness::{
    manifests::{INO, app, number, template},
    seed::{self, ACCOUNT, NUMBER, TEMPLATE},
    world::{World, condition},
};

#[tokio::test]
async fn odd_values_hide_no_news_and_nothing_counts_as_gone() {
    let mut seed = seed::small();
    seed::push(&mut seed, "numbers", seed::number("900001", ACCOUNT, "+33 7 00 00 00 01"));
    seed::push(&mut seed, "templates", seed::template("900002", ACCOUNT, "odd_one", "en_US"));
    let world = World::running("odd", seed).await;
    world.create(&app(INO, json!({}))).await;
    world.create(&number("support", "+33612345678", json!({}))).await;
    world.create(&number("odd", "+33700000001", json!({}))).await;
    world.create(&template("shipped", "order_shipped", json!({}))).await;
    world.create(&template("odd-one", "odd_one", json!({}))).await;
    world.until_phase::<WhatsAppNumber>("support", "Enabled", "True/Enabled").await;
    world.until_phase::<WhatsAppNumber>("odd", "Enabled", "True/Enabled").await;
    world.until_phase::<MessageTemplate>("shipped", "Approved", "True/Approved").await;
    world.until_phase::<MessageTemplate>("odd-one", "Approved", "True/Approved").await;

    let odd = json!({
        "id": ACCOUNT, "name": "INO Support", "owner_business": "INO", "subscribed_apps": {"data": null},
        "phone_numbers": {"data": [
            {"id": NUMBER, "display_phone_number": "+33 6 12 34 56 78", "verified_name": "INO Support", "status": "FLAGGED",
                "platform_type": "CLOUD_API", "throughput": "HIGH", "webhook_configuration": "none"},
            {"id": {"id": "900001"}, "display_phone_number": "+33 7 00 00 00 01", "status": "BANNED"}, "nonsense"],
            "paging": {"cursors": null}},
        "message_templates": {"data": [
            {"id": TEMPLATE, "name": "order_shipped", "language": "en_US", "status": "PAUSED", "quality_score": "RED"},
            {"id": "900002", "name": null, "language": "en_US"}], "paging": null},
    });
    world.inject_fault(json!({"path": format!("/{ACCOUNT}$"), "before": {"body": odd}})).await;
    world.until_phase::<WhatsAppNumber>("support", "Enabled", "True/Flagged").await;
    world
        .until::<MessageTemplate>("shipped", "the template is paused", |template| {
            template
                .status
                .as_ref()
                .and_then(|status| status.phase.as_ref())
                .is_some_and(|phase| phase.as_str() == "Paused")
        })
        .await;
    world.until_polled(ACCOUNT, 3).await;
    let object = world.get::<WhatsAppNumber>("odd").await.unwrap();
    assert_eq!(condition(&object, "Ready").unwrap().0, "True/Enabled", "its last values stay");
    let object = world.get::<MessageTemplate>("odd-one").await.unwrap();
    assert_eq!(condition(&object, "Ready").unwrap().0, "True/Approved", "its last values stay");
    let synced = condition(&world.get::<MetaApp>(INO).await.unwrap(), "AccountsSynced").unwrap().0;
    assert_eq!(synced, "True/Synced");
    let calls = world.sim.calls(0).await.unwrap();
    assert!(calls.iter().all(|call: &Value| call["method"] == "GET"), "nothing was added or changed");
    world.clear_faults().await;
    world.until_phase::<MessageTemplate>("shipped", "Approved", "True/Approved").await;
    world.finish().await;
}
