//! Provisioning: adds a number that no account of the app has. Pure.

use super::{
    decision::{Decision, ReadyReport},
    inputs::{Inputs, Resolution, Step},
    recovery,
};
use crate::{
    api::{Action, AppKey, ManagementPolicy, NumberPhase, Provisioning, WhatsAppNumber},
    calls::{CallInput, Intent, Operation},
    controller::{
        plan::Requeue,
        preconditions::not_found,
        summary::{ConditionValue, Progress, StatusSummary},
    },
    graph::codes,
    ledger::Refusal,
    messages::{Reason, commands, when},
    observe::digits,
    timing::Timing,
};

/// Whether the number is to be added where it is lacking.
pub fn adds(object: &WhatsAppNumber) -> bool {
    object.spec.provisioning == Provisioning::AddIfMissing && object.spec.management_policy == ManagementPolicy::Full
}

/// No account has the number, and none is known to have had it.
pub fn never_there(object: &WhatsAppNumber, app: &AppKey) -> StatusSummary {
    not_found(format!(
        "no business account of MetaApp {app} has {}; add it in WhatsApp Manager > Phone numbers, or set \
         spec.provisioning: AddIfMissing: {}. spec.phoneNumber and spec.businessAccountID are immutable: to correct them \
         create a new object",
        object.spec.phone_number,
        commands::with("edit", object)
    ))
}

/// Another account has the number than the one that the spec names.
pub fn in_another_account(object: &WhatsAppNumber, app: &AppKey, listed_in: &[Box<str>]) -> Option<StatusSummary> {
    let named = object.spec.business_account_id.as_deref()?;
    let found = listed_in.first().filter(|_| listed_in.iter().all(|account| **account != *named))?;
    let message = format!(
        "spec.businessAccountID: business account {named} does not have {}; MetaApp {app} sees the number in business account \
         {found}. The field cannot be changed: create another WhatsAppNumber with businessAccountID: \"{found}\", and delete this \
         one: {}",
        object.spec.phone_number,
        commands::with("delete", object)
    );
    Some(StatusSummary::new(ConditionValue::no(Reason::InvalidSpec, message), Progress::Stalled))
}

/// No account has the number, and its app is only observed.
pub fn not_added(object: &WhatsAppNumber, app: &AppKey) -> StatusSummary {
    not_found(format!(
        "no business account of MetaApp {app} has {}, and the operator does not add it, because spec.managementPolicy of the \
         MetaApp is Observe; add it in WhatsApp Manager > Phone numbers, or change the policy: {}",
        object.spec.phone_number,
        commands::with_app("edit", app)
    ))
}

/// The number was there under this ID, and is not any more.
pub fn gone(object: &WhatsAppNumber, app: &AppKey, id: &str) -> StatusSummary {
    not_found(format!(
        "{} (id {id}) is gone from Meta, or no longer visible to MetaApp {app}; delete this object, or add the number again \
         in WhatsApp Manager > Phone numbers. To delete the object: {}",
        object.spec.phone_number,
        commands::with("delete", object)
    ))
}

/// No account of the app lists the number, but Meta still shows it under its ID.
pub fn elsewhere(object: &WhatsAppNumber, app: &AppKey, id: &str) -> StatusSummary {
    not_found(format!(
        "{} (id {id}) is at Meta, but in no business account of MetaApp {app}. Assign its account to the token's system user \
         (Business settings > System users) and, where the MetaApp has spec.businessAccountIDs, add it there ({}); or correct \
         spec.appRef: {}",
        object.spec.phone_number,
        commands::with_app("edit", app),
        commands::with("edit", object)
    ))
}

/// What comes next; the number is lacking in two complete reads far enough apart.
pub fn provisioning(object: &WhatsAppNumber, inputs: &Inputs, timing: &Timing) -> Decision<ReadyReport> {
    let (Some(account), Some(name)) = (&object.spec.business_account_id, &object.spec.requested_name) else {
        // A CRD rule requires both.
        return Decision::NotManaged;
    };
    let input = CallInput::AddNumber { account: account.clone(), name: name.clone() };
    let requested = inputs.requested.contains_key(&Action::Reconcile).then_some(Action::Reconcile);
    let number = &object.spec.phone_number;
    MissingNumber { object, inputs, timing, number, account, input, requested }.next()
}

