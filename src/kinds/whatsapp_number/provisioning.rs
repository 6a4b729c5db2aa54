//! A number that no account of the app has, and that is to be added. Pure.

use super::{
    hints,
    inputs::{Inputs, Resolution, Step},
    onboarding::{Decision, ReadyReport, when},
    recovery,
};
use crate::{
    api::{Action, NumberPhase, WhatsAppNumber},
    calls::{CallInput, Intent, Operation},
    controller::plan::Requeue,
    ledger::Refusal,
    messages::{Reason, commands},
    observe::digits::{self, Misfit},
    timing::Timing,
};

/// What comes next; the number is lacking in two complete reads far enough apart.
pub fn add(object: &WhatsAppNumber, inputs: &Inputs, timing: &Timing) -> Decision {
    let (Some(account), Some(name)) = (&object.spec.business_account_id, &object.spec.requested_name) else {
        // The API server demands both.
        return Decision::NotManaged;
    };
    let input = CallInput::AddNumber { account: account.clone(), name: name.clone() };
    let asked = inputs.asked.contains_key(&Action::Reconcile).then_some(Action::Reconcile);
    let number = &object.spec.phone_number;
    MissingNumber { object, inputs, timing, number, account, input, asked }.next()
}

/// A number that no account has, and all that is known of it.
struct MissingNumber<'a> {
    object: &'a WhatsAppNumber,
    inputs: &'a Inputs,
    timing: &'a Timing,
    number: &'a str,
    account: &'a str,
    input: CallInput,
    /// A person wants Meta asked.
    asked: Option<Action>,
}

