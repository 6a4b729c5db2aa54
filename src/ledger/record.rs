//! The record of one number, and how an intent changes it. Pure.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::parts::{Owner, PinDoubt, ProfileField, Refusal, SentCode, Webhook};
use crate::calls::{
    budget::recent,
    intent::{CallInput, Intent},
    operation::{Operation, WINDOW},
};
use crate::{api::Action, k8s::secrets::ComparableSecret};

/// A PIN that Meta may have put in force, by a call whose reply was lost. Its value is in [`Ledger::secrets`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PossiblePin {
    /// The intent's id.
    pub id: String,
    /// When the intent was written, on Meta's clock.
    pub time: Timestamp,
}

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
    pub last_change_at: Option<Timestamp>,
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
    /// When Meta accepted a deregistration, and no registration since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deregistered_at: Option<Timestamp>,
    /// Whether it was ever seen connected.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub was_connected: bool,
    /// Whether a person asked for a registration that has not been made yet.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub register_wanted: bool,
    /// The latest values of annotations that were acted on or ignored: the status may be restored to an older one.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub handled: BTreeMap<String, String>,
    /// Values of annotations that were ignored because they were ahead of their time: they are not acted on later either.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub ignored_ahead: BTreeMap<String, String>,
    /// The callback that the operator has set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<Webhook>,
    /// The profile's fields that the operator has written.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub profile: BTreeMap<String, ProfileField>,
    /// The PIN in force, as far as the operator put it there or Meta accepted it.
    #[serde(skip)]
    pub pin: Option<ComparableSecret>,
    /// When Meta put it in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pin_at: Option<Timestamp>,
    /// ID of the number for which it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pin_number: Option<String>,
    /// Why it may no longer be in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pin_doubt: Option<PinDoubt>,
    /// Calls that are over, and whose PIN may be in force all the same, newest last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub possible_pins: Vec<PossiblePin>,
    /// PINs and codes of calls, by the intent's id.
    #[serde(skip)]
    pub secrets: BTreeMap<String, ComparableSecret>,
}

/// What Meta shows of a number, as far as the ledger keeps it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// Its ID and account, where it is there.
    pub id: Option<(String, String)>,
    /// Whether it is connected.
    pub connected: bool,
    /// Why the PIN in the ledger may no longer be in force.
    pub pin_doubt: Option<PinDoubt>,
    /// How fields of the profile are shown that were written.
    pub shown: Vec<(String, serde_json::Value)>,
}

/// A call about to be made, with all that has to be known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewIntent {
    /// Random.
    pub id: String,
    /// What is asked.
    pub input: CallInput,
    /// Fingerprint of all inputs.
    pub inputs: String,
    /// What Meta shows now.
    pub before: String,
    /// The PIN or code that goes with it.
    pub secret: Option<ComparableSecret>,
    /// The action that asks for it, and its value.
    pub action: Option<(Action, String)>,
    /// Meta's clock.
    pub now: Timestamp,
}

impl Ledger {
    /// How often an operation was tried within Meta's window.
    #[must_use]
    pub fn recent(&self, operation: Operation, now: Timestamp) -> Vec<Timestamp> {
        let made = self.attempts.get(&operation.counted_as()).map(Vec::as_slice).unwrap_or_default();
        recent(made, WINDOW, now)
    }

    /// The open intent with which this operation has to wait.
    #[must_use]
    pub fn conflicting(&self, operation: Operation) -> Option<&Intent> {
        self.intents.iter().find(|intent| intent.input.operation().conflicts(operation))
    }

    /// The open intent of this name.
    #[must_use]
    pub fn intent(&self, id: &str) -> Option<&Intent> {
        self.intents.iter().find(|intent| intent.id == id)
    }

    /// The PIN or code of a call that is open, or whose PIN may be in force.
    #[must_use]
    pub fn secret_of(&self, id: &str) -> Option<&ComparableSecret> {
        self.secrets.get(id)
    }

    /// The PIN for a Secret that somebody has deleted: the one that was sent last and may be in force, else the one in force,
    /// else that of a call that is open.
    #[must_use]
    pub fn pin_to_keep(&self) -> Option<&ComparableSecret> {
        let possible = self.possible_pins.last().and_then(|pin| self.secret_of(&pin.id));
        let open = || self.intents.iter().filter(|intent| intent.input.operation().takes_pin());
        possible.or(self.pin.as_ref()).or_else(|| open().find_map(|intent| self.secret_of(&intent.id)))
    }

