//! Two operators with leader election: the leader is paused (SIGSTOP) at every point of every call that changes a
//! number. The standby takes over when the lease expires, finds out what happened, and continues. Then the paused
//! leader wakes up without its lease.
//!
//! The held request continues at once, as a packet on its way would; where the intent was about to be written, also
//! only after the new leader has done everything.

use std::panic::AssertUnwindSafe;

use futures::{FutureExt, future::join_all};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use waba_operator::{
    api::{MetaApp, WhatsAppNumber},
    calls::Operation,
};

use crate::harness::{
    gate::Gate,
    manifests::INO,
    operations::{assert_done_once, assert_outcome, prepare, trigger, world_for},
    program::{Program, ProgramSettings},
    scenario::SUPPORT,
    seed::ACCOUNT,
    stop_point::StopPoint,
    world::World,
};

/// How many cells start at a time: each starts two processes, and afterwards mostly waits.
static STARTING: Semaphore = Semaphore::const_new(6);

/// When the held request continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Released {
    /// Before the standby takes over.
    AtOnce,
    /// After the new leader has done everything.
    InTheEnd,
}

/// Pauses the leader at this point of the call, while a standby runs. Returns the paused leader; the standby is the world's
/// program. A standby with a `speedup` of its own polls once a minute.
async fn paused(prefix: &str, operation: Operation, point: StopPoint, speedup: Option<u32>) -> (World, Gate, Program) {
    let (mut world, gate) = world_for(prefix, operation).await;
    let first = ProgramSettings { kubeconfig: gate.kubeconfig(), leader_elect: true, ..world.program_settings() };
    let kubeconfig = world.kubeconfig.clone();
    let second = ProgramSettings { kubeconfig, speedup: speedup.unwrap_or(first.speedup), ..first.clone() };
    world.start_program(&first).await;
    prepare(&world, operation).await;
    if speedup.is_some() {
        world.patch::<MetaApp>(INO, json!({"spec": {"pollInterval": "1m"}})).await;
    }
    let second = world.spawn_program(&second).await;
    second.until_ready("standby").await;
    point.hold(&world, &gate, operation).await;
    trigger(&world, operation).await;
    point.reached(&world, &gate).await;
    let old = world.program.replace(second).unwrap();
    old.pause().await;
    (world, gate, old)
}

/// One cell: the operation, the point at which the leader is paused, and when its held request continues.
async fn cell(operation: Operation, point: StopPoint, released: Released) {
    let name = format!("{operation} at {point:?}, released {released:?}");
    let permit = STARTING.acquire().await.unwrap();
    let (world, gate, old) = paused("l", operation, point, None).await;
    if released == Released::AtOnce {
        point.release(&world, &gate).await;
    }
    drop(permit);

    world.program().until_ready("running").await;
    // A call whose intent was never written is sent by the new leader.
    let unheard = point == StopPoint::BeforeIntent && released == Released::InTheEnd;
    assert_outcome(&world, operation, point.is_sent() || unheard).await;
    if released == Released::InTheEnd {
        point.release(&world, &gate).await;
    }
    if operation != Operation::Deregister {
        world.settle().await;
    }
    assert_done_once(&world, operation, &name).await;

    // The new leader is paused, so that every write from here on is the old leader's.
    world.program().pause().await;
    let (versions, last) = (world.versions().await, world.last_call().await);
    old.resume();
    let output = old.output();
    assert_eq!(old.ended().await.code(), Some(1), "{name}");
    assert!(output.text().contains("the lease was lost"), "{name}: {}", output.tail(20));
    let since = world.sim.calls(last).await.unwrap();
    // It may send overdue reads before it learns that it no longer leads.
    let changing: Vec<&Value> = since.iter().filter(|call| call["method"] != "GET").collect();
    assert!(changing.is_empty(), "{name}: Meta received a changing call: {changing:#?}");
    world.versions().await.assert_unchanged_since(&versions);
    world.program().resume();
    assert_done_once(&world, operation, &name).await;
    world.finish().await;
}

/// The speedup of a new leader that is slow enough to be observed: it waits four seconds for calls that another process
/// may still be sending.
const SLOW: u32 = 20;

