//! The business profile: written when the spec changes, compared in Meta's normalised form, corrected once a day at
//! most.

use std::time::Duration;

use serde_json::{Value, json};
use waba_operator::api::WhatsAppNumber;

use crate::harness::{
    manifests::{INO, app, number},
    scenario::{PHONE, SUPPORT, number_seed, unverified_number},
    seed::{ACCOUNT, NUMBER},
    world::{World, condition},
};

const SYNCED: &str = "ProfileSynced";
const EDGE: &str = "whatsapp_business_profile";
const RECONCILE_AT: &str = "waba.dev/reconcile-at";

impl World {
    async fn profile(&self) -> Value {
        self.sim.get(&format!("numbers/{NUMBER}")).await.unwrap()["profile"].clone()
    }

    /// The bodies of all profile writes so far.
    async fn profile_writes(&self) -> Vec<Value> {
        let calls = self.sim.calls(0).await.unwrap();
        let writes = calls.iter().filter(|call| call["method"] == "POST" && is_profile(call));
        writes.map(|call| call["body"].clone()).collect()
    }

    async fn profile_reads(&self) -> usize {
        let calls = self.sim.calls(0).await.unwrap();
        calls.iter().filter(|call| call["method"] == "GET" && is_profile(call)).count()
    }

    /// Changes fields of the profile as a person does in WhatsApp Manager.
    async fn edit_profile(&self, fields: Value) {
        let mut profile = self.profile().await;
        profile.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        self.change_at_meta(json!({"profile": profile})).await;
    }
}

fn is_profile(call: &Value) -> bool {
    call["path"].as_str().unwrap().ends_with(EDGE)
}

#[tokio::test]
async fn a_profile_is_written_once_and_metas_normalised_form_is_accepted() {
    let spec = json!({"profile": {
        "about": "  Here to help ", "email": "Support@INO.cx", "websites": ["https://INO.cx", "https://ino.cx/Help"],
        "description": "Contact centre", "vertical": "PROF_SERVICES",
    }});
    let seed = number_seed(json!({"profile": {"about": "Old", "address": "1 rue de Paris"}}));
    let mut world = World::with_number("profile", seed, spec).await;
    world.until_message(SYNCED, "True/ProfileSynced", &[]).await;
    world.until_enabled().await;
    world.assert_writes_at_meta(&[EDGE]).await;
    let shown = world.profile().await;
    assert_eq!(shown["websites"], json!(["https://ino.cx/", "https://ino.cx/Help"]), "Meta's way to write them");
    assert_eq!((&shown["about"], &shown["email"]), (&json!("Here to help"), &json!("support@ino.cx")));
    assert_eq!(shown["address"], "1 rue de Paris", "what the spec leaves out is left alone");

    // In steady state polls of the account do not read the profile.
    let reads = world.profile_reads().await;
    world.until_polled(ACCOUNT, 5).await;
    assert_eq!(world.profile_reads().await, reads);
    // Neither this operator nor the next one takes Meta's normalised form for a change by somebody else.
    world.request_action::<WhatsAppNumber>(SUPPORT, RECONCILE_AT, 1).await;
    world.eventually("it is read", async || (world.profile_reads().await > reads).then_some(())).await;
    world.restart().await;
    world.until_polled(ACCOUNT, 2).await;
    let reads = world.profile_reads().await;
    world.request_action::<WhatsAppNumber>(SUPPORT, RECONCILE_AT, 0).await;
    world.eventually("it is read", async || (world.profile_reads().await > reads).then_some(())).await;
    world.until_message(SYNCED, "True/ProfileSynced", &[]).await;
    world.assert_writes_at_meta(&[EDGE]).await;
    world.finish().await;
}

#[tokio::test]
async fn a_profile_that_matches_already_is_not_written() {
    let seed = number_seed(json!({"profile": {"about": "Here to help", "vertical": "UNDEFINED"}}));
    let spec = json!({"profile": {"about": "Here to help", "email": "", "websites": []}});
    let world = World::with_number("profile-there", seed, spec).await;
    world.until_message(SYNCED, "True/ProfileSynced", &[]).await;
    world.assert_writes_at_meta(&[]).await;
    world.finish().await;
}

