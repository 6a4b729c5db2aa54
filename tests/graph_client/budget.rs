//! Throttles, usage, versions and Meta's clock.

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Value, json};
use waba_operator::graph::{Access, Class, Client, Error, Outcome, Priority, VersionMismatch};
use waba_operator::timing::Timing;

use crate::support::{APP, SECOND_WABA, WABA, World, access, estate, timing};

async fn probe(client: &Client, waba: &str) -> Result<(), Error> {
    client.probe_account(&access(), waba).await
}

/// Until when no call at all gets its turn at an account.
async fn throttled_until(world: &World, waba: &str) -> Option<jiff::Timestamp> {
    world.client.pass(&access(), waba, Priority::Action).await.err().and_then(|error| error.throttled_until())
}

/// A seed whose first account allows this many calls an hour.
fn limited(calls: u32) -> Value {
    let mut seed = estate(1, 0);
    seed["accounts"][0]["rate_limit"] = json!(calls);
    seed
}

#[tokio::test]
async fn a_throttled_account_gets_no_call_until_metas_time() {
    let world = World::start(limited(3)).await;
    for _ in 0..3 {
        probe(&world.client, WABA).await.unwrap();
    }
    let refused = probe(&world.client, WABA).await.unwrap_err();
    let Class::Throttled { until } = refused.class() else { panic!("{refused}") };
    assert_eq!((refused.code(), refused.was_sent()), (Some(80_007), true));
    let wait = until.duration_since(world.client.now());
    assert!(
        wait > SignedDuration::from_mins(50) && wait <= SignedDuration::from_mins(61),
        "minutes, not seconds: {wait}"
    );
    assert_eq!(throttled_until(&world, WABA).await, Some(until));

    let held_back = probe(&world.client, WABA).await.unwrap_err();
    assert_eq!((held_back.throttled_until(), held_back.was_sent()), (Some(until), false));
    assert_eq!(world.calls().await.len(), 4, "the fourth was refused, the fifth never sent");

    probe(&world.client, SECOND_WABA).await.unwrap();
    assert_eq!(throttled_until(&world, SECOND_WABA).await, None, "another account has its own budget");
    world.assert_well_behaved().await;
}

#[tokio::test]
async fn a_throttle_ends_by_metas_clock() {
    let world = World::start(limited(1)).await;
    probe(&world.client, WABA).await.unwrap();
    probe(&world.client, WABA).await.unwrap_err();
    world.control.advance(2 * 3600).await.unwrap();
    // Other calls bring the new time.
    for _ in 0..5 {
        probe(&world.client, SECOND_WABA).await.unwrap();
    }
    probe(&world.client, WABA).await.unwrap();
    world.assert_well_behaved().await;
}

#[tokio::test]
async fn a_throttled_app_gets_no_call_for_any_account() {
    let world = World::start(estate(1, 0)).await;
    world.refuse_once(WABA, 400, json!({"code": 4, "message": "(#4)", "is_transient": true})).await;
    let refused = probe(&world.client, WABA).await.unwrap_err();
    let until = refused.throttled_until().unwrap();
    let wait = until.duration_since(world.client.now());
    assert!(wait > SignedDuration::from_secs(290) && wait <= SignedDuration::from_secs(302), "five minutes: {wait}");
    for waba in [WABA, SECOND_WABA] {
        assert_eq!(probe(&world.client, waba).await.unwrap_err().throttled_until(), Some(until));
        assert_eq!(throttled_until(&world, waba).await, Some(until));
    }
    assert!(matches!(world.client.exchange_token(&access()).await, Outcome::NotSent(_)));
    assert_eq!(world.calls().await.len(), 1, "not even tried again, although Meta calls it transient");
}

#[tokio::test]
async fn a_limit_on_one_number_does_not_stop_its_account() {
    let world = World::start(estate(1, 0)).await;
    world.refuse_once(WABA, 400, json!({"code": 133_016, "message": "(#133016)"})).await;
    let refused = probe(&world.client, WABA).await.unwrap_err();
    let wait = refused.throttled_until().unwrap().duration_since(world.client.now());
    assert!(wait > SignedDuration::from_hours(71), "{wait}");
    probe(&world.client, WABA).await.unwrap();
}

