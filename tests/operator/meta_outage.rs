//! Meta on bad days: what is known stays, staleness is told, and everything recovers by itself.

use serde_json::{Value, json};
use waba_operator::api::{MessageTemplate, MetaApp, WhatsAppNumber};

use crate::harness::{
    manifests::{INO, app, importing, number, template},
    seed::{self, ACCOUNT, ACCOUNT_2, NUMBER, NUMBER_OBJECT},
    world::{World, condition, is_poll},
};

/// Fails every regular read of [`ACCOUNT`].
fn on_polls(action: &Value) -> Value {
    json!({"path": format!("/{ACCOUNT}$"), "before": action})
}

async fn ready(prefix: &str) -> World {
    let world = World::running(prefix, seed::small()).await;
    world.create(&app(INO, json!({}))).await;
    world.create(&number("support", "+33612345678", json!({}))).await;
    world.create(&template("shipped", "order_shipped", json!({}))).await;
    world.stands::<WhatsAppNumber>("support", "Enabled", "True/Enabled").await;
    world.stands::<MessageTemplate>("shipped", "Approved", "True/Approved").await;
    world
}

#[tokio::test]
async fn whatever_meta_answers_the_last_values_stay_and_it_recovers() {
    let world = ready("garbage").await;
    let down = json!({"error": {"code": 2, "message": "down", "type": "OAuthException"}});
    for (action, words) in [
        (json!({"status": 500, "body": down}), "service is down"),
        (json!({"status": 502, "html": true}), "web page"),
        (json!({"status": 200, "html": true}), "web page"),
        (json!({"status": 200, "empty": true}), "is empty"),
        (json!({"status": 200, "body": {"data": "nonsense"}}), "cannot be read"),
        (json!({"truncate": true}), "broke off"),
        (json!({"reset": true}), "broke off"),
        (json!({"redirect": "https://example.com/elsewhere"}), "redirect"),
    ] {
        let numbers = world.get::<WhatsAppNumber>("support").await.unwrap();
        // After the work, so that there is an answer to be cut in half.
        world.fault(json!({"path": format!("/{ACCOUNT}$"), "after": action})).await;
        let message = world.condition::<MetaApp>(INO, "AccountsSynced", "False/MetaUnreachable").await;
        assert!(message.contains(ACCOUNT) && message.contains("keeps trying"), "{words}: {message}");
        assert!(message.contains(words), "{words}: {message}");
        let now = world.get::<WhatsAppNumber>("support").await.unwrap();
        assert_eq!(now.status.unwrap().verified_name, numbers.status.unwrap().verified_name);
        world.no_faults().await;
        world.stands::<MetaApp>(INO, "Connected", "True/Connected").await;
        world.stands::<WhatsAppNumber>("support", "Enabled", "True/Enabled").await;
    }
    world.finish().await;
}

#[tokio::test]
async fn a_meta_that_does_not_answer_is_not_waited_for_for_ever() {
    let world = ready("hang").await;
    world.fault(on_polls(&json!({"hang": true}))).await;
    let message = world.condition::<MetaApp>(INO, "AccountsSynced", "False/MetaUnreachable").await;
    assert!(message.contains("did not answer in time"), "{message}");
    world.no_faults().await;
    world.stands::<WhatsAppNumber>("support", "Enabled", "True/Enabled").await;
    world.stands::<MetaApp>(INO, "Connected", "True/Connected").await;
    world.finish().await;
}

#[tokio::test]
async fn after_three_intervals_everything_is_stale_in_one_write() {
    let world = ready("stale").await;
    let before = world.get::<WhatsAppNumber>("support").await.unwrap();
    world.fault(on_polls(&json!({"status": 503, "html": true}))).await;
    let number = world.stands::<WhatsAppNumber>("support", "Enabled", "Unknown/Stale").await;
    world.stands::<MessageTemplate>("shipped", "Approved", "Unknown/Stale").await;
    world.stands::<MetaApp>(INO, "Connected", "Unknown/Stale").await;
    let (now, then) = (number.status.as_ref().unwrap(), before.status.as_ref().unwrap());
    assert_eq!(now.quality_rating, then.quality_rating);
    assert_eq!(condition(&number, "Verified"), condition(&before, "Verified"), "the last findings stay");

    let versions = world.versions().await;
    world.polls(ACCOUNT, 4).await;
    world.versions().await.must_be(&versions);
    world.no_faults().await;
    world.stands::<WhatsAppNumber>("support", "Enabled", "True/Enabled").await;
    world.stands::<MessageTemplate>("shipped", "Approved", "True/Approved").await;
    world.stands::<MetaApp>(INO, "Connected", "True/Connected").await;
    world.finish().await;
}

