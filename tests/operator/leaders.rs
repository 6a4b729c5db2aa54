//! Two operators, of which one leads: it is paused (SIGSTOP) at every point on the way of every call that changes a number,
//! the other one takes the lease when that has run out, finds out what happened, and goes on. Then the first one wakes up in
//! a world that is no longer its own.
//!
//! What was held goes on at once, as a packet that was on its way; or, where the call was about to be written down, only when
//! the other operator has done everything.

use std::panic::AssertUnwindSafe;

use futures::{FutureExt, future::join_all};
use serde_json::Value;
use tokio::sync::Semaphore;
use waba_operator::ledger::Operation;

use crate::{
    program::ProgramSettings,
    rungs::{Point, ask_for, due, must_be, must_be_over, ready},
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

/// All cells side by side: they mostly wait until a lease runs out.
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
    let results = join_all(cells.map(async |(operation, point, released)| {
        let ended = AssertUnwindSafe(cell(operation, point, released)).catch_unwind().await;
        let told = |panic: Box<dyn std::any::Any + Send>| {
            let text = panic.downcast_ref::<String>().map_or("a panic", String::as_str).to_owned();
            format!("{operation} at {point:?}, released {released:?}: {text}")
        };
        ended.err().map(told)
    }))
    .await;
    let failed: Vec<String> = results.into_iter().flatten().collect();
    assert!(failed.is_empty(), "{} cells failed:\n{}", failed.len(), failed.join("\n"));
}
