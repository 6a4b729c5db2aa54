//! The kill matrix: for every call that changes a number, the operator is killed (SIGKILL) at every point of the call,
//! and the next operator finds out what happened. A new operation needs a row: [`every_operation_has_a_row`] fails
//! without one, and `harness/operations.rs` does not compile.
//!
//! | point | what is so when the operator dies |
//! |---|---|
//! | `BeforeIntent` | it is about to write down the call: the API server never hears of it |
//! | `IntentWritten` | the call is written down, and not sent |
//! | `OnItsWay` | the call is sent; Meta carries it out later, when the next operator is at work |
//! | `AnswerNotRead` | Meta has carried it out, and the operator has not read the answer |
//! | none | as before; the connection breaks, the answer is lost, and the operator lives |

use futures::future::join_all;
use serde_json::json;
use waba_operator::ledger::Operation;

use crate::harness::{
    operations::{HELD, StopPoint, assert_done_once, assert_outcome, call, prepare, trigger, world_for},
    program::ProgramSettings,
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
            StopPoint::AnswerNotRead => point.release(&world, &gate).await,
            StopPoint::OnItsWay => {}
        }
        world.start_program(&settings).await;
        if point == StopPoint::OnItsWay {
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