/// A number that no account has.
struct MissingNumber<'a> {
    object: &'a WhatsAppNumber,
    inputs: &'a Inputs,
    timing: &'a Timing,
    number: &'a str,
    account: &'a str,
    input: CallInput,
    /// The action by which a person requests the call.
    requested: Option<Action>,
}

impl MissingNumber<'_> {
    fn next(&self) -> Decision<ReadyReport> {
        let Self { object, inputs, timing, number, .. } = self;
        let delete = commands::with("delete", *object);
        if let Some(blocker) = &inputs.blocker {
            let again = Requeue::After(timing.retry_interval);
            return ReadyReport::blocked(NumberPhase::Pending, blocker.reason, blocker.message.clone(), again);
        }
        if let Some(intent) = inputs.open_onboarding_call() {
            return self.open(intent);
        }
        if let Some(id) = &inputs.ledger.phone_number_id {
            if !inputs.evidence.twice {
                let message = format!("{number} was added (id {id}); the operator waits until the account lists it");
                return waits(Reason::Adding, message, self.proof());
            }
            let message = format!(
                "{number} (id {id}) is gone from Meta, or no longer visible to the app. The operator never adds a number again \
                 that once had an id: add it in WhatsApp Manager > Phone numbers, or delete this object: {delete}"
            );
            return ReadyReport::stalled(NumberPhase::NotFound, Reason::NotFound, message);
        }
        if let Some(earlier_claimant) = &inputs.earlier_claimant {
            let message = format!(
                "{earlier_claimant} already claims {number} and takes precedence; delete one of the two: {delete}"
            );
            return ReadyReport::stalled(NumberPhase::Conflict, Reason::Conflict, message);
        }
        self.unknown_country(&delete).or_else(|| self.held()).unwrap_or_else(|| self.add())
    }

    /// A call whose outcome is not known.
    fn open(&self, intent: &Intent) -> Decision<ReadyReport> {
        let Self { object, inputs, number, .. } = self;
        if !intent.unknown {
            return match inputs.foreign_call_grace.get(&intent.id) {
                Some(left) => waits(Reason::OutcomePending, pending(number), Requeue::After(*left)),
                None => Decision::Act(Step::Resolve { id: intent.id.clone(), end: Resolution::Lost }),
            };
        }
        if !inputs.evidence.twice {
            return waits(Reason::OutcomePending, pending(number), self.proof());
        }
        if !matches!(&intent.input, CallInput::AddNumber { account, .. } if account == self.account) {
            // It was for another account, or the number is gone: no read can show its outcome.
            return Decision::Act(Step::Resolve { id: intent.id.clone(), end: Resolution::GivenUp });
        }
        if let Some(waits) = self.held().filter(|_| self.requested.is_some() || intent.attempt == 1) {
            return waits;
        }
        match (intent.attempt, self.requested) {
            (_, Some(action)) => self.send(Some(action)),
            (1, None) => Decision::Act(Step::Repeat { id: intent.id.clone(), before: "absent".to_owned() }),
            (_, None) => stalled(
                Reason::OutcomeUnknown,
                format!(
                    "the operator requested twice to add {number} (last at {}), got no reply, and the account does not show it. Check \
                     WhatsApp Manager > Phone numbers; to request it once more: {}",
                    when(intent.time),
                    commands::request(*object, Action::Reconcile)
                ),
            ),
        }
    }

    /// No country has numbers like this one.
    fn unknown_country(&self, delete: &str) -> Option<Decision<ReadyReport>> {
        if digits::split_country(self.number).is_some() {
            return None;
        }
        let message = format!(
            "spec.phoneNumber: no country has the calling code of {}; create another WhatsAppNumber with the right number, and \
             delete this one: {delete}",
            self.number
        );
        Some(stalled(Reason::InvalidSpec, message))
    }

    /// Adds the number, unless Meta has refused the same request.
    fn add(&self) -> Decision<ReadyReport> {
        let Self { inputs, number, .. } = self;
        let Some(refusal) = self.refusal() else { return self.send(None) };
        if refusal.inputs != self::inputs(&self.input) || self.requested.is_some() {
            return self.send(self.requested);
        }
        match refusal.until {
            Some(until) if inputs.now < until => {
                let left = std::time::Duration::try_from(until.duration_since(inputs.now)).unwrap_or_default();
                let message =
                    format!("Meta did not add {number}; the operator retries at {}: {}", when(until), refusal.message);
                waits(Reason::AddRefused, message, Requeue::After(left))
            }
            Some(_) => self.send(None),
            None => stalled(
                Reason::AddRefused,
                format!(
                    "Meta did not add {number}: {}{}. Fix the cause, then change spec.requestedName or retry: {}",
                    refusal.message,
                    explain(refusal),
                    commands::request(self.object, Action::Reconcile)
                ),
            ),
        }
    }

    fn send(&self, action: Option<Action>) -> Decision<ReadyReport> {
        Decision::Act(Step::Send {
            input: self.input.clone(),
            secret: None,
            account: self.account.to_owned(),
            id: None,
            before: "absent".to_owned(),
            action,
        })
    }

    fn refusal(&self) -> Option<&Refusal> {
        self.inputs.ledger.refusals.get(&Operation::AddNumber)
    }

    /// The reads that prove that it is not there.
    fn proof(&self) -> Requeue {
        match self.inputs.counts_from {
            Some(from) if !self.inputs.evidence.fresh => Requeue::AfterReadSince(from),
            _ => Requeue::PollUntilChanged(self.timing.absence_gap / 2),
        }
    }

    /// Why the operator makes no call just now, if it makes none.
    fn held(&self) -> Option<Decision<ReadyReport>> {
        let (reason, message) = match (&self.inputs.no_writes, &self.inputs.held_back) {
            (Some(why), _) => (Reason::ClockSkewed, why.clone()),
            (None, Some(why)) => {
                (Reason::HeldBack, format!("the operator could not add {}, and retries: {why}", self.number))
            }
            (None, None) => return None,
        };
        Some(waits(reason, message, Requeue::After(self.timing.retry_interval)))
    }
}