#[tokio::test]
async fn a_changed_profile_field_is_corrected_once_a_day() {
    let spec = json!({"profile": {"about": "Here to help", "description": "Contact centre"}});
    let mut world = World::with_number("profile-drift", number_seed(json!({})), spec).await;
    world.until_message(SYNCED, "True/ProfileSynced", &[]).await;
    world.assert_writes_at_meta(&[EDGE]).await;
    world.edit_profile(json!({"about": "Closed"})).await;
    world.request_action::<WhatsAppNumber>(SUPPORT, RECONCILE_AT, 0).await;
    world.until_message(SYNCED, "False/ProfileDiffers", &["somebody else changed about", "at most once a day"]).await;
    world.until_enabled().await;
    world.assert_writes_at_meta(&[EDGE]).await;

    world.advance_and_restart(24 * 3_600 + 60).await;
    world.request_action::<WhatsAppNumber>(SUPPORT, RECONCILE_AT, 0).await;
    world
        .eventually("it is set right", async || (world.profile().await["about"] == "Here to help").then_some(()))
        .await;
    world.until_message(SYNCED, "True/ProfileSynced", &[]).await;
    world.assert_writes_at_meta(&[EDGE; 2]).await;
    let last = world.profile_writes().await.pop().unwrap();
    assert!(last["description"].is_null(), "only what differs is sent: {last}");

    // The limit of one correction a day counts for each field.
    world.edit_profile(json!({"about": "Closed", "description": "Nobody"})).await;
    world.request_action::<WhatsAppNumber>(SUPPORT, RECONCILE_AT, 0).await;
    world
        .eventually("the other one is set right", async || {
            (world.profile().await["description"] == "Contact centre").then_some(())
        })
        .await;
    world.until_message(SYNCED, "False/ProfileDiffers", &["somebody else changed about at Meta"]).await;
    world.assert_writes_at_meta(&[EDGE; 3]).await;
    assert_eq!(world.profile().await["about"], "Closed");
    world.finish().await;
}

#[tokio::test]
async fn a_changed_spec_profile_is_written_at_once_and_a_removed_one_ends_all_writes() {
    let spec = json!({"profile": {"about": "Here to help", "description": "Contact centre"}});
    let world = World::with_number("profile-spec", number_seed(json!({})), spec).await;
    world.until_message(SYNCED, "True/ProfileSynced", &[]).await;
    world.assert_writes_at_meta(&[EDGE]).await;
    let change = json!({"spec": {"profile": {"about": "At your service", "email": "support@ino.cx"}}});
    world.patch::<WhatsAppNumber>(SUPPORT, change).await;
    world
        .eventually("it is written", async || (world.profile().await["about"] == "At your service").then_some(()))
        .await;
    world.until_message(SYNCED, "True/ProfileSynced", &[]).await;
    world.assert_writes_at_meta(&[EDGE; 2]).await;
    let last = world.profile_writes().await.pop().unwrap();
    assert!(last["description"].is_null() && last["email"] == "support@ino.cx", "only what differs is sent: {last}");

    world.patch::<WhatsAppNumber>(SUPPORT, json!({"spec": {"profile": null}})).await;
    world
        .until(SUPPORT, "there is no ProfileSynced condition", |object: &WhatsAppNumber| {
            condition(object, SYNCED).is_none()
        })
        .await;
    world.edit_profile(json!({"about": "Closed"})).await;
    let reads = world.profile_reads().await;
    world.request_action::<WhatsAppNumber>(SUPPORT, RECONCILE_AT, 0).await;
    world.assert_writes_at_meta(&[EDGE; 2]).await;
    assert_eq!((world.profile_reads().await, &world.profile().await["about"]), (reads, &json!("Closed")));
    world.finish().await;
}

