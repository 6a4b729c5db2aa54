//! The kill matrix: for every call that changes a number, the operator is killed (SIGKILL) at every point on its way, and
//! the next one finds out what happened. Generated from the list of operations: a new one does not compile without a row.
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
    operations::{HELD, Point, ask_for, call, due, must_be, must_be_over, ready},
    program::ProgramSettings,
};

/// One cell: the operation, and the point at which the operator dies; without one, the answer is lost.
async fn cell(operation: Operation, point: Option<Point>) {
    let (mut world, gate) = due("m", operation).await;
    let settings = ProgramSettings { kubeconfig: gate.kubeconfig(), ..world.program_settings() };
    world.start_program(&settings).await;
    ready(&world, operation).await;
    if let Some(point) = point {
        point.hold(&world, &gate, operation).await;
    } else {
        let (method, path) = call(operation);
        world.fault(json!({"method": method, "path": path, "times": 1, "after": {"reset": true}})).await;
    }
    ask_for(&world, operation).await;
    if let Some(point) = point {
        point.reached(&world, &gate).await;
        world.take_program().kill();
        match point {
            Point::BeforeIntent | Point::IntentWritten => gate.refuse(HELD),
            Point::AnswerNotRead => point.release(&world, &gate).await,
            Point::OnItsWay => {}
        }
        world.start_program(&settings).await;
        if point == Point::OnItsWay {
            // Meta is slow: the next operator is at work before it is done.
            world.program().until_ready("running").await;
            point.release(&world, &gate).await;
        }
    }
    // What was not even written down is simply done now.
    must_be(&world, operation, point != Some(Point::IntentWritten)).await;
    if operation != Operation::Deregister {
        world.settle().await;
    }
    must_be_over(&world, operation, &format!("{operation} at {point:?}")).await;
    world.finish().await;
}

/// All points of one operation, side by side.
async fn row(operation: Operation) {
    let points = Point::ALL.map(Some).into_iter().chain([None]);
    join_all(points.map(|point| cell(operation, point))).await;
}

macro_rules! rows {
    ($($test:ident: $operation:ident,)+) => {
        $(#[tokio::test]
        async fn $test() {
            row(Operation::$operation).await;
        })+

        #[test]
        fn no_operation_is_missing() {
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