fn waits(reason: Reason, message: String, next: Requeue) -> Decision<ReadyReport> {
    ReadyReport::waits(NumberPhase::Pending, reason, message, next)
}

fn stalled(reason: Reason, message: String) -> Decision<ReadyReport> {
    ReadyReport::stalled(NumberPhase::Pending, reason, message)
}

/// What a refusal to add a number means, where Meta's code does not show it.
fn explain(refusal: &Refusal) -> &'static str {
    match (refusal.code, refusal.subcode) {
        (_, Some(codes::MOVE_NOT_CONFIRMED | codes::CANNOT_BE_MOVED)) => {
            ". It belongs to another business account: its owner has to delete it there, or move it in WhatsApp Manager"
        }
        // Meta has no code for it.
        (codes::INVALID_PARAMETER, None) if refusal.class == "BadRequest" => {
            ". Usually the business has reached its limit of numbers (2, or 20 once it is verified: Business settings > Security \
             center), or spec.requestedName breaks Meta's rules for display names"
        }
        _ => "",
    }
}

/// Identifies the inputs of a call; nothing in them is secret.
pub fn inputs(input: &CallInput) -> String {
    match input {
        CallInput::AddNumber { account, name } => format!("{account} {name}"),
        other => other.operation().to_string(),
    }
}

fn pending(number: &str) -> String {
    let words = recovery::words(Operation::AddNumber);
    format!(
        "the request to {words} {number} got no reply; the operator waits for reads that show whether it took effect"
    )
    .replace("the number ", "")
}
