//! How the outcome of a call changes the record of a number. Pure.

use jiff::{SignedDuration, Timestamp};

use super::{
    parts::{PinDoubt, ProfileField, Refusal, SentCode, Webhook},
    record::{Ledger, PossiblePin},
};
use crate::calls::{
    intent::{CallInput, Intent},
    operation::Operation,
};
use crate::graph::codes;

/// How many refused PINs are remembered; Meta locks a number long before.
pub(crate) const PINS_REMEMBERED: usize = 64;

/// The outcome of a call, as the ledger records it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallOutcome {
    /// Done; the ID of what was added, if anything was.
    Done(Option<String>),
    /// Registered, and the PIN that was sent need not be the one in force.
    PinOpen {
        /// Meta replied that it left the number's PIN alone; otherwise its reply was lost.
        kept: bool,
    },
    /// Meta refused.
    Refused(Refusal),
    /// It never reached Meta.
    NotSent,
    /// The outcome is unknown.
    Unknown,
    /// Meta does not show that it took effect, and it is no longer wanted.
    GivenUp,
}

impl Ledger {
    /// Records the outcome of a call. If the intent is gone, another process resolved it, and nothing changes.
    pub fn finish(&mut self, id: &str, ended: CallOutcome, now: Timestamp) {
        let Some(place) = self.intents.iter().position(|intent| intent.id == id) else { return };
        // Somebody else has found as much already, and is at work on it.
        if ended == CallOutcome::Unknown && self.intents[place].unknown {
            return;
        }
        if ended != CallOutcome::NotSent {
            self.forget_replaced(place, &ended);
            self.drop_unused_secrets();
        }
        let intent = self.intents[place].clone();
        let operation = intent.input.operation();
        match ended {
            // A refusal now proves nothing about the earlier call that got no reply.
            CallOutcome::Refused(refusal) if operation == Operation::SetPin && intent.attempt > 1 => {
                self.intents[place].unknown = true;
                self.refusals.insert(operation, refusal);
                return;
            }
            // What can still be found out stays open.
            CallOutcome::Unknown if operation.is_settled_later() => {
                self.intents[place].unknown = true;
                self.last_change_at = Some(now);
                return;
            }
            CallOutcome::Refused(refusal)
                if operation == Operation::Deregister && refusal.code == codes::NOT_REGISTERED =>
            {
                self.done(&intent, None, now);
            }
            CallOutcome::Done(id) => self.done(&intent, id, now),
            CallOutcome::PinOpen { kept } => self.registered_with_open_pin(&intent, kept, now),
            CallOutcome::Refused(refusal) => self.refused(&intent, refusal),
            CallOutcome::NotSent => self.take_back(&intent),
            CallOutcome::Unknown => self.assume(&intent, now),
            CallOutcome::GivenUp => {}
        }
        self.intents.remove(place);
        self.drop_unused_secrets();
    }

    /// It was sent, or may have been: the calls that it replaces are over, except for their PINs, which may still be in force.
    fn forget_replaced(&mut self, place: usize, ended: &CallOutcome) {
        let intent = &mut self.intents[place];
        let operation = intent.input.operation();
        let mut replaced = std::mem::take(&mut intent.replaces);
        if intent.attempt > 1 {
            // The same call, earlier: what that one took the place of.
            replaced = replaced.into_iter().flat_map(|earlier| earlier.replaces).collect();
        }
        match ended {
            CallOutcome::Unknown | CallOutcome::Refused(_) if operation == Operation::SetPin => {
                intent.replaces = replaced;
            }
            CallOutcome::Done(_) if operation.puts_pin_in_force() => {}
            CallOutcome::NotSent => {}
            // Another PIN is the number's, and that of the call before is the likeliest.
            CallOutcome::Refused(refusal) if refusal.is_of_pin() => {
                for earlier in &replaced {
                    self.may_be_in_force(earlier);
                }
            }
            _ => {
                for earlier in replaced.iter().filter(|earlier| earlier.input.operation() == Operation::SetPin) {
                    self.may_be_in_force(earlier);
                }
            }
        }
    }

