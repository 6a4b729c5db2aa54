//! What a plan decides, whichever the kind.

use std::time::{Duration, Instant};

use super::summary::StatusSummary;
use crate::api::Action;

/// What to do about an object.
#[derive(Debug, PartialEq)]
pub enum Plan<S, T> {
    /// Too little is known to say how the object stands: its status stays as it is.
    Open(Requeue),
    /// This first; then the object is planned again.
    Step(T),
    /// Write this status, unless it is already there.
    Report(Report<S>),
}

/// How an object stands, and what follows.
#[derive(Debug, PartialEq)]
pub struct Report<S> {
    /// The status without its conditions and history.
    pub status: Box<S>,
    /// Conditions and history.
    pub verdict: StatusSummary,
    /// When to reconcile again.
    pub next: Requeue,
    /// Requests that are not acted on, and why.
    pub ignored: Vec<(Action, String)>,
    /// Requests that wait.
    pub waiting: Vec<Action>,
}

impl<S> Report<S> {
    /// With nothing more to do.
    pub fn new(status: S, verdict: StatusSummary) -> Self {
        Self { status: Box::new(status), verdict, next: Requeue::Nothing, ignored: Vec::new(), waiting: Vec::new() }
    }
}

/// When an object is reconciled again, besides whenever it or something it depends on changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Requeue {
    /// Not before something changes.
    Nothing,
    /// After this time.
    After(Duration),
    /// After this time, for which a new read of its account is requested.
    AfterRead(Duration),
    /// After a read of its account that begins at this time or later.
    AfterReadSince(Instant),
    /// After reads of its account, so far apart, until one shows something else.
    PollUntilChanged(Duration),
    /// A read by its id.
    Proof {
        /// The account that held it.
        account: String,
        /// Its id.
        id: String,
    },
}

/// The reply to a read by id of something that no account lists.
#[derive(Debug, Clone, PartialEq)]
pub enum Proof<T> {
    /// Meta does not have it, or does not show it to this token.
    Gone,
    /// Meta has it, and shows this.
    Elsewhere(T),
}
