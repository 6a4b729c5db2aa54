//! The kill matrix: for every call that changes a number, the operator is killed (SIGKILL) at every point of the call,
//! and the next operator finds out what happened. A new operation needs a row: `every_operation_has_a_row` fails
//! without one, and `harness/operations.rs` does not compile.
//!
//! | point | what has happened when the operator is killed |
//! |---|---|
//! | `BeforeIntent` | the intent is about to be written, and never reaches the API server |
//! | `IntentWritten` | the intent is written, and the call is not sent |
//! | `CallSent` | the call is sent; Meta carries it out later, while the next operator runs |
//! | `ReplyNotRead` | Meta has carried out the call, and the operator has not read the reply |
//! | none | as before, but the reply is lost and the operator is not killed |

use futures::future::join_all;
use serde_json::json;
use waba_operator::calls::Operation;

use crate::harness::{
    operations::{assert_done_once, assert_outcome, call, prepare, trigger, world_for},
    program::ProgramSettings,
    stop_point::{HELD, StopPoint},
};

/// One cell: the operation, and the point at which the operator is killed; `None`: the reply is lost.
async fn cell(operation: Operation, point: Option<StopPoint>) {
    let (mut world, gate) = world_for("m", operation).await;
    let settings = ProgramSettings { kubeconfig: gate.kubeconfig(), ..world.program_settings() };
    world.start_program(&settings).await;
    prepare(&world, operation).await;
    if let Some(point) = point {
        point.hold(&world, &gate, operation).await;
    } else {
        let (method, path) = call(operation);
        world.inject_fault(json!({"method": method, "path": path, "times": 1, "after": {"reset": true}})).await;
    }
    trigger(&world, operation).await;
    if let Some(point) = point {
        point.reached(&world, &gate).await;
        world.take_program().kill();
        match point {
            StopPoint::BeforeIntent | StopPoint::IntentWritten => gate.refuse(HELD),
            StopPoint::ReplyNotRead => point.release(&world, &gate).await,
            StopPoint::CallSent => {}
        }
        world.start_program(&settings).await;
        if point == StopPoint::CallSent {
            // Meta is slow: the next operator runs before Meta carries out the call.
            world.program().until_ready("running").await;
            point.release(&world, &gate).await;
        }
    }
    // A call whose intent was never written is sent by the next operator.
    assert_outcome(&world, operation, point != Some(StopPoint::IntentWritten)).await;
    if operation != Operation::Deregister {
        world.settle().await;
    }
    assert_done_once(&world, operation, &format!("{operation} at {point:?}")).await;
    world.finish().await;
}

/// All points of one operation, in parallel.
async fn row(operation: Operation) {
    let points = StopPoint::ALL.map(Some).into_iter().chain([None]);
    join_all(points.map(|point| cell(operation, point))).await;
}

macro_rules! rows {
    ($($test:ident: $operation:ident,)+) => {
        $(#[tokio::test]
        async fn $test() {
            row(Operation::$operation).await;
        })+

        #[test]
        fn every_operation_has_a_row() {
            assert_eq!([$(Operation::$operation),+], Operation::ALL);
        }
    };
}

rows! {
    add_number: AddNumber,
    request_code: RequestCode,
    verify_code: VerifyCode,
    register: Register,
    register_again: RegisterAgain,
    set_pin: SetPin,
    deregister: Deregister,
    set_webhook: SetWebhook,
    clear_webhook: ClearWebhook,
    write_profile: WriteProfile,
}
