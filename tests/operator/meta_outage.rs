//! Outages of Meta: known values stay, staleness is reported, and everything recovers by itself.

use serde_json::{Value, json};
use waba_operator::api::{MessageTemplate, MetaApp, WhatsAppNumber};

use crate::harness::{
    manifests::{INO, app, importing, number, template},
    seed::{self, ACCOUNT, ACCOUNT_2, NUMBER, NUMBER_OBJECT},
    world::{World, condition, is_call, is_poll},
};

/// A fault for every poll of [`ACCOUNT`].
fn on_polls(action: &Value) -> Value {
    json!({"path": format!("/{ACCOUNT}$"), "before": action})
}

async fn ready(prefix: &str) -> World {
    let world = World::running(prefix, seed::small()).await;
    world.create(&app(INO, json!({}))).await;
    world.create(&number("support", "+33612345678", json!({}))).await;
    world.create(&template("shipped", "order_shipped", json!({}))).await;
    world.until_phase::<WhatsAppNumber>("support", "Enabled", "True/Enabled").await;
    world.until_phase::<MessageTemplate>("shipped", "Approved", "True/Approved").await;
    world
}

#[tokio::test]
async fn unreadable_replies_keep_the_last_values_until_meta_recovers() {
    let world = ready("garbage").await;
    let down = json!({"error": {"code": 2, "message": "down", "type": "OAuthException"}});
    for (action, words) in [
        (json!({"status": 500, "body": down}), "service is temporarily down"),
        (json!({"status": 502, "html": true}), "web page"),
        (json!({"status": 200, "html": true}), "web page"),
        (json!({"status": 200, "empty": true}), "is empty"),
        (json!({"status": 200, "body": {"data": "nonsense"}}), "cannot be parsed"),
        (json!({"truncate": true}), "was cut off"),
        (json!({"reset": true}), "broke off"),
        (json!({"redirect": "https://example.com/elsewhere"}), "redirect"),
    ] {
        let numbers = world.get::<WhatsAppNumber>("support").await.unwrap();
        // After the call was carried out, so that there is a reply to truncate.
        world.inject_fault(json!({"path": format!("/{ACCOUNT}$"), "after": action})).await;
        let message = world.until_condition::<MetaApp>(INO, "AccountsSynced", "False/MetaUnreachable").await;
        assert!(message.contains(ACCOUNT) && message.contains("keeps trying"), "{words}: {message}");
        assert!(message.contains(words), "{words}: {message}");
        let now = world.get::<WhatsAppNumber>("support").await.unwrap();
        assert_eq!(now.status.unwrap().verified_name, numbers.status.unwrap().verified_name);
        world.clear_faults().await;
        world.until_phase::<MetaApp>(INO, "Connected", "True/Connected").await;
        world.until_phase::<WhatsAppNumber>("support", "Enabled", "True/Enabled").await;
    }
    world.finish().await;
}

#[tokio::test]
async fn a_read_times_out_when_meta_does_not_reply() {
    let world = ready("hang").await;
    world.inject_fault(on_polls(&json!({"hang": true}))).await;
    let message = world.until_condition::<MetaApp>(INO, "AccountsSynced", "False/MetaUnreachable").await;
    assert!(message.contains("did not reply in time"), "{message}");
    world.clear_faults().await;
    world.until_phase::<WhatsAppNumber>("support", "Enabled", "True/Enabled").await;
    world.until_phase::<MetaApp>(INO, "Connected", "True/Connected").await;
    world.finish().await;
}

#[tokio::test]
async fn every_object_becomes_stale_after_three_intervals_with_one_write() {
    let world = ready("stale").await;
    let before = world.get::<WhatsAppNumber>("support").await.unwrap();
    world.inject_fault(on_polls(&json!({"status": 503, "html": true}))).await;
    let number = world.until_phase::<WhatsAppNumber>("support", "Enabled", "Unknown/Stale").await;
    world.until_phase::<MessageTemplate>("shipped", "Approved", "Unknown/Stale").await;
    world.until_phase::<MetaApp>(INO, "Connected", "Unknown/Stale").await;
    let (now, then) = (number.status.as_ref().unwrap(), before.status.as_ref().unwrap());
    assert_eq!(now.quality_rating, then.quality_rating);
    assert_eq!(condition(&number, "Verified"), condition(&before, "Verified"), "the last condition stays");

    let age =
        async || world.operator().metric("waba_account_read_age_seconds", &[&format!("account=\"{ACCOUNT}\"")]).await;
    let before = age().await;
    world.eventually("the age of the last read grows", async || (age().await > before).then_some(())).await;
    world.until_event(INO, "Stale").await;
    let versions = world.versions().await;
    world.until_polled(ACCOUNT, 4).await;
    world.versions().await.assert_unchanged_since(&versions);
    world.clear_faults().await;
    world.until_phase::<WhatsAppNumber>("support", "Enabled", "True/Enabled").await;
    world.until_phase::<MessageTemplate>("shipped", "Approved", "True/Approved").await;
    world.until_phase::<MetaApp>(INO, "Connected", "True/Connected").await;
    world.finish().await;
}

