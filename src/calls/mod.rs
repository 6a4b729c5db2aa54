//! Every write to Meta: the closed list of operations, the intent that is recorded before a call, and the call itself.

pub(crate) mod intent;
pub(crate) mod operation;
pub(crate) mod send;

pub use intent::{Intent, Order};
pub use operation::{Class, Operation};
pub use send::{Door, FENCE_MARGIN, Sending, Sent, Target};
