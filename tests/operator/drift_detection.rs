//! Status follows what changes at Meta.

use std::time::Duration;

use serde_json::json;
use waba_operator::api::{MessageTemplate, MetaApp, WhatsAppNumber};

use crate::harness::{
    gate::{Gate, Hold},
    manifests::{INO, app, importing, number, template},
    seed::{self, ACCOUNT, NUMBER, NUMBER_OBJECT, TEMPLATE},
    world::{World, condition, is_poll},
};

#[tokio::test]
async fn a_number_goes_through_every_phase() {
    let world = World::running("phases", seed::small()).await;
    world.create(&importing()).await;
    world.until_phase::<WhatsAppNumber>(NUMBER_OBJECT, "Enabled", "True/Enabled").await;
    for (facts, phase, ready) in [
        (json!({"quality_rating": "RED", "status": "FLAGGED"}), "Enabled", "True/Flagged"),
        (json!({"status": "RATE_LIMITED"}), "Enabled", "True/RateLimited"),
        (json!({"status": "RESTRICTED"}), "Restricted", "False/Restricted"),
        (json!({"status": "BANNED"}), "Restricted", "False/Banned"),
        (json!({"status": "CONNECTED", "code_verification_status": "EXPIRED"}), "Enabled", "True/Enabled"),
        (json!({"status": "MIGRATED"}), "NotFound", "False/Migrated"),
        (json!({"status": "PENDING", "code_verification_status": "VERIFIED"}), "Registering", "False/Registering"),
        (json!({"status": "DISCONNECTED", "platform_type": "NOT_APPLICABLE"}), "PINRequired", "True/Adopted"),
        (json!({"code_verification_status": "NOT_VERIFIED"}), "Unverified", "True/Adopted"),
        (json!({"status": "SOMETHING_NEW", "code_verification_status": "VERIFIED"}), "Unknown", "True/Adopted"),
    ] {
        world.sim.patch(&format!("numbers/{NUMBER}"), facts).await.unwrap();
        world.until_phase::<WhatsAppNumber>(NUMBER_OBJECT, phase, ready).await;
    }
    let number = world.get::<WhatsAppNumber>(NUMBER_OBJECT).await.unwrap();
    let history: Vec<String> =
        number.status.unwrap().history.into_iter().map(|t| format!("{}/{}", t.phase, t.reason)).collect();
    assert!(history.ends_with(&["Unverified/Adopted".to_owned(), "Unknown/Adopted".to_owned()]), "{history:?}");
    world.until_event(NUMBER_OBJECT, "Banned").await;
    world.finish().await;
}

#[tokio::test]
async fn a_template_goes_through_every_phase() {
    let world = World::running("template-phases", seed::small()).await;
    world.create(&app(INO, json!({}))).await;
    world.create(&template("shipped", "order_shipped", json!({}))).await;
    world.until_phase::<MessageTemplate>("shipped", "Approved", "True/Approved").await;
    for (facts, phase) in [
        (json!({"status": "PENDING"}), "PendingReview"),
        (json!({"status": "REJECTED", "rejected_reason": "PROMOTIONAL"}), "Rejected"),
        (json!({"status": "IN_APPEAL"}), "InAppeal"),
        (json!({"status": "PAUSED"}), "Paused"),
        (json!({"status": "DISABLED"}), "Disabled"),
        (json!({"status": "ARCHIVED"}), "Archived"),
        (json!({"status": "PENDING_DELETION"}), "PendingDeletion"),
        (json!({"status": "LIMIT_EXCEEDED"}), "LimitExceeded"),
    ] {
        world.sim.patch(&format!("templates/{TEMPLATE}"), facts).await.unwrap();
        let template = world.until_phase::<MessageTemplate>("shipped", phase, &format!("True/{phase}")).await;
        assert_eq!(condition(&template, "Sendable").unwrap().0, format!("False/{phase}"));
        let status = template.status.unwrap();
        assert_eq!(status.sendable, Some(false));
        let waits = !["PendingReview", "InAppeal", "Paused", "PendingDeletion"].contains(&phase);
        assert_eq!(status.needs_action, waits, "{phase}");
    }
    world
        .sim
        .patch(&format!("templates/{TEMPLATE}"), json!({"status": "APPROVED", "category": "MARKETING"}))
        .await
        .unwrap();
    let template = world.until_phase::<MessageTemplate>("shipped", "Approved", "True/Approved").await;
    assert_eq!(template.status.unwrap().category.unwrap().as_str(), "MARKETING");
    world.finish().await;
}