#[tokio::test]
async fn the_operator_recovers_when_meta_is_down_from_the_start() {
    let world = World::running("down", seed::small()).await;
    world.inject_fault(json!({"path": ".", "before": {"status": 503, "html": true}})).await;
    world.create(&importing()).await;
    world.create(&number("other", "+33699999999", json!({}))).await;
    let message = world.until_condition::<MetaApp>(INO, "CredentialsValid", "Unknown/MetaUnreachable").await;
    assert!(message.contains("keeps trying"), "{message}");
    world.until_condition::<MetaApp>(INO, "Reconciling", "True/MetaUnreachable").await;
    world.clear_faults().await;
    world.until_phase::<MetaApp>(INO, "Connected", "True/Connected").await;
    world.until_phase::<WhatsAppNumber>(NUMBER_OBJECT, "Enabled", "True/Enabled").await;
    world.finish().await;
}

/// A restarted operator that cannot read Meta keeps every status, and reports after a while that values may be stale.
async fn restarted_blind(prefix: &str, fault: Value) {
    let mut world = ready(prefix).await;
    let versions = world.settle().await;
    world.take_operator().stop().await;
    world.inject_fault(fault).await;
    let since = world.last_call().await;
    world.start().await;
    world.eventually("Meta receives a call", async || (world.last_call().await > since).then_some(())).await;
    world.versions().await.assert_unchanged_since(&versions);

    let blind = |number: &WhatsAppNumber| condition(number, "Ready").is_some_and(|(s, _)| s.starts_with("Unknown/"));
    let number = world.until::<WhatsAppNumber>("support", "Ready is Unknown", blind).await;
    assert_eq!(number.status.unwrap().phase.unwrap().as_str(), "Enabled");
    world.until_condition::<MetaApp>(INO, "Ready", "Unknown/Stale").await;
    world.clear_faults().await;
    world.until_phase::<WhatsAppNumber>("support", "Enabled", "True/Enabled").await;
    world.until_phase::<MetaApp>(INO, "Connected", "True/Connected").await;
    world.finish().await;
}

#[tokio::test]
async fn a_restart_while_meta_is_down_keeps_every_status() {
    restarted_blind("blind", json!({"path": ".", "before": {"status": 503, "html": true}})).await;
}

#[tokio::test]
async fn a_restart_while_one_account_is_unreadable_keeps_every_status() {
    restarted_blind("half-blind", on_polls(&json!({"status": 503, "html": true}))).await;
}

#[tokio::test]
async fn failing_token_inspections_change_no_object() {
    let world = ready("inspection").await;
    let versions = world.settle().await;
    world.inject_fault(json!({"path": "debug_token", "before": {"status": 500, "html": true}})).await;
    let since = world.last_call().await;
    world
        .eventually("a failed inspection", async || {
            let calls = world.sim.calls(since).await.unwrap();
            (calls.iter().filter(|call| is_call(call, "debug_token")).count() > 3).then_some(())
        })
        .await;
    world.until_polled(ACCOUNT, 3).await;
    world.versions().await.assert_unchanged_since(&versions);
    world.finish().await;
}

