//! What is remembered of one number. Pure: how a call's beginning and its end change the memory.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    operation::Operation,
    order::{Intent, Order},
    parts::{Owner, ProfileField, Refusal, SentCode, Webhook},
};
use crate::{api::Action, cluster::secrets::Hidden};

/// The window in which Meta counts registrations, and codes are counted here.
pub const WINDOW: SignedDuration = SignedDuration::from_hours(72);
/// So many refused PINs are remembered; Meta locks a number long before.
const PINS_REMEMBERED: usize = 64;
/// Meta's code for a number that is locked after too many registrations.
const LOCKED: i64 = 133_016;
/// Meta's code for a number that is half deregistered.
pub const HALF_DEREGISTERED: i64 = 133_000;
/// Meta's code for a number that has to be verified first.
const UNVERIFIED: i64 = 133_006;
/// Meta's code for a number that is not registered.
const NOT_REGISTERED: i64 = 133_010;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Ledger {
    /// The object that the number belongs to.
    pub owner: Owner,
    /// Grows with each write: a smaller one than was seen before comes from a restored backup.
    pub serial: u64,
    /// ID of the number, once it had one through us.
    #[serde(rename = "phoneNumberID", skip_serializing_if = "Option::is_none")]
    pub phone_number_id: Option<String>,
    /// ID of the account that has it.
    #[serde(rename = "businessAccountID", skip_serializing_if = "Option::is_none")]
    pub business_account_id: Option<String>,
    /// Calls whose outcome is not known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub intents: Vec<Intent>,
    /// When the last call ended that changed the number, or may have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub touched: Option<Timestamp>,
    /// When calls that Meta counts were made.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub attempts: BTreeMap<Operation, Vec<Timestamp>>,
    /// Until when Meta refuses to register or deregister.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocked_until: Option<Timestamp>,
    /// What Meta refused.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub refusals: BTreeMap<Operation, Refusal>,
    /// Fingerprints of PINs that Meta has refused since one was in force.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refused_pins: Vec<String>,
    /// The last code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<SentCode>,
    /// When Meta accepted a code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verified_at: Option<Timestamp>,
    /// When Meta accepted a registration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registered_at: Option<Timestamp>,
    /// Whether it was ever seen connected.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub was_connected: bool,
    /// Whether a person asked for a registration that has not been made yet.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub register_wanted: bool,
    /// Values of annotations that led to a call.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub handled: BTreeMap<String, String>,
    /// The callback that the operator has set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<Webhook>,
    /// The profile's fields that the operator has written.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub profile: BTreeMap<String, ProfileField>,
    /// The PIN in force, as far as the operator put it there or Meta accepted it.
    #[serde(skip)]
    pub pin: Option<Hidden>,
    /// The PIN of an open intent.
    #[serde(skip)]
    pub pin_tried: Option<Hidden>,
    /// The code of an open intent.
    #[serde(skip)]
    pub code_tried: Option<Hidden>,
}

/// How a call ended, as it is written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Done; the ID of what was added, if anything was.
    Done(Option<String>),
    /// Meta said no.
    Refused(Refusal),
    /// Meta never heard of it.
    NotSent,
    /// Nobody knows.
    Unknown,
    /// Meta does not show that it happened, and nobody wants it any more.
    GivenUp,
}

/// A call about to be made, with all that has to be known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begin {
    /// Random.
    pub id: String,
    /// What is asked.
    pub order: Order,
    /// Fingerprint of all inputs.
    pub inputs: String,
    /// What Meta shows now.
    pub before: String,
    /// The PIN or code that goes with it.
    pub secret: Option<Hidden>,
    /// The action that asks for it, and its value.
    pub action: Option<(Action, String)>,
    /// Meta's clock.
    pub now: Timestamp,
}

impl Ledger {
    /// How often an operation was tried within Meta's window.
    #[must_use]
    pub fn recent(&self, operation: Operation, now: Timestamp) -> Vec<Timestamp> {
        let times = self.attempts.get(&operation.counted_as()).into_iter().flatten();
        times.filter(|time| now.duration_since(**time) < WINDOW).copied().collect()
    }

    /// The open intent with which this operation has to wait.
    #[must_use]
    pub fn conflicting(&self, operation: Operation) -> Option<&Intent> {
        self.intents.iter().find(|intent| intent.order.operation().conflicts(operation))
    }

    /// The open intent of this name.
    #[must_use]
    pub fn intent(&self, id: &str) -> Option<&Intent> {
        self.intents.iter().find(|intent| intent.id == id)
    }

