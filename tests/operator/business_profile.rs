//! The business profile: written when the spec says so, compared with what Meta makes of it, set right once a day at most.

use std::time::Duration;

use serde_json::{Value, json};
use waba_operator::api::WhatsAppNumber;

use crate::harness::{
    manifests::{INO, app, number},
    scenario::{PHONE, SUPPORT, estate, unverified},
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

    /// What was written so far, call by call.
    async fn profile_writes(&self) -> Vec<Value> {
        let calls = self.sim.calls(0).await.unwrap();
        let writes = calls.iter().filter(|call| call["method"] == "POST" && is_profile(call));
        writes.map(|call| call["body"].clone()).collect()
    }

    async fn profile_reads(&self) -> usize {
        let calls = self.sim.calls(0).await.unwrap();
        calls.iter().filter(|call| call["method"] == "GET" && is_profile(call)).count()
    }

    /// Somebody changes fields of the profile in WhatsApp Manager.
    async fn edit_profile(&self, fields: Value) {
        let mut profile = self.profile().await;
        profile.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        self.at_meta(json!({"profile": profile})).await;
    }
}

fn is_profile(call: &Value) -> bool {
    call["path"].as_str().unwrap().ends_with(EDGE)
}

#[tokio::test]
async fn a_profile_is_written_once_and_what_meta_makes_of_it_is_accepted() {
    let spec = json!({"profile": {
        "about": "  Here to help ", "email": "Support@INO.cx", "websites": ["https://INO.cx", "https://ino.cx/Help"],
        "description": "Contact centre", "vertical": "PROF_SERVICES",
    }});
    let seed = estate(json!({"profile": {"about": "Old", "address": "1 rue de Paris"}}));
    let mut world = World::caring("profile", seed, spec).await;
    world.tells(SYNCED, "True/ProfileSynced", &[]).await;
    world.enabled().await;
    world.asked_only(&[EDGE]).await;
    let shown = world.profile().await;
    assert_eq!(shown["websites"], json!(["https://ino.cx/", "https://ino.cx/Help"]), "Meta's way to write them");
    assert_eq!((&shown["about"], &shown["email"]), (&json!("Here to help"), &json!("support@ino.cx")));
    assert_eq!(shown["address"], "1 rue de Paris", "what the spec leaves out is left alone");

    // At rest nothing is read, however often the account is.
    let reads = world.profile_reads().await;
    world.polls(ACCOUNT, 5).await;
    assert_eq!(world.profile_reads().await, reads);
    // Neither this operator nor the next one takes Meta's way for somebody's change.
    world.ask::<WhatsAppNumber>(SUPPORT, RECONCILE_AT, 1).await;
    world.so("it is read", async || (world.profile_reads().await > reads).then_some(())).await;
    world.restart().await;
    world.polls(ACCOUNT, 2).await;
    let reads = world.profile_reads().await;
    world.ask::<WhatsAppNumber>(SUPPORT, RECONCILE_AT, 0).await;
    world.so("it is read", async || (world.profile_reads().await > reads).then_some(())).await;
    world.tells(SYNCED, "True/ProfileSynced", &[]).await;
    world.asked_only(&[EDGE]).await;
    world.finish().await;
}

#[tokio::test]
async fn what_is_there_already_is_not_written() {
    let seed = estate(json!({"profile": {"about": "Here to help", "vertical": "UNDEFINED"}}));
    let spec = json!({"profile": {"about": "Here to help", "email": "", "websites": []}});
    let world = World::caring("profile-there", seed, spec).await;
    world.tells(SYNCED, "True/ProfileSynced", &[]).await;
    world.asked_only(&[]).await;
    world.finish().await;
}

#[tokio::test]
async fn a_field_that_somebody_changes_is_set_right_once_a_day() {
    let spec = json!({"profile": {"about": "Here to help", "description": "Contact centre"}});
    let mut world = World::caring("profile-drift", estate(json!({})), spec).await;
    world.tells(SYNCED, "True/ProfileSynced", &[]).await;
    world.asked_only(&[EDGE]).await;
    world.edit_profile(json!({"about": "Closed"})).await;
    world.ask::<WhatsAppNumber>(SUPPORT, RECONCILE_AT, 0).await;
    world.tells(SYNCED, "False/ProfileDiffers", &["somebody else has changed about", "once a day at most"]).await;
    world.enabled().await;
    world.asked_only(&[EDGE]).await;

    world.later(24 * 3_600 + 60).await;
    world.ask::<WhatsAppNumber>(SUPPORT, RECONCILE_AT, 0).await;
    world.so("it is set right", async || (world.profile().await["about"] == "Here to help").then_some(())).await;
    world.tells(SYNCED, "True/ProfileSynced", &[]).await;
    world.asked_only(&[EDGE; 2]).await;
    let last = world.profile_writes().await.pop().unwrap();
    assert!(last["description"].is_null(), "only what differs is sent: {last}");

    // Another field has a day of its own.
    world.edit_profile(json!({"about": "Closed", "description": "Nobody"})).await;
    world.ask::<WhatsAppNumber>(SUPPORT, RECONCILE_AT, 0).await;
    world
        .so("the other one is set right", async || {
            (world.profile().await["description"] == "Contact centre").then_some(())
        })
        .await;
    world.tells(SYNCED, "False/ProfileDiffers", &["changed about at Meta"]).await;
    world.asked_only(&[EDGE; 3]).await;
    assert_eq!(world.profile().await["about"], "Closed");
    world.finish().await;
}