#[tokio::test]
async fn status_follows_changes_that_change_no_phase() {
    let world = World::running("facts", seed::small()).await;
    world.create(&importing()).await;
    world.until_phase::<WhatsAppNumber>(NUMBER_OBJECT, "Enabled", "True/Enabled").await;
    let facts = json!({"verified_name": "INO Aide", "quality_rating": "YELLOW", "is_official_business_account": true});
    world.sim.patch(&format!("numbers/{NUMBER}"), facts).await.unwrap();
    world
        .until::<WhatsAppNumber>(NUMBER_OBJECT, "the new name", |number| {
            let status = number.status.as_ref().unwrap();
            status.verified_name.as_deref() == Some("INO Aide") && status.quality_rating.as_deref() == Some("YELLOW")
        })
        .await;
    world.sim.patch(&format!("accounts/{ACCOUNT}"), json!({"name": "INO Aide"})).await.unwrap();
    world
        .until::<MetaApp>(INO, "the account's new name", |app| {
            app.status.as_ref().unwrap().business_accounts[0].name.as_deref() == Some("INO Aide")
        })
        .await;
    world.sim.patch("apps/1234567890", json!({"name": "INO Messaging"})).await.unwrap();
    world.request_action::<MetaApp>(INO, "waba.dev/reconcile-at", 0).await;
    world
        .until::<MetaApp>(INO, "the app's new name", |app| {
            app.status.as_ref().unwrap().app.as_ref().unwrap().name.as_deref() == Some("INO Messaging")
        })
        .await;
    world.finish().await;
}

#[tokio::test]
async fn a_new_number_at_meta_is_imported_or_found() {
    let world = World::running("appears", seed::small()).await;
    world.create(&importing()).await;
    world.until_phase::<WhatsAppNumber>(NUMBER_OBJECT, "Enabled", "True/Enabled").await;
    world.sim.post("numbers", seed::number("106540352242940", ACCOUNT, "+1 631-555-5555")).await.unwrap();
    world.until_phase::<WhatsAppNumber>("number-16315555555", "Enabled", "True/Enabled").await;

    // An object that was created before Meta had its number.
    world.create(&number("late", "+5215512345678", json!({}))).await;
    world.until_phase::<WhatsAppNumber>("late", "NotFound", "False/NotFound").await;
    let mut mexican = seed::number("106540352242941", ACCOUNT, "+52 55 1234 5678");
    mexican["verified_name"] = json!("INO México");
    world.sim.post("numbers", mexican).await.unwrap();
    world.until_phase::<WhatsAppNumber>("late", "Enabled", "True/Enabled").await;
    world.settle().await;
    assert_eq!(world.names::<WhatsAppNumber>().await.len(), 3, "a number in another spelling is the same number");
    world.finish().await;
}

#[tokio::test]
async fn reconcile_at_reads_meta_at_once_and_only_once() {
    let mut world = World::new("reconcile-at", seed::small()).await;
    let mut settings = world.settings();
    settings.timing.health_interval = Duration::from_hours(1);
    world.start_with(settings).await;
    // The intervals are so long that only the action can cause a read, and that of the health.
    world.create(&app(INO, json!({"pollInterval": "5000h"}))).await;
    world.create(&number("support", "+33612345678", json!({}))).await;
    world.until_phase::<WhatsAppNumber>("support", "Enabled", "True/Enabled").await;
    for (name, is_app) in [("support", false), (INO, true)] {
        let since = world.last_call().await;
        let status = if is_app { "CONNECTED" } else { "RESTRICTED" };
        world.sim.patch(&format!("numbers/{NUMBER}"), json!({"status": status})).await.unwrap();
        let requested = if is_app {
            world.request_action::<MetaApp>(name, "waba.dev/reconcile-at", 0).await
        } else {
            world.request_action::<WhatsAppNumber>(name, "waba.dev/reconcile-at", 0).await
        };
        let phase = if is_app { "Enabled" } else { "Restricted" };
        world
            .until::<WhatsAppNumber>("support", phase, |n| {
                n.status.as_ref().unwrap().phase.as_ref().unwrap().as_str() == phase
            })
            .await;
        let handled = async || {
            if is_app {
                world.get::<MetaApp>(name).await.unwrap().status.unwrap().handled.reconcile_at
            } else {
                world.get::<WhatsAppNumber>(name).await.unwrap().status.unwrap().handled.reconcile_at
            }
        };
        world
            .eventually("the action is acknowledged in status.handled", async || {
                (handled().await.as_ref() == Some(&requested)).then_some(())
            })
            .await;
        let calls = world.sim.calls(since).await.unwrap();
        let polls: Vec<_> = calls.iter().filter(|call| is_poll(call, ACCOUNT)).collect();
        assert_eq!(polls.len(), 1, "{calls:#?}");
        assert!(polls[0]["query"]["fields"].as_str().unwrap().contains("health_status"), "{polls:#?}");
    }
    world.finish().await;
}