    /// Keeps the PIN of a call that is over and whose reply was lost, unless it is known to be the one in force.
    fn may_be_in_force(&mut self, intent: &Intent) {
        let pin = self.secrets.get(&intent.id).filter(|_| intent.input.operation().takes_pin());
        if pin.is_some() && pin != self.pin.as_ref() {
            self.forget_possible(&intent.id);
            self.possible_pins.push(PossiblePin { id: intent.id.clone(), time: intent.time });
        }
    }

    /// Drops every other entry for the PIN of this call.
    fn forget_possible(&mut self, id: &str) {
        let Self { possible_pins, secrets, .. } = self;
        let pin = secrets.get(id);
        possible_pins.retain(|possible| secrets.get(&possible.id) != pin);
    }

    /// Meta registered the number, and another PIN than that of the call may be in force.
    fn registered_with_open_pin(&mut self, intent: &Intent, kept: bool, now: Timestamp) {
        self.touch(intent, now);
        self.registered(now);
        if kept {
            self.pin_doubt = Some(PinDoubt::Kept);
        } else {
            self.may_be_in_force(intent);
        }
    }

    /// Meta accepted a registration.
    fn registered(&mut self, now: Timestamp) {
        self.registered_at = Some(now);
        self.deregistered_at = None;
        self.register_wanted = false;
        self.refusals.remove(&Operation::Register);
    }

    /// Meta accepted the PIN of a call: no other can be in force.
    fn put_in_force(&mut self, intent: &Intent, now: Timestamp) {
        (self.pin_at, self.pin_number, self.pin_doubt) = (Some(now), intent.phone_number_id.clone(), None);
        // A person may have removed the value from the Secret: then the PIN from before is the best that is known.
        self.pin = self.secrets.get(&intent.id).cloned().or(self.pin.take());
        self.possible_pins.clear();
        // Whatever was refused was refused under another PIN.
        self.refused_pins.clear();
    }

    fn done(&mut self, intent: &Intent, id: Option<String>, now: Timestamp) {
        self.touch(intent, now);
        self.refusals.remove(&intent.input.operation());
        match &intent.input {
            CallInput::AddNumber { account, .. } => {
                self.phone_number_id = id;
                self.business_account_id = Some(account.clone());
            }
            CallInput::RequestCode { .. } => self.code_sent(intent, true),
            CallInput::VerifyCode => {
                self.code_tried(intent);
                self.verified_at = Some(now);
                if self.refusals.get(&Operation::Register).is_some_and(|refusal| refusal.code == codes::NOT_VERIFIED) {
                    self.refusals.remove(&Operation::Register);
                }
            }
            CallInput::Register => {
                self.registered(now);
                self.put_in_force(intent, now);
                self.refusals.remove(&Operation::SetPin);
            }
            // Meta leaves the PIN of a registered number alone.
            CallInput::RegisterAgain => self.registered(now),
            CallInput::SetPin { then_register } => {
                self.put_in_force(intent, now);
                self.register_wanted = *then_register;
                self.refusals.remove(&Operation::Register);
            }
            CallInput::Deregister => {
                // Half deregistered, it was never connected: then it may be registered as before.
                self.was_connected |= self.registered_at.take().is_some();
                self.deregistered_at = Some(now);
                match self.refusals.get_mut(&Operation::Register) {
                    // Registered again now; how often it was refused is not forgotten, or it would go round in a circle.
                    Some(refusal) if refusal.code == codes::HALF_DEREGISTERED => refusal.until = Some(now),
                    _ => drop(self.refusals.remove(&Operation::Register)),
                }
            }
            CallInput::SetWebhook { url, again } => {
                let mut taken_back = self.webhook.take().map(|webhook| webhook.taken_back).unwrap_or_default();
                taken_back.retain(|at| now.duration_since(*at) < SignedDuration::from_hours(24));
                if *again {
                    taken_back.push(now);
                }
                self.webhook = Some(Webhook { url: url.clone(), inputs: intent.inputs.clone(), taken_back });
                self.refusals.remove(&Operation::ClearWebhook);
            }
            CallInput::ClearWebhook => {
                self.webhook = None;
                self.refusals.remove(&Operation::SetWebhook);
            }
            CallInput::WriteProfile { fields } => {
                for (name, value) in fields {
                    let field = ProfileField { sent: value.clone(), shown: None, at: now, lost: false };
                    self.profile.insert(name.clone(), field);
                }
            }
        }
    }