    /// The calls whose PIN may be in force, by id: open ones, the ones they replace, and those that are over.
    pub(super) fn possible_pin_ids(&self) -> BTreeSet<&str> {
        let open = self.open_and_replaced().into_iter().filter(|intent| intent.input.operation().takes_pin());
        let ids = open.map(|intent| intent.id.as_str()).chain(self.possible_pins.iter().map(|pin| pin.id.as_str()));
        ids.filter(|id| self.secrets.contains_key(*id)).collect()
    }

    /// Forgets the PINs and codes of calls that are neither open nor replaced by an open one, and whose PIN cannot be in force.
    pub(super) fn drop_unused_secrets(&mut self) {
        let open = self.open_and_replaced().into_iter().map(|intent| intent.id.clone());
        let used: BTreeSet<String> = open.chain(self.possible_pins.iter().map(|pin| pin.id.clone())).collect();
        self.secrets.retain(|id, _| used.contains(id));
    }

    fn open_and_replaced(&self) -> Vec<&Intent> {
        let mut found: Vec<&Intent> = self.intents.iter().collect();
        let mut next = 0;
        while let Some(intent) = found.get(next).copied() {
            found.extend(&intent.replaces);
            next += 1;
        }
        found
    }

    /// Whether this value of an action's annotation, or a later one, was acted on or ignored.
    #[must_use]
    pub fn has_handled(&self, action: Action, value: &str) -> bool {
        let key = action.annotation();
        let time = |text: &str| text.parse::<Timestamp>().ok();
        let is_late = |handled: &String| handled == value || time(value) <= time(handled);
        self.handled.get(key).is_some_and(is_late) || self.ignored_ahead.get(key).is_some_and(|ahead| ahead == value)
    }

    /// Records that a value of an action's annotation is not to be acted on (any more).
    pub fn record_handled(&mut self, action: Action, value: &str, is_ahead: bool) {
        let values = if is_ahead { &mut self.ignored_ahead } else { &mut self.handled };
        values.insert(action.annotation().to_owned(), value.to_owned());
    }

    /// Notes whose the number is, and what Meta shows of it.
    pub fn note(&mut self, owner: Owner, seen: Observed) {
        let Observed { id, connected, pin_doubt, shown } = seen;
        self.owner = owner;
        self.pin_doubt = self.pin_doubt.or(pin_doubt);
        if let Some((id, account)) = id {
            // There it is: nobody adds it any more.
            self.refusals.remove(&Operation::AddNumber);
            self.phone_number_id = Some(id);
            self.business_account_id = Some(account);
        }
        self.was_connected |= connected;
        // Connected it is: what a person wished for is over, lest it be done at another time.
        self.register_wanted &= !connected;
        for (name, value) in shown {
            if let Some(field) = self.profile.get_mut(&name) {
                field.shown = Some(value);
            }
        }
    }

    /// Adds the intent of a call. It replaces open calls that conflict with it: reads showed that they did not happen, or a
    /// person decided.
    pub fn begin(&mut self, begin: NewIntent) {
        let NewIntent { id, input, inputs, before, secret, action, now } = begin;
        let operation = input.operation();
        // A person's word begins anew; a second try is still what a person asked for.
        let again = self.intents.iter().find(|open| open.unknown && open.input.operation() == operation);
        let again = again.filter(|_| action.is_none());
        let attempt = again.map_or(1, |open| open.attempt + 1);
        let asked = again.and_then(|open| open.action.clone());
        let is_again = again.is_some();
        let conflicting = self.intents.extract_if(.., |open| open.input.operation().conflicts(operation));
        let replaces: Vec<_> = conflicting.collect();
        for open in replaces.iter().filter(|open| open.input == CallInput::VerifyCode && !is_again) {
            // Should the next code not be sent, this one stays tried.
            self.code_tried(open);
        }
        if let Some(counted) = operation.counted() {
            let mut times = self.recent(operation, now);
            times.push(now);
            self.attempts.insert(counted, times);
        }
        let handled_before = action
            .as_ref()
            .and_then(|(action, value)| self.handled.insert(action.annotation().to_owned(), value.clone()));
        // A verify token can be read again from its Secret.
        if let Some(secret) = secret.filter(|_| operation.takes_pin() || operation == Operation::VerifyCode) {
            self.secrets.insert(id.clone(), secret);
        }
        let action = action.map(|(_, value)| value).or(asked);
        let phone_number_id = self.phone_number_id.clone();
        self.intents.push(Intent {
            id,
            input,
            inputs,
            before,
            attempt,
            action,
            handled_before,
            phone_number_id,
            replaces,
            time: now,
            unknown: false,
        });
        self.drop_unused_secrets();
    }
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
