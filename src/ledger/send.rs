//! A number's calls, with the ledger as their [`Journal`].

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tracing::{info, warn};

use super::{
    handle::{Finished, LedgerHandle},
    parts::{Owner, Refusal},
    record::NewIntent,
    store::LedgerProblem,
    transitions::CallOutcome,
};
use crate::{
    calls::{CallGateway, Charge, Journal, Meta, Operation, Reply, Sent, Target},
    graph::{self, Class, Outcome, Priority, codes},
    k8s::secrets::ComparableSecret,
    timing::Timing,
};

/// How often the outcome of a call is tried to be written down before that is left to the next reconcile.
const WRITE_TRIES: u32 = 8;

/// A call to be made.
pub struct CallRequest {
    /// What is written down.
    pub begin: NewIntent,
    /// Whom it is about.
    pub target: Target,
    /// Who the number belongs to.
    pub owner: Owner,
}

/// How it went.
#[derive(Debug)]
pub enum CallReport {
    /// The call was made, and its outcome is in the ledger; where Meta refused it, what Meta said, in its words.
    CallOutcome(CallOutcome, Option<String>),
    /// It was not made: Meta wants a pause, could not be reached, or this process does not lead for long enough. The
    /// sentence says which.
    Held(String),
}

impl LedgerHandle {
    /// Writes the intent, calls Meta once, and writes the outcome.
    ///
    /// # Errors
    /// When the ledger could not be written *before* the call: then Meta was not called.
    pub async fn send<M: Meta>(
        &mut self,
        gateway: &CallGateway<'_, M>,
        request: CallRequest,
    ) -> Result<CallReport, LedgerProblem> {
        let CallRequest { begin, target, owner } = request;
        let priority = if begin.action.is_some() { Priority::Action } else { Priority::Write };
        let charge = Charge { access: &target.access, account: &target.account, priority };
        let (input, secret) = (begin.input.clone(), begin.secret.clone());
        let reply = gateway.graph.call(&target, &input, secret.as_ref().map(|ComparableSecret(secret)| secret));
        let place = (!target.id.is_empty()).then(|| (target.id.clone(), target.account.clone()));
        let (operation, inputs) = (input.operation(), begin.inputs.clone());
        let (id, number) = (begin.id.clone(), target.number.clone());
        let mut journal = NumberJournal { id, number, handle: self, gateway, operation, inputs, owner, place };
        Ok(match gateway.send(Some(charge), &mut journal, begin, reply).await? {
            Sent::Finished(report) => report,
            Sent::Held(why) => CallReport::Held(why),
        })
    }
}

/// The ledger, as the journal of one call.
struct NumberJournal<'a, M> {
    handle: &'a mut LedgerHandle,
    gateway: &'a CallGateway<'a, M>,
    /// The intent's.
    id: String,
    number: String,
    operation: Operation,
    inputs: String,
    /// Who the number belongs to.
    owner: Owner,
    /// The number's ID and its account, if it has an ID.
    place: Option<(String, String)>,
}

impl<M: Meta> Journal for NumberJournal<'_, M> {
    type Intent = NewIntent;
    type Reply = Reply;
    type Report = CallReport;
    type Problem = LedgerProblem;

    async fn begin(&mut self, intent: NewIntent) -> Result<(), LedgerProblem> {
        let now = self.gateway.graph.now();
        let (owner, place) = (self.owner.clone(), self.place.clone());
        let saved = self
            .handle
            .save(|ledger| {
                ledger.owner = owner;
                if let Some((id, account)) = place {
                    ledger.phone_number_id = Some(id);
                    ledger.business_account_id = Some(account);
                }
                ledger.begin(NewIntent { now, ..intent });
            })
            .await;
        if saved.is_err() {
            // If it was written all the same, it is taken back as soon as it is seen.
            let id = self.id.clone();
            self.handle.slot.ended.push(Finished { id, ended: CallOutcome::NotSent, at: now });
        }
        saved
    }

    async fn finish(&mut self, outcome: Option<Outcome<Reply>>) -> CallReport {
        let quote = match &outcome {
            Some(Outcome::Refused(error)) => error.quote().map(str::to_owned),
            _ => None,
        };
        let (ended, held) = self.handle.judge(self.gateway, (&self.number, self.operation), outcome, &self.inputs);
        info!(number = self.number, operation = self.operation.as_str(), outcome = name(&ended), "called Meta");
        if matches!(ended, CallOutcome::Done(_) | CallOutcome::PinOpen { .. } | CallOutcome::Unknown)
            && self.operation.is_seen()
        {
            self.handle.touch();
        }
        let at = self.gateway.graph.now();
        self.handle.slot.ended.push(Finished { id: self.id.clone(), ended: ended.clone(), at });
        self.handle.apply();
        self.handle.conclude(self.gateway).await;
        held.map_or(CallReport::CallOutcome(ended, quote), CallReport::Held)
    }
}

