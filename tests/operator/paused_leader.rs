//! Two operators, of which one leads: it is paused (SIGSTOP) at every point on the way of every call that changes a number,
//! the other one takes the lease when that has run out, finds out what happened, and goes on. Then the first one wakes up in
//! a world that is no longer its own.
//!
//! What was held goes on at once, as a packet that was on its way; or, where the call was about to be written down, only when
//! the other operator has done everything.

use std::panic::AssertUnwindSafe;

use futures::{FutureExt, future::join_all};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use waba_operator::{
    api::{MetaApp, WhatsAppNumber},
    ledger::Operation,
};

use crate::harness::{
    manifests::INO,
    operations::{Point, ask_for, due, must_be, must_be_over, ready},
    program::ProgramSettings,
    scenario::SUPPORT,
    seed::ACCOUNT,
    world::World,
};

/// So many cells begin at a time: two processes each are many for a small machine, and once begun they mostly wait.
static BEGINNINGS: Semaphore = Semaphore::const_new(6);

/// When what is held goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Released {
    /// While nobody is awake.
    AtOnce,
    /// When the next leader has done everything.
    InTheEnd,
}

/// One cell: the operation, the point at which the leader is paused, and when what it asked for goes on.
async fn cell(operation: Operation, point: Point, released: Released) {
    let name = format!("{operation} at {point:?}, released {released:?}");
    let begins = BEGINNINGS.acquire().await.unwrap();
    let (mut world, gate) = due("l", operation).await;
    let first = ProgramSettings { kubeconfig: gate.kubeconfig(), leader_elect: true, ..world.program_settings() };
    let second = ProgramSettings { kubeconfig: world.kubeconfig.clone(), ..first.clone() };
    world.start_program(&first).await;
    ready(&world, operation).await;
    let second = world.spawn_program(&second).await;
    second.until_ready("standby").await;

    point.hold(&world, &gate, operation).await;
    ask_for(&world, operation).await;
    point.reached(&world, &gate).await;
    let old = world.program.replace(second).unwrap();
    old.pause().await;
    if released == Released::AtOnce {
        point.release(&world, &gate).await;
    }
    drop(begins);

    world.program().until_ready("running").await;
    // What was never written down is simply done by whoever leads.
    let unheard = point == Point::BeforeIntent && released == Released::InTheEnd;
    must_be(&world, operation, point.is_sent() || unheard).await;
    if released == Released::InTheEnd {
        point.release(&world, &gate).await;
    }
    if operation != Operation::Deregister {
        world.settle().await;
    }
    must_be_over(&world, operation, &name).await;

    // Whoever leads now reads and tells as it should; still, what is written from here on is the old one's.
    world.program().pause().await;
    let (versions, last) = (world.versions().await, world.last_call().await);
    old.resume();
    let output = old.output();
    assert_eq!(old.ended().await.code(), Some(1), "{name}");
    assert!(output.text().contains("the lease was lost"), "{name}: {}", output.tail(20));
    let since = world.sim.calls(last).await.unwrap();
    // It may have read what was overdue, before it learns that it does not lead.
    let changing: Vec<&Value> = since.iter().filter(|call| call["method"] != "GET").collect();
    assert!(changing.is_empty(), "{name}: Meta was asked again: {changing:#?}");
    world.versions().await.must_be(&versions);
    world.program().resume();
    must_be_over(&world, operation, &name).await;
    world.finish().await;
}

/// The waits of a next leader that can be woken up in: four seconds for what another process may be at.
const PATIENT: u32 = 20;