#[tokio::test]
async fn a_meta_that_is_down_from_the_start_is_waited_for() {
    let world = World::running("down", seed::small()).await;
    world.fault(json!({"path": ".", "before": {"status": 503, "html": true}})).await;
    world.create(&importing()).await;
    world.create(&number("other", "+33699999999", json!({}))).await;
    let message = world.condition::<MetaApp>(INO, "CredentialsValid", "Unknown/MetaUnreachable").await;
    assert!(message.contains("keeps trying"), "{message}");
    world.condition::<MetaApp>(INO, "Reconciling", "True/MetaUnreachable").await;
    world.no_faults().await;
    world.stands::<MetaApp>(INO, "Connected", "True/Connected").await;
    world.stands::<WhatsAppNumber>(NUMBER_OBJECT, "Enabled", "True/Enabled").await;
    world.finish().await;
}

/// A process that never read Meta takes nothing back that the one before it knew, and says in time that it is blind.
async fn restarted_blind(prefix: &str, fault: Value) {
    let mut world = ready(prefix).await;
    let versions = world.settle().await;
    world.take_operator().stop().await;
    world.fault(fault).await;
    let since = world.last_call().await;
    world.start().await;
    world.so("Meta is asked", async || (world.last_call().await > since).then_some(())).await;
    world.versions().await.must_be(&versions);

    let blind = |number: &WhatsAppNumber| condition(number, "Ready").is_some_and(|(s, _)| s.starts_with("Unknown/"));
    let number = world.until::<WhatsAppNumber>("support", "told that it may be out of date", blind).await;
    assert_eq!(number.status.unwrap().phase.unwrap().as_str(), "Enabled");
    world.condition::<MetaApp>(INO, "Ready", "Unknown/Stale").await;
    world.no_faults().await;
    world.stands::<WhatsAppNumber>("support", "Enabled", "True/Enabled").await;
    world.stands::<MetaApp>(INO, "Connected", "True/Connected").await;
    world.finish().await;
}

#[tokio::test]
async fn a_restart_while_meta_is_down_takes_nothing_back() {
    restarted_blind("blind", json!({"path": ".", "before": {"status": 503, "html": true}})).await;
}

#[tokio::test]
async fn a_restart_while_one_account_cannot_be_read_takes_nothing_back() {
    restarted_blind("half-blind", on_polls(&json!({"status": 503, "html": true}))).await;
}

#[tokio::test]
async fn a_failing_inspection_harms_nobody() {
    let world = ready("inspection").await;
    let versions = world.settle().await;
    world.fault(json!({"path": "debug_token", "before": {"status": 500, "html": true}})).await;
    let since = world.last_call().await;
    world
        .so("a failed inspection", async || {
            let calls = world.sim.calls(since).await.unwrap();
            (calls.iter().filter(|call| call["path"] == "/v25.0/debug_token").count() > 3).then_some(())
        })
        .await;
    world.polls(ACCOUNT, 3).await;
    world.versions().await.must_be(&versions);
    world.finish().await;
}

