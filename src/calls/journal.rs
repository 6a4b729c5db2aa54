//! Where a call is on record, so that neither a crash nor a lost reply makes the operator call Meta twice.
//!
//! There is one journal per kind of memory. A number's is its [ledger](crate::ledger): one Secret, written under its
//! `resourceVersion`, because Meta counts per number and an object's status does not survive a backup. An app's token has the
//! token Secret itself: an exchange is absorbing, so no intent is needed, and the new token is in the Secret before it is used.

use crate::graph::Outcome;

/// See the module.
pub trait Journal {
    /// What is written before the call.
    type Intent: Send;
    /// What Meta's reply holds.
    type Reply: Send;
    /// What became of the call, once it is on record.
    type Report;
    /// Why the intent was not written.
    type Problem;

    /// Writes the intent. If this fails, Meta is not called.
    fn begin(&mut self, intent: Self::Intent) -> impl Future<Output = Result<(), Self::Problem>> + Send;

    /// Writes the outcome, bound to the intent and not to the version under which the intent was written. `None`: the call
    /// was not made, and the intent is void.
    fn finish(&mut self, outcome: Option<Outcome<Self::Reply>>) -> impl Future<Output = Self::Report> + Send;
}