    /// The value of an action's annotation that led to a call.
    #[must_use]
    pub fn handled(&self, action: Action) -> Option<&str> {
        self.handled.get(action.annotation()).map(String::as_str)
    }

    /// Writes down a call before it is made. What it conflicts with is closed: either its outcome was found to be that
    /// it did not happen, or a person decides.
    pub fn begin(&mut self, begin: Begin) {
        let Begin { id, order, inputs, before, secret, action, now } = begin;
        let operation = order.operation();
        // A person's word begins anew; a second try is still what a person asked for.
        let again = self.intents.iter().find(|open| open.unknown && open.order.operation() == operation);
        let again = again.filter(|_| action.is_none());
        let attempt = again.map_or(1, |open| open.attempt + 1);
        let asked = again.and_then(|open| open.action.clone());
        self.intents.retain(|open| !open.order.operation().conflicts(operation));
        if operation.is_counted() {
            let mut times = self.recent(operation, now);
            times.push(now);
            self.attempts.insert(operation.counted_as(), times);
        }
        let handled_before = action
            .as_ref()
            .and_then(|(action, value)| self.handled.insert(action.annotation().to_owned(), value.clone()));
        match operation {
            Operation::VerifyCode => self.code_tried = secret,
            Operation::Register | Operation::RegisterAgain | Operation::SetPin => self.pin_tried = secret,
            _ => {}
        }
        let action = action.map(|(_, value)| value).or(asked);
        let intent = Intent { id, order, inputs, before, attempt, action, handled_before, time: now, unknown: false };
        self.intents.push(intent);
    }

    /// Writes down how a call ended. An intent that is not there any more was settled by somebody else: nothing changes.
    pub fn finish(&mut self, id: &str, ended: Ended, now: Timestamp) {
        let Some(place) = self.intents.iter().position(|intent| intent.id == id) else { return };
        let intent = self.intents[place].clone();
        let operation = intent.order.operation();
        match ended {
            // Somebody else has found as much already, and is at work on it.
            Ended::Unknown if intent.unknown => return,
            // What can still be found out stays open.
            Ended::Unknown if operation.is_settled_later() => {
                self.intents[place].unknown = true;
                self.touched = Some(now);
                return;
            }
            Ended::Refused(refusal) if operation == Operation::Deregister && refusal.code == NOT_REGISTERED => {
                self.done(&intent, None, now);
            }
            Ended::Done(id) => self.done(&intent, id, now),
            Ended::Refused(refusal) => self.refused(&intent, refusal),
            Ended::NotSent => self.take_back(&intent),
            Ended::Unknown => self.assume(&intent, now),
            Ended::GivenUp => {}
        }
        self.intents.remove(place);
        if !self.intents.iter().any(|open| open.order.operation().is_rung()) {
            self.code_tried = None;
            self.pin_tried = None;
        }
    }

    fn done(&mut self, intent: &Intent, id: Option<String>, now: Timestamp) {
        self.touch(intent, now);
        self.refusals.remove(&intent.order.operation());
        match &intent.order {
            Order::AddNumber { account, .. } => {
                self.phone_number_id = id;
                self.business_account_id = Some(account.clone());
            }
            Order::RequestCode { .. } => self.code_sent(intent, true),
            Order::VerifyCode => {
                self.code_tried(intent);
                self.verified_at = Some(now);
                if self.refusals.get(&Operation::Register).is_some_and(|refusal| refusal.code == UNVERIFIED) {
                    self.refusals.remove(&Operation::Register);
                }
            }
            Order::Register | Order::RegisterAgain => {
                self.registered_at = Some(now);
                self.register_wanted = false;
                self.refused_pins.clear();
                self.pin = self.pin_tried.take().or(self.pin.take());
                self.refusals.remove(&Operation::Register);
            }
            Order::SetPin { then_register } => {
                self.pin = self.pin_tried.take().or(self.pin.take());
                self.register_wanted = *then_register;
                // Whatever was refused was refused under another PIN.
                self.refused_pins.clear();
                self.refusals.remove(&Operation::Register);
            }
            Order::Deregister => {
                // Half deregistered, it was never connected: then it may be registered as before.
                self.was_connected |= self.registered_at.take().is_some();
                match self.refusals.get_mut(&Operation::Register) {
                    // Registered again now; how often it was refused is not forgotten, or it would go round in a circle.
                    Some(refusal) if refusal.code == HALF_DEREGISTERED => refusal.until = Some(now),
                    _ => drop(self.refusals.remove(&Operation::Register)),
                }
            }
            Order::SetWebhook { url, again } => {
                let mut taken_back = self.webhook.take().map(|webhook| webhook.taken_back).unwrap_or_default();
                taken_back.retain(|at| now.duration_since(*at) < SignedDuration::from_hours(24));
                if *again {
                    taken_back.push(now);
                }
                self.webhook = Some(Webhook { url: url.clone(), inputs: intent.inputs.clone(), taken_back });
                self.refusals.remove(&Operation::ClearWebhook);
            }
            Order::ClearWebhook => {
                self.webhook = None;
                self.refusals.remove(&Operation::SetWebhook);
            }
            Order::WriteProfile { fields } => {
                for (name, value) in fields {
                    let field = ProfileField { sent: value.clone(), shown: None, at: now, lost: false };
                    self.profile.insert(name.clone(), field);
                }
            }
        }
    }