#[tokio::test]
async fn a_changed_spec_is_written_at_once_and_without_the_block_nothing_is() {
    let spec = json!({"profile": {"about": "Here to help", "description": "Contact centre"}});
    let world = World::caring("profile-spec", estate(json!({})), spec).await;
    world.tells(SYNCED, "True/ProfileSynced", &[]).await;
    world.asked_only(&[EDGE]).await;
    let change = json!({"spec": {"profile": {"about": "At your service", "email": "support@ino.cx"}}});
    world.patch::<WhatsAppNumber>(SUPPORT, change).await;
    world.so("it is written", async || (world.profile().await["about"] == "At your service").then_some(())).await;
    world.tells(SYNCED, "True/ProfileSynced", &[]).await;
    world.asked_only(&[EDGE; 2]).await;
    let last = world.profile_writes().await.pop().unwrap();
    assert!(last["description"].is_null() && last["email"] == "support@ino.cx", "only what differs is sent: {last}");

    world.patch::<WhatsAppNumber>(SUPPORT, json!({"spec": {"profile": null}})).await;
    world
        .until(SUPPORT, "nothing is said of a profile", |object: &WhatsAppNumber| condition(object, SYNCED).is_none())
        .await;
    world.edit_profile(json!({"about": "Closed"})).await;
    let reads = world.profile_reads().await;
    world.ask::<WhatsAppNumber>(SUPPORT, RECONCILE_AT, 0).await;
    world.asked_only(&[EDGE; 2]).await;
    assert_eq!((world.profile_reads().await, &world.profile().await["about"]), (reads, &json!("Closed")));
    world.finish().await;
}

#[tokio::test]
async fn what_meta_refuses_is_told_and_a_corrected_spec_heals() {
    // Meta knows no such line of business; the API server cannot know them all.
    let spec = json!({"profile": {"about": "Here to help", "vertical": "SPACE_TRAVEL"}});
    let world = World::caring("profile-refused", estate(json!({})), spec).await;
    world.tells(SYNCED, "False/ProfileRefused", &["Meta refused the profile", "correct spec.profile"]).await;
    world.says("Enabled", "False/ProfileRefused", &["spec.profile"]).await;
    assert_eq!(world.profile().await, Value::Null, "all of it or nothing");
    world.patch::<WhatsAppNumber>(SUPPORT, json!({"spec": {"profile": {"vertical": "TRAVEL"}}})).await;
    world.tells(SYNCED, "True/ProfileSynced", &[]).await;
    world.enabled().await;
    assert_eq!(world.profile().await["vertical"], "TRAVEL");
    world.settle().await;
    world.finish().await;
}

/// A profile is read once a day: whether that is over is another question than whether it can be written at last.
#[tokio::test]
async fn a_profile_is_written_as_soon_as_its_number_is_registered() {
    let mut world = World::new("profile-waits", unverified()).await;
    let mut settings = world.settings();
    settings.timing.profile_interval = Duration::from_hours(24);
    world.start_with(settings).await;
    world.create(&app(INO, json!({}))).await;
    let spec = json!({"verification": {}, "registration": {}, "profile": {"about": "Here to help"}});
    world.create(&number(SUPPORT, PHONE, spec)).await;
    world.says("AwaitingCode", "False/AwaitingCode", &[]).await;
    world.tells(SYNCED, "False/NotRegistered", &["once the number is registered"]).await;
    world.put_secret("support-code", &[("code", &world.code(NUMBER).await)]).await;
    world.enabled().await;
    world.tells(SYNCED, "True/ProfileSynced", &[]).await;
    assert_eq!((world.profile_writes().await.len(), &world.profile().await["about"]), (1, &json!("Here to help")));
    world.settle().await;
    world.finish().await;
}
