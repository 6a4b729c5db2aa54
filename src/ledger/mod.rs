//! Durable record of calls, attempts and PINs per number: the [journal](crate::calls::Journal) of a number's calls.
//!
//! Meta counts per *number*, Kubernetes per *object*: so a number's memory is a Secret of its own in the operator's
//! namespace, which outlives status, name, namespace and object. [`LedgerHandle`] holds one while it is worked with;
//! [`LedgerHandle::send`] is the door: it writes down what is about to be asked of Meta, asks, and writes down what came of it. A
//! process that dies anywhere on the way leaves behind what the next one needs to find out what happened.

pub(crate) mod handle;
pub(crate) mod parts;
pub(crate) mod record;
pub(crate) mod restore;
pub(crate) mod send;
pub(crate) mod store;
pub(crate) mod transitions;

pub use crate::calls::Evidence;
pub use handle::{LedgerHandle, Ledgers};
pub use parts::{CODE_LIFE, Owner, ProfileField, Refusal, SentCode, Webhook};
pub use record::{Ledger, NewIntent, PossiblePin};
pub use send::{CallReport, CallRequest, Target};
pub use store::{LedgerProblem, PREFIX, secret_name};
pub use transitions::CallOutcome;
