//! Every write to Meta: the closed list of operations, the intent that is recorded before a call, and the call itself.

pub(crate) mod intent;
pub(crate) mod operation;
pub(crate) mod send;

pub use intent::{CallInput, Intent};
pub use operation::{Class, Operation};
pub use send::{CallGateway, CallReport, CallRequest, Target};