/// The operator's own write reaches its cache late: what is reconciled meanwhile must not act on the request once more.
#[tokio::test]
async fn reconcile_at_reads_meta_once_while_the_watch_lags() {
    let mut world = World::new("lagging-echo", seed::small()).await;
    let gate = Gate::start(world.config.clone()).await;
    world.config = gate.config();
    world.start().await;
    world.create(&app(INO, json!({"pollInterval": "5000h"}))).await;
    world.create(&number("support", "+33612345678", json!({}))).await;
    world.until_phase::<WhatsAppNumber>("support", "Enabled", "True/Enabled").await;
    let since = world.last_call().await;
    gate.hold(Hold::before("echo", "PATCH", "/whatsappnumbers/support/status$").body("reconcileAt"));
    world.request_action::<WhatsAppNumber>("support", "waba.dev/reconcile-at", 0).await;
    gate.reached("echo").await;
    gate.freeze_watches("/whatsappnumbers$");
    gate.release("echo");
    let polls = async || {
        let calls = world.sim.calls(since).await.unwrap();
        calls.iter().filter(|call| is_poll(call, ACCOUNT)).count()
    };
    world.eventually("the account is read", async || (polls().await > 0).then_some(())).await;
    // Each of these changes wakes the app's numbers.
    for from in ["All", "Same", "All"] {
        let patched = world.patch::<MetaApp>(INO, json!({"spec": {"allowedNamespaces": {"from": from}}})).await;
        world
            .until::<MetaApp>(INO, "the change is seen", |app| {
                app.status.as_ref().map(|status| status.observed_generation) == patched.metadata.generation
            })
            .await;
    }
    gate.thaw_watches();
    // The echo has come to the operator when the next request is acted on.
    let requested = world.request_action::<WhatsAppNumber>("support", "waba.dev/reconcile-at", 0).await;
    world
        .until::<WhatsAppNumber>("support", "the action is acknowledged in status.handled", |number| {
            number.status.as_ref().unwrap().handled.reconcile_at.as_ref() == Some(&requested)
        })
        .await;
    world.eventually("the account is read again", async || (polls().await > 1).then_some(())).await;
    assert_eq!(polls().await, 2, "{}", world.diagnostics().await);
    let is_echo = |path: &str, body: &str| path.ends_with("/support/status") && body.contains("reconcileAt");
    let echoes = gate.writes().iter().filter(|write| is_echo(&write.path, &write.body)).count();
    assert_eq!(echoes, 2, "one for each request");
    world.finish().await;
}

#[tokio::test]
async fn stale_and_pointless_actions_are_acknowledged_and_ignored() {
    let world = World::running("ignored", seed::small()).await;
    world.create(&app(INO, json!({}))).await;
    world.create(&number("support", "+33612345678", json!({}))).await;
    world.until_phase::<WhatsAppNumber>("support", "Enabled", "True/Enabled").await;
    // As after a restore: the request is older than the object.
    let requested = world.request_action::<WhatsAppNumber>("support", "waba.dev/reconcile-at", 7200).await;
    let note = world.until_event("support", "ActionIgnored").await;
    assert!(note.contains("reconcile-at") && note.contains("older than the object"), "{note}");
    world
        .until::<WhatsAppNumber>("support", "the action is acknowledged in status.handled", |number| {
            number.status.as_ref().unwrap().handled.reconcile_at.as_ref() == Some(&requested)
        })
        .await;
    let requested = world.request_action::<WhatsAppNumber>("support", "waba.dev/request-code-at", 0).await;
    world
        .until::<WhatsAppNumber>("support", "the action is acknowledged in status.handled", |number| {
            number.status.as_ref().unwrap().handled.request_code_at.as_ref() == Some(&requested)
        })
        .await;
    world
        .eventually("an Event gives the reason", async || {
            world.events("support").await.into_iter().find(|(_, note)| note.contains("spec.verification is not set"))
        })
        .await;
    world.settle().await;
    world.finish().await;
}