    fn refused(&mut self, intent: &Intent, refusal: Refusal) {
        let operation = intent.input.operation().counted_as();
        // A code that was not looked at can be tried again.
        if operation == Operation::VerifyCode && refusal.until.is_none() {
            self.code_tried(intent);
        }
        if operation == Operation::Register {
            // The request of a person stays open while Meta cannot carry it out.
            self.register_wanted = refusal.until.is_some() && (self.register_wanted || intent.action.is_some());
        }
        if operation == Operation::Register && refusal.is_of_pin() {
            self.forget_possible(&intent.id);
        }
        if operation == Operation::Register && refusal.is_of_pin() && !self.refused_pins.contains(&refusal.inputs) {
            if self.refused_pins.len() == PINS_REMEMBERED {
                self.refused_pins.remove(0);
            }
            self.refused_pins.push(refusal.inputs.clone());
        }
        if refusal.code == codes::REGISTRATION_LOCKED {
            self.blocked_until = refusal.until;
        }
        self.refusals.insert(operation, refusal);
        // What became of another PIN before is as open as it was.
        self.reopen(intent);
    }

    /// The call did not leave this process: undoes `begin`.
    fn take_back(&mut self, intent: &Intent) {
        let operation = intent.input.operation();
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
        self.reopen(intent);
    }

    /// The calls that it replaces are open again.
    fn reopen(&mut self, intent: &Intent) {
        self.intents.extend(intent.replaces.iter().cloned());
    }

    /// The outcome will never be known: the call counts as made, or is repeated.
    fn assume(&mut self, intent: &Intent, now: Timestamp) {
        self.touch(intent, now);
        match &intent.input {
            CallInput::RequestCode { .. } => self.code_sent(intent, false),
            // Where the number had no PIN, this one is in force now.
            CallInput::RegisterAgain => self.may_be_in_force(intent),
            // Ours, should it be there; without its inputs, so that it is set again all the same.
            CallInput::SetWebhook { url, .. } => {
                let taken_back = self.webhook.take().map(|webhook| webhook.taken_back).unwrap_or_default();
                self.webhook = Some(Webhook { url: url.clone(), inputs: String::new(), taken_back });
            }
            // Ours still, should it be there.
            CallInput::ClearWebhook => {
                if let Some(webhook) = &mut self.webhook {
                    webhook.inputs.clear();
                }
            }
            CallInput::WriteProfile { fields } => {
                for (name, value) in fields {
                    let field = ProfileField { sent: value.clone(), shown: None, at: now, lost: true };
                    self.profile.insert(name.clone(), field);
                }
            }
            _ => {}
        }
    }

    fn touch(&mut self, intent: &Intent, now: Timestamp) {
        if intent.input.operation().is_seen() {
            self.last_change_at = Some(now);
        }
    }

    fn code_sent(&mut self, intent: &Intent, certain: bool) {
        if let CallInput::RequestCode { method, baseline, .. } = &intent.input {
            self.code = Some(SentCode {
                requested_at: intent.time,
                method: *method,
                baseline: baseline.clone(),
                tried: Vec::new(),
                certain,
            });
            self.verified_at = None;
            self.refusals.remove(&Operation::RequestCode);
            self.refusals.remove(&Operation::VerifyCode);
        }
    }

    /// Records a value that was submitted: it is not submitted again for the same code.
    pub(crate) fn code_tried(&mut self, intent: &Intent) {
        if let Some(code) = self.code.as_mut().filter(|code| !code.tried.contains(&intent.inputs)) {
            code.tried.push(intent.inputs.clone());
        }
    }
}