#[tokio::test]
async fn an_incomplete_listing_is_not_used() {
    let mut seed = seed::small();
    // Meta lists the most recently onboarded numbers first: the number of these tests is on the second page.
    for n in 0..110 {
        let mut more = seed::number(&format!("7000{n}"), ACCOUNT, &format!("+3370000{n:04}"));
        more["last_onboarded_time"] = json!("2026-01-01T00:00:00Z");
        seed::push(&mut seed, "numbers", more);
    }
    let world = World::running("pages", seed).await;
    world.create(&app(INO, json!({}))).await;
    world.create(&number("first-page", "+33700000000", json!({}))).await;
    world.create(&number("second-page", "+33612345678", json!({}))).await;
    world.until_phase::<WhatsAppNumber>("first-page", "Enabled", "True/Enabled").await;
    world.until_phase::<WhatsAppNumber>("second-page", "Enabled", "True/Enabled").await;

    // Meta rejects the cursor once: the operator starts the listing over.
    let stale =
        json!({"status": 400, "body": {"error": {"code": 131_059, "message": "cursor", "type": "OAuthException"}}});
    let versions = world.settle().await;
    world.inject_fault(json!({"path": format!("/{ACCOUNT}/phone_numbers$"), "times": 1, "before": stale})).await;
    world.until_polled(ACCOUNT, 2).await;
    world.versions().await.assert_unchanged_since(&versions);
    assert_eq!(condition(&world.get::<MetaApp>(INO).await.unwrap(), "AccountsSynced").unwrap().0, "True/Synced");

    // The second page fails: the operator must not use the first page alone.
    world
        .inject_fault(json!({"path": format!("/{ACCOUNT}/phone_numbers$"), "before": {"status": 500, "html": true}}))
        .await;
    world.sim.patch("numbers/70000", json!({"status": "BANNED"})).await.unwrap();
    world.until_condition::<MetaApp>(INO, "AccountsSynced", "False/MetaUnreachable").await;
    world.until_phase::<WhatsAppNumber>("second-page", "Enabled", "Unknown/Stale").await;
    world.until_phase::<WhatsAppNumber>("first-page", "Enabled", "Unknown/Stale").await;
    world.clear_faults().await;
    world.until_phase::<WhatsAppNumber>("first-page", "Restricted", "False/Banned").await;
    world.until_phase::<WhatsAppNumber>("second-page", "Enabled", "True/Enabled").await;

    let calls = world.sim.calls(0).await.unwrap();
    let links = calls.iter().filter(|call| is_poll(call, ACCOUNT)).count();
    assert!(links > 0 && calls.iter().all(|call| call["query"]["access_token"].is_null()), "tokens travel in headers");
    world.finish().await;
}

#[tokio::test]
async fn lists_without_an_end_concern_their_accounts_only() {
    let mut seed = seed::small();
    let endless: Vec<String> = (0..4).map(|n| format!("30000{n}")).collect();
    for account in &endless {
        let mut more = seed["accounts"][0].clone();
        more["id"] = json!(account);
        seed::push(&mut seed, "accounts", more);
        seed::push(&mut seed, "numbers", seed::number(&format!("9{account}"), account, &format!("+33700{account}")));
        for token in seed["tokens"].as_array_mut().unwrap() {
            token["accounts"].as_array_mut().unwrap().push(json!(account));
        }
    }
    let world = World::running("endless", seed).await;
    world.create(&app(INO, json!({}))).await;
    world.create(&number("support", "+33612345678", json!({}))).await;
    world.create(&number("endless", "+33700300000", json!({}))).await;
    world.until_phase::<WhatsAppNumber>("support", "Enabled", "True/Enabled").await;
    world.until_phase::<WhatsAppNumber>("endless", "Enabled", "True/Enabled").await;

    world.inject_fault(json!({"path": "/30000[0-2](/phone_numbers)?$", "cursors": "circle"})).await;
    world.inject_fault(json!({"path": "/300003(/phone_numbers)?$", "cursors": "endless"})).await;
    let message = world.until_condition::<MetaApp>(INO, "AccountsSynced", "False/MetaUnreachable").await;
    assert!(message.contains(": Meta's list does not end"), "{message}");
    // The healthy account's news arrive meanwhile; the others keep their last values, and become stale.
    world.sim.patch(&format!("numbers/{NUMBER}"), json!({"status": "FLAGGED"})).await.unwrap();
    world.until_phase::<WhatsAppNumber>("support", "Enabled", "True/Flagged").await;
    world.until_phase::<WhatsAppNumber>("endless", "Enabled", "Unknown/Stale").await;
    // One read per interval, of three calls each.
    let since = world.last_call().await;
    world.until_polled(ACCOUNT, 6).await;
    let calls = world.sim.calls(since).await.unwrap();
    let of = |id: &str| calls.iter().filter(|call| call["path"].as_str().unwrap().contains(id)).count();
    assert!(of("300000") <= 3 * 8, "{} calls within six polls of the healthy account", of("300000"));
    world.clear_faults().await;
    world.until_phase::<WhatsAppNumber>("endless", "Enabled", "True/Enabled").await;
    world.until_phase::<MetaApp>(INO, "Connected", "True/Connected").await;
    world.finish().await;
}