/// One cell: the operation, and the point at which the leader is paused. It wakes up while the new leader still waits
/// for its open call; it may write the outcome, and exits.
async fn wakes_early(operation: Operation, point: StopPoint) {
    let name = format!("{operation} at {point:?}");
    let permit = STARTING.acquire().await.unwrap();
    let (world, gate, old) = paused("e", operation, point, Some(SLOW)).await;
    drop(permit);

    world.program().until_ready("running").await;
    // A number that Meta does not list yet and a callback that is removed show no pending outcome.
    let waits = |object: &WhatsAppNumber| serde_json::to_string(&object.status).unwrap().contains("OutcomePending");
    if ![Operation::AddNumber, Operation::ClearWebhook].contains(&operation) {
        world.until(SUPPORT, &format!("{name}: the status shows OutcomePending"), waits).await;
    }
    // The new leader is paused as well: what the old leader writes now comes in time.
    world.program().pause().await;
    assert!(world.has_open_call().await, "{name}: the new leader resolved the call before the old leader woke up");
    point.release(&world, &gate).await;
    let output = old.output();
    old.resume();
    assert_eq!(old.ended().await.code(), Some(1), "{name}");
    assert!(output.text().contains("the lease was lost"), "{name}: {}", output.tail(20));
    world.program().resume();

    // A call that was only an intent was not sent, and if the old leader could write that, no person has to act.
    let text = output.text();
    let is_call = |line: &&str| line.contains("called Meta") && line.contains(&format!("\"{}\"", operation.as_str()));
    let unsent = |line: &str| line.contains("\"outcome\":\"not sent\"");
    assert!(point.is_sent() || text.lines().filter(is_call).all(unsent), "{name}: {}", output.tail(20));
    let is_written = text.lines().any(unsent) && !text.contains("is not recorded yet");
    let is_written = is_written || text.contains("was recorded before the end");
    assert_outcome(&world, operation, point.is_sent() || is_written).await;
    if operation != Operation::Deregister {
        world.until_polled(ACCOUNT, 1).await;
    }
    assert_done_once(&world, operation, &name).await;
    world.finish().await;
}

impl World {
    /// Whether the ledger holds an open call whose outcome is not even marked unknown.
    async fn has_open_call(&self) -> bool {
        let ledger = self.secret_value("waba-number-33612345678", "ledger").await.unwrap_or_default();
        let ledger: Value = serde_json::from_str(&ledger).unwrap_or_default();
        ledger["intents"].as_array().is_some_and(|intents| intents.iter().any(|intent| intent["unknown"] != true))
    }
}

/// Runs cells in parallel, because they mostly wait for a lease to expire, and reports every failure.
async fn side_by_side(cells: impl Iterator<Item = (String, impl Future<Output = ()>)>) {
    let results = join_all(cells.map(async |(name, cell)| {
        let ended = AssertUnwindSafe(cell).catch_unwind().await;
        let text = |panic: Box<dyn std::any::Any + Send>| {
            panic.downcast_ref::<String>().map_or("a panic", String::as_str).to_owned()
        };
        ended.err().map(|panic| format!("{name}: {}", text(panic)))
    }))
    .await;
    let failed: Vec<String> = results.into_iter().flatten().collect();
    assert!(failed.is_empty(), "{} cells failed:\n{}", failed.len(), failed.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_wakes_up_early_may_only_write_the_outcome_of_its_call() {
    let points = [StopPoint::IntentWritten, StopPoint::CallSent, StopPoint::ReplyNotRead];
    let cells = Operation::ALL.iter().flat_map(|operation| points.map(|point| (*operation, point)));
    side_by_side(cells.map(|(operation, point)| (format!("{operation} at {point:?}"), wakes_early(operation, point))))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_leader_does_nothing_when_it_wakes_up_after_a_takeover() {
    let of_each = [
        (StopPoint::BeforeIntent, Released::AtOnce),
        (StopPoint::BeforeIntent, Released::InTheEnd),
        (StopPoint::IntentWritten, Released::AtOnce),
        (StopPoint::CallSent, Released::AtOnce),
        (StopPoint::ReplyNotRead, Released::AtOnce),
    ];
    let cells =
        Operation::ALL.iter().flat_map(|operation| of_each.map(|(point, released)| (*operation, point, released)));
    let named = |(operation, point, released)| {
        (format!("{operation} at {point:?}, released {released:?}"), cell(operation, point, released))
    };
    side_by_side(cells.map(named)).await;
}
