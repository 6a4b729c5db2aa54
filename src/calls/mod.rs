//! Every write to Meta, for every kind: the closed lists of operations, the journal that has a call on record before and
//! after it is made, the call itself, and what to do if its outcome is unknown.

pub(crate) mod budget;
pub(crate) mod intent;
pub(crate) mod journal;
pub(crate) mod meta;
pub(crate) mod operation;
pub mod recovery;
pub(crate) mod send;
#[cfg(test)]
mod tests;

pub use budget::Budget;
pub use intent::{CallInput, Intent};
pub use journal::Journal;
pub use meta::{Charge, Meta, Reply, Target};
pub use operation::{AppOperation, Class, Operation, WINDOW};
pub use recovery::{Evidence, Recovery, Shown};
pub use send::{CallGateway, Sent};
