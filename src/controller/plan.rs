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
    Report(Report<S, T>),
}

/// How an object stands, and what follows.
#[derive(Debug, PartialEq)]
pub struct Report<S, T> {
    /// The status without its conditions and history.
    pub status: Box<S>,
    /// Conditions and history; `None` where nothing new is known: then only requests are echoed.
    pub verdict: Option<StatusSummary>,
    /// When to reconcile again.
    pub next: Requeue,
    /// Requests that are not acted on, and why.
    pub ignored: Vec<(Action, String)>,
    /// Requests that wait.
    pub waiting: Vec<Action>,
    /// A step to execute once the status is written; then the object is reconciled again.
    pub follow_up: Option<T>,
}

impl<S, T> Report<S, T> {
    /// With nothing more to do.
    pub fn new(status: S, verdict: Option<StatusSummary>) -> Self {
        Self {
            status: Box::new(status),
            verdict,
            next: Requeue::Nothing,
            ignored: Vec::new(),
            waiting: Vec::new(),
            follow_up: None,
        }
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
}