impl LedgerHandle {
    fn judge(
        &self,
        gateway: &CallGateway<'_, impl Meta>,
        (number, operation): (&str, Operation),
        outcome: Option<Outcome<Reply>>,
        inputs: &str,
    ) -> (CallOutcome, Option<String>) {
        match outcome {
            None => (CallOutcome::NotSent, Some("writing it down took too long, or the lease was lost".to_owned())),
            Some(Outcome::NotSent(error)) => (CallOutcome::NotSent, Some(error.to_string())),
            Some(Outcome::Done(Reply::Done)) => (CallOutcome::Done(None), None),
            Some(Outcome::Done(Reply::Added(id))) => (CallOutcome::Done(Some(id)), None),
            // A registered number's PIN is left alone in any case.
            Some(Outcome::Done(Reply::PinKept)) if operation == Operation::RegisterAgain => {
                (CallOutcome::Done(None), None)
            }
            Some(Outcome::Done(Reply::PinKept)) => (CallOutcome::PinOpen { kept: true }, None),
            Some(Outcome::Unknown(_)) => (CallOutcome::Unknown, None),
            Some(Outcome::Refused(error)) => {
                info!(number, operation = operation.as_str(), %error, quote = error.quote(), trace = error.fbtrace_id(),
                    "refused by Meta");
                let code = error.code().unwrap_or_default();
                let earlier =
                    self.ledger().and_then(|l| l.refusals.get(&operation.counted_as())).filter(|r| r.code == code);
                let times = earlier.map_or(1, |earlier| earlier.times.saturating_add(1));
                let refusal = Refusal {
                    code,
                    subcode: error.subcode(),
                    class: error.class().as_str().to_owned(),
                    message: error.to_string(),
                    until: patience(operation, &error, times, gateway.graph.now(), gateway.timing),
                    inputs: inputs.to_owned(),
                    times,
                };
                (CallOutcome::Refused(refusal), None)
            }
        }
    }

    /// Writes down how a call ended, whatever happened to the ledger meanwhile. What cannot be written now is remembered,
    /// and written before anything else is done.
    async fn conclude(&mut self, gateway: &CallGateway<'_, impl Meta>) {
        let mut pause = gateway.timing.scaled(Duration::from_secs(1)).max(Duration::from_millis(50));
        for _ in 0..WRITE_TRIES {
            match self.load(gateway.graph.now()).await {
                Ok(_) => return,
                Err(problem) => warn!(%problem, "the outcome of a call to Meta is not recorded yet"),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(10));
        }
    }
}

/// When a call that was refused may be made again without a person; `None`: not at all.
fn patience(
    operation: Operation,
    error: &graph::Error,
    times: u32,
    now: Timestamp,
    timing: &Timing,
) -> Option<Timestamp> {
    const MINUTE: Duration = Duration::from_mins(1);
    let after = |wait: Duration| {
        let wait = SignedDuration::try_from(timing.scaled(wait)).unwrap_or_default();
        Some(now.checked_add(wait).unwrap_or(Timestamp::MAX))
    };
    let growing = || MINUTE * 2_u32.saturating_pow(times.min(7) - 1);
    match error.class() {
        // How long that takes is a guess, and attempts are few: longer each time.
        Class::Throttled { until } if error.code() == Some(codes::PINS_TOO_FAST) => Some(lengthened(until, times, now)),
        Class::Throttled { until } => Some(until),
        // Meta's own wait, which does not shrink.
        Class::Transient if error.code() == Some(codes::RECENTLY_DELETED) => now.checked_add(5 * MINUTE).ok(),
        Class::Transient => after(growing().min(60 * MINUTE)),
        Class::Token | Class::AppCredentials => after(MINUTE),
        // Some numbers may never have a callback of their own.
        Class::Permission if operation == Operation::SetWebhook => after(24 * 60 * MINUTE),
        Class::Permission => after(30 * MINUTE),
        Class::NotFound => after(10 * MINUTE),
        // What can be set right elsewhere, and costs nothing to try.
        _ if !operation.is_onboarding() => after(growing().max(10 * MINUTE).min(60 * MINUTE)),
        Class::BadRequest | Class::Precondition | Class::Conflict | Class::Policy => None,
    }
}

/// A pause that is twice as long each time, up to an hour.
fn lengthened(until: Timestamp, times: u32, now: Timestamp) -> Timestamp {
    let wait = until.duration_since(now).saturating_mul(2_i32.pow(times.clamp(1, 5) - 1));
    now.checked_add(wait.min(SignedDuration::from_hours(1))).unwrap_or(Timestamp::MAX)
}

fn name(ended: &CallOutcome) -> &'static str {
    match ended {
        CallOutcome::Done(_) | CallOutcome::PinOpen { .. } => "done",
        CallOutcome::Refused(_) => "refused",
        CallOutcome::NotSent => "not sent",
        CallOutcome::Unknown => "unknown",
        CallOutcome::GivenUp => "given up",
    }
}

#[cfg(test)]
#[path = "send_tests.rs"]
mod tests;
