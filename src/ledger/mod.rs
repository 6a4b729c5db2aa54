//! Durable record of calls, attempts and PINs per number: the [journal](crate::calls::Journal) of a number's calls.
//!
//! Meta counts per *number*, Kubernetes per *object*: a number's ledger is therefore a Secret in the operator's
//! namespace, which outlives status, name, namespace and object. [`LedgerHandle`] holds one during a reconcile;
//! [`LedgerHandle::send`] is the only way to Meta: it records the intent, makes the call, and records the outcome. If the process dies
//! at any point, the next one finds in the ledger what it needs to determine the outcome.

pub(crate) mod handle;
pub(crate) mod parts;
pub(crate) mod record;
pub(crate) mod restore;
pub(crate) mod send;
pub(crate) mod store;
pub(crate) mod transitions;

pub use crate::calls::{Evidence, Target};
pub use handle::{LedgerHandle, Ledgers};
pub use parts::{CODE_LIFE, Owner, PinDoubt, ProfileField, Refusal, SentCode, Webhook};
pub use record::{Ledger, NewIntent, Observed, PossiblePin};
pub use send::{CallReport, CallRequest};
pub use store::{LedgerProblem, PREFIX, secret_name};
pub use transitions::CallOutcome;