    fn refused(&mut self, intent: &Intent, refusal: Refusal) {
        let operation = intent.order.operation().counted_as();
        // A code that was not looked at can be tried again.
        if operation == Operation::VerifyCode && refusal.until.is_none() {
            self.code_tried(intent);
        }
        if operation == Operation::Register {
            // What Meta could not do just now is still what the person wants.
            self.register_wanted = refusal.until.is_some() && (self.register_wanted || intent.action.is_some());
        }
        if operation == Operation::Register && refusal.is_of_pin() && !self.refused_pins.contains(&refusal.inputs) {
            if self.refused_pins.len() == PINS_REMEMBERED {
                self.refused_pins.remove(0);
            }
            self.refused_pins.push(refusal.inputs.clone());
        }
        if refusal.code == LOCKED {
            self.blocked_until = refusal.until;
        }
        self.refusals.insert(operation, refusal);
    }

    /// The call did not leave this process: as if it had never been.
    fn take_back(&mut self, intent: &Intent) {
        let operation = intent.order.operation();
        if let Some(times) = self.attempts.get_mut(&operation.counted_as())
            && let Some(last) = times.iter().rposition(|time| *time == intent.time)
        {
            times.remove(last);
        }
        if intent.attempt == 1
            && let (Some(_), Some(action)) = (&intent.action, operation.action())
        {
            let key = action.annotation().to_owned();
            match &intent.handled_before {
                Some(before) => self.handled.insert(key, before.clone()),
                None => self.handled.remove(&key),
            };
        }
        // An earlier try of it may still have happened.
        if intent.attempt > 1 {
            let id = format!("{}-before", intent.id);
            let earlier = Intent { id, attempt: intent.attempt - 1, unknown: true, ..intent.clone() };
            self.intents.push(earlier);
        }
    }

    /// Nobody will ever know: it is taken to have happened, or will be done again as if it had not.
    fn assume(&mut self, intent: &Intent, now: Timestamp) {
        self.touch(intent, now);
        match &intent.order {
            Order::RequestCode { .. } => self.code_sent(intent, false),
            // Ours, should it be there; without its inputs, so that it is set again all the same.
            Order::SetWebhook { url, .. } => {
                let taken_back = self.webhook.take().map(|webhook| webhook.taken_back).unwrap_or_default();
                self.webhook = Some(Webhook { url: url.clone(), inputs: String::new(), taken_back });
            }
            Order::WriteProfile { fields } => {
                for (name, value) in fields {
                    let field = ProfileField { sent: value.clone(), shown: None, at: now, lost: true };
                    self.profile.insert(name.clone(), field);
                }
            }
            _ => {}
        }
    }

    fn touch(&mut self, intent: &Intent, now: Timestamp) {
        if intent.order.operation().is_seen() {
            self.touched = Some(now);
        }
    }

    fn code_sent(&mut self, intent: &Intent, certain: bool) {
        if let Order::RequestCode { method, baseline, .. } = &intent.order {
            self.code = Some(SentCode {
                requested_at: intent.time,
                method: method.clone(),
                baseline: baseline.clone(),
                tried: Vec::new(),
                certain,
            });
            self.verified_at = None;
            self.refusals.remove(&Operation::RequestCode);
            self.refusals.remove(&Operation::VerifyCode);
        }
    }

    fn code_tried(&mut self, intent: &Intent) {
        if let Some(code) = &mut self.code {
            code.tried.push(intent.inputs.clone());
        }
    }
}

#[cfg(test)]
#[path = "entry_tests.rs"]
mod tests;