#[tokio::test]
async fn half_of_the_pages_is_nothing_at_all() {
    let mut seed = seed::small();
    // The last to be onboarded are listed first: the number of these tests is on the second page.
    for n in 0..110 {
        let mut more = seed::number(&format!("7000{n}"), ACCOUNT, &format!("+3370000{n:04}"));
        more["last_onboarded_time"] = json!("2026-01-01T00:00:00Z");
        seed::push(&mut seed, "numbers", more);
    }
    let world = World::running("pages", seed).await;
    world.create(&app(INO, json!({}))).await;
    world.create(&number("first-page", "+33700000000", json!({}))).await;
    world.create(&number("second-page", "+33612345678", json!({}))).await;
    world.stands::<WhatsAppNumber>("first-page", "Enabled", "True/Enabled").await;
    world.stands::<WhatsAppNumber>("second-page", "Enabled", "True/Enabled").await;

    // Meta loses the cursor once: the listing starts over, and nobody notices.
    let stale =
        json!({"status": 400, "body": {"error": {"code": 131_059, "message": "cursor", "type": "OAuthException"}}});
    let versions = world.settle().await;
    world.fault(json!({"path": format!("/{ACCOUNT}/phone_numbers$"), "times": 1, "before": stale})).await;
    world.polls(ACCOUNT, 2).await;
    world.versions().await.must_be(&versions);
    assert_eq!(condition(&world.get::<MetaApp>(INO).await.unwrap(), "AccountsSynced").unwrap().0, "True/Synced");

    // The second page does not come: what the first one says is not taken for the whole.
    world.fault(json!({"path": format!("/{ACCOUNT}/phone_numbers$"), "before": {"status": 500, "html": true}})).await;
    world.sim.patch("numbers/70000", json!({"status": "BANNED"})).await.unwrap();
    world.condition::<MetaApp>(INO, "AccountsSynced", "False/MetaUnreachable").await;
    world.stands::<WhatsAppNumber>("second-page", "Enabled", "Unknown/Stale").await;
    world.stands::<WhatsAppNumber>("first-page", "Enabled", "Unknown/Stale").await;
    world.no_faults().await;
    world.stands::<WhatsAppNumber>("first-page", "Restricted", "False/Banned").await;
    world.stands::<WhatsAppNumber>("second-page", "Enabled", "True/Enabled").await;

    let calls = world.sim.calls(0).await.unwrap();
    let links = calls.iter().filter(|call| is_poll(call, ACCOUNT)).count();
    assert!(links > 0 && calls.iter().all(|call| call["query"]["access_token"].is_null()), "tokens travel in headers");
    world.finish().await;
}

#[tokio::test]
async fn an_account_that_disappears_takes_only_its_own_along() {
    let world = World::running("account-gone", seed::two_accounts()).await;
    world.create(&importing()).await;
    world.stands::<WhatsAppNumber>(NUMBER_OBJECT, "Enabled", "True/Enabled").await;
    world.stands::<WhatsAppNumber>("number-33184882020", "Enabled", "True/Enabled").await;

    world.sim.delete(&format!("accounts/{ACCOUNT_2}")).await.unwrap();
    let gone = world.stands::<WhatsAppNumber>("number-33184882020", "NotFound", "False/AccountNotManaged").await;
    let (_, message) = condition(&gone, "Ready").unwrap();
    assert!(message.contains(ACCOUNT_2) && message.contains("spec.businessAccountIDs"), "{message}");
    assert_eq!(gone.status.unwrap().phone_number_id.as_deref(), Some("109381442019554"));
    world.stands::<WhatsAppNumber>(NUMBER_OBJECT, "Enabled", "True/Enabled").await;
    let found = world.stands::<MetaApp>(INO, "Connected", "True/Connected").await;
    assert_eq!(found.status.unwrap().business_accounts.len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn a_named_account_that_disappears_is_told_on_the_app() {
    let world = World::running("named-gone", seed::two_accounts()).await;
    world.create(&app(INO, json!({"businessAccountIDs": [ACCOUNT, ACCOUNT_2]}))).await;
    world.create(&number("sales", "+33184882020", json!({}))).await;
    world.create(&number("support", "+33612345678", json!({}))).await;
    world.stands::<WhatsAppNumber>("sales", "Enabled", "True/Enabled").await;
    world.sim.delete(&format!("accounts/{ACCOUNT_2}")).await.unwrap();
    let message = world.condition::<MetaApp>(INO, "AccountsSynced", "False/AccountNotReadable").await;
    assert!(message.contains(ACCOUNT_2), "{message}");
    world.stands::<WhatsAppNumber>("sales", "Enabled", "Unknown/Stale").await;
    world.stands::<WhatsAppNumber>("support", "Enabled", "True/Enabled").await;
    world.sim.patch(&format!("numbers/{NUMBER}"), json!({"status": "FLAGGED"})).await.unwrap();
    world.stands::<WhatsAppNumber>("support", "Enabled", "True/Flagged").await;
    world.finish().await;
}