#[tokio::test]
async fn a_throttle_can_be_restored_in_a_new_process() {
    let world = World::start(estate(1, 0)).await;
    let next = world.another_client(timing());
    let until = next.now() + SignedDuration::from_mins(20);
    next.restore_throttle(APP, Some(WABA), until);
    assert_eq!(probe(&next, WABA).await.unwrap_err().throttled_until(), Some(until));
    probe(&next, SECOND_WABA).await.unwrap();
    assert_eq!(world.calls().await.len(), 1);
}

#[tokio::test]
async fn the_remaining_budget_is_known_and_recorded() {
    let world = World::start(limited(10)).await;
    assert_eq!(world.client.budget_left(APP, Some(WABA)), None);
    for _ in 0..3 {
        probe(&world.client, WABA).await.unwrap();
    }
    assert_eq!(world.client.budget_left(APP, Some(WABA)), Some(70));
    let heard: Vec<_> = world.heard().into_iter().map(|call| call.budget_left).collect();
    assert_eq!(heard, [Some(90), Some(80), Some(70)]);
}

#[tokio::test]
async fn usage_is_read_from_error_replies_too() {
    let world = World::start(limited(10)).await;
    let missing = world.client.read_number(&access(), WABA, "900000", Priority::Poll).await;
    missing.unwrap();
    world.control.delete("numbers/900000").await.unwrap();
    world.control.patch(&format!("accounts/{WABA}"), json!({"rate_limit": 1})).await.unwrap();
    probe(&world.client, WABA).await.unwrap_err();
    assert_eq!(world.client.budget_left(APP, Some(WABA)), Some(0));
}

#[tokio::test]
async fn polls_wait_when_the_budget_is_nearly_used_up() {
    let timing = Timing { poll_rest: Duration::from_mins(5), longest_turn: Duration::ZERO, ..timing() };
    let world = World::start_with(limited(20), timing).await;
    for _ in 0..19 {
        probe(&world.client, WABA).await.unwrap();
    }
    let held_back = world.client.template_limit(&access(), WABA).await.unwrap_err();
    assert!(held_back.throttled_until().is_some() && !held_back.was_sent(), "a poll waits");
    assert_eq!(throttled_until(&world, WABA).await, None, "although Meta allows more");
    assert_eq!(world.calls().await.len(), 19);
}

/// A call whose intent is written has waited for budget before: it is sent at once, or not at all.
#[tokio::test]
async fn a_changing_call_waits_for_budget_before_its_intent_and_not_after() {
    let timing = Timing { pace_step: Duration::from_mins(5), longest_turn: Duration::ZERO, ..timing() };
    let world = World::start_with(limited(25), timing).await;
    for _ in 0..24 {
        probe(&world.client, WABA).await.unwrap();
    }
    let held_back = world.client.pass(&access(), WABA, Priority::Write).await.unwrap_err();
    assert!(held_back.throttled_until().is_some() && !held_back.was_sent());
    world.client.pass(&access(), WABA, Priority::Action).await.unwrap();
    let sent = world.client.deregister(&access(), WABA, "910001").await;
    assert!(!matches!(sent, Outcome::NotSent(_)), "{sent:?}");
    assert_eq!(world.calls().await.len(), 25);
}

#[tokio::test]
async fn a_retired_graph_version_is_detected() {
    let world = World::start(estate(1, 0)).await;
    probe(&world.client, WABA).await.unwrap();
    assert_eq!(world.client.version_mismatch(APP), None);
    let old = Access { version: "v20.0".into(), ..access() };
    world.client.probe_account(&old, WABA).await.unwrap();
    let expected = VersionMismatch { asked: "v20.0".into(), served: "v21.0".into() };
    assert_eq!(world.client.version_mismatch(APP), Some(expected));
    probe(&world.client, WABA).await.unwrap();
    assert_eq!(world.client.version_mismatch(APP), None, "a live one again");
}

#[tokio::test]
async fn the_clients_time_follows_metas_clock() {
    let mut seed = estate(1, 0);
    seed["now"] = json!("2031-01-01T00:00:00Z");
    let world = World::start(seed).await;
    assert_eq!(world.client.clock_skew(), SignedDuration::ZERO);
    probe(&world.client, WABA).await.unwrap();
    let off = world.client.now().duration_since("2031-01-01T00:00:00Z".parse().unwrap());
    assert!(off.abs() < SignedDuration::from_mins(1), "{off}");
    assert!(world.client.clock_skew() > SignedDuration::from_hours(24));
}