impl MissingNumber<'_> {
    fn next(&self) -> Decision {
        let Self { object, inputs, timing, number, .. } = self;
        let delete = commands::with("delete", *object);
        if let Some(blocker) = &inputs.blocker {
            let again = Requeue::After(timing.retry_interval);
            return ReadyReport::troubled(NumberPhase::Pending, blocker.reason, blocker.message.clone(), again);
        }
        if let Some(intent) = inputs.open_rung() {
            return self.open(intent);
        }
        if let Some(id) = &inputs.ledger.phone_number_id {
            if !inputs.evidence.twice {
                let message = format!("{number} was added (id {id}); the operator waits until its account lists it");
                return waits(Reason::Adding, message, self.proof());
            }
            let message = format!(
                "{number} (id {id}) is gone from Meta, or no longer visible to the app; a number that once had an id is never \
                 added again. Add it in WhatsApp Manager > Phone numbers, or delete this object: {delete}"
            );
            return ReadyReport::stalled(NumberPhase::NotFound, Reason::NotFound, message);
        }
        if let Some(earlier_claimant) = &inputs.earlier_claimant {
            let message = format!(
                "{number} is claimed by {earlier_claimant}, which goes before this one; delete one of the two: {delete}"
            );
            return ReadyReport::stalled(NumberPhase::Conflict, Reason::Conflict, message);
        }
        self.misfit(&delete).or_else(|| self.held()).unwrap_or_else(|| self.ask())
    }

    /// A call whose outcome is not known.
    fn open(&self, intent: &Intent) -> Decision {
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
            // Of another account, or of a number that is not there any more: nothing shows what became of it.
            return Decision::Act(Step::Resolve { id: intent.id.clone(), end: Resolution::GivenUp });
        }
        if let Some(rung) = self.held().filter(|_| self.asked.is_some() || intent.attempt == 1) {
            return rung;
        }
        match (intent.attempt, self.asked) {
            (_, Some(action)) => self.send(Some(action)),
            (1, None) => Decision::Act(Step::Repeat { id: intent.id.clone(), before: "absent".to_owned() }),
            (_, None) => stalled(
                Reason::OutcomeUnknown,
                format!(
                    "Meta was asked twice to add {number} (last at {}), each answer was lost, and the account does not show \
                     it. Look into WhatsApp Manager > Phone numbers; to ask once more: {}",
                    when(intent.time),
                    hints::ask(object, Action::Reconcile)
                ),
            ),
        }
    }

    /// What is wrong with the number itself. Countries change their numbers: a person may know better than a table, and Meta
    /// knows best.
    fn misfit(&self, delete: &str) -> Option<Decision> {
        let insists = self.asked.is_some() || self.refusal().is_some();
        let message = match digits::misfit(self.number)? {
            Misfit::NoCountry => format!(
                "spec.phoneNumber: no country has numbers like {}; write another WhatsAppNumber, and delete this one: {delete}",
                self.number
            ),
            Misfit::Length(_) if insists => return None,
            Misfit::Length(why) => format!(
                "spec.phoneNumber: {why}. Meta is not asked to add it: write another WhatsAppNumber, and delete this one: \
                 {delete}; or, if the number is right, have Meta asked: {}",
                hints::ask(self.object, Action::Reconcile)
            ),
        };
        Some(stalled(Reason::InvalidSpec, message))
    }

    /// Asks Meta, unless it has refused this very thing.
    fn ask(&self) -> Decision {
        let Self { inputs, number, .. } = self;
        let Some(refusal) = self.refusal() else { return self.send(None) };
        if refusal.inputs != super::provisioning::inputs(&self.input) || self.asked.is_some() {
            return self.send(self.asked);
        }
        match refusal.until {
            Some(until) if inputs.now < until => {
                let left = std::time::Duration::try_from(until.duration_since(inputs.now)).unwrap_or_default();
                let message =
                    format!("Meta did not add {number}, and is asked again at {}: {}", when(until), refusal.message);
                waits(Reason::AddRefused, message, Requeue::After(left))
            }
            Some(_) => self.send(None),
            None => stalled(
                Reason::AddRefused,
                format!(
                    "Meta did not add {number}: {}{}. When that is settled, change spec.requestedName or ask once more: {}",
                    refusal.message,
                    explain(refusal),
                    hints::ask(self.object, Action::Reconcile)
                ),
            ),
        }
    }

    fn send(&self, action: Option<Action>) -> Decision {
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

    /// Why Meta is not asked just now, if it is not.
    fn held(&self) -> Option<Decision> {
        let (reason, message) = match (&self.inputs.no_writes, &self.inputs.held_back) {
            (Some(why), _) => (Reason::ClockSkewed, why.clone()),
            (None, Some(why)) => {
                (Reason::HeldBack, format!("{} could not be added, which is tried again: {why}", self.number))
            }
            (None, None) => return None,
        };
        Some(waits(reason, message, Requeue::After(self.timing.retry_interval)))
    }
}

fn waits(reason: Reason, message: String, next: Requeue) -> Decision {
    ReadyReport::waits(NumberPhase::Pending, reason, message, next)
}

fn stalled(reason: Reason, message: String) -> Decision {
    ReadyReport::stalled(NumberPhase::Pending, reason, message)
}

/// What a refusal means where a number is added, as far as Meta's code does not say it.
fn explain(refusal: &Refusal) -> &'static str {
    const CANNOT_BE_MOVED: [i64; 2] = [2_388_001, 2_388_103];
    match (refusal.code, refusal.subcode) {
        (_, Some(subcode)) if CANNOT_BE_MOVED.contains(&subcode) => {
            ". It belongs to another business account, whose owner has to delete it there, or to move it in WhatsApp Manager"
        }
        // Meta has no code for it.
        (100, None) => {
            ". Mostly the business has as many numbers as it may (2, or 20 once it is verified: Business settings > Security \
             center), or spec.requestedName breaks Meta's rules for display names"
        }
        _ => "",
    }
}

/// What of an order decides whether it is another one: nothing in it is secret.
pub fn inputs(input: &CallInput) -> String {
    match input {
        CallInput::AddNumber { account, name } => format!("{account} {name}"),
        other => other.operation().to_string(),
    }
}

fn pending(number: &str) -> String {
    let words = recovery::words(Operation::AddNumber);
    format!(
        "Meta was asked to {words} {number}, and the answer was lost; the operator waits for reads that show whether it \
         happened"
    )
    .replace("the number ", "")
}