#[tokio::test]
async fn a_refused_profile_is_reported_until_the_spec_is_corrected() {
    // Meta rejects this vertical; the CRD's schema cannot list them all.
    let spec = json!({"profile": {"about": "Here to help", "vertical": "SPACE_TRAVEL"}});
    let world = World::with_number("profile-refused", number_seed(json!({})), spec).await;
    world.until_message(SYNCED, "False/ProfileRefused", &["Meta refused the profile", "correct spec.profile"]).await;
    world.until_ready_message("Enabled", "False/ProfileRefused", &["spec.profile"]).await;
    assert_eq!(world.profile().await, Value::Null, "all of it or nothing");
    world.patch::<WhatsAppNumber>(SUPPORT, json!({"spec": {"profile": {"vertical": "TRAVEL"}}})).await;
    world.until_message(SYNCED, "True/ProfileSynced", &[]).await;
    world.until_enabled().await;
    assert_eq!(world.profile().await["vertical"], "TRAVEL");
    world.settle().await;
    world.finish().await;
}

/// The daily interval of profile reads must not delay a write that has become possible.
#[tokio::test]
async fn a_profile_is_written_as_soon_as_its_number_is_registered() {
    let mut world = World::new("profile-waits", unverified_number()).await;
    let mut settings = world.settings();
    settings.timing.profile_interval = Duration::from_hours(24);
    world.start_with(settings).await;
    world.create(&app(INO, json!({}))).await;
    let spec = json!({"verification": {}, "registration": {}, "profile": {"about": "Here to help"}});
    world.create(&number(SUPPORT, PHONE, spec)).await;
    world.until_ready_message("AwaitingCode", "False/AwaitingCode", &[]).await;
    world.until_message(SYNCED, "False/NotRegistered", &["once the number is connected"]).await;
    world.put_secret("support-code", &[("code", &world.sent_code(NUMBER).await)]).await;
    world.until_enabled().await;
    world.until_message(SYNCED, "True/ProfileSynced", &[]).await;
    assert_eq!((world.profile_writes().await.len(), &world.profile().await["about"]), (1, &json!("Here to help")));
    world.settle().await;
    world.finish().await;
}

/// What Meta sends has another shape than documented: nobody's profile is overwritten for that.
#[tokio::test]
async fn a_profile_that_cannot_be_read_is_not_overwritten() {
    let seed = number_seed(json!({"profile": {"about": "Old"}}));
    let world = World::running("profile-shape", seed).await;
    let body = json!({"data": [{"business_profile": {"about": "Old"}}]});
    world.inject_fault(json!({"method": "GET", "path": format!("/{EDGE}$"), "before": {"body": body}})).await;
    world.create(&app(INO, json!({}))).await;
    world.create(&number(SUPPORT, PHONE, json!({"profile": {"about": "Here to help"}}))).await;
    world.until_message(SYNCED, "Unknown/ProfileUnreadable", &["about of the profile", RECONCILE_AT]).await;
    world.until_enabled().await;
    world.assert_writes_at_meta(&[]).await;
    world.clear_faults().await;
    world.request_action::<WhatsAppNumber>(SUPPORT, RECONCILE_AT, 0).await;
    world.until_message(SYNCED, "True/ProfileSynced", &[]).await;
    world.assert_writes_at_meta(&[EDGE]).await;

    // Nor is what Meta shows instead taken for what was written.
    let body = json!({"data": [{"about": "Old", "messaging_product": "whatsapp"}]});
    world.inject_fault(json!({"method": "GET", "path": format!("/{EDGE}$"), "before": {"body": body}})).await;
    world.patch::<WhatsAppNumber>(SUPPORT, json!({"spec": {"profile": {"about": "At your service"}}})).await;
    world.until_message(SYNCED, "False/ProfileDiffers", &["Meta accepted about, and shows something else"]).await;
    world.assert_writes_at_meta(&[EDGE; 2]).await;
    world.finish().await;
}
