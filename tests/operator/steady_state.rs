//! While nothing changes at Meta or in the cluster, the operator only polls.

use std::collections::BTreeMap;

use serde_json::Value;
use waba_operator::api::{MessageTemplate, MetaApp, WhatsAppNumber};

use crate::harness::{
    manifests::{INO, importing},
    seed::{self, ACCOUNT, ACCOUNT_2, NUMBER_OBJECT},
    world::{World, is_poll, path_of},
};

/// Calls after number `since`, counted by method and path without the version.
async fn calls(world: &World, since: u64) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for call in world.sim.calls(since).await.unwrap() {
        let method = call["method"].as_str().unwrap_or_default();
        *counts.entry(format!("{method} {}", path_of(&call))).or_insert(0) += 1;
    }
    counts
}

async fn imported(prefix: &str) -> World {
    let world = World::running(prefix, seed::two_accounts()).await;
    world.create(&importing()).await;
    world.until_phase::<WhatsAppNumber>(NUMBER_OBJECT, "Enabled", "True/Enabled").await;
    world.until_phase::<WhatsAppNumber>("number-33184882020", "Enabled", "True/Enabled").await;
    let done = |app: &MetaApp| {
        app.status.as_ref().and_then(|s| s.counts.as_ref()).is_some_and(|c| (c.enabled, c.approved) == (2, 2))
    };
    world.until::<MetaApp>(INO, "everything is counted", done).await;
    world
}

#[tokio::test]
async fn in_steady_state_the_operator_only_polls_and_writes_nothing() {
    let world = imported("steady").await;
    let versions = world.settle().await;
    let (since, writes) = (world.last_call().await, world.operator().writes().await);

    world.until_polled(ACCOUNT, 12).await;

    world.versions().await.assert_unchanged_since(&versions);
    assert!((world.operator().writes().await - writes).abs() < f64::EPSILON, "{}", world.operator().metrics().await);
    let mut counts = calls(&world, since).await;
    let (one, two) = (counts.remove(&format!("GET {ACCOUNT}")), counts.remove(&format!("GET {ACCOUNT_2}")));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert!(one >= 12 && two >= 8, "one call per account and interval: {one}, {two}");
    let inspections = counts.remove("GET debug_token").unwrap_or(0);
    assert!(inspections <= 3, "{inspections} inspections of the token in {one} polls");
    assert!(counts.is_empty(), "{counts:?}");
    world.finish().await;
}

#[tokio::test]
async fn a_restart_writes_nothing_and_reads_no_more_than_one_poll() {
    let mut world = imported("restart").await;
    let versions = world.settle().await;
    world.take_operator().stop().await;
    let since = world.last_call().await;

    world.start().await;
    world.operator().until_ready("running").await;
    world.until_polled(ACCOUNT_2, 1).await;
    world.until_polled(ACCOUNT, 4).await;

    world.versions().await.assert_unchanged_since(&versions);
    assert!(world.operator().writes().await.abs() < f64::EPSILON, "{}", world.operator().metrics().await);
    let all = world.sim.calls(since).await.unwrap();
    let mut polled = Vec::new();
    let begin: Vec<&Value> = all
        .iter()
        .take_while(|call| {
            // Up to the first account that is polled a second time.
            let account = [ACCOUNT, ACCOUNT_2].into_iter().find(|account| is_poll(call, account));
            account.is_none_or(|account| {
                let fresh = !polled.contains(&account);
                polled.push(account);
                fresh
            })
        })
        .collect();
    assert!(begin.len() <= 6, "app, token, two accounts and their limits: {begin:#?}");
    world.finish().await;
}

#[tokio::test]
async fn health_is_read_at_intervals_and_kept_between_reads() {
    let world = imported("health").await;
    let body = serde_json::json!({"health_status": {"can_send_message": "BLOCKED", "entities": [
        {"entity_type": "PHONE_NUMBER", "id": seed::NUMBER, "can_send_message": "BLOCKED",
         "errors": [{"error_code": 141_006, "error_description": "Payment", "possible_solution": "Pay"}]},
    ]}});
    world.sim.patch(&format!("numbers/{}", seed::NUMBER), body).await.unwrap();
    world.until_phase::<WhatsAppNumber>(NUMBER_OBJECT, "Enabled", "False/HealthBlocked").await;
    let versions = world.settle().await;
    // Polls without health keep the last health.
    world.until_polled(ACCOUNT, 5).await;
    world.versions().await.assert_unchanged_since(&versions);
    assert_eq!(world.names::<MessageTemplate>().await.len(), 2);
    world.finish().await;
}
