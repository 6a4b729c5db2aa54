//! The door through which every call goes that changes something at Meta.

use std::time::Duration;

use super::{
    journal::Journal,
    meta::{Charge, Meta},
};
use crate::{
    graph::{self, Outcome},
    k8s::{deadline::Deadline, lease::Fence},
    timing::Timing,
};

/// What every call needs.
pub struct CallGateway<'a, M = graph::Client> {
    /// Meta.
    pub graph: &'a M,
    /// Whether this process leads.
    pub fence: &'a Fence,
    /// Every wait.
    pub timing: &'a Timing,
}

/// Whether a call was made.
#[derive(Debug)]
pub enum Sent<R> {
    /// The journal was written before and after; what it reports.
    Finished(R),
    /// Nothing was written and nothing was sent: Meta wants a pause, or this process does not lead for long enough. The
    /// sentence says which.
    Held(String),
}

impl<M: Meta> CallGateway<'_, M> {
    /// Passes the gate, writes the intent, calls Meta once, and writes the outcome. `charge` is `None` for calls with the
    /// app's own token, which pass a gate of their own. `call` yields `None` if it lacks an input and was not made.
    ///
    /// # Errors
    /// When the intent was not written: then Meta was not called.
    pub async fn send<J: Journal>(
        &self,
        charge: Option<Charge<'_>>,
        journal: &mut J,
        intent: J::Intent,
        call: impl Future<Output = Option<Outcome<J::Reply>>>,
    ) -> Result<Sent<J::Report>, J::Problem> {
        if let Some(charge) = charge
            && let Err(error) = self.graph.take_turn(&charge).await
        {
            return Ok(Sent::Held(error.to_string()));
        }
        let lead = self.timing.lead_for_a_call();
        if !self.fence.valid_for(lead) {
            return Ok(Sent::Held("this operator does not hold the lease for long enough".to_owned()));
        }
        let fresh = Deadline::after(self.timing.fresh_intent);
        journal.begin(intent).await?;
        let is_allowed = self.fence.valid_for(lead) && fresh.leaves(Duration::ZERO);
        let outcome = if is_allowed { call.await } else { None };
        Ok(Sent::Finished(journal.finish(outcome).await))
    }
}
