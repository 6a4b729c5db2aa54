//! A number that no account of the app has, and that is to be added. Pure.

use super::{
    hints,
    inputs::{Custody, End, Step},
    onboarding::{Rung, Told, when},
    recovery,
};
use crate::{
    api::{Action, NumberPhase, WhatsAppNumber},
    calls::{Intent, Operation, Order},
    controller::preconditions::Need,
    ledger::Refusal,
    messages::{Reason, commands},
    observe::digits::{self, Misfit},
    timing::Timing,
};

/// What comes next; the number is lacking in two complete reads far enough apart.
pub fn add(object: &WhatsAppNumber, custody: &Custody, timing: &Timing) -> Rung {
    let (Some(account), Some(name)) = (&object.spec.business_account_id, &object.spec.requested_name) else {
        // The API server demands both.
        return Rung::Nothing;
    };
    let order = Order::AddNumber { account: account.clone(), name: name.clone() };
    let asked = custody.asked.contains_key(&Action::Reconcile).then_some(Action::Reconcile);
    let number = &object.spec.phone_number;
    Lacking { object, custody, timing, number, account, order, asked }.next()
}

/// A number that no account has, and all that is known of it.
struct Lacking<'a> {
    object: &'a WhatsAppNumber,
    custody: &'a Custody,
    timing: &'a Timing,
    number: &'a str,
    account: &'a str,
    order: Order,
    /// A person wants Meta asked.
    asked: Option<Action>,
}

impl Lacking<'_> {
    fn next(&self) -> Rung {
        let Self { object, custody, timing, number, .. } = self;
        let delete = commands::with("delete", *object);
        if let Some(trouble) = &custody.trouble {
            let again = Need::Time(timing.retry_interval);
            return Told::troubled(NumberPhase::Pending, trouble.reason, trouble.message.clone(), again);
        }
        if let Some(intent) = custody.open_rung() {
            return self.open(intent);
        }
        if let Some(id) = &custody.ledger.phone_number_id {
            if !custody.evidence.twice {
                let message = format!("{number} was added (id {id}); the operator waits until its account lists it");
                return waits(Reason::Adding, message, self.proof());
            }
            let message = format!(
                "{number} (id {id}) is gone from Meta, or no longer visible to the app; a number that once had an id is never \
                 added again. Add it in WhatsApp Manager > Phone numbers, or delete this object: {delete}"
            );
            return Told::stalled(NumberPhase::NotFound, Reason::NotFound, message);
        }
        if let Some(elder) = &custody.elder {
            let message =
                format!("{number} is claimed by {elder}, which goes before this one; delete one of the two: {delete}");
            return Told::stalled(NumberPhase::Conflict, Reason::Conflict, message);
        }
        self.misfit(&delete).or_else(|| self.held()).unwrap_or_else(|| self.ask())
    }

    /// A call whose outcome is not known.
    fn open(&self, intent: &Intent) -> Rung {
        let Self { object, custody, number, .. } = self;
        if !intent.unknown {
            return match custody.quarantine.get(&intent.id) {
                Some(left) => waits(Reason::OutcomePending, pending(number), Need::Time(*left)),
                None => Rung::Step(Step::Settle { id: intent.id.clone(), end: End::Lost }),
            };
        }
        if !custody.evidence.twice {
            return waits(Reason::OutcomePending, pending(number), self.proof());
        }
        if !matches!(&intent.order, Order::AddNumber { account, .. } if account == self.account) {
            // Of another account, or of a number that is not there any more: nothing shows what became of it.
            return Rung::Step(Step::Settle { id: intent.id.clone(), end: End::GivenUp });
        }
        if let Some(rung) = self.held().filter(|_| self.asked.is_some() || intent.attempt == 1) {
            return rung;
        }
        match (intent.attempt, self.asked) {
            (_, Some(action)) => self.send(Some(action)),
            (1, None) => Rung::Step(Step::Again { id: intent.id.clone(), before: "absent".to_owned() }),
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
    fn misfit(&self, delete: &str) -> Option<Rung> {
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
    fn ask(&self) -> Rung {
        let Self { custody, number, .. } = self;
        let Some(refusal) = self.refusal() else { return self.send(None) };
        if refusal.inputs != inputs(&self.order) || self.asked.is_some() {
            return self.send(self.asked);
        }
        match refusal.until {
            Some(until) if custody.now < until => {
                let left = std::time::Duration::try_from(until.duration_since(custody.now)).unwrap_or_default();
                let message =
                    format!("Meta did not add {number}, and is asked again at {}: {}", when(until), refusal.message);
                waits(Reason::AddRefused, message, Need::Time(left))
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

    fn send(&self, action: Option<Action>) -> Rung {
        Rung::Step(Step::Send {
            order: self.order.clone(),
            secret: None,
            account: self.account.to_owned(),
            id: None,
            before: "absent".to_owned(),
            action,
        })
    }

    fn refusal(&self) -> Option<&Refusal> {
        self.custody.ledger.refusals.get(&Operation::AddNumber)
    }

    /// The reads that prove that it is not there.
    fn proof(&self) -> Need {
        match self.custody.counts_from {
            Some(from) if !self.custody.evidence.fresh => Need::Since(from),
            _ => Need::Watching(self.timing.absence_gap / 2),
        }
    }

    /// Why Meta is not asked just now, if it is not.
    fn held(&self) -> Option<Rung> {
        let (reason, message) = match (&self.custody.no_writes, &self.custody.held_back) {
            (Some(why), _) => (Reason::ClockSkewed, why.clone()),
            (None, Some(why)) => {
                (Reason::HeldBack, format!("{} could not be added, which is tried again: {why}", self.number))
            }
            (None, None) => return None,
        };
        Some(waits(reason, message, Need::Time(self.timing.retry_interval)))
    }
}

fn waits(reason: Reason, message: String, next: Need) -> Rung {
    Told::waits(NumberPhase::Pending, reason, message, next)
}

fn stalled(reason: Reason, message: String) -> Rung {
    Told::stalled(NumberPhase::Pending, reason, message)
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
pub fn inputs(order: &Order) -> String {
    match order {
        Order::AddNumber { account, name } => format!("{account} {name}"),
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