/// One cell: the operation, and the point at which the leader is paused. It wakes up while the next one still leaves alone
/// what it has written down, and may say how that ended; then it is gone.
async fn early(operation: Operation, point: Point) {
    let name = format!("{operation} at {point:?}");
    let begins = BEGINNINGS.acquire().await.unwrap();
    let (mut world, gate) = due("e", operation).await;
    let first = ProgramSettings { kubeconfig: gate.kubeconfig(), leader_elect: true, ..world.program_settings() };
    let second = ProgramSettings { kubeconfig: world.kubeconfig.clone(), speedup: PATIENT, ..first.clone() };
    world.start_program(&first).await;
    ready(&world, operation).await;
    world.patch::<MetaApp>(INO, json!({"spec": {"pollInterval": "1m"}})).await;
    let second = world.spawn_program(&second).await;
    second.until_ready("standby").await;
    point.hold(&world, &gate, operation).await;
    ask_for(&world, operation).await;
    point.reached(&world, &gate).await;
    let old = world.program.replace(second).unwrap();
    old.pause().await;
    drop(begins);

    world.program().until_ready("running").await;
    // Of a number that is not there nothing is told before it is sure, and nothing of a callback that is gone.
    let waits = |object: &WhatsAppNumber| serde_json::to_string(&object.status).unwrap().contains("OutcomePending");
    if ![Operation::AddNumber, Operation::ClearWebhook].contains(&operation) {
        world.until(SUPPORT, &format!("{name}: it leaves alone what another one may be at"), waits).await;
    }
    // Nobody hurries it: what is said now comes in time.
    world.program().pause().await;
    assert!(world.is_begun().await, "{name}: the next one was faster");
    point.release(&world, &gate).await;
    let output = old.output();
    old.resume();
    assert_eq!(old.ended().await.code(), Some(1), "{name}");
    assert!(output.text().contains("the lease was lost"), "{name}: {}", output.tail(20));
    world.program().resume();

    // What it had only written down it has not sent, and where it can still say so, nobody has to be asked.
    let text = output.text();
    let asked = |line: &&str| line.contains("asked Meta") && line.contains(&format!("\"{}\"", operation.as_str()));
    let unsent = |line: &str| line.contains("\"outcome\":\"not sent\"");
    assert!(point.is_sent() || text.lines().filter(asked).all(unsent), "{name}: {}", output.tail(20));
    let told = text.lines().any(unsent) && !text.contains("not written down yet");
    let told = told || text.contains("is written down at the end");
    must_be(&world, operation, point.is_sent() || told).await;
    if operation != Operation::Deregister {
        world.polls(ACCOUNT, 1).await;
    }
    must_be_over(&world, operation, &name).await;
    world.finish().await;
}

impl World {
    /// Whether a call is written down that has no outcome, not even that it is unknown.
    async fn is_begun(&self) -> bool {
        let ledger = self.secret_value("waba-number-33612345678", "ledger").await.unwrap_or_default();
        let ledger: Value = serde_json::from_str(&ledger).unwrap_or_default();
        ledger["intents"].as_array().is_some_and(|intents| intents.iter().any(|intent| intent["unknown"] != true))
    }
}

/// Runs cells side by side, for they mostly wait until a lease runs out, and tells of all that fail.
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
async fn a_leader_that_wakes_up_early_may_say_what_became_of_its_call_and_does_nothing_else() {
    let points = [Point::IntentWritten, Point::OnItsWay, Point::AnswerNotRead];
    let cells = Operation::ALL.iter().flat_map(|operation| points.map(|point| (*operation, point)));
    side_by_side(cells.map(|(operation, point)| (format!("{operation} at {point:?}"), early(operation, point)))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_was_paused_anywhere_does_nothing_when_it_wakes_up() {
    let of_each = [
        (Point::BeforeIntent, Released::AtOnce),
        (Point::BeforeIntent, Released::InTheEnd),
        (Point::IntentWritten, Released::AtOnce),
        (Point::OnItsWay, Released::AtOnce),
        (Point::AnswerNotRead, Released::AtOnce),
    ];
    let cells =
        Operation::ALL.iter().flat_map(|operation| of_each.map(|(point, released)| (*operation, point, released)));
    let named = |(operation, point, released)| {
        (format!("{operation} at {point:?}, released {released:?}"), cell(operation, point, released))
    };
    side_by_side(cells.map(named)).await;
}
