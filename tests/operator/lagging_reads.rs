//! Meta's reads may lag behind writes by 30 seconds: no call is repeated because its effect is not visible yet. The
//! operator's waits are those of production divided by twenty, and so is the lag, rounded up to the simulator's
//! resolution.

use futures::future::join_all;
use serde_json::json;
use waba_operator::{
    api::{MetaApp, WhatsAppNumber},
    calls::Operation,
};

use crate::harness::{
    manifests::{INO, app, number},
    operations::{assert_done_once, assert_outcome, call, prepare_with_app_fields, trigger, world_for},
    program::ProgramSettings,
    scenario::SUPPORT,
    seed::{self, ACCOUNT},
    world::World,
};

const SPEEDUP: u32 = 20;
/// In seconds of Meta's clock.
const LAG: u32 = 2;

const VIEWS: [&str; 3] = ["node", "list", "nested"];

/// One operation whose effect becomes visible late; `lossy`: the first reply is lost, so that only reads can show the
/// outcome.
async fn cell(operation: Operation, lossy: bool) {
    let (mut world, _gate) = world_for("late", operation).await;
    let settings = ProgramSettings { speedup: SPEEDUP, ..world.program_settings() };
    world.start_program(&settings).await;
    prepare_with_app_fields(&world, operation, json!({"pollInterval": "1m"})).await;
    for view in VIEWS {
        world.sim.post("lag", json!({"view": view, "seconds": LAG})).await.unwrap();
    }
    if lossy {
        let (method, path) = call(operation);
        world.inject_fault(json!({"method": method, "path": path, "times": 1, "after": {"reset": true}})).await;
    }
    let before = world.effects(operation).await;
    trigger(&world, operation).await;
    assert_outcome(&world, operation, true).await;
    let cell = format!("{operation} while reads lag, lossy: {lossy}");
    assert_done_once(&world, operation, &cell).await;
    // Meta does not show whether a PIN or a verify token was set, and the operator does not wait for the profile to
    // appear: when the reply is lost, these calls are repeated.
    let again = [Operation::SetPin, Operation::SetWebhook, Operation::WriteProfile];
    let most = if lossy && again.contains(&operation) { 2 } else { 1 };
    let effects = world.effects(operation).await - before;
    assert!((1..=most).contains(&effects), "{cell}: {effects} effects\n{}", world.diagnostics().await);
    world.finish().await;
}

#[tokio::test]
async fn every_operation_is_done_once_while_reads_lag() {
    join_all(Operation::ALL.iter().map(|operation| cell(*operation, false))).await;
}

#[tokio::test]
async fn every_operation_is_done_once_while_reads_lag_and_its_reply_is_lost() {
    join_all(Operation::ALL.iter().map(|operation| cell(*operation, true))).await;
}

/// Onboards a number that Meta does not have, while these views lag; `lossy`: the first reply to each changing call is
/// lost.
async fn onboard(views: &[&str], lossy: bool) {
    let mut seed = seed::small();
    seed["numbers"] = json!([]);
    let mut world = World::new("lag", seed).await;
    for view in views {
        world.sim.post("lag", json!({"view": view, "seconds": LAG})).await.unwrap();
    }
    let steps = [Operation::AddNumber, Operation::RequestCode, Operation::VerifyCode, Operation::Register];
    if lossy {
        for step in steps {
            let (method, path) = call(step);
            world.inject_fault(json!({"method": method, "path": path, "times": 1, "after": {"reset": true}})).await;
        }
    }
    let settings = ProgramSettings { speedup: SPEEDUP, ..world.program_settings() };
    world.start_program(&settings).await;
    world.create(&app(INO, json!({"pollInterval": "1m"}))).await;
    world.until_phase::<MetaApp>(INO, "Connected", "True/Connected").await;
    let blocks = json!({
        "provisioning": "AddIfMissing", "businessAccountID": ACCOUNT, "requestedName": "INO Support",
        "verification": {}, "registration": {},
    });
    world.create(&number(SUPPORT, "+33612345678", blocks)).await;
    world.until_phase::<WhatsAppNumber>(SUPPORT, "AwaitingCode", "False/AwaitingCode").await;
    let state = world.sim.get("state").await.unwrap();
    let id = state["numbers"][0]["id"].as_str().unwrap().to_owned();
    world.put_secret("support-code", &[("code", &world.sent_code(&id).await)]).await;
    world.until_phase::<WhatsAppNumber>(SUPPORT, "Enabled", "True/Enabled").await;
    world.until_condition::<WhatsAppNumber>(SUPPORT, "PINSynced", "True/PINSynced").await;
    assert_eq!(world.secret_value("support-pin", "pin").await, world.pin_at_meta(&id).await);
    world.until_polled(ACCOUNT, 2).await;

    let cell = format!("{views:?}, lossy: {lossy}");
    for step in steps {
        assert_eq!(world.effects(step).await, 1, "{step}, {cell}\n{}", world.diagnostics().await);
    }
    let counters = world.counters(&id).await;
    let counted = ["codes", "register", "verifyAttempts"].map(|counter| counters[counter].clone());
    assert_eq!(counted, [json!(1), json!(1), json!(1)], "{cell}\n{}", world.diagnostics().await);
    assert!(world.open_calls().await.is_empty(), "{cell}");
    world.finish().await;
}

#[tokio::test]
async fn a_new_number_is_onboarded_while_reads_lag() {
    let views: [&[&str]; 4] = [&VIEWS, &["node"], &["list"], &["nested"]];
    join_all(views.map(|views| onboard(views, false))).await;
}

#[tokio::test]
async fn a_new_number_is_onboarded_while_reads_lag_and_replies_are_lost() {
    let views: [&[&str]; 2] = [&VIEWS, &["nested"]];
    join_all(views.map(|views| onboard(views, true))).await;
}