#[tokio::test]
async fn a_deleted_account_named_in_the_spec_is_reported_on_the_app() {
    let world = World::running("named-gone", seed::two_accounts()).await;
    world.create(&app(INO, json!({"businessAccountIDs": [ACCOUNT, ACCOUNT_2]}))).await;
    world.create(&number("sales", "+33184882020", json!({}))).await;
    world.create(&number("support", "+33612345678", json!({}))).await;
    world.until_phase::<WhatsAppNumber>("sales", "Enabled", "True/Enabled").await;
    world.sim.delete(&format!("accounts/{ACCOUNT_2}")).await.unwrap();
    let message = world.until_condition::<MetaApp>(INO, "AccountsSynced", "False/AccountGone").await;
    assert!(message.contains(ACCOUNT_2) && message.contains("spec.businessAccountIDs"), "{message}");
    world.until_phase::<WhatsAppNumber>("sales", "Enabled", "Unknown/Stale").await;
    world.until_phase::<WhatsAppNumber>("support", "Enabled", "True/Enabled").await;
    world.sim.patch(&format!("numbers/{NUMBER}"), json!({"status": "FLAGGED"})).await.unwrap();
    world.until_phase::<WhatsAppNumber>("support", "Enabled", "True/Flagged").await;
    world.finish().await;
}

/// Accounts that the token shows come and go without anybody's telling the operator.
#[tokio::test]
async fn a_deleted_account_affects_only_its_own_numbers() {
    let world = World::running("account-gone", seed::two_accounts()).await;
    world.create(&app(INO, json!({"import": {"numbers": {}, "templates": {}}}))).await;
    let other = "number-33184882020";
    world.until_phase::<WhatsAppNumber>(other, "Enabled", "True/Enabled").await;
    world.until_phase::<WhatsAppNumber>(NUMBER_OBJECT, "Enabled", "True/Enabled").await;
    world.until_phase::<MetaApp>(INO, "Connected", "True/Connected").await;

    world.sim.delete(&format!("accounts/{ACCOUNT_2}")).await.unwrap();
    let message = world.until_condition::<MetaApp>(INO, "AccountsSynced", "False/AccountGone").await;
    assert!(message.contains(ACCOUNT_2) && message.contains("INO Commerce"), "{message}");
    world.until_phase::<MetaApp>(INO, "Connected", "False/AccountGone").await;
    world.until_event_of_type(INO, "AccountGone", "Warning").await;
    let number = world.until_phase::<WhatsAppNumber>(other, "NotFound", "False/AccountGone").await;
    let message = &condition(&number, "Ready").unwrap().1;
    assert!(message.contains(ACCOUNT_2) && !message.contains("delete this object"), "{message}");
    assert_eq!(number.status.unwrap().phone_number_id.as_deref(), Some("109381442019554"), "what is known stays");
    world.until_phase::<WhatsAppNumber>(NUMBER_OBJECT, "Enabled", "True/Enabled").await;
    let told = world.events(other).await;
    assert!(!told.iter().any(|(reason, _)| reason == "AccountGone"), "it is the app's news: {told:?}");

    let account = json!({"id": ACCOUNT_2, "name": "INO Commerce"});
    world.sim.post("accounts", account).await.unwrap();
    let line = json!({"id": "109381442019554", "account": ACCOUNT_2, "display_phone_number": "+33 1 84 88 20 20",
        "verified_name": "INO Support", "last_onboarded_time": "2025-03-04T09:12:44Z"});
    world.sim.post("numbers", line).await.unwrap();
    world.sim.patch("tokens/main", json!({"accounts": [ACCOUNT, ACCOUNT_2]})).await.unwrap();
    world.until_phase::<MetaApp>(INO, "Connected", "True/Connected").await;
    world.until_event(INO, "AccountFound").await;
    world.until_phase::<WhatsAppNumber>(other, "Enabled", "True/Enabled").await;
    world.finish().await;
}
