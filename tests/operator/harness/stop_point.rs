//! The points at which a call that changes a number can be stopped, at the gate or at Meta.

use serde_json::json;
use waba_operator::calls::Operation;

use crate::harness::{
    gate::{Gate, Hold},
    operations::call,
    operator::in_time,
    world::World,
};

/// The point at which a call is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopPoint {
    /// The intent is about to be written: the API server has not received it.
    BeforeIntent,
    /// The intent is written, the operator has not received the reply, and the call is not sent.
    IntentWritten,
    /// The call is sent, and Meta has not carried it out.
    CallSent,
    /// Meta has carried out the call, and the operator has not read the reply.
    ReplyNotRead,
}

impl StopPoint {
    pub const ALL: [Self; 4] = [Self::BeforeIntent, Self::IntentWritten, Self::CallSent, Self::ReplyNotRead];

    /// Whether Meta has the call at this point.
    pub fn is_sent(self) -> bool {
        matches!(self, Self::CallSent | Self::ReplyNotRead)
    }

    /// Stops the next such call at this point.
    pub async fn hold(self, world: &World, gate: &Gate, operation: Operation) {
        // The intent is a write of the ledger that lists the operation as open.
        let intent = format!("\"waba.dev/open-calls\":\"[^\"]*{}", operation.as_str());
        let ledger = "/secrets(/waba-number-[0-9]+)?$";
        let (method, path) = call(operation);
        let at_meta = |at: &str| json!([{"name": HELD, "method": method, "path": path, "at": at}]);
        match self {
            Self::BeforeIntent => gate.hold(Hold::before(HELD, "POST|PUT", ledger).body(&intent)),
            Self::IntentWritten => gate.hold(Hold::after(HELD, "POST|PUT", ledger).body(&intent)),
            Self::CallSent => drop(world.sim.post("holds", at_meta("before")).await.unwrap()),
            Self::ReplyNotRead => drop(world.sim.post("holds", at_meta("after")).await.unwrap()),
        }
    }

    /// Waits until the call is stopped at this point.
    pub async fn reached(self, world: &World, gate: &Gate) {
        if self.is_sent() {
            in_time("Meta has the call", world.sim.reached(HELD)).await.unwrap();
        } else {
            gate.reached(HELD).await;
        }
    }

    /// Lets the call continue.
    pub async fn release(self, world: &World, gate: &Gate) {
        if self.is_sent() {
            world.sim.release(HELD).await.unwrap();
        } else {
            gate.release(HELD);
        }
    }
}

/// The name of the hold at the gate and in the simulator.
pub const HELD: &str = "held";
