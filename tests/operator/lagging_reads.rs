//! Reads that lag behind writes by 30 seconds, as Meta's may: nothing is done twice for not being seen yet. The operator's
//! waits are as in production, divided by twenty, and so is the lag, rounded up to what the simulator can tell.

use futures::future::join_all;
use serde_json::json;
use waba_operator::{
    api::{MetaApp, WhatsAppNumber},
    ledger::Operation,
};

use crate::harness::{
    manifests::{INO, app, number},
    operations::{ask_for, call, due, must_be, must_be_over, ready_with},
    program::ProgramSettings,
    scenario::SUPPORT,
    seed::{self, ACCOUNT},
    world::World,
};

const SPEEDUP: u32 = 20;
/// In Meta's seconds.
const LAG: u32 = 2;

const VIEWS: [&str; 3] = ["node", "list", "nested"];

/// One operation, whose effect is seen late; `lossy`: its first answer is lost, so that reads have to tell what became of it.
async fn cell(operation: Operation, lossy: bool) {
    let (mut world, _gate) = due("late", operation).await;
    let settings = ProgramSettings { speedup: SPEEDUP, ..world.program_settings() };
    world.start_program(&settings).await;
    ready_with(&world, operation, json!({"pollInterval": "1m"})).await;
    for view in VIEWS {
        world.sim.post("lag", json!({"view": view, "seconds": LAG})).await.unwrap();
    }
    if lossy {
        let (method, path) = call(operation);
        world.fault(json!({"method": method, "path": path, "times": 1, "after": {"reset": true}})).await;
    }
    let before = world.effects(operation).await;
    ask_for(&world, operation).await;
    must_be(&world, operation, true).await;
    let cell = format!("{operation} while reads lag, lossy: {lossy}");
    must_be_over(&world, operation, &cell).await;
    // Nothing shows whether a PIN was set, or which verify token, and a profile is not waited for: where the answer is lost,
    // they are written again.
    let again = [Operation::SetPin, Operation::SetWebhook, Operation::WriteProfile];
    let most = if lossy && again.contains(&operation) { 2 } else { 1 };
    let effects = world.effects(operation).await - before;
    assert!((1..=most).contains(&effects), "{cell}: {effects} effects\n{}", world.picture().await);
    world.finish().await;
}

#[tokio::test]
async fn every_operation_while_reads_lag() {
    join_all(Operation::ALL.iter().map(|operation| cell(*operation, false))).await;
}

#[tokio::test]
async fn every_operation_while_reads_lag_and_its_answer_is_lost() {
    join_all(Operation::ALL.iter().map(|operation| cell(*operation, true))).await;
}

/// From a number that Meta has never heard of to one that works, while these views lag; `lossy`: the first answer to each
/// call that changes something is lost.
async fn climb(views: &[&str], lossy: bool) {
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
            world.fault(json!({"method": method, "path": path, "times": 1, "after": {"reset": true}})).await;
        }
    }
    let settings = ProgramSettings { speedup: SPEEDUP, ..world.program_settings() };
    world.start_program(&settings).await;
    world.create(&app(INO, json!({"pollInterval": "1m"}))).await;
    world.stands::<MetaApp>(INO, "Connected", "True/Connected").await;
    let blocks = json!({
        "provisioning": "AddIfMissing", "businessAccountID": ACCOUNT, "requestedName": "INO Support",
        "verification": {}, "registration": {},
    });
    world.create(&number(SUPPORT, "+33612345678", blocks)).await;
    world.stands::<WhatsAppNumber>(SUPPORT, "AwaitingCode", "False/AwaitingCode").await;
    let state = world.sim.get("state").await.unwrap();
    let id = state["numbers"][0]["id"].as_str().unwrap().to_owned();
    world.put_secret("support-code", &[("code", &world.code(&id).await)]).await;
    world.stands::<WhatsAppNumber>(SUPPORT, "Enabled", "True/Enabled").await;
    world.condition::<WhatsAppNumber>(SUPPORT, "PINSynced", "True/PINSynced").await;
    assert_eq!(world.secret_value("support-pin", "pin").await, world.pin_at_meta(&id).await);
    world.polls(ACCOUNT, 2).await;

    let cell = format!("{views:?}, lossy: {lossy}");
    for step in steps {
        assert_eq!(world.effects(step).await, 1, "{step}, {cell}\n{}", world.picture().await);
    }
    let counters = world.counters(&id).await;
    let counted = ["codes", "register", "verifyAttempts"].map(|counter| counters[counter].clone());
    assert_eq!(counted, [json!(1), json!(1), json!(1)], "{cell}\n{}", world.picture().await);
    assert!(world.open_calls().await.is_empty(), "{cell}");
    world.finish().await;
}

#[tokio::test]
async fn from_nothing_to_enabled_while_reads_lag() {
    let views: [&[&str]; 4] = [&VIEWS, &["node"], &["list"], &["nested"]];
    join_all(views.map(|views| climb(views, false))).await;
}

#[tokio::test]
async fn from_nothing_to_enabled_while_reads_lag_and_answers_are_lost() {
    let views: [&[&str]; 2] = [&VIEWS, &["nested"]];
    join_all(views.map(|views| climb(views, true))).await;
}
